"""The very first request after a start, and the same app from another machine.

Each step answers at its own address: `photos` here, `train` in `test_training.py`, `results` and
`share` in `test_accessibility.py`, `try_it` in `test_camera.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.browser.conftest import STILL, check_step, seem_to_learn
from translearn_core import runs
from translearn_core.run_settings import Settings

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

    address = fresh_server.url.replace("127.0.0.1", "school.localhost")  # any name but localhost
    page.goto(f"{address}/photos")
    expect(page.get_by_text("Your photos go to the computer that runs TransLearn")).to_be_visible(
        timeout=20_000
    )
    check_step(page, "photos")
    page.context.close()


def test_a_late_request_of_the_page_before_does_not_clear_the_next_one(
    page: Any, server_home: Path
) -> None:
    """Such as that of a clock, sent before the browser knows that another page is on its way."""
    run = runs.create_run(server_home / "photos", Settings())
    seem_to_learn(run)
    late: list[bytes] = []

    def pass_on(route: Any) -> None:
        server = route.connect_to_server()

        def send(message: Any) -> None:
            server.send(message)
            asked = BackMsg.FromString(message).rerun_script
            if asked.fragment_id:
                late[:] = [message]
            elif late and asked.page_script_hash:
                server.send(late.pop())

        route.on_message(send)

    try:
        page.route_web_socket("**/_stcore/stream*", pass_on)
        page.goto(f"/train?run={run.id}")
        expect(page.locator(".tl-now")).to_be_visible()
        for _n in range(300):
            if late:
                break
            page.wait_for_timeout(100)
        assert late, "the clock of the page asks for nothing"

        page.locator(".st-key-frame_step_photos a").click()

        expect(page.locator(".st-key-frame_step_photos_now")).to_be_visible()
        expect(
            page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
        ).to_be_visible()
        assert not late, "the late request went out"
        expect(page.locator(".st-key-frame_step_photos_now")).to_be_visible()
    finally:
        run.update_state(state="stopped", pid=0)
