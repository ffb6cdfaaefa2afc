"""A class at once: they join, bring photos, look, train, read results; and whose turn it is in the queue.

    python -m benchmarks.classroom [--people 30] [--browsers 5] [--minutes 2]
    python -m benchmarks.classroom turns [--people 10] [--runs 3]

The first serves a class over https on this machine. All people join and upload 20 drawn photos each at once,
look at them and press Train, so that one training goes on and the others wait; then each presses something
every 3 to 8 seconds for some minutes, and reads results once there are any. Printed are: what went wrong,
what was lost, whether anybody saw or got what is another's, the times of the presses, and the memory of the
server before anybody came, at most, and after all have left. Some of the people have a real Chromium, in
which they wait for the result of their training and read it; the others speak to the server over the wire.

The second queues so many runs of each person, without a server and before any of them may begin, and tells
whether everybody's first ended before anybody's second began, and what the processes that wait take.

People are coroutines of this process, on the processors of the server. How late it is itself is measured
and printed: presses "at an own device" are without it; since the server may have worked meanwhile, what a
person waits lies between both figures. The share of the processors that the server, its workers, the browsers
and the people took is printed, too. A browser computes on a device of its own in a class: here browsers share
with the trainings what all others leave, and their times, which hold that, are printed apart.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from filelock import FileLock
from PIL import Image

from benchmarks.served import PASSWORD, Served, serving
from benchmarks.told import MARKS, Told, mark_of
from benchmarks.visitor import NotThereError, Visitor
from translearn_core import datasets, jobs, people, spaces
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run

if TYPE_CHECKING:
    from benchmarks.tab import PersonInTab

PHOTOS = 20
KINDS = {"red": (200, 50, 40), "blue": (40, 60, 200)}
SIDE = (160, 120)
THINK_S = (3.0, 8.0)
RESULT_S = 600.0
"""The training of who joined last waits for those of all others."""
LEFT_S = 75.0
"""After all have left: longer than the server keeps a page that was closed."""
IMPORT_S = 120.0
SETTLE_S = 15.0
"""The next one of those that wait imports what it needs so long."""
ENVIRONMENT = {"TRANSLEARN_DEFAULT_BACKBONE": "starter"}
_SHOWN = ("photos", "train", "results", "try_it", "work")


@dataclass
class Pupil:
    """One person, with what is theirs alone."""

    number: int
    visitor: Visitor
    told: Told

    @property
    def mark(self) -> str:
        """A word that stands in the names of their classes and in nothing of anybody else."""
        return mark_of(self.number)

    async def try_to(self, what: str, doing: Awaitable[Any]) -> bool:
        """Do something, and take down what goes wrong with it. Whether it went well."""
        try:
            await doing
        except (NotThereError, RuntimeError, TimeoutError, OSError) as error:
            self.told.wrong[f"{what}: {type(error).__name__}: {str(error)[:200]}"] += 1
            return False
        for text in self.visitor.errors:
            self.told.wrong[f"{what}: the page says {text[:200]}"] += 1
        self.look_for_others()
        return not self.visitor.errors

    def look_for_others(self) -> None:
        """Whether the page shows a word that is another's."""
        for text in self.visitor.told():
            found = set(MARKS.findall(text)) - {self.mark}
            if found:
                self.told.leaks.append(f"{self.mark} reads {sorted(found)}")

    async def bring_photos(self) -> None:
        """From the first page to the photos in a set of their own."""
        await self.visitor.choose_pill("way", "Folder")
        self.told.uploads.append(await self.visitor.upload(photos_of(self.number)))
        end = time.monotonic() + IMPORT_S
        while not self.visitor.asked("data") and time.monotonic() < end:
            await asyncio.sleep(0.2)  # the page looks again by itself
        if not self.visitor.asked("data"):
            raise RuntimeError(
                f"the photos are not in; the page says {self.visitor.words()[15:40]}"
            )
        while len(self.visitor.pictures()) < PHOTOS and time.monotonic() < end:
            await asyncio.sleep(0.2)  # they are drawn
        await self.visitor.settle()

    async def look(self) -> None:
        """Look at the photos; each must be there."""
        statuses = await self.visitor.look()
        self.told.pictures += len(statuses)
        missing = [status for status in statuses if status != 200]
        if missing:
            raise RuntimeError(f"pictures are answered with {missing}")
        shown = len(self.visitor.pictures())
        if shown < PHOTOS:
            self.told.lost += PHOTOS - shown
            raise RuntimeError(
                f"{shown} of {PHOTOS} photos are shown, at {self.visitor.query}; the page says "
                f"{self.visitor.words()[10:40]}"
            )

    async def train(self) -> None:
        """Set a training up and start it."""
        await self.visitor.go("train", data=self.visitor.asked("data"))
        await self.visitor.press("train_button")
        if not self.visitor.asked("run"):
            raise RuntimeError(f"no run began; the page says {self.visitor.words()[15:40]}")

    async def press_something(self) -> None:
        """One of the things that people press, timed."""
        page = random.choice(_SHOWN)
        data, run = self.visitor.asked("data"), self.visitor.asked("run")
        if self.visitor.has("class") and random.random() < 0.4:
            name = random.choice(["", *(f"{self.mark}-{kind}" for kind in KINDS)])
            took = await self.visitor.choose_pill("class", name)
            self.told.presses.append((time.monotonic(), took))
        else:
            names = {"data": data, "run": run}
            query = {key: value for key, value in names.items() if value}
            took = await self.visitor.go(page, **query)
            self.told.presses.append((time.monotonic(), took))
            if page == "results" and any("results_" in one for one in self.visitor.widget_keys()):
                self.told.results_read += 1
        statuses = await self.visitor.look()
        self.told.pictures += len(statuses)
        if any(status != 200 for status in statuses):
            raise RuntimeError(f"pictures are answered with {statuses}")


