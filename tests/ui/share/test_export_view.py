"""The page Export: each format is offered, made on demand, and says how it was checked."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from streamlit import config

from tests.support.app import assert_well, open_app, words
from tests.support.trained import copy_of, trained
from translearn_core.export import formats
from translearn_core.export.formats import Parity
from translearn_core.export.make import make_export
from translearn_core.export.page_server import network_address
from translearn_core.runs import JobState, Run
from translearn_ui.share import phones


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


def _finished(run: Run, name: str, *, label_changes: int = 0) -> None:
    """A finished export, as `make_export` leaves it."""
    row = formats.FORMATS[name]
    formats.folder_of(run).mkdir(parents=True, exist_ok=True)
    formats.zip_path(run, row).write_bytes(b"<!doctype html>")
    parity = Parity(
        format=name,
        runtime="test",
        photos=64,
        kinds={"drawn": 64},
        max_difference=0.1,
        label_changes=label_changes,
        difference_bar=1,
        agreement_bar=0.9,
        within=True,
        model_bytes=1,
        zip_bytes=15,
        created=0,
        stamp=formats.stamp_of(run),
    )
    (formats.folder_of(run) / f"{name}.json").write_text(parity.model_dump_json())


def test_other_answers_are_no_success(run: Run) -> None:
    _finished(run, "litert-int8", label_changes=2)
    _finished(run, "litert")
    told = [caption.value for caption in open_app("share", run=run.id).caption]
    assert [
        text for text in told if "other answers than the app's on 2" in text and "green" not in text
    ]
    assert [
        text
        for text in told
        if "the same answer as the app on every one" in text and "green" in text
    ]


def test_the_page_on_phones_needs_a_network(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _finished(run, "html")
    app = open_app("share", run=run.id)
    assert_well(app)
    assert "--server.address 0.0.0.0" in words(app)  # it is open to this machine alone
    assert not [button for button in app.button if button.key == "share_to_phones"]
    if network_address() is None:
        return
    before = config.get_option("server.address")
    config.set_option("server.address", "0.0.0.0")
    try:
        app = open_app("share", run=run.id)
        app.button(key="share_to_phones").click().run()
        assert_well(app)
        [link] = [text for text in words(app).splitlines() if "](http://" in text]
        address = link.rpartition("(")[2].removesuffix(")")
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.read() == b"<!doctype html>"
        app.button(key="share_no_more").click().run()
        assert app.button(key="share_to_phones")
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(address, timeout=10)
    finally:
        config.set_option("server.address", before)
        phones.server().unshare(formats.zip_path(run, formats.FORMATS["html"]))
        phones.server.cache_clear()
