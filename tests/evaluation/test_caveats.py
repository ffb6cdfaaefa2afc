"""What is said beside an accuracy."""

from __future__ import annotations

from translearn_core.evaluation.caveats import (
    ClassCount,
    Measured,
    balanced_accuracy,
    caveats,
    tell_gap,
)
from translearn_core.evaluation.metrics import wilson_interval

SOUND = [
    ClassCount(name=name, n_train=60, n_groups=90, n_test=30, recall=0.9) for name in ("a", "b")
]


def measured(accuracy: float, n: int) -> Measured:
    return Measured(accuracy=accuracy, interval=wilson_interval(accuracy * n, n), n=n)


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    assert caveats(SOUND, n_val=30) == []


def test_each_weakness_is_said_with_its_class() -> None:
    classes = [
        *SOUND,
        ClassCount(name="never", n_train=60, n_groups=70, n_test=12, recall=0.0),
        ClassCount(name="twins", n_train=60, n_groups=1, n_test=30, recall=1.0),
        ClassCount(name="rare", n_train=5, n_groups=8, n_test=3, recall=1 / 3),
    ]
    text = "\n".join(caveats(classes, n_val=3))
    assert "(recall 0): never (0 / 12)" in text
    assert "All photos of twins are copies" in text
    assert "rare only 5" in text
    assert "rare (3)" in text
    assert "63 % are right (balanced accuracy)" in text
    assert "Missed more often than found: rare." in text
    assert "only 3 validation photos" in text


def test_balanced_accuracy_counts_every_measured_class_alike() -> None:
    classes = [
        ClassCount(name="many", n_test=1000, recall=1.0),
        ClassCount(name="few", n_test=5, recall=0.0),
        ClassCount(name="none"),
    ]
    assert balanced_accuracy(classes) == 0.5
    assert balanced_accuracy([]) is None
    said = caveats(classes)
    assert any("50 % are right (balanced accuracy)" in text for text in said)
    assert "No photo is tested of none: how often they are recognised is not known" in said[0]
    assert not any("none (0)" in text for text in said), "once is enough"


def test_a_class_that_was_learned_from_next_to_nothing_is_named() -> None:
    few = ClassCount(name="few", n_train=1, n_test=30, recall=0.9)
    said = "\n".join(caveats([*SOUND, few], n_val=30))
    assert "Learned from fewer than 5 photos: few (1)." in said


def test_a_test_that_says_something_else_is_told_either_way() -> None:
    worse = tell_gap(measured(0.722, 810), measured(0.935, 2400), folds=True)
    assert "810 given test photos only 72 % are right, in cross-validation 94 %" in worse
    better = tell_gap(measured(0.99, 400), measured(0.8, 400), folds=False)
    assert "99 % are right, on validation photos only 80 %" in better
    assert tell_gap(measured(0.9, 400), measured(0.91, 400), folds=True) == ""
    assert tell_gap(measured(0.8, 10), measured(0.9, 400), folds=True) == ""  # may be chance
