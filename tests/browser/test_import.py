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


def test_import_a_zip_and_look(new_page: Any, screenshot: Any, real_zip: Path) -> None:
    page = new_page()
    page.goto("/")
    expect(page.locator(".st-key-demo button")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Your photos stay on this computer.")).to_be_visible()
    screenshot(page, "start")
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(real_zip)

    title = page.locator(".st-key-dataset_title")
    expect(title).to_contain_text("72 photos in 6 classes", timeout=60_000)
    expect(page.get_by_text("2 files left out")).to_be_visible()
    pictures = page.locator("[class*=st-key-gallery_] img")
    expect(pictures).to_have_count(36)
    assert all(pictures.nth(place).get_attribute("alt") for place in range(36))
    expect(page.locator(".st-key-train button")).to_be_enabled()
    assert re.search(r"data=", page.url)
    screenshot(page, "photos")

    address = page.url
    page.reload()
    expect(title).to_contain_text("72 photos in 6 classes", timeout=20_000)
    for width in (1280, 390):
        other = page if width == 1280 else new_page(width=width)
        if other is not page:
            page.close()
            other.goto(address)
        for scheme in ("light", "dark"):
            other.emulate_media(color_scheme=scheme)
            expect(other.locator("[class*=st-key-gallery_] img")).to_have_count(36, timeout=20_000)
            main = other.locator("[data-testid=stMain]")
            assert main.evaluate("m => m.scrollWidth <= m.clientWidth"), (
                f"{width} px scrolls sideways"
            )
            screenshot(other, f"photos_{width}_{scheme}")


def test_a_broken_zip_is_answered_with_a_sentence(page: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and no more")
    page.goto("/")
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(
        broken, timeout=20_000
    )

    box = page.locator("[data-testid=stAlert]")
    expect(box).to_be_visible(timeout=20_000)
    expect(box).not_to_contain_text("Something went wrong")
    expect(page.locator(".st-key-demo button")).to_be_visible()
