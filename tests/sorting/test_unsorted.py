"""Photos of a data set that nobody sorted: how they come in, leave and come back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tests.support.drawing import draw_photo, make_tree, make_zip
from translearn_core import backbones, datasets
from translearn_core.datasets import Dataset, NoClasses, read_unsorted
from translearn_core.errors import SourceError, StorageError
from translearn_core.features import extractor
from translearn_core.monitor import SILENT
from translearn_core.sorting import job


def test_unsorted_photos_are_kept_apart_from_those_that_are_learned(pile: Dataset) -> None:
    assert len(pile.photos) == 0
    rows = read_unsorted(pile)
    assert len(rows) == 24
    assert all(pile.photo_path(path).is_file() for path in rows["path"])
    paths = list(rows["path"])
    before = pile.fingerprint
    assert datasets.sort_photos(pile, dict.fromkeys(paths[:5], " cat ")) == 5
    assert datasets.sort_photos(pile, {paths[5]: "dog", "no such": "dog"}) == 1
    assert pile.counts.to_dict() == {"cat": 5, "dog": 1}
    assert len(read_unsorted(pile)) == 18
    assert pile.fingerprint != before
    datasets.undo(pile)
    datasets.undo(pile)
    assert pile.fingerprint == before
    assert len(read_unsorted(pile)) == 24


def test_unsorted_photos_come_in_by_an_archive_by_files_and_to_a_set_that_is_there(
    tmp_path: Path,
) -> None:
    zipped = make_zip(
        tmp_path / "some.zip", {f"any/{n}.jpg": draw_photo(n) for n in range(3)} | {"a.txt": b"x"}
    )
    dataset = datasets.import_source(zipped, labels=NoClasses())
    assert len(read_unsorted(dataset)) == 3
    assert list(dataset.left_out["file"]) == ["a.txt"]
    files = [("0.jpg", io.BytesIO(draw_photo(50))), ("b.jpg", io.BytesIO(b"broken"))]
    report = datasets.add_unsorted(dataset, files)
    assert report.added == 1
    assert [file for file, _reason in report.left_out] == ["b.jpg"]
    assert len(set(read_unsorted(dataset)["path"])) == 4
    pets = datasets.import_source(make_tree(tmp_path / "pets", {"cats": 3, "dogs": 3}))
    datasets.add_unsorted(pets, [("0.jpg", io.BytesIO(draw_photo(60)))])
    assert pets.counts.to_dict() == {"cats": 3, "dogs": 3}
    assert len(read_unsorted(pets)) == 1


def test_a_damaged_list_is_said_and_sorted_photos_stay(pile: Dataset) -> None:
    paths = list(read_unsorted(pile)["path"])
    datasets.sort_photos(pile, dict.fromkeys(paths[:4], "cat"))
    (pile.folder / "unsorted.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(SourceError, match="Delete this file"):
        read_unsorted(pile)
    assert pile.counts.to_dict() == {"cat": 4}


def test_a_full_disk_loses_no_photo_that_is_taken_back(
    pile: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(read_unsorted(pile)["path"].iloc[0])
    datasets.sort_photos(pile, {path: "cat"})

    def full(*_arguments: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr("translearn_core.datasets.unsorted.write_table", full)
    with pytest.raises(StorageError):
        datasets.sort_photos(pile, {path: ""})
    assert list(pile.photos["path"]) == [path]
    assert len(read_unsorted(pile)) == 23


def test_photos_that_come_in_while_the_others_are_looked_at_wait_for_the_next_time(
    pile: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = extractor.FeatureExtractor.take

    def take_slowly(self: Any, *arguments: Any) -> Any:
        report = take(self, *arguments)
        datasets.add_unsorted(pile, [("0.jpg", io.BytesIO(draw_photo(70)))])
        return report

    monkeypatch.setattr(extractor.FeatureExtractor, "take", take_slowly)
    before = set(read_unsorted(pile)["path"])
    found = job.extract(pile, backbones.get_backbone("starter"), SILENT)
    assert len(read_unsorted(pile)) == 25
    assert set(found.paths) == before
    assert len(found.features) == 24


@pytest.mark.parametrize("kind", ["zip", "files", "folder in place"])
def test_photos_that_were_left_out_come_into_the_pile_and_leave_it_again(
    tmp_path: Path, kind: str
) -> None:
    folder = make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, ".": 4, "unlabeled": 2}, start=9)
    if kind == "zip":
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jpg")}
        dataset = datasets.import_source(make_zip(tmp_path / "set.zip", files))
    elif kind == "files":
        named = ((p.relative_to(folder).as_posix(), p) for p in sorted(folder.rglob("*.jpg")))
        dataset = datasets.import_files(named, name="set")
    else:
        dataset = datasets.import_source(folder, in_place=True)
    left_out = list(dataset.left_out["file"])
    assert len(left_out) == 5, "four loose photos and a folder"
    assert list(datasets.left_out_for_good(dataset)["file"]) == left_out
    taken = datasets.take_loose(dataset)
    assert len(taken) == 6
    assert len(dataset.photos) == 6, "nothing is filed"
    assert set(read_unsorted(dataset)["path"]) == set(taken)
    assert len(datasets.left_out_for_good(dataset)) == 0
    assert datasets.take_loose(dataset) == []
    datasets.sort_photos(dataset, {taken[0]: "cats"})
    assert datasets.leave_loose(dataset, taken) == 5, "a photo that has a class stays"
    assert len(datasets.read_loose(dataset)) == 5
    assert dataset.counts.to_dict() == {"cats": 4, "dogs": 3}
    more = [(f"{n}.jpg", io.BytesIO(draw_photo(200 + n))) for n in range(4)]
    report = datasets.add_unsorted(dataset, more)
    assert len(datasets.read_loose(dataset)) == 5, "no file of theirs was written over"
    datasets.remove_photos(dataset, report.paths)
    assert len(read_unsorted(dataset)) == 0
    assert not any((dataset.folder / path).exists() for path in report.paths)


def test_photos_of_a_class_that_is_too_small_can_be_sorted(tmp_path: Path) -> None:
    dataset = datasets.import_source(
        make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, "owls": 1}, start=30)
    )
    (file,) = dataset.left_out["file"]
    assert file.startswith("owls/")
    assert list(datasets.read_loose(dataset)["file"]) == [file]
    assert len(datasets.take_loose(dataset)) == 1


@pytest.mark.parametrize("kind", ["files", "zip", "earlier version"])
def test_a_class_that_was_named_while_sorting_is_not_taken_for_one_that_came_in(
    tmp_path: Path, kind: str
) -> None:
    folder = make_tree(tmp_path / "any", {"dcim": 4}, start=300)
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jpg")}
    if kind == "zip":
        source = make_zip(tmp_path / "any.zip", files)
        named, came_in = datasets.import_source(source, labels=NoClasses()), source
        dcim = datasets.import_source(came_in)
    else:
        streams = [(name, io.BytesIO(data)) for name, data in files.items()]
        named = datasets.import_files(streams, name="any", labels=NoClasses())
        dcim = datasets.import_files(
            ((name, io.BytesIO(data)) for name, data in files.items()), name="any"
        )
    if kind == "earlier version":
        unknown = {"begun_empty": None}
        named.write_record(named.record.model_copy(update=unknown))
        dcim.write_record(dcim.record.model_copy(update={**unknown, "source": "any.zip"}))
    datasets.sort_photos(named, dict.fromkeys(read_unsorted(named)["path"], "cat"))
    assert datasets.find_to_sort(named) is None
    assert datasets.take_to_sort(named) is None
    assert named.counts.to_dict() == {"cat": 4}

    found = datasets.find_to_sort(dcim)
    assert found is not None
    assert found.one_class == "dcim"
    assert datasets.take_to_sort(dcim) is not None
    datasets.sort_photos(dcim, dict.fromkeys(read_unsorted(dcim)["path"], "cat"))
    assert datasets.find_to_sort(dcim) is None, "its class was named here by now"
    datasets.undo(dcim)
    datasets.undo(dcim)
    assert datasets.find_to_sort(dcim) == found


def test_one_class_of_a_folder_in_place_is_sorted_in_a_copy(tmp_path: Path) -> None:
    folder = make_tree(tmp_path / "set", {"dcim": 6}, start=330)
    dataset = datasets.import_source(folder, in_place=True)
    assert datasets.is_copied_to_sort(dataset)
    assert datasets.take_to_sort(dataset) is None
    copy = datasets.copy_to_sort(dataset)
    assert not datasets.is_copied_to_sort(copy)
    paths = list(read_unsorted(copy)["path"])
    datasets.sort_photos(copy, {path: "ab"[n % 2] for n, path in enumerate(paths)})
    again = datasets.import_source(folder, in_place=True)
    assert again.id == dataset.id
    assert again.counts.to_dict() == {"dcim": 6}
    assert copy.counts.to_dict() == {"a": 3, "b": 3}
    assert len(list(folder.rglob("*.jpg"))) == 6


def test_loose_photos_that_were_sorted_keep_their_class_when_their_folder_is_read_again(
    tmp_path: Path,
) -> None:
    folder = make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, "owls": 1, ".": 2}, start=350)
    dataset = datasets.import_source(folder, in_place=True)
    taken = datasets.take_loose(dataset)
    datasets.sort_photos(dataset, {taken[0]: "cats", taken[1]: "cats", taken[2]: "dogs"})
    again = datasets.import_source(folder, in_place=True)
    assert again.counts.to_dict() == {"cats": 5, "dogs": 4}
    (folder / "owls" / "0.jpg").unlink()
    assert sum(datasets.import_source(folder, in_place=True).counts) == 8


def test_of_what_was_taken_only_the_unsorted_count(tmp_path: Path) -> None:
    dataset = datasets.import_source(
        make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, ".": 2}, start=370)
    )
    taken = datasets.take_to_sort(dataset)
    assert taken is not None
    for n, path in enumerate(taken.paths):
        assert datasets.count_unsorted(dataset, taken) == 2 - n
        datasets.sort_photos(dataset, {path: "cats"})
    assert not datasets.can_put_back(dataset, taken)
