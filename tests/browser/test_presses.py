"""How many presses it takes from the first page to an answered photo: no more than it took.

Owns: the way with the demo photos, by keyboard alone, and that with a zip. The way with the camera is
counted in `test_camera.py`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe
from tests.browser.conftest import GO
from tests.support.photos import draw_photos
from translearn_core import jobs, runs

expect = pytest.importorskip("playwright.sync_api").expect

MOST_WITH_DEMO = 4
MOST_WITH_ZIP = 5
FILE_DIALOG = 2
"""The button that opens the dialog of the system, and the choice in it."""
PATIENCE_MS = 180_000


AT_REST = "[data-testid=stApp][data-test-script-state=notRunning]"
"""No run of the page draws the button anew while the focus goes there."""
MOST_TABS = 150
"""Stops of the Tab key from one press to the next, past a page of photos and round to the top."""


def _press(page: Any, selector: str) -> int:
    """Go to a button by the Tab key and press it by Enter, as who has no mouse does."""
    button = page.locator(f"{selector} button")
    expect(button).to_be_enabled(timeout=PATIENCE_MS)
    expect(page.locator(AT_REST)).to_be_attached()
    for _tab in range(MOST_TABS):
        if button.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(button).to_be_focused()
    expect(button).to_be_in_viewport()
    outline = button.evaluate("button => getComputedStyle(button).outlineWidth")
    assert outline == "3px", f"nobody sees that {selector} has the focus"
    page.keyboard.press("Enter")
    return 1


def _open_tab(page: Any, name: str) -> None:
    """Go to the tabs of a page by the Tab key, and to one of them by an arrow key."""
    wanted = page.get_by_role("tab", name=name)
    expect(wanted).to_be_visible(timeout=PATIENCE_MS)
    for _tab in range(MOST_TABS):
        if page.locator("[role=tab]:focus").count():
            break
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(wanted).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("[?&]tab="))
    expect(page.locator(AT_REST)).to_be_attached()
    expect(wanted).to_be_focused()  # the page has been drawn anew since


def test_an_answered_photo_is_a_few_presses_away(
    new_page: Any, server_home: Path, tmp_path: Path, screenshot: Any
) -> None:
    page = new_page()
    page.goto("/")
    presses = _press(page, ".st-key-demo")
    expect(page.locator(".st-key-dataset_title")).to_contain_text("300 photos", timeout=PATIENCE_MS)
    expect(page.locator(".st-key-train button")).to_be_enabled(timeout=PATIENCE_MS)
    opened = presses
    presses += _press(page, ".st-key-train")
    presses += _press(page, ".st-key-train_button")
    expect(page.locator(".st-key-live_try button")).to_be_visible(timeout=PATIENCE_MS)
    figure = page.locator(".tl-finish b").inner_text()
    expect(page).to_have_title(f"{figure} · done – TransLearn")
    tiles = page.locator(".st-key-gallery_live_tiles img")
    expect(tiles).to_have_count(6)
    screenshot(page, "done")
    presses += _press(page, ".st-key-live_tiles_1")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[class*=st-key-results_explain_picture] img")).to_be_visible(
        timeout=PATIENCE_MS
    )
    assert presses <= MOST_WITH_DEMO
    assert axe.faults_in_both(page, within=axe.DIALOG) == []
    page.keyboard.press("Escape")

    expect(dialog).to_have_count(0)
    _press(page, ".st-key-live_results")
    expect(page.locator(".tl-verdict")).to_contain_text("Right on")
    _open_tab(page, "Mistakes")
    expect(page.locator(".st-key-results_matrix .js-plotly-plot")).to_be_visible()
    screenshot(page, "results")
    _press(page, ".st-key-next_try_it")
    _press(page, ".st-key-try_tiles_1")
    expect(page.locator("[class*=st-key-answer_explain_picture] img")).to_be_visible(
        timeout=PATIENCE_MS
    )
    expect(page.get_by_text("In your photos it is")).to_be_visible()
    screenshot(page, "try_tiles")
    assert axe.faults_in_both(page) == []
    for run in runs.list_runs():
        jobs.force_stop(run)

    draw_photos(tmp_path / "colours", per_class=4, seed=1)
    archive = shutil.make_archive(str(tmp_path / "colours"), "zip", tmp_path / "colours")
    page.evaluate(GO, "/")
    expect(
        page.locator(".st-key-demo button")
    ).to_be_visible()  # the page before has a box for files, too
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(archive)
    expect(page.locator(".st-key-train button")).to_be_enabled(timeout=PATIENCE_MS)
    assert presses - opened + FILE_DIALOG <= MOST_WITH_ZIP
    expect(page.locator("[class*=st-key-gallery_] img").first).to_be_visible()
