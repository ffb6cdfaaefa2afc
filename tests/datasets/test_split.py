"""Splits, and groups of copies."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from tests.support.drawing import draw_image, draw_photo, make_tree, make_zip
from translearn_core import datasets
from translearn_core.datasets.copy_groups import groups_of
from translearn_core.datasets.dataset import write_table
from translearn_core.datasets.duplicates import find_pairs
from translearn_core.datasets.manifest_columns import COLUMNS, with_columns

SHARED = Path(__file__).parents[2].parent / "shared" / "datasets"


def _split(dataset: datasets.Dataset, seed: int = 0) -> pd.Series:
    return datasets.assign_splits(dataset, validation_share=0.15, test_share=0.2, seed=seed)


def _table(dataset: datasets.Dataset, split: pd.Series) -> pd.DataFrame:
    names = dataset.photos.set_index("path")["class_name"]
    table = pd.crosstab(names, split)
    return table.reindex(columns=["train", "val", "test"], fill_value=0)


def test_shares_hold_in_every_class_and_the_seed_decides(tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"a": 40, "b": 20}))
    split = _split(dataset)
    assert list(split.index) == list(dataset.photos["path"])
    table = _table(dataset, split)
    assert table.loc["a"].tolist() == [26, 6, 8]
    assert table.loc["b"].tolist() == [13, 3, 4]
    assert split.equals(_split(dataset))
    assert not split.equals(_split(dataset, seed=1))


@pytest.mark.parametrize(
    ("n", "expected"), [(2, [1, 0, 1]), (3, [1, 1, 1]), (4, [2, 1, 1]), (10, [6, 2, 2])]
)
def test_small_classes_get_into_every_part(n: int, expected: list[int], tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"large": 20, "small": n}))
    assert _table(dataset, _split(dataset)).loc["small"].tolist() == expected


def _given(tmp_path: Path, counts: dict[str, int]) -> tuple[datasets.Dataset, pd.Series]:
    dataset = datasets.import_source(make_tree(tmp_path / "s", counts))
    return dataset, _split(dataset)


def test_given_test_only(tmp_path: Path) -> None:
    counts = {"train/a": 20, "train/b": 20, "test/a": 5, "test/b": 5}
    dataset, split = _given(tmp_path, counts)
    assert _table(dataset, split).loc["a"].tolist() == [17, 3, 5]
    given = dataset.photos.set_index("path")["split"]
    assert (split[given == "test"] == "test").all()


def test_given_validation_only(tmp_path: Path) -> None:
    counts = {"train/a": 20, "train/b": 20, "val/a": 4, "val/b": 4}
    dataset, split = _given(tmp_path, counts)
    assert _table(dataset, split).loc["b"].tolist() == [16, 4, 4]


def test_all_given(tmp_path: Path) -> None:
    counts = {f"{part}/{name}": 4 for part in ("train", "val", "test") for name in "ab"}
    dataset, split = _given(tmp_path, counts)
    given = dataset.photos.set_index("path")["split"]
    assert (split == given).all()


def test_only_training_given_is_as_if_nothing_was(tmp_path: Path) -> None:
    dataset, split = _given(tmp_path, {"train/a": 20, "train/b": 20})
    assert _table(dataset, split).loc["a"].tolist() == [13, 3, 4]


def _burst(seed: int, n: int) -> list[bytes]:
    """One scene, saved, shrunk and exposed a little differently each time."""
    image = draw_image(seed, size=(240, 180))
    shots = []
    for number in range(n):
        shot = ImageEnhance.Brightness(image).enhance(1 + 0.03 * number)
        shot = shot.resize((240 - 6 * number, 180 - 4 * number))
        buffer = io.BytesIO()
        shot.save(buffer, "JPEG", quality=92 - 3 * number)
        shots.append(buffer.getvalue())
    return shots


def _bursts(tmp_path: Path, scenes: int, shots: int) -> datasets.Dataset:
    files = {
        f"{name}/{scene}-{number}.jpg": shot
        for place, name in enumerate("ab")
        for scene in range(scenes)
        for number, shot in enumerate(_burst(1000 * place + scene, shots))
    }
    return datasets.import_source(make_zip(tmp_path / "a.zip", files))


def test_bursts_stay_on_one_side(tmp_path: Path) -> None:
    dataset = _bursts(tmp_path, scenes=10, shots=4)
    split = _split(dataset)
    scene = dataset.photos.set_index("path")["file"].str.split("-").str[0]
    assert split.groupby(scene).nunique().max() == 1
    assert (_table(dataset, split) >= 4).all().all()


def test_a_class_of_one_burst_can_still_be_trained(tmp_path: Path) -> None:
    dataset = _bursts(tmp_path, scenes=1, shots=6)
    assert (_table(dataset, _split(dataset)) >= 1).all().all()


def _frames(folder: Path, *, per_class: int) -> datasets.Dataset:
    """Webcam frames: two classes, each one scene in which a disc moves a little further."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(("cup", "pen")):
        small = Image.fromarray(rng.integers(60, 200, (7, 9, 3)).astype(np.uint8))
        scene = small.resize((320, 240), Image.Resampling.BICUBIC)
        (folder / name).mkdir(parents=True)
        for frame in range(per_class):
            photo = scene.copy()
            left = 60 + frame * (4 + 3 * number)
            colour = ((240, 60, 60), (60, 60, 240))[number]
            ImageDraw.Draw(photo).ellipse((left, 80, left + 60, 150), fill=colour)
            noisy = np.asarray(photo).astype(int) + rng.integers(-4, 5, (240, 320, 3))
            pixels = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
            pixels.save(folder / name / f"{frame:02}.jpg", quality=80)
    return datasets.import_source(folder, name="frames")


