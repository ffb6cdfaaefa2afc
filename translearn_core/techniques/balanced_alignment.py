"""Adaptation that does not take the target's class shares for known.

Owns: `BalancedAlignment` (target features aligned to the source as if every class were equally
frequent there, and how its answers change under other shares) and `spread_answers` (among photos that
are alike).
Leaves to others: the average of aligned and plain answers (`bagged_answers.py`), the technique
(`adaptation.py`), whether anything is adapted (`when_to_adapt.py`), neighbours and balance
(`evaluation/label_propagation.py`).

Aligning mean and deviation over all photos takes a difference in class shares for a shift of the
features. Here the source's moments are those of a mixture of its classes in assumed shares, so that
another assumption is one more row of biases. How the rule and its bounds were chosen:
docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation import linear_probe
from translearn_core.evaluation.calibration import softmax
from translearn_core.evaluation.label_propagation import (
    NEIGHBOURS,
    balance_classes,
    fit_centroids,
    knn_graph,
    propagate,
)

PENALTY = 0.1
"""Of the linear head, see `linear_probe.fit_heads`."""
STEPS = 60
FIRST_BALANCE, BALANCE = 0.3, 0.6
"""How far guesses are moved to even class shares before they are spread, and after that."""
GRAPH_COMPONENTS = 128
"""Principal components of the target's features in which neighbours are looked for."""
PSEUDO_PHOTOS = 5.0
"""Photos of average deviation that a class's own deviation is mixed with."""


@dataclass(frozen=True, kw_only=True)
class BalancedAlignment:
    """Target features aligned to the source with even class shares, seen by a linear head.

    Attributes:
        logits: of the target photos in each view, `(views, m, classes)`.
        unaligned: the same from features as they are.
        class_logits: what the head says of the mean of each class in the source, without its bias,
            `(classes, classes)`: other shares move all logits by their average of these rows.
        bagged: mean probabilities over views by a head of each bag, `(bags, m, classes)`.
    """

    logits: Array
    unaligned: Array
    class_logits: Array
    bagged: Array

    @classmethod
    def fit(
        cls,
        source_views: Sequence[Array],
        labels: Ints,
        target_views: Sequence[Array],
        *,
        classes: int,
        bags: Array | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> BalancedAlignment:
        """Align, and fit the head on the source with balanced classes.

        Args:
            source_views: features of the labelled photos `(n, d)`, as they are and in each view.
            labels: theirs, `(n,)`.
            target_views: features of the unlabelled photos `(m, d)`, likewise.
            bags: weights of the labelled photos for further heads `(bags, n)`; none by default.

        Raises:
            StopRequestedError: `stop` said so.
        """
        counts = np.bincount(labels, minlength=classes)
        means, mean, deviation = _even_moments(source_views[0], labels, counts)
        target_mean = target_views[0].mean(axis=0)
        target_deviation = target_views[0].std(axis=0) + 1e-3
        space = linear_probe.PCASpace.fit(
            np.concatenate([(view - mean) / deviation for view in source_views])
        )
        views = len(source_views)
        weights = balanced_weights(labels, classes)[None]
        if bags is not None:
            weights = np.concatenate([weights, bags])
        heads = linear_probe.fit_heads(
            space,
            np.tile(labels, views),
            np.tile(weights, views).astype(np.float32),
            classes,
            penalty=PENALTY,
            steps=STEPS,
            stop=stop,
        )
        points = np.stack(
            [space.transform((view - target_mean) / target_deviation) for view in target_views]
        )
        head, logits = heads[0], points @ heads[0]
        bagged = np.zeros((len(heads) - 1, *logits.shape[1:]))
        for bag, of_bag in enumerate(heads[1:]):
            bagged[bag] = mean_over_views(points @ of_bag)
        unaligned = [space.transform((view - mean) / deviation) @ head for view in target_views]
        origin = space.transform(np.zeros((1, len(mean)), np.float32)) @ head
        at_means = space.transform((means - mean) / deviation) @ head
        return cls(
            logits=logits,
            unaligned=np.stack(unaligned),
            class_logits=at_means - origin,
            bagged=bagged,
        )

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.class_logits)

    def answer(self, shares: Array | None = None) -> Array:
        """Mean probabilities over the views `(m, classes)`, if the classes of the target had these
        shares `(classes,)`; even ones by default."""
        moved = self.logits
        if shares is not None:
            moved = moved + (shares - 1 / self.classes) @ self.class_logits
        return mean_over_views(moved)

    def answer_plain(self) -> Array:
        """What the head says of the features as they are, `(m, classes)`."""
        return mean_over_views(self.unaligned)


