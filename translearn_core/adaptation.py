"""Domain adaptation with unlabelled photos of the target domain.

Owns: the ways of adaptation on what a frozen backbone sees (`WAYS`), and the figures before and
after. Every way ends in a head for the features of the new place as they come out of the
backbone, so that the saved model, its copies and exports need nothing else.
Leaves to others: gathering the photos (`others.py`), balance and neighbours (`propagation.py`),
re-estimated BatchNorm statistics (`renorm.py`), gradient reversal (`reversal.py`), the fit
(`train.py`).

Labels that the photos of the new place may carry are used for `target_accuracy_*` only. How the
constants were chosen, and what that means for the figures: docs/experiments/domain_adaptation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core import crossval
from translearn_core.errors import SourceError
from translearn_core.lesson import Lesson, build_new_head
from translearn_core.material import Material
from translearn_core.others import InMemory, Others, gather_others, with_guests
from translearn_core.plan import Plan
from translearn_core.predictions import Answers
from translearn_core.propagation import balance, find_centres, near_graph, sharpened, spread
from translearn_core.texts import _

Array = npt.NDArray[Any]
PENALTY = 3.0
"""Of the linear head that makes the first guesses, see `crossval.fit_heads`."""
BALANCE = 0.6
"""How far the classes of the new place are taken to be as frequent as those of the sorted photos."""
FEWEST = 10
"""Unsorted photos that tell nothing of a place when they are fewer."""
PSEUDO_ROUNDS = 5
"""Rounds in which ever more of the surest guesses are learned from: a third at first, then all
but a tenth."""


@dataclass(frozen=True, kw_only=True)
class Domains:
    """Both places: what the head may learn from (sorted), and the unsorted photos.

    `rows` are the sorted photos that are learned from, `source` `(n, d)` and `labels` theirs;
    mirrored views stand below the photos themselves.
    """

    plan: Plan
    material: Material
    others: Others
    rows: npt.NDArray[np.int64]

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.material.classes)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Of the sorted photos."""
        return self.material.labels[self.rows]

    @property
    def shares(self) -> Array:
        """How frequent each class is among the sorted photos."""
        counts = np.bincount(self.labels, minlength=self.classes)
        shares: Array = counts / counts.sum()
        return shares

    def source_views(self) -> list[Array]:
        """Features of the sorted photos `(n, d)`, as they are and in each view."""
        sources = (self.material.pooled, *self.material.views_pooled)
        return [source.take(self.rows) for source in sources]

    def target_views(self) -> list[Array]:
        """Features of the unsorted photos `(m, d)`, as they are and in each view."""
        return [self.others.pooled, *self.others.views]

    def stop(self) -> bool:
        """Whether the run was asked to stop."""
        return self.plan.run.stop_requested


# -------------------------------------------------------------------------------- the ways


def _spread_guesses(domains: Domains) -> Lesson:
    """The best that was found: each place standardised by itself; a linear head of the sorted
    photos guesses; the guesses are balanced and spread among photos of the new place that are
    alike, pulled to the centres of their classes, and spread again. A fresh head learns what came
    out, from photos of the new place alone."""
    answers, points = _first_guesses_of(domains)
    answers = settle_guesses(answers, points, domains.shares, stop=domains.stop)
    guests = domains.others.as_guests(sharpened(answers).astype(np.float32))
    return Lesson(material=with_guests(domains.material, guests, own=False))


def settle_guesses(
    answers: Array, points: Array, shares: Array, *, stop: Callable[[], bool] = lambda: False
) -> Array:
    """Guesses `(m, classes)`, balanced, agreed on by near `points` `(m, d)`, and pulled to the
    centres of their classes.

    Args:
        shares: how frequent each class should be, `(classes,)`.

    Raises:
        StopRequestedError: `stop` said so.
    """
    graph = near_graph(points, stop=stop)

    def calm(answers: Array) -> Array:
        return balance(spread(graph, answers), shares, strength=BALANCE)

    answers = calm(balance(answers, shares, strength=BALANCE))
    return calm(find_centres(points, answers, shares, strength=BALANCE))


def _first_guesses_of(domains: Domains) -> tuple[Array, Array]:
    return first_guesses(
        domains.source_views(),
        domains.labels,
        domains.target_views(),
        classes=domains.classes,
        stop=domains.stop,
    )


def first_guesses(
    source_views: Sequence[Array],
    own_labels: npt.NDArray[np.int64],
    target_views: Sequence[Array],
    *,
    classes: int,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Array, Array]:
    """What a linear head of the sorted photos says of the unsorted ones, both standardised.

    Args:
        source_views: features of the sorted photos `(n, d)`, as they are and in each view.
        own_labels: theirs, `(n,)`.
        target_views: features of the unsorted photos `(m, d)`, likewise.

    Returns:
        Answers `(m, classes)`, the mean over views, and the unsorted photos' points `(m, d')`.

    Raises:
        StopRequestedError: `stop` said so.
    """
    source = [_standard(view, source_views[0]) for view in source_views]
    target = [_standard(view, target_views[0]) for view in target_views]
    n, m = len(source[0]), len(target[0])
    space = crossval.Space.of(np.concatenate([*source, *target]))
    learned = np.arange(len(space.points)) < n * len(source)
    labels = np.zeros(len(space.points), np.int64)
    labels[learned] = np.tile(own_labels, len(source))
    head = crossval.fit_heads(space, labels, learned[None], classes, penalty=PENALTY, stop=stop)
    points = space.points[n * len(source) :].reshape(len(target), m, -1)
    answers = np.mean([crossval.ask_heads(part, head) for part in points], axis=0)
    return answers, points[:, :, :-1].mean(axis=0)


