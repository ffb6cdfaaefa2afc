"""The curves of a run that is learning, and what a search has tried, drawn to grow in place.

Owns: their HTML. Leaves to others: the charts of what has ended (`charts.curves`,
`search_view.plot`), which can be pointed at and exported. That kind is built anew with every new point, and is gone for a moment
each time; this one is not.

Places are percentages of the box, so that lines stretch with the page and words do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from translearn_core.texts import _
from translearn_ui.components import charts

Events = Sequence[Mapping[str, Any]]
Points = list[tuple[float, float]]
"""Places in the box, in percent from the left and from below."""

_MOST_DOTS = 30
_HANDSOME = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOOKS: dict[str, tuple[str, str, bool]] = {
    "batches": (charts.TRAINING_COLOR, 'stroke-width="1" opacity=".55"', False),
    "training": (charts.TRAINING_COLOR, 'stroke-width="2.5" stroke-dasharray="2 4"', True),
    "validation": (charts.VALIDATION_COLOR, 'stroke-width="2.5"', True),
    "best": (charts.ACCENT_COLOR, 'stroke-width="2"', False),
    "trials": (charts.VALIDATION_COLOR, 'stroke-width="0"', True),
}
"""Line -> its colour, its look, and whether its points are dots."""

STYLE = f"""
<style>
.tl-curve {{margin: 0; font-size: .78rem; font-variant-numeric: tabular-nums;}}
.tl-curve figcaption {{display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin-left: 3rem;
  min-height: 1.3rem;}}
.tl-curve figcaption b {{font-weight: 600;}}
.tl-curve figcaption i {{display: inline-block; width: 1.4rem; margin-right: .35rem;
  vertical-align: .22rem; border-top: 2.5px solid;}}
.tl-curve .box {{position: relative; height: 13.4rem; margin: .6rem .4rem 1.5rem 3rem;}}
.tl-curve img {{position: absolute; inset: 0; width: 100%; height: 100%;}}
.tl-curve .grid {{position: absolute; left: 0; right: 0;
  border-top: 1px solid color-mix(in srgb, currentColor 14%, transparent);}}
.tl-curve .grid span {{position: absolute; right: calc(100% + .5rem); top: -.6rem; opacity: .75;}}
.tl-curve .round {{position: absolute; top: calc(100% + .25rem); transform: translateX(-50%);
  opacity: .75;}}
.tl-curve .dot {{position: absolute; width: 6px; height: 6px; margin: 0 0 -3px -3px;
  border-radius: 50%;}}
.tl-curve .star {{position: absolute; transform: translate(-50%, 50%); font-size: 1.3rem;
  line-height: 1; color: {charts.VALIDATION_COLOR};}}
.tl-curve .tuning {{position: absolute; top: 0; bottom: 0; border-left: 1px dashed;
  border-color: {charts.QUIET_COLOR};}}
.tl-curve .tuning span {{position: absolute; bottom: .1rem; right: .3rem; white-space: nowrap;}}
.tl-curve .box .start {{position: absolute; left: 0; right: 0;}}
.tl-curve .start {{border-top: 1px dashed {charts.QUIET_COLOR} !important;}}
.tl-curve p {{text-align: center; margin: 0 0 .8rem 3rem; opacity: .75; font-size: inherit;}}
</style>
"""


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
        history: `epoch` events of a run: epoch (from 1), phase, and the measures.
        metric: `accuracy` (a share) or `loss`.
        batches: `batch` events of the round that is going on; drawn thin, between the rounds.
        epochs: how many rounds there will be at most.
        best_epoch: the round whose weights would be kept, marked; 0 for none.
        words: what the curve shows, for people who do not see it.
    """
    lines = {
        "batches": [
            (b["epoch"] - 1 + b["batch"] / max(1, b["batches"] or 1), b.get(metric))
            for b in batches
        ],
        "training": [(e["epoch"], e.get(metric)) for e in history],
        "validation": [(e["epoch"], e.get(f"val_{metric}")) for e in history],
    }
    known = {
        name: [(float(x), float(y)) for x, y in points if y is not None]
        for name, points in lines.items()
    }
    last = max([*(e["epoch"] for e in history), *(b["epoch"] for b in batches)], default=1)
    reach = max(last, epochs if epochs <= 2 * last else 0, 4) + 0.5
    values = [y for points in known.values() for _x, y in points]
    low, high, step = _range_of(values, is_share=metric == "accuracy")

    def placed(points: Points) -> Points:
        return [(100 * x / reach, 100 * (y - low) / (high - low)) for x, y in points]

    places = {name: placed(points) for name, points in known.items()}
    best = placed([(x, y) for x, y in known["validation"] if x == best_epoch])
    inside = (
        _grid_html(low, high, step, is_share=metric == "accuracy")
        + _rounds_html(reach)
        + _tuning_html(history, reach)
        + _lines_html(places)
        + "".join(f'<span class="star" style="{_at(place)}">★</span>' for place in best)
    )
    return (
        f'<figure class="tl-curve" role="img" aria-label="{escape(words)}" '
        f'data-points="{len(known["validation"])}">{_legend_html(known, metric, bool(best))}'
        f'<div class="box">{inside}</div><p>{escape(_("round (epoch)"))}</p></figure>'
    )


