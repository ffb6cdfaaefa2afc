"""The live view and the results page on run folders with real event files, in every state."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from streamlit.testing.v1 import AppTest

from translearn_core import runs
from translearn_core.atomic import write_atomically
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_ui.components import named_tabs
from translearn_ui.components.run_progress import RunProgress
from translearn_ui.results import tabs
from translearn_ui.training import run_words

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own for each test."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def make_run(workspace: Path, *, freeze: Any = "all") -> Run:
    return runs.create_run(
        workspace / "datasets" / "fruit",
        Settings(backbone="mobilenet_v2_035", freeze=freeze),
        dataset_name="fruit",
    )


def bring_to_life(run: Run, stage: str, **changes: Any) -> None:
    """Let this test's own process stand for the worker."""
    me = psutil.Process()
    run.update_state(
        state="running",
        stage=stage,
        pid=os.getpid(),
        pid_started=me.create_time(),
        heartbeat=time.time(),
        started_at=time.time() - 5,
        **changes,
    )
    run.append_event("state", state="running", stage=stage)


def append_epoch(run: Run, number: int, *, phase: str = "head", val_loss: float = 0.5) -> None:
    run.append_event(
        "epoch",
        phase=phase,
        epoch=number,
        epochs=20,
        loss=0.4,
        accuracy=0.9,
        val_loss=val_loss,
        val_accuracy=0.86,
        seconds=1.5,
        left_s=30.0,
        learning_rate=1e-3,
    )


def _class_row(name: str, *, found: int, answered: int) -> dict[str, Any]:
    """A row of `per_class`; a class that was never predicted has no precision."""
    precision = found / answered if answered else None
    return {
        "name": name,
        "n_test": 50,
        "correct": found,
        "answered": answered,
        "precision": precision,
        "recall": found / 50,
        "f1": None,
    }


def finish(run: Run) -> None:
    """Leave what a finished run leaves, as far as the pages read it."""
    run.update_state(state="finished", stage="", finished_at=time.time())
    run.append_event("state", state="finished", stage="")
    run.model_path.write_bytes(b"model")
    write_atomically(run.folder / "labels.json", '{"classes": ["apples", "pears"]}')
    metrics = {
        "classes": ["apples", "pears"],
        "test_correct": 86,
        "n_test": 100,
        "n_train": 300,
        "n_val": 60,
        "test_accuracy": 0.86,
        "test_interval": [0.78, 0.91],
        "majority_accuracy": 0.5,
        "confusion": [[46, 4], [10, 40]],
        "per_class": [
            _class_row("apples", found=46, answered=56),
            _class_row("pears", found=40, answered=0),
        ],
        "frozen_layers": 154,
        "total_layers": 154,
        "trainable_weights": 2562,
        "epochs_run": 12,
        "seconds": {"total": 21.0},
        "device": "CPU",
        "parity_max_diff": 1e-6,
        "warnings": [],
    }
    write_atomically(run.folder / "metrics.json", pd.Series(metrics).to_json())
    rows = [
        ("a.jpg", "apples/a.jpg", "apples", "pears", 0.97, False),
        ("b.jpg", "pears/b.jpg", "pears", "pears", 0.6, True),
    ]
    names = ["path", "file", "truth", "label", "confidence", "correct"]
    pd.DataFrame(rows, columns=names).to_parquet(run.folder / "predictions.parquet")


def open_page(page: str, run: Run) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["run"] = run.id
    app.run()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """All that the page says, HTML included, with each space as a plain one."""
    said = []
    for kind in (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "warning",
        "error",
        "info",
        "html",
    ):
        said += [
            str(element.value if kind != "html" else element.proto.body)
            for element in app.get(kind)
        ]
    return "\n".join(said).replace("\N{NO-BREAK SPACE}", " ")


def labels(app: AppTest) -> dict[str, str]:
    return {button.key: button.label for button in app.button if button.key}


# --- progress read from events ----------------------------------------------------------------


def test_progress_reads_on_from_where_it_was(workspace: Path) -> None:
    run, progress = make_run(workspace), RunProgress()
    append_epoch(run, 1)
    progress.read_on(run)
    before = progress.offset
    append_epoch(run, 2)
    progress.read_on(run)

    assert [epoch["epoch"] for epoch in progress.epochs] == [1, 2]
    assert progress.offset > before


