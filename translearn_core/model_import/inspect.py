"""Reads the configuration of an imported model, before Keras opens it.

Owns: finding the `.keras` in a file, its image size and backbone, and checking class
names.
Leaves to others: opening zips (`archive.py`), the shape of labels.json (`labels.py`), allowed layers (`allowlist.py`), what needs the opened
model (`sandbox.py`).

Accepted: a `.keras` file (Keras 3), and a zip that holds one, like the export of TransLearn.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from translearn_core import backbones
from translearn_core.backbones import freezing
from translearn_core.config import load_configuration
from translearn_core.errors import InputError
from translearn_core.formatting import shortened
from translearn_core.i18n import _
from translearn_core.model_import.allowlist import check_config
from translearn_core.model_import.archive import (
    MOST_CONFIG_BYTES,
    check_signature,
    hdf5_error,
    opened,
    read_json,
    unpacked,
)
from translearn_core.model_import.labels import Labels, name_fault, read_labels

MOST_SIDE = 1024
"""Largest side of the photos in pixels."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An imported file as described by its configuration and labels.json.

    Attributes:
        member: name of the `.keras` inside a zip; empty where the file is one itself.
        classes: class names from labels.json; None without.
        image_size: side in pixels from labels.json or the input shape; 0 where unknown.
        outputs: number of outputs; 0 where unknown.
        ours: whether input and model have the names of models made here.
        backbone: name of its backbone where labels.json names one and the layers agree, so that a
            run can start from it; else empty.
        tasks: name and classes of each further task in labels.json.
        labels: what labels.json says beside.
    """

    path: Path
    member: str
    classes: tuple[str, ...] | None
    image_size: int
    outputs: int
    ours: bool
    backbone: str = ""
    tasks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    labels: Labels = field(default_factory=Labels)


def inspect_model(path: Path) -> Candidate:
    """Describe a model file without opening the model.

    Raises:
        InputError: the file is not accepted; the message says why and what to do.
    """
    if not path.is_file():
        raise InputError(_("There is no file {file}. Check the name.").format(file=path))
    check_signature(path)
    with opened(path) as archive:
        names = {info.filename for info in archive.infolist()}
        if "config.json" in names:
            return _describe(path, "", archive, Labels())
        member = _find_member(path, names)
        labels = _read_labels(archive, member)
        with unpacked(archive, member) as inner:
            result = _describe(path, member, inner, labels)
    return result


def _find_member(path: Path, names: set[str]) -> str:
    """The one `.keras` in a zip.

    Raises:
        InputError: there is none, or several.
    """
    files = {name for name in names if not name.endswith("/")}
    models = sorted(name for name in files if name.lower().endswith(".keras"))
    if len(models) == 1:
        return models[0]
    if models:
        raise InputError(
            _("{file} holds several models ({names}). Unpack it and bring in one of them.").format(
                file=path.name, names=", ".join(PurePosixPath(name).name for name in models)
            )
        )
    old = next((name for name in sorted(files) if name.lower().endswith((".h5", ".hdf5"))), "")
    if old:
        raise hdf5_error(PurePosixPath(old).name)
    endings = {PurePosixPath(name).suffix.lower() for name in files}
    if endings & {".pb", ".tflite", ".onnx", ".xml"}:
        raise InputError(
            _(
                "{file} holds a model made for use only, without what learning needs. Bring in the "
                "export called Keras, or the .keras file itself."
            ).format(file=path.name)
        )
    raise InputError(
        _("There is no .keras file in {file}. Bring in a zip that TransLearn made.").format(
            file=path.name
        )
    )


def _read_labels(archive: zipfile.ZipFile, member: str) -> Labels:
    """labels.json beside the model in a zip of ours; empty without one.

    Raises:
        InputError: it is of another shape.
    """
    beside = str(PurePosixPath(member).with_name("labels.json"))
    return read_labels(read_json(archive, beside, MOST_CONFIG_BYTES))


def _describe(path: Path, member: str, model: zipfile.ZipFile, labels: Labels) -> Candidate:
    """Check the configuration of a `.keras` file.

    Raises:
        InputError: it is incomplete, or names layers that are not allowed.
    """
    name = PurePosixPath(member).name or path.name
    config = read_json(model, "config.json", MOST_CONFIG_BYTES)
    names = set(model.namelist())
    if not isinstance(config, dict) or not {"model.weights.h5", "model.weights.npz"} & names:
        raise InputError(
            _("{file} is no whole Keras model: its layers or its weights are missing.").format(
                file=name
            )
        )
    check_config(config, name)
    shape, outputs, inputs_named = _read_ends(config)
    size = labels.image_size
    if not isinstance(size, int) or not 0 < size <= MOST_SIDE:
        size = shape[0] if shape and shape[0] == shape[1] else 0
    return Candidate(
        path=path,
        member=member,
        classes=tuple(labels.classes) if labels.classes else None,
        image_size=size,
        outputs=0 if labels.tasks else outputs,  # of several tasks: known once it is opened
        ours=inputs_named and config.get("config", {}).get("name") == "translearn",
        backbone=_backbone_of(config, labels),
        tasks=tuple((task.name, tuple(task.classes)) for task in labels.tasks or ()),
        labels=labels,
    )


def _backbone_of(config: dict[str, Any], labels: Labels) -> str:
    """The backbone in labels.json, where at least 90 % of its layers are in the model."""
    named = labels.backbone
    if not isinstance(named, str) or named not in backbones.BACKBONES:
        return ""
    listed = config.get("config", {}).get("layers", [])
    present = {layer.get("name") for layer in listed if isinstance(layer, dict)}
    expected = set(freezing.blocks_of(backbones.BACKBONES[named]).names)
    return named if len(expected & present) >= 0.9 * len(expected) else ""


def _read_ends(config: dict[str, Any]) -> tuple[tuple[int, int] | None, int, bool]:
    """Input height and width, number of outputs, and whether the input is called `photo`.

    What the configuration does not say is None or 0; the sandbox finds it.
    """
    layers = (config.get("config") or {}).get("layers")
    shape, outputs, named = None, 0, False
    for layer in layers if isinstance(layers, list) else []:
        if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict):
            continue
        inner = layer["config"]
        if layer.get("class_name") == "InputLayer" and shape is None:
            batch_shape = inner.get("batch_shape")
            named = inner.get("name") == "photo"
            if isinstance(batch_shape, list) and len(batch_shape) == 4:
                height, width = batch_shape[1:3]
                if isinstance(height, int) and isinstance(width, int):
                    shape = (height, width)
        elif layer.get("class_name") == "Dense" and isinstance(inner.get("units"), int):
            outputs = inner["units"]
    return shape, outputs, named


def check_classes(classes: Sequence[str] | None, candidate: Candidate) -> list[str]:
    """Checked class names: the given ones, else those of the file.

    Raises:
        InputError: none, too many, empty or duplicate ones, or another number than the outputs.
    """
    classes = classes or candidate.classes
    if not classes:
        raise InputError(
            _(
                "The file does not say what its answers mean. Name the {n} classes, in the order of "
                "its outputs."
            )
            .format(n=candidate.outputs or "")
            .replace("  ", " ")
        )
    names = [" ".join(name.split()) for name in classes]
    most = load_configuration().limits.classes
    if not 2 <= len(names) <= most:
        raise InputError(
            _("A model has between 2 and {most} classes. Received: {n}.").format(
                most=most, n=len(names)
            )
        )
    for name in names:
        fault = name_fault(name)
        if fault:
            raise InputError(
                _("The class name “{name}” cannot be used: {fault}. Give it another name.").format(
                    name=shortened(name), fault=fault
                )
            )
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise InputError(
            _("Every class needs a name of its own. Twice there is “{name}”.").format(
                name=shortened(twice)
            )
        )
    if candidate.outputs and candidate.outputs != len(names):
        raise InputError(
            _("The model gives {outputs} answers, but {n} classes are named.").format(
                outputs=candidate.outputs, n=len(names)
            )
        )
    return names
