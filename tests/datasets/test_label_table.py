"""Tables of labels: what is read, which photo a row means, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from translearn_core.datasets.label_table import import_labelled
from translearn_core.datasets.table_reading import read_table
from translearn_core.errors import SourceError

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
