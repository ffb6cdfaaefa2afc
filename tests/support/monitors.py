"""Monitors that keep what they are told."""

from __future__ import annotations

from translearn_core.monitor import Monitor


class Warned(Monitor):
    """Keeps what a person would be warned of."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, text: str) -> None:
        """See `Monitor.warning`."""
        self.said.append(text)
