"""Whether a file of weights is the one that its backbone needs.

Owns: checksums, the shapes that belong into a file (`data/weights.json`), the layout of Keras' HDF5
files (h5py), and what is wrong with a file, as a sentence.
Leaves to others: where files lie (`weights.py`), how they come (`weights_download.py`,
`weights_upload.py`), safetensors (`dino_weights.py`).
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from translearn_core.backbones.catalog import Backbone
from translearn_core.backbones.dino_weights import DEPTH, find_problem
from translearn_core.i18n import _

CHUNK_BYTES = 256 * 1024
SAFETENSORS = ".safetensors"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def find_wrong_file(backbone: Backbone, path: Path, *, check_hash: bool) -> str:
    """What is wrong with a file of weights, as a sentence; empty when it fits."""
    if (check_hash or backbone.distribution) and backbone.weight_hash:
        if has_hash(path, backbone.weight_hash) is False:
            return _("it is not the file that belongs there (its checksum differs).")
        if backbone.distribution:
            return ""
    if backbone.weight_file.endswith(SAFETENSORS):
        shape = {"depth": DEPTH, **dict(backbone.arguments)}
        return find_problem(path, width=shape["width"], depth=shape["depth"])
    with path.open("rb") as file:
        if file.read(len(HDF5_MAGIC)) != HDF5_MAGIC:
            return _("it is not a weights file (HDF5, ending in .h5).")
    try:
        shapes = _shapes_in(path)
    except (OSError, RuntimeError, KeyError, AttributeError, TypeError):
        return _("it is damaged or incomplete.")
    if shapes is None:
        return _("it is an HDF5 file, but not in the layout of Keras' pretrained weights.")
    return _difference(expected_shapes(backbone), shapes)


def has_hash(path: Path, expected: str) -> bool:
    algorithm = "md5" if len(expected) == 32 else "sha256"
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest() == expected


def content_hash(path: Path) -> str:
    """SHA-256 of a file of weights."""
    facts = path.stat()
    return _content_hash(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=8)
def _content_hash(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_hdf5(path: Path) -> Any:
    import h5py  # type: ignore[import-untyped]

    return h5py.File(path, "r")


Shapes = list[list[tuple[int, ...]]]
"""Of each layer that has weights, in order: the shapes of its weights."""


def _shapes_in(path: Path) -> Shapes | None:
    """The shapes in a file with the layout of Keras' pretrained weights; None: another layout."""
    with open_hdf5(path) as file:
        group = file.get("model_weights", file)
        if not names_in(group, "layer_names"):
            return None
        shapes: Shapes = []
        for layer in names_in(group, "layer_names"):
            weights = names_in(group[layer], "weight_names")
            if weights:
                shapes.append([tuple(group[layer][weight].shape) for weight in weights])
        return shapes


def names_in(group: Any, attribute: str) -> list[str]:
    """A list of names in the attributes of an HDF5 group; long ones are split into pieces."""
    if attribute in group.attrs:
        raw = list(group.attrs[attribute])
    else:
        pieces = takewhile(group.attrs.__contains__, (f"{attribute}{i}" for i in count()))
        raw = [name for piece in pieces for name in group.attrs[piece]]
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in raw]


@lru_cache(maxsize=1)
def _expected() -> dict[str, list[str]]:
    file = resources.files("translearn_core").joinpath("data/weights.json")
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    backbones: dict[str, list[str]] = content["backbones"]
    return backbones


def expected_shapes(backbone: Backbone) -> Shapes:
    """The shapes that a file of this backbone's weights must hold, layer by layer."""
    return [
        [tuple(int(n) for n in shape.split("x") if n) for shape in layer.split(" ")]
        for layer in _expected()[backbone.name]
    ]


def _difference(expected: Shapes, received: Shapes) -> str:
    """The first difference as a sentence; empty when there is none."""
    if len(received) != len(expected):
        problem = _("it holds {found} layers with weights, where {expected} belong.")
        text = problem.format(found=len(received), expected=len(expected))
        if len(received) > len(expected) and received[: len(expected)] == expected:
            text += " " + _("It looks like the file with the top (the ImageNet classes).")
        return text
    for number, (wanted, got) in enumerate(zip(expected, received, strict=True), start=1):
        if wanted != got:
            return _("its layer {number} has the shape {found}, where {expected} belongs.").format(
                number=number, found=_format_shapes(got), expected=_format_shapes(wanted)
            )
    return ""


def _format_shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(" x ".join(map(str, shape)) or "1" for shape in shapes)
