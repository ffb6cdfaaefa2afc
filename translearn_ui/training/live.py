"""The live view of a run: what is happening now, the curves, and how to end it.

Owns: following one run through its folder, and every state of a run in words: waiting, running,
finished, stopped, failed, lost.
Leaves to others: its progress (`components/run_progress.py`), training (`worker.py`), the figures of a
finished run (`pages/results.py`).

While the run lives, the view is a fragment that looks again every `POLL_S` seconds, every `WAITING_S`
where it waits in a class, and ends with one rerun of the page. Nothing is known here that is not in
the run folder: a reload, a second tab and another page lose nothing.
"""

from __future__ import annotations

import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core import datasets, jobs
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.jobs import placer
from translearn_core.runs import LIVE_STATES, JobState, Run
from translearn_ui.components import (
    curves_view,
    format,
    live_curves,
    queue_line,
    stage_strip,
)
from translearn_ui.components.run_progress import (
    POLL_S,
    RunProgress,
    progress_of,
    time_left,
)
from translearn_ui.shell import frame, signed_in
from translearn_ui.training import ended_view, run_words

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

WAITING_S = 3.0
_MOST_PICTURES = 14


def show(run: Run, place: DeltaGenerator) -> None:
    """Show a run in whatever state it is, and follow it while it lives.

    Args:
        place: where the button that ends it stands, in reach wherever the page is scrolled to.
    """
    if run.state.state in LIVE_STATES:
        stopping = run.stop_requested
        with place:
            _show_stop(run, stopping=stopping)
        waits = _waits_in_class(run.state)
        every_s = WAITING_S if waits else POLL_S
        st.fragment(_follow, run_every=every_s)(run, stopping, waits)
    else:
        frame.tab_title(ended_view.tab_title(run, run.state))
        ended_view.show(run, run.state, progress_of(run))


def _waits_in_class(state: JobState) -> bool:
    """Whether a run is one of many that wait, of which each need not be looked at every second."""
    return signed_in.is_class() and state.state == "queued"


def _follow(run: Run, stopping: bool, waits: bool) -> None:
    """The part of the page that looks again by itself, until the run has ended.

    Args:
        stopping, waits: what the page shows of it; it is drawn anew where the run was stopped elsewhere,
            or has its turn.
    """
    if not run.folder.is_dir():
        st.rerun()  # deleted elsewhere, which the page says
    state, progress = jobs.follow(run) or run.state, progress_of(run)
    if state.state not in LIVE_STATES:
        jobs.warm_up()  # who trained once is likely to train again
        st.rerun()
    if run.stop_requested != stopping or _waits_in_class(state) != waits:
        st.rerun()
    _show_live(run, state, progress)
    frame.tab_title(run_words.tab_title(run, state, progress))


def _show_live(run: Run, state: JobState, progress: RunProgress) -> None:
    queued = state.state == "queued"
    progress.stage = state.stage or progress.stage
    with st.container(key="live_now", gap="small"):
        st.html(stage_strip.headline_html(*run_words.what_now(run, state, progress)))
        st.progress(run_words.share_of_all(run.config.settings, state, progress))
        st.html(run_words.strip_html(run.config.settings, state, progress))
        if queued:
            queue_line.show(run)
    st.html(_facts_html(run, state, progress))
    # Each part has a place of its own, so that none moves when another comes or goes.
    with st.container(key="live_curves"):
        if not queued or progress.epochs:
            _show_curves(run, progress)
    with st.container(key="live_warnings"):
        ended_view.show_warnings(progress)
        if state.reason:  # it lives, and does not answer
            st.warning(frame.plain(state.reason), icon=":material/pause_circle:")
        problem = placer.read_view().problem if queued and state.cluster else ""
        if problem:
            st.warning(frame.plain(problem), icon=":material/lan:")


def _facts_html(run: Run, state: JobState, progress: RunProgress) -> str:
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
    if state.node:
        rows.append((_("Machine"), state.node, _("of the cluster")))
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


def _show_stop(run: Run, *, stopping: bool) -> None:
    """Stop, and once that was asked for, the stronger way."""
    if not stopping:
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
        help=_("Ends the process now. What it has learned is lost."),
    )


def _force(run: Run) -> None:
    with frame.errors_shown():
        jobs.force_stop(run)
