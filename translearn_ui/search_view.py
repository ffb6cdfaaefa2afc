"""A search for better settings on the page: setting it up, following it, and what it found.

Owns: the views of a search. Leaves to others: the search (`translearn_core.tuning`), its files
(`translearn_core.study`), and what a run found (`pages/results.py`).

While the search lives, the view is a fragment that looks into its folder again every `POLL_S`
seconds; nothing is known here that is not in that folder.
"""

from __future__ import annotations

import time
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from translearn_core import backbones, jobs, study
from translearn_core.config import Settings, setting_fields
from translearn_core.datasets import Dataset
from translearn_core.jobs import create_study
from translearn_core.runs import LIVE_STATES, Run, delete_run
from translearn_core.study import StudyResult
from translearn_core.texts import _, ngettext
from translearn_ui import charts, edit_dataset, frame, live, moving_curves, settings_form, tasks

POLL_S = 1.0
QUERY = "study"
DEFAULT_MINUTES = 3
MOST_ROWS = 14
"""Of the table that are seen at once."""
STYLE = """
<style>
.st-key-search_table td {vertical-align: top; font-variant-numeric: tabular-nums;}
.st-key-search_table :is(td, th):not(:nth-child(3)), .st-key-search_table td:not(:nth-child(3)) * {
  white-space: nowrap;}
.st-key-search_table td:nth-child(3), .st-key-search_table td:nth-child(3) * {max-width: none;}
.st-key-search_table td:nth-child(3) {width: 99%;}
</style>
"""


# --- before ----------------------------------------------------------------------------------


def show_set_up(dataset: Dataset) -> None:
    """How long it may take, and the button."""
    st.markdown(
        _(
            "**{name}**: tries other backbones, heads and rates on your photos, each judged on "
            "photos that it has not learned from (cross-validation). At the end the best one and "
            "the default are trained and held against each other on the test photos, which the "
            "search never saw."
        ).format(name=frame.plain(dataset.name))
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="search_go"):
        minutes = st.number_input(
            _("Minutes it may take"),
            min_value=1,
            max_value=24 * 60,
            value=DEFAULT_MINUTES,
            key="search_minutes",
            persist_state="session",
            width=200,
        )
        pressed = st.button(
            _("Search"), key="search_button", type="primary", icon=":material/manage_search:"
        )
    st.caption(
        _(
            "Minutes buy trials: a few for a first look, ten or more to also try freeing the last "
            "blocks of the backbone."
        )
    )
    if pressed:
        run = create_study(dataset, minutes=float(minutes), settings=Settings())
        jobs.submit(run)
        st.query_params[QUERY] = run.id
        st.rerun()
    _show_earlier(dataset)


def _show_earlier(dataset: Dataset) -> None:
    """Searches on these photos, to look at again."""
    earlier = study.list_studies(dataset.id)
    if not earlier:
        return
    st.subheader(_("Earlier searches"), anchor=False)
    for run in earlier[:8]:
        result = study.read_result(run)
        words = result.sentence if result else _words_for_state(run)
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key=f"search_{run.id}"
        ):
            when = edit_dataset.when(run.config.created)
            st.markdown(f"{frame.plain(words)}  \n:small[{when}]", width="stretch")
            if st.button(_("Look"), key=f"search_open_{run.id}"):
                st.query_params[QUERY] = run.id
                st.rerun()
            if run.state.state in LIVE_STATES:
                continue
            with st.popover(_("Delete"), type="tertiary", key=f"search_delete_box_{run.id}"):
                st.markdown(_("Deletes this search. The runs that it trained stay in My work."))
                st.button(
                    _("Delete this search"),
                    key=f"search_delete_{run.id}",
                    on_click=delete_run,
                    args=(run,),
                )


def _words_for_state(run: Run) -> str:
    state = run.state
    if state.state in LIVE_STATES:
        return _("This search is going on.")
    return state.reason or _("This search ended without a result.")


# --- while it goes on ------------------------------------------------------------------------


def show(run: Run) -> None:
    """Show a search in whatever state it is, and follow it while it lives."""
    st.html(live.STYLE + STYLE)
    if run.state.state in LIVE_STATES:
        _follow(run)
    else:
        _show_ended(run)


