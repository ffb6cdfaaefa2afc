"""Can this work with my photos? The answer before anyone trains, with the evidence beside it.

States: no photos yet, photos that cannot be checked, never checked, a check that goes on, one that
failed or was stopped, a report, and a report about photos that have changed since.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape

import pandas as pd
import streamlit as st

from translearn_core import backbones, costs, datasets, feasible, feasible_report, recommendation
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.feasible_report import Report
from translearn_core.runs import JobState
from translearn_core.texts import N_, _, ngettext
from translearn_core.weights import weights_status
from translearn_ui import (
    evidence_view,
    findings_view,
    frame,
    live,
    photo_acts,
    photo_map,
    tasks,
    verdict_view,
)

POLL_S = 0.7
# the parts of the evidence, one drawn at a time
PARTS: dict[str, tuple[str, str]] = {
    "findings": (N_("What was found"), ":material/search:"),
    "mixups": (N_("What it mixes up"), ":material/compare_arrows:"),
    "map": (N_("Map of the photos"), ":material/scatter_plot:"),
    "figures": (N_("All figures"), ":material/table_chart:"),
}
_BACKBONE = "feasible_backbone"


def main(dataset: Dataset) -> None:
    """The page of a data set in whatever state its check is."""
    st.html(live.STYLE + verdict_view.STYLE)
    state, report = feasible.state(dataset), verdict_view.read(dataset)
    running = state is not None and state.is_live
    if running:
        show_head(dataset)
        follow(dataset)
        if report is not None:
            st.caption(_("Below: what the last check said."))
    else:
        show_how_it_ended(state)
    if report is not None:
        show_report(dataset, report, running=running)
    elif not running:
        show_head(dataset)
        show_offer(dataset)


def show_head(dataset: Dataset) -> None:
    """What the page is about."""
    st.title(_("Can this work?"), anchor=False)
    n = len(dataset.photos)
    st.caption(
        ngettext("{name} · {n:,} photo", "{name} · {n:,} photos", n).format(
            name=frame.plain(dataset.name), n=n
        )
    )


# --- before the first check ----------------------------------------------------------------------


def show_offer(dataset: Dataset) -> None:
    """What a check tells, and the button."""
    try:
        datasets.check_ready(dataset)
    except TransLearnError as error:
        st.info(frame.plain(error.message), icon=":material/info:")
        if st.button(_("Go to the photos"), key="feasible_photos", type="primary"):
            frame.go("photos")
        return
    with st.container(border=True, key="feasible_offer"):
        st.markdown(
            _(
                "Before you train, let a network look at your photos once. You get an honest answer:\n"
                "- how often it will be right on new photos, and how sure that is\n"
                "- whether it goes by what you care about, or by colour, size or a watermark\n"
                "- which labels are likely wrong, which photos are copies, blurred or dark\n"
                "- what would help most: other labels, more photos, a stronger network"
            )
        )
        backbone = choose_backbone()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                _("Check my photos"),
                key="feasible_start",
                type="primary",
                icon=":material/fact_check:",
                on_click=start,
                args=(dataset, backbone),
            )
            st.caption(_expected(dataset, backbone))
    photo_acts.show_excluded(dataset)


def choose_backbone() -> str:
    """Which network looks: the best that is ready here, unless the person wants another."""
    ready = [
        row.name for row in backbones.BACKBONES.values() if weights_status(row).state == "ready"
    ]
    default = recommendation.default_backbone().name
    if len(ready) < 2:
        return default
    chosen = st.selectbox(
        _("Looked at by"),
        ready,
        index=ready.index(default),
        format_func=lambda name: backbones.get_backbone(name).title,
        key=_BACKBONE,
        persist_state="session",
        width=320,
        help=_("The frozen network (backbone). The answer holds for this one."),
    )
    return str(chosen)


def _expected(dataset: Dataset, backbone: str) -> str:
    """About how long it takes, where it is known."""
    look_s = costs.expected_pass_s(backbone, len(dataset.photos))
    if look_s is None:
        return _("Nothing is changed. It goes on when you leave this page.")
    about = tasks.duration(look_s + 10)
    return _("Takes about {time}. Nothing is changed.").format(time=about)


def start(dataset: Dataset, backbone: str = "") -> None:
    """Start a check."""
    with frame.errors_shown():
        feasible.start(dataset, backbone=backbone)


# --- while it goes on ----------------------------------------------------------------------------


@st.fragment(run_every=POLL_S)
def follow(dataset: Dataset) -> None:
    """Where the check is, with a way to stop; the page runs again when it has ended."""
    with frame.errors_shown():
        state = feasible.state(dataset)
    if state is None or not state.is_live:
        st.rerun()
    stopping = (feasible_report.folder_of(dataset) / "stop").exists()
    with st.container(border=True, key="feasible_running"):
        words, figures = _now(state, stopping)
        st.html(
            f'<p class="tl-now" role="status">{escape(words)} <span>{escape(figures)}</span></p>'
        )
        st.progress(_share_done(state))
        st.html(_stages_html(state))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                _("Stop"),
                key="feasible_stop",
                icon=":material/stop_circle:",
                disabled=stopping,
                on_click=feasible.request_stop,
                args=(dataset,),
            )
            st.caption(_("You can leave this page or reload it; this goes on."))


def _now(state: JobState, stopping: bool) -> tuple[str, str]:
    """What is going on, in words, and its figures."""
    if stopping:
        return _("Stopping …"), ""
    if state.stage not in feasible.STAGES:
        return _("Getting ready …"), ""
    words = _(feasible.STAGES[state.stage])
    if state.stage != "look":
        return words, ""
    if not state.total:
        return _("Getting the network ready …"), ""
    figures = [_("{done:,} of {total:,}").format(done=state.done, total=state.total)]
    if state.per_s > 0:
        figures.append(_("{rate:,.0f} photos/s").format(rate=state.per_s))
        left_s = (state.total - state.done) / state.per_s - (time.time() - state.told_at)
        if left_s >= 1:
            figures.append(_("{time} left").format(time=tasks.duration(left_s)))
    return words, " · ".join(figures)


def _share_done(state: JobState) -> float:
    """Of the whole: looking is counted as half of it, the other stages alike."""
    names = list(feasible.STAGES)
    if state.stage not in names:
        return 0.0
    if state.stage == "look":
        return 0.5 * state.done / state.total if state.total else 0.0
    return 0.5 + 0.5 * (names.index(state.stage) - 0.5) / (len(names) - 1)


def _stages_html(state: JobState) -> str:
    names = list(feasible.STAGES)
    here = names.index(state.stage) if state.stage in names else -1
    titles = {
        "look": _("Look"),
        "judge": _("Learn and judge"),
        "compare": _("Compare with luck"),
        "curve": _("Fewer photos"),
        "check": _("Check each photo"),
        "map": _("Map"),
    }
    items = []
    for place, name in enumerate(names):
        kind = "done" if place < here else "now" if place == here else "ahead"
        current = ' aria-current="step"' if kind == "now" else ""
        sign = "✓" if kind == "done" else ""
        items.append(f'<li class="{kind}"{current}><i>{sign}</i>{escape(titles[name])}</li>')
    return f'<ol class="tl-stages">{"".join(items)}</ol>'


def show_how_it_ended(state: JobState | None) -> None:
    """A check that failed or was stopped, and what to do."""
    if state is not None and state.has_failed:
        st.error(
            _("The check failed. {reason}").format(reason=frame.plain(state.reason)),
            icon=":material/error:",
        )
    elif state is not None and state.state == "stopped":
        st.info(
            _("The check was stopped. What was looked at is remembered; it goes on from there."),
            icon=":material/stop_circle:",
        )


# --- the report ----------------------------------------------------------------------------------


def show_report(dataset: Dataset, report: Report, *, running: bool) -> None:
    """The verdict first, then what it is held against and what would help, then the evidence."""
    outdated = verdict_view.is_outdated(dataset, report)
    if outdated and not running:
        show_outdated(dataset, report)
    verdict_view.show_answer(report)
    show_next(dataset, report, outdated=outdated, running=running)
    left, right = st.columns([1.45, 1], gap="large")
    with left:
        st.subheader(_("How often it is right"), anchor=False)
        verdict_view.show_scale(report)
        verdict_view.show_how(report)
        evidence_view.show_curve(report)
    with right:
        verdict_view.show_advice(report)
    st.divider()
    assessed = feasible_report.read_photos(dataset)
    found = findings_view.read(dataset, assessed)
    part = choose_part(sum(one.photos for one in found))
    with frame.errors_shown():
        show_part(part, dataset, report, assessed, found)
    photo_acts.show_excluded(dataset)


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
            on_click=start,
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
    found: list[findings_view.Found],
) -> None:
    """One part of the evidence."""
    shows: dict[str, Callable[[], None]] = {
        "findings": lambda: findings_view.show(dataset, found),
        "mixups": lambda: evidence_view.show_mixups(dataset, report, assessed),
        "map": lambda: photo_map.show(dataset, assessed),
        "figures": lambda: evidence_view.show_figures(dataset, report),
    }
    shows[part]()


frame.page("feasible")
chosen = frame.current_dataset()
if chosen is None or not len(chosen.photos):
    frame.empty_state(
        title=_("First some photos"),
        text=_(
            "To say whether it can work takes photos sorted into classes. Bring your own, or try the "
            "demo photos."
        ),
        icon=":material/photo_library:",
        key="feasible",
        button=_("Choose photos"),
        page="photos",
    )
else:
    main(chosen)
