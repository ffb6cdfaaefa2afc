"""The photos and the model that this tab is about, and what has become of them elsewhere.

Owns: the parts `data` and `run` of the URL, so that a reload, a link and a second tab keep them;
and the notices that something named there is gone.
Leaves to others: showing them (`bar.py`, `frame.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.config import home
from translearn_core.errors import RunError, TransLearnError
from translearn_core.i18n import _
from translearn_core.runs import ENDED_STATES, Run, list_runs
from translearn_core.runs.annotations import display_name

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

DATA = "data"
RUN = "run"
_NOTICES = "in_hand_notices"
_NAMES = "in_hand_names"


def kept() -> dict[str, str]:
    """The part of the URL that goes along from page to page."""
    return {key: st.query_params[key] for key in (DATA, RUN) if key in st.query_params}


# --- what is being looked at ---------------------------------------------------------------


def current_dataset() -> Dataset | None:
    """The data set of this tab: the URL's, else the current run's; None when there is none.

    A data set that is gone is taken out of the URL and said.
    """
    name: str | None = Path(st.query_params.get(DATA, "")).name  # an id, never a path
    named_itself = bool(name)
    if not name:
        run = _named_run()
        name = Path(run.config.dataset).name if run else None
    if not name:
        if st.query_params.pop(DATA, ""):
            tell(_gone(""))
        return None
    from translearn_core import datasets

    try:
        dataset = datasets.open_dataset(name)
        _remember(dataset.id, dataset.name)
    except TransLearnError as error:
        st.query_params.pop(DATA, None)
        folder = home() / "datasets" / name
        if folder.is_dir():
            tell(error.message)
        elif named_itself:
            tell(_gone(name))
        return None
    return dataset


def _gone(name: str) -> str:
    """The sentence for photos that the URL names and that are not there."""
    run = _named_run()
    if run is not None and Path(run.config.dataset).name == name:
        return _(
            "The photos that this model learned from were deleted. The model and its figures stay."
        )
    known = _names().get(name)
    if known:
        return _(
            "The photos “{name}” are no longer here: they were deleted in another window. Everything "
            "else is as it was."
        ).format(name=known)
    return _(
        "The address of this page names photos that are not here. They were deleted, or the link is "
        "wrong."
    )


def current_run() -> Run | None:
    """The run of this tab: the URL's, else the newest one of the current data set; or None."""
    named = _named_run()
    if named is not None or DATA not in st.query_params:
        return named
    of_data = runs_of(st.query_params[DATA])
    return of_data[0] if of_data else None


def take_newest_result() -> None:
    """Take up the newest run with a result where the URL names nothing."""
    if kept():
        return
    for run in list_runs():
        if run.has_result and run.state.state in ENDED_STATES:
            open_run(run)
            return


def runs_of(dataset_id: str) -> list[Run]:
    """The runs on a data set, newest first."""
    return [run for run in list_runs() if Path(run.config.dataset).name == dataset_id]


def _named_run() -> Run | None:
    name = st.query_params.get(RUN)
    if name is None:
        return None
    run = Run(home() / "runs" / Path(name).name)
    try:
        run.require()
        _remember(run.id, display_name(run))
    except RunError as error:
        st.query_params.pop(RUN, None)
        tell(error.message if run.folder.is_dir() else _gone_run(run))
        return None
    return run


def _gone_run(run: Run) -> str:
    """The sentence for a run that the URL names and that is not there."""
    known = _names().get(run.id)
    if known:
        return _(
            "The model “{name}” is no longer here: it was deleted in another window. Everything else "
            "is as it was."
        ).format(name=known)
    return _(
        "The address of this page names a model that is not here. It was deleted, or the link is "
        "wrong."
    )


def open_dataset(dataset: Dataset | None) -> None:
    """Make a data set the one this tab looks at (None: none); a run on another one is let go."""
    run = _named_run()
    if dataset is None:
        st.query_params.pop(DATA, None)
        st.query_params.pop(RUN, None)
        return
    if run is not None and Path(run.config.dataset).name != dataset.folder.name:
        st.query_params.pop(RUN, None)
    st.query_params[DATA] = dataset.id


def open_run(run: Run | None) -> None:
    """Make a run, and the data set it was trained on, the ones this tab looks at."""
    if run is None:
        st.query_params.pop(RUN, None)
        return
    st.query_params[RUN] = run.id
    st.query_params[DATA] = Path(run.config.dataset).name


# --- what is said of it --------------------------------------------------------------------


def forget(name: str) -> None:
    """Say nothing of a data set or run that is gone: this tab deleted it."""
    for key in (DATA, RUN):
        if st.query_params.get(key) == name:
            st.query_params.pop(key)
    _names().pop(name, None)


def tell(text: str) -> None:
    """Say on this page, until another one is opened, what was changed elsewhere."""
    st.session_state.setdefault(_NOTICES, {})[text] = ""


def notices(page: str) -> list[str]:
    """What is to be said on a page; those of another page are dropped."""
    said: dict[str, str] = st.session_state.setdefault(_NOTICES, {})
    for text, where in list(said.items()):
        if where == "":
            said[text] = page
        elif where != page:
            del said[text]
    return list(said)


def _names() -> dict[str, str]:
    """Names of what this session has looked at, by id."""
    names: dict[str, str] = st.session_state.setdefault(_NAMES, {})
    return names


def _remember(name: str, words: str) -> None:
    _names()[name] = words
