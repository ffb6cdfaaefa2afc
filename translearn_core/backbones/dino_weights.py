"""The weights of DINOv2 in the order in which Keras' layers have them.

Owns: which tensor of Hugging Face's file is which weight, whether a file holds them all, and
position embeddings for another size of photos.
Leaves to others: where the file is (`weights.py`), the graph (`graph/dinov2.py`).

The file is a safetensors file as `transformers` saves a `Dinov2Model`; also one of a model that has
it within (names begin with `dinov2.`). Numbers may be float32, float16 or bfloat16.
Imports no TensorFlow and no Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from translearn_core.i18n import _

DEPTH = 12
"""Blocks of the small and of the base network."""
PATCH = 14
"""Side of a patch in pixels."""
SHARPNESS = -0.75
"""The parameter of the bicubic kernel that `torch.nn.functional.interpolate` uses."""
_PREFIX = "dinov2."
_CLASS_TOKEN = "embeddings.cls_token"
_POSITIONS = "embeddings.position_embeddings"
_PROJECTION = "embeddings.patch_embeddings.projection"


def read_dino_weights(
    path: Path, *, width: int, heads: int, grid: tuple[int, int], depth: int = DEPTH
) -> dict[str, list[np.ndarray]]:
    """All weights, float32: the name of each layer of `graph/dinov2.py` and its weights in order.

    Args:
        width, heads, depth: of the network.
        grid: rows and columns of patches; position embeddings are interpolated to them.

    Raises:
        ValueError: the file is damaged, or of another network.
        OSError: it cannot be read.
    """
    problem = find_problem(path, width=width, depth=depth)
    if problem:
        raise ValueError(problem)
    with _opened(path) as file:
        prefix = _prefix_of(file)
        tensors = {name: _read(file, prefix + name) for name in expected_tensors(width, depth)}
    kernel = tensors[f"{_PROJECTION}.weight"].transpose(2, 3, 1, 0).reshape(-1, width)
    positions = resize_positions(tensors[_POSITIONS][0], grid)
    places = positions.copy()  # (1 + patches, width)
    places[0] += tensors[_CLASS_TOKEN][0, 0]
    places[1:] += tensors[f"{_PROJECTION}.bias"]
    weights = {"patches": [kernel, places]}
    for number in range(depth):
        weights |= _block(tensors, f"encoder.layer.{number}.", f"block{number + 1}", heads)
    weights["norm"] = [tensors["layernorm.weight"], tensors["layernorm.bias"]]
    return {
        layer: [np.ascontiguousarray(array, np.float32) for array in arrays]
        for layer, arrays in weights.items()
    }


def _block(
    tensors: Mapping[str, np.ndarray], source: str, name: str, heads: int
) -> dict[str, list[np.ndarray]]:
    """The layers of one block."""

    def both(part: str) -> list[np.ndarray]:
        return [tensors[f"{source}{part}.weight"], tensors[f"{source}{part}.bias"]]

    attention = []
    for part in ("query", "key", "value"):
        kernel, bias = both(f"attention.attention.{part}")  # (out, in), (out,)
        attention += [kernel.T.reshape(len(kernel), heads, -1), bias.reshape(heads, -1)]
    kernel, bias = both("attention.output.dense")
    attention += [kernel.T.reshape(heads, -1, len(kernel)), bias]
    dense = {}
    for number in (1, 2):
        kernel, bias = both(f"mlp.fc{number}")
        dense[f"{name}_mlp{number}"] = [kernel.T, bias]
        dense[f"{name}_norm{number}"] = both(f"norm{number}")
        dense[f"{name}_scale{number}"] = [tensors[f"{source}layer_scale{number}.lambda1"]]
    return {f"{name}_attention": attention, **dense}


def expected_tensors(width: int, depth: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that is needed; 0 stands for any size."""
    vector = (width,)
    tensors: dict[str, tuple[int, ...]] = {
        _CLASS_TOKEN: (1, 1, width),
        _POSITIONS: (1, 0, width),
        f"{_PROJECTION}.weight": (width, 3, PATCH, PATCH),
        f"{_PROJECTION}.bias": vector,
        "layernorm.weight": vector,
        "layernorm.bias": vector,
    }
    square = (width, width)
    for number in range(depth):
        shapes = {
            "attention.attention.query": square,
            "attention.attention.key": square,
            "attention.attention.value": square,
            "attention.output.dense": square,
            "mlp.fc1": (4 * width, width),
            "mlp.fc2": (width, 4 * width),
            "norm1": vector,
            "norm2": vector,
        }
        for part, shape in shapes.items():
            tensors[f"encoder.layer.{number}.{part}.weight"] = shape
            tensors[f"encoder.layer.{number}.{part}.bias"] = shape[:1]
        for part in ("layer_scale1", "layer_scale2"):
            tensors[f"encoder.layer.{number}.{part}.lambda1"] = vector
    return tensors


