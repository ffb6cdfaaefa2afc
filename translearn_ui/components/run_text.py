"""A run in words: its result, its settings in a line, its place in the queue.

Owns: these sentences. Leaves to others: the figures (metrics.json), what a run is doing
(`translearn_ui/training/live.py`).
"""

from __future__ import annotations

from translearn_core import jobs
from translearn_core.errors import TransLearnError
from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.i18n import _, ngettext
from translearn_core.recipe import resolve
from translearn_core.recipe.technique_table import LEAST_LABELLED
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, run_caveats
from translearn_core.runs.run_metrics import AdaptationMetrics, RunMetrics
from translearn_ui.components import format


def result_sentence(metrics: RunMetrics) -> tuple[str, str]:
    """A run's result in words: the one sentence, and what to compare it with."""
    if metrics.tested_elsewhere:
        return new_domain_words(metrics)
    if not metrics.n_test:
        return _("No photos were left for a test."), ""
    seen_scenes = run_caveats.same_scene(metrics)
    if seen_scenes:
        return seen_scenes, _("Add photos from other places and days of each class.")
    correct, n = metrics.test_correct, metrics.n_test
    low, high = metrics.test_interval
    sentence = _("Right on {correct:,} of {n:,} new photos ({share}).").format(
        correct=correct, n=n, share=format.percent(metrics.accuracy)
    )
    rest = _(
        "95 % confidence interval for photos like these: {range}. Always guessing the largest "
        "class would get {majority}."
    ).format(
        range=format.percent_range(low, high),
        majority=format.percent(metrics.guessing),
    )
    return sentence, rest


def describe(settings: Settings) -> str:
    """The settings of a run in one line: backbone and how much of it is frozen."""
    if not settings.backbone:
        return ""
    try:
        resolved = resolve.fill_in(settings)
    except TransLearnError:
        return settings.backbone
    freeze = resolved.freeze
    if freeze.frozen_blocks == freeze.blocks:
        frozen = _("all blocks frozen")
    else:
        frozen = _("{n} of {all} blocks frozen").format(n=freeze.frozen_blocks, all=freeze.blocks)
    return f"{_(resolved.backbone.title)} · {frozen}"


def waiting_words(run: Run) -> tuple[str, str]:
    """What a run in the queue waits for, in words."""
    before = jobs.place_in_queue(run)
    if before == 0:
        return _("Starting …"), ""
    return (
        ngettext(
            "Waiting: {n} training or search is ahead of this one.",
            "Waiting: {n} trainings or searches are ahead of this one.",
            before,
        ).format(n=before),
        _("It begins by itself; you can leave this page."),
    )


def share_words(metrics: RunMetrics) -> str:
    """The share of right answers that a run is known by, and on which photos."""
    figures = metrics.adaptation
    there = figures is not None and figures.target_accuracy_after is not None
    words = (
        _("right on {share} of the photos of the new domain")
        if there and metrics.tested_elsewhere
        else _("right on {share} of the test photos")
    )
    return words.format(share=format.percent(run_caveats.headline_share(metrics)))


def new_domain_words(metrics: RunMetrics) -> tuple[str, str]:
    """How well a run does in the domain that it was adapted to, and in the source domain."""
    figures = metrics.adaptation or AdaptationMetrics()
    n = figures.n_target_labelled
    old = run_caveats.same_scene(metrics) or _(
        "On {n:,} test photos of the source domain it is right on {correct:,} ({share})."
    ).format(
        n=metrics.n_test,
        correct=metrics.test_correct,
        share=format.percent(metrics.accuracy),
    )
    if not n:
        unknown = (
            _("Not adapted to the new domain; the accuracy there is not known yet.")
            if figures.helps is False
            else _("Adapted to the new domain; its accuracy there is not known yet.")
        )
        how = _(
            "To measure it, bring in photos from there that are sorted into the same classes, at least "
            "{least}, and choose them as the new domain: one in five is kept to measure, and no label "
            "is used to train."
        ).format(least=LEAST_LABELLED)
        return unknown, f"{how} {old}"
    sentence = _("Right on {after:,} of {n:,} photos of the new domain ({share}).").format(
        n=n,
        after=round((figures.target_accuracy_after or 0.0) * n),
        share=format.percent(figures.target_accuracy_after or 0.0),
    )
    before = round((figures.target_accuracy_before or 0.0) * n)
    if figures.held_back:
        low, high = wilson_interval((figures.target_accuracy_after or 0.0) * n, n)
        interval = _("95 % confidence interval for other photos from there: {range}.")
        old = f"{interval.format(range=format.percent_range(low, high))} {old}"
    if figures.helps is not False and figures.held_back:
        rest = ngettext(
            "Without adaptation {before:,} of them are right. It was adapted to {n:,} other photo from "
            "there; these were kept to measure.",
            "Without adaptation {before:,} of them are right. It was adapted to {n:,} other photos from "
            "there; these were kept to measure.",
            figures.n_target,
        ).format(before=before, n=figures.n_target)
    elif figures.helps is not False:
        rest = _(
            "Without adaptation {before:,} of them are right. These are the photos that it was "
            "adapted to; of others from there, fewer may be right."
        ).format(before=before)
    elif figures.told_apart is not None and figures.left_plain != "few_classes":
        rest = _(
            "These photos can hardly be told from the labelled ones, so this is the plain model; "
            "their labels were used to count only."
        )
    else:  # answers of few classes, or an earlier run, which asked something else
        rest = _(
            "It was not clear that adapting to these photos would help, so this is the plain "
            "model; their labels were used to count only."
        )
    return sentence, f"{rest} {old}"
