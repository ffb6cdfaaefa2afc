"""How the feasibility check finds what the table of checks lists.

Owns: `Evidence` and `DETECTORS`, one function for each row of `datasets.CHECKS` that is judged here:
from statistics of the photos, features of a network and cross-validated predictions; where the
manifest is enough, the detector of `datasets/manifest_checks.py`.
Leaves to others: names, meaning, bounds and advice (`datasets/checks.py`), measuring photos
(`imaging/stats.py`), copies (`datasets/duplicates.py`), wrong labels (`label_errors.py`), shortcuts
(`shortcuts.py`), give-aways (`giveaways.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.datasets import Dataset
from translearn_core.datasets.checks import (
    BLURRED_DETAIL,
    BLURRED_EDGES,
    BRIGHT_SHADE,
    CHECKS,
    DARK_LIGHT,
    FEW_BITS,
    ODD_QUARTILES,
    ODD_SHAPE,
    OUTLIER_SPREADS,
)
from translearn_core.datasets.duplicates import Pairs, find_pairs
from translearn_core.datasets.embedding import Features, normalised_embedding
from translearn_core.datasets.manifest_checks import (
    LEAST_LEAK,
    Finding,
    find_augmented,
    find_chains,
    find_exact_copies,
    find_imbalance,
    find_scarce_groups,
    find_shared_copies,
    find_surplus_copies,
    find_too_few,
    find_torn_groups,
)
from translearn_core.evaluation.mirrors import Lookalike
from translearn_core.feasibility import giveaways
from translearn_core.feasibility.giveaways import Giveaway
from translearn_core.feasibility.label_errors import LabelError, find_label_errors
from translearn_core.feasibility.shortcuts import Shortcut, find_shortcuts
from translearn_core.imaging.origin import read_origin
from translearn_core.imaging.stats import MIN_DETAIL, unpack_colour_thumbnails

_NEIGHBOURS = 5
_FEWEST_FOR_OUTLIERS = 8
_ROWS = 1024


@dataclass
class Evidence:
    """What the checks look at; rows of all arrays follow `photos`.

    Args:
        photos: the manifest.
        features: `(n, d)` of a network, or None: copies and outliers are then found less well.
        probabilities: `(n, classes)` from heads that have not learned from the photo, or None.
        labels: `(n,)`, class numbers.
        copies: `(n,)`, copies and bursts share one, or None.
        groups: `(n,)`, photos that stay on one side of a split share one, or None.
        random_split: that a random split would claim more, in a sentence; empty where it would not.
        known_pairs: what `find_pairs` says of these photos, where it was asked before.
        lookalike: two classes that mirroring exchanges, or None.
    """

    dataset: Dataset
    photos: pd.DataFrame
    features: Features | None = None
    probabilities: Array | None = None
    classes: list[str] = field(default_factory=list)
    labels: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    copies: Ints | None = None
    groups: Ints | None = None
    known_pairs: Pairs | None = None
    random_split: str = ""
    lookalike: Lookalike | None = None

    @classmethod
    def of(cls, dataset: Dataset, features: Features | None = None) -> Evidence:
        """What is known of a data set without a network's answers."""
        photos, classes = dataset.photos, dataset.classes
        labels = pd.Index(classes).get_indexer(pd.Index(photos["class_name"]))
        return cls(
            dataset=dataset,
            photos=photos,
            features=features,
            classes=classes,
            labels=labels.astype(np.int64),
        )

    @cached_property
    def pairs(self) -> Pairs:
        """All copies and frames of bursts."""
        if self.known_pairs is not None:
            return self.known_pairs
        return find_pairs(self.photos, self.features)

    @cached_property
    def suspects(self) -> list[LabelError]:
        """Labels that may be wrong; none without probabilities."""
        if self.probabilities is None:
            return []
        return find_label_errors(
            self.labels, self.probabilities, features=self.features, groups=self.copies
        )

    @cached_property
    def shortcuts(self) -> list[Shortcut]:
        """Properties that predict a class."""
        return find_shortcuts(self.photos, self.labels, self.groups)

    @cached_property
    def giveaways(self) -> list[Giveaway]:
        """What each feature of the files alone achieves."""
        rows = giveaways.choose_rows(self.labels)
        groups = np.arange(len(self.labels)) if self.groups is None else self.groups
        copies = np.arange(len(self.labels)) if self.copies is None else self.copies
        _names, number, sizes = np.unique(copies, return_inverse=True, return_counts=True)
        photos = self.photos.iloc[rows]
        files = giveaways.Files(
            photos=photos,
            origins=[read_origin(self.dataset.photo_path(path)) for path in photos["path"]],
            copies=sizes[number][rows],
            classes=self.classes,
        )
        return giveaways.measure_giveaways(files, self.labels[rows], groups[rows])

    @cached_property
    def measured(self) -> Bools:
        """Which photos have their facts, `(n,)`."""
        return (self.photos["look"].str.len() > 0).to_numpy(dtype=bool)

    def column(self, name: str) -> Array:
        """A column of the manifest as numbers, `(n,)`."""
        return self.photos[name].to_numpy(dtype=float)