def find_problem(path: Path, *, width: int, depth: int = DEPTH) -> str:
    """Why a file is none of this network's, as a sentence; empty when it fits.

    Reads names and shapes only.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with _opened(path) as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in _names(file)}
            kinds = {str(file.get_slice(name).get_dtype()) for name in shapes}
            prefix = _prefix_of(file)
    except ValueError:
        return _("it is damaged, or no weights file of the kind safetensors.")
    for name, wanted in expected_tensors(width, depth).items():
        shape = shapes.get(prefix + name)
        if shape is None:
            return _("it lacks {tensor}, so it is of another network.").format(tensor=name)
        fits = len(shape) == len(wanted) and all(
            side == other or not other for side, other in zip(shape, wanted, strict=True)
        )
        if not fits:
            return _("its {tensor} has the shape {found}, where {expected} belongs.").format(
                tensor=name, found=_text(shape), expected=_text(wanted)
            )
    patches = shapes[prefix + _POSITIONS][1] - 1
    if patches < 1 or round(patches**0.5) ** 2 != patches:
        return _("its positions are no square of patches.")
    if f"{prefix}encoder.layer.{depth}.norm1.weight" in shapes:
        return _("it holds more than {depth} blocks, so it is of another network.").format(
            depth=depth
        )
    if odd := kinds - {"F32", "F16", "BF16"}:
        return _("it holds numbers of the kind {kind}, which is not read here.").format(
            kind=sorted(odd)[0]
        )
    return ""


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) if side else "any" for side in shape)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, opened; nothing of it is run.

    Raises:
        ValueError: it is no such file, or is cut off.
        OSError: it cannot be read.
    """
    with path.open("rb"):  # its own error where that is not possible
        pass
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _names(file: Any) -> list[str]:
    return [str(name) for name in file.keys()]  # noqa: SIM118 - it is no dictionary


def _prefix_of(file: Any) -> str:
    return _PREFIX if any(name.startswith(_PREFIX) for name in _names(file)) else ""


def _read(file: Any, name: str) -> np.ndarray:
    return np.asarray(file.get_tensor(name)).astype(np.float32)


def resize_positions(positions: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Position embeddings for another number of patches, by bicubic interpolation.

    As `Dinov2Model` of `transformers` does it (`torch.nn.functional.interpolate` with
    `mode="bicubic"`, without antialiasing).

    Args:
        positions: `(1 + s * s, width)`; the first is that of the class token and stays.
        grid: rows and columns wanted.

    Returns:
        `(1 + rows * columns, width)`.
    """
    side = round((len(positions) - 1) ** 0.5)
    if grid == (side, side):
        return positions
    plane = positions[1:].reshape(side, side, -1).astype(np.float64)
    down, across = (_bicubic(side, wanted) for wanted in grid)
    plane = np.einsum("rs,stc->rtc", down, plane)
    plane = np.einsum("qt,rtc->rqc", across, plane)
    resized = plane.reshape(-1, plane.shape[-1]).astype(positions.dtype)
    return np.concatenate([positions[:1], resized])


def _bicubic(size: int, wanted: int) -> np.ndarray:
    """The matrix `(wanted, size)` that interpolates a row of values; edges are repeated.

    R. Keys, Cubic convolution interpolation for digital image processing, 1981.
    """
    centres = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    first = np.floor(centres).astype(int)
    matrix = np.zeros((wanted, size))
    for offset in range(-1, 3):
        distance = np.abs(centres - first - offset)
        near = ((SHARPNESS + 2) * distance - (SHARPNESS + 3)) * distance**2 + 1
        far = SHARPNESS * (((distance - 5) * distance + 8) * distance - 4)
        columns = np.clip(first + offset, 0, size - 1)
        np.add.at(matrix, (np.arange(wanted), columns), np.where(distance <= 1, near, far))
    return matrix
