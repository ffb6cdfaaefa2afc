"""Figures against cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.evaluation.metrics import class_figures, confusion_matrix, wilson_interval


@pytest.mark.parametrize(("correct", "total"), [(0, 5), (5, 5), (86, 100), (1, 1), (431, 500)])
def test_the_interval_is_wilsons(correct: int, total: int) -> None:
    from scipy.stats import binomtest  # here, since every test process reads this file

    reference = binomtest(correct, total).proportion_ci(method="wilson")
    assert wilson_interval(correct, total) == pytest.approx(
        (reference.low, reference.high), abs=1e-6
    )


def test_without_photos_nothing_is_known() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_per_class_figures_agree_with_scikit_learn() -> None:
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(0)
    truth, predictions = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    figures = class_figures(confusion_matrix(truth, predictions, 4), list("abcd"))
    precision, recall, f1, _n = precision_recall_fscore_support(truth, predictions)
    assert [figure.precision for figure in figures] == pytest.approx(precision)
    assert [figure.recall for figure in figures] == pytest.approx(recall)
    assert [figure.f1 for figure in figures] == pytest.approx(f1)


def test_a_class_that_was_never_answered_has_no_precision() -> None:
    figures = class_figures(confusion_matrix(np.array([0, 1]), np.array([0, 0]), 3), list("abc"))
    assert (figures[1].precision, figures[1].recall) == (None, 0.0)
    assert (figures[2].precision, figures[2].recall, figures[2].f1) == (None, None, None)