def balanced_weights(labels: Ints, classes: int, times: Array | None = None) -> Array:
    """Weight of each photo, so that the classes that occur count the same, `(n,)`.

    Args:
        times: how often each photo counts, `(n,)`; once by default.
    """
    counts = np.bincount(labels, weights=times, minlength=classes)
    per_class = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    weights: Array = per_class[labels].astype(np.float32)
    return weights


def mean_over_views(logits: Array) -> Array:
    """Probabilities `(m, classes)` of logits `(views, m, classes)`."""
    probs: Array = np.mean([softmax(view) for view in logits], axis=0)
    return probs


def _even_moments(features: Array, labels: Ints, counts: Ints) -> tuple[Array, Array, Array]:
    """Means of the classes `(classes, d)`, and mean and deviation `(d,)` of their even mixture.

    A class without photos has the mean of all; its deviation is the average one.
    """
    present = counts > 0
    overall = features.mean(axis=0, dtype=np.float64)
    means = np.tile(overall, (len(counts), 1))
    variances = np.zeros_like(means)
    for code in np.flatnonzero(present):
        own = features[labels == code]
        means[code] = own.mean(axis=0, dtype=np.float64)
        variances[code] = own.var(axis=0, dtype=np.float64)
    average = counts @ variances / counts.sum()
    own_weight = (counts / (counts + PSEUDO_PHOTOS))[:, None]
    variances = own_weight * variances + (1 - own_weight) * average
    mean = means[present].mean(axis=0)
    spread = (variances[present] + (means[present] - mean) ** 2).mean(axis=0)
    deviation = np.sqrt(spread) + 1e-3
    return means.astype(np.float32), mean.astype(np.float32), deviation.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """Target photos in principal components `points` `(m, d)`, and the `graph` of those that are
    alike, see `knn_graph`."""

    points: Array
    graph: Any

    @classmethod
    def of(cls, target: Array, *, stop: Callable[[], bool] = lambda: False) -> Neighbourhood:
        """That of features `(m, features)`.

        Raises:
            StopRequestedError: `stop` said so.
        """
        space = linear_probe.PCASpace.fit(target, max_components=GRAPH_COMPONENTS)
        return cls.among(space.points[:, :-1], stop=stop)

    @classmethod
    def among(
        cls,
        points: Array,
        *,
        neighbours: int = NEIGHBOURS,
        stop: Callable[[], bool] = lambda: False,
    ) -> Neighbourhood:
        """That of points `(m, d)`, each with so many neighbours.

        Raises:
            StopRequestedError: `stop` said so.
        """
        return cls(points=points, graph=knn_graph(points, neighbours=neighbours, stop=stop))


def spread_answers(near: Neighbourhood, probs: Array) -> Array:
    """Answers `(m, classes)` spread in the graph, pulled to the centres of their classes and spread
    again, each time moved towards even shares, `(m, classes)`."""
    classes = probs.shape[1]
    even = np.full(classes, 1 / classes)
    probs = propagate(near.graph, balance_classes(probs, even, strength=FIRST_BALANCE))
    probs = fit_centroids(near.points, probs, even, strength=BALANCE)
    return propagate(near.graph, balance_classes(probs, even, strength=BALANCE))
