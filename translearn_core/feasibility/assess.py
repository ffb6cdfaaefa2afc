"""The computation of a feasibility check: what is computed, in which order, on how many photos.

Owns: `compute`. Leaves to others: judging (`evaluation/cross_validation.py`), trivial properties (`trivial_baseline.py`), the
forecast (`evaluation/learning_curve.py`), checks of the photos (`checks.py`), likely wrong labels (`label_errors.py`),
the verdict (`verdict.py`), the map (`evaluation/projection.py`), files and processes (`job.py`).
"""

from __future__ import annotations

import importlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import datasets
from translearn_core.backbones import Backbone
from translearn_core.backbones.default import expected_error_reduction, stronger_backbone
from translearn_core.datasets import Dataset
from translearn_core.datasets.duplicates import Pairs, find_pairs
from translearn_core.evaluation import cross_validation, learning_curve, linear_probe, projection
from translearn_core.evaluation.cross_validation import CrossValidation, CurvePoint
from translearn_core.evaluation.linear_probe import PCASpace
from translearn_core.evaluation.metrics import confusion_matrix
from translearn_core.feasibility import checks, trivial_baseline
from translearn_core.feasibility.checks import Finding
from translearn_core.feasibility.label_errors import Suspect
from translearn_core.feasibility.report import (
    PHOTO_COLUMNS,
    AdviceLine,
    ClassResult,
    Forecast,
    Given,
    Mixup,
    Point,
    Report,
    SuspectLabel,
)
from translearn_core.feasibility.verdict import Figures, Hopes, advise, decide, explain, say
from translearn_core.features.extractor import extract_pooled
from translearn_core.monitor import Monitor

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

MOST_JUDGED = 4000
"""Photos that are learned from and judged at most; the others are only asked about."""
MIXUPS = 12
MIXUP_PHOTOS = 24


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
class _Material:
    """Photos with their features; `rows` are those that are judged."""

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
    def photographed(self) -> pd.DataFrame:
        """The manifest rows of the photos that are judged."""
        return self.photos.iloc[self.rows]


@dataclass(frozen=True, kw_only=True)
class _Judgement:
    """Everything that was computed from the photos that are judged."""

    space: PCASpace
    judged: CrossValidation
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
    """Everything that `job.assess` promises; writes nothing but facts of photos.

    Returns:
        The report, photos.parquet, and what the checks found.
    """
    began = time.monotonic()
    monitor.stage("look")
    imports = threading.Thread(target=_import_ahead, name="import", daemon=True)
    imports.start()
    material = _gather(dataset, backbone, seed, monitor)
    with _few_threads(len(material.rows) * len(material.classes)):
        space = linear_probe.PCASpace.fit(material.features[material.rows])
        with ThreadPoolExecutor(1) as beside:
            beside.submit(imports.join)  # two threads that import scikit-learn at once may deadlock
            few = len(material.labels) <= projection.MAX_PHOTOS  # all of them are drawn: begin now
            places = beside.submit(_lay_out, material, space, []) if few else None
            judgement = _judge(material, space, monitor)
            probabilities = _ask_about_all(material, judgement)
            monitor.stage("check")
            imports.join()
            suspects, found = _find(material, probabilities)
            monitor.check_stop()
            monitor.stage("map")
            laid_out = places or beside.submit(
                _lay_out, material, space, [suspect.row for suspect in suspects]
            )
        table = _photo_table(material, probabilities, suspects, found, laid_out.result())
    monitor.check_stop()
    report = _report(material, judgement, probabilities, suspects, found, backbone, began)
    return report, table, found


def _import_ahead() -> None:
    """Bring in what is needed later while photos are looked at: it takes a second or two."""
    for name in ("sklearn.tree", "sklearn.manifold", "cleanlab.filter"):
        importlib.import_module(name)


