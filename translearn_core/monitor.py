"""What long work tells while it runs, and whether it should stop.

Owns: `Monitor`, the one object that is handed down through training, checks, searches and exports.
The base class is silent and never stops, so every function can be called without a run.
Leaves to others: where it is written (`jobs/background.py`), what it looks like on a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from translearn_core.errors import StopRequestedError


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
        """One that tells nothing and heeds the same stop: for work inside of other work."""
        return _Silent(lambda: self.stop_requested)

    def until(self, deadline: float) -> Monitor:
        """One that also stops at `deadline`, in seconds of `time.monotonic()`."""
        return _Until(self, deadline)


class _Silent(Monitor):
    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop

    @property
    def stop_requested(self) -> bool:
        return self._stop()


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
