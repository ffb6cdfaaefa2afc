"""Damaged files of one data set: it says so itself, and hides no other."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.datasets.kept_together import groups
from translearn_core.errors import SourceError

DAMAGE = {"empty": b"", "cut": b'PAR1{"id": "x"', "binary": b"\x00\xff\xfe" * 9, "list": b"[]"}


@pytest.fixture
def pair(workspace: Path, colour_photos: Path) -> tuple[Dataset, Dataset]:
    """Two data sets."""
    first, second = (
        datasets.import_source(colour_photos, check=False, name=name) for name in ("one", "two")
    )
    return first, second


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", ["dataset.json", "manifest.parquet", "left_out.parquet"])
def test_a_damaged_file_is_told_and_stops_nobody(
    name: str, content: bytes, pair: tuple[Dataset, Dataset]
) -> None:
    damaged, other = pair
    (damaged.folder / name).write_bytes(content)
    again = Dataset(damaged.folder)
    if name == "left_out.parquet":
        assert len(again.photos) == 48
        assert "is damaged" in again.left_out["reason"].iloc[0]
        assert datasets.list_unreadable_datasets() == []
        datasets.delete_dataset(again)
    else:
        with pytest.raises(SourceError, match=name):
            _photos = again.record if name == "dataset.json" else again.photos
        [(folder, reason)] = datasets.list_unreadable_datasets()
        assert folder.resolve() == damaged.folder
        assert name in reason
        datasets.delete_folder(folder)
    assert not damaged.folder.exists()
    assert datasets.list_datasets() == [other]
    assert len(other.photos) == 48
    assert len(other.left_out) == 0


@pytest.mark.parametrize("column", ["path", "file", "class_name"])
def test_a_photo_without_a_name_is_damage(column: str, pair: tuple[Dataset, Dataset]) -> None:
    path = pair[0].folder / "manifest.parquet"
    table = pd.read_parquet(path)
    table[column] = [None, *table[column][1:]]
    table.to_parquet(path, index=False)
    with pytest.raises(SourceError, match=r"manifest\.parquet is damaged"):
        _photos = Dataset(pair[0].folder).photos


@pytest.mark.parametrize("value", [None, float("nan"), "x"])
def test_damaged_groups_are_found_anew(value: object, pair: tuple[Dataset, Dataset]) -> None:
    dataset = pair[0]
    whole = groups(dataset).tolist()
    path = dataset.folder / "groups.parquet"
    photos = dataset.photos
    stored = pd.DataFrame({"path": photos["path"], "fingerprint": dataset.fingerprint})
    stored.assign(group=[value] * len(photos)).to_parquet(path, index=False)
    assert groups(Dataset(dataset.folder)).tolist() == whole


@pytest.mark.parametrize("version", [0, 99])
def test_a_set_of_another_version_is_not_read(version: int, pair: tuple[Dataset, Dataset]) -> None:
    path = pair[0].folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"schema_version": version}))
    assert datasets.list_datasets() == [pair[1]]
    assert len(datasets.list_unreadable_datasets()) == 1
