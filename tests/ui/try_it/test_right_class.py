"""“No, it is …” on *Try it*: a photo goes to its class or to the unsorted ones, and back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app import assert_well, words
from tests.support.drawing import POSITION, draw_photo, make_tree
from translearn_core import datasets
from translearn_core.datasets import Dataset


def _page(folder: str, photo: bytes) -> None:
    from types import SimpleNamespace
    from typing import Any

    from translearn_ui.shell import frame
    from translearn_ui.try_it import right_class

    run: Any = SimpleNamespace(config=SimpleNamespace(dataset=folder))
    with frame.errors_shown():
        right_class.show(run, "new.jpg", photo)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return datasets.import_source(make_tree(tmp_path / "pets", {"cat": 2, "dog": 2}, start=11))


def _open(dataset: Dataset, photo: bytes) -> AppTest:
    return AppTest.from_function(_page, args=(str(dataset.folder), photo), default_timeout=60).run()


def test_one_press_files_a_photo_and_one_takes_it_back(dataset: Dataset) -> None:
    app = _open(dataset, draw_photo(500))
    assert [one.label for one in app.button] == ["cat", "dog", "Unsorted photos"]
    app.button(key="try_right_1").click().run()
    assert_well(app)
    assert dataset.counts.to_dict() == {"cat": 2, "dog": 3}
    assert "Added to **dog**" in words(app)
    app.button(key="try_right_undo").click().run()
    assert dataset.counts.to_dict() == {"cat": 2, "dog": 2}

    app.button(key="try_right_pile").click().run()
    assert_well(app)
    assert dataset.counts.to_dict() == {"cat": 2, "dog": 2}
    assert len(datasets.read_unsorted(dataset)) == 1
    app.button(key="try_right_undo").click().run()
    assert len(datasets.read_unsorted(dataset)) == 0
    assert not any((dataset.folder / "photos" / "unsorted").glob("*"))


def test_a_photo_of_the_data_set_is_not_added_again(dataset: Dataset) -> None:
    photo = dataset.photo_path(str(dataset.photos["path"].iloc[0])).read_bytes()
    app = _open(dataset, photo)
    assert "among your photos already: **cat**" in words(app)
    assert not app.button


@pytest.mark.parametrize("way", ["copied", "in its place", "by an earlier version", "unsorted"])
def test_a_photo_that_said_where_it_was_taken_is_not_added_again(tmp_path: Path, way: str) -> None:
    """Its data set has the file without its position, or as it is; the page is shown the file."""
    photo = draw_photo(500, exif=POSITION)
    source = make_tree(tmp_path / "pets", {"cat": 2, "dog": 2}, start=11)
    if way != "unsorted":
        (source / "cat" / "phone.jpg").write_bytes(photo)
    dataset = datasets.import_source(source, in_place=way == "in its place")
    if way == "unsorted":
        datasets.add_unsorted(dataset, [("phone.jpg", io.BytesIO(photo))])
    if way == "by an earlier version":
        dataset.write_photos(dataset.photos.assign(brought_sha256=""))
    app = _open(dataset, photo)
    known = "unsorted" if way == "unsorted" else "cat"
    assert f"among your photos already: **{known}**" in words(app)
    assert not app.button


def test_a_file_that_is_no_photo_is_refused_in_words(dataset: Dataset) -> None:
    app = _open(dataset, b"no photo")
    app.button(key="try_right_0").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert dataset.counts.to_dict() == {"cat": 2, "dog": 2}
