"""The computation of a feasibility check: what is computed, in which order, on how many photos.

Owns: `compute`.
Leaves to others: cross-validation (`evaluation/cross_validation.py`), the trivial baseline
(`trivial_baseline.py`), the forecast (`evaluation/learning_curve.py`), checks of the photos
(`checks.py`), label errors (`label_errors.py`), the verdict (`verdict.py`), the projection
(`evaluation/projection.py`), files and processes (`job.py`).
"""

from __future__ import annotations

import importlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Array, Ints
from translearn_core.backbones import Backbone
from translearn_core.backbones.default import expected_error_reduction, stronger_backbone
from translearn_core.datasets import Dataset, Finding
from translearn_core.datasets.duplicates import Pairs, find_pairs
from translearn_core.evaluation import cross_validation, learning_curve, linear_probe, projection
from translearn_core.evaluation.cross_validation import CrossValidation, CurvePoint
from translearn_core.evaluation.linear_probe import PCASpace
from translearn_core.evaluation.metrics import confusion_matrix
from translearn_core.feasibility import checks, trivial_baseline
from translearn_core.feasibility.label_errors import LabelError
from translearn_core.feasibility.report import (
    PHOTO_COLUMNS,
    AdviceLine,
    ClassResult,
    ConfusedPair,
    ForecastLine,
    GivenTest,
    LabelErrorLine,
    Point,
    Report,
)
from translearn_core.feasibility.verdict import (
    ExpectedGains,
    Figures,
    advise,
    decide,
    explain,
    summarize,
)
from translearn_core.features.extractor import extract_pooled
from translearn_core.monitor import Monitor

MOST_VALIDATED = 4000
"""Photos in the cross-validation at most; the others are only predicted."""
MOST_CONFUSED_PAIRS = 12
MOST_CONFUSED_PHOTOS = 24
"""Pairs of confused classes in a report, and photos of each, at most."""


@dataclass(frozen=True, kw_only=True)
class _Effort:
    """How much is computed, so that it takes bounded time: photos x classes `up_to`."""

    up_to: float
    repeats: int
    folds: int
    shuffles: int
    draws: int


_EFFORTS = (
    _Effort(up_to=60_000, repeats=3, folds=10, shuffles=12, draws=3),
    _Effort(up_to=240_000, repeats=2, folds=5, shuffles=8, draws=2),
    _Effort(up_to=np.inf, repeats=1, folds=5, shuffles=4, draws=1),
)


@dataclass(frozen=True, kw_only=True)
class _CheckData:
    """Photos with their features; `rows` are those in the cross-validation.

    `features` `(n, d) float32`, `labels` `(n,)` class indices, `groups` `(n,)` near-duplicate groups.
    """

    dataset: Dataset
    photos: pd.DataFrame
    features: Array
    classes: list[str]
    labels: Ints
    pairs: Pairs
    groups: Ints
    rows: Ints
    seed: int

    @property
    def validated_photos(self) -> pd.DataFrame:
        """The manifest rows of the photos in the cross-validation."""
        return self.photos.iloc[self.rows]


@dataclass(frozen=True, kw_only=True)
class _Evaluation:
    """The results on the photos in the cross-validation.

    `random` is the accuracy with a naive random split, `shuffled` `(shuffles, 2)` the accuracy and
    the mean recall on shuffled labels, `trivial` the accuracy on each trivial property.
    """

    space: PCASpace
    cv: CrossValidation
    random: float
    shuffled: Array
    trivial: dict[str, float]
    curve: list[CurvePoint]


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
    with _limit_threads(len(data.rows) * len(data.classes)):
        space = linear_probe.PCASpace.fit(data.features[data.rows])
        with ThreadPoolExecutor(1) as background:
            background.submit(imports.join)  # two threads that import scikit-learn may deadlock
            few = len(data.labels) <= projection.MAX_PHOTOS  # all are projected: start now
            early = background.submit(_project, data, space, []) if few else None
            evaluation = _evaluate(data, space, monitor)
            probabilities = _predict_all(data, evaluation)
            monitor.stage("check")
            imports.join()
            label_errors, findings = _find_problems(data, probabilities)
            monitor.check_stop()
            monitor.stage("map")
            projection_job = early or background.submit(
                _project, data, space, [label_error.row for label_error in label_errors]
            )
        table = _photo_table(data, probabilities, label_errors, findings, projection_job.result())
    monitor.check_stop()
    report = _report(data, evaluation, probabilities, label_errors, findings, backbone, began)
    return report, table, findings


