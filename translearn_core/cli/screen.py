"""What the commands show: progress on stderr, results on stdout, the core's log in a file.

Owns: `Bar`, the printing of lines and JSON, where the log of a piece of work goes.
Leaves to others: what is shown (the commands beside this).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from translearn_core.errors import InputError
from translearn_core.monitor import Monitor
from translearn_core.texts import _


class Bar:
    """Progress on stderr: a bar on a terminal, else a line every few seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = 0.0 if self._terminal else time.monotonic()
        self._width = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._terminal and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
        self._width = 0

    def show(self, text: str, share: float | None, *, always: bool = False) -> None:
        """Show a text and how much of it is done."""
        now = time.monotonic()
        if not always and now - self._told < (0.1 if self._terminal else 2.0):
            return
        self._told = now
        if not self._terminal:
            sys.stderr.write(text + "\n")
            return
        filled = "" if share is None else "█" * round(20 * share) + "░" * (20 - round(20 * share))
        line = f"{filled} {text}".strip()[:110]
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = len(line)

    def show_progress(self, progress: Any) -> None:
        """Show how far an import is."""
        share = progress.done / progress.total if progress.total else None
        count = (
            f"{progress.done:,} / {progress.total:,}" if progress.total else f"{progress.done:,}"
        )
        self.show(f"{progress.what} {count}", share)

    def follow(self, run: Any, ended: threading.Event) -> None:
        """Show a run's events as they come, until it has ended."""
        offset = 0
        while True:
            last_round = ended.is_set()
            events, offset = run.events(offset)
            for event in events:
                self._show_event(event)
            if last_round:
                return
            ended.wait(0.1)

    def _show_event(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "progress":
            text = (
                _("Getting used to the new place · round {done:,} of {total:,}")
                if event.get("what") == "rounds"
                else _("Looking at photo {done:,} of {total:,} · {per_s:.0f}/s · {left:.0f} s left")
            )
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
            text = _("Round {epoch} of {epochs} · right on {accuracy:.1%} · loss {loss:.3f}")
            self.show(
                text.format(
                    epoch=event["epoch"],
                    epochs=event["epochs"],
                    accuracy=accuracy or 0.0,
                    loss=event["loss"] or 0.0,
                ),
                event["epoch"] / event["epochs"],
            )
        elif kind == "trial":
            text = _("Settings no. {n}: right on {share} in cross-validation")
            share = _("given up") if event["given_up"] else f"{event['accuracy']:.1%}"
            self.show(text.format(n=event["number"], share=share), None, always=True)
        elif kind == "warning":
            self.clear()
            self.show(_("Note: {text}").format(text=event["text"]), None, always=True)
            if self._terminal:
                sys.stderr.write("\n")


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


def print_json(content: Any, *, indent: int | None = 1) -> None:
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=indent) + "\n")


def print_line(line: str) -> None:
    sys.stdout.write(line + "\n")


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send the core's log, and what native libraries write to stderr, to the run's own file.

    What this process itself writes to `sys.stderr` still reaches the person.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("translearn_core")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    person = sys.stderr
    person.flush()
    kept = os.dup(2)
    sys.stderr = os.fdopen(kept, "w", encoding=person.encoding, buffering=1, closefd=False)
    log = path.open("ab")
    os.dup2(log.fileno(), 2)
    log.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        sys.stderr = person
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def cannot_write(file: Path, error: OSError) -> InputError:
    return InputError(
        _("{file} cannot be written: {cause}. Name another file.").format(
            file=file, cause=error.strerror
        )
    )
