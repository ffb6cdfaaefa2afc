"""Zips: names in every encoding, and archives that are broken or meant to harm."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.drawing import draw_photo, make_zip, two_classes
from translearn_core import datasets
from translearn_core.errors import SourceError, StorageError


def _nothing_left(workspace: Path) -> bool:
    folder = workspace / "datasets"
    return not folder.exists() or not list(folder.iterdir())


def _raw_names(path: Path, names: dict[str, bytes], *, flag: int = 0) -> Path:
    """A zip whose raw names are bytes of any encoding: ASCII stand-ins, replaced afterwards."""
    buffer = io.BytesIO()
    stand_ins = {}
    with zipfile.ZipFile(buffer, "w") as file:
        for number, (name, data) in enumerate(names.items()):
            raw = name if isinstance(name, bytes) else name.encode("utf-8")
            stand_in = f"{number:02d}".encode() + b"~" * (len(raw) - 2)
            stand_ins[stand_in] = raw
            file.writestr(stand_in.decode(), data)
    content = buffer.getvalue()
    for stand_in, raw in stand_ins.items():
        assert content.count(stand_in) == 2
        content = content.replace(stand_in, raw)
    path.write_bytes(content)
    return path


def _encoded(classes: list[str], encoding: str) -> dict[bytes, bytes]:
    return {
        f"{name}/{number}.jpg".encode(encoding): draw_photo(10 * position + number)
        for position, name in enumerate(classes)
        for number in range(2)
    }


NAMES = {
    "utf-8 without its flag": ("utf-8", ["кошки", "собаки", "été", "猫"]),
    "gbk": ("gbk", ["苹果", "香蕉", "中华田园犬"]),
    "gbk beside plain names": ("gbk", ["苹果", "cats"]),
    "cp437": ("cp437", ["Äpfel", "Müll", "Crème brûlée", "señor"]),
    "cp437 that is valid gbk too": ("cp437", ["für", "Bär"]),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_come_out_right(case: str, tmp_path: Path) -> None:
    encoding, classes = NAMES[case]
    path = _raw_names(tmp_path / "a.zip", _encoded(classes, encoding))  # type: ignore[arg-type]
    assert datasets.import_source(path).classes == sorted(classes)


def test_flagged_utf8_and_decomposed_names(tmp_path: Path) -> None:
    files = {f"{name}/1.jpg": draw_photo(n) for n, name in enumerate(["e\u0301te\u0301", "日本"])}
    assert datasets.import_source(make_zip(tmp_path / "a.zip", files)).classes == ["été", "日本"]


def test_unicode_path_field_of_infozip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number, name in enumerate(["жук", "рак"]):
            info = zipfile.ZipInfo(f"{'___'}{number}/1.jpg")
            field = b"\1" + struct.pack("<L", zlib.crc32(info.filename.encode()))
            field += f"{name}/1.jpg".encode()
            info.extra = struct.pack("<HH", 0x7075, len(field)) + field
            file.writestr(info, draw_photo(number))
    assert datasets.import_source(path).classes == ["жук", "рак"]


def test_what_systems_strew_about_is_passed_over(tmp_path: Path) -> None:
    junk = {
        "__MACOSX/cats/._0.jpg": b"x",
        "cats/.DS_Store": b"x",
        "cats/Thumbs.db": b"x",
        "dogs/desktop.ini": b"x",
        ".hidden/1.jpg": draw_photo(9),
        "cats/.hidden.jpg": draw_photo(9),
    }
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", two_classes() | junk))
    assert len(dataset.photos) == 4
    assert dataset.left_out["file"].tolist() == [".hidden/", "__MACOSX/"]
    (notice,) = dataset.record.notices
    assert "--keep-folder .hidden" in notice


def _write(name: str | zipfile.ZipInfo, data: bytes = b"") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        make_zip(path, two_classes())
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, data or draw_photo(77))

    return make


def _empty(path: Path) -> None:
    zipfile.ZipFile(path, "w").close()


def _truncated(path: Path) -> None:
    make_zip(path, two_classes())
    path.write_bytes(path.read_bytes()[:-200])


def _encrypted(path: Path) -> None:
    make_zip(path, two_classes())
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = content.find(mark)
        while position >= 0:
            content[position + offset] |= 1
            position = content.find(mark, position + 4)
    path.write_bytes(content)


def _many(path: Path) -> None:
    make_zip(path, {f"cats/{n}.jpg": b"" for n in range(60)})


def _overlapping(path: Path) -> None:
    """Many names in the table of contents for the same bytes: a bomb without nesting."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("cats/0.bmp", b"BM" + b"\0" * 200_000)
        kept = file.filelist[0]
        for number in range(1, 40):
            info = zipfile.ZipInfo(f"cats/{number}.bmp")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(info, field, getattr(kept, field))
            file.filelist.append(info)
            file.NameToInfo[info.filename] = info


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no zip": (lambda path: path.write_bytes(b"hello, this is no zip") and None, "not a zip"),
    "zero bytes": (lambda path: path.write_bytes(b"") and None, "empty"),
    "empty": (_empty, "no photo"),
    "truncated": (_truncated, "cut off"),
    "encrypted": (_encrypted, "password"),
    "traversal": (_write("cats/../../../evil.jpg"), "not safe"),
    "traversal with backslashes": (_write("..\\..\\evil.jpg"), "not safe"),
    "absolute": (_write("/etc/cats/evil.jpg"), "not safe"),
    "drive letter": (_write("C:\\Windows\\evil.jpg"), "not safe"),
    "network share": (_write("\\\\server\\share\\evil.jpg"), "not safe"),
    "too deep": (_write("/".join(["d"] * 13) + "/1.jpg"), "levels deep"),
    "too many files": (_many, "60 files"),
    "too large in all": (_overlapping, "GB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_archives(
    case: str, tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "TRANSLEARN_LIMITS",
        json.dumps({"free_bytes": 0, "files": 50, "total_bytes": 4_000_000}),
    )
    make, word = REFUSED[case]
    path = tmp_path / "upload.zip"
    make(path)
    before = path.read_bytes()
    with pytest.raises(SourceError, match=word) as caught:
        datasets.import_source(path)
    assert caught.value.message.endswith(".")
    assert _nothing_left(workspace)
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob("evil*"))


