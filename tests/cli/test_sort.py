"""The copies that `sort --accept` makes, and what it does to those of before."""

from __future__ import annotations

from pathlib import Path

from tests.support.drawing import draw_photo, make_tree
from translearn_core import datasets
from translearn_core.cli.sort_work import Copies, _copy, _given


def test_copying_leaves_files_of_before_as_they_are(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        pile = datasets.open_unlabelled(
            str(make_tree(tmp_path / name, {".": 1}, start=40 * number))
        )
        file = str(pile.photos["file"].iloc[0])
        (tmp_path / name / file).rename(tmp_path / name / "a.jpg")
        pile = datasets.open_unlabelled(str(tmp_path / name))
        rows = [{"file": "a.jpg", "class": "cat", "proposal": "", "confidence": None}]
        (tmp_path / "into").mkdir(exist_ok=True)
        for _again in range(2):
            copies = _copy(pile, rows, tmp_path / "into", 0.9, pile=name)
            assert copies == Copies(made=1)
    there = sorted((tmp_path / "into" / "cat").iterdir())
    assert [copy.name for copy in there] == ["a (2).jpg", "a.jpg"]
    first = (tmp_path / "first" / "a.jpg").read_bytes()
    assert there[1].read_bytes() == first != there[0].read_bytes()


def test_a_copy_follows_its_photo_to_another_class_unless_it_was_changed(tmp_path: Path) -> None:
    folder, into = make_tree(tmp_path / "pile", {"a": 3, "b": 1}, start=70), tmp_path / "into"
    into.mkdir()
    pile = datasets.open_unlabelled(str(folder))
    rows = [
        {"file": str(file), "class": "cat", "proposal": "", "confidence": None}
        for file in pile.photos["file"]
    ]

    def copy_again() -> tuple[Copies, list[str]]:
        copies = _copy(pile, rows, into, 0.9, pile="pile")
        return copies, sorted(p.relative_to(into).as_posix() for p in into.glob("*/*"))

    assert copy_again() == (
        Copies(made=4),
        ["cat/0 (2).jpg", "cat/0.jpg", "cat/1.jpg", "cat/2.jpg"],
    )
    (into / "cat" / "2.jpg").write_bytes(draw_photo(99))  # cut by hand
    of = {row["file"]: row for row in rows}
    of["a/0.jpg"]["class"] = "dog"
    of["a/1.jpg"]["class"] = ""
    of["a/2.jpg"]["class"] = "dog"
    copies, files = copy_again()
    assert copies == Copies(made=3, moved=1, removed=1, kept=("cat/2.jpg",))
    assert files == ["cat/0 (2).jpg", "cat/2.jpg", "dog/0.jpg", "dog/2.jpg"]
    assert copy_again() == (Copies(made=3), files), "nothing is said or copied a second time"


def test_rows_of_the_table_that_do_not_fit_are_said(tmp_path: Path) -> None:
    pile = make_tree(tmp_path / "pile", {".": 4}, start=10)
    files = sorted(path.name for path in pile.iterdir())
    rows = [f"{files[0]},red", f"{files[0]},blue", f"{files[1]},red", "gone.jpg,blue"]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class", *rows]), encoding="utf-8")
    dataset = datasets.open_unlabelled(str(pile))
    given, notes = _given(dataset, pile, tmp_path / "labels.csv", ())
    assert given == {files[1]: "red"}
    said = " ".join(notes)
    assert "gone.jpg" in said
    assert files[0] in said
    assert "left out" not in said, "photos without a label are what is sorted"
