"""Charts as SVG text that stands in a page by itself: no script, no other file.

Owns: the drawing of curves, of the matrix, of confidence and of a share with its interval, for
reports.
Leaves to others: the charts of the app (`translearn_ui/components/charts.py`), whose colours these share.

Text and axes take the page's own colour (`currentColor`), so that a chart is readable on light and
dark pages and on paper; colour is never the only sign.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from translearn_core.calibration import Bin
from translearn_core.texts import _

TRAINING_COLOR = "#E69F00"
VALIDATION_COLOR = "#2A85C7"
RIGHT_COLOR = "#00A078"
WRONG_COLOR = "#D55E00"

WIDTH = 420
HEIGHT = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 26, 36
_MOST_CELLS_WITH_NUMBERS = 24


def curves(epochs: Sequence[Mapping[str, Any]], *, metric: str) -> str:
    """One measure over the epochs, training dotted and validation solid.

    Args:
        epochs: `epoch` events of a run.
        metric: `accuracy` (a share) or `loss`.
    """
    is_share = metric == "accuracy"
    lines = {
        "training": [(e["epoch"], e.get(metric)) for e in epochs],
        "validation": [(e["epoch"], e.get(f"val_{metric}")) for e in epochs],
    }
    values = [value for points in lines.values() for _x, value in points if value is not None]
    if not values:
        return ""
    low = max(0.0, math.floor(min(values) * 10 - 0.5) / 10) if is_share else 0.0
    high = 1.0 if is_share else _round_up(max(values))
    last = max(e["epoch"] for e in epochs)

    def place(x: float, y: float) -> tuple[float, float]:
        share_x = (x - 1) / max(1, last - 1)
        share_y = (y - low) / ((high - low) or 1.0)
        return (
            _LEFT + share_x * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - share_y * (HEIGHT - _TOP - _BOTTOM),
        )

    name = _("right answers (accuracy)") if is_share else _("error (loss)")
    parts = [_grid(low, high, last, place, is_share)]
    for kind, color, dash in (
        ("training", TRAINING_COLOR, ' stroke-dasharray="2 4"'),
        ("validation", VALIDATION_COLOR, ""),
    ):
        known = [(x, y) for x, y in lines[kind] if y is not None]
        if not known:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(x, y) for x, y in known))
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2.4" '
            f'stroke-linejoin="round" stroke-linecap="round"{dash}/>'
        )
        if len(known) == 1:
            x, y = place(*known[0])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>')
    parts.append(_legend(name, lines))
    return _svg(WIDTH, HEIGHT, "".join(parts), _curve_words(name, lines, last, is_share))


def _round_up(value: float) -> float:
    """The next handsome number above `value`."""
    scale = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(
        (step * scale for step in (1.0, 1.5, 2.0, 3.0, 5.0, 7.5) if step * scale >= value),
        10.0 * scale,
    )


def _grid(low: float, high: float, last: int, place: Any, is_share: bool) -> str:
    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        _x, y = place(1, value)
        text = f"{value:.0%}" if is_share else f"{value:.2g}"
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    for epoch in sorted({1, last, *range(0, last, max(1, math.ceil(last / 6)))} - {0}):
        x, _y = place(epoch, low)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{epoch}</text>'
        )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    label = escape(_("round (epoch)"))
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{label}</text>')
    return "".join(parts)


def _legend(name: str, lines: Mapping[str, Sequence[tuple[int, float | None]]]) -> str:
    parts = [f'<text x="0" y="13" class="strong">{escape(name)}</text>']
    x = float(WIDTH - _RIGHT)
    for kind, color, dash, label in (
        ("validation", VALIDATION_COLOR, "", _("validation")),
        ("training", TRAINING_COLOR, ' stroke-dasharray="2 4"', _("training")),
    ):
        if not any(value is not None for _x, value in lines[kind]):
            continue
        x -= 7.0 * len(label)
        parts.append(f'<text x="{x:.0f}" y="13">{escape(label)}</text>')
        parts.append(
            f'<line x1="{x - 26:.0f}" x2="{x - 6:.0f}" y1="9" y2="9" stroke="{color}" '
            f'stroke-width="2.4"{dash}/>'
        )
        x -= 38
    return "".join(parts)


def _curve_words(
    name: str,
    lines: Mapping[str, Sequence[tuple[int, float | None]]],
    last: int,
    is_share: bool,
) -> str:
    ends = []
    for kind, label in (("training", _("training")), ("validation", _("validation"))):
        known = [value for _x, value in lines[kind] if value is not None]
        if known:
            shown = f"{known[-1]:.0%}" if is_share else f"{known[-1]:.2f}"
            ends.append(f"{label} {shown}")
    return _("{name} over {n} rounds; at the end {ends}.").format(
        name=name, n=last, ends=", ".join(ends)
    )


def reliability(bins: Sequence[Bin], *, words: str) -> str:
    """Accuracy against confidence with 95 % intervals, and the line on which both agree."""
    side = 210.0
    left, top, bottom = 46.0, 12.0, 36.0

    def x(share: float) -> float:
        return left + share * side

    def y(share: float) -> float:
        return top + (1 - share) * side

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line x1="{left}" x2="{left + side}" y1="{y(share):.1f}" y2="{y(share):.1f}" '
            'class="grid"/>'
            f'<text x="{left - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
            f'<text x="{x(share):.1f}" y="{top + side + 15}" text-anchor="middle">{share:.0%}</text>'
        )
    parts.append(
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="currentColor" '
        'stroke-opacity=".5" stroke-dasharray="5 4"/>'
    )
    for one in bins:
        at = x(one.confidence)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(one.low):.1f}" y2="{y(one.high):.1f}" '
            f'stroke="{VALIDATION_COLOR}" stroke-width="1.5"/>'
            f'<circle cx="{at:.1f}" cy="{y(one.accuracy):.1f}" r="3.6" fill="{VALIDATION_COLOR}"/>'
        )
    parts.append(
        f'<text x="{x(0.5)}" y="{top + side + 31}" text-anchor="middle">'
        f"{escape(_('how sure it was (confidence)'))}</text>"
        f'<text transform="translate(12 {y(0.5)}) rotate(-90)" text-anchor="middle">'
        f"{escape(_('how often it was right'))}</text>"
    )
    return _svg(left + side + 14, top + side + bottom, "".join(parts), words)


def matrix(counts: Sequence[Sequence[int]], names: Sequence[str], *, words: str) -> str:
    """Truth (rows) against answer (columns), with the number of photos in each filled cell.

    Args:
        counts: rows are the truth, columns the answer, in the order of `names`.
        words: the same for people who do not see it.
    """
    n = len(names)
    side = max(14.0, min(44.0, 460.0 / n))
    longest = min(18, max(len(name) for name in names))
    left, top = 30 + 6.6 * longest, 22 + 4.8 * longest
    parts = [
        f'<text x="{left - 6:.0f}" y="{top - 8:.0f}" text-anchor="end" class="strong">'
        f"{escape(_('answer'))} →</text>",
        f'<text transform="translate(11 {top:.0f}) rotate(-90)" text-anchor="end" '
        f'class="strong">← {escape(_("truth"))}</text>',
    ]
    for place, name in enumerate(names):
        shown = escape(name if len(name) <= 18 else name[:17] + "…")
        middle = place * side + side / 2
        parts.append(
            f'<text x="{left - 6:.0f}" y="{top + middle + 4:.1f}" text-anchor="end">{shown}</text>'
            f'<text transform="translate({left + middle + 3:.1f} {top - 6:.0f}) rotate(-42)">'
            f"{shown}</text>"
        )
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            x, y = left + column * side, top + row * side
            parts.append(_cell(x, y, side, count, sum(line), row == column, n))
    right = 4.0 * longest
    return _svg(left + n * side + right, top + n * side + 4, "".join(parts), words)


def _cell(x: float, y: float, side: float, count: int, of: int, right: bool, n: int) -> str:
    share = count / max(1, of)
    color = RIGHT_COLOR if right else WRONG_COLOR
    rect = (
        f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{side - 2:.1f}" height="{side - 2:.1f}" '
        f'rx="3" '
    )
    if not count:
        return f'{rect}class="empty"/>'
    text = ""
    if n <= _MOST_CELLS_WITH_NUMBERS:
        strong = ' class="strong"' if right else ""
        white = ' fill="#fff"' if share > 0.6 else ""
        text = (
            f'<text x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}" text-anchor="middle"'
            f"{strong}{white}>{count}</text>"
        )
    return f'{rect}fill="{color}" fill-opacity="{0.12 + 0.85 * share:.2f}"/>{text}'


def interval(share: float, low: float, high: float, *, guess: float | None = None) -> str:
    """A line from 0 to 100 % with a share, its interval, and what guessing would get."""
    guessing = ""
    if guess is not None:
        guessing = (
            f'<line x1="{guess * 100:.1f}" x2="{guess * 100:.1f}" y1="1" y2="9" class="guess"/>'
        )
    return (
        '<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect x="0" y="4" width="100" height="2" rx="1" class="rail"/>'
        f'<rect x="{low * 100:.1f}" y="2.5" width="{(high - low) * 100:.1f}" height="5" rx="1" '
        f'fill="{RIGHT_COLOR}" fill-opacity=".38"/>'
        f'<rect x="{max(0.0, share * 100 - 0.4):.1f}" y="1.5" width="0.8" height="7" '
        f'fill="{RIGHT_COLOR}"/>{guessing}</svg>'
    )


def _svg(width: float, height: float, content: str, words: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'style="max-width:{width * 1.25:.0f}px" aria-label="{escape(words)}">{content}</svg>'
    )
