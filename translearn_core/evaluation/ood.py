"""Out-of-distribution detection by nearest neighbours in feature space, and similar photos.

Owns: `reference.npz` of a run (features of its training photos), the distance of a new photo to
them, the distance from which a photo counts as unlike, and how well that works.
Leaves to others: features (`training/train.py` at the end of a run, `prediction/model_runner.py` for new photos), words.

A softmax always prefers some class, however strange the photo. The distance here asks the
features instead: 1 minus the mean cosine similarity to the `NEIGHBOURS` nearest training photos
(k nearest neighbours on unit-length features: Y. Sun et al., Out-of-Distribution Detection with
Deep Nearest Neighbors, 2022), after the cube root of each feature, which keeps a few large ones
from deciding alone. Measured in `docs/benchmarks.md`.

Features are `(n, d) float32`, pooled, as the head gets them; distances `(n,)` in [0, 2].
"""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.atomic import write_atomically
from translearn_core.evaluation.metrics import wilson_interval

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.integer]

FILE = "reference.npz"
SCHEMA = 1
NEIGHBOURS = 3
REFUSED_SHARE = 0.05
"""Share of photos of the known kinds that the threshold calls unlike, on photos kept aside."""
MOST_PHOTOS = 2000
MOST_BYTES = 8 * 2**20
FEWEST_PHOTOS = 20
"""With fewer photos to judge by no threshold is set: nothing is called unlike."""


def directions(features: Array) -> Array:
    """Features as unit vectors `(n, d) float32`, after the cube root of each value."""
    rooted = np.cbrt(np.asarray(features, np.float32))
    lengths = np.linalg.norm(rooted, axis=1, keepdims=True)
    return np.asarray(rooted / np.maximum(lengths, 1e-12), np.float32)


@dataclass(frozen=True, kw_only=True)
class Similar:
    """A training photo that looks like the one asked about."""

    path: str
    """In the manifest of the data set."""
    class_index: int
    similarity: float
    """Cosine of the two directions, at most 1."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Training photos that a new one is compared with.

    `units` `(n, d) float16` unit vectors, `labels` `(n,)`, `paths` `(n,)`; `threshold` is the
    distance above which a photo is unlike them all, None where there were too few to tell.
    """

    units: Array
    labels: Labels
    paths: Sequence[str]
    threshold: float | None

    def __len__(self) -> int:
        return len(self.units)

    @cached_property
    def _units(self) -> Array:
        return np.asarray(self.units, np.float32)

    def distances(self, features: Array) -> Array:
        """How far photos are from all of these: `(n,) float32`."""
        return _far(directions(features) @ self._units.T)

    def is_unlike(self, features: Array) -> npt.NDArray[np.bool_]:
        """Which photos are like nothing here: `(n,) bool`; none where there is no threshold."""
        distances = self.distances(features)
        if self.threshold is None:
            return np.zeros(len(distances), bool)
        return distances > self.threshold

    def similar(self, features: Array, n: int = 4) -> list[Similar]:
        """The `n` training photos most similar to one photo, `features` `(d,)`, nearest first."""
        similarities = (directions(features[None]) @ self._units.T)[0]
        order = np.argsort(-similarities, kind="stable")[:n]
        return [
            Similar(
                path=str(self.paths[place]),
                class_index=int(self.labels[place]),
                similarity=float(similarities[place]),
            )
            for place in order
        ]

    def save(self, folder: Path) -> None:
        """Write `reference.npz` into a run folder."""
        content = io.BytesIO()
        np.savez(
            content,
            schema_version=np.array(SCHEMA),
            units=np.asarray(self.units, np.float16),
            labels=np.asarray(self.labels, np.int32),
            paths=np.array(list(self.paths), dtype=np.str_),
            threshold=np.array(np.nan if self.threshold is None else self.threshold),
        )
        write_atomically(folder / FILE, content.getvalue())


