"""Runs on a cluster of this machine: three nodes of one processor each, made by `ray.cluster_utils`.

    python -m benchmarks.cluster [--runs 12] [--people 4]

Each person of a class queues as many trainings as the others (drawn photos, `starter`, a few epochs). The
process that places them is started as the app starts it. Once the first person's first training has ended,
a node that is at work is taken away at once. Printed are: how many runs ended how, whether the first
trainings of all began before anybody's second, how many began again, how often a run was done, and the time.

The nodes share the processors of this machine, so that the time says nothing about a cluster.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.nodes import NAMES, nodes
from translearn_core import datasets, jobs, runs, spaces
from translearn_core.run_settings import Settings
from translearn_core.runs.state import ENDED_STATES

MOST_S = 600.0


def draw(folder: Path, *, seed: int) -> Path:
    """Photos of two classes, told apart by their colour."""
    rng = np.random.default_rng(seed)
    for name, channel in (("red", 0), ("blue", 2)):
        (folder / name).mkdir(parents=True)
        for n in range(12):
            pixels = rng.integers(0, 90, (48, 48, 3), np.uint8)
            pixels[..., channel] += 120
            Image.fromarray(pixels).save(folder / name / f"{n}.png")
    return folder


def queue(people: int, each: int) -> list[runs.Run]:
    """The trainings of all people, the first person's first."""
    made = []
    for person in range(people):
        space = spaces.space_named(f"{person:016x}")
        with spaces.acting_in(space):
            dataset = datasets.import_source(draw(space / "photos", seed=person))
            for n in range(each):
                settings = Settings(backbone="starter", epochs=3, seed=n)
                made.append(jobs.start(dataset, settings, name=f"{person}-{n}"))
    return made


def measure(people: int, each: int) -> None:
    """Queue the trainings, take a node away, wait, and print what became of them."""
    with tempfile.TemporaryDirectory() as folder, nodes() as cluster:
        os.environ |= cluster.environment | {
            "TRANSLEARN_HOME": folder,
            "TRANSLEARN_STANDBY_IDLE_S": "5",
            "TRANSLEARN_QUOTAS": '{"waiting": 99}',
        }
        began = time.monotonic()
        made = queue(people, each)
        gone = ""
        while any(run.state.is_live for run in made) and time.monotonic() - began < MOST_S:
            working = [run.state.node for run in made if run.written_state.stage == "head"]
            working += [run.state.node for run in made if run.written_state.stage == "features"]
            over = [run for run in made if run.state.state in ENDED_STATES]
            if not gone and over and (busy := [name for name in working if name in NAMES[1:]]):
                gone = busy[0]
                cluster.lose(gone)
                print(f"taken away: {gone}, after {time.monotonic() - began:.0f} s")
            jobs.follow(made[0])
            time.sleep(0.1)
        seconds = time.monotonic() - began
        states = Counter(run.state.state for run in made)
        in_order = sorted(made, key=lambda run: run.state.started_at)
        first = [run.config.name.partition("-")[0] for run in in_order if not run.state.restarts]
        restarted = [run for run in made if run.state.restarts]
        print(f"{len(made)} runs of {people} people: {dict(states)}, {seconds:.0f} s")
        print(f"with a result: {sum(run.has_result for run in made)}")
        print(f"order of people, without what began again: {' '.join(first)}")
        for run in restarted:
            print(f"began again: {run.config.name}, {run.state.state} on {run.state.node}")
        print(f"where: {dict(Counter(run.state.node for run in made))}")
        while [one for one in psutil.Process().children() if "jobs.placing" in _line_of(one)]:
            time.sleep(0.5)


def _line_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.Error:
        return ""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--people", type=int, default=4)
    options = parser.parse_args()
    measure(options.people, options.runs // options.people)


if __name__ == "__main__":
    main()
