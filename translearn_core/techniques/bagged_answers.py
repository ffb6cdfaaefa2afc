"""What many heads say of the target, each of a sample of its own, and the average of it all.

Owns: `draw_bags` (bootstrap samples of the labelled photos), `answer_plainly` (what a head of each
says of features as they are), `neighbourhoods` (of several sizes) and `average_answers` (plain and aligned
ones, as they are and spread).
Leaves to others: the alignment with even class shares and how answers are spread
(`balanced_alignment.py`), whether anything is adapted (`when_to_adapt.py`), the technique
(`auto_adaptation.py`).

Answers that are spread among photos that are alike fall for all of a cluster or for none: a few other
labelled photos, another size of neighbourhood, and a cluster is of another class. Their average over such
changes is sure only where these change nothing (bagging, Breiman 1996); elsewhere plain answers decide.
How the rule was chosen: docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation import linear_probe
from translearn_core.evaluation.label_propagation import NEIGHBOURS
from translearn_core.fitting.linear import SPREAD_POWER
from translearn_core.techniques.balanced_alignment import (
    GRAPH_COMPONENTS,
    STEPS,
    BaggedAnswers,
    BalancedAlignment,
    Neighbourhood,
    balanced_weights,
    running_mean,
    spread_answers,
)

BAGS = 8
"""Bootstrap samples of the labelled photos."""
NEIGHBOURHOODS = ((5, 64), (NEIGHBOURS, GRAPH_COMPONENTS), (10, 32), (10, 200))
"""Neighbours, and principal components in which they are looked for; bags take them in turn."""
USUAL = 1
"""Which of them is asked where there is one: whether anything is adapted."""
PLAIN_SHARE = 0.25
"""Of plain answers as they are in the average; the three others have the rest in equal parts."""


def draw_bags(labels: Ints, classes: int, seed: int) -> Array:
    """Weights of labelled photos in each bag `(BAGS, n)`: how often each was drawn (by Poisson's law
    with mean 1), balanced over the classes. Of each class that occurs at least one photo is there."""
    rng = np.random.default_rng([seed, 77])
    bags = []
    for _bag in range(BAGS):
        times = rng.poisson(1, len(labels)).astype(np.float64)
        for code in np.unique(labels):
            own = np.flatnonzero(labels == code)
            if not times[own].any():
                times[rng.choice(own)] = 1
        bags.append(times * balanced_weights(labels, classes, times))
    return np.stack(bags)


def answer_plainly(
    source_views: Sequence[Array],
    labels: Ints,
    target_views: Sequence[Array],
    bags: Array,
    *,
    classes: int,
    penalty: float,
    temperature: float,
    stop: Callable[[], bool] = lambda: False,
) -> BaggedAnswers:
    """What a linear head of each bag says of the target, nothing aligned, `(m, classes)` each.

    Args:
        source_views: features of the labelled photos `(n, d)`, as they are and in each view.
        labels: theirs, `(n,)`.
        target_views: features of the unlabelled photos `(m, d)`, likewise.
        bags: of `draw_bags`.
        penalty, temperature: of the linear half of the plain run.

    Raises:
        StopRequestedError: `stop` said so.
    """
    views = len(source_views)
    space = linear_probe.PCASpace.fit(np.concatenate(source_views), power=SPREAD_POWER, stop=stop)
    heads = linear_probe.fit_heads(
        space,
        np.tile(labels, views),
        np.tile(bags, views).astype(np.float32),
        classes,
        penalty=penalty,
        steps=STEPS,
        stop=stop,
    )
    points = np.stack([space.transform(view) for view in target_views])
    return BaggedAnswers(points=points, heads=heads / np.float32(temperature))


def neighbourhoods(
    target: Array, *, stop: Callable[[], bool] = lambda: False
) -> list[Neighbourhood]:
    """Those of `NEIGHBOURHOODS`, of features `(m, features)`.

    Raises:
        StopRequestedError: `stop` said so.
    """
    most = max(components for _neighbours, components in NEIGHBOURHOODS)
    points = linear_probe.PCASpace.fit(target, max_components=most, stop=stop).points[:, :-1]
    return [
        Neighbourhood.among(points[:, :components], neighbours=neighbours, stop=stop)
        for neighbours, components in NEIGHBOURHOODS
    ]


def average_answers(
    near: Sequence[Neighbourhood],
    plain: Array,
    plain_bags: Iterable[Array],
    alignment: BalancedAlignment,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Array:
    """Plain and aligned answers, each as they are and spread, in one average `(m, classes) float32`.

    All but plain answers as they are, which are those of the run itself, are means over the bags. What
    is spread is half of all labelled photos and half of the bag, each in a neighbourhood of its own.
    Each of the four is far off on other pairs of domains; an average errs less than they do on the mean,
    the less the more they differ (Krogh & Vedelsby 1995), and no estimate of which one is right is
    needed.

    Args:
        near: of `neighbourhoods`, taken in turn.
        plain: of the plain run, the mean over views, `(m, classes)`.
        plain_bags: of `answer_plainly`, `(m, classes)` each.
        alignment: with as many bags.

    Raises:
        StopRequestedError: `stop` said so.
    """
    plain = np.asarray(plain, np.float32)
    others = [
        running_mean(alignment.bagged),
        _spread_bags(near, alignment.answer(), alignment.bagged, stop),
        _spread_bags(near, plain, plain_bags, stop),
    ]
    average: Array = PLAIN_SHARE * plain + (1 - PLAIN_SHARE) * running_mean(others)
    return average


def _spread_bags(
    near: Sequence[Neighbourhood], answers: Array, bags: Iterable[Array], stop: Callable[[], bool]
) -> Array:
    return running_mean(
        spread_answers(near[number % len(near)], (answers + bag) / 2, stop=stop)
        for number, bag in enumerate(bags)
    )
