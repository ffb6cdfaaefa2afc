"""Whole runs on drawn and on real photos: what they leave, how they stop, how they fail."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.photos import draw_photos, shared_photos
from tests.support.small_backbone import SMALL
from translearn_core import datasets, runs, worker
from translearn_core.backbones import get_backbone
from translearn_core.datasets import Dataset
from translearn_core.features import cache
from translearn_core.features.extractor import POOLED
from translearn_core.fitting.data import gather_training_data
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import Monitor
from translearn_core.prediction.predict import predict
from translearn_core.recipe import resolve
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run
from translearn_core.techniques.learning import REFIT_PART
from translearn_core.training.save import Clock
from translearn_core.training.train import evaluate, learn

TINY = {"backbone": SMALL, "image_size": 32, "epochs": 6}
FINISHED = {"backbone": "starter", "image_size": 0, "epochs": 20, "seed": 3}
"""At its own size, for which Keras' answers are known."""
pytestmark = pytest.mark.usefixtures("small_backbone")


def import_labelled(source: Path, **options: Any) -> Dataset:
    return datasets.import_source(source, in_place=True, check=False, **options)


def train(dataset: Dataset, **settings: Any) -> Run:
    """Train in this process, with a tiny random backbone unless told otherwise."""
    chosen = resolve.resolve(make_settings(TINY | settings), dataset).settings
    run = runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint)
    worker.work(run)
    return run


def accuracy_unsaved(dataset: Dataset, **settings: Any) -> float:
    """The share of test photos that a run names right, without the time to save its model."""
    chosen = resolve.resolve(make_settings(TINY | settings), dataset).settings
    run = runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint)
    run.update_state(state="finished")  # else the next one waits for its turn
    plan = make_plan(run)
    data = gather_training_data(plan, Monitor())
    test = evaluate(plan, data, learn(plan, data, Monitor(), Clock()))
    return float((test.test.argmax(axis=1) == test.truth).mean())


def some_of(source: Path, folder: Path, *, most: int, every: int = 1) -> Path:
    """A folder with the first photos of every so many classes."""
    for one in sorted(source.iterdir())[::every]:
        (folder / one.name).mkdir(parents=True)
        for photo in sorted(one.iterdir())[:most]:
            shutil.copy(photo, folder / one.name)
    return folder


