"""Reads what an imported model says of itself, before Keras opens any of it.

Owns: finding the `.keras` in a file, its class names, photo size, backbone and tasks, and which
class names can be kept.
Leaves to others: opening zips (`archive.py`), which layers are allowed (`allowlist.py`), what only
an opened model can tell (`sandbox.py`).

Taken: a `.keras` file (Keras 3), and a zip with one in it, as our own export makes it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from translearn_core import backbones
from translearn_core.backbones import freezing
from translearn_core.config import load_configuration
from translearn_core.errors import InputError
from translearn_core.i18n import _
from translearn_core.model_import.allowlist import check_config
from translearn_core.model_import.archive import (
    MOST_CONFIG_BYTES,
    opened,
    read_json,
    refuse_by_beginning,
    refuse_hdf5,
    unpacked,
)

MOST_SIDE = 1024
"""Largest side of the photos in pixels."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What a file tells of itself before anything of it is opened.

    Attributes:
        member: name of the `.keras` inside a zip; empty where the file is one itself.
        classes: names that came with it; None where there were none.
        image_size: side in pixels that came with it or stands in its input; 0 where none does.
        outputs: how many answers it gives, as far as that can be told; 0 otherwise.
        ours: whether its input and output are named as in our models.
        backbone: what it is built on, a row of our table, where it says so and its layers agree;
            a run can then go on from it. Empty otherwise.
        tasks: name and classes of each further task that the file says it answers.
    """

    path: Path
    member: str
    classes: tuple[str, ...] | None
    image_size: int
    outputs: int
    ours: bool
    backbone: str = ""
    tasks: tuple[tuple[str, tuple[str, ...]], ...] = ()


def extractor_for(path: Path) -> Candidate:
    """Look at a file from outside: what it is, and what it says of itself.

    Raises:
        InputError: it is no model that is taken; the message says why and what to do.
    """
    if not path.is_file():
        raise InputError(_("There is no file {file}. Check the name.").format(file=path))
    refuse_by_beginning(path)
    with opened(path) as archive:
        names = {info.filename for info in archive.infolist()}
        if "config.json" in names:
            return _describe(path, "", archive, None)
        member = _find_member(path, names)
        labels = _read_labels(archive, member)
        with unpacked(archive, member) as inner:
            found = _describe(path, member, inner, labels)
    return found


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
        raise refuse_hdf5(PurePosixPath(old).name)
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


def _read_labels(archive: zipfile.ZipFile, member: str) -> dict[str, Any]:
    """labels.json beside the model in a zip of ours; empty without one."""
    beside = str(PurePosixPath(member).with_name("labels.json"))
    found = read_json(archive, beside, MOST_CONFIG_BYTES)
    return found if isinstance(found, dict) else {}


def _describe(
    path: Path, member: str, model: zipfile.ZipFile, labels: dict[str, Any] | None
) -> Candidate:
    """Check what a `.keras` says of itself.

    Raises:
        InputError: it is no whole Keras 3 model, or names what is not taken.
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
    named = labels.get("classes") if labels else None
    classes = tuple(map(str, named)) if isinstance(named, list) and named else None
    size = labels.get("image_size") if labels else None
    if not isinstance(size, int) or not 0 < size <= MOST_SIDE:
        size = shape[0] if shape and shape[0] == shape[1] else 0
    return Candidate(
        path=path,
        member=member,
        classes=classes,
        image_size=size,
        outputs=0 if _tasks_of(labels) else outputs,  # of several tasks: told when it is opened
        ours=inputs_named and config.get("config", {}).get("name") == "translearn",
        backbone=_backbone_of(config, labels),
        tasks=_tasks_of(labels),
    )


def _tasks_of(labels: dict[str, Any] | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The further tasks that labels.json names; none where it is not as ours."""
    most = load_configuration().limits.classes
    found = []
    for task in (labels or {}).get("tasks") or []:
        name, classes = (
            (task.get("name"), task.get("classes")) if isinstance(task, dict) else ("", 0)
        )
        if not isinstance(name, str) or not isinstance(classes, list) or len(classes) > most:
            return ()
        found.append((name[:200], tuple(str(one)[:200] for one in classes)))
    return tuple(found)


def _backbone_of(config: dict[str, Any], labels: dict[str, Any] | None) -> str:
    """The backbone that came with the model, where nearly all of its layers are in it."""
    named = labels.get("backbone") if labels else None
    if not isinstance(named, str) or named not in backbones.BACKBONES:
        return ""
    listed = config.get("config", {}).get("layers", [])
    there = {layer.get("name") for layer in listed if isinstance(layer, dict)}
    wanted = set(freezing.blocks_of(backbones.BACKBONES[named]).names)
    return named if len(wanted & there) >= 0.9 * len(wanted) else ""


def _read_ends(config: dict[str, Any]) -> tuple[tuple[int, int] | None, int, bool]:
    """Input height and width, number of outputs, and whether the input is named as ours is.

    What cannot be told from the configuration is None or 0; the examination tells it then.
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
    """Class names that can be kept: those that are named, else those that came with the file.

    Raises:
        InputError: none, too many, empty or double ones, or not as many as the model has answers.
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
    names = [" ".join(str(name).split()) for name in classes]
    most = load_configuration().limits.classes
    if not 2 <= len(names) <= most:
        raise InputError(
            _("A model has between 2 and {most} classes. Received: {n}.").format(
                most=most, n=len(names)
            )
        )
    if any(not name or len(name) > 200 for name in names) or len(set(names)) < len(names):
        raise InputError(
            _("Every class needs a name of its own. Received: {names}.").format(
                names=", ".join(names[:8])
            )
        )
    if candidate.outputs and candidate.outputs != len(names):
        raise InputError(
            _("The model gives {outputs} answers, but {n} classes are named.").format(
                outputs=candidate.outputs, n=len(names)
            )
        )
    return names
