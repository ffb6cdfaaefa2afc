"""The rule that tells class and split from where a photo lies."""

from __future__ import annotations

import pytest

from translearn_core.datasets.file_names import NameKeeper, safe_name
from translearn_core.datasets.layout import read_layout
from translearn_core.errors import SourceError

pytestmark = pytest.mark.awkward

C, D = "cats", "dogs"

CASES: dict[str, dict[str, tuple[str, str] | None]] = {
    "plain": {"cats/1.jpg": (C, ""), "dogs/1.jpg": (D, "")},
    "one outer folder": {"pets/cats/1.jpg": (C, ""), "pets/dogs/1.jpg": (D, "")},
    "many outer folders": {"a/b/c/cats/1.jpg": (C, ""), "a/b/c/dogs/1.jpg": (D, "")},
    "two farms are merged": {
        "farm1/cats/1.jpg": (C, ""),
        "farm2/cats/1.jpg": (C, ""),
        "farm2/dogs/1.jpg": (D, ""),
    },
    "different depths": {"cats/1.jpg": (C, ""), "more/animals/dogs/1.jpg": (D, "")},
    "photos of one class lie a folder deeper": {
        "cats/images/1.jpg": (C, ""),
        "dogs/1.jpg": (D, ""),
    },
    "photos of every class lie a folder deeper": {
        "set/train/cats/images/1.jpg": (C, "train"),
        "set/train/dogs/images/1.jpg": (D, "train"),
        "set/val/images/1.jpg": None,
    },
    "every class folder has one folder of one name": {
        "x/cats/a/1.jpg": (C, ""),
        "y/dogs/a/1.jpg": (D, ""),
    },
    "splits of any spelling": {
        "Train/cats/1.jpg": (C, "train"),
        "TRAINING/dogs/1.jpg": (D, "train"),
        "valid/cats/1.jpg": (C, "val"),
        "Validation/dogs/1.jpg": (D, "val"),
        "test/cats/1.jpg": (C, "test"),
        "testing/dogs/1.jpg": (D, "test"),
    },
    "splits inside an outer folder": {
        "data/train/cats/1.jpg": (C, "train"),
        "data/val/dogs/1.jpg": (D, "val"),
    },
    "splits inside the farms": {
        "farm1/train/cats/1.jpg": (C, "train"),
        "farm2/test/dogs/1.jpg": (D, "test"),
    },
    "unlabelled test photos": {
        "train/cats/1.jpg": (C, "train"),
        "train/dogs/1.jpg": (D, "train"),
        "test/1.jpg": None,
    },
    "trains are a class": {
        "car/1.jpg": ("car", ""),
        "bus/1.jpg": ("bus", ""),
        "train/1.jpg": ("train", ""),
    },
    "a class called test inside splits": {
        "train/test/1.jpg": ("test", "train"),
        "train/cats/1.jpg": (C, "train"),
    },
    "strays beside the classes": {
        "1.jpg": None,
        "cats/1.jpg": (C, ""),
        "dogs/1.jpg": (D, ""),
    },
    "strays in the outer folder": {
        "pets/1.jpg": None,
        "pets/cats/1.jpg": (C, ""),
        "pets/dogs/1.jpg": (D, ""),
    },
    "strays in one of two farms": {
        "farm1/1.jpg": None,
        "farm1/cats/1.jpg": (C, ""),
        "farm1/cats/2.jpg": (C, ""),
        "farm2/cats/1.jpg": (C, ""),
        "farm2/dogs/1.jpg": (D, ""),
    },
    "folders inside a class": {
        "cats/1.jpg": (C, ""),
        "cats/indoor/2.jpg": (C, ""),
        "cats/indoor/night/3.jpg": (C, ""),
        "dogs/1.jpg": (D, ""),
    },
    "the same folders inside two classes that hold photos": {
        "cats/1.jpg": (C, ""),
        "cats/indoor/2.jpg": (C, ""),
        "dogs/1.jpg": (D, ""),
        "dogs/indoor/2.jpg": (D, ""),
    },
    "the same folders in folders without photos": {
        "cats/indoor/1.jpg": ("indoor", ""),
        "cats/outdoor/1.jpg": ("outdoor", ""),
        "dogs/indoor/1.jpg": ("indoor", ""),
        "dogs/outdoor/1.jpg": ("outdoor", ""),
    },
    "white space and composed letters": {
        " big  cats /1.jpg": ("big cats", ""),
        "e\u0301te\u0301/1.jpg": ("été", ""),
    },
    "one class": {"pets/cats/1.jpg": (C, ""), "pets/cats/2.jpg": (C, "")},
    "upper and lower case": {"A/1.jpg": ("A", ""), "a/1.jpg": ("a", "")},
}


