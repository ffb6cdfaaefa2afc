"""What must be said beside the figures of a run: its test against validation, and its classes.

Owns: which figures of metrics.json are judged. Leaves to others: the sentences
(`evaluation/caveats.py`), where they are shown.
"""

from __future__ import annotations

from translearn_core.evaluation import caveats
from translearn_core.evaluation.caveats import ClassCount, Measured
from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.runs.run_metrics import HeadMetrics, RunMetrics


def gap_of(metrics: RunMetrics) -> str:
    """The difference between a given test and the validation photos, see `caveats.tell_gap`."""
    if not (metrics.test_given and metrics.n_test and metrics.n_val):
        return ""
    if metrics.val_accuracy is None:
        return ""
    n = metrics.n_val
    test = Measured(accuracy=metrics.accuracy, interval=metrics.test_interval, n=metrics.n_test)
    validation = Measured(
        accuracy=metrics.val_accuracy,
        interval=wilson_interval(metrics.val_accuracy * n, n),
        n=n,
    )
    return caveats.tell_gap(test, validation, folds=False)


def caveats_of(metrics: RunMetrics) -> list[str]:
    """All that must be said beside the accuracy of a run, the gap of its test first."""
    if not metrics.n_test:
        return list(metrics.split_notes)
    gap = gap_of(metrics)
    n_val = metrics.n_val if metrics.epochs_run else None
    return [
        *([gap] if gap else []),
        *metrics.split_notes,
        *caveats.caveats(class_counts(metrics), n_val=n_val),
    ]


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
