"""The computation of a feasibility check: what is computed, in which order, on how many photos.

Owns: `compute`.
Leaves to others: cross-validation (`evaluation/cross_validation.py`), the trivial baseline
(`trivial_baseline.py`), the forecast (`evaluation/learning_curve.py`), checks of the photos
(`detectors.py`), label errors (`label_errors.py`), the report made of it (`make_report.py`), files and
processes (`job.py`).
"""

from __future__ import annotations

import importlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Array, Ints
from translearn_core.backbones import Backbone
from translearn_core.concurrency import FEW_CELLS, limit_blas
from translearn_core.datasets import Dataset, Finding
from translearn_core.datasets.aspect_ratios import choose_fit
from translearn_core.datasets.duplicates import find_pairs
from translearn_core.errors import SourceError
from translearn_core.evaluation import cross_validation, linear_probe, mirrors, projection
from translearn_core.evaluation.caveats import list_names
from translearn_core.evaluation.linear_probe import PCASpace
from translearn_core.evaluation.mirrors import Lookalike
from translearn_core.feasibility import detectors, trivial_baseline
from translearn_core.feasibility.check_data import MOST_VALIDATED, CheckData, Evaluation
from translearn_core.feasibility.giveaways import Giveaway
from translearn_core.feasibility.label_errors import LabelError
from translearn_core.feasibility.make_report import make_report
from translearn_core.feasibility.photo_table import photo_table, project
from translearn_core.feasibility.random_split import flatters, tell_random_split
from translearn_core.feasibility.report import Report
from translearn_core.features.extractor import Pooled, extract_pooled
from translearn_core.i18n import _, ngettext
from translearn_core.imaging.augment import resolve_policy
from translearn_core.monitor import Monitor


@dataclass(frozen=True, kw_only=True)
class _Effort:
    """How much is computed, so that it takes bounded time: photos x classes `up_to`."""

    up_to: float
    repeats: int
    folds: int
    shuffles: int
    draws: int


_EFFORTS = (
    _Effort(up_to=FEW_CELLS, repeats=3, folds=10, shuffles=12, draws=3),
    _Effort(up_to=240_000, repeats=2, folds=5, shuffles=8, draws=2),
    _Effort(up_to=np.inf, repeats=1, folds=5, shuffles=4, draws=1),
)


def compute(
    dataset: Dataset,
    backbone: Backbone,
    *,
    seed: int,
    monitor: Monitor,
) -> tuple[Report, pd.DataFrame, list[Finding]]:
    """Compute the report of `job.assess`; writes nothing but statistics of photos.

    Returns:
        The report, the table for photos.parquet, and the findings of the checks.
    """
    began = time.monotonic()
    monitor.stage("look")
    imports = threading.Thread(target=_import_ahead, name="import", daemon=True)
    imports.start()
    data = _extract(dataset, backbone, seed, monitor)
    with limit_blas(len(data.rows) * len(data.classes)):
        space = linear_probe.PCASpace.fit(data.features[data.rows])
        with ThreadPoolExecutor(1) as background:
            background.submit(imports.join)  # two threads that import scikit-learn may deadlock
            few = len(data.labels) <= projection.MAX_PHOTOS  # all are projected: start now
            early = background.submit(project, data, space, []) if few else None
            evaluation = _evaluate(data, space, monitor)
            probabilities = _predict_all(data, evaluation)
            monitor.stage("check")
            imports.join()
            gap = tell_random_split(data, evaluation) if flatters(evaluation) else ""
            label_errors, findings, giveaways = _find_problems(data, probabilities, gap)
            monitor.check_stop()
            monitor.stage("map")
            projection_job = early or background.submit(
                project, data, space, [label_error.row for label_error in label_errors]
            )
        table = photo_table(data, probabilities, label_errors, findings, projection_job.result())
    monitor.check_stop()
    report = make_report(
        data, evaluation, probabilities, label_errors, findings, giveaways, backbone, began
    )
    return report, table, findings


def _import_ahead() -> None:
    """Import what is needed later while features are extracted: it takes a second or two."""
    for name in ("sklearn.tree", "sklearn.manifold", "cleanlab.filter"):
        importlib.import_module(name)


