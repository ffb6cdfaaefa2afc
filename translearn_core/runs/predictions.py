"""Reads the test predictions of a run.

Owns: reading predictions.parquet and those of further tasks. Leaves to others: writing them
(`training/save.py`), the split of a run (`splits.py`).
"""

from __future__ import annotations

import pandas as pd

from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs.run import Run


def read_predictions(run: Run) -> pd.DataFrame:
    """predictions.parquet: the test photos with their labels and predictions.

    Raises:
        RunError: the run has none.
    """
    path = run.folder / "predictions.parquet"
    if not path.is_file():
        run.require()
        raise RunError(
            _("The run {run} kept no answers on test photos. Choose a finished run.").format(
                run=run.id
            )
        )
    return pd.read_parquet(path)


def read_task_predictions(run: Run, task: str) -> pd.DataFrame:
    """The test photos that carry a label of a further task (tasks.parquet), as `read_predictions`.

    Returns:
        path, file, truth, label, confidence, correct; without rows where the run does not have it.
    """
    columns = ["path", "file", task, f"{task}: answer", f"{task}: confidence"]
    names = ["path", "file", "truth", "label", "confidence"]
    try:
        table = pd.read_parquet(run.folder / "tasks.parquet", columns=columns)
    except (OSError, ValueError, KeyError):
        return pd.DataFrame(columns=[*names, "correct"])
    table = table.set_axis(names, axis=1)
    table = table[table["truth"] != ""].reset_index(drop=True)
    return table.assign(correct=table["truth"] == table["label"])
