"""Which runs are held against each other when nobody has chosen any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.app import open_app
from translearn_core import runs
from translearn_core.run_settings import Settings
from translearn_core.runs import Run


def finished(home: Path, dataset: str, *classes: str) -> Run:
    """A run that has ended with a result, as far as the choice reads it."""
    settings = Settings(backbone="starter")
    run = runs.create_run(home / "datasets" / dataset, settings, dataset_name=dataset)
    run.update_state(state="finished")
    run.model_path.write_bytes(b"model")
    (run.folder / "labels.json").write_text(json.dumps({"classes": classes}), encoding="utf-8")
    figures = {"classes": classes, "n_test": 20, "test_correct": 15, "test_accuracy": 0.75}
    (run.folder / "metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    return run


def chosen(**query: str) -> list[str]:
    return list(open_app("compare", **query).session_state["compare_runs"])


def test_runs_that_fit_each_other_are_chosen(workspace: Path) -> None:
    old = finished(workspace, "fruit", "apples", "pears", "plums")
    other = finished(workspace, "orchard", "apples", "pears")
    finished(workspace, "birds", "owls", "jays")
    assert chosen() == [other.id, old.id]
    again = finished(workspace, "fruit", "apples", "pears", "plums")
    assert chosen() == [again.id, old.id], "the same photos come first"
    assert chosen(run=other.id) == [other.id, again.id]


@pytest.mark.parametrize("named", [True, False])
def test_nothing_is_compared_that_has_no_class_in_common(workspace: Path, named: bool) -> None:
    finished(workspace, "fruit", "apples", "pears")
    birds = finished(workspace, "birds", "owls", "jays")
    app = open_app("compare", **({"run": birds.id} if named else {}))
    assert not app.error
    assert list(app.session_state["compare_runs"]) == ([birds.id] if named else [])