def _few_threads(cells: int) -> AbstractContextManager[object]:
    """For few photos one thread: several wait for each other longer than they work, above all on a
    machine that does other things as well (measured: half of the processor time or less)."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    small = cells <= _EFFORTS[0].up_to
    limits: AbstractContextManager[object] = threadpool_limits(1 if small else None)
    return limits


def _gather(dataset: Dataset, backbone: Backbone, seed: int, monitor: Monitor) -> _Material:
    pooled = extract_pooled(dataset, backbone, monitor=monitor)
    datasets.check_ready(dataset)  # photos that cannot be read are gone now
    photos = dataset.photos
    classes = dataset.classes
    labels = np.searchsorted(classes, photos["class_name"].to_numpy(dtype=str)).astype(np.int64)
    with _few_threads(len(photos) * len(classes)):
        pairs = find_pairs(photos, pooled.features)
        groups = datasets.assign_groups(dataset, pooled.features, pairs=pairs)
    monitor.check_stop()
    return _Material(
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
    """Rows that are judged: not given for the test (nor copies of those), and not too many.

    Of too many photos whole groups are taken, of each class its share.
    """
    free = ~np.isin(groups, groups[(photos["split"] == "test").to_numpy()])
    if len(np.unique(labels[free])) < len(np.unique(labels)):
        free[:] = True  # a class of nothing but test photos
    rows = np.flatnonzero(free)
    if len(rows) <= MOST_JUDGED:
        return rows
    rng = np.random.default_rng([seed, 41])
    _names, group = np.unique(groups[rows], return_inverse=True)
    turn = rng.random(group.max() + 1)[group]
    rank = pd.Series(turn).groupby(labels[rows]).rank(method="min", pct=True).to_numpy()
    wanted = MOST_JUDGED / len(rows)
    few = pd.Series(turn).groupby(labels[rows]).rank(method="min").to_numpy() <= 20
    return rows[(rank <= wanted) | few]


def _judge(material: _Material, space: PCASpace, monitor: Monitor) -> _Judgement:
    def stop() -> bool:
        return monitor.stop_requested

    labels, groups = material.labels[material.rows], material.groups[material.rows]
    classes = len(material.classes)
    effort = next(one for one in _EFFORTS if len(labels) * classes <= one.up_to)
    folds = min(effort.folds, cross_validation.count_folds(labels, groups))
    monitor.stage("judge")
    judged = cross_validation.cross_validate(
        space, labels, groups, classes,
        repeats=effort.repeats, folds=folds, seed=material.seed, stop=stop,
    )  # fmt: skip
    random = judged.accuracy
    if len(np.unique(groups)) < len(groups):
        alone = np.arange(len(groups))
        random = cross_validation.cross_validate(
            space, labels, alone, classes,
            repeats=effort.repeats, folds=folds, seed=material.seed, penalty=judged.penalty,
            stop=stop,
        ).accuracy  # fmt: skip
    monitor.stage("compare")
    shuffled = cross_validation.cross_validate_shuffled(
        space, labels, groups, classes,
        penalty=judged.penalty, shuffles=effort.shuffles, seed=material.seed, stop=stop,
    )  # fmt: skip
    plain = trivial_baseline.judge_properties(
        material.photographed, labels, groups, classes, folds=folds, seed=material.seed
    )
    monitor.stage("curve")
    curve = cross_validation.learning_curve(
        space, labels, groups, classes,
        penalty=judged.penalty, draws=effort.draws, seed=material.seed, stop=stop,
    )  # fmt: skip
    return _Judgement(
        space=space, judged=judged, random=random, shuffled=shuffled, trivial=plain, curve=curve
    )


def _ask_about_all(material: _Material, judgement: _Judgement) -> Array:
    """Probabilities of all photos, `(n, classes)`, by heads that have not learned from them."""
    probabilities = np.zeros((len(material.labels), len(material.classes)))
    probabilities[material.rows] = judgement.judged.probabilities
    rest = np.setdiff1d(np.arange(len(material.labels)), material.rows)
    for begin in range(0, len(rest), MOST_JUDGED):
        part = rest[begin : begin + MOST_JUDGED]
        points = judgement.space.transform(material.features[part])
        probabilities[part] = linear_probe.predict_heads(points, judgement.judged.heads)
    return probabilities


def _find(material: _Material, probabilities: Array) -> tuple[list[Suspect], list[Finding]]:
    evidence = checks.Evidence(
        dataset=material.dataset,
        photos=material.photos,
        features=material.features,
        probabilities=probabilities,
        classes=material.classes,
        labels=material.labels,
        groups=material.groups,
        known_pairs=material.pairs,
    )
    return _not_kept(material, evidence.suspects), checks.find_all(evidence)


def _not_kept(material: _Material, suspects: list[Suspect]) -> list[Suspect]:
    """Without the labels that a person has looked at and found right."""
    kept = datasets.read_dismissed(material.dataset)
    paths = material.photos["path"].to_numpy()
    return [one for one in suspects if ("wrong_label", str(paths[one.row])) not in kept]


# ------------------------------------------------------------------------------- its tables


def _photo_table(
    material: _Material,
    probabilities: Array,
    suspects: list[Suspect],
    found: list[Finding],
    places: tuple[Array, Array],
) -> pd.DataFrame:
    """photos.parquet."""
    names = np.array(material.classes, dtype=object)
    n = len(material.labels)
    answers = probabilities.argmax(axis=1)
    score, suggested = np.zeros(n), np.full(n, "", dtype=object)
    for suspect in suspects:
        score[suspect.row] = suspect.score
        suggested[suspect.row] = names[suspect.suggested]
    strange = {one.path: one.score for one in found if one.check == "outlier"}
    flat, near = places
    return pd.DataFrame(
        {
            "path": material.photos["path"].to_numpy(),
            "class_name": material.photos["class_name"].to_numpy(),
            "group": material.groups,
            "x": near[:, 0],
            "y": near[:, 1],
            "pca_x": flat[:, 0],
            "pca_y": flat[:, 1],
            "answer": names[answers],
            "p_given": probabilities[np.arange(n), material.labels],
            "correct": answers == material.labels,
            "suspect_score": score,
            "suggested": suggested,
            "outlier_score": [strange.get(path, 0.0) for path in material.photos["path"]],
        }
    ).astype(PHOTO_COLUMNS)


def _lay_out(material: _Material, space: PCASpace, first: list[int]) -> tuple[Array, Array]:
    """Places on the map; of many photos some are drawn, those of `first` in any case."""
    n = len(material.labels)
    if len(material.rows) < n:
        points = np.concatenate(
            [
                space.transform(material.features[begin : begin + MOST_JUDGED])
                for begin in range(0, n, MOST_JUDGED)
            ]
        )
        space = PCASpace(
            points=points, mean=space.mean, deviation=space.deviation, components=space.components
        )
    others = np.setdiff1d(np.arange(n), first)
    others = np.random.default_rng([material.seed, 43]).permutation(others)
    chosen = np.concatenate([np.array(first, np.int64), others])[: projection.MAX_PHOTOS]
    return projection.project_to_2d(space, np.sort(chosen), seed=material.seed)


def _mixups(material: _Material, answers: Ints) -> list[Mixup]:
    """Pairs of classes that are mixed up, the most photos first."""
    paths = material.photos["path"].to_numpy()
    wrong = np.flatnonzero(answers != material.labels)
    table = pd.DataFrame({"truth": material.labels[wrong], "answer": answers[wrong], "row": wrong})
    counts = np.bincount(material.labels, minlength=len(material.classes))
    table["pair"] = table["truth"] * len(material.classes) + table["answer"]
    pairs = [
        (*divmod(int(part["pair"].iloc[0]), len(material.classes)), part["row"].to_numpy())
        for _pair, part in table.groupby("pair")
    ]
    pairs.sort(key=lambda pair: (-len(pair[2]), pair[0], pair[1]))
    return [
        Mixup(
            truth=material.classes[truth],
            answer=material.classes[answer],
            n=len(rows),
            share=len(rows) / int(counts[truth]),
            paths=[str(path) for path in paths[rows[:MIXUP_PHOTOS]]],
        )
        for truth, answer, rows in pairs[:MIXUPS]
    ]


def _per_class(material: _Material, judgement: _Judgement) -> list[ClassResult]:
    labels, groups = material.labels[material.rows], material.groups[material.rows]
    right = judgement.judged.correct.mean(axis=0)
    results = []
    for number, name in enumerate(material.classes):
        own = labels == number
        recall = float(right[own].mean()) if own.any() else 0.0
        results.append(
            ClassResult(
                name=name,
                n=int((material.labels == number).sum()),
                recall=recall,
                interval=cross_validation.interval(recall, groups[own])
                if own.any()
                else (0.0, 1.0),
            )
        )
    return results


def _forecast(material: _Material, judgement: _Judgement, low: float) -> Forecast | None:
    """With twice as many photos; and what the same forecast, made from half of them, was off."""
    curve, accuracy = judgement.curve, judgement.judged.accuracy

    def carry_on(points: list[CurvePoint], n: int, offset: float) -> learning_curve.Forecast | None:
        return learning_curve.forecast(
            [point.n for point in points],
            [point.accuracy for point in points],
            [point.deviation for point in points],
            n,
            offset=offset,
        )

    n = 2 * len(material.rows)
    ahead = carry_on(curve, n, (accuracy - low) / learning_curve.Z)
    if ahead is None:
        return None
    past = carry_on(curve[:-1], curve[-1].n, 0.0)
    return Forecast(
        n=n,
        accuracy=ahead.accuracy,
        low=ahead.low,
        high=ahead.high,
        past_error=None if past is None else past.accuracy - curve[-1].accuracy,
    )


def _given_test(material: _Material, answers: Ints) -> Given | None:
    kept = (material.photos["split"] == "test").to_numpy(copy=True)
    kept[material.rows] = False
    if not kept.any():
        return None
    accuracy = float((answers[kept] == material.labels[kept]).mean())
    return Given(
        n=int(kept.sum()),
        accuracy=accuracy,
        interval=cross_validation.interval(accuracy, material.groups[kept]),
    )


def _report(
    material: _Material,
    judgement: _Judgement,
    probabilities: Array,
    suspects: list[Suspect],
    found: list[Finding],
    backbone: Backbone,
    began: float,
) -> Report:
    labels = material.labels[material.rows]
    judged, classes = judgement.judged, material.classes
    span = cross_validation.interval(judged.accuracy, material.groups[material.rows])
    answers: Ints = probabilities.argmax(axis=1).astype(np.int64)
    per_class = _per_class(material, judgement)
    ahead = _forecast(material, judgement, span[0])
    mixups = _mixups(material, answers)
    shortcuts = [one.note for one in found if one.check == "shortcut"]
    shuffled = judgement.shuffled
    figures = Figures(
        accuracy=judged.accuracy,
        interval=span,
        found=cross_validation.mean_recall(judged.correct.mean(axis=0), labels),
        guessing=float(np.bincount(labels).max() / len(labels)),
        shuffled=float(shuffled[:, 0].mean()),
        shuffled_found=float(shuffled[:, 1].mean()),
        shuffled_spread=float(shuffled[:, 1].std(ddof=1)),
        shuffled_best=float(shuffled[:, 1].max()),
        trivial=judgement.trivial[trivial_baseline.COLOUR_AND_SIZE],
        weakest=min(one.recall for one in per_class),
        shortcuts=shortcuts,
    )
    verdict, rule = decide(figures)
    worst = (mixups[0].truth, mixups[0].answer) if mixups and mixups[0].n >= 3 else None
    groups = _named_groups(material)
    hopes = _hopes(material, judgement, probabilities, suspects, ahead, backbone, found)
    return Report(
        verdict=verdict,
        sentence=say(verdict, figures, mixed_up=worst),
        explanation=explain(verdict, figures, mixed_up=worst),
        rule=rule,
        accuracy=judged.accuracy,
        interval=span,
        mean_recall=figures.found,
        majority_accuracy=figures.guessing,
        trivial_accuracy=figures.trivial,
        trivial={
            k: v for k, v in judgement.trivial.items() if k != trivial_baseline.COLOUR_AND_SIZE
        },
        shuffled_accuracy=figures.shuffled,
        random_split_accuracy=judgement.random,
        forecast=ahead,
        learning_curve=[Point(n=point.n, accuracy=point.accuracy) for point in judgement.curve],
        suspects=_suspect_labels(material, suspects),
        near_duplicate_groups=groups,
        cross_class_duplicates=_across(material, found),
        leaks=[_leak(material, leak) for leak in datasets.split_leaks(material.dataset)],
        shortcuts=shortcuts,
        findings_counts=dict(Counter(one.check for one in found)),
        seconds=round(time.monotonic() - began, 3),
        classes=classes,
        counts={str(name): int(n) for name, n in material.dataset.counts.items()},
        n_photos=len(material.labels),
        n_judged=len(labels),
        n_groups=len(np.unique(material.groups)),
        folds=judged.folds,
        repeats=judged.repeats,
        given_test=_given_test(material, answers),
        confusion=confusion_matrix(material.labels, answers, len(classes)).tolist(),
        mixups=mixups,
        per_class=per_class,
        advice=[AdviceLine(**asdict(one)) for one in advise(verdict, figures, hopes)],
        fingerprint=material.dataset.fingerprint,
        backbone=backbone.name,
        seed=material.seed,
        created=time.time(),
    )


def _files(material: _Material) -> dict[str, str]:
    """Manifest path -> the name that the photo came with."""
    return dict(zip(material.photos["path"], material.photos["file"], strict=True))


def _suspect_labels(material: _Material, suspects: list[Suspect]) -> list[SuspectLabel]:
    return [
        SuspectLabel(
            file=str(material.photos["file"].iloc[suspect.row]),
            path=str(material.photos["path"].iloc[suspect.row]),
            given=material.classes[material.labels[suspect.row]],
            suggested=material.classes[suspect.suggested],
            score=suspect.score,
        )
        for suspect in suspects
    ]


def _named_groups(material: _Material) -> list[list[str]]:
    """Files of each group of copies, the largest first."""
    files = material.photos["file"].astype(str).to_numpy()
    order = np.argsort(material.groups, kind="stable")
    cuts = np.flatnonzero(np.diff(material.groups[order])) + 1
    parts = [list(files[part]) for part in np.split(order, cuts) if len(part) > 1]
    return sorted(parts, key=lambda part: (-len(part), part[0]))


def _across(material: _Material, found: list[Finding]) -> list[list[str]]:
    """Files of each photo that lies under more than one class, each set of them once."""
    files = _files(material)
    sets = {
        tuple(sorted({one.path, *one.others})) for one in found if one.check == "cross_class_copies"
    }
    return sorted([files.get(path, path) for path in paths] for paths in sets)


def _is_kept(kept: set[datasets.Dismissed], one: Finding) -> bool:
    """Whether a person has looked at all of its photos and left them as they are."""
    return all((one.check, path) in kept for path in (one.path, *one.others))


def _leak(material: _Material, leak: datasets.Leak) -> dict[str, str]:
    files = _files(material)
    return {
        "file": files[leak.held_out],
        "split": leak.split,
        "copy_of": files[leak.train],
        "kind": "exact" if leak.exact else "near",
    }


def _hopes(
    material: _Material,
    judgement: _Judgement,
    probabilities: Array,
    suspects: list[Suspect],
    ahead: Forecast | None,
    backbone: Backbone,
    found: list[Finding],
) -> Hopes:
    """What each kind of help is expected to bring."""
    accuracy = judgement.judged.accuracy
    kept = datasets.read_dismissed(material.dataset)
    n = len(material.labels)
    hoped = sum(float(probabilities[one.row, one.suggested]) for one in suspects) / n
    weak, weak_gain = _weak_classes(material, judgement)
    return Hopes(
        suspects=len(suspects),
        suspects_gain=hoped,
        across=len(_across(material, [one for one in found if not _is_kept(kept, one)])),
        weak=weak,
        weak_photos=int(np.isin(np.array(material.classes)[material.labels], weak).sum()),
        weak_gain=weak_gain,
        twice=0 if ahead is None else ahead.n,
        twice_gain=0.0 if ahead is None else max(0.0, ahead.accuracy - accuracy),
        backbone=stronger_backbone(backbone),
        backbone_gain=expected_error_reduction(backbone) * (1.0 - accuracy),
    )


def _weak_classes(material: _Material, judgement: _Judgement) -> tuple[list[str], float]:
    """The two classes that as many photos again help most, and the accuracy that these add.

    From the last halving of the learning curve, class by class; the next doubling is taken to
    bring less by a square root of two, as curves with the usual exponent of 1/2 do.
    """
    curve = judgement.curve
    if len(curve) < 2 or len(material.classes) < 3:
        return [], 0.0
    labels = material.labels[material.rows]
    shares = np.bincount(labels, minlength=len(material.classes)) / len(labels)
    growth = np.nan_to_num(curve[-1].per_class - curve[-2].per_class)
    missing = np.nan_to_num(1.0 - curve[-1].per_class)
    gain = np.clip(np.minimum(growth / np.sqrt(2.0), missing), 0.0, None) * shares
    chosen = np.argsort(-gain)[:2]
    chosen = chosen[gain[chosen] > 0]
    return [material.classes[place] for place in chosen], float(gain[chosen].sum())
