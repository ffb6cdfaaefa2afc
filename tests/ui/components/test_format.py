"""Sizes, durations, dates and large numbers as a person reads them."""

from __future__ import annotations

from datetime import datetime

import pytest

from translearn_ui.components import format


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(12, "12 B"), (640_000, "640 kB"), (11_200_000, "11 MB"), (2_340_000_000, "2.3 GB")],
)
def test_size(n_bytes: int, text: str) -> None:
    assert format.size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (8.4, "8 s"), (180, "3 min"), (3900 + 3600, "2 h 5 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert format.duration(seconds) == text


@pytest.mark.parametrize(
    ("n", "text"), [(9120, "9,120"), (35_400, "35 thousand"), (1_240_000, "1.2 million")]
)
def test_count(n: int, text: str) -> None:
    assert format.count(n) == text


def test_dates() -> None:
    moment = datetime(2026, 11, 3, 14, 5)
    assert format.when(moment.timestamp()) == "03 Nov 2026"
    assert format.stamp(moment.timestamp()) == "2026-11-03 14:05"


def test_nothing_is_quite_certain() -> None:
    assert format.certainty(0.97) == "97 %"
    assert format.certainty(0.9999) == "over 99 %"
