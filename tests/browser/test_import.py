"""Bring a zip of real photos in and look at it, on a wide and a narrow page, light and dark."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def real_zip(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos of each class of the trash set, in a zip with an outer folder and a stray file."""
    path = tmp_path_factory.mktemp("zip") / "trash.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for folder in sorted((shared / "datasets" / "trash").iterdir()):
            for photo in sorted(folder.iterdir())[:12]:
                archive.write(photo, f"trash/{folder.name}/{photo.name}")
        archive.writestr("trash/glass/readme.jpg", "this is text")
        archive.writestr("__MACOSX/trash/glass/._1.jpg", "x")
    return path


def test_import_a_zip_and_look(page: Any, screenshot: Any, real_zip: Path, tmp_path: Path) -> None:
    page.goto("/")
    expect(page.locator(".st-key-demo button")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Your photos stay on this computer.")).to_be_visible()
    screenshot(page, "start")
    drop = page.locator("[data-testid=stFileUploaderDropzoneInput]")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and no more")
    drop.set_input_files(broken)
    box = page.locator("[data-testid=stAlert]")
    expect(box).to_be_visible(timeout=20_000)
    expect(box).not_to_contain_text("Something went wrong")
    expect(page.locator(".st-key-demo button")).to_be_visible()

    drop.set_input_files(real_zip)
    title = page.locator(".st-key-dataset_title")
    expect(title).to_contain_text("72 photos in 6 classes", timeout=60_000)
    expect(page.get_by_text("2 files left out")).to_be_visible()
    pictures = page.locator("[class*=st-key-gallery_] img[alt^='Photo ']")
    expect(pictures).to_have_count(36)
    expect(page.locator("[class*=st-key-gallery_] img:not([alt])")).to_have_count(0)
    expect(page.locator(".st-key-train button")).to_be_enabled()
    assert re.search(r"data=", page.url)
    screenshot(page, "photos")

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        if width < 1280:
            page.reload()
            expect(title).to_contain_text("72 photos in 6 classes", timeout=20_000)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            expect(pictures).to_have_count(36, timeout=20_000)
            main = page.locator("[data-testid=stMain]")
            assert main.evaluate("m => m.scrollWidth <= m.clientWidth"), (
                f"{width} px scrolls sideways"
            )
            screenshot(page, f"photos_{width}_{scheme}")
