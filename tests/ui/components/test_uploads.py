"""What was uploaded is let go once it has been taken over."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.drawing import draw_photo
from translearn_core import datasets


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


def photos_of_a_class(name: str) -> None:
    """The box of *Add photos*."""
    from translearn_core import datasets
    from translearn_ui.components import import_task
    from translearn_ui.photos import add_photos

    if not import_task.is_shown():
        task = add_photos._add_files(datasets.open_dataset(name), "leaf")
        if task is not None:
            import_task.begin(task)


def unsorted_photos(name: str) -> None:
    """The box of *Sort photos*."""
    from translearn_core import datasets
    from translearn_ui.components import import_task
    from translearn_ui.sorting import bring_in

    if not import_task.is_shown():
        bring_in.show_boxes(datasets.open_dataset(name))


@pytest.mark.parametrize("box", [photos_of_a_class, unsorted_photos])
def test_a_photo_without_an_ending_is_taken_and_what_is_no_photo_is_told(
    box: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phones hand over photos so."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path))
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"free_bytes": 0}')
    dataset = datasets.create_dataset("phone")
    app = AppTest.from_function(box, args=(dataset.id,), default_timeout=30).run()
    for name, content in (("1000012", draw_photo(1)), ("1000013", b"no photo")):
        app.file_uploader[0].upload(name, content)
    app.run()
    for _ in range(200):
        if "task" not in app.query_params:
            break
        time.sleep(0.05)
        app.run()
    assert not app.exception
    rows = [*dataset.photos["file"], *datasets.read_unsorted(dataset)["file"]]
    assert [Path(file).name for file in rows] == ["1000012"]
    (told,) = app.warning
    assert "1000013" in told.value
    assert "holds text, not a photo" in told.value
