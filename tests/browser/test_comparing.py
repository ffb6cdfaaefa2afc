"""My work and Compare in a browser: tags and notes, two runs side by side, report and code."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe
from tests.support.trained import copy_of, trained
from translearn_core.runs import Run

expect = pytest.importorskip("playwright.sync_api").expect

PATIENCE_MS = 180_000
"""A process that opens a model has to import TensorFlow, on a machine that may be busy."""


@pytest.fixture(scope="module")
def runs(server: Any) -> tuple[Run, Run]:
    """Two runs on the same drawn photos, in the server's workspace."""
    source = Path(trained("frozen").config.dataset)
    dataset = shutil.copytree(source, server.home / "datasets" / source.name)
    first, second = (
        copy_of(run, server.home / "runs" / run.id) for run in map(trained, ("frozen", "tuned"))
    )
    for run in (first, second):
        config = run.config.model_copy(update={"dataset": str(dataset)})
        (run.folder / "config.json").write_text(config.model_dump_json(), encoding="utf-8")
    return Run(first.folder), Run(second.folder)


def well(page: Any) -> None:
    """No error is on the page."""
    errors = page.locator("[data-testid=stException], [data-testid=stAlertContentError]")
    expect(errors).to_have_text([])


def open_work(page: Any) -> None:
    page.goto("/work?tab=Runs")
    expect(page.locator(".st-key-bring_back")).to_be_visible(timeout=PATIENCE_MS)


def test_from_my_work_to_a_comparison_with_notes_report_and_code_on_a_phone_too(
    page: Any, runs: tuple[Run, Run], screenshot: Any, tmp_path: Path
) -> None:
    first, second = runs
    same = f"{first.metrics.n_test} photos"
    open_work(page)
    page.locator(f".st-key-menu_{first.id} button").click()
    page.get_by_text("Name, tags, note").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Careful one")
    dialog.get_by_label("Note").fill("Six rounds.")
    assert axe.faults_in_both(page, within=axe.DIALOG) == []
    dialog.locator(".st-key-notes_go button").click()
    row = page.locator(f".st-key-row_{first.id}")
    expect(row.get_by_text("Careful one", exact=True)).to_be_visible()
    expect(page.get_by_text("Six rounds.")).to_be_visible()

    page.locator(f".st-key-tick_{first.id} label").click()
    expect(page.locator(f".st-key-tick_{first.id} input")).to_be_checked()
    page.locator(f".st-key-tick_{second.id} label").click()
    page.get_by_role("button", name="Compare the 2 chosen").click()

    expect(page.locator(".tl-say")).to_contain_text(same, timeout=PATIENCE_MS)
    expect(page.locator(".st-key-compare_accuracy .main-svg").first).to_be_visible()
    expect(page.locator(".st-key-compare_curves .main-svg").first).to_be_visible()
    expect(page.locator(".tl-runs").first).to_contain_text("Careful one")
    expect(page.locator(".tl-runs").last).to_contain_text("Epochs")
    screenshot(page, "compare")
    well(page)

    with page.expect_download() as download:
        page.locator(f".st-key-compare_report_{first.id} button").click()
    download.value.save_as(tmp_path / "report.html")
    assert "Six rounds." in (tmp_path / "report.html").read_text(encoding="utf-8")
    page.locator(f".st-key-compare_menu_{first.id} button").click()
    page.get_by_text("Show me the code").click()
    code = page.get_by_role("button", name="Download the code")
    expect(code).to_be_visible()
    assert axe.faults_in_both(page, within=axe.DIALOG) == []
    with page.expect_download() as download:
        code.click()
    download.value.save_as(tmp_path / "code.zip")
    with zipfile.ZipFile(tmp_path / "code.zip") as archive:
        assert "train.ipynb" in archive.namelist()
    page.wait_for_function("document.activeElement.closest('[role=dialog]')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    page.set_viewport_size({"width": 390, "height": 900})
    page.emulate_media(color_scheme="dark")
    page.reload()
    expect(page.locator(".tl-say")).to_contain_text(same, timeout=PATIENCE_MS)
    expect(page.locator(".st-key-compare_curves .main-svg").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot(page, "compare-phone-dark")
    well(page)


@pytest.mark.slow
def test_a_model_is_brought_back_and_a_strange_file_is_refused(
    page: Any, runs: tuple[Run, Run], tmp_path: Path, server: Any
) -> None:
    strange = tmp_path / "strange.keras"
    strange.write_bytes(b"\x89HDF\r\n\x1a\n")
    shutil.copy(runs[0].model_path, tmp_path / "school.keras")
    open_work(page)
    box = page.locator(".st-key-bring_back")
    box.get_by_text("Import a model").click()
    box.locator("input[type=file]").set_input_files(strange)
    expect(page.get_by_text("strange.keras is an old Keras file")).to_be_visible()

    box.locator("input[type=file]").set_input_files(tmp_path / "school.keras")
    names = page.locator(".st-key-bring_back_classes textarea")
    names.fill("one\ntwo")
    page.locator(".st-key-bring_back_go button").click()
    expect(page.get_by_text("gives 3 answers, but 2 classes are named")).to_be_visible()
    names.fill("blau\ngrün\nrot")
    page.locator(".st-key-bring_back_fit").get_by_text("Cut to the middle").click()
    page.locator(".st-key-bring_back_go button").click()
    expect(page.get_by_text("school is here and can be tried.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("knows 3 classes").first).to_be_visible()
    brought = max(
        run for run in (server.home / "runs").iterdir() if (run / "adopted.json").is_file()
    )
    assert json.loads((brought / "labels.json").read_text(encoding="utf-8"))["fit"] == "crop"
    page.get_by_role("tab").nth(2).click()
    expect(page).to_have_url(re.compile("tab=This"))
    page.reload()
    expect(page.get_by_role("tab").nth(2)).to_have_attribute("aria-selected", "true")
    well(page)
