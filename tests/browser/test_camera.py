"""Two classes by camera, from the first page to live answers, with clips in the place of a camera."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.browser.conftest import BROWSER_OPTIONS, STILL, Server, browser_path, check_step
from translearn_core import jobs, runs

expect = pytest.importorskip("playwright.sync_api").expect

SECONDS = 2.0
"""How long a button is held."""
FRAMES_PER_S = 10
MOST_PRESSES = 8
LEAST_RIGHT = 0.95
ANSWERS = 20
"""Live answers that are judged for each class: as many as a film has pictures."""
PATIENCE_MS = 180_000
POLL_MS = 100
"""Between two looks: one in every frame would have the browser draw all of them."""
NETWORK_IS_HERE = "document.querySelector('.tl-cam').element.live.browser"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two films in one room: a ball and a box that move about, come near and go.

    One round of a film takes as long as a button is held. Few frames a second, not packed: a camera
    that is on costs little while the test waits for something else.
    """
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    room = Image.fromarray(rng.integers(60, 110, (15, 20, 3), dtype=np.uint8)).resize((320, 240))
    found = {}
    for name, draw, color in (
        ("ball", "ellipse", (210, 60, 40)),
        ("box", "rectangle", (40, 80, 200)),
    ):
        found[name] = folder / f"{name}.y4m"
        with found[name].open("wb") as film:
            film.write(f"YUV4MPEG2 W320 H240 F{FRAMES_PER_S}:1 Ip A1:1 C420jpeg\n".encode())
            for angle in np.linspace(0, 2 * np.pi, int(FRAMES_PER_S * SECONDS), endpoint=False):
                picture = room.copy()
                x, y = 160 + 60 * np.cos(angle), 120 + 40 * np.sin(angle)
                r = 52 + 14 * np.sin(3 * angle)
                getattr(ImageDraw.Draw(picture), draw)((x - r, y - r, x + r, y + r), fill=color)
                light, *colour = picture.convert("YCbCr").split()
                film.write(b"FRAME\n" + light.tobytes())
                film.writelines(plane.reduce(2).tobytes() for plane in colour)
    return found


