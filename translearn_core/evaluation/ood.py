"""Out-of-distribution detection by nearest neighbours in feature space, and similar photos.

Owns: `reference.npz` of a run (features of its training photos), the distance of a new photo to
them, the threshold above which a photo is out of distribution, and the error rates of that
threshold. Leaves to others: features (`training/train.py` at the end of a run,
`prediction/model_runner.py` for new photos), words.

A softmax assigns a class to any photo. The distance is computed from the features instead: 1 minus
the mean cosine similarity to the `NEIGHBOURS` nearest training photos (k nearest neighbours on
unit-length features: Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors,
2022), after the cube root of each feature, which keeps a few large ones from dominating. Measured
in `docs/benchmarks.md`.

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

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.atomic import write_atomically
from translearn_core.evaluation.metrics import wilson_interval

logger = logging.getLogger(__name__)

Labels = npt.NDArray[np.integer]

FILE = "reference.npz"
SCHEMA = 1
NEIGHBOURS = 3
FALSE_REFUSAL_RATE = 0.05
"""Share of held-out photos of known classes that the threshold refuses."""
MAX_PHOTOS = 2000
MAX_BYTES = 8 * 2**20
MIN_PHOTOS = 20
"""With fewer photos no threshold is set and no photo is refused."""
MIN_HELD_OUT = 3
"""With fewer photos that a trained backbone did not learn from, no threshold is set either."""


def unit_features(features: Array) -> Array:
    """Features as unit vectors `(n, d) float32`, after the cube root of each value."""
    roots = np.cbrt(np.asarray(features, np.float32))
    lengths = np.linalg.norm(roots, axis=1, keepdims=True)
    return np.asarray(roots / np.maximum(lengths, 1e-12), np.float32)


@dataclass(frozen=True, kw_only=True)
class Similar:
    """A training photo that is similar to the query."""

    path: str
    """In the manifest of the data set."""
    class_index: int
    similarity: float
    """Cosine of the two unit_features, at most 1."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Training features that new photos are compared with.

    `units` `(n, d) float16` unit vectors, `labels` `(n,)`, `paths` `(n,)`; `threshold` is the
    distance above which a photo is out of distribution, None with too few photos.
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
        """kNN distance of photos to the reference, `(n,) float32`."""
        return _knn_distance(unit_features(features) @ self._units.T)

    def is_out_of_distribution(self, features: Array) -> Bools:
        """Which photos are out of distribution: `(n,) bool`; none where there is no threshold."""
        distances = self.distances(features)
        if self.threshold is None:
            return np.zeros(len(distances), bool)
        return distances > self.threshold

    def similar(self, features: Array, n: int = 4) -> list[Similar]:
        """The `n` training photos most similar to one photo, `features` `(d,)`, nearest first."""
        similarities = (unit_features(features[None]) @ self._units.T)[0]
        order = np.argsort(-similarities, kind="stable")[:n]
        return [
            Similar(
                path=str(self.paths[index]),
                class_index=int(self.labels[index]),
                similarity=float(similarities[index]),
            )
            for index in order
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


# ---------------------------------------------------------------------------- building a reference


@dataclass(frozen=True, kw_only=True)
class OODMetrics:
    """Error rates of the threshold, for metrics.json under `unlike`. Shares are in [0, 1] or None.

    Attributes:
        threshold: distance above which a photo is out of distribution.
        photos: number of training photos in the reference.
        wanted: the false refusal rate that the threshold was set for.
        refused, n_test, refused_interval: share of the test photos that it refuses (all are of
            known classes: false refusals), their number, and the 95 % interval.
        accepted, n_strange, accepted_interval: share of photos of an unknown class that it accepts
            (false accepts). Measured by leaving each class out in turn; None with fewer than three
            classes, and where the backbone itself was trained (on every class).
        auroc: of the distance as a score for known against unknown: 0.5 is chance, 1 is perfect.
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


def build_reference(
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
        features: of the training photos, `(n, d)`.
        labels: their class indices.
        paths: their paths in the manifest.
        test: features of the test photos; used for measuring only.
        held_out: features of photos that no weight of the network was trained on, to set the
            threshold by; needed where the backbone itself was trained. Without them each training
            photo is compared with the others (leave-one-out), which is equivalent where the
            backbone is frozen. Where they are fewer than `MIN_PHOTOS`, see `_threshold_of_few`.
        groups: near-duplicates share a number and are not compared with each other.
        seed: of the subsample where there are too many photos.
        most: see `subsample`.

    Returns:
        The reference, and its figures as a dictionary for JSON.
    """
    kept = subsample(np.asarray(labels), features.shape[1], seed, most=most)
    units = unit_features(features[kept]).astype(np.float16)
    labels = np.asarray(labels)[kept]
    groups = np.arange(len(kept)) if groups is None else np.asarray(groups)[kept]
    similarities = np.asarray(units, np.float32) @ np.asarray(units, np.float32).T  # (n, n)
    similarities[groups[:, None] == groups[None, :]] = -1.0
    learned_distances = known_distances = _knn_distance(similarities)
    if held_out is not None:
        known_distances = _knn_distance(unit_features(held_out) @ np.asarray(units, np.float32).T)
    threshold = _threshold(known_distances, learned_distances)
    reference = Reference(
        units=units, labels=labels, paths=[paths[index] for index in kept], threshold=threshold
    )
    unknown_distances = None
    if held_out is None and len(np.unique(labels)) >= 3:
        unknown_distances = _knn_distance(
            np.where(labels[:, None] == labels[None, :], -1.0, similarities)
        )
    return reference, asdict(_measure(reference, known_distances, unknown_distances, test))


def _threshold(known: Array, learned: Array) -> float | None:
    """The distance that refuses `FALSE_REFUSAL_RATE` of known photos; None with too few of them.

    Args:
        known: distances of photos that were not learned from, or leave-one-out ones.
        learned: leave-one-out distances of the photos of the reference.
    """
    if len(learned) <= max(NEIGHBOURS, MIN_PHOTOS - 1):
        return None
    if len(known) >= MIN_PHOTOS:
        return float(np.quantile(known, 1 - FALSE_REFUSAL_RATE))
    return _threshold_of_few(known, learned) if len(known) >= MIN_HELD_OUT else None


def _threshold_of_few(known: Array, learned: Array) -> float:
    """The threshold from a few photos that a trained backbone did not learn from.

    Photos that it learned from lie closer together than new ones. By how much is told by the medians
    of both; the spread is that of the many learned ones. No photo that is known to belong is refused.
    """
    wider = float(np.median(known)) / max(float(np.median(learned)), 1e-6)
    stretched = wider * float(np.quantile(learned, 1 - FALSE_REFUSAL_RATE))
    return max(stretched, float(known.max()))


def subsample(labels: Labels, width: int, seed: int, *, most: int | None = None) -> Ints:
    """Indices of the photos that a reference keeps, stratified by class, ascending.

    Args:
        width: of the features.
        most: an upper bound on their number, below the default.
    """
    most = max(1, min(most or MAX_PHOTOS, MAX_PHOTOS, MAX_BYTES // (2 * max(1, width))))
    if len(labels) <= most:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    share = most / len(labels)
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        chosen.append(rng.permutation(of_class)[: max(NEIGHBOURS, round(share * len(of_class)))])
    return np.sort(np.concatenate(chosen))


def _knn_distance(similarities: Array) -> Array:
    """1 - mean of the largest similarities in each row `(n, references)`: `(n,) float32`."""
    k = min(NEIGHBOURS, similarities.shape[1])
    if k == 0:
        return np.full(len(similarities), 2.0, np.float32)
    nearest = np.partition(similarities, similarities.shape[1] - k, axis=1)[:, -k:]
    return np.asarray(1.0 - nearest.mean(axis=1), np.float32)


def _measure(
    reference: Reference, known_distances: Array, unknown_distances: Array | None, test: Array
) -> OODMetrics:
    threshold = reference.threshold
    refused = accepted = None
    if threshold is not None:
        refused = int((reference.distances(test) > threshold).sum()) if len(test) else None
        accepted = (
            int((unknown_distances <= threshold).sum()) if unknown_distances is not None else None
        )
    n_strange = 0 if unknown_distances is None else len(unknown_distances)
    return OODMetrics(
        threshold=threshold,
        photos=len(reference),
        wanted=FALSE_REFUSAL_RATE,
        refused=None if refused is None else refused / len(test),
        n_test=len(test),
        refused_interval=None if refused is None else wilson_interval(refused, len(test)),
        accepted=None if accepted is None else accepted / n_strange,
        n_strange=n_strange,
        accepted_interval=None if accepted is None else wilson_interval(accepted, n_strange),
        auroc=None if unknown_distances is None else auroc(known_distances, unknown_distances),
    )


def auroc(known: Array, unknown: Array) -> float | None:
    """The probability that an unknown photo is farther away than a known one, ties counting half.

    This is the area under the ROC curve (J. A. Hanley and B. J. McNeil, 1982); None without both.
    `sklearn.metrics.roc_auc_score` gives the same, but importing it would cost each run a second.
    """
    if not len(known) or not len(unknown):
        return None
    ordered = np.sort(known)
    below = np.searchsorted(ordered, unknown, side="left")
    up_to = np.searchsorted(ordered, unknown, side="right")
    return float((below + up_to).mean() / (2 * len(ordered)))
