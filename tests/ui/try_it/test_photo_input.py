"""Handing in photos to try a model on: which answer stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

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
