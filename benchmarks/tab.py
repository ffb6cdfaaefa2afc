"""A tab of a real Chromium in which a person of a class works: what `visitor.py` does over the wire.

Owns: the browser, pressing what is drawn, and taking down what goes wrong with it.
Leaves to others: who does what when (`classroom.py`).
"""

from __future__ import annotations

import io
import random
import re
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from playwright.async_api import Error, async_playwright

from benchmarks.chromium import find_chromium
from benchmarks.served import PIN
from benchmarks.told import MARKS, Told, mark_of

if TYPE_CHECKING:
    from benchmarks.served import Served

T = TypeVar("T")

ANSWER_MS = 120_000
STEPS = ("photos", "train", "results", "try_it")
_DONE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
_DRAWN = """() => [...document.querySelectorAll('img[src*="/media/"]')]
    .filter(one => one.complete && one.naturalWidth).map(one => one.src)"""


class Tab:
    """A tab with the app of a class."""

    def __init__(self, page: Any, served: Served, name: str) -> None:
        self._page = page
        self._served = served
        self.name = name
        self.wrong: list[str] = []
        """What the browser and the pages complained of."""
        page.set_default_timeout(ANSWER_MS)
        page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"[:200]))
        page.on("response", self._note)

    def _note(self, response: Any) -> None:
        # Streamlit asks below each page first, where there is nothing
        if response.status >= 400 and "/_stcore" not in response.url:
            self.wrong.append(f"{response.status} of {response.url.rpartition('/')[0]}")

    async def join(self) -> None:
        """Come in by the door."""
        page = self._page
        await page.goto(f"https://localhost:{self._served.port}/class/join")
        await page.get_by_label("Code of the class").fill(self._served.code)
        await page.get_by_label("Your name").fill(self.name)
        await page.get_by_label("Your PIN").fill(PIN)
        await page.get_by_role("button", name="Let me in").click()
        await page.locator("[data-testid=stFileUploaderDropzoneInput]").wait_for(state="attached")
        await self._settle()

    async def bring_photos(self, archive: bytes) -> float:
        """From the first page to the photos in a set of their own; seconds."""
        began = time.monotonic()
        box = self._page.locator("[data-testid=stFileUploaderDropzoneInput]").first
        file = {"name": f"{self.name}.zip", "mimeType": "application/zip", "buffer": archive}
        await box.set_input_files(file)
        await self._page.locator(".st-key-dataset_title").wait_for()
        await self._settle()
        return time.monotonic() - began

    async def count_pictures(self, wanted: int) -> int:
        """How many different pictures are drawn, once there are as many or nothing more comes."""
        end = time.monotonic() + 30
        while len(drawn := set(await self._page.evaluate(_DRAWN))) < wanted:
            if time.monotonic() > end:
                break
            await self._page.locator("img[src*='/media/']").last.scroll_into_view_if_needed()
            await self._page.wait_for_timeout(200)
        return len(drawn)

    async def train(self) -> None:
        """Set a training up and start it."""
        await self.go("train")
        await self._page.locator(".st-key-train_button button").click()
        await self._page.wait_for_url(re.compile("run="))
        await self._page.locator(".tl-now").wait_for()

    async def press_something(self) -> float:
        """Follow one of the links of the head; seconds until that page is there."""
        here = [name for name in STEPS if await self._link(name).count()]
        return await self.go(random.choice(here))

    async def go(self, name: str) -> float:
        """Follow the link to a page; seconds until it is there."""
        began = time.monotonic()
        if await self._link(name).count():  # else it is this page
            await self._link(name).click()
        await self._page.locator(f".st-key-frame_step_{name}_now").wait_for()
        await self._settle()
        return time.monotonic() - began

    async def read_result(self, within_s: float) -> str:
        """The sentence of their training's result, once there is one."""
        await self.go("train")
        told = self._page.locator(".st-key-live_done .tl-now")
        await told.wait_for(timeout=within_s * 1000)
        return str(await told.inner_text())

    async def open_address(self, address: str) -> None:
        """Open an address that somebody else told."""
        await self._page.goto(address)
        await self._settle()

    @property
    def address(self) -> str:
        """What stands in the line of the browser."""
        return str(self._page.url)

    async def says(self) -> str:
        """What the page says."""
        return str(await self._page.locator("[data-testid=stApp]").inner_text())

    def _link(self, name: str) -> Any:
        return self._page.locator(f".st-key-frame_step_{name} a")

    async def _settle(self) -> None:
        await self._page.locator(_DONE).wait_for()
        alerts = self._page.locator("[data-testid=stException]")
        if await alerts.count():
            self.wrong.append((await alerts.first.inner_text())[:200])


@dataclass
class PersonInTab:
    """One person with a browser."""

    number: int
    tab: Tab
    told: Told

    async def begin(self, photos: Sequence[tuple[str, bytes]]) -> bool:
        """Join, bring photos in, look at them, train. Whether all went well."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in photos:
                archive.writestr(name, data)
        if not await self._do("joining", self.tab.join()):
            return False
        took = await self._do("uploading", self.tab.bring_photos(packed.getvalue()))
        drawn = await self._do("looking", self.tab.count_pictures(len(photos)))
        if took is None or drawn is None:
            return False
        self.told.browser_uploads.append(took)
        self.told.lost += max(0, len(photos) - drawn)
        return await self._do("training", self.tab.train()) is not None

    async def press_something(self) -> None:
        """One of the things that people press, timed."""
        took = await self._do("pressing", self.tab.press_something())
        if took is not None:
            self.told.browser_presses.append(took)

    async def read_result(self, within_s: float) -> None:
        """Wait for the result of the training, and read it."""
        said = await self._do("reading the result", self.tab.read_result(within_s))
        self.told.browser_results += [said] if said else []

    async def try_to_reach(self, other: PersonInTab) -> None:
        """Open what stands in the other one's browser."""
        await self._do("opening another's address", self.tab.open_address(other.tab.address))

    async def _do(self, what: str, doing: Awaitable[T]) -> T | bool | None:
        """Do something: what it returns, else True; None where it went wrong, which is taken down."""
        result: T | bool | None = None
        try:
            result = await doing
            result = True if result is None else result
            others = set(MARKS.findall(await self.tab.says())) - {mark_of(self.number)}
            if others:
                self.told.leaks.append(f"{mark_of(self.number)} reads {sorted(others)}")
        except Error as error:
            self.tab.wrong.append(str(error)[:200])
            result = None
        for text in self.tab.wrong:
            self.told.wrong[f"{what} in a browser: {text}"] += 1
        self.tab.wrong.clear()
        return result


@asynccontextmanager
async def tabs(served: Served, names: list[str]) -> AsyncIterator[list[Tab]]:
    """A tab for each person, each in a profile of its own. People's browsers compute on machines of their
    own; here they share the processors with the server and the trainings, at the usual priority.

    Raises:
        RuntimeError: there is no Chromium.
    """
    path = find_chromium()
    if path is None:
        raise RuntimeError("There is no Chromium on this machine.")
    options = ["--no-sandbox", "--disable-gpu"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=options)
        contexts = [await browser.new_context(ignore_https_errors=True) for _name in names]
        yield [
            Tab(await context.new_page(), served, name)
            for context, name in zip(contexts, names, strict=True)
        ]
        await browser.close()
