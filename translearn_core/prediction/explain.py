"""Explains predictions: Grad-CAM, occlusion, and similar training photos.

Owns: Grad-CAM, the check by occlusion, laying a heat map over a photo, and all of that together
for one photo (`Explanation`).
Leaves to others: running the model (`model_runner.py`, `predict.py`), what is similar (`evaluation/ood.py`),
pages.

Heat maps are `(h', w') float32` in [0, 1], 1 the hottest place, all 0 where nothing speaks for
the class. The network sees a photo stretched to a square, so a map stretched over the photo in
its own proportions lies where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.datasets import decode_photo
from translearn_core.errors import RunError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.ood import Similar
from translearn_core.i18n import _
from translearn_core.prediction.model_runner import ModelOutput
from translearn_core.prediction.predict import Predictor

Array = npt.NDArray[Any]

GREY = 127
"""What occlusion covers a part of the photo with."""
OCCLUSION_PLACES = 10
"""Places a side that occlusion covers one after the other."""
_PATCH_PLACES = 2.5
"""Side of the grey square, in places: neighbours overlap."""
_SMOOTH_FROM = 5
_COLOURS = ((40, 0, 110), (110, 20, 150), (205, 40, 100), (245, 120, 30), (255, 225, 60))
"""From cold to hot, ever lighter, so that it reads without colour vision and in grey."""
_CLEARNESS = 0.7
"""Exponent of the heat in the opacity: the larger, the clearer stay places that are not hot."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One photo, what the model made of it, and why.

    Attributes:
        picture: the photo to show, `(h, w, 3) uint8`, in its own proportions.
        probabilities: `(classes,)`.
        unlike: whether it is like nothing that was learned from; None where that is not known.
    """

    picture: Array
    probabilities: Array
    unlike: bool | None
    _predictor: Predictor
    _square: Array
    _seen: ModelOutput

    @property
    def has_heat_map(self) -> bool:
        """Whether Grad-CAM is known for this model; occlusion always is."""
        return self._seen.maps is not None

    def heat_map(self, class_index: int) -> Array:
        """Grad-CAM for a class, smoothed, in the resolution of the feature maps.

        Raises:
            RunError: the model does not end as ours do.
        """
        head = self._predictor.head
        if head is None or self._seen.maps is None or self._seen.pooled is None:
            raise RunError(
                _(
                    "This model does not end in average pooling and dense layers, so there is no "
                    "heat map of it. Use the check by covering parts instead."
                )
            )
        return grad_cam(head, self._seen.pooled[0], self._seen.maps[0], class_index)

    def occlusion(self, class_index: int) -> Array:
        """The slower check for a class."""
        return occlusion(self._predictor, self._square, class_index)

    def similar(self, n: int = 4) -> list[Similar]:
        """The most similar training photos; none where the run kept no reference."""
        reference = self._predictor.reference
        if reference is None or self._seen.pooled is None:
            return []
        return reference.similar(self._seen.pooled[0], n)


def explain_photo(predictor: Predictor, source: Path | bytes, *, side: int = 720) -> Explanation:
    """Look at one photo so that the answer can be explained.

    Args:
        predictor: an open model.
        source: a photo, as a path or the bytes of its file.
        side: longest side of the picture to show, in pixels.

    Raises:
        PhotoError: it cannot be read.
    """
    square = decode_photo(source, size=predictor.size).image
    seen = predictor.see(square[None], maps=True)
    unlike = predictor.unlike(seen)
    return Explanation(
        picture=_picture(decode_photo(source, size=None).image, side),
        probabilities=seen.probabilities[0],
        unlike=None if unlike is None else bool(unlike[0]),
        _predictor=predictor,
        _square=square,
        _seen=seen,
    )


def _picture(photo: Array, side: int) -> Array:
    """The photo `(h, w, 3)`, shrunk to at most `side` pixels a side."""
    from PIL import Image

    image = Image.fromarray(photo)
    image.thumbnail((side, side))
    return np.asarray(image)


def grad_cam(head: DenseHead, pooled: Array, maps: Array, class_index: int) -> Array:
    """Where a photo speaks for a class (R. Selvaraju et al., Grad-CAM, 2017).

    The feature maps at the last cut, weighted by the gradient of the class's logit with respect
    to each, summed, negative sums set to 0. Behind the maps there are only their mean and dense
    layers, so the gradient is the same at all places and follows from the head's weights alone.
    The logit is taken against the mean of all logits: a softmax does not see what they share.

    Args:
        head: the dense layers behind the pooled features.
        pooled: features of the photo, `(d,)`.
        maps: its last feature maps, `(h', w', d)`.
        class_index: for which class.

    Returns:
        `(h', w')`.
    """
    classes = head.n_outputs
    wanted = np.full(classes, -1.0 / classes, np.float32)
    wanted[class_index] += 1.0
    weights = head.gradient(pooled, wanted)  # (d,)
    return _normalised(maps @ weights)


def smoothed(heat: Array) -> Array:
    """A heat map whose places take their neighbours in: a binomial 3 x 3 filter.

    A place of the last feature maps sees far more than its own part of the photo, and a thing is
    often hottest along its edge, one place outside of it. The filter brings the maximum back to
    the middle: see the pointing test in `docs/benchmarks.md`. Outside of the photo all is cold.
    Maps of fewer than `_SMOOTH_FROM` places a side stay as they are.
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
    predictor: Predictor, photo: Array, class_index: int, *, places: int = OCCLUSION_PLACES
) -> Array:
    """Which parts the answer rests on: cover each in turn and see how much the class loses.

    A grey square is moved over the photo (M. Zeiler and R. Fergus, Visualizing and Understanding
    Convolutional Networks, 2014); each place gets the mean loss of the squares that cover it.
    Slower than Grad-CAM, `places ** 2` photos, but it asks the whole model.

    Args:
        predictor: any model.
        photo: `(size, size, 3) uint8`, as the network gets it.
        class_index: for which class.
        places: steps a side.

    Returns:
        `(places, places)`.
    """
    size = photo.shape[0]
    edges = np.linspace(0, size, places + 1)
    half = _PATCH_PLACES * size / places / 2
    spans = [
        (max(0, round(middle - half)), min(size, round(middle + half)))
        for middle in (edges[:-1] + edges[1:]) / 2
    ]
    covered = np.repeat(photo[None], places * places, axis=0)
    for row, (top, bottom) in enumerate(spans):
        for column, (left, right) in enumerate(spans):
            covered[row * places + column, top:bottom, left:right] = GREY
    evidence = _evidence(predictor, np.concatenate([photo[None], covered]), class_index)
    loss = np.maximum(evidence[0] - evidence[1:], 0.0).reshape(places, places)
    total = np.zeros((places, places), np.float32)
    times = np.zeros((places, places), np.float32)
    reach = int(_PATCH_PLACES // 2)
    for row in range(places):
        for column in range(places):
            near = np.s_[
                max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
            ]
            total[near] += loss[row, column]
            times[near] += 1
    return _normalised(total / times)


def _evidence(predictor: Predictor, photos: Array, class_index: int) -> Array:
    """What speaks for a class `(n,)`: its logit against the mean logit."""
    seen = predictor.see(photos)
    if predictor.head is not None and seen.pooled is not None:
        logits = predictor.head.logits(seen.pooled)
    else:
        logits = np.log(np.maximum(seen.probabilities, 1e-12))
    return np.asarray(logits[:, class_index] - logits.mean(axis=1))


def overlay(photo: Array, heat: Array, opacity: float) -> Array:
    """A photo with a heat map over it.

    Args:
        photo: `(h, w, 3) uint8`, in its own proportions and at any size.
        heat: a heat map of the same photo.
        opacity: of the hottest places, in [0, 1]; cold places stay clear.

    Returns:
        `(h, w, 3) uint8`.
    """
    height, width = photo.shape[:2]
    warm = enlarge(heat, height, width)[..., None]  # (h, w, 1)
    stops = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack(
        [np.interp(warm[..., 0], stops, [c[i] for c in _COLOURS]) for i in range(3)], axis=-1
    )
    share = opacity * warm**_CLEARNESS
    mixed = photo * (1 - share) + colours * share
    return np.clip(mixed, 0, 255).astype(np.uint8)


def enlarge(heat: Array, height: int, width: int) -> Array:
    """A heat map at another size, `(height, width) float32`, smoothly."""
    from PIL import Image

    image = Image.fromarray(np.asarray(heat, np.float32))
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized, np.float32), 0.0, 1.0)


def hottest(heat: Array) -> tuple[float, float] | None:
    """Middle of the hottest place as shares of height and width; None where all is cold."""
    if not heat.max(initial=0.0) > 0:
        return None
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    return (row + 0.5) / heat.shape[0], (column + 0.5) / heat.shape[1]
