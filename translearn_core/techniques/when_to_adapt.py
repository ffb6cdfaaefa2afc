"""When `adapt_to` with `adaptation` left to `auto` adapts, and when it leaves the plain run.

Owns: `AdaptationCheck` and the bounds by which it decides, `tell_apart` (whether the domains differ),
`diversity` (whether plain answers have something to go by), and `judge_alignment`, which makes a check
without labels of the target, with what else speaks for alignment.
Leaves to others: what is adapted (`balanced_alignment.py`, `bagged_answers.py`), the technique and its sentences
(`auto_adaptation.py`).

How the rule and its bounds were chosen: docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import entr

from translearn_core.arrays import Array, Ints
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation import linear_probe
from translearn_core.evaluation.cross_validation import assign_folds, mean_recall
from translearn_core.evaluation.evidence import standard_errors
from translearn_core.techniques.bagged_answers import PLAIN_SHARE
from translearn_core.techniques.balanced_alignment import (
    GRAPH_COMPONENTS,
    PENALTY,
    BalancedAlignment,
    Neighbourhood,
    spread_answers,
)

DRAWS = 60
"""Vectors of class shares under which guesses are compared with plain labels."""
LEAST_TOLD_APART = 0.9
"""Where a linear head tells photos of the two domains apart less often, nothing is adapted."""
LEAST_DIVERSITY = 0.85
"""Where plain answers, spread, fall into fewer classes than that, nothing is adapted, see `diversity`."""
FOLDS = 3
MOST_TOLD_APART = 4_000
"""Photos of each domain that are told apart: the share is then known to half a point."""

LeftPlain = Literal["alike", "few_classes"]
"""Why nothing is adapted: the domains hardly differ, or plain answers are of few classes."""


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
    rng = np.random.default_rng([seed, 101])
    source, source_groups = _some(source, source_groups, rng)
    target, target_groups = _some(target, target_groups, rng)
    domains = np.repeat([0, 1], [len(source), len(target)])
    groups = np.concatenate([source_groups, source_groups.max(initial=-1) + 1 + target_groups])
    folds = assign_folds(domains, groups, folds=FOLDS, rng=rng)
    space = linear_probe.PCASpace.fit(
        np.concatenate([source, target]), max_components=GRAPH_COMPONENTS, stop=stop
    )
    learned = np.stack([folds != fold for fold in range(FOLDS)])
    counts = learned.astype(np.float64) @ np.eye(2)[domains]  # (folds, 2)
    weights = learned * (len(domains) / np.maximum(counts, 1))[:, domains]
    heads = linear_probe.fit_heads(
        space, domains, weights.astype(np.float32), 2, penalty=PENALTY, stop=stop
    )
    answers = linear_probe.predict_heads(space.points, heads, ~learned).argmax(axis=1)
    return mean_recall((answers == domains).astype(float), domains)


def _some(features: Array, groups: Ints, rng: np.random.Generator) -> tuple[Array, Ints]:
    if len(features) <= MOST_TOLD_APART:
        return features, groups
    rows = np.sort(rng.permutation(len(features))[:MOST_TOLD_APART])
    return features[rows], groups[rows]


def diversity(answers: Array) -> float:
    """How evenly the labels of answers `(m, classes)` fall into the classes: the entropy of their
    shares in units of the largest that so many answers can have, from 0 (one class) to 1."""
    photos, classes = answers.shape
    shares = np.bincount(answers.argmax(axis=1), minlength=classes) / photos
    return float(entr(shares).sum() / np.log(min(photos, classes))) if photos > 1 else 0.0


def judge_alignment(
    alignment: BalancedAlignment,
    near: Neighbourhood,
    plain: Array,
    *,
    told_apart: float,
    seed: int,
    stop: Callable[[], bool] = lambda: False,
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

    Raises:
        StopRequestedError: `stop` said so.
    """
    diverse = diversity(spread_answers(near, plain, stop=stop))
    graph, unaligned = near.graph, alignment.answer_plain().argmax(axis=1)
    guesses = spread_answers(near, alignment.answer(), stop=stop).argmax(axis=1)
    classes, aligned = alignment.classes, alignment.answer().argmax(axis=1)
    before, after = (_agreement(graph, labels, classes) for labels in (unaligned, aligned))
    told_before, told_after = (
        _information(graph, labels, classes) for labels in (unaligned, aligned)
    )
    rng = np.random.default_rng([seed, 79])
    rows, gains = np.arange(len(unaligned)), []
    for _draw in range(DRAWS):
        if stop():
            raise StopRequestedError
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
