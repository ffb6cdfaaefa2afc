"""What a page costs the server: processor milliseconds of a run of each page, and of an open page.

    python -m benchmarks.pages [PAGE ...] [--runs 20] [--home FOLDER] [--without-class]

Serves a class over https with one pupil who has the demo photos and a finished training, opens each page
without a browser, and runs it again and again, as a press on something that changes nothing does.

- `open`: the first run in a new tab, with its requests beside it;
- `run`: one run of the page, the mean of `--runs`;
- `rest`: a second in which the page stands open and nobody presses anything.

All are of the server's process alone. `kB` is what a run sends, `pictures` how many the page shows.
With `--home` the workspace is kept, and found again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.served import Served, serving
from benchmarks.visitor import Visitor
from translearn_core import people, spaces

PUPIL = "Ada"
REST_S = 5.0
SETTINGS = {"backbone": "starter", "image_size": 64, "epochs": 6}

PAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "first": ("", ()),
    "photos": ("photos", ("data",)),
    "train": ("train", ("data",)),
    "trained": ("train", ("data", "run")),
    "results": ("results", ("data", "run")),
    "try_it": ("try_it", ("data", "run")),
    "share": ("share", ("data", "run")),
    "feasible": ("feasible", ("data",)),
    "work": ("work", ()),
    "camera": ("camera", ("data",)),
    "sort": ("sort", ("data",)),
    "compare": ("compare", ()),
    "search": ("search", ("data",)),
    "teacher": ("teacher", ()),
}
"""Name in the table -> page, and what its address names."""


def main() -> None:
    """Entry of the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("page", nargs="*", choices=[*PAGES, []], default=[])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--without-class", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = (chosen.home or Path(folder)).resolve()
        as_class = not chosen.without_class
        names = [name for name in chosen.page or PAGES if as_class or name != "teacher"]
        os.environ["TRANSLEARN_HOME"] = str(home)
        with serving(home, as_class=as_class) as served:
            asyncio.run(_measure(served, names, chosen.runs))


async def _measure(served: Served, names: list[str], runs: int) -> None:
    pupil, space = served.visitor(PUPIL), served.home
    if served.code:
        pupil = await served.join(PUPIL)
        space = next(one.folder for one in people.list_people() if one.name == PUPIL)
    named = await asyncio.to_thread(prepare, space)
    print("| page | open ms | run ms | rest ms/s | kB | pictures |\n|---|---|---|---|---|---|")
    for name in names:
        visitor = await served.teacher() if name == "teacher" else served.visitor(PUPIL)
        visitor.cookies.update({} if name == "teacher" else pupil.cookies)
        page, needed = PAGES[name]
        query = {key: named[key] for key in needed}
        print(await _measure_page(served, visitor, name, page, query, runs), flush=True)


async def _measure_page(
    served: Served, visitor: Visitor, name: str, page: str, query: dict[str, str], runs: int
) -> str:
    before = served.cpu_s()
    await visitor.open(page, **query)
    await visitor.look()
    opened = served.cpu_s() - before
    if visitor.errors:
        raise RuntimeError(f"{name}: {visitor.errors}")
    await visitor.again()  # what is made once is made
    bytes_before, before = visitor.received, served.cpu_s()
    for _run in range(runs):
        await visitor.again()
    run = (served.cpu_s() - before) / runs
    received = (visitor.received - bytes_before) / runs
    before, began = served.cpu_s(), time.monotonic()
    await asyncio.sleep(REST_S)
    rest = (served.cpu_s() - before) / (time.monotonic() - began)
    n = len(visitor.pictures())
    await visitor.close()
    return (
        f"| {name} | {opened * 1e3:.0f} | {run * 1e3:.0f} | {rest * 1e3:.0f} "
        f"| {received / 1e3:.0f} | {n} |"
    )


def prepare(space: Path) -> dict[str, str]:
    """The demo photos and a training of a space, made where they are not there: `data`, `run`."""
    from translearn_core import datasets, runs, worker
    from translearn_core.recipe import resolve
    from translearn_core.run_settings import make_settings

    with spaces.acting_in(space):
        found = [run for run in runs.list_runs() if run.has_result]
        if not found:
            dataset = datasets.make_demo()
            settings = resolve.resolve(make_settings(SETTINGS), dataset).settings
            run = runs.create_run(
                dataset.folder,
                settings,
                dataset_name=dataset.name,
                fingerprint=dataset.fingerprint,
            )
            worker.work(run)
            found = [run]
        return {"data": Path(found[0].config.dataset).name, "run": found[0].id}


if __name__ == "__main__":
    main()
