"""The events of a job: one JSON object a line, appended by its worker, read incrementally.

Owns: the file `events.jsonl`. Leaves to others: what the events of a kind mean
(`Job.append_event`).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


def append_event(path: Path, kind: str, **fields: Any) -> None:
    """Append one event with the time."""
    line = json.dumps({"t": round(time.time(), 3), "kind": kind, **fields}, ensure_ascii=False)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events from byte `offset` on, and the offset to read on from.

    A last line without a newline is left for the next call; a damaged one is passed over.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    end = data.rfind(b"\n") + 1
    events = []
    for line in data[:end].split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "kind" in event:
            events.append(event)
    return events, offset + end
