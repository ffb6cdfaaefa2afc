"""metrics.json as one model: what is given is kept, what is missing has defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from translearn_core import runs
from translearn_core.errors import RunError
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_core.runs.run_caveats import caveats_of, same_scene
from translearn_core.runs.run_metrics import RunMetrics

FILE = {
    "n_test": 10,
    "test_accuracy": None,
    "test_interval": [0.0, 1.0],
    "seconds": {"import": 1.5, "later": 2.0},
    "tasks": [{"name": "colour", "n_test": 10}, {"name": "tone", "n_test": 0}],
    "of_a_later_version": {"a": [1]},
}


def run_with(workspace: Path, content: object) -> Run:
    run = runs.create_run(workspace / "datasets" / "fruit", Settings(backbone="starter"))
    (run.folder / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
    return run


def test_a_file_is_read_and_written_with_its_own_keys(workspace: Path) -> None:
    again = run_with(workspace, FILE).metrics.as_dict()
    assert json.loads(json.dumps(again)) == FILE


def test_keys_that_a_file_lacks_have_defaults(workspace: Path) -> None:
    metrics = run_with(workspace, FILE).metrics
    assert (metrics.accuracy, metrics.guessing) == (0.0, 0.0)
    assert (metrics.seconds.import_, metrics.seconds.total) == (1.5, 0.0)
    assert [task.name for task in metrics.further_tasks] == ["tone"]
    assert metrics.calibration is None
    assert RunMetrics().further_tasks == []


def test_a_file_of_other_types_is_refused(workspace: Path) -> None:
    run = run_with(workspace, {"n_test": "many"})
    with pytest.raises(RunError, match=r"metrics\.json cannot be read"):
        _metrics = run.metrics


@pytest.mark.parametrize(
    ("refused", "interval", "is_said"),
    [(0.30, (0.22, 0.39), True), (0.05, (0.02, 0.11), False), (0.0, (0.0, 0.03), True)],
)
def test_a_share_of_refusals_other_than_meant_is_said(
    refused: float, interval: tuple[float, float], is_said: bool
) -> None:
    unlike = {"threshold": 0.1, "wanted": 0.05, "refused": refused, "n_test": 100}
    metrics = RunMetrics.model_validate(
        {"n_test": 100, "unlike": unlike | {"refused_interval": interval}}
    )
    told = [text for text in caveats_of(metrics) if "something else" in text]
    assert bool(told) is is_said
    if is_said:
        assert f"{round(100 * refused)} %" in told[0]
        assert "where 5 % was meant" in told[0]


@pytest.mark.parametrize(("of_the_scene", "said"), [(0, False), (2, False), (3, True), (10, True)])
def test_no_share_is_named_where_many_test_photos_are_of_known_scenes(
    of_the_scene: int, said: bool
) -> None:
    metrics = RunMetrics(n_test=10, test_correct=10, n_test_same_scene=of_the_scene)
    sentence = same_scene(metrics)
    assert bool(sentence) is said
    assert "%" not in sentence
    assert not said or sentence.startswith(
        f"Right on 10 of 10 test photos, of which {of_the_scene}"
    )
