"""The last check of a data set, for every page: its report, a note of one line, a new check.

Owns: reading a report once per state of its file, the note, and starting a check from another page.
Leaves to others: the page of the check (`translearn_ui/feasibility/`), the check itself
(`translearn_core.feasibility.job`).
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.feasibility import assessment
from translearn_core.feasibility import job as check_job
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.assessment import Assessment
from translearn_core.feasibility.report import Report
from translearn_core.i18n import _
from translearn_ui.shell import frame


def read(dataset: Dataset) -> Report | None:
    """The last report of a data set; None where there is none."""
    path = check_report.folder_of(dataset) / "report.json"
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        return None
    return _read(dataset, str(path), changed_ns)


@st.cache_data(max_entries=8, show_spinner=False)
def _read(_dataset: Dataset, path: str, changed_ns: int) -> Report | None:
    """`changed_ns` only tells one state of the file from another."""
    return check_report.read(_dataset)


def is_outdated(dataset: Dataset, report: Report) -> bool:
    """Whether the photos are others now than those that the report is about."""
    return report.fingerprint != dataset.fingerprint


def assess(dataset: Dataset) -> Assessment:
    """The one judgement of a data set that every page shows."""
    return assessment.assess(dataset, read(dataset))


def show_note(dataset: Dataset, *, begin: Callable[[], None]) -> None:
    """One line for other pages: what the last check said, or the offer to make one.

    Args:
        begin: called when the person asks for a check.
    """
    report = read(dataset)
    with st.container(
        key="feasible_note", border=True, horizontal=True, vertical_alignment="center"
    ):
        if report is None:
            st.markdown(
                _(
                    ":material/fact_check: Not sure whether these photos are enough? A check says so "
                    "before you train, and what would help."
                ),
                width="stretch",
            )
            if st.button(_("Can this work?"), key="feasible_begin"):
                begin()
            return
        words = (
            _("The photos have changed since the last check.")
            if is_outdated(dataset, report)
            else frame.plain(assess(dataset).sentence)
        )
        st.markdown(f":material/fact_check: {words}", width="stretch")
        if st.button(_("See why"), key="feasible_open"):
            frame.go("feasible")


def begin(dataset: Dataset) -> None:
    """Start a check, unless the last one is about these very photos, and go to its page."""
    report = read(dataset)
    with frame.errors_shown():
        if report is None or is_outdated(dataset, report):
            check_job.start(dataset)
        frame.go("feasible")


def start(dataset: Dataset, backbone: str = "") -> None:
    """Start a check; with an empty `backbone` the best one that is ready looks at the photos."""
    with frame.errors_shown():
        check_job.start(dataset, backbone=backbone)
