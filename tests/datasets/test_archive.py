"""Zips: names in every encoding, and archives that are broken or meant to harm."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import struct
import subprocess
import sys
import tarfile
import textwrap
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.support.drawing import draw_photo, make_zip, two_classes
from translearn_core import datasets
from translearn_core.cli.choices import with_option
from translearn_core.datasets.archive import open_archive
from translearn_core.errors import SourceError, StorageError
from translearn_core.installation_limits import Limits

pytestmark = pytest.mark.awkward


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
    (question,) = dataset.record.questions
    assert (question.setting, question.name, question.taken) == ("role", ".hidden", "out")
    assert "--keep-folder .hidden" in with_option(question)


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
    "beside the classes": (_write("stray.jpg"), "stray.jpg", "not inside a class folder"),
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


# ------------------------------------------------------------------- tar, 7z, odd zips, kinds


def _tar(path: Path, mode: str, files: dict[str, bytes], *, encoding: str = "utf-8") -> Path:
    with tarfile.open(path, mode, encoding=encoding) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [("pets.tar", "w"), ("pets.tgz", "w:gz"), ("pets.tar.bz2", "w:bz2"), ("pets.tar.xz", "w:xz")],
)
def test_tar_archives(name: str, mode: str, tmp_path: Path, workspace: Path) -> None:
    path = _tar(tmp_path / name, mode, two_classes() | {"cats/n.txt": b"x", "__MACOSX/a": b"x"})
    with tarfile.open(tmp_path / "links.tar", "w") as archive:
        for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "cats/0.jpg")):
            info = tarfile.TarInfo(f"cats/{kind.decode()}.jpg")
            info.type, info.linkname = kind, target
            archive.addfile(info)
        device = tarfile.TarInfo("cats/device.jpg")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
        for file, data in two_classes().items():
            info = tarfile.TarInfo(file)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    dataset = datasets.import_source(path)
    assert dataset.name == "pets"
    assert dataset.counts.to_dict() == {"cats": 2, "dogs": 2}
    assert sorted(dataset.left_out["file"]) == ["__MACOSX/", "cats/n.txt"]
    if mode == "w":
        linked = datasets.import_source(tmp_path / "links.tar")
        assert linked.counts.to_dict() == {"cats": 2, "dogs": 2}
        assert len(linked.left_out) == 3
        old = _tar(tmp_path / "old.tar", mode, _texts(_encoded(["кошки", "мыши"], "cp866")))
        assert datasets.import_source(old).classes == ["кошки", "мыши"]
    assert not list((workspace / "cache").iterdir())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data[:1536] + b"\xff" * 512 + data[2048:], "damaged or cut off"),
        (lambda data: data[: 1536 + 100], "damaged or cut off"),
        (lambda data: data + data, "several tar archives"),
        (lambda data: data + b"junk" * 2000, ""),
    ],
    ids=["a header", "cut in a header", "two", "junk behind"],
)
def test_no_part_of_a_tar_is_lost_unsaid(
    change: Callable[[bytes], bytes], sentence: str, tmp_path: Path, workspace: Path
) -> None:
    files = {f"{name}/{n}.jpg": draw_photo(n)[:1000] for name in ("cats", "dogs") for n in range(2)}
    path = _tar(tmp_path / "t.tar", "w", files)
    path.write_bytes(change(path.read_bytes()))
    limits = Limits()
    if sentence:
        with pytest.raises(SourceError, match=sentence), open_archive(path, limits):
            pass
    else:
        with open_archive(path, limits) as archive:
            assert [entry.name for entry in archive.entries] == list(files)


def _texts(files: dict[bytes, bytes]) -> dict[str, bytes]:
    return {name.decode("utf-8", "surrogateescape"): data for name, data in files.items()}


def test_seven_zip(tmp_path: Path, workspace: Path) -> None:
    py7zr = pytest.importorskip("py7zr")
    path, locked = tmp_path / "pets.7z", tmp_path / "locked.7z"
    for file, password in ((path, None), (locked, "secret")):
        with py7zr.SevenZipFile(file, "w", password=password) as archive:
            for name, data in (two_classes() | {"cats/n.txt": b"x"}).items():
                archive.writestr(data, name)
    dataset = datasets.import_source(path)
    assert dataset.counts.to_dict() == {"cats": 2, "dogs": 2}
    assert dataset.left_out["file"].tolist() == ["cats/n.txt"]
    cut = tmp_path / "cut.7z"
    cut.write_bytes(path.read_bytes()[:-50])
    for file, word in ((locked, "password"), (cut, "damaged")):
        with pytest.raises(SourceError, match=word):
            datasets.import_source(file)
    assert not list((workspace / "cache").iterdir())


def test_unpacked_bytes_and_paths_of_tar_and_7z_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    py7zr = pytest.importorskip("py7zr")
    up = _tar(tmp_path / "up.tgz", "w:gz", two_classes() | {"../evil.jpg": b"x"})
    with pytest.raises(SourceError, match="not safe"):
        datasets.import_source(up)
    monkeypatch.setenv(
        "TRANSLEARN_LIMITS", json.dumps({"free_bytes": 0, "files": 3, "total_bytes": 10**6})
    )
    many = _tar(tmp_path / "many.tgz", "w:gz", two_classes(4))
    bomb = _tar(tmp_path / "bomb.txz", "w:xz", {"cats/a.txt": b"\0" * 80_000_000})
    seven = tmp_path / "bomb.7z"
    with py7zr.SevenZipFile(seven, "w") as archive:
        archive.writestr(b"\0" * 3_000_000, "cats/a.bmp")
    for file, word in ((many, "too many"), (bomb, "GB"), (seven, "too many")):
        with pytest.raises(SourceError, match=word):
            datasets.import_source(file)


def _kinds(folder: Path) -> dict[str, tuple[bytes, str]]:
    zipped = make_zip(folder / "made.zip", two_classes()).read_bytes()
    return {
        "a.rar": (b"Rar!\x1a\x07\x01\x00" + bytes(90), "rar archive"),
        "b.zip": (b"<!doctype html><title>Sign in</title>", "web page"),
        "c.jpg": (draw_photo(1), "is a photo"),
        "d.gz": (gzip.compress(draw_photo(1)), "no tar archive"),
        "e.zip": (b"PK\x07\x08" + zipped[: len(zipped) // 2], "part of a split"),
        "f.zip": (zipped[len(zipped) // 2 :], "part of a split"),
        "g.z01": (zipped[: len(zipped) // 2], "part of a split"),
        "h.zip.001": (zipped[: len(zipped) // 2], "part of a split"),
        "i.zip": (_with_method(zipped, 9), "Windows Explorer"),
        "j.zip": (_with_method(zipped, 98), "method 98"),
    }


def _with_method(data: bytes, method: int) -> bytes:
    changed = bytearray(data)
    for mark, offset in ((b"PK\1\2", 10), (b"PK\3\4", 8)):
        place = changed.find(mark)
        while place >= 0:
            changed[place + offset : place + offset + 2] = struct.pack("<H", method)
            place = changed.find(mark, place + 4)
    return bytes(changed)


def test_each_refusal_names_the_kind(tmp_path: Path) -> None:
    for name, (data, word) in _kinds(tmp_path).items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=word):
            datasets.import_source(tmp_path / name)


ODD_NAMES = {
    "cp932": ["ガラス", "紙"],
    "cp866": ["стекло", "бумага"],
    "cp1251": ["стекло", "бумага"],
    "cp1252": ["Müll", "Größe"],
    "big5": ["玻璃", "紙張"],
    "cp949": ["고양이", "강아지"],
}


@pytest.mark.parametrize("encoding", ODD_NAMES)
def test_code_pages_are_told_apart(encoding: str, tmp_path: Path) -> None:
    path = _raw_names(tmp_path / "a.zip", _encoded(ODD_NAMES[encoding], encoding))  # type: ignore[arg-type]
    assert set(datasets.import_source(path).classes) == set(ODD_NAMES[encoding])


FAR_NAMES = {
    "cp1253": ["γυαλί", "χαρτί"],
    "cp737": ["γυαλι", "χαρτι"],
    "cp1255": ["זכוכית", "נייר"],
    "cp862": ["זכוכית", "נייר"],
    "cp1256": ["زجاج", "ورق"],
    "cp857": ["kağıt", "şişe"],
    "cp1254": ["kağıt", "şişe"],
    "koi8-r": ["кошка", "собака"],
    "cp852": ["sklo", "papír"],
}
"""Code pages that are not guessed."""


@pytest.mark.parametrize("encoding", FAR_NAMES)
def test_names_in_a_code_page_that_is_not_guessed_are_asked_about(
    encoding: str, tmp_path: Path
) -> None:
    path = _raw_names(tmp_path / "a.zip", _encoded(FAR_NAMES[encoding], encoding))  # type: ignore[arg-type]
    dataset = datasets.import_source(path)
    if set(dataset.classes) != set(FAR_NAMES[encoding]):
        (question,) = dataset.record.questions
        assert encoding in question.options
        assert any(name in question.text for name in dataset.classes)
    chosen = datasets.import_source(path, choices=datasets.ImportChoices(names=encoding))
    assert set(chosen.classes) == set(FAR_NAMES[encoding])


def test_an_unsure_encoding_is_told_and_can_be_chosen(tmp_path: Path) -> None:
    path = _raw_names(tmp_path / "a.zip", _encoded(["玻璃", "zoo"], "gbk"))  # type: ignore[arg-type]
    dataset = datasets.import_source(path)
    assert "玻璃" in dataset.classes
    (question,) = dataset.record.questions
    assert "--names" in with_option(question)
    assert question.taken in question.options
    chosen = datasets.import_source(path, choices=datasets.ImportChoices(names="big5"))
    assert "玻璃".encode("gbk").decode("big5") in chosen.classes
    assert chosen.record.questions == ()
    with pytest.raises(SourceError, match="no encoding of names"):
        datasets.import_source(path, choices=datasets.ImportChoices(names="klingon"))


def _finder(files: dict[str, bytes], gap: int) -> bytes:
    """A zip whose table holds positions modulo 2**32, as Finder writes it over 4 GB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    data = bytearray(buffer.getvalue())
    place = data.find(b"PK\1\2")
    while place >= 0:
        (offset,) = struct.unpack("<L", data[place + 42 : place + 46])
        data[place + 42 : place + 46] = struct.pack("<L", (offset + gap) % 2**32)
        place = data.find(b"PK\1\2", place + 4)
    end = data.rfind(b"PK\5\6")
    (start,) = struct.unpack("<L", data[end + 16 : end + 20])
    data[end + 16 : end + 20] = struct.pack("<L", (start + gap) % 2**32)
    return bytes(data)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file with a hole")