@pytest.mark.awkward
@pytest.mark.parametrize("per_class", [6, 24])
def test_classes_of_webcam_frames_can_be_split(
    per_class: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of each class is one chain of near copies, so groups are built in three rounds."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    dataset = _frames(tmp_path / "frames", per_class=per_class)
    features = np.stack([_grey_features(dataset, path) for path in dataset.photos["path"]])
    for groups in (groups_of(dataset.photos), groups_of(dataset.photos, features)):
        assert len(groups) == 2 * per_class
        classes = pd.Series(dataset.photos["class_name"].to_numpy()).groupby(groups)
        assert classes.nunique().max() == 1
    split = datasets.assign_splits(dataset, validation_share=0.2, test_share=0.2, seed=0)
    table = pd.crosstab(dataset.photos["class_name"].to_numpy(), split.to_numpy())
    assert (table[["train", "val", "test"]] > 0).all(axis=None)


def _grey_features(dataset: datasets.Dataset, path: str) -> np.ndarray:
    with Image.open(dataset.photo_path(path)) as photo:
        return np.asarray(photo.convert("L").resize((16, 12)), np.float32).ravel()


def test_two_heaps_of_copies_go_to_two_sides(tmp_path: Path) -> None:
    files = {f"a/{n}.jpg": draw_photo(n // 10) for n in range(20)}
    files |= {f"b/{n}.jpg": draw_photo(50 + n) for n in range(20)}
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    assert _table(dataset, _split(dataset)).loc["a"].tolist() == [10, 0, 10]


def test_exact_copies_in_two_classes_stay_together(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"a": 12, "b": 12})
    for number in range(4):
        (source / "b" / f"copy{number}.jpg").write_bytes(
            (source / "a" / f"{number}.jpg").read_bytes()
        )
    dataset = datasets.import_source(source)
    for seed in range(5):
        split = _split(dataset, seed)
        sha = dataset.photos.set_index("path")["sha256"]
        assert split.groupby(sha).nunique().max() == 1
    assert any("more than one class" in text for text in datasets.warnings(dataset))


def test_training_photos_with_a_copy_in_the_given_test_are_put_aside(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"train/a": 12, "train/b": 12, "test/a": 4, "test/b": 4})
    (source / "test" / "a" / "twin.jpg").write_bytes((source / "train/a/3.jpg").read_bytes())
    dataset = datasets.import_source(source)
    leaks = datasets.split_leaks(dataset)
    assert [(leak.split, leak.exact) for leak in leaks] == [("test", True)]
    split = _split(dataset)
    assert split[leaks[0].held_out] == "test"
    assert split[leaks[0].train] == datasets.ASIDE
    assert (split == "test").sum() == 9
    assert any("twin.jpg" in text for text in datasets.warnings(dataset))
    assert any("twin.jpg" in text for text in datasets.split_notes(dataset))


def test_copies_of_most_of_a_class_are_put_aside_in_the_test(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"train/a": 12, "train/b": 12, "test/a": 4, "test/b": 4})
    for number in range(7):
        (source / f"test/a/twin{number}.jpg").write_bytes(
            (source / f"train/a/{number}.jpg").read_bytes()
        )
    dataset = datasets.import_source(source)
    split = _split(dataset)
    twins = dataset.photos.set_index("path")["file"].str.contains("twin")
    assert (split[twins] == datasets.ASIDE).all()
    assert (split[~twins] == datasets.ASIDE).sum() == 0
    assert (split == "test").sum() == 8


