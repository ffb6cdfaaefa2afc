"""The split of a run, and its predictions on the test photos.

Owns: telling the parts of a run afterwards. They follow from the settings and the photos
(`datasets.assign_splits`); the test part also stands in predictions.parquet, against which the
rest is checked. Reads the answers that a run kept about them.
Leaves to others: making the split of a new run (`fitting/data.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.runs.predictions import read_predictions
from translearn_core.runs.provenance import read_photos
from translearn_core.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class RunSplit:
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


def recover_split(run: Run) -> RunSplit:
    """Tell the parts of a run.

    Raises:
        RunError: the run has no result.
        SourceError: its data set is gone.
    """
    metrics, settings = run.metrics, run.config.settings
    tested = set(read_predictions(run)["path"])
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
    return RunSplit(dataset=dataset, table=table, certain=certain)