def _extract(dataset: Dataset, backbone: Backbone, seed: int, monitor: Monitor) -> CheckData:
    fit_choice = choose_fit("auto", dataset)
    pooled = extract_pooled(dataset, backbone, fit=fit_choice.fit, monitor=monitor)
    datasets.check_ready(dataset)  # unreadable photos are excluded now
    photos = dataset.photos
    classes = dataset.classes
    labels = pd.Index(classes).get_indexer(pd.Index(photos["class_name"])).astype(np.int64)
    with limit_blas(len(photos) * len(classes)):
        pairs = find_pairs(photos, pooled.features)
        together = datasets.assign_groups(dataset, pooled.features, pairs=pairs)
    monitor.check_stop()
    groups = together.groups
    _check_variety(classes, labels, together.copies)
    _check_groups(dataset, labels, groups)
    given = datasets.given_splits(dataset)
    rows = choose_rows(given, labels, groups, seed)
    return CheckData(
        dataset=dataset,
        photos=photos,
        features=pooled.features,
        classes=classes,
        labels=labels,
        pairs=pairs,
        groups=groups,
        copies=together.copies,
        lookalike=_find_lookalike(pooled, photos, labels, groups, rows, seed, monitor),
        given=given,
        rows=rows,
        fit_choice=fit_choice,
        seed=seed,
    )


def _find_lookalike(
    pooled: Pooled,
    photos: pd.DataFrame,
    labels: Ints,
    groups: Ints,
    rows: Ints,
    seed: int,
    monitor: Monitor,
) -> Lookalike | None:
    """Two classes that mirroring exchanges; None too where training does not mirror by itself.

    Only a sample of the photos is mirrored; training reads their features from the cache.
    """
    classes = len(np.unique(labels))
    if resolve_policy("auto", photos=len(photos), classes=classes) == "none":
        return None
    allowed = np.zeros(len(photos), np.bool_)
    allowed[rows] = True
    asked = mirrors.sample_rows(labels, groups, allowed, seed=seed)
    mirrored = pooled.extractor.mirrored(photos.iloc[asked], monitor)
    with limit_blas(0):
        return mirrors.find_lookalike(pooled.features[asked], mirrored, labels[asked], seed=seed)


def _check_variety(classes: list[str], labels: Ints, groups: Ints) -> None:
    """Make sure that two classes have photos to learn from and other ones to judge by.

    Raises:
        SourceError: they have not: nothing could be measured.
    """
    if len(np.unique(groups)) < 2:
        raise SourceError(
            ngettext(
                "There is only {n} photo: nothing can be measured. Add different photos.",
                "All {n:,} photos are copies of one photo or frames of one burst: there is nothing "
                "that would tell the classes apart. Add different photos of each class.",
                len(labels),
            ).format(n=len(labels))
        )
    single = [
        name for index, name in enumerate(classes) if len(np.unique(groups[labels == index])) < 2
    ]
    if len(classes) - len(single) < 2:
        raise SourceError(
            ngettext(
                "All photos of {names} are copies of one photo or frames of one burst: no other "
                "photo of it is left to judge by, so nothing can be measured. Add different photos "
                "of it.",
                "Of each of {names} all photos are copies of one photo or frames of one burst: no "
                "other photos of them are left to judge by, so nothing can be measured. Add "
                "different photos of them.",
                len(single),
            ).format(names=list_names(single))
        )


def _check_groups(dataset: Dataset, labels: Ints, groups: Ints) -> None:
    """Make sure that two classes have photos of several groups.

    Raises:
        SourceError: they have not: no new group could be told apart.
    """
    several = sum(len(np.unique(groups[labels == label])) > 1 for label in np.unique(labels))
    if dataset.record.grouped_by and several < 2:
        raise SourceError(
            _(
                "Fewer than two classes have photos of two groups ({by}) or more, so how well a new "
                "group would be told apart cannot be measured. Add photos of more groups, or do "
                "without them (`--group-by none`, or on the page Photos)."
            ).format(by=dataset.record.grouped_by)
        )


