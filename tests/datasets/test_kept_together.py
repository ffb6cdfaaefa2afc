"""What belongs together stays on one side of every split: named groups, chains of near-copies."""

from __future__ import annotations

import io
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.drawing import draw_scene, make_tree
from translearn_core import datasets
from translearn_core.datasets.split import chained_classes, scarce_groups, torn_groups
from translearn_core.errors import SourceError
from translearn_core.evaluation.cross_validation import assign_folds

pytestmark = pytest.mark.awkward

CLASSES = {"a": 24, "b": 12, "c": 6}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("together")
        patch.setenv("TRANSLEARN_HOME", str(folder / "home"))
        return datasets.import_source(make_tree(folder / "s", CLASSES))


def group(dataset: datasets.Dataset, names: dict[str, str]) -> pd.Series:
    """Name groups; the names in the manifest's order."""
    datasets.set_groups(dataset, names, by="site")
    return dataset.photos["group_name"]


def split_of(dataset: datasets.Dataset, seed: int = 0, test: float = 0.2) -> pd.Series:
    return datasets.assign_splits(dataset, validation_share=0.15, test_share=test, seed=seed)


def random_names(dataset: datasets.Dataset, seed: int) -> dict[str, str]:
    """Few or many groups, across classes or within them, some photos in none."""
    rng = np.random.default_rng(seed)
    n, across, none = int(rng.integers(2, 15)), rng.random() < 0.6, rng.random() < 0.4
    names = {}
    for path, label in zip(dataset.photos["path"], dataset.photos["class_name"], strict=True):
        site = f"site{rng.integers(n)}"
        if not (none and rng.random() < 0.3):
            names[path] = site if across else f"{label}-{site}"
    return names


@pytest.mark.parametrize("seed", range(20))
def test_no_split_and_no_fold_tears_a_random_group(dataset: datasets.Dataset, seed: int) -> None:
    names = group(dataset, random_names(dataset, seed)).to_numpy()
    named = names != ""
    split = split_of(dataset, seed).to_numpy()
    assert pd.Series(split[named]).groupby(names[named]).nunique().max() == 1
    trained = set(dataset.photos["class_name"][split == "train"])
    assert trained == set(CLASSES)  # every class keeps something to learn from
    groups = datasets.groups(dataset)
    labels = pd.factorize(dataset.photos["class_name"])[0].astype(np.int64)
    for folds in (2, 3, 5):
        fold = assign_folds(labels, groups, folds=folds, rng=np.random.default_rng(seed))
        assert pd.Series(fold[named]).groupby(names[named]).nunique().max() == 1


@pytest.mark.parametrize("sites", [5, 10])
def test_sites_that_hold_all_classes_are_shared_out_by_the_shares(
    dataset: datasets.Dataset, sites: int
) -> None:
    """A site that one class takes for the test is the test of the others, too."""
    places = dataset.photos.groupby("class_name").cumcount() % sites
    group(dataset, dict(zip(dataset.photos["path"], places.map("site{}".format), strict=True)))
    split = split_of(dataset)
    held = {part: len(set(places[(split == part).to_numpy()])) for part in ("train", "val", "test")}
    assert held == ({"train": 3, "val": 1, "test": 1} if sites == 5 else held)
    assert held["test"] in (1, 2)
    assert held["val"] in (1, 2)
    assert set(dataset.photos["class_name"][(split == "test").to_numpy()]) == set(CLASSES)


def test_classes_with_one_group_or_two_are_said_with_what_is_done(
    dataset: datasets.Dataset,
) -> None:
    photos = dataset.photos
    number = photos.groupby("class_name").cumcount()
    sites = {"a": number % 6, "b": number % 2, "c": number * 0}
    names = [f"{label}{sites[label][row]}" for row, label in photos["class_name"].items()]
    group(dataset, dict(zip(photos["path"], names, strict=True)))
    table = pd.crosstab(photos["class_name"].to_numpy(), split_of(dataset).to_numpy())
    assert table.loc["c"].to_dict() == {"test": 0, "train": 6, "val": 0}
    assert table.loc["b"].to_dict() == {"test": 6, "train": 6, "val": 0}
    assert (table.loc["a"] > 0).all()
    assert scarce_groups(dataset) == {"b": 2, "c": 1}
    (note,) = datasets.split_notes(dataset)
    assert "c are of one group (site)" in note
    assert "b are of two groups" in note
    assert note in " ".join(datasets.warnings(dataset))


def test_one_group_in_each_class_is_refused(dataset: datasets.Dataset) -> None:
    group(dataset, dict(zip(dataset.photos["path"], dataset.photos["class_name"], strict=True)))
    with pytest.raises(SourceError, match=r"one group only \(site\)"):
        datasets.check_ready(dataset)


def test_groups_taken_away_again_leave_the_split_as_it_was(dataset: datasets.Dataset) -> None:
    datasets.set_groups(dataset, {}, by="")
    before = split_of(dataset, 3)
    group(dataset, random_names(dataset, 1))
    assert not split_of(dataset, 3).equals(before)
    datasets.set_groups(dataset, {}, by="")
    assert split_of(dataset, 3).equals(before)
    assert datasets.split_notes(dataset) == []


def test_a_given_test_of_the_same_sites_is_kept_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    counts = {"train/a": 8, "train/b": 8, "test/a": 2, "test/b": 2}
    given = datasets.import_source(make_tree(tmp_path / "s", counts))
    photos = given.photos
    names = {path: "north" for path in photos["path"]}
    names |= {path: "south" for path in photos.loc[photos["split"] != "test", "path"][:4]}
    group(given, names)
    split = split_of(given)
    assert list(split.index[split == "test"]) == list(photos.loc[photos["split"] == "test", "path"])
    assert {name: len(paths) for name, paths in torn_groups(given).items()} == {"north": 4}
    assert "4 photos" in datasets.split_notes(given)[0]
    assert "north" in datasets.split_notes(given)[0]


