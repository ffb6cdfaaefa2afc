"""The page Export: each format is offered, made on demand, and says how it was checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.app import assert_well, open_app, words
from tests.support.trained import copy_of, trained
from translearn_core.export import formats
from translearn_core.export.make import make_export
from translearn_core.runs import JobState, Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A trained run in a workspace of the test's own."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "runs").mkdir(parents=True)
    return copy_of(trained("frozen"), tmp_path / "home" / "runs" / trained("frozen").id)


def _state(run: Run, name: str, **fields: object) -> None:
    """A state as the process that makes an export leaves it."""
    job = formats.job_of(run, formats.FORMATS[name])
    job.folder.mkdir(parents=True, exist_ok=True)
    job.write_state(JobState.model_validate(fields))


def test_every_format_is_offered_with_its_sentence(run: Run) -> None:
    app = open_app("share", run=run.id)
    assert_well(app)
    told = words(app)
    for row in formats.FORMATS.values():
        assert row.title in told or row.name == "html"  # that one has a heading of its own
        assert row.what in told
        assert app.button(key=f"make_{row.name}")


def test_what_is_ready_failed_or_impossible_says_so(run: Run) -> None:
    make_export(run, formats.FORMATS["openvino"], photos=16)
    _state(run, "onnx", state="failed", reason="The disk is full.")
    changed = run.config.model_copy(update={"dataset": "/nowhere"})
    (run.folder / "config.json").write_text(changed.model_dump_json(), encoding="utf-8")
    app = open_app("share", run=run.id)
    assert not app.exception
    assert "the same answer as the app on every one" in words(app)
    assert any("disk is full" in box.value for box in app.error)
    assert app.button(key="make_onnx").label == "Try again"
    assert "no longer here" in words(app)
    made = {button.key for button in app.button}
    assert "make_openvino" not in made
    assert "make_litert-int8" not in made


def test_a_process_that_is_gone_has_failed(run: Run) -> None:
    _state(run, "keras", state="running", pid=2**22 + 1, stage="Writing")
    (formats.folder_of(run) / "onnx.state.json").write_text('{"state": "running"}')  # of 0.1
    app = open_app("share", run=run.id)
    assert not app.exception
    assert any("ended before it was done" in box.value for box in app.error)
    assert app.button(key="make_onnx").label == "Make it"
