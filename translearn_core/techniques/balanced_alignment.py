"""Adaptation that does not take the target's class shares for known.

Owns: `BalancedAlignment` (target features aligned to the source as if every class were equally
frequent there, and how its answers change under other shares), `BaggedAnswers` and `spread_answers`
(among photos that are alike).
Leaves to others: the average of aligned and plain answers (`bagged_answers.py`), the technique
(`auto_adaptation.py`), whether anything is adapted (`when_to_adapt.py`), neighbours and balance
(`evaluation/label_propagation.py`).

Aligning mean and deviation over all photos takes a difference in class shares for a shift of the
features. Here the source's moments are those of a mixture of its classes in assumed shares, so that
another assumption is one more row of biases. How the rule and its bounds were chosen:
docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation import linear_probe
from translearn_core.evaluation.calibration import softmax_in_place
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
class BaggedAnswers:
    """Probabilities `(m, classes) float32` by a head of each bag, the mean over views: made anew each time
    that they are asked for, one after the other, so that those of one bag are in memory at a time.

    Attributes:
        points: the photos in the space of the heads, `(views, m, d)`.
        heads: `(bags, d, classes)`.
    """

    points: Array
    heads: Array

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[Array]:
        for head in self.heads:
            yield mean_over_views(view @ head for view in self.points)


@dataclass(frozen=True, kw_only=True)
class BalancedAlignment:
    """Target features aligned to the source with even class shares, seen by a linear head.

    Attributes:
        logits: of the target photos in each view, `(views, m, classes)`.
        unaligned: the same from features as they are.
        class_logits: what the head says of the mean of each class in the source, without its bias,
            `(classes, classes)`: other shares move all logits by their average of these rows.
        bagged: mean probabilities over views by a head of each bag, `(m, classes)` each.
    """

    logits: Array
    unaligned: Array
    class_logits: Array
    bagged: Iterable[Array]

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
            np.concatenate([(view - mean) / deviation for view in source_views]), stop=stop
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
        head = heads[0]
        unaligned = [space.transform((view - mean) / deviation) @ head for view in target_views]
        origin = space.transform(np.zeros((1, len(mean)), np.float32)) @ head
        at_means = space.transform((means - mean) / deviation) @ head
        return cls(
            logits=points @ head,
            unaligned=np.stack(unaligned),
            class_logits=at_means - origin,
            bagged=BaggedAnswers(points=points, heads=heads[1:]),
        )

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.class_logits)

    def answer(self, shares: Array | None = None) -> Array:
        """Mean probabilities over the views `(m, classes)`, if the classes of the target had these
        shares `(classes,)`; even ones by default."""
        if shares is None:
            return mean_over_views(self.logits)
        moved = ((shares - 1 / self.classes) @ self.class_logits).astype(np.float32)
        return mean_over_views(view + moved for view in self.logits)

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


def mean_over_views(logits: Iterable[Array]) -> Array:
    """Probabilities `(m, classes) float32`, the mean over views, of logits `(m, classes)` of each."""
    return running_mean(softmax_in_place(np.array(view, np.float32)) for view in logits)


def running_mean(arrays: Iterable[Array]) -> Array:
    """The mean of arrays of one shape, in their type; of at least one, of which no other stays in memory.

    Raises:
        ValueError: there is none.
    """
    total, number = None, 0
    for number, array in enumerate(arrays, 1):  # noqa: B007
        total = array.copy() if total is None else np.add(total, array, out=total)
    if total is None:
        raise ValueError("a mean of nothing")
    total /= number
    return total


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


def spread_answers(
    near: Neighbourhood, probs: Array, *, stop: Callable[[], bool] = lambda: False
) -> Array:
    """Answers `(m, classes)` spread in the graph, pulled to the centres of their classes and spread
    again, each time moved towards even shares, `(m, classes) float32`.

    Raises:
        StopRequestedError: `stop` said so.
    """
    probs = np.asarray(probs, np.float32)
    even = np.full(probs.shape[1], 1 / probs.shape[1])
    first = balance_classes(probs, even, strength=FIRST_BALANCE)
    probs = propagate(near.graph, first, stop=stop)
    probs = fit_centroids(near.points, probs, even, strength=BALANCE, stop=stop)
    return propagate(near.graph, balance_classes(probs, even, strength=BALANCE), stop=stop)
