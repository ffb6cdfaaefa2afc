"""How fast and how large training and predicting are, beside the plain ways, in one go.

    python -m benchmarks.speed                      everything (about 40 minutes on two cores)
    python -m benchmarks.speed ways second          only these tables

Tables: `whole` (one small run, nothing cached), `ways` (whole commands), `epochs` (one epoch by
unfrozen blocks), `second` (the next run, from the request to the first point of its curve), `press` (the
first run, after photos were looked at in the background), `stop` (in each phase of each kind of job;
BENCH_STOPS=search,export names some), `stop_busy` (the same beside programs that compute all the time; only
where it is named), `predict`, `backbones`, `growth` (500 to 50,000 photos), `large` (memory at
100,000, and a stop there). Uses the photos and weights
beside the project where they are; set KERAS_HOME to a folder with ImageNet weights.
Web page timings: `python -m benchmarks.web`.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.photos import SHARED, make_set, repeat_set
from benchmarks.process import ROOT, Measured, measure, python
from benchmarks.stopping import busy, measure_stops

BACKBONE = "mobilenet_v2_035"
PHOTOS = 2500


class Bench:
    """A scratch folder with a workspace, the photos, and commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"TRANSLEARN_HOME": str(folder / "home")}
        weights = SHARED / "weights"
        if weights.is_dir():
            self.environment["KERAS_HOME"] = str(weights)

    def photos(self, n: int = PHOTOS) -> tuple[Path, Path]:
        """Train and test folders of about `n` photos of 512 x 384."""
        return make_set(self.folder / f"photos-{n}", n)

    def fresh_home(self) -> None:
        """Forget every cached feature and converted network."""
        shutil.rmtree(self.folder / "home", ignore_errors=True)

    def forget_cache(self) -> None:
        """Forget cached features and converted networks alone."""
        shutil.rmtree(self.folder / "home" / "cache", ignore_errors=True)

    def run(self, *command: str, **more: str) -> Measured:
        """Measure a Python module with its arguments."""
        return measure(python("-m", *command), environment={**self.environment, **more})

    def train(self, *arguments: str) -> Measured:
        """Measure our whole `train` command."""
        return self.run("translearn_core", "train", *arguments, "--json")


def main() -> None:
    """Run the tables named, or all."""
    wanted = sys.argv[1:] or [name for name in TABLES if name != "stop_busy"]
    with tempfile.TemporaryDirectory(prefix="translearn-bench-") as folder:
        bench = Bench(Path(os.environ.get("BENCH_FOLDER", folder)))
        for name in wanted:
            print(f"\n## {name}\n", flush=True)
            TABLES[name](bench)


def _row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _head(*cells: str) -> None:
    _row(*cells)
    _row(*("---" for _cell in cells))


def _gb(measured: Measured) -> str:
    return f"{measured.peak_bytes / 1e9:.2f} GB"


def _engine_file(bench: Bench, size: int, weights: Mapping[str, str]) -> Path:
    """The converted network at `size`, made here when missing."""
    target = bench.folder / f"floor-{size}.xml"
    if not target.is_file():
        code = (
            "import sys; from pathlib import Path\n"
            "from translearn_core import backbones\n"
            "from translearn_core.graph import assembly, build, convert, walk\n"
            f"network = build.build_backbone(backbones.get_backbone({BACKBONE!r}), size={size})\n"
            "prefix, _ = assembly.split_at(network, walk.cut_points(network)[-1])\n"
            "convert.convert_to_openvino(prefix, Path(sys.argv[1]))\n"
        )
        measure(python("-c", code, str(target)), environment=weights)
    return target


def show_whole(bench: Bench) -> None:
    """The whole command on 600 photos with nothing cached or converted, beside the floor; three times.

    Processor seconds tell more than seconds where the machine has other work.
    """
    train, test = bench.photos(600)
    places = (str(train), "--test-source", str(test))
    _head("what", "seconds", "processor seconds", "this / floor", "of which")
    ours, floor = _in_turn(bench, (str(train), str(test)), *places, "--backbone", BACKBONE)
    for name, middle in (("whole `train`", ours), ("floor", floor)):
        _row(
            name,
            f"{middle.seconds:.1f}",
            f"{middle.cpu_s:.1f}",
            f"{middle.seconds / floor.seconds:.2f}",
            middle.result.get("seconds", ""),
        )


