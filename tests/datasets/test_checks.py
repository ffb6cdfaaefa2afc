"""The table of checks, and what is said before training."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import ImageOps

from tests.support.drawing import POSITION, draw_image, draw_photo, make_tree
from translearn_core import datasets
from translearn_core.datasets import CHECKS
from translearn_core.datasets.manifest_checks import (
    find_case_twins,
    find_exact_across,
    find_exact_copies,
)
from translearn_core.errors import SourceError


def test_the_table_has_words_for_everything() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for check in CHECKS:
        assert 0.0 < check.threshold <= 1.0
        for text in (check.sentence, check.advice):
            assert text[0].isupper()
            assert text.endswith(".")
        assert check.title
        assert check.rule
        assert (check.find is None) == (check.tell is None)


def test_a_warning_says_what_it_is_what_it_means_and_what_to_do(tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"a": 12, "b": 4}))
    row = next(check for check in CHECKS if check.name == "too_few")
    (warning,) = datasets.warnings(dataset)
    assert warning.endswith(f"{row.sentence} {row.advice}")


def test_copies_in_one_class_and_across_classes_are_told_apart(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"a": 12, "b": 12})
    for copy in ("b/copy.jpg", "a/copy1.jpg", "a/copy2.jpg"):
        (source / copy).write_bytes((source / "a/1.jpg").read_bytes())
    found = " ".join(datasets.warnings(datasets.import_source(source)))
    assert "2 photos are exact copies of others of their class" in found
    assert "1 photo is in more than one class" in found


@pytest.mark.parametrize(("to", "check"), [("cat", "exact_copies"), ("dog", "cross_class_copies")])
def test_a_copy_without_its_position_is_an_exact_one(tmp_path: Path, to: str, check: str) -> None:
    """A photo in its place is added once more, and loses its position then."""
    source = make_tree(tmp_path / "pets", {"cat": 2, "dog": 2})
    photo = draw_photo(500, exif=POSITION)
    (source / "cat" / "phone.jpg").write_bytes(photo)
    dataset = datasets.import_source(source, in_place=True)
    assert not _copies(dataset)
    datasets.add_photos(dataset, to, [("again.jpg", io.BytesIO(photo))])
    assert dataset.photos["sha256"].is_unique
    (found,) = _copies(dataset)
    assert found.check == check
    assert {Path(path).name for path in (found.path, *found.others)} == {"phone.jpg", "again.jpg"}


def _copies(dataset: datasets.Dataset) -> list[datasets.Finding]:
    return [*find_exact_copies(dataset), *find_exact_across(dataset)]


def test_warnings_before_training(tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"a": 60, "b": 4}))
    found = " ".join(datasets.warnings(dataset))
    assert "Fewer than 10 photos in the class b (4)" in found
    assert "a has 60 photos, b only 4" in found
    even = datasets.import_source(make_tree(tmp_path / "t", {"a": 12, "b": 12}))
    assert datasets.warnings(even) == []


@pytest.mark.awkward
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("20240101123045001", "20240101123045002"), ""),
        (("007", "7"), "the same number, written differently"),
        (("-1", "1"), ""),
        (("Type (1)", "Type (2)"), ""),
        (("Type (1)", "Type"), "nearly the same"),
        (("photo", "photocopy"), ""),
        (("cat", "Copy of cat"), "nearly the same"),
        (("Cats", "cats"), "Cats, cats differ only in upper and lower case"),
        (("cat", "c\u0430t"), "nearly the same"),
        (("A1", "\uff211"), "nearly the same"),
        (("cat", "cats"), "nearly the same"),
        (("dogs", "dogs - Copy"), "nearly the same"),
        (("1", "1.0"), "the same number, written differently"),
        (("cat", "dog"), ""),
        (("cat1", "cat2"), ""),
        (("\u043a\u043e\u0442", "\u043a\u0438\u0442"), ""),
    ],
)
def test_names_that_look_alike_are_named(names: tuple[str, str], said: str, tmp_path: Path) -> None:
    dataset = datasets.import_source(
        make_tree(tmp_path / "s", dict.fromkeys(names, 2)), in_place=True
    )
    found = [finding.note for finding in find_case_twins(dataset)]
    assert len(found) == bool(said)
    assert said in " ".join(found)


def test_doubly_sorted_photos_raise_a_question(tmp_path: Path) -> None:
    counts = {f"{outer}/{inner}": 10 for outer in ("cats", "dogs") for inner in ("in", "out")}
    dataset = datasets.import_source(make_tree(tmp_path / "s", counts))
    assert dataset.classes == ["in", "out"]
    assert any("sorted twice" in text for text in datasets.warnings(dataset))


def test_small_and_double_photos_are_told(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"a": 12, "b": 12})
    (source / "a" / "again.jpg").write_bytes((source / "a" / "1.jpg").read_bytes())
    buffer = io.BytesIO()
    draw_image(7, size=(20, 20)).save(buffer, "PNG")
    (source / "b" / "tiny.png").write_bytes(buffer.getvalue())
    found = " ".join(datasets.warnings(datasets.import_source(source)))
    assert "1 photo is an exact copy" in found
    assert "1 photo is smaller than 32 pixels" in found


@pytest.mark.parametrize(
    ("counts", "word"),
    [({}, "no photos"), ({"": 3}, "no class folder"), ({"train": 1, "test": 1}, "not known")],
)
def test_folders_without_classes_are_refused(
    counts: dict[str, int], word: str, tmp_path: Path, workspace: Path
) -> None:
    source = make_tree(tmp_path / "source", counts)
    source.mkdir(exist_ok=True)
    for in_place in (False, True):
        with pytest.raises(SourceError, match=word):
            datasets.import_source(source, in_place=in_place)
    assert not list((workspace / "datasets").glob("*"))


def test_missing_sources_and_sources_without_a_readable_photo(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder or zip"):
        datasets.import_source(tmp_path / "nothing")
    source = tmp_path / "bad"
    (source / "cats").mkdir(parents=True)
    (source / "cats" / "a.jpg").write_bytes(b"")
    with pytest.raises(SourceError, match=r"cats/a\.jpg.*empty"):
        datasets.import_source(source)


@pytest.mark.awkward
@pytest.mark.parametrize(
    ("counts", "word"),
    [({"cats": 3}, "only one class, cats"), ({"cats": 3, "dogs": 1, "owls": 1}, "dogs, owls")],
)
def test_what_cannot_be_trained_is_told(counts: dict[str, int], word: str, tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", counts))
    with pytest.raises(SourceError, match=word):
        datasets.check_ready(dataset)


@pytest.mark.awkward
def test_what_is_wrong_with_folders_is_told_with_what_to_do(tmp_path: Path) -> None:
    beside = make_tree(tmp_path / "beside", {"images": 3})
    (beside / "labels.csv").write_text("file,label\n0.jpg,cat\n", encoding="utf-8")
    with pytest.raises(
        SourceError, match=r"only one class.*the table labels\.csv names the classes"
    ):
        datasets.check_ready(datasets.import_source(beside))
    twins = make_tree(tmp_path / "twins", {"train/cat": 3, "train/dog": 3})
    make_tree(twins, {"test/Cat": 2, "test/dog": 2}, start=20)
    with pytest.raises(SourceError, match=r"of nearly the same name \(Cat, cat\)"):
        datasets.check_ready(datasets.import_source(twins))


@pytest.mark.awkward
def test_too_many_classes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_tree(tmp_path / "s", {name: 2 for name in "abcd"})
    monkeypatch.setenv("TRANSLEARN_LIMITS", json.dumps({"free_bytes": 0, "classes": 3}))
    with pytest.raises(SourceError, match="4 classes"):
        datasets.check_ready(datasets.import_source(source))


@pytest.mark.parametrize(("copies", "told"), [(4, False), (5, True)])
def test_a_set_that_was_augmented_is_told(copies: int, told: bool, tmp_path: Path) -> None:
    """Five copies and their photos are ten of 45."""
    for number in range(40):
        path = tmp_path / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        image = draw_image(number, size=(96, 72))
        image.save(path)
        if number < copies:
            ImageOps.mirror(image).save(path.with_name(f"{number}-made.png"))
    dataset = datasets.import_source(tmp_path)
    words = f"{2 * copies} of {40 + copies} photos have mirrored, turned, tilted or padded copies"
    assert any(words in note for note in datasets.split_notes(dataset)) == told
    assert any(words in note for note in datasets.warnings(dataset)) == told