class Person:
    """Presses things on a page, and counts."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.presses = 0

    def press(self, selector: str, text: str = "") -> None:
        """Press, and type."""
        element = self.page.locator(selector)
        expect(element).to_be_enabled(timeout=PATIENCE_MS)
        element.click()
        self.presses += 1
        if text:
            self.page.keyboard.press("ControlOrMeta+a")
            self.page.keyboard.type(text)

    def hold(self, button: Any) -> None:
        """Press and hold for some seconds."""
        expect(button).to_be_enabled(timeout=PATIENCE_MS)
        button.hover()
        self.page.mouse.down()
        self.presses += 1
        self.page.wait_for_timeout(int(1000 * SECONDS))
        self.page.mouse.up()


@contextmanager
def watching(chromium: Any, server: Server, film: Path) -> Iterator[Any]:
    """A page in a browser whose camera shows a film, from its file at each start of the camera."""
    browser = chromium.browser_type.launch(
        executable_path=browser_path(),
        args=[
            *BROWSER_OPTIONS,
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ],
    )
    view = {"width": 1280, "height": 900}
    page = browser.new_page(base_url=server.url, viewport=view, **STILL)
    try:
        yield page
    finally:
        browser.close()


def _count(page: Any, place: int) -> int:
    return int(page.locator(".tl-cam-class").nth(place).get_attribute("data-n"))


def _settled(page: Any, place: int) -> int:
    """How many photos a class has once what was recorded has arrived."""
    n = -1
    while n != (n := _count(page, place)):
        page.wait_for_timeout(700)
    return n


def _answers(page: Any, by: str = "") -> tuple[list[str], float]:
    """The classes of the next live answers, and how many came per second."""
    page.wait_for_selector(".tl-live:not([hidden]) .tl-live-bar", timeout=PATIENCE_MS)
    page.evaluate(
        """() => {
          window.answers = [];
          document.addEventListener("tl-answer", ({ detail }) => window.answers.push(detail));
        }"""
    )
    ready = f"window.answers.filter((one) => !{by!r} || one.by === {by!r}).length"
    page.wait_for_function(f"{ready} >= 3", polling=POLL_MS, timeout=PATIENCE_MS)
    page.evaluate("window.answers.length = 0")
    began = time.monotonic()
    enough = f"window.answers.length >= {ANSWERS}"
    page.wait_for_function(enough, polling=POLL_MS, timeout=PATIENCE_MS)
    rate = len(page.evaluate("window.answers")) / (time.monotonic() - began)
    return [one["name"] for one in page.evaluate("window.answers")], rate


def test_from_the_first_page_to_live_answers(
    chromium: Any,
    server: Server,
    server_home: Path,
    clips: dict[str, Path],
    screenshot: Any,
    tmp_path: Path,
) -> None:
    film = tmp_path / "camera.y4m"

    def show(name: str) -> None:
        """What the camera shows when it is started the next time."""
        shutil.copy(clips[name], tmp_path / "next.y4m").replace(film)

    show("ball")
    with watching(chromium, server, film) as page:
        page.goto("/")
        person, began = Person(page), time.monotonic()
        person.press(".st-key-use_camera button")
        person.press(".tl-cam-class:nth-of-type(1) input[type=text]", "ball")
        person.hold(page.locator(".tl-cam-hold").first)
        page.wait_for_url("**data=*", timeout=PATIENCE_MS)
        n = _settled(page, 0)
        assert n >= 2 * SECONDS, "a frame is taken again and again while the button is held"

        show("box")
        page.reload()
        expect(page.locator(".tl-cam-count").first).to_have_text(f"{n} photos", timeout=PATIENCE_MS)
        names = page.locator(".tl-cam-class input[type=text]")
        assert names.first.input_value() == "ball"
        person.press(".tl-cam-class:nth-of-type(2) input[type=text]", "box")
        second = page.locator(".tl-cam-hold").nth(1)
        person.hold(second)
        before = _settled(page, 1)
        second.focus()  # a moment by the keyboard adds a recording
        page.keyboard.down("Space")
        page.wait_for_timeout(600)
        page.keyboard.up("Space")
        more = _settled(page, 1)
        assert more > before
        page.locator(".tl-cam-class").nth(1).locator(".tl-cam-photo").first.click()
        expect(page.locator(".tl-cam-class").nth(1)).to_have_attribute(
            "data-n", str(more - 1), timeout=PATIENCE_MS
        )
        screenshot(page, "camera")
        person.press(".st-key-camera_train button")
        named, _rate = _answers(page)
        sys.stdout.write(f"live {time.monotonic() - began:.0f} s after the first press\n")
        assert person.presses <= MOST_PRESSES
        assert named.count("box") >= LEAST_RIGHT * len(named), named
        page.get_by_role("button", name="Freeze").click()  # no answers while the network comes
        page.get_by_role("button", name="Turn the camera off").click()  # and nothing that moves
        page.wait_for_function(NETWORK_IS_HERE, polling=5 * POLL_MS, timeout=PATIENCE_MS)
        page.get_by_role("button", name="Turn the camera on").click()
        page.get_by_role("button", name="Go on").click()
        named, rate = _answers(page, by="browser")
        sys.stdout.write(f"{rate:.1f} answers per second in the browser\n")
        assert named.count("box") >= LEAST_RIGHT * len(named), named
        screenshot(page, "camera_live")
        page.get_by_role("button", name="Freeze").click()
        page.get_by_role("button", name="Why?").click()
        expect(page.locator(".st-key-camera_explained")).to_be_visible(timeout=PATIENCE_MS)
        page.get_by_role("button", name="Add this picture to box").click()
        expect(page.locator(".tl-cam-class").nth(1)).to_have_attribute(
            "data-n", str(more), timeout=PATIENCE_MS
        )
        page.locator(".tl-live .tl-cam-foot button").click()  # Undo
        expect(page.locator(".tl-cam-class").nth(1)).to_have_attribute(
            "data-n", str(more - 1), timeout=PATIENCE_MS
        )

        show("ball")
        page.goto(page.url.replace("/camera", "/try_it"))
        check_step(page, "try_it")
        page.get_by_text("Camera", exact=True).click(timeout=PATIENCE_MS)
        named, _rate = _answers(page)
        assert named.count("ball") >= LEAST_RIGHT * len(named), named
    (run,) = [run for run in runs.list_runs() if run.config.dataset_name == "From the camera"]
    jobs.force_stop(run)


def test_where_there_is_no_camera_a_file_does(new_page: Any, tmp_path: Path) -> None:
    """A headless browser without a fake device has none."""
    page = new_page(width=390, height=844)
    page.goto("/camera")
    expect(page.locator(".tl-cam-problem")).to_contain_text("camera", timeout=60_000)
    expect(page.locator(".tl-cam-hold").first).to_be_disabled()
    photo = tmp_path / "from my phone.png"
    Image.new("RGB", (900, 600), (200, 40, 40)).save(photo)
    picker = page.locator(".tl-cam-files input").first
    assert picker.get_attribute("capture") == "environment"
    picker.set_input_files(photo)
    expect(page.locator(".tl-cam-class").first).to_have_attribute("data-n", "1", timeout=60_000)
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("m => m.scrollWidth <= m.clientWidth"), "the page scrolls sideways"
    page.wait_for_url("**data=*", timeout=60_000)
