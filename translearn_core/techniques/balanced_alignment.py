"""Adaptation that does not take the target's class shares for known, and the evidence for it.

Owns: `BalancedAlignment` (target features aligned to the source as if every class were equally
frequent there, and how its answers change under other shares), `spread_answers` (among photos that are
alike), `average_answers` (aligned and plain ones, as they are and spread), and `judge_alignment`
(whether the domains differ, and what speaks for alignment, told without labels of the target).
Leaves to others: the technique (`adaptation.py`), neighbours and balance
(`evaluation/label_propagation.py`).

Aligning mean and deviation over all photos takes a difference in class shares for a shift of the
features. Here the source's moments are those of a mixture of its classes in assumed shares, so that
another assumption is one more row of biases. How the rule and its bounds were chosen:
docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import entropy

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation import linear_probe
from translearn_core.evaluation.calibration import softmax
from translearn_core.evaluation.cross_validation import assign_folds, mean_recall
from translearn_core.evaluation.evidence import standard_errors
from translearn_core.evaluation.label_propagation import (
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
DRAWS = 60
"""Vectors of class shares under which guesses are compared with plain labels."""
LEAST_TOLD_APART = 0.9
"""Where a linear head tells photos of the two domains apart less often, nothing is adapted."""
LEAST_DIVERSITY = 0.85
"""Where plain answers, spread, fall into fewer classes than that, nothing is adapted, see `diversity`."""
FOLDS = 3
PLAIN_SHARE = 0.4
"""Of plain answers as they are in the average; the other three have the rest in equal parts."""


LeftPlain = Literal["alike", "few_classes"]
"""Why nothing is adapted: the domains hardly differ, or plain answers are of few classes."""


@dataclass(frozen=True, kw_only=True)
class BalancedAlignment:
    """Target features aligned to the source with even class shares, seen by a linear head.

    Attributes:
        logits: of the target photos in each view, `(views, m, classes)`.
        unaligned: the same from features as they are.
        class_logits: what the head says of the mean of each class in the source, without its bias,
            `(classes, classes)`: other shares move all logits by their average of these rows.
    """

    logits: Array
    unaligned: Array
    class_logits: Array

    @classmethod
    def fit(
        cls,
        source_views: Sequence[Array],
        labels: Ints,
        target_views: Sequence[Array],
        *,
        classes: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> BalancedAlignment:
        """Align, and fit the head on the source with balanced classes.

        Args:
            source_views: features of the labelled photos `(n, d)`, as they are and in each view.
            labels: theirs, `(n,)`.
            target_views: features of the unlabelled photos `(m, d)`, likewise.

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
        head = linear_probe.fit_heads(
            space,
            np.tile(labels, views),
            np.tile(_balanced(labels, classes), views)[None],
            classes,
            penalty=PENALTY,
            steps=STEPS,
            stop=stop,
        )[0]
        logits = [
            space.transform((view - target_mean) / target_deviation) @ head for view in target_views
        ]
        unaligned = [space.transform((view - mean) / deviation) @ head for view in target_views]
        origin = space.transform(np.zeros((1, len(mean)), np.float32)) @ head
        at_means = space.transform((means - mean) / deviation) @ head
        return cls(
            logits=np.stack(logits), unaligned=np.stack(unaligned), class_logits=at_means - origin
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
        return _mean_over_views(moved)

    def answer_plain(self) -> Array:
        """What the head says of the features as they are, `(m, classes)`."""
        return _mean_over_views(self.unaligned)


def tell_apart(
    source: Array,
    target: Array,
    *,
    source_groups: Ints,
    target_groups: Ints,
    seed: int,
    stop: Callable[[], bool] = lambda: False,
) -> float:
    """How often a linear head names the domain of a photo that it did not learn from, mean of both.

    This is the proxy of the distance of two domains by Ben-David et al. 2010. Groups are learned
    from or asked about as a whole: a photo is known by its near-copies, whatever the domain. Other
    shares of the classes raise it, too, where k classes are even in the source and the target has a
    single one up to 1 - 1/(2k).

    Args:
        source, target: features `(n, d)` and `(m, d)`.
        source_groups, target_groups: numbers `(n,)` and `(m,)` from 0, see `datasets.groups_of`;
            the same number in both is not the same group.

    Raises:
        StopRequestedError: `stop` said so.
    """
    domains = np.repeat([0, 1], [len(source), len(target)])
    groups = np.concatenate([source_groups, source_groups.max(initial=-1) + 1 + target_groups])
    rng = np.random.default_rng([seed, 101])
    folds = assign_folds(domains, groups, folds=FOLDS, rng=rng)
    space = linear_probe.PCASpace.fit(
        np.concatenate([source, target]), max_components=GRAPH_COMPONENTS
    )
    learned = np.stack([folds != fold for fold in range(FOLDS)])
    counts = learned.astype(np.float64) @ np.eye(2)[domains]  # (folds, 2)
    weights = learned * (len(domains) / np.maximum(counts, 1))[:, domains]
    heads = linear_probe.fit_heads(
        space, domains, weights.astype(np.float32), 2, penalty=PENALTY, stop=stop
    )
    answers = linear_probe.predict_heads(space.points, heads, ~learned).argmax(axis=1)
    return mean_recall((answers == domains).astype(float), domains)


def _balanced(labels: Ints, classes: int) -> Array:
    """Weight of each photo, so that the classes that occur count the same, `(n,)`."""
    counts = np.bincount(labels, minlength=classes)
    per_class = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    weights: Array = per_class[labels].astype(np.float32)
    return weights


def _mean_over_views(logits: Array) -> Array:
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
        points = space.points[:, :-1]
        return cls(points=points, graph=knn_graph(points, stop=stop))


def spread_answers(near: Neighbourhood, probs: Array) -> Array:
    """Answers `(m, classes)` spread in the graph, pulled to the centres of their classes and spread
    again, each time moved towards even shares, `(m, classes)`."""
    classes = probs.shape[1]
    even = np.full(classes, 1 / classes)
    probs = propagate(near.graph, balance_classes(probs, even, strength=FIRST_BALANCE))
    probs = fit_centroids(near.points, probs, even, strength=BALANCE)
    return propagate(near.graph, balance_classes(probs, even, strength=BALANCE))


def average_answers(near: Neighbourhood, plain: Array, aligned: Array) -> Array:
    """Plain and aligned answers `(m, classes)`, each as they are and spread, in one average.

    Each of the four is far off on other pairs of domains: plain ones where the shift is large, aligned
    ones where class shares or shapes differ, spread ones where photos of several classes are alike.
    An average errs less than they do on the mean, the less the more they differ (Krogh & Vedelsby
    1995), and no estimate of which one is right is needed.
    """
    others = [aligned, spread_answers(near, aligned), spread_answers(near, plain)]
    average: Array = PLAIN_SHARE * plain + (1 - PLAIN_SHARE) * np.mean(others, axis=0)
    return average


@dataclass(frozen=True, kw_only=True)
class AdaptationCheck:
    """Whether the domains differ, and for the record what speaks for alignment.

    Attributes:
        told_apart: how often a linear head tells photos of the two domains apart, 0.5 as by chance.
        plain: how far photos that are alike have the same label without alignment, 0 as by chance
            and 1 always.
        aligned: the same by the aligned head.
        agreement_certainty: the difference of the two, in standard errors.
        diversity: of plain answers once they are spread, see `diversity`.
        information_certainty: how much more the labels of photos that are alike tell of each other
            with alignment than without, in standard errors.
        expected_gain: mean gain in accuracy over class shares drawn at random, as far as the
            aligned head is right under them.
    """

    told_apart: float
    plain: float
    aligned: float
    agreement_certainty: float
    diversity: float
    information_certainty: float
    expected_gain: float

    @property
    def weight(self) -> float:
        """How much the other answers count beside plain ones; 0 where they do not."""
        return 1 - PLAIN_SHARE if self.helps else 0.0

    @property
    def helps(self) -> bool:
        """Whether there is another domain, and enough to go by."""
        return self.left_plain is None

    @property
    def left_plain(self) -> LeftPlain | None:
        """Why nothing is adapted; None where something is."""
        if self.told_apart < LEAST_TOLD_APART:
            return "alike"
        return "few_classes" if self.diversity < LEAST_DIVERSITY else None

    def figures(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "helps": self.helps,
            "left_plain": self.left_plain,
            "diversity": round(self.diversity, 4),
            "told_apart": round(self.told_apart, 4),
            "weight": round(self.weight, 3),
            "consistency_plain": round(self.plain, 4),
            "consistency": round(self.aligned, 4),
            "consistency_certainty": round(self.agreement_certainty, 3),
            "information_certainty": round(self.information_certainty, 3),
            "expected_gain": round(self.expected_gain, 4),
        }


def diversity(answers: Array) -> float:
    """How evenly the labels of answers `(m, classes)` fall into the classes: the entropy of their
    shares in units of the largest that so many answers can have, from 0 (one class) to 1."""
    photos, classes = answers.shape
    shares = np.bincount(answers.argmax(axis=1), minlength=classes) / photos
    return float(entropy(shares) / np.log(min(photos, classes))) if photos > 1 else 0.0


def judge_alignment(
    alignment: BalancedAlignment,
    near: Neighbourhood,
    plain: Array,
    *,
    told_apart: float,
    seed: int,
) -> AdaptationCheck:
    """Whether something is adapted, told without labels of the target.

    Photos of the two domains can be told apart (see `tell_apart`), and plain answers are diverse once
    they are spread towards even shares: where they still fall into few classes, either these are the
    only ones there, or plain answers have nothing to go by (diversity of answers is what Krause et
    al. 2010 and Liang, Hu & Feng 2020 maximise, against just this).

    For the record, what is said by the linear head of the alignment is compared with and without it:
    photos that are alike agree more about aligned labels (the density of neighbourhoods, Saito et al.
    2021), which labels that fall into one or two classes do easily; these tell more of each other
    (mutual information); and the gain on the mean over class shares of the target drawn from a flat
    Dirichlet law. None of the three foretells the gain in accuracy
    (docs/experiments/domain_adaptation.md).

    Args:
        plain: answers of the plain run about the target photos, `(m, classes)`.
        told_apart: see `tell_apart`.
    """
    diverse = diversity(spread_answers(near, plain))
    graph, unaligned = near.graph, alignment.answer_plain().argmax(axis=1)
    guesses = spread_answers(near, alignment.answer()).argmax(axis=1)
    classes, aligned = alignment.classes, alignment.answer().argmax(axis=1)
    before, after = (_agreement(graph, labels, classes) for labels in (unaligned, aligned))
    told_before, told_after = (
        _information(graph, labels, classes) for labels in (unaligned, aligned)
    )
    rng = np.random.default_rng([seed, 79])
    rows, gains = np.arange(len(unaligned)), []
    for _draw in range(DRAWS):
        probs = alignment.answer(rng.dirichlet(np.ones(classes)))
        gains.append(float((probs[rows, guesses] - probs[rows, unaligned]).mean()))
    return AdaptationCheck(
        told_apart=told_apart,
        plain=float(before.mean()),
        aligned=float(after.mean()),
        agreement_certainty=standard_errors(after - before),
        diversity=diverse,
        information_certainty=standard_errors(told_after - told_before),
        expected_gain=float(np.mean(gains)),
    )


def _agreement(graph: Any, labels: Ints, classes: int) -> Array:
    """How far the neighbours of each photo share its label, beyond chance, `(m,)`.

    0 everywhere where all have one label: there is nothing to agree about.
    """
    one_hot = np.eye(classes)[labels]
    share = _of_neighbours(graph, one_hot)[np.arange(len(labels)), labels]
    chance = float(np.square(one_hot.mean(axis=0)).sum())
    agreement: Array = (share - chance) / (1 - chance) if chance < 1 else np.zeros(len(labels))
    return agreement


def _information(graph: Any, labels: Ints, classes: int) -> Array:
    """What the label of each photo and those of its neighbours tell of each other, in nats, `(m,)`.

    The mean is their mutual information, less what as many labels tell in random order.
    """
    rng = np.random.default_rng(83)
    told = _told(graph, labels, classes)
    return told - float(
        np.mean([_told(graph, rng.permutation(labels), classes).mean() for _shuffle in range(3)])
    )


def _told(graph: Any, labels: Ints, classes: int) -> Array:
    one_hot = np.eye(classes)[labels]
    pairs = one_hot.T @ (graph @ one_hot)  # (classes, classes), symmetric
    pairs /= max(float(pairs.sum()), 1e-12)
    alone = pairs.sum(axis=0)
    expected = np.outer(alone, alone)
    ratio = np.divide(pairs, expected, out=np.ones_like(pairs), where=pairs > 0)
    return _of_neighbours(graph, one_hot @ np.log(ratio))[np.arange(len(labels)), labels]


def _of_neighbours(graph: Any, values: Array) -> Array:
    """The mean over the neighbours of each photo, `(m, k)`."""
    weights = np.maximum(np.asarray(graph.sum(axis=1)), 1e-12).reshape(-1, 1)
    mean: Array = (graph @ values) / weights
    return mean
