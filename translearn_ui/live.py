"""The live view of a run: what is happening now, the curves, and how to end it.

Owns: following one run through its folder, and every state of a run in words: waiting, running,
finished, stopped, failed, lost.
Leaves to others: what its events have told (`story.py`), training (`worker.py`), the figures of a
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
from translearn_core.texts import N_, _, ngettext
from translearn_ui import charts, frame, moving_curves, run_tools, tasks, techniques_view
from translearn_ui.story import (
    LOOKING,
    POLL_S,
    Story,
    left_now,
    share_done,
    story_of,
    time_left,
)

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

STYLE = """
<style>
.tl-stages {display: flex; flex-wrap: wrap; gap: .3rem 1.15rem; list-style: none;
  margin: 0 !important; padding: 0 !important; font-size: .87rem;}
.tl-stages li {display: flex; align-items: center; gap: .4rem; margin: 0; opacity: .55;}
.tl-stages li.done {opacity: .85;}
.tl-stages li.now {opacity: 1; font-weight: 650;}
.tl-stages i {width: 1.05rem; height: 1.05rem; border-radius: 50%; display: inline-flex;
  align-items: center; justify-content: center; font-style: normal; font-size: .68rem;
  border: 1.5px solid currentColor;}
.tl-stages li.done i {background: #2f9e87; border-color: #2f9e87;
  color: white;}
