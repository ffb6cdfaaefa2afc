"""What a GPU changes, as far as it shows without one: which are used, precision, what is saved.

`nvidia-smi` is a program of the test's own, the CUDA libraries a package's record in a folder, and
TensorFlow's view of its devices a stand-in; mixed precision itself runs on any processor.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from translearn_core.backbones import BACKBONES
from translearn_core.fitting.fit import fit
from translearn_core.fitting.fit_spec import FitSpec
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.subsets import Subset
from translearn_core.graph import gpus
from translearn_core.graph.assembly import build_head
from translearn_core.graph.build import build_backbone
from translearn_core.graph.device import prepare_device
from translearn_core.graph.engine import KerasEngine
from translearn_core.graph.gpus import count_gpus, visible_gpus
from translearn_core.graph.saving import load_model, save_model
from translearn_core.graph.walk import replay
from translearn_core.jobs.queue import count_slots, take_slot
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, JobConfig

STARTER = BACKBONES["starter"]
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="TensorFlow uses GPUs under Linux only"),
]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of programs and one of packages, for a machine with two GPUs and CUDA."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'GPU 0: One (UUID: a)'\necho 'GPU 1: Two (UUID: b)'\n")
    tool.chmod(0o755)
    record = tmp_path / "packages" / "nvidia_cudnn_cu12-9.3.0.dist-info" / "METADATA"
    record.parent.mkdir(parents=True)
    record.write_text("Metadata-Version: 2.1\nName: nvidia-cudnn-cu12\nVersion: 9.3.0\n")
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _forget()
    yield tmp_path
    monkeypatch.undo()
    _forget()
    prepare_device()
    keras.config.set_dtype_policy("float32")


def _forget() -> None:
    gpus.listed_gpus.cache_clear()
    gpus.has_cuda.cache_clear()


class _Growing:
    """TensorFlow with GPUs of a compute capability; keeps whose memory was let grow."""

    def __init__(self, *capabilities: tuple[int, int], busy: bool = False) -> None:
        self.grows: list[str] = []
        self._busy = busy
        places = [f"/GPU:{number}" for number in range(len(capabilities))]
        details = {
            place: {"device_name": f"NVIDIA {place}", "compute_capability": capability}
            for place, capability in zip(places, capabilities, strict=True)
        }
        self.config = SimpleNamespace(
            list_physical_devices=lambda _kind: places,
            experimental=SimpleNamespace(
                get_device_details=details.__getitem__, set_memory_growth=self._let_grow
            ),
        )

    def _let_grow(self, place: str, enable: bool) -> None:
        if self._busy:
            raise RuntimeError("Physical devices cannot be modified after being initialized")
        assert enable
        self.grows.append(place)


@pytest.mark.usefixtures("machine", "own_folders")
def test_one_run_for_each_gpu(tmp_path: Path) -> None:
    assert count_gpus() == count_slots() == 2
    seen = []
    first, second = (Job(tmp_path / "runs" / name) for name in ("a", "b"))
    for job in (first, second):
        job.begin(JobConfig(kind="train", created=1.0))
    with take_slot(first) as has_one:
        first.update_state(state="running")
        seen.append((has_one, os.environ.pop("CUDA_VISIBLE_DEVICES")))  # a process has its own
        with take_slot(second) as has_one:
            seen.append((has_one, os.environ.pop("CUDA_VISIBLE_DEVICES")))
    assert seen == [(True, "0"), (True, "1")]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("named", "seen"),
    [
        ("1", ["1"]),
        ("3, 2", ["3", "2"]),
        ("-1", []),
        ("", []),
        ("0,-1,1", ["0"]),
        ("GPU-b", ["GPU-b"]),
    ],
)
def test_gpus_that_are_named_already_are_used(
    named: str, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == seen


def test_a_gpu_without_cuda_is_none(machine: Path) -> None:
    """A laptop with such a card on which requirements-gpu.txt was never installed."""
    (machine / "packages" / "nvidia_cudnn_cu12-9.3.0.dist-info" / "METADATA").unlink()
    (machine / "packages" / "nvidia_cudnn_cu12-9.3.0.dist-info").rmdir()
    _forget()
    if gpus.has_cuda():
        pytest.skip("CUDA is installed on this machine.")
    assert gpus.listed_gpus() == 2
    assert count_gpus() == 0
    assert count_slots() == 1
    assert prepare_device(_Growing((8, 0))).startswith("CPU")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [([(8, 0), (7, 0)], "mixed_float16"), ([(6, 1)], "float32"), ([(9, 0), (6, 1)], "float32")],
)
def test_memory_grows_and_precision_suits_the_gpu(
    capabilities: list[tuple[int, int]], policy: str
) -> None:
    library = _Growing(*capabilities)
    assert prepare_device(library) == "NVIDIA /GPU:0"
    assert library.grows == [f"/GPU:{n}" for n in range(len(capabilities))]
    assert keras.config.dtype_policy().name == policy
    assert prepare_device(_Growing(*capabilities, busy=True)) == "NVIDIA /GPU:0"
    assert prepare_device(_Growing()).startswith("CPU"), "TensorFlow finds none of them"


@pytest.mark.usefixtures("machine")
def test_every_thread_builds_in_the_precision_of_the_gpu() -> None:
    """The pass opens its network in a thread, and Keras keeps a policy for each."""
    prepare_device(_Growing((8, 0)))
    kinds: dict[str, Any] = {}

    def build() -> None:
        kinds["network"] = build_backbone(STARTER, size=32, weights="random")
        kinds["head"] = build_head(8, 2, Settings(head="hidden", hidden_units=4))

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    assert kinds["network"].get_layer("stem_conv").compute_dtype == "float16"
    assert kinds["head"].get_layer("head_hidden").compute_dtype == "float16"
    assert kinds["head"].output.dtype == "float32"


@pytest.mark.usefixtures("machine")
def test_it_learns_in_mixed_precision_and_is_saved_in_float32(tmp_path: Path) -> None:
    """By steps in pieces: losses are scaled, what is learned from them is not."""
    prepare_device(_Growing((8, 0)))
    settings = Settings(hidden_units=8, batch_size=4, dropout=0.0, fine_tune_learning_rate=0.01)
    photos = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    rows = np.arange(8)
    part = Subset(
        source=InMemory(photos), rows=rows, labels=rows % 2, weights=np.ones(8, np.float32)
    )
    head = build_head(4, 2, settings)
    photo = keras.Input((16, 16, 3), dtype="float32", name="photo")
    x = keras.layers.Rescaling(1 / 255, dtype="float32")(photo)
    x = keras.layers.Conv2D(4, 3, strides=4, activation="relu", name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    model = keras.Model(photo, replay(head, x))
    assert model.get_layer("conv").compute_dtype == "float16"
    before = model.get_weights()
    spec = FitSpec(settings=settings, phase="fine_tune", epochs=1, most_at_once=2)
    assert fit(model, part, part, spec, Monitor()).epochs == 1
    after = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert max(np.abs(a - b).max() for a, b in zip(after, before, strict=True)) > 1e-3

    save_model(model, tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    loaded = load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    for kept, weight in zip(loaded.get_weights(), after, strict=True):
        np.testing.assert_array_equal(kept, weight)
    answers = [
        keras.ops.convert_to_numpy(one(photos.astype("float32"), training=False))
        for one in (model, loaded)
    ]
    np.testing.assert_allclose(*answers, atol=0.02)


@pytest.mark.usefixtures("machine")
def test_a_head_learns_once_more_in_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scale of the losses outlives the restart of the optimiser; nothing is compiled by XLA,
    which Keras does where TensorFlow lists a GPU."""
    prepare_device(_Growing((8, 0)))
    listed = [SimpleNamespace(device_type="CPU"), SimpleNamespace(device_type="GPU")]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind=None: listed)
    settings = Settings(hidden_units=8, batch_size=8, dropout=0.0)
    rows = np.arange(32)
    features = np.random.default_rng(0).normal(rows[:, None] % 2, 0.1, (32, 4)).astype(np.float32)
    part = Subset(
        source=InMemory(features), rows=rows, labels=rows % 2, weights=np.ones(32, np.float32)
    )
    head = build_head(4, 2, settings)
    spec = FitSpec(settings=settings, phase="head", epochs=2)
    weights = [head.get_weights()]
    for _fit in range(2):
        fit(head, part, part, spec, Monitor())
        weights.append(head.get_weights())
    assert type(head.optimizer).__name__ == "LossScaleOptimizer"
    assert not head.jit_compile
    for before, after in pairwise(weights):
        assert all(np.isfinite(weight).all() for weight in after)
        assert max(np.abs(a - b).max() for a, b in zip(after, before, strict=True)) > 1e-4


def test_a_gpu_takes_more_photos_at_a_time() -> None:
    """Batches wait until there are enough of them, and each comes back to whom it belongs."""
    sizes: list[int] = []

    def answer(photos: np.ndarray) -> np.ndarray:
        sizes.append(len(photos))
        return photos[:, 0, 0, :1]

    photos = np.arange(7, dtype=np.uint8)[:, None, None, None].repeat(3, -1)
    runner = KerasEngine(SimpleNamespace(answers_graph=answer), batch=4)
    got: list[tuple[int, list[float]]] = []
    for start in (0, 2, 4, 6):
        runner.submit(
            photos[start : start + 2], lambda r, start=start: got.append((start, r[:, 0].tolist()))
        )
    assert sizes == [4]
    runner.wait()
    runner.wait()
    assert sizes == [4, 3]
    assert got == [(0, [0.0, 1.0]), (2, [2.0, 3.0]), (4, [4.0, 5.0]), (6, [6.0])]
