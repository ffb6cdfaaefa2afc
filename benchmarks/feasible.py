"""How good the answer to "can this work with my photos?" is, and how long it takes.

    python -m benchmarks.feasible [time] [coverage] [labels] [shuffled] [forecast]

On the photo sets beside the project (`../shared/datasets`), with MobileNetV2 0.35 unless said.
Without arguments everything, about ten minutes on two cores. Works in `TRANSLEARN_HOME` where that
is set, so that a second call finds the features of the first, else in a folder of its own.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.arrays import Array

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
BACKBONE = "mobilenet_v2_035"
DRAWS = 40
SEEDS = 8
SMALL = {"flowers12": 240, "trash": 200}


def main() -> None:
    """Measure and print what the arguments name."""
    wanted = sys.argv[1:] or list(SECTIONS)
    os.environ.setdefault("KERAS_HOME", str(SHARED / "weights"))
    with tempfile.TemporaryDirectory() as own:
        os.environ.setdefault("TRANSLEARN_HOME", own)
        for name in wanted:
            print(f"\n## {name}", flush=True)
            SECTIONS[name]()


def _measure_time() -> None:
    """The command on 1,000 photos of 13 classes, from its start to its last word."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "photos"
        for name in ("trash", "pacs/photo"):
            for place in sorted((SHARED / "datasets" / name).iterdir()):
                (source / place.name).mkdir(parents=True)
                for photo in sorted(place.iterdir())[: 100 if name == "trash" else 57]:
                    shutil.copyfile(photo, source / place.name / photo.name)
        n = sum(1 for photo in source.rglob("*") if photo.is_file())
        for backbone in (BACKBONE, "mobilenet_v2"):
            home = Path(folder) / backbone
            for words in ("not cached", "cached"):
                began, before = time.monotonic(), os.times()
                report = _call(source, backbone, home)
                took, after = time.monotonic() - began, os.times()
                worked = sum(after[2:4]) - sum(before[2:4])
                print(
                    f"{backbone}, {n} photos, {words}: {took:.1f} s from start to end, "
                    f"{report['seconds']:.1f} s of it the check itself; {worked:.1f} processor "
                    f"seconds; load {os.getloadavg()[0]:.0f}",
                    flush=True,
                )


