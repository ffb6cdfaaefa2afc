"""From the photos to the answer whether it can work, and to a photo excluded and put back."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets

expect = pytest.importorskip("playwright.sync_api").expect

CHECK_MS = 180_000
"""A check has to build and convert a network, on a machine that may be busy."""


@pytest.fixture(scope="module")
def dataset(server: Any, tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    """Three classes of drawn photos, one of them twice."""
    photos = draw_photos(tmp_path_factory.mktemp("photos"), per_class=10, seed=5)
    (photos / "red" / "twice.jpg").write_bytes(next((photos / "red").glob("*.jpg")).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(server.home))
        return datasets.import_source(photos, name="Colours")


def test_check_exclude_undo_and_map(page: Any, dataset: datasets.Dataset, screenshot: Any) -> None:
    page.goto(f"/?data={dataset.id}")
    page.locator(".st-key-feasible button").click(timeout=60_000)
    expect(page).to_have_url(re.compile("/feasible"), timeout=60_000)
    expect(page.locator(".tl-answer h1")).to_be_visible(timeout=CHECK_MS)
    expect(page.locator(".tl-ladder .main .value")).to_contain_text("%")
    screenshot(page, "feasible")

    page.get_by_text("Exact copies").first.click()
    page.locator(".st-key-bulk_exclude_exact_copies button").click(timeout=60_000)
    expect(page.locator(".st-key-feasible_again button")).to_be_visible(timeout=60_000)
    assert _count(dataset) == 30
    page.locator(".st-key-acts_undo button").click()
    expect(page.locator(".st-key-feasible_again")).to_have_count(0, timeout=60_000)
    assert _count(dataset) == 31

    page.get_by_text("Map of the photos").click()
    points = page.locator(".st-key-feasible_map .scatterlayer .points path")
    expect(points.last).to_be_visible(timeout=60_000)
    picture = page.locator(".tl-map-photo img")
    for _attempt in range(6):  # the chart may be drawn anew between the look at it and the pointer
        points.last.scroll_into_view_if_needed()
        box = points.last.bounding_box()
        page.mouse.move(0, 0)
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
        with suppress(AssertionError):
            expect(picture).to_be_visible(timeout=5_000)
            break
    expect(picture).to_be_visible()
    card = page.locator("[class*='st-key-card_map_'] img")
    for _attempt in range(6):  # the chart may be drawn anew between the look at it and the click
        points.last.scroll_into_view_if_needed()
        box = points.last.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        with suppress(AssertionError):
            expect(card).to_be_visible(timeout=10_000)
            break
    expect(card).to_be_visible(timeout=10_000)


def _count(dataset: datasets.Dataset) -> int:
    return len(datasets.open_dataset(dataset.folder).photos)
