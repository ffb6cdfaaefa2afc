"""The result of a run in words, the same on pages, in reports and in the terminal.

Owns: `result_sentence`. Leaves to others: what must be said beside it (`runs/run_caveats.py`), what techniques
brought (`techniques_text.py`).
"""

from __future__ import annotations

from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.formatting import percent, percent_range
from translearn_core.i18n import _, ngettext
from translearn_core.recipe.technique_table import LEAST_LABELLED
from translearn_core.runs import run_caveats
from translearn_core.runs.run_metrics import AdaptationMetrics, RunMetrics


def result_sentence(metrics: RunMetrics) -> tuple[str, str]:
    """A run's result in words: the one sentence, and what to compare it with."""
    if metrics.tested_elsewhere:
        return _new_domain(metrics)
    if not metrics.n_test:
        return _("No photos were left for a test."), ""
    seen_scenes = run_caveats.same_scene(metrics)
    if seen_scenes:
        return seen_scenes, _("Add photos from other places and days of each class.")
    correct, n = metrics.test_correct, metrics.n_test
    low, high = metrics.test_interval
    sentence = _("Right on {correct:,} of {n:,} new photos ({share}).").format(
        correct=correct, n=n, share=percent(metrics.accuracy)
    )
    rest = _(
        "95 % confidence interval for photos like these: {range}. Always guessing the largest "
        "class would get {majority}."
    ).format(
        range=percent_range(low, high),
        majority=percent(metrics.guessing),
    )
    return sentence, rest


def _new_domain(metrics: RunMetrics) -> tuple[str, str]:
    """How well a run does in the domain that it was adapted to, and in the source domain."""
    figures = metrics.adaptation or AdaptationMetrics()
    n = figures.n_target_labelled
    old = run_caveats.same_scene(metrics) or _(
        "On {n:,} test photos of the source domain it is right on {correct:,} ({share})."
    ).format(
        n=metrics.n_test,
        correct=metrics.test_correct,
        share=percent(metrics.accuracy),
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
        share=percent(figures.target_accuracy_after or 0.0),
    )
    before = round((figures.target_accuracy_before or 0.0) * n)
    if figures.held_back:
        low, high = wilson_interval((figures.target_accuracy_after or 0.0) * n, n)
        interval = _("95 % confidence interval for other photos from there: {range}.")
        old = f"{interval.format(range=percent_range(low, high))} {old}"
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
