"""Runs in a list: one line each, with the share that a run is known by."""

from __future__ import annotations

import json
from pathlib import Path

from translearn_core import runs
from translearn_core.atomic import write_atomically
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_ui.components import run_picker


def make_run(workspace: Path, **metrics: object) -> Run:
    run = runs.create_run(
        workspace / "datasets" / "fruit", Settings(backbone="starter"), dataset_name="fruit"
    )
    if metrics:
        write_atomically(run.folder / "metrics.json", json.dumps(metrics))
        run.model_path.write_bytes(b"model")
    return run


def test_a_run_is_written_in_one_line(workspace: Path) -> None:
    text = run_picker.describe_run(make_run(workspace, test_accuracy=0.93, n_test=100))
    assert text.startswith("fruit · 93 % · Starter · today ")


def test_a_run_without_a_figure_has_none(workspace: Path) -> None:
    assert "%" not in run_picker.describe_run(make_run(workspace))
    assert "%" not in run_picker.describe_run(make_run(workspace, test_accuracy=None, n_test=0))


def test_a_run_that_was_adapted_is_known_by_the_new_domain(workspace: Path) -> None:
    adaptation = {"tested_photos_seen": 0, "target_accuracy_after": 0.7}
    run = make_run(workspace, test_accuracy=0.93, n_test=100, adaptation=adaptation)
    assert "· 70 % ·" in run_picker.describe_run(run)
