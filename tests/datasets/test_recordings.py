"""Frames of recordings: groups that no split tears apart, and a single recording cut in time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from translearn_core import datasets
from translearn_core.datasets import Dataset

RNG = np.random.default_rng(3)


def _frame() -> io.BytesIO:
    """A picture that resembles no other."""
    content = io.BytesIO()
    small = Image.fromarray(RNG.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    small.resize((64, 48)).save(content, "JPEG")
    return content


def _record(dataset: Dataset, name: str, recording: str, n: int) -> None:
    frames = [(datasets.frame_name(recording, 100 * place), _frame()) for place in range(n)]
    report = datasets.add_photos(dataset, name, frames)
    assert report.added == n


def _splits(dataset: Dataset, seed: int = 0) -> pd.Series:
    return datasets.assign_splits(dataset, validation_share=0.15, test_share=0.2, seed=seed)


@pytest.fixture
def empty(workspace: Path) -> Dataset:
    return datasets.create_dataset("From the camera")


def test_the_name_of_a_frame_says_what_recording_it_is_of() -> None:
    name = datasets.frame_name("walk.mp4", 12)
    assert datasets.recording_of(f"cats/{name}") == "cats/walk.mp4"
    for other in ("cats/walk.mp4", "cats/a~1.jpg", "cats/00012.jpg", ""):
        assert datasets.recording_of(other) == ""


@pytest.mark.parametrize("seed", range(4))
def test_no_split_tears_a_recording_apart(empty: Dataset, seed: int) -> None:
    for name in ("cup", "pen"):
        for number, n in enumerate((7, 12, 5, 9)):
            _record(empty, name, f"{name}-{number}", n)
    assert empty.record.grouped_by == datasets.RECORDINGS

    split = _splits(empty, seed).to_numpy()

    photos = empty.photos
    assert pd.Series(split).groupby(photos["group_name"].to_numpy()).nunique().max() == 1
    by_class = pd.Series(split).groupby(photos["class_name"].to_numpy()).unique()
    assert all(set(found) == {"train", "val", "test"} for found in by_class)
    assert datasets.single_recordings(photos) == {}


def test_a_single_recording_is_cut_in_time(empty: Dataset) -> None:
    _record(empty, "cup", "cup-0", 30)
    for number in range(3):
        _record(empty, "pen", f"pen-{number}", 10)
    assert datasets.single_recordings(empty.photos) == {"cup": "cup/cup-0"}

    split = _splits(empty)

    cup = split[(empty.photos["class_name"] == "cup").to_numpy()].sort_index()
    parts = [name for place, name in enumerate(cup) if place == 0 or cup.iloc[place - 1] != name]
    held_out = [name for name in parts if name in ("val", "test")]
    assert parts[0] == "train"
    assert held_out == ["val", "test"], "the end is the test, what comes before it the validation"
    assert datasets.chained_classes(empty) == ["cup"]


def test_recordings_can_be_given_up_and_taken_again(empty: Dataset) -> None:
    for name in ("cup", "pen"):
        _record(empty, name, f"{name}-0", 6)
    before = list(empty.photos["group_name"])
    datasets.group_by_folders(empty, "none")
    assert datasets.named_groups(empty) is None
    assert datasets.group_by_folders(empty, datasets.RECORDINGS) == 2
    assert list(empty.photos["group_name"]) == before


def test_photos_beside_recordings_stand_alone(empty: Dataset) -> None:
    _record(empty, "cup", "cup-0", 6)
    datasets.add_photos(empty, "cup", [("one.jpg", _frame()), ("two.jpg", _frame())])
    names = dict(zip(empty.photos["file"], empty.photos["group_name"], strict=True))
    assert names["cup/one.jpg"] == names["cup/two.jpg"] == ""
    assert datasets.single_recordings(empty.photos) == {}
