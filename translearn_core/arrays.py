"""Types of arrays.

Owns: their names, for annotations. Shapes stand in docstrings.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HEADER_LOCK = threading.Lock()
"""Held while a file of NumPy's is read beside other threads: its header is parsed as Python text, which
Python before 3.11.8 and 3.12.1 does right in one thread at a time only (python/cpython#106905)."""
