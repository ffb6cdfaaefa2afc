"""What a living run is doing, in words and as a strip of stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from translearn_core.i18n import N_, _
from translearn_core.recipe import technique_table
from translearn_core.run_settings import Settings
from translearn_core.runs import JobState, Run
from translearn_core.runs.annotations import display_name
from translearn_ui.components import format, run_text, stage_strip
from translearn_ui.components.run_progress import (
    LOOKING,
    RunProgress,
    left_now,
    share_done,
    time_left,
)

STAGES: dict[str, str] = {
    "start": N_("Get ready"),
    "features": N_("Look at the photos"),
    "technique": N_("Techniques"),
    "head": N_("Learn the classes"),
    "refit": N_("Learn from all photos"),
    "fine_tune": N_("Fine-tune"),
    "evaluate": N_("Test"),
    "compare": N_("Compare"),
    "save": N_("Save"),
    "tasks": N_("More tasks"),
}
"""The stages of a running run that a person sees, in their order."""
_LAST_STAGES = frozenset({"evaluate", "compare", "save"})
LOOKED_AT_LEAST = 32
"""Photos after which a pace is told: the first ones wait for the network to be ready."""


def tab_title(run: Run, state: JobState, progress: RunProgress) -> str:
    """What the tab of the browser says of a living run: `Training 40 % – Demo: fruit`."""
    name = display_name(run)
    if run.stop_requested:
        return _("Stopping – {name}").format(name=name)
    if state.state == "queued":
        return _("Waiting – {name}").format(name=name)
    share = format.percent(share_of_all(run.config.settings, state, progress))
    return _("Training {share} – {name}").format(share=share, name=name)


def share_of_all(settings: Settings, state: JobState, progress: RunProgress) -> float:
    """How much of a living run is done, in [0, 1]: of its stages, each alike."""
    stages = [name for name in STAGES if not _is_skipped(name, settings, progress.stages)]
    stage = state.stage or progress.stage
    if stage not in stages:
        return 0.0
    return (stages.index(stage) + share_done(state, progress)) / len(stages)


def what_now(run: Run, state: JobState, progress: RunProgress) -> tuple[str, str]:
    """What a living run is doing, in words, and its figures (empty where there are none)."""
    if run.stop_requested:
        if state.state == "queued":
            return _("Taking it out of the queue …"), ""
        if not progress.epochs and not progress.batches:
            return _("Stopping …"), _("there is nothing to keep yet.")
        if (state.stage or progress.stage) in _LAST_STAGES:
            return _("Almost done, keeping what it has learned …"), ""
        return _("Stopping after this round, keeping the best so far …"), ""
    if state.state == "queued":
        return run_text.waiting_words(run)
    stage = state.stage or progress.stage
    attacks = _attacks_only(run.config.settings)
    if stage == "refit" and progress.counted.get("stage") == stage:
        words = _("Learning once more, from the validation photos as well")
        return words, _("round {done} of {total}").format(**progress.counted)
    if stage in LOOKING and progress.counted.get("stage") == stage:
        if attacks and stage == "technique":
            return _attacking_words(progress.counted)
        return _looking_words(progress.counted)
    if stage in ("head", "fine_tune") and (progress.epochs or progress.batches):
        resists = stage == "fine_tune" and run.config.settings.adversarial != "none"
        return _learning_words("resist" if resists else stage, progress)
    sentences = {
        "start": _("Getting ready …"),
        "import": _("Reading the photos …"),
        "features": _("Getting the backbone ready …"),
        "technique": _("Attacking the model as it is with changed photos …")
        if attacks
        else _("Making use of the other photos and models …"),
        "head": _("Learning your classes …"),
        "refit": _("Learning once more, from the validation photos as well …"),
        "fine_tune": _("Fine-tuning the unfrozen blocks …"),
        "evaluate": _("Testing on photos it has never seen …"),
        "tasks": _("Learning the other kinds of labels …"),
        "compare": _("Training once more without the techniques, to compare …"),
        "save": _("Saving the model, and checking that it answers the same …"),
    }
    return sentences.get(stage, _("Working …")), ""


def _looking_words(progress: Mapping[str, Any]) -> tuple[str, str]:
    done, total = int(progress["done"]), int(progress["total"])
    if progress.get("what") == "rounds":
        words = _("Adapting to the new domain")
        return words, _("round {n} of {most}").format(n=done, most=total)
    if done >= total:
        return _("All {total:,} photos looked at").format(total=total), _(
            "now to learn from them …"
        )
    words = _("Looking at photo {done:,} of {total:,}").format(done=done, total=total)
    figures = []
    settled = done >= min(LOOKED_AT_LEAST, total // 4)
    if progress.get("per_s") and settled:
        figures.append(_("{rate:,.0f} photos/s").format(rate=progress["per_s"]))
    if progress.get("left_s") and settled:
        figures.append(_("{time} left").format(time=format.duration(left_now(progress))))
    return words, " · ".join(figures)


def _attacks_only(settings: Settings) -> bool:
    """Whether adversarial photos are all that a run's techniques look at."""
    return [row.name for row in technique_table.in_use(settings) if row.looks] == ["adversarial"]


def _attacking_words(progress: Mapping[str, Any]) -> tuple[str, str]:
    words = _("Attacking the model as it is with changed photos")
    return words, _("{done:,} of {total:,}").format(**progress)


def _learning_words(stage: str, progress: RunProgress) -> tuple[str, str]:
    words = {
        "head": _("Learning your classes"),
        "fine_tune": _("Fine-tuning the unfrozen blocks"),
        "resist": _("Adversarial training"),
    }[stage]
    phase = "head" if stage == "head" else "fine_tune"
    events = [e for e in progress.epochs[-1:] + progress.batches[-1:] if e["phase"] == phase]
    if not events:
        return words, _("the first step takes longest")
    latest = max(events, key=lambda event: event["t"])
    figures = [
        _("round {n} of at most {most}").format(n=latest["epoch"], most=latest["epochs"]),
    ]
    left = time_left(progress)
    if left is not None:
        almost = left < 1
        words_left = _("almost done") if almost else _("at most {time} left")
        figures.append(words_left.format(time=format.duration(left)))
    return words, " · ".join(figures)


def strip_html(settings: Settings, state: JobState, progress: RunProgress) -> str:
    """The stages that a run with these settings comes to, the present one marked."""
    titles = {
        name: _(title)
        for name, title in STAGES.items()
        if not _is_skipped(name, settings, progress.stages)
    }
    return stage_strip.strip_html(titles, state.stage or progress.stage, done=progress.stages)


def _is_skipped(stage: str, settings: Settings, begun: Sequence[str]) -> bool:
    """Whether a run with these settings never comes to a stage, or nobody knows before it does."""
    if stage == "fine_tune":
        plainly = settings.adversarial == "none"
        return plainly and settings.freeze == "all" and not settings.freeze_layer
    if stage in ("tasks", "refit"):
        return stage not in begun
    if stage == "technique":
        return not any(row.looks for row in technique_table.in_use(settings))
    return stage == "compare" and not settings.compare_plain