def show_ways(bench: Bench) -> None:
    """Whole commands on the same photos and split; (b) and (e) with photos of the same size."""
    train, test = bench.photos()
    places = (str(train), str(test))
    command = (str(train), "--test-source", str(test), "--backbone", BACKBONE)
    alike, floor_alike = _in_turn(bench, places, *command, "--set", "image_size=224")
    ours, floor = _in_turn(bench, places, *command)
    again = bench.train(*command, "--set", "dropout=0.3")
    size = ours.result["image_size"]
    floors = {size: floor, 224: floor_alike}
    tutorials = {
        side: bench.run("benchmarks.baselines", "tutorial", *places, "--size", str(side))
        for side in (size, 224)
    }
    teachable, regression = (
        bench.run("benchmarks.baselines", way, *places) for way in ("teachable", "regression")
    )
    rows: list[tuple[str, int, Measured]] = [
        ("(a) ours, nothing cached", size, ours),
        ("(a) ours, nothing cached", 224, alike),
        ("(a) ours, second run with another dropout", size, again),
        *(("(b) TensorFlow tutorial, 10 epochs", *row) for row in tutorials.items()),
        ("(c) Teachable Machine's recipe", 224, teachable),
        ("(d) features and logistic regression", 224, regression),
        *(("(e) the floor: decode once, run once", *row) for row in floors.items()),
    ]
    _head("way", "photo", "seconds", "(b) / this", "this / (e)", "test accuracy", "peak memory")
    for name, side, measured in rows:
        result = measured.result
        accuracy = result.get("test_accuracy", result.get("accuracy"))
        _row(
            name,
            f"{side} px",
            f"{measured.seconds:.1f}",
            f"{tutorials[side].seconds / measured.seconds:.1f}",
            f"{measured.seconds / floors[side].seconds:.2f}",
            "" if accuracy is None else f"{accuracy:.3f}",
            _gb(measured),
        )
    print(f"\nours: image_size {size}, {ours.result['seconds']}")


def _in_turn(bench: Bench, places: Sequence[str], *command: str) -> tuple[Measured, Measured]:
    """Ours with nothing cached and the floor at the same size, three times in turn, since the machine
    may be quicker for minutes: the median of each."""
    ours, floors = [], []
    for _round in range(3):
        bench.fresh_home()
        ours.append(bench.train(*command))
        side = ours[-1].result["image_size"]
        engine = _engine_file(bench, side, bench.environment)
        arguments = ("--size", str(side), "--engine", str(engine))
        floors.append(bench.run("benchmarks.baselines", "floor", *places, *arguments))
    middle = [sorted(several, key=lambda one: one.seconds)[1] for several in (ours, floors)]
    return middle[0], middle[1]


def show_epochs(bench: Bench) -> None:
    """One epoch by how many blocks are unfrozen; ours from its events, plain Keras beside it."""
    train, test = bench.photos(600)
    _head("unfrozen blocks", "ours, s per epoch", "plain Keras, s per epoch", "ratio")
    for blocks in (0, 1, 2, None):
        freeze = "none" if blocks is None else str(-blocks) if blocks else "all"
        measured = bench.train(
            str(train),
            "--test-source",
            str(test),
            "--backbone",
            BACKBONE,
            "--freeze",
            freeze,
            "--epochs",
            "8",
            "--set",
            "image_size=224",
            "--set",
            "augmentation=none",
        )
        result = measured.result
        ours = _epoch_seconds(Path(result["run_dir"]), "fine_tune" if blocks != 0 else "head")
        unfrozen = result["total_layers"] - result["frozen_layers"]
        plain = bench.run(
            "benchmarks.baselines", "epochs", str(train), str(test), "--unfrozen", str(unfrozen)
        ).result["seconds_per_epoch"]
        _row(
            "all" if blocks is None else blocks,
            f"{ours:.2f}",
            f"{plain:.2f}",
            f"{plain / ours:.1f}",
        )


def _epoch_seconds(run_dir: Path, phase: str) -> float:
    """Median seconds of the epochs of a phase, without the first, which compiles."""
    from translearn_core.runs import Run

    events = Run(run_dir).events()[0]
    seconds = [e["seconds"] for e in events if e["kind"] == "epoch" and e["phase"] == phase]
    return statistics.median(seconds[1:] or seconds)


