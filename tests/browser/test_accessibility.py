"""Every page judged by axe-core, light and dark, with real content; the button that trains in view."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe
from tests.browser.conftest import GO, check_step, seem_to_learn
from tests.support.drawing import draw_photo
from tests.support.trained import copy_of, trained
from translearn_core import datasets
from translearn_core.datasets.kept_upload import receive_upload
from translearn_core.runs import Run, create_run

expect = pytest.importorskip("playwright.sync_api").expect

SHOWN = {
    "first": ".st-key-demo button",
    "photos": ".st-key-dataset_title",
    "waiting": ".st-key-reading_drop button",
    "one class": ".st-key-dataset_title",
    "train of one class": ".st-key-train_button button",
    "train": ".st-key-train_plan",
    "done": ".st-key-live_tiles_1 button",
    "live": ".st-key-live_accuracy .tl-curve",
    "results": ".tl-verdict",
    "try": ".st-key-try_tiles_1 button",
    "share": ".st-key-share_first",
    "work": ".st-key-row_accessible",
    "compare": ".st-key-compare_curves .main-svg",
    "feasible": ".st-key-feasible_start button",
    "search": ".st-key-search_button button",
    "sort": ".st-key-sort_bring",
    "camera": ".tl-cam-class",
    "empty": "h2",
    "gone": "[data-testid=stAlert]",
}
"""What only this page shows: it is there when the page has been drawn."""
EXPERT = ".st-key-train_switch label"
INSIDE = {
    "train": [(EXPERT, ".st-key-freeze_handle")],
    "results": [
        ("[role=tab]:has-text('Mistakes')", ".st-key-results_matrix .main-svg"),
        ("[role=tab]:has-text('Trust')", ".st-key-results_sure"),
        ("[role=tab]:has-text('Details')", ".st-key-results_settings"),
    ],
    "work": [
        ("[role=tab]:has-text('Trainings')", ".st-key-bring_back"),
        ("[role=tab]:has-text('This installation')", ".st-key-row_cache"),
    ],
}
"""What is pressed on a page to see another part of it, and what shows then."""
TALL = 4000
"""Pixels that show a page whole: axe does not judge colours of what must be scrolled to."""
HEADINGS = "[...document.querySelectorAll('[data-testid=stMain] :is(h1, h2, h3, h4, h5, h6)')]"


@pytest.fixture(scope="module")
def pages(server: Any) -> Iterator[dict[str, str]]:
    """Addresses of pages with something on them: photos, models, one that is learning."""
    first, second = (
        copy_of(trained(kind), server.home / "runs" / f"accessible-{kind}")
        for kind in ("frozen", "tuned")
    )
    source = Path(first.config.dataset)
    dataset = shutil.copytree(source, server.home / "datasets" / "accessible")
    for run in (first, second):
        config = run.config.model_copy(update={"dataset": str(dataset)})
        (run.folder / "config.json").write_text(config.model_dump_json(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(server.home))
        learning = _learning_run(dataset, first)
        photos = [(f"{n}.jpg", io.BytesIO(draw_photo(n))) for n in range(4)]
        receive_upload(server.home / "uploads" / "asked-pile", name="pile", files=photos)
        photos = [(f"dcim/{n}.jpg", io.BytesIO(draw_photo(n))) for n in range(4)]
        one_class = datasets.import_files(photos, name="dcim")
    data, both = f"data={dataset.name}", f"data={dataset.name}&run={first.id}"
    yield {
        "first": "/",
        "photos": f"/?{data}",
        "waiting": "/?upload=asked-pile",
        "one class": f"/?data={one_class.id}",
        "train of one class": f"/train?data={one_class.id}",
        "train": f"/train?{data}",
        "done": f"/train?{both}",
        "live": f"/train?run={learning.id}",
        "results": f"/results?{both}",
        "try": f"/try_it?{both}",
        "share": f"/share?{both}",
        "work": f"/work?{data}",
        "compare": f"/compare?runs={first.id},{second.id}",
        "feasible": f"/feasible?{data}",
        "search": f"/search?{data}",
        "sort": f"/sort?{data}",
        "camera": f"/camera?{data}",
        "empty": "/train",
        "gone": "/results?run=nonsense",
    }
    learning.update_state(
        state="stopped", pid=0
    )  # other tests end the process of what still learns


def _learning_run(dataset: Path, like: Run) -> Run:
    """A run that this test's own process stands for."""
    run = create_run(dataset, like.config.settings, dataset_name="Colours")
    seem_to_learn(run)
    for number in (1, 2, 3):
        run.append_event(
            "epoch",
            phase="head",
            epoch=number,
            epochs=20,
            loss=0.4,
            accuracy=0.9,
            val_loss=0.5,
            val_accuracy=0.86,
            seconds=1.5,
            left_s=30.0,
            learning_rate=1e-3,
        )
    return run