@st.fragment(run_every=POLL_S)
def _follow(run: Run) -> None:
    with frame.errors_shown():
        state = run.state
        if state.state not in LIVE_STATES:
            st.rerun()
        trials = study.read_trials(run)
        words, figures = _now(run, state.state, state.stage, trials)
        st.html(
            f'<p class="tl-now" role="status">{escape(words)} <span>{escape(figures)}</span></p>'
        )
        _show_time(run, state.started_at)
        _show_trials(run, trials)
        _show_stop(run)


def _show_time(run: Run, started_at: float) -> None:
    """How much of its time a search has used; nothing of it while it waits."""
    total_s = study.read_plan(run).minutes * 60
    spent_s = time.time() - started_at if started_at else 0.0
    st.progress(min(1.0, spent_s / total_s))
    left_s = total_s - spent_s
    if run.stop_requested:
        st.caption(_("What was tried so far is kept."))
    elif not started_at:
        st.caption(_("Then it takes about {time}.").format(time=tasks.duration(total_s)))
    elif left_s > 0:
        st.caption(_("About {time} left").format(time=tasks.duration(left_s)))
    else:
        st.caption(_("Almost done: the last trainings."))


def _now(run: Run, state: str, stage: str, trials: list[dict[str, Any]]) -> tuple[str, str]:
    """What the search is doing, in words, and its figures."""
    if run.stop_requested:
        return _("Stopping, keeping the best so far …"), ""
    if state == "queued":
        return live.waiting_words(run)
    if stage == "train_best":
        return _("Training the best settings …"), ""
    if stage == "train_default":
        return _("Training the default, to compare …"), ""
    if stage != "search" or not trials:
        looked = [event for event in run.events()[0] if event["kind"] == "progress"]
        if stage in ("features", "search") and looked and not trials:
            done = _("{done:,} of {total:,}").format(**looked[-1])
            return _("Looking at the photos"), done
        return _("Getting ready …"), ""
    n = len(trials)
    judged = [trial["accuracy"] for trial in trials if trial["accuracy"] is not None]
    best = _("· best so far {share}").format(share=charts.percent(max(judged), 1)) if judged else ""
    return ngettext("{n} setting tried", "{n} settings tried", n).format(n=n), best


def _show_stop(run: Run) -> None:
    if run.stop_requested:
        return
    st.button(
        _("Stop"),
        key="search_stop",
        icon=":material/stop_circle:",
        on_click=run.request_stop,
        help=_("Ends the search and keeps the best settings so far."),
    )


# --- what was tried --------------------------------------------------------------------------


def _show_trials(run: Run, trials: list[dict[str, Any]]) -> None:
    """Plot and table of the trials."""
    if not trials:
        text = _("Each setting that was tried appears here.")
        st.html(f'<div class="tl-curves-wait"><span>{escape(text)}</span></div>')
        return
    judged = [trial for trial in trials if trial["accuracy"] is not None]
    if judged:
        best = max(judged, key=lambda trial: trial["accuracy"])
        words = _("Right answers of each setting tried; the best, no. {n}, has {share}.").format(
            n=best["number"], share=charts.percent(best["accuracy"], 1)
        )
        if run.state.state in LIVE_STATES:
            points = [(trial["number"], trial["accuracy"]) for trial in judged]
            st.html(moving_curves.STYLE + moving_curves.trials_html(points, words=words))
        else:
            charts.show(plot(trials), key="search_plot", alt=words)
    with st.container(key="search_table"):
        st.table(
            table(trials, run.config.settings),
            hide_index=True,
            border="horizontal",
            height="content" if len(trials) <= MOST_ROWS else 36 * MOST_ROWS,
            alt=_("The settings that were tried"),
        )
    if len(judged) < len(trials):
        st.caption(_("Given up: so far behind on the first photos that the rest was not tried."))


