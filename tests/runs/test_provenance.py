"""A run that goes on from another one is tested on photos that neither learned from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.drawing import draw_image, draw_scene
from tests.support.photos import draw_photos
from tests.support.trained import train
from translearn_core import datasets
from translearn_core.errors import SettingsError
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run, create_run, provenance
from translearn_core.runs.splits import recover_split

pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    return tmp_path


def test_new_photos_are_added_and_the_test_stays_fair(home: Path) -> None:
    dataset = datasets.import_source(
        draw_photos(home / "first", per_class=20, seed=3), name="Colours", check=False
    )
    quick = {"epochs": 2, "hidden_units": 32, "augmentation": "none"}
    first = train(dataset, **quick)
    before = provenance.read_photos(first)
    assert before is not None
    new = draw_photos(home / "second", per_class=15, seed=8)
    for photo in sorted(new.rglob("*.jpg")):
        shutil.move(photo, photo.with_name(f"new-{photo.name}"))
    datasets.add_source(dataset, new)
    second = train(datasets.open_dataset(dataset.folder), start_from=first.id, **quick)

    assert set(second.metrics.carryover.classes_carried_over) == set(first.labels)
    tested = pd.read_parquet(second.folder / "predictions.parquet")["path"]
    photos = datasets.open_dataset(dataset.folder).photos.set_index("path")
    hashes = set(photos.loc[tested, "sha256"])
    assert set(before.loc[before["part"] == "test", "sha256"]) <= hashes, "compared on the same"
    assert not hashes & set(before.loc[before["part"] != "test", "sha256"])
    assert len(hashes) > (before["part"] == "test").sum(), "new photos are tested, too"
    parts = recover_split(second)
    assert parts.certain
    assert set(parts.rows("test")["path"]) == set(tested)


def test_photos_that_were_saved_again_are_those_of_the_run_before(home: Path) -> None:
    """Smaller, under other names, in a data set of their own, beside new ones."""
    for number in range(32):
        photo = draw_image(number, size=(200, 150))
        name = "ab"[number % 2]
        for folder, size, end in (("first", (200, 150), "jpg"), ("second", (160, 120), "jpeg")):
            place = home / folder / name
            place.mkdir(parents=True, exist_ok=True)
            if folder == "second" or number < 20:
                photo.resize(size).save(place / f"{folder} {number}.{end}", quality=85)
    quick = {"epochs": 2, "hidden_units": 32, "augmentation": "none"}
    first = train(datasets.import_source(home / "first", check=False), **quick)
    second = train(datasets.import_source(home / "second"), start_from=first.id, **quick)

    def numbers(run: Run, part: str) -> set[int]:
        files = recover_split(run).rows(part)["file"]
        return set(files.str.extract(r" (\d+)\.")[0].astype(int))

    learned = numbers(first, "train") | numbers(first, "val")
    tested = numbers(second, "test")
    assert numbers(first, "test") <= tested
    assert not learned & tested
    assert len(tested) > len(numbers(first, "test")), "new photos are tested, too"
    tests = recover_split(second).rows("test")
    everything = datasets.open_dataset(Path(second.config.dataset)).photos
    is_tested = everything["path"].isin(tests["path"]).to_numpy()
    assert provenance.refuse_training_overlap(first, everything, is_tested) == ""
    with pytest.raises(SettingsError, match=rf"learned from {len(learned)} of the 32 photos"):
        provenance.refuse_training_overlap(first, everything, np.ones(32, bool))


def test_whether_photos_of_one_data_set_are_copies_is_not_asked_by_looks_again(home: Path) -> None:
    """Features have told that: a teacher may have learned from what looks like a test photo."""
    draw_scene(1).save(home / "a.png")
    with Image.open(home / "a.png") as scene:
        for name, left in (("learned", 0), ("tested", 8)):
            (home / "photos" / "x").mkdir(parents=True, exist_ok=True)
            scene.crop((left, 4, left + 180, 140)).save(home / f"photos/x/{name}.jpg")
    dataset = datasets.import_source(home / "photos")
    photos, is_tested = dataset.photos, dataset.photos["file"].str.contains("tested").to_numpy()
    assert datasets.have_copies(photos[is_tested], photos[~is_tested]).all()
    teacher = create_run(dataset.folder, make_settings({"backbone": "starter"}))
    provenance.write_photos(teacher, photos, np.where(is_tested, "test", "train"), None)
    assert provenance.refuse_training_overlap(teacher, photos, is_tested) == ""
    with pytest.raises(SettingsError, match="has learned from 1 of the 1 photos"):
        provenance.refuse_training_overlap(teacher, photos[is_tested], np.ones(1, bool))


def manifest(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": [f"{index}.jpg" for index in range(n)],
            "sha256": [f"hash {index}" for index in range(n)],
            "class_name": ["a", "b"] * (n // 2),
            "split": "",
            "phash": [""] * n,
        }
    )


def test_what_runs_before_learned_from_is_handed_down(tmp_path: Path) -> None:
    oldest, middle, last = (Run(tmp_path / name) for name in ("a", "b", "c"))
    for run in (oldest, middle, last):
        run.folder.mkdir()
    photos = manifest(6)
    split = np.array(["train", "val", "test"] * 2)
    provenance.write_photos(oldest, photos, split, None)
    others = photos.assign(sha256=[f"other {index}" for index in range(6)])
    provenance.write_photos(middle, others, split, oldest)
    provenance.write_photos(last, others.iloc[:2], split[:2], middle)
    trained_on = provenance.training_hashes(last)
    assert trained_on is not None
    assert {"hash 0", "hash 1", "other 0", "other 1", "other 3"} <= trained_on
    assert not {"hash 2", "other 2", "other 5"} & trained_on
    assert provenance.training_hashes(Run(tmp_path)) is None


def test_of_a_run_that_tells_nothing_it_is_said_that_the_test_may_be_too_good(home: Path) -> None:
    run = create_run(home / "gone", make_settings({"backbone": "starter"}), dataset_name="Gone")
    assert "It is not known which photos" in provenance.refuse_training_overlap(
        run, manifest(6), np.ones(6, bool)
    )
    photos, parts = manifest(6), np.array(["train", "test"] * 3)
    provenance.write_photos(run, photos, parts, None)
    assert provenance.refuse_training_overlap(run, photos, parts == "test") == ""
    with pytest.raises(SettingsError, match="has learned from 1 of the 2 photos"):
        provenance.refuse_training_overlap(run, photos, np.arange(6) < 2)


def test_a_group_goes_where_its_earlier_photos_were(home: Path) -> None:
    """Sites of an earlier run keep their side; new photos of a site follow it."""
    before = create_run(home / "gone", make_settings({}))
    photos = manifest(8)
    split = np.array(["train", "train", "test", "test", "val", "val"])
    provenance.write_photos(before, photos.iloc[:6], split, None)
    sites = np.array([0, 0, 1, 1, 2, 2, 1, 0])
    parts = np.array(["test", "test", "train", "train", "test", "test", "train", "test"])
    inherited = provenance.inherit_split(parts, photos, sites, before)
    assert list(inherited) == ["train", "train", "test", "test", "train", "train", "test", "train"]
    assert pd.Series(inherited).groupby(sites).nunique().max() == 1


def test_photos_between_two_sides_stay_aside(home: Path) -> None:
    before = create_run(home / "gone", make_settings({}))
    photos = manifest(14)
    provenance.write_photos(before, photos.iloc[:2], np.array(["train", "test"]), None)
    parts = np.array(["val", "test", "aside", *["val"] * 11])
    groups = np.array([0, 1, 0, *range(2, 13)])
    inherited = provenance.inherit_split(parts, photos, groups, before)
    assert list(inherited[:4]) == ["train", "test", "aside", "val"]
