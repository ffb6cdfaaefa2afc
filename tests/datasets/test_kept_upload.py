"""What was brought in over a page: read, asked about, and read again without a second upload."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import py7zr
import pytest

from tests.support.drawing import draw_photo, make_zip
from translearn_core.datasets import Dataset, ImportChoices
from translearn_core.datasets.kept_upload import (
    KeptUpload,
    forget_upload,
    kept_upload,
    read_again,
    read_as_unsorted,
    read_upload,
    receive_upload,
    removed_unless_asked,
    table_choices,
)
from translearn_core.datasets.previews import preview_folders, preview_table
from translearn_core.datasets.questions import OpenQuestionError
from translearn_core.datasets.table_in_upload import adopt_table
from translearn_core.datasets.tasks import TableChoices, table_notes, tasks_of
from translearn_core.datasets.unsorted import read_unsorted
from translearn_core.errors import SourceError

pytestmark = pytest.mark.awkward

FOLDERS = {
    "p/training_set/ash": 3,
    "p/training_set/oak": 3,
    "p/test_set/ash": 2,
    "p/test_set/oak": 2,
    "p/unsorted": 2,
}
FLAT = {"cards": 6}


def photos(spec: dict[str, int]) -> dict[str, bytes]:
    names = [f"{folder}/{n}.jpg" for folder, many in spec.items() for n in range(many)]
    return {name: draw_photo(seed) for seed, name in enumerate(names)}


def upload(home: Path, spec: dict[str, int], table: bytes = b"", *, way: str = "zip") -> KeptUpload:
    """An upload as a page receives it: an archive, or files with their names."""
    files = photos(spec)
    name = "table.xlsx" if table.startswith(b"PK") else "table.csv"
    if way == "in place":
        for file, data in files.items():
            (home / "there" / file).parent.mkdir(parents=True, exist_ok=True)
            (home / "there" / file).write_bytes(data)
        source = home / "there"
        return receive_upload(
            home / "uploads" / "asked-1", name="mine", source=source, in_place=True
        )
    return received(home, files, [(name, io.BytesIO(table))] if table else [], way=way)


def received(
    home: Path,
    files: dict[str, bytes],
    tables: Sequence[tuple[str, io.BytesIO]] = (),
    *,
    way: str,
) -> KeptUpload:
    """Files by name as a page receives them: in an archive (zip, tar.gz, 7z), or one by one."""
    home.mkdir(exist_ok=True)
    return receive_upload(
        home / "uploads" / "asked-1",
        name="mine",
        archive=None if way == "files" else (f"mine.{way}", io.BytesIO(packed(home, files, way))),
        files=[(name, io.BytesIO(data)) for name, data in files.items()] if way == "files" else [],
        tables=tables,
    )


def packed(home: Path, files: dict[str, bytes], way: str) -> bytes:
    """An archive of a kind."""
    if way == "zip":
        return make_zip(home / "made.zip", files).read_bytes()
    data = io.BytesIO()
    if way == "7z":
        with py7zr.SevenZipFile(data, "w") as archive:
            for name, content in files.items():
                archive.writestr(content, name)
        return data.getvalue()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def read(
    one: KeptUpload,
    choices: ImportChoices | None = None,
    table: TableChoices | None = None,
) -> Dataset:
    return read_upload(one, choices=choices or ImportChoices(), table=table or TableChoices())


@pytest.mark.parametrize("way", ["zip", "files", "in place"])
def test_the_one_folder_of_a_camera_is_read_as_photos_that_nobody_sorted(
    way: str, workspace: Path
) -> None:
    dataset = read(upload(workspace, {"DCIM": 5}, way=way))
    assert dataset.counts.to_dict() == {"DCIM": 5}
    kept = kept_upload(dataset)
    assert kept is not None
    unsorted = read_as_unsorted(kept, choices=ImportChoices())
    assert unsorted.folder != dataset.folder
    assert len(unsorted.photos) == 0
    assert len(read_unsorted(unsorted)) == 5
    assert kept_upload(dataset) is None


@pytest.mark.parametrize("way", ["zip", "files", "in place"])
def test_unsorted_photos_are_read_with_what_was_chosen(way: str, workspace: Path) -> None:
    choices = ImportChoices(roles=(("blurred", "out"),), page=0, keep_positions=True)
    kept = upload(workspace, {"DCIM/100": 3, "DCIM/blurred/more": 2}, way=way)
    unsorted = read_as_unsorted(kept, choices=choices)
    assert len(read_unsorted(unsorted)) == 3
    assert {reason for reason in unsorted.left_out["reason"]} == {
        "The folder was left out as asked."
    }
    assert unsorted.reading.page == 0
    assert ImportChoices.from_text(unsorted.record.choices) == choices


@pytest.mark.parametrize("way", ["zip", "files", "in place"])
def test_an_answer_reads_the_same_upload_again(way: str, workspace: Path) -> None:
    dataset = read(upload(workspace, FOLDERS, way=way))
    assert dataset.counts.to_dict() == {"ash": 5, "oak": 5}
    asked = {one.name.rpartition("/")[2]: one.taken for one in dataset.record.questions}
    assert asked == {"training_set": "train", "test_set": "test", "unsorted": "out"}
    assert not any((workspace / "uploads").iterdir())
    kept = kept_upload(dataset)
    assert kept is not None
    (question,) = [one for one in dataset.record.questions if one.taken == "out"]
    choices = ImportChoices().answered("role", question.name, "class")
    choices = choices.answered("role", "test_set", "out")
    shown = preview_folders(kept.list_files(choices), choices)
    again = read_again(dataset, choices=choices, table=table_choices(dataset))
    assert again.counts.to_dict() == shown.counts == {"ash": 3, "oak": 3, "unsorted": 2}
    assert ImportChoices.from_text(again.record.choices) == choices
    assert (again == dataset) is (way == "in place")
    assert (kept_upload(dataset) is None) is (way != "in place")
    assert kept_upload(again) is not None
    forget_upload(again)
    assert kept_upload(again) is None
    assert len(again.photos) == 8


def test_nothing_is_kept_where_nothing_is_asked(workspace: Path) -> None:
    dataset = read(upload(workspace, {"p/ash": 3, "p/oak": 3}))
    assert kept_upload(dataset) is None
    assert not any((workspace / "uploads").iterdir())


def test_a_table_whose_classes_are_not_clear_waits_for_the_answer(workspace: Path) -> None:
    rows = [(n, "ash" if n < 3 else "oak", "wet" if n % 2 else "dry") for n in range(6)]
    one = upload(workspace, FLAT, workbook(("Photo ID", "tree", "weather"), *rows))
    with (
        pytest.raises(OpenQuestionError, match="several columns") as raised,
        removed_unless_asked(one.folder, stop=lambda: False),
    ):
        read(one)
    assert raised.value.question.options == ("tree", "weather")
    assert "`" not in raised.value.message
    choices = TableChoices(main="weather", several=True)
    shown = preview_table(
        one.list_files(ImportChoices()), "mine", one.read_table(choices), ImportChoices()
    )
    dataset = read(KeptUpload(one.folder), table=choices)
    assert dataset.counts.to_dict() == shown.counts == {"dry": 3, "wet": 3}
    kept = tasks_of(dataset)
    assert kept is not None
    assert (kept.main, kept.tasks) == ("weather", ("tree",))
    assert table_choices(dataset).main == "weather"
    other = read_again(dataset, choices=ImportChoices(), table=TableChoices(main="tree"))
    assert other.classes == ["ash", "oak"]
    assert tasks_of(other) is None


@pytest.mark.parametrize("way", ["zip", "files"])
def test_unused_rows_are_listed_by_their_number(way: str, workspace: Path) -> None:
    text = "file;label\n" + "".join(f"{n}.jpg;{'ab'[n % 2]}\n" for n in range(6))
    text += "gone.jpg;a\n0.jpg;b\n"
    dataset = read(upload(workspace, FLAT, text.encode("utf-16"), way=way))
    assert dataset.counts.to_dict() == {"a": 2, "b": 3}
    rows = {one.row: one for one in table_notes(dataset).rows}
    assert sorted(rows) == [2, 8, 9]
    assert "no photo" in rows[8].problem
    assert "row 2: a, row 9: b" in rows[2].problem == rows[9].problem


def test_one_hot_columns_and_folders_beside_a_table_are_asked(workspace: Path) -> None:
    rows = [(f"{name}/{n}.jpg", name) for name in ("ash", "oak") for n in range(3)]
    text = "image,dry,wet\n" + "".join(
        f"{file},{int(n % 2 == 0)},{n % 2}\n" for n, (file, _name) in enumerate(rows)
    )
    dataset = read(upload(workspace, {"ash": 3, "oak": 3}, text.encode()))
    assert dataset.classes == ["dry", "wet"]
    asked = {one.setting: one.taken for one in table_notes(dataset).questions}
    assert asked == {"one_hot": "yes", "main": "label"}
    folders = read_again(dataset, choices=ImportChoices(), table=TableChoices(main="class"))
    assert folders.classes == ["ash", "oak"]


def test_what_no_answer_helps_is_not_kept(workspace: Path) -> None:
    broken = receive_upload(
        workspace / "uploads" / "asked-1",
        name="mine",
        archive=("mine.zip", io.BytesIO(b"PK\x03\x04 cut off")),
    )
    with (
        pytest.raises(SourceError),
        removed_unless_asked(broken.folder, stop=lambda: False),
    ):
        read(broken)
    assert not broken.folder.exists()
    stopped = upload(workspace, FLAT, b"file,a,b\n0.jpg,x,y\n1.jpg,y,x\n2.jpg,y,x\n")
    with pytest.raises(SourceError), removed_unless_asked(stopped.folder, stop=lambda: True):
        read(stopped)
    assert not stopped.folder.exists()


def test_one_archive_with_and_without_a_table_are_two_data_sets(workspace: Path) -> None:
    text = b"file,label\n" + b"".join(b"%d.jpg,%s\n" % (n, b"ab"[n % 2 :][:1]) for n in range(6))
    labelled = read(upload(workspace, FLAT, text))
    plain = read(upload(workspace, FLAT))
    assert plain.classes == ["cards"]
    assert labelled.classes == ["a", "b"]
    assert kept_upload(plain) is not None  # one class: a table may say more


def test_notes_of_an_earlier_version_are_read(workspace: Path) -> None:
    dataset = read(upload(workspace, {"p/ash": 3, "p/oak": 3}))
    old = {"table": "t.csv", "summary": "Read 6 rows.", "notes": ["one", "two"]}
    (dataset.folder / "label_table.json").write_text(json.dumps(old), encoding="utf-8")
    notes = table_notes(dataset)
    assert (notes.table, notes.summary, notes.notes) == ("t.csv", "Read 6 rows.", ("one", "two"))
    assert notes.rows == notes.questions == ()


@pytest.mark.parametrize("way", ["zip", "files", "tar.gz", "7z"])
@pytest.mark.parametrize("sorted_too", [False, True])
def test_a_table_among_the_photos_is_taken_or_asked_about(
    way: str, sorted_too: bool, workspace: Path
) -> None:
    files = photos({"p/ash": 3, "p/oak": 3} if sorted_too else {"p/cards": 6})
    rows = "".join(f"{name.removeprefix('p/')},{'ab'[n % 2]}\n" for n, name in enumerate(files))
    files |= {"p/labels.csv": f"file,label\n{rows}".encode(), "p/notes.csv": b"a,b\n1,2\n"}
    one = received(workspace, files, way=way)
    adopted = adopt_table(one, ImportChoices())
    dataset = read(one, table=adopted)
    assert dataset.classes == (["ash", "oak"] if sorted_too else ["a", "b"])
    notes = table_notes(dataset)
    assert (notes.table, notes.main) == ("labels.csv", "class" if sorted_too else "label")
    again = read_again(dataset, choices=ImportChoices(), table=TableChoices(main="label"))
    assert again.classes == ["a", "b"]


@pytest.mark.parametrize("way", ["zip", "files", "tar.gz"])
def test_a_camera_trap_package_is_read_as_one(way: str, workspace: Path) -> None:
    files = photos({"trip/media": 6})
    media = "mediaID,deploymentID,filePath\n" + "".join(
        f"m{n},site{n % 2},media/{n}.jpg\n" for n in range(6)
    )
    seen = "observationID,mediaID,observationType,scientificName\n" + "".join(
        f"o{n},m{n},animal,{('Meles meles', 'Vulpes vulpes')[n // 3]}\n" for n in range(6)
    )
    files |= {"trip/media.csv": media.encode(), "trip/observations.csv": seen.encode()}
    one = received(workspace, files, way=way)
    dataset = read(one, table=adopt_table(one, ImportChoices()))
    assert dataset.counts.to_dict() == {"Meles meles": 3, "Vulpes vulpes": 3}


def test_a_damaged_package_in_an_archive_leaves_the_photos(workspace: Path) -> None:
    files = photos({"ash": 3, "oak": 3})
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("media.csv", "mediaID,filePath\n" + "m0,ash/0.jpg\n" * 9)
        archive.writestr("observations.csv", "observationID,mediaID\no0,m0\n")
    data = target.getvalue().replace(b"o0,m0", b"o0,m9")  # the check sum is another now
    workspace.mkdir()
    one = receive_upload(
        workspace / "uploads" / "asked-1", name="p", archive=("p.zip", io.BytesIO(data))
    )
    dataset = read(one, table=adopt_table(one, ImportChoices()))
    assert dataset.classes == ["ash", "oak"]


def test_a_found_table_whose_column_is_not_named_for_classes_is_asked_about(
    workspace: Path,
) -> None:
    workspace.mkdir()
    rows = "".join(f"{n}.jpg,site{n % 2}\n" for n in range(6))
    files = photos(FLAT) | {"cards/places.csv": f"file,place\n{rows}".encode()}
    data = make_zip(workspace / "made.zip", files).read_bytes()
    one = receive_upload(
        workspace / "uploads" / "asked-1", name="p", archive=("p.zip", io.BytesIO(data))
    )
    with pytest.raises(OpenQuestionError, match="which of its columns"):
        adopt_table(one, ImportChoices())
    assert read(one, table=TableChoices(main="place")).classes == ["site0", "site1"]


@pytest.mark.parametrize("way", ["zip", "files"])
def test_only_photos_and_videos_are_listed(tmp_path: Path, way: str) -> None:
    files = photos({"dcim": 2}) | {
        "dcim/phone": draw_photo(9),
        "dcim/film.mp4": b"film",
        "dcim/notes.txt": b"notes",
        "labels.csv": b"file,kind",
        "dcim/raw.nef": b"raw",
    }
    names = received(tmp_path / "home", files, way=way).list_files(ImportChoices())
    assert sorted(names) == ["dcim/0.jpg", "dcim/1.jpg", "dcim/film.mp4", "dcim/phone"]
