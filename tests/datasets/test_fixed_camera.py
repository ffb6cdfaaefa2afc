"""One thing that moves before a fixed camera, under plain file names, and what only looks like it: drawn scenes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import draw_scene
from translearn_core import backbones, datasets
from translearn_core.datasets import Dataset
from translearn_core.features.extractor import extract_pooled

pytestmark = pytest.mark.awkward

ROOM, FRAMES = draw_scene(900), 24
WHITE = Image.new("RGB", ROOM.size, "white")


def _put(thing: int, place: float, *, room: Image.Image = ROOM, part: float = 0.35) -> Image.Image:
    """A thing before the room, at one place of a winding path; `part` of the side of the picture."""
    frame = room.copy()
    width, height = (round(side * part) for side in frame.size)
    x = (frame.width - width) * (0.5 + 0.5 * math.sin(2 * math.pi * place))
    y = (frame.height - height) * (0.5 + 0.5 * math.cos(1.4 * math.pi * place))
    frame.paste(draw_scene(thing).resize((width, height)), (round(x), round(y)))
    return frame


def _save(folder: Path, frames: list[Image.Image], *, name: str = "img") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        frame.save(folder / f"{name} {number}.jpg", quality=90)


def _moving(thing: int, *, part: float = 0.35, room: Image.Image = ROOM) -> list[Image.Image]:
    places = np.linspace(0, 2, FRAMES)
    return [_put(thing, place, part=part, room=room) for place in places]


def _different(first: int, n: int = FRAMES) -> list[Image.Image]:
    places = np.random.default_rng(first).uniform(0, 2, n)
    return [_put(first + number, place) for number, place in enumerate(places)]


def _import(folder: Path) -> Dataset:
    """Its near-duplicates are found as a run finds them."""
    dataset = datasets.import_source(folder)
    features = extract_pooled(dataset, backbones.get_backbone("starter"), size=96).features[:]
    datasets.assign_groups(dataset, features)
    return datasets.open_dataset(dataset.folder)


def _splits(dataset: Dataset) -> list[str]:
    split = datasets.assign_splits(dataset, validation_share=0.15, test_share=0.2, seed=0)
    return list(split[(dataset.photos["class_name"] == "cup").to_numpy()])


@pytest.mark.parametrize("part", [0.3, 0.6], ids=["small", "large"])
def test_one_thing_that_moves_is_split_in_time_and_said(
    part: float, workspace: Path, tmp_path: Path
) -> None:
    _save(tmp_path / "cup", _moving(1, part=part))
    _save(tmp_path / "pen", _moving(2, part=part))
    dataset = _import(tmp_path)

    assert datasets.chained_classes(dataset) == ["cup", "pen"]
    assert "one video, burst or fixed camera" in " ".join(datasets.split_notes(dataset))
    assert not datasets.together(dataset).turned.any()
    in_order = [_splits(dataset)[row] for row in _by_number(dataset)]
    assert in_order[0] == "train"
    assert in_order[-1] == "test"
    assert len([split for split in in_order if split == "test"]) >= FRAMES / 6
    changes = sum(a != b for a, b in itertools.pairwise(in_order))
    assert changes <= 4, in_order


def _by_number(dataset: Dataset) -> list[int]:
    """Rows of the cups among themselves, in the order of their numbers."""
    files = dataset.photos[dataset.photos["class_name"] == "cup"]["file"]
    numbers = files.str.extract(r"(\d+)\.jpg")[0].astype(int)
    return list(np.argsort(numbers.to_numpy()))


def test_different_things_before_one_camera_are_no_video(workspace: Path, tmp_path: Path) -> None:
    _save(tmp_path / "cup", _different(100))
    _save(tmp_path / "pen", _different(200))
    dataset = _import(tmp_path)
    together = datasets.together(dataset)
    assert (together.part < 0).all()
    assert len(set(together.groups)) >= 2 * FRAMES - 2


def test_bursts_of_different_things_before_one_camera_stay_groups(
    workspace: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for first, name in ((300, "cup"), (400, "pen")):
        shots = [
            _put(first + thing, thing / 9 + rng.uniform(-0.002, 0.002))
            for thing in range(8)
            for _shot in range(4)
        ]
        _save(tmp_path / name, shots)
    together = datasets.together(_import(tmp_path))
    assert (together.part < 0).all()
    assert len(set(together.groups)) <= 64 / 3


def test_of_two_takes_and_other_photos_the_takes_are_split_in_time(
    workspace: Path, tmp_path: Path
) -> None:
    _save(tmp_path / "cup", _moving(1)[:20], name="first take")
    _save(tmp_path / "cup", _moving(1, room=draw_scene(901))[:20], name="second take")
    _save(tmp_path / "cup", [draw_scene(500 + number) for number in range(12)], name="photo")
    _save(tmp_path / "pen", [draw_scene(600 + number) for number in range(30)])
    dataset = _import(tmp_path)
    in_chain = datasets.together(dataset).part >= 0
    assert list(in_chain) == list(dataset.photos["file"].str.contains(" take "))


def test_on_white_paper_one_thing_after_another_is_no_video(
    workspace: Path, tmp_path: Path
) -> None:
    """Four views of each: what stays the same is the paper, and says nothing of the place."""
    for first, name in ((700, "cup"), (800, "pen")):
        views = [
            _put(first + thing, view / 7, room=WHITE) for thing in range(8) for view in range(4)
        ]
        _save(tmp_path / name, views)
    assert datasets.chained_classes(_import(tmp_path)) == []
