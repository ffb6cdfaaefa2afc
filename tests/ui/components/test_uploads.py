"""What was uploaded is let go once it has been taken over."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    """Takes over what is uploaded, as pages do, and notes what the server keeps then."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from translearn_ui.components import uploads

    def held() -> int:
        context = get_script_run_ctx()
        assert context is not None
        storage = context.uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
        return sum(len(file.data) for files in storage.values() for file in files.values())

    box = uploads.Box("test")
    given = st.file_uploader("Photos", key=box.key, accept_multiple_files=st.session_state.several)
    if given:
        before = held()
        box.empty()
        taken = list(given) if isinstance(given, list) else [given]
        st.session_state.seen = (before, held(), [upload.getvalue() for upload in taken])


@pytest.mark.parametrize("several", [False, True])
def test_an_upload_is_not_kept_once_its_box_was_emptied(several: bool) -> None:
    app = AppTest.from_function(page, default_timeout=30)
    app.session_state.several = several
    app.run()
    app.file_uploader[0].upload("photos.zip", b"x" * 5000, "application/zip").run()
    assert not app.exception
    before, after, content = app.session_state.seen
    assert (before, after) == (5000, 0)
    assert content == [b"x" * 5000], "who works with it still has it"
    assert not app.run().file_uploader[0].value
