"""Puts the report of a feasibility check together from what was computed.

Owns: `make_report`.
Leaves to others: the computation (`compute.py`), the table of photos (`photo_table.py`), the verdict
(`verdict.py`), what each advice would bring (`expected_gains.py`), what must be said beside an accuracy
(`evaluation/caveats.py`), the models of the report (`report.py`).
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Array, Bools, Ints
from translearn_core.backbones import Backbone
from translearn_core.datasets import Finding
from translearn_core.datasets.split import scarce_groups
from translearn_core.evaluation import caveats, cross_validation, learning_curve
from translearn_core.evaluation.caveats import ClassCount, Measured
from translearn_core.evaluation.cross_validation import CurvePoint
from translearn_core.evaluation.metrics import confusion_matrix, wilson_interval
from translearn_core.feasibility import trivial_baseline
from translearn_core.feasibility.check_data import CheckData, Evaluation
from translearn_core.feasibility.detectors import copies_across
from translearn_core.feasibility.expected_gains import expected_gains
from translearn_core.feasibility.giveaways import Giveaway
from translearn_core.feasibility.label_errors import LabelError, strength_of
from translearn_core.feasibility.random_split import flatters, tell_random_split
from translearn_core.feasibility.report import (
    AdviceLine,
    ClassResult,
    ConfusedPair,
    ForecastLine,
    GiveawayLine,
    GivenTest,
    Headline,
    LabelErrorLine,
    Point,
    Report,
)
from translearn_core.feasibility.verdict import Figures, advise, decide, explain, summarize
from translearn_core.i18n import _, ngettext

MOST_CONFUSED_PAIRS = 12
MOST_CONFUSED_PHOTOS = 24
"""Pairs of confused classes in a report, and photos of each, at most."""


def _confused_pairs(data: CheckData, predicted: Ints) -> list[ConfusedPair]:
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


def _per_class(data: CheckData, evaluation: Evaluation, predicted: Ints) -> list[ClassResult]:
    labels, groups = data.labels[data.rows], data.groups[data.rows]
    right = evaluation.cv.correct.mean(axis=0)
    held_out = _held_out(data)
    results = []
    for index, name in enumerate(data.classes):
        own = labels == index
        recall = float(right[own].mean()) if own.any() else 0.0
        tested = held_out & (data.labels == index)
        results.append(
            ClassResult(
                name=name,
                n=int((data.labels == index).sum()),
                recall=recall,
                interval=cross_validation.interval(recall, groups[own])
                if own.any()
                else (0.0, 1.0),
                n_test=int(tested.sum()),
                test_recall=float((predicted[tested] == index).mean()) if tested.any() else None,
            )
        )
    return results


def _remarks(data: CheckData, per_class: list[ClassResult], given: GivenTest | None) -> list[str]:
    """What must be said beside the accuracy."""
    free = np.bincount(data.labels[~_held_out(data)], minlength=len(data.classes))
    pairs = np.unique(np.column_stack([data.labels, data.copies]), axis=0)
    groups = np.bincount(pairs[:, 0], minlength=len(data.classes))
    judged = np.bincount(data.labels[data.rows], minlength=len(data.classes))
    counts = [
        ClassCount(
            name=one.name,
            n_train=int(free[index]),
            n_groups=int(groups[index]),
            n_test=one.n_test if given else int(judged[index]),
            recall=one.test_recall if given else one.recall,
        )
        for index, one in enumerate(per_class)
    ]
    n_val = int((data.given == "val").sum())
    return caveats.caveats(
        counts,
        n_val=n_val or None,
        measured="" if given else _("photos in the cross-validation"),
    )


def _one_group_remark(data: CheckData) -> list[str]:
    """How classes of one named group are judged here."""
    names = [name for name, n in scarce_groups(data.dataset).items() if n == 1]
    if not names:
        return []
    return [
        ngettext(
            "Here that group of {names} is held out with all of the class, so that each of its photos "
            "counts as wrong.",
            "Here the group of each of {names} is held out with all of its class, so that each of "
            "their photos counts as wrong.",
            len(names),
        ).format(names=caveats.list_names(names))
    ]


def _forecast(data: CheckData, evaluation: Evaluation, low: float) -> ForecastLine | None:
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


def _held_out(data: CheckData) -> Bools:
    """Which photos the source gives for the test, and no head learned from, `(n,)`."""
    held_out = np.asarray(data.given == "test")
    held_out[data.rows] = False
    return held_out


def _given_test(data: CheckData, predicted: Ints) -> GivenTest | None:
    held_out = _held_out(data)
    if not held_out.any():
        return None
    accuracy = float((predicted[held_out] == data.labels[held_out]).mean())
    n = cross_validation.effective_number(data.groups[held_out])
    return GivenTest(
        n=int(held_out.sum()), accuracy=accuracy, interval=wilson_interval(accuracy * n, n)
    )


def _headline(cv: Measured, given: GivenTest | None) -> Headline:
    if given is None:
        return Headline(
            accuracy=cv.accuracy, interval=cv.interval, n=cv.n, source="cross_validation"
        )
    return Headline(accuracy=given.accuracy, interval=given.interval, n=given.n, source="test")


def _majority(data: CheckData, tested: bool) -> float:
    """The share of the photos of the headline that are of the class with most photos to learn from."""
    learned = data.labels[data.rows]
    largest = int(np.bincount(learned).argmax())
    judged = data.labels[_held_out(data)] if tested else learned
    return float((judged == largest).mean())


@dataclass(frozen=True, kw_only=True)
class _Results:
    """What was measured, as the parts of a report.

    Attributes:
        predicted: `(n,)`, class numbers by cross-validated heads.
        judged, given: on photos of the cross-validation; on the test photos of the source, or None.
        gap: how the two differ, in a sentence; empty where they agree.
        one_scene: classes that are one chain of near-copies.
        same_scenes: whether more than a fifth of the photos are of such classes.
        shortcuts: what predicts a class beside what the photos show, in sentences.
        giveaways: feature of the files -> that it tells the classes apart, in a sentence.
        learnable: features of the files that a network can see.
    """

    predicted: Ints
    per_class: list[ClassResult]
    judged: Measured
    given: GivenTest | None
    gap: str
    one_scene: list[str]
    same_scenes: bool
    augmented: bool
    confused: list[ConfusedPair]
    shortcuts: list[str]
    giveaways: dict[str, str]
    learnable: list[str]

    @property
    def mixed_up(self) -> tuple[str, str] | None:
        """The two classes that are confused most, where that is no single photo."""
        worst = self.confused[0] if self.confused else None
        return (worst.truth, worst.answer) if worst is not None and worst.n >= 3 else None


def make_report(
    data: CheckData,
    evaluation: Evaluation,
    probabilities: Array,
    label_errors: list[LabelError],
    findings: list[Finding],
    giveaways: list[Giveaway],
    backbone: Backbone,
    began: float,
) -> Report:
    """The report.

    Args:
        probabilities: `(n, classes)`, cross-validated, of all photos.
        began: when the check began, by the monotonic clock.
    """
    cv, results = evaluation.cv, _results(data, evaluation, probabilities, findings, giveaways)
    figures = _figures(data, evaluation, results)
    verdict, rule = decide(figures)
    forecast = (
        None if results.same_scenes else _forecast(data, evaluation, results.judged.interval[0])
    )
    gains = expected_gains(
        data, evaluation, probabilities, label_errors, forecast, backbone, findings
    )
    mirrors = _mirrors(data)
    return Report(
        verdict=verdict,
        sentence=summarize(verdict, figures, mixed_up=results.mixed_up),
        explanation=explain(verdict, figures, mixed_up=results.mixed_up),
        rule=rule,
        headline=_headline(results.judged, results.given),
        test_gap=results.gap,
        same_scenes=results.same_scenes,
        remarks=_all_remarks(data, results, mirrors),
        fit=data.fit_choice.fit,
        mirrors=mirrors,
        accuracy=cv.accuracy,
        interval=results.judged.interval,
        mean_recall=figures.mean_recall,
        majority_accuracy=figures.majority,
        trivial_accuracy=figures.trivial,
        trivial={
            k: v for k, v in evaluation.trivial.items() if k != trivial_baseline.COLOUR_AND_SIZE
        },
        shuffled_accuracy=figures.shuffled,
        random_split_accuracy=evaluation.random,
        random_split_flatters=flatters(evaluation),
        random_split_note=tell_random_split(data, evaluation),
        grouped_by=data.dataset.record.grouped_by,
        forecast=forecast,
        learning_curve=[Point(n=point.n, accuracy=point.accuracy) for point in evaluation.curve],
        suspects=_label_error_rows(data, label_errors),
        near_duplicate_groups=_duplicate_groups(data),
        cross_class_duplicates=_cross_class(data, findings),
        leaks=[_leak(data, leak) for leak in datasets.split_leaks(data.dataset)],
        shortcuts=results.shortcuts,
        giveaways=[_giveaway_line(one) for one in giveaways],
        findings_counts=dict(Counter(finding.check for finding in findings)),
        seconds=round(time.monotonic() - began, 3),
        classes=data.classes,
        counts={str(name): int(n) for name, n in data.dataset.counts.items()},
        n_photos=len(data.labels),
        n_judged=len(data.rows),
        n_groups=len(np.unique(data.groups)),
        folds=cv.folds,
        repeats=cv.repeats,
        given_test=results.given,
        confusion=confusion_matrix(data.labels, results.predicted, len(data.classes)).tolist(),
        mixups=results.confused,
        per_class=results.per_class,
        advice=[AdviceLine(**asdict(line)) for line in advise(verdict, figures, gains)],
        fingerprint=data.dataset.fingerprint,
        backbone=backbone.name,
        seed=data.seed,
        created=time.time(),
    )


def _results(
    data: CheckData,
    evaluation: Evaluation,
    probabilities: Array,
    findings: list[Finding],
    giveaways: list[Giveaway],
) -> _Results:
    cv = evaluation.cv
    predicted: Ints = probabilities.argmax(axis=1).astype(np.int64)
    interval = cross_validation.interval(cv.accuracy, data.groups[data.rows])
    judged = Measured(accuracy=cv.accuracy, interval=interval, n=len(data.rows))
    given = _given_test(data, predicted)
    gap = ""
    if given is not None:
        test = Measured(accuracy=given.accuracy, interval=given.interval, n=given.n)
        gap = caveats.tell_gap(test, judged, folds=True)
    one_scene = datasets.chained_classes(data.dataset)
    chained = data.photos["class_name"].isin(one_scene).mean()
    return _Results(
        predicted=predicted,
        per_class=_per_class(data, evaluation, predicted),
        judged=judged,
        given=given,
        gap=gap,
        one_scene=one_scene,
        same_scenes=bool(chained > caveats.KNOWN_SCENES),
        augmented=any(finding.check == "augmented" for finding in findings),
        confused=_confused_pairs(data, predicted),
        shortcuts=[finding.note for finding in findings if finding.check == "shortcut"],
        giveaways={one.path: one.note for one in findings if one.check == "giveaway"},
        learnable=[one.feature.name for one in giveaways if one.feature.learnable],
    )


def _figures(data: CheckData, evaluation: Evaluation, results: _Results) -> Figures:
    """What the verdict follows from."""
    given, shuffled = results.given, evaluation.shuffled
    headline = _headline(results.judged, given)
    recalls = [one.test_recall if given else one.recall for one in results.per_class]
    seen = [name for name in results.learnable if name in results.giveaways]
    return Figures(
        accuracy=headline.accuracy,
        interval=headline.interval,
        mean_recall=cross_validation.mean_recall(
            evaluation.cv.correct.mean(axis=0), data.labels[data.rows]
        ),
        majority=_majority(data, given is not None),
        shuffled=float(shuffled[:, 0].mean()),
        shuffled_recall=float(shuffled[:, 1].mean()),
        shuffled_recall_std=float(shuffled[:, 1].std(ddof=1)),
        shuffled_recall_max=float(shuffled[:, 1].max()),
        trivial=evaluation.trivial[trivial_baseline.COLOUR_AND_SIZE],
        lowest_recall=min(recall for recall in recalls if recall is not None),
        shortcuts=[*results.shortcuts, *(results.giveaways[name] for name in seen)],
        tested=given.n if given else 0,
        gap=results.gap,
        one_scene=results.one_scene,
        same_scenes=results.same_scenes,
        augmented=results.augmented,
    )


def _all_remarks(data: CheckData, results: _Results, mirrors: str) -> list[str]:
    """What must be said beside the figures."""
    unseen = [text for name, text in results.giveaways.items() if name not in results.learnable]
    return [
        *datasets.split_notes(data.dataset),
        *_one_group_remark(data),
        *([data.fit_choice.reason] if data.fit_choice.reason else []),
        *_remarks(data, results.per_class, results.given),
        *unseen,
        *([mirrors] if mirrors else []),
    ]


def _giveaway_line(one: Giveaway) -> GiveawayLine:
    return GiveawayLine(
        feature=one.feature.name,
        accuracy=one.accuracy,
        interval=one.interval,
        largest_class=one.largest,
        found=one.is_found,
        sentence=one.describe(),
    )


def _mirrors(data: CheckData) -> str:
    """What was found about mirrored photos, and what follows; empty: nothing."""
    if data.lookalike is None:
        return ""
    check = next(check for check in datasets.CHECKS if check.name == "mirrors")
    return data.lookalike.describe(data.classes) + " " + _(check.sentence)


def _files(data: CheckData) -> dict[str, str]:
    """Manifest path -> the name that the photo came with."""
    return dict(zip(data.photos["path"], data.photos["file"], strict=True))


def _label_error_rows(data: CheckData, label_errors: list[LabelError]) -> list[LabelErrorLine]:
    return [
        LabelErrorLine(
            file=str(data.photos["file"].iloc[label_error.row]),
            path=str(data.photos["path"].iloc[label_error.row]),
            given=data.classes[data.labels[label_error.row]],
            suggested=data.classes[label_error.suggested],
            score=label_error.score,
            strength=strength_of(label_error.score),
        )
        for label_error in label_errors
    ]


def _duplicate_groups(data: CheckData) -> list[list[str]]:
    """Files of each group of near-duplicates, the largest first."""
    files = data.photos["file"].astype(str).to_numpy()
    order = np.argsort(data.copies, kind="stable")
    cuts = np.flatnonzero(np.diff(data.copies[order])) + 1
    parts = [list(files[block]) for block in np.split(order, cuts) if len(block) > 1]
    return sorted(parts, key=lambda block: (-len(block), block[0]))


def _cross_class(data: CheckData, findings: list[Finding]) -> list[list[str]]:
    """Files of each photo that lies under more than one class, each set of them once."""
    files = _files(data)
    return sorted([files.get(path, path) for path in paths] for paths in copies_across(findings))


def _leak(data: CheckData, leak: datasets.Leak) -> dict[str, str]:
    files = _files(data)
    return {
        "file": files[leak.held_out],
        "split": leak.split,
        "copy_of": files[leak.train],
        "kind": "exact" if leak.exact else "near",
    }
