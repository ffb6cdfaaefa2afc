"""Sizes of photos: which give a class away, and how they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import Size, bring_in
from translearn_core import datasets
from translearn_core.datasets.picture_sizes import find_given_away_by_size, read_sizes

pytestmark = pytest.mark.awkward


def _about(width: int, height: int, *, spread: float = 0.0, n: int = 8) -> list[Size]:
    """Sizes about this one, by up to a factor of 1 + spread larger or smaller."""
    factors = (1 + spread) ** np.linspace(-1, 1, n)
    return [(round(width * factor), round(height * factor)) for factor in factors]


GIVEN_AWAY: dict[str, tuple[dict[str, list[Size]], list[str]]] = {
    "a phone and the web": ({"a": _about(64, 48), "b": _about(600, 450)}, ["a", "b"]),
    "three sizes": (
        {"a": _about(64, 48), "b": _about(96, 72), "c": _about(140, 105)},
        ["a", "b", "c"],
    ),
    "one of three": (
        {"a": _about(120, 90), "b": _about(300, 225), "c": _about(300, 225)},
        ["a"],
    ),
    "sizes that vary a little": (
        {"a": _about(100, 75, spread=0.1), "b": _about(300, 225, spread=1)},
        ["a"],
    ),
}
HARMLESS: dict[str, dict[str, list[Size]]] = {
    "one size": {"a": _about(80, 60), "b": _about(80, 60)},
    "nearly one size": {"a": _about(300, 200), "b": _about(320, 214)},
    "large photos": {"a": _about(600, 450), "b": _about(1000, 750)},
    "cut to what they show": {
        "a": _about(100, 75, spread=0.8),
        "b": _about(300, 225, spread=0.8),
    },
    "both sizes in both classes": {
        name: _about(64, 48, n=4) + _about(200, 150, n=4) for name in ("a", "b")
    },
    "too few to tell": {"a": _about(64, 48, n=4), "b": _about(200, 150, n=4)},
}


@pytest.mark.parametrize("name", GIVEN_AWAY)
def test_a_size_that_gives_classes_away_is_told(name: str, workspace: Path, tmp_path: Path) -> None:
    sizes, told = GIVEN_AWAY[name]
    dataset = bring_in(tmp_path / "photos", sizes)
    assert find_given_away_by_size(dataset) == told
    for texts in (datasets.warnings(dataset), datasets.split_notes(dataset)):
        [text] = [text for text in texts if "size of the photos" in text]
        assert all(one in text for one in told)


def test_the_usual_size_of_the_class_is_named(workspace: Path, tmp_path: Path) -> None:
    dataset = bring_in(tmp_path / "photos", {"a": _about(600, 450), "b": _about(64, 48)})
    [text] = [text for text in datasets.split_notes(dataset) if "size of the photos" in text]
    assert "classes a, b" in text
    assert "those of a 600 x 450 pixels" in text


@pytest.mark.parametrize("name", HARMLESS)
def test_of_other_sizes_nothing_is_said(name: str, workspace: Path, tmp_path: Path) -> None:
    dataset = bring_in(tmp_path / "photos", HARMLESS[name])
    assert find_given_away_by_size(dataset) == []
    assert not any("size of the photos" in text for text in datasets.warnings(dataset))


@pytest.mark.parametrize("waited_s", [0.0, 60.0], ids=["several at a time", "in turn"])
def test_sizes_are_read_in_the_order_of_the_photos(waited_s: float, tmp_path: Path) -> None:
    sizes = [(20 + index % 7, 30 + index % 11) for index in range(80)]
    paths = [tmp_path / f"{index}.png" for index in range(80)]
    for path, size in zip(paths, sizes, strict=True):
        Image.new("RGB", size).save(path)
    paths[70].write_bytes(b"damaged")
    found = list(read_sizes(paths, waited_s=waited_s))
    assert found == [*sizes[:70], None, *sizes[71:]]
