"""What a run tells while it trains: its state and its events.

Owns: `RunMonitor`, which writes stages and states through the one writer of the run's state.json
and everything else to its events.jsonl.
Leaves to others: the writer and its heartbeat (`worker.py`), the files (`runs.py`).
"""

from __future__ import annotations

from typing import Any, Protocol

from translearn_core.monitor import Monitor
from translearn_core.runs import Run


class StateWriter(Protocol):
    """The one writer of a run's state."""

    def update(self, **changes: Any) -> None:
        """Replace the state with `changes`."""
        ...

    def enter(self, state: str, stage: str = "", **changes: Any) -> None:
        """Go to a state and stage, and say so in the events."""
        ...


class RunMonitor(Monitor):
    """See `Monitor`; a stop is asked for in the run's folder."""

    def __init__(self, run: Run, writer: StateWriter) -> None:
        self._run, self._writer = run, writer
        self._stage = ""

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._run.stop_requested

    def stage(self, name: str) -> None:
        """See `Monitor.stage`."""
        self._stage = name
        self._writer.enter("running", name)

    def update(self, **changes: Any) -> None:
        """See `Monitor.update`."""
        self._writer.update(**changes)

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        """See `Monitor.progress`."""
        self._run.append_event(
            "progress",
            stage=self._stage,
            done=done,
            total=total,
            per_s=round(per_s, 1),
            left_s=round((total - done) / per_s, 1) if per_s else 0,
            **({"what": what} if what else {}),
        )

    def warning(self, text: str) -> None:
        """See `Monitor.warning`."""
        self._run.append_event("warning", text=text)

    def event(self, kind: str, **fields: Any) -> None:
        """See `Monitor.event`."""
        self._run.append_event(kind, **fields)
