"""Whether one way of answering is clearly better than another on the same photos.

Owns: `standard_errors`, how far paired differences are from nothing.
Leaves to others: what is compared (`techniques/`), tests between finished runs (`significance.py`).
"""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Array

CLEAR = 1.0
"""Standard errors that a gain has to exceed before a technique departs from plain training."""


def standard_errors(gaps: Array) -> float:
    """The mean of paired differences `(n,)` in its standard errors; 0 where all are 0."""
    error = float(np.std(gaps)) / np.sqrt(max(1, len(gaps)))
    return float(np.mean(gaps) / max(error, 1e-9))