def trials_html(judged: Sequence[tuple[int, float]], *, words: str) -> str:
    """Right answers of each setting that a search has judged, and the best so far as a line.

    Args:
        judged: number and share of right answers, the default first.
        words: what the chart shows, for people who do not see it.
    """
    shares = [share for _number, share in judged]
    low, high = max(0.0, min(shares) - 0.05), min(1.0, max(shares) + 0.05)
    reach = judged[-1][0] + 0.5

    def placed(number: float, share: float) -> tuple[float, float]:
        return 100 * number / reach, 100 * (share - low) / (high - low)

    best: Points = []
    leader = 0.0
    for number, share in judged:
        best += [placed(number, leader)] if best else []
        leader = max(leader, share)
        best.append(placed(number, leader))
    trials = [placed(number, share) for number, share in judged]
    step = 0.05 if high - low < 0.3 else 0.1
    start = f'<div class="start" style="bottom:{trials[0][1]:.2f}%"></div>'
    inside = (
        _grid_html(low, high, step, is_share=True)
        + _rounds_html(reach)
        + start
        + _lines_html({"best": best, "trials": trials})
    )
    legend = (
        f"<b>{escape(_('right in cross-validation'))}</b>"
        f'<span><i style="border-color:{charts.ACCENT_COLOR}"></i>{escape(_("best so far"))}</span>'
        f'<span><i class="start"></i>{escape(_("the default"))}</span>'
    )
    return (
        f'<figure class="tl-curve" role="img" aria-label="{escape(words)}">'
        f'<figcaption>{legend}</figcaption><div class="box">{inside}</div>'
        f"<p>{escape(_('setting no.'))}</p></figure>"
    )


def _range_of(values: Sequence[float], *, is_share: bool) -> tuple[float, float, float]:
    """Lowest and highest value of the axis, and the step between its lines."""
    if is_share:
        low = max(0.0, int(min(values, default=0.0) * 10) / 10 - 0.1)
        return low, 1.02, 0.2 if low < 0.6 else 0.1
    high = max(values, default=1.0) * 1.05 or 1.0
    scale = 10.0 ** math.floor(math.log10(high / 4))
    step = next(scale * n for n in _HANDSOME if scale * n >= high / 4)
    return 0.0, high, step


def _at(place: tuple[float, float]) -> str:
    return f"left:{place[0]:.2f}%;bottom:{place[1]:.2f}%"


def _grid_html(low: float, high: float, step: float, *, is_share: bool) -> str:
    lines = []
    for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        value = number * step
        text = f"{value:.0%}" if is_share else f"{value:.3g}"
        bottom = 100 * (value - low) / (high - low)
        lines.append(f'<div class="grid" style="bottom:{bottom:.2f}%"><span>{text}</span></div>')
    return "".join(lines)


def _rounds_html(reach: float) -> str:
    step = max(1, math.ceil(reach / 8))
    return "".join(
        f'<span class="round" style="left:{100 * number / reach:.2f}%">{number}</span>'
        for number in range(0, int(reach) + 1, step)
    )


def _tuning_html(history: Events, reach: float) -> str:
    """Where fine-tuning began."""
    first = next((e["epoch"] for e in history if e.get("phase") == "fine_tune"), None)
    if first is None or first <= 1:
        return ""
    left = 100 * (first - 0.5) / reach
    words = escape(_("fine-tuning") + " →")
    return f'<div class="tuning" style="left:{left:.2f}%"><span>{words}</span></div>'


def _lines_html(places: Mapping[str, Points]) -> str:
    """The lines as one picture, since pages take no drawing as such, and their dots."""
    lines, dots = "", ""
    for name, points in places.items():
        color, look, dotted = _LOOKS[name]
        path = " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in points)
        lines += (
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-linejoin="round" '
            f'vector-effect="non-scaling-stroke" {look}/>'
        )
        if dotted and (len(points) < _MOST_DOTS or name == "trials"):
            dots += "".join(
                f'<i class="dot" style="{_at(place)};background:{color}"></i>' for place in points
            )
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" '
        f'preserveAspectRatio="none">{lines}</svg>'
    )
    return f'<img alt="" decoding="sync" src="data:image/svg+xml,{quote(drawing)}">{dots}'


def _legend_html(known: Mapping[str, Points], metric: str, has_best: bool) -> str:
    title = _("right answers (accuracy)") if metric == "accuracy" else _("error (loss)")
    rows = [f"<b>{escape(title)}</b>"]
    for name, words, line in (
        ("training", _("training"), f"{charts.TRAINING_COLOR};border-top-style:dotted"),
        ("validation", _("validation"), charts.VALIDATION_COLOR),
    ):
        if known[name]:
            rows.append(f'<span><i style="border-color:{line}"></i>{escape(words)}</span>')
    if has_best:
        color = charts.VALIDATION_COLOR
        rows.append(f'<span><span style="color:{color}">★</span> {escape(_("kept"))}</span>')
    return f"<figcaption>{''.join(rows)}</figcaption>"
