"""Verifies an export: runs it in a new process and compares its predictions with the app's.

Owns: the photos of the check (test photos of the run, and generated ones of unusual formats), the
process, the comparison.
Leaves to others: the exported program (`program.py`), the app's predictions
(`prediction/predict.py`), the files that are kept (`make.py`).

The process starts in the unpacked folder, without this package on its path.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from translearn_core.arrays import Array
from translearn_core.datasets import decode_photo
from translearn_core.errors import PhotoError, TransLearnError
from translearn_core.export.one_file import read_parts
from translearn_core.export.preprocess import prepare
from translearn_core.export.teachable import HALF_RANGE, SIDE, read_model
from translearn_core.export.writers import test_photos
from translearn_core.graph.engine import answer_batch
from translearn_core.i18n import _
from translearn_core.imaging.square import Fit
from translearn_core.prediction.predict import predict
from translearn_core.runs import Run
from translearn_core.runs.task_heads import load_heads

logger = logging.getLogger(__name__)

PHOTOS = 64
"""Number of photos of the verification."""
Progress = Callable[[int, int], None]
Runner = Callable[[Path, Path, Path, Progress], dict[str, Array]]
"""Runs an unpacked export over a folder of photos, see `run_program`."""


@dataclass(frozen=True, kw_only=True)
class AppPredictions:
    """The app's probabilities `(n, classes) float64`, in the order of `files`; those of further tasks
    follow in the same row. `kinds` names the kind of each photo."""

    files: list[Path]
    kinds: list[str]
    probabilities: Array


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of an export from the app: the largest difference of a probability, and the
    photos with another predicted class."""

    largest: float
    changes: list[dict[str, Any]]
    photos: int
    kinds: dict[str, int]


# ---------------------------------------------------------------------------------- the photos


def gather_photos(run: Run, folder: Path, *, most: int) -> list[tuple[Path, str]]:
    """Put the photos of the check into a folder: `(file, kind)`.

    One photo of each kind of `GENERATED` is generated; the others are test photos, and drawn pictures
    where there are too few.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = test_photos(run, most=most - len(GENERATED))
    base_images = [_base_image(path) for path in own[: len(GENERATED)]] or [_drawn_image(0)]
    photos = []
    for number, (kind, make) in enumerate(GENERATED.items()):
        base_image = base_images[number % len(base_images)]
        photos.append((make(base_image, folder / f"made-{number:02}"), kind))
    for number, path in enumerate(own):
        target = folder / f"photo-{number:02}{path.suffix.lower()}"
        target.write_bytes(path.read_bytes())
        photos.append((target, "test photos as they are"))
    for number in range(len(photos), most):
        photos.append((_save(_drawn_image(number), folder / f"drawn-{number:02}.png"), "drawn"))
    return photos


def _base_image(path: Path) -> Image.Image:
    """A test photo that others are generated from."""
    try:
        return Image.fromarray(decode_photo(path, size=None).image)
    except PhotoError:
        return _drawn_image(0)


def _drawn_image(seed: int) -> Image.Image:
    """A picture of soft colours, 320 x 240."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((320, 240), Image.Resampling.BICUBIC)


def _save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def _make_turned(turn: int, suffix: str = ".jpg") -> Callable[[Image.Image, Path], Path]:
    def make(image: Image.Image, path: Path) -> Path:
        exif = Image.Exif()
        exif[0x0112] = turn
        return _save(image, path.with_suffix(suffix), quality=92, exif=exif)

    return make


def _make_tall(image: Image.Image, path: Path) -> Path:
    side = image.width // 3
    return _save(image.crop((side, 0, 2 * side, image.height)), path.with_suffix(".png"))


def _make_large(image: Image.Image, path: Path) -> Path:
    large = image.resize((3000, 2250), Image.Resampling.BICUBIC)
    return _save(large, path.with_suffix(".jpg"), quality=90)


def _alpha_ramp(image: Image.Image) -> Image.Image:
    ramp = np.tile(np.linspace(0, 255, image.width).astype(np.uint8), (image.height, 1))
    return Image.fromarray(ramp)


def _make_see_through(image: Image.Image, path: Path) -> Path:
    clear = image.convert("RGBA")
    clear.putalpha(_alpha_ramp(image))
    return _save(clear, path.with_suffix(".png"))


def _make_grey_see_through(image: Image.Image, path: Path) -> Path:
    clear = image.convert("LA")
    clear.putalpha(_alpha_ramp(image))
    return _save(clear, path.with_suffix(".png"))


