"""Domain adaptation with unlabelled photos of the target domain.

Owns: what all methods share (`Adaptation`): both domains, the plain head before, the figures before and after.
Every method ends in a head for the features of the target domain as they come out of the
backbone, so that the saved model, its copies and exports need nothing else.
Leaves to others: the methods (`auto_adaptation.py`, `pseudo_labels.py`, `adaptation_methods.py`), gathering the
photos (`extra_samples.py`), which of them measure (`target_split.py`), how heads are learned (`learning.py`).

Labels that the photos of the target domain may carry are used for `target_accuracy_*` only, of photos that
are not adapted to. How the constants were chosen, and what that means for the figures:
docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.concurrency import run_stoppable
from translearn_core.errors import SourceError
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.inputs import FeatureSource, InMemory
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.techniques.base import Technique, Techniques, TrainingSet
from translearn_core.techniques.domains import Domains
from translearn_core.techniques.extra_samples import gather_unlabelled
from translearn_core.techniques.learning import learn_head, seed
from translearn_core.techniques.target_split import FEWEST, split_target


class Adaptation(Technique):
    """What all methods share: both domains, a plain head to compare with, and the figures.

    A method says in `adapt` what the head learns from.

    Attributes:
        asks_unseeing: whether it asks the plain head that has not learned from the validation photos.
    """

    asks_unseeing = False

    def most_unlabelled(self) -> int | None:
        """How many unlabelled photos are looked at; None: all."""
        return None

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """What the head learns from."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Figures of the method itself."""
        return {}

    def judged_features(self) -> Array:
        """What the saved network makes of the photos that measure the target domain, `(k, d)`."""
        return self._split.judged.pooled

    def prepare(self, training: TrainingSet, monitor: Monitor) -> TrainingSet:
        """See `Technique.prepare`.

        Raises:
            SourceError: too few photos of the target domain can be read.
            StopRequestedError: the run was asked to stop.
        """
        monitor.stage("technique")
        named, data = self.plan.settings.adapt_to, training.data
        most = self.most_unlabelled()
        others = gather_unlabelled(self.plan, named, monitor, most=most)
        if len(others) < FEWEST:
            raise SourceError(
                _(
                    "{n} photos are too few to adapt to a domain; at least {least} are needed. Add "
                    "more to {name}."
                ).format(n=len(others), least=FEWEST, name=named)
            )
        self._split = run_stoppable(
            lambda: split_target(self.plan.settings, data, others),
            lambda: monitor.stop_requested,
        )
        self._domains = Domains(
            data=data,
            others=self._split.adapted,
            rows=data.rows("train"),
            stop=lambda: monitor.stop_requested,
        )
        seed(self.plan)  # gathering may have drawn
        plain, silent = Techniques(self.plan), monitor.silent()
        self._before = learn_head(
            self.plan, training, plain, silent, keeps_unseeing=self.asks_unseeing
        )
        monitor.check_stop()
        self._training = self.adapt(self._domains, monitor)
        return self._training

    def finalize(self, head: Any) -> Any:
        """See `Technique.finalize`; the head is kept for the figures."""
        self._head_after = head
        return head

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """How both domains were answered before and after."""
        data, others, held = self._domains.data, self._domains.others, self._split
        rows, known = data.rows("val"), np.arange(len(held.labels))
        before, after = self._before, self._head_after
        raw = self._training.own_features or data.pooled
        target, target_after = InMemory(held.judged.pooled), InMemory(self.judged_features())
        figures: dict[str, Any] = {
            "way": self.plan.settings.adaptation,
            "n_target": len(others),
            "source_accuracy_before": before.val_accuracy,
            "source_accuracy_after": _accuracy(after, raw, rows, data.labels),
            "n_source": len(rows),
            "n_target_labelled": len(known),
            "held_back": True,
            "target_accuracy_before": _accuracy(before.head, target, known, held.labels),
            "target_accuracy_after": _accuracy(after, target_after, known, held.labels),
            "tested_photos_seen": held.seen,
            "tested_photos_left_out": held.left_out,
        }
        return {"adaptation": figures | self.facts()}


def _accuracy(head: Any, source: FeatureSource, rows: Ints, labels: Ints) -> float | None:
    """Share of these rows that a head names right; None without any."""
    if not len(rows):
        return None
    return float((predict_rows(head, source, rows).argmax(axis=1) == labels[rows]).mean())


class OnStandardised(Adaptation):
    """A method whose head learns on standardised features: at the end the mean and deviation of
    the new domain go into its first layer, so that it takes raw ones."""

    def standardise(self, domains: Domains) -> TrainingData:
        """The data with features standardised by the labelled photos themselves."""
        of, target = domains.source_views()[0], domains.others.pooled
        self._mean, self._deviation = target.mean(axis=0), target.std(axis=0) + 1e-3
        return with_changed_features(domains.data, lambda features: standardised(features, of))

    def finalize(self, head: Any) -> Any:
        """See `Technique.finalize`."""
        first = next(layer for layer in head.layers if hasattr(layer, "kernel"))
        kernel, bias = first.get_weights()
        kernel = kernel / self._deviation[:, None]
        first.set_weights([kernel, bias - self._mean @ kernel])
        return super().finalize(head)

    def as_saved(self, features: Any) -> Any:
        """See `Technique.as_saved`."""
        return features * self._deviation + self._mean


def standardised(features: Array, of: Array) -> Array:
    """`features` in deviations of `of` from its mean."""
    standard: Array = (features - of.mean(axis=0)) / (of.std(axis=0) + 1e-3)
    return standard


def with_changed_features(data: TrainingData, change: Callable[[Array], Array]) -> TrainingData:
    """The data with changed features of the photos that are learned and chosen by."""
    rows = np.flatnonzero(data.split != "test")

    def changed(source: FeatureSource) -> FeatureSource:
        features = np.zeros((len(data.labels), source.shape[1]), np.float32)
        features[rows] = change(source.take(rows))
        return InMemory(features)

    return replace(
        data,
        pooled=changed(data.pooled),
        views_pooled=tuple(changed(view) for view in data.views_pooled),
    )
