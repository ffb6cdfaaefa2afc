"""The charts of the app, in one palette.

Owns: the colours (chosen to stay apart for colour-blind eyes, after Okabe and Ito, and to be
readable on a light and on a dark page), the figures, and how they are put on a page (`show`:
theme, export button, text for screen readers).
Leaves to others: the confusion matrix (`confusion_chart.py`), the figures' numbers; nothing is computed
here but what is drawn.

Colour is never the only sign: curves differ by dash too, bars and cells carry their number,
classes their name. Shares are in [0, 1] and are written as percentages.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.basedatatypes import BaseFigure

from translearn_core import palette
from translearn_core.i18n import NUMBER_SIGNS, _, language, number
from translearn_core.remembered import Memory
from translearn_core.reports.curve_geometry import LINE_STYLES, Axis, curves_of
from translearn_ui.components import format

P = ParamSpec("P")

TEXT_COLORS = {"light": "#22302e", "dark": "#e6ebe8"}
"""The page's text colour, as in `.streamlit/config.toml`."""

GRID_COLOR = "rgba(128,128,128,0.22)"
LEGEND_ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None}
"""Where the names of the lines stand."""
_TITLE_ABOVE = {"x": 0, "xref": "paper", "y": 0.99, "yanchor": "top"}
"""Where the measure stands, above the names of the lines."""
_ZOOM_BUTTONS = ("zoomIn2d", "zoomOut2d", "pan2d", "resetScale2d")


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn when it is first shown, see `drawing`."""

    make: Callable[..., go.Figure]
    given: tuple[Any, ...]
    named: Mapping[str, Any]


def drawing(make: Callable[P, go.Figure], *given: P.args, **named: P.kwargs) -> Drawing:
    """A figure for `show` that is drawn once for all who look at the same.

    Args:
        make: draws it; it knows nothing but its arguments and the language.
    """
    return Drawing(make, given, named)


class _Drawn(BaseFigure):  # type: ignore[misc]  # plotly has no types
    """A figure as the text of its JSON: of many, objects would take memory, and the time of each search
    for garbage."""

    def __init__(self, text: str) -> None:  # its parts are not made
        self._text = text

    def to_dict(self) -> dict[str, Any]:
        """As of any figure."""
        content: dict[str, Any] = json.loads(self._text)
        return content


_drawn = Memory(8 * 2**20)
"""The texts of figures, so many characters at most."""


def show(
    figure: go.Figure | Drawing,
    *,
    key: str,
    alt: str,
    height: int | None = None,
    on_select: Callable[[], None] | None = None,
    zoom: bool = False,
) -> None:
    """Put a figure on the page: in the page's theme, exportable as a picture, with its description.

    Args:
        key: of the element, and the name of the exported file.
        alt: what the chart shows, in a sentence, for people who do not see it.
        height: in pixels; default is the figure's own.
        zoom: whether buttons to zoom and to move stand beside it.
        on_select: called when a point was clicked; the selection stands in the session under `key`.
    """
    color = TEXT_COLORS[st.context.theme.type or "light"]
    config = {
        "displaylogo": False,
        "modeBarButtons": [[*_ZOOM_BUTTONS, "toImage"]] if zoom else [["toImage"]],
        **({"displayModeBar": True} if zoom else {}),
        "scrollZoom": False,
        "doubleClick": "reset",
        "toImageButtonOptions": {"format": "png", "scale": 2, "filename": key},
    }
    st.plotly_chart(
        _dressed(figure, color, height),
        key=key,
        alt=alt,
        config=config,
        width="stretch",
        on_select=on_select or "ignore",
        selection_mode="points",
    )


def _dressed(figure: go.Figure | Drawing, color: str, height: int | None) -> BaseFigure:
    """A figure in the colours of the page and the signs of the language."""
    if isinstance(figure, Drawing):
        what = (figure.make.__module__, figure.make.__qualname__)
        key = (*what, pickle.dumps((figure.given, figure.named)), color, height, language.get())
        known = _drawn.find(key)
        if known is None:
            drawn = _dressed(figure.make(*figure.given, **figure.named), color, height)
            known = str(drawn.to_json())
            _drawn.keep(key, known, size=len(known) + len(key[2]))
        return _Drawn(known)
    if height is not None:
        figure.update_layout(height=height)
    quiet = {"bgcolor": "rgba(0,0,0,0)", "color": with_alpha(color, 0.45), "activecolor": color}
    figure.update_layout(
        font={"color": color}, modebar=quiet, separators=NUMBER_SIGNS.get(language.get())
    )
    return figure


def counts_chart(counts: pd.Series, *, colors: Mapping[str, str] | None = None) -> go.Figure:
    """How many photos each class has, as horizontal bars that carry their number.

    Args:
        counts: class name -> number of photos.
        colors: class name -> colour; default: by the place in the sorted names.
    """
    if colors is None:
        counts = counts.sort_index()
    names = [str(name) for name in counts.index]
    if colors is None:
        colors = {name: palette.class_color(index) for index, name in enumerate(names)}
    values = [int(n) for n in counts]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            text=[number(n, ",") for n in values],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [colors[name] for name in names], "cornerradius": 3},
            hovertemplate=_("%{y}: %{x} photos") + "<extra></extra>",
        )
    )
    figure.update_yaxes(
        type="category", autorange="reversed", title=None, automargin=True, showgrid=False
    )
    figure.update_xaxes(
        title=None,
        rangemode="tozero",
        showgrid=False,
        showticklabels=False,  # each bar carries its number
        zeroline=False,
        range=[0, max(values, default=1) * 1.12],
    )
    return finished(figure, height=max(60, 28 + 30 * len(names)), bargap=0.28)


def probability_bars(
    probabilities: Mapping[str, float],
    *,
    colors: Mapping[str, str] | None = None,
    most: int = 8,
    room: float = 0.14,
) -> go.Figure:
    """How sure the model is of each class, the likeliest first.

    Args:
        probabilities: class name -> share in [0, 1].
        colors: class name -> colour; default: by the place in the sorted names.
        most: more classes than this are left out, the least likely first.
        room: for the figures behind the longest bar, as a share of it.
    """
    if colors is None:
        colors = {
            name: palette.class_color(index) for index, name in enumerate(sorted(probabilities))
        }
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])[:most]
    names = [name for name, _share in ranked]
    shares = [share for _name, share in ranked]
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=names,
            orientation="h",
            text=[format.certainty(share) for share in shares],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [colors[name] for name in names], "cornerradius": 3},
            customdata=[format.certainty(share, 1) for share in shares],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )
    )
    figure.update_yaxes(type="category", autorange="reversed", automargin=True, showgrid=False)
    figure.update_xaxes(
        title=_("how sure (confidence)"),
        **share_axis(room=room),
    )
    return finished(figure, height=max(110, 70 + 32 * len(names)), bargap=0.3)


def curves(
    history: Sequence[Mapping[str, Any]],
    *,
    metric: str,
    best_epoch: int = 0,
) -> go.Figure:
    """One measure over the rounds of a run that has ended, for training and validation photos.

    Args:
        history: `epoch` events of a run: epoch (from 1), phase, and the measures.
        metric: `accuracy` (a share) or `loss`.
        best_epoch: the round whose weights are kept, marked; 0 for none.
    """
    drawn = curves_of(history, metric=metric, best_epoch=best_epoch)
    figure = go.Figure()
    for name, words, dash in (
        ("training", _("training"), "dot"),
        ("validation", _("validation"), "solid"),
    ):
        points = drawn.lines[name]
        if history and not points:
            continue  # there were no validation photos
        digits = [format.percent(y, 1) if drawn.is_share else number(y, ".3f") for _x, y in points]
        figure.add_scatter(
            x=[x for x, _y in points],
            y=[y for _x, y in points],
            customdata=digits,
            mode="lines+markers" if len(points) < 30 else "lines",
            name=words,
            line={"color": LINE_STYLES[name].color, "width": LINE_STYLES[name].width, "dash": dash},
            marker={"size": 6},
            hovertemplate=_("round %{x}") + f", {words}: %{{customdata}}<extra></extra>",
        )
    if drawn.best is not None:
        figure.add_scatter(
            x=[drawn.best[0]],
            y=[drawn.best[1]],
            mode="markers",
            name=_("kept"),
            marker={
                "size": 13,
                "symbol": "star",
                "color": palette.VALIDATION_COLOR,
                "line": {"width": 1, "color": "white"},
            },
            hovertemplate=_("kept: round %{x}") + "<extra></extra>",
        )
    if drawn.fine_tuning is not None:
        figure.add_vline(
            x=drawn.fine_tuning,
            line={"color": palette.QUIET_COLOR, "dash": "dash", "width": 1},
            annotation={"text": _("fine-tuning") + " →", "font": {"size": 11}},
            annotation_position="bottom left",
        )
    figure.update_xaxes(title=_("round (epoch)"), **axis(drawn.x, "{:.0f}".format))
    figure.update_yaxes(automargin=True, **axis(drawn.y, drawn.value_text))
    figure.update_layout(
        showlegend=True,  # a line that is alone has a name, too
        legend=LEGEND_ABOVE,
        uirevision=metric,
        hovermode="closest",
    )
    finished(figure, height=300)
    figure.update_layout(
        title={"text": f"<b>{drawn.title}</b>", "font_size": 13, **_TITLE_ABOVE}, margin_t=46
    )
    return figure


def axis(shape: Axis, text: Callable[[float], str]) -> dict[str, Any]:
    """Limits and ticks of an axis of plotly; `text` writes the value at a tick."""
    return {
        "range": [shape.low, shape.high],
        "tickvals": list(shape.ticks),
        "ticktext": [text(value) for value in shape.ticks],
        "gridcolor": GRID_COLOR,
        "zeroline": False,
    }


def share_axis(low: float = 0.0, high: float = 1.0, *, room: float = 0.02) -> dict[str, Any]:
    """An axis of shares with a line at each quarter, or at each twentieth of a narrow range.

    Args:
        room: beyond 1, for what stands there.
    """
    step = 0.25 if high - low > 0.6 else 0.1 if high - low > 0.25 else 0.05
    first, last = round(low / step + 0.49), round(high / step - 0.49)
    ticks = tuple(step * number for number in range(first, last + 1))
    return axis(Axis(low, high + room, ticks), format.percent)


def reliability(bins: Sequence[Mapping[str, float]]) -> go.Figure:
    """How often answers were right against how sure they were, with the line where both agree.

    Args:
        bins: `confidence`, `accuracy`, `low`, `high` (its interval) and `n`, from the least sure.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name=_("perfectly calibrated"),
        line={"color": palette.QUIET_COLOR, "dash": "dash", "width": 1.5},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[bin_["confidence"] for bin_ in bins],
        y=[bin_["accuracy"] for bin_ in bins],
        customdata=[
            [
                bin_["n"],
                format.percent(bin_["confidence"]),
                format.percent(bin_["accuracy"]),
                format.percent_range(bin_["low"], bin_["high"]),
            ]
            for bin_ in bins
        ],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [bin_["high"] - bin_["accuracy"] for bin_ in bins],
            "arrayminus": [bin_["accuracy"] - bin_["low"] for bin_ in bins],
            "color": palette.VALIDATION_COLOR,
            "thickness": 1.2,
            "width": 4,
        },
        mode="lines+markers",
        name=_("test photos"),
        line={"color": palette.VALIDATION_COLOR, "width": 2},
        marker={"size": 8},
        hovertemplate=_(
            "%{customdata[0]} answers, %{customdata[1]} sure on average:<br>"
            "%{customdata[2]} right (%{customdata[3]})"
        )
        + "<extra></extra>",
    )
    figure.update_xaxes(title=_("how sure it was (confidence)"), **share_axis())
    figure.update_yaxes(title=_("how often it was right"), **share_axis())
    figure.update_layout(legend=LEGEND_ABOVE)
    return finished(figure, height=320)


