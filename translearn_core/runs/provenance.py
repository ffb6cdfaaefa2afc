"""Provenance of training photos by content, so that a run that continues from another has a fair test.

Owns: `photos.parquet` of a run, the split of a run that starts from another one, and refusing a
run that learned from photos which another one is tested on.
Leaves to others: the split of all other runs (`datasets.assign_splits`).

`photos.parquet`: path, sha256, part (train | val | test). Photos that only the runs before have
learned from stand in it, too, without a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import datasets
from translearn_core.atomic import replace_file
from translearn_core.datasets import groups_of
from translearn_core.errors import SettingsError
from translearn_core.i18n import _
from translearn_core.runs.annotations import display_name
from translearn_core.runs.run import Run

FILE = "photos.parquet"
FEWEST_NEW = 10
"""With so many new photos for validation, photos that were learned from are not used for it."""


def write_photos(
    run: Run, photos: pd.DataFrame, parts: npt.NDArray[np.str_], before: Run | None
) -> None:
    """Keep the parts of a run's photos.

    Args:
        photos: the manifest.
        parts: train | val | test of each.
        before: the run that this one started from.
    """
    own = pd.DataFrame(
        {
            "path": photos["path"].to_numpy(dtype=object),
            "sha256": photos["sha256"].to_numpy(dtype=object),
            "part": np.asarray(parts, dtype=object),
        }
    )
    older = read_photos(before) if before is not None else None
    if older is not None:
        older = older[(older["part"] != "test") & ~older["sha256"].isin(own["sha256"])]
        own = pd.concat([own, older.assign(path="")], ignore_index=True)
    temporary = run.folder / ".photos.tmp"
    own.to_parquet(temporary, index=False)
    replace_file(temporary, run.folder / FILE)


def read_photos(run: Run) -> pd.DataFrame | None:
    """The photos of a run with their parts; None where it kept none (older runs)."""
    path = run.folder / FILE
    return pd.read_parquet(path) if path.is_file() else None


def training_hashes(run: Run) -> set[str] | None:
    """Content hashes of the photos that a run learned from; None where it cannot tell."""
    photos = read_photos(run)
    if photos is None:
        return None
    return set(photos.loc[photos["part"] != "test", "sha256"]) - {""}


def inherit_split(
    parts: npt.NDArray[np.str_], photos: pd.DataFrame, before: Run
) -> npt.NDArray[np.str_]:
    """The split of a run that starts from `before`: no photo that was learned from is tested.

    Photos that `before` was tested on, and copies of them, are tested again; only new photos are
    divided anew. A split that the source of the photos gives is left as it is.

    Args:
        parts: what the split would be otherwise, `(n,)`.
        photos: the manifest, in the same order.
    """
    known = read_photos(before)
    if known is None or photos["split"].isin(["val", "test"]).any():
        return parts
    was = photos["sha256"].map(dict(zip(known["sha256"], known["part"], strict=True))).fillna("")
    groups = groups_of(photos.reset_index(drop=True))
    taught = _anywhere(was.isin(["train", "val"]).to_numpy(), groups)
    tested = _anywhere((was == "test").to_numpy(), groups) & ~taught
    result = np.where(taught & (parts == "test"), "train", parts)
    result = np.where(tested, "test", result)
    if ((result == "val") & ~taught).sum() >= FEWEST_NEW:
        result = np.where(taught, "train", result)
    return result.astype(str)


def _anywhere(
    marked: npt.NDArray[np.bool_], groups: Sequence[int] | npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which photos are in a group with a marked one."""
    groups = np.asarray(groups)
    return np.isin(groups, np.unique(groups[marked]))


def refuse_training_overlap(run: Run, tested: set[str]) -> None:
    """Refuse a run that learned from photos which another one is going to be tested on.

    Its knowledge of them would make the test accuracy too high. Where its data set or its answers are gone,
    nothing can be told and nothing is refused.

    Args:
        tested: content hashes of the photos of the test.

    Raises:
        SettingsError: it learned from some of them.
    """
    taught = training_hashes(run)
    if taught is None:
        answers = run.folder / "predictions.parquet"
        folder = Path(run.config.dataset)
        if not answers.is_file() or not (folder / "dataset.json").is_file():
            return
        photos = datasets.open_dataset(folder).photos
        kept_out = set(pd.read_parquet(answers, columns=["path"])["path"])
        taught = set(photos.loc[~photos["path"].isin(kept_out), "sha256"]) - {""}
    n = len(taught & tested)
    if n:
        raise SettingsError(
            _(
                "The run “{run}” has learned from {n} of the {total} photos that this run is "
                "tested on, so the test would be too optimistic. Give both the same seed and "
                "shares."
            ).format(run=display_name(run), n=n, total=len(tested))
        )
