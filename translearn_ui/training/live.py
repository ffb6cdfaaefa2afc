"""The live view of a run: what is happening now, the curves, and how to end it.

Owns: following one run through its folder, and every state of a run in words: waiting, running,
finished, stopped, failed, lost.
Leaves to others: its progress (`run_progress.py`), training (`worker.py`), the figures of a
finished run (`pages/results.py`).

While the run lives, the view is a fragment that looks again every `POLL_S` seconds and ends
with one rerun of the page. Nothing is known here that is not in the run folder: a reload, a
second tab and another page lose nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from translearn_core import datasets, jobs, techniques
from translearn_core.config import Settings
from translearn_core.errors import TransLearnError
from translearn_core.runs import LIVE_STATES, Run, RunState
from translearn_core.texts import N_, _
from translearn_ui.components import (
    curves_view,
    format,
    live_curves,
    run_actions,
    run_text,
    stage_strip,
)
from translearn_ui.components.run_progress import (
    LOOKING,
    POLL_S,
    RunProgress,
    left_now,
    progress_of,
    share_done,
    time_left,
)
from translearn_ui.shell import frame

_MOST_PICTURES = 14

STAGES: dict[str, str] = {
    "start": N_("Get ready"),
    "features": N_("Look at the photos"),
    "technique": N_("Techniques"),
    "head": N_("Learn the classes"),
    "fine_tune": N_("Fine-tune"),
    "evaluate": N_("Test"),
    "compare": N_("Compare"),
    "save": N_("Save"),
    "tasks": N_("More tasks"),
}
"""The stages of a running run that a person sees, in their order."""


def show(run: Run) -> None:
    """Show a run in whatever state it is, and follow it while it lives."""
    if run.state.state in LIVE_STATES:
        _follow(run)
    else:
        _show_ended(run, run.state, progress_of(run))


@st.fragment(run_every=POLL_S)
def _follow(run: Run) -> None:
    """The part of the page that looks again by itself, until the run has ended."""
    with frame.errors_shown():
        state = run.state
        progress = progress_of(run)
    if state.state not in LIVE_STATES:
        jobs.warm_up()  # who trained once is likely to train again
        st.rerun()
    _show_live(run, state, progress)


# --- a run that lives ------------------------------------------------------------------------


def _show_live(run: Run, state: RunState, progress: RunProgress) -> None:
    queued = state.state == "queued"
    progress.stage = state.stage or progress.stage
    with st.container(key="live_now", gap="small"):
        st.html(stage_strip.headline_html(*what_now(run, state, progress)))
        st.progress(share_done(state, progress))
        st.html(_strip_html(run.config.settings, state, progress))
    st.html(_facts_html(run, state, progress))
    # Each part has a place of its own, so that none moves when another comes or goes.
    with st.container(key="live_curves"):
        if not queued or progress.epochs:
            _show_curves(run, progress)
    with st.container(key="live_warnings"):
        _show_warnings(progress)
    _show_stop(run)


def what_now(run: Run, state: RunState, progress: RunProgress) -> tuple[str, str]:
    """What a living run is doing, in words, and its figures (empty where there are none)."""
    if run.stop_requested:
        if state.state == "queued":
            return _("Taking it out of the queue …"), ""
        if not progress.epochs and not progress.batches:
            return _("Stopping …"), _("there is nothing to keep yet.")
        return _("Stopping after this round, keeping the best so far …"), ""
    if state.state == "queued":
        return run_text.waiting_words(run)
    stage = state.stage or progress.stage
    attacks = _attacks_only(run.config.settings)
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
    if progress.get("per_s"):
        figures.append(_("{rate:,.0f} photos/s").format(rate=progress["per_s"]))
    if progress.get("left_s"):
        figures.append(_("{time} left").format(time=format.duration(left_now(progress))))
    return words, " · ".join(figures)


def _attacks_only(settings: Settings) -> bool:
    """Whether adversarial photos are all that a run's techniques look at."""
    return [row.name for row in techniques.in_use(settings) if row.looks] == ["adversarial"]


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


