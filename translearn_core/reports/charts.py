"""Charts of reports as self-contained SVG: no script, no other file.

Owns: confusion matrix, reliability diagram, a share with its interval, and the axes of training
curves.
Leaves to others: the lines of training curves (`curve_geometry.py`), colours (`palette.py`), the
charts of the app (`translearn_ui/components/charts.py`).

Text and axes take the page's own colour (`currentColor`), so that a chart is readable on light and
dark pages and on paper; colour is never the only sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from translearn_core import palette
from translearn_core.evaluation.calibration import Bin
from translearn_core.formatting import percent
from translearn_core.i18n import _, number
from translearn_core.reports import curve_geometry
from translearn_core.reports.curve_geometry import TrainingCurves

WIDTH = 420
HEIGHT = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 26, 36
_MOST_CELLS_WITH_NUMBERS = 24


def curves(epochs: Sequence[Mapping[str, Any]], *, metric: str) -> str:
    """One measure over the epochs, training dotted and validation solid; nothing without epochs.

    Args:
        epochs: `epoch` events of a run.
        metric: `accuracy` (a share) or `loss`.
    """
    drawn = curve_geometry.curves_of(epochs, metric=metric)
    if not any(drawn.lines.values()):
        return ""
    box = {
        "left": _LEFT,
        "top": _TOP,
        "width": WIDTH - _LEFT - _RIGHT,
        "height": HEIGHT - _TOP - _BOTTOM,
    }
    placed = {name: drawn.placed(points) for name, points in drawn.lines.items()}
    dots = "".join(
        f'<circle cx="{box["left"] + points[0][0] * box["width"]:.1f}" '
        f'cy="{box["top"] + (1 - points[0][1]) * box["height"]:.1f}" r="3.5" '
        f'fill="{curve_geometry.LINE_STYLES[name].color}"/>'
        for name, points in placed.items()
        if len(points) == 1
    )
    content = _grid(drawn) + curve_geometry.drawing(placed, **box) + dots + _legend(drawn)
    return _svg(WIDTH, HEIGHT, content, _curve_words(drawn))


def _grid(drawn: TrainingCurves) -> str:
    """Lines and values of the vertical axis, epochs of the horizontal one."""
    parts = []
    for value in drawn.y.ticks:
        y = _TOP + (1 - drawn.y.at(value)) * (HEIGHT - _TOP - _BOTTOM)
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{drawn.value_text(value)}</text>"
        )
    for epoch in drawn.x.ticks:
        x = _LEFT + drawn.x.at(epoch) * (WIDTH - _LEFT - _RIGHT)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{epoch:.0f}</text>'
        )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    label = escape(_("round (epoch)"))
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{label}</text>')
    return "".join(parts)


def _legend(drawn: TrainingCurves) -> str:
    parts = [f'<text x="0" y="13" class="strong">{escape(drawn.title)}</text>']
    x = float(WIDTH - _RIGHT)
    for name, label in (("validation", _("validation")), ("training", _("training"))):
        if not drawn.lines[name]:
            continue
        x -= 7.0 * len(label)
        parts.append(f'<text x="{x:.0f}" y="13">{escape(label)}</text>')
        sign = {name: [(0.0, 0.5), (1.0, 0.5)]}
        parts.append(curve_geometry.drawing(sign, left=x - 26, top=4, width=20, height=10))
        x -= 38
    return "".join(parts)


def _curve_words(drawn: TrainingCurves) -> str:
    ends = []
    for name, label in (("training", _("training")), ("validation", _("validation"))):
        if drawn.lines[name]:
            value = drawn.lines[name][-1][1]
            ends.append(f"{label} {percent(value) if drawn.is_share else number(value, '.2f')}")
    return _("{name} over {n} rounds; at the end {ends}.").format(
        name=drawn.title, n=drawn.last, ends=", ".join(ends)
    )


def reliability(bins: Sequence[Bin], *, words: str) -> str:
    """Reliability diagram: accuracy against confidence with 95 % intervals, and the diagonal."""
    side = 210.0
    left, top, right, bottom = 62.0, 12.0, 24.0, 38.0

    def x(share: float) -> float:
        return left + share * side

    def y(share: float) -> float:
        return top + (1 - share) * side

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line x1="{left}" x2="{left + side}" y1="{y(share):.1f}" y2="{y(share):.1f}" '
            'class="grid"/>'
            f'<text x="{left - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{percent(share)}</text>'
            f'<text x="{x(share):.1f}" y="{top + side + 15}" text-anchor="middle">{percent(share)}</text>'
        )
    parts.append(
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="currentColor" '
        'stroke-opacity=".5" stroke-dasharray="5 4"/>'
    )
    for one in bins:
        at = x(one.confidence)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(one.low):.1f}" y2="{y(one.high):.1f}" '
            f'stroke="{palette.VALIDATION_COLOR}" stroke-width="1.5"/>'
            f'<circle cx="{at:.1f}" cy="{y(one.accuracy):.1f}" r="3.6" fill="{palette.VALIDATION_COLOR}"/>'
        )
    parts.append(
        f'<text x="{x(0.5)}" y="{top + side + 31}" text-anchor="middle">'
        f"{escape(_('how sure it was (confidence)'))}</text>"
        f'<text transform="translate(12 {y(0.5)}) rotate(-90)" text-anchor="middle">'
        f"{escape(_('how often it was right'))}</text>"
    )
    return _svg(left + side + right, top + side + bottom, "".join(parts), words)


def matrix(
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    *,
    words: str,
    colors: Sequence[str] = (),
) -> str:
    """Confusion matrix: photos by true class (rows) and predicted class (columns).

    Args:
        counts: rows are the true classes, columns the predicted ones, in the order of `names`.
        words: the text alternative (aria-label).
        colors: of the classes; a dot of it stands between a row and its name.
    """
    n = len(names)
    side = max(14.0, min(44.0, 460.0 / n))
    longest = min(18, max(len(name) for name in names))
    room = 12 if colors else 0
    left, top = 30 + room + 6.6 * longest, 22 + 4.8 * longest
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
            f'<text x="{left - 6 - room:.0f}" y="{top + middle + 4:.1f}" text-anchor="end">{shown}</text>'
            f'<text transform="translate({left + middle + 3:.1f} {top - 6:.0f}) rotate(-42)">'
            f"{shown}</text>"
        )
    for row, color in enumerate(colors):
        middle = top + row * side + side / 2
        parts.append(f'<circle cx="{left - 10:.0f}" cy="{middle:.1f}" r="4" fill="{color}"/>')
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            x, y = left + column * side, top + row * side
            parts.append(_cell(x, y, side, count, sum(line), row == column, n))
    right = 4.0 * longest
    return _svg(left + n * side + right, top + n * side + 4, "".join(parts), words)


def _cell(x: float, y: float, side: float, count: int, of: int, right: bool, n: int) -> str:
    share = count / max(1, of)
    color = palette.RIGHT_COLOR if right else palette.WRONG_COLOR
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
    """A line from 0 to 100 % with a share, its interval, and the majority baseline."""
    guessing = ""
    if guess is not None:
        guessing = (
            f'<line x1="{guess * 100:.1f}" x2="{guess * 100:.1f}" y1="1" y2="9" class="guess"/>'
        )
    return (
        '<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect x="0" y="4" width="100" height="2" rx="1" class="rail"/>'
        f'<rect x="{low * 100:.1f}" y="2.5" width="{(high - low) * 100:.1f}" height="5" rx="1" '
        f'fill="{palette.RIGHT_COLOR}" fill-opacity=".38"/>'
        f'<rect x="{max(0.0, share * 100 - 0.4):.1f}" y="1.5" width="0.8" height="7" '
        f'fill="{palette.RIGHT_COLOR}"/>{guessing}</svg>'
    )


def _svg(width: float, height: float, content: str, words: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'style="max-width:{width * 1.25:.0f}px" aria-label="{escape(words)}">{content}</svg>'
    )
