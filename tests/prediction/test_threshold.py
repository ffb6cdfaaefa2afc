"""When an answer is sure: the kept threshold, what it does, and how predictions carry it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.trained import trained_on_patches
from translearn_core import cli
from translearn_core.datasets import decode_photo
from translearn_core.errors import SettingsError
from translearn_core.evaluation import ood
from translearn_core.prediction import predict
from translearn_core.runs import Run
from translearn_core.runs.model_files import write_hashes
from translearn_core.runs.threshold import (
    FILE,
    SURE_FROM,
    ConfidenceThreshold,
    read_threshold,
    threshold_effect,
    write_threshold,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A copy of the trained run, to be changed."""
    original, _new = trained_on_patches()
    return Run(shutil.copytree(original.folder, tmp_path / "run"))


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return list(trained_on_patches()[1])[::17]


def keep_reference(run: Run, photos: list[Path], *, threshold: float) -> None:
    """Give the run a reference of some photos, with a threshold of the test's own."""
    from translearn_core.datasets import decode_photo

    predictor = predict.Predictor(run)
    images = np.stack([decode_photo(path, size=predictor.size).image for path in photos])
    pooled = predictor.run(images).pooled
    assert pooled is not None
    ood.Reference(
        units=ood.unit_features(pooled),
        labels=np.zeros(len(photos), int),
        paths=[str(path) for path in photos],
        threshold=threshold,
    ).save(run.folder)


def test_a_threshold_is_kept_with_the_run_and_read_again(tmp_path: Path) -> None:
    assert read_threshold(tmp_path).sure_from == SURE_FROM
    write_threshold(tmp_path, ConfidenceThreshold(sure_from=0.8))
    assert read_threshold(tmp_path).sure_from == 0.8
    written = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert written == {"schema_version": 1, "sure_from": 0.8}


@pytest.mark.parametrize("content", ["", "{}", '{"sure_from": 7}', '{"sure_from": "high"}', "[]"])
def test_an_unreadable_decision_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    assert read_threshold(tmp_path) == ConfidenceThreshold()


def test_a_threshold_that_is_no_probability_is_refused() -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        ConfidenceThreshold(sure_from=1.5)


def test_refusing_trades_answers_for_mistakes() -> None:
    confidence = np.array([0.3, 0.4, 0.6, 0.9, 0.95])
    right = np.array([False, True, False, True, True])
    trade = threshold_effect(confidence, right, 0.5)
    assert (trade.refused, trade.avoided, trade.lost, trade.wrong) == (2, 1, 1, 1)
    assert trade.accuracy == pytest.approx(2 / 3)
    assert threshold_effect(confidence, right, 1.0).accuracy is None


def test_predictions_say_whether_they_are_sure(run: Run, photos: list[Path]) -> None:
    answers = list(predict.predict(run, photos))
    assert all(answer.sure is True for answer in answers if (answer.confidence or 0) >= 0.5)
    lowest = sorted(answer.confidence or 0.0 for answer in answers)
    middle = lowest[len(lowest) // 2]
    write_threshold(run.folder, ConfidenceThreshold(sure_from=middle))
    again = list(predict.predict(run, photos))
    assert [answer.sure for answer in again] == [
        (answer.confidence or 0.0) >= middle for answer in again
    ]
    assert [a.label for a in again] == [a.label for a in answers], "the label stays"


def test_a_run_without_a_reference_cannot_tell_what_is_unlike(run: Run, photos: list[Path]) -> None:
    (run.folder / ood.FILE).unlink(missing_ok=True)
    assert [answer.unlike for answer in predict.predict(run, photos[:2])] == [None, None]


def test_predictions_say_what_is_unlike_anything_seen(run: Run, photos: list[Path]) -> None:
    keep_reference(run, photos, threshold=0.2)
    write_hashes(run.folder)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (96, 96, 3), dtype=np.uint8)
    strange = run.folder / "noise.png"
    Image.fromarray(noise).save(strange)
    *known, odd = predict.predict(run, [*photos, strange])
    assert not any(answer.unlike for answer in known)
    assert odd.unlike is True


def test_a_photo_of_another_shape_is_told_and_so_is_a_shape_that_gave_classes_away(
    run: Run, photos: list[Path]
) -> None:
    wide = run.folder / "wide.png"
    Image.new("RGB", (128, 64), "red").save(wide)
    assert [one.other_shape for one in predict.predict(run, [photos[0], wide])] == [False, True]
    path = run.folder / "labels.json"
    labels = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(labels | {"told_by_shape": ["red"], "fit": "crop"}))
    [notice] = [text for text in predict.Predictor(run).notices if "shape" in text]
    assert "(red)" in notice
    labels.pop("aspect_ratios")
    path.write_text(json.dumps(labels))
    assert predict.Predictor(run).is_other_shape(decode_photo(wide, size=32).stats) is None


def test_the_command_line_carries_it_without_breaking_what_was_there(
    run: Run, capsys: Any, tmp_path: Path
) -> None:
    write_threshold(run.folder, ConfidenceThreshold(sure_from=1.0))
    everything = [str(path) for path in trained_on_patches()[1]]
    assert cli.main(["predict", str(run.folder), *everything, "--json"]) == 0
    rows = sorted(json.loads(capsys.readouterr().out), key=lambda row: row["confidence"])
    names = [row["file"] for row in rows[:2]]  # of many the model is as sure as a number can say
    assert {"file", "label", "confidence", "probabilities", "error", "sure", "unlike"} <= set(
        rows[0]
    )
    assert rows[0]["label"] in run.labels
    assert rows[0]["sure"] is False
    table = tmp_path / "answers.csv"
    assert cli.main(["predict", str(run.folder), *names, "--csv", str(table)]) == 0
    with table.open(encoding="utf-8-sig", newline="") as file:
        head, *lines = csv.reader(file)
    classes = [f"p({name})" for name in run.labels]
    assert head == [
        "file",
        "label",
        "confidence",
        *classes,
        "error",
        "sure",
        "unlike",
        "other_shape",
    ]
    assert lines[0][-3] == "no"
    assert cli.main(["predict", str(run.folder), *names]) == 0
    assert "Not sure. Closest: " in capsys.readouterr().out