def plot(trials: list[dict[str, Any]]) -> go.Figure:
    """Right answers of each trial in cross-validation, and the best so far as a line."""
    judged = [trial for trial in trials if trial["accuracy"] is not None]
    numbers = [trial["number"] for trial in judged]
    shares = [trial["accuracy"] for trial in judged]
    figure = go.Figure()
    figure.add_scatter(
        x=numbers,
        y=pd.Series(shares).cummax().tolist(),
        mode="lines",
        name=_("best so far"),
        line={"color": charts.ACCENT_COLOR, "width": 2, "shape": "hv"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=numbers,
        y=shares,
        mode="markers",
        name=_("a setting"),
        marker={"color": charts.VALIDATION_COLOR, "size": 9},
        hovertemplate=_("no. %{x}: %{y:.1%}") + "<extra></extra>",
    )
    figure.add_hline(
        y=shares[0],
        line={"color": charts.QUIET_COLOR, "dash": "dot", "width": 1},
        annotation={"text": _("the default"), "font": {"size": 12}},
    )
    n = max(numbers)
    figure.update_xaxes(
        title=_("setting no."),
        tickvals=list(range(1, n + 1, max(1, n // 10))),
        range=[1 - 0.05 * n, 1.3 * n],  # with room for the word at the line's end
        showgrid=False,
    )
    low, high = max(0.0, min(shares) - 0.05), min(1.0, max(shares) + 0.05)
    figure.update_yaxes(title=_("right in cross-validation"), tickformat=".0%", range=[low, high])
    figure.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None}
    )
    return charts.finished(figure, height=300)


def table(trials: list[dict[str, Any]], default: Settings) -> pd.DataFrame:
    """One row a trial in words, the best first, those that were given up last."""
    judged_first = sorted(trials, key=lambda trial: -(trial["accuracy"] or 0.0))
    rows = [
        {
            _("No."): str(trial["number"]),
            _("Right"): _("given up")
            if trial["accuracy"] is None
            else charts.percent(trial["accuracy"], 1),
            _("What was tried"): _in_words(trial["settings"], default),
            _("Time"): tasks.duration(trial["seconds"]),
        }
        for trial in judged_first
    ]
    return pd.DataFrame(rows)


def _in_words(changed: dict[str, Any], default: Settings) -> str:
    """A trial's settings, as Markdown: the backbone, and what else differs from the default."""
    title = _title(changed.get("backbone", default.backbone))
    what = difference(changed) if changed else _("the default")
    return f"**{frame.plain(title)}**" + (f" · {frame.plain(what)}" if what else "")


def difference(settings: dict[str, Any]) -> str:
    """Changed settings in words, without the backbone."""
    fields = setting_fields()
    return " · ".join(
        f"{_(fields[name].title or name)} {settings_form.words_for(name, value)}"
        for name, value in settings.items()
        if name != "backbone"
    )


def _title(name: str) -> str:
    row = backbones.BACKBONES.get(name)
    return _(row.title) if row else name


# --- what came out ---------------------------------------------------------------------------


def _show_ended(run: Run) -> None:
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
            st.query_params.pop(QUERY, None)
            st.rerun()
    _show_trials(run, study.read_trials(run))


def _show_result(run: Run, result: StudyResult) -> None:
    st.html(f'<p class="tl-now">✓ {escape(result.sentence)}</p>')
    if run.state.state == "stopped":
        st.caption(
            _("You stopped it before its time was over; what it had tried until then counts.")
        )
    judged = [
        trial["accuracy"] for trial in study.read_trials(run) if trial["accuracy"] is not None
    ]
    if not result.best and judged and max(judged) > judged[0]:
        st.caption(
            _(
                "The best in the table is {points:.1f} points above the default; among so many "
                "settings and so few photos, that much may be luck."
            ).format(points=100 * (max(judged) - judged[0]))
        )
    if result.best:
        words = difference(result.best)
        backbone = _title(result.best.get("backbone", run.config.settings.backbone))
        st.markdown(
            _("The best: **{backbone}** {what}").format(
                backbone=backbone, what=f"· {frame.plain(words)}" if words else ""
            )
        )
    if result.gain is not None and result.best:
        st.caption(
            _(
                "Each photo was asked of both; a difference as large or larger would come up by "
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
    from translearn_core import datasets
    from translearn_core.config import make_settings

    with frame.errors_shown():
        dataset = datasets.open_dataset(Path(run.config.dataset))
        settings = make_settings(result.best, base=run.config.settings)
        frame.open_run(jobs.start(dataset, settings, name=_("The best of a search")))
        frame.go("train")
