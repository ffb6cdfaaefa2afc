"""Domain adaptation with unlabelled photos of the target domain.

Owns: the methods of adaptation on what a frozen backbone sees (`METHODS`), and the figures before
and after. Every method ends in a head for the features of the target domain as they come out of the
backbone, so that the saved model, its copies and exports need nothing else.
Leaves to others: gathering the photos (`extra_samples.py`), what `auto` is made of
(`balanced_alignment.py`, `bagged_answers.py`) and when it leaves the plain run (`when_to_adapt.py`), balance
(`evaluation/label_propagation.py`), re-estimated BatchNorm statistics (`adabn.py`), gradient reversal
(`dann.py`), how heads are learned (`learning.py`).

Labels that the photos of the target domain may carry are used for `target_accuracy_*` only, of photos that
are not adapted to (`target_split.py`). How the
constants were chosen, and what that means for the figures: docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.errors import SourceError
from translearn_core.evaluation import linear_probe
from translearn_core.evaluation.label_propagation import (
    balance_classes,
    sharpen,
)
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.fit_spec import Fitted
from translearn_core.fitting.head import learns_from_validation
from translearn_core.fitting.inputs import FeatureSource, InMemory
from translearn_core.fitting.linear import USUAL_PENALTY
from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.runs.provenance import are_copies
from translearn_core.techniques.adabn import renormalise
from translearn_core.techniques.bagged_answers import (
    USUAL,
    answer_plainly,
    average_answers,
    draw_bags,
    neighbourhoods,
)
from translearn_core.techniques.balanced_alignment import BaggedAnswers, BalancedAlignment
from translearn_core.techniques.base import Technique, Techniques, TrainingSet
from translearn_core.techniques.domains import MOST_UNLABELLED, Domains, most_photos
from translearn_core.techniques.extra_samples import (
    gather_unlabelled,
    with_extra_samples,
)
from translearn_core.techniques.learning import learn_head, seed
from translearn_core.techniques.target_split import FEWEST, split_target
from translearn_core.techniques.when_to_adapt import (
    LEAST_TOLD_APART,
    AdaptationCheck,
    judge_alignment,
    tell_apart,
)

if TYPE_CHECKING:
    from translearn_core.fitting.fit_spec import Fitted

PENALTY = 3.0
"""Of the linear head that makes the first guesses, see `linear_probe.fit_heads`."""
BALANCE = 0.6
"""How far `pseudo` takes classes of the target domain to be as frequent as among the labelled photos."""
PSEUDO_ROUNDS = 5
"""Rounds in which ever more of the surest guesses are learned from: a third at first, then all
but a tenth."""


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
        self._split = split_target(self.plan.settings, data, others)
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
        tested = data.photos.iloc[test.test_rows].drop_duplicates("sha256")
        seen = are_copies(tested, others.photos)
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
            "tested_photos_seen": int(seen.sum()),
            "tested_photos_left_out": held.tested,
        }
        return {"adaptation": figures | self.facts()}


def _accuracy(head: Any, source: FeatureSource, rows: Ints, labels: Ints) -> float | None:
    """Share of these rows that a head names right; None without any."""
    if not len(rows):
        return None
    return float((predict_rows(head, source, rows).argmax(axis=1) == labels[rows]).mean())


# ------------------------------------------------------------------------------ the methods


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
        source = [_standard(view, source_views[0]) for view in source_views]
        target = [_standard(view, target_views[0]) for view in target_views]
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


def _standard(features: Array, of: Array) -> Array:
    """`features` in deviations of `of` from its mean."""
    standard: Array = (features - of.mean(axis=0)) / (of.std(axis=0) + 1e-3)
    return standard


class _OnStandardised(Adaptation):
    """A method whose head learns on standardised features: at the end the mean and deviation of
    the new domain go into its first layer, so that it takes raw ones."""

    def standardise(self, domains: Domains) -> TrainingData:
        """The data with features standardised by the labelled photos themselves."""
        of, target = domains.source_views()[0], domains.others.pooled
        self._mean, self._deviation = target.mean(axis=0), target.std(axis=0) + 1e-3
        return _changed(domains.data, lambda features: _standard(features, of))

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


class PseudoLabels(_OnStandardised):
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
            pooled=InMemory(_standard(chosen.pooled, of)),
            views=tuple(InMemory(_standard(view, of)) for view in chosen.views),
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


class Coral(Adaptation):
    """Sorted photos recoloured with the correlations of the target domain (Sun et al. 2016)."""

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """See `Adaptation.adapt`."""
        recolour = coral(domains.source_views()[0], domains.others.pooled)
        return TrainingSet(data=_changed(domains.data, recolour), joined=None)


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


class DomainAdversarial(_OnStandardised):
    """Features that do not tell the domains apart, by gradient reversal (Ganin et al. 2016)."""

    def adapt(self, domains: Domains, monitor: Monitor) -> TrainingSet:
        """See `Adaptation.adapt`."""
        views = domains.target_views()
        self._target = np.concatenate([_standard(view, domains.others.pooled) for view in views])
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


def _changed(data: TrainingData, change: Callable[[Array], Array]) -> TrainingData:
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
