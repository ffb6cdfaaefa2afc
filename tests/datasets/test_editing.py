"""Changing a data set: add, rename, merge, remove, undo, delete."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.support.drawing import draw_photo, make_tree, make_zip, two_classes
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


def test_photos_move_to_another_class_and_back(pets: datasets.Dataset) -> None:
    begin, paths = pets.fingerprint, list(pets.photos["path"][:4])

    assert datasets.move_photos(pets, [*paths, "no/such.jpg"], " owls ") == 4
    assert pets.counts.to_dict() == {"dogs": 1, "owls": 6}
    assert datasets.last_change(pets) == "4 photos are now owls."
    assert datasets.move_photos(pets, paths, "owls") == 0
    assert datasets.undo(pets) == "4 photos are back in cats, dogs."
    assert pets.fingerprint == begin
    assert datasets.last_change(pets) == ""
    with pytest.raises(SourceError, match="empty"):
        datasets.move_photos(pets, paths, "  ")


def test_excluded_photos_are_kept_and_come_back(pets: datasets.Dataset) -> None:
    begin, files = pets.fingerprint, {path: pets.photo_path(path) for path in pets.photos["path"]}
    paths = list(pets.photos["path"][:2])
    contents = [files[path].read_bytes() for path in paths]

    assert datasets.exclude_photos(pets, paths) == 2
    assert pets.counts["cats"] == 1
    assert not any(files[path].exists() for path in paths)
    assert [datasets.excluded_file(pets, path).read_bytes() for path in paths] == contents
    assert datasets.last_change(pets) == "2 photos are removed."
    datasets.undo(pets)
    assert pets.fingerprint == begin
    assert [files[path].read_bytes() for path in paths] == contents
    assert not len(datasets.read_excluded(pets))


def test_a_photo_added_meanwhile_does_not_take_the_place_of_an_excluded_one(
    pets: datasets.Dataset, tmp_path: Path
) -> None:
    path = str(pets.photos["path"].iloc[0])
    content = pets.photo_path(path).read_bytes()
    datasets.exclude_photos(pets, [path])
    for seed in (70, 71):
        report = datasets.add_photos(
            pets, "cats", [(Path(path).name, io.BytesIO(draw_photo(seed)))]
        )
    assert path not in set(pets.photos["path"])
    datasets.exclude_photos(pets, report.paths)
    datasets.rename_class(pets, "cats", "lions")
    assert datasets.restore_excluded(pets, datasets.read_excluded(pets)["path"]) == 2

    assert pets.counts.to_dict() == {"dogs": 2, "lions": 5, "owls": 2}
    contents = {pets.photo_path(photo).read_bytes() for photo in pets.photos["path"]}
    assert content in contents
    assert len(contents) == 9


def test_photos_left_in_place_are_excluded_without_a_touch(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 3, "dogs": 2})
    dataset = datasets.import_source(source, in_place=True)
    paths = list(dataset.photos["path"][:2])

    datasets.exclude_photos(dataset, paths)
    assert datasets.delete_excluded(dataset, paths[:1]) == 1
    assert all(Path(path).is_file() for path in paths)
    assert datasets.restore_excluded(dataset, paths) == 1
    assert dataset.counts.to_dict() == {"cats": 2, "dogs": 2}
    with pytest.raises(SourceError, match="nothing to undo"):
        datasets.undo(dataset)


def test_excluded_photos_deleted_for_good_are_gone(pets: datasets.Dataset) -> None:
    path = str(pets.photos["path"].iloc[0])
    thumbnail = pets.thumbnail(path, 64)
    datasets.exclude_photos(pets, [path])
    datasets.delete_excluded(pets, [path])

    assert not len(datasets.read_excluded(pets))
    assert not thumbnail.exists()
    assert not [file for file in pets.folder.rglob("*.jpg") if "cats" in file.parts][2:]


def test_what_was_found_to_be_no_fault_is_remembered(pets: datasets.Dataset) -> None:
    datasets.dismiss(pets, [("dark", "a.jpg"), ("dark", "b.jpg")])
    datasets.restore_dismissed(pets, [("dark", "a.jpg")])
    datasets.dismiss(pets, [("blurred", "b.jpg")])

    assert datasets.read_dismissed(pets) == {("dark", "b.jpg"), ("blurred", "b.jpg")}


def test_a_photo_of_the_same_name_is_not_lost_when_an_excluded_one_comes_back_or_goes(
    pets: datasets.Dataset, tmp_path: Path
) -> None:
    paths, contents = [], []
    for number in range(3):
        file = tmp_path / str(number) / "same.jpg"
        file.parent.mkdir()
        file.write_bytes(draw_photo(50 + number))
        contents.append(file.read_bytes())
        report = datasets.add_unsorted(pets, [("same.jpg", file)])
        paths += report.paths
        if number < 2:
            datasets.sort_photos(pets, {paths[-1]: "cat"})
            datasets.exclude_photos(pets, [paths[-1]])
    assert len(set(paths)) == 3

    datasets.restore_excluded(pets, [paths[0]])
    datasets.delete_excluded(pets, [paths[1]])
    kept = [*pets.photos["path"], *datasets.read_unsorted(pets)["path"]]
    assert {pets.photo_path(path).read_bytes() for path in kept} >= {contents[0], contents[2]}
    assert paths[1] not in kept