def test_no_page_has_a_fault_that_axe_finds(new_page: Any, pages: dict[str, str]) -> None:
    found = []
    page = new_page(height=TALL)

    def judge(name: str, shown: str) -> None:
        expect(page.locator("[data-testid=stMain]").locator(shown).first).to_be_visible()
        _wait_until_drawn(page)
        levels = page.evaluate(f"{HEADINGS}.map(heading => Number(heading.tagName[1]))")
        if levels[:1] != [1] or levels.count(1) != 1:
            found.append(f"{name}: headings {levels}")
        found.extend(f"{name}, {fault}" for fault in axe.faults_in_both(page))

    page.goto(pages["results"])
    check_step(page, "results")
    for name, address in pages.items():
        page.evaluate(GO, address)
        judge(name, SHOWN[name])
        for pressed, shown in INSIDE.get(name, []):
            page.locator(pressed).click()
            judge(f"{name}, {pressed}", shown)
    assert not found, "\n".join(found)


def _wait_until_drawn(page: Any) -> None:
    expect(page.locator("[data-testid=stMain] h1").first).to_be_visible(timeout=30_000)
    busy = page.locator(
        "[data-testid=stStatusWidget], [data-testid=stSkeleton], "
        "[data-testid=stApp]:not([data-test-script-state=notRunning])"
    )
    expect(busy).to_have_count(0, timeout=30_000)


def test_the_button_that_trains_is_in_view(new_page: Any, pages: dict[str, str]) -> None:
    """On a computer, then as that page is drawn on a phone."""
    page = new_page(width=1280, height=800)
    page.goto("/share")
    check_step(page, "share")
    page.evaluate(GO, pages["train"])
    check_view(page)
    page.locator(EXPERT).click()  # it would stay so
    expect(page.locator(".st-key-freeze_handle")).to_have_count(0)
    page.evaluate(GO, pages["empty"])
    expect(page.locator(".st-key-train_button")).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate(GO, pages["train"])
    check_view(page)


def check_view(page: Any) -> None:
    """What a person needs on the page Train is in view, in both of its forms."""
    button = page.locator(".st-key-train_button button")
    for view in ("simple", "expert"):
        expect(button).to_be_enabled()
        _wait_until_drawn(page)
        expect(button).to_be_in_viewport(ratio=1)
        if view == "simple":
            page.locator(EXPERT).click()
            expect(page.locator(".st-key-freeze_handle")).to_be_visible()
    main = page.locator("[data-testid=stMain]")
    main.evaluate("main => main.scrollTo(0, main.scrollHeight)")
    expect(page.locator(".st-key-train_search button")).to_be_in_viewport()
    for stays in (
        button,
        page.locator(".st-key-frame_photos a"),
        page.locator(".st-key-frame_path"),
    ):
        expect(stays).to_be_in_viewport(ratio=1)
    assert main.evaluate("m => m.scrollWidth <= m.clientWidth"), "the page scrolls sideways"