def photos_of(number: int) -> list[tuple[str, bytes]]:
    """The photos of one person, as files of a folder."""
    rng, mark = np.random.default_rng(number), mark_of(number)
    return [
        (f"{mark}/{mark}-{kind}/{n:02}.jpg", _draw(rng, colour))
        for kind, colour in KINDS.items()
        for n in range(PHOTOS // len(KINDS))
    ]


def _draw(rng: np.random.Generator, colour: tuple[int, int, int]) -> bytes:
    blocks = rng.normal(0, 45, (6, 8, 3)) + colour
    coarse = Image.fromarray(np.clip(blocks, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    coarse.resize(SIDE, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


# --- a class with its pages ----------------------------------------------------------------


async def run_class(served: Served, n: int, n_browsers: int, minutes: float) -> Told:
    """The whole lesson."""
    if not n_browsers:
        return await _teach(served, n, minutes, Told(), [])
    from benchmarks import tab

    told = Told()
    numbers = range(n - n_browsers, n)
    async with tab.tabs(served, [f"Pupil {mark_of(one)}" for one in numbers]) as opened:
        in_tabs = [
            tab.PersonInTab(number, one, told) for number, one in zip(numbers, opened, strict=True)
        ]
        return await _teach(served, n - n_browsers, minutes, told, in_tabs)


async def _teach(
    served: Served, n: int, minutes: float, told: Told, in_tabs: Sequence[PersonInTab]
) -> Told:
    """The lesson, with `n` people beside those in browsers."""
    await _warm_up(served)
    before = served.memory_bytes()
    watch, lateness = _Watch(served), _Lateness()
    watching = [asyncio.create_task(watch.look()), asyncio.create_task(lateness.look())]
    pupils = [
        Pupil(number, await served.join(f"Pupil {mark_of(number)}"), told) for number in range(n)
    ]
    began = time.monotonic()
    cpu = served.cpu_s()
    everybody = n + len(in_tabs)
    ready = await asyncio.gather(
        *(_begin(pupil) for pupil in pupils),
        *(one.begin(photos_of(one.number)) for one in in_tabs),
    )
    _say(
        "bringing photos in",
        f"{time.monotonic() - began:.0f} s",
        f"{sum(ready)} of {everybody} people",
    )
    until = time.monotonic() + 60 * minutes
    watch.begin()
    await asyncio.gather(
        *(_press_until(pupil, until) for pupil in pupils),
        *(_press_in_tab_until(one, until) for one in in_tabs),
    )
    _say("processors while they press, % of one", *watch.shares())
    await _try_to_reach(pupils, told)
    await asyncio.gather(*(one.read_result(RESULT_S) for one in in_tabs))
    for one, other in zip(in_tabs, [*in_tabs[1:], *in_tabs[:1]], strict=True):
        await one.try_to_reach(other)
    finished = _end_runs()
    automatic = sum(pupil.visitor.automatic for pupil in pupils)
    for pupil in pupils:
        await pupil.visitor.close()
    del pupils
    await asyncio.sleep(LEFT_S)
    for task in watching:
        task.cancel()
    after = served.memory_bytes()
    at_own_device = [
        max(0.0, took - lateness.during(end - took, end)) for end, took in told.presses
    ]
    _say("presses", _times([took for _end, took in told.presses]))
    _say("presses at an own device", _times(at_own_device))
    _say("this process was late by", lateness.words())
    _say("opening the app", _times(told.opened))
    _say(f"uploading {PHOTOS} photos", _times(told.uploads))
    if in_tabs:
        _say("in browsers: uploading", _times(told.browser_uploads))
        _say("in browsers: presses", _times(told.browser_presses))
        results = Counter(told.browser_results)
        _say("in browsers: results", *(f"{said} ({n})" for said, n in results.items()))
    _say("load of the machine, 1 and 5 minutes", "{:.1f}, {:.1f}".format(*psutil.getloadavg()[:2]))
    _say("pictures fetched", str(told.pictures), f"looks of a page by itself: {automatic}")
    _say("runs", finished, f"results read: {told.results_read}")
    _say(
        "memory of the server, MB",
        f"before {before / 1e6:.0f}, at most {watch.peak / 1e6:.0f}, after all left {after / 1e6:.0f}",
    )
    _say(
        "memory of the workers, MB", f"at most {watch.workers_peak / 1e6:.0f}, what each has alone"
    )
    _say("processor seconds of the server", f"{served.cpu_s() - cpu:.0f}")
    _say("photos lost", str(told.lost))
    _say("things of another seen or got", str(len(told.leaks)), *told.leaks[:5])
    _say(
        "went wrong", str(sum(told.wrong.values())), *(f"{k} ({v})" for k, v in told.wrong.items())
    )
    return told


async def _warm_up(served: Served) -> None:
    """Let the server import what pages need, so that the memory before is that of a server at work."""
    teacher = await served.teacher()
    await teacher.open("photos")
    await teacher.press("demo")
    end = time.monotonic() + IMPORT_S
    while not teacher.asked("data") and time.monotonic() < end:
        await asyncio.sleep(0.2)
    for page in ("train", "results", "try_it", "work"):
        await teacher.go(page)
    await teacher.close()
    await asyncio.sleep(1)


async def _begin(pupil: Pupil) -> bool:
    async def open_app() -> None:
        pupil.told.opened.append(await pupil.visitor.open())

    return (
        await pupil.try_to("opening", open_app())
        and await pupil.try_to("uploading", pupil.bring_photos())
        and await pupil.try_to("looking", pupil.look())
        and await pupil.try_to("training", pupil.train())
    )


async def _press_until(pupil: Pupil, until: float) -> None:
    while True:
        wait_s = random.uniform(*THINK_S)
        if time.monotonic() + wait_s > until:
            return
        await asyncio.sleep(wait_s)
        await pupil.try_to("pressing", pupil.press_something())


async def _press_in_tab_until(person: PersonInTab, until: float) -> None:
    while (wait_s := random.uniform(*THINK_S)) < until - time.monotonic():
        await asyncio.sleep(wait_s)
        await person.press_something()


async def _try_to_reach(pupils: Sequence[Pupil], told: Told) -> None:
    """Each asks for the pictures, the data set and the run of the next by their addresses."""
    for pupil, other in zip(pupils, [*pupils[1:], *pupils[:1]], strict=True):
        if other is pupil:
            return
        for path in [path for path, status in other.visitor.fetched.items() if status == 200][:5]:
            status, _content, _headers = await pupil.visitor.ask(path)
            if status == 200:
                told.leaks.append(f"{pupil.mark} gets {path} of {other.mark}")
        tab = Visitor("localhost", pupil.visitor.port, cookies=dict(pupil.visitor.cookies))
        theirs = {name: other.visitor.asked(name) for name in ("data", "run")}
        await tab.open("photos", **{name: one for name, one in theirs.items() if one})
        if any(other.mark in text.replace("\\", "") for text in tab.told()):
            told.leaks.append(f"{pupil.mark} opens the address of {other.mark}")
        await tab.close()


def _end_runs() -> str:
    """Stop what still waits or trains; how far all came."""
    from translearn_core.jobs import activity
    from translearn_core.runs import list_runs

    states: Counter[str] = Counter()
    for space in spaces.all_spaces():
        with spaces.acting_in(space):
            states.update(run.state.state for run in list_runs())
    for space in spaces.all_spaces():
        activity.end_all_in(space)
    return ", ".join(f"{n} {state}" for state, n in sorted(states.items()))


class _Watch:
    """Looks at the memory and the processor seconds of the server, of the processes that it started, of the
    browsers and of this process."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._own = psutil.Process()
        self.peak = self.workers_peak = 0
        self._used: Counter[str] = Counter()
        self._seen: dict[psutil.Process, float] = {}
        self._began = time.monotonic()

    def begin(self) -> None:
        """Count processor seconds from now on."""
        self._count()
        self._used.clear()
        self._began = time.monotonic()

    def shares(self) -> list[str]:
        """How much of one processor each has used since `begin`: `server 40`."""
        self._count()
        passed = time.monotonic() - self._began
        return [f"{who} {100 * used / passed:.0f}" for who, used in sorted(self._used.items())]

    async def look(self) -> None:
        """Look every two seconds."""
        while True:
            self.peak = max(self.peak, self._served.memory_bytes())
            total = 0
            for child in self._served.process.children(recursive=True):
                try:
                    total += child.memory_full_info().uss  # libraries that all share count once
                except psutil.Error:
                    continue
            self.workers_peak = max(self.workers_peak, total)
            self._count()
            await asyncio.sleep(2)

    def _count(self) -> None:
        server = self._served.process
        workers = server.children(recursive=True)
        others = {one for one in self._own.children(recursive=True)} - {server, *workers}
        groups = [("server", [server]), ("workers", workers), ("people", [self._own, *others])]
        for who, processes in groups:
            for process in processes:
                try:
                    times, name = process.cpu_times(), process.name()
                except psutil.Error:
                    continue
                used = times.user + times.system
                is_browser = who == "people" and "chrom" in name
                self._used["browsers" if is_browser else who] += used - self._seen.get(process, 0.0)
                self._seen[process] = used


class _Lateness:
    """How late this process is itself: the answers to all people wait in it."""

    STEP_S = 0.02

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

    async def look(self) -> None:
        """Sleep again and again, and take down how much longer that takes."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(self.STEP_S)
            now = time.monotonic()
            self._late.append((now, now - began - self.STEP_S))

    def during(self, begin: float, end: float) -> float:
        """Seconds of a time, by the monotonic clock, in which this process did not get round to it."""
        return sum(
            max(0.0, min(at, end) - max(at - late, begin)) for at, late in self._late if at > begin
        )

    def words(self) -> str:
        """In a few words."""
        return _times([late for _at, late in self._late])


def _times(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return f"{len(seconds)}"
    parts = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"{len(seconds)}: p50 {parts[49]:.2f} s, p95 {parts[94]:.2f} s, at most {max(seconds):.2f} s"


def _say(what: str, *words: str) -> None:
    print(f"{what}: {'; '.join(words)}", flush=True)


# --- the queue ------------------------------------------------------------------------------


def run_turns(n: int, runs: int) -> None:
    """Queue `runs` runs of each of `n` people, one person after the other, and see who came when."""
    began = time.monotonic()
    order = _train_all(n, runs)
    firsts = [run.state.finished_at for run, (_person, turn) in order.items() if turn == 0]
    seconds = [run.state.started_at for run, (_person, turn) in order.items() if turn == 1]
    fair = not seconds or (len(firsts) == n and max(firsts) < min(seconds))
    named = " ".join(f"{person}.{turn + 1}" for person, turn in order.values())
    _say("runs, by person and number, as they began", named, f"{time.monotonic() - began:.0f} s")
    _say("everybody's first ended before anybody's second began", "yes" if fair else "NO")


def _train_all(n: int, n_runs: int) -> dict[Run, tuple[int, int]]:
    """Each run with the number of its person and its own, in the order of their beginnings."""
    classroom = people.begin_class(PASSWORD)
    source = Path(os.environ["TRANSLEARN_HOME"]) / "drawn"
    rng = np.random.default_rng(0)
    for kind, colour in KINDS.items():
        (source / kind).mkdir(parents=True)
        for number in range(PHOTOS // len(KINDS)):
            (source / kind / f"{number}.jpg").write_bytes(_draw(rng, colour))
    settings = make_settings({"backbone": "starter", "image_size": 32, "epochs": 2})
    queued = {}
    slot = spaces.root() / "slots" / "0.lock"
    slot.parent.mkdir(parents=True)
    with FileLock(slot):
        for person in range(n):
            name = f"Pupil {person}"
            joined = people.join(classroom.code, name, "4711", address=f"10.0.0.{person}")
            with spaces.acting_in(joined.folder):
                dataset = datasets.import_source(source)
                for turn in range(n_runs):
                    queued[jobs.start(dataset, settings)] = (person, turn)
        while any(run.written_state.pid == 0 for run in queued):
            time.sleep(0.5)  # the last ones begin to wait
        time.sleep(SETTLE_S)
        took = sorted(_memory_of(run) for run in queued)
        _say(
            "memory of the processes that wait, what each has alone, MB",
            f"half of them at most {took[len(took) // 2] / 1e6:.0f}",
            f"the next one {took[-1] / 1e6:.0f}",
            f"all {sum(took) / 1e6:.0f}",
        )
    while any(run.state.is_live for run in queued):
        time.sleep(0.5)
    for run, (person, turn) in queued.items():
        if run.state.state != "finished":
            _say(f"run {turn + 1} of {person}", run.state.state, run.state.reason)
    return {run: queued[run] for run in sorted(queued, key=lambda one: one.state.started_at)}


def _memory_of(run: Run) -> int:
    process = run.process()
    return int(process.memory_full_info().uss) if process is not None else 0


def main() -> None:
    """Entry of the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["lesson", "turns"], default="lesson")
    parser.add_argument("--people", type=int)
    parser.add_argument("--browsers", type=int, default=0, help="so many of them with a Chromium")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder).resolve() / "home"
        os.environ |= {"TRANSLEARN_HOME": str(home), **ENVIRONMENT}
        if chosen.what == "turns":
            run_turns(chosen.people or 10, chosen.runs)
            return
        with serving(home, as_class=True, environment=ENVIRONMENT) as served:
            try:
                asyncio.run(run_class(served, chosen.people or 30, chosen.browsers, chosen.minutes))
            finally:
                _end_runs()  # whose processes outlive the server
            log = served.log.read_text("utf-8", "replace")
            _say("lines of the server's log with ERROR", str(log.count("ERROR")))
            _say("the log", str(served.log))


if __name__ == "__main__":
    main()
