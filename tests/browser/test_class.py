"""A class over https: the teacher starts it, two pupils join and train, each sees only theirs; the teacher
stops one, and ends the class."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.browser import axe
from tests.browser.conftest import GO, ROOT, STILL, Screenshot
from tests.support.photos import draw_photos
from translearn_core import spaces
from translearn_core.jobs import activity
from translearn_core.jobs.queue import is_running, jobs_of_all
from translearn_core.runs import Job

expect = pytest.importorskip("playwright.sync_api").expect

PASSWORD = "correct horse"
WORKER_MS = 120_000
"""A worker has to import TensorFlow, and photos to be brought in, on a machine that may be busy."""


@dataclass(frozen=True)
class Lesson:
    """A class that is served, and its code, as the terminal tells them."""

    address: str
    code: str

    def jobs(self) -> list[Job]:
        """The trainings of all, as the disk has them."""
        with spaces.everywhere():
            return jobs_of_all()


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lesson]:
    """A class with one place to train in; no training outlives it."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    log = tmp_path / "log.txt"
    environment = os.environ | {
        "TRANSLEARN_SLOTS": "1",
        "TRANSLEARN_DEFAULT_BACKBONE": "starter",  # the quickest
        "TF_NUM_INTRAOP_THREADS": "1",  # a training leaves the browser a processor
        "TF_NUM_INTEROP_THREADS": "1",
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
                    yield Lesson(f"https://localhost:{port}", told[1])
                    return
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        pytest.fail("the class did not start")
    finally:
        for space in spaces.all_spaces():
            activity.end_all_in(space)
        process.terminate()
        process.wait(20)


def join(page: Any, lesson: Lesson, name: str) -> None:
    """Come in by the door, whichever page was asked for."""
    page.goto("/train")
    expect(page).to_have_url(f"{lesson.address}/class/join")
    page.get_by_label("Code of the class").fill(lesson.code)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your PIN").fill("4711")
    page.get_by_role("button", name="Let me in").click()
    expect(page).to_have_url(f"{lesson.address}/")
    expect(page.get_by_text("Everything is deleted after").first).to_be_visible()


def bring_in(page: Any, folder: Path) -> None:
    """Twelve drawn photos in three classes, as a zip of that name; the demo has three hundred."""
    draw_photos(folder, per_class=4)
    archive = shutil.make_archive(str(folder), "zip", folder)
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(archive)
    expect(page.get_by_role("heading", name=folder.name)).to_be_visible(timeout=WORKER_MS)


def train(page: Any) -> None:
    """From the photos to a training that is shown."""
    page.locator(".st-key-frame_step_train a").click()
    page.locator(".st-key-train_button button").click()
    expect(page).to_have_url(re.compile("run="))
    expect(page.locator(".tl-now")).to_be_visible()


def halt_first(lesson: Lesson) -> tuple[Job, psutil.Process]:
    """Let the first training stand still as soon as it runs: it would be over before it is stopped."""
    end = time.monotonic() + WORKER_MS / 1000
    while time.monotonic() < end:
        for job in lesson.jobs():
            process = job.process() if is_running(job) else None
            if process is not None:
                process.suspend()
                return job, process
        time.sleep(0.05)
    pytest.fail("nothing runs")


@pytest.mark.timeout(600)  # three browsers, two trainings, on a machine that may be busy
def test_a_class_from_its_start_to_its_end(
    chromium: Any, lesson: Lesson, tmp_path: Path, screenshot: Screenshot
) -> None:
    """Two pupils train with photos of their own; the teacher stops one, whose process stands still until
    then, and the other has the next turn."""
    opened = [
        chromium.new_context(ignore_https_errors=True, base_url=lesson.address, **STILL)
        for _n in range(3)
    ]
    ada, bob, teacher = (context.new_page() for context in opened)
    ada.set_viewport_size({"width": 390, "height": 844})
    ada.emulate_media(color_scheme="dark")
    ada.goto("/")
    screenshot(ada, "class-join-390-dark")
    join(ada, lesson, "Ada")
    join(bob, lesson, "Bob <b>")

    expect(ada.get_by_role("button", name="Try the demo photos")).to_be_enabled()
    bring_in(ada, tmp_path / "Drawn by Ada")
    expect(ada.locator("img[src*='/media/']").first).to_be_attached()
    photos_of_ada = ada.url
    with ThreadPoolExecutor(1) as beside:
        halted = beside.submit(halt_first, lesson)
        train(ada)
        stopped, process = halted.result()

    bob.goto(photos_of_ada)  # her address, with the name of her data set in it
    expect(bob.get_by_role("heading", name="Teach your computer")).to_be_visible()
    bob.goto("/work")
    expect(bob.get_by_role("heading", name="No photos yet", exact=True)).to_be_visible()
    bob.goto("/teacher")
    expect(bob.get_by_text("for the teacher of a class alone")).to_be_visible()
    bob.evaluate(GO, "/")
    expect(bob.get_by_role("heading", name="Teach your computer")).to_be_visible()
    bring_in(bob, tmp_path / "Drawn by Bob")
    train(bob)

    teacher.goto("/class/teacher")
    teacher.get_by_label("Password").fill(PASSWORD)
    teacher.get_by_role("button", name="Sign in").click()
    expect(teacher.get_by_text("2 pupils have joined")).to_be_visible()
    tiles = teacher.locator(".tl-tile")
    expect(tiles.filter(has_text="Bob <b>")).to_contain_text("waits, 1 ahead")
    expect(tiles.filter(has_text="Ada")).to_contain_text("running")
    screenshot(teacher, "class-teacher-1280-light")
    for tab in ("Share", "Results", "End", "Queue", "Pupils"):
        teacher.get_by_role("tab", name=tab).click()
        if tab == "Queue":
            expect(teacher.locator(".tl-queue li")).to_have_text(
                [re.compile("running · Ada:"), re.compile("^Bob <b>: Drawn by Bob")]
            )
        assert axe.faults_in_both(teacher, within=axe.MAIN) == [], tab
    teacher.get_by_role("button", name="Stop the training").click()
    expect(teacher.get_by_text("It stops in a moment.")).to_be_visible()
    process.resume()
    expect(ada.get_by_text("Stopped").first).to_be_visible(timeout=WORKER_MS)
    expect(bob.locator(".st-key-live_results button")).to_be_visible(timeout=WORKER_MS)
    assert stopped.state.state == "stopped"
    expect(tiles.filter(has_text="Ada")).to_contain_text("stopped")
    expect(tiles.filter(has_text="Bob <b>")).to_contain_text("right on")
    bob.locator(".st-key-live_results button").click()
    expect(bob.locator(".st-key-results_tab")).to_be_visible()

    teacher.get_by_role("button", name="Open this space").click()
    expect(teacher.get_by_text("You are in the space of Ada.")).to_be_visible()
    teacher.evaluate(GO, "/teacher")
    teacher.get_by_role("tab", name="End").click()
    teacher.get_by_role("button", name="End the class").click()
    teacher.get_by_role("button", name="End it").click()
    expect(teacher.get_by_role("button", name="End the class")).to_have_count(0)
    for page in (ada, bob):
        page.goto("/")
        expect(page.get_by_text("The class has ended")).to_be_visible()
    for context in opened:
        context.close()
