"""What the techniques of a run brought, in sentences and figures before and after.

Owns: these sentences, which the Results page and the command line show.
Leaves to others: the figures, which stand in metrics.json, and how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from translearn_core.evaluation.caveats import list_names
from translearn_core.formatting import percent
from translearn_core.i18n import _, ngettext
from translearn_core.recipe.technique_table import in_use
from translearn_core.run_settings import Settings
from translearn_core.runs.run_metrics import RunMetrics

LIKELY_DIFFERENT = 0.1
"""Share of photos that two trainings usually answer differently; two deviations of the difference
are chance."""
Row = tuple[str, float | None, bool]
"""Words, a share, and whether it is the figure before."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What one technique brought: its title, a sentence (may be empty), and figures."""

    title: str
    sentence: str = ""
    rows: Sequence[Row] = ()


def brought(settings: Settings, metrics: RunMetrics) -> list[Brought]:
    """What each technique of a run brought, and last, where it was trained, plain training."""
    used = [row for row in in_use(settings) if row.name in SENTENCES]
    plain, correct = metrics.plain_test_accuracy, metrics.plain_test_correct
    found = []
    for row in used:
        sentence, rows = SENTENCES[row.name](metrics)
        title = f"{_(row.title)} · {_(row.term)}"
        found.append(Brought(title=title, sentence=sentence, rows=known_rows(rows)))
    if plain is None and correct is None:
        return found
    for row in in_use(settings):
        if row not in used:  # nothing more is known of it than the comparison
            found.append(Brought(title=f"{_(row.title)} · {_(row.term)}"))
    elsewhere = metrics.tested_elsewhere
    words = _("These test photos are of the source domain:") + " " if elsewhere else ""
    found.append(
        Brought(
            title="",
            sentence=words + compare_with_plain(plain, metrics),
            rows=known_rows(
                [
                    (_("Plain training, the same test photos"), plain, True),
                    (_("This training"), metrics.test_accuracy, False),
                ]
            ),
        )
    )
    return found


def known_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows whose share is known."""
    return [row for row in rows if row[1] is not None]


def compare_with_plain(plain: float | None, metrics: RunMetrics) -> str:
    """Whether it is better than plain training, in words that noise is not sold as progress by.

    Args:
        plain: the accuracy of plain training on the same test photos; None where no share of them
            is named, and they are counted.
    """
    n = metrics.n_test
    if plain is None:
        more = metrics.test_correct - (metrics.plain_test_correct or 0)
    else:
        more = round((metrics.accuracy - plain) * n)
    if more == 0:
        return _("As many test photos right as by plain training.")
    words = (
        _("{more} more of {n} test photos right than by plain training.")
        if more > 0
        else _("{more} fewer of {n} test photos right than by plain training.")
    ).format(more=abs(more), n=n)
    if abs(more) < 2 * (LIKELY_DIFFERENT * max(1, n)) ** 0.5:
        words += " " + _("So few may be chance.")
    return words


def _adapted(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.adaptation
    if figures is None:
        return "", []
    if figures.helps is not False:
        words = _(
            "Adapted with {n:,} unlabelled photos of the new domain (target). On photos of the "
            "source domain it may be worse than before."
        )
    elif figures.told_apart is not None and figures.left_plain != "few_classes":
        words = _(
            "Not adapted: the {n:,} unlabelled photos of the new domain (target) can hardly be told "
            "from the labelled ones, so this is the plain model."
        )
    else:  # answers of few classes, or an earlier run, which asked something else
        words = _(
            "Not adapted: with {n:,} unlabelled photos of the new domain (target) it was not clear "
            "that adaptation would help, so this is the plain model."
        )
    sentence = words.format(n=figures.n_target)
    if figures.tested_photos_seen:
        sentence += " " + _(
            "{n:,} of the test photos were among them, without their classes."
        ).format(n=figures.tested_photos_seen)
    if figures.tested_photos_left_out:
        sentence += " " + ngettext(
            "{n:,} photo from there is a test photo; the model was not adapted to it.",
            "{n:,} photos from there are test photos; the model was not adapted to them.",
            figures.tested_photos_left_out,
        ).format(n=figures.tested_photos_left_out)
    words = (
        _("New domain, {n:,} photos with labels, kept to measure")
        if figures.held_back
        else _("New domain, {n:,} photos with labels, adapted to")
    )
    there = words.format(n=figures.n_target_labelled)
    here = _("Source domain, {n:,} validation photos").format(n=figures.n_source)
    return sentence, [
        (_("{where}: before").format(where=there), figures.target_accuracy_before, True),
        (_("{where}: after").format(where=there), figures.target_accuracy_after, False),
        (_("{where}: before").format(where=here), figures.source_accuracy_before, True),
        (_("{where}: after").format(where=here), figures.source_accuracy_after, False),
    ]


def _self_trained(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.selftraining
    if figures is None or figures.helps is None:
        return "", []
    words = (
        _("Trained on pseudo-labels of {used:,} of {n:,} unlabelled photos.")
        if figures.helps
        else _("{n:,} unlabelled photos were tried and not used: they would not have helped.")
    )
    sentence = words.format(used=figures.pseudo_labels, n=figures.n_unlabelled)
    hidden = _("{n:,} sorted photos, hidden in turn").format(n=figures.hidden or 0)
    return sentence, [
        (
            _("{where}: without pseudo-labels").format(where=hidden),
            figures.hidden_accuracy_plain,
            True,
        ),
        (_("{where}: with them").format(where=hidden), figures.hidden_accuracy, False),
    ]


def _carried_over(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.carryover
    if figures is None:
        return "", []
    parts = []
    if figures.backbone_changed:
        parts.append(_("the backbone as that run changed it"))
    if "head_hidden" in figures.layers:
        parts.append(_("the hidden layer"))
    shared = figures.classes_carried_over
    if shared and figures.layers:
        parts.append(_("what it knew of {classes}").format(classes=list_names(shared)))
    if figures.rehearsed_photos:
        parts.append(
            _("{n:,} of its photos ({classes}), learned from again").format(
                n=figures.rehearsed_photos, classes=list_names(shared)
            )
        )
    sentence = _("Carried over: {parts}.").format(parts=", ".join(parts) or _("nothing"))
    if figures.helps is None:
        return sentence, []
    hidden = _("{n:,} new photos, hidden in turn").format(n=figures.hidden or 0)
    return sentence, [
        (
            _("{where}: from the new photos alone").format(where=hidden),
            figures.hidden_accuracy_plain,
            True,
        ),
        (
            _("{where}: with the old ones").format(where=hidden),
            figures.hidden_accuracy if figures.helps else None,
            False,
        ),
    ]


def _distilled(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.distillation
    if figures is None:
        return "", []
    words = (
        _(
            "The other model agrees with {share} of the labels it was asked about; its answers were "
            "tried and not used: they would not clearly have helped."
        )
        if figures.helps is False
        else _(
            "Learned to answer like a model that agrees with {share} of the labels it was asked "
            "about."
        )
    )
    sentence = words.format(share=percent(figures.agrees_with_labels or 0.0))
    return sentence, [
        (_("The model it learned from, on its own test"), figures.teacher_test_accuracy, True),
        (_("This one"), metrics.test_accuracy, False),
    ]


SENTENCES: dict[str, Callable[[RunMetrics], tuple[str, list[Row]]]] = {
    "adapt_to": _adapted,
    "unlabelled": _self_trained,
    "start_from": _carried_over,
    "distill_from": _distilled,
}
"""Technique -> what is said of it. Others have sections of their own."""
