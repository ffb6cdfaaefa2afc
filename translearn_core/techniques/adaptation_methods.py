"""The methods of domain adaptation by name, and those that change features alone.

Owns: `METHODS`; correlation alignment, re-estimated BatchNorm statistics and gradient reversal as methods.
Leaves to others: `auto` (`auto_adaptation.py`), pseudo-labels (`pseudo_labels.py`), measuring statistics
(`adabn.py`), reversed training (`dann.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.fit_spec import Fitted
from translearn_core.fitting.inputs import InMemory
from translearn_core.monitor import Monitor
from translearn_core.techniques.adabn import renormalise
from translearn_core.techniques.adaptation import (
    Adaptation,
    OnStandardised,
    standardised,
    with_changed_features,
)
from translearn_core.techniques.auto_adaptation import LabelPropagation
from translearn_core.techniques.base import TrainingSet
from translearn_core.techniques.domains import Domains
from translearn_core.techniques.pseudo_labels import PseudoLabels


class Coral(Adaptation):
    """Sorted photos recoloured with the correlations of the target domain (Sun et al. 2016)."""

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """See `Adaptation.adapt`."""
        recolour = coral(domains.source_views()[0], domains.others.pooled)
        return TrainingSet(data=with_changed_features(domains.data, recolour), joined=None)


def coral(source: Array, target: Array) -> Callable[[Array], Array]:
    """From features of the source domain `(n, d)` to the mean and correlations of the target."""
    rotation = _correlation_root(source, inverse=True) @ _correlation_root(target, inverse=False)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)

    def move(features: Array) -> Array:
        moved: Array = ((features - source_mean) @ rotation + target_mean).astype(np.float32)
        return moved

    return move


def _correlation_root(features: Array, *, inverse: bool) -> Array:
    """Root of the covariance (or of its inverse) `(d, d)`, with the identity added, in units of
    the mean variance."""
    exact = features.astype(np.float64)
    covariance = np.cov(exact, rowvar=False)
    unit = float(np.trace(covariance)) / len(covariance)
    values, vectors = np.linalg.eigh(covariance + unit * np.eye(len(covariance)))
    root: Array = (vectors * values ** (-0.5 if inverse else 0.5)) @ vectors.T
    return root


class AdaptiveBatchNorm(Adaptation):
    """Statistics of BatchNorm measured afresh in the target domain (AdaBN, Li et al. 2016)."""

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """See `Adaptation.adapt`."""
        renormalised = renormalise(
            self.plan, domains.data, domains.others, monitor, judged=self._split.judged
        )
        self._judged_features = renormalised.judged
        return TrainingSet(
            data=renormalised.data,
            joined=None,
            own_features=InMemory(renormalised.own),
            change=renormalised.change,
        )

    def judged_features(self) -> Array:
        """See `Adaptation.judged_features`."""
        return self._judged_features


class DomainAdversarial(OnStandardised):
    """Features that do not tell the domains apart, by gradient reversal (Ganin et al. 2016)."""

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """See `Adaptation.adapt`."""
        views = domains.target_views()
        self._target = np.concatenate([standardised(view, domains.others.pooled) for view in views])
        return TrainingSet(data=self.standardise(domains), joined=None)

    def fit_head(self, head: Any, data: TrainingData, monitor: Monitor) -> Fitted | None:
        """See `Technique.fit_head`; its rounds are none of the run's epochs."""
        from translearn_core.techniques.dann import train_reversed

        rows, sources = data.rows("train"), (data.pooled, *data.views_pooled)
        features = np.concatenate([source.take(rows) for source in sources])
        labels = np.tile(data.labels[rows], len(sources))
        train_reversed(
            head,
            features,
            labels,
            self._target,
            learning_rate=self.plan.settings.learning_rate,
            seed=self.plan.settings.seed,
            monitor=monitor,
        )
        return Fitted(epochs=0)


METHODS: dict[str, type[Adaptation]] = {
    "auto": LabelPropagation,
    "pseudo": PseudoLabels,
    "coral": Coral,
    "batchnorm": AdaptiveBatchNorm,
    "dann": DomainAdversarial,
}
"""By the value of the setting `adaptation`."""
