"""Training curves: one geometry for the live view, the charts and the report."""

from __future__ import annotations

import pytest

from translearn_core.reports.curve_geometry import (
    curves_of,
    drawing,
    number_axis,
    zoomed_share_axis,
)


def epoch(number: int, *, phase: str = "head", value: float = 0.8) -> dict[str, float | str]:
    return {
        "epoch": number,
        "phase": phase,
        "accuracy": value,
        "loss": 2 - value,
        "val_accuracy": value - 0.1,
        "val_loss": 2.1 - value,
    }


HISTORY = [epoch(1, value=0.5), epoch(2, value=0.7), epoch(3, phase="fine_tune", value=0.9)]


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_every_point_lies_inside_the_box(metric: str) -> None:
    drawn = curves_of(HISTORY, metric=metric, best_epoch=3)
    for points in drawn.lines.values():
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in drawn.placed(points))
    for axis in (drawn.x, drawn.y):
        assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
        assert len(axis.ticks) > 2
    assert drawn.best == (3.0, HISTORY[2][f"val_{metric}"])
    assert drawn.fine_tuning == 2.5


def test_unknown_values_are_no_points() -> None:
    history = [epoch(1) | {"val_accuracy": None}, epoch(2)]
    drawn = curves_of(history, metric="accuracy", best_epoch=1)
    assert [x for x, _y in drawn.lines["validation"]] == [2.0]
    assert drawn.best is None, "the kept epoch has no validation value"
    assert drawn.fine_tuning is None


def test_batches_lie_between_their_epochs() -> None:
    batch = {"epoch": 2, "batch": 3, "batches": 4, "accuracy": 0.6}
    drawn = curves_of([epoch(1)], metric="accuracy", batches=[batch])
    assert drawn.lines["batches"] == [(1.75, 0.6)]


def test_the_axis_reaches_all_planned_epochs_once_half_of_them_are_done() -> None:
    assert number_axis(4, planned=20).high == 4.5
    assert number_axis(10, planned=20).high == 20.5
    assert all(tick == int(tick) for tick in number_axis(30).ticks)


def test_a_zoomed_axis_stays_within_all_shares() -> None:
    axis = zoomed_share_axis([0.97, 0.99])
    assert (axis.low, axis.high) == (pytest.approx(0.92), 1.0)


def test_the_drawing_fills_the_box_it_is_given() -> None:
    svg = drawing({"training": [(0.0, 0.0), (1.0, 1.0)]}, left=10, top=20, width=100, height=50)
    assert 'points="10.00,70.00 110.00,20.00"' in svg
    assert drawing({"training": []}) == ""
