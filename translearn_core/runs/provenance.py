"""Provenance of training photos, by content hash and by their looks, so that the test set of a warm start
is not leaked.

Owns: `photos.parquet` of a run, the split of a run that starts from another one, and refusing a
run that was trained on test photos of another.
Leaves to others: the split of all other runs (`datasets.assign_splits`).

`photos.parquet`: path, sha256, part (train | val | test), brought_sha256 (of a file whose position was
dropped, as it was brought; absent in older runs). Photos that only earlier runs were trained on are
listed without a path.
"""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Bools, Ints
from translearn_core.atomic import write_parquet
from translearn_core.datasets.components import joined_to
from translearn_core.errors import SettingsError
from translearn_core.i18n import _
from translearn_core.runs.annotations import display_name
from translearn_core.runs.run import Run
from translearn_core.runs.run_tables import read_table

FILE = "photos.parquet"
BROUGHT = "brought_sha256"
"""Column of the hash that a photo had before its position was dropped."""
FEWEST_NEW = 10
"""With at least so many new validation photos, photos of earlier training are not used for
validation."""


def write_photos(
    run: Run, photos: pd.DataFrame, parts: npt.NDArray[np.str_], before: Run | None
) -> None:
    """Write the split of a run's photos.

    Args:
        photos: the manifest.
        parts: train | val | test of each.
        before: the run that this one started from.
    """
    rows = pd.DataFrame(
        {
            "path": photos["path"].to_numpy(dtype=object),
            "sha256": photos["sha256"].to_numpy(dtype=object),
            "part": np.asarray(parts, dtype=object),
            BROUGHT: _brought(photos).to_numpy(dtype=object),
        }
    )
    inherited = read_photos(before) if before is not None else None
    if inherited is not None:
        is_here = are_among(inherited, hashes_of(rows))
        inherited = inherited[(inherited["part"] != "test") & ~is_here]
        rows = pd.concat([rows, inherited.assign(path="")], ignore_index=True)
    write_parquet(run.folder / FILE, rows)


def read_photos(run: Run) -> pd.DataFrame | None:
    """The photos of a run with their parts; None where there are none (older runs).

    Raises:
        RunError: its file is damaged.
    """
    return read_table(run, FILE)


def hashes_of(photos: pd.DataFrame) -> set[str]:
    """Content hashes of photos, as they are and as they were brought."""
    return (set(photos["sha256"]) | set(_brought(photos))) - {""}


def are_among(photos: pd.DataFrame, hashes: Set[str]) -> pd.Series:
    """Which photos are known by these hashes, as they are or as they were brought: bool, as `photos`.

    Args:
        hashes: as of `hashes_of`. One data set may have a photo in its place, with its position, and
            another a copy without it.
    """
    return photos["sha256"].isin(hashes) | _brought(photos).isin(hashes)


def are_copies(photos: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Which photos are among others, or a near-duplicate of one: bool, as `photos`.

    Args:
        photos, others: rows of manifests.
    """
    return are_among(photos, hashes_of(others)) | datasets.have_copies(photos, others)


def _brought(photos: pd.DataFrame) -> pd.Series:
    """The hashes of files as they were brought, where they differ."""
    if BROUGHT not in photos.columns:
        return pd.Series("", index=photos.index, dtype=object)
    return photos[BROUGHT].fillna("")


def training_hashes(run: Run) -> set[str] | None:
    """Content hashes of the photos that a run was trained on; None where they are unknown.

    Older runs, which recorded none, were trained on all photos of their data set but those they were tested on.
    """
    photos = read_photos(run)
    if photos is not None:
        return hashes_of(photos[photos["part"] != "test"])
    predictions = read_table(run, "predictions.parquet", ["path"])
    if predictions is None:
        return None
    folder = Path(run.config.dataset)
    if not (folder / "dataset.json").is_file():
        return None
    photos = datasets.open_dataset(folder).photos
    return hashes_of(photos[~photos["path"].isin(predictions["path"])])


def inherit_split(
    parts: npt.NDArray[np.str_], photos: pd.DataFrame, groups: Ints, before: Run
) -> npt.NDArray[np.str_]:
    """The split of a run that starts from `before`: no photo of earlier training is in the test
    set.

    Test photos of `before`, and what belongs together with them, stay in the test set; only new
    photos are split. Near-duplicates of its photos, which may have been saved again under other names, count
    as these. A split given by the source is kept.

    Args:
        parts: the split without inheritance, `(n,)`.
        photos: the manifest, in the same order.
        groups: photos that belong together share a number, `(n,)`.
    """
    known = read_photos(before)
    if known is None or photos["split"].isin(["val", "test"]).any():
        return parts
    part_of = dict(zip(_brought(known), known["part"], strict=True))
    part_of |= zip(known["sha256"], known["part"], strict=True)
    part_of.pop("", None)
    former_part = photos["sha256"].map(part_of).astype(object)
    former_part = former_part.fillna(_brought(photos).map(part_of)).fillna("")
    unknown = np.flatnonzero(former_part == "")
    for part in ("test", "train"):  # the last one wins
        others = _photos_of(before, part, beside=photos)
        copies = datasets.have_copies(photos.iloc[unknown], others)
        former_part.iloc[unknown[copies]] = part
    trained_on = joined_to(former_part.isin(["train", "val"]).to_numpy(), groups)
    tested_on = joined_to((former_part == "test").to_numpy(), groups) & ~trained_on
    result = np.where(trained_on & (parts == "test"), "train", parts)
    result = np.where(tested_on, "test", result)
    if ((result == "val") & ~trained_on).sum() >= FEWEST_NEW:
        result = np.where(trained_on & (result != datasets.ASIDE), "train", result)
    return result.astype(str)


def _photos_of(run: Run, part: str, *, beside: pd.DataFrame) -> pd.DataFrame:
    """Rows of the manifest of the photos that a run was tested on ("test"), or learned from or selected by;
    none where its data set is gone or it is not known.

    Args:
        beside: photos that are left out: which of these are near-duplicates of each other is known from
            their features, and looks alone are a weaker sign.
    """
    recorded, folder = read_photos(run), Path(run.config.dataset)
    if recorded is None or not (folder / "dataset.json").is_file():
        return pd.DataFrame()
    photos = datasets.open_dataset(folder).photos
    chosen = (recorded["part"] == "test") == (part == "test")
    known = are_among(photos, hashes_of(recorded[chosen]))
    return photos[known & ~are_among(photos, hashes_of(beside))]


def refuse_training_overlap(run: Run, photos: pd.DataFrame, is_tested: Bools) -> str:
    """Refuse a run that was trained on test photos of another: its test accuracy would be optimistic.

    Args:
        photos: rows of the manifest; `is_tested` `(n,)` are the photos of the test.

    Returns:
        What is to be said where it is not known what it was trained on; else empty.

    Raises:
        SettingsError: it was trained on some of them.
    """
    trained_on = training_hashes(run)
    if trained_on is None:
        return _(
            "It is not known which photos the model “{run}” has learned from. If photos of the test are among "
            "them, the test accuracy is too optimistic: test it on photos that it cannot know."
        ).format(run=display_name(run))
    tested = photos[is_tested].drop_duplicates("sha256")
    others = _photos_of(run, "train", beside=photos)
    learned = are_among(tested, trained_on) | datasets.have_copies(tested, others)
    n = int(learned.sum())
    if n:
        raise SettingsError(
            _(
                "The run “{run}” has learned from {n} of the {total} photos that this run is "
                "tested on, so the test would be too optimistic. Give both the same seed and "
                "shares."
            ).format(run=display_name(run), n=n, total=len(tested))
        )
    return ""
