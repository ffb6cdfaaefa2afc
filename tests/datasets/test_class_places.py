"""A class keeps its colour for as long as it lives, whatever is done to it and to the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.datasets.class_places import places_of


@pytest.fixture
def dataset(home: Path, tmp_path: Path) -> Dataset:
    """The classes blue, green and red, with the places 0, 1 and 2."""
    return datasets.import_source(draw_photos(tmp_path / "photos", per_class=3), check=False)


def places(dataset: Dataset) -> dict[str, int]:
    """The places of the present classes, as the pages take them."""
    fresh = datasets.open_dataset(dataset.id)
    return places_of(fresh.class_places, fresh.classes)


def of_class(dataset: Dataset, name: str) -> list[str]:
    photos = dataset.photos
    return [str(path) for path in photos.loc[photos["class_name"] == name, "path"]]


def test_a_new_set_has_them_in_the_order_of_the_names(dataset: Dataset) -> None:
    assert places(dataset) == {"blue": 0, "green": 1, "red": 2}


def test_a_new_name_keeps_the_colour_and_changes_no_other(dataset: Dataset) -> None:
    datasets.rename_class(dataset, "blue", "zebra")
    assert places(dataset) == {"zebra": 0, "green": 1, "red": 2}
    datasets.undo(dataset)
    assert places(dataset) == {"blue": 0, "green": 1, "red": 2}


def test_merged_classes_have_the_colour_of_the_one_that_stays(dataset: Dataset) -> None:
    datasets.merge_classes(dataset, ["blue", "red"], "red")
    assert places(dataset) == {"green": 1, "red": 2}
    datasets.undo(dataset)
    assert places(dataset) == {"blue": 0, "green": 1, "red": 2}
    datasets.merge_classes(dataset, ["green", "red"], "warm")
    assert places(dataset) == {"blue": 0, "warm": 1}


def test_a_new_class_has_the_first_colour_that_is_free(dataset: Dataset) -> None:
    datasets.move_photos(dataset, of_class(dataset, "red")[:1], "amber")
    assert places(dataset) == {"amber": 3, "blue": 0, "green": 1, "red": 2}
    datasets.remove_class(dataset, "blue")
    datasets.move_photos(dataset, of_class(dataset, "red")[:1], "cyan")
    assert places(dataset) == {"amber": 3, "cyan": 0, "green": 1, "red": 2}


def test_a_name_that_comes_back_takes_no_colour_from_another(dataset: Dataset) -> None:
    datasets.rename_class(dataset, "blue", "sky")
    datasets.move_photos(dataset, of_class(dataset, "red")[:1], "blue")
    assert places(dataset) == {"blue": 3, "green": 1, "red": 2, "sky": 0}


def test_a_model_finds_the_colour_of_a_class_that_was_renamed_since(dataset: Dataset) -> None:
    learned = dataset.classes
    datasets.rename_class(dataset, "blue", "sky")
    found = places_of(datasets.open_dataset(dataset.id).class_places, learned)
    assert found == {"blue": 0, "green": 1, "red": 2}


def test_a_set_of_an_earlier_version_has_them_as_it_was_shown_then(dataset: Dataset) -> None:
    path = dataset.folder / "dataset.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["class_places"]
    path.write_text(json.dumps(record), encoding="utf-8")
    assert places(dataset) == {"blue": 0, "green": 1, "red": 2}
    datasets.rename_class(datasets.open_dataset(dataset.id), "green", "olive")
    assert places(dataset) == {"blue": 0, "olive": 1, "red": 2}


def test_classes_of_more_photos_come_after_those_that_are_there(
    dataset: Dataset, tmp_path: Path
) -> None:
    more = draw_photos(tmp_path / "more", per_class=2, seed=4)
    (more / "blue").rename(more / "aqua")
    datasets.add_source(dataset, more)
    assert places(dataset) == {"aqua": 3, "blue": 0, "green": 1, "red": 2}


def test_places_without_a_data_set_are_those_of_the_names() -> None:
    assert places_of({}, ["b", "a"]) == {"b": 0, "a": 1}
    found = places_of({"c": 1}, ["a", "b", "c"])
    assert list(found.items()) == [("a", 0), ("b", 2), ("c", 1)], "in the order of the names"
    assert places_of({"a": 1, "b": 1}, ["a", "b"]) == {"a": 1, "b": 0}, "no two alike"
