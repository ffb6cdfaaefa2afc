"""Progress of a command on stderr.

Owns: `Bar`, and `BarMonitor`, which shows the stages of a job on it.
Leaves to others: the words (the commands), other output (`screen.py`). Brings Rich in: not for
`--help`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.monitor import Monitor

EVERY_S = 2.0
"""Least seconds between two lines of progress where stderr is not a terminal."""


class Bar:
    """Progress on stderr: a bar on a terminal (rich), else a line every few seconds."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._terminal = sys.stderr.isatty() and not self._console.is_dumb_terminal
        self._last_line_s = time.monotonic()
        self._progress: Progress | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def show(self, text: str, share: float | None, *, always: bool = False) -> None:
        """Show a text and the share that is done, in [0, 1]; None where it is unknown."""
        if self._terminal:
            total, done = (None, 0) if share is None else (100, round(100 * share))
            if self._progress is None:
                self._progress = self._new_progress()
                self._progress.add_task(text, total=total, completed=done)
                self._progress.start()
            else:
                task = self._progress.task_ids[0]
                self._progress.update(
                    task, description=text, total=total, completed=done, refresh=always
                )
            return
        now = time.monotonic()
        if always or now - self._last_line_s >= EVERY_S:
            self._last_line_s = now
            sys.stderr.write(text + "\n")

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        line = _("Note: {text}").format(text=text)
        if self._terminal:
            self._console.print(line, markup=False, soft_wrap=True)
        else:
            sys.stderr.write(line + "\n")

    def _new_progress(self) -> Progress:
        return Progress(
            BarColumn(bar_width=20),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show_progress(self, progress: Any) -> None:
        """Show the progress of an import."""
        share = progress.done / progress.total if progress.total else None
        count = (
            f"{progress.done:,} / {progress.total:,}" if progress.total else f"{progress.done:,}"
        )
        self.show(f"{progress.what} {count}", share)

    def follow(self, run: Any, ended: threading.Event) -> None:
        """Show a run's events as they are written, until `ended` is set."""
        offset = 0
        while True:
            is_last = ended.is_set()
            events, offset = run.events(offset)
            for event in events:
                self._show_event(event)
            if is_last:
                return
            ended.wait(0.1)

    def _show_event(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "progress":
            if event["stage"] == "refit":
                text = _("Once more, with the validation photos · epoch {done:,} of {total:,}")
            elif event.get("what") == "rounds":
                text = _("Adapting to the new domain · epoch {done:,} of {total:,}")
            else:
                text = _("Photo {done:,} of {total:,} · {per_s:.0f}/s · {left:.0f} s left")
            self.show(
                text.format(
                    done=event["done"],
                    total=event["total"],
                    per_s=event["per_s"],
                    left=event["left_s"],
                ),
                event["done"] / max(event["total"], 1),
            )
        elif kind == "epoch":
            accuracy = (
                event["val_accuracy"] if event["val_accuracy"] is not None else event["accuracy"]
            )
            text = _("Epoch {epoch} of {epochs} · accuracy {accuracy} · loss {loss:.3f}")
            self.show(
                text.format(
                    epoch=event["epoch"],
                    epochs=event["epochs"],
                    accuracy=percent(accuracy or 0.0, 1),
                    loss=event["loss"] or 0.0,
                ),
                event["epoch"] / event["epochs"],
            )
        elif kind == "trial":
            text = _("Trial {n}: {share} in cross-validation")
            share = _("pruned") if event["given_up"] else percent(event["accuracy"], 1)
            self.show(text.format(n=event["number"], share=share), None, always=True)
        elif kind == "warning":
            self.note(event["text"])


class BarMonitor(Monitor):
    """Shows stages and progress on a bar.

    Args:
        stages: name -> what a person reads, not translated yet.
    """

    def __init__(self, bar: Bar, stages: Mapping[str, str]) -> None:
        self._bar, self._stages = bar, stages

    def stage(self, name: str) -> None:
        """See `Monitor.stage`."""
        self._bar.show(_(self._stages[name]), None, always=True)

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        """See `Monitor.progress`."""
        text = _("Looking at photo {done:,} of {total:,} · {per_s:.0f}/s")
        text = text.format(done=done, total=total, per_s=per_s)
        self._bar.show(text, done / max(total, 1))
