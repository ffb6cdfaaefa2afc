"""The table of backbones, the default, the freeze choice and files of weights: without TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

from translearn_core import weights
from translearn_core.backbones import BACKBONES, Backbone, get_backbone, image_size_for
from translearn_core.config import Settings
from translearn_core.errors import SettingsError, StorageError, WeightsError
from translearn_core.freezing import blocks_of, freeze_choice
from translearn_core.recommendation import default_backbone, stronger_backbone
from translearn_core.weights import (
    download_weights,
    reachable,
    store_weights,
    weights_folder,
    weights_path,
    weights_status,
)

SHARED_WEIGHTS = Path(__file__).parents[1].parent / "shared" / "weights"
CUTS_AND_LAYERS = {
    "starter": (21, 37),
    "mobilenet_v2_035": (73, 154),
    "mobilenet_v2": (73, 154),
    "mobilenet_v3_small": (58, 157),
    "mobilenet_v3_large": (64, 187),
    "efficientnet_b0": (82, 237),
    "efficientnet_v2_b0": (63, 270),
    "efficientnet_v2_s": (79, 513),
    "resnet50": (38, 175),
    "resnet50_v2": (30, 190),
    "vgg16": (18, 19),
    "vgg19": (21, 22),
    "densenet121": (78, 427),
    "inception_v3": (28, 311),
    "xception": (24, 132),
    "convnext_tiny": (24, 133),
    "nasnet_mobile": (4, 769),
}
BLOCKS = {
    "starter": 8,
    "mobilenet_v2_035": 19,
    "mobilenet_v2": 19,
    "mobilenet_v3_small": 13,
    "mobilenet_v3_large": 17,
    "efficientnet_b0": 18,
    "efficientnet_v2_b0": 23,
    "efficientnet_v2_s": 42,
    "resnet50": 17,
    "resnet50_v2": 17,
    "vgg16": 5,
    "vgg19": 5,
    "densenet121": 8,
    "inception_v3": 13,
    "xception": 14,
    "convnext_tiny": 22,
    "nasnet_mobile": 2,
}
SMALL = BACKBONES["mobilenet_v2_035"]
every_backbone = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda row: row.name)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("TRANSLEARN_WEIGHTS_URL", raising=False)
    monkeypatch.delenv("TRANSLEARN_ALLOW_DOWNLOADS", raising=False)


# ------------------------------------------------------------------------------- the table


def test_imports_no_heavy_library() -> None:
    code = (
        "import sys; from translearn_core import freezing, recommendation; "
        "freezing.freeze_choice(recommendation.default_backbone(), -2); "
        "print({'tensorflow', 'keras', 'openvino', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_table_holds_the_promised_backbones() -> None:
    assert set(BACKBONES) == set(CUTS_AND_LAYERS)
    ranks = [backbone.default_rank for backbone in BACKBONES.values()]
    assert len(set(ranks)) == len(ranks)
    files = [backbone.weight_file for backbone in BACKBONES.values()]
    assert len(set(files)) == len(files)


@every_backbone
def test_row_is_whole_and_agrees_with_its_graph(backbone: Backbone) -> None:
    graph = blocks_of(backbone)
    assert backbone.parameters == graph.parameters
    assert backbone.features == graph.blocks[-1].output[2]
    assert backbone.size_mb == pytest.approx(graph.parameters * 4e-6, abs=0.06)
    assert backbone.top1 is None or 0.5 < backbone.top1 < 0.9
    assert backbone.min_size <= backbone.input_size
    assert backbone.licence
    assert backbone.when.endswith(".")
    if backbone.packaged:
        assert not backbone.weight_url
        assert weights_status(backbone).state == "ready"
    else:
        assert backbone.weight_url.startswith("https://storage.googleapis.com/")
    assert len(backbone.weight_hash) in (0, 32, 64)


def test_unknown_backbone_is_named_with_a_guess() -> None:
    with pytest.raises(
        SettingsError, match=r"no backbone `mobilenetv2`.*Did you mean `mobilenet_v2"
    ):
        get_backbone("mobilenetv2")


def test_image_size() -> None:
    inception = BACKBONES["inception_v3"]
    assert image_size_for(inception, Settings()) == 299
    assert image_size_for(inception, Settings(image_size=75)) == 75
    with pytest.raises(SettingsError, match=r"`image_size` must be at least 75.*Received: 64"):
        image_size_for(inception, Settings(image_size=64))


# -------------------------------------------------------------------------- blocks and freeze


@every_backbone
def test_cut_points_and_blocks_are_as_counted(backbone: Backbone) -> None:
    graph = blocks_of(backbone)
    assert (len(graph.cuts), graph.layers) == CUTS_AND_LAYERS[backbone.name]
    assert len(graph.blocks) == BLOCKS[backbone.name]


@every_backbone
def test_blocks_add_up_and_end_in_cut_points(backbone: Backbone) -> None:
    graph = blocks_of(backbone)
    assert sum(block.layers for block in graph.blocks) == graph.layers
    assert sum(block.parameters for block in graph.blocks) == graph.parameters
    assert sum(block.macs for block in graph.blocks) == graph.macs
    assert all(block.macs > 0 and block.parameters > 0 for block in graph.blocks)
    cut_names = {graph.names[cut] for cut in graph.cuts}
    assert {block.end_layer for block in graph.blocks} <= cut_names
    assert len({block.title for block in graph.blocks}) == len(graph.blocks)


@every_backbone
def test_every_step_of_the_freeze_control(backbone: Backbone) -> None:
    count = len(blocks_of(backbone).blocks)
    steps = [freeze_choice(backbone, frozen) for frozen in range(count + 1)]
    assert [step.frozen_blocks for step in steps] == list(range(count + 1))
    layers = [step.frozen_layers for step in steps]
    trainable = [step.trainable_weights for step in steps]
    assert layers == sorted(set(layers))
    assert trainable == sorted(trainable, reverse=True)
    assert steps[0] == freeze_choice(backbone, "none")
    assert steps[-1] == freeze_choice(backbone, "all")
    assert steps[0].cut_layer is None
    assert steps[0].frozen_layers == 0
    assert steps[-1].all_frozen
    assert steps[-1].trainable_weights == 0
    for last in range(1, count + 1):
        assert freeze_choice(backbone, -last) == steps[count - last]


@pytest.mark.parametrize("freeze", [20, 42, -20])
def test_freeze_out_of_range(freeze: int) -> None:
    with pytest.raises(SettingsError) as caught:
        freeze_choice(SMALL, freeze)
    assert "`freeze` must be between 0 and 19 blocks" in caught.value.message
    assert f"Received: {freeze}. Choose 19 to train the head only." in caught.value.message


def test_freeze_layer_snaps_to_a_cut_point_and_says_so() -> None:
    at_cut = freeze_choice(SMALL, "all", "block_7_add")
    assert (at_cut.cut_layer, at_cut.note) == ("block_7_add", "")
    assert at_cut == freeze_choice(SMALL, 9)
    inside = freeze_choice(SMALL, "all", "block_7_depthwise")
    assert inside.cut_layer == "block_6_project_BN"
    assert "block_7_depthwise" in inside.note
    assert "block_6_project_BN" in inside.note


def test_freeze_layer_before_every_cut_point_freezes_nothing() -> None:
    choice = freeze_choice(SMALL, "all", "photo")
    assert choice.cut_layer is None
    assert "nothing is frozen" in choice.note


def test_unknown_freeze_layer_is_answered_with_close_names() -> None:
    with pytest.raises(SettingsError, match="Did you mean `block_7_add`"):
        freeze_choice(SMALL, "all", "block7_add")


# -------------------------------------------------------------------------- weights: status


def test_keras_home_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_folder() == tmp_path / "keras" / "models"
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert weights_folder() == Path.home() / "elsewhere" / "models"


def test_status_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    status = weights_status(SMALL)
    assert status.state == "download"
    assert "about 2 MB" in status.sentence
    monkeypatch.setenv("TRANSLEARN_ALLOW_DOWNLOADS", "false")
    status = weights_status(SMALL)
    assert status.state == "missing"
    assert SMALL.weight_file in status.sentence
    assert str(weights_folder()) in status.sentence
    assert not reachable(SMALL)
    with pytest.raises(WeightsError, match="downloads are turned off"):
        download_weights(SMALL)
    _write_weights(weights_path(SMALL), SMALL)
    assert weights_status(SMALL).state == "ready"
    assert download_weights(SMALL) == weights_path(SMALL)


def test_default_backbone_is_the_best_that_is_ready() -> None:
    assert default_backbone().name == "starter"
    for name in ("vgg16", "mobilenet_v2_035", "mobilenet_v2"):
        weights_folder().mkdir(parents=True, exist_ok=True)
        weights_path(BACKBONES[name]).write_bytes(b"here")
    assert default_backbone().name == "mobilenet_v2"


def test_a_stronger_backbone_is_named_where_it_can_be_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starter = BACKBONES["starter"]
    assert "MobileNetV2 can be downloaded" in stronger_backbone(starter)
    assert stronger_backbone(BACKBONES["mobilenet_v2"]) == ""
    monkeypatch.setenv("TRANSLEARN_ALLOW_DOWNLOADS", "false")
    assert stronger_backbone(starter) == ""


def test_a_row_can_ship_its_weights_with_the_package() -> None:
    row = dataclasses.replace(SMALL, packaged=True, weight_file="blocks.json", weight_url="")
    assert weights_status(row).state == "ready"


# ------------------------------------------------------------------------- weights: taking


def _write_weights(path: Path, backbone: Backbone, *, extra_layers: int = 0) -> bytes:
    """A file in the layout of Keras' pretrained weights, with the shapes of `backbone`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = weights.expected_shapes(backbone) + [[(8, 5), (5,)]] * extra_layers
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [f"layer_{i}".encode() for i in range(len(layers))]
        for i, shapes in enumerate(layers):
            group = file.create_group(f"layer_{i}")
            group.attrs["weight_names"] = [f"w:{j}".encode() for j in range(len(shapes))]
            for j, shape in enumerate(shapes):
                data = rng.standard_normal(shape if math.prod(shape) < 20_000 else 1)
                group.create_dataset(
                    f"w:{j}", shape=shape, dtype="float32", data=np.resize(data, shape)
                )
    return path.read_bytes()


