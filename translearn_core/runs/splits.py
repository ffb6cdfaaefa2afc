"""The split of a run, recovered from its settings and files.

Owns: recovering the split of a run. It follows from the settings and the photos
(`datasets.assign_splits`); the test part also stands in predictions.parquet, against which it
is checked.
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
        table: one row a photo: the columns of the manifest, and part (train | val | test | aside).
        certain: whether the split is exactly that of the run. False where the data set was changed
            since: then `test` is still exact, `train` and `val` are estimated.
    """

    dataset: Dataset
    table: pd.DataFrame
    certain: bool

    def rows(self, part: str) -> pd.DataFrame:
        """The photos of one part."""
        return self.table[self.table["part"] == part]


def recover_split(run: Run) -> RunSplit:
    """Recover the split of a run.

    Raises:
        RunError: the run has no result.
        SourceError: its data set is gone.
    """
    metrics, settings = run.metrics, run.config.settings
    test_paths = set(read_predictions(run)["path"])
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
    recorded = read_photos(run)
    known = set() if recorded is None else set(recorded["path"]) - {""}
    rest = set(paths) - known
    if recorded is not None and known <= set(paths) and rest <= set(paths[part == datasets.ASIDE]):
        part_of = dict(zip(recorded["path"], recorded["part"], strict=True))
        part = paths.map(part_of).fillna(datasets.ASIDE).to_numpy(dtype=object)
    counts = [int((part == name).sum()) for name in ("train", "val")]
    is_exact = set(paths[part == "test"]) == test_paths and counts == [
        metrics.n_train,
        metrics.n_val,
    ]
    if not is_exact:
        is_tested = paths.isin(list(test_paths)).to_numpy()
        part = np.where(is_tested, "test", np.where(part == "test", "train", part))
    table = photos.assign(part=part)
    return RunSplit(dataset=dataset, table=table, certain=is_exact)
