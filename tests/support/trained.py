"""Runs that several test modules look at, each trained once for all processes of the session.

Who changes a run, or its data set, takes a copy.
"""

from __future__ import annotations

import json
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.patches import Box, draw_patches
from tests.support.photos import draw_photos
from tests.support.session import made_once
from tests.support.small_backbone import SMALL
from translearn_core import datasets, runs, worker
from translearn_core.datasets import Dataset
from translearn_core.recipe import resolve
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run

TINY = {"backbone": SMALL, "image_size": 32, "epochs": 8, "augmentation": "mirror"}
"""For `train`, in modules that use the fixture `small_backbone`."""
KINDS: dict[str, dict[str, Any]] = {
    "frozen": {"backbone": "starter"},
    "small": {},
    "tuned": {
        "backbone": "starter",
        "freeze": -1,
        "epochs": 20,
        "augmentation": "none",
        "head": "linear",
    },
}
"""`frozen`: only the head learned; `small`: likewise, for modules that use the fixture
`small_backbone` and look at the run in their own process; `tuned`: the last block was unfrozen."""


def train(dataset: Dataset, **settings: Any) -> Run:
    """Train in this process."""
    chosen = resolve.resolve(make_settings(TINY | settings), dataset).settings
    run = runs.create_run(
        dataset.folder, chosen, dataset_name=dataset.name, fingerprint=dataset.fingerprint
    )
    worker.work(run)
    assert run.state.state == "finished", run.state.reason
    return run


def trained_photos() -> Path:
    """The drawn photos that `trained` runs learned from and were tested on, 24 of each class."""
    return made_once("colours", _draw_colours) / "photos"


def _draw_colours(folder: Path) -> None:
    draw_photos(folder / "photos", per_class=24, seed=5)


@lru_cache(maxsize=len(KINDS))
def trained(kind: str) -> Run:
    """A run on drawn photos, one of `KINDS`; only to be looked at."""
    photos = trained_photos()

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRANSLEARN_HOME", str(folder))
            dataset = datasets.import_source(photos, in_place=True, check=False)
            train(dataset, **KINDS[kind])

    return _only_run(made_once(f"trained-{kind}", make))


@lru_cache(maxsize=1)
def trained_on_patches() -> tuple[Run, dict[Path, Box]]:
    """A run on photos that one patch decides, and new photos with the place of that patch."""

    def make(folder: Path) -> None:
        draw_patches(folder / "photos", per_class=40, side=96, patch=30, seed=1)
        boxes = draw_patches(folder / "new", per_class=34, side=96, patch=30, seed=2)
        written = {str(path): box for path, box in boxes.items()}
        (folder / "boxes.json").write_text(json.dumps(written), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRANSLEARN_HOME", str(folder))
            dataset = datasets.import_source(folder / "photos", in_place=True, check=False)
            wanted = {"backbone": "starter", "image_size": 96, "epochs": 12, "hidden_units": 128}
            settings = resolve.resolve(make_settings(wanted), dataset).settings
            run = runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint)
            worker.work(run)
        assert run.state.reason == ""

    folder = made_once("trained-patches", make)
    boxes = json.loads((folder / "boxes.json").read_text(encoding="utf-8"))
    return _only_run(folder), {Path(path): tuple(box) for path, box in boxes.items()}


def _only_run(workspace: Path) -> Run:
    (folder,) = (workspace / "runs").iterdir()
    return Run(folder)


def copy_of(run: Run, folder: Path) -> Run:
    """A copy of a run that a test may change."""
    shutil.copytree(run.folder, folder)
    return Run(folder)


def copy_with_dataset(run: Run, folder: Path) -> Run:
    """A copy of a run, `<folder>/run`, with a copy of its data set: a test may change both."""
    dataset = shutil.copytree(run.config.dataset, folder / "dataset")
    copy = copy_of(run, folder / "run")
    config = run.config.model_copy(update={"dataset": str(dataset)})
    (copy.folder / "config.json").write_text(config.model_dump_json(), encoding="utf-8")
    return Run(copy.folder)
