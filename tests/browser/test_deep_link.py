"""The very first request after a start, and the same app from another machine; every address."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import STILL

expect = pytest.importorskip("playwright.sync_api").expect


def test_first_request_is_a_deep_link_and_from_another_machine_it_says_where_photos_go(
    chromium: Any, fresh_server: Any, screenshot: Any
) -> None:
    page = chromium.new_context(base_url=fresh_server.url, **STILL).new_page()
    page.goto("/work?data=nothing-yet&run=none")

    expect(page.locator(".st-key-frame_work_now")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("heading", name="My work")).to_be_visible()
    expect(page.locator("[class*=st-key-frame_step_] a")).to_have_count(5)
    expect(page.locator("[data-testid=stSidebarNav]")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    notices = page.locator("[data-testid=stAlert]")
    expect(notices).to_have_count(2)
    for name in ("photos that are", "a model that is"):
        expect(notices.filter(has_text=f"names {name} not here")).to_be_visible()
    screenshot(page, "deep_link")

    page.goto(fresh_server.url.replace("127.0.0.1", "school.localhost"))  # any name but localhost
    expect(page.get_by_text("Your photos go to the computer that runs TransLearn")).to_be_visible(
        timeout=20_000
    )
    page.context.close()


def test_each_step_answers_at_its_own_address(page: Any) -> None:
    for name in ("photos", "train", "results", "try_it", "share"):
        page.goto(f"/{name}")
        expect(page.locator(f".st-key-frame_step_{name}_now")).to_be_visible(timeout=20_000)
        expect(page.get_by_text("Page not found")).to_have_count(0)
        expect(page.get_by_text("Something went wrong")).to_have_count(0)
