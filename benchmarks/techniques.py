"""What each technique brings over plain training, on real photos, with the plain run beside it.

    python -m benchmarks.techniques [SEEDS] [PART] …

Needs the photo sets and ImageNet weights beside the project (`../shared`). Makes its runs in a
workspace that is removed afterwards. Each part prints rows of the tables in docs/experiments/:
mean and spread (lowest to highest) over so many seeds (3 unless said). A part is a function in `PARTS`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
PHOTOS = SHARED / "datasets"
SEEDS = range(3)
BACKBONE = "mobilenet_v2_035"
FEW = 5
"""Sorted photos of each class, where few are called for."""
UNEVEN = (0.3, 1.0, 10.0)
"""Concentrations of the Dirichlet laws that shares of classes are drawn by: one class prevails, uneven,
nearly even."""
ADAPTATIONS = ("auto", "coral", "dann", "pseudo", "batchnorm")
UNEVEN_PAIRS = tuple(permutations(("photo", "cartoon", "sketch"), 2))


def main() -> None:
    """Measure and print what was asked for, or everything."""
    os.environ.setdefault("KERAS_HOME", str(SHARED / "weights"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryDirectory(prefix="translearn-bench-") as folder:
        os.environ["TRANSLEARN_HOME"] = f"{folder}/workspace"
        print("| what | without | with | gain |\n|---|---|---|---|")
        asked = sys.argv[1:]
        if asked and asked[0].isdigit():
            global SEEDS
            SEEDS = range(int(asked.pop(0)))
        for name in asked or list(PARTS):
            PARTS[name](Path(folder))


def train(source: Path, *, test_source: Path | None = None, **settings: Any) -> Any:
    """A run as the command line makes it; the run."""
    from translearn_core import datasets, runs, worker
    from translearn_core.recipe import resolve
    from translearn_core.run_settings import make_settings

    dataset = datasets.import_source(source, test_source=test_source, in_place=True, check=False)
    chosen = resolve.resolve(make_settings({"backbone": BACKBONE} | settings), dataset).settings
    run = runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint)
    worker.work(run)
    if not run.has_result:
        raise SystemExit(run.state.reason)
    return run


def answered(source: Path, *, test_source: Path, **settings: Any) -> float:
    """The test accuracy of a run that learns and is judged as `train` does, and saves nothing."""
    from dataclasses import replace

    from translearn_core import datasets, runs
    from translearn_core.fitting.data import gather_training_data
    from translearn_core.fitting.plan import make_plan
    from translearn_core.monitor import SILENT
    from translearn_core.recipe import resolve
    from translearn_core.run_settings import make_settings
    from translearn_core.training.save import Clock
    from translearn_core.training.train import evaluate, learn

    dataset = datasets.import_source(source, test_source=test_source, in_place=True, check=False)
    chosen = resolve.resolve(make_settings({"backbone": BACKBONE} | settings), dataset).settings
    plan = make_plan(runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint))
    data = gather_training_data(plan, SILENT)
    plan = replace(plan, augmentation=data.mirroring.augmentation)
    judged = evaluate(plan, data, learn(plan, data, SILENT, Clock()))
    return float((judged.test.argmax(axis=1) == judged.truth).mean())


def tell(what: str, without: list[float], having: list[float]) -> None:
    """Print a row: mean and spread of both, and the gain in points."""
    gain = 100 * (np.mean(having) - np.mean(without))
    print(f"| {what} | {_spread(without)} | {_spread(having)} | {gain:+.1f} |", flush=True)


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def compared(what: str, make: Callable[[int], Any]) -> None:
    """Print the row of runs that compare themselves with plain training."""
    metrics = []
    for seed in SEEDS:
        metrics.append(make(seed).metrics)
        figures = [getattr(metrics[-1], name) for name in ("plain_test_accuracy", "test_accuracy")]
        print(f"{what}, seed {seed}: {figures[0]:.3f}, {figures[1]:.3f}", file=sys.stderr)
    tell(what, [m.plain_test_accuracy for m in metrics], [m.test_accuracy for m in metrics])


def draw(source: Path, folder: Path, seed: int, per_class: int = FEW) -> tuple[Path, Path]:
    """Copy a few photos of each class to one folder, and the rest, unsorted, to another."""
    few, rest = folder / f"few-{source.name}-{seed}", folder / f"rest-{source.name}-{seed}"
    if few.exists():
        return few, rest
    rng = np.random.default_rng(seed)
    for place in sorted(path for path in source.iterdir() if path.is_dir()):
        photos = rng.permutation(sorted(place.iterdir()))
        for number, photo in enumerate(photos):
            target = few / place.name if number < per_class else rest
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, target / f"{place.name}-{photo.name}")
    return few, rest


# ----------------------------------------------------------------------------------- the parts


def measure_place(target: str) -> None:
    """From photos to pictures of another kind that nobody sorted."""
    place = PHOTOS / "pacs" / target
    compared(
        f"photo to {target}, `--adapt-to`",
        lambda seed: train(
            PHOTOS / "pacs" / "photo",
            test_source=place,
            adapt_to=str(place),
            compare_plain=True,
            seed=seed,
        ),
    )


def measure_ceiling(_folder: Path) -> None:
    """What a head reaches that learns from the new place's own labels."""
    for target in ("cartoon", "sketch"):
        own = [train(PHOTOS / "pacs" / target, seed=s).metrics.test_accuracy for s in SEEDS]
        print(f"| {target}, a head of its own labels | | {_spread(own)} | |", flush=True)


