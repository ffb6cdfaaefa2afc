"""Unlabelled photos that are learned from beside a run's own."""

from __future__ import annotations

from pathlib import Path

from tests.support.photos import draw_photos
from translearn_core import datasets, runs
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import SILENT
from translearn_core.settings import make_settings
from translearn_core.techniques.extra_samples import gather_unlabelled


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
