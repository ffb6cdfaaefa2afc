"""Data sets by manifest: paths and addresses, rows that cannot be used, and reading them again."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets
from translearn_core.datasets.manifest_checks import find_lost_classes
from translearn_core.datasets.photo_manifest import import_manifest, is_manifest
from translearn_core.errors import SourceError

PHOTOS = 6
"""Of each class."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, of which a manifest stands beside them."""
    root = tmp_path_factory.mktemp("manifest")
    draw_photos(root / "photos", per_class=PHOTOS)
    return root


def rows_of(folder: Path, begin: str = "photos") -> pd.DataFrame:
    """path, label, split and group of all photos."""
    files = sorted((folder / "photos").rglob("*.jpg"))
    return pd.DataFrame(
        {
            "path": [f"{begin}/{file.parent.name}/{file.name}" for file in files],
            "label": [file.parent.name for file in files],
            "split": ["test" if int(file.stem) == 0 else "" for file in files],
            "group": [f"{file.parent.name}{int(file.stem) // 2}" for file in files],
        }
    )


def write(rows: pd.DataFrame, path: Path) -> Path:
    """Write a manifest as its name says."""
    if path.suffix == ".parquet":
        rows.to_parquet(path)
    else:
        rows.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.parquet"])
def test_a_manifest_gives_classes_splits_and_groups_without_a_copy(
    workspace: Path, folder: Path, name: str
) -> None:
    manifest = write(rows_of(folder), folder / name)
    assert is_manifest(str(manifest))
    dataset = import_manifest(manifest, check=True).dataset
    assert dict(dataset.counts) == {"blue": PHOTOS, "green": PHOTOS, "red": PHOTOS}
    photos = dataset.photos
    assert set(photos.loc[photos["split"] == "test", "file"].str[-7:]) == {"000.jpg"}
    assert dataset.record.grouped_by == "group"
    assert photos["group_name"].nunique() == 3 * PHOTOS / 2
    assert Path(photos["path"].iloc[0]) == folder / "photos" / "blue" / "000.jpg"
    assert not list(dataset.folder.rglob("*.jpg"))
    assert not len(dataset.left_out)


def test_the_same_manifest_is_the_same_data_set_and_keeps_what_was_measured(
    workspace: Path, folder: Path
) -> None:
    manifest = write(rows_of(folder), folder / "again.csv")
    first = import_manifest(manifest, check=True).dataset
    write(rows_of(folder)[3:], manifest)
    second = import_manifest(manifest).dataset
    assert second == first
    assert len(second.photos) == 3 * PHOTOS - 3
    assert second.photos["checked"].all()


def test_paths_of_windows_and_labels_that_are_numbers_are_understood(
    workspace: Path, folder: Path
) -> None:
    rows = rows_of(folder)[["path"]]
    rows["path"] = rows["path"].str.replace("/", "\\")
    rows["label"] = [
        {"blue": 1.0, "green": 2.0, "red": float("nan")}[p[7:-8]] for p in rows["path"]
    ]
    dataset = import_manifest(write(rows, folder / "windows.parquet"), check=True).dataset
    assert dict(dataset.counts) == {"1": PHOTOS, "2": PHOTOS}
    assert len(dataset.left_out) == PHOTOS


AWKWARD = [
    ("photos/blue/none.jpg,blue,", "There is no such file."),
    ("photos/blue,blue,", "It is not an ordinary file."),
    (",blue,", "The row names no photo."),
    ("photos/blue/001.jpg,,", "The table gives no label for it in label."),
    ("photos/blue/002.jpg,blue,later", "which is not train, val or test."),
    ("photos/blue/003.jpg,red,", "Rows of the table give it different labels"),
    ("photos/blue/004.jpg,blue,test", "Rows of the table put it into different splits: -, test."),
    ("text.jpg,blue,", "The file holds text, not a photo."),
    ("memory://nowhere/a.jpg,blue,", "There is no such file."),
    ("nope://nowhere/a.jpg,blue,", "The protocol `nope` of nope://nowhere/a.jpg is not known."),
]


