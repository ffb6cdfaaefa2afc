"""Adversarial training: attacks stay within their bounds and work, and a run tells what it withstood."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.support.trained import TINY, train
from translearn_core import datasets, runs, worker
from translearn_core.graph.assembly import build_head
from translearn_core.recipe import resolve
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run
from translearn_core.techniques.adversarial import Attack, scores_of

STRENGTH = 0.1
pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture(scope="module")
def resisting(tmp_path_factory: pytest.TempPathFactory, colour_photos: Path) -> Run:
    """A run that learned to resist attacks that a plain model cannot withstand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(tmp_path_factory.mktemp("resisting")))
        dataset = datasets.import_source(colour_photos, in_place=True, check=False)
        return train(dataset, adversarial="fgsm", strength=STRENGTH, freeze=-1, epochs=4)


def test_attacks_stay_within_strength_and_range_and_lower_the_right_score() -> None:
    settings = make_settings({"strength": 0.02, "hidden_units": 8})
    pooling = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Rescaling(0.01), keras.layers.Flatten()]
    )
    scores = scores_of([pooling], build_head(192, 3, settings))
    attack = Attack(scores, settings, 3)
    rng = np.random.default_rng(0)
    photos = rng.uniform(0, 255, (6, 8, 8, 3)).astype(np.float32)
    labels = np.asarray(scores(photos)).argmax(axis=1)
    for changed in (attack.fgsm(photos, labels), attack.pgd(photos, labels)):
        assert changed is not None
        assert np.abs(changed - photos).max() <= 0.02 * 255 + 1e-3
        assert changed.min() >= 0
        assert changed.max() <= 255
        right = [
            np.asarray(keras.ops.softmax(scores(some)))[np.arange(6), labels]
            for some in (photos, changed)
        ]
        assert (right[1] < right[0]).all()
    assert attack.pgd(photos, labels, stop=lambda: True) is None


def test_a_run_tells_clean_and_attacked_accuracy_of_both(resisting: Run) -> None:
    told = resisting.metrics.adversarial
    assert told.n == resisting.metrics.n_test
    assert told.strength == STRENGTH
    for name in ("clean", "fgsm", "pgd"):
        assert 0 <= getattr(told, name).plain <= 1
        assert 0 <= getattr(told, name).trained <= 1
    assert told.pgd.plain < told.clean.plain
    assert told.clean.trained == pytest.approx(resisting.metrics.test_accuracy)
    assert resisting.metrics.parity_max_diff < 1e-3


def test_the_example_shows_a_change_that_is_as_small_as_said(resisting: Run) -> None:
    example = resisting.metrics.adversarial.example
    assert example.plain != example.truth
    pictures = [
        np.asarray(Image.open(resisting.folder / "adversarial" / f"{name}.png"), float)
        for name in ("photo", "attacked")
    ]
    assert 0 < np.abs(pictures[0] - pictures[1]).max() <= round(STRENGTH * 255) + 1


@pytest.mark.slow
def test_with_everything_frozen_only_the_head_learns_to_resist(
    colour_photos: Path, workspace: Path
) -> None:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    values = TINY | {"adversarial": "pgd", "epochs": 1, "strength": 0.01}
    run = runs.create_run(dataset.folder, resolve.resolve(make_settings(values), dataset).settings)
    worker.work(run)
    assert (run.state.state, run.state.reason) == ("finished", "")
    assert run.metrics.adversarial is not None
    assert run.metrics.trainable_weights < 2_000_000
