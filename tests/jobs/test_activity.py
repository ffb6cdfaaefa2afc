"""What a teacher sees of a space: what is going on, and the newest result beside it."""

from __future__ import annotations

import json
from pathlib import Path

from translearn_core.jobs import activity
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, create_run


def trained(space: Path, *, right: int) -> Run:
    """A run that has ended with a result, as far as it is read here."""
    run = create_run(
        space / "datasets" / "fruit", Settings(backbone="starter"), dataset_name="fruit"
    )
    run.update_state(state="finished")
    run.model_path.write_bytes(b"model")
    (run.folder / "labels.json").write_text(json.dumps({"classes": ["a", "b"]}), encoding="utf-8")
    figures = {"classes": ["a", "b"], "n_test": 20, "test_correct": right}
    figures["test_accuracy"] = right / 20
    (run.folder / "metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    return run


def test_a_result_is_there_while_the_next_training_waits(workspace: Path) -> None:
    assert activity.newest_result_in(workspace) is None
    trained(workspace, right=5)
    best = trained(workspace, right=15)
    settings = Settings(backbone="starter")
    following = create_run(workspace / "datasets" / "fruit", settings, dataset_name="fruit")

    doing, result = activity.doing_in(workspace), activity.newest_result_in(workspace)
    assert doing is not None
    assert (doing.run.id, doing.accuracy) == (following.id, None)
    assert result is not None
    assert (result.run.id, result.accuracy) == (best.id, 0.75)