def _make_palette(image: Image.Image, path: Path) -> Path:
    few = image.quantize(64)
    return _save(few, path.with_suffix(".png"), transparency=3)


def _make_grey(image: Image.Image, path: Path) -> Path:
    return _save(image.convert("L"), path.with_suffix(".jpg"), quality=92)


def _make_deep_grey(image: Image.Image, path: Path) -> Path:
    values = np.asarray(image.convert("L"), np.uint16) * 257
    return _save(Image.fromarray(values), path.with_suffix(".png"))


def _make_four_colours(image: Image.Image, path: Path) -> Path:
    return _save(image.convert("CMYK"), path.with_suffix(".jpg"), quality=92)


def _make_moving(image: Image.Image, path: Path) -> Path:
    second = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return _save(
        image.quantize(128),
        path.with_suffix(".gif"),
        save_all=True,
        append_images=[second.quantize(128)],
    )


GENERATED: dict[str, Callable[[Image.Image, Path], Path]] = {
    "turned (EXIF 6)": _make_turned(6),
    "turned (EXIF 3)": _make_turned(3),
    "mirrored and turned (EXIF 5)": _make_turned(5),
    "turned PNG (EXIF 6)": _make_turned(6, ".png"),
    "turned WebP (EXIF 8)": _make_turned(8, ".webp"),
    "portrait": _make_tall,
    "large (7 megapixels)": _make_large,
    "transparent": _make_see_through,
    "grey and transparent": _make_grey_see_through,
    "palette with a transparent colour": _make_palette,
    "greyscale": _make_grey,
    "greyscale with 16 bits": _make_deep_grey,
    "CMYK": _make_four_colours,
    "animation": _make_moving,
}
"""Kinds of unusual photos -> function that generates one; it adds the file ending."""


# ----------------------------------------------------------------------------------- the check


def predict_with_app(run: Run, photos: Sequence[tuple[Path, str]]) -> AppPredictions:
    """The app's predictions; photos that it cannot read are left out."""
    files, kinds, rows = [], [], []
    predictions = predict(run, [file for file, _kind in photos])
    for (file, kind), prediction in zip(photos, predictions, strict=True):
        if prediction.probabilities is not None:
            files.append(file)
            kinds.append(kind)
            row = [prediction.probabilities[name] for name in run.labels]
            for head in load_heads(run.folder):
                row += [(prediction.tasks or {})[head.name][name] for name in head.classes]
            rows.append(row)
    return AppPredictions(files=files, kinds=kinds, probabilities=np.array(rows, np.float64))


def run_program(folder: Path, photos: Path, log: Path, progress: Progress) -> dict[str, Array]:
    """Run the program in an unpacked export over a folder of photos, in a fresh process.

    Args:
        log: file that its stderr is appended to.
        progress: called with (photos predicted, all photos).

    Returns:
        File name -> probabilities `(classes,)`, those of further tasks after them.

    Raises:
        TransLearnError: it ended with an error.
    """
    hidden = ("PYTHONPATH", "PYTHONHOME", "TRANSLEARN_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-u", str(folder / "classify.py"), str(photos)]
    total = sum(1 for _file in photos.iterdir())
    width = sum(map(len, tasks_in(folder)))
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        )
        assert process.stdout is not None
        with process.stdout:
            probabilities_of: dict[str, Array] = {}
            rows = csv.reader(process.stdout)
            next(rows, None)
            for row in rows:
                if row[1]:  # else it could not be read, and its row holds the reason
                    probabilities_of[Path(row[0]).name] = np.array(row[3 : 3 + width], np.float64)
                progress(len(probabilities_of), total)
        code = process.wait()
    if code != 0 or not probabilities_of:
        raise TransLearnError(_program_failed())
    return probabilities_of


def tasks_in(folder: Path) -> list[list[str]]:
    """The classes of each task of an unpacked export, in order."""
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return [labels["classes"], *(task["classes"] for task in labels.get("tasks", []))]


def _program_failed() -> str:
    return _(
        "The exported model was written, but its program ended with an error, so it is not "
        "handed out. The log of this export has the details."
    )