def _strip_html(settings: Settings, state: RunState, progress: RunProgress) -> str:
    has_tasks = "tasks" in progress.stages
    titles = {
        name: _(title)
        for name, title in STAGES.items()
        if not _is_skipped(name, settings, has_tasks=has_tasks)
    }
    return stage_strip.strip_html(titles, state.stage or progress.stage, done=progress.stages)


def _is_skipped(stage: str, settings: Settings, *, has_tasks: bool) -> bool:
    """Whether a run with these settings never comes to a stage."""
    if stage == "fine_tune":
        plainly = settings.adversarial == "none"
        return plainly and settings.freeze == "all" and not settings.freeze_layer
    if stage == "tasks":
        return not has_tasks
    if stage == "technique":
        return not any(row.looks for row in techniques.in_use(settings))
    return stage == "compare" and not settings.compare_plain


def _facts_html(run: Run, state: RunState, progress: RunProgress) -> str:
    """Best so far, time, device: the figures beside the headline."""
    best = progress.best
    rows = []
    if best is not None and best.get("val_accuracy") is not None:
        where = _("validation, round {n}").format(n=best["epoch"])
        rows.append((_("Best so far"), format.percent(best["val_accuracy"]), where))
    if state.state == "queued":
        rows.append((_("Waiting for"), format.duration(time.time() - state.queued_at), ""))
    else:
        rows.append((_("Running for"), format.duration(time.time() - state.started_at), ""))
        left = time_left(progress)
        if left is not None and left >= 1 and not run.stop_requested:
            rows.append((_("Left"), format.duration(left), _("of this step, at most")))
    if state.device:
        memory = _("{size} of memory").format(size=format.size(state.memory_bytes))
        rows.append((_("Device"), state.device, memory if state.memory_bytes else ""))
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"{f'<small>{escape(note)}</small>' if note else ''}</dd></div>"
        for name, value, note in rows
    )
    return f'<dl class="tl-facts">{cells}</dl>'


def _show_curves(run: Run, progress: RunProgress) -> None:
    """Accuracy and loss side by side; before there are any, what will stand there."""
    if not progress.epochs and not progress.batches:
        _show_photos(run, progress)
        text = _("The curves appear here as soon as it begins to learn.")
        st.html(f'<div class="tl-curves-wait"><span>{escape(text)}</span></div>')
        return
    best = progress.best
    left, right = st.columns(2, gap="medium")
    for column, metric in ((left, "accuracy"), (right, "loss")):
        with column, st.container(key=f"live_{metric}"):
            st.html(
                live_curves.html(
                    progress.epochs,
                    metric=metric,
                    batches=progress.batches_now,
                    epochs=run.config.settings.epochs,
                    best_epoch=best["epoch"] if best else 0,
                    words=curves_view.in_words(progress, metric),
                )
            )


def _show_photos(run: Run, progress: RunProgress) -> None:
    """A few of the photos, evenly from all; those it has been past are bright."""
    pictures = _pictures_of(run)
    if not pictures:
        return
    share = 0.0
    if "features" in progress.stages and progress.stage != "features":
        share = 1.0
    elif progress.counted.get("total"):
        share = float(progress.counted["done"]) / float(progress.counted["total"])
    past = int(share * len(pictures))
    st.html(
        f"<style>.st-key-live_photos [data-testid=stImageContainer]:nth-child(n+{past + 1}) img"
        "{opacity:.28;filter:grayscale(1)}</style>"
    )
    with st.container(key="live_photos"):
        st.image(pictures, width=64, alt=[""] * len(pictures))


