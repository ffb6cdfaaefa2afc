"""Large sets: the pass over photos in shards, on one machine and over three nodes.

    python -m benchmarks.scale [bits] [resume] [lost] [large] [feasible] [--photos 20000] [--shard 1024]

Draws small photos (96 px, each file with bytes of its own), writes a manifest of them, and looks at them
with the backbone `starter` at 64 px, each time in a process and a workspace of its own:

- `bits`: on this machine, and over three nodes of one processor each on this machine: seconds, photos a
  second, and whether the features are the same, bit for bit;
- `resume`: killed (SIGKILL) when a third of the shards are done, then gone on with: shards before and
  after, and files of features that were written twice;
- `lost`: over three nodes, one of which is lost on the way: features bit for bit as on this machine;
- `large`: 200,000 photos (`--large`) over three nodes, then `train` with what the pass has left: seconds,
  memory of the largest worker, of the process that asks and of the command, bytes on disk; with the same
  `--scratch` it goes on after it was killed;
- `feasible`: the check of `--photos` photos, its pass over three nodes.

Without a name: `bits`, `resume` and `lost`. Each step prints a JSON object when it is done, and every
`--tell` seconds how far a pass over nodes is.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.nodes import NAMES, nodes
from benchmarks.photos import repeat_set
from benchmarks.process import ROOT, measure, python

SIZE = 64
"""Side of the photos for the network, in pixels."""
DRAWN = 400
"""Different pictures of each class; the files repeat them with bytes of their own."""
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}
Steps = Iterator[dict[str, Any]]
"""What a part found, a step after the other."""


def main() -> None:
    """Parse the command line and run what it names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", help="bits, resume, lost, large, feasible")
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--shard", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--tell", type=float, default=60.0)
    parser.add_argument("--scratch", type=Path, help="a folder to keep photos and workspaces in")
    parser.add_argument("--pass", dest="manifest", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.manifest is not None:
        one_pass(given.manifest, given.shard)
        return
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        scale = _Scale(given, given.scratch or Path(folder))
        for part in given.parts or ("bits", "resume", "lost"):
            for found in getattr(scale, part)():
                print(json.dumps({"part": part} | found), flush=True)


def one_pass(manifest: Path, shard: int) -> None:
    """What a child process does: a data set of the manifest, and the pass over it."""
    from translearn_core import backbones
    from translearn_core.datasets.photo_manifest import import_manifest
    from translearn_core.features.extractor import POOLED, FeatureExtractor
    from translearn_core.monitor import SILENT

    began = time.monotonic()
    dataset = import_manifest(manifest).dataset
    imported = time.monotonic()
    look = FeatureExtractor(
        dataset=dataset, backbone=backbones.get_backbone("starter"), size=SIZE, shard=shard
    )
    report = look.take([(POOLED, 0)], list(dataset.photos["path"]), SILENT)
    ended = time.monotonic()
    table = look.table(POOLED, 0, dataset.photos["sha256"])
    digest = hashlib.sha256()
    for start in range(0, len(table), 4096):
        digest.update(table[start : start + 4096].tobytes())
    print(
        json.dumps(
            {
                "photos": len(table),
                "import_s": round(imported - began, 1),
                "pass_s": round(ended - imported, 1),
                "photos_per_s": round(report.photos_per_s or 0.0, 1),
                "features": digest.hexdigest(),
            }
        )
    )


class _Scale:
    """The parts, on one set of photos."""

    def __init__(self, given: argparse.Namespace, scratch: Path) -> None:
        self._scratch, self._n, self._large = scratch, given.photos, given.large
        self._shard, self._epochs, self._tell_s = given.shard, given.epochs, given.tell
        self._here: dict[str, Any] = {}
        self._homes = 0

    def bits(self) -> Steps:
        """One machine beside three nodes."""
        here = self._on_this_machine()
        yield {"one_machine": here}
        there = self._over_nodes(self._manifest(self._n), self._home())
        yield {"three_nodes": there, "same_bits": here["features"] == there["features"]}

    def resume(self) -> Steps:
        """Killed, and gone on with."""
        here, home = self._on_this_machine(), self._home()
        third = max(1, self._n // self._shard // 3)
        process = self._start(home, {})
        wait_for(lambda: len(_shards_done(home)) >= third or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = _written(home)
        after_kill = self._run(self._manifest(self._n), home)
        after = _written(home)
        names = [n for path in home.rglob("cache/features/*/*.txt") for n in _lines(path)]
        yield {
            "photos": after_kill["photos"],
            "feature_files_at_the_kill": len(before),
            "feature_files_at_the_end": len(after),
            "written_twice": sum(after.get(name) != changed for name, changed in before.items()),
            "photos_with_features_twice": len(names) - len(set(names)),
            "pass_s_whole": here["pass_s"],
            "pass_s_after_the_kill": after_kill["pass_s"],
            "same_bits": here["features"] == after_kill["features"],
        }

    def lost(self) -> Steps:
        """One of three nodes is lost when two shards are done."""
        here, home = self._on_this_machine(), self._home()
        with nodes() as made:
            process = self._start(home, made.environment)
            wait_for(lambda: len(_shards_done(home)) >= 2 or process.poll() is not None)
            made.lose(NAMES[-1])
            output, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(errors)
        there = json.loads(output.splitlines()[-1])
        yield {
            "photos": there["photos"],
            "pass_s": there["pass_s"],
            "same_bits": here["features"] == there["features"],
        }

    def large(self) -> Steps:
        """The pass over many photos on three nodes, and a training with what it has left."""
        manifest, home = self._manifest(self._large), self._scratch / f"large-{self._large}"
        home.mkdir(exist_ok=True)
        yield {"three_nodes": self._over_nodes(manifest, home)}
        yield {
            "manifest_mb": _megabytes(home, "datasets/*/manifest.parquet"),
            "features_mb": _megabytes(home, "cache/features/*/*.npy"),
            "feature_files": len(_written(home)),
        }
        line = ["train", str(manifest), "--json", "--backbone", "starter"]
        line += ["--image-size", str(SIZE), "--epochs", str(self._epochs)]
        yield {"train": self._ask(line, home)}

    def feasible(self) -> Steps:
        """The check before training, its pass over three nodes."""
        line = ["feasible", str(self._manifest(self._n)), "--json", "--backbone", "starter"]
        with nodes() as made:
            yield {"feasible": self._ask(line, self._home(), made.environment)}

    def _ask(
        self, line: list[str], home: Path, environment: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """What a command of TransLearn took."""
        measured = measure(
            python("-m", "translearn_core", *line),
            environment=_environment(home) | dict(environment or {}),
        )
        return {
            "seconds": round(measured.seconds, 1),
            "processor_s": round(measured.cpu_s, 1),
            "peak_mb": round(measured.peak_bytes / 1e6),
            "test_accuracy": measured.result.get("test_accuracy"),
        }

    def _on_this_machine(self) -> dict[str, Any]:
        if not self._here:
            self._here = self._run(self._manifest(self._n), self._home())
        return self._here

    def _over_nodes(self, manifest: Path, home: Path) -> dict[str, Any]:
        with nodes() as made, _Watch(home, self._tell_s) as watch:
            return self._run(manifest, home, made.environment) | {"workers": watch.seen}

    def _home(self) -> Path:
        self._homes += 1
        home = self._scratch / f"home-{os.getpid()}-{self._homes}"
        home.mkdir(parents=True)
        return home

    def _manifest(self, n: int) -> Path:
        """Draw `n` photos and write their manifest, unless both are there."""
        manifest = self._scratch / f"photos-{n}.csv"
        if not manifest.is_file():
            drawn = self._scratch / "drawn"
            if not drawn.is_dir():
                draw(drawn)
            folder = repeat_set(drawn, self._scratch / f"photos-{n}", n)
            with manifest.open("w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file)
                rows.writerow(["path", "label"])
                for path in sorted(folder.rglob("*.jpg")):
                    rows.writerow([path.relative_to(self._scratch), path.parent.name])
        return manifest

    def _command(self, manifest: Path) -> list[str]:
        return python(
            "-m", "benchmarks.scale", "--pass", str(manifest), "--shard", str(self._shard)
        )

    def _run(
        self, manifest: Path, home: Path, environment: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        measured = measure(
            self._command(manifest), environment=_environment(home) | dict(environment or {})
        )
        return measured.result | {"peak_mb": round(measured.peak_bytes / 1e6)}

    def _start(self, home: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command(self._manifest(self._n)),
            cwd=ROOT,
            env={**os.environ, **_environment(home), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def draw(folder: Path) -> None:
    """Write photos of 96 x 96 pixels in three colours, with noise."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(DRAWN):
            pixels = np.clip(rng.normal(colour, 45, (12, 12, 3)), 0, 255).astype(np.uint8)
            photo = Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC)
            photo.save(folder / name / f"{number:03}.jpg", quality=90)


class _Watch:
    """Looks every second at the workers on the nodes that this process has made: how many, and the memory
    of the largest one, in the first half of the time and in the second."""

    def __init__(self, home: Path, tell_s: float) -> None:
        self._home, self._tell_s = home, tell_s
        self._sizes: list[list[int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def seen(self) -> dict[str, int]:
        """What was seen until now."""
        largest = [max(sizes) for sizes in self._sizes] or [0]
        half = (len(largest) + 1) // 2
        return {
            "most_at_once": max(map(len, self._sizes), default=0),
            "largest_mb_first_half": max(largest[:half]),
            "largest_mb_second_half": max(largest[half:], default=0),
        }

    def _look(self) -> None:
        began = told = time.monotonic()
        while not self._ended.wait(1.0):
            if sizes := _sizes_of_workers():
                self._sizes.append(sizes)
            if time.monotonic() - told >= self._tell_s:
                told = time.monotonic()
                done = {"seconds": round(told - began), "shards": len(_shards_done(self._home))}
                print(json.dumps(done | {"workers": self.seen}), flush=True)


def _sizes_of_workers() -> list[int]:
    """Megabytes of the workers of a pass below this process."""
    sizes = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "ShardWorker" in " ".join(process.cmdline()):
                sizes.append(process.memory_info().rss // 10**6)
    return sizes


def wait_for(condition: Callable[[], bool]) -> None:
    """Look ten times a second."""
    while not condition():
        time.sleep(0.1)


def _environment(home: Path) -> dict[str, str]:
    return {"TRANSLEARN_HOME": str(home), "TRANSLEARN_STANDBY": "false"}


def _shards_done(home: Path) -> list[Path]:
    return list(home.glob("datasets/*/pass/*.parquet"))


def _written(home: Path) -> dict[str, int]:
    """Files of features -> when each was written, in ns."""
    return {path.name: path.stat().st_mtime_ns for path in home.rglob("cache/features/*/*.npy")}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split()


def _megabytes(home: Path, pattern: str) -> float:
    return round(sum(path.stat().st_size for path in home.glob(pattern)) / 1e6, 1)


if __name__ == "__main__":
    main()