def _standard(features: Array, of: Array) -> Array:
    """`features` as seen from the mean and deviation of `of`."""
    standard: Array = (features - of.mean(axis=0)) / (of.std(axis=0) + 1e-3)
    return standard


def _pseudo(domains: Domains) -> Lesson:
    """Confident guesses become labels, class by class, more of them in each round (Lee 2013)."""
    n_views = len(domains.source_views())
    source = np.concatenate(
        [_standard(view, domains.source_views()[0]) for view in domains.source_views()]
    )
    target = [_standard(view, domains.target_views()[0]) for view in domains.target_views()]
    m = len(target[0])
    space = crossval.Space.of(np.concatenate([source, *target]))
    parts = space.points[len(source) :].reshape(len(target), m, -1)
    answers, _points = _first_guesses_of(domains)
    kept = np.zeros(m, bool)
    for turn in range(PSEUDO_ROUNDS):
        answers = balance(answers, domains.shares, strength=BALANCE)
        kept = surest(answers, share=1 / 3 + turn * (0.9 - 1 / 3) / (PSEUDO_ROUNDS - 1))
        labels = np.concatenate(
            [np.tile(domains.labels, n_views), np.tile(answers.argmax(axis=1), len(target))]
        )
        learned = np.concatenate([np.ones(len(source), bool), np.tile(kept, len(target))])
        head = crossval.fit_heads(
            space, labels, learned[None], domains.classes, penalty=PENALTY, stop=domains.stop
        )
        answers = np.mean([crossval.ask_heads(part, head) for part in parts], axis=0)
    chosen = domains.others.chosen(np.flatnonzero(kept))
    targets = np.eye(domains.classes, dtype=np.float32)[answers[kept].argmax(axis=1)]
    standard = _standardised(domains)
    guests = chosen.as_guests(targets)
    of = domains.others.pooled
    guests = replace(
        guests,
        pooled=InMemory(_standard(chosen.pooled, of)),
        views=tuple(InMemory(_standard(view, of)) for view in chosen.views),
    )
    threshold = float(answers.max(axis=1)[kept].min()) if kept.any() else 1.0
    facts = {"pseudo_labels": int(kept.sum()), "threshold": round(threshold, 3)}
    return replace(
        _folded(Lesson(material=with_guests(standard, guests)), of), report=lambda _a: facts
    )


def surest(answers: Array, *, share: float) -> npt.NDArray[np.bool_]:
    """The surest `share` of the photos of each guessed class, `(n,) bool`."""
    labels, confidence = answers.argmax(axis=1), answers.max(axis=1)
    kept = np.zeros(len(labels), bool)
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        most = max(1, round(len(rows) * share))
        kept[rows[np.argsort(-confidence[rows], kind="stable")[:most]]] = True
    return kept


def _coral(domains: Domains) -> Lesson:
    """Sorted photos recoloured with the correlations of the new place (Sun et al. 2016)."""
    move = recolouring(domains.source_views()[0], domains.others.pooled)
    return Lesson(material=_changed(domains.material, move))


def recolouring(source: Array, target: Array) -> Callable[[Array], Array]:
    """Moves features: mean and correlations of `source` `(n, d)` become those of `target` `(m, d)`.

    Both covariances are taken with the identity added, so the match is not exact.
    """
    turn = _correlation_root(source, inverse=True) @ _correlation_root(target, inverse=False)
    middle, there = source.mean(axis=0), target.mean(axis=0)

    def move(features: Array) -> Array:
        moved: Array = ((features - middle) @ turn + there).astype(np.float32)
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


def _batchnorm(domains: Domains) -> Lesson:
    """Statistics of BatchNorm measured afresh in the new place (AdaBN, Li et al. 2016)."""
    from translearn_core.renorm import renormalised

    return renormalised(domains.plan, domains.material, domains.others)


def _dann(domains: Domains) -> Lesson:
    """Features that do not tell the places apart, by gradient reversal (Ganin et al. 2016)."""
    from translearn_core.reversal import EPOCHS, train_reversed

    of = domains.others.pooled
    lesson = Lesson(material=_standardised(domains))
    target = np.concatenate([_standard(view, of) for view in domains.target_views()])

    def new_head(plan: Plan, material: Material) -> Any:
        head = build_new_head(plan, material)
        source = np.concatenate(
            [one.take(material.rows("train")) for one in (material.pooled, *material.views_pooled)]
        )
        copies = 1 + len(material.views_pooled)
        labels = np.tile(material.labels[material.rows("train")], copies)
        train_reversed(
            head,
            source,
            labels,
            target,
            learning_rate=plan.settings.learning_rate,
            stop=domains.stop,
            tell=lambda epoch: _tell_rounds(plan, epoch, EPOCHS),
        )
        return head

    return _folded(replace(lesson, new_head=new_head, learned=True), of)