def measure_ways(_folder: Path) -> None:
    """Every way of adaptation that is not `auto`."""
    for target in ("cartoon", "sketch"):
        place = PHOTOS / "pacs" / target
        for way in ("pseudo", "dann", "coral", "batchnorm"):
            metrics = [
                train(
                    PHOTOS / "pacs" / "photo",
                    test_source=place,
                    adapt_to=str(place),
                    adaptation=way,
                    seed=seed,
                ).metrics.adaptation
                for seed in SEEDS
            ]
            tell(
                f"photo to {target}, `--adaptation {way}`",
                [m.target_accuracy_before for m in metrics],
                [m.target_accuracy_after for m in metrics],
            )


def choose_shares(source: Path, rng: np.random.Generator, least: int) -> list[Path]:
    """Photos of each class in shares drawn by one of the laws of `UNEVEN`."""
    places = sorted(path for path in source.iterdir() if path.is_dir())
    shares = rng.dirichlet(np.full(len(places), rng.choice(UNEVEN)))
    photos = [sorted(place.iterdir()) for place in places]
    total = 0.45 * sum(map(len, photos))
    chosen = []
    for of_class, share in zip(photos, shares, strict=True):
        count = min(len(of_class), max(least, round(float(share) * total)))
        chosen += [of_class[index] for index in rng.permutation(len(of_class))[:count]]
    return chosen


def draw_shares(source: Path, target: Path, rng: np.random.Generator, least: int) -> Path:
    """Copy these photos to class folders."""
    for photo in choose_shares(source, rng, least):
        place = target / photo.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, place)
    return target