def test_progress_leaves_half_a_line_for_later(workspace: Path) -> None:
    run, progress = make_run(workspace), RunProgress()
    with (run.folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"t": 1, "kind": "warning", "te')
        file.flush()
        progress.read_on(run)
        assert progress.warnings == []
        file.write('xt": "little memory"}\n')
    progress.read_on(run)

    assert progress.warnings == ["little memory"]


def test_progress_of_a_phase_that_began_again_is_told_once(workspace: Path) -> None:
    run, progress = make_run(workspace), RunProgress()
    for number in (1, 2, 3, 1, 2):
        append_epoch(run, number)
    progress.read_on(run)

    assert [epoch["epoch"] for epoch in progress.epochs] == [1, 2]


def test_kept_round_is_the_best_of_the_latest_phase(workspace: Path) -> None:
    run, progress = make_run(workspace), RunProgress()
    append_epoch(run, 1, val_loss=0.1)
    append_epoch(run, 2, phase="fine_tune", val_loss=0.4)
    append_epoch(run, 3, phase="fine_tune", val_loss=0.6)
    progress.read_on(run)

    assert progress.best is not None
    assert progress.best["epoch"] == 2


# --- the page in every state ---------------------------------------------------------------


def test_queued_run_says_its_place(workspace: Path) -> None:
    bring_to_life(make_run(workspace), "head")
    run = make_run(workspace)

    app = open_page("train", run)

    assert "1 training or search is ahead of this one" in words(app)
    assert "live_stop" in labels(app)
    assert run_words.what_now(make_run(workspace), run.state, RunProgress())[0] == (
        "Waiting: 2 trainings or searches are ahead of this one."
    )


def test_queued_run_with_nothing_before_it_is_starting(workspace: Path) -> None:
    assert "Starting" in words(open_page("train", make_run(workspace)))


def test_looking_at_photos_tells_count_rate_and_time(workspace: Path) -> None:
    run = make_run(workspace)
    bring_to_life(run, "features", device="CPU, 2 cores", memory_bytes=812_000_000)
    run.append_event("progress", stage="features", done=812, total=2527, per_s=91.0, left_s=14.9)

    said = words(open_page("train", run))

    assert "Looking at photo 812 of 2,527" in said
    assert "91 photos/s" in said
    assert "s left" in said
    assert "CPU, 2 cores" in said
    assert "812 MB of memory" in said


def test_learning_shows_curves_best_and_time_left(workspace: Path) -> None:
    run = make_run(workspace)
    bring_to_life(run, "head")
    for number in (1, 2, 3):
        append_epoch(run, number)
    run.append_event("warning", text="Memory ran out; going on with batches of 16 photos.")

    app = open_page("train", run)

    assert "round 3 of at most 20" in words(app)
    assert "86 %" in words(app)
    assert "batches of 16 photos" in words(app).replace("\\", "")
    assert words(app).count('data-points="3"') == 2


def test_stop_is_asked_first_and_force_offered_then(workspace: Path) -> None:
    run = make_run(workspace)
    bring_to_life(run, "head")
    app = open_page("train", run)
    assert "live_force" not in labels(app)

    app.button(key="live_stop").click().run()

    assert run.stop_requested
    assert "live_force" in labels(app)
    assert "live_stop" not in labels(app)
    assert "Stopping" in words(app)


def test_finished_run_says_its_result_and_the_next_step(workspace: Path) -> None:
    run = make_run(workspace)
    append_epoch(run, 1)
    finish(run)

    app = open_page("train", run)

    assert "Right on 86 of 100 new photos (86 %)." in words(app)
    assert "95 % confidence interval for photos like these: 78 – 91 %" in words(app)
    assert "live_results" in labels(app)
    assert len(app.get("plotly_chart")) == 2


def test_lost_run_shows_its_log_and_a_way_on(workspace: Path) -> None:
    run = make_run(workspace)
    (run.folder / "log.txt").write_text("Loading\nKilled", encoding="utf-8")
    run.update_state(state="running", pid=2**22 + 1, pid_started=1.0, heartbeat=1.0, queued_at=1.0)

    app = open_page("train", run)

    assert "This training is lost" in words(app)
    assert "Killed" in app.code[0].value
    assert labels(app)["live_again"] == "Start again"


def test_start_again_on_photos_that_are_gone_is_answered_with_a_sentence(workspace: Path) -> None:
    run = make_run(workspace)
    run.update_state(state="failed", reason="Too little memory.", finished_at=time.time())
    app = open_page("train", run)
    assert "Too little memory" in words(app).replace("\\", "")

    app.button(key="live_again").click().run()

    assert not app.exception
    assert app.error
    assert "foresee" not in words(app)


def test_stopped_run_without_a_result_leads_back(workspace: Path) -> None:
    run = make_run(workspace)
    run.update_state(state="stopped", reason="Stopped before it began.", finished_at=time.time())

    app = open_page("train", run)

    assert "Stopped before it began." in words(app).replace("\\", "")
    assert "live_set_up" in labels(app)


# --- results -------------------------------------------------------------------------------


def test_results_begin_with_one_sentence_and_show_every_part(workspace: Path) -> None:
    run = make_run(workspace)
    append_epoch(run, 1)
    finish(run)

    app = open_page("results", run)

    said = words(app)
    assert "Right on 86 of 100 new photos (86 %)." in said
    assert "Most often mixed up: pears taken for apples" in said.replace("\\", "")
    assert "46 of its 50 photos were found" in said
    assert "it was never predicted" in said
    assert "When to say" in said
    assert "Confidence is calibrated" in said or "was not calibrated" in said
    drawn = ["matrix", "threshold", "reliability", "accuracy by round", "loss by round"]
    assert len(app.get("plotly_chart")) == len(drawn)
    assert app.dataframe


@pytest.mark.parametrize("name", tabs.TABS)
def test_a_tab_of_a_result_can_be_linked(workspace: Path, name: str) -> None:
    run = make_run(workspace)
    finish(run)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["run"], app.query_params[named_tabs.QUERY] = run.id, name
    app.run()
    app.switch_page("pages/results.py").run()
    assert not app.exception
    group = app.get("tab_container")[0]
    assert group.proto.tab_container.default_tab_index == list(tabs.TABS).index(name)


def test_the_boxes_above_the_photos_choose_a_cell_of_the_matrix(workspace: Path) -> None:
    run = make_run(workspace)
    finish(run)
    app = open_page("results", run)
    matrix = app.get("plotly_chart")[0]
    assert "shapes" not in json.loads(matrix.proto.spec)["layout"]

    app.selectbox(key="results_truth").set_value("apples").run()
    app.selectbox(key="results_answer").set_value("pears").run()

    said = words(app)
    assert "1 photo of apples, taken for pears" in said
    cell = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["shapes"][0]
    assert (cell["x0"], cell["y0"]) == (0.5, -0.5)

    app.selectbox(key="results_truth").set_value("pears").run()
    assert app.session_state["results_which"] == "right"
    assert "1 photo of pears, found" in words(app)
    app.button(key="results_cell_close").click().run()
    assert not app.session_state["results_truth"]


def test_few_test_photos_are_said_to_say_little(workspace: Path) -> None:
    run = make_run(workspace)
    finish(run)
    assert "say little" not in words(open_page("results", run))
    few = {"n_test": 6, "test_correct": 5, "test_accuracy": 5 / 6, "test_interval": [0.44, 0.97]}
    write_atomically(run.folder / "metrics.json", json.dumps(run.metrics.as_dict() | few))
    assert "say little" in words(open_page("results", run))


def test_results_without_test_photos_say_so(workspace: Path) -> None:
    run = make_run(workspace)
    finish(run)
    untested = {"n_test": 0, "test_correct": 0, "test_accuracy": None, "majority_accuracy": None}
    content = run.metrics.as_dict() | untested | {"test_interval": [0, 1]}
    write_atomically(run.folder / "metrics.json", json.dumps(content))
    app = open_page("results", run)
    assert "No photos were left for a test." in words(app)
    assert "95 % confidence interval" not in words(app)


def test_results_without_a_run_say_what_to_do(workspace: Path) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/results.py").run()

    assert not app.exception
    assert "No result yet" in words(app)


def test_results_switch_between_runs(workspace: Path) -> None:
    first, second = make_run(workspace), make_run(workspace)
    finish(first)
    finish(second)
    app = open_page("results", second)

    app.selectbox(key="results_run").set_value(first.id).run()

    assert not app.exception
    assert app.query_params["run"] == first.id
