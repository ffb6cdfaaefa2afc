"""The web page export, in a real Chromium that can reach nothing but the folder's own server; and the
page in one file, opened from the disk."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.monsters import add_monsters
from tests.support.trained import copy_of, trained, trained_photos
from translearn_core.csv_tables import valid_text
from translearn_core.export import formats, verify, writers
from translearn_core.export.make import make_export
from translearn_core.export.page_words import page_script
from translearn_core.i18n import language, tag
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


@pytest.fixture(scope="module")
def one_file(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page in one file, alone in a folder whose name an address has to escape."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(tmp_path_factory.mktemp("workspace")))
        parity = make_export(run, formats.FORMATS["html"], photos=16)
    assert parity.within, formats.sentence_of(parity)
    page = tmp_path_factory.mktemp("one") / "für dich #1.html"
    shutil.copyfile(formats.zip_path(run, formats.FORMATS["html"]), page)
    return page


@contextmanager
def _opened(browser: Any, address: str, within: str = "") -> Iterator[Any]:
    """A page; every request to a place that does not begin with `within` (default: its address) is
    refused and told at the end."""
    context = browser.new_context(viewport={"width": 900, "height": 900})
    foreign: list[str] = []

    def guard(route: Any) -> None:
        if route.request.url.startswith((within or address, "blob:", "data:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(address)
    yield opened
    context.close()
    assert foreign == []
    assert complaints == []


@pytest.fixture
def page(chromium: Any, site: str) -> Iterator[Any]:
    """The page of the folder, ready."""
    with _opened(chromium, site) as opened:
        opened.wait_for_selector("body[data-ready]", timeout=30_000)
        yield opened


@pytest.mark.parametrize("form", ["folder", "one file"])
def test_the_page_gives_the_answers_of_the_app(
    form: str,
    chromium: Any,
    run: Run,
    tmp_path: Path,
    screenshot: Any,
    request: pytest.FixtureRequest,
) -> None:
    address = (
        request.getfixturevalue("site")
        if form == "folder"
        else request.getfixturevalue("one_file").as_uri()
    )
    with _opened(chromium, address) as page:
        page.wait_for_selector("body[data-ready]", timeout=30_000)
        check_answers(page, run, tmp_path)
        screenshot(page, f"web-export-{form.replace(' ', '-')}")


def check_answers(page: Any, run: Run, tmp_path: Path) -> None:
    """The page answers awkward photos as the app does."""
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


def test_the_page_in_one_file_can_ask_no_other_place(chromium: Any, one_file: Path) -> None:
    with _opened(chromium, one_file.as_uri()) as page:
        page.wait_for_selector("body[data-ready]", timeout=30_000)
        tries = """async () => {
            const refused = new Set();
            const both = new Promise((done) => {
                document.addEventListener("securitypolicyviolation", ({ blockedURI }) => {
                    if (refused.add(blockedURI).size === 2) done();
                });
            });
            document.body.append(Object.assign(new Image(), { src: "https://example.org/photo.png" }));
            const sent = await fetch("https://example.org/", { method: "POST", body: "photo" })
                .then(() => true, () => false);
            await both;
            return [sent, ...[...refused].sort()];
        }"""
        places = ["https://example.org/", "https://example.org/photo.png"]
        assert page.evaluate(tries) == [False, *places]


def test_a_folder_opened_from_a_disk_names_the_page_in_one_file_in_its_language(
    chromium: Any, tmp_path: Path
) -> None:
    for file in writers.WEB_FOLDER.iterdir():
        shutil.copy(file, tmp_path)
    for code, words in (
        ("en", "The web page in one file opens by double click"),
        ("zh_CN", "单文件网页可以双击打开"),
    ):
        before = language.set(code)
        script = page_script(writers.WEB_FOLDER / "page.js")
        language.reset(before)
        (tmp_path / "page.js").write_text(script, encoding="utf-8")
        with _opened(
            chromium, f"file://{tmp_path}/index.html", within=f"file://{tmp_path}/"
        ) as page:
            page.get_by_text(words).wait_for()
            assert page.evaluate("document.documentElement.lang") == tag(code)


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
