"""How many processors decoding may use.

Owns: `processor_count`. Imports nothing of the app: exported programs have it, too.
"""

from __future__ import annotations

import os


def processor_count() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
