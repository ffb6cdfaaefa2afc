"""Takes the pictures of the README from the real app: `python -m scripts.screenshots`.

Owns: the still pictures in `docs/images/`. Goes the way from the demo photos through the check, two
trainings and their comparison, and takes a picture of each page, light, 1280 pixels wide, as WebP.
Leaves to others: the app and Chromium (`pictured_app.py`), the moving picture, which is made after
them (`moving_picture.py`).
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
import urllib.parse

from PIL import Image
from playwright.sync_api import Page

from scripts import moving_picture
from scripts.pictured_app import IMAGES, app, page_in_chromium

STILL_S, RESTLESS_S = 1.5, 60
"""A page that has not changed for so long is finished; one that never rests is taken as it is."""
QUALITY = 82
"""Of WebP: text stays sharp, and a picture is some 40 kB."""


def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with app() as url, page_in_chromium(url, width=1280, height=820) as page:
        _walk(page, url)
    moving_picture.main()


def _walk(page: Page, url: str) -> None:
    """From the first page to two trainings side by side."""
    page.locator(".st-key-demo button").click()
    page.locator(".st-key-train button").wait_for()
    _take(page, "photos")
    check(page)
    _take(page, "feasible")
    page.goto(f"{url}/train?{about_photos(page)}")
    page.locator(".st-key-train_button button").wait_for()
    _take(page, "train")
    _save(train(page, watch=True), "live")
    page.locator(".st-key-live_results button").click()
    page.locator(".tl-verdict").wait_for()
    page.get_by_role("tab", name="Mistakes").click()
    page.locator(".st-key-results_matrix .js-plotly-plot").wait_for()
    _take(page, "results")
    settings = urllib.parse.quote(json.dumps({"backbone": "starter", "head": "linear"}))
    page.goto(f"{url}/train?{about_photos(page)}&set={settings}")
    train(page)
    page.goto(f"{url}/compare?{about_photos(page)}")
    page.locator(".st-key-compare_accuracy .js-plotly-plot").wait_for()
    _take(page, "compare")


def about_photos(page: Page) -> str:
    """The part of the address that names the data set."""
    query = urllib.parse.parse_qs(page.url.partition("?")[2])
    return urllib.parse.urlencode({"data": query["data"][0]})


def check(page: Page) -> None:
    """On the page of the photos, ask whether this can work, and wait for the answer."""
    page.locator(".st-key-feasible button").first.click()
    answer = page.locator(".tl-answer h1")
    offer = page.locator(".st-key-feasible_start button")
    answer.or_(offer).first.wait_for()
    if offer.count():
        offer.click()
    answer.wait_for()


def train(page: Page, *, watch: bool = False) -> bytes:
    """Train to the end.

    Returns:
        Where `watch`, a picture (PNG) of the page that was taken last while its curves moved.
    """
    page.locator(".st-key-train_button button:enabled").click()
    done = page.locator(".st-key-live_results button")
    curves = page.locator(".st-key-live_curves .tl-curve").first
    learning, kept = re.compile("Learning|Fine-tuning"), b""
    while not done.count():
        if page.locator(".st-key-live_again").count():
            sys.exit(page.locator('[data-testid="stAlert"]').first.inner_text())
        page.wait_for_timeout(400)
        if not watch or curves.count() == 0:
            continue
        words = page.locator(".tl-now").first.text_content() or ""
        shot = page.screenshot(animations="disabled")
        if page.locator('[data-stale="true"]').count():
            continue  # greyed: the page is being drawn anew
        if page.locator(".st-key-live_stop button").count() and (
            learning.search(words) or not kept
        ):
            kept = shot
    if watch and not kept:
        sys.exit("the training was over before a picture of it could be taken")
    return kept


def _take(page: Page, name: str) -> None:
    """Take a picture once nothing moves any more."""
    _save(still(page), name)


def still(page: Page) -> bytes:
    """A picture (PNG) of the page once no script runs, no notice lies over it, and nothing moves."""
    page.mouse.move(0, 0)
    page.locator('[data-testid="stToast"], [data-testid="stSkeleton"]').first.wait_for(
        state="hidden"
    )
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    before, since = b"", time.monotonic()
    end = since + RESTLESS_S
    while time.monotonic() < min(end, since + STILL_S):
        page.wait_for_timeout(300)
        now = page.screenshot(animations="disabled")
        if now != before:
            before, since = now, time.monotonic()
    return before


def _save(picture: bytes, name: str) -> None:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.save(IMAGES / f"{name}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