def measure_uneven(folder: Path) -> None:
    """`auto` and each method on pairs of places whose shares of classes differ: 20 draws for three
    seeds. The rows of the last table are gains over plain training in points."""
    pairs = [gains_of_pair(folder, number) for number in range(max(1, 20 * len(SEEDS) // 3))]
    print("\n| method | worst | mean | pairs with a loss above 1 |\n|---|---|---|---|")
    for way in ADAPTATIONS:
        gains = [pair[way] for pair in pairs]
        lost = sum(gain < -1 for gain in gains)
        worst, mean = min(gains), float(np.mean(gains))
        print(f"| `{way}` | {worst:+.1f} | {mean:+.1f} | {lost} of {len(gains)} |", flush=True)


def gains_of_pair(folder: Path, number: int) -> dict[str, float]:
    """Gain of each method in points on one pair of places, told on the way."""
    old, new = UNEVEN_PAIRS[number % len(UNEVEN_PAIRS)]
    rng = np.random.default_rng([number, 97])
    source = draw_shares(PHOTOS / "pacs" / old, folder / f"uneven-{number}-a", rng, 6)
    place = draw_shares(PHOTOS / "pacs" / new, folder / f"uneven-{number}-b", rng, 1)
    plain = answered(source, test_source=place, seed=number)
    gains = {}
    for way in ADAPTATIONS:
        adapted = answered(
            source, test_source=place, adapt_to=str(place), adaptation=way, seed=number
        )
        gains[way] = 100 * (adapted - plain)
    told = ", ".join(f"{way} {gain:+.1f}" for way, gain in gains.items())
    text = f"{old} to {new}, draw {number}: plain {plain:.3f}, {told}"
    print(text, file=sys.stderr, flush=True)
    return gains


def measure_unlabelled(folder: Path) -> None:
    """Five sorted flowers of each kind, the others unsorted."""

    def make(seed: int) -> Any:
        few, rest = draw(PHOTOS / "flowers12" / "train", folder, seed)
        return train(
            few,
            test_source=PHOTOS / "flowers12" / "test",
            unlabelled=str(rest),
            compare_plain=True,
            seed=seed,
        )

    compared("flowers12, 5 of each sorted, `--unlabelled` the rest", make)


def measure_source(folder: Path, old: str = "photo", new: str = "cartoon", **settings: Any) -> None:
    """Pictures of one kind first, by `settings`, then five of each class of another kind."""

    def make(seed: int) -> Any:
        few, rest = draw(PHOTOS / "pacs" / new, folder, seed)
        test = sort_again(rest)
        before = train(PHOTOS / "pacs" / old, seed=seed, **settings)
        run = train(
            few, test_source=test, start_from=str(before.folder), compare_plain=True, seed=seed
        )
        weight = run.metrics.carryover.weight
        print(f"{old} to {new}, seed {seed}: weight {weight}", file=sys.stderr)
        return run

    tuned = ", fine-tuned" if settings else ""
    compared(f"5 of each in {new}, `--start-from` a run on {old}{tuned}", make)


def measure_other_sources(folder: Path) -> None:
    """The pairs of places that the constants go by."""
    for old, new in (("photo", "sketch"), ("cartoon", "sketch"), ("sketch", "cartoon")):
        measure_source(folder, old, new)


def measure_tuned_source(folder: Path, new: str = "cartoon") -> None:
    """The run on the old photos frees the upper half of its backbone."""
    measure_source(
        folder,
        new=new,
        freeze_layer="block_6_project_BN",
        fine_tune_learning_rate=3e-4,
        fine_tune_epochs=15,
    )


def sort_again(rest: Path) -> Path:
    """Class folders of what `draw` left over, told by the names of the files."""
    target = rest.with_name(f"sorted-{rest.name}")
    if target.exists():
        return target
    for photo in sorted(rest.iterdir()):
        place = target / photo.name.split("-")[0]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, place / photo.name)
    return target


def measure_distillation(_folder: Path) -> None:
    """The starter backbone learns to answer like MobileNetV2."""
    for name, test in (("trash", None), ("flowers12/train", PHOTOS / "flowers12" / "test")):

        def make(seed: int, name: str = name, test: Path | None = test) -> Any:
            teacher = train(PHOTOS / name, test_source=test, backbone="mobilenet_v2", seed=seed)
            return train(
                PHOTOS / name,
                test_source=test,
                backbone="starter",
                distill_from=str(teacher.folder),
                compare_plain=True,
                seed=seed,
            )

        compared(f"{name}, `starter`, `--distill-from` a `mobilenet_v2` run", make)


PARTS: dict[str, Callable[[Path], None]] = {
    "cartoon": lambda _folder: measure_place("cartoon"),
    "sketch": lambda _folder: measure_place("sketch"),
    "ceiling": measure_ceiling,
    "ways": measure_ways,
    "uneven": measure_uneven,
    "unlabelled": measure_unlabelled,
    "source": measure_source,
    "other_sources": measure_other_sources,
    "tuned_source": measure_tuned_source,
    "tuned_source_sketch": lambda folder: measure_tuned_source(folder, "sketch"),
    "distillation": measure_distillation,
}

if __name__ == "__main__":
    main()
