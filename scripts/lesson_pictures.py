"""Takes the pictures of the lessons from the real app: `python -m scripts.lesson_pictures [SHEET …]`.

Owns: `docs/lessons/images/`, which the sheets of all languages share. Does the steps of each sheet
in headless Chromium, in a workspace of its own, and takes a picture of those that need one: what is
seen of the page at that step, as WebP. `SHEET` is 1 to 5; without it, all are done.
Leaves to others: the app and Chromium (`pictured_app.py`), the presses that the README's pictures
need, too (`screenshots.py`).
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import Page

from scripts.pictured_app import ROOT, app, page_in_chromium
from scripts.screenshots import about_photos, check, still, train
from translearn_core import datasets
from translearn_core.feasibility import report

IMAGES = ROOT / "docs" / "lessons" / "images"
WIDTH, QUALITY = 1000, 72
"""A picture is some 40 kB, and is read at this width on paper and on screens."""
ROOM = 110
"""Pixels that the bar at the top of a page covers."""
MENDED = 40
"""Wrong labels that two pupils mend in ten minutes."""


def main(sheets: list[str]) -> None:
    """Take the pictures of the sheets."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRANSLEARN_HOME"] = home
        film = Path(home) / "film.mjpeg"
        _write_film(film)
        camera = (
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        )
        with (
            app(home) as url,
            page_in_chromium(url, width=1280, height=820, options=camera) as page,
        ):
            for name in sheets or SHEETS:
                SHEETS[name](page, url)


def _first_model(page: Page, url: str) -> None:
    page.goto(url)
    page.locator(".st-key-demo button").wait_for()
    _take(page, "1-demo", top=".st-key-start_demo")
    page.locator(".st-key-demo button").click()
    page.locator(".st-key-train button").wait_for()
    _take(page, "1-photos", top=".st-key-class")
    page.locator(".st-key-train button").click()
    _save(train(page, watch=True), "1-curves")
    page.locator(".st-key-live_results button").click()
    page.locator(".tl-verdict").wait_for()
    _take(page, "1-result")
    _open_tab(page, "Mistakes")
    _take(page, "1-mistakes", top=".st-key-results_tab")
    _ask(page)
    _take(page, "1-try")
    _record(page, url)
    _take(page, "1-camera")


def _record(page: Page, url: str) -> None:
    """A class with the camera, and the name of a second one."""
    page.goto(f"{url}/camera")
    classes = page.locator(".tl-cam-class")
    for place, name in enumerate(("hand", "pen")):
        classes.nth(place).locator("input[type=text]").click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(name)
        if place == 0:
            classes.first.locator(".tl-cam-hold").click(trial=True)  # once it can be pressed
            page.mouse.down()
            page.wait_for_timeout(2000)
            page.mouse.up()
            classes.first.locator(".tl-cam-photo").first.wait_for()


def _wrong_labels(page: Page, url: str) -> None:
    page.goto(url)
    page.locator(".st-key-teaching label").first.click()
    page.locator(".st-key-teach_robots button").wait_for()
    _take(page, "2-sets", top=".st-key-use_camera")
    _draw(page, url, "wrong-labels")
    page.locator(".st-key-class button").nth(3).click()
    _take(page, "2-photos", top=".st-key-class")
    page.locator(".st-key-train button").click()
    _train(page)
    print("before:", page.locator(".tl-verdict").inner_text())
    page.goto(f"{url}/photos?{about_photos(page)}")
    check(page)
    page.get_by_role("radio", name="Maybe in the wrong class").or_(
        page.get_by_role("button", name="Maybe in the wrong class")
    ).first.click()
    page.locator(".st-key-finding_words").get_by_text("Maybe in the wrong class").wait_for()
    _take(page, "2-findings", top=".st-key-finding_words")
    _mend(page)
    page.goto(f"{url}/train?{about_photos(page)}")
    _train(page)
    print("after:", page.locator(".tl-verdict").inner_text())
    page.goto(f"{url}/compare?{about_photos(page)}")
    page.locator(".st-key-compare_accuracy .js-plotly-plot").wait_for()
    _take(page, "2-compare")


def _mend(page: Page) -> None:
    """Give the first photos that the check suspects their right class, where it is wrong: the first
    letter of a drawn photo's name is that of what it shows."""
    dataset = datasets.open_dataset(about_photos(page).removeprefix("data="))
    assessed = report.read_photos(dataset).sort_values("suspect_score", ascending=False)
    files = dataset.photos.set_index("path")["file"]
    mended = 0
    for path, now in zip(assessed["path"], assessed["class_name"], strict=True):
        letter = Path(files[path]).name[0]
        if mended < MENDED and not now.startswith(letter):
            right = next(name for name in dataset.classes if name.startswith(letter))
            datasets.move_photos(dataset, [path], right)
            mended += 1


