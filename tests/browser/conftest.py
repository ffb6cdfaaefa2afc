"""A real server and a real Chromium for the journeys in this folder.

Screenshots go to `artifacts/screenshots/`, which git ignores, where somebody has made that folder: to draw
and pack one takes a third of a second.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.chromium import find_chromium
from tests.support.photos import SHARED
from translearn_core.runs import Run

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "artifacts" / "screenshots"

BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--process-per-site",
    "--js-flags=--no-opt",
    "--host-resolver-rules=MAP * ~NOTFOUND,EXCLUDE localhost,EXCLUDE *.localhost,EXCLUDE 127.0.0.1",
]
"""No host but this machine is found. Pages of the app share one process: what it has compiled of Streamlit
is not compiled again. A page lives a few seconds; it takes longer to optimise its code than that saves."""
STILL: dict[str, Any] = {"reduced_motion": "reduce"}
"""For every profile: what moves for ever has the browser draw in every frame, while a test waits."""

Screenshot = Callable[[Any, str], None]

GO = "address => { history.pushState({}, '', address); dispatchEvent(new PopStateEvent('popstate')); }"
"""To another page as by the browser's arrows: the app is not loaded anew."""


@dataclass(frozen=True)
class Server:
    """A running app with a workspace of its own."""

    url: str
    home: Path
    log: Path


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app on a free port, one for all journeys; each makes what it needs in the workspace."""
    yield from _serve(tmp_path_factory.mktemp("server"))


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """The app with an empty workspace, which nobody has asked for anything yet.

    It may also be opened as `school.localhost`, a name of another machine.
    """
    hosts = ["--server.allowedHosts", "127.0.0.1", "--server.allowedHosts", "school.localhost"]
    yield from _serve(tmp_path, *hosts)


@pytest.fixture
def server_home(server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server's workspace, made that of the test as well: for what it sets up without a page."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(server.home))
    return server.home


def _serve(folder: Path, *options: str) -> Iterator[Server]:
    home, log = folder / "home", folder / "server.log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "TRANSLEARN_HOME": str(home),
        "KERAS_HOME": str(folder / "keras"),  # the packaged backbone is the quickest one
        "PYTHONIOENCODING": "utf-8",
        "TF_NUM_INTRAOP_THREADS": "1",  # a training leaves the browser a processor
        "TF_NUM_INTEROP_THREADS": "1",
    }
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_well(url, process, log)
        yield Server(url, home, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_until_well(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"The server did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


def check_step(page: Any, name: str) -> None:
    """A page that was just loaded from the address of a step is that step."""
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page.locator(f".st-key-frame_step_{name}_now")).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect(page.get_by_text("Something went wrong")).to_have_count(0)


def seem_to_learn(run: Run) -> None:
    """Have a run look as if this process trained it. It is to be stopped before the test ends: others end
    the process of what still learns."""
    run.update_state(
        state="running",
        stage="head",
        pid=os.getpid(),
        pid_started=psutil.Process().create_time(),
        heartbeat=time.time() + 3600,
        started_at=time.time(),
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real photos and weights that may stand beside the checkout."""
    if not (SHARED / "datasets").is_dir():
        pytest.skip("The photo sets do not stand beside this checkout.")
    return SHARED


def browser_path() -> str:
    """The browser that the tests drive; skips where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("There is no Chromium on this machine.")
    return path


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    api = pytest.importorskip("playwright.sync_api")
    path = browser_path()
    api.expect.set_options(timeout=30_000)  # a busy machine draws charts slowly
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def context(chromium: Any, server: Server) -> Iterator[Any]:
    """One profile for all journeys: what it has loaded of the app stays in its cache.

    A page without the app stays open in it, so that the process of the site outlives a test's page.
    """
    opened = chromium.new_context(base_url=server.url, **STILL)
    opened.new_page().goto("/_stcore/health")
    yield opened
    opened.close()


@pytest.fixture
def new_page(context: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens pages: `new_page(width=390, color_scheme="dark")`. None may ask another host.

    None would be found, so what failed is looked at; a page makes two hundred requests that do not.
    """
    pages: list[Any] = []
    foreign: list[str] = []

    def watch(request: Any) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            foreign.append(request.url)

    def open_page(*, width: int = 1280, height: int = 900, color_scheme: str = "light") -> Any:
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=color_scheme)
        page.on("requestfailed", watch)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert foreign == [], "the pages asked other hosts"


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    """One page, 1280 pixels wide, light."""
    return new_page()


@pytest.fixture(scope="session")
def screenshot() -> Screenshot:
    """Keeps a picture of a page where pictures are wanted: `screenshot(page, "photos")`."""

    def keep(page: Any, name: str) -> None:
        if SCREENSHOTS.is_dir():
            page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return keep
