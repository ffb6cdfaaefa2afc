"""Brings a model from elsewhere back as a run that can be tried.

Owns: which files are taken and which are refused with what sentence, the bounds on them, and the
run folder that comes of it (with `adopted.json`: where it came from).
Leaves to others: opening the model, which only happens in a process of its own (`examine.py`) with
a limit of time and memory, never in this one; reading predictions (`predict.py`).

Taken: a `.keras` file (Keras 3), and a zip with one in it, as our own export makes it. A file from
elsewhere is not trusted: nothing that it names may be run. Its configuration is read as plain JSON
first and must name only what Keras itself provides, without layers that hold code or read files;
then Keras opens it in safe mode, without its compiled part. What is kept is a copy written anew.

An adopted run is `finished`, has no figures and no data set: `Run.has_model`, not `has_result`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict

from translearn_core import __version__, backbones, freezing
from translearn_core.config import Settings, home, load_configuration
from translearn_core.errors import InputError, StopRequestedError, StorageError
from translearn_core.files import write_atomically
from translearn_core.processes import import_path
from translearn_core.runs import Run, RunConfig
from translearn_core.texts import N_, _

SCHEMA = 1
Pixels = Literal["0..255", "0..1", "-1..1"]
PIXELS: dict[Pixels, str] = {
    "0..255": N_("0 to 255 (models of TransLearn; scaling inside the model)"),
    "0..1": N_("0 to 1 (divided by 255)"),
    "-1..1": N_("-1 to 1 (divided by 127.5, less 1)"),
}
"""What numbers a model from elsewhere expects for a pixel."""

MOST_BYTES = 2 * 2**30
"""Largest model, packed or unpacked."""
MOST_CONFIG_BYTES = 32 * 2**20
MOST_RATIO = 200
"""Most times an entry of the archive may grow."""
MOST_ENTRIES = 5000
MOST_SIDE = 1024
"""Largest side of the photos in pixels."""
TIME_S = 240.0
MEMORY_BYTES = 6 * 2**30
POLL_S = 0.1

Tell = Callable[[str], None]


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


class Origin(BaseModel):
    """adopted.json: where the model of a run came from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    file: str
    sha256: str
    adopted: float
    keras_version: str = ""
    pixels: str = "0..255"
    parameters: int = 0
    layers: int = 0


def origin_of(run: Run) -> Origin | None:
    """Where the model of a run came from; None for a run that was trained here."""
    try:
        return Origin.model_validate_json((run.folder / "adopted.json").read_bytes())
    except (OSError, ValueError):
        return None


def look_at(path: Path) -> Candidate:
    """Look at a file from outside: what it is, and what it says of itself.

    Raises:
        InputError: it is no model that is taken; the message says why and what to do.
    """
    if not path.is_file():
        raise InputError(_("There is no file {file}. Check the name.").format(file=path))
    _refuse_by_beginning(path)
    with _opened(path) as archive:
        names = {info.filename for info in archive.infolist()}
        if "config.json" in names:
            return _describe(path, "", archive, None)
        member = _find_member(path, names)
        labels = _read_labels(archive, member)
        with _unpacked(archive, member) as inner:
            found = _describe(path, member, inner, labels)
    return found


