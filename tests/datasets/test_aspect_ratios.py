"""Shapes of photos: which give a class away, and what training makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import Size, bring_in
from translearn_core import datasets
from translearn_core.datasets.aspect_ratios import choose_fit, find_given_away, ratios

pytestmark = pytest.mark.awkward


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))


def frames(width: int, height: int, n: int = 8, jitter: float = 0.0) -> list[Size]:
    """Sizes of about one frame."""
    rng = np.random.default_rng(0)
    return [(round(width * (1 + jitter * rng.uniform(-1, 1))), height) for _photo in range(n)]


def natural(n: int, seed: int) -> list[Size]:
    """Sizes of photos that were cut to what they show."""
    drawn = np.exp(np.random.default_rng(seed).normal(0.1, 0.4, n))
    return [(round(100 * ratio), 100) for ratio in drawn]


GIVEN_AWAY: dict[str, tuple[dict[str, list[Size]], list[str]]] = {
    "two frames": ({"a": frames(80, 80), "b": frames(160, 80)}, ["a", "b"]),
    "upright and flat": ({"a": frames(60, 80), "b": frames(80, 60)}, ["a", "b"]),
    "frames that vary": ({"a": frames(100, 100, jitter=0.03), "b": frames(200, 100)}, ["a", "b"]),
    "one of four": (
        {"a": frames(160, 90), **{name: frames(80, 60) for name in "bcd"}},
        ["a"],
    ),
    "a frame between others": (
        {"a": frames(100, 100), "b": frames(60, 100, 4) + frames(180, 100, 4)},
        ["a"],
    ),
}
HARMLESS: dict[str, dict[str, list[Size]]] = {
    "one frame": {"a": frames(80, 60), "b": frames(80, 60)},
    "cut to what they show": {name: natural(20, seed) for seed, name in enumerate("abc")},
    "both frames in both classes": {
        name: frames(80, 80, 4) + frames(160, 80, 4) for name in ("a", "b")
    },
    "things of two proportions": {
        "a": natural(20, 0),
        "b": [(3 * width, height) for width, height in natural(20, 1)],
    },
    "too few to tell": {"a": frames(80, 80, 3), "b": frames(160, 80, 3)},
}


@pytest.mark.parametrize("name", GIVEN_AWAY)
def test_a_shape_that_gives_classes_away_is_told_and_not_shown_to_the_network(
    name: str, tmp_path: Path
) -> None:
    sizes, told = GIVEN_AWAY[name]
    dataset = bring_in(tmp_path / "photos", sizes)
    assert find_given_away(dataset) == told
    choice = choose_fit("auto", dataset)
    assert (choice.fit, list(choice.told)) == ("crop", told)
    assert "`crop`" in choice.reason
    [warning] = [text for text in datasets.warnings(dataset) if "shape of the photos" in text]
    assert all(one in warning for one in told)


@pytest.mark.parametrize("name", HARMLESS)
def test_other_photos_are_stretched_without_a_word(name: str, tmp_path: Path) -> None:
    dataset = bring_in(tmp_path / "photos", HARMLESS[name])
    assert choose_fit("auto", dataset) == choose_fit("stretch", dataset)
    assert choose_fit("auto", dataset).reason == ""
    assert not any("shape" in text for text in datasets.warnings(dataset))


def test_one_class_of_many_does_not_decide_for_all(tmp_path: Path) -> None:
    sizes = {"a": frames(160, 90, 5), **{name: frames(80, 60, 9) for name in "bcdefg"}}
    dataset = bring_in(tmp_path / "photos", sizes)
    assert find_given_away(dataset) == ["a"]
    assert choose_fit("auto", dataset).fit == "stretch"
    assert any("shape of the photos" in text for text in datasets.warnings(dataset))


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_what_was_chosen_is_done_and_its_danger_told(fit: str, tmp_path: Path) -> None:
    dataset = bring_in(tmp_path / "photos", GIVEN_AWAY["two frames"][0])
    choice = choose_fit(fit, dataset)  # type: ignore[arg-type]
    assert choice.fit == fit
    assert f"`{fit}`" in choice.reason
    assert "`crop`" in choice.reason


def test_photos_that_were_not_decoded_yet_are_told_by_their_headers(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    dataset = bring_in(folder, GIVEN_AWAY["two frames"][0], check=False)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 160)).save(folder / "b/00.png", exif=exif)  # turned, it is as wide
    (folder / "a/00.png").write_bytes(b"damaged")
    shapes = ratios(dataset)
    assert len(shapes) == 15
    assert sorted(set(shapes)) == [1.0, 2.0]
    assert choose_fit("auto", dataset).fit == "crop"


def test_given_test_photos_of_another_shape_are_told(tmp_path: Path) -> None:
    for part, size in (("train", (80, 60)), ("test", (60, 80))):
        for name in ("a", "b"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for index in range(6):
                image = Image.new("RGB", size, (index, 9, len(part)))
                image.save(tmp_path / "photos" / part / name / f"{part}{name}{index}.png")
    dataset = datasets.import_source(tmp_path / "photos", in_place=True)
    choice = choose_fit("auto", dataset)
    assert choice.fit == "stretch"
    assert choice.reason.startswith("100 % of the test photos have another shape")
