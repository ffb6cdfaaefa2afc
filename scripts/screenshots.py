"""Takes the pictures of the README from the real app: `python -m scripts.screenshots`.

Owns: `docs/images/`. Starts the app with a workspace of its own, goes the way from the demo
photos to a prediction in headless Chromium, and takes a picture of each page.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PATIENCE_MS = 240_000


def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
             f"--server.port={port}"],
            cwd=ROOT,
            env=os.environ | {"TRANSLEARN_HOME": home},
        )  # fmt: skip
        try:
            _wait_until_up(url)
            _walk(url)
        finally:
            server.terminate()
            server.wait()


def _wait_until_up(url: str) -> None:
    for _attempt in range(200):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit("the app did not start")


def _walk(url: str) -> None:
    """From the first page to a prediction."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 820})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        page.locator(".st-key-demo button").wait_for()
        _take(page, "start")
        page.locator(".st-key-demo button").click()
        page.locator(".st-key-train button").wait_for()
        page.wait_for_timeout(3000)
        _take(page, "photos")
        page.locator(".st-key-train button").click()
        page.locator(".st-key-train_button button").wait_for()
        page.wait_for_timeout(3000)
        _take(page, "train")
        page.locator(".st-key-train_button button").click()
        page.locator(".st-key-live_now").wait_for()
        _take_while_learning(page)
        page.locator(".st-key-live_done button").first.wait_for()
        page.locator(".st-key-live_done button").first.click()
        page.wait_for_timeout(5000)
        _take(page, "results")
        query = page.url.partition("?")[2]
        for name in ("try_it", "share", "work"):
            page.goto(f"{url}/{name}?{query}")
            page.wait_for_timeout(5000)
            _take(page, name)
        browser.close()


def _take_while_learning(page: Page) -> None:
    """A picture of the live view, again and again until it is done: the last with curves stays."""
    for _attempt in range(400):
        if page.locator(".st-key-live_done button").count():
            return
        if page.locator(".st-key-live_curves .js-plotly-plot").count():
            _take(page, "live")
        page.wait_for_timeout(500)


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(400)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
