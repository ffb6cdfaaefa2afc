"""The web page export, in a real Chromium that can reach nothing but the folder's own server."""

from __future__ import annotations

import functools
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.monsters import add_monsters
from tests.support.trained import copy_of, trained, trained_photos
from translearn_core.csv_tables import valid_text
from translearn_core.export import formats, verify
from translearn_core.export.make import make_export
from translearn_core.prediction.predict import predict
from translearn_core.runs import Run


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return copy_of(trained("frozen"), tmp_path_factory.mktemp("web") / "run")


@pytest.fixture(scope="module")
def site(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The unpacked export, served as its README says."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(folder / "workspace"))
        parity = make_export(run, formats.FORMATS["web"], photos=16)
    assert parity.within, formats.sentence_of(parity)
    with zipfile.ZipFile(formats.zip_path(run, formats.FORMATS["web"])) as archive:
        archive.extractall(folder)
    page = next(folder.glob("*/index.html"))
    handler = functools.partial(_Quiet, directory=str(page.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(chromium: Any, site: str) -> Iterator[Any]:
    """The page, opened; every request to another place is refused and told at the end."""
    context = chromium.new_context(viewport={"width": 900, "height": 900})
    foreign: list[str] = []

    def guard(route: Any) -> None:
        if route.request.url.startswith((site, "blob:", "data:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(site)
    opened.wait_for_selector("body[data-ready]", timeout=30_000)
    yield opened
    context.close()
    assert foreign == []
    assert complaints == []


def test_the_page_gives_the_answers_of_the_app(
    page: Any, run: Run, tmp_path: Path, screenshot: Any
) -> None:
    assert float(page.locator("body").get_attribute("data-ready")) < 1e-3
    most = len(verify.GENERATED) + 8
    files = [file for file, _kind in verify.gather_photos(run, tmp_path / "photos", most=most)]
    page.set_input_files("#files", [str(file) for file in files])
    page.locator(".answer").nth(len(files) - 1).wait_for(timeout=30_000)
    page.get_by_text("photos answered").wait_for()
    for file, answer in zip(files, predict(run, files), strict=True):
        row = page.locator(f'.answer[data-file="{file.name}"]')
        assert row.locator("h2[data-answer]").get_attribute("data-answer") == answer.label, (
            file.name
        )
    screenshot(page, "web-export")


def test_every_odd_file_has_a_row_of_its_own(page: Any, run: Run, tmp_path: Path) -> None:
    files = {valid_text(path.name): path for path in add_monsters(tmp_path).values()}
    files = {name: path for name, path in files.items() if path.is_file()}
    files["good.jpg"] = next(trained_photos().rglob("*.jpg"))
    upload = [
        {"name": name, "mimeType": "image/jpeg", "buffer": path.read_bytes()}
        for name, path in files.items()
    ]
    page.set_input_files("#files", upload)
    page.get_by_text(f"{len(files)} photos answered").wait_for(timeout=60_000)
    said = dict(
        page.locator(".answer").evaluate_all(
            "rows => rows.map(row => [row.dataset.file, (row.querySelector('.problem') || {}).textContent || ''])"
        )
    )
    assert len(said) == len(files)
    assert said["good.jpg"] == said["exif.jpg"] == ""
    assert "damaged or cut off" in said["cut.jpg"]
    assert "empty" in said["empty.jpg"]
    assert "cannot be read" in said["text.jpg"]


def test_a_file_that_is_no_photo_is_a_sentence(page: Any, tmp_path: Path) -> None:
    file = tmp_path / "letter.jpg"
    file.write_text("no photo at all")
    page.set_input_files("#files", str(file))
    page.get_by_text("letter.jpg cannot be read as a photo").wait_for(timeout=10_000)
