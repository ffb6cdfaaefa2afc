"""The progress of a run, read from its events: the memory of its live view.

Owns: folding events into a `RunProgress`, kept in the session and read on from where the last look ended,
and what follows from it in figures: the best so far, the time left, the share done.
Leaves to others: saying it in words (`training/live.py`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from translearn_core.runs import JobState, Run

POLL_S = 1.0
"""Between two looks at a run that lives."""
_MOST_BATCH_POINTS = 400
LOOKING = ("features", "technique")
"""Stages in which photos are looked at, one by one."""
COUNTED = (*LOOKING, "refit")
"""Stages whose progress is counted, in photos or in rounds."""


@dataclass
class RunProgress:
    """What the events of a run say so far; `counted` is the latest event that counts photos."""

    offset: int = 0
    stage: str = ""
    stages: list[str] = field(default_factory=list)
    counted: dict[str, Any] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def read_on(self, run: Run) -> None:
        """Take in what was appended since the last look."""
        events, self.offset = run.events(self.offset)
        for event in events:
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "state":
            self.stage = event.get("stage", "")
            if self.stage and self.stage not in self.stages:
                self.stages.append(self.stage)
        elif kind == "progress":
            self.counted = event
        elif kind == "batch":
            self.batches = [*self.batches, event][-_MOST_BATCH_POINTS:]
        elif kind == "epoch":  # a phase that began again (memory ran out) replaces its epochs
            self.epochs = [e for e in self.epochs if e["epoch"] < event["epoch"]] + [event]
        elif kind == "warning":
            self.warnings.append(event["text"])
        elif kind == "error":
            self.errors.append(event["text"])

    @property
    def best(self) -> dict[str, Any] | None:
        """The epoch whose weights are kept: the lowest validation loss of the latest phase, once
        calibrated (earlier runs: as it is)."""
        phase = self.epochs[-1]["phase"] if self.epochs else ""
        judged = [e for e in self.epochs if e["phase"] == phase and e.get("val_loss") is not None]
        if not judged:
            return None
        return min(judged, key=lambda e: float(e.get("val_loss_calibrated") or e["val_loss"]))

    @property
    def batches_now(self) -> list[dict[str, Any]]:
        """Points within the epoch that is going on, where epochs are long enough to want them."""
        latest = self.epochs[-1] if self.epochs else {"epoch": 0, "seconds": 2 * POLL_S}
        if float(latest.get("seconds") or 0.0) < 2 * POLL_S:
            return []
        return [batch for batch in self.batches if batch["epoch"] > latest["epoch"]]


def progress_of(run: Run) -> RunProgress:
    """The progress of the run up to now, kept in the session and read on from where it was."""
    key = f"live_progress_{run.folder}"
    progress: RunProgress = st.session_state.setdefault(key, RunProgress())
    progress.read_on(run)
    return progress


def left_now(event: Mapping[str, Any]) -> float:
    """Seconds left now, of an event of a moment ago."""
    return max(0.0, float(event["left_s"]) - (time.time() - float(event["t"])))


def time_left(progress: RunProgress) -> float | None:
    """Seconds until the present stage ends at the latest, or None when nobody knows."""
    if progress.stage in LOOKING and progress.counted.get("left_s") is not None:
        return left_now(progress.counted)
    if progress.stage in ("head", "fine_tune") and progress.epochs:
        latest = progress.epochs[-1]
        if latest["phase"] == progress.stage and latest.get("left_s") is not None:
            return left_now(latest)
    return None


def share_done(state: JobState, progress: RunProgress) -> float:
    """How much of the present stage is done, in [0, 1]."""
    if state.state == "queued":
        return 0.0
    if progress.stage in COUNTED and progress.counted.get("stage") == progress.stage:
        return min(1.0, float(progress.counted["done"]) / float(progress.counted["total"]))
    if progress.stage in ("head", "fine_tune"):
        return _share_learned(progress)
    return 1.0 if progress.stage in ("evaluate", "compare", "save", "tasks") else 0.0


def _share_learned(progress: RunProgress) -> float:
    """How much of the rounds of the present phase is over, in [0, 1]."""
    epochs = [event for event in progress.epochs if event["phase"] == progress.stage]
    batches = [event for event in progress.batches[-1:] if event["phase"] == progress.stage]
    if not epochs and not batches:
        return 0.0
    before = max((e["epoch"] for e in progress.epochs if e["phase"] != progress.stage), default=0)
    done = float(epochs[-1]["epoch"]) if epochs else float(before)
    if batches and batches[-1]["epoch"] > done and batches[-1]["batches"]:
        done += float(batches[-1]["batch"]) / float(batches[-1]["batches"])
    most = float((epochs or batches)[-1]["epochs"])
    return min(1.0, (done - before) / max(1.0, most - before))
