"""Unlabelled photos that are learned from beside a run's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.drawing import POSITION
from tests.support.photos import draw_photos
from translearn_core import datasets, runs
from translearn_core.fitting.data import gather_training_data
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings
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
    assert _old_photos(plan, before, training.data, SILENT) is None