def test_finder_zips_over_4_gb(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    first, gap = make_zip(tmp_path / "first.zip", two_classes()).read_bytes(), 2**32 + 1000
    rest = _finder({"owls/0.jpg": draw_photo(7), "owls/1.jpg": draw_photo(8)}, gap)
    table = first[first.find(b"PK\1\2") : first.rfind(b"PK\5\6")]
    begin, end = rest.find(b"PK\1\2"), rest.rfind(b"PK\5\6")
    tail = bytearray(rest[end:])
    tail[12:16] = struct.pack("<L", len(table) + end - begin)
    with path.open("wb") as file:
        file.write(first[: first.find(b"PK\1\2")])
        file.seek(gap)
        file.write(rest[:begin] + table + rest[begin:end] + tail)
    with open_archive(path, Limits()) as archive:
        assert len(archive.entries) == 6
        assert all(archive.read(entry, Limits()) for entry in archive.entries)


def test_odd_but_harmless_zips(tmp_path: Path) -> None:
    plain = make_zip(tmp_path / "plain.zip", two_classes()).read_bytes()
    colon = {name.replace("cats", "x: y"): data for name, data in two_classes().items()}
    drawing = Image.new("RGB", (1100, 700), "white")
    drawing.paste("black", (100, 100, 140, 160))
    stored = io.BytesIO()
    drawing.save(stored, "BMP")
    drawn = make_zip(tmp_path / "drawn.zip", two_classes() | {"cats/d.bmp": stored.getvalue()})
    flagged = make_zip(
        tmp_path / "b.zip", {n.replace("cats", "réé"): d for n, d in two_classes().items()}
    )
    bad_flag = flagged.read_bytes().replace("réé".encode(), b"r\xe9\xe9ab")
    comment = b"hello PK\5\6 " + b"c" * 5000
    cases = {
        "comment": plain[:-2] + struct.pack("<H", len(comment)) + comment,
        "prefixed": b"MZ" + b"\x90" * 50_000 + plain,
        "colon": make_zip(tmp_path / "c.zip", colon).read_bytes(),
        "drawn": drawn.read_bytes(),
        "flag": bad_flag,
    }
    for name, data in cases.items():
        (tmp_path / f"{name}.zip").write_bytes(data)
        dataset = datasets.import_source(tmp_path / f"{name}.zip")
        assert len(dataset.classes) == 2, name
        assert len(dataset.left_out) == 0, name
        assert len(dataset.photos) == (5 if name == "drawn" else 4), name