def show_second(bench: Bench) -> None:
    """From asking for the next run to the first point of its curve, features cached."""
    code = (
        "import sys, time, json; from pathlib import Path\n"
        "from translearn_core import datasets, jobs, runs\n"
        "from translearn_core.jobs import warm_worker\n"
        "from translearn_core.run_settings import make_settings\n"
        "dataset = datasets.import_source(Path(sys.argv[1]), in_place=True, check=False)\n"
        "def go(**values):\n"
        "    began = time.monotonic()\n"
        f"    run = jobs.start(dataset, make_settings({{'backbone': {BACKBONE!r}, **values}}))\n"
        "    def told():\n"
        "        return any(e['kind'] in ('epoch', 'batch') for e in run.events()[0])\n"
        "    while not told() and run.state.state != 'failed': time.sleep(0.02)\n"
        "    first = time.monotonic() - began\n"
        "    while run.state.state in runs.LIVE_STATES: time.sleep(0.1)\n"
        "    return first, time.monotonic() - began\n"
        "rows = {'first': go()}\n"
        "rows['cold'] = go(dropout=0.3)\n"
        "jobs.warm_up(); time.sleep(15)\n"
        "rows['warm'] = go(dropout=0.4)\n"
        "warm_worker.stop()\n"
        "print(json.dumps(rows))\n"
    )
    train, _test = bench.photos()
    measured = measure(python("-c", code, str(train)), environment=bench.environment)
    _head("run", "to the first point of the curve", "whole run")
    titles = {
        "first": "first run, nothing cached (unless a table before ran)",
        "cold": "second run, worker started afresh",
        "warm": "second run, worker waiting",
    }
    for name, (first, whole) in measured.result.items():
        _row(titles[name], f"{first:.1f} s", f"{whole:.1f} s")


def show_press(bench: Bench) -> None:
    """From pressing Train to the first point of the curve, for photos that came in a while before."""
    code = (
        "import sys, time, json; from pathlib import Path\n"
        "from translearn_core import datasets, jobs, runs\n"
        "from translearn_core.jobs import warm_worker\n"
        "from translearn_core.run_settings import make_settings\n"
        "rows = []\n"
        "for wait in map(int, sys.argv[2:]):\n"
        "    dataset = datasets.import_source(Path(sys.argv[1]), in_place=True, check=False)\n"
        "    jobs.warm_up(); jobs.look_ahead(dataset); time.sleep(wait)\n"
        "    began = time.monotonic()\n"
        "    run = jobs.start(dataset, make_settings({}))\n"
        "    def told():\n"
        "        return any(e['kind'] in ('epoch', 'batch') for e in run.events()[0])\n"
        "    while not told() and run.state.state != 'failed': time.sleep(0.02)\n"
        "    first = time.monotonic() - began\n"
        "    while run.state.state in runs.LIVE_STATES: time.sleep(0.1)\n"
        "    rows.append((wait, first, time.monotonic() - began))\n"
        "warm_worker.stop()\n"
        "print(json.dumps(rows))\n"
    )
    _head("photos came in so many seconds before", "to the first point of the curve", "whole run")
    train, _test = bench.photos(600)
    for wait in ("0", "10", "30"):
        bench.fresh_home()
        measured = measure(
            python("-c", code, str(train), wait),
            environment={**bench.environment, "TRANSLEARN_DEFAULT_BACKBONE": BACKBONE},
        )
        ((_wait, first, whole),) = json.loads(measured.output.strip().splitlines()[-1])
        _row(wait, f"{first:.1f} s", f"{whole:.1f} s")


def show_stop(bench: Bench) -> None:
    """A stop in each phase of each kind of job: until it counts, until its process has ended."""
    train, test = bench.photos(600)
    only = [name for name in os.environ.get("BENCH_STOPS", "").split(",") if name]
    measure_stops(train, test, bench.environment, forget=bench.forget_cache, tell=_row, only=only)


def show_stop_busy(bench: Bench) -> None:
    """The same on a busy machine."""
    with busy():
        show_stop(bench)


def show_predict(bench: Bench) -> None:
    """Photos a second in batch, and one photo after another."""
    train, test = bench.photos(600)
    run_dir = bench.train(str(train), "--backbone", BACKBONE).result["run_dir"]
    code = (
        "import sys, time, json, statistics; from pathlib import Path\n"
        "from translearn_core.prediction.predict import predict\n"
        "from translearn_core.runs import Run\n"
        "run = Run(Path(sys.argv[1])); paths = sorted(Path(sys.argv[2]).rglob('*.jpg'))\n"
        "list(predict(run, paths[:64]))\n"
        "began = time.monotonic(); list(predict(run, paths * 4))\n"
        "rate = len(paths) * 4 / (time.monotonic() - began)\n"
        "took = []\n"
        "for path in paths:\n"
        "    data = path.read_bytes(); began = time.monotonic()\n"
        "    list(predict(run, [('photo', data)])); took.append(time.monotonic() - began)\n"
        "took.sort()\n"
        "print(json.dumps({'rate': rate, 'p50': took[len(took) // 2], 'p95': took[int(len(took) * .95)]}))\n"
    )
    result = measure(python("-c", code, run_dir, str(test)), environment=bench.environment).result
    _head("what", "figure")
    _row("many photos, warm", f"{result['rate']:.0f} photos/s")
    _row("one photo, warm, from its bytes to the answer, p50", f"{result['p50'] * 1e3:.1f} ms")
    _row("the same, p95", f"{result['p95'] * 1e3:.1f} ms")