def test_a_test_of_copies_alone_is_none(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"train/a": 12, "train/b": 12})
    shutil.copytree(source / "train", source / "test")
    dataset = datasets.import_source(source)
    split = _split(dataset)
    given = dataset.photos.set_index("path")["split"]
    assert (split[given == "test"] == datasets.ASIDE).all()
    assert set(split[given == "train"]) == {"train", "val", "test"}


def test_what_is_selected_by_holds_no_copy_of_the_test(tmp_path: Path) -> None:
    source = make_tree(
        tmp_path / "s", {"train/a": 12, "train/b": 12, "val/a": 4, "val/b": 4, "test/a": 4}
    )
    shutil.copytree(source / "val/b", source / "test/b")
    dataset = datasets.import_source(source)
    split = _split(dataset)
    files = dataset.photos.set_index("path")["file"]
    assert (split[files.str.startswith("val/b")] == datasets.ASIDE).all()
    assert (split[files.str.startswith("test")] == "test").all()
    assert (split[files.str.startswith("val/a")] == "val").all()


def test_a_photo_without_a_split_stays_with_its_copy_that_is_given_to_train(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"a": 12, "b": 12})
    for name in "ab":
        for number in range(6):
            photo = source / f"{name}/{number}.jpg"
            (source / f"{name}/copy{number}.jpg").write_bytes(photo.read_bytes())
    dataset = datasets.import_source(source)
    photos = dataset.photos
    given = np.where(photos["file"].str.contains("copy"), "", "train")
    write_table(dataset.folder / "manifest.parquet", photos.assign(split=given))
    dataset = datasets.open_dataset(dataset.id)
    for seed in range(5):
        split = _split(dataset, seed=seed)
        hashes = dataset.photos.set_index("path")["sha256"]
        assert split.groupby(hashes).nunique().max() == 1
        assert set(split) == {"train", "val", "test"}


@pytest.mark.awkward
def test_blank_and_drawn_pictures_do_not_become_one_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = {}
    for name, shape in (("squares", (8, 8)), ("bars", (3, 14))):
        for number in range(30):
            image = Image.new("RGB", (96, 96), "white")
            x, y = (int(value) for value in rng.integers(5, 60, 2))
            image.paste("black", (x, y, x + 2 * shape[0], y + 2 * shape[1]))
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            files[f"{name}/{number}.png"] = buffer.getvalue()
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    sizes = np.bincount(groups_of(dataset.photos))
    assert sizes.max() <= 10
    assert (_table(dataset, _split(dataset)) >= 3).all().all()


@pytest.mark.parametrize("name", ["trash", "sign_digits", "pacs/sketch"])
def test_real_photos_are_hardly_ever_taken_for_copies(name: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared photos are not here")
    folders = sorted(path for path in (SHARED / name).iterdir() if path.is_dir())[:4]
    paths = [path for folder in folders for path in sorted(folder.iterdir())[:50]]
    rows = []
    for place, photo in datasets.iterate_photos(paths, size=64):
        assert isinstance(photo, datasets.DecodedPhoto)
        row = vars(photo.stats) | {"class_name": paths[place].parent.name, "checked": True}
        rows.append(row | {"path": str(paths[place])})
    sizes = np.bincount(groups_of(with_columns(pd.DataFrame(rows), COLUMNS)))
    assert sizes.max() <= 10
    assert sizes[sizes > 1].sum() <= 12


def test_many_photos_are_split_in_seconds() -> None:
    """Comparing each with each of so many takes a hundred times as long."""
    n = 40_000
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, n, dtype=np.uint64)
    hashes[:8_000] = hashes[0]  # blank pages
    looks = rng.integers(48, 112, (n, 24 * 24), dtype=np.uint8)
    rows = {
        "path": [f"photos/{k}.jpg" for k in range(n)],
        "class_name": [f"c{k % 20}" for k in range(n)],
        "checked": [True] * n,
        "sha256": [f"{k:064x}" for k in range(n)],
        "phash": [f"{value:016x}" for value in hashes],
        "look": [row.tobytes().decode("ascii") for row in looks],
    }
    table = with_columns(pd.DataFrame(rows), COLUMNS)
    begin = time.process_time()
    groups = groups_of(table)
    assert time.process_time() - begin < 8
    assert np.bincount(groups).max() == 1


