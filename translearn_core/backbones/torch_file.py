"""Reads tensors from a file that PyTorch saved before 1.6, without PyTorch and without running code.

Owns: the format (four pickles: a magic number, a version, facts of the machine, the tensors; then
the names of the storages, then each storage as a length and its numbers), and a reader that admits
tensors of plain numbers and nothing else.
Leaves to others: whether it is the right file (`weights_check.py`), what the tensors are for
(`graph/efficientnet_lite.py`).

Source of the format: torch/serialization.py, function `_legacy_load`.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
MOST_NUMBERS = 2**28
_KINDS: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}


@dataclass(frozen=True)
class _Tensor:
    """A tensor before its numbers are read: the part of a storage that it shows."""

    storage: str
    kind: np.dtype[Any]
    start: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class _Storage:
    """Numbers that tensors show."""

    key: str
    kind: np.dtype[Any]


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, in its order.

    Raises:
        ValueError: it is no such file, holds anything but tensors, or is cut off.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            head = [_Reader(file).load() for _part in range(3)]
            if head[:2] != [MAGIC, VERSION] or head[2].get("little_endian") is not True:
                raise ValueError("it is no file of PyTorch's format of before 1.6")
            found = _Reader(file).load()
            keys = _Reader(file).load()
            if not isinstance(found, dict) or not isinstance(keys, list):
                raise ValueError("it holds no table of tensors")
            tensors = {str(name): tensor for name, tensor in found.items()}
            if not all(isinstance(tensor, _Tensor) for tensor in tensors.values()):
                raise ValueError("it holds something that is no tensor")
            kinds = {tensor.storage: tensor.kind for tensor in tensors.values()}
            numbers = {key: _read_storage(file, kinds[key]) for key in keys}
            return {
                name: _shown(tensor, numbers[tensor.storage]) for name, tensor in tensors.items()
            }
        except (
            pickle.UnpicklingError,
            EOFError,
            AttributeError,
            KeyError,
            IndexError,
            TypeError,
        ) as e:
            raise ValueError(f"it is damaged or of another format ({e})") from e


def _read_storage(file: BinaryIO, kind: np.dtype[Any]) -> np.ndarray:
    """The next storage `(n,)`: the count of its numbers as int64, then the numbers."""
    count = int.from_bytes(file.read(8), "little", signed=True)
    if not 0 <= count <= MOST_NUMBERS:
        raise ValueError(f"a storage of {count} numbers")
    data = file.read(count * kind.itemsize)
    if len(data) < count * kind.itemsize:
        raise ValueError("it is cut off")
    return np.frombuffer(data, kind)


def _shown(tensor: _Tensor, numbers: np.ndarray) -> np.ndarray:
    """The part of a storage that a tensor shows, as an array of its own."""
    sizes = zip(tensor.shape, tensor.steps, strict=True)
    last = tensor.start + sum((size - 1) * step for size, step in sizes)
    if min((tensor.start, *tensor.shape, *tensor.steps), default=0) < 0 or last >= len(numbers):
        raise ValueError("a tensor reaches beyond its storage")
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.start :], tensor.shape, [step * numbers.itemsize for step in tensor.steps]
    )
    return view.copy()


def _rebuild(
    storage: _Storage, start: int, shape: Sequence[int], steps: Sequence[int], *_more: Any
) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without numbers")
    return _Tensor(storage.key, storage.kind, int(start), tuple(shape), tuple(steps))


class _Reader(pickle.Unpickler):
    """Admits what a table of tensors is made of, by name; everything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _KINDS:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not admitted")

    def persistent_load(self, reference: Any) -> _Storage:
        mark, kind, key, *_more = reference
        if mark != "storage":
            raise pickle.UnpicklingError("something that is no storage")
        return _Storage(str(key), _KINDS[kind])