.tl-stages li.now i {border-color: #2f9e87;
  box-shadow: inset 0 0 0 .22rem #2f9e87; animation: tl-breathe 1.6s infinite;}
@keyframes tl-breathe {50% {opacity: .45;}}
.tl-facts {display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: .6rem 1.2rem; margin: .2rem 0 !important; padding: 0 !important;}
.tl-facts div {min-width: 0;}
.tl-facts dt {font-size: .82rem; opacity: .7; font-weight: 400; margin: 0 !important;}
.tl-facts dd {font-size: 1.3rem; font-weight: 600; margin: 0 !important; line-height: 1.35;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;}
.tl-facts dd small {font-size: .82rem; font-weight: 400; opacity: .7; display: block;}
.tl-now {font-size: 1.2rem; font-weight: 600; line-height: 1.35; margin: 0;
  font-variant-numeric: tabular-nums;}
.tl-now span {font-weight: 400; opacity: .75;}
.tl-curves-wait {border: 1px dashed color-mix(in srgb, currentColor 28%, transparent);
  border-radius: .6rem; min-height: 240px; display: flex; align-items: center;
  justify-content: center; text-align: center; padding: 1rem;}
.st-key-live_photos [data-testid="stImage"] {gap: .4rem;}
.st-key-live_photos img {width: 4rem; height: 4rem; object-fit: cover; border-radius: .5rem;
  transition: opacity .4s, filter .4s;}
.tl-curves-wait span {opacity: .65; max-width: 26rem;}
</style>
"""


def show(run: Run) -> None:
    """Show a run in whatever state it is, and follow it while it lives."""
    st.html(STYLE)
    if run.state.state in LIVE_STATES:
        _follow(run)
    else:
        _show_ended(run, run.state, story_of(run))


@st.fragment(run_every=POLL_S)
def _follow(run: Run) -> None:
    """The part of the page that looks again by itself, until the run has ended."""
    with frame.errors_shown():
        state = run.state
        story = story_of(run)
    if state.state not in LIVE_STATES:
        jobs.warm_up()  # who trained once is likely to train again
        st.rerun()
    _show_live(run, state, story)


# --- a run that lives ------------------------------------------------------------------------


def _show_live(run: Run, state: RunState, story: Story) -> None:
    queued = state.state == "queued"
    story.stage = state.stage or story.stage
    with st.container(key="live_now", gap="small"):
        st.html(f'<p class="tl-now" role="status">{_now_html(run, state, story)}</p>')
        st.progress(share_done(state, story))
        st.html(_stages_html(run.config.settings, state, story))
    st.html(_facts_html(run, state, story))
    # Each part has a place of its own, so that none moves when another comes or goes.
    with st.container(key="live_curves"):
        if not queued or story.epochs:
            _show_curves(run, story)
    with st.container(key="live_warnings"):
        _show_warnings(story)
    _show_stop(run)


def _now_html(run: Run, state: RunState, story: Story) -> str:
    """What is happening, as a headline: the main words, and the figures more quietly."""
    words, figures = what_now(run, state, story)
    return f"{escape(words)} <span>{escape(figures)}</span>" if figures else escape(words)


def what_now(run: Run, state: RunState, story: Story) -> tuple[str, str]:
    """What a living run is doing, in words, and its figures (empty where there are none)."""
    if run.stop_requested:
        if state.state == "queued":
            return _("Taking it out of the queue …"), ""
        if not story.epochs and not story.batches:
            return _("Stopping …"), _("there is nothing to keep yet.")
        return _("Stopping after this round, keeping the best so far …"), ""
    if state.state == "queued":
        return waiting_words(run)
    stage = state.stage or story.stage
    attacks = _attacks_only(run.config.settings)
    if stage in LOOKING and story.progress.get("stage") == stage:
        if attacks and stage == "technique":
            return _attacking_words(story.progress)
        return _looking_words(story.progress)
    if stage in ("head", "fine_tune") and (story.epochs or story.batches):
        resists = stage == "fine_tune" and run.config.settings.adversarial != "none"
        return _learning_words("resist" if resists else stage, story)
    sentences = {
        "start": _("Getting ready …"),
        "import": _("Reading the photos …"),
        "features": _("Getting the backbone ready …"),
        "technique": _("Trying trick photos on the model as it is …")
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


def _looking_words(progress: Mapping[str, Any]) -> tuple[str, str]:
    done, total = int(progress["done"]), int(progress["total"])
    if progress.get("what") == "rounds":
        words = _("Getting used to the new place")
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
        figures.append(_("{time} left").format(time=tasks.duration(left_now(progress))))
    return words, " · ".join(figures)


def _attacks_only(settings: Settings) -> bool:
    """Whether trick photos are all that a run's techniques look at."""
    return [row.name for row in techniques.in_use(settings) if row.looks] == ["adversarial"]


def _attacking_words(progress: Mapping[str, Any]) -> tuple[str, str]:
    words = _("Trying trick photos on the model as it is")
    return words, _("{done:,} of {total:,}").format(**progress)


def _learning_words(stage: str, story: Story) -> tuple[str, str]:
    words = {
        "head": _("Learning your classes"),
        "fine_tune": _("Fine-tuning the unfrozen blocks"),
        "resist": _("Learning to withstand trick photos"),
    }[stage]
    phase = "head" if stage == "head" else "fine_tune"
    events = [e for e in story.epochs[-1:] + story.batches[-1:] if e["phase"] == phase]
    if not events:
        return words, _("the first step takes longest")
    latest = max(events, key=lambda event: event["t"])
    figures = [
        _("round {n} of at most {most}").format(n=latest["epoch"], most=latest["epochs"]),
    ]
    left = time_left(story)
    if left is not None:
        almost = left < 1
        words_left = _("almost done") if almost else _("at most {time} left")
        figures.append(words_left.format(time=tasks.duration(left)))
    return words, " · ".join(figures)


def _stages_html(settings: Settings, state: RunState, story: Story) -> str:
    """The stages as a line of steps: done ones ticked, the present one marked and named so."""
    here = state.stage or story.stage
    names = list(STAGES)
    place = names.index(here) if here in names else -1
    items = []
    for index, name in enumerate(names):
        if _is_skipped(name, settings, has_tasks="tasks" in story.stages):
            continue
        over = index < place or name in story.stages
        kind = "now" if index == place else "done" if over else "ahead"
        current = ' aria-current="step"' if kind == "now" else ""
        sign = "✓" if kind == "done" else ""
        items.append(f'<li class="{kind}"{current}><i>{sign}</i>{escape(_(STAGES[name]))}</li>')
    return f'<ol class="tl-stages">{"".join(items)}</ol>'


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


def _facts_html(run: Run, state: RunState, story: Story) -> str:
    """Best so far, time, device: the figures beside the headline."""
    best = story.best
    rows = []
    if best is not None and best.get("val_accuracy") is not None:
        where = _("validation, round {n}").format(n=best["epoch"])
        rows.append((_("Best so far"), charts.percent(best["val_accuracy"]), where))
    if state.state == "queued":
        rows.append((_("Waiting for"), tasks.duration(time.time() - state.queued_at), ""))
    else:
        rows.append((_("Running for"), tasks.duration(time.time() - state.started_at), ""))
        left = time_left(story)
        if left is not None and left >= 1 and not run.stop_requested:
            rows.append((_("Left"), tasks.duration(left), _("of this step, at most")))
    if state.device:
        memory = _("{size} of memory").format(size=frame.size(state.memory_bytes))
        rows.append((_("Device"), state.device, memory if state.memory_bytes else ""))
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"{f'<small>{escape(note)}</small>' if note else ''}</dd></div>"
        for name, value, note in rows
    )
    return f'<dl class="tl-facts">{cells}</dl>'


