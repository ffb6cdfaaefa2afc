"""Charts: what is drawn is what was handed in; colours are the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.support.epochs import epoch
from translearn_core import palette
from translearn_ui import shell
from translearn_ui.components import charts, confusion_chart


def test_class_colors_differ_and_repeat() -> None:
    assert len(set(palette.CLASS_COLORS)) == len(palette.CLASS_COLORS)
    assert palette.class_color(len(palette.CLASS_COLORS)) == palette.class_color(0)


def test_counts_are_sorted_by_name_and_colored_by_their_place() -> None:
    figure = charts.counts_chart(pd.Series({"pears": 3, "apples": 1200}))

    bars = figure.data[0]
    assert list(bars.y) == ["apples", "pears"]
    assert list(bars.text) == ["1,200", "3"]
    assert list(bars.marker.color) == [palette.class_color(0), palette.class_color(1)]


def test_probabilities_are_ranked_but_keep_their_class_color() -> None:
    figure = charts.probability_bars({"apples": 0.1, "pears": 0.9})

    bars = figure.data[0]
    assert list(bars.y) == ["pears", "apples"]
    assert list(bars.text) == ["90 %", "10 %"]
    assert list(bars.marker.color) == [palette.class_color(1), palette.class_color(0)]


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_curves_show_both_parts_and_mark_the_kept_round(metric: str) -> None:
    history = [epoch(1), epoch(2, loss=0.4), epoch(3, phase="fine_tune", loss=0.3)]

    figure = charts.curves(history, metric=metric, best_epoch=3)

    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["training"].x) == [1, 2, 3]
    assert list(by_name["validation"].y) == [e[f"val_{metric}"] for e in history]
    assert list(by_name["kept"].x) == [3]
    assert by_name["training"].line.dash != by_name["validation"].line.dash
    assert figure.layout.shapes[0].x0 == 2.5  # where fine-tuning begins
    assert figure.layout.xaxis.title.text
    assert figure.layout.title.text


def test_confusion_matrix_shades_by_row_and_writes_counts() -> None:
    figure = confusion_chart.confusion_matrix([[8, 2], [0, 1]], ["cats", "dogs"])

    right, wrong = figure.data[0].z, figure.data[1].z
    assert right[0][0] == 0.8
    assert right[0][1] is None
    assert wrong[0][1] == 0.2
    assert [note.text for note in figure.layout.annotations] == ["<b>8</b>", "2", "<b>1</b>"]


def test_confusion_matrix_is_square_with_a_grid_where_it_is_empty() -> None:
    names = ["cats", "dogs", "owls"]
    figure = confusion_chart.confusion_matrix(
        [[8, 2, 0], [0, 1, 0], [0, 0, 4]], names, marks=["●", "■", "◆"], chosen=("cats", "dogs")
    )
    empty = [[value is not None for value in row] for row in figure.data[2].z]
    assert empty == [[False, False, True], [True, False, True], [True, True, False]]
    assert figure.layout.yaxis.scaleanchor == "x"
    assert list(figure.layout.xaxis.ticktext) == ["● cats", "■ dogs", "◆ owls"]
    (outline,) = figure.layout.shapes
    assert (outline.x0, outline.x1, outline.y0, outline.y1) == (0.5, 1.5, -0.5, 0.5)
    gone = confusion_chart.confusion_matrix([[1]], ["cats"], chosen=("cats", "dogs"))
    assert not gone.layout.shapes


def test_largest_confusion_is_said_in_words() -> None:
    sentence = confusion_chart.confusion_sentence([[8, 2], [1, 9]], ["cats", "dogs"])
    assert sentence == "Most often mixed up: cats taken for dogs (2 photos)."
    assert "No mistake" in confusion_chart.confusion_sentence([[1, 0], [0, 1]], ["cats", "dogs"])


def test_words_of_a_chart_that_stays_follow_the_theme_of_the_browser() -> None:
    """The style sheet knows the ink that charts are drawn in by its value, as a browser writes it."""
    style = (Path(shell.__file__).parent / "translearn.css").read_text(encoding="utf-8")
    for ink in charts.TEXT_COLORS.values():
        red, green, blue = (int(ink[i : i + 2], 16) for i in (1, 3, 5))
        for part in ("fill", "stroke"):
            assert f'[style*="{part}: rgb({red}, {green}, {blue})"]' in style
