"""Small trees answer as those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.feasibility.small_trees import SmallTree


@pytest.mark.parametrize("missing", [0, 5])
@pytest.mark.parametrize("balanced", [True, False])
def test_they_answer_as_those_with_all_checks(balanced: bool, missing: int) -> None:
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(0)
    labels = rng.choice([2, 5, 9], 90, p=[0.6, 0.3, 0.1])
    values = rng.normal(labels[:, None], 2.0, (90, 3))
    values[rng.integers(0, 90, missing), 0] = np.nan
    weight = "balanced" if balanced else None
    theirs = DecisionTreeClassifier(
        max_depth=4, min_samples_leaf=3, class_weight=weight, random_state=0
    ).fit(values[:60], labels[:60])
    ours = SmallTree(values[:60], labels[:60], depth=4, leaf=3, balanced=balanced)
    assert list(ours.classes) == [2, 5, 9]
    np.testing.assert_array_equal(
        ours.probabilities(values[60:]), theirs.predict_proba(values[60:])
    )
    np.testing.assert_array_equal(ours.predict(values[60:]), theirs.predict(values[60:]))
