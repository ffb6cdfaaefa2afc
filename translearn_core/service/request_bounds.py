"""How large a request may be, how many photos it may hold, and how long it may take.

Owns: `Bounds` and their defaults, which are those of `serve --max-mb` and `--max-photos`, too.
Leaves to others: keeping them (`guard.py`; photos of a request: `photo_requests.py`,
`open_inference.py`), bounds on one photo (`installation_limits.py` of the ground floor).
"""

from __future__ import annotations

from dataclasses import dataclass

DRAIN_BYTES = 2**28
"""What is read of a body that is too long, so that the client gets to read why."""
LEAST_HELD = 2**20
"""What a whole request counts at least: its pixels take memory, too."""
LONGEST_TOGETHER = 4
"""So many requests of the greatest length are read or answered at a time."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits of requests.

    Attributes:
        body_bytes: of one request.
        photos: of one request.
        idle_s: how long a client may send nothing.
        body_s: how long a client may take for a body.
        least_per_s: bytes a second of a body, on average after `idle_s`.
    """

    body_bytes: int = 64 * 2**20
    photos: int = 64
    idle_s: float = 15.0
    body_s: float = 120.0
    least_per_s: float = 16 * 2**10

    @property
    def total_bytes(self) -> int:
        """Of all requests that are read or answered at a time."""
        return LONGEST_TOGETHER * self.body_bytes