Detector = Callable[[Evidence], Iterator[Finding]]


def find_all(evidence: Evidence) -> list[Finding]:
    """Everything that is flagged: in the order of the checks, the surest first."""
    found = []
    for check in CHECKS:
        detect = DETECTORS.get(check.name)
        if detect is None:
            continue
        flagged = [one for one in detect(evidence) if one.score >= check.threshold]
        found += sorted(flagged, key=lambda one: (-one.score, one.path))
    return found


def copies_across(findings: Iterable[Finding]) -> set[tuple[str, ...]]:
    """The paths of each photo that lies under more than one class, each set of them once."""
    return {
        tuple(sorted({finding.path, *finding.others}))
        for finding in findings
        if finding.check == "cross_class_copies"
    }


# --- one function per check ----------------------------------------------------------------------


def _find_unreadable(evidence: Evidence) -> Iterator[Finding]:
    left_out = evidence.dataset.left_out
    for file, reason in zip(left_out["file"], left_out["reason"], strict=True):
        yield Finding(check="unreadable", path=str(file), score=1.0, note=str(reason))


def _find_copies(check: str, wanted: Callable[[Evidence], Bools]) -> Detector:
    """What finds pairs: one finding for each photo with the photos before it that it belongs to."""

    def find(evidence: Evidence) -> Iterator[Finding]:
        pairs = evidence.pairs.where(wanted(evidence))
        yield from _pair_up(check, evidence, pairs.first, pairs.second, pairs.likeness)

    return find


def _pair_up(
    check: str, evidence: Evidence, partner: Ints, own: Ints, likeness: Array
) -> Iterator[Finding]:
    """One finding for each photo of `own`, with its partners."""
    paths = evidence.photos["path"].to_numpy(dtype=object)
    table = pd.DataFrame({"own": own, "partner": partner, "likeness": likeness})
    for _own, part in table.sort_values(["own", "partner"]).groupby("own"):
        yield Finding(
            check=check,
            path=str(paths[part["own"].iloc[0]]),
            score=round(float(part["likeness"].max()), 4),
            others=tuple(str(path) for path in paths[part["partner"].to_numpy()]),
        )


def _same_class(evidence: Evidence) -> Bools:
    names = evidence.photos["class_name"].to_numpy(dtype=object)
    same: Bools = names[evidence.pairs.first] == names[evidence.pairs.second]
    return same


def _find_leaks(evidence: Evidence) -> Iterator[Finding]:
    """Photos given for validation or the test with a copy, or another frame, among those given to train."""
    given, pairs = evidence.photos["split"].to_numpy(dtype=object), evidence.pairs
    for one, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        leaks = (given[one] == "train") & np.isin(given[other], ["val", "test"])
        yield from _pair_up(
            "leak",
            evidence,
            one[leaks],
            other[leaks],
            np.maximum(pairs.likeness[leaks], LEAST_LEAK),
        )


def _find_wrong_labels(evidence: Evidence) -> Iterator[Finding]:
    paths = evidence.photos["path"].to_numpy(dtype=object)
    for suspect in evidence.suspects:
        yield Finding(
            check="wrong_label",
            path=str(paths[suspect.row]),
            score=round(float(suspect.score), 4),
            suggested=evidence.classes[suspect.suggested],
        )


