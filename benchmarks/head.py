"""The head of a default run beside scikit-learn's logistic regression on the same features.

    python -m benchmarks.head [--seeds N] [--backbones NAME,…] [--workspace FOLDER] [SET …]

Needs the photo sets and ImageNet weights beside the project (`../shared`), and scikit-learn. A set
is a folder of `../shared/datasets`, or a part of one: `caltech102:40x20` is 40 of its classes with
20 photos each for training and validation, and at most 15 others each for the test; after
`caltech102:40x20:given` neither way learns from the validation photos, as in a set with splits of
its own; `pacs:sketch` is its photos below the folder `sketch`. A seed draws classes, photos and the
split. Features come from the product's own pass, head and calibration are the product's; both ways
learn from the same photos (the regression from validation photos, too, unless they are given).

A row has the difference of accuracies with its 95 % interval, paired by photos (all seeds together:
a photo that several seeds test counts as several, which makes the interval too narrow rather than
too wide), the deviation of both over seeds, and the confidence before and after calibration:
calibration error and negative log-likelihood; and the share of test photos that the reference of
the run refuses (5 % are wanted). Its verdict: `beaten` or `lost` where the interval
lies above or below 0, else `met`. The last row is the mean of all sets.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
SETS = (
    "caltech102",
    "caltech102:80x30",
    "caltech102:50x8",
    "caltech102:20x30",
    "caltech102:20x5",
    "sign_digits",
    "pacs",
    "pacs:sketch",
    "trash",
    "flowers12",
)
BACKBONES = "mobilenet_v2_035,efficientnet_lite0"
MOST_TESTED = 15
"""Test photos of a class in a part of a set."""
WAYS = ("ours", "regression", "standardised")


@dataclass(frozen=True, kw_only=True)
class Found:
    """One seed: accuracy by way, for each test photo whether ours is right less whether the
    regression is `(n,)`, error and likelihood before and after calibration, and the share of the
    test photos, all of known classes, that are refused as unlike."""

    accuracies: dict[str, float]
    gaps: np.ndarray
    confidence: tuple[float, float, float, float]
    refused: float


def main() -> None:
    """Print a row for each backbone and set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backbones", default=BACKBONES)
    parser.add_argument("--workspace", help="keeps features for the next call; default: none")
    options = parser.parse_args()
    os.environ.setdefault("KERAS_HOME", str(SHARED / "weights"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", module="sklearn")
    print(
        "| backbone | set | ours | regression | standardised | difference | verdict | "
        "deviation: ours | regression | error before | after | likelihood before | after | "
        "refused |\n" + "|---" * 14 + "|"
    )
    gains = []
    with tempfile.TemporaryDirectory(prefix="translearn-bench-") as folder:
        os.environ["TRANSLEARN_HOME"] = options.workspace or folder
        for name in options.sets:
            for backbone in options.backbones.split(","):
                found = [measure(name, backbone, seed) for seed in range(options.seeds)]
                gains.append(_tell(backbone, name, found))
    if len(gains) > 1:
        half = 1.96 * np.std(gains, ddof=1) / np.sqrt(len(gains))
        print(f"mean of {len(gains)} rows: {np.mean(gains):+.2f} ± {half:.2f} points")


def _tell(backbone: str, name: str, found: list[Found]) -> float:
    """Print the row; the difference in points."""
    gaps = 100 * np.concatenate([one.gaps for one in found])
    mean, half = float(gaps.mean()), 1.96 * float(gaps.std()) / np.sqrt(len(gaps))
    verdict = "beaten" if mean > half else "lost" if mean < -half else "met"
    ways = {way: np.array([one.accuracies[way] for one in found]) for way in WAYS}
    cells = [
        backbone,
        name,
        *(f"{ways[way].mean():.3f}" for way in WAYS),
        f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})",
        verdict,
        *(f"{ways[way].std():.3f}" for way in WAYS[:2]),
        *(f"{figure:.3f}" for figure in np.mean([one.confidence for one in found], axis=0)),
        f"{100 * np.mean([one.refused for one in found]):.1f} %",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)
    return mean


