"""Named groups: folder levels, what keeps them, what loses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from translearn_core import datasets
from translearn_core.errors import SettingsError


def write_photos(root: Path, files: list[str]) -> Path:
    """A small photo of its own colour for each relative path."""
    for number, file in enumerate(files):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (number * 7 % 256, number * 3 % 256, 90)).save(path)
    return root


def grid(*patterns: str, n: int = 2) -> list[str]:
    return [f"{pattern}/{number}.png" for pattern in patterns for number in range(n)]


def names_by_file(dataset: datasets.Dataset) -> dict[str, str]:
    photos = dataset.photos
    return dict(zip(photos["file"], photos["group_name"], strict=True))


@pytest.mark.parametrize(
    ("by", "rule"),
    [
        *(("level:1", "outer"), ("level:+2", "outer"), ("level:-1", "inner"), ("level:site", "")),
        *(("folder", ""), ("name:_", ""), ("none", ""), ("level:0", "")),
    ],
)
def test_a_numbered_level_says_which_folders_are_the_classes(by: str, rule: str) -> None:
    assert datasets.class_rule(by) == rule


@pytest.mark.parametrize(
    ("by", "level"),
    [
        *(("2", "level:2"), ("-1", "level:-1"), ("site", "level:site"), ("folder", "folder")),
        *(("none", "none"), ("name:-", "name:-")),
    ],
)
def test_a_number_or_a_word_is_a_level(by: str, level: str) -> None:
    assert datasets.as_folders(by) == level


def test_what_stands_before_a_separator_in_the_name_makes_groups(tmp_path: Path) -> None:
    files = [f"cats/{name}.png" for name in ("anna_1", "anna_2", "ben_1", "alone")]
    source = write_photos(tmp_path / "photos", [*files, "dogs/anna_9.png", "dogs/ben_2.png"])
    dataset = datasets.import_source(source, in_place=True, check=False)
    assert datasets.group_by_folders(dataset, "name:_") == 2
    assert names_by_file(dataset)["cats/anna_2.png"] == "anna"
    assert names_by_file(dataset)["dogs/ben_2.png"] == "ben"
    assert names_by_file(dataset)["cats/alone.png"] == ""
    with pytest.raises(SettingsError, match="#"):
        datasets.group_by_folders(dataset, "name:#")


BELOW = grid("cats/site1/a", "cats/site1/b", "cats/site 2", "dogs/site1/a", "dogs/site 2")


@pytest.mark.parametrize(
    ("files", "by", "groups"),
    [
        (BELOW, "level:1", {"site1", "site 2"}),
        (BELOW, "level:2", {"site1/a", "site1/b", ""}),
        ([*BELOW, *grid("cats", "dogs", n=5)], "folder", {"site1/a", "site1/b", "site 2", ""}),
        (BELOW, "level:site", {"site1", "site 2"}),
        (grid("p/farm1/cats", "p/farm1/dogs", "p/farm2/cats"), "level:-1", {"farm1", "farm2"}),
        (
            grid("train/cats/s1", "train/dogs/s2", "test/cats/s1", "test/dogs/s3"),
            "level:1",
            {"s1", "s2", "s3"},
        ),
    ],
)
def test_a_folder_level_makes_groups(
    tmp_path: Path, files: list[str], by: str, groups: set[str]
) -> None:
    source = write_photos(tmp_path / "photos", files)
    choices = datasets.ImportChoices(classes=datasets.class_rule(by))
    dataset = datasets.import_source(source, in_place=True, check=False, choices=choices)
    if datasets.names_class_folders(dataset, by):
        outer = datasets.ImportChoices(classes="outer")
        dataset = datasets.import_source(source, in_place=True, check=False, choices=outer)
    assert dataset.classes == ["cats", "dogs"]
    n = datasets.group_by_folders(dataset, by)
    assert set(names_by_file(dataset).values()) == groups
    assert n == len(groups - {""})


def test_groups_stay_through_edits_and_a_new_import(tmp_path: Path) -> None:
    source = write_photos(tmp_path / "photos", grid("cats/s1", "cats/s2", "dogs/s1", "dogs/s2"))
    outer = datasets.ImportChoices(classes="outer")
    dataset = datasets.import_source(source, in_place=True, check=False, choices=outer)
    plain = dataset.fingerprint
    datasets.group_by_folders(dataset, "level:1")
    assert dataset.fingerprint != plain
    datasets.rename_class(dataset, "cats", "felines")
    datasets.exclude_photos(dataset, [dataset.photos["path"].iloc[0]])
    datasets.undo(dataset)
    datasets.merge_classes(dataset, ["felines", "dogs"], "pets")
    assert set(names_by_file(dataset).items()) == {
        (file, file.split("/")[1]) for file in names_by_file(dataset)
    }
    assert len(dataset.photos) == 8
    write_photos(source, ["dogs/s3/new.png"])
    again = datasets.import_source(source, in_place=True, check=False, choices=outer)
    assert again == dataset
    assert names_by_file(again)["dogs/s3/new.png"] == "s3"
    assert names_by_file(again)["cats/s1/0.png"] == "s1"
    assert datasets.group_by_folders(again, "none") == 0
    assert datasets.named_groups(again) is None
    assert again.fingerprint == datasets.open_dataset(again.folder).fingerprint


def test_groups_by_name_survive_photos_added_later(tmp_path: Path) -> None:
    source = write_photos(tmp_path / "photos", grid("cats", "dogs", n=3))
    dataset = datasets.import_source(source)
    paths = list(dataset.photos["path"])
    datasets.set_groups(dataset, {paths[0]: "anna", paths[1]: "", "not there": "x"}, by="pupil")
    with (source / "cats" / "0.png").open("rb") as file:
        datasets.add_photos(dataset, "cats", [("9.png", file)])
    groups = datasets.named_groups(dataset)
    assert groups is not None
    assert groups[paths[0]] == "anna"
    assert list(groups).count("") == 6
    assert dataset.record.grouped_by == "pupil"


def test_a_level_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    source = write_photos(tmp_path / "photos", grid("cats/x", "cats/y", "dogs/x"))
    dataset = datasets.import_source(source, in_place=True, check=False)
    assert [(level.by, level.names, level.shared) for level in datasets.folder_levels(dataset)] == [
        ("level:-1", ("cats", "dogs"), 1)
    ]
    for by, named in (("level:3", "level:-1"), ("camera", "camera")):
        with pytest.raises(SettingsError, match=named):
            datasets.group_by_folders(dataset, by)
    with pytest.raises(SettingsError, match="level:1"):
        datasets.names_class_folders(dataset, "folder")
    assert datasets.names_class_folders(dataset, "level:x")
    assert not datasets.names_class_folders(dataset, "level:cats")
    assert datasets.named_groups(dataset) is None