def _find_outliers(evidence: Evidence) -> Iterator[Finding]:
    """Photos far from their neighbours, as measured by how far the others of the class are."""
    if evidence.features is None or len(evidence.labels) < 2:
        return
    points = normalised_embedding(evidence.features)
    paths = evidence.photos["path"].to_numpy(dtype=object)
    for label in np.unique(evidence.labels):
        rows = np.flatnonzero(evidence.labels == label)
        if len(rows) < _FEWEST_FOR_OUTLIERS:
            continue
        groups = np.arange(len(rows)) if evidence.copies is None else evidence.copies[rows]
        distance = _neighbour_distance(points[rows], groups)
        middle = float(np.median(distance))
        spread = 1.4826 * float(np.median(np.abs(distance - middle)))
        far = (distance - middle) / max(spread, 1e-3)
        for place in np.flatnonzero(far >= OUTLIER_SPREADS):
            score = 1.0 - 0.5 ** (float(far[place]) / OUTLIER_SPREADS)
            yield Finding(check="outlier", path=str(paths[rows[place]]), score=round(score, 4))


def _neighbour_distance(points: Array, groups: Ints) -> Array:
    """Mean angle to the five nearest photos that are no copies, `(n,)`, in radians."""
    k = min(_NEIGHBOURS, len(points) - 1)
    result = np.empty(len(points))
    for begin in range(0, len(points), _ROWS):
        part = slice(begin, begin + _ROWS)
        similar = points[part] @ points.T
        similar[groups[part][:, None] == groups[None, :]] = -1.0
        nearest = np.partition(similar, len(points) - k, axis=1)[:, -k:]
        result[part] = np.arccos(np.clip(nearest, -1.0, 1.0)).mean(axis=1)
    return result


def _find_by_score(check: str, measure: Callable[[Evidence], Array]) -> Detector:
    """What flags photos by a score in [0, 1] that comes from their facts; below 0.5 nothing is said."""

    def find(evidence: Evidence) -> Iterator[Finding]:
        if not evidence.measured.any():
            return
        scores = np.where(evidence.measured, measure(evidence), 0.0)
        paths = evidence.photos["path"].to_numpy(dtype=object)
        for row in np.flatnonzero(scores >= 0.5):
            score = round(min(1.0, float(scores[row])), 4)
            yield Finding(check=check, path=str(paths[row]), score=score)

    return find


def _below(values: Array, bound: float) -> Array:
    """1 at nothing, 0.5 at the bound."""
    score: Array = 1.0 - values / (2.0 * bound)
    return score


def _score_blurred(evidence: Evidence) -> Array:
    """By missing detail, or by CleanVision's score; photos without any pattern are not judged."""
    detail = evidence.column("detail")
    excess = np.maximum(detail - MIN_DETAIL, 0.0) / (BLURRED_DETAIL - MIN_DETAIL)
    by_edges = _below(evidence.column("edge_score"), BLURRED_EDGES)
    return np.where(detail > 0, np.maximum(1.0 / (1.0 + excess), by_edges), 0.0)


def _score_dark(evidence: Evidence) -> Array:
    return _below(evidence.column("light"), DARK_LIGHT)


def _score_bright(evidence: Evidence) -> Array:
    return _below(1.0 - evidence.column("shade"), BRIGHT_SHADE)


def _score_low_information(evidence: Evidence) -> Array:
    return _below(evidence.column("entropy"), FEW_BITS)


def _score_odd_aspect(evidence: Evidence) -> Array:
    sides = np.column_stack([evidence.column("width"), evidence.column("height")])
    return _below(sides.min(axis=1) / np.maximum(sides.max(axis=1), 1), ODD_SHAPE)


