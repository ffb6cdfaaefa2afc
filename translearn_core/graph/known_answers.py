"""What Keras answered to two photos with weights that are known, so that it is not asked once more on
every machine.

Owns: `data/answers.npz`, and for which weights and sizes of photos there are answers.
Leaves to others: the photos, comparing the answers with those of a converted graph (`engine.py`), asking Keras
(`scripts/make_blocks`; a test asks it again).

An array of the file is `<backbone>/<side in pixels>/<SHA-256 of the file of weights>`: pooled features
`(2, d) float32`. Weights are known by all of their bytes: other ones have no answers here.
"""

from __future__ import annotations

import zipfile
from importlib import resources

import numpy as np

from translearn_core.arrays import HEADER_LOCK, Array
from translearn_core.backbones import Backbone
from translearn_core.backbones.weights import weights_status
from translearn_core.backbones.weights_check import content_hash

FILE = "data/answers.npz"


def name_of(backbone: Backbone, size: int) -> str:
    """The name of the answers of a backbone with the weights of its file, for photos of `size` pixels.

    Raises:
        OSError: the file cannot be read.
    """
    return f"{backbone.name}/{size}/{content_hash(weights_status(backbone).path)}"


def has_answers(backbone: Backbone, size: int) -> bool:
    """Whether Keras' answers are known."""
    return read_answers(backbone, size) is not None


def read_answers(backbone: Backbone, size: int) -> Array | None:
    """Pooled features of `probe_photos` as Keras computes them, `(2, d) float32`; None: not known."""
    file = resources.files("translearn_core").joinpath(FILE)
    try:
        name = name_of(backbone, size)
        with file.open("rb") as stream, HEADER_LOCK, np.load(stream, allow_pickle=False) as stored:
            return np.asarray(stored[name]) if name in stored.files else None
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
