"""From a pile of photos that nobody sorted to a trained model, all on one page."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe
from tests.support.photos import COLOURS, draw_photos
from translearn_core import datasets, jobs, runs

expect = pytest.importorskip("playwright.sync_api").expect

PER_CLASS = 8
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Photos of three kinds under names that do not tell; path -> kind."""
    folder = draw_photos(tmp_path_factory.mktemp("drawn"), per_class=PER_CLASS, seed=5)
    photos = sorted(folder.rglob("*.jpg"))
    random.Random(0).shuffle(photos)
    found = {}
    for number, photo in enumerate(photos):
        kind = photo.parent.name
        found[photo.rename(folder / f"photo-{number:02}.jpg")] = kind
    return found


class Sorter:
    """A person at the page Sort who knows what each photo shows."""

    def __init__(self, page: Any, truth: dict[str, str]) -> None:
        self.page, self.truth = page, truth

    def groups(self) -> list[Any]:
        """The groups on the page."""
        shown = self.page.locator("[class*=st-key-sort_group_]").all()
        names = [
            re.search(r"st-key-sort_group_\d+", one.get_attribute("class"))[0] for one in shown
        ]
        return [self.page.locator(f".{name}") for name in dict.fromkeys(names)]

    def photos(self, group: Any) -> list[str]:
        """The files of a group."""
        titles: list[str] = group.locator(".tl-strip-photo").evaluate_all(
            "tiles => tiles.map(tile => tile.title)"  # at once: it may be drawn anew meanwhile
        )
        return titles

    def kind(self, group: Any) -> str:
        """What most of its photos show."""
        return Counter(self.truth[file] for file in self.photos(group)).most_common(1)[0][0]

    def drag(self, photo: Any, target: Any) -> None:
        """Drag a photo onto what is in view already: nothing scrolls while the button is down."""
        photo.evaluate("one => one.scrollIntoView({ block: 'center' })")
        self.page.wait_for_timeout(500)
        mouse = self.page.mouse
        for step, element in enumerate((photo, target)):
            box = element.bounding_box()
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            mouse.move(x, y, steps=1 if step == 0 else 5)
            if step == 0:
                mouse.down()
                mouse.move(x + 8, y + 8, steps=3)
        mouse.up()

    def name(self, group: Any, name: str) -> None:
        """Say what a group is."""
        box = group.locator("[class*=st-key-sort_name_] input")
        box.fill(name)
        self.page.keyboard.press("Enter")
        take = group.locator("[class*=st-key-sort_take_] button")
        expect(take).to_be_enabled(timeout=PATIENCE_MS)
        take.click()
        expect(group).to_have_count(0, timeout=PATIENCE_MS)


def test_from_a_pile_to_a_trained_model_on_one_page(
    new_page: Any, server_home: Path, pile: dict[Path, str], screenshot: Any
) -> None:
    page = new_page()
    sorter = Sorter(page, {path.name: kind for path, kind in pile.items()})
    page.goto("/sort")
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(list(pile))
    expect(page.locator(".tl-strip-photo").first).to_be_visible(timeout=PATIENCE_MS)
    (dataset,) = [
        one for one in datasets.list_datasets() if len(datasets.read_unsorted(one)) == len(pile)
    ]
    undo = page.locator(".st-key-sort_undo")

    # by mouse: a photo is dragged to another group, and back by undo
    expect(page.locator(".tl-strip").nth(1)).to_be_visible(timeout=PATIENCE_MS)
    first, second = sorter.groups()[:2]
    n = len(sorter.photos(first))
    first.locator(".tl-strip-photo").first.drag_to(second.locator(".tl-strip"))
    expect(undo).to_contain_text("1 photo regrouped", timeout=PATIENCE_MS)
    undo.locator("button").click()
    expect(undo).to_have_count(0, timeout=PATIENCE_MS)
    expect(sorter.groups()[0].locator(".tl-strip-photo")).to_have_count(n, timeout=PATIENCE_MS)
    assert dataset.counts.empty, "nothing is filed yet"

    # by keyboard: a photo is ticked and given a class
    tile = sorter.groups()[0].locator(".tl-strip-photo").first
    ticked = tile.get_attribute("title")
    kind = sorter.truth[ticked]
    tile.focus()
    page.keyboard.press("Space")
    box = sorter.groups()[0].locator("[class*=st-key-sort_strangers_][class*=_really] input")
    box.fill(kind)
    page.keyboard.press("Enter")
    take = page.locator("[class*=st-key-sort_strangers_][class*=_take] button")
    expect(take).to_be_enabled(timeout=PATIENCE_MS)
    take.click()
    expect(undo).to_contain_text(f"1 photo is {kind}", timeout=PATIENCE_MS)
    gone = page.locator(f".tl-strip-photo[title='{ticked}']")
    expect(gone).to_have_count(0, timeout=PATIENCE_MS)

    # by mouse: a photo is dropped on its class
    chip = page.locator(".tl-strip-class", has_text=kind)
    same = next(
        group.locator(f".tl-strip-photo[title='{file}']")
        for group in sorter.groups()
        for file in sorter.photos(group)
        if sorter.truth[file] == kind
    )
    counts = page.locator(".st-key-sort_bar")
    sorter.drag(same, chip)
    expect(counts).to_contain_text(f"{kind} 2", timeout=PATIENCE_MS)

    for _turn in range(12):
        there = {name for name, number in dataset.counts.items() if number >= 3}
        shown = [group for group in sorter.groups() if sorter.photos(group)]
        new = [group for group in shown if sorter.kind(group) not in there]
        if not new:
            break
        sorter.name(new[0], sorter.kind(new[0]))
    screenshot(page, "sort_groups")
    assert axe.faults_in_both(page) == []
    page.get_by_text("Proposals", exact=True).click()
    key = page.locator("[class*=st-key-sort_answer_]").first
    expect(key).to_be_visible(timeout=PATIENCE_MS)
    slider = page.locator(".st-key-sort_confidence input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    accept = page.locator(".st-key-sort_accept_all button")
    left = int((datasets.read_unsorted(dataset)["path"] != "").sum())
    expect(accept).to_have_text(f"Accept {left} photos", timeout=PATIENCE_MS)
    screenshot(page, "sort_proposals")
    assert axe.faults_in_both(page) == []
    accept.click()
    expect(page.get_by_text("All photos are sorted.")).to_be_visible(timeout=PATIENCE_MS)
    told = {Path(row.file).name: row.class_name for row in dataset.photos.itertuples()}
    right = sum(told[path.name] == kind for path, kind in pile.items())
    assert right >= 0.9 * len(pile), "the drawn kinds are easy to tell apart"
    assert set(told.values()) == set(COLOURS)

    page.locator(".st-key-sort_train button").click()
    try:
        expect(page.locator(".st-key-sort_try button")).to_be_visible(timeout=PATIENCE_MS)
        assert page.url.partition("?")[0].endswith("/sort")
        (run,) = [one for one in runs.list_runs() if one.config.dataset_name == dataset.name]
        assert run.has_model
        assert sorted(run.labels) == sorted(COLOURS)
    finally:
        for one in runs.list_runs():
            if one.config.dataset == str(dataset.folder):
                jobs.force_stop(one)