def load_reference(folder: Path) -> Reference | None:
    """The reference of a run folder; None where it has none that can be read (older runs)."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            if int(content["schema_version"]) > SCHEMA:
                return None
            threshold = float(content["threshold"])
            return Reference(
                units=content["units"],
                labels=content["labels"],
                paths=[str(name) for name in content["paths"]],
                threshold=None if np.isnan(threshold) else threshold,
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        logger.warning("%s cannot be read", path, exc_info=True)
        return None


# ------------------------------------------------------------------------------ making a reference


@dataclass(frozen=True, kw_only=True)
class UnlikeFigures:
    """What the threshold does, for metrics.json under `unlike`. Shares are in [0, 1] or None.

    Attributes:
        threshold: distance above which a photo counts as unlike.
        photos: how many training photos a new one is compared with.
        wanted: share of known photos that the threshold was set to refuse.
        refused, n_test, refused_interval: share of the test photos that it refuses (they are all
            of known kinds: false refusals), of how many, and its 95 % interval.
        accepted, n_strange, accepted_interval: share of photos of an unknown kind that it takes
            for known ones (false accepts). Measured by taking each class out in turn and showing
            its photos; None with fewer than three classes, and where the backbone itself learned
            (it has then seen every class).
        auroc: how well the distance alone tells those two apart: 0.5 is chance, 1 is perfect.
    """

    threshold: float | None
    photos: int
    wanted: float
    refused: float | None
    n_test: int
    refused_interval: tuple[float, float] | None
    accepted: float | None
    n_strange: int
    accepted_interval: tuple[float, float] | None
    auroc: float | None


def make_reference(
    features: Array,
    labels: Labels,
    paths: Sequence[str],
    *,
    test: Array,
    held_out: Array | None = None,
    groups: Labels | None = None,
    seed: int = 0,
    most: int | None = None,
) -> tuple[Reference, dict[str, Any]]:
    """Build the reference of a run and measure it.

    Args:
        features: of the photos that were learned from.
        labels: their class indices.
        paths: their paths in the manifest.
        test: features of the test photos; used for measuring only.
        held_out: features of photos that no weight of the network learned from, to set the
            threshold by; needed where the backbone itself learned. Without them each training
            photo is compared with the others, which is as good where the backbone is frozen.
        groups: copies of each other carry the same number and are not compared with each other.
        seed: which photos are kept where there are too many.
        most: see `choose`.

    Returns:
        The reference, and its figures as a dictionary for JSON.
    """
    kept = choose(np.asarray(labels), features.shape[1], seed, most=most)
    units = directions(features[kept]).astype(np.float16)
    labels = np.asarray(labels)[kept]
    groups = np.arange(len(kept)) if groups is None else np.asarray(groups)[kept]
    among = np.asarray(units, np.float32) @ np.asarray(units, np.float32).T  # (n, n)
    among[groups[:, None] == groups[None, :]] = -1.0
    known = _far(among)
    if held_out is not None:
        known = _far(directions(held_out) @ np.asarray(units, np.float32).T)
    enough = len(known) >= FEWEST_PHOTOS and len(units) > NEIGHBOURS
    threshold = float(np.quantile(known, 1 - REFUSED_SHARE)) if enough else None
    reference = Reference(
        units=units, labels=labels, paths=[paths[place] for place in kept], threshold=threshold
    )
    strange = None
    if held_out is None and len(np.unique(labels)) >= 3:
        strange = _far(np.where(labels[:, None] == labels[None, :], -1.0, among))
    return reference, asdict(_measure(reference, known, strange, test))


def choose(
    labels: Labels, width: int, seed: int, *, most: int | None = None
) -> npt.NDArray[np.int64]:
    """Places of the photos that a reference keeps, every class in proportion, in ascending order.

    Args:
        width: of the features.
        most: at most about so many, where that is fewer than a reference may hold.
    """
    most = max(1, min(most or MOST_PHOTOS, MOST_PHOTOS, MOST_BYTES // (2 * max(1, width))))
    if len(labels) <= most:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    share = most / len(labels)
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        chosen.append(rng.permutation(of_class)[: max(NEIGHBOURS, round(share * len(of_class)))])
    return np.sort(np.concatenate(chosen))


def _far(similarities: Array) -> Array:
    """1 - mean of the largest similarities in each row `(n, references)`: `(n,) float32`."""
    k = min(NEIGHBOURS, similarities.shape[1])
    if k == 0:
        return np.full(len(similarities), 2.0, np.float32)
    nearest = np.partition(similarities, similarities.shape[1] - k, axis=1)[:, -k:]
    return np.asarray(1.0 - nearest.mean(axis=1), np.float32)


def _measure(
    reference: Reference, known: Array, strange: Array | None, test: Array
) -> UnlikeFigures:
    threshold = reference.threshold
    refused = accepted = None
    if threshold is not None:
        refused = int((reference.distances(test) > threshold).sum()) if len(test) else None
        accepted = int((strange <= threshold).sum()) if strange is not None else None
    n_strange = 0 if strange is None else len(strange)
    return UnlikeFigures(
        threshold=threshold,
        photos=len(reference),
        wanted=REFUSED_SHARE,
        refused=None if refused is None else refused / len(test),
        n_test=len(test),
        refused_interval=None if refused is None else wilson_interval(refused, len(test)),
        accepted=None if accepted is None else accepted / n_strange,
        n_strange=n_strange,
        accepted_interval=None if accepted is None else wilson_interval(accepted, n_strange),
        auroc=None if strange is None else auroc(known, strange),
    )


def auroc(known: Array, strange: Array) -> float | None:
    """The chance that a strange photo is farther away than a known one, ties counting half.

    This is the area under the ROC curve (J. A. Hanley and B. J. McNeil, 1982); None without both.
    `sklearn.metrics.roc_auc_score` gives the same, but importing it would cost each run a second.
    """
    if not len(known) or not len(strange):
        return None
    ordered = np.sort(known)
    below = np.searchsorted(ordered, strange, side="left")
    up_to = np.searchsorted(ordered, strange, side="right")
    return float((below + up_to).mean() / (2 * len(ordered)))
