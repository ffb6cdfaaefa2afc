"""Small decision trees, fitted by the hundred to a few values of each photo.

Owns: fitting one by scikit-learn without its checks of arguments, which take longer than the fit: what
it answers is what `DecisionTreeClassifier.fit` and `predict` give.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints


class SmallTree:
    """A tree that tells classes by a few values.

    Args:
        values: `(n, k)`.
        labels: `(n,)`, class indices.
        depth: most questions one after the other.
        leaf: fewest photos of an answer.
        balanced: whether each class counts the same, however many photos it has.
    """

    def __init__(
        self, values: Array, labels: Ints, *, depth: int, leaf: int, balanced: bool = False
    ) -> None:
        from sklearn import config_context
        from sklearn.tree import DecisionTreeClassifier

        self.classes, codes = np.unique(labels, return_inverse=True)
        counts = np.bincount(codes)
        weights = (len(codes) / (len(counts) * counts))[codes] if balanced else None
        tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=0)
        with config_context(skip_parameter_validation=True):
            given, checks = _prepared(values)
            self._tree: Any = tree.fit(given, codes, sample_weight=weights, check_input=checks)

    def probabilities(self, values: Array) -> Array:
        """How likely each of `classes` is, `(n, classes)`."""
        given, checks = _prepared(values)
        found: Array = self._tree.predict_proba(given, check_input=checks)
        return found

    def predict(self, values: Array) -> Ints:
        """The likeliest class of each row, `(n,)`."""
        found: Ints = self.classes[self.probabilities(values).argmax(axis=1)]
        return found


def _prepared(values: Array) -> tuple[Array, bool]:
    """Values as trees read them, and whether there are such among them as scikit-learn has to look at."""
    given = np.ascontiguousarray(values, np.float32)
    return given, not np.isfinite(given).all()
