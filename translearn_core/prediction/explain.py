"""Explains predictions: Grad-CAM, occlusion, and similar training photos.

Owns: Grad-CAM, occlusion, the overlay of a heat map, and all of these for one photo
(`Explanation`).
Leaves to others: running the model (`model_runner.py`, `predict.py`), the nearest training photos
(`evaluation/ood.py`), pages.

Heat maps are `(h', w') float32` in [0, 1], 1 at the maximum, all 0 where no position raises the
score of the class. Those of an `Explanation` lie over the photo in its own proportions: where the
model saw a square of its middle or a square with borders, the map is 0 beside that square, and
without its borders (`over_photo`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from translearn_core.arrays import Array
from translearn_core.datasets import decode_photo
from translearn_core.errors import RunError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.ood import Similar
from translearn_core.i18n import _
from translearn_core.imaging.square import Fit
from translearn_core.prediction.model_runner import ModelOutput
from translearn_core.prediction.predict import Predictor

GREY = 127
"""Pixel value of the square that covers a part of the photo."""
OCCLUSION_POSITIONS = 10
"""Positions of the square along each side of the photo."""
_PATCH_STEPS = 2.5
"""Side of the grey square, in steps between positions: neighbours overlap."""
_SMOOTH_FROM = 5
_FINE = 256
"""Values of a heat map along the longer side of a photo that was not stretched."""
_COLOURS = ((40, 0, 110), (110, 20, 150), (205, 40, 100), (245, 120, 30), (255, 225, 60))
"""Colour map from 0 to 1, rising in lightness, so that it is readable in grey as well."""
_CLEARNESS = 0.7
"""Exponent of the heat in the opacity: the larger, the more transparent are low values."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The prediction for one photo and its explanations.

    Attributes:
        picture: the photo to show, `(h, w, 3) uint8`, in its own proportions.
        probabilities: `(classes,)`.
        unlike: whether the photo is out of distribution; None where that is unknown.
        other_shape: whether it is of another shape than those learned from; None: unknown.
    """

    picture: Array
    probabilities: Array
    unlike: bool | None
    other_shape: bool | None
    _predictor: Predictor
    _square: Array
    _size: tuple[int, int]
    _output: ModelOutput

    @property
    def has_heat_map(self) -> bool:
        """Whether Grad-CAM is available for this model; occlusion always is."""
        return self._output.maps is not None

    def heat_map(self, class_index: int) -> Array:
        """Grad-CAM for a class, over the photo.

        Raises:
            RunError: the model does not end in average pooling and dense layers.
        """
        head = self._predictor.head
        if head is None or self._output.maps is None or self._output.pooled is None:
            raise RunError(
                _(
                    "This model does not end in average pooling and dense layers, so there is no "
                    "heat map of it. Use the check by covering parts instead."
                )
            )
        heat = grad_cam(head, self._output.pooled[0], self._output.maps[0], class_index)
        return over_photo(heat, *self._size, self._predictor.fit)

    def occlusion(self, class_index: int) -> Array:
        """The occlusion map for a class over the photo, see `occlusion`."""
        heat = occlusion(self._predictor, self._square, class_index)
        return over_photo(heat, *self._size, self._predictor.fit)

    def similar(self, n: int = 4) -> list[Similar]:
        """The nearest training photos; none where the run has no reference."""
        reference = self._predictor.reference
        if reference is None or self._output.pooled is None:
            return []
        return reference.similar(self._output.pooled[0], n)


def explain_photo(predictor: Predictor, source: Path | bytes, *, side: int = 720) -> Explanation:
    """Predict one photo so that the prediction can be explained.

    Args:
        predictor: an open model.
        source: a photo, as a path or the bytes of its file.
        side: longest side of the picture to show, in pixels.

    Raises:
        PhotoError: it cannot be read.
    """
    photo = decode_photo(source, size=predictor.size, fit=predictor.fit, how=predictor.reading)
    square = photo.image
    output = predictor.run(square[None], maps=True)
    unlike = predictor.unlike(output)
    return Explanation(
        picture=_picture(decode_photo(source, size=None, how=predictor.reading).image, side),
        probabilities=output.probabilities[0],
        unlike=None if unlike is None else bool(unlike[0]),
        other_shape=predictor.is_other_shape(photo.stats),
        _predictor=predictor,
        _square=square,
        _size=(photo.stats.width, photo.stats.height),
        _output=output,
    )


def _picture(photo: Array, side: int) -> Array:
    """The photo `(h, w, 3)`, shrunk to at most `side` pixels a side."""
    image = Image.fromarray(photo)
    image.thumbnail((side, side))
    return np.asarray(image)


def grad_cam(head: DenseHead, pooled: Array, maps: Array, class_index: int) -> Array:
    """Grad-CAM (R. Selvaraju et al., 2017): the positions that raise the score of a class.

    The sum of the last feature maps, weighted by the gradient of the class's logit with respect to
    each, with negative sums set to 0. Only average pooling and dense layers follow the maps, so the
    gradient is the same at all positions and is computed from the head's weights. The mean of all
    logits is subtracted, since a softmax ignores a common offset.

    Args:
        head: the dense layers behind the pooled features.
        pooled: features of the photo, `(d,)`.
        maps: its last feature maps, `(h', w', d)`.
        class_index: index of the class.

    Returns:
        `(h', w')`.
    """
    classes = head.n_outputs
    class_weights = np.full(classes, -1.0 / classes, np.float32)
    class_weights[class_index] += 1.0
    weights = head.gradient(pooled, class_weights)  # (d,)
    return _normalised(maps @ weights)


def smoothed(heat: Array) -> Array:
    """A heat map after a binomial 3 x 3 filter, with zeros outside the photo.

    The receptive field of a position is far larger than its part of the photo, and the maximum often
    lies at the edge of an object or one position outside. The filter moves it to the middle: see the
    pointing test in `docs/benchmarks.md`. Maps with a side below `_SMOOTH_FROM` are unchanged.
    """
    if min(heat.shape) < _SMOOTH_FROM:
        return heat
    padded = np.pad(heat, 1)
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return _normalised(rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:])


def _normalised(heat: Array) -> Array:
    heat = np.maximum(np.asarray(heat, np.float32), 0.0)
    hottest = float(heat.max(initial=0.0))
    return heat / hottest if hottest > 0 else heat


def occlusion(
    predictor: Predictor, photo: Array, class_index: int, *, positions: int = OCCLUSION_POSITIONS
) -> Array:
    """Occlusion: how much the score of a class falls when a part of the photo is covered.

    A grey square is moved over the photo (M. Zeiler and R. Fergus, Visualizing and Understanding
    Convolutional Networks, 2014); each position gets the mean loss of the squares that cover it.
    Takes `positions ** 2` predictions; works for any model.

    Args:
        predictor: any model.
        photo: `(size, size, 3) uint8`, the input of the model.
        class_index: index of the class.
        positions: positions along each side.

    Returns:
        `(positions, positions)`.
    """
    size = photo.shape[0]
    edges = np.linspace(0, size, positions + 1)
    half = _PATCH_STEPS * size / positions / 2
    spans = [
        (max(0, round(middle - half)), min(size, round(middle + half)))
        for middle in (edges[:-1] + edges[1:]) / 2
    ]
    covered = np.repeat(photo[None], positions * positions, axis=0)
    for row, (top, bottom) in enumerate(spans):
        for column, (left, right) in enumerate(spans):
            covered[row * positions + column, top:bottom, left:right] = GREY
    scores = _class_scores(predictor, np.concatenate([photo[None], covered]), class_index)
    loss = np.maximum(scores[0] - scores[1:], 0.0).reshape(positions, positions)
    total = np.zeros((positions, positions), np.float32)
    counts = np.zeros((positions, positions), np.float32)
    reach = int(_PATCH_STEPS // 2)
    for row in range(positions):
        for column in range(positions):
            covered_cells = np.s_[
                max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
            ]
            total[covered_cells] += loss[row, column]
            counts[covered_cells] += 1
    return _normalised(total / counts)


def _class_scores(predictor: Predictor, photos: Array, class_index: int) -> Array:
    """The logit of a class minus the mean logit, `(n,)`."""
    output = predictor.run(photos)
    if predictor.head is not None and output.pooled is not None:
        logits = predictor.head.logits(output.pooled)
    else:
        logits = np.log(np.maximum(output.probabilities, 1e-12))
    return np.asarray(logits[:, class_index] - logits.mean(axis=1))


def overlay(photo: Array, heat: Array, opacity: float) -> Array:
    """A photo with a heat map over it.

    Args:
        photo: `(h, w, 3) uint8`, in its own proportions and at any size.
        heat: a heat map of the same photo.
        opacity: at the maximum, in [0, 1]; the overlay is transparent where the map is 0.

    Returns:
        `(h, w, 3) uint8`.
    """
    height, width = photo.shape[:2]
    heat_values = enlarge(heat, height, width)[..., None]  # (h, w, 1)
    stops = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack(
        [np.interp(heat_values[..., 0], stops, [c[i] for c in _COLOURS]) for i in range(3)], axis=-1
    )
    share = opacity * heat_values**_CLEARNESS
    mixed = photo * (1 - share) + colours * share
    return np.clip(mixed, 0, 255).astype(np.uint8)


def over_photo(heat: Array, width: int, height: int, fit: Fit) -> Array:
    """A heat map of the square that a model saw, as one of the whole photo.

    Args:
        heat: a heat map of the square.
        width, height: of the photo, in any unit.
        fit: how the photo became the square.

    Returns:
        The map as it is where the square is the whole photo (`stretch`); else at most `_FINE`
        values a side, in the proportions of the photo.
    """
    if fit == "stretch" or width == height:
        return heat
    longest = max(width, height)
    columns, rows = (max(1, round(_FINE * side / longest)) for side in (width, height))
    if fit == "pad":
        across, down = (_FINE - columns) // 2, (_FINE - rows) // 2
        return enlarge(heat, _FINE, _FINE)[down : down + rows, across : across + columns]
    side = min(columns, rows)
    across, down = (columns - side) // 2, (rows - side) // 2
    result = np.zeros((rows, columns), np.float32)
    result[down : down + side, across : across + side] = enlarge(heat, side, side)
    return result


def enlarge(heat: Array, height: int, width: int) -> Array:
    """A heat map at another size, `(height, width) float32`, smoothly."""
    image = Image.fromarray(np.asarray(heat, np.float32))
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized, np.float32), 0.0, 1.0)


def hottest(heat: Array) -> tuple[float, float] | None:
    """Centre of the maximum as shares of height and width; None where the map is 0."""
    if not heat.max(initial=0.0) > 0:
        return None
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    return (row + 0.5) / heat.shape[0], (column + 0.5) / heat.shape[1]
