"""The app with a workspace of its own, and Chromium to take pictures of it.

Used by `screenshots.py`, `moving_picture.py` and `lesson_pictures.py`. Leaves to others: what is pressed and what is kept.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PATIENCE_MS = 1_800_000
"""For anything to appear: a machine may do other things first, and nobody waits for this."""


@contextmanager
def app(home: str = "") -> Iterator[str]:
    """The address of the app, which runs until the end of the block: with its workspace in `home`,
    else with an empty one that goes with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as empty:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
             f"--server.port={port}"],
            cwd=ROOT,
            env=os.environ | {"TRANSLEARN_HOME": home or empty},
        )  # fmt: skip
        try:
            _wait_until_up(url)
            yield url
        finally:
            server.terminate()
            server.wait()


def _wait_until_up(url: str) -> None:
    for _attempt in range(600):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit("the app did not start")


@contextmanager
def page_in_chromium(
    url: str, *, width: int, height: int, options: tuple[str, ...] = ()
) -> Iterator[Page]:
    """A light page in headless Chromium, at the address `url`; `options` are of Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", *options],
        )
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        yield page
        browser.close()
