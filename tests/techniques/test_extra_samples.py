"""Unlabelled photos that are learned from beside a run's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.drawing import POSITION
from tests.support.photos import draw_photos
from translearn_core import datasets, runs
from translearn_core.fitting.data import gather_training_data
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings
from translearn_core.runs.provenance import write_photos
from translearn_core.techniques.base import TrainingSet
from translearn_core.techniques.extra_samples import gather_unlabelled
from translearn_core.techniques.self_training import SelfTraining
from translearn_core.techniques.warm_start import _old_photos


def test_photos_that_another_data_set_tests_are_varied_like_all_others(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    own = datasets.import_source(colour_photos, in_place=True, check=False)
    kept = draw_photos(tmp_path / "kept", per_class=2, seed=7)
    more = draw_photos(tmp_path / "more", per_class=2, seed=8)
    other = datasets.import_source(more, test_source=kept)
    assert (other.photos["split"] == "test").any()
    settings = make_settings({"backbone": "starter", "image_size": 32, "augmentation": "mirror"})
    plan = make_plan(runs.create_run(own.folder, settings, fingerprint=own.fingerprint))
    found = gather_unlabelled(plan, other.folder.name, SILENT)
    assert len(found) == len(other.photos)
    assert found.views[0].shape == found.pooled.shape


@pytest.mark.parametrize("in_place", [False, True], ids=["copied", "in its place"])
def test_photos_of_the_run_are_no_further_ones_with_or_without_their_position(
    workspace: Path, tmp_path: Path, in_place: bool
) -> None:
    photos = draw_photos(tmp_path / "photos", per_class=5, exif=POSITION)
    own = datasets.import_source(photos, in_place=in_place)
    other = datasets.import_source(photos, in_place=not in_place)
    assert set(own.photos["sha256"]).isdisjoint(other.photos["sha256"])
    wanted = {"backbone": "starter", "image_size": 32, "unlabelled": other.folder.name}
    settings = make_settings(wanted)
    plan = make_plan(runs.create_run(own.folder, settings, fingerprint=own.fingerprint))
    training = TrainingSet.of(gather_training_data(plan, SILENT))
    assert (training.data.split == "test").any()
    assert len(gather_unlabelled(plan, other.folder.name, SILENT)) == 15
    assert SelfTraining(plan).prepare(training, SILENT) is training
    before = runs.create_run(other.folder, settings, fingerprint=other.fingerprint)
    write_photos(before, other.photos, np.full(len(other.photos), "train"), None)
    assert _old_photos(plan, before, training.data, SILENT) is None


def test_of_the_run_before_only_what_it_learned_from_is_rehearsed(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    """Others are compared with it, and later runs tested, by its test photos."""
    own = datasets.import_source(colour_photos, in_place=True, check=False)
    other = datasets.import_source(draw_photos(tmp_path / "more", per_class=6, seed=8))
    settings = make_settings({"backbone": "starter", "image_size": 32})
    plan = make_plan(runs.create_run(own.folder, settings, fingerprint=own.fingerprint))
    data = gather_training_data(plan, SILENT)
    before = runs.create_run(other.folder, settings, fingerprint=other.fingerprint)
    assert _old_photos(plan, before, data, SILENT) is None, "nothing is known of it"
    photos = other.photos
    parts = np.array((["train", "val", "test"] * 6)[: len(photos)])
    write_photos(before, photos, parts, None)
    datasets.add_source(other, draw_photos(tmp_path / "later", per_class=1, seed=9))
    old = _old_photos(plan, before, data, SILENT)
    assert old is not None
    assert set(old.photos["sha256"]) == set(photos["sha256"][parts != "test"])


def test_the_plain_run_beside_a_warm_start_has_the_same_test(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    dataset = datasets.import_source(colour_photos)
    settings = make_settings({"backbone": "starter", "image_size": 32})
    before = runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint)
    backwards = np.where(np.arange(len(dataset.photos)) % 4 == 1, "test", "train")
    write_photos(before, dataset.photos, backwards, None)
    before.model_path.write_bytes(b"not asked")
    (before.folder / "labels.json").write_text(json.dumps({"classes": list(dataset.classes)}))
    before.update_state(state="finished")
    plan = make_plan(runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint))
    started = settings.model_copy(update={"start_from": str(before.folder)})
    plain = replace(plan, settings=started).without_techniques()
    assert plain.settings == settings
    data = gather_training_data(plain, SILENT)
    tested = set(data.photos["sha256"][data.split == "test"])
    assert tested == set(dataset.photos["sha256"][backwards == "test"])