def adopt_model(
    path: Path,
    *,
    classes: Sequence[str] | None = None,
    name: str = "",
    image_size: int = 0,
    pixels: Pixels = "0..255",
    file_name: str = "",
    tell: Tell = lambda _words: None,
    stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Make a run of a model from elsewhere.

    Args:
        path: a `.keras` file, or a zip that holds one.
        classes: names in the order of the outputs; needed where the file brings none.
        name: of the run; default the file's.
        image_size: side in pixels, for a model that takes any size.
        pixels: what the model expects; scaling is put before it where that is not 0 to 255.
        file_name: what the person calls the file, where `path` is a copy.
        tell: called with what is being done.
        stop: asked while the model is examined.

    Returns:
        A finished run with a model, class names and the copy for predictions without TensorFlow.

    Raises:
        InputError: the file is refused.
        StopRequestedError: `stop` said so.
        StorageError: the disk is full.
    """
    file_name = file_name or path.name
    tell(_("Looking at the file"))
    candidate = look_at(path)
    chosen = check_classes(classes, candidate)
    folder = home() / "uploads" / f"model-{secrets.token_hex(6)}"
    try:
        folder.mkdir(parents=True)
        _copy_model(candidate, folder / "received.keras")
        request: dict[str, Any] = {
            "classes": len(chosen),
            "image_size": image_size or candidate.image_size,
            "pixels": "0..255" if candidate.ours else pixels,
            "most_bytes": MOST_BYTES,
            "most_side": MOST_SIDE,
            "tasks": candidate.tasks,
        }
        tell(_("Opening the model in a process of its own"))
        answer = _examine(folder, request, file_name, stop)
        origin = Origin(
            file=file_name,
            sha256=_hash(path),
            adopted=time.time(),
            keras_version=answer["keras_version"],
            pixels=request["pixels"],
            parameters=answer["parameters"],
            layers=answer["layers"],
        )
        settings = Settings(backbone=candidate.backbone)
        return _make_run(folder, chosen, answer["image_size"], origin, name, settings)
    except OSError as error:
        raise StorageError(
            _("The model cannot be kept: {cause}. Make room and try again.").format(
                cause=error.strerror or error
            )
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- from outside ------------------------------------------------------------------------------

_ADVICE = N_(
    "Where it was made, write `keras.models.load_model({file!r}).save('model.keras')` and bring in "
    "the .keras file."
)


def _refuse_by_beginning(path: Path) -> None:
    """Refuse by their first bytes what is no zip; each kind with its own way on."""
    size = path.stat().st_size
    if size == 0:
        raise InputError(_("{file} is empty (0 bytes).").format(file=path.name))
    if size > MOST_BYTES:
        raise InputError(
            _("{file} is too large: {size:.1f} GB, at most {most:.0f} GB are taken.").format(
                file=path.name, size=size / 2**30, most=MOST_BYTES / 2**30
            )
        )
    with path.open("rb") as file:
        begin = file.read(16)
    if begin.startswith(b"\x89HDF"):
        raise _refuse_hdf5(path.name)
    if begin[4:8] == b"TFL3":
        raise InputError(
            _(
                "{file} is a LiteRT model: made for phones, it cannot be turned back. Bring in the "
                ".keras file that it was made from."
            ).format(file=path.name)
        )
    if not begin.startswith(b"PK"):
        raise InputError(
            _(
                "{file} is no model that can be brought in. Bring in a .keras file (Keras 3), or a "
                "zip that TransLearn made."
            ).format(file=path.name)
        )


def _refuse_hdf5(name: str) -> InputError:
    return InputError(
        _(
            "{file} is an old Keras file (HDF5). Such a file may hold code, so it is not opened."
        ).format(file=name)
        + " "
        + _(_ADVICE).format(file=name)
    )


@contextmanager
def _opened(source: Path | IO[bytes], name: str = "") -> Iterator[zipfile.ZipFile]:
    """A zip whose entries are within bounds.

    Raises:
        InputError: it is damaged, protected, or would grow beyond what is taken.
    """
    name = name or (source.name if isinstance(source, Path) else "")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, OSError) as error:
        raise InputError(
            _("{file} is damaged or cut off. Copy or download it again.").format(file=name)
        ) from error
    with archive:
        infos = archive.infolist()
        if len(infos) > MOST_ENTRIES:
            raise InputError(
                _("{file} holds {n} files, which no model does.").format(file=name, n=len(infos))
            )
        for info in infos:
            grown = info.file_size / max(1, info.compress_size)
            if info.flag_bits & 0x1:
                raise InputError(
                    _("{file} is protected by a password. Make it again without one.").format(
                        file=name
                    )
                )
            if info.file_size > MOST_BYTES or (grown > MOST_RATIO and info.file_size > 2**20):
                raise InputError(
                    _("{file} would grow without measure when unpacked; it is not opened.").format(
                        file=name
                    )
                )
        yield archive


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
        raise _refuse_hdf5(PurePosixPath(old).name)
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


@contextmanager
def _unpacked(archive: zipfile.ZipFile, member: str) -> Iterator[zipfile.ZipFile]:
    """The `.keras` inside a zip, opened; it is a zip itself."""
    folder = home() / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"look-{secrets.token_hex(6)}.keras"
    try:
        _copy_entry(archive, member, target)
        with target.open("rb") as file:
            begin = file.read(8)
        if begin.startswith(b"\x89HDF"):
            raise _refuse_hdf5(PurePosixPath(member).name)
        with _opened(target, PurePosixPath(member).name) as inner:
            yield inner
    finally:
        target.unlink(missing_ok=True)


def _copy_entry(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    """One entry of a zip into a file of our own naming, its bytes counted as they come."""
    left = MOST_BYTES
    try:
        with archive.open(member) as source, target.open("wb") as file:
            while block := source.read(2**20):
                left -= len(block)
                if left < 0:
                    raise InputError(
                        _("{file} is too large unpacked.").format(file=PurePosixPath(member).name)
                    )
                file.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            _("{file} is damaged inside the archive. Copy or download it again.").format(
                file=PurePosixPath(member).name
            )
        ) from error


def _copy_model(candidate: Candidate, target: Path) -> None:
    if not candidate.member:
        shutil.copyfile(candidate.path, target)
        return
    with _opened(candidate.path) as archive:
        _copy_entry(archive, candidate.member, target)


def _read_json(archive: zipfile.ZipFile, name: str, most_bytes: int) -> Any:
    """A JSON entry of a zip, at most so many bytes; None where there is none.

    Raises:
        InputError: it is too large, damaged or no JSON.
    """
    try:
        with archive.open(name) as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise ValueError("too large")
        return json.loads(data)
    except KeyError:
        return None
    except (ValueError, RecursionError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(
            _("{file} inside the model cannot be read. Save the model again.").format(file=name)
        ) from error


def _read_labels(archive: zipfile.ZipFile, member: str) -> dict[str, Any]:
    """labels.json beside the model in a zip of ours; empty without one."""
    beside = str(PurePosixPath(member).with_name("labels.json"))
    found = _read_json(archive, beside, MOST_CONFIG_BYTES)
    return found if isinstance(found, dict) else {}


def _describe(
    path: Path, member: str, model: zipfile.ZipFile, labels: dict[str, Any] | None
) -> Candidate:
    """Check what a `.keras` says of itself.

    Raises:
        InputError: it is no whole Keras 3 model, or names what is not taken.
    """
    name = PurePosixPath(member).name or path.name
    config = _read_json(model, "config.json", MOST_CONFIG_BYTES)
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


# --- what a configuration may name -------------------------------------------------------------

_MODULES = (
    *(
        f"{root}.{part}"
        for root in ("keras", "keras.src")
        for part in (
            "layers",
            "models",
            "activations",
            "initializers",
            "regularizers",
            "constraints",
            "dtype_policies",
        )
    ),
    "keras.src.engine",
    "keras.src.ops.numpy",
    "keras.src.ops.nn",
)
"""Modules of Keras whose objects a model may be built of; their submodules, too."""

_OF_KERAS = frozenset({"DTypePolicy", "FloatDTypePolicy", "Functional", "Sequential", "Model"})
"""What may be named of `keras` itself."""

_FORBIDDEN = frozenset(
    {
        "Lambda",
        "TFSMLayer",
        "TorchModuleWrapper",
        "JaxLayer",
        "FlaxLayer",
        "StringLookup",
        "IntegerLookup",
        "TextVectorization",
        "Hashing",
        "Pipeline",
    }
)
"""Layers of Keras that hold code, open other files or read words: no part of a photo classifier."""

_VALUES = frozenset({"__keras_tensor__", "__tuple__", "__numpy__", "__tensor__", "__slice__"})
"""Values that Keras writes as if they were objects."""

_WITHOUT = frozenset({"compile_config", "quantization_config"})
"""Parts of a configuration that are not opened."""


def check_config(config: Any, name: str) -> None:
    """Refuse a model's configuration that names anything but built-in layers.

    Raises:
        InputError: the message names the layer.
    """
    waiting: list[Any] = [config]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            waiting.extend(here)
        elif isinstance(here, dict):
            _check_object(here, name)
            waiting.extend(value for key, value in here.items() if key not in _WITHOUT)


def _check_object(entry: dict[str, Any], file: str) -> None:
    if "class_name" not in entry:
        return
    kind = entry["class_name"]
    if kind in _VALUES:
        return
    if not isinstance(kind, str) or kind in _FORBIDDEN:
        raise _refuse_layer(file, str(kind))
    module, registered = entry.get("module"), entry.get("registered_name")
    is_function = kind == "function"
    if module == "builtins" and is_function and registered in (None, entry.get("config")):
        return  # the name of an activation
    known = isinstance(module, str) and (
        any(module == allowed or module.startswith(f"{allowed}.") for allowed in _MODULES)
        or (module == "keras" and kind in _OF_KERAS)
    )
    own = registered is not None and registered != kind and ">" in str(registered)
    if not known or own:
        raise _refuse_layer(file, kind if not is_function else str(entry.get("config")))


def _refuse_layer(file: str, kind: str) -> InputError:
    return InputError(
        _(
            "{file} is not opened: its part `{kind}` is not one of Keras' own layers for pictures, "
            "or may hold code. Build the model of such layers and save it again."
        ).format(file=file, kind=kind[:80])
    )


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


# --- the process that opens it -----------------------------------------------------------------


def _examine(
    folder: Path, request: dict[str, Any], name: str, stop: Callable[[], bool]
) -> dict[str, Any]:
    """Have the model opened, judged and written anew by a process of its own.

    Raises:
        InputError: it was refused, took too long or too much memory, or broke the process.
        StopRequestedError: `stop` said so.
    """
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": import_path(),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
    }
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "translearn_core.examine", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            reason = _watch(process, stop)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if reason:
        raise InputError(reason.format(file=name))
    try:
        answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            _(
                "{file} cannot be opened: the process that tried it broke off. The file is damaged, "
                "or too large for this machine."
            ).format(file=name)
        ) from error
    if "error" in answer:
        raise InputError(str(answer["error"]).replace("received.keras", name))
    return answer


def _watch(process: subprocess.Popen[bytes], stop: Callable[[], bool]) -> str:
    """Wait for the process; the reason why it was ended early, else an empty text."""
    began = time.monotonic()
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        if stop():
            raise StopRequestedError
        if time.monotonic() - began > TIME_S:
            return _("{file} takes too long to open, so it was given up.")
        try:
            if watched.memory_info().rss > MEMORY_BYTES:
                return _("{file} takes too much memory to open, so it was given up.")
        except psutil.Error:
            break  # ended between the two looks
        time.sleep(POLL_S)
    process.wait()
    return ""


def _make_run(
    folder: Path,
    classes: Sequence[str],
    image_size: int,
    origin: Origin,
    name: str,
    settings: Settings,
) -> Run:
    """Put what the examination left together as a run; it appears whole or not at all."""
    created = origin.adopted
    stamp = datetime.fromtimestamp(created).strftime("%Y%m%d-%H%M%S")
    run_id = f"{stamp}-{secrets.token_hex(3)}"
    made = Run(folder / run_id)
    made.folder.mkdir()
    for file in ("model.keras", "model.openvino.xml", "model.openvino.bin", "tasks.npz"):
        if (folder / file).is_file():
            (folder / file).replace(made.folder / file)
    labels = {"schema_version": 1, "classes": list(classes), "image_size": image_size}
    write_atomically(made.folder / "labels.json", json.dumps(labels, ensure_ascii=False, indent=1))
    write_atomically(made.folder / "adopted.json", origin.model_dump_json(indent=1))
    config = RunConfig(
        id=run_id,
        name=name.strip() or PurePosixPath(origin.file).stem,
        created=created,
        dataset="",
        settings=settings,
        versions={"translearn": __version__},
    )
    write_atomically(made.folder / "config.json", config.model_dump_json(indent=1))
    made.update_state(
        state="finished", queued_at=created, started_at=created, finished_at=time.time()
    )
    made.append_event("state", state="finished", stage="")
    target = home() / "runs" / run_id
    target.parent.mkdir(parents=True, exist_ok=True)
    made.folder.replace(target)
    return Run(target)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