def _features_of(dataset: datasets.Dataset, keys: list[str]) -> np.ndarray:
    """Features in which photos of one key lie close together."""
    rng = np.random.default_rng(0)
    points = {key: rng.normal(size=64) for key in sorted(set(keys))}
    return np.array([points[key] + 0.05 * rng.normal(size=64) for key in keys], np.float32)


def test_frames_are_found_with_features_and_without(tmp_path: Path) -> None:
    """Frames cut differently out of one scene."""
    files = {}
    for name in "abc":
        for scene in range(6):
            image = draw_image(100 * ord(name) + scene, size=(300, 240))
            for number in range(4):
                left, top = 18 * (number % 2), 14 * (number // 2)
                buffer = io.BytesIO()
                image.crop((left, top, left + 264, top + 212)).save(buffer, "JPEG")
                files[f"{name}/{scene}-{number}.jpg"] = buffer.getvalue()
            for quality in (60, 85, 95):
                buffer = io.BytesIO()
                image.crop((0, 0, 264, 212)).save(buffer, "JPEG", quality=quality)
                files[f"{name}/{scene}-again{quality}.jpg"] = buffer.getvalue()
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    scenes = dataset.photos["file"].str.split("-").str[0]
    features = _features_of(dataset, list(scenes))
    without = datasets.groups(dataset)
    groups = datasets.assign_groups(dataset, features).groups
    assert (datasets.groups(dataset) == groups).all()
    assert len(set(without)) == len(set(groups)) == 18
    assert pd.Series(groups).groupby(scenes.to_numpy()).nunique().max() == 1
    pairs = find_pairs(dataset.photos, features)
    assert len(pairs.first) > len(find_pairs(dataset.photos, features, for_groups=True).first)
    assert (datasets.groups_of(dataset.photos, features, pairs=pairs) == groups).all()
    for seed in range(3):
        split = datasets.assign_splits(dataset, validation_share=0.15, test_share=0.2, seed=seed)
        assert split.groupby(scenes.to_numpy()).nunique().max() == 1
        assert (_table(dataset, split) >= 2).all().all()
        again = datasets.assign_splits(dataset, validation_share=0.15, test_share=0.2, seed=seed)
        assert split.equals(again)


def test_features_alone_make_no_twins(tmp_path: Path) -> None:
    """Near in features but not in looks: different things of one kind."""
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"a": 20, "b": 20}))
    features = _features_of(dataset, list(dataset.photos["class_name"]))
    assert np.bincount(datasets.groups_of(dataset.photos, features)).max() == 1


def test_without_twins_features_change_no_split(tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"a": 40, "b": 20}))
    features = np.random.default_rng(0).normal(size=(60, 32))
    before = _split(dataset)
    datasets.assign_groups(dataset, features)
    assert _split(dataset).equals(before)


def test_groups_of_before_turned_copies_were_known_are_found_anew(tmp_path: Path) -> None:
    """A stored table without a method is of then: there each photo was alone."""
    files = {}
    for number in range(24):
        name = "ab"[number % 2]
        image = ImageEnhance.Contrast(draw_image(number, size=(96, 72))).enhance(1.5)
        for end, photo in (("", image), ("-mirrored", ImageOps.mirror(image))):
            buffer = io.BytesIO()
            photo.save(buffer, "PNG")
            files[f"{name}/{number}{end}.png"] = buffer.getvalue()
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    features = _features_of(dataset, list(dataset.photos["class_name"]))
    groups = datasets.assign_groups(dataset, features).groups
    assert len(set(groups)) == 24
    path = dataset.folder / "groups.parquet"
    old = pd.read_parquet(path).drop(columns="method")
    old["group"] = np.arange(48)
    old.to_parquet(path)
    dataset = datasets.open_dataset(dataset.id)
    assert len(set(datasets.groups(dataset))) == 48, "until features are there"
    assert (datasets.assign_groups(dataset, features).groups == groups).all()
    assert (datasets.groups(datasets.open_dataset(dataset.id)) == groups).all()


def test_groups_are_told_once_and_anew_for_other_photos(tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"a": 20, "b": 20}))
    rng = np.random.default_rng(0)
    first = datasets.assign_groups(dataset, rng.normal(size=(40, 32))).groups
    again = datasets.assign_groups(dataset, np.ones((40, 32))).groups  # another network
    assert (again == first).all()
    datasets.remove_photos(dataset, [str(dataset.photos["path"].iloc[0])])
    assert len(datasets.groups(dataset)) == 39
    assert len(datasets.assign_groups(dataset, rng.normal(size=(39, 32))).groups) == 39
    (dataset.folder / "groups.parquet").write_bytes(b"cut off")
    assert len(datasets.groups(dataset)) == 39
