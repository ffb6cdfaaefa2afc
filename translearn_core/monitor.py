"""Progress reports and stop requests of long work.

Owns: `Monitor`, the object that training, checks, searches and exports report to.
The base class is silent and never stops, so every function can be called without a run.
Leaves to others: writing to files (`jobs/background.py`), display.
"""

from __future__ import annotations

import time
from typing import Any

from translearn_core.errors import StopRequestedError

REPORT_EVERY_S = 0.25


class Monitor:
    """Receives stages, progress, warnings and events; says whether a stop was requested."""

    @property
    def stop_requested(self) -> bool:
        """Whether the work should stop soon."""
        return False

    def check_stop(self) -> None:
        """Raise when a stop was requested.

        Raises:
            StopRequestedError: a stop was requested.
        """
        if self.stop_requested:
            raise StopRequestedError

    def stage(self, name: str) -> None:
        """Begin a new stage; its progress is unknown at first."""

    def update(self, **changes: Any) -> None:
        """Change fields of the state, like `device`."""

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        """Report the progress of the stage.

        Args:
            done, total: counts of photos, or of `what`.
            per_s: rate per second; 0 where it is unknown.
            what: the unit, where it is not photos.
        """

    def leaves_result(self) -> None:
        """Report that from now on a stop leaves a result, which may take a while to put together."""

    def warning(self, text: str) -> None:
        """Report a problem that does not end the work."""

    def event(self, kind: str, **fields: Any) -> None:
        """Report an event of another kind: `batch`, `epoch`, `trial`."""

    def silent(self) -> Monitor:
        """A monitor for nested work: it passes on warnings and stop requests only."""
        return Silent(self)

    def until(self, deadline: float) -> Monitor:
        """A monitor that also stops at `deadline`, in seconds of `time.monotonic()`."""
        return _Until(self, deadline)


class Silent(Monitor):
    """Passes on warnings and stop requests only.

    Args:
        inner: the monitor that is told.
    """

    def __init__(self, inner: Monitor) -> None:
        self._inner = inner

    @property
    def stop_requested(self) -> bool:
        return self._inner.stop_requested

    def warning(self, text: str) -> None:
        self._inner.warning(text)


class _Until(Monitor):
    """Passes everything on, and also stops at a deadline."""

    def __init__(self, inner: Monitor, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    @property
    def stop_requested(self) -> bool:
        return time.monotonic() >= self._deadline or self._inner.stop_requested

    def stage(self, name: str) -> None:
        self._inner.stage(name)

    def update(self, **changes: Any) -> None:
        self._inner.update(**changes)

    def leaves_result(self) -> None:
        self._inner.leaves_result()

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        self._inner.progress(done, total, per_s, what=what)

    def warning(self, text: str) -> None:
        self._inner.warning(text)

    def event(self, kind: str, **fields: Any) -> None:
        self._inner.event(kind, **fields)


SILENT = Monitor()
"""A monitor that discards all reports and never stops."""


class PassProgress:
    """Reports the progress of a pass over photos, a few times a second at most.

    Args:
        total: number of photos.
        done: number of them done before this pass.
    """

    def __init__(self, monitor: Monitor, total: int, *, done: int = 0) -> None:
        self._monitor, self._total, self._before = monitor, total, done
        self._started_at, self._last_report = time.monotonic(), 0.0

    def __call__(self, done: int, per_s: float = 0.0) -> None:
        """Report that `done` photos of this pass are done; `per_s` where the rate was measured
        elsewhere."""
        now = time.monotonic()
        if now - self._last_report < REPORT_EVERY_S and self._before + done < self._total:
            return
        self._last_report = now
        rate = per_s or done / max(now - self._started_at, 1e-6)
        self._monitor.progress(self._before + done, self._total, rate)
