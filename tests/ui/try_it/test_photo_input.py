"""Handing in photos to try a model on: which answer stays."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from translearn_core.prediction import predict
from translearn_ui.components import sample_tiles
from translearn_ui.try_it import prediction_view


def _page() -> None:
    from types import SimpleNamespace

    import streamlit as st

    from translearn_ui.try_it import photo_input

    run: Any = SimpleNamespace(id="run")
    photo_input.show(run, "photos")
    photo_input.show_samples(run)
    st.button("Something else", key="else")
    st.text(st.session_state.get(photo_input.RESULT_KEY, ("", ["nothing"]))[1][0])


def test_the_answer_to_a_test_photo_stays_though_a_photo_was_uploaded_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "seen.jpg"
    photo.write_bytes(b"photo")

    def show_samples(_run: Any, *, key: str, press: Any) -> None:
        if st.button("Ask", key=key):
            press({"file": "seen.jpg", "path": "seen", "truth": "cat"}, photo)

    monkeypatch.setattr(sample_tiles, "show_samples", show_samples)
    monkeypatch.setattr(prediction_view, "ask", lambda _run, photos: [photos[0][0]])
    app = AppTest.from_function(_page).run()
    app.file_uploader[0].upload("1000012", b"photo").run()  # a name that phones give
    assert app.text[0].value == "1000012"
    app.button(key="try_tiles").click().run()
    assert app.text[0].value == "seen.jpg"
    app.button(key="else").click().run()
    assert not app.exception
    assert app.text[0].value == "seen.jpg"


def test_a_file_that_is_too_large_is_refused_and_let_go(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"photo_bytes": 1000}')
    monkeypatch.setattr(sample_tiles, "show_samples", lambda *_args, **_more: None)
    app = AppTest.from_function(_page).run()
    app.file_uploader[0].upload("film.bin", b"x" * 1001).run()
    assert not app.exception
    assert "film.bin" in app.text[0].value
    assert "too large" in app.text[0].value
    assert not app.file_uploader[0].value


def test_of_a_batch_the_content_is_kept_where_there_is_an_answer(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"photo_bytes": 1000}')
    monkeypatch.setattr(prediction_view, "_picture", lambda *_args: None)
    monkeypatch.setattr(
        predict,
        "predict",
        lambda _run, photos: (
            predict.Prediction(file=name, error="It is no photo." if name == "text" else None)
            for name, _content in photos
        ),
    )

    def unread() -> bytes:
        raise AssertionError("it is too large to be read")

    handed = [
        ("text", 3, lambda: b"abc"),
        ("large", 1001, unread),
        ("photo", 2, lambda: b"ab"),
        ("larger", 1002, unread),
    ]
    run: Any = None
    task: Any = SimpleNamespace(cancelled=False, report=lambda *_args: None)
    found = prediction_view._ask_many(run, iter(handed), 4, task)
    assert [one.prediction.file for one in found] == ["text", "large", "photo", "larger"]
    assert [one.content for one in found] == [None, None, b"ab", None]
    large = ["too large" in (one.prediction.error or "") for one in found]
    assert large == [False, True, False, True]
