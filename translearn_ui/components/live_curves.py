"""The curves of a run that is training, and what a search has tried, drawn to grow in place.

Owns: their HTML. Leaves to others: points, axes and lines (`translearn_core.reports.curve_geometry`), the
charts of what has ended (`charts.curves`, `search_view.plot`), which can be pointed at and exported.
That kind is built anew with every new point and vanishes for a moment each time; this one does not.

Positions are percentages of the box, so that lines stretch with the page and words do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from translearn_core import palette
from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.reports.curve_geometry import (
    LINE_STYLES,
    Axis,
    Events,
    Point,
    TrainingCurves,
    curves_of,
    drawing,
    number_axis,
    zoomed_share_axis,
)

_MOST_DOTS = 30
_DOTTED = ("training", "validation", "trials")
"""Lines whose points are dots."""


def html(
    history: Events,
    *,
    metric: str,
    batches: Events = (),
    epochs: int = 0,
    best_epoch: int = 0,
    words: str,
) -> str:
    """One measure over the rounds so far, for the training and the validation photos.

    Args:
        history, metric, batches, epochs, best_epoch: as in `curves_of`.
        words: what the curve shows, for people who do not see it.
    """
    drawn = curves_of(history, metric=metric, batches=batches, epochs=epochs, best_epoch=best_epoch)
    best = drawn.placed([drawn.best] if drawn.best else [])
    inside = (
        _grid_html(drawn.y, [drawn.value_text(value) for value in drawn.y.ticks])
        + _epochs_html(drawn.x)
        + _tuning_html(drawn)
        + _lines_html({name: drawn.placed(points) for name, points in drawn.lines.items()})
        + "".join(f'<span class="star" style="{_at(point)}">★</span>' for point in best)
    )
    return (
        f'<figure class="tl-curve" role="img" aria-label="{escape(words)}" '
        f'data-points="{len(drawn.lines["validation"])}">{_legend_html(drawn)}'
        f'<div class="box">{inside}</div><p>{escape(_("round (epoch)"))}</p></figure>'
    )


def trials_html(judged: Sequence[tuple[int, float]], *, words: str) -> str:
    """Right answers of each setting that a search has judged, and the best so far as a line.

    Args:
        judged: number and share of right answers, the default first.
        words: what the chart shows, for people who do not see it.
    """
    y = zoomed_share_axis([share for _number, share in judged])
    x = number_axis(judged[-1][0])
    best: list[Point] = []
    leader = 0.0
    for number, share in judged:
        best += [(x.at(number), y.at(leader))] if best else []
        leader = max(leader, share)
        best.append((x.at(number), y.at(leader)))
    trials = [(x.at(number), y.at(share)) for number, share in judged]
    start = f'<div class="start" style="bottom:{100 * trials[0][1]:.2f}%"></div>'
    inside = (
        _grid_html(y, [percent(value) for value in y.ticks])
        + _epochs_html(x)
        + start
        + _lines_html({"best": best, "trials": trials})
    )
    legend = (
        f"<b>{escape(_('right in cross-validation'))}</b>"
        f'<span><i style="border-color:{palette.ACCENT_COLOR}"></i>'
        f"{escape(_('best so far'))}</span>"
        f'<span><i class="start"></i>{escape(_("recommended"))}</span>'
    )
    return (
        f'<figure class="tl-curve" role="img" aria-label="{escape(words)}">'
        f'<figcaption>{legend}</figcaption><div class="box">{inside}</div>'
        f"<p>{escape(_('setting no.'))}</p></figure>"
    )


def _at(point: Point) -> str:
    return f"left:{100 * point[0]:.2f}%;bottom:{100 * point[1]:.2f}%"


def _grid_html(axis: Axis, texts: Sequence[str]) -> str:
    return "".join(
        f'<div class="grid" style="bottom:{100 * axis.at(value):.2f}%"><span>{text}</span></div>'
        for value, text in zip(axis.ticks, texts, strict=True)
    )


def _epochs_html(axis: Axis) -> str:
    return "".join(
        f'<span class="round" style="left:{100 * axis.at(number):.2f}%">{number:.0f}</span>'
        for number in axis.ticks
    )


def _tuning_html(drawn: TrainingCurves) -> str:
    """Where fine-tuning began."""
    if drawn.fine_tuning is None:
        return ""
    words = escape(_("fine-tuning") + " →")
    left = 100 * drawn.x.at(drawn.fine_tuning)
    return f'<div class="tuning" style="left:{left:.2f}%"><span>{words}</span></div>'


def _lines_html(lines: Mapping[str, Sequence[Point]]) -> str:
    """The lines as one picture, since pages take no drawing as such, and their dots."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" '
        f'preserveAspectRatio="none">{drawing(lines)}</svg>'
    )
    dots = "".join(
        f'<i class="dot" style="{_at(point)};background:{LINE_STYLES[name].color}"></i>'
        for name, points in lines.items()
        if name in _DOTTED and (len(points) < _MOST_DOTS or name == "trials")
        for point in points
    )
    return f'<img alt="" decoding="sync" src="data:image/svg+xml,{quote(svg)}">{dots}'


def _legend_html(drawn: TrainingCurves) -> str:
    rows = [f"<b>{escape(drawn.title)}</b>"]
    for name, words in (("training", _("training")), ("validation", _("validation"))):
        if drawn.lines[name]:
            dash = ";border-top-style:dotted" if LINE_STYLES[name].dash else ""
            rows.append(
                f'<span><i style="border-color:{LINE_STYLES[name].color}{dash}"></i>{escape(words)}</span>'
            )
    if drawn.best:
        color = palette.VALIDATION_COLOR
        rows.append(f'<span><span style="color:{color}">★</span> {escape(_("kept"))}</span>')
    return f"<figcaption>{''.join(rows)}</figcaption>"
