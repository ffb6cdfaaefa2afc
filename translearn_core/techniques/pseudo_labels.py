"""Domain adaptation by pseudo-labels (Lee 2013).

Owns: `PseudoLabels`, and which guesses become labels (`surest`).
Leaves to others: what all methods share (`adaptation.py`), heads on features (`evaluation/linear_probe.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.evaluation import linear_probe
from translearn_core.evaluation.label_propagation import balance_classes
from translearn_core.fitting.inputs import InMemory
from translearn_core.monitor import Monitor
from translearn_core.techniques.adaptation import OnStandardised, standardised
from translearn_core.techniques.base import TrainingSet
from translearn_core.techniques.domains import Domains
from translearn_core.techniques.extra_samples import with_extra_samples

PENALTY = 3.0
"""Of the linear head that makes the first guesses, see `linear_probe.fit_heads`."""
BALANCE = 0.6
"""How far `pseudo` takes classes of the target domain to be as frequent as among the labelled photos."""
PSEUDO_ROUNDS = 5
"""Rounds in which ever more of the surest guesses are learned from: a third at first, then all
but a tenth."""


class PseudoLabels(OnStandardised):
    """The surest guesses become labels, class by class, more of them in each round (Lee 2013)."""

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """See `Adaptation.adapt`."""
        joint = _JointSpace.fit(
            domains.source_views(),
            domains.labels,
            domains.target_views(),
            classes=domains.classes,
            stop=domains.stop,
        )
        kept = np.zeros(joint.targets, bool)
        probs = joint.answer(joint.learn(np.zeros(joint.targets, np.int64), kept))
        for number in range(PSEUDO_ROUNDS):
            probs = balance_classes(probs, domains.priors, strength=BALANCE)
            kept = surest(probs, share=1 / 3 + number * (0.9 - 1 / 3) / (PSEUDO_ROUNDS - 1))
            probs = joint.answer(joint.learn(probs.argmax(axis=1), kept))
        self._kept = kept
        self._threshold = float(probs.max(axis=1)[kept].min()) if kept.any() else 1.0
        chosen, of = domains.others.chosen(np.flatnonzero(kept)), domains.others.pooled
        targets = np.eye(domains.classes, dtype=np.float32)[probs[kept].argmax(axis=1)]
        extra = replace(
            chosen.as_extra_samples(targets),
            pooled=InMemory(standardised(chosen.pooled, of)),
            views=tuple(InMemory(standardised(view, of)) for view in chosen.views),
        )
        return TrainingSet(data=with_extra_samples(self.standardise(domains), extra), joined=None)

    def facts(self) -> dict[str, Any]:
        """See `Adaptation.facts`."""
        return {"pseudo_labels": int(self._kept.sum()), "threshold": round(self._threshold, 3)}


def surest(probs: Array, *, share: float) -> Bools:
    """The surest `share` of the photos of each guessed class, `(n,) bool`."""
    labels, confidence = probs.argmax(axis=1), probs.max(axis=1)
    kept = np.zeros(len(labels), bool)
    for code in np.unique(labels):
        rows = np.flatnonzero(labels == code)
        most = max(1, round(len(rows) * share))
        kept[rows[np.argsort(-confidence[rows], kind="stable")[:most]]] = True
    return kept


@dataclass(frozen=True, kw_only=True)
class _JointSpace:
    """Both domains, each standardised by itself, in one space of few dimensions.

    `points` `(views, m, d' + 1)` of the unlabelled photos.
    """

    space: linear_probe.PCASpace
    labels: Ints
    classes: int
    views: int
    points: Array
    stop: Callable[[], bool]

    @classmethod
    def fit(
        cls,
        source_views: Sequence[Array],
        labels: Ints,
        target_views: Sequence[Array],
        *,
        classes: int,
        stop: Callable[[], bool],
    ) -> _JointSpace:
        source = [standardised(view, source_views[0]) for view in source_views]
        target = [standardised(view, target_views[0]) for view in target_views]
        space = linear_probe.PCASpace.fit(np.concatenate([*source, *target]))
        points = space.points[len(source[0]) * len(source) :]
        points = points.reshape(len(target), len(target[0]), -1)
        return cls(
            space=space,
            labels=labels,
            classes=classes,
            views=len(source),
            points=points,
            stop=stop,
        )

    @property
    def targets(self) -> int:
        """How many unlabelled photos there are."""
        return int(self.points.shape[1])

    def learn(self, labels: Ints, learned: Bools) -> Array:
        """A linear head of the labelled photos, and of unlabelled ones in `learned` `(m,)` with their
        guessed `labels` `(m,)`."""
        own, target_views = self.labels, len(self.points)
        every = np.concatenate([np.tile(own, self.views), np.tile(labels, target_views)])
        mask = np.concatenate(
            [np.ones(len(own) * self.views, bool), np.tile(learned, target_views)]
        )
        return linear_probe.fit_heads(
            self.space,
            every,
            mask[None],
            self.classes,
            penalty=PENALTY,
            stop=self.stop,
        )

    def answer(self, head: Array) -> Array:
        """Mean probabilities over the views of the unlabelled photos, `(m, classes)`."""
        probs: Array = np.mean(
            [linear_probe.predict_heads(view, head) for view in self.points], axis=0
        )
        return probs
