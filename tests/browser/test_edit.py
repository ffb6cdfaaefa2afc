"""Put a data set in order: rename and merge with undo, remove photos, delete it all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets

expect = pytest.importorskip("playwright.sync_api").expect

SLOW = 30_000


@pytest.fixture
def shown(page: Any, server_home: Path, tmp_path: Path) -> Any:
    """A page that shows photos of the test's own, twelve of each of three classes."""
    photos = draw_photos(tmp_path / "photos", per_class=12)
    dataset = datasets.import_source(photos, name="Colours", check=False)
    page.goto(f"/?data={dataset.id}")
    expect(page.locator(".st-key-dataset_title")).to_contain_text("36 photos", timeout=60_000)
    return page


def test_rename_a_class_and_take_it_back(shown: Any) -> None:
    shown.get_by_role("radio", name="green").click()
    shown.get_by_role("button", name="Change this class").click()
    shown.get_by_text("Rename this class").click()
    shown.get_by_label("New name").fill("quince *x*")
    shown.locator(".st-key-rename_class_go button").click()

    expect(shown.get_by_role("radio", name="quince *x* · 12")).to_be_visible(timeout=SLOW)
    shown.locator(".st-key-undo button").click()
    expect(shown.get_by_role("radio", name="green · 12")).to_be_visible(timeout=SLOW)


def test_remove_two_photos(shown: Any) -> None:
    shown.get_by_role("radio", name="green").click()
    shown.get_by_text("Choose photos to remove").click()
    ticks = shown.locator("[class*=st-key-gallery_] [data-testid=stCheckbox] label")
    for place in (0, 1):
        ticks.nth(place).click(timeout=SLOW)
        expect(shown.get_by_role("button", name=f"Remove {place + 1} photo")).to_be_visible(
            timeout=SLOW
        )
    shown.locator(".st-key-remove_photos button").click()

    expect(shown.locator(".st-key-dataset_title")).to_contain_text("34 photos", timeout=SLOW)
    undo = shown.locator(".st-key-undo button")
    expect(undo).to_be_in_viewport()
    undo.click()
    expect(shown.locator(".st-key-dataset_title")).to_contain_text("36 photos", timeout=SLOW)


def test_delete_asks_once_and_can_be_taken_back(shown: Any, server: Any) -> None:
    data = shown.url.rsplit("data=", 1)[1]
    folder = server.home / "datasets" / data
    assert folder.is_dir()
    shown.goto(f"/work?data={data}")
    shown.locator(f".st-key-delete_{data} button").click(timeout=SLOW)
    shown.locator(".st-key-ask_yes button").click()

    expect(shown.locator(f".st-key-row_{data}")).to_have_count(0, timeout=SLOW)
    assert not folder.exists()
    shown.locator(".st-key-bin_undo button").click()
    expect(shown.locator(f".st-key-row_{data}")).to_be_visible(timeout=SLOW)
    assert folder.is_dir()
