"""Reads the test predictions of a run.

Owns: reading predictions.parquet and those of further tasks. Leaves to others: writing them
(`training/save.py`), the split of a run (`splits.py`).
"""

from __future__ import annotations

import pandas as pd

from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs.run import Run
from translearn_core.runs.run_tables import read_table


def read_predictions(run: Run) -> pd.DataFrame:
    """predictions.parquet: the test photos with their labels and predictions.

    Raises:
        RunError: the run has none, or its file is damaged.
    """
    table = read_table(run, "predictions.parquet")
    if table is None:
        run.require()
        raise RunError(
            _("The run {run} kept no answers on test photos. Choose a finished run.").format(
                run=run.id
            )
        )
    return table


def read_task_predictions(run: Run, task: str) -> pd.DataFrame:
    """The test photos that carry a label of a further task (tasks.parquet), as `read_predictions`.

    Returns:
        path, file, truth, label, confidence, correct; without rows where the run does not have it.

    Raises:
        RunError: its file is damaged.
    """
    columns = ["path", "file", task, f"{task}: answer", f"{task}: confidence"]
    names = ["path", "file", "truth", "label", "confidence"]
    table = read_table(run, "tasks.parquet")
    if table is None or not set(columns) <= set(table.columns):
        return pd.DataFrame(columns=[*names, "correct"])
    table = table[columns].set_axis(names, axis=1)
    table = table[table["truth"] != ""].reset_index(drop=True)
    return table.assign(correct=table["truth"] == table["label"])
