"""A run whose test photos are of scenes that it learned from names no share of them, anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.app import assert_well, open_app, words
from tests.support.commands import call
from tests.support.trained import copy_of, trained
from translearn_core.export import program
from translearn_core.export.formats import FORMATS
from translearn_core.formatting import percent
from translearn_core.reports import model_card_text, result_text
from translearn_core.reports.report import report_html
from translearn_core.reports.techniques_text import compare_with_plain
from translearn_core.runs import Run
from translearn_core.runs.run_caveats import caveats_of
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import run_picker

pytestmark = pytest.mark.awkward

SAID = "in other scenes is not known"


def scene_run(workspace: Path, name: str) -> Run:
    """A run of the workspace; all of its test photos are later ones of scenes that it learned from."""
    run = copy_of(trained("frozen"), workspace / "runs" / name)
    file = run.folder / "metrics.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content |= {"n_test_same_scene": content["n_test"], "plain_test_accuracy": 0.5}
    content |= {"plain_test_correct": content["test_correct"] - 1}
    main = {key: content[key] for key in ("classes", "n_test", "test_correct", "test_accuracy")}
    content["tasks"] = [{"name": "colour", **main}, {"name": "tone", **main}]
    file.write_text(json.dumps(content), encoding="utf-8")
    return run


@pytest.fixture
def run(workspace: Path) -> Run:
    return scene_run(workspace, "first")


def share_of(run: Run) -> str:
    """The share of right answers as it would be written."""
    return percent(run.metrics.test_correct / run.metrics.n_test)


def test_a_file_that_names_a_share_is_read_without_it(run: Run) -> None:
    metrics = run.metrics
    assert metrics.tested_on_known_scenes
    assert (metrics.test_accuracy, metrics.plain_test_accuracy) == (None, None)
    assert (metrics.balanced_accuracy, metrics.test_interval) == (None, (0.0, 1.0))
    assert [task.test_accuracy for task in metrics.tasks] == [None, None]
    assert metrics.test_correct > 0
    assert metrics.per_class


@pytest.mark.parametrize("figures", [{"n_test_same_scene": "all", "n_test": 4}, {"n_test": None}])
def test_odd_figures_are_refused_as_any_other(figures: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="n_test"):
        RunMetrics.model_validate(figures)


def test_report_card_and_export_name_no_share(run: Run) -> None:
    html = report_html(run)
    assert SAID in html
    assert f"({share_of(run)})" not in html
    assert not any("interval" in text for text in model_card_text.limits(run))
    text = program.readme(run, FORMATS["openvino"], parity="")
    assert SAID in " ".join(text.split())
    assert f"({share_of(run)})" not in text


def test_plain_training_is_compared_by_counts(run: Run) -> None:
    assert compare_with_plain(None, run.metrics).startswith("1 more of")


def test_balanced_accuracy_is_not_said_either() -> None:
    per_class = [
        {"name": "a", "n_train": 40, "n_test": 12, "correct": 12, "recall": 1.0},
        {"name": "b", "n_train": 9, "n_test": 3, "correct": 3, "recall": 1.0},
    ]
    for known in (0, 15):
        metrics = RunMetrics.model_validate(
            {"n_test": 15, "n_test_same_scene": known, "test_correct": 15, "per_class": per_class}
        )
        assert any("balanced" in text for text in caveats_of(metrics)) is (known == 0)


def test_comparison_counts_and_names_no_share(run: Run, workspace: Path) -> None:
    other = scene_run(workspace, "second")
    done = call("compare", run.folder, other.folder, "--json")
    content = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [one["accuracy"] for one in content["runs"]] == [None, None]
    assert [one["test_accuracy"] for one in content["runs"]] == [None, None]
    assert all(one["correct"] for one in content["runs"])
    assert any(SAID in text for text in content["remarks"])
    printed = call("compare", run.folder, other.folder).stdout
    assert SAID in printed
    assert "%" not in printed


def test_pages_name_no_share(run: Run) -> None:
    assert "%" not in run_picker.describe_run(run)
    assert "%" not in "".join(result_text.result_sentence(run.metrics))
    app = open_app("results", run=run.id)
    assert_well(app)
    shown = "\n".join([words(app), *(element.proto.body for element in app.get("html"))])
    assert SAID in shown
    assert share_of(run) not in shown
    app = open_app("work")
    assert_well(app)
    assert share_of(run) not in words(app)