def make_frames(
    folder: Path, *, n: int, taken: list[int] | None = None, classes: str = "cp"
) -> datasets.Dataset:
    """Frames of a fixed camera: in each class one scene in which a bar moves a little further.

    Args:
        taken: minute in the EXIF data of each frame.
    """
    rng = np.random.default_rng(0)
    for name in classes:
        small = Image.fromarray(rng.integers(60, 200, (7, 9, 3)).astype(np.uint8))
        scene = np.asarray(small.resize((160, 120), Image.Resampling.BICUBIC)).copy()
        (folder / name).mkdir(parents=True)
        for frame in range(n):
            pixels = scene.astype(int) + rng.integers(-4, 5, scene.shape)
            pixels[40:60, 20 + 2 * frame : 40 + 2 * frame] = 250
            photo = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            exif = Image.Exif()
            if taken is not None:
                exif.get_ifd(0x8769)[0x9003] = f"2025:05:01 10:{taken[frame]:02}:00"
            buffer = io.BytesIO()
            photo.save(buffer, "JPEG", quality=85, exif=exif)
            (folder / name / f"frame{frame}.jpg").write_bytes(buffer.getvalue())
    return datasets.import_source(folder, name="frames")


@pytest.mark.parametrize("by_exif", [False, True])
def test_a_class_that_is_one_scene_is_split_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_exif: bool
) -> None:
    """frame10 comes after frame9; the time in the photo says more than its name."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    n = 24
    taken = list(reversed(range(n))) if by_exif else None
    frames = make_frames(tmp_path / "frames", n=n, taken=taken)
    assert chained_classes(frames) == ["c", "p"]
    for seed in range(3):
        split = split_of(frames, seed).to_numpy()
        for name in "cp":
            own = (frames.photos["class_name"] == name).to_numpy()
            number = frames.photos["file"].str.extract(r"frame(\d+)")[0].astype(int).to_numpy()
            order = np.argsort(number[own] if taken is None else -number[own])
            parts = list(split[own][order])
            stretches = [part for part, _photos in groupby(parts)]
            assert stretches == ["train", "aside", "val", "aside", "test"]
            assert parts.count("aside") == 2
    (note,) = datasets.split_notes(frames)
    assert "c, p" in note
    assert "in time" in note


def test_named_groups_decide_where_near_copies_would_melt_a_class_into_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    frames = make_frames(tmp_path / "frames", n=12)
    number = frames.photos["file"].str.extract(r"frame(\d+)")[0].astype(int)
    names = (number % 4).map("pupil{}".format)
    datasets.set_groups(frames, dict(zip(frames.photos["path"], names, strict=True)), by="pupil")
    split = split_of(frames).to_numpy()
    assert pd.Series(split).groupby(names.to_numpy()).nunique().max() == 1
    assert set(split) == {"train", "val", "test"}
    assert chained_classes(frames) == []
    (note,) = datasets.split_notes(frames)
    assert "24 photos have near-copies in other groups (pupil), in c, p" in note
    assert "too good" in note


def test_copies_of_photos_of_another_group_are_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three pupils have shared their photos, each saved again."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    pupils = {}
    for number in range(24):
        scene = draw_scene(number)
        for again in range(3):
            path = tmp_path / f"photos/{'cd'[number % 2]}/{number}-{again}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            scene.save(path, quality=95 - 10 * again)
            pupils[path.name] = f"pupil{(number + again) % 3}"
    dataset = datasets.import_source(tmp_path / "photos")
    names = dataset.photos["file"].map(lambda file: pupils[Path(file).name])
    datasets.set_groups(dataset, dict(zip(dataset.photos["path"], names, strict=True)), by="pupil")
    scenes = dataset.photos["file"].str.extract(r"(\d+)-")[0].to_numpy()
    for seed in range(3):
        split = split_of(dataset, seed)
        used = (split != "aside").to_numpy()
        assert used.sum() == 24, "one of each three"
        assert pd.Series(scenes[used]).is_unique
        assert (
            pd.Series(split[used].to_numpy()).groupby(names[used].to_numpy()).nunique().max() == 1
        )
        assert {"train", "test"} <= set(split[used])
    given = datasets.given_splits(dataset)
    assert (given == "aside").sum() == 48, "the feasibility check leaves them out, too"
    notes = datasets.split_notes(dataset)
    assert any("48 photos are near-copies of photos in other groups (pupil)" in n for n in notes)


def test_names_of_a_single_photo_each_hide_no_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    frames = make_frames(tmp_path / "frames", n=24)
    without = split_of(frames)
    own = {path: f"photo {number}" for number, path in enumerate(frames.photos["path"])}
    datasets.set_groups(frames, own, by="name:_")
    assert chained_classes(frames) == ["c", "p"]
    assert split_of(frames).equals(without)
    assert any("in time" in note for note in datasets.split_notes(frames))


def test_stored_parts_of_before_there_were_edges_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    frames = make_frames(tmp_path / "frames", n=24)
    look = np.eye(2)[(frames.photos["class_name"] == "c").astype(int)]
    datasets.assign_groups(frames, look)
    before = set(split_of(frames))
    stored = pd.read_parquet(frames.folder / "groups.parquet").drop(columns="edge")
    stored.to_parquet(frames.folder / "groups.parquet")
    assert before - set(split_of(datasets.open_dataset(frames.id))) == {"aside"}
