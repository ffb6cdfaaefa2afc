"""What must be said beside the figures of a run: its test against validation, its classes, refusals.

Owns: which figures of metrics.json are judged, and which share a run is known by. Leaves to others: the sentences
(`evaluation/caveats.py`), where they are shown.
"""

from __future__ import annotations

from translearn_core.evaluation import caveats
from translearn_core.evaluation.caveats import ClassCount, Measured
from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.formatting import percent, percent_range
from translearn_core.i18n import _
from translearn_core.runs.run_metrics import HeadMetrics, RunMetrics


def gap_of(metrics: RunMetrics) -> str:
    """The difference between a given test and the validation photos, see `caveats.tell_gap`."""
    if not (metrics.test_given and metrics.n_test and metrics.n_val):
        return ""
    if metrics.val_accuracy is None or metrics.test_accuracy is None:
        return ""
    n = metrics.n_val
    test = Measured(accuracy=metrics.accuracy, interval=metrics.test_interval, n=metrics.n_test)
    validation = Measured(
        accuracy=metrics.val_accuracy,
        interval=wilson_interval(metrics.val_accuracy * n, n),
        n=n,
    )
    return caveats.tell_gap(test, validation, folds=False)


def same_scene(metrics: RunMetrics) -> str:
    """The result in words where many test photos are of scenes that were learned from; else empty.

    A share of them would be taken for the accuracy on new photos, which nothing is known of.
    """
    if not metrics.tested_on_known_scenes:
        return ""
    return _(
        "Right on {correct:,} of {n:,} test photos, of which {known:,} are later ones of the scenes "
        "that were learned from: how often it is right in other scenes is not known."
    ).format(correct=metrics.test_correct, n=metrics.n_test, known=metrics.n_test_same_scene)


def headline_share(metrics: RunMetrics) -> float:
    """The share of right answers that a run is known by: in the new domain where it was adapted to one.

    Returns:
        In [0, 1]; that of the test photos where nothing is known of the new domain.
    """
    figures = metrics.adaptation
    there = figures.target_accuracy_after if figures is not None else None
    if there is None or not metrics.tested_elsewhere:
        return metrics.accuracy
    return float(there)


def told_share(metrics: RunMetrics) -> float | None:
    """`headline_share` where a run may be named by it; None where nothing is known."""
    return None if metrics.test_accuracy is None else headline_share(metrics)


def caveats_of(metrics: RunMetrics) -> list[str]:
    """All that must be said beside the accuracy of a run, the gap of its test first."""
    mirrors = [metrics.mirrors] if metrics.mirrors else []
    if not metrics.n_test:
        return [*metrics.split_notes, *mirrors]
    gap = gap_of(metrics)
    n_val = metrics.n_val if metrics.epochs_run else None
    found = [
        gap,
        *metrics.split_notes,
        *caveats.caveats(
            class_counts(metrics), n_val=n_val, balanced=not metrics.tested_on_known_scenes
        ),
        *_tell_slices(metrics),
        _tell_refused(metrics),
        _tell_adapted_to(metrics),
    ]
    return [*(sentence for sentence in found if sentence), *mirrors]


def _tell_slices(metrics: RunMetrics) -> list[str]:
    """The parts of the test photos that fare worse than the others by more than chance."""
    return [
        _(
            "Where {attribute} is {value}, only {correct:,} of {n:,} test photos are right ({share}), of "
            "the others {rest}. Bring more photos of this kind to learn from."
        ).format(
            attribute=one.attribute,
            value=one.value,
            correct=one.correct,
            n=one.n_test,
            share=percent(one.correct / one.n_test),
            rest=percent(one.correct_rest / one.n_rest),
        )
        for one in metrics.slices
        if one.is_worse
    ]


def _tell_refused(metrics: RunMetrics) -> str:
    """Where far more or fewer test photos are taken for something else than the threshold was set for."""
    unlike = metrics.unlike
    if unlike is None or unlike.wanted is None:
        return ""
    if unlike.refused is None or unlike.refused_interval is None:
        return ""
    low, high = unlike.refused_interval
    if low <= unlike.wanted <= high:
        return ""
    return _(
        "{share} of the {n:,} test photos are taken for something else than the training photos "
        "(95 % interval {interval}), where {wanted} was meant: the test photos may differ from those "
        "to learn from. Expect the measured share on photos like the test photos."
    ).format(
        share=percent(unlike.refused),
        n=unlike.n_test,
        interval=percent_range(low, high),
        wanted=percent(unlike.wanted),
    )


def _tell_adapted_to(metrics: RunMetrics) -> str:
    """Where test photos are among those that the model was adapted to."""
    seen = metrics.adaptation.tested_photos_seen if metrics.adaptation is not None else 0
    if not seen:
        return ""
    return _(
        "{seen:,} of the {n:,} test photos are among those that the model was adapted to: of other photos "
        "of the new domain, fewer may be right. Adapt to some and test on others to know."
    ).format(seen=seen, n=metrics.n_test)


def class_counts(metrics: HeadMetrics) -> list[ClassCount]:
    """The classes of a head as `caveats` takes them."""
    return [
        ClassCount(
            name=one.name,
            n_train=one.n_train,
            n_groups=one.n_groups,
            n_test=one.n_test,
            recall=one.recall,
        )
        for one in metrics.per_class
    ]
