"""The report of a check: the verdict first, what it is compared with, what would help, the evidence.

Leaves to others: each of these parts.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from translearn_core import backbones
from translearn_core.datasets import Dataset
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.report import Report
from translearn_core.i18n import N_, _, ngettext
from translearn_ui.components import verdict_note
from translearn_ui.feasibility import (
    cv_view,
    findings_view,
    open_findings,
    photo_actions,
    photo_map,
    verdict_view,
)
from translearn_ui.shell import frame

PARTS: dict[str, tuple[str, str]] = {
    "findings": (N_("What was found"), ":material/search:"),
    "mixups": (N_("What it mixes up"), ":material/compare_arrows:"),
    "map": (N_("Map of the photos"), ":material/scatter_plot:"),
    "figures": (N_("All figures"), ":material/table_chart:"),
}


def show(dataset: Dataset, report: Report, *, running: bool) -> None:
    """The verdict first, then what it is compared with and what would help, then the evidence."""
    outdated = verdict_note.is_outdated(dataset, report)
    if outdated and not running:
        show_outdated(dataset, report)
    verdict_view.show_answer(report)
    show_next(dataset, report, outdated=outdated, running=running)
    left, right = st.columns([1.45, 1], gap="large")
    with left:
        st.header(_("How often it is right"), anchor=False)
        verdict_view.show_scale(report)
        verdict_view.show_how(report)
        cv_view.show_curve(report)
    with right:
        verdict_view.show_advice(report)
    st.divider()
    assessed = check_report.read_photos(dataset)
    shows_all = st.session_state.get(findings_view.ALL_KEY) == dataset.id
    accuracy = 1.0 if shows_all else report.told.accuracy
    found = open_findings.read(dataset, assessed, accuracy=accuracy)
    assessed = without_held_back(assessed, found)
    part = choose_part(sum(one.photos for one in found))
    with frame.errors_shown():
        show_part(part, dataset, report, assessed, found)
    photo_actions.show_excluded(dataset)


def without_held_back(assessed: pd.DataFrame, found: list[open_findings.Found]) -> pd.DataFrame:
    """The photos of the report, without the suspicions that are not shown unasked."""
    if not any(one.held_back for one in found):
        return assessed
    shown = {
        path
        for one in found
        if one.check.name == "wrong_label"
        for path in (*one.kept, *(path for item in one.open for path in item.paths))
    }
    return assessed.assign(
        suspect_score=assessed["suspect_score"].where(assessed["path"].isin(shown), 0.0)
    )


def show_outdated(dataset: Dataset, report: Report) -> None:
    """That the photos are others now, and the way to a new answer."""
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="feasible_outdated"
    ):
        st.markdown(
            _(
                ":material/update: Your photos have changed since this was measured. Checking again "
                "is quick: photos that were looked at are remembered."
            ),
            width="stretch",
        )
        st.button(
            _("Check again"),
            key="feasible_again",
            type="primary",
            icon=":material/refresh:",
            on_click=verdict_note.start,
            args=(dataset, report.backbone),
        )


def show_next(dataset: Dataset, report: Report, *, outdated: bool, running: bool) -> None:
    """The next step that follows from the answer."""
    promising = report.verdict in ("works_well", "works_with_limits")
    with st.container(horizontal=True, vertical_alignment="center", key="feasible_next"):
        if st.button(
            _("Train"),
            key="feasible_train",
            type="primary" if promising and not outdated and not running else "secondary",
            icon=":material/arrow_forward:",
            icon_position="right",
        ):
            frame.go("train")
        if st.button(
            _("To the photos"),
            key="feasible_to_photos",
            type="secondary" if promising or outdated or running else "primary",
            icon=":material/photo_library:",
        ):
            frame.go("photos")
        n = len(dataset.photos)
        text = ngettext("{name} · {n:,} photo", "{name} · {n:,} photos", n)
        st.caption(
            text.format(name=frame.plain(dataset.name), n=n)
            + " · "
            + _("looked at by {backbone}").format(
                backbone=frame.plain(backbones.get_backbone(report.backbone).title)
            ),
            width="content",
        )


def choose_part(n_found: int) -> str:
    """Which part of the evidence is shown."""

    def label(name: str) -> str:
        title, icon = PARTS[name]
        count = f" · {n_found:,}" if name == "findings" and n_found else ""
        return f"{icon} {_(title)}{count}"

    st.session_state.setdefault(verdict_view.PART_KEY, "findings")
    chosen = st.segmented_control(
        _("The evidence"),
        list(PARTS),
        format_func=label,
        required=True,
        key=verdict_view.PART_KEY,
        persist_state="session",
        label_visibility="collapsed",
    )
    return str(chosen)


def show_part(
    part: str,
    dataset: Dataset,
    report: Report,
    assessed: pd.DataFrame,
    found: list[open_findings.Found],
) -> None:
    """One part of the evidence."""
    shows: dict[str, Callable[[], None]] = {
        "findings": lambda: findings_view.show(dataset, found),
        "mixups": lambda: cv_view.show_mixups(dataset, report, assessed),
        "map": lambda: photo_map.show(dataset, assessed),
        "figures": lambda: cv_view.show_figures(dataset, report),
    }
    shows[part]()
