"""The table of checks of the photos: rule, words, and how each finds.

Owns: `CHECKS_TABLE`, one row per check (the page, the report, the docs and the tests read it), and
`find_all`. Leaves to others: measuring photos (`imaging/stats.py`), copies (`datasets/duplicates.py`),
wrong labels (`label_errors.py`), shortcuts (`shortcuts.py`), and what a person does about a finding.

A score is how sure it is that something is wrong, in [0, 1]; a check flags from its threshold on.
Dark, bright, low information, odd shape and size follow CleanVision 0.3: its bounds are where the
score reaches the threshold. Nothing here changes a photo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.datasets import Dataset
from translearn_core.datasets.checks import FEW_PHOTOS, MOST_IMBALANCE
from translearn_core.datasets.duplicates import Pairs, find_pairs, normalised_embedding
from translearn_core.i18n import N_, _
from translearn_core.imaging.stats import MIN_DETAIL, unpack_colour_thumbnails

if TYPE_CHECKING:
    from translearn_core.feasibility.label_errors import Suspect

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

BLURRED_DETAIL = 0.1
"""`detail` up to which a photo counts as blurred: of sharp photos of four sets one in three hundred
lies below, of photos blurred by 1.5 % of their longer side all do."""
BLURRED_EDGES, DARK_LIGHT, BRIGHT_SHADE, FEW_BITS, ODD_SHAPE = 0.29, 0.32, 0.05, 3.0, 0.35
"""CleanVision's bounds: blur score, brightness of the lightest 1 %, distance from white of the
darkest 5 %, bits of entropy, shorter over longer side."""
ODD_QUARTILES = 3.0
OUTLIER_SPREADS = 3.0
_NEIGHBOURS = 5
_FEWEST_FOR_OUTLIERS = 8
_ROWS = 1024


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that may be wrong.

    Args:
        check: name of the row of `CHECKS_TABLE`.
        path: the photo (as in the manifest); the file where it could not be read; the class where
            the finding is about one.
        score: how sure it is, in [0, 1]; 1 is certain.
        others: the photos it belongs with: copies, twins.
        suggested: the class that it probably belongs to.
        note: a sentence, translated.
    """

    check: str
    path: str
    score: float
    others: tuple[str, ...] = ()
    suggested: str = ""
    note: str = ""


