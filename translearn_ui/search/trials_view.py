"""What a search has tried: plot and table of the trials, and settings in words."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from translearn_core import backbones, palette
from translearn_core.i18n import _
from translearn_core.reports.curve_geometry import zoomed_share_axis
from translearn_core.run_settings import Settings, setting_fields
from translearn_core.runs import LIVE_STATES, Run
from translearn_ui.components import charts, format, live_curves, setting_words
from translearn_ui.shell import frame

MOST_ROWS = 14
"""Of the table that are seen at once."""


def show(run: Run, trials: list[dict[str, Any]]) -> None:
    """Plot and table of the trials."""
    if not trials:
        text = _("Each setting that was tried appears here.")
        st.html(f'<div class="tl-curves-wait"><span>{escape(text)}</span></div>')
        return
    judged = [trial for trial in trials if trial["accuracy"] is not None]
    if judged:
        best = max(judged, key=lambda trial: trial["accuracy"])
        words = _("Right answers of each setting tried; the best, no. {n}, has {share}.").format(
            n=best["number"], share=format.percent(best["accuracy"], 1)
        )
        if run.state.state in LIVE_STATES:
            points = [(trial["number"], trial["accuracy"]) for trial in judged]
            st.html(live_curves.trials_html(points, words=words))
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
        line={"color": palette.ACCENT_COLOR, "width": 2, "shape": "hv"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=numbers,
        y=shares,
        mode="markers",
        name=_("a setting"),
        marker={"color": palette.VALIDATION_COLOR, "size": 9},
        customdata=[format.percent(share, 1) for share in shares],
        hovertemplate=_("no. %{x}: %{customdata}") + "<extra></extra>",
    )
    figure.add_hline(
        y=shares[0],
        line={"color": palette.QUIET_COLOR, "dash": "dot", "width": 1},
        annotation={"text": _("recommended"), "font": {"size": 12}},
    )
    n = max(numbers)
    figure.update_xaxes(
        title=_("setting no."),
        tickvals=list(range(1, n + 1, max(1, n // 10))),
        range=[1 - 0.05 * n, 1.3 * n],  # with room for the word at the line's end
        showgrid=False,
    )
    figure.update_yaxes(
        title=_("right in cross-validation"),
        **charts.axis(zoomed_share_axis(shares), format.percent),
    )
    return charts.finished(figure, height=300, legend=charts.LEGEND_ABOVE)


def table(trials: list[dict[str, Any]], default: Settings) -> pd.DataFrame:
    """One row a trial in words, the best first, those that were given up last."""
    judged_first = sorted(trials, key=lambda trial: -(trial["accuracy"] or 0.0))
    rows = [
        {
            _("No."): str(trial["number"]),
            _("Right"): _("given up")
            if trial["accuracy"] is None
            else format.percent(trial["accuracy"], 1),
            _("What was tried"): _in_words(trial["settings"], default),
            _("Time"): format.duration(trial["seconds"]),
        }
        for trial in judged_first
    ]
    return pd.DataFrame(rows)


def _in_words(changed: dict[str, Any], default: Settings) -> str:
    """A trial's settings, as Markdown: the backbone, and what else differs from the default."""
    title = backbone_title(changed.get("backbone", default.backbone))
    what = difference(changed) if changed else _("recommended")
    rest = f" · {frame.unbroken(frame.plain(what))}" if what else ""
    return f"**{frame.plain(title)}**{rest}"


def difference(settings: dict[str, Any]) -> str:
    """Changed settings in words, without the backbone."""
    fields = setting_fields()
    return " · ".join(
        f"{_(fields[name].title or name)}: {setting_words.words_for(name, value)}"
        for name, value in settings.items()
        if name != "backbone"
    )


def backbone_title(name: str) -> str:
    """The title of a backbone; its name where the table does not know it."""
    row = backbones.BACKBONES.get(name)
    return _(row.title) if row else name
