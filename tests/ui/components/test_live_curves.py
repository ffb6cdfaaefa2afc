"""Curves that grow in place, and that live view, chart and report draw the same points."""

from __future__ import annotations

import re
from urllib.parse import unquote

from tests.support.epochs import epoch
from translearn_core.reports import charts as report_charts
from translearn_core.reports.curve_geometry import curves_of
from translearn_ui.components import charts, live_curves


def test_moving_curves_grow_from_within_the_first_round() -> None:
    batch = {"epoch": 1, "batch": 5, "batches": 20, "loss": 1.0, "accuracy": 0.3}
    begun = live_curves.html([], metric="accuracy", batches=[batch], words="just <begun>")
    assert 'data-points="0"' in begun
    assert "just &lt;begun&gt;" in begun
    assert f'points="{100 * 0.25 / 4.5:.2f},' in unquote(begun)

    history = [epoch(1), epoch(2, loss=0.4), epoch(3, phase="fine_tune", loss=0.3)]
    drawn = live_curves.html(history, metric="loss", best_epoch=3, words="three rounds")
    assert 'data-points="3"' in drawn
    assert all(word in drawn for word in ("training", "validation", "★", "fine-tuning"))


def test_what_a_search_tried_is_drawn_with_the_best_so_far() -> None:
    drawn = unquote(live_curves.trials_html([(1, 0.8), (2, 0.7), (4, 0.9)], words="three"))
    best = drawn.split('points="')[1].split('"')[0].split()
    heights = [float(point.split(",")[1]) for point in best]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 5, "it goes on level until a better one comes"
    assert drawn.count('class="dot"') == 3


def test_live_view_chart_and_report_draw_the_same_points() -> None:
    history = [epoch(1), epoch(2, loss=0.4), epoch(3, phase="fine_tune", loss=0.3)]
    drawn = curves_of(history, metric="accuracy", best_epoch=3)
    figure = charts.curves(history, metric="accuracy", best_epoch=3)
    assert list(figure.layout.yaxis.range) == [drawn.y.low, drawn.y.high]
    assert list(figure.layout.xaxis.tickvals) == list(drawn.x.ticks)
    texts = [drawn.value_text(value) for value in drawn.y.ticks]
    assert list(figure.layout.yaxis.ticktext) == texts
    live = live_curves.html(history, metric="accuracy", best_epoch=3, words="")
    report = report_charts.curves(history, metric="accuracy")
    for text in texts:
        assert f">{text}<" in live
        assert f">{text}<" in report
    inside = drawn.placed(drawn.lines["validation"])
    left, top, right, bottom = 46, 26, report_charts.WIDTH - 10, report_charts.HEIGHT - 36
    expected = " ".join(
        f"{left + x * (right - left):.2f},{top + (1 - y) * (bottom - top):.2f}" for x, y in inside
    )
    assert expected in re.findall(r'points="([^"]+)"', report)
