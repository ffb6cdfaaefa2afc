"""What came of a search: the outcome, the next step, and all that was tried."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from translearn_core import datasets, jobs
from translearn_core.i18n import _
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run, study
from translearn_core.runs.study import StudyResult
from translearn_ui.search import study_choice, trials_view
from translearn_ui.shell import frame


def show(run: Run) -> None:
    """The outcome, the next step, and all that was tried."""
    result = study.read_result(run)
    if result is None:
        state = run.state
        st.error(
            frame.plain(state.reason or _("The search ended without a result.")),
            icon=":material/error:",
        )
    else:
        _show_result(run, result)
    with st.container(horizontal=True, key="search_next"):
        if result is not None:
            _show_next_step(run, result)
        if st.button(_("Search again"), key="search_again", icon=":material/replay:"):
            st.query_params.pop(study_choice.QUERY, None)
            st.rerun()
    trials_view.show(run, study.read_trials(run))


def _show_result(run: Run, result: StudyResult) -> None:
    st.html(f'<p class="tl-now">✓ {escape(result.sentence)}</p>')
    if run.state.state == "stopped":
        st.caption(_("You stopped it before its time was over; what it tried until then counts."))
    judged = [
        trial["accuracy"] for trial in study.read_trials(run) if trial["accuracy"] is not None
    ]
    if not result.best and judged and max(judged) > judged[0]:
        st.caption(
            _(
                "The best in the table is {points:.1f} points above the recommended settings; "
                "among so many settings and so few photos, that much may be chance."
            ).format(points=100 * (max(judged) - judged[0]))
        )
    if result.best:
        words = trials_view.difference(result.best)
        backbone = trials_view.backbone_title(
            result.best.get("backbone", run.config.settings.backbone)
        )
        st.markdown(
            _("The best: **{backbone}** {what}").format(
                backbone=backbone, what=f"· {frame.plain(words)}" if words else ""
            )
        )
    if result.gain is not None and result.best:
        st.caption(
            _(
                "Both answered the same photos; a difference as large or larger would come up by "
                "chance in {p:.0f} of 100 such comparisons (McNemar's test)."
            ).format(p=100 * (result.p_value or 0.0))
        )


def _show_next_step(run: Run, result: StudyResult) -> None:
    """To the results of the best settings, or to train with them where that was not done yet."""
    if result.run_dir is not None:
        if st.button(
            _("See the results"),
            key="search_results",
            type="primary",
            icon=":material/insights:",
        ):
            frame.open_run(Run(Path(result.run_dir)))
            frame.go("results")
    elif st.button(
        _("Train with the best so far"),
        key="search_train",
        type="primary",
        icon=":material/play_arrow:",
    ):
        _train_best(run, result)


def _train_best(run: Run, result: StudyResult) -> None:
    with frame.errors_shown():
        dataset = datasets.open_dataset(Path(run.config.dataset))
        settings = make_settings(result.best, base=run.config.settings)
        frame.open_run(jobs.start(dataset, settings, name=_("The best of a search")))
        frame.go("train")