def _snow(page: Page, url: str) -> None:
    _draw(page, url, "snow")
    page.locator(".st-key-train button").click()
    _train(page)
    print("snow:", page.locator(".tl-verdict").inner_text())
    _take(page, "3-result")
    _take(page, "3-parts", top="table.tl-classes >> nth=-1", above=170)
    _open_tab(page, "Mistakes")
    _take(page, "3-mistakes", top=".st-key-results_tab")
    _explain(page, "wolf")
    _take(page, "3-why")
    page.goto(f"{url}/photos?{about_photos(page)}")
    check(page)
    _take(page, "3-check")


def _robots(page: Page, url: str) -> None:
    _draw(page, url, "robots")
    _take(page, "4-photos", top=".st-key-class")
    page.locator(".st-key-train button").click()
    _train(page)
    print("robots:", page.locator(".tl-verdict").inner_text())
    _take(page, "4-parts", top="table.tl-classes >> nth=-1", above=170)
    _explain(page, "sad")
    _take(page, "4-why")


def _what_it_sees(page: Page, url: str) -> None:
    _draw(page, url, "snow")
    page.locator(".st-key-train button").click()
    _train(page)
    _ask(page)
    _take(page, "5-heat", top=".st-key-try_give", above=20)
    page.locator(".st-key-answer_explain_way button").nth(1).click()
    page.get_by_text("when that part is covered").wait_for()
    _take(page, "5-cover", top=".st-key-try_give", above=20)


SHEETS: dict[str, Callable[[Page, str], None]] = {
    "1": _first_model,
    "2": _wrong_labels,
    "3": _snow,
    "4": _robots,
    "5": _what_it_sees,
}
"""Number of a sheet -> what does its steps."""


def _draw(page: Page, url: str, name: str) -> None:
    """One of the sets for teaching, as its button draws it."""
    page.goto(url)
    page.locator(".st-key-teaching label").first.click()
    page.locator(f".st-key-teach_{name} button").click()
    page.locator(".st-key-train button").wait_for()


def _train(page: Page) -> None:
    train(page)
    page.locator(".st-key-live_results button").click()
    page.locator(".tl-verdict").wait_for()


def _open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    page.locator(".st-key-results_matrix .js-plotly-plot").wait_for()


def _explain(page: Page, truth: str) -> None:
    """Ask why the surest wrong answer about a photo of a class was given."""
    _open_tab(page, "Mistakes")
    said = page.get_by_text(f"really {truth}").first
    cell = page.locator('[data-testid="stVerticalBlock"]').filter(has=said).last
    cell.locator("[class*=st-key-results_why_] button").first.click()
    page.locator(".st-key-results_explain_picture img").wait_for()


def _ask(page: Page) -> None:
    """Try the model of the result that is open on the first test photo that is offered."""
    page.goto(page.url.replace("/results", "/try_it"))
    page.locator(".st-key-try_tiles_1 button").click(force=True)
    page.locator(".st-key-answer_explain_picture img").wait_for()


def _take(page: Page, name: str, *, top: str = "", above: int = 0) -> None:
    """Take a picture of what is seen; where `top` is given, from that element on, `above` pixels
    of what stands over it included."""
    still(page)
    if top:
        page.locator(top).evaluate(
            """(element, room) => {
              let box = element.parentElement;
              while (box && !(box.scrollHeight > box.clientHeight + 1 &&
                  /auto|scroll/.test(getComputedStyle(box).overflowY))) box = box.parentElement;
              (box || document.scrollingElement).scrollBy(
                0, element.getBoundingClientRect().top - room);
            }""",
            ROOM + above,
        )
    _save(still(page), name)


def _save(picture: bytes, name: str) -> None:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize(
        (WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS
    )
    image.save(IMAGES / f"{name}.webp", quality=QUALITY, method=6)


def _write_film(path: Path) -> None:
    """What the camera of the browser shows: a hand that moves a little before a wall."""
    skin, wall = (224, 172, 136), (236, 233, 226)
    with path.open("wb") as film:
        for angle in np.linspace(0, 2 * np.pi, 40, endpoint=False):
            image = Image.new("RGB", (640, 480), wall)
            draw = ImageDraw.Draw(image)
            x, y = 320 + 30 * float(np.cos(angle)), 290 + 15 * float(np.sin(angle))
            draw.rounded_rectangle((x - 85, y - 60, x + 85, y + 110), 50, fill=skin)
            draw.rectangle((x - 45, y + 80, x + 45, y + 240), fill=skin)
            for k, long in enumerate((150, 180, 170, 130)):
                left = x - 85 + 44 * k
                draw.rounded_rectangle((left, y - long, left + 36, y + 40), 18, fill=skin)
            draw.line((x + 70, y + 60, x + 150, y - 20), fill=skin, width=40)
            draw.ellipse((x + 130, y - 40, x + 170, y), fill=skin)
            content = io.BytesIO()
            image.save(content, "JPEG", quality=88)
            film.write(content.getvalue())


if __name__ == "__main__":
    main(sys.argv[1:])