def show_backbones(bench: Bench) -> None:
    """Other backbones (random weights): the pass over the photos, and one epoch of plain Keras."""
    train, test = bench.photos(240)
    _head(
        "backbone",
        "ours, s for the one pass",
        "plain Keras, s per epoch (all frozen)",
        "ten epochs: plain / ours",
    )
    for name, plain_name in (
        ("efficientnet_b0", "EfficientNetB0"),
        ("resnet50", "ResNet50"),
        ("vgg16", "VGG16"),
    ):
        measured = bench.train(
            str(train),
            "--backbone",
            name,
            "--epochs",
            "10",
            *("--set", "weights=random", "--set", "augmentation=none", "--set", "image_size=224"),
        )
        seconds = measured.result["seconds"]
        plain = bench.run(
            "benchmarks.baselines", "epochs", str(train), str(test), "--backbone", plain_name
        ).result["seconds_per_epoch"]
        learn = seconds["features"] + seconds["head"]
        _row(name, f"{seconds['features']:.1f}", f"{plain:.1f}", f"{10 * plain / learn:.1f}")


def show_growth(bench: Bench) -> None:
    """Time and memory from 500 to 50,000 photos, in a fresh workspace each.

    Without varied views and the second fit, which only few photos get: the same for each photo.
    """
    source, _test = bench.photos(600)
    _head(
        "photos",
        "seconds",
        "ms for each photo more",
        "processor seconds",
        "ms for each photo more",
        "peak memory",
    )
    before: tuple[int, Measured] | None = None
    for n in (500, 5_000, 50_000):
        folder = repeat_set(source, bench.folder / "growth", n)
        bench.fresh_home()
        same = ("--set", "augmentation=none", "--set", "refit=false")
        measured = bench.train(str(folder), "--backbone", BACKBONE, *same)
        wall = processor = ""
        if before is not None:
            photos, smaller = before
            wall = f"{(measured.seconds - smaller.seconds) / (n - photos) * 1e3:.2f}"
            processor = f"{(measured.cpu_s - smaller.cpu_s) / (n - photos) * 1e3:.2f}"
        before = n, measured
        _row(
            f"{n:,}",
            f"{measured.seconds:.1f}",
            wall,
            f"{measured.cpu_s:.1f}",
            processor,
            _gb(measured),
        )
    shutil.rmtree(bench.folder / "growth")


def show_large(bench: Bench) -> None:
    """100,000 photos: peak memory, and how soon a stop in the pass is heeded."""
    source, _test = bench.photos(600)
    folder = repeat_set(source, bench.folder / "large", 100_000)
    bench.fresh_home()
    run_dir = bench.folder / "stopped-run"
    shutil.rmtree(run_dir, ignore_errors=True)
    process = subprocess.Popen(
        python(
            *("-m", "translearn_core", "train", str(folder), "--backbone", BACKBONE),
            *("--run-dir", str(run_dir)),
        ),
        cwd=ROOT,
        env={**os.environ, **bench.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_for(lambda: _progressed(run_dir))
    time.sleep(5)
    (run_dir / "stop").touch()
    began = time.monotonic()
    process.wait(timeout=120)
    stop_s = time.monotonic() - began
    measured = bench.train(str(folder), "--backbone", BACKBONE)
    _head("what", "figure")
    _row("stop in the middle of the pass", f"{stop_s:.1f} s")
    _row("whole `train` of 100,000 photos", f"{measured.seconds:.0f} s")
    _row("peak memory", _gb(measured))
    shutil.rmtree(folder)


def _progressed(run_dir: Path) -> bool:
    path = run_dir / "events.jsonl"
    return path.is_file() and '"progress"' in path.read_text(encoding="utf-8")


def _wait_for(condition: Callable[[], bool], timeout_s: float = 300.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("it never came about")
        time.sleep(0.1)


TABLES: dict[str, Callable[[Bench], Any]] = {
    "whole": show_whole,
    "ways": show_ways,
    "epochs": show_epochs,
    "second": show_second,
    "press": show_press,
    "stop": show_stop,
    "stop_busy": show_stop_busy,
    "predict": show_predict,
    "backbones": show_backbones,
    "growth": show_growth,
    "large": show_large,
}

if __name__ == "__main__":
    main()
