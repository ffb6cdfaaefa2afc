"""The confusion matrix as a chart, and its most frequent mistake in words.

Owns: cells, their sizes and shades, what can be clicked. Leaves to others: putting it on a page and what
all charts share (`charts.py`), choosing a cell (`matrix_view.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from translearn_core import palette
from translearn_core.i18n import _, ngettext
from translearn_ui.components import charts, format

_MOST_CELLS_WITH_NUMBERS = 24
_EMPTY_CELL = "rgba(128,128,128,0.10)"
_MATRIX_SIDE, _LEAST_CELL, _LARGEST_CELL, _OF_FEW = 440, 10, 58, 84
_ROOM_FOR_NAMES, _LEAST_FOR_NAMES, _SMALL_NAMES = 120, 16, 8
"""Pixels: of a confusion matrix, of its cells, below it; beside smaller cells names are small."""


def confusion_matrix(
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    *,
    marks: Sequence[str] = (),
    chosen: tuple[str, str] | None = None,
) -> go.Figure:
    """Truth against answer, with the number of photos in each cell; the cells are squares.

    The shade is the share of the row's photos, so that a small class is as readable as a
    large one; right answers (the diagonal) and mistakes have different colours, empty cells are a
    light grid.

    Args:
        counts: rows are the truth, columns the answer, in the order of `names`.
        marks: of each class, what stands before its name (`class_marks.mark_text`).
        chosen: truth and answer of the cell that is outlined.
    """
    n = len(names)
    shares = [[n / max(1, sum(row)) for n in row] for row in counts]
    right = [[s if r == c else None for c, s in enumerate(row)] for r, row in enumerate(shares)]
    wrong = [[None if r == c else s for c, s in enumerate(row)] for r, row in enumerate(shares)]
    places = list(range(n))
    figure = go.Figure()
    for part, color in ((right, palette.RIGHT_COLOR), (wrong, palette.WRONG_COLOR)):
        _add_cells(figure, part, [charts.with_alpha(color, 0.0), charts.with_alpha(color, 0.92)])
    empty = [[None if count else 0.0 for count in row] for row in counts]
    _add_cells(figure, empty, [_EMPTY_CELL, _EMPTY_CELL])
    cell = max(_LEAST_CELL, min(_LARGEST_CELL if n > 4 else _OF_FEW, _MATRIX_SIDE // max(n, 1)))
    if n <= _MOST_CELLS_WITH_NUMBERS:
        _write_cells(figure, counts, shares)
    _add_fields(figure, counts, shares, names, size=cell - 2)
    if chosen is not None and set(chosen) <= set(names):
        _outline(figure, names.index(chosen[0]), names.index(chosen[1]))
    shown = [_shortened(name) for name in names]
    font = {"size": _SMALL_NAMES} if cell < _LEAST_FOR_NAMES else {}
    if marks:
        shown = [f"{mark} {name}" for mark, name in zip(marks, shown, strict=True)]
    figure.update_xaxes(
        title=_("answer"),
        tickvals=places,
        ticktext=shown,
        tickfont=font,
        range=[-0.5, n - 0.5],
        constrain="domain",
        constraintoward="left",
        side="bottom",
        showgrid=False,
        zeroline=False,
        autotickangles=[0, -40, -90],
        automargin=True,
    )
    figure.update_yaxes(
        title=_("truth"),
        tickvals=places,
        ticktext=shown,
        tickfont=font,
        range=[n - 0.5, -0.5],
        scaleanchor="x",
        constrain="domain",
        constraintoward="top",
        showgrid=False,
        zeroline=False,
        automargin=True,
    )
    return charts.finished(figure, height=_ROOM_FOR_NAMES + cell * n)


def _add_cells(
    figure: go.Figure, values: Sequence[Sequence[float | None]], ends: list[str]
) -> None:
    """Cells that are not None, in a colour between two ends."""
    places = list(range(len(values)))
    figure.add_heatmap(
        z=values,
        x=places,
        y=places,
        colorscale=[[0, ends[0]], [1, ends[1]]],
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        showscale=False,
        hoverinfo="skip",
    )


def _outline(figure: go.Figure, row: int, column: int) -> None:
    """A line around a cell, in the page's text colour."""
    figure.add_shape(
        type="rect",
        x0=column - 0.5,
        x1=column + 0.5,
        y0=row - 0.5,
        y1=row + 0.5,
        line={"color": charts.TEXT_COLORS[st.context.theme.type or "light"], "width": 3},
    )


def confusion_sentence(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """The most frequent mistake in words, or that there was none."""
    mistakes = [
        (n, names[r], names[c])
        for r, row in enumerate(counts)
        for c, n in enumerate(row)
        if r != c and n > 0
    ]
    if not mistakes:
        return _("No mistake at all on these photos.")
    n, truth, answer = max(mistakes, key=lambda mistake: mistake[0])
    return ngettext(
        "Most often mixed up: {truth} taken for {answer} ({n} photo).",
        "Most often mixed up: {truth} taken for {answer} ({n} photos).",
        n,
    ).format(truth=truth, answer=answer, n=n)


def _write_cells(
    figure: go.Figure, counts: Sequence[Sequence[int]], shares: Sequence[Sequence[float]]
) -> None:
    for r, row in enumerate(counts):
        for c, n in enumerate(row):
            if n == 0 and r != c:
                continue
            figure.add_annotation(
                x=c,
                y=r,
                text=f"<b>{n}</b>" if r == c else str(n),
                showarrow=False,
                font={"color": "white"} if shares[r][c] > 0.7 else {},
            )


def _add_fields(
    figure: go.Figure,
    counts: Sequence[Sequence[int]],
    shares: Sequence[Sequence[float]],
    names: Sequence[str],
    *,
    size: int,
) -> None:
    """Invisible points over the filled cells: a heat map has none that could be clicked."""
    filled = [(r, c) for r, row in enumerate(counts) for c, n in enumerate(row) if n]
    unseen = {"marker": {"color": "rgba(0,0,0,0)"}}
    figure.add_scatter(
        x=[c for _r, c in filled],
        y=[r for r, _c in filled],
        customdata=[
            [names[r], names[c], counts[r][c], format.percent(shares[r][c])] for r, c in filled
        ],
        mode="markers",
        marker={"size": size, "symbol": "square", "color": "rgba(0,0,0,0)"},
        selected=unseen,
        unselected=unseen,
        hovertemplate=_(
            "really %{customdata[0]}, answered %{customdata[1]}:<br>%{customdata[2]} photos "
            "(%{customdata[3]} of this class)"
        )
        + "<extra></extra>",
        showlegend=False,
    )


def _shortened(name: str, most: int = 16) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
