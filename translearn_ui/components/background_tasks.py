"""Work that outlives the run of a page: imports and batches, each in a thread of the web process.

Owns: starting such work, its progress in words (count, rate, time left), cancelling it, and
finding it again after a reload through its id, which the page keeps in the URL.
Leaves to others: what is worked on (`translearn_core`). Training is no task: it has its own
process (`translearn_core.jobs`).

A task lives in the memory of the server; when that ends, so does the task.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from translearn_core import spaces
from translearn_core.i18n import _
from translearn_ui.components import format
from translearn_ui.shell import frame, signed_in

log = logging.getLogger(__name__)

LOOK_S, LOOK_IN_CLASS_S = 0.4, 1.2
"""The progress of a task is drawn so often; less often where thirty may bring photos in at once."""
_MOST_KEPT = 64
_tasks: dict[str, Task] = {}
_lock = threading.Lock()


@dataclass
class Task:
    """One piece of work. Written by its thread, read by the pages.

    Attributes:
        done, total: counted in the unit that `what` names; `total` 0 means not known yet.
        result: what the work returned, once `finished` and `error` is None.
        space: whose work it is; nobody else finds it.
        upload: the folder of the upload that it reads; empty where it reads none.
    """

    id: str
    title: str
    what: str = ""
    done: int = 0
    total: int = 0
    started: float = field(default_factory=time.monotonic)
    stage_started: float = field(default_factory=time.monotonic)
    finished: bool = False
    cancelled: bool = False
    error: Exception | None = None
    result: Any = None
    space: Path | None = None
    upload: str = ""

    def report(self, done: int, total: int, what: str) -> None:
        """Take down how far the work has come; a new `what` starts a new stage."""
        if what != self.what or done < self.done:
            self.stage_started = time.monotonic()
        self.what, self.done, self.total = what, done, total

    def stop(self) -> bool:
        """Whether the work should end early."""
        return self.cancelled

    @property
    def share(self) -> float:
        """How much of the present stage is done, in [0, 1]."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def sentence(self) -> str:
        """Where it stands: `Photo 812 of 2,527 · 210 per second · 8 s left`."""
        parts = [self.what or self.title]
        if self.total:
            parts.append(_("{done:,} of {total:,}").format(done=self.done, total=self.total))
        elapsed_s = time.monotonic() - self.stage_started
        if self.total and self.done > 0 and elapsed_s > 0.5:
            rate = self.done / elapsed_s
            parts.append(_("{rate:,.0f} per second").format(rate=rate))
            parts.append(
                _("{time} left").format(time=format.duration((self.total - self.done) / rate))
            )
        return " · ".join(parts)


def start(title: str, work: Callable[[Task], Any], *, upload: str = "") -> Task:
    """Start `work(task)` in a thread and return its task at once."""
    task = Task(id=secrets.token_hex(4), title=title, space=spaces.current(), upload=upload)
    context = spaces.own_context()

    def run() -> None:
        try:
            task.result = work(task)
        except Exception as error:
            log.info("The task %r ended with an error", title, exc_info=error)
            task.error = error
        finally:
            task.finished = True

    with _lock:
        for old in [t.id for t in _tasks.values() if t.finished][
            : max(0, len(_tasks) - _MOST_KEPT)
        ]:
            del _tasks[old]
        _tasks[task.id] = task
    threading.Thread(target=context.run, args=(run,), name=f"task-{task.id}", daemon=True).start()
    return task


def find(task_id: str | None) -> Task | None:
    """The task with this id, if this server still knows it and it is of whoever acts."""
    task = _tasks.get(task_id or "")
    return task if task is not None and task.space == spaces.current() else None


def reads(upload: str) -> bool:
    """Whether an upload is being read."""
    return any(one.upload == upload and not one.finished for one in list(_tasks.values()))


def forget(task: Task) -> None:
    """Drop a task whose end has been seen."""
    with _lock:
        _tasks.pop(task.id, None)


def show(task: Task) -> None:
    """Show a task's progress with a way to cancel it; the page runs again when it has ended."""
    every_s = LOOK_IN_CLASS_S if signed_in.is_class() else LOOK_S
    st.fragment(_show, run_every=every_s)(task)


def _show(task: Task) -> None:
    if task.finished:
        st.rerun()
    with st.container(border=True, key=f"task_{task.id}"):
        st.markdown(f"**{frame.plain(task.title)}**")
        frame.tab_title(f"{task.title} {format.percent(task.share)}" if task.total else task.title)
        st.progress(
            task.share, text=_("Cancelling…") if task.cancelled else frame.plain(task.sentence)
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(_("Cancel"), key=f"task_{task.id}_cancel", disabled=task.cancelled):
                task.cancelled = True
                st.rerun(scope="fragment")
            st.caption(_("You can leave this page or reload it; this goes on."))
