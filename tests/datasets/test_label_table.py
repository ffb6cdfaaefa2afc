"""Tables of labels: what is read, which photo a row means, and what is refused."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import openpyxl
import pytest
from PIL import Image

from translearn_core.datasets.label_table import import_labelled
from translearn_core.datasets.table_columns import split_of
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
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        (b"{\\rtf1 file,label\\par}", "RTF"),
        (b"0\t0\tb.jpg\n1\t1\tc.jpg\n", "not like column heads"),
        (
            b'{"b.jpg": "x", "c.jpg": "y", "b.jpg": "y"}',
            r"two different things under the name b.jpg\.",
        ),
        (
            b'[{"file": "b.jpg", "label": "x"}, {"file": "c.jpg", "label": "x", "label": "y"}]',
            r"two different things under the name label\.",
        ),
        (
            b'{"images": [{"id": 1, "file_name": "b.jpg"}], "categories": [{"id": 1, "name": "x"},'
            b'{"id": 2, "name": "y"}], "annotations": [{"image_id": 1, "category_id": 1,'
            b'"category_id": 2}]}',
            r"two different things under the name category_id\.",
        ),
        (b'{"b.jpg": ' + b"1" * 5000 + b"}", "no JSON that is read here"),
        (b'{"file": "b.jpg", "label": "x"}\r{"file": \r', "error in line 2"),
        (b'"file,label"\n"b.jpg,x\ny"\n', "cannot be split into cells"),
        (b'{"b.jpg": "x", "c.jpg": ["x", "y"]}', "several labels or none"),
        (b'[{"file": "b.jpg", "label": "\\ud800"}, {"file": "c.jpg", "label": "y"}]', "is no text"),
        (b'[{"file": "b.jpg", "label": "x"},', "error in line 1"),
        (b'{"file": "b.jpg", "label": "x"}\n{"file": \n', "error in line 2"),
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


def workbook(
    rows: Iterable[Sequence[object]] = (("Image", "Class"), *RED_BLUE.items()),
    change: Callable[[openpyxl.Workbook], object] = lambda book: None,
    edit: Callable[[str], str] = str,
) -> bytes:
    """An Excel workbook.

    Args:
        change: alters the workbook before it is written.
        edit: alters the XML of its first sheet.
    """
    book, data, edited = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    change(book)
    book.save(data)
    with zipfile.ZipFile(data) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode()
            new.writestr(name, edit(content) if name.endswith("sheet1.xml") else content)
    return edited.getvalue()


def _merge(book: openpyxl.Workbook) -> None:
    book.active.merge_cells("B2:B3")
    book.active.merge_cells("B4:B5")


def _hide(book: openpyxl.Workbook) -> None:
    """Put a sheet of labels that is not shown before the one that is."""
    hidden = book.create_sheet("old", 0)
    hidden.append(("file", "label"))
    for name in RED_BLUE:
        hidden.append((name, f"old {name}"))
    hidden.sheet_state = "hidden"
    book.active = book.worksheets[1]


MERGED = (
    ("file", "label"),
    *(
        (name, label if n % 2 == 0 else None)
        for n, (name, label) in enumerate(sorted(RED_BLUE.items(), key=lambda row: row[1]))
    ),
)


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
    "a workbook with merged cells": workbook(MERGED, _merge),
    "a workbook that declares a smaller size": workbook(
        edit=lambda xml: re.sub(r'<dimension ref="[^"]*"', '<dimension ref="A1:A2"', xml)
    ),
    "a workbook with a hidden sheet": workbook(change=_hide),
    "a workbook with a stray head far away": workbook(
        change=lambda book: book.active.cell(1, 16000, value="x")
    ),
    "a workbook that begins lower": workbook(
        ((), (), (None, None, "file", "label"), *((None, None, *row) for row in RED_BLUE.items()))
    ),
    "lines in quotation marks": "".join(
        f'"{line}"\n' for line in rows("file,label").splitlines()
    ).encode(),
    "lines in quotation marks with other separators in them": "".join(
        f'"{line}"\n'
        for line in rows("file,label,note")
        .replace("red", "red,x;y;z")
        .replace("blue", "blue,x|y|z|w")
        .splitlines()
    ).encode(),
    "a long cell": rows("file,label")
    .replace("red", "red," + "A" * 200_000)
    .replace("file,label", "file,label,thumb")
    .encode(),
    "JSON of names": json.dumps(RED_BLUE).encode(),
    "JSON of names with lists": json.dumps({n: [v] for n, v in RED_BLUE.items()}).encode(),
    "JSON lines with side data of one name, divided as on an old Mac": "".join(
        f'{{"file": "{n}", "label": "{v}", "meta": {{"w": 1, "w": 2}}, "score": NaN, "score": NaN}}\r'
        for n, v in RED_BLUE.items()
    ).encode(),
    "JSON in UTF-16": json.dumps([{"file": n, "label": v} for n, v in RED_BLUE.items()]).encode(
        "utf-16"
    ),
    "what nobody sees": rows("file,label")
    .replace("red", "re\u00add\u200b", 1)
    .replace("blue", "\ufeffblue\u200f", 1)
    .encode(),
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


def test_a_cell_far_away_does_not_make_all_rows_long(tmp_path: Path) -> None:
    table = tmp_path / "t.xlsx"
    lines = [("file", "label"), *((f"{n}.jpg", "xy"[n % 2]) for n in range(1000))]
    table.write_bytes(workbook(lines, lambda book: book.active.cell(1, 16384, value="x")))
    tracemalloc.start()
    try:
        read = read_table(table)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read.cells.rows[0] == ("0.jpg", "x", "")
    assert peak_bytes < 30e6  # 1000 rows of 16384 cells take 131 MB


@pytest.mark.parametrize(
    ("words", "split"),
    [
        (
            "Training_set training-data trn_set learn-data learning_set train_data_set train",
            "train",
        ),
        ("develop_set dev validation_data val_set Validierung", "val"),
        ("tst_set test_data holdout_set eval evaluation_set 测试集", "test"),
    ],
)
def test_words_of_a_split(words: str, split: str) -> None:
    assert {word: split_of(word) for word in words.split()} == dict.fromkeys(words.split(), split)


def test_a_split_in_another_language(flat: Path, workspace: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    words = ("Training", "训练集", "Prüfung", "测试")
    lines = [f"{n},{v},{s}" for (n, v), s in zip(RED_BLUE.items(), words, strict=True)]
    table.write_text("\n".join(["file,label,split", *lines]) + "\n", encoding="utf-8")
    rows = import_labelled(flat, read_table(table), key="t").dataset.photos
    assert list(rows["split"].value_counts().sort_index().items()) == [("test", 2), ("train", 2)]


NOTES: dict[str, tuple[bytes, str]] = {
    "errors": (
        workbook((("file", "label"), *RED_BLUE.items(), ("p1.jpg", "#N/A"))),
        "#N/A in row 6",
    ),
    "errors in CSV": (rows("file,label").replace("red", "#REF!", 1).encode(), "#REF! in row 2"),
    "formulas": (
        workbook((("file", "label"), *list(RED_BLUE.items())[:3], ("P10.JPG", '="bl"&"ue"'))),
        "1 cell of t.xlsx holds a formula",
    ),
    "merged cells": (workbook(MERGED, _merge), "merged cells"),
    "missing": (rows("file,label").replace("red", "N/A", 1).encode(), "N/A was kept as a class"),
    "joined": (rows("file,label").replace("blue", "blue|red", 1).encode(), "blue|red join"),
    "listed": (rows("file,label").replace("blue", "['blue']", 1).encode(), "['blue'] join"),
    "wrong encoding": (
        rows("file,label").replace("red", "M\u00c3\u00bcll", 1).encode(),
        "wrong encoding",
    ),
    "wrong encoding of a sign": (
        rows("file,label").replace("red", "dog\u00e2\u20ac\u2122s", 1).encode(),
        "wrong encoding",
    ),
    "lost letters": (rows("file,label").replace("red", "M\ufffdll", 1).encode(), "wrong encoding"),
    "folds": (
        "file,label,fold\n{}".format(
            "".join(f"{n},{v},{len(n) % 2}\n" for n, v in RED_BLUE.items())
        ).encode(),
        "The column fold may say which photos are for the test",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_looks_like_a_mistake_is_said(
    case: str, flat: Path, workspace: Path, tmp_path: Path
) -> None:
    content, sentence = NOTES[case]
    table = tmp_path / ("t.xlsx" if content.startswith(b"PK") else "t.csv")
    table.write_bytes(content)
    read = read_table(table)
    assert sentence in " ".join(read.notes)


@pytest.mark.parametrize(
    ("sites", "sentence"),
    [
        (("a", "b", "c", "d"), ""),
        (("a", "a", "b", "b"), ""),
        (("", "", "", ""), "names no group of any photo"),
        (("a", "b", "", ""), "2 photos have no one group in site"),
        (("Site 1", "site 1", "b", "b"), "Site 1, site 1 are different groups"),
        (("1", "1.0", "2", "2"), "1, 1.0 are different groups"),
    ],
)
def test_odd_groups_are_said(
    sites: tuple[str, ...], sentence: str, flat: Path, workspace: Path, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    lines = [f"{n},{v},{s}" for (n, v), s in zip(RED_BLUE.items(), sites, strict=True)]
    table.write_text("\n".join(["file,label,site", *lines]) + "\n", encoding="utf-8")
    imported = import_labelled(flat, read_table(table, group_by="site"), key="t")
    assert bool(imported.notes) == bool(sentence)
    assert sentence in " ".join(imported.notes)


FORMULA_OF_NOTHING = workbook(
    (("file", "label"), *RED_BLUE.items(), ("p5.jpg", '=IF(A2="","",A2)')),
    edit=lambda xml: xml.replace('<c r="B6">', '<c r="B6" t="str">'),
)


@pytest.mark.parametrize(
    "content",
    [
        rows("file,label").encode(),
        rows("file,label").replace("red", "mâță").replace("blue", "kâşif").encode(),
        rows("file,label").replace("red", "MÂȚĂ").replace("blue", "KÂŞİF").encode(),
        FORMULA_OF_NOTHING,
    ],
    ids=["plain", "Romanian and Turkish", "in capitals", "a formula whose result is empty"],
)
def test_a_table_without_doubts_says_nothing(content: bytes, tmp_path: Path) -> None:
    table = tmp_path / ("t.xlsx" if content.startswith(b"PK") else "t.csv")
    table.write_bytes(content)
    assert read_table(table).notes == []


@pytest.mark.parametrize("folder", ["/home/anna/set/", "C:\\Users\\me\\", "set/"])
def test_folders_of_another_machine_are_left_off(
    folder: str, photos: Path, workspace: Path, tmp_path: Path
) -> None:
    rows = f"file,label\n{folder}card1/a.jpg,x\n{folder}card2/a.jpg,y\n{folder}card1/none.jpg,y\n"
    table = tmp_path / "t.csv"
    assert classes(photos, table, rows.encode()) == {"card1/a.jpg": "x", "card2/a.jpg": "y"}
    notes = import_labelled(photos, read_table(table)).notes
    assert any("begin with" in note and "they were read without it" in note for note in notes)


def test_the_folder_that_tells_cards_apart_is_never_left_off(
    photos: Path, workspace: Path, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="No file of the table"):
        classes(photos, tmp_path / "t.csv", b"file,label\ncard7/b.jpg,x\ncard7/a.jpg,y\n")


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


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1251", "мышь,выхухоль,ёж"),
        ("cp1251", "рысь,x"),
        ("cp1251", "годен,брак"),
        ("cp1251", "рысь,лось,медведь"),
        ("cp1251", "їжак,їжа"),
        ("cp1252", "bœuf,œuf,cœur"),
        ("cp1252", "sœur,frère,mère"),
        ("cp1252", "1º,2º"),
        ("cp1252", "£1,£2"),
        ("cp1252", "½ l,1 l"),
        ("cp1252", "maður,kýr"),
        ("big5", "正常,異常"),
        ("big5", "良品,不良品"),
    ],
)
def test_short_words_of_other_encodings_are_read_as_they_are(
    encoding: str, words: str, tmp_path: Path
) -> None:
    labels = [words.split(",")[n % len(words.split(","))] for n in range(20)]
    lines = [f"p{n}.jpg,{label}" for n, label in enumerate(labels)]
    table = tmp_path / "t.csv"
    table.write_bytes("\n".join(["file,label", *lines]).encode(encoding))
    assert read_table(table).values["label"] == labels


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
