"""Put a data set in order: rename and merge with undo, remove photos, delete it all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from translearn_core import datasets

expect = pytest.importorskip("playwright.sync_api").expect

SLOW = 30_000


@pytest.fixture
def demo(page: Any, server_home: Path) -> Any:
    """A page that shows fresh demo photos, fewer than the page itself makes."""
    dataset = datasets.make_demo(per_class=12)
    page.goto(f"/?data={dataset.id}")
    expect(page.locator(".st-key-dataset_title")).to_contain_text("60 photos", timeout=60_000)
    return page


def test_rename_a_class_and_take_it_back(demo: Any) -> None:
    demo.get_by_role("radio", name="pear").click()
    demo.get_by_role("button", name="pear", exact=True).click()
    demo.get_by_text("Rename this class").click()
    demo.get_by_label("New name").fill("quince *x*")
    demo.locator(".st-key-rename_class_go button").click()

    expect(demo.get_by_role("radio", name="quince *x* · 12")).to_be_visible(timeout=SLOW)
    demo.locator(".st-key-undo button").click()
    expect(demo.get_by_role("radio", name="pear · 12")).to_be_visible(timeout=SLOW)


def test_remove_two_photos(demo: Any) -> None:
    demo.get_by_role("radio", name="pear").click()
    demo.get_by_text("Choose photos to remove").click()
    ticks = demo.locator("[class*=st-key-gallery_] [data-testid=stCheckbox] label")
    for place in (0, 1):
        ticks.nth(place).click(timeout=SLOW)
        expect(demo.get_by_role("button", name=f"Remove {place + 1} photo")).to_be_visible(
            timeout=SLOW
        )
    demo.locator(".st-key-remove_photos button").click()
    demo.locator(".st-key-ask_yes button").click()

    expect(demo.locator(".st-key-dataset_title")).to_contain_text("58 photos", timeout=SLOW)


def test_delete_asks_once_and_deletes(demo: Any, server: Any) -> None:
    data = demo.url.rsplit("data=", 1)[1]
    folder = server.home / "datasets" / data
    assert folder.is_dir()
    demo.goto(f"/work?data={data}")
    demo.locator(f".st-key-delete_{data} button").click(timeout=SLOW)
    demo.locator(".st-key-ask_yes button").click()

    expect(demo.locator(f".st-key-row_{data}")).to_have_count(0, timeout=SLOW)
    assert not folder.exists()
