"""MixUp and CutMix: labels are blended in the shares of the inputs, and a run learns from it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.trained import TINY
from translearn_core import datasets, runs, worker
from translearn_core.errors import SettingsError
from translearn_core.fitting.mixing import mix
from translearn_core.recipe import resolve
from translearn_core.run_settings import make_settings

pytestmark = pytest.mark.usefixtures("small_backbone")


def batch(n: int, *shape: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that carry their own number in every place, with one class each."""
    inputs = np.ones((n, *shape), np.float32) * np.arange(n).reshape(-1, *[1] * len(shape))
    return inputs.astype(np.float32), np.eye(n, dtype=np.float32), np.ones(n, np.float32)


def test_mixup_blends_labels_as_it_blends_inputs() -> None:
    inputs, targets, weights = mix(
        *batch(8, 5), make_settings({"mixup": 0.4}), np.random.default_rng(0)
    )
    assert np.allclose(targets.sum(axis=1), 1)
    assert np.allclose(inputs[:, 0], targets @ np.arange(8), atol=1e-5)
    assert (np.count_nonzero(targets, axis=1) == 2).sum() >= 4
    assert np.allclose(weights, 1)


def test_cutmix_gives_a_label_the_area_it_has_in_the_photo() -> None:
    inputs, targets, _weights = mix(
        *batch(8, 16, 16, 3), make_settings({"cutmix": 1.0}), np.random.default_rng(1)
    )
    for photo, target in zip(inputs, targets, strict=True):
        areas = [(photo[..., 0] == number).mean() for number in range(8)]
        assert np.allclose(areas, target, atol=1e-5)
    assert 0 < targets.max(axis=1).min() < 1


def test_both_together_take_turns() -> None:
    rng = np.random.default_rng(2)
    settings = make_settings({"cutmix": 1.0, "mixup": 1.0})
    pasted = 0
    for _round in range(40):
        inputs, _targets, _weights = mix(*batch(4, 8, 8, 1), settings, rng)
        pasted += float(np.abs(inputs - np.round(inputs)).max()) < 1e-6
    assert 8 < pasted < 32


def test_cutmix_on_averages_is_refused(colour_photos, workspace) -> None:  # type: ignore[no-untyped-def]
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    with pytest.raises(SettingsError, match="Unfreeze the last two blocks"):
        resolve.resolve(make_settings(TINY | {"cutmix": 1.0}), dataset)


def test_a_run_learns_from_blends_of_features_and_of_maps(colour_photos, workspace) -> None:  # type: ignore[no-untyped-def]
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    values = TINY | {"mixup": 0.3, "cutmix": 1.0, "freeze": -1, "epochs": 6, "seed": 1}
    run = runs.create_run(dataset.folder, resolve.resolve(make_settings(values), dataset).settings)
    worker.work(run)
    assert (run.state.state, run.state.reason) == ("finished", "")
    assert run.metrics.test_accuracy > 0.6
    assert run.metrics.settings["mixup"] == 0.3