def test_store_takes_a_file_that_fits(tmp_path: Path) -> None:
    content = _write_weights(tmp_path / "mine.h5", SMALL)
    path = store_weights(SMALL, tmp_path / "mine.h5")
    assert path == weights_path(SMALL)
    assert path.read_bytes() == content
    path.unlink()
    assert store_weights(SMALL, io.BytesIO(content)).read_bytes() == content
    assert [file.name for file in weights_folder().iterdir()] == [SMALL.weight_file]


def _other_width(path: Path) -> None:
    _write_weights(path, BACKBONES["mobilenet_v2"])


def _other_network(path: Path) -> None:
    _write_weights(path, BACKBONES["vgg16"])


def _with_top(path: Path) -> None:
    _write_weights(path, SMALL, extra_layers=1)


def _truncated(path: Path) -> None:
    content = _write_weights(path, SMALL)
    path.write_bytes(content[: len(content) // 2])


def _text(path: Path) -> None:
    path.write_text("<html>404 not found</html>", encoding="utf-8")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_layout(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.zeros(3))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_other_width, r"its layer 1 has the shape 3 x 3 x 3 x 32, where 3 x 3 x 3 x 16 belongs"),
        (_other_network, r"it holds 13 layers with weights, where 104 belong"),
        (_with_top, r"It looks like the file with the top"),
        (_truncated, r"it is damaged or incomplete"),
        (_text, r"it is not a weights file"),
        (_empty, r"it is not a weights file"),
        (_other_layout, r"not in the layout of Keras' pretrained weights"),
    ],
)
def test_store_refuses_what_does_not_fit(tmp_path: Path, make: object, sentence: str) -> None:
    good = _write_weights(weights_path(SMALL), SMALL)
    make(tmp_path / "offered.h5")  # type: ignore[operator]
    with pytest.raises(WeightsError, match=sentence) as caught:
        store_weights(SMALL, tmp_path / "offered.h5")
    assert "offered.h5 cannot be used for MobileNetV2 (0.35)" in caught.value.message
    assert f"Bring {SMALL.weight_file}" in caught.value.message
    assert weights_path(SMALL).read_bytes() == good
    assert [file.name for file in weights_folder().iterdir()] == [SMALL.weight_file]


