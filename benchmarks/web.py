"""How light the web process is: first page from a cold start, and memory over ten runs.

    python -m benchmarks.web

Starts the app with a workspace of its own, drives headless Chromium, trains on drawn photos.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
COLD_STARTS = 5
RUNS = 10


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        os.environ["TRANSLEARN_HOME"] = home
        os.environ["TRANSLEARN_MEASURE_SPEED"] = "false"
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox"],
        )
        page = browser.new_page()
        starts = [_cold_start(page) for _attempt in range(COLD_STARTS)]
        print(
            f"first page from a cold start: median {statistics.median(starts):.2f} s, "
            f"of {', '.join(f'{s:.2f}' for s in starts)}"
        )
        _memory_over_runs(page)
        browser.close()


def serve() -> tuple[subprocess.Popen[bytes], str]:
    """The app on a free port, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    server = subprocess.Popen(
        [*command, f"--server.port={port}"], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    return server, f"http://127.0.0.1:{port}"


def wait_until_up(url: str) -> None:
    """Until the app answers."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            break
        except OSError:  # not up yet
            time.sleep(0.02)


def _open(page: Page, url: str) -> None:
    """Load a page as soon as the server answers."""
    wait_until_up(url)
    page.goto(url)


def _cold_start(page: Page) -> float:
    """Seconds from starting the server to a first page that can be used."""
    began = time.monotonic()
    server, url = serve()
    try:
        _open(page, url)
        page.locator(".st-key-demo button").wait_for()
        return time.monotonic() - began
    finally:
        server.terminate()
        server.wait()


def _memory_over_runs(page: Page) -> None:
    """Train ten times while a page watches each run to its end."""
    from translearn_core import datasets, jobs
    from translearn_core.run_settings import make_settings

    dataset = datasets.make_demo(per_class=12)
    settings = make_settings({"backbone": "starter", "epochs": 5})
    server, url = serve()
    sizes = []
    try:
        for _run in range(RUNS + 1):  # the first one warms up
            run = jobs.start(dataset, settings)
            _open(page, url)
            page.goto(f"{url}/train?run={run.id}")
            page.locator(".st-key-live_done button").first.wait_for(timeout=240_000)
            sizes.append(psutil.Process(server.pid).memory_info().rss / 1e6)
    finally:
        server.terminate()
        server.wait()
    print(f"server after the first run: {sizes[0]:.0f} MB; after ten more: {sizes[-1]:.0f} MB")
    print("each:", ", ".join(f"{size:.0f}" for size in sizes))


if __name__ == "__main__":
    main()
