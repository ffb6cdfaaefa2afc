"""What can be taken away from a run.

Owns: the files that leave the product. Leaves to others: making the model (`train.py`).

The model's zip holds `model.keras`, `labels.json`, `HOWTO.txt` and `use_model.py`.
"""

from __future__ import annotations

import io
import json
import zipfile

import pandas as pd

from translearn_core.errors import RunError
from translearn_core.runs import Run
from translearn_core.texts import _

USE_MODEL = '''"""Name what is on photos: python use_model.py photo.jpg [more photos]

Needs: pip install tensorflow pillow numpy
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageOps

here = Path(__file__).parent
labels = json.loads((here / "labels.json").read_text(encoding="utf-8"))
model = keras.models.load_model(here / "model.keras")
size = labels["image_size"]

for name in sys.argv[1:]:
    photo = ImageOps.exif_transpose(Image.open(name))
    if "A" in photo.getbands() or "transparency" in photo.info:  # transparent: over white
        photo = photo.convert("RGBA")
        photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo)
    photo = photo.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(photo, "float32")[None]  # (1, size, size, 3) in [0, 255]
    shares = model.predict(pixels, verbose=0)[0]
    order = np.argsort(-shares)[:3]
    print(name, *(f"{labels['classes'][i]} {shares[i]:.1%}" for i in order), sep="  ")
'''

HOWTO = """\
{name}
{line}

What this is
  model.keras    the network: photos in, one probability for each class out
  labels.json    the names of the classes, in the order of the probabilities
  use_model.py   a few lines of Python that name what is on photos

How to use it
  1. Install Python 3.11 or newer.
  2. pip install tensorflow pillow numpy
  3. python use_model.py my_photo.jpg

What goes in
  A photo turned upright, in RGB, stretched to {size} x {size} pixels, as numbers from 0 to 255.
  The scaling of pixels is inside the model: do not divide by 255.

What comes out
  A probability for each of: {classes}
  It always prefers one of these, even for a photo of something else.

How good it is
  {quality}
"""


def model_zip(run: Run) -> bytes:
    """The zip with model, class names and instructions.

    Raises:
        RunError: the run has no model.
    """
    labels = _labels(run)
    howto = HOWTO.format(
        name=run.config.name or run.config.dataset_name or run.id,
        line="=" * 40,
        size=labels["image_size"],
        classes=", ".join(labels["classes"]),
        quality=_quality(run),
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.write(run.model_path, "model.keras")  # is compressed itself
        archive.write(run.folder / "labels.json", "labels.json")
        archive.writestr("use_model.py", USE_MODEL)
        archive.writestr("HOWTO.txt", howto)
    return target.getvalue()


def predictions_csv(run: Run) -> bytes:
    """The answers on the test photos as CSV (UTF-8 with a mark that spreadsheets understand).

    Columns: file, truth, answer, probability, correct, and `p(<class>)` for each class.

    Raises:
        RunError: the run has no predictions.
    """
    path = run.folder / "predictions.parquet"
    if not path.is_file():
        raise RunError(
            _("The run {run} kept no answers on test photos. Choose a finished run.").format(
                run=run.id
            )
        )
    names = {f"p_{place}": f"p({name})" for place, name in enumerate(_labels(run)["classes"])}
    names |= {"label": "answer", "confidence": "probability"}
    table = pd.read_parquet(path).drop(columns="path").rename(columns=names)
    return table.to_csv(index=False).encode("utf-8-sig")


def _labels(run: Run) -> dict[str, list[str]]:
    if not run.has_result:
        raise RunError(
            _("The run {run} has no model: it is {state}. Choose a finished run.").format(
                run=run.id, state=run.state.state
            )
        )
    labels: dict[str, list[str]] = json.loads(
        (run.folder / "labels.json").read_text(encoding="utf-8")
    )
    return labels


def _quality(run: Run) -> str:
    metrics = run.metrics
    return _("Right on {share:.0%} of {n} photos that it had not seen while learning.").format(
        share=metrics["test_accuracy"], n=metrics["n_test"]
    )