def _link(target: str, name: str = "cats/link.jpg") -> Callable[[Path], None]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return _write(info, target.encode())


def _device(path: Path) -> None:
    info = zipfile.ZipInfo("cats/device.jpg")
    info.external_attr = (stat.S_IFIFO | 0o666) << 16
    _write(info)(path)


def _lying(path: Path) -> None:
    """An entry that says it is smaller than it is."""
    _write("cats/liar.jpg", draw_photo(1) + b"\0" * 5000)(path)
    content = bytearray(path.read_bytes())
    position = content.rfind(b"PK\x01\x02")
    content[position + 24 : position + 28] = struct.pack("<L", 100)
    path.write_bytes(content)


def _damaged(path: Path) -> None:
    make_zip(path, two_classes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as file:
        file.writestr("cats/hurt.jpg", draw_photo(5))
    content = bytearray(path.read_bytes())
    position = content.find(b"cats/hurt.jpg") + 200
    content[position] ^= 0xFF
    path.write_bytes(content)


def _nested(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("cats/9.jpg", draw_photo(9))
    _write("cats/more.zip", inner.getvalue())(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def _twice(path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _write("cats/0.jpg", draw_photo(50))(path)


LEFT_OUT: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "link out": (_link("/etc/passwd"), "cats/link.jpg", "link"),
    "link up": (_link("../../secret.jpg"), "cats/link.jpg", "link"),
    "device": (_device, "cats/device.jpg", "not an ordinary file"),
    "bomb by ratio": (_write("cats/bomb.bmp", b"\0" * 68_000_000), "cats/bomb.bmp", "grows"),
    "one huge file": (_write("cats/huge.jpg", os.urandom(60_000)), "cats/huge.jpg", "too large"),
    "lie about the size": (_lying, "cats/liar.jpg", "damaged"),
    "damaged entry": (_damaged, "cats/hurt.jpg", "damaged"),
    "archive inside": (_nested, "cats/more.zip", "archive inside"),
    "same name twice": (_twice, "cats/0.jpg", "twice"),
    "text as photo": (_write("cats/a.jpg", b"hello there"), "cats/a.jpg", "text"),
    "no photo": (_write("cats/a.docx", b"PK"), "cats/a.docx", ".docx"),
    "beside the classes": (_write("stray.jpg"), "stray.jpg", "beside"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_hostile_entries_are_left_out_and_the_rest_goes_on(
    case: str, tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 50_000 if case == "one huge file" else 100_000_000
    monkeypatch.setenv("TRANSLEARN_LIMITS", json.dumps({"free_bytes": 0, "photo_bytes": limit}))
    make, file, word = LEFT_OUT[case]
    path = tmp_path / "upload.zip"
    make(path)
    dataset = datasets.import_source(path)
    assert dataset.counts.to_dict() == {"cats": 2, "dogs": 2}
    assert dataset.left_out["file"].tolist() == [file]
    assert word in dataset.left_out["reason"].iloc[0]
    inside = [found for found in dataset.folder.rglob("*") if found.is_symlink()]
    assert inside == []
    assert not list(dataset.folder.glob("staged"))


def test_backslashes_of_old_windows_tools_are_folders(tmp_path: Path) -> None:
    files = {name.replace("/", "\\"): data for name, data in two_classes().items()}
    path = _raw_names(tmp_path / "a.zip", files)
    assert datasets.import_source(path).counts.to_dict() == {"cats": 2, "dogs": 2}


def test_names_that_no_disk_may_hold(tmp_path: Path) -> None:
    names = ["CON", "aux.", 'a"b', "nul.txt", "trailing. ", "x" * 150]
    files = {f"{name}/com1.jpg": draw_photo(n) for n, name in enumerate(names)}
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    assert dataset.classes == sorted(name.strip() for name in names)
    for path in dataset.photos["path"]:
        for part in path.split("/"):
            stem = part.split(".")[0].lower()
            assert stem not in {"con", "aux", "nul", "com1"}
            assert not part.endswith((".", " "))
            assert not set(part) & set('<>:"\\|?*')
            assert len(part.encode()) <= 80
        assert dataset.photo_path(path).is_file()


def test_names_that_differ_only_in_case_both_survive(tmp_path: Path) -> None:
    files = {
        "Cats/A.jpg": draw_photo(1),
        "Cats/a.jpg": draw_photo(2),
        "cats/a.jpg": draw_photo(3),
        "cats/b.jpg": draw_photo(4),
    }
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    assert dataset.counts.to_dict() == {"Cats": 2, "cats": 2}
    assert len({path.casefold() for path in dataset.photos["path"]}) == 4
    assert any("upper and lower case" in sentence for sentence in datasets.warnings(dataset))


def test_full_disk_is_seen_before(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_zip(tmp_path / "a.zip", two_classes())
    monkeypatch.setenv("TRANSLEARN_LIMITS", json.dumps({"free_bytes": 2**60}))
    with pytest.raises(StorageError, match="not enough room"):
        datasets.import_source(path)
    assert _nothing_left(workspace)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a file size limit of the system")
def test_full_disk_in_the_middle_leaves_nothing(tmp_path: Path, workspace: Path) -> None:
    photo = draw_photo(3) + os.urandom(60_000)
    path = make_zip(tmp_path / "a.zip", two_classes(6) | {"dogs/large.jpg": photo})
    program = textwrap.dedent(
        f"""
        import resource
        from pathlib import Path
        from translearn_core import datasets
        from translearn_core.errors import StorageError
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            datasets.import_source(Path({str(path)!r}))
        except StorageError as error:
            print(error.message)
        """
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False
    )
    assert "disk is full" in done.stdout, done.stderr
    assert _nothing_left(workspace)


def test_unpacked_for_prediction(tmp_path: Path) -> None:
    files = {
        "1.jpg": draw_photo(1),
        "a/1.jpg": draw_photo(2),
        "CON.jpg": draw_photo(3),
        "x.txt": b"x",
    }
    with datasets.unpacked(make_zip(tmp_path / "a.zip", files)) as folder:
        found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
        assert found == ["1.jpg", "_CON.jpg", "a/1.jpg"]
    assert not folder.exists()
    with (
        pytest.raises(SourceError),
        datasets.unpacked(make_zip(tmp_path / "b.zip", {"../x.jpg": b""})),
    ):
        pass
