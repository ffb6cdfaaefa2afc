"""The camera with what belongs to it on a page: recording classes of a data set, live answers of a run.

Owns: what the element is told of data set and run, and running the page again when photos have come.
Leaves to others: the element (`element.py`), what it asks for (`requests.py`), how many frames a second
(`frame_rates.py`), the rest of the page.

The element is a fragment: frames and live answers run nothing else of the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from translearn_core import datasets, palette
from translearn_core.datasets import Dataset
from translearn_core.datasets.class_places import places_of
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_core.runs.threshold import read_threshold
from translearn_ui.camera import element
from translearn_ui.camera.frame_rates import PILE_RATE, RATE, RATES
from translearn_ui.camera.requests import Desk
from translearn_ui.components import class_marks, explanation_view, format
from translearn_ui.shell import frame

MOST_CLASSES = 12
"""More are not shown side by side unless they are chosen."""
LEAST_CLASSES = 2


def dataset_to_fill() -> Dataset:
    """The data set that recorded photos go to: a new one with the first photo."""
    dataset = frame.current_dataset()
    if dataset is None:
        dataset = datasets.create_dataset(_("From the camera"))
        frame.open_dataset(dataset)
    return dataset


@st.fragment
def show(
    key: str,
    *,
    dataset: Callable[[], Dataset | None],
    store: Callable[[], Dataset | None] | None = None,
    record: bool = True,
    pile: bool = False,
    run: Run | None = None,
) -> None:
    """The camera.

    Args:
        key: of the element on this page.
        dataset: the data set whose classes are shown, None before there is one.
        store: the data set that photos go to, made where there is none; default `dataset`.
        record: whether classes can be recorded.
        pile: record unsorted photos instead.
        run: whose model answers live; None for none.
    """
    again, asked = f"{key}_again", f"{key}_why"
    if st.session_state.pop(again, False):
        st.rerun()

    def explain(photo: bytes) -> None:
        st.session_state[asked] = (run.id if run else "", photo)

    desk = Desk(
        dataset=store or dataset,
        run=run,
        explain=explain,
        changed=lambda: st.session_state.update({again: True}),
    )
    with frame.errors_shown():
        now = dataset()
        shown = _choose_classes(now, key) if record and not pile else []
        recorder = (_pile(now) if pile else _recorder(now, shown)) if record else None
        data = {
            "recorder": recorder,
            "live": _live(run, keeps=now is not None) if run is not None else None,
            "place": f"{now.id if now is not None else ''}{' pile' if pile else ''}",
        }
        chosen = st.session_state.get(f"{key}_chosen", 0)  # another choice, another element
        element.mount(f"{key}_{chosen}" if chosen else key, data, desk.answer)
        _show_why(run, st.session_state.get(asked), key)


def _choose_classes(dataset: Dataset | None, key: str) -> list[str]:
    """The classes that are side by side; where there are many, those that are chosen."""
    classes = dataset.classes if dataset is not None else []
    if len(classes) <= MOST_CLASSES:
        return classes
    return st.multiselect(
        _("Classes to record"),
        classes,
        default=classes[:LEAST_CLASSES],
        key=f"{key}_classes",
        on_change=_count_choice,
        args=(f"{key}_chosen",),
    )


def _count_choice(key: str) -> None:
    st.session_state[key] = st.session_state.get(key, 0) + 1


def _recorder(dataset: Dataset | None, shown: list[str]) -> dict[str, Any]:
    counts = dataset.counts.to_dict() if dataset is not None else {}
    names = list(shown)
    number = 1
    while len(names) < LEAST_CLASSES:
        name = _("Class {n}").format(n=number)
        names += [] if name in names else [name]
        number += 1
    return {
        "classes": names,
        "counts": {name: int(n) for name, n in counts.items()},
        "colors": _card_colors(dataset, names),
        "pile": False,
        "rate": RATE,
        "rates": list(RATES),
    }


def _card_colors(dataset: Dataset | None, names: list[str]) -> list[str]:
    """The colours of the cards: of the classes as they are, then those that come next."""
    known = dataset.class_places if dataset is not None else {}
    coming = [f"{number}" for number in range(len(palette.CLASS_COLORS))]
    return list(class_marks.colors(places_of(known, [*names, *coming])).values())


def _pile(dataset: Dataset | None) -> dict[str, Any]:
    """The recorder of unsorted photos: one card."""
    n = len(datasets.read_unsorted(dataset)) if dataset is not None else 0
    name = _("Unsorted photos")
    return {
        "classes": [name],
        "counts": {name: n} if n else {},
        "colors": [palette.QUIET_COLOR],
        "pile": True,
        "rate": PILE_RATE,
        "rates": list(RATES),
    }


def _live(run: Run, *, keeps: bool) -> dict[str, Any]:
    is_here = frame.server_is_here()
    return {
        "run": run.id,
        "classes": list(run.labels),
        "colors": list(class_marks.colors(class_marks.of_run(run)).values()),
        "sure_from": read_threshold(run.folder).sure_from,
        "into": keeps,
        "is_here": is_here,
        "words": {
            "is": _("{name} ({share})"),
            "not_sure": _("Not sure. Closest: {name} ({share})"),
            "nearly_all": format.certainty(1.0),
            "hardly_any": format.certainty(0.0),
            "unlike": _("I have never seen anything like this. Closest: {name} ({share})"),
            "freeze": _("Freeze"),
            "go_on": _("Go on"),
            "why": _("Why?"),
            "put": _("Add"),
            "put_into": _("Add this picture to {name}"),
            "put_pile": _("Unsorted photos"),
            "filed_pile": _("It is among the unsorted photos."),
            "filed": _("Added to {name}. It counts from the next training on."),
            "removed": _("Removed from {name}."),
            "undo": _("Undo"),
            "frozen": _(
                "Wrong? Press “Add” beside the right class, or put it among the unsorted photos."
            ),
            "looking": _("Looking at it…"),
            "waiting": _("Waiting for the camera."),
            "by_browser": element.counted(
                _("1 answer per second, computed in this browser: the picture does not leave it."),
                _(
                    "{n} answers per second, computed in this browser: the picture does not leave it."
                ),
            ),
            "by_server": element.counted(
                _("1 answer per second, computed on this computer."),
                _("{n} answers per second, computed on this computer."),
            )
            if is_here
            else element.counted(
                _("1 answer per second, computed by the computer that runs TransLearn."),
                _("{n} answers per second, computed by the computer that runs TransLearn."),
            ),
        },
    }


def _show_why(run: Run | None, asked: tuple[str, bytes] | None, key: str) -> None:
    """The heat map of the frozen picture."""
    if run is None or asked is None or asked[0] != run.id:
        return
    with st.container(border=True, key=f"{key}_explained"):
        explanation_view.show(run, asked[1], key=f"{key}_explain", name=_("the frozen picture"))