def choose_rows(given: npt.NDArray[np.object_], labels: Ints, groups: Ints, seed: int) -> Ints:
    """Rows of the cross-validation: no given test photos, nothing of their groups, none put aside.

    Above `MOST_VALIDATED` photos a stratified, group-wise sample is used.
    """
    free = ~np.isin(groups, groups[given == "test"]) & (given != datasets.ASIDE)
    if len(np.unique(labels[free])) < len(np.unique(labels)):
        free[:] = True  # a class of nothing but test photos
    rows = np.flatnonzero(free)
    if len(rows) <= MOST_VALIDATED:
        return rows
    rng = np.random.default_rng([seed, 41])
    _names, group = np.unique(groups[rows], return_inverse=True)
    order = rng.random(group.max() + 1)[group]
    rank = pd.Series(order).groupby(labels[rows]).rank(method="min", pct=True).to_numpy()
    wanted = MOST_VALIDATED / len(rows)
    few = pd.Series(order).groupby(labels[rows]).rank(method="min").to_numpy() <= 20
    return rows[(rank <= wanted) | few]


def _evaluate(data: CheckData, space: PCASpace, monitor: Monitor) -> Evaluation:
    def stop() -> bool:
        return monitor.stop_requested

    labels, groups = data.labels[data.rows], data.groups[data.rows]
    classes = len(data.classes)
    effort = next(row for row in _EFFORTS if len(labels) * classes <= row.up_to)
    folds = min(effort.folds, cross_validation.count_folds(labels, groups))
    monitor.stage("judge")
    cv = cross_validation.cross_validate(
        space, labels, groups, classes,
        repeats=effort.repeats, folds=folds, seed=data.seed, stop=stop,
    )  # fmt: skip
    random, gap_error = cv.accuracy, 0.0
    if len(np.unique(groups)) < len(groups):
        single = np.arange(len(groups))
        torn = cross_validation.cross_validate(
            space, labels, single, classes,
            repeats=effort.repeats, folds=folds, seed=data.seed, penalty=cv.penalty,
            stop=stop,
        )  # fmt: skip
        random = torn.accuracy
        gap_error = cross_validation.difference_error(torn, cv, groups)
    monitor.stage("compare")
    shuffled = cross_validation.cross_validate_shuffled(
        space, labels, groups, classes,
        penalty=cv.penalty, shuffles=effort.shuffles, seed=data.seed, stop=stop,
    )  # fmt: skip
    plain = trivial_baseline.evaluate_properties(
        data.validated_photos, labels, groups, classes, folds=folds, seed=data.seed
    )
    monitor.stage("curve")
    curve = cross_validation.learning_curve(
        space, labels, groups, classes,
        penalty=cv.penalty, draws=effort.draws, seed=data.seed, stop=stop,
    )  # fmt: skip
    return Evaluation(
        space=space,
        cv=cv,
        random=random,
        random_gap_error=gap_error,
        shuffled=shuffled,
        trivial=plain,
        curve=curve,
    )


def _predict_all(data: CheckData, evaluation: Evaluation) -> Array:
    """Out-of-sample probabilities of all photos, `(n, classes)`."""
    probabilities = np.zeros((len(data.labels), len(data.classes)))
    probabilities[data.rows] = evaluation.cv.probabilities
    rest = np.setdiff1d(np.arange(len(data.labels)), data.rows)
    for begin in range(0, len(rest), MOST_VALIDATED):
        block = rest[begin : begin + MOST_VALIDATED]
        points = evaluation.space.transform(data.features[block])
        probabilities[block] = linear_probe.predict_heads(points, evaluation.cv.heads)
    return probabilities


def _find_problems(
    data: CheckData, probabilities: Array, random_split: str
) -> tuple[list[LabelError], list[Finding], list[Giveaway]]:
    evidence = detectors.Evidence(
        dataset=data.dataset,
        photos=data.photos,
        features=data.features,
        probabilities=probabilities,
        classes=data.classes,
        labels=data.labels,
        copies=data.copies,
        groups=data.groups,
        known_pairs=data.pairs,
        random_split=random_split,
        lookalike=data.lookalike,
    )
    label_errors = _without_dismissed(data, evidence.suspects)
    return label_errors, detectors.find_all(evidence), evidence.giveaways


def _without_dismissed(data: CheckData, label_errors: list[LabelError]) -> list[LabelError]:
    """The label errors without those that a person dismissed."""
    dismissed = datasets.read_dismissed(data.dataset)
    paths = data.photos["path"].to_numpy()
    return [
        error for error in label_errors if ("wrong_label", str(paths[error.row])) not in dismissed
    ]
