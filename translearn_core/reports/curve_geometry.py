"""Training curves: one geometry, and one SVG drawing of it.

Owns: which points, axis limits, ticks and marks belong to the curves of a run, and their lines as SVG.
Leaves to others: axes and legends. The live view writes these as HTML, the report as SVG
(`charts.py`); charts of ended runs are drawn by plotly from the same geometry (`translearn_ui`).

Accuracies are shares in [0, 1]; epochs count from 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from translearn_core import palette
from translearn_core.formatting import percent
from translearn_core.i18n import _, number

Events = Sequence[Mapping[str, Any]]
Point = tuple[float, float]

_ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_NUMBERS = 8
_LEAST_REACH = 4
"""Least number of epochs on the horizontal axis."""


@dataclass(frozen=True)
class LineStyle:
    """How a line is drawn: its colour, its stroke width in pixels, its dashes, its opacity."""

    color: str
    width: float
    dash: str = ""
    opacity: float = 1.0


LINE_STYLES: dict[str, LineStyle] = {
    "batches": LineStyle(palette.TRAINING_COLOR, 1, opacity=0.55),
    "training": LineStyle(palette.TRAINING_COLOR, 2.5, dash="2 4"),
    "validation": LineStyle(palette.VALIDATION_COLOR, 2.5),
    "best": LineStyle(palette.ACCENT_COLOR, 2),
    "trials": LineStyle(palette.VALIDATION_COLOR, 0),
}
"""Name of a line -> its style."""


@dataclass(frozen=True)
class Axis:
    """Limits and ticks of one axis."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The position of a value, 0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class TrainingCurves:
    """One measure over the epochs of a run.

    Attributes:
        metric: `accuracy` or `loss`.
        lines: `batches`, `training`, `validation` -> the known points (epoch, value).
        best: the point of the epoch whose weights are kept.
        fine_tuning: the place on the epoch axis where fine-tuning begins.
    """

    metric: str
    lines: dict[str, list[Point]]
    x: Axis
    y: Axis
    last: int
    best: Point | None
    fine_tuning: float | None

    @property
    def title(self) -> str:
        """The name of the measure, with its term."""
        return _("right answers (accuracy)") if self.is_share else _("error (loss)")

    @property
    def is_share(self) -> bool:
        """Whether the measure is a share in [0, 1]."""
        return self.metric == "accuracy"

    def value_text(self, value: float) -> str:
        """A value of the measure as it stands at a tick."""
        return percent(value) if self.is_share else number(value, ".3g")

    def placed(self, points: Sequence[Point]) -> list[Point]:
        """Points in the unit square, (0, 0) at the bottom left."""
        return [(self.x.at(x), self.y.at(y)) for x, y in points]


def curves_of(
    history: Events,
    *,
    metric: str,
    batches: Events = (),
    epochs: int = 0,
    best_epoch: int = 0,
) -> TrainingCurves:
    """The geometry of one measure of a run.

    Args:
        history: `epoch` events of a run: epoch (from 1), phase, and the measures.
        metric: `accuracy` or `loss`.
        batches: `batch` events of the epoch that is going on.
        epochs: how many epochs there will be at most; 0 where the run has ended.
        best_epoch: the epoch whose weights are kept; 0 for none.
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
    values = [y for points in known.values() for _x, y in points]
    last = max([*(e["epoch"] for e in history), *(b["epoch"] for b in batches)], default=1)
    first = next((e["epoch"] for e in history if e.get("phase") == "fine_tune"), 0)
    return TrainingCurves(
        metric=metric,
        lines=known,
        x=number_axis(last, planned=epochs),
        y=share_axis(values) if metric == "accuracy" else loss_axis(values),
        last=last,
        best=next((point for point in known["validation"] if point[0] == best_epoch), None),
        fine_tuning=first - 0.5 if first > 1 else None,
    )


def number_axis(last: int, *, planned: int = 0) -> Axis:
    """From 0 to a little beyond the last of numbered things, or to all planned once half are done."""
    high = max(last, planned if planned <= 2 * last else 0, _LEAST_REACH) + 0.5
    step = max(1, math.ceil(high / _MOST_NUMBERS))
    return Axis(0.0, high, tuple(float(n) for n in range(0, int(high) + 1, step)))


def share_axis(values: Sequence[float]) -> Axis:
    """From a round share below the lowest value to a little above 1."""
    low = max(0.0, int(min(values, default=0.0) * 10) / 10 - 0.1)
    return Axis(low, 1.02, _ticks(low, 1.02, 0.2 if low < 0.6 else 0.1))


def zoomed_share_axis(values: Sequence[float], margin: float = 0.05) -> Axis:
    """Just around the values, within [0, 1]."""
    low, high = max(0.0, min(values) - margin), min(1.0, max(values) + margin)
    return Axis(low, high, _ticks(low, high, 0.05 if high - low < 0.3 else 0.1))


def loss_axis(values: Sequence[float]) -> Axis:
    """From 0 to a little above the highest value, with about four round ticks."""
    high = max(values, default=1.0) * 1.05 or 1.0
    scale = 10.0 ** math.floor(math.log10(high / 4))
    step = next(scale * n for n in _ROUND_STEPS if scale * n >= high / 4)
    return Axis(0.0, high, _ticks(0.0, high, step))


def _ticks(low: float, high: float, step: float) -> tuple[float, ...]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(number * step for number in range(first, last + 1))


def drawing(
    lines: Mapping[str, Sequence[Point]],
    *,
    left: float = 0.0,
    top: float = 0.0,
    width: float = 100.0,
    height: float = 100.0,
) -> str:
    """Lines as SVG elements.

    Args:
        lines: a name in `LINE_STYLES` -> points in the unit square, (0, 0) at the bottom left.
        left, top, width, height: the box to draw into, in the units of the SVG.
    """
    return "".join(
        _line_svg(
            LINE_STYLES[name], [(left + x * width, top + (1 - y) * height) for x, y in points]
        )
        for name, points in lines.items()
        if points
    )


def _line_svg(style: LineStyle, points: Sequence[Point]) -> str:
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    more = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    more += f' opacity="{style.opacity:g}"' if style.opacity < 1 else ""
    return (
        f'<polyline points="{path}" fill="none" stroke="{style.color}" '
        f'stroke-width="{style.width:g}" stroke-linejoin="round" stroke-linecap="round" '
        f'vector-effect="non-scaling-stroke"{more}/>'
    )
