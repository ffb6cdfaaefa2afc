"""Live answers on *Try it*: how many a second, and what one takes of the processors.

    python -m benchmarks.live RUN_DIR [RUN_DIR ...] [--seconds 10]

Starts the app on copies of the runs, and headless Chromium, whose camera shows a drawn film of 640 x 480 at
30 frames a second. Each run answers twice: by the server (the browser gets no worker), and in the browser.
Processor time is that of all processes of the browser and of the app. `camera` is what the picture of the
camera takes alone, while an answer is frozen; it is part of the other figures.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from benchmarks.web import serve, wait_until_up
from translearn_core.export import live
from translearn_core.runs import Run

PATIENCE_S = 300
NO_WORKER = "delete window.Worker;"
COUNT = """() => {
  window.answers = {browser: 0, server: 0};
  document.addEventListener("tl-answer", ({ detail }) => window.answers[detail.by]++);
}"""


def draw_film(path: Path) -> None:
    """A ball that moves about a room."""
    rng = np.random.default_rng(0)
    room = Image.fromarray(rng.integers(60, 160, (60, 80, 3), dtype=np.uint8)).resize((640, 480))
    with path.open("wb") as film:
        for angle in np.linspace(0, 2 * np.pi, 90, endpoint=False):
            picture = room.copy()
            x, y = 320 + 120 * np.cos(angle), 240 + 80 * np.sin(angle)
            ImageDraw.Draw(picture).ellipse((x - 90, y - 90, x + 90, y + 90), fill=(210, 60, 40))
            content = io.BytesIO()
            picture.save(content, "JPEG", quality=88)
            film.write(content.getvalue())


def copy_runs(folders: list[Path], home: Path) -> list[Run]:
    """The runs in a workspace, with their models for a browser."""
    runs = [Run(shutil.copytree(folder, home / "runs" / folder.name)) for folder in folders]
    for run in runs:
        until = time.monotonic() + PATIENCE_S
        while (state := live.prepare(run)) != "ready":
            assert state == "making", f"{run.id} cannot answer in a browser"
            assert time.monotonic() < until, "the export does not end"
            time.sleep(0.5)
    return runs


@contextmanager
def browser_page(film: Path, *, by: str) -> Iterator[Page]:
    """A page whose camera shows a film."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=[
                *("--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"),
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={film}",
            ],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        if by == "server":
            page.add_init_script(NO_WORKER)
        yield page
        browser.close()


def processor_s(server: psutil.Process) -> float:
    """Processor seconds so far of the app and of the browser, with all their processes."""
    mine = psutil.Process().children(recursive=True)
    total = 0.0
    for process in {server, *mine}:
        if process.pid == server.pid or "chrom" in process.name():
            total += sum(process.cpu_times()[:2])
    return total


def watch(page: Page, server: psutil.Process, by: str, seconds: float) -> dict[str, Any]:
    """What comes in some seconds once the answers are by the one who is asked for."""
    page.evaluate(COUNT)
    page.wait_for_function(f"window.answers.{by} >= 10", timeout=1000 * PATIENCE_S)
    page.evaluate("window.answers = {browser: 0, server: 0}")
    began, before = time.monotonic(), processor_s(server)
    page.wait_for_timeout(1000 * seconds)
    n = page.evaluate(f"window.answers.{by}")
    took, spent = time.monotonic() - began, processor_s(server) - before
    page.get_by_role("button", name="Freeze").click()
    page.wait_for_timeout(500)
    still, alone = time.monotonic(), processor_s(server)
    page.wait_for_timeout(3000)
    alone = (processor_s(server) - alone) / (time.monotonic() - still)
    return {
        "by": by,
        "answers_per_s": round(n / took, 1),
        "processor_ms_per_answer": round(1000 * spent / max(n, 1), 1),
        "processors_used": round(spent / took, 2),
        "camera_alone_processors": round(alone, 2),
    }


def measure(run: Run, film: Path, url: str, server: psutil.Process, seconds: float) -> Any:
    """Both ways of one run."""
    rows = []
    for by in ("server", "browser"):
        with browser_page(film, by=by) as page:
            wait_until_up(url)
            page.goto(f"{url}/try_it?run={run.id}")
            page.get_by_text("Camera", exact=True).click(timeout=1000 * PATIENCE_S)
            page.wait_for_selector(".tl-live:not([hidden]) .tl-live-bar", timeout=1000 * PATIENCE_S)
            rows.append(watch(page, server, by, seconds))
    return {"run": run.folder.name, "side": run.read_labels().image_size, "answers": rows}


def main() -> None:
    """Measure and print a JSON object for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, film = Path(folder) / "home", Path(folder) / "camera.mjpeg"
        os.environ["TRANSLEARN_HOME"] = str(home)
        os.environ["TRANSLEARN_MEASURE_SPEED"] = "false"
        draw_film(film)
        runs = copy_runs(options.runs, home)
        server, url = serve()
        try:
            for run in runs:
                watched = psutil.Process(server.pid)
                print(json.dumps(measure(run, film, url, watched, options.seconds)), flush=True)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
