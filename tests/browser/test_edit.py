"""Put a data set in order: rename a class, remove photos, delete it all, each taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe
from tests.support.photos import draw_photos
from translearn_core import datasets

expect = pytest.importorskip("playwright.sync_api").expect

SLOW = 30_000


def test_renaming_removing_and_deleting_can_be_taken_back(
    page: Any, server_home: Path, tmp_path: Path
) -> None:
    photos = draw_photos(tmp_path / "photos", per_class=12)
    dataset = datasets.import_source(photos, name="Colours", check=False)
    page.goto(f"/?data={dataset.id}")
    title = page.locator(".st-key-dataset_title")
    expect(title).to_contain_text("36 photos", timeout=60_000)

    page.get_by_role("radio", name="green").click()
    page.get_by_role("button", name="Change this class").click()
    page.get_by_text("Rename this class").click()
    page.get_by_label("New name").fill("quince *x*")
    assert axe.faults_in_both(page, within=axe.DIALOG) == []
    page.locator(".st-key-rename_class_go button").click()
    expect(page.get_by_role("radio", name="quince *x* · 12")).to_be_visible(timeout=SLOW)
    page.locator(".st-key-undo button").click()
    green = page.get_by_role("radio", name="green · 12")
    expect(green).to_be_visible(timeout=SLOW)

    if not green.is_checked():
        green.click()
    page.get_by_text("Choose photos to remove").click()
    ticks = page.locator("[class*=st-key-gallery_] [data-testid=stCheckbox] label")
    for place in (0, 1):
        ticks.nth(place).click(timeout=SLOW)
        expect(page.get_by_role("button", name=f"Remove {place + 1} photo")).to_be_visible(
            timeout=SLOW
        )
    page.locator(".st-key-remove_photos button").click()
    expect(title).to_contain_text("34 photos", timeout=SLOW)
    undo = page.locator(".st-key-undo button")
    expect(undo).to_be_in_viewport()
    undo.click()
    expect(title).to_contain_text("36 photos", timeout=SLOW)

    page.locator(".st-key-frame_work a").click()
    row = page.locator(f".st-key-row_{dataset.id}")
    page.locator(f".st-key-delete_{dataset.id} button").click(timeout=SLOW)
    expect(page.locator(".st-key-ask_yes button")).to_be_enabled()
    assert axe.faults_in_both(page, within=axe.DIALOG) == []
    page.locator(".st-key-ask_yes button").click()
    expect(row).to_have_count(0, timeout=SLOW)
    assert not dataset.folder.exists()
    page.locator(".st-key-bin_undo button").click()
    expect(row).to_be_visible(timeout=SLOW)
    assert dataset.folder.is_dir()
