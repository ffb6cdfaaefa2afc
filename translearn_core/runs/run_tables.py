"""Reads the tables of a run folder.

Owns: reading a parquet file of a run, with one error for people where it is missing or damaged.
Leaves to others: what stands in them (`predictions.py`, `provenance.py`), writing them
(`training/save.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from translearn_core.atomic import parse_parquet
from translearn_core.runs.job import unreadable
from translearn_core.runs.run import Run


def read_table(run: Run, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame | None:
    """A table of a run; None where the run has no such file.

    Args:
        columns: those that are needed; None: all.

    Raises:
        RunError: the file is damaged, or lacks a column.
    """
    path = run.folder / name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        return parse_parquet(data, columns)
    except ValueError as error:
        raise unreadable(path, error) from error
