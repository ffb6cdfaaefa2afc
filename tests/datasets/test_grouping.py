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


@pytest.mark.parametrize("by", ["level:1", "level:site", "folder"])
def test_a_level_below_the_class_makes_the_outer_folders_the_classes(
    tmp_path: Path, by: str
) -> None:
    source = write_photos(tmp_path / "photos", [*grid("cats/site1", "cats/site2"), "dogs/9.png"])
    dataset = datasets.import_source(source, in_place=True, check=False)
    assert dataset.classes == ["dogs", "site1", "site2"]
    datasets.group_by_folders(dataset, by)
    assert dataset.counts.to_dict() == {"cats": 4, "dogs": 1}
    assert datasets.import_source(source, in_place=True, check=False).classes == ["cats", "dogs"]
    assert set(names_by_file(dataset).values()) == {"site1", "site2", ""}


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
    dataset = datasets.import_source(source, in_place=True, check=False)
    if by == "level:-1":  # farm1/cats and farm2/cats: the class is the inner folder
        assert dataset.classes == ["cats", "dogs"]
    n = datasets.group_by_folders(dataset, by)
    assert set(names_by_file(dataset).values()) == groups
    assert n == len(groups - {""})


def test_groups_stay_through_edits_and_a_new_import(tmp_path: Path) -> None:
    source = write_photos(tmp_path / "photos", grid("cats/s1", "cats/s2", "dogs/s1", "dogs/s2"))
    dataset = datasets.import_source(source, in_place=True, check=False)
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
    again = datasets.import_source(source, in_place=True, check=False)
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
    for by, named in (("level:3", "level:-1"), ("camera", "camera"), ("folder", "level:1")):
        with pytest.raises(SettingsError, match=named):
            datasets.group_by_folders(dataset, by)
    assert datasets.named_groups(dataset) is None