@pytest.mark.parametrize(("row", "reason"), AWKWARD, ids=[row for row, _reason in AWKWARD])
def test_a_row_that_cannot_be_used_is_named(
    workspace: Path, folder: Path, row: str, reason: str
) -> None:
    (folder / "text.jpg").write_text("no photo", encoding="utf-8")
    rows = rows_of(folder)[["path", "label", "split"]]
    manifest = write(rows, folder / "odd.csv")
    with manifest.open("a", encoding="utf-8") as file:
        file.write(row + "\n")
    read = import_manifest(manifest, check=True)
    left_out = read.dataset.left_out
    named = row.split(",")[0] or f"row {3 * PHOTOS + 2}"
    assert reason in left_out.loc[left_out["file"] == named, "reason"].iloc[0]
    assert len(read.dataset.photos) >= 3 * PHOTOS - 1


def test_what_an_address_begins_with_is_no_class_that_was_lost(
    workspace: Path, folder: Path
) -> None:
    rows = rows_of(folder)[["path", "label"]]
    rows["path"] = rows["path"].str.removeprefix("photos/")
    manifest = write(rows, folder / "photos" / "gone.csv")
    with manifest.open("a", encoding="utf-8") as file:
        file.write("memory://nowhere/blue/a.jpg,blue\n")
    dataset = import_manifest(manifest).dataset
    assert len(dataset.left_out) == 1
    assert not list(find_lost_classes(dataset))


def test_photos_and_manifest_at_addresses_are_the_same_photos(
    workspace: Path, folder: Path
) -> None:
    store = fsspec.filesystem("memory")
    for file in sorted((folder / "photos").rglob("*.jpg")):
        store.pipe(f"/bucket/photos/{file.parent.name}/{file.name}", file.read_bytes())
    with store.open("/bucket/m.parquet", "wb") as stream:
        rows_of(folder).to_parquet(stream)
    absolute = write(rows_of(folder, "memory://bucket/photos"), folder / "addresses.csv")
    here = import_manifest(write(rows_of(folder), folder / "m.csv"), check=True).dataset
    for manifest in ("memory://bucket/m.parquet", absolute):
        there = import_manifest(manifest, check=True).dataset
        assert list(there.photos["sha256"]) == list(here.photos["sha256"])
        assert there.photos["path"].iloc[0] == "memory://bucket/photos/blue/000.jpg"
        assert there.fingerprint == import_manifest(manifest).dataset.fingerprint
        assert there.thumbnail(there.photos["path"].iloc[0]).read_bytes()[:2] == b"\xff\xd8"
        datasets.remove_photos(there, list(there.photos["path"][:1]))
        assert store.exists("/bucket/photos/blue/000.jpg")
        assert not list(there.folder.glob("fetched/*"))


def test_the_copy_of_a_photo_that_was_replaced_at_its_address_is_fetched_again(
    workspace: Path, folder: Path
) -> None:
    store = fsspec.filesystem("memory")
    manifest = write(rows_of(folder, "memory://changing"), folder / "changing.csv")
    files = sorted((folder / "photos").rglob("*.jpg"))
    for file in files:
        store.pipe(f"/changing/{file.parent.name}/{file.name}", file.read_bytes())
    dataset = import_manifest(manifest).dataset
    path = "memory://changing/blue/000.jpg"
    assert dataset.photo_path(path).read_bytes() == files[0].read_bytes()
    first = dataset.thumbnail(path).read_bytes()
    store.pipe("/changing/blue/000.jpg", files[-1].read_bytes())
    dataset = import_manifest(manifest).dataset
    copy = dataset.photo_path(path)
    assert copy.read_bytes() == files[-1].read_bytes()
    assert list(copy.parent.iterdir()) == [copy]
    assert dataset.thumbnail(path).read_bytes() != first


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("memory://bucket/none.csv", "There is no file memory://bucket/none.csv"),
        ("nope://bucket/m.csv", "The protocol `nope`"),
        ("gs://bucket/m.csv", r"what reads it is missing \(gs\)"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused_with_a_sentence(
    workspace: Path, address: str, sentence: str
) -> None:
    if address.startswith("gs") and importlib.util.find_spec("gcsfs"):
        pytest.skip("the package for it is installed")
    with pytest.raises(SourceError, match=sentence):
        import_manifest(address)


def test_a_damaged_parquet_file_is_refused(workspace: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.parquet"
    manifest.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(SourceError, match=r"m\.parquet begins like a Parquet file"):
        import_manifest(manifest)
