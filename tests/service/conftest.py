"""One service for all tests that only ask, and the photos that it is asked about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.support.service import Service, served
from tests.support.trained import trained
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.export.verify import gather_photos
from translearn_core.graph.convert import keep_one_output
from translearn_core.prediction.model_runner import head_path
from translearn_core.prediction.predict import open_predictor
from translearn_core.runs import Run
from translearn_core.runs.model_files import write_hashes
from translearn_core.runs.task_heads import save_heads


@dataclass(frozen=True)
class Asking:
    """A running service with its runs by name, and photos of every awkward kind."""

    service: Service
    runs: dict[str, Run]
    photos: list[Path]


def with_a_second_task(run: Run, folder: Path) -> Run:
    """A copy of a run with a head of random weights for a further task."""
    copy = Run(shutil.copytree(run.folder, folder))
    predictor = open_predictor(run)
    assert predictor.head is not None
    rng = np.random.default_rng(0)
    width = predictor.head.layers[0].kernel.shape[0]
    weights = rng.normal(0, 0.5, (width, 2)).astype(np.float32), np.zeros(2, np.float32)
    save_heads(copy.folder, [DenseHead.of_weights([weights], name="ripe?", classes=["no", "yes"])])
    write_hashes(copy.folder)
    return copy


def without_features(run: Run, folder: Path) -> Run:
    """A copy of a run whose model gives probabilities only, as some from elsewhere do."""
    copy = Run(shutil.copytree(run.folder, folder))
    keep_one_output(copy.openvino_path, copy.openvino_path)
    np.savez(head_path(copy.openvino_path), layers=np.array(0))
    write_hashes(copy.folder)
    return copy


@pytest.fixture(scope="session")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """A service on a frozen, a tuned, a multi-task run, and one without features."""
    folder = tmp_path_factory.mktemp("service")
    runs = {
        "frozen": trained("frozen"),
        "tuned": trained("tuned"),
        "tasks": with_a_second_task(trained("frozen"), folder / "two tasks"),
        "bare": without_features(trained("frozen"), folder / "bare"),
    }
    photos = [path for path, _kind in gather_photos(runs["frozen"], folder / "photos", most=20)]
    named = [f"{name}={run.folder}" for name, run in runs.items()]
    with served(folder / "process", *named, "--max-mb", "8", "--max-photos", "24") as service:
        yield Asking(service, runs, photos)
