"""The split of a run, and its predictions on the test photos.

Owns: telling the parts of a run afterwards. They follow from the settings and the photos
(`datasets.assign_splits`); the test part also stands in predictions.parquet, against which the
rest is checked. Reads the answers that a run kept about them.
Leaves to others: making the split of a new run (`material.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import RunError
from translearn_core.lineage import read_photos
from translearn_core.runs import Run
from translearn_core.texts import _


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The photos of a run's data set as they are now, with their part of the run.

    Attributes:
        table: one row a photo: the columns of the manifest, and part (train | val | test).
        certain: whether the parts are those of the run, to the photo. False where the data set
            was changed since: then `test` is still true, `train` and `val` are a guess.
    """

    dataset: Dataset
    table: pd.DataFrame
    certain: bool

    def rows(self, part: str) -> pd.DataFrame:
        """The photos of one part."""
        return self.table[self.table["part"] == part]


def read_answers(run: Run) -> pd.DataFrame:
    """predictions.parquet: the test photos with their truth and the answers.

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


def read_task_answers(run: Run, task: str) -> pd.DataFrame:
    """The test photos that carry a label of a further task (tasks.parquet), as `read_answers`.

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


def parts_of(run: Run) -> Parts:
    """Tell the parts of a run.

    Raises:
        RunError: the run has no result.
        SourceError: its data set is gone.
    """
    metrics, settings = run.metrics, run.config.settings
    tested = set(read_answers(run)["path"])
    dataset = datasets.open_dataset(Path(run.config.dataset))
    photos = dataset.photos.reset_index(drop=True)
    split = datasets.assign_splits(
        dataset,
        validation_share=settings.validation_share,
        test_share=settings.test_share,
        seed=settings.seed,
    )
    part = split.loc[photos["path"]].to_numpy(dtype=object)
    paths = photos["path"]
    kept = read_photos(run)
    if kept is not None and set(kept["path"]) - {""} == set(paths):
        part_of = dict(zip(kept["path"], kept["part"], strict=True))
        part = paths.map(part_of).to_numpy(dtype=object)
    counts = [int((part == name).sum()) for name in ("train", "val")]
    certain = set(paths[part == "test"]) == tested and counts == [
        metrics["n_train"],
        metrics["n_val"],
    ]
    if not certain:
        is_tested = paths.isin(list(tested)).to_numpy()
        part = np.where(is_tested, "test", np.where(part == "test", "train", part))
    table = photos.assign(part=part)
    return Parts(dataset=dataset, table=table, certain=certain)
