"""What long work tells while it runs, and whether it should stop.

Owns: `Monitor`, the one object that is handed down through training, checks, searches and exports.
The base class is silent and never stops, so every function can be called without a run.
Leaves to others: where it is written (`jobs/background.py`), what it looks like on a page.
"""

from __future__ import annotations

import time
from typing import Any

from translearn_core.errors import StopRequestedError

REPORT_EVERY_S = 0.25


class Monitor:
    """Stages, progress, warnings and events of one piece of work; and the request to stop it."""

    @property
    def stop_requested(self) -> bool:
        """Whether the work should stop soon."""
        return False

    def check_stop(self) -> None:
        """Raise when the work should stop.

        Raises:
            StopRequestedError: it should.
        """
        if self.stop_requested:
            raise StopRequestedError

    def stage(self, name: str) -> None:
        """Begin a new stage; its progress is not known yet."""

    def update(self, **changes: Any) -> None:
        """Change fields of the state, like `device`."""

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        """Report how far the stage is.

        Args:
            done, total: counts of photos, or of `what`.
            per_s: so many a second; 0 where it is not known.
            what: what is counted, where it is not photos.
        """

    def warning(self, text: str) -> None:
        """Tell the person something that does not end the work."""

    def event(self, kind: str, **fields: Any) -> None:
        """Append an event of a kind of its own: `batch`, `epoch`, `trial`."""

    def silent(self) -> Monitor:
        """One for work inside of other work: it passes warnings on, tells nothing else, and heeds
        the same stop."""
        return _Silent(self)

    def until(self, deadline: float) -> Monitor:
        """One that also stops at `deadline`, in seconds of `time.monotonic()`."""
        return _Until(self, deadline)


class _Silent(Monitor):
    def __init__(self, inner: Monitor) -> None:
        self._inner = inner

    @property
    def stop_requested(self) -> bool:
        return self._inner.stop_requested

    def warning(self, text: str) -> None:
        self._inner.warning(text)


class _Until(Monitor):
    """Passes everything on, and stops by the clock, too."""

    def __init__(self, inner: Monitor, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    @property
    def stop_requested(self) -> bool:
        return time.monotonic() >= self._deadline or self._inner.stop_requested

    def stage(self, name: str) -> None:
        self._inner.stage(name)

    def update(self, **changes: Any) -> None:
        self._inner.update(**changes)

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        self._inner.progress(done, total, per_s, what=what)

    def warning(self, text: str) -> None:
        self._inner.warning(text)

    def event(self, kind: str, **fields: Any) -> None:
        self._inner.event(kind, **fields)


SILENT = Monitor()
"""For work that nobody follows and nobody stops."""


class PassProgress:
    """Tells a monitor how far a pass over photos is, a few times a second at most.

    Args:
        total: how many photos there are.
        done: how many of them were done before.
    """

    def __init__(self, monitor: Monitor, total: int, *, done: int = 0) -> None:
        self._monitor, self._total, self._before = monitor, total, done
        self._began, self._told = time.monotonic(), 0.0

    def __call__(self, done: int, per_s: float = 0.0) -> None:
        """So many photos of this pass are done; `per_s` where it was measured elsewhere."""
        now = time.monotonic()
        if now - self._told < REPORT_EVERY_S and self._before + done < self._total:
            return
        self._told = now
        rate = per_s or done / max(now - self._began, 1e-6)
        self._monitor.progress(self._before + done, self._total, rate)
