"""What MixUp, adversarial training and the hyperparameter search bring, on real photos.

    python -m benchmarks.adversarial_mixup_search [adversarial] [mixing] [tuning]

Needs `trash` and ImageNet weights beside the project (`../shared`). Makes its runs in a workspace
that is removed afterwards. Prints rows of the tables in docs/experiments/: mean and spread
(lowest to highest) over `SEEDS`, the plain run beside each.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
TRASH = SHARED / "datasets" / "trash"
SEEDS = range(3)
BACKBONE = "mobilenet_v2_035"
RESISTING = {
    "adversarial": "fgsm",
    "strength": 0.002,
    "freeze": "none",
    "image_size": 128,
    "epochs": 24,
    "fine_tune_epochs": 12,
}
"""Half of one of 255 steps: an attack that takes the plain run far below 0.25."""


def main() -> None:
    """Measure and print what was asked for, or everything."""
    os.environ.setdefault("KERAS_HOME", str(SHARED / "weights"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parts: dict[str, Callable[[], None]] = {
        "adversarial": measure_adversarial,
        "mixing": measure_mixing,
        "tuning": measure_tuning,
    }
    with tempfile.TemporaryDirectory(prefix="translearn-bench-") as folder:
        os.environ["TRANSLEARN_HOME"] = folder
        for name in sys.argv[1:] or list(parts):
            parts[name]()


def _train(**settings: Any) -> dict[str, Any]:
    """The figures of one run on `trash`."""
    from translearn_core import datasets, runs, worker
    from translearn_core.recipe import resolve
    from translearn_core.run_settings import make_settings

    dataset = datasets.import_source(TRASH, in_place=True, check=False)
    chosen = resolve.resolve(make_settings({"backbone": BACKBONE} | settings), dataset).settings
    run = runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint)
    worker.work(run)
    if not run.has_result:
        raise SystemExit(run.state.reason)
    return run.metrics.as_dict()


def _row(what: str, plain: list[float], having: list[float]) -> None:
    gain = 100 * (np.mean(having) - np.mean(plain))
    print(f"| {what} | {_spread(plain)} | {_spread(having)} | {gain:+.1f} |", flush=True)


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def measure_adversarial() -> None:
    """Accuracy on clean and on attacked test photos, before and after learning to resist."""
    told = []
    for seed in SEEDS:
        told.append(_train(**RESISTING, seed=seed)["adversarial"])
        print(f"seed {seed}: {json.dumps(told[-1])}", flush=True)
    for name in ("clean", "fgsm", "pgd"):
        _row(f"adversarial, {name}", *([t[name][k] for t in told] for k in ("plain", "trained")))


def measure_mixing() -> None:
    """MixUp on the features of a frozen backbone; label smoothing beside it."""
    plain = [_train(seed=seed)["test_accuracy"] for seed in SEEDS]
    for what, settings in (
        ("mixup", {"mixup": 0.2}),
        ("label_smoothing", {"label_smoothing": 0.1}),
    ):
        having = [_train(**settings, seed=seed)["test_accuracy"] for seed in SEEDS]
        _row(f"`{what}` {next(iter(settings.values()))}", plain, having)


def measure_tuning() -> None:
    """What three minutes of search bring on test photos that the search never saw."""
    from translearn_core import datasets, worker
    from translearn_core.jobs import create_study
    from translearn_core.run_settings import make_settings
    from translearn_core.runs import study

    found = []
    for seed in SEEDS:
        dataset = datasets.import_source(TRASH, in_place=True, check=False)
        settings = make_settings({"backbone": BACKBONE, "seed": seed})
        run = create_study(dataset, minutes=3, settings=settings)
        worker.work(run)
        result = study.read_result(run)
        if result is None:
            raise SystemExit(run.state.reason)
        print(f"seed {seed}: {result.sentence} {result.best}", flush=True)
        found.append(result)
    _row(
        "search, 3 minutes",
        [result.default_test_accuracy or 0.0 for result in found],
        [result.test_accuracy or 0.0 for result in found],
    )


if __name__ == "__main__":
    main()