def _score_odd_size(evidence: Evidence) -> Array:
    """Distance of the side (root of the area) from the middle, 0.5 at three quartile ranges."""
    side = np.sqrt(evidence.column("width") * evidence.column("height"))
    low, high = np.percentile(side[evidence.measured], [25, 75])
    middle, gap = (low + high) / 2, (1 + 2 * ODD_QUARTILES) * (high - low)
    distance: Array = np.abs(side - middle)
    if gap <= 0:  # nearly all are of one size: any other is odd
        return np.where(distance > 0, 0.5 + 0.5 * distance / max(float(middle), 1.0), 0.0)
    score: Array = np.minimum(distance / gap, 1.0)
    return score


def _score_greyscale(evidence: Evidence) -> Array:
    """Photos without any colour, where most have some."""
    modes = evidence.photos["mode"].to_numpy(dtype=object)
    grey = np.isin(modes, ["L", "LA", "1"])
    known = np.flatnonzero(evidence.measured)
    tints = unpack_colour_thumbnails(list(evidence.photos["tint"].iloc[known]))  # (k, 8, 8, 3)
    grey[known] |= (tints.max(axis=3) == tints.min(axis=3)).all(axis=(1, 2))
    few = grey[evidence.measured].mean() < 0.5
    return np.where(grey & few, 1.0, 0.0)


def _find_shortcuts(evidence: Evidence) -> Iterator[Finding]:
    for one in evidence.shortcuts:
        name = evidence.classes[one.label]
        yield Finding(
            check="shortcut", path=name, score=round(one.sure, 4), note=one.describe(name)
        )


def _find_random_split(evidence: Evidence) -> Iterator[Finding]:
    if evidence.random_split:
        yield Finding(check="random_split", path="", score=1.0, note=evidence.random_split)


def _find_mirrors(evidence: Evidence) -> Iterator[Finding]:
    found = evidence.lookalike
    if found is not None:
        name = evidence.classes[found.first]
        yield Finding(check="mirrors", path=name, score=1.0, note=found.describe(evidence.classes))


def _find_giveaways(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each feature, unless shortcuts to single classes tell the same."""
    told = {one.property.name for one in evidence.shortcuts}
    for one in evidence.giveaways:
        if one.is_found and not told.intersection(one.feature.covers):
            score = round(0.5 + 0.5 * min(1.0, one.reduction), 4)
            yield Finding(check="giveaway", path=one.feature.name, score=score, note=one.describe())


DETECTORS: dict[str, Detector] = {
    "unreadable": _find_unreadable,
    "exact_copies": lambda evidence: find_exact_copies(evidence.dataset),
    "near_copies": _find_copies(
        "near_copies",
        lambda evidence: (
            (evidence.pairs.near | evidence.pairs.turned)
            & ~evidence.pairs.exact
            & _same_class(evidence)
        ),
    ),
    "cross_class_copies": _find_copies(
        "cross_class_copies", lambda evidence: evidence.pairs.near & ~_same_class(evidence)
    ),
    "wrong_label": _find_wrong_labels,
    "outlier": _find_outliers,
    "blurred": _find_by_score("blurred", _score_blurred),
    "dark": _find_by_score("dark", _score_dark),
    "bright": _find_by_score("bright", _score_bright),
    "low_information": _find_by_score("low_information", _score_low_information),
    "odd_aspect": _find_by_score("odd_aspect", _score_odd_aspect),
    "odd_size": _find_by_score("odd_size", _score_odd_size),
    "greyscale": _find_by_score("greyscale", _score_greyscale),
    "imbalance": lambda evidence: find_imbalance(evidence.dataset),
    "too_few": lambda evidence: find_too_few(evidence.dataset),
    "shortcut": _find_shortcuts,
    "mirrors": _find_mirrors,
    "giveaway": _find_giveaways,
    "leak": _find_leaks,
    "augmented": lambda evidence: find_augmented(evidence.dataset),
    "one_chain": lambda evidence: find_chains(evidence.dataset),
    "few_groups": lambda evidence: find_scarce_groups(evidence.dataset),
    "copied_group": lambda evidence: find_surplus_copies(evidence.dataset),
    "shared_group": lambda evidence: find_shared_copies(evidence.dataset),
    "torn_group": lambda evidence: find_torn_groups(evidence.dataset),
    "random_split": _find_random_split,
}
"""What finds each check here: all that is at least near its threshold, by the name of the row."""