@pytest.mark.parametrize("case", CASES)
def test_classes_and_splits(case: str) -> None:
    expected = CASES[case]
    assignments = read_layout(list(expected)).assignments
    result = {
        path: None if assignment.reason else (assignment.class_name, assignment.split)
        for path, assignment in zip(expected, assignments, strict=True)
    }
    assert result == expected


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["cats/1.jpg", "more/dogs/1.jpg"], "the folders around them (more) were not used"),
        (["cats/1.jpg", "dogs/img/1.jpg"], "all of them were taken as the class dogs"),
        (["cats/img/1.jpg", "dogs/img/1.jpg"], "All innermost folders are called img"),
    ],
)
def test_the_level_that_was_taken_is_asked(paths: list[str], said: str) -> None:
    (question,) = read_layout(paths).questions
    assert said in question.text
    assert question.setting == "classes"


def test_folders_that_differ_in_white_space_only_are_one_class_and_that_is_said() -> None:
    layout = read_layout(["a b/1.jpg", "a  b/1.jpg", "a\u00a0b/1.jpg", "c /1.jpg", "c /2.jpg"])
    assert {one.class_name for one in layout.assignments} == {"a b", "c"}
    (notice,) = layout.notices
    assert notice.endswith("taken as one class: a b.")
    (notice,) = read_layout(["ca\u200bt/1.jpg", "cat/1.jpg", "dog/1.jpg"]).notices
    assert "characters that nobody sees" in notice
    assert read_layout(["e\u0301/1.jpg", "\u00e9/1.jpg", "c/1.jpg"]).notices == []


@pytest.mark.parametrize(
    ("paths", "word"),
    [
        (["1.jpg", "2.jpg"], "no class folder"),
        (["train/1.jpg", "test/1.jpg"], "train"),
        (["data/train/1.jpg", "data/val/1.jpg", "data/test/2.jpg"], "classes are not known"),
    ],
)
def test_without_classes_it_is_refused(paths: list[str], word: str) -> None:
    with pytest.raises(SourceError, match=word):
        read_layout(paths)


def test_three_hundred_classes_and_many_photos() -> None:
    paths = [f"outer/{number % 300:03d}/{number}.jpg" for number in range(30_000)]
    assignments = read_layout(paths).assignments
    assert len({assignment.class_name for assignment in assignments}) == 300


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cats.jpg", "cats.jpg"),
        ("CON.jpg", "_CON.jpg"),
        ("com1", "_com1"),
        ("a/b\\c:d", "a_b_c_d"),
        ("dots...", "dots"),
        ("..", "_"),
        ("", "_"),
        (".hidden", "_.hidden"),
        ("кошка?.png", "кошка_.png"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_long_names_keep_their_suffix() -> None:
    name = safe_name("猫" * 200 + ".jpg")
    assert name.endswith(".jpg")
    assert len(name.encode()) <= 80


def test_taken_names_are_numbered() -> None:
    keeper = NameKeeper(["cats/a.jpg"])
    assert [keeper.claim("cats", name) for name in ("A.jpg", "a.jpg", "b.jpg")] == [
        "A (2).jpg",
        "a (3).jpg",
        "b.jpg",
    ]
