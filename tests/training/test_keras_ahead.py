"""What is made while photos are looked at: it changes no digit, and where it fails that is said."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from tests.support.photos import SHARED
from translearn_core import datasets, runs, worker
from translearn_core.backbones import BACKBONES
from translearn_core.datasets import Dataset
from translearn_core.features.extractor import FeatureExtractor
from translearn_core.fitting import fit
from translearn_core.fitting.data import gather_training_data
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.graph.keras_file import can_be_written
from translearn_core.graph.saving import load_model
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run
from translearn_core.training.keras_ahead import Ahead
from translearn_core.training.save import Clock
from translearn_core.training.train import learn

OPENED = """
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from translearn_core import datasets
from translearn_core.backbones import BACKBONES
from translearn_core.backbones.weights import weights_status
from translearn_core.features.extractor import POOLED, Engines, FeatureExtractor
from translearn_core.graph.engine import bfloat16_pays
from translearn_core.graph.recorded import has_record
from translearn_core.training.keras_ahead import import_for_pass

def compiled():
    files = {name: getattr(one, "__file__", None) or "" for name, one in sys.modules.items()}
    return {name for name, file in files.items() if file.endswith(tuple(EXTENSION_SUFFIXES))}

dataset = datasets.import_source(Path(sys.argv[1]), in_place=True, check=False)
bfloat16_pays()
import_for_pass()
before = compiled()
for backbone in BACKBONES.values():
    if not has_record(backbone) or weights_status(backbone).state != "ready":
        continue
    look = FeatureExtractor(dataset=dataset, backbone=backbone, size=64)
    Engines(look).output(POOLED, 0).open_engine()
print(sorted(compiled() - before))
"""
ROOT = Path(__file__).parents[2]
STARTER = BACKBONES["starter"]
BY_RECORD = {"backbone": "starter", "augmentation": "none", "epochs": 2, "hidden_units": 16}


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path) -> Dataset:
    if not can_be_written(STARTER):
        pytest.skip("another version of Keras than the recorded one makes no head ahead")
    return datasets.import_source(colour_photos, in_place=True, check=False)


def test_opening_an_engine_imports_nothing_compiled_beside_tensorflow(
    workspace: Path, colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold all threads up while the libraries of TensorFlow are loaded. With all weights that
    are at hand: other files are read otherwise."""
    if (SHARED / "weights").is_dir():
        monkeypatch.setenv("KERAS_HOME", str(SHARED / "weights"))
    program = [sys.executable, "-c", OPENED, str(colour_photos)]
    opened = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    assert opened.stdout == "[]\n"


def new_run(dataset: Dataset, **changes: Any) -> Run:
    settings = make_settings(BY_RECORD | changes)
    return runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint)


def fail(*_given: Any, **_named: Any) -> NoReturn:
    raise RuntimeError("there is no making it")


def weights_of(plan: Plan, head: Any) -> list[np.ndarray]:
    data = gather_training_data(plan, SILENT)
    found: list[np.ndarray] = learn(plan, data, SILENT, Clock(), head=head).head.get_weights()
    return found


@pytest.mark.parametrize("kind", ["auto", "linear", "hidden"])
def test_a_head_made_ahead_learns_what_one_made_in_its_turn_does(
    dataset: Dataset, kind: str
) -> None:
    plan = make_plan(new_run(dataset, head=kind))
    made = Ahead(plan).made(lambda: False)
    assert made.head is not None
    assert made.network is None
    for one, other in zip(weights_of(plan, made.head), weights_of(plan, None), strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_the_head_cannot_be_made_ahead_the_log_says_so_and_the_run_is_the_same(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs_made = []
    for fails in (False, True):
        run = new_run(dataset)
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            if fails:
                patch.setattr(fit, "make_ready", fail)
            worker.work(run)
        assert run.state.state == "finished", run.state.reason
        said = [record for record in caplog.records if "made ahead" in record.message]
        assert len(said) == fails
        runs_made.append(run)
    assert said[0].exc_info is not None
    assert "there is no making it" in str(said[0].exc_info[1])
    one, other = (load_model(run.model_path).get_weights() for run in runs_made)
    for before, after in zip(one, other, strict=True):
        np.testing.assert_array_equal(before, after)


def test_where_the_backbone_cannot_be_built_ahead_the_log_says_so_and_the_run_why_not(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For photos of 32 px no answers of Keras are known: it is asked, and has to build the network."""
    run = new_run(dataset, image_size=32)
    monkeypatch.setattr(FeatureExtractor, "build_network", fail)
    with caplog.at_level(logging.ERROR):
        worker.work(run)
    assert run.state.state == "failed"
    assert [record.exc_info is None for record in caplog.records if "ahead" in record.message] == [
        False
    ]
