"""A stop in each phase of each kind of job: until it counts as stopped, and until its process has ended.

    python -m benchmarks.speed stop            in jobs as pages start them
    python -m benchmarks.speed stop_busy       the same beside four programs a processor that compute all the time

Trainings, adaptation to another domain by each method, searches, checks and exports, each in a process
of its own. A job that is over before its phase is seen says so. `python -m benchmarks.stopping PHOTOS
UNLABELLED CASE` is one of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.process import measure, python

BARS_S = 5.0
"""A stop has to count within so many seconds."""
BUSY_PROGRAMS = 4
"""For each processor, in `stop_busy`."""
POLL_S = 0.02
SMALL = "mobilenet_v2_035"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stop `later` seconds after a stage of a job began.

    `kind` is train, search, check or export; `values` are settings, of an export its `format`. `fresh`
    forgets features and networks before.
    """

    kind: str
    stage: str
    later: float = 0.0
    values: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False

    @property
    def title(self) -> str:
        """What is stopped."""
        told = {name: value for name, value in self.values.items() if name != "adapt_to"}
        return " ".join([self.kind, *(f"{name}={value}" for name, value in told.items())])


def _train(stage: str, later: float = 0.0, *, fresh: bool = True, **values: Any) -> Case:
    values = {"backbone": SMALL, "freeze": "all"} | values
    return Case(kind="train", stage=stage, later=later, values=values, fresh=fresh)


def _adapt(method: str, stage: str, later: float = 0.0) -> Case:
    values = {"backbone": SMALL, "adaptation": method, "adapt_to": ""}
    return Case(kind="train", stage=stage, later=later, values=values)


CASES = (
    _train("start"),
    _train("features", 1.0),
    _train("head", 0.5),
    _train("save"),
    _train("fine_tune", 0.5, freeze="none"),
    _train("fine_tune", 15.0, freeze="none"),
    _train("fine_tune", 15.0, freeze="none", backbone="efficientnet_lite0"),
    _train("fine_tune", 20.0, freeze="none", backbone="resnet50", weights="random", image_size=224),
    *(
        _adapt(method, stage, later)
        for method in ("auto", "pseudo", "coral", "batchnorm", "dann")
        for stage, later in (("technique", 0.0), ("technique", 3.0), ("head", 0.5))
    ),
    Case(kind="search", stage="features", later=0.5, values={"backbone": SMALL}),
    Case(kind="search", stage="search", later=0.5, values={"backbone": SMALL}),
    Case(kind="search", stage="search", later=10.0, values={"backbone": SMALL}),
    Case(kind="search", stage="train_best", later=0.5, values={"backbone": SMALL}),
    Case(kind="check", stage="look", later=1.0, fresh=True),
    *(Case(kind="check", stage=stage) for stage in ("judge", "compare", "curve", "check", "map")),
    *(
        Case(kind="export", stage=stage, later=later, values={"format": name})
        for name in ("onnx", "litert", "html")
        for stage, later in (
            ("Writing", 0.3),
            ("Asking the app", 0.0),
            ("Asking the exported", 0.3),
        )
    ),
)


def measure_stops(
    photos: Path,
    unlabelled: Path,
    environment: Mapping[str, str],
    *,
    forget: Callable[[], None],
    tell: Callable[..., None],
    only: Sequence[str] = (),
) -> None:
    """Stop a job in each of `CASES` and tell a row for each.

    Args:
        photos, unlabelled: folders of photos, in class folders; the second is adapted to.
        forget: forgets features and networks.
        only: beginnings of titles; default all.
    """
    tell("job", "stage", "counts as stopped", "process ended", "leaves a result")
    tell(*["---"] * 5)
    latest = 0.0
    for case in CASES:
        if only and not case.title.startswith(tuple(only)):
            continue
        if case.fresh:
            forget()
        command = ("-m", "benchmarks.stopping", str(photos), str(unlabelled))
        told = measure(python(*command, json.dumps(asdict(case))), environment=environment).result
        place = f"{case.stage}, {case.later:g} s later"
        if told["counts"] is None:
            tell(case.title, place, f"over before: {told['state']}", "", "")
            continue
        latest = max(latest, told["counts"])
        counts, ended = (f"{told[name]:.1f} s" for name in ("counts", "ended"))
        tell(case.title, place, counts, ended, told["result"])
    print(f"\nlatest to count: {latest:.1f} s (at most {BARS_S:g} s)")