def _tell_rounds(plan: Plan, done: int, total: int) -> None:
    facts = {"what": "rounds", "done": done, "total": total, "per_s": 0, "left_s": 0}
    plan.run.append_event("progress", stage="technique", **facts)


WAYS: dict[str, Callable[[Domains], Lesson]] = {
    "auto": _spread_guesses,
    "pseudo": _pseudo,
    "coral": _coral,
    "batchnorm": _batchnorm,
    "dann": _dann,
}


# ------------------------------------------------------------------------- what they share


def _changed(material: Material, change: Callable[[Array], Array]) -> Material:
    """The material with changed features of the photos that are learned and chosen by."""
    rows = np.arange(len(material.labels))

    def changed(source: Any, some: npt.NDArray[np.int64]) -> Any:
        features = np.zeros((len(rows), source.shape[1]), np.float32)
        features[some] = change(source.take(some))
        return InMemory(features)

    learned = np.flatnonzero(material.split != "test")
    return replace(
        material,
        pooled=changed(material.pooled, learned),
        views_pooled=tuple(changed(view, learned) for view in material.views_pooled),
    )


def _standardised(domains: Domains) -> Material:
    """The material with features standardised by the sorted photos themselves."""
    of = domains.source_views()[0]
    return _changed(domains.material, lambda features: _standard(features, of))


def _folded(lesson: Lesson, of: Array) -> Lesson:
    """A lesson whose head learned on standardised features: the head takes raw ones at the end.

    Args:
        of: features of the new place, whose mean and deviation go into the first layer.
    """
    mean, deviation = of.mean(axis=0), of.std(axis=0) + 1e-3

    def finish(head: Any) -> Any:
        first = next(layer for layer in head.layers if hasattr(layer, "kernel"))
        kernel, bias = first.get_weights()
        kernel = kernel / deviation[:, None]
        first.set_weights([kernel, bias - mean @ kernel])
        return head

    return replace(lesson, finish=finish, as_seen=lambda points: points * deviation + mean)


def adapt(plan: Plan, material: Material, learn_plainly: Callable[[], Any]) -> Lesson:
    """The lesson of a run that gets used to a new place.

    Args:
        learn_plainly: learns a head from the sorted photos alone, for the figures before.

    Raises:
        StopRequestedError: the run was asked to stop.
        SourceError: too few photos of the new place can be read.
    """
    others = gather_others(plan, plan.settings.adapt_to)
    if len(others) < FEWEST:
        raise SourceError(
            _(
                "{n} photos are too few to adapt to a domain; at least {least} are needed. Add "
                "more to {name}."
            ).format(n=len(others), least=FEWEST, name=plan.settings.adapt_to)
        )
    domains = Domains(plan=plan, material=material, others=others, rows=material.rows("train"))
    lesson = replace(WAYS[plan.settings.adaptation](domains), refits=False)
    before = learn_plainly()
    return _with_figures(domains, lesson, before)


def _with_figures(domains: Domains, lesson: Lesson, before: Any) -> Lesson:
    """The lesson, that also tells how both places were answered before and after."""
    own = lesson.report
    last: list[Any] = []

    def finish(head: Any) -> Any:
        last.append(lesson.finish(head))
        return last[-1]

    def report(answers: Answers) -> dict[str, Any]:
        figures = _figures(domains, lesson, before, last[-1])
        return {"adaptation": figures | own(answers)}

    return replace(lesson, finish=finish, report=report)


def _figures(domains: Domains, lesson: Lesson, before: Any, after: Any) -> dict[str, Any]:
    from translearn_core.fitting import predict_rows

    material, others = domains.material, domains.others
    rows = material.rows("val")
    raw = lesson.own_features or material.pooled

    def share(head: Any, source: Any, some: Any, truth: Any) -> float | None:
        if not len(some):
            return None
        return float((predict_rows(head, source, some).argmax(axis=1) == truth).mean())

    codes = {name: code for code, name in enumerate(material.classes)}
    truth = np.array([codes.get(name, -1) for name in others.photos["class_name"]], np.int64)
    known = np.flatnonzero(truth >= 0)
    target = InMemory(others.pooled)
    target_after = (
        InMemory(lesson.target_features) if lesson.target_features is not None else target
    )
    figures: dict[str, Any] = {
        "way": domains.plan.settings.adaptation,
        "n_target": len(others),
        "source_accuracy_before": share(before, material.pooled, rows, material.labels[rows]),
        "source_accuracy_after": share(after, raw, rows, material.labels[rows]),
        "n_source": len(rows),
        "n_target_labelled": len(known),
        "target_accuracy_before": share(before, target, known, truth[known]),
        "target_accuracy_after": share(after, target_after, known, truth[known]),
    }
    tested = material.rows("test")
    seen = set(others.photos["sha256"]) & set(material.photos["sha256"].iloc[tested])
    return figures | {"tested_photos_seen": len(seen)}