def _pictures_of(run: Run) -> list[str]:
    """Thumbnails of some of the run's photos, found once a session."""
    key = f"live_pictures_{run.folder}"
    if key not in st.session_state:
        try:
            dataset = datasets.open_dataset(Path(run.config.dataset))
            paths = list(dataset.photos["path"])
            chosen = paths[:: max(1, len(paths) // _MOST_PICTURES)][:_MOST_PICTURES]
            st.session_state[key] = [str(dataset.thumbnail(path)) for path in chosen]
        except (TransLearnError, OSError):
            st.session_state[key] = []
    pictures: list[str] = st.session_state[key]
    return pictures


def _show_warnings(progress: RunProgress) -> None:
    for text in progress.warnings:
        st.warning(frame.plain(text), icon=":material/info:")


def _show_stop(run: Run) -> None:
    """Stop, and once that was asked for, the stronger way."""
    with st.container(key="live_end", horizontal=True, vertical_alignment="center"):
        if not run.stop_requested:
            st.button(
                _("Stop"),
                key="live_stop",
                icon=":material/stop_circle:",
                on_click=run.request_stop,
                help=_("Ends the training and keeps the best so far."),
            )
            return
        st.button(
            _("End at once"),
            key="live_force",
            icon=":material/cancel:",
            on_click=_force,
            args=(run,),
            help=_("Ends the process now. What it has not saved is lost."),
        )
        st.caption(_("It was asked to stop. Ending at once loses what it has learned."))


def _force(run: Run) -> None:
    with frame.errors_shown():
        jobs.force_stop(run)


# --- a run that has ended --------------------------------------------------------------------


def _show_ended(run: Run, state: RunState, progress: RunProgress) -> None:
    if state.state in ("finished", "stopped"):
        _show_outcome(run, state)
    else:
        _show_accident(run, state)
    _show_warnings(progress)
    if progress.epochs:
        curves_view.show(progress, key="ended")


def _show_outcome(run: Run, state: RunState) -> None:
    """A run that came to an end as it should: its sentence, and the next step."""
    with st.container(key="live_done", gap="small"):
        if run.has_result:
            sentence, rest = run_text.result_sentence(run.metrics)
            if state.state == "stopped":
                rest = _("Stopped early; the best so far was kept.") + " " + rest
            st.html(f'<p class="tl-now">✓ {escape(sentence)}</p>')
            st.caption(rest)
        else:
            st.info(state.reason or _("Stopped before there was a result."), icon=":material/info:")
        with st.container(horizontal=True, key="live_next"):
            if not run.has_result:
                _show_again(run)
            elif st.button(
                _("See the results"),
                key="live_results",
                type="primary",
                icon=":material/insights:",
            ):
                frame.go("results")
            _show_set_up_again(run)


def _show_accident(run: Run, state: RunState) -> None:
    """A run that failed or was lost: why, what it last said, and the way on."""
    if state.state == "lost":
        st.warning(
            _("**This training is lost.** {reason}").format(reason=frame.plain(state.reason)),
            icon=":material/heart_broken:",
        )
    else:
        reason = state.reason or _("Something unexpected went wrong.")
        st.error(
            _("**The training could not go on.** {reason}").format(reason=frame.plain(reason)),
            icon=":material/error:",
        )
    with st.container(horizontal=True, key="live_next"):
        _show_again(run)
        _show_set_up_again(run)
    tail = run.log_tail()
    with st.expander(_("What it said last (log)"), key="live_log", expanded=state.state == "lost"):
        if tail:
            st.code(tail, language=None, wrap_lines=True, height=260)
        else:
            st.caption(_("The log is empty: the process ended before it said anything."))


def _show_again(run: Run) -> None:
    st.button(
        _("Start again"),
        key="live_again",
        type="primary",
        icon=":material/replay:",
        on_click=_start_again,
        args=(run,),
        help=_("A new training with the same photos and settings."),
    )


def _show_set_up_again(run: Run) -> None:
    st.button(
        _("Train again with other settings"),
        key="live_set_up",
        icon=":material/tune:",
        on_click=_set_up_again,
        args=(run,),
        help=_("Its settings are filled in, to change what you like."),
    )


def _set_up_again(run: Run) -> None:
    with frame.errors_shown():
        run_actions.fill_in(run)


def _start_again(run: Run) -> None:
    with frame.errors_shown():
        frame.open_run(jobs.start_again(run))


# --- words -----------------------------------------------------------------------------------