@dataclass
class Evidence:
    """What the checks look at; rows of all arrays follow `photos`.

    Args:
        photos: the manifest.
        features: `(n, d)` of a network, or None: copies and outliers are then found less well.
        probabilities: `(n, classes)` from heads that have not learned from the photo, or None.
        labels: `(n,)`, class numbers.
        groups: `(n,)`, copies and bursts share one, or None.
        known_pairs: what `find_pairs` says of these photos, where it was asked before.
    """

    dataset: Dataset
    photos: pd.DataFrame
    features: Array | None = None
    probabilities: Array | None = None
    classes: list[str] = field(default_factory=list)
    labels: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    groups: Ints | None = None
    known_pairs: Pairs | None = None

    @classmethod
    def of(cls, dataset: Dataset, features: Array | None = None) -> Evidence:
        """What is known of a data set without a network's answers."""
        photos, classes = dataset.photos, dataset.classes
        labels = np.searchsorted(classes, photos["class_name"].to_numpy(dtype=str))
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
    def suspects(self) -> list[Suspect]:
        """Labels that are likely wrong; none without probabilities."""
        from translearn_core.feasibility.label_errors import find_suspects

        if self.probabilities is None:
            return []
        return find_suspects(self.labels, self.probabilities)

    @cached_property
    def measured(self) -> npt.NDArray[np.bool_]:
        """Which photos have their facts, `(n,)`."""
        return (self.photos["look"].str.len() > 0).to_numpy(dtype=bool)

    def column(self, name: str) -> Array:
        """A column of the manifest as numbers, `(n,)`."""
        return self.photos[name].to_numpy(dtype=float)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One row.

    Args:
        name, title: in code, and for people.
        threshold: score from which a photo is flagged.
        rule: when that is, for the docs.
        sentence: what it means.
        advice: what to do.
        find: all that is at least near the threshold; `find_all` keeps what reaches it.
    """

    name: str
    title: str
    threshold: float
    rule: str
    sentence: str
    advice: str
    find: Callable[[Evidence], Iterator[Finding]]


def find_all(evidence: Evidence) -> list[Finding]:
    """Everything that is flagged: in the order of the checks, the surest first."""
    found = []
    for check in CHECKS_TABLE:
        flagged = [one for one in check.find(evidence) if one.score >= check.threshold]
        found += sorted(flagged, key=lambda one: (-one.score, one.path))
    return found


# --- one function per check ----------------------------------------------------------------------


def _find_unreadable(evidence: Evidence) -> Iterator[Finding]:
    left_out = evidence.dataset.left_out
    for file, reason in zip(left_out["file"], left_out["reason"], strict=True):
        yield Finding(check="unreadable", path=str(file), score=1.0, note=str(reason))


def _find_copies(
    check: str, wanted: Callable[[Evidence], npt.NDArray[np.bool_]]
) -> Callable[[Evidence], Iterator[Finding]]:
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


def _same_class(evidence: Evidence) -> npt.NDArray[np.bool_]:
    names = evidence.photos["class_name"].to_numpy(dtype=object)
    same: npt.NDArray[np.bool_] = names[evidence.pairs.first] == names[evidence.pairs.second]
    return same


def _find_leaks(evidence: Evidence) -> Iterator[Finding]:
    """Photos given for validation or the test with a copy, or another frame, among those given to train."""
    given, pairs = evidence.photos["split"].to_numpy(dtype=object), evidence.pairs
    for one, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        leaks = (given[one] == "train") & np.isin(given[other], ["val", "test"])
        yield from _pair_up(
            "leak", evidence, one[leaks], other[leaks], np.maximum(pairs.likeness[leaks], 0.9)
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
        groups = np.arange(len(rows)) if evidence.groups is None else evidence.groups[rows]
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


def _find_by_score(
    check: str, measure: Callable[[Evidence], Array]
) -> Callable[[Evidence], Iterator[Finding]]:
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


def _count(evidence: Evidence) -> dict[str, int]:
    return {str(name): int(n) for name, n in evidence.photos["class_name"].value_counts().items()}


def _find_imbalance(evidence: Evidence) -> Iterator[Finding]:
    counts = _count(evidence)
    if len(counts) < 2:
        return
    largest = max(counts, key=lambda name: (counts[name], name))
    for name, n in counts.items():
        if counts[largest] > MOST_IMBALANCE * n:
            note = _("{name} has {n} photos, {largest} has {most}.").format(
                name=name, n=n, largest=largest, most=counts[largest]
            )
            score = 1.0 - 0.5 * MOST_IMBALANCE * n / counts[largest]
            yield Finding(check="imbalance", path=name, score=round(score, 4), note=note)


def _find_too_few(evidence: Evidence) -> Iterator[Finding]:
    for name, n in _count(evidence).items():
        if n < FEW_PHOTOS:
            note = _("{name} has {n} photos; at least {least} are needed, 30 or more are better.")
            score = 1.0 - 0.5 * n / FEW_PHOTOS
            yield Finding(
                check="too_few",
                path=name,
                score=round(score, 4),
                note=note.format(name=name, n=n, least=FEW_PHOTOS),
            )


def _find_shortcuts(evidence: Evidence) -> Iterator[Finding]:
    from translearn_core.feasibility.shortcuts import find_shortcuts

    for one in find_shortcuts(evidence.photos, evidence.labels, evidence.groups):
        name = evidence.classes[one.label]
        yield Finding(
            check="shortcut", path=name, score=round(one.sure, 4), note=one.describe(name)
        )


CHECKS_TABLE: tuple[Check, ...] = (
    Check(
        name="unreadable",
        title=N_("Cannot be read"),
        threshold=1.0,
        rule="the decoder cannot read the file to its last byte",
        sentence=N_("The file is damaged, cut off or no photo; it was left out."),
        advice=N_("Save the photo again from its source, or do without it."),
        find=_find_unreadable,
    ),
    Check(
        name="exact_copies",
        title=N_("Exact copies"),
        threshold=1.0,
        rule="the same bytes twice in one class",
        sentence=N_("The same file is there more than once. Copies teach nothing new."),
        advice=N_("Keep one and remove the others. Copies are never put on both sides of a test."),
        find=_find_copies(
            "exact_copies", lambda evidence: evidence.pairs.exact & _same_class(evidence)
        ),
    ),
    Check(
        name="near_copies",
        title=N_("Nearly the same photo"),
        threshold=0.94,
        rule="two registered photos of a class agree: mean correlation of the whole image, of its "
        "fine structure, and of the features",
        sentence=N_("The same photo saved again, cut or lit differently, or frames of one burst."),
        advice=N_(
            "They may stay, but count as one: better are photos of other things, places and light."
        ),
        find=_find_copies(
            "near_copies",
            lambda evidence: evidence.pairs.near & ~evidence.pairs.exact & _same_class(evidence),
        ),
    ),
    Check(
        name="cross_class_copies",
        title=N_("The same photo in two classes"),
        threshold=0.94,
        rule="an exact or near copy lies in another class",
        sentence=N_("One photo cannot be right in both classes."),
        advice=N_("Keep it where it belongs and remove it from the other class."),
        find=_find_copies(
            "cross_class_copies", lambda evidence: evidence.pairs.near & ~_same_class(evidence)
        ),
    ),
    Check(
        name="wrong_label",
        title=N_("Probably in the wrong class"),
        threshold=0.5,
        rule="confident learning on cross-validated predictions",
        sentence=N_("Models that were not trained on this photo predict another class."),
        advice=N_("Look at it: move it to the right class, or keep it where it is."),
        find=_find_wrong_labels,
    ),
    Check(
        name="outlier",
        title=N_("Unlike the others of its class"),
        threshold=0.5,
        rule="mean feature distance to the five nearest neighbours of its class is three robust "
        "standard deviations above the median of the class",
        sentence=N_("Nothing in its class looks like this photo."),
        advice=N_("If it does not belong here, remove it; if it does, add more photos like it."),
        find=_find_outliers,
    ),
    Check(
        name="blurred",
        title=N_("Blurred"),
        threshold=0.5,
        rule="neighbouring pixels differ hardly more than a quarter of what pixels four apart do "
        "(mean squares, at 128 pixels: at most 0.1), or CleanVision's blur score is below 0.29",
        sentence=N_("There is no fine detail on this photo."),
        advice=N_("Take it again with a steady hand, or remove it if the thing cannot be told."),
        find=_find_by_score("blurred", _score_blurred),
    ),
    Check(
        name="dark",
        title=N_("Too dark"),
        threshold=0.5,
        rule="99 % of the pixels are darker than 0.32",
        sentence=N_("Even the lightest parts of this photo are dark."),
        advice=N_("Take it again in better light, unless photos will be as dark in use."),
        find=_find_by_score("dark", _score_dark),
    ),
    Check(
        name="bright",
        title=N_("Too bright"),
        threshold=0.5,
        rule="95 % of the pixels are brighter than 0.95",
        sentence=N_("Nearly all of this photo is white."),
        advice=N_("Take it again with less light, unless the white is its background."),
        find=_find_by_score("bright", _score_bright),
    ),
    Check(
        name="low_information",
        title=N_("Hardly anything to see"),
        threshold=0.5,
        rule="entropy of the colour values below 3 bits",
        sentence=N_("This photo consists of a few colours only, like a blank page."),
        advice=N_("Remove it if it shows nothing."),
        find=_find_by_score("low_information", _score_low_information),
    ),
    Check(
        name="odd_aspect",
        title=N_("Odd shape"),
        threshold=0.5,
        rule="the shorter side is at most 0.35 of the longer one",
        sentence=N_("This photo is very wide or very tall; the network sees it squeezed."),
        advice=N_("Cut it to the thing that it shows."),
        find=_find_by_score("odd_aspect", _score_odd_aspect),
    ),
    Check(
        name="odd_size",
        title=N_("Odd size"),
        threshold=0.5,
        rule="root of the area lies more than three quartile ranges outside the quartiles",
        sentence=N_("This photo is far larger or smaller than the others."),
        advice=N_("Make sure that it comes from the same source as the others."),
        find=_find_by_score("odd_size", _score_odd_size),
    ),
    Check(
        name="greyscale",
        title=N_("Grey among colour photos"),
        threshold=0.5,
        rule="no colour at all, where most photos have some",
        sentence=N_("This photo has no colour, most of the others do."),
        advice=N_("Use colour photos only, or grey ones in every class."),
        find=_find_by_score("greyscale", _score_greyscale),
    ),
    Check(
        name="imbalance",
        title=N_("Unequal classes"),
        threshold=0.5,
        rule="the largest class has more than five times as many photos",
        sentence=N_("The large class will be predicted too often."),
        advice=N_("Add photos to the small class."),
        find=_find_imbalance,
    ),
    Check(
        name="too_few",
        title=N_("Too few photos"),
        threshold=0.5,
        rule="fewer than 10 photos in a class",
        sentence=N_("So few photos cannot show what the class has in common."),
        advice=N_("Add photos: other things of the class, in other places and light."),
        find=_find_too_few,
    ),
    Check(
        name="shortcut",
        title=N_("Something else gives the class away"),
        threshold=0.9,
        rule="one trivial property alone (file type, size, a mark near the rim, brightness, "
        "sharpness, border, background) predicts the class: mean of recall and of the share of "
        "other photos that are rejected at least 0.95 (a mark: 0.9, or 0.75 where it takes few "
        "parts of the photo; from brightness on: 0.97)",
        sentence=N_("The model may learn this shortcut instead of what the photos show."),
        advice=N_("Take photos of all classes in the same way, or cut the mark off."),
        find=_find_shortcuts,
    ),
    Check(
        name="leak",
        title=N_("Test photos that are also training photos (leakage)"),
        threshold=0.9,
        rule="a photo given for validation or the test has a copy, or another frame of its burst, "
        "in the given training set",
        sentence=N_("The accuracy will look better than it is."),
        advice=N_("Remove the copies from the test photos, or let the split be made here."),
        find=_find_leaks,
    ),
)
"""Every check, in the order in which they are shown."""
