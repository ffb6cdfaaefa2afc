"""Folders as people bring them: names, links, splits, hidden and unlabelled folders."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.commands import call
from tests.support.drawing import draw_photo, make_tree
from translearn_core import datasets
from translearn_core.cli.choices import with_option
from translearn_core.datasets import ImportChoices
from translearn_core.datasets.file_names import natural_key, printable
from translearn_core.datasets.folder_words import (
    is_everyday,
    is_unlabelled,
    names_photos,
    split_kind,
)
from translearn_core.datasets.layout import read_layout
from translearn_core.errors import SourceError

pytestmark = pytest.mark.awkward

posix = pytest.mark.skipif(sys.platform == "win32", reason="names and links of POSIX systems")


def _read(paths: list[str], choices: ImportChoices) -> dict[str, str]:
    """The class of each photo; empty where it has none."""
    found = read_layout(paths, choices).assignments
    return {path: one.class_name for path, one in zip(paths, found, strict=True)}


def _told(dataset: datasets.Dataset) -> str:
    """What the command line says."""
    record = dataset.record
    questions = map(with_option, record.questions)
    return " ".join([*record.notices, *questions, *datasets.found_by_checks(dataset)])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Train", "train"),
        ("training_set", "train"),
        ("trainset", "train"),
        ("seg_train", "train"),
        ("train_images", "train"),
        ("images-train", "train"),
        ("train2017", "train"),
        ("VALID", "val"),
        ("val_set", "val"),
        ("dev", "val"),
        ("test_set", "test"),
        ("TestData", "test"),
        ("holdout", "test"),
        ("hold-out", "test"),
        ("eval", "eval"),
        ("seg_pred", "out"),
        ("trains", ""),
        ("steam train", ""),
        ("testament", ""),
        ("valve", ""),
        ("data", ""),
        ("contest", ""),
        ("device", ""),
        ("X_train", "train"),
        ("Trainingsdaten", "train"),
        ("Testbilder", "test"),
        ("Prüfung", "test"),
        ("Validierung", "val"),
        ("训练集", "train"),
        ("測試", "test"),
        ("验证集", "val"),
        ("entrenamiento", "train"),
        ("Validación", "val"),
        ("entraînement", "train"),
        ("обучение", "train"),
        ("テスト", "test"),
        ("학습", "train"),
        ("测试仪", ""),
        ("Probe", ""),
        ("testes", ""),
        ("datasets_train", "train"),
        ("Testdatensatz", "test"),
        ("训练数据集", "train"),
        ("dataset" * 5000 + "q", ""),
        ("train" + "dataset" * 5000, ""),
    ],
)
def test_names_of_splits(name: str, kind: str) -> None:
    assert split_kind(name) == kind


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("prueba", True),
        ("Apprentissage", True),
        ("train", False),
        ("Validation", False),
        ("Trainingsdaten", False),
        ("训练集", False),
    ],
)
def test_everyday_words_for_splits(name: str, answer: bool) -> None:
    assert is_everyday(name) is answer


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("images_new", True),
        ("Datensatz", True),
        ("数据集", True),
        ("dataset" * 8, True),
        ("dataset" * 5000 + "q", False),
        ("x", False),
        ("Menge", False),
        ("用", False),
        ("dados", False),
    ],
)
def test_names_of_folders_that_only_say_photos(name: str, answer: bool) -> None:
    assert names_photos(name) is answer


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("unlabelled", True),
        ("Unlabeled_images", True),
        ("unsorted", True),
        ("_unknown", True),
        ("to sort", True),
        ("unknown", False),
        ("labelled", False),
        ("uncommon", False),
        ("Unsortiert", True),
        ("未分类", True),
        ("分类", False),
    ],
)
def test_names_of_unlabelled_photos(name: str, answer: bool) -> None:
    assert is_unlabelled(name) is answer


Expected = dict[str, tuple[str, str] | None]

TREES: dict[str, tuple[Expected, str]] = {
    "sets": (
        {
            "training_set/a/1": ("a", "train"),
            "test_set/a/1": ("a", "test"),
            "test_set/b/1": ("b", "test"),
        },
        "Taken as the split test: test_set",
    ),
    "twice the same layer, photos to predict": (
        {
            "seg_train/seg_train/a/1": ("a", "train"),
            "seg_test/seg_test/b/1": ("b", "test"),
            "seg_pred/seg_pred/1": None,
        },
        "seg_pred (1 photo) was left out",
    ),
    "eval alone is the test": (
        {"train/a/1": ("a", "train"), "train/b/1": ("b", "train"), "eval/a/1": ("a", "test")},
        "split test: eval",
    ),
    "eval beside a test is validation": (
        {"train/a/1": ("a", "train"), "eval/a/1": ("a", "val"), "test/b/1": ("b", "test")},
        "split val: eval",
    ),
    "no test": (
        {"train/a/1": ("a", "train"), "val/b/1": ("b", "val")},
        "none for the test",
    ),
    "splits inside the classes": (
        {
            "cats/train/1": ("cats", "train"),
            "cats/test/1": ("cats", "test"),
            "dogs/train/1": ("dogs", "train"),
            "dogs/test/1": ("dogs", "test"),
        },
        "split train: cats/train, dogs/train",
    ),
    "photos beside splits": (
        {
            "train/a/1": ("a", "train"),
            "test/b/1": ("b", "test"),
            "extra/a/2": None,
            "loose": None,
        },
        "The folder extra (1 photo) was left out",
    ),
    "a test beside the classes": (
        {"a/1": ("a", ""), "b/1": ("b", ""), "test/a/1": ("a", "test"), "test/b/1": ("b", "test")},
        "",
    ),
    "everyday words": (
        {
            "apprentissage/2020/1": ("apprentissage", ""),
            "apprentissage/2021/1": ("apprentissage", ""),
            "loisir/1": ("loisir", ""),
        },
        "apprentissage was taken as a class, as it lies beside loisir",
    ),
    "everyday words, all with folders": (
        {"Prüfung/2020/1": ("2020", ""), "Ausflug/2021/1": ("2021", "")},
        "Prüfung was not taken as a split, as it lies beside Ausflug",
    ),
    "an everyday word alone": (
        {"Prüfung/a/1": ("a", ""), "Prüfung/b/1": ("b", "")},
        "",
    ),
    "two everyday words": (
        {
            "entrenamiento/a/1": ("a", "train"),
            "entrenamiento/b/1": ("b", "train"),
            "prueba/a/1": ("a", "test"),
            "otros/1": None,
        },
        "Taken as the split test: prueba",
    ),
    "an everyday word for folders of the same names": (
        {"a/1": ("a", ""), "b/1": ("b", ""), "prueba/a/1": ("a", "test")},
        "Taken as the split test: prueba",
    ),
    "an everyday word with a plain one": (
        {"Testbilder/a/1": ("a", "test"), "Testbilder/b/1": ("b", "test")},
        "Taken as the split test: Testbilder",
    ),
    "an organ": (
        {
            "testes/p1/1": ("p1", ""),
            "testes/p2/1": ("p2", ""),
            "ovary/p3/1": ("p3", ""),
            "ovary/p4/1": ("p4", ""),
        },
        "--classes outer",
    ),
    "a folder called x": (
        {"A/1": ("A", ""), "B/1": ("B", ""), "misc/X/1": ("X", "")},
        "the folders around them (misc) were not used",
    ),
    "vehicles": (
        {"train/1": ("train", ""), "bus/1": ("bus", ""), "car/1": ("car", "")},
        "train was taken as a class",
    ),
    "vehicles with kinds": (
        {
            "train/steam/1": ("train", ""),
            "train/diesel/1": ("train", ""),
            "bus/1": ("bus", ""),
            "car/1": ("car", ""),
        },
        "train was taken as a class",
    ),
    "unlabelled": (
        {"a/1": ("a", ""), "b/1": ("b", ""), "unlabelled/1": None, "unsorted/x/1": None},
        "--keep-folder unlabelled",
    ),
    "background": (
        {"a/1": ("a", ""), "BACKGROUND_Google/1": ("BACKGROUND_Google", "")},
        "may stand for photos of no class",
    ),
    "mixed depth": (
        {"cats/in/1": ("cats", ""), "cats/out/1": ("cats", ""), "dogs/1": ("dogs", "")},
        "--classes inner",
    ),
    "two levels": (
        {
            "cats/siam/1": ("siam", ""),
            "cats/manx/1": ("manx", ""),
            "dogs/pug/1": ("pug", ""),
        },
        "--classes outer",
    ),
}


@pytest.mark.parametrize("case", TREES)
def test_each_answer_to_a_question_is_followed(case: str) -> None:
    paths = list(TREES[case][0])
    for question in read_layout(paths).questions:
        if question.setting != "role":
            continue
        name = question.name.rpartition("/")[2]
        inside = [path for path in paths if name in path.split("/")[:-1]]
        left_out = ImportChoices().answered("role", question.name, "out")
        with contextlib.suppress(SourceError):  # nothing may be left
            read = _read(paths, left_out)
            assert inside
            assert not any(read[path] for path in inside)
        taken = ImportChoices().answered("role", question.name, question.taken)
        assert _read(paths, taken) == _read(paths, ImportChoices())


@pytest.mark.parametrize("case", TREES)
def test_every_folder_is_a_class_a_split_or_told(case: str) -> None:
    expected, sentence = TREES[case]
    layout = read_layout(list(expected))
    result = {
        path: None if one.reason else (one.class_name, one.split)
        for path, one in zip(expected, layout.assignments, strict=True)
    }
    assert result == expected
    told = [*layout.notices, *map(with_option, layout.questions)]
    if sentence:
        assert sentence in " ".join(told)
    else:
        assert told == []
    assert "`" not in " ".join([*layout.notices, *(one.text for one in layout.questions)])


@pytest.mark.parametrize(
    ("paths", "choices", "names"),
    [
        (
            ["a/1", "b/1", "unlabelled/1"],
            ImportChoices(roles=(("unlabelled", "class"),)),
            "a,b,unlabelled",
        ),
        (["a/1", "b/1", "bin/1"], ImportChoices(roles=(("bin", "out"),)), "a,b,"),
        (["c/x/1", "c/y/1", "d/1"], ImportChoices(classes="inner"), "x,y,d"),
        (["c/x/1", "c/y/1", "d/z/1"], ImportChoices(classes="outer"), "c,c,d"),
        (["train/x/1", "test/x/1"], ImportChoices(roles=(("test", "class"),)), "x,x"),
    ],
)
def test_choices_overrule_names(paths: list[str], choices: ImportChoices, names: str) -> None:
    found = read_layout(paths, choices).assignments
    assert ",".join(one.class_name for one in found) == names
    if paths[0].startswith("train"):
        assert [one.split for one in found] == ["train", ""]


def test_a_role_makes_a_split() -> None:
    paths = ["train/a/1", "val/a/1", "more/b/1"]
    choices = ImportChoices(roles=(("val", "test"), ("more", "train")))
    found = read_layout(paths, choices).assignments
    assert [(one.class_name, one.split) for one in found] == [
        ("a", "train"),
        ("a", "test"),
        ("b", "train"),
    ]


def test_numbers_are_in_natural_order(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {name: 2 for name in ("1", "2", "10", "x9", "x10")})
    dataset = datasets.import_source(source, in_place=True)
    assert dataset.classes == list(dataset.counts.index) == ["1", "2", "10", "x9", "x10"]
    assert sorted(["b", "A", "a10", "a9"], key=natural_key) == ["A", "a9", "a10", "b"]


@pytest.mark.parametrize(
    "names",
    [
        ["cat", "cat2", "cat2b", "cat10"],
        ["{", "{0}", "{name}"],
        ["", "0", "00", "01", "1", "1b", "b"],
        ["9" * 4999, "9" * 5000],
    ],
)
def test_names_that_begin_as_others_are_sorted_too(names: list[str]) -> None:
    assert sorted(reversed(names), key=natural_key) == names


def test_a_class_may_be_named_as_another_one_with_a_number(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {name: 2 for name in ("cat10", "cat", "cat2")})
    assert datasets.import_source(source, in_place=True).classes == ["cat", "cat2", "cat10"]


def test_hidden_empty_and_lost_classes_are_named(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"a": 3, "b": 3, ".NET": 2, "~$old": 2, "Thumbs.db": 2})
    for folder in ("empty", "texts", "broken", "__MACOSX", "a/inside"):
        (source / folder).mkdir()
    (source / "texts" / "1.txt").write_text("hello", encoding="utf-8")
    (source / "broken" / "1.jpg").write_bytes(draw_photo(1)[:300])
    for in_place in (False, True):
        dataset = datasets.import_source(source, in_place=in_place)
        assert dataset.classes == ["a", "b"]
        named = set(dataset.left_out["file"])
        assert named >= {".NET/", "~$old/", "Thumbs.db/", "__MACOSX/", "empty/", "texts/1.txt"}
        told = _told(dataset)
        for name in ("empty", "texts", "broken"):
            assert f"The class {name} has no photo left" in told
        assert "class a/inside" not in told
        assert "The folder .NET (2 photos) was left out" in told
        assert "__MACOSX" not in told
    kept = datasets.import_source(source, choices=ImportChoices(roles=((".NET", "class"),)))
    assert kept.classes == [".NET", "a", "b"]


def test_a_class_of_one_photo_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_tree(tmp_path / "s", {"a": 3, "b": 3, "one": 1, "half": 1})
    (source / "half" / "bad.jpg").write_bytes(b"no photo")
    dataset = datasets.import_source(source, in_place=True, check=False)
    assert dataset.classes == ["a", "b", "half"]
    dataset.record_stats({}, {str(source / "half" / "bad.jpg"): "It is no photo."})
    assert dataset.classes == ["a", "b"]
    datasets.check_ready(dataset)
    assert "The class one has no photo left" in _told(dataset)
    assert (source / "half" / "0.jpg").is_file()
    monkeypatch.setenv("TRANSLEARN_LIMITS", json.dumps({"free_bytes": 0, "class_photos": 4}))
    with pytest.raises(SourceError, match="single photo"):
        datasets.check_ready(datasets.import_source(source))


def test_bytes_decide_where_a_name_does_not(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"b": 2})
    names = ["a.jpg_large", "b.jpg!d", "c.jpg?w=800", "d.pjpeg", "e.photo by me", "f", "g.txt"]
    (source / "a").mkdir()
    for number, name in enumerate(names):
        (source / "a" / name).write_bytes(draw_photo(50 + number))
    (source / "a" / "notes.txt").write_text("no photo", encoding="utf-8")
    (source / "a" / "raw.dng").write_bytes(draw_photo(70, "TIFF"))
    for in_place in (False, True):
        dataset = datasets.import_source(source, in_place=in_place)
        assert dataset.counts.to_dict() == {"a": len(names), "b": 2}
        assert sorted(dataset.left_out["file"]) == ["a/notes.txt", "a/raw.dng"]


@posix
@pytest.mark.parametrize("where", ["file", "folder", "root"])
def test_names_that_are_no_valid_text(where: str, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    root = tmp_path / (odd if where == "root" else "s")
    make_tree(root, {"a": 2, "b": 2, odd if where == "folder" else "c": 2})
    if where == "file":
        (root / "c" / f"{odd}.jpg").write_bytes(draw_photo(90))
    for in_place in (False, True):
        dataset = datasets.import_source(root, in_place=in_place)
        assert len(dataset.photos) == (7 if where == "file" else 6)
        assert dataset.classes == ["a", "b", "caf\\xe9" if where == "folder" else "c"]
        for path in dataset.photos["path"]:
            assert dataset.photo_path(path).read_bytes()
        text = json.dumps(dataset.photos[["path", "file"]].to_dict(), ensure_ascii=False)
        (text + dataset.record.model_dump_json() + _told(dataset)).encode("utf-8")
    assert printable(odd) == "caf\\xe9"


@posix
def test_links_are_told_and_followed_where_asked(tmp_path: Path) -> None:
    store = make_tree(tmp_path / "store", {"x": 2, "y": 2}, start=50)
    source = make_tree(tmp_path / "s", {"a": 2, "b": 2})
    (source / "x").symlink_to(store / "x")
    (source / "again").symlink_to(store / "x")
    (source / "a" / "far.jpg").symlink_to(store / "y" / "0.jpg")
    (source / "a" / "l1.jpg").symlink_to("l2.jpg")
    (source / "a" / "l2.jpg").symlink_to("l1.jpg")
    (source / "a" / "gone.jpg").symlink_to("nowhere.jpg")
    (source / "up").symlink_to(tmp_path)
    (source / "inside").symlink_to(source / "a")
    (store / "x" / "loop").symlink_to(store / "x")
    plain = datasets.import_source(source, in_place=True)
    assert plain.counts.to_dict() == {"a": 2, "b": 2}
    reasons = dict(zip(plain.left_out["file"], plain.left_out["reason"], strict=True))
    assert set(reasons) == {
        "x",
        "again",
        "up",
        "inside",
        "a/far.jpg",
        "a/l1.jpg",
        "a/l2.jpg",
        "a/gone.jpg",
    }
    assert "circle" in reasons["a/l1.jpg"]
    assert "no longer there" in reasons["a/gone.jpg"]
    assert "3 links were not followed" in _told(plain)
    assert "links were not followed" in reasons["x"]
    assert "--follow-links" in _told(plain)
    choices = ImportChoices(follow_links=True)
    followed = datasets.import_source(source, in_place=True, choices=choices)
    assert followed.counts.to_dict() == {"a": 3, "again": 2, "b": 2}
    assert "--follow-links" not in _told(followed)
    with pytest.raises(SourceError, match="no folder or zip"):
        datasets.import_source(source / "a" / "l1.jpg")


@posix
@pytest.mark.parametrize("whole_folders", [False, True])
def test_where_all_is_links_the_way_on_is_named(tmp_path: Path, whole_folders: bool) -> None:
    store = make_tree(tmp_path / "store", {"a": 2, "b": 2})
    for name in "ab":
        if whole_folders:
            (tmp_path / "s").mkdir(exist_ok=True)
            (tmp_path / "s" / name).symlink_to(store / name)
            continue
        (tmp_path / "s" / name).mkdir(parents=True)
        for photo in (store / name).iterdir():
            (tmp_path / "s" / name / photo.name).symlink_to(photo)
    done = call("check", tmp_path / "s")
    assert done.returncode == 2
    assert "not followed" in done.stderr
    assert "--follow-links" in done.stderr
    assert call("check", tmp_path / "s", "--follow-links").returncode == 0


def test_uploads_follow_the_same_rules(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"a": 2, "b": 2, ".NET": 2, "unsorted": 2})
    (source / "a" / "c.jpg_large").write_bytes(draw_photo(60))
    (source / "a" / "n.txt").write_text("no photo", encoding="utf-8")
    files = [
        (path.relative_to(tmp_path).as_posix(), path)
        for path in sorted(source.rglob("*"))
        if path.is_file()
    ]
    dataset = datasets.import_files(files, name="s")
    assert dataset.counts.to_dict() == {"a": 3, "b": 2}
    assert sorted(dataset.left_out["file"]) == ["s/.NET/", "s/a/n.txt", "s/unsorted/"]
    assert "--keep-folder" in _told(dataset)
