"""Files of weights: where they lie, taking them, fetching them from a server of our own."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

from translearn_core.backbones import BACKBONES, Backbone
from translearn_core.backbones.weights import weights_path, weights_status
from translearn_core.backbones.weights_check import expected_shapes
from translearn_core.backbones.weights_download import download_weights, reachable
from translearn_core.backbones.weights_folder import weights_folder
from translearn_core.backbones.weights_upload import store_weights
from translearn_core.errors import StorageError, WeightsError

SHARED_WEIGHTS = Path(__file__).parents[2].parent / "shared" / "weights"
SMALL = BACKBONES["mobilenet_v2_035"]
pytestmark = pytest.mark.usefixtures("own_folders")


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


# ------------------------------------------------------------------------- taking


def _write_weights(path: Path, backbone: Backbone, *, extra_layers: int = 0) -> bytes:
    """A file in the layout of Keras' pretrained weights, with the shapes of `backbone`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = expected_shapes(backbone) + [[(8, 5), (5,)]] * extra_layers
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
    _write_weights(path, BACKBONES["mobilenet_v3_small"])


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
        (_other_network, r"it holds 86 layers with weights, where 104 belong"),
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


# -------------------------------------------------------------------- downloading


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
