"""The default method of domain adaptation, `auto`.

Owns: `LabelPropagation`, what a head learns of the target domain, and when the run is left plain.
Leaves to others: what the answers are made of (`balanced_alignment.py`, `bagged_answers.py`), what asks whether to
adapt (`when_to_adapt.py`), balance and spreading (`evaluation/label_propagation.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.evaluation.label_propagation import sharpen
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.head import learns_from_validation
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.linear import USUAL_PENALTY
from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.techniques.adaptation import Adaptation
from translearn_core.techniques.bagged_answers import (
    USUAL,
    answer_plainly,
    average_answers,
    draw_bags,
    neighbourhoods,
)
from translearn_core.techniques.balanced_alignment import BaggedAnswers, BalancedAlignment
from translearn_core.techniques.base import TrainingSet
from translearn_core.techniques.domains import MOST_UNLABELLED, Domains, most_photos
from translearn_core.techniques.extra_samples import with_extra_samples
from translearn_core.techniques.when_to_adapt import (
    LEAST_TOLD_APART,
    AdaptationCheck,
    judge_alignment,
    tell_apart,
)


class LabelPropagation(Adaptation):
    """The default: target features aligned to the source with even class shares; linear heads of
    bootstrap samples of the labelled photos say what they are, and what the plain features are. These
    answers and those of the plain run are averaged, as they are and spread among target photos that
    are alike. A head that begins as the plain one does learns the average on photos of
    the target domain, and the labelled ones. Where the domains can hardly be told apart, or plain
    answers are of few classes, the run stays the plain one."""

    asks_unseeing = True

    def most_unlabelled(self) -> int | None:
        """See `Adaptation.most_unlabelled`."""
        return most_photos(len(self.plan.dataset.classes), MOST_UNLABELLED)

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """See `Adaptation.adapt`. Validation photos have no part in what judges by them."""
        data, settings, stop = domains.data, self.plan.settings, domains.stop
        learns_all = learns_from_validation(self.plan, data)
        every = (domains.joined() if learns_all else domains).sampled(settings.seed)
        bags = self._draw_bags(every)
        alignment = _align(every, bags)
        plain = _mean_answers(self._before.head, domains.target_views())
        near = neighbourhoods(domains.others.pooled, stop=stop)
        verdict = self._verdict = judge_alignment(
            alignment,
            near[USUAL],
            plain,
            told_apart=self._tell_apart(every),
            seed=settings.seed,
            stop=stop,
        )
        if not verdict.helps:
            monitor.warning(_left_plain(verdict))
            return replace(TrainingSet.of(data), left_plain=True)
        half = self._before.linear_half
        plain_bags = _answer_plainly(every, bags, half)
        taught = _teach(every, average_answers(near, plain, plain_bags, alignment, stop=stop))
        if not learns_all:
            return TrainingSet(data=taught, joined=None)
        first = domains.sampled(settings.seed)
        bags = self._draw_bags(first)
        alignment = _align(first, bags)
        plain = _mean_answers(self._before.unseeing, domains.target_views())
        plain_bags = _answer_plainly(first, bags, self._before.unseeing_half)
        unseeing = average_answers(near, plain, plain_bags, alignment, stop=stop)
        return TrainingSet(data=_teach(first, unseeing), joined=taught, anew=True)

    def _draw_bags(self, domains: Domains) -> Array:
        return draw_bags(domains.labels, domains.classes, self.plan.settings.seed)

    def _tell_apart(self, domains: Domains) -> float:
        return tell_apart(
            domains.data.pooled.take(domains.rows),
            domains.others.pooled,
            source_groups=domains.data.groups[domains.rows],
            target_groups=domains.others.groups_or_each(),
            seed=self.plan.settings.seed,
            stop=domains.stop,
        )

    def finalize(self, head: Any) -> Any:
        """See `Technique.finalize`; where nothing was adapted, nothing differs before and after."""
        if not self._verdict.helps:
            self._before = replace(self._before, head=head)
        return super().finalize(head)

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """See `Technique.figures`; the head may have learned from the validation photos in the end,
        so that what it says of them now is no measure."""
        figures = super().figures(test)
        figures["adaptation"] |= {"source_accuracy_after": test.val_accuracy}
        if not self._verdict.helps:
            figures["adaptation"] |= {"source_accuracy_before": test.val_accuracy}
        return figures

    def facts(self) -> dict[str, Any]:
        """See `Adaptation.facts`."""
        return self._verdict.figures()


def _align(domains: Domains, bags: Array) -> BalancedAlignment:
    return BalancedAlignment.fit(
        domains.source_views(),
        domains.labels,
        domains.target_views(),
        classes=domains.classes,
        bags=bags,
        stop=domains.stop,
    )


def _answer_plainly(
    domains: Domains, bags: Array, half: Mapping[str, float] | None
) -> BaggedAnswers:
    """By heads as strict and as sure as the linear half of the plain run, where it has one."""
    half = half or {}
    return answer_plainly(
        domains.source_views(),
        domains.labels,
        domains.target_views(),
        bags,
        classes=domains.classes,
        penalty=half.get("penalty", USUAL_PENALTY),
        temperature=half.get("temperature", 1.0),
        stop=domains.stop,
    )


def _teach(domains: Domains, answers: Array) -> TrainingData:
    """The data with the photos of the target domain, to be answered like that `(m, classes)`."""
    targets = sharpen(answers).astype(np.float32)
    return with_extra_samples(domains.data, domains.others.as_extra_samples(targets))


def _mean_answers(head: Any, views: Sequence[Array]) -> Array:
    """Probabilities `(m, classes)` of a head, the mean over views `(m, d)` of the same photos."""
    rows = np.arange(len(views[0]))
    probs: Array = np.mean([predict_rows(head, InMemory(view), rows) for view in views], axis=0)
    return probs


def _left_plain(verdict: AdaptationCheck) -> str:
    if verdict.left_plain == "few_classes":
        return _(
            "Nothing is adapted to the new domain; this is the plain run: what it says of the photos "
            "from there falls into few classes, which is too little to go by. If it is wrong, label a "
            "few of them, or choose a method with `adaptation` and compare."
        )
    whole = math.floor(round(100 * verdict.told_apart, 6))  # what is below the least reads so
    return _(
        "Nothing is adapted to the new domain; this is the plain run: photos from there can hardly "
        "be told from the labelled ones (right in {share} of the cases; at least {least} would be "
        "needed). If they differ in a way that matters, label a few of them, or choose a method with "
        "`adaptation` and compare."
    ).format(share=percent(whole / 100), least=percent(LEAST_TOLD_APART))