def _call(source: Path, backbone: str, home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "translearn_core", "feasible", str(source)),
            *("--backbone", backbone, "--json"),
        ],
        cwd=ROOT,
        env=os.environ | {"TRANSLEARN_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _load(name: str) -> tuple[Array, Array, int]:
    """Pooled features, class numbers, and how many classes."""
    from translearn_core import backbones, datasets
    from translearn_core.features.extractor import extract_pooled

    place = SHARED / "datasets" / name
    given = place / "train"
    dataset = datasets.import_source(
        given if given.is_dir() else place,
        test_source=place / "test" if given.is_dir() else None,
        in_place=True,
        check=False,
    )
    pooled = extract_pooled(dataset, backbones.get_backbone(BACKBONE))
    names, labels = np.unique(dataset.photos["class_name"], return_inverse=True)
    return pooled.features[:], labels.astype(np.int64), len(names)


def _measure_coverage() -> None:
    """How often the interval of a small set holds the accuracy, on all other photos, of a head
    that has learned from that small set."""
    from translearn_core.evaluation import cross_validation, linear_probe

    for name, n in SMALL.items():
        features, labels, classes = _load(name)
        held, widths = 0, []
        for draw in range(DRAWS):
            chosen = np.random.default_rng([draw, 5]).permutation(len(labels))[:n]
            rest = np.setdiff1d(np.arange(len(labels)), chosen)
            space, own, groups = (
                linear_probe.PCASpace.fit(features[chosen]),
                labels[chosen],
                np.arange(n),
            )
            judged = cross_validation.cross_validate(space, own, groups, classes, seed=draw)
            low, high = cross_validation.interval(judged.accuracy, groups)
            head = linear_probe.fit_heads(
                space, own, np.ones((1, n), bool), classes, penalty=judged.penalty
            )
            answers = linear_probe.predict_heads(space.transform(features[rest]), head).argmax(
                axis=1
            )
            held += low <= (answers == labels[rest]).mean() <= high
            widths.append(high - low)
        print(
            f"{name}, {DRAWS} draws of {n} photos: held {held} times; width {np.mean(widths):.3f}"
        )


def _measure_labels() -> None:
    """Wrong labels seeded into 5 % of the photos, and found again."""
    from translearn_core.evaluation import cross_validation, linear_probe
    from translearn_core.feasibility.label_errors import find_label_errors

    for name in SMALL:
        features, truth, classes = _load(name)
        space, n = linear_probe.PCASpace.fit(features), len(truth)
        rows = []
        for seed in range(SEEDS):
            rng = np.random.default_rng([seed, 3])
            wrong = rng.choice(n, round(0.05 * n), replace=False)
            labels = truth.copy()
            labels[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
            judged = cross_validation.cross_validate(
                space, labels, np.arange(n), classes, seed=seed
            )
            errors = find_label_errors(labels, judged.probabilities)
            hits = [error for error in errors if error.row in set(wrong.tolist())]
            named = np.mean([error.suggested == truth[error.row] for error in hits])
            rows.append((len(hits) / len(errors), len(hits) / len(wrong), len(errors) / n, named))
        mean, worst = np.mean(rows, axis=0), np.min(rows, axis=0)
        print(
            f"{name}, {SEEDS} seeds: precision {mean[0]:.2f} (least {worst[0]:.2f}), recall "
            f"{mean[1]:.2f} (least {worst[1]:.2f}), {mean[2]:.1%} of the photos named (most "
            f"{np.max(rows, axis=0)[2]:.1%}), right class suggested for {mean[3]:.0%}"
        )


def _measure_shuffled() -> None:
    """The verdict on photos that were put into class folders by lot."""
    from translearn_core import backbones, datasets
    from translearn_core.feasibility import job as check_job

    for name in ("flowers12/train", "trash"):
        place = SHARED / "datasets" / name
        photos = sorted(photo for photo in place.rglob("*") if photo.is_file())
        verdicts: list[str] = []
        for seed in range(5):
            with tempfile.TemporaryDirectory() as folder:
                names = [photo.parent.name for photo in photos]
                random.Random(seed).shuffle(names)
                for number, (photo, class_name) in enumerate(zip(photos, names, strict=True)):
                    target = Path(folder) / class_name / f"{number}{photo.suffix}"
                    target.parent.mkdir(exist_ok=True)
                    shutil.copyfile(photo, target)
                dataset = datasets.import_source(Path(folder), in_place=True, check=False)
                report = check_job.assess(
                    dataset, backbone=backbones.get_backbone(BACKBONE), seed=seed
                )
                verdicts.append(f"{report.verdict} ({report.accuracy:.3f})")
        print(f"{name}, labels shuffled: {', '.join(verdicts)}")


def _measure_forecast() -> None:
    """The forecast from a third of a set for twice as many photos, and what it really was."""
    from translearn_core.evaluation import cross_validation, linear_probe
    from translearn_core.evaluation.learning_curve import Z, forecast

    for name in SMALL:
        features, labels, classes = _load(name)
        n, whole = len(labels) // 3, linear_probe.PCASpace.fit(features)
        off, still, held = [], [], 0
        for draw in range(10):
            rng = np.random.default_rng([draw, 7])
            order = rng.permutation(len(labels))
            chosen, rest = order[:n], order[n:]
            space, own, groups = (
                linear_probe.PCASpace.fit(features[chosen]),
                labels[chosen],
                np.arange(n),
            )
            judged = cross_validation.cross_validate(space, own, groups, classes, seed=draw)
            points = cross_validation.learning_curve(
                space, own, groups, classes, penalty=judged.penalty, seed=draw
            )
            low = cross_validation.interval(judged.accuracy, groups)[0]
            ahead = forecast(
                [point.n for point in points],
                [point.accuracy for point in points],
                [point.deviation for point in points],
                2 * n,
                offset=(judged.accuracy - low) / Z,
            )
            if ahead is None:
                continue
            learned = np.zeros((5, len(labels)), bool)
            learned[:, chosen] = True
            for row in learned:
                row[rng.permutation(rest)[:n]] = True
            heads = linear_probe.fit_heads(whole, labels, learned, classes, penalty=judged.penalty)
            real = np.mean(
                [
                    (whole.points[~row] @ head).argmax(axis=1) == labels[~row]
                    for row, head in zip(learned, heads, strict=True)
                ]
            )
            off.append(ahead.accuracy - real)
            still.append(judged.accuracy - real)
            held += ahead.low <= real <= ahead.high
        print(
            f"{name}, from {n} to {2 * n} photos, {len(off)} draws: off by "
            f"{np.abs(off).mean():.3f} on average (mean {np.mean(off):+.3f}), range held {held} "
            f"times; taking it to stay as it is: {np.abs(still).mean():.3f}"
        )


SECTIONS: dict[str, Callable[[], None]] = {
    "time": _measure_time,
    "coverage": _measure_coverage,
    "labels": _measure_labels,
    "shuffled": _measure_shuffled,
    "forecast": _measure_forecast,
}


if __name__ == "__main__":
    main()
