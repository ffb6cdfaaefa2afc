"""Runs that several test modules look at, each trained once for all of them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import draw_photos
from translearn_core import datasets, resolve, runs, worker
from translearn_core.config import make_settings
from translearn_core.datasets import Dataset
from translearn_core.runs import Run

TINY = {"backbone": "starter", "image_size": 32, "epochs": 8, "augmentation": "mirror"}


@lru_cache(maxsize=1)
def workspace() -> Path:
    """The workspace of these runs; it goes when the tests have ended."""
    folder = Path(tempfile.mkdtemp(prefix="translearn-trained-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def train(dataset: Dataset, **settings: Any) -> Run:
    """Train in this process."""
    chosen = resolve.resolve(make_settings(TINY | settings), dataset).settings
    run = runs.create_run(
        dataset.folder, chosen, dataset_name=dataset.name, fingerprint=dataset.fingerprint
    )
    worker.work(run)
    assert run.state.state == "finished", run.state.reason
    return run


@lru_cache(maxsize=2)
def trained(kind: str) -> Run:
    """A run on drawn photos: `frozen`, or `tuned` with its last block unfrozen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(workspace()))
        source = workspace() / "colours"
        if not source.is_dir():
            draw_photos(source, per_class=24, seed=5)
        dataset = datasets.import_source(source, in_place=True, check=False)
        if kind == "tuned":
            return train(dataset, freeze=-1, epochs=40, augmentation="none", head="linear")
        return train(dataset)


def copy_of(run: Run, folder: Path) -> Run:
    """A copy of a run that a test may change."""
    shutil.copytree(run.folder, folder)
    return Run(folder)
