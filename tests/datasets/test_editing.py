"""Changing a data set: add, rename, merge, remove, undo, delete."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from drawing import draw_photo, make_tree, make_zip, two_classes

from translearn_core import datasets
from translearn_core.errors import SourceError, StorageError


@pytest.fixture
def pets(tmp_path: Path) -> datasets.Dataset:
    return datasets.import_source(make_tree(tmp_path / "pets", {"cats": 3, "dogs": 2, "owls": 2}))


def test_class_by_class(tmp_path: Path) -> None:
    dataset = datasets.create_dataset("Leaves")
    files = [("1.jpg", io.BytesIO(draw_photo(1))), ("1.jpg", io.BytesIO(draw_photo(2)))]
    report = datasets.add_photos(dataset, " oak ", files)
    assert report.added == 2
    bad = [("a.txt", io.BytesIO(b"x")), ("b.jpg", io.BytesIO(b"")), ("c.png", io.BytesIO(b"hi"))]
    report = datasets.add_photos(dataset, "elm", [*bad, ("d.jpg", io.BytesIO(draw_photo(3)))])
    assert report.added == 1
    assert [file for file, _reason in report.left_out] == ["a.txt", "elm/b.jpg", "elm/c.png"]
    assert dataset.counts.to_dict() == {"elm": 1, "oak": 2}
    assert len(set(dataset.photos["path"])) == 3
    assert len(dataset.left_out) == 3
    with pytest.raises(SourceError, match="no name"):
        datasets.add_photos(dataset, "  ", [])


def test_adding_a_zip_to_a_data_set(pets: datasets.Dataset, tmp_path: Path) -> None:
    zipped = make_zip(tmp_path / "more.zip", two_classes(3) | {"fish/1.jpg": draw_photo(500)})
    report = datasets.add_source(pets, zipped)
    assert report.added == 7
    assert pets.counts.to_dict() == {"cats": 6, "dogs": 5, "fish": 1, "owls": 2}
    before = pets.fingerprint
    with pytest.raises(SourceError):
        datasets.add_source(pets, make_zip(tmp_path / "flat.zip", {"1.jpg": draw_photo(1)}))
    assert pets.fingerprint == before


def test_adding_when_the_disk_is_full_changes_nothing(
    pets: datasets.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, files = pets.fingerprint, set(pets.folder.rglob("*.jpg"))
    monkeypatch.setenv("TRANSLEARN_LIMITS", json.dumps({"free_bytes": 2**60}))
    with pytest.raises(StorageError):
        datasets.add_photos(pets, "cats", [("9.jpg", io.BytesIO(draw_photo(9)))])
    assert pets.fingerprint == before
    assert set(pets.folder.rglob("*.jpg")) == files


def test_rename_and_undo(pets: datasets.Dataset) -> None:
    begin = pets.fingerprint
    datasets.rename_class(pets, "cats", " lions ")
    assert pets.classes == ["dogs", "lions", "owls"]
    assert all(pets.photo_path(path).is_file() for path in pets.photos["path"])
    assert "cats" in datasets.undo(pets)
    assert pets.fingerprint == begin
    with pytest.raises(SourceError, match="nothing to undo"):
        datasets.undo(pets)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [("cats", "dogs", "already"), ("fish", "x", "no class fish"), ("cats", " ", "empty")],
)
def test_renames_that_are_refused(pets: datasets.Dataset, old: str, new: str, word: str) -> None:
    with pytest.raises(SourceError, match=word):
        datasets.rename_class(pets, old, new)


def test_a_change_of_case_is_a_rename(pets: datasets.Dataset) -> None:
    datasets.rename_class(pets, "cats", "Cats")
    assert pets.classes == ["Cats", "dogs", "owls"]


def test_merge_and_undo_step_by_step(pets: datasets.Dataset) -> None:
    datasets.merge_classes(pets, ["cats", "dogs"], "mammals")
    datasets.merge_classes(pets, ["owls"], "mammals")
    assert pets.counts.to_dict() == {"mammals": 7}
    assert datasets.undo_count(pets) == 2
    datasets.undo(pets)
    assert pets.counts.to_dict() == {"mammals": 5, "owls": 2}
    datasets.remove_photos(pets, [pets.photos["path"].iloc[0]])
    datasets.undo(pets)
    assert pets.counts.to_dict() == {"cats": 2, "dogs": 2, "owls": 2}
    with pytest.raises(SourceError):
        datasets.merge_classes(pets, ["cats"], "cats")


def test_removed_photos_and_their_thumbnails_are_gone(pets: datasets.Dataset) -> None:
    path = pets.photos["path"].iloc[0]
    file, thumbnail = pets.photo_path(path), pets.thumbnail(path, 64)
    assert thumbnail.is_file()
    datasets.remove_photos(pets, [path])
    assert not file.exists()
    assert not thumbnail.exists()
    assert pets.counts["cats"] == 2
    datasets.remove_class(pets, "owls")
    assert "owls" not in pets.classes
    assert not list((pets.folder / "photos").glob("owls/*"))


def test_a_manifest_path_never_leads_to_other_files(pets: datasets.Dataset, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(b"x")
    datasets.remove_photos(pets, [str(other), "../../other.jpg"])
    assert other.is_file()
    assert len(pets.photos) == 7


def test_rename_and_delete_a_data_set(pets: datasets.Dataset, workspace: Path) -> None:
    datasets.rename_dataset(pets, "Zoo")
    assert datasets.open_dataset(pets.id).name == "Zoo"
    with pytest.raises(SourceError):
        datasets.rename_dataset(pets, " ")
    datasets.delete_dataset(pets)
    assert not list((workspace / "datasets").iterdir())
    assert datasets.list_datasets() == []
    for call in (lambda: pets.photos, lambda: datasets.open_dataset(pets.id)):
        with pytest.raises(SourceError, match="no data set"):
            call()
    with pytest.raises(SourceError):
        datasets.delete_dataset(pets)


def test_ids_never_lead_out_of_the_workspace(tmp_path: Path) -> None:
    for name in ("..", "", "../x", ".importing-x"):
        with pytest.raises(SourceError):
            datasets.open_dataset(name)


def test_photos_added_by_hand_to_a_folder_in_place_outlive_the_next_import(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 3, "dogs": 2})
    dataset = datasets.import_source(source, in_place=True)
    datasets.add_photos(dataset, "cats", [("webcam.jpg", io.BytesIO(draw_photo(80)))])
    again = datasets.import_source(source, in_place=True)
    assert again.counts.to_dict() == {"cats": 4, "dogs": 2}
    assert not (source / "cats" / "webcam.jpg").exists()
