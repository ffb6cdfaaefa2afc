"""The teacher's page pressed as over the network: name, PIN, group, sharing, zips, removal, the end."""

from __future__ import annotations

import asyncio
import re
import time
import zipfile
from collections.abc import Coroutine, Iterator
from pathlib import Path

import pytest

from benchmarks.visitor import Visitor
from tests.people import server
from tests.people.server import HOST, PASSWORD, Served
from tests.support.photos import draw_photos
from translearn_core import datasets, jobs, people, spaces
from translearn_core.people import Person
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, create_run
from translearn_core.sorting.job import SortConfig


@pytest.fixture
def app(workspace: Path) -> Iterator[Served]:
    with server.serving() as app:
        yield app


_opened: list[Visitor] = []


def _run(lesson: Coroutine[None, None, None]) -> None:
    async def run() -> None:
        try:
            await lesson
        finally:
            while _opened:
                await _opened.pop().close()

    asyncio.run(run())


def _tab(app: Served, name: str = "") -> Visitor:
    tab = Visitor(HOST, app.port, name, secure=False, at="127.0.0.1")
    _opened.append(tab)
    return tab


def _named(name: str) -> Person:
    return next(one for one in people.list_people() if one.name == name)


async def _teacher(app: Served) -> Visitor:
    tab = _tab(app, "the teacher")
    await tab.sign_in("teacher", password=PASSWORD)
    await tab.open("teacher")
    assert tab.errors == []
    return tab


async def _join(app: Served, name: str, pin: str = "4711", *, who: str = "new") -> Visitor:
    classroom = people.class_of_installation()
    assert classroom is not None
    tab = _tab(app, name)
    await tab.sign_in("join", code=classroom.code, name=name, pin=pin, who=who)
    return tab


async def _see(tab: Visitor, page: str = "") -> str:
    await tab.open(page)
    said = "\n".join(tab.told())
    await tab.close()
    return said


def test_a_teacher_looks_after_the_pupils(app: Served, tmp_path: Path) -> None:
    _run(_look_after(app, draw_photos(tmp_path / "leaves", per_class=3)))


async def _look_after(app: Served, photos: Path) -> None:
    ada, bob, cid = [await _join(app, name) for name in ("Ada", "Bob", "Cid")]
    with spaces.everywhere():
        own = datasets.import_source(photos)
    tab = await _teacher(app)

    await tab.press(f"class_share_{own.id}")
    assert people.shared_datasets() == [own.id]
    assert "leaves" in await _see(ada, "work")

    await tab.choose("class_assignment", string_value="  Find <b>three</b> mistakes ")
    assert "Assignment: Find &lt;b&gt;three&lt;/b&gt; mistakes" in await _see(cid, "train")
    await tab.choose("class_assignment", string_value="")
    assert "Assignment" not in await _see(await _join(app, "Cid", who="back"))

    with spaces.acting_in(_named("Bob").folder):
        waiting = Job(datasets.list_datasets()[0].folder / "sorting")
        with jobs.place_in_line(waiting):
            waiting.begin(SortConfig(created=time.time(), dataset=str(waiting.folder.parent)))
    await tab.again()
    assert any("Bob: leaves (Sort photos)" in said for said in tab.told("html"))

    with spaces.acting_in(_named("Ada").folder):
        run = create_run(datasets.list_datasets()[0].folder, Settings(), dataset_name="leaves")
    await tab.choose("class_pupil", string_value="Ada")
    await tab.press("class_stop")
    assert run.stop_requested

    await tab.choose("class_name_", string_value="Ada L.")
    await tab.press("class_rename")
    assert [one.name for one in people.list_people()] == ["Ada L.", "Bob", "Cid"]

    await tab.press("class_pin")
    pin = next(word for word in tab.told("code") if re.fullmatch(r"\d{4,}", word))
    with pytest.raises(RuntimeError, match="not let in"):
        await _join(app, "Ada L.", who="back")
    await _join(app, "Ada L.", pin, who="back")

    await tab.choose("class_group_", string_array_value=["Bob"])
    await tab.press("class_group")
    assert _named("Bob").folder == _named("Ada L.").folder
    await tab.choose("class_pupil", string_value="Bob")
    await tab.choose("class_group_", string_array_value=[])
    await tab.press("class_group")
    assert _named("Bob").folder != _named("Ada L.").folder

    before = _named("Cid").folder
    await tab.choose("class_pupil", string_value="Cid")
    await tab.press("class_remove")
    assert _named("Cid").folder == before, "it asks first"
    await tab.press("ask_yes")
    assert [one.name for one in people.list_people()] == ["Ada L.", "Bob"]
    assert not before.exists()
    assert (await cid.ask("/work"))[0] == 303
    await tab.close()
    assert "Teach your computer" in await _see(bob)


def test_spaces_go_home_and_the_class_ends(app: Served, tmp_path: Path) -> None:
    _run(_end(app, draw_photos(tmp_path / "leaves", per_class=3)))


async def _end(app: Served, photos: Path) -> None:
    ada = await _join(app, "Ada")
    with spaces.acting_in(_named("Ada").folder):
        datasets.import_source(photos)
    tab = await _teacher(app)
    await tab.press("class_export")
    (written,) = (spaces.root() / "exported").rglob("*.zip")
    with zipfile.ZipFile(written) as opened:
        assert sum(name.endswith(".jpg") for name in opened.namelist()) == 9

    await tab.choose("class_may_join", bool_value=False)
    with pytest.raises(RuntimeError, match="not let in"):
        await _join(app, "Late")

    await tab.press("class_end")
    await tab.press("ask_yes")
    assert (await ada.ask("/"))[0] == 303
    await tab.press("class_delete")
    await tab.press("ask_yes")
    assert people.list_people() == []
    assert spaces.all_spaces() == [spaces.root()]
    await tab.close()
