"""Percentages are written one way, by one function."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.sources import parsed
from translearn_core.formatting import certainty, percent, percent_range

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path
    for name in ("pages", "translearn_ui", "translearn_core")
    for path in (ROOT / name).rglob("*.py")
)
PERCENT_FORMAT = re.compile(r"\.\d+%")


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.86, 0, "86 %"),
        (0.864, 1, "86.4 %"),
        (0.0, 0, "0 %"),
        (1.0, 0, "100 %"),
        (0.005, 1, "0.5 %"),
        (0.99, 0, "99 %"),
        (0.9904, 0, "over 99 %"),
        (0.9999, 0, "over 99 %"),
        (0.9999, 1, "over 99.9 %"),
        (0.996, 1, "99.6 %"),
        (0.004, 0, "under 1 %"),
        (0.0004, 1, "under 0.1 %"),
    ],
)
def test_a_share_is_written_as_a_percentage(share: float, digits: int, text: str) -> None:
    assert percent(share, digits) == text


def test_no_probability_is_quite_certain() -> None:
    assert certainty(1.0) == "over 99 %"
    assert certainty(0.0) == "under 1 %"
    assert certainty(0.734) == "73 %"


def test_an_interval_names_its_unit_once() -> None:
    assert percent_range(0.83, 0.89) == "83 – 89 %"
    assert percent_range(0.831, 0.894, 1) == "83.1 – 89.4 %"


def test_no_source_formats_a_percentage_by_itself() -> None:
    """Neither `f"{x:.0%}"` and `"{x:.0%}".format`, nor plotly's `tickformat=".0%"`."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and PERCENT_FORMAT.search(node.value)
    ]
    assert not found, "use translearn_core.formatting.percent"
