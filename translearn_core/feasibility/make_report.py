"""Puts the report of a feasibility check together from what was computed.

Owns: `make_report`, the table of photos, the coordinates on the map.
Leaves to others: the computation (`compute.py`), the verdict (`verdict.py`), what must be said beside
an accuracy (`evaluation/caveats.py`), the models of the report (`report.py`).
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict

import numpy as np
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Array, Bools, Ints
from translearn_core.backbones import Backbone
from translearn_core.backbones.default import expected_error_reduction, stronger_backbone
from translearn_core.datasets import Finding
from translearn_core.datasets.split import scarce_groups
from translearn_core.evaluation import caveats, cross_validation, learning_curve, projection
from translearn_core.evaluation.caveats import ClassCount, Measured
from translearn_core.evaluation.cross_validation import CurvePoint
from translearn_core.evaluation.linear_probe import PCASpace
from translearn_core.evaluation.metrics import confusion_matrix, wilson_interval
from translearn_core.feasibility import trivial_baseline
from translearn_core.feasibility.check_data import MOST_VALIDATED, CheckData, Evaluation
from translearn_core.feasibility.giveaways import Giveaway
from translearn_core.feasibility.label_errors import LabelError, strength_of
from translearn_core.feasibility.random_split import flatters, tell_random_split
from translearn_core.feasibility.report import (
    PHOTO_COLUMNS,
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
from translearn_core.feasibility.verdict import (
    ExpectedGains,
    Figures,
    advise,
    decide,
    explain,
    summarize,
)
from translearn_core.i18n import _, ngettext

MOST_CONFUSED_PAIRS = 12
MOST_CONFUSED_PHOTOS = 24
"""Pairs of confused classes in a report, and photos of each, at most."""


def photo_table(
    data: CheckData,
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
            "group": data.copies,
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


def project(data: CheckData, space: PCASpace, first: list[int]) -> tuple[Array, Array]:
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
    n_val = int((data.photos["split"] == "val").sum())
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
    held_out = (data.photos["split"] == "test").to_numpy(copy=True)
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
    labels = data.labels[data.rows]
    cv, classes = evaluation.cv, data.classes
    interval = cross_validation.interval(cv.accuracy, data.groups[data.rows])
    predicted: Ints = probabilities.argmax(axis=1).astype(np.int64)
    per_class = _per_class(data, evaluation, predicted)
    given = _given_test(data, predicted)
    judged = Measured(accuracy=cv.accuracy, interval=interval, n=len(labels))
    headline = _headline(judged, given)
    gap = ""
    if given is not None:
        test = Measured(accuracy=given.accuracy, interval=given.interval, n=given.n)
        gap = caveats.tell_gap(test, judged, folds=True)
    recalls = [one.test_recall if given else one.recall for one in per_class]
    one_scene = datasets.chained_classes(data.dataset)
    same_scenes = bool(data.photos["class_name"].isin(one_scene).mean() > caveats.KNOWN_SCENES)
    forecast = None if same_scenes else _forecast(data, evaluation, interval[0])
    mixups = _confused_pairs(data, predicted)
    shortcuts = [finding.note for finding in findings if finding.check == "shortcut"]
    given_away = {finding.path: finding.note for finding in findings if finding.check == "giveaway"}
    learnable = [one.feature.name for one in giveaways if one.feature.learnable]
    shuffled = evaluation.shuffled
    figures = Figures(
        accuracy=headline.accuracy,
        interval=headline.interval,
        mean_recall=cross_validation.mean_recall(cv.correct.mean(axis=0), labels),
        majority=_majority(data, given is not None),
        shuffled=float(shuffled[:, 0].mean()),
        shuffled_recall=float(shuffled[:, 1].mean()),
        shuffled_recall_std=float(shuffled[:, 1].std(ddof=1)),
        shuffled_recall_max=float(shuffled[:, 1].max()),
        trivial=evaluation.trivial[trivial_baseline.COLOUR_AND_SIZE],
        lowest_recall=min(recall for recall in recalls if recall is not None),
        shortcuts=[*shortcuts, *(given_away[name] for name in learnable if name in given_away)],
        tested=given.n if given else 0,
        gap=gap,
        one_scene=one_scene,
        same_scenes=same_scenes,
    )
    verdict, rule = decide(figures)
    worst = (mixups[0].truth, mixups[0].answer) if mixups and mixups[0].n >= 3 else None
    groups = _duplicate_groups(data)
    mirrors = _mirrors(data)
    gains = _expected_gains(
        data, evaluation, probabilities, label_errors, forecast, backbone, findings
    )
    return Report(
        verdict=verdict,
        sentence=summarize(verdict, figures, mixed_up=worst),
        explanation=explain(verdict, figures, mixed_up=worst),
        rule=rule,
        headline=headline,
        test_gap=gap,
        same_scenes=same_scenes,
        remarks=[
            *datasets.split_notes(data.dataset),
            *_one_group_remark(data),
            *([data.fit_choice.reason] if data.fit_choice.reason else []),
            *_remarks(data, per_class, given),
            *(text for name, text in given_away.items() if name not in learnable),
            *([mirrors] if mirrors else []),
        ],
        fit=data.fit_choice.fit,
        mirrors=mirrors,
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
        random_split_flatters=flatters(evaluation),
        random_split_note=tell_random_split(data, evaluation),
        grouped_by=data.dataset.record.grouped_by,
        forecast=forecast,
        learning_curve=[Point(n=point.n, accuracy=point.accuracy) for point in evaluation.curve],
        suspects=_label_error_rows(data, label_errors),
        near_duplicate_groups=groups,
        cross_class_duplicates=_cross_class(data, findings),
        leaks=[_leak(data, leak) for leak in datasets.split_leaks(data.dataset)],
        shortcuts=shortcuts,
        giveaways=[
            GiveawayLine(
                feature=one.feature.name,
                accuracy=one.accuracy,
                interval=one.interval,
                largest_class=one.largest,
                found=one.is_found,
                sentence=one.describe(),
            )
            for one in giveaways
        ],
        findings_counts=dict(Counter(finding.check for finding in findings)),
        seconds=round(time.monotonic() - began, 3),
        classes=classes,
        counts={str(name): int(n) for name, n in data.dataset.counts.items()},
        n_photos=len(data.labels),
        n_judged=len(labels),
        n_groups=len(np.unique(data.groups)),
        folds=cv.folds,
        repeats=cv.repeats,
        given_test=given,
        confusion=confusion_matrix(data.labels, predicted, len(classes)).tolist(),
        mixups=mixups,
        per_class=per_class,
        advice=[AdviceLine(**asdict(line)) for line in advise(verdict, figures, gains)],
        fingerprint=data.dataset.fingerprint,
        backbone=backbone.name,
        seed=data.seed,
        created=time.time(),
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
    sets = {
        tuple(sorted({finding.path, *finding.others}))
        for finding in findings
        if finding.check == "cross_class_copies"
    }
    return sorted([files.get(path, path) for path in paths] for paths in sets)


def _is_dismissed(dismissed: set[datasets.Dismissed], finding: Finding) -> bool:
    """Whether a person dismissed the finding for all of its photos."""
    return all((finding.check, path) in dismissed for path in (finding.path, *finding.others))


def _leak(data: CheckData, leak: datasets.Leak) -> dict[str, str]:
    files = _files(data)
    return {
        "file": files[leak.held_out],
        "split": leak.split,
        "copy_of": files[leak.train],
        "kind": "exact" if leak.exact else "near",
    }


def _expected_gains(
    data: CheckData,
    evaluation: Evaluation,
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
    sure = [error for error in label_errors if strength_of(error.score) == "almost_certain"]
    fixed_labels = sum(float(probabilities[error.row, error.suggested]) for error in sure) / n
    weak, weak_gain = _weak_classes(data, evaluation)
    return ExpectedGains(
        label_errors=len(label_errors),
        sure_label_errors=len(sure),
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
        doubled_gain=0.0 if forecast is None else _told_gain(accuracy, forecast.accuracy),
        backbone=stronger_backbone(backbone),
        backbone_gain=expected_error_reduction(backbone) * (1.0 - accuracy),
    )


def _told_gain(now: float, then: float) -> float:
    """The gain from one accuracy to another: the difference of their percentages, which are told
    beside it, where that is a point or more."""
    told = round(then, 2) - round(now, 2)
    return told if told >= 0.0095 else max(0.0, then - now)


def _weak_classes(data: CheckData, evaluation: Evaluation) -> tuple[list[str], float]:
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