def confidence_histogram(
    confidence: Sequence[float], right: Sequence[bool], *, sure_from: float
) -> go.Figure:
    """How sure right and wrong answers were, and from where on an answer is given.

    Args:
        confidence: of each answer, in [0, 1].
        right: whether it was right.
        sure_from: answers below it are "not sure".
    """
    figure = go.Figure()
    for wanted, name, color, shape in (
        (False, _("wrong"), palette.WRONG_COLOR, "/"),
        (True, _("right"), palette.RIGHT_COLOR, ""),
    ):
        figure.add_histogram(
            x=[c for c, hit in zip(confidence, right, strict=True) if bool(hit) is wanted],
            xbins={"start": 0, "end": 1.0001, "size": 0.05},
            name=name,
            marker={
                "color": color,
                "pattern": {
                    "shape": shape,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255,255,255,0.7)",
                    "size": 6,
                },
            },
            hovertemplate=_("%{y} answers") + f", {name}<extra></extra>",
        )
    figure.add_vrect(x0=0, x1=sure_from, fillcolor=palette.QUIET_COLOR, opacity=0.16, line_width=0)
    figure.add_vline(
        x=sure_from,
        line={"color": palette.QUIET_COLOR, "width": 2},
        annotation={
            "text": _("not sure") if sure_from > 0.12 else "",
            "font": {"size": 12},
            "yanchor": "bottom",  # above the bars
        },
        annotation_position="top left",
    )
    figure.update_xaxes(
        title=_("how sure it was (confidence)"), showgrid=False, **share_axis(room=0.012)
    )
    figure.update_yaxes(
        title=_("test photos"), gridcolor=GRID_COLOR, zeroline=False, automargin=True
    )
    figure.update_layout(
        barmode="stack",
        legend={"orientation": "h", "y": 1.13, "yanchor": "bottom", "x": 0, "title": None},
    )
    return finished(figure, height=260, bargap=0.06)


def with_alpha(color: str, alpha: float) -> str:
    """A colour `#rrggbb` that lets what is below shine through; `alpha` in [0, 1]."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def finished(figure: go.Figure, *, height: int, **layout: Any) -> go.Figure:
    """The figure with what all figures of the pages share.

    Args:
        height: in pixels.
        layout: further arguments of plotly's layout.
    """
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 24, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
        **layout,
    )
    return figure