PAGE_PROGRAM = """\
const fs = require("fs");
const { Network } = require("./network.js");
const [, , file, side] = process.argv, size = Number(side), bytes = size * size * 12;
const buffer = (name) => new Uint8Array(fs.readFileSync(name)).buffer;
const network = new Network(buffer("model.onnx")), all = buffer(file);
for (let at = 0; at < all.byteLength; at += bytes) {
  const shares = network.ask(new Float32Array(all.slice(at, at + bytes)), size);
  fs.writeSync(1, JSON.stringify(shares) + "\\n");
}
"""


def node_path() -> str | None:
    """Path of Node; None where it is not installed."""
    return shutil.which("node")


def run_page(folder: Path, photos: Path, log: Path, progress: Progress) -> dict[str, Array]:
    """Run the code of a web page in Node over a folder of photos, in a fresh process.

    The photos are preprocessed here, so a browser's decoder is not tested. Without Node the model is
    run by ONNX Runtime; the page checks its own code when it is opened.

    Args, returns, raises: as `run_program`.
    """
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    size = labels["image_size"]
    files = sorted(photos.iterdir())
    pixels = np.stack([prepare(file, size, labels.get("fit", "stretch")) for file in files])
    node = node_path()
    if node is None:
        return dict(zip([file.name for file in files], _run_onnx(folder, pixels), strict=True))
    raw = folder.parent / "pixels.bin"
    pixels.tofile(raw)
    command = [node, "-e", PAGE_PROGRAM, "page", str(raw), str(size)]
    probabilities_of: dict[str, Array] = {}
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        for file, line in zip(files, process.stdout, strict=False):
            probabilities_of[file.name] = np.array(json.loads(line), np.float64)
            progress(len(probabilities_of), len(files))
    if process.returncode != 0:
        raise TransLearnError(_program_failed())
    return probabilities_of


def run_one_file(folder: Path, photos: Path, log: Path, progress: Progress) -> dict[str, Array]:
    """Run what is within a web page of one file, see `run_page`."""
    inside = folder.parent / "inside"
    inside.mkdir()
    for name, content in read_parts((folder / "page.html").read_bytes()).items():
        (inside / name).write_bytes(content)
    return run_page(inside, photos, log, progress)


def _run_onnx(folder: Path, pixels: Array) -> list[Array]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        folder / "model.onnx", providers=["CPUExecutionProvider"]
    )
    return [session.run(None, {"photo": photo[None]})[0][0] for photo in pixels]


def run_teachable(
    folder: Path, photos: Path, log: Path, progress: Progress, *, fit: Fit | None = None
) -> dict[str, Array]:
    """Read a model of `teachable.py` back with Keras, and run it over a folder of photos.

    TensorFlow.js comes from the npm registry alone; `benchmarks/teachable.py` runs it.

    Args:
        fit: how photos become square; None: as the run has it.

    Other arguments, returns: as `run_program`.
    """
    del log  # it has nothing to say
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    model = read_model(folder / "model.json")
    files = sorted(photos.iterdir())
    probabilities_of: dict[str, Array] = {}
    for number, file in enumerate(files, 1):
        pixels = prepare(file, SIDE, fit or labels.get("fit", "stretch"))
        values = answer_batch(model, pixels[None] / HALF_RANGE - 1)
        probabilities_of[file.name] = values[0].astype(np.float64)
        progress(number, len(files))
    return probabilities_of


def compare(
    app: AppPredictions, export: dict[str, Array], tasks: Sequence[Sequence[str]]
) -> Difference:
    """Compare an export's predictions with the app's. A missing prediction counts as a change.

    Args:
        tasks: the classes of each task, in order.
    """
    largest, changes = 0.0, []
    ends = np.cumsum([len(classes) for classes in tasks])[:-1]
    for file, kind, expected in zip(app.files, app.kinds, app.probabilities, strict=True):
        received = export.get(file.name, np.zeros_like(expected))
        largest = max(largest, float(np.abs(received - expected).max()))
        parts = zip(tasks, np.split(expected, ends), np.split(received, ends), strict=True)
        for classes, app_probs, export_probs in parts:
            before, after = int(app_probs.argmax()), int(export_probs.argmax())
            if before != after or file.name not in export:
                changes.append(
                    {
                        "photo": kind,
                        "app": classes[before],
                        "export": classes[after] if file.name in export else None,
                        "app_probability": round(float(app_probs[before]), 6),
                        "export_probability": round(float(export_probs[after]), 6),
                    }
                )
                break
    return Difference(
        largest=largest, changes=changes, photos=len(app.files), kinds=dict(Counter(app.kinds))
    )