def _show_curves(run: Run, story: Story) -> None:
    """Accuracy and loss side by side; before there are any, what will stand there."""
    if not story.epochs and not story.batches:
        _show_photos(run, story)
        text = _("The curves appear here as soon as it begins to learn.")
        st.html(f'<div class="tl-curves-wait"><span>{escape(text)}</span></div>')
        return
    best = story.best
    left, right = st.columns(2, gap="medium")
    for place, metric in ((left, "accuracy"), (right, "loss")):
        with place, st.container(key=f"live_{metric}"):
            st.html(
                moving_curves.STYLE
                + moving_curves.html(
                    story.epochs,
                    metric=metric,
                    batches=story.batches_now,
                    epochs=run.config.settings.epochs,
                    best_epoch=best["epoch"] if best else 0,
                    words=_curve_in_words(story, metric),
                )
            )


def _show_photos(run: Run, story: Story) -> None:
    """A few of the photos, evenly from all; those it has been past are bright."""
    pictures = _pictures_of(run)
    if not pictures:
        return
    share = 0.0
    if "features" in story.stages and story.stage != "features":
        share = 1.0
    elif story.progress.get("total"):
        share = float(story.progress["done"]) / float(story.progress["total"])
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


def show_curves(story: Story, *, key: str) -> None:
    """The two curves of a run that has ended; `key` begins the keys of the elements."""
    best = story.best
    left, right = st.columns(2, gap="medium")
    for place, metric in ((left, "accuracy"), (right, "loss")):
        figure = charts.curves(story.epochs, metric=metric, best_epoch=best["epoch"] if best else 0)
        with place:
            charts.show(figure, key=f"{key}_{metric}", alt=_curve_in_words(story, metric))


def _curve_in_words(story: Story, metric: str) -> str:
    if not story.epochs:
        return _("A curve that is just beginning.")
    latest = story.epochs[-1]
    name = _("accuracy") if metric == "accuracy" else _("loss")
    value = latest.get(f"val_{metric}")
    if value is None:
        return _("{name} over {n} rounds.").format(name=name, n=latest["epoch"])
    shown = charts.percent(value) if metric == "accuracy" else f"{value:.2f}"
    return _("{name} over {n} rounds; on the validation photos now {value}.").format(
        name=name, n=latest["epoch"], value=shown
    )


def _show_warnings(story: Story) -> None:
    for text in story.warnings:
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


def _show_ended(run: Run, state: RunState, story: Story) -> None:
    if state.state in ("finished", "stopped"):
        _show_outcome(run, state)
    else:
        _show_accident(run, state)
    _show_warnings(story)
    if story.epochs:
        show_curves(story, key="ended")


def _show_outcome(run: Run, state: RunState) -> None:
    """A run that came to an end as it should: its sentence, and the next step."""
    with st.container(key="live_done", gap="small"):
        if run.has_result:
            sentence, rest = result_sentence(run.metrics)
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
        run_tools.fill_in(run)


def _start_again(run: Run) -> None:
    with frame.errors_shown():
        frame.open_run(jobs.start_again(run))


# --- words -----------------------------------------------------------------------------------


def result_sentence(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """A run's result in words: the one sentence, and what it has to be held against."""
    if techniques_view.tested_elsewhere(metrics):
        return techniques_view.new_place_words(metrics)
    correct, n = int(metrics["test_correct"]), int(metrics["n_test"])
    low, high = (float(end) for end in metrics["test_interval"])
    sentence = _("Right on {correct:,} of {n:,} new photos ({share}).").format(
        correct=correct, n=n, share=charts.percent(metrics["test_accuracy"])
    )
    rest = _(
        "On other photos like these, expect between {low:.0f} and {high:.0f} of 100 "
        "(with 95 % certainty). Always guessing the largest class would get {majority:.0f}."
    ).format(low=low * 100, high=high * 100, majority=metrics["majority_accuracy"] * 100)
    return sentence, rest


def describe(settings: Settings) -> str:
    """The settings of a run in one line: backbone and how much of it is frozen."""
    from translearn_core import resolve

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
