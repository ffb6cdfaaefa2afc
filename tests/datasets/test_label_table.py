"""Tables of labels: what is read, which photo a row means, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from PIL import Image

from translearn_core.datasets.label_table import import_labelled
from translearn_core.datasets.table_reading import read_table
from translearn_core.datasets.tasks import table_notes
from translearn_core.errors import SourceError

pytestmark = pytest.mark.awkward

FILES = ("card1/a.jpg", "card1/b.jpg", "card2/a.jpg", "card2/C.JPG")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "dcim"
    for number, file in enumerate(FILES):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * number, 90, 30)).save(folder / file, "JPEG")
    return folder


def classes(photos: Path, table: Path, content: bytes) -> dict[str, str]:
    table.write_bytes(content)
    rows = import_labelled(photos, read_table(table), key=str(table)).dataset.photos
    return dict(zip(rows["file"], rows["class_name"], strict=True))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("file,label\ncard1/a.jpg,1/2\ncard2/a.jpg,1-2\n", "utf-8"),
        ("sep=;\nImage Path;Species\nCARD1/A.jpg;1/2\ndcim/card2/a.jpeg;1-2\n", "utf-16"),
        ("id|breed\ncard1/a|1/2\n.\\card2\\a|1-2\n", "utf-8-sig"),
    ],
)
def test_labels_come_to_the_photo_of_the_row(
    text: str, encoding: str, photos: Path, workspace: Path, tmp_path: Path
) -> None:
    found = classes(photos, tmp_path / "t.csv", text.encode(encoding))
    assert found == {"card1/a.jpg": "1/2", "card2/a.jpg": "1-2"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,label\na.jpg,x\na.jpg,y\n", "fit several photos"),
        (b"file,label\nother/b.jpg,x\nother/C.JPG,y\n", "name no photo"),
        (b"file,label\ncard1/b.jpg,x,1\n", "has 3 cells"),
        (b"file,a,b\ncard1/b.jpg,x,y\nc.jpg,y,x\nc.jpg,y,x\n", "several columns"),
        (b"<html><table>", "a web page"),
        (b"file,label\nb.jpg,x\0y\n", "NUL"),
        (b"", "is empty"),
    ],
)
def test_what_is_not_clear_is_refused(
    content: bytes, message: str, photos: Path, workspace: Path, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=message):
        classes(photos, tmp_path / "t.csv", content)


# --- everybody's table ------------------------------------------------------------------------

NAMES = ("p1.jpg", "p2.jpg", "p3.jpg", "P10.JPG")
RED_BLUE = dict(zip(NAMES, ("red", "blue", "red", "blue"), strict=True))


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos in one folder, no classes."""
    folder = tmp_path_factory.mktemp("flat") / "photos"
    folder.mkdir()
    for number, file in enumerate(NAMES):
        Image.new("RGB", (32, 32), (60 * number, 30, 90)).save(folder / file, "JPEG")
    return folder


def rows(head: str, *, stems: bool = False, sep: str = ",", before: str = "") -> str:
    """The table of `RED_BLUE` with a head; `before` stands before each name."""
    lines = [head, *(f"{before}{name}{sep}{label}" for name, label in RED_BLUE.items())]
    text = "\n".join(lines) + "\n"
    return text.replace(".jpg", "").replace(".JPG", "") if stems else text


def workbook() -> bytes:
    book, data = openpyxl.Workbook(), io.BytesIO()
    for row in (("Image", "Class"), *RED_BLUE.items()):
        book.active.append(row)
    book.save(data)
    return data.getvalue()