def events_of(run: Run, kind: str) -> list[dict[str, Any]]:
    return [event for event in run.events()[0] if event["kind"] == kind]


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path) -> Dataset:
    return import_labelled(colour_photos)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, colour_photos: Path) -> Iterator[Run]:
    """A run with a fresh cache that tests only look at; its workspace is the current one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(tmp_path_factory.mktemp("finished")))
        yield train(import_labelled(colour_photos), **FINISHED)


def test_a_run_leaves_all_that_is_promised(finished: Run) -> None:
    run = finished
    assert (run.state.state, run.state.reason) == ("finished", "")
    metrics = run.metrics
    assert not metrics.model_extra, "every key of the file has its field"
    assert metrics.classes == ["blue", "green", "red"]
    assert metrics.n_train + metrics.n_val + metrics.n_test == 48
    assert metrics.frozen_layers == metrics.total_layers > 10
    width = get_backbone("starter").features
    units = 1024 + 2 * 3  # those of the linear half are two for each class
    assert metrics.trainable_weights == width * units + units + units * 3 + 3
    assert metrics.parity_max_diff < 1e-3
    low, high = metrics.test_interval
    assert low <= metrics.test_accuracy <= high
    assert np.sum(metrics.confusion) == metrics.n_test
    assert set(metrics.seconds.as_dict()) == {"total", "import", "features", "head", "fine_tune"}
    assert run.labels == metrics.classes
    written = json.loads((run.folder / "config.json").read_text(encoding="utf-8"))
    assert written["settings"]["seed"] == metrics.settings["seed"] == 3
    predictions = pd.read_parquet(run.folder / "predictions.parquet")
    assert len(predictions) == metrics.n_test
    assert predictions["correct"].mean() == pytest.approx(metrics.test_accuracy)
    assert np.allclose(predictions[["p_0", "p_1", "p_2"]].sum(axis=1), 1.0, atol=1e-4)


def test_events_tell_the_stages_photos_and_epochs_in_order(finished: Run) -> None:
    run = finished
    stages = [event["stage"] for event in events_of(run, "state") if event["stage"]]
    assert stages == ["start", "features", "head", "refit", "evaluate", "save"]
    counted = events_of(run, "progress")
    last = [event for event in counted if event["stage"] == "features"][-1]
    assert (last["done"], last["total"]) == (48, 48)
    assert counted[-1]["stage"] == "refit"
    chosen = FINISHED["epochs"]  # of few photos all of them, shown mirrored, too
    assert counted[-1]["done"] == counted[-1]["total"] == math.ceil(chosen * REFIT_PART)
    epochs = events_of(run, "epoch")
    assert [event["epoch"] for event in epochs] == list(range(1, len(epochs) + 1))
    assert {event["epochs"] for event in epochs} == {chosen}
    assert len(epochs) == run.metrics.epochs_run <= chosen
    assert all(math.isfinite(event["loss"]) for event in epochs)


def test_colours_are_told_apart_on_the_test_and_on_new_photos(
    finished: Run, tmp_path: Path
) -> None:
    run = finished
    assert run.metrics.test_accuracy > 0.7
    new = draw_photos(tmp_path / "new", per_class=4, seed=99)
    (new / "red" / "broken.jpg").write_bytes(b"no photo")
    answers = list(predict(run, sorted(new.rglob("*.jpg"))))
    right = [Path(answer.file).parent.name == answer.label for answer in answers]
    assert sum(right) >= 10
    broken = next(answer for answer in answers if answer.file.endswith("broken.jpg"))
    assert broken.error
    assert broken.label is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"freeze": -2, "augmentation": "strong"},
        pytest.param(
            {"freeze": "none", "augmentation": "light", "weights": "random"},
            id="a random network, as a control",
        ),
    ],
)
def test_unfrozen_blocks_learn_and_the_saved_model_agrees(
    dataset: Dataset, settings: dict[str, Any]
) -> None:
    run = train(dataset, **settings)
    assert run.state.state == "finished"
    assert run.state.reason == ""
    metrics = run.metrics
    assert metrics.fine_tuned
    assert metrics.epochs_run <= 6
    assert {event["phase"] for event in events_of(run, "epoch")} == {"head", "fine_tune"}
    assert metrics.trainable_weights > get_backbone(SMALL).features * 1024 + 1024 * 4 + 3
    assert metrics.parity_max_diff < 0.02


@pytest.mark.slow
def test_without_room_in_the_cache_the_frozen_part_runs_in_every_epoch_and_that_is_said(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_CACHE_BYTES", "1000")
    cramped = train(dataset, freeze=1, augmentation="none", epochs=4)
    assert any("run again in every epoch" in text for text in cramped.metrics.warnings)
    assert cramped.metrics.parity_max_diff < 0.02
    assert cramped.metrics.cut_layer
    assert cache.cache_size_bytes() < 10_000_000


def test_a_second_run_starts_from_the_cache_and_the_same_seed_gives_the_same_result(
    finished: Run,
) -> None:
    dataset = datasets.open_dataset(Path(finished.config.dataset))
    again = train(dataset, **FINISHED)
    assert events_of(finished, "progress")
    assert {event["stage"] for event in events_of(again, "progress")} == {"refit"}
    assert again.metrics.photos_per_s is None
    tables = [pd.read_parquet(run.folder / "predictions.parquet") for run in (finished, again)]
    assert list(tables[0]["path"]) == list(tables[1]["path"])
    assert np.allclose(tables[0]["p_0"], tables[1]["p_0"], atol=1e-4)


def test_no_copy_of_a_test_photo_is_learned_from_and_unreadable_ones_are_named(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    source = shutil.copytree(colour_photos, tmp_path / "photos")
    for photo in sorted(source.rglob("*.jpg")):
        with Image.open(photo) as image:
            image.save(photo.with_name(f"copy-{photo.name}"), quality=80)
    (source / "red" / "torn.jpg").write_bytes((source / "red" / "000.jpg").read_bytes()[:300])
    run = train(import_labelled(source), refit=False)
    assert run.state.state == "finished"
    assert [row.file for row in run.metrics.left_out] == ["red/torn.jpg"]
    assert any("torn.jpg" in text for text in run.metrics.warnings)
    tested = {
        Path(path).stem.removeprefix("copy-") + Path(path).parent.name
        for path in pd.read_parquet(run.folder / "predictions.parquet")["path"]
    }
    assert run.metrics.n_test == 2 * len(tested), "both copies of a tested photo are tested"


def test_given_test_photos_are_the_test(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    kept = draw_photos(tmp_path / "kept", per_class=5, seed=7)
    dataset = import_labelled(colour_photos, test_source=kept)
    run = train(dataset, refit=False, augmentation="mirror", epochs=2)
    assert run.metrics.n_test == 15
    predictions = pd.read_parquet(run.folder / "predictions.parquet")
    assert all(str(kept.resolve()) in path for path in predictions["path"])
    look, photos = make_plan(run).extractor, datasets.open_dataset(dataset.folder).photos
    mirrored = cache.FeatureCache(look.key(POOLED, 1), root=look.root)
    known = [digest in mirrored for digest in photos["sha256"]]
    assert known == list(photos["split"] != "test"), "a test photo is mirrored for nothing"


def test_an_uneven_set_is_weighted_so_that_the_small_class_counts() -> None:
    from translearn_core.fitting.subsets import class_weights

    labels = np.array([0] * 90 + [1] * 10)
    weights = class_weights(labels, 2, balance=True)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    assert weights.mean() == pytest.approx(1.0)
    assert (class_weights(labels, 2, balance=False) == 1).all()
    counting = np.where(labels == 0, 0.1, 1.0)
    weighed = class_weights(labels, 2, True, counting) * counting
    assert weighed[labels == 0].sum() == pytest.approx(weighed[labels == 1].sum())


def test_a_stop_before_learning_keeps_nothing_and_says_so(dataset: Dataset) -> None:
    run = runs.create_run(dataset.folder, resolve.resolve(make_settings(TINY), dataset).settings)
    run.request_stop()
    assert worker.work(run) is False
    assert run.state.state == "stopped"
    assert not run.has_result


def test_a_vanished_data_set_fails_with_a_sentence(dataset: Dataset) -> None:
    run = runs.create_run(dataset.folder, resolve.resolve(make_settings(TINY), dataset).settings)
    datasets.delete_dataset(dataset)
    worker.work(run)
    assert run.state.state == "failed"
    assert run.state.reason
    assert "Traceback" not in run.state.reason


def test_the_article_head_and_every_setting_at_once_run(dataset: Dataset) -> None:
    run = train(
        dataset,
        head="hidden",
        hidden_units=16,
        dropout=0.1,
        label_smoothing=0.1,
        class_weighting=False,
        early_stopping=False,
        epochs=3,
        batch_size=4,
        validation_share=0.2,
        test_share=0.3,
    )
    assert run.state.reason == ""
    assert run.metrics.epochs_run == 3
    assert run.metrics.settings["hidden_units"] == 16


@pytest.mark.slow
def test_real_photos_reach_the_promised_accuracy(workspace: Path, shared_weights: Path) -> None:
    trash = import_labelled(shared_photos("trash"))
    real = {"backbone": "mobilenet_v2_035", "image_size": 0, "augmentation": "none"}
    run = train(trash, **real, epochs=25)
    assert run.metrics.test_accuracy >= 0.7, "0.78 on the mean of splits, which differ by 0.04"


@pytest.mark.slow
def test_unfreezing_two_blocks_of_a_real_backbone_does_no_harm(
    workspace: Path, shared_weights: Path, tmp_path: Path
) -> None:
    """On half of the classes of a real set, in small photos."""
    for part, most in {"train": 20, "test": 20}.items():
        some_of(shared_photos("flowers12", part), tmp_path / part, most=most, every=2)
    flowers = import_labelled(tmp_path / "train", test_source=tmp_path / "test")
    real = {
        "backbone": "mobilenet_v2_035", "image_size": 96, "epochs": 20, "augmentation": "mirror",
    }  # fmt: skip
    frozen = accuracy_unsaved(flowers, **real)
    tuned = accuracy_unsaved(flowers, freeze=-2, fine_tune_epochs=2, **real)
    assert frozen >= 0.8
    assert tuned >= frozen - 0.03
