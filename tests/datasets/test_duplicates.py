"""What is joined as copies and bursts, and what only looks alike: drawn pictures, a tiny network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from tests.support.drawing import draw_scene
from translearn_core import backbones, datasets
from translearn_core.arrays import Array, Ints
from translearn_core.datasets.copy_groups import groups_of
from translearn_core.datasets.duplicates import MIN_SIMILARITY, Pairs, find_pairs
from translearn_core.features.extractor import extract_pooled

pytestmark = pytest.mark.awkward

FRAMES = 6
AUGMENTED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "upside-down": ImageOps.flip,
    "half-turn": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "quarter-turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "tilted": lambda image: image.rotate(12, Image.Resampling.BILINEAR),
    "mirrored-tilted-dark": lambda image: ImageEnhance.Brightness(
        ImageOps.mirror(image).rotate(-17, Image.Resampling.BILINEAR)
    ).enhance(0.7),
}
"""What tools make of a photo to have more of them."""


def _cut(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A piece with `share` of each side, from anywhere."""
    width, height = round(image.width * share), round(image.height * share)
    left, top = (int(rng.integers(0, n + 1)) for n in (image.width - width, image.height - height))
    return image.crop((left, top, left + width, top + height))


def _bottle_top(rng: np.random.Generator) -> Image.Image:
    """A disc with a print and colours of its own on white: alike in grey at thumbnail size."""
    image = Image.new("RGB", (144, 144), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((10, 10, 134, 134), fill=tuple(int(v) for v in rng.integers(0, 120, 3)))
    draw.ellipse((24, 24, 120, 120), fill=tuple(int(v) for v in rng.integers(100, 256, 3)))
    for _stroke in range(6):
        x, y = (int(v) for v in rng.integers(45, 90, 2))
        colour = tuple(int(v) for v in rng.integers(60, 256, 3))
        draw.line((x, y, x + int(rng.integers(4, 25)), y + int(rng.integers(-20, 20))), colour, 5)
    return image


@dataclass(frozen=True)
class Photos:
    """A data set with features of a network, and its pairs; `names` are `class/stem`."""

    table: pd.DataFrame
    features: Array
    names: list[str]
    pairs: Pairs
    groups: Ints

    def group_of(self, name: str) -> set[str]:
        """Who shares its group."""
        number = self.groups[self.names.index(name)]
        return {self.names[row] for row in np.flatnonzero(self.groups == number)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Scenes, pieces of some under another class, bursts of a steady hand, and augmented scenes."""
    source = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(1)

    def save(image: Image.Image, name: str) -> None:
        path = source / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        image.save(path, quality=92)

    for number in range(12):
        save(draw_scene(number), f"scenes/{number}")
        save(draw_scene(100 + number), f"others/{number}")
    for number in range(4):
        save(_cut(draw_scene(number), 0.8, rng), f"others/piece{number}")
    for number in range(4):
        for frame in range(FRAMES):
            save(_cut(draw_scene(200 + number), 0.985, rng), f"frames{number % 2}/{number}-{frame}")
    for number, augment in enumerate(AUGMENTED.values()):
        save(draw_scene(300 + number), f"augmented/{number}")
        save(augment(draw_scene(300 + number)), f"augmented/{number}-copy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(tmp_path_factory.mktemp("home")))
        dataset = datasets.import_source(source)
        features = extract_pooled(dataset, backbones.get_backbone("starter"), size=96).features[:]
        table = dataset.photos
    names = ["/".join(Path(file).with_suffix("").parts[-2:]) for file in table["file"]]
    return Photos(table, features, names, find_pairs(table, features), groups_of(table, features))


def test_a_piece_of_a_photo_under_another_class_is_the_same_photo(photos: Photos) -> None:
    classes = photos.table["class_name"].to_numpy()
    pairs = photos.pairs.where(photos.pairs.near)
    across = pairs.where(classes[pairs.first] != classes[pairs.second])
    found = {
        frozenset((photos.names[one], photos.names[other]))
        for one, other in zip(across.first, across.second, strict=True)
    }
    assert found == {frozenset((f"scenes/{n}", f"others/piece{n}")) for n in range(4)}
    assert (across.likeness >= MIN_SIMILARITY).all()
    assert photos.group_of("scenes/2") == {"scenes/2", "others/piece2"}


def test_similar_things_on_white_are_no_chain(workspace: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    looks = []
    for number in range(24):
        path = tmp_path / f"{'beer' if number % 2 else 'soda'}/{number}.png"
        path.parent.mkdir(exist_ok=True)
        _bottle_top(rng).save(path)
    table = datasets.import_source(tmp_path).photos
    for file in table["file"]:
        with Image.open(tmp_path / file) as image:
            looks.append(np.asarray(image.resize((6, 6)), np.float32).ravel())
    by_hash = find_pairs(table)
    assert len(by_hash.first) > 40, "only then does the test show something"
    pairs = find_pairs(table, np.array(looks))  # by colours, as a network tells them apart
    assert len(pairs.first) < 0.25 * len(by_hash.first)
    _groups, counts = np.unique(groups_of(table, np.array(looks)), return_counts=True)
    assert counts.max() <= 3


@pytest.mark.parametrize("number", range(4))
def test_a_burst_stays_together(number: int, photos: Photos) -> None:
    frames = {f"frames{number % 2}/{number}-{frame}" for frame in range(FRAMES)}
    assert photos.group_of(f"frames{number % 2}/{number}-0") == frames


@pytest.mark.parametrize("number", range(len(AUGMENTED)), ids=AUGMENTED)
def test_a_copy_that_was_made_by_augmentation_stays_with_its_photo(
    number: int, photos: Photos
) -> None:
    assert photos.group_of(f"augmented/{number}") == {
        f"augmented/{number}",
        f"augmented/{number}-copy",
    }


def test_turned_copies_are_found_without_features_too(photos: Photos) -> None:
    groups = groups_of(photos.table)
    for number in range(len(AUGMENTED)):
        one, other = (photos.names.index(f"augmented/{number}{end}") for end in ("", "-copy"))
        assert groups[one] == groups[other]


def test_a_mirrored_piece_is_found_by_features_that_hardly_see_a_mirror(
    workspace: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    for number in range(12):
        for name, image in (
            ("whole", draw_scene(number)),
            ("piece", _cut(ImageOps.mirror(draw_scene(number)), 0.88, rng)),
        ):
            path = tmp_path / f"{'even' if number % 2 else 'odd'}/{number}-{name}.png"
            path.parent.mkdir(exist_ok=True)
            image.save(path)
    table = datasets.import_source(tmp_path).photos
    features = []
    for file in table["file"]:
        with Image.open(tmp_path / file) as image:
            small = np.asarray(image.resize((6, 6)), np.float32)
            features.append((small + small[:, ::-1]).ravel())
    pairs = find_pairs(table, np.array(features))
    assert not (pairs.turned & pairs.near).any()
    found = pairs.where(pairs.turned)
    numbers = table["file"].str.extract(r"(\d+)-")[0].to_numpy()
    assert (numbers[found.first] == numbers[found.second]).all()
    assert len(set(numbers[found.first])) >= 10


def test_several_copies_of_a_photo_are_one_group(workspace: Path, tmp_path: Path) -> None:
    turns = ["original", "mirrored", "upside-down", "half-turn", "quarter-turn", "tilted"]
    for number in range(8):
        for turn in turns:
            path = tmp_path / f"{'even' if number % 2 else 'odd'}/{number}-{turn}.png"
            path.parent.mkdir(exist_ok=True)
            AUGMENTED.get(turn, Image.Image.copy)(draw_scene(number)).save(path)
    table = datasets.import_source(tmp_path).photos
    originals = table["file"].str.extract(r"(\d+)-")[0]
    groups = pd.Series(groups_of(table))
    assert groups.groupby(originals).nunique().eq(1).all()
    assert groups.nunique() == 8


@pytest.mark.parametrize(("moved", "least"), [(0.03, 0.9), (0.06, 0.75)])
def test_second_frames_are_found_among_others_without_features(
    workspace: Path, tmp_path: Path, moved: float, least: float
) -> None:
    """Shot again after a moment, into another folder, and read as a data set of its own."""
    rng = np.random.default_rng(3)
    for number in range(20):
        scene, (width, height) = draw_scene(number), (170, 127)
        x, y = 11 + moved * 192 * np.array([1, -1])[rng.integers(0, 2, 2)] * (0.8, 0.6)
        frames = {"first": scene.crop((11, 9, 11 + width, 9 + height))}
        frames["second"] = scene.crop((int(x), int(y) - 2, int(x) + width - 3, int(y) + height - 4))
        for folder, frame in frames.items():
            if folder == "second" or number < 12:
                (tmp_path / folder / "a").mkdir(parents=True, exist_ok=True)
                frame.save(tmp_path / folder / f"a/{number:02}.jpg", quality=88)
    first, second = (datasets.import_source(tmp_path / name).photos for name in ("first", "second"))
    known = second["file"].str.extract(r"(\d+)\.jpg")[0].astype(int).to_numpy() < 12
    found = datasets.have_copies(second, first)
    assert not found[~known].any()
    assert found[known].mean() >= least


def test_photos_have_copies_among_others_in_a_chain_too(workspace: Path, tmp_path: Path) -> None:
    """Frames of a fixed camera that were saved again, smaller, beside photos of other things."""
    rng = np.random.default_rng(0)
    for number in range(12):
        frame = _cut(draw_scene(1), 0.985, rng)
        for folder, size in (("first", (192, 144)), ("second", (150, 112))):
            (tmp_path / folder / "a").mkdir(parents=True, exist_ok=True)
            frame.resize(size).save(tmp_path / folder / f"a/{folder} {number}.jpg", quality=90)
        draw_scene(20 + number).save(tmp_path / f"second/a/other {number}.jpg")
    first, second = (datasets.import_source(tmp_path / name).photos for name in ("first", "second"))
    again = second["file"].str.contains("second ").to_numpy()
    assert (datasets.have_copies(second, first) == again).all()
    assert datasets.have_copies(first, second).all()
    assert not datasets.have_copies(first, second[~again]).any()
    assert not datasets.have_copies(first, first[:0]).any()