def _import_ahead() -> None:
    """Import what is needed later while features are extracted: it takes a second or two."""
    for name in ("sklearn.tree", "sklearn.manifold", "cleanlab.filter"):
        importlib.import_module(name)


def _limit_threads(cells: int) -> AbstractContextManager[object]:
    """Limit BLAS to one thread for few photos: several spend more time waiting than computing, most
    of all on a busy machine (measured: half of the processor time or less)."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    small = cells <= _EFFORTS[0].up_to
    limits: AbstractContextManager[object] = threadpool_limits(1 if small else None)
    return limits


def _extract(dataset: Dataset, backbone: Backbone, seed: int, monitor: Monitor) -> _CheckData:
    pooled = extract_pooled(dataset, backbone, monitor=monitor)
    datasets.check_ready(dataset)  # unreadable photos are excluded now
    photos = dataset.photos
    classes = dataset.classes
    labels = pd.Index(classes).get_indexer(pd.Index(photos["class_name"])).astype(np.int64)
    with _limit_threads(len(photos) * len(classes)):
        pairs = find_pairs(photos, pooled.features)
        groups = datasets.assign_groups(dataset, pooled.features, pairs=pairs)
    monitor.check_stop()
    return _CheckData(
        dataset=dataset,
        photos=photos,
        features=pooled.features,
        classes=classes,
        labels=labels,
        pairs=pairs,
        groups=groups,
        rows=choose_rows(photos, labels, groups, seed),
        seed=seed,
    )


def choose_rows(photos: pd.DataFrame, labels: Ints, groups: Ints, seed: int) -> Ints:
    """Rows of the cross-validation: no given test photos nor near-duplicates of them.

    Above `MOST_VALIDATED` photos a stratified, group-wise sample is used.
    """
    free = ~np.isin(groups, groups[(photos["split"] == "test").to_numpy()])
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


def _evaluate(data: _CheckData, space: PCASpace, monitor: Monitor) -> _Evaluation:
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
    random = cv.accuracy
    if len(np.unique(groups)) < len(groups):
        single = np.arange(len(groups))
        random = cross_validation.cross_validate(
            space, labels, single, classes,
            repeats=effort.repeats, folds=folds, seed=data.seed, penalty=cv.penalty,
            stop=stop,
        ).accuracy  # fmt: skip
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
    return _Evaluation(
        space=space, cv=cv, random=random, shuffled=shuffled, trivial=plain, curve=curve
    )


def _predict_all(data: _CheckData, evaluation: _Evaluation) -> Array:
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
    data: _CheckData, probabilities: Array
) -> tuple[list[LabelError], list[Finding]]:
    evidence = checks.Evidence(
        dataset=data.dataset,
        photos=data.photos,
        features=data.features,
        probabilities=probabilities,
        classes=data.classes,
        labels=data.labels,
        groups=data.groups,
        known_pairs=data.pairs,
    )
    return _without_dismissed(data, evidence.suspects), checks.find_all(evidence)


def _without_dismissed(data: _CheckData, label_errors: list[LabelError]) -> list[LabelError]:
    """The label errors without those that a person dismissed."""
    dismissed = datasets.read_dismissed(data.dataset)
    paths = data.photos["path"].to_numpy()
    return [
        error for error in label_errors if ("wrong_label", str(paths[error.row])) not in dismissed
    ]


# ------------------------------------------------------------------------------- its tables


def _photo_table(
    data: _CheckData,
    probabilities: Array,
    label_errors: list[LabelError],
    findings: list[Finding],
    projected: tuple[Array, Array],
) -> pd.DataFrame:
    """The table for photos.parquet, see `report.PHOTO_COLUMNS`."""
    names = np.array(data.classes, dtype=object)
    n = len(data.labels)
    predicted = probabilities.argmax(axis=1)
    score, suggested = np.zeros(n), np.full(n, "", dtype=object)
    for label_error in label_errors:
        score[label_error.row] = label_error.score
        suggested[label_error.row] = names[label_error.suggested]
    outliers = {finding.path: finding.score for finding in findings if finding.check == "outlier"}
    pca, tsne = projected
    return pd.DataFrame(
        {
            "path": data.photos["path"].to_numpy(),
            "class_name": data.photos["class_name"].to_numpy(),
            "group": data.groups,
            "x": tsne[:, 0],
            "y": tsne[:, 1],
            "pca_x": pca[:, 0],
            "pca_y": pca[:, 1],
            "answer": names[predicted],
            "p_given": probabilities[np.arange(n), data.labels],
            "correct": predicted == data.labels,
            "suspect_score": score,
            "suggested": suggested,
            "outlier_score": [outliers.get(path, 0.0) for path in data.photos["path"]],
        }
    ).astype(PHOTO_COLUMNS)


def _project(data: _CheckData, space: PCASpace, first: list[int]) -> tuple[Array, Array]:
    """Coordinates on the map, PCA and t-SNE, `(n, 2)` each; of many photos a sample is projected,
    which includes the rows `first`."""
    n = len(data.labels)
    if len(data.rows) < n:
        points = np.concatenate(
            [
                space.transform(data.features[begin : begin + MOST_VALIDATED])
                for begin in range(0, n, MOST_VALIDATED)
            ]
        )
        space = PCASpace(
            points=points, mean=space.mean, deviation=space.deviation, components=space.components
        )
    others = np.setdiff1d(np.arange(n), first)
    others = np.random.default_rng([data.seed, 43]).permutation(others)
    chosen = np.concatenate([np.array(first, np.int64), others])[: projection.MAX_PHOTOS]
    return projection.project_to_2d(space, np.sort(chosen), seed=data.seed)


def _confused_pairs(data: _CheckData, predicted: Ints) -> list[ConfusedPair]:
    """Pairs of classes that are confused, the most photos first."""
    paths = data.photos["path"].to_numpy()
    wrong = np.flatnonzero(predicted != data.labels)
    table = pd.DataFrame({"truth": data.labels[wrong], "answer": predicted[wrong], "row": wrong})
    counts = np.bincount(data.labels, minlength=len(data.classes))
    table["pair"] = table["truth"] * len(data.classes) + table["answer"]
    pairs = [
        (*divmod(int(block["pair"].iloc[0]), len(data.classes)), block["row"].to_numpy())
        for _pair, block in table.groupby("pair")
    ]
    pairs.sort(key=lambda pair: (-len(pair[2]), pair[0], pair[1]))
    return [
        ConfusedPair(
            truth=data.classes[truth],
            answer=data.classes[answer],
            n=len(rows),
            share=len(rows) / int(counts[truth]),
            paths=[str(path) for path in paths[rows[:MOST_CONFUSED_PHOTOS]]],
        )
        for truth, answer, rows in pairs[:MOST_CONFUSED_PAIRS]
    ]


def _per_class(data: _CheckData, evaluation: _Evaluation) -> list[ClassResult]:
    labels, groups = data.labels[data.rows], data.groups[data.rows]
    right = evaluation.cv.correct.mean(axis=0)
    results = []
    for index, name in enumerate(data.classes):
        own = labels == index
        recall = float(right[own].mean()) if own.any() else 0.0
        results.append(
            ClassResult(
                name=name,
                n=int((data.labels == index).sum()),
                recall=recall,
                interval=cross_validation.interval(recall, groups[own])
                if own.any()
                else (0.0, 1.0),
            )
        )
    return results


def _forecast(data: _CheckData, evaluation: _Evaluation, low: float) -> ForecastLine | None:
    """The forecast for twice as many photos, with the error of the same forecast from half of them."""
    curve, accuracy = evaluation.curve, evaluation.cv.accuracy

    def forecast_at(
        points: list[CurvePoint], n: int, offset: float
    ) -> learning_curve.Forecast | None:
        return learning_curve.forecast(
            [point.n for point in points],
            [point.accuracy for point in points],
            [point.deviation for point in points],
            n,
            offset=offset,
        )

    n = 2 * len(data.rows)
    forecast = forecast_at(curve, n, (accuracy - low) / learning_curve.Z)
    if forecast is None:
        return None
    past = forecast_at(curve[:-1], curve[-1].n, 0.0)
    return ForecastLine(
        n=n,
        accuracy=forecast.accuracy,
        low=forecast.low,
        high=forecast.high,
        past_error=None if past is None else past.accuracy - curve[-1].accuracy,
    )


def _given_test(data: _CheckData, predicted: Ints) -> GivenTest | None:
    held_out = (data.photos["split"] == "test").to_numpy(copy=True)
    held_out[data.rows] = False
    if not held_out.any():
        return None
    accuracy = float((predicted[held_out] == data.labels[held_out]).mean())
    return GivenTest(
        n=int(held_out.sum()),
        accuracy=accuracy,
        interval=cross_validation.interval(accuracy, data.groups[held_out]),
    )


def _report(
    data: _CheckData,
    evaluation: _Evaluation,
    probabilities: Array,
    label_errors: list[LabelError],
    findings: list[Finding],
    backbone: Backbone,
    began: float,
) -> Report:
    labels = data.labels[data.rows]
    cv, classes = evaluation.cv, data.classes
    interval = cross_validation.interval(cv.accuracy, data.groups[data.rows])
    predicted: Ints = probabilities.argmax(axis=1).astype(np.int64)
    per_class = _per_class(data, evaluation)
    forecast = _forecast(data, evaluation, interval[0])
    mixups = _confused_pairs(data, predicted)
    shortcuts = [finding.note for finding in findings if finding.check == "shortcut"]
    shuffled = evaluation.shuffled
    figures = Figures(
        accuracy=cv.accuracy,
        interval=interval,
        mean_recall=cross_validation.mean_recall(cv.correct.mean(axis=0), labels),
        majority=float(np.bincount(labels).max() / len(labels)),
        shuffled=float(shuffled[:, 0].mean()),
        shuffled_recall=float(shuffled[:, 1].mean()),
        shuffled_recall_std=float(shuffled[:, 1].std(ddof=1)),
        shuffled_recall_max=float(shuffled[:, 1].max()),
        trivial=evaluation.trivial[trivial_baseline.COLOUR_AND_SIZE],
        lowest_recall=min(result.recall for result in per_class),
        shortcuts=shortcuts,
    )
    verdict, rule = decide(figures)
    worst = (mixups[0].truth, mixups[0].answer) if mixups and mixups[0].n >= 3 else None
    groups = _duplicate_groups(data)
    gains = _expected_gains(
        data, evaluation, probabilities, label_errors, forecast, backbone, findings
    )
    return Report(
        verdict=verdict,
        sentence=summarize(verdict, figures, mixed_up=worst),
        explanation=explain(verdict, figures, mixed_up=worst),
        rule=rule,
        accuracy=cv.accuracy,
        interval=interval,
        mean_recall=figures.mean_recall,
        majority_accuracy=figures.majority,
        trivial_accuracy=figures.trivial,
        trivial={
            k: v for k, v in evaluation.trivial.items() if k != trivial_baseline.COLOUR_AND_SIZE
        },
        shuffled_accuracy=figures.shuffled,
        random_split_accuracy=evaluation.random,
        forecast=forecast,
        learning_curve=[Point(n=point.n, accuracy=point.accuracy) for point in evaluation.curve],
        suspects=_label_error_rows(data, label_errors),
        near_duplicate_groups=groups,
        cross_class_duplicates=_cross_class(data, findings),
        leaks=[_leak(data, leak) for leak in datasets.split_leaks(data.dataset)],
        shortcuts=shortcuts,
        findings_counts=dict(Counter(finding.check for finding in findings)),
        seconds=round(time.monotonic() - began, 3),
        classes=classes,
        counts={str(name): int(n) for name, n in data.dataset.counts.items()},
        n_photos=len(data.labels),
        n_judged=len(labels),
        n_groups=len(np.unique(data.groups)),
        folds=cv.folds,
        repeats=cv.repeats,
        given_test=_given_test(data, predicted),
        confusion=confusion_matrix(data.labels, predicted, len(classes)).tolist(),
        mixups=mixups,
        per_class=per_class,
        advice=[AdviceLine(**asdict(line)) for line in advise(verdict, figures, gains)],
        fingerprint=data.dataset.fingerprint,
        backbone=backbone.name,
        seed=data.seed,
        created=time.time(),
    )


def _files(data: _CheckData) -> dict[str, str]:
    """Manifest path -> the name that the photo came with."""
    return dict(zip(data.photos["path"], data.photos["file"], strict=True))


def _label_error_rows(data: _CheckData, label_errors: list[LabelError]) -> list[LabelErrorLine]:
    return [
        LabelErrorLine(
            file=str(data.photos["file"].iloc[label_error.row]),
            path=str(data.photos["path"].iloc[label_error.row]),
            given=data.classes[data.labels[label_error.row]],
            suggested=data.classes[label_error.suggested],
            score=label_error.score,
        )
        for label_error in label_errors
    ]


def _duplicate_groups(data: _CheckData) -> list[list[str]]:
    """Files of each group of near-duplicates, the largest first."""
    files = data.photos["file"].astype(str).to_numpy()
    order = np.argsort(data.groups, kind="stable")
    cuts = np.flatnonzero(np.diff(data.groups[order])) + 1
    parts = [list(files[block]) for block in np.split(order, cuts) if len(block) > 1]
    return sorted(parts, key=lambda block: (-len(block), block[0]))


def _cross_class(data: _CheckData, findings: list[Finding]) -> list[list[str]]:
    """Files of each photo that lies under more than one class, each set of them once."""
    files = _files(data)
    sets = {
        tuple(sorted({finding.path, *finding.others}))
        for finding in findings
        if finding.check == "cross_class_copies"
    }
    return sorted([files.get(path, path) for path in paths] for paths in sets)


def _is_dismissed(dismissed: set[datasets.Dismissed], finding: Finding) -> bool:
    """Whether a person dismissed the finding for all of its photos."""
    return all((finding.check, path) in dismissed for path in (finding.path, *finding.others))


def _leak(data: _CheckData, leak: datasets.Leak) -> dict[str, str]:
    files = _files(data)
    return {
        "file": files[leak.held_out],
        "split": leak.split,
        "copy_of": files[leak.train],
        "kind": "exact" if leak.exact else "near",
    }


def _expected_gains(
    data: _CheckData,
    evaluation: _Evaluation,
    probabilities: Array,
    label_errors: list[LabelError],
    forecast: ForecastLine | None,
    backbone: Backbone,
    findings: list[Finding],
) -> ExpectedGains:
    """The expected gain in accuracy of each kind of advice."""
    accuracy = evaluation.cv.accuracy
    dismissed = datasets.read_dismissed(data.dataset)
    n = len(data.labels)
    fixed_labels = (
        sum(float(probabilities[error.row, error.suggested]) for error in label_errors) / n
    )
    weak, weak_gain = _weak_classes(data, evaluation)
    return ExpectedGains(
        label_errors=len(label_errors),
        label_errors_gain=fixed_labels,
        cross_class=len(
            _cross_class(
                data, [finding for finding in findings if not _is_dismissed(dismissed, finding)]
            )
        ),
        weak=weak,
        weak_photos=int(np.isin(np.array(data.classes)[data.labels], weak).sum()),
        weak_gain=weak_gain,
        doubled=0 if forecast is None else forecast.n,
        doubled_gain=0.0 if forecast is None else max(0.0, forecast.accuracy - accuracy),
        backbone=stronger_backbone(backbone),
        backbone_gain=expected_error_reduction(backbone) * (1.0 - accuracy),
    )


def _weak_classes(data: _CheckData, evaluation: _Evaluation) -> tuple[list[str], float]:
    """The two classes whose doubling raises the accuracy most, and by how much.

    Extrapolates the last doubling of the learning curve per class. The next doubling is assumed to
    gain less by a factor of sqrt(2), as power laws with the usual exponent of 1/2 do.
    """
    curve = evaluation.curve
    if len(curve) < 2 or len(data.classes) < 3:
        return [], 0.0
    labels = data.labels[data.rows]
    shares = np.bincount(labels, minlength=len(data.classes)) / len(labels)
    growth = np.nan_to_num(curve[-1].per_class - curve[-2].per_class)
    missing = np.nan_to_num(1.0 - curve[-1].per_class)
    gain = np.clip(np.minimum(growth / np.sqrt(2.0), missing), 0.0, None) * shares
    chosen = np.argsort(-gain)[:2]
    chosen = chosen[gain[chosen] > 0]
    return [data.classes[index] for index in chosen], float(gain[chosen].sum())