@pytest.mark.skipif(not SHARED_WEIGHTS.is_dir(), reason="../shared/weights is not here")
def test_real_files_fit_their_own_backbone_only() -> None:
    names = ("mobilenet_v2_035", "mobilenet_v2")
    real = {name: SHARED_WEIGHTS / "models" / BACKBONES[name].weight_file for name in names}
    assert store_weights(BACKBONES["mobilenet_v2"], real["mobilenet_v2"]).is_file()
    with pytest.raises(WeightsError, match="cannot be used"):
        store_weights(SMALL, real["mobilenet_v2"])
    assert store_weights(SMALL, real["mobilenet_v2_035"]).is_file()


# --------------------------------------------------------------------- weights: downloading


class _Server(ThreadingHTTPServer):
    """Serves `content` as any path; `mode` is how well it behaves."""

    daemon_threads = False
    content = b""
    mode = "ranges"
    asked: list[str | None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mirror"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self.send_response(404 if self.server.mode == "gone" else 200)
        self.end_headers()

    def do_GET(self) -> None:
        content, mode = self.server.content, self.server.mode
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if mode == "gone":
            self.send_error(404, "Not Found")
            return
        start = 0
        if wanted and mode != "no ranges":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416, "Range Not Satisfiable")
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + (len(content) - start) // 2 if mode == "cut" else len(content)
        self.wfile.write(content[start:end])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.asked = []
    server.content = _write_weights(tmp_path / "served.h5", SMALL)
    monkeypatch.setenv("TRANSLEARN_WEIGHTS_URL", server.url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _hashed(server: _Server, algorithm: str = "md5") -> Backbone:
    digest = hashlib.new(algorithm, server.content).hexdigest()
    return dataclasses.replace(SMALL, weight_hash=digest)


def _part() -> Path:
    return weights_path(SMALL).with_name(f"{SMALL.weight_file}.part")


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_download_with_progress(server: _Server, algorithm: str) -> None:
    seen: list[tuple[int, int]] = []
    backbone = _hashed(server, algorithm)
    assert reachable(backbone)
    path = download_weights(backbone, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == server.content
    assert weights_status(SMALL).state == "ready"
    assert seen[0] == (0, len(server.content))
    assert seen[-1] == (len(server.content), len(server.content))
    assert seen == sorted(seen)
    assert not _part().exists()


def test_download_cut_in_the_middle_goes_on(server: _Server) -> None:
    server.mode = "cut"
    with pytest.raises(WeightsError, match="the connection ended after") as caught:
        download_weights(_hashed(server))
    assert SMALL.weight_file in caught.value.message
    assert str(weights_folder()) in caught.value.message
    half = _part().stat().st_size
    assert 0 < half < len(server.content)
    assert weights_status(SMALL).state == "download"
    server.mode = "ranges"
    seen: list[int] = []
    path = download_weights(_hashed(server), progress=lambda done, _total: seen.append(done))
    assert path.read_bytes() == server.content
    assert seen[0] == half
    assert server.asked == [None, f"bytes={half}-"]


def test_download_starts_over_where_the_server_cannot_go_on(server: _Server) -> None:
    weights_folder().mkdir(parents=True)
    _part().write_bytes(server.content[:1000])
    server.mode = "no ranges"
    assert download_weights(_hashed(server)).read_bytes() == server.content


@pytest.mark.parametrize("wrong", ["other beginning", "too long"])
def test_download_starts_over_when_the_part_does_not_fit(server: _Server, wrong: str) -> None:
    weights_folder().mkdir(parents=True)
    _part().write_bytes(b"?" * (1000 if wrong == "other beginning" else len(server.content) + 5))
    assert download_weights(_hashed(server)).read_bytes() == server.content


def test_download_stopped_keeps_the_part(server: _Server) -> None:
    with pytest.raises(WeightsError, match="stopped"):
        download_weights(SMALL, stop=lambda: _part().exists() and _part().stat().st_size > 0)
    assert weights_status(SMALL).state == "download"
    assert download_weights(SMALL).read_bytes() == server.content


def test_download_of_a_wrong_file_is_refused(server: _Server) -> None:
    backbone = _hashed(server)
    server.content = server.content[:-1] + b"?"
    with pytest.raises(WeightsError, match="checksum differs"):
        download_weights(backbone)
    server.content = b"<html>Please log in to this network</html>"
    with pytest.raises(WeightsError, match="not a weights file"):
        download_weights(SMALL)
    assert weights_status(SMALL).state == "download"
    assert not _part().exists()


def test_download_that_is_not_there(server: _Server) -> None:
    server.mode = "gone"
    assert not reachable(SMALL)
    with pytest.raises(WeightsError, match="the server answers 404") as caught:
        download_weights(SMALL)
    assert f"Put the file {SMALL.weight_file} into the folder" in caught.value.message


def test_download_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_WEIGHTS_URL", "http://127.0.0.1:9")
    assert not reachable(SMALL)
    with pytest.raises(WeightsError, match="could not be downloaded") as caught:
        download_weights(SMALL)
    assert SMALL.weight_file in caught.value.message


def test_download_never_fills_the_disk(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_LIMITS", f'{{"free_bytes": {2**60}}}')
    with pytest.raises(StorageError, match="too full"):
        download_weights(SMALL)


def test_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="set KERAS_HOME to a folder"):
        store_weights(SMALL, io.BytesIO(b""))
