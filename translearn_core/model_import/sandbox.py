"""The sandbox process that opens an imported model: `python -m translearn_core.model_import.sandbox FOLDER`.

Owns: opening `received.keras` in FOLDER in Keras' safe mode, checking its input and outputs, and
saving it anew: `model.keras`, its OpenVINO copy, and, last, `answer.json` (an `error`, or what
`examine` returns).
Leaves to others: allowed layers (`allowlist.py`), the limits of time and memory (`adopt.py`).

Imports Keras once the file has passed the checks that need none: only for a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from translearn_core.atomic import write_atomically
from translearn_core.errors import InputError, TransLearnError
from translearn_core.export.multi_head import separate
from translearn_core.formatting import shortened
from translearn_core.graph.engine import run_keras
from translearn_core.i18n import _
from translearn_core.prediction.model_runner import write_copy
from translearn_core.runs.task_heads import save_heads

logger = logging.getLogger(__name__)

ADDRESS_BYTES = 24 * 2**30
"""Address space limit of this process, where the system supports one."""
SCALING = {"0..1": (1 / 255.0, 0.0), "-1..1": (1 / 127.5, -1.0)}
PARITY = 1e-3


def main(folder: Path) -> int:
    """Examine the model in `folder`; the exit code is 0 also when it is refused."""
    _limit_memory()
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    try:
        answer = examine(folder, request)
    except TransLearnError as error:
        answer = {"error": error.message}
    write_atomically(folder / "answer.json", json.dumps(answer))
    return 0


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows; there `adopt.py` watches the memory

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def examine(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Open, check, and save the model anew.

    Returns:
        image_size, parameters, layers, keras_version (of the file).

    Raises:
        InputError: the model is refused.
    """
    received = folder / "received.keras"
    version = _keras_version(received)
    check_units(received, check_weights(received, request["most_bytes"]))
    model = _open(received)
    if request.get("tasks"):
        model, heads = separate(model, request["tasks"])
        save_heads(folder, heads)
    size = _check_ends(model, request)
    if request["pixels"] in SCALING:
        model = _add_rescaling(model, size, *SCALING[request["pixels"]])
    _check_probabilities(model, size)
    model.save(folder / "model.keras")
    _write_openvino(model, folder, size)
    return {
        "image_size": size,
        "parameters": int(model.count_params()),
        "layers": len(model.layers),
        "keras_version": version,
    }


def _keras_version(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("metadata.json"))["keras_version"])[:40]
    except (KeyError, ValueError, TypeError):
        return ""


def check_weights(path: Path, most_bytes: int) -> int:
    """Refuse weights that link to other files, or that are too large.

    An HDF5 file may hold external links and arrays with external storage; neither is followed.

    Returns:
        Bytes of all weights.

    Raises:
        InputError: the weights are refused or damaged.
    """
    with zipfile.ZipFile(path) as archive:
        if "model.weights.h5" not in archive.namelist():
            return archive.getinfo("model.weights.npz").file_size
        with archive.open("model.weights.h5") as packed:
            try:
                with h5py.File(packed, "r") as file:
                    total = _walk_weights(file, most_bytes)
            except (OSError, RuntimeError, KeyError, ValueError) as error:
                raise InputError(
                    _("The weights in {file} are damaged. Copy or save it again.").format(
                        file=path.name
                    )
                ) from error
    logger.info("%d bytes of weights", total)
    return total


_WIDTHS = ("units", "filters", "input_dim", "output_dim", "depth_multiplier")
"""Settings of a layer that say how many weights it has, at least."""


def check_units(path: Path, weight_bytes: int) -> None:
    """Refuse layers that need more weights than the file holds, before Keras builds them.

    Raises:
        InputError: the message names the layer.
    """
    with zipfile.ZipFile(path) as archive:
        pending: list[Any] = [json.loads(archive.read("config.json"))]
    while pending:
        entry = pending.pop()
        if isinstance(entry, list):
            pending.extend(entry)
        elif isinstance(entry, dict):
            pending.extend(entry.values())
            widths = [entry.get(name) for name in _WIDTHS]
            most = max((width for width in widths if isinstance(width, int)), default=0)
            if most > weight_bytes:  # a weight takes a byte at least
                raise InputError(
                    _(
                        "received.keras is not opened: its layer `{layer}` has {n} units, but the "
                        "file holds weights for fewer. Save the model again."
                    ).format(layer=shortened(str(entry.get("name"))), n=shortened(str(most)))
                )


