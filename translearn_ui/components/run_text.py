"""A run in words: its result, its settings in a line, its place in the queue.

Owns: these sentences. Leaves to others: the figures (metrics.json), what a run is doing
(`translearn_ui/training/live.py`).
"""

from __future__ import annotations

from translearn_core import jobs
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _, ngettext
from translearn_core.recipe import resolve
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, run_caveats
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import format


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