def measure(name: str, backbone: str, seed: int) -> Found:
    """Accuracies and confidence of both ways for one seed."""
    from sklearn.linear_model import LogisticRegression

    from translearn_core.evaluation.calibration import expected_calibration_error
    from translearn_core.evaluation.linear_probe import log_loss
    from translearn_core.evaluation.ood import build_reference
    from translearn_core.fitting.answers import predict_rows
    from translearn_core.fitting.head import learns_from_validation
    from translearn_core.monitor import SILENT
    from translearn_core.techniques.base import Techniques, TrainingSet
    from translearn_core.techniques.learning import learn_head
    from translearn_core.training.postprocess import calibrate

    plan, data = _gather(name, backbone, seed)
    test, learned = data.rows("test"), data.rows("train")
    if learns_from_validation(plan, data):
        learned = np.concatenate([learned, data.rows("val")])
    found = learn_head(plan, TrainingSet.of(data), Techniques(plan), SILENT)
    before = predict_rows(found.head, data.pooled, test)
    calibrate(found.head, found.validation)
    after = predict_rows(found.head, data.pooled, test)
    truth, features, seen = data.labels[test], data.pooled.take(learned), data.pooled.take(test)
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    plain = LogisticRegression(max_iter=500).fit(features, data.labels[learned])
    standard = LogisticRegression(max_iter=500).fit(
        (features - mean) / deviation, data.labels[learned]
    )
    right = after.argmax(axis=1) == truth
    _reference, unlike = build_reference(
        features,
        data.labels[learned],
        list(data.photos["path"].iloc[learned]),
        test=seen,
        groups=data.copies[learned],
        seed=seed,
    )
    return Found(
        accuracies={
            "ours": float(right.mean()),
            "regression": plain.score(seen, truth),
            "standardised": standard.score((seen - mean) / deviation, truth),
        },
        gaps=right.astype(float) - (plain.predict(seen) == truth),
        confidence=(
            expected_calibration_error(before, truth) or 0.0,
            expected_calibration_error(after, truth) or 0.0,
            log_loss(before, truth),
            log_loss(after, truth),
        ),
        refused=unlike["refused"],
    )


def _gather(name: str, backbone: str, seed: int) -> tuple[Any, Any]:
    """The plan of a default run, and its data or a part of them."""
    from translearn_core import datasets, runs
    from translearn_core.fitting.data import gather_training_data
    from translearn_core.fitting.plan import make_plan
    from translearn_core.monitor import SILENT
    from translearn_core.run_settings import make_settings

    folder, _colon, part = name.partition(":")
    part, _colon, given = part.partition(":")
    source = SHARED / "datasets" / folder
    drawn = "x" in part and part.replace("x", "").isdigit()
    if part and not drawn:
        source /= part
    dataset = datasets.import_source(source, in_place=True, check=False)
    settings = make_settings({"backbone": backbone, "seed": seed})
    run = runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint)
    plan = make_plan(run)
    data = gather_training_data(plan, SILENT)
    plan = replace(plan, augmentation=data.mirroring.augmentation)
    data = _draw(data, part, seed) if drawn else data
    if given:
        data = replace(data, photos=data.photos.assign(split=data.split))
    return plan, data


def _draw(data: Any, part: str, seed: int) -> Any:
    """So many classes and photos of each; a tenth of them validates, other photos are the test."""
    classes, per_class = map(int, part.split("x"))
    rng = np.random.default_rng([seed, classes, per_class])
    chosen = np.sort(rng.permutation(len(data.classes))[:classes])
    split = np.full(len(data.labels), "aside", "<U8")
    labels = np.zeros(len(data.labels), np.int64)
    for code, name in enumerate(chosen):
        of_class = rng.permutation(np.flatnonzero(data.labels == name))
        labels[of_class] = code
        tested = data.split[of_class] == "test"  # they have no mirrored views to learn from
        kept = of_class[~tested][: min(per_class, len(of_class) - 10)]
        rest = rng.permutation(np.setdiff1d(of_class, kept))
        split[kept], split[rest[:MOST_TESTED]] = "train", "test"
        validates = len(kept) / 10
        split[kept[: int(validates) + int(rng.random() < validates % 1)]] = "val"
    return replace(
        data, classes=[data.classes[name] for name in chosen], labels=labels, split=split
    )


if __name__ == "__main__":
    main()
