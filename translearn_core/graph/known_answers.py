"""What Keras answered to two photos with weights that are known, so that it is not asked once more on
every machine.

Owns: `data/answers.npz`, and for which weights and sizes of photos there are answers.
Leaves to others: the photos, comparing the answers with those of a converted graph (`kept_engines.py`), asking Keras
(`scripts/make_blocks`; a test asks it again), the weights that are drawn (`drawn_weights.py`).

An array of the file is pooled features `(2, d) float32`, named `<backbone>/<side in pixels>/<weights>`. The
weights are the SHA-256 of their file for those that come with the installation, or `drawn` for those of
`draw_weights`, which stand for any other file.
"""

from __future__ import annotations

import zipfile
from importlib import resources

import numpy as np

from translearn_core.arrays import HEADER_LOCK, Array
from translearn_core.backbones import Backbone
from translearn_core.backbones.weights import weights_status
from translearn_core.backbones.weights_check import content_hash

FILE = "answers.npz"


def name_of(backbone: Backbone, size: int) -> str:
    """The name of the answers of a backbone with the weights of its file, for photos of `size` pixels.

    Raises:
        OSError: the file cannot be read.
    """
    return f"{backbone.name}/{size}/{content_hash(weights_status(backbone).path)}"


def drawn_name_of(backbone: Backbone, size: int) -> str:
    """The name of its answers with weights that are drawn."""
    return f"{backbone.name}/{size}/drawn"


def has_answers(backbone: Backbone, size: int) -> bool:
    """Whether Keras' answers are known, with the weights of its file or with drawn ones."""
    read_first = read_drawn_answers, read_answers  # the second reads all of the weights
    return any(read(backbone, size) is not None for read in read_first)


def read_answers(backbone: Backbone, size: int) -> Array | None:
    """Pooled features of `probe_photos` as Keras computes them with the weights of its file, `(2, d)
    float32`; None: not known."""
    try:
        return _read(backbone, name_of(backbone, size))
    except OSError:
        return None


def read_drawn_answers(backbone: Backbone, size: int) -> Array | None:
    """The same with the weights of `draw_weights`."""
    return _read(backbone, drawn_name_of(backbone, size))


def _read(backbone: Backbone, name: str) -> Array | None:
    file = resources.files("translearn_core").joinpath(backbone.records, FILE)
    try:
        with file.open("rb") as stream, HEADER_LOCK, np.load(stream, allow_pickle=False) as stored:
            return np.asarray(stored[name]) if name in stored.files else None
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
