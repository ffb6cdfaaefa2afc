"""A class over https: the teacher starts it, two pupils join, each sees only theirs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe
from tests.browser.conftest import ROOT, Screenshot
from tests.support.photos import draw_photos

PASSWORD = "correct horse"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a class of its own, and its code, as the terminal tells them."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    log = tmp_path / "log.txt"
    environment = os.environ | {
        "TRANSLEARN_HOME": str(tmp_path / "home"),
        "TRANSLEARN_TEACHER_PASSWORD": PASSWORD,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "translearn_ui.classroom.begin", "--host", "localhost"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--address", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=file,
        )
    try:
        for _attempt in range(1200):
            told = re.search(r"type in (\w+)", log.read_text(encoding="utf-8"))
            with socket.socket() as probe:
                if told and probe.connect_ex(("127.0.0.1", port)) == 0:
                    yield f"https://localhost:{port}", told[1]
                    return
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        pytest.fail("the class did not start")
    finally:
        process.terminate()
        process.wait(20)


def test_a_class_from_its_start_to_its_end(
    chromium: Any, start: tuple[str, str], tmp_path: Path, screenshot: Screenshot
) -> None:
    from playwright.sync_api import expect

    address, code = start
    opened = [chromium.new_context(ignore_https_errors=True, base_url=address) for _n in range(3)]
    ada, bob, teacher = (context.new_page() for context in opened)
    ada.set_viewport_size({"width": 390, "height": 844})
    ada.emulate_media(color_scheme="dark")
    for page, name in ((ada, "Ada"), (bob, "Bob <b>")):
        page.goto("/train")
        expect(page).to_have_url(f"{address}/class/join")
        page.get_by_label("Code of the class").fill(code)
        page.get_by_label("Your name").fill(name)
        page.get_by_label("Your PIN").fill("4711")
        if page is ada:
            screenshot(page, "class-join-390-dark")
        page.get_by_role("button", name="Let me in").click()
        expect(page).to_have_url(f"{address}/")
        expect(page.get_by_text("Everything is deleted after").first).to_be_visible()
    draw_photos(tmp_path / "drawn", per_class=4)
    archive = shutil.make_archive(str(tmp_path / "Drawn by Ada"), "zip", tmp_path / "drawn")
    ada.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(archive)
    expect(ada.get_by_role("heading", name="Drawn by Ada")).to_be_visible()
    expect(ada.locator("img[src*='/media/']").first).to_be_attached()

    bob.goto(ada.url)  # her address, with the name of her data set in it
    expect(bob.get_by_role("heading", name="Teach your computer")).to_be_visible()
    bob.goto("/work")
    expect(bob.get_by_role("heading", name="No photos yet", exact=True)).to_be_visible()
    bob.goto("/teacher")
    expect(bob.get_by_text("for the teacher of a class alone")).to_be_visible()

    teacher.goto("/class/teacher")
    teacher.get_by_label("Password").fill(PASSWORD)
    teacher.get_by_role("button", name="Sign in").click()
    expect(teacher.get_by_text("2 pupils have joined")).to_be_visible()
    expect(teacher.get_by_text("Bob <b>").first).to_be_visible()
    screenshot(teacher, "class-teacher-1280-light")
    for tab in ("Queue", "Share", "Results", "End", "Pupils"):
        teacher.get_by_role("tab", name=tab).click()
        assert axe.faults_in_both(teacher, within=axe.MAIN) == [], tab
    teacher.get_by_role("button", name="Open this space").click()
    expect(teacher.get_by_text("You are in the space of Ada.")).to_be_visible()
    expect(teacher.get_by_text("Drawn by Ada").first).to_be_visible()
    teacher.goto("/teacher")
    teacher.get_by_role("tab", name="End").click()
    teacher.get_by_role("button", name="End the class").click()
    teacher.get_by_role("button", name="End it").click()
    expect(teacher.get_by_role("button", name="End the class")).to_have_count(0)

    ada.goto("/")
    expect(ada.get_by_text("The class has ended")).to_be_visible()
    for context in opened:
        context.close()
