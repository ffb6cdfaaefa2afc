"""Set up a run and watch it learn, reload in mid-run, stop, end at once: on drawn photos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.browser.conftest import check_step
from translearn_core import datasets, jobs, runs
from translearn_core.run_settings import make_settings

expect = pytest.importorskip("playwright.sync_api").expect

WORKER_MS = 120_000
"""A worker has to import TensorFlow, on a machine that may be busy."""


@pytest.fixture(autouse=True)
def _leave_no_run(server_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No run outlives its test, nor keeps the next one waiting, nor takes more than one processor
    from the browser."""
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(threads, "1")
    yield
    for run in runs.list_runs():
        jobs.force_stop(run)


@pytest.fixture(scope="module")
def dataset(server: Any, tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    """Three classes of sixteen drawn photos."""
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(0)
    for name, draw in (("circles", "ellipse"), ("squares", "rectangle"), ("stripes", "line")):
        (folder / name).mkdir()
        for place in range(16):
            photo = Image.fromarray(rng.integers(0, 90, (72, 96, 3), dtype=np.uint8))
            left, top = (int(n) for n in rng.integers(4, 30, 2))
            box = (left, top, left + 36, top + 36)
            getattr(ImageDraw.Draw(photo), draw)(box, fill=(230, 200, int(rng.integers(0, 255))))
            photo.save(folder / name / f"{place}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(server.home))
        return datasets.import_source(folder, name="Shapes")


def curve_of(page: Any) -> Any:
    """The validation curve of the accuracy.

    To be waited for with `expect`, which looks now and then; `wait_for_function` looks in every
    frame and has the browser draw all of them.
    """
    return page.locator(".st-key-live_accuracy .tl-curve").first


def count_points(page: Any) -> int:
    """How many points the validation curve of the accuracy has; 0 when it is gone."""
    return int(
        page.evaluate(
            """() => {
              const curve = document.querySelector('.st-key-live_accuracy .tl-curve');
              return curve ? Number(curve.dataset.points) : 0;
            }"""
        )
    )


def test_what_was_set_up_learns_with_moving_curves_in_every_tab_and_stop_keeps_the_best(
    new_page: Any, dataset: datasets.Dataset, screenshot: Any
) -> None:
    """So many rounds that it goes on until it is stopped; `test_presses.py` lets one finish."""
    page = new_page()
    page.goto(f"/train?data={dataset.id}&expert=1")
    check_step(page, "train")
    button = page.locator(".st-key-train_button button")
    expect(button).to_be_enabled(timeout=30_000)
    handle = page.locator(".st-key-freeze_handle input[type=range]").first
    handle.focus()
    for _press in range(2):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".tl-key")).to_contain_text("2 blocks and the head learn")
    page.locator(".st-key-more_settings summary").click()
    page.get_by_role("tab", name="Learning").click()
    for name, changed in (("epochs", 1), ("fine_tune_epochs", 2)):
        rounds = page.locator(f".st-key-setting_{name} input")
        rounds.fill("1000")
        rounds.press("Enter")
        expect(page.get_by_text(f"More settings · {changed} changed")).to_be_visible()
    screenshot(page, "train")
    button.click()

    expect(page.locator(".tl-now")).to_be_visible(timeout=30_000)
    assert re.search(r"run=", page.url)
    expect(curve_of(page)).to_be_attached(timeout=WORKER_MS)
    expect(curve_of(page)).not_to_have_attribute(
        "data-points", re.compile("^[01]$"), timeout=WORKER_MS
    )
    (run,) = [run for run in runs.list_runs() if run.id in page.url]
    process = run.process()
    assert process is not None
    process.suspend()  # what it has learned is shown all the same, and the tabs get the processors
    screenshot(page, "train_live")
    before = count_points(page)
    assert before > 1
    page.reload()
    other = new_page(width=390, color_scheme="dark")
    other.goto(page.url)
    for tab in (page, other):
        expect(curve_of(tab)).to_be_attached()
        tab.wait_for_timeout(500)
        assert count_points(tab) >= before
        main = tab.locator("[data-testid=stMain]")
        assert main.evaluate("m => m.scrollWidth <= m.clientWidth"), "the page scrolls sideways"

    other.close()
    page.locator(".st-key-frame_step_photos a").click()
    expect(page.locator(".st-key-dataset_title")).to_be_visible(timeout=20_000)
    page.locator(".st-key-frame_step_train a").click()
    expect(page.locator(".tl-now")).to_be_visible(timeout=20_000)
    process.resume()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".st-key-live_results button")).to_be_visible(timeout=WORKER_MS)
    assert run.state.state == "stopped"
    assert run.has_result, "the best so far is kept"
    assert run.metrics.fine_tuned
    assert run.metrics.settings["epochs"] == 1000
    assert run.metrics.epochs_run < 2000


def test_ending_at_once_ends_the_process(page: Any, dataset: datasets.Dataset) -> None:
    """One that does not heed the stop: it was halted before it imported TensorFlow."""
    run = jobs.start(dataset, make_settings({"backbone": "starter"}))
    while (process := run.process()) is None or run.state.state != "running":
        page.wait_for_timeout(50)
    process.suspend()
    run.request_stop()
    page.goto(f"/train?data={dataset.id}&run={run.id}")

    page.get_by_role("button", name="End at once").click(timeout=30_000)

    expect(page.locator(".st-key-live_set_up button").first).to_be_visible(timeout=20_000)
    assert run.process() is None
    assert run.state.state == "stopped"
