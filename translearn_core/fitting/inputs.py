"""Inputs by row: what models are fed from.

Owns: `FeatureSource`, and the sources that are arrays or several sources together. Imports nothing heavy.
Leaves to others: cached features (`features/cache.py`), batches (`batches.py`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from translearn_core.arrays import Array


class FeatureSource(Protocol):
    """Inputs by row: cached features, or photos decoded as they are asked for."""

    shape: tuple[int, ...]

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """Inputs `(len(rows), ...)`."""
        ...


class InMemory:
    """A `FeatureSource` whose rows are an array."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows
        self.shape = rows.shape

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """See `FeatureSource`."""
        taken: Array = self._rows[rows]
        return taken


class Stacked:
    """Several sources one below the other, addressed as one."""

    def __init__(self, *sources: FeatureSource) -> None:
        self._sources = sources
        self._starts = np.cumsum([0, *(source.shape[0] for source in sources)])
        self.shape = (int(self._starts[-1]), *sources[0].shape[1:])

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """See `FeatureSource`."""
        result = np.empty((len(rows), *self.shape[1:]), np.float32)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for number, source in enumerate(self._sources):
            chosen = np.flatnonzero(owners == number)
            if len(chosen):
                result[chosen] = source.take(rows[chosen] - self._starts[number])
        return result