TABLES: dict[str, bytes] = {
    "names": rows("file,label").encode(),
    "names of another case": rows("FILE,Label").lower().encode(),
    "names without an ending": rows("id,breed", stems=True).encode(),
    "a column filepath": rows("filepath,category").encode(),
    "a column file_name": rows("file_name,species").encode(),
    "a column image": rows("image,class").encode(),
    "semicolons": rows("file;label", sep=";").encode(),
    "tabs": rows("file\tlabel", sep="\t").encode(),
    "bars": rows("file|label", sep="|").encode(),
    "the sep line of Excel": rows("sep=,\nfile,label").encode(),
    "a mark of the encoding": rows("file,label").encode("utf-8-sig"),
    "UTF-16": rows("file,label").encode("utf-16"),
    "line ends of Windows": rows("file,label").replace("\n", "\r\n").encode(),
    "white space": rows("file, label", sep=" ,  ", before="  ").encode(),
    "quotation marks": rows("file,label").replace("red", '"red"').encode(),
    "addresses": rows("file,label", before="https://example.org/i/").encode(),
    "paths of Windows": rows("file,label", before=".\\").encode(),
    "a workbook": workbook(),
    "one-hot columns": "file,red,blue\n{}".format(
        "".join(f"{n},{int(v == 'red')},{int(v == 'blue')}\n" for n, v in RED_BLUE.items())
    ).encode(),
    "a column of another thing": "file,label,note\n{}".format(
        "".join(f"{n},{v},{'xy'[len(v) > 3]}\n" for n, v in RED_BLUE.items())
    ).encode(),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_in_use_are_read(case: str, flat: Path, workspace: Path, tmp_path: Path) -> None:
    name = "t.xlsx" if TABLES[case].startswith(b"PK") else "t.csv"
    assert classes(flat, tmp_path / name, TABLES[case]) == RED_BLUE


def test_addresses_name_a_photo_by_their_last_part_only_where_it_is_one(
    photos: Path, workspace: Path, tmp_path: Path
) -> None:
    content = b"file,label\nhttps://example.org/a.jpg,x\nhttps://example.org/C.JPG,y\n"
    assert "a.jpg" not in classes(photos, tmp_path / "t.csv", content + b"card1/b.jpg,x\n")


@pytest.mark.parametrize(
    ("encoding", "words"),
    [("gbk", ("玻璃", "纸")), ("cp1252", ("Müll", "Gefäß")), ("cp1251", ("стекло", "бумага"))],
)
def test_other_encodings_are_read_and_said(
    encoding: str, words: tuple[str, str], flat: Path, workspace: Path, tmp_path: Path
) -> None:
    text = rows("file,label").replace("red", words[0]).replace("blue", words[1])
    table = tmp_path / "t.csv"
    table.write_bytes(text.encode(encoding))
    dataset = import_labelled(flat, read_table(table), key="t").dataset
    assert set(dataset.classes) == set(words)
    said = " ".join(table_notes(dataset).notes)
    assert "is not UTF-8" in said
    assert words[0] in said


PAIRS = (
    ("1/2", "1-2"),
    (".NET", "NET"),
    ("x.", "x"),
    ("~$x", "x"),
    ("Thumbs.db", "__MACOSX"),
    ("test", "val"),
    ("train", "training"),
    ("..", "../../../escape"),
    ("NA", "nan"),
    ("None", "null"),
    ("A", "a"),
    ("L" * 301, "L" * 300),
    ("=1+1", "@SUM(A1)"),
    ("a\\b", "a/b"),
)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0][:12])
def test_labels_are_kept_as_written(
    pair: tuple[str, str], flat: Path, workspace: Path, tmp_path: Path
) -> None:
    text = rows("file,label").replace("red", pair[0]).replace("blue", pair[1])
    found = classes(flat, tmp_path / "t.csv", text.encode())
    assert found == {name: pair[label == "blue"] for name, label in RED_BLUE.items()}
    assert not list(workspace.rglob("escape"))


def test_rows_that_contradict_each_other_are_named_and_not_used(
    flat: Path, workspace: Path, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(rows("file,label") + "p1.jpg,blue\np2.jpg,blue\n", encoding="utf-8")
    dataset = import_labelled(flat, read_table(table), key="t").dataset
    assert set(dataset.photos["file"]) == set(NAMES) - {"p1.jpg"}
    assert {row.row for row in table_notes(dataset).rows} == {2, 6}
    assert "row 2: red, row 6: blue" in " ".join(table_notes(dataset).notes)


def test_a_column_of_splits_gives_the_split(flat: Path, workspace: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    words = ("train", "Train", "test", "TEST")
    lines = [f"{n},{v},{s}" for (n, v), s in zip(RED_BLUE.items(), words, strict=True)]
    table.write_text("\n".join(["file,label,split", *lines]) + "\n", encoding="utf-8")
    rows = import_labelled(flat, read_table(table), key="t").dataset.photos
    assert dict(zip(rows["file"], rows["split"], strict=True)) == {
        name: word.lower() for name, word in zip(NAMES, words, strict=True)
    }