def _walk_weights(group: Any, most_bytes_left: int) -> int:
    """Bytes of all arrays of an HDF5 group, counted by their shapes."""
    total = 0
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise _refuse_links()
        item = group[name]
        if isinstance(item, h5py.Group):
            total += _walk_weights(item, most_bytes_left - total)
            continue
        if item.external or item.is_virtual:
            raise _refuse_links()
        total += int(item.size) * int(item.dtype.itemsize)
        if total > most_bytes_left:
            raise InputError(_("The weights in received.keras are too large."))
    return total


def _refuse_links() -> InputError:
    return InputError(
        _("received.keras is not opened: its weights point to other files of this machine.")
    )


def _open(path: Path) -> Any:
    from translearn_core.graph.saving import read_model

    try:
        return read_model(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        logger.exception("Keras cannot open it")
        raise InputError(
            _(
                "{file} cannot be opened: Keras says “{cause}”. Save it again with Keras {version} "
                "or newer."
            ).format(
                file=path.name, cause=(str(error).splitlines() or ["?"])[0][:200], version="3.5"
            )
        ) from error


def _check_ends(model: Any, request: dict[str, Any]) -> int:
    """Check the shapes of input and output; returns the side of the photos in pixels.

    Raises:
        InputError: a shape is not accepted.
    """
    inputs, outputs = list(model.inputs or []), list(model.outputs or [])
    if len(inputs) != 1 or len(outputs) != 1:
        raise InputError(
            _(
                "received.keras takes {inputs} inputs and gives {outputs} outputs; it must take one "
                "photo and give one list of probabilities."
            ).format(inputs=len(inputs), outputs=len(outputs))
        )
    input_shape, output_shape = tuple(inputs[0].shape), tuple(outputs[0].shape)
    if len(input_shape) != 4 or input_shape[3] != 3:
        raise InputError(
            _(
                "received.keras takes {shape}; it must take colour photos: (number, height, width, 3)."
            ).format(shape=_shape(input_shape))
        )
    if len(output_shape) != 2 or output_shape[1] != request["classes"]:
        raise InputError(
            _(
                "received.keras gives {shape}; with {n} classes it must give (number, {n}): one "
                "probability for each class."
            ).format(shape=_shape(output_shape), n=request["classes"])
        )
    height, width = input_shape[1:3]
    if height != width:
        raise InputError(
            _(
                "received.keras takes photos of {height} x {width} pixels; only square ones are made."
            ).format(height=height, width=width)
        )
    size = int(height or request["image_size"])
    if not size:
        raise InputError(
            _("received.keras takes photos of any size. Say which: the side in pixels, like 224.")
        )
    if not 8 <= size <= request["most_side"]:
        raise InputError(
            _(
                "received.keras takes photos of {size} pixels a side; at most {most} are made."
            ).format(size=size, most=request["most_side"])
        )
    return size


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("n" if side is None else str(side) for side in shape) + ")"


def _add_rescaling(model: Any, size: int, scale: float, offset: float) -> Any:
    """The model with a rescaling layer for its pixel range."""
    import keras

    photo = keras.Input((size, size, 3), dtype="float32", name="photo")
    return keras.Model(photo, model(keras.layers.Rescaling(scale, offset)(photo)))


def _check_probabilities(model: Any, size: int) -> None:
    """Refuse a model whose outputs are not probabilities.

    Raises:
        InputError: they are outside [0, 1] or do not sum to 1.
    """
    probabilities = np.asarray(model(_trial_photos(size), training=False), np.float64)
    if not np.isfinite(probabilities).all():
        raise InputError(_("received.keras gives no numbers: its weights are damaged."))
    inside = (probabilities >= -1e-4).all() and (probabilities <= 1 + 1e-4).all()
    if not inside or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-2:
        raise InputError(
            _(
                "received.keras gives scores that are no probabilities (they do not add up to 1). "
                "Put a softmax layer at its end and save it again."
            )
        )


def _trial_photos(size: int) -> Any:
    """Four pictures `(4, size, size, 3) float32 in [0, 255]`: black, white, and two of noise."""
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (4, size, size, 3)).astype(np.float32)
    photos[0], photos[1] = 0.0, 255.0
    return photos


def _write_openvino(model: Any, folder: Path, size: int) -> None:
    """The OpenVINO copy, where its predictions agree with those of the model."""
    photos = _trial_photos(size).astype(np.uint8)
    path, expected = folder / "model.openvino.xml", run_keras(model, photos)
    write_copy(model, path, photos=photos, expected=expected, tolerance=PARITY)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.exit(main(Path(sys.argv[1])))