@contextmanager
def busy() -> Iterator[None]:
    """Programs beside that compute all the time."""
    spinning = [
        subprocess.Popen(python("-c", "while True: pass"))
        for _program in range(BUSY_PROGRAMS * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for program in spinning:
            program.kill()
            program.wait()


def stop_one(photos: Path, unlabelled: Path, case: Case) -> dict[str, Any]:
    """Begin a job, stop it in its phase, and say how long that took."""
    from translearn_core import datasets, runs

    dataset = datasets.import_source(photos, in_place=True, check=False)
    job, request_stop, has_result = _begin(dataset, unlabelled, case)
    while not job.state.stage.startswith(case.stage) and job.state.state in runs.LIVE_STATES:
        time.sleep(POLL_S)
    until = time.monotonic() + case.later
    while time.monotonic() < until and job.state.state in runs.LIVE_STATES:
        time.sleep(POLL_S)
    if job.state.state not in runs.LIVE_STATES:
        return {"counts": None, "state": f"{job.state.state} {job.state.reason}"}
    asked = time.monotonic()
    request_stop()
    while job.state.state in runs.LIVE_STATES:
        time.sleep(POLL_S)
    counts = time.monotonic() - asked
    while job.process() is not None:
        time.sleep(POLL_S)
    ended = time.monotonic() - asked
    return {"counts": counts, "ended": ended, "state": job.state.state, "result": has_result()}


def _begin(
    dataset: Any, unlabelled: Path, case: Case
) -> tuple[Any, Callable[[], None], Callable[[], bool]]:
    """The job, what asks it to stop, and what says whether it has left a result."""
    from translearn_core import jobs
    from translearn_core.export import formats
    from translearn_core.export import job as export_job
    from translearn_core.feasibility import job as check_job
    from translearn_core.feasibility import report
    from translearn_core.run_settings import make_settings
    from translearn_core.runs import study

    if case.kind == "train":
        values = dict(case.values)
        if "adapt_to" in values:
            values["adapt_to"] = str(unlabelled)
        run = jobs.start(dataset, make_settings(values))
        return run, run.request_stop, lambda: run.has_result
    if case.kind == "search":
        minutes = 1.0 if case.stage == "train_best" else 3.0
        run = jobs.create_study(dataset, minutes=minutes, settings=make_settings(case.values))
        jobs.submit(run)
        return run, run.request_stop, lambda: study.read_result(run) is not None
    if case.kind == "check":
        folder = report.folder_of(dataset)
        (folder / "report.json").unlink(missing_ok=True)
        check_job.start(dataset)
        job = check_job.job_of(dataset)
        return job, job.request_stop, (folder / "report.json").is_file
    run = _finished_run(dataset)
    row = formats.get_format(case.values["format"])
    formats.zip_path(run, row).unlink(missing_ok=True)  # of an earlier case that was over before
    export_job.start(run, row)
    job = formats.job_of(run, row)
    return job, job.request_stop, lambda: formats.read(run, row) is not None


def _finished_run(dataset: Any) -> Any:
    """A run of the workspace that has finished; trained here where there is none."""
    from translearn_core import jobs, runs
    from translearn_core.run_settings import make_settings

    for run in runs.list_runs():
        if run.state.state == "finished" and run.has_result:
            return run
    run = jobs.start(dataset, make_settings({"backbone": SMALL}))
    while run.state.state in runs.LIVE_STATES:
        time.sleep(POLL_S)
    return run


def main() -> None:
    """One case, its answer as JSON."""
    photos, unlabelled, case = sys.argv[1:]
    print(json.dumps(stop_one(Path(photos), Path(unlabelled), Case(**json.loads(case)))))


if __name__ == "__main__":
    main()
