"""The very first request after a start asks for a page in the middle of the way."""

from __future__ import annotations

import re
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api").expect


def test_first_request_is_a_deep_link(fresh_page: Any, screenshot: Any) -> None:
    page = fresh_page
    page.goto("/work?data=nothing-yet&run=none")

    expect(page.locator(".st-key-frame_work_now")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("heading", name="My work")).to_be_visible()
    expect(page.locator(".st-key-frame_path a")).to_have_count(5)
    expect(page.locator("[data-testid=stSidebarNav]")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    assert re.search(r"/work\?", page.url)
    screenshot(page, "deep_link")


def test_each_step_answers_at_its_own_address(page: Any) -> None:
    for name in ("photos", "train", "results", "try_it", "share"):
        page.goto(f"/{name}")
        expect(page.locator(f".st-key-frame_step_{name}_now")).to_be_visible(timeout=20_000)
        expect(page.get_by_text("Page not found")).to_have_count(0)
        expect(page.get_by_text("Something went wrong")).to_have_count(0)
