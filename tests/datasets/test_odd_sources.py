"""Sources that are odd and harmless: each is read as it is meant, or refused by a sentence that helps."""

from __future__ import annotations

import io
import struct
import sys
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.drawing import draw_photo, make_tree, make_zip, two_classes
from translearn_core import datasets
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.label_table import import_labelled
from translearn_core.datasets.manifest_checks import find_case_twins
from translearn_core.datasets.readiness import check_ready
from translearn_core.datasets.table_reading import read_table
from translearn_core.errors import SourceError
from translearn_core.installation_limits import Limits

pytestmark = pytest.mark.awkward

FILES = two_classes()


def _zip(method: int = zipfile.ZIP_DEFLATED, *, wide: bool = False) -> bytes:
    """A zip of two classes; `wide` with the fields for more than 4 GB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in FILES.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            with file.open(entry, "w", force_zip64=wide) as part:
                part.write(data)
    return buffer.getvalue()


def _count(data: bytes, n: int) -> bytes:
    """A table of contents that counts its entries modulo 65,536, as old programs write it."""
    end = data.rfind(b"PK\5\6")
    return data[: end + 8] + struct.pack("<HH", n, n) + data[end + 12 :]


def _no_dates(data: bytes) -> bytes:
    for mark, at in ((b"PK\3\4", 10), (b"PK\1\2", 12)):
        place = data.find(mark)
        while place >= 0:
            data = data[: place + at] + b"\0\0\0\0" + data[place + at + 4 :]
            place = data.find(mark, place + 4)
    return data


def _streamed() -> bytes:
    """Sizes and sums stand behind the data of each entry."""

    class Forward(io.RawIOBase):
        def __init__(self) -> None:
            self.content = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.content += bytes(data)  # type: ignore[call-overload]
            return len(data)  # type: ignore[arg-type]

    target = Forward()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:  # type: ignore[arg-type]
        for name, data in FILES.items():
            file.writestr(name, data)
    return target.content


ZIPS: dict[str, Callable[[], bytes]] = {
    "stored": lambda: _zip(zipfile.ZIP_STORED),
    "bzip2": lambda: _zip(zipfile.ZIP_BZIP2),
    "lzma": lambda: _zip(zipfile.ZIP_LZMA),
    "zip64": lambda: _zip(wide=True),
    "sizes behind the data": _streamed,
    "a count modulo 65,536": lambda: _count(_zip(), 1),
    "no dates": lambda: _no_dates(_zip()),
    "zeros behind": lambda: _zip() + b"\0" * 5000,
    "another name": _zip,
}


@pytest.mark.parametrize("case", ZIPS)
def test_zips_of_many_programs(case: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jar" if case == "another name" else "a.zip")
    path.write_bytes(ZIPS[case]())
    with open_archive(path, Limits()) as archive:
        read = {entry.name: archive.read(entry, Limits()) for entry in archive.entries}
    assert read == FILES
    assert archive.left_out == ()


def test_an_entry_packed_in_another_way_is_named(tmp_path: Path, workspace: Path) -> None:
    data = _zip()
    place = data.rfind(b"PK\1\2")
    first = int.from_bytes(data[place + 42 : place + 46], "little")
    data = data[: place + 10] + b"\x09\0" + data[place + 12 :]
    data = data[: first + 8] + b"\x09\0" + data[first + 10 :]
    (tmp_path / "a.zip").write_bytes(data)
    dataset = datasets.import_source(tmp_path / "a.zip")
    assert list(dataset.left_out["file"]) == [list(FILES)[-1]]
    assert "Deflate64" in dataset.left_out["reason"].iloc[0]


def test_hidden_classes_of_a_zip_are_named(tmp_path: Path) -> None:
    hidden = {f"{name}/{n}.jpg": draw_photo(n) for name in (".NET", "..red") for n in range(2)}
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", two_classes() | hidden))
    assert dataset.classes == ["cats", "dogs"]
    assert set(dataset.left_out["file"]) == {".NET/", "..red/"}


ODD_CLASSES = (
    "=1+1",
    "<script>",
    "a\u202eb c",
    "\U0001f431",
    "CON",
    "NUL.txt",
    "dot.",
    "nan",
    "None",
    "True",
    "1e5",
    "{name}",
    "%s",
    "-rf",
    "' or 1=1",
)


@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX systems")
def test_odd_names_of_classes_are_kept(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", dict.fromkeys(ODD_CLASSES, 2))
    dataset = datasets.import_source(source, in_place=True)
    shown = {
        name.replace("\u202e", "") for name in ODD_CLASSES
    }  # marks of direction are no letters
    assert set(dataset.classes) == shown
    assert len(dataset.photos) == 2 * len(ODD_CLASSES)
    assert list(find_case_twins(dataset)) == []


@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX systems")
def test_folders_in_two_unicode_forms_are_one_class(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"dogs": 2})
    for start, form in ((10, "NFC"), (20, "NFD")):
        make_tree(source, {unicodedata.normalize(form, "Käse"): 2}, start=start)
    counts = datasets.import_source(source, in_place=True).counts.to_dict()
    assert counts == {"Käse": 2 * len(list(source.glob("K*"))), "dogs": 2}


@pytest.mark.parametrize("where", ["Jürgen 工作", "é #1%20"])
def test_a_workspace_of_any_name(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / where / "work"
    home.mkdir(parents=True)
    monkeypatch.setenv("TRANSLEARN_HOME", str(home))
    dataset = datasets.import_source(make_zip(tmp_path / where / "ü 1.zip", two_classes()))
    assert dataset.folder.is_relative_to(home)
    assert dataset.counts.to_dict() == {"cats": 2, "dogs": 2}


def _places(folder: Path) -> Path:
    """Photos of two species at two sites, and a table of the species."""
    lines = ["file,species"]
    for number, site in enumerate(("siteA", "siteB")):
        (folder / site).mkdir(parents=True)
        for n in range(4):
            (folder / site / f"{n}.jpg").write_bytes(draw_photo(10 * number + n))
            lines.append(f"{site}/{n}.jpg,{('owl', 'fox')[n % 2]}")
    table = folder.parent / "t.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def test_a_table_beside_folders_of_places_says_that_these_are_no_classes(
    tmp_path: Path, workspace: Path
) -> None:
    table = _places(tmp_path / "photos")
    read = import_labelled(tmp_path / "photos", read_table(table), key="t")
    assert read.dataset.classes == ["fox", "owl"]
    (question,) = read.questions
    assert "siteA, siteB) were not used as classes" in question.text
    assert question.setting == "main"


def test_labels_in_two_unicode_forms_or_spacings_are_one(tmp_path: Path, workspace: Path) -> None:
    table = _places(tmp_path / "photos")
    labels = iter(
        [unicodedata.normalize("NFC", "Käse"), unicodedata.normalize("NFD", "Käse"), "a  b", "a b"]
        * 2
    )
    lines = table.read_text(encoding="utf-8").splitlines()
    text = "\n".join([lines[0], *(f"{line.split(',')[0]},{next(labels)}" for line in lines[1:])])
    table.write_text(text, encoding="utf-8")
    read = import_labelled(tmp_path / "photos", read_table(table), key="t")
    assert read.dataset.counts.to_dict() == {"Käse": 4, "a b": 4}
    assert "are one" in " ".join(read.notes)


def test_too_many_classes_name_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"classes": 3}')
    dataset = datasets.import_source(
        make_tree(tmp_path / "s", {f"c{n}": 2 for n in range(4)}), in_place=True
    )
    with pytest.raises(SourceError, match=r"limits\.classes"):
        check_ready(dataset)


@pytest.mark.skipif(sys.platform != "linux", reason="devices of Linux")
def test_devices_and_endless_files_are_left_out(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"cats": 2, "dogs": 2})
    (source / "cats" / "endless.jpg").symlink_to("/dev/zero")
    (source / "cats" / "up").symlink_to("..")
    (source / "dogs.jpg").mkdir()
    choices = datasets.ImportChoices(follow_links=True)
    dataset = datasets.import_source(source, in_place=True, choices=choices)
    assert dataset.counts.to_dict() == {"cats": 2, "dogs": 2}
    assert "cats/endless.jpg" in set(dataset.left_out["file"])


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.zip", b"", "empty"),
        ("a.zip", b"PK\5\6" + b"\0" * 18, "no photo"),
        ("a.rar", b"Rar!\x1a\x07\1\0" + b"\0" * 90, "rar"),
        ("a.z01", b"PK\7\x08PK\3\4" + b"\0" * 90, "one part of a split archive"),
        ("a.zip", b"<!doctype html><html>sign in</html>", "web page"),
        ("a.zip", draw_photo(1), "is a photo"),
        ("a.iso", b"\0" * 900, "not a zip archive"),
    ],
)
def test_what_is_no_archive_is_told_with_a_way_on(
    name: str, data: bytes, sentence: str, tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=sentence):
        datasets.import_source(tmp_path / name)
