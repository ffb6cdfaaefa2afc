"""What a run leaves of its own doubt: calibrated confidence, and photos to hold new ones against."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.trained import trained
from translearn_core.datasets import decode_photo, open_dataset
from translearn_core.evaluation import calibration, ood
from translearn_core.evaluation.predictions import ValidationPredictions
from translearn_core.prediction.predict import Predictor, predict
from translearn_core.training.postprocess import calibrate


@pytest.mark.parametrize("kind", ["frozen", "tuned"])
def test_a_run_says_what_calibration_did(kind: str) -> None:
    metrics = trained(kind).metrics
    figures = metrics.calibration
    assert figures.how == "validation"
    assert figures.fitted_on == metrics.n_val
    assert 1 / 16 <= figures.temperature <= 16
    assert 0 <= figures.error <= 1
    assert sum(bin_.n for bin_ in figures.reliability) == metrics.n_test
    assert metrics.parity_max_diff < 1e-3, "the temperature is inside of the saved model"


@pytest.mark.parametrize("kind", ["frozen", "tuned"])
def test_a_run_leaves_photos_that_new_ones_are_held_against(kind: str) -> None:
    run = trained(kind)
    reference, figures = ood.load_reference(run.folder), run.metrics.unlike
    assert reference is not None
    assert figures.photos == len(reference)
    tested = set(pd.read_parquet(run.folder / "predictions.parquet")["path"])
    assert not tested & set(reference.paths), "test photos are no part of it"
    assert (figures.accepted is None) == (kind == "tuned"), "its backbone saw every class"
    predictor, dataset = Predictor(run), open_dataset(run.config.dataset)
    path = reference.paths[3]
    image = decode_photo(dataset.photo_path(path), size=predictor.size).image
    pooled = predictor.run(image[None]).pooled
    assert pooled is not None
    nearest = reference.similar(pooled[0], 1)[0]
    assert nearest.path == path, "new photos are looked at through the same network"
    assert nearest.similarity == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize("kind", ["frozen", "tuned"])
def test_a_photo_of_something_else_is_told_whatever_learned(kind: str) -> None:
    run = trained(kind)
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    strange = io.BytesIO()
    Image.fromarray(noise).save(strange, "PNG")
    known = open_dataset(run.config.dataset).photo_path(
        str(pd.read_parquet(run.folder / "predictions.parquet")["path"].iloc[0])
    )
    told = predict(run, [("noise.png", strange.getvalue()), known])
    assert [one.unlike for one in told] == [True, False]


def test_a_head_is_calibrated_by_what_it_said_of_other_photos() -> None:
    from translearn_core.graph.assembly import build_head
    from translearn_core.run_settings import Settings

    head = build_head(8, 3, Settings(hidden_units=5))
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (3000, 3))
    labels = np.array([rng.choice(3, p=row) for row in calibration.softmax(logits)])
    too_sure = calibration.softmax(3 * logits).astype(np.float32)
    features = rng.normal(size=(4, 8)).astype(np.float32)
    before = np.asarray(head(features))
    temperature = calibrate(head, ValidationPredictions(probs=too_sure, labels=labels))
    assert temperature == pytest.approx(3.0, rel=0.1)
    assert np.allclose(
        np.asarray(head(features)), calibration.rescaled(before, temperature), atol=1e-6
    )


def test_without_validation_photos_confidence_stays_as_it_is() -> None:
    from translearn_core.graph.assembly import build_head
    from translearn_core.run_settings import Settings

    head = build_head(8, 3, Settings(hidden_units=5))
    none = ValidationPredictions(probs=np.empty((0, 3), np.float32), labels=np.empty(0, np.int64))
    assert calibrate(head, none) == 1.0
    assert none.accuracy is None
