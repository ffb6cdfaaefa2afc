"""How often a head sees its photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from translearn_core import datasets, runs
from translearn_core.fitting.data import TrainingData, gather_training_data
from translearn_core.fitting.head import count_epochs
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings


@pytest.fixture
def mirrored(workspace: Path, colour_photos: Path) -> tuple[Plan, TrainingData]:
    """A run of the default head whose photos are also shown mirrored."""
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    settings = {"backbone": "starter", "image_size": 32, "augmentation": "mirror"}
    run = runs.create_run(dataset.folder, make_settings(settings), fingerprint=dataset.fingerprint)
    plan = make_plan(run)
    data = gather_training_data(plan, SILENT)
    assert data.views_pooled
    return plan, data


def learning_from(data: TrainingData, photos: int) -> TrainingData:
    return replace(data, split=np.full(photos, "train"))


@pytest.mark.parametrize(
    ("photos", "epochs"), [(30, 40), (107, 40), (192, 24), (428, 20), (1000, 20), (2000, 15)]
)
def test_mirrored_photos_take_half_of_the_epochs_unless_they_are_few(
    mirrored: tuple[Plan, TrainingData], photos: int, epochs: int
) -> None:
    plan, data = mirrored
    assert plan.head_epochs == 40
    assert count_epochs(plan, learning_from(data, photos)) == epochs


@pytest.mark.parametrize(("photos", "epochs"), [(428, 40), (1000, 30), (2000, 15), (9000, 12)])
def test_photos_as_they_are_are_seen_as_often_as_is_enough(
    mirrored: tuple[Plan, TrainingData], photos: int, epochs: int
) -> None:
    plan, data = mirrored
    plain = replace(learning_from(data, photos), views_pooled=())
    assert count_epochs(plan, plain) == epochs


def test_who_chose_fewer_epochs_gets_no_more(mirrored: tuple[Plan, TrainingData]) -> None:
    plan, data = mirrored
    few = replace(plan, settings=plan.settings.model_copy(update={"epochs": 6}))
    assert count_epochs(few, learning_from(data, 30)) == 6
