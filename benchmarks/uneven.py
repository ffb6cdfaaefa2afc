"""`--adaptation auto` on many uneven pairs of places, on features instead of whole runs.

    python -m benchmarks.uneven [--backbone NAME] [--key NUMBER] FIRST LAST

Draw by draw as `benchmarks.techniques uneven`, whose 20 draws are those of key 97; draws of other keys
are others. Plain answers come from a linear half as in runs and a hidden layer of 64 units that learns
from all labelled photos. Prints both accuracies and the gain in points of each draw, and in the end mean,
worst, and losses above 1.

Needs the photo sets and ImageNet weights beside the project (`../shared`); one or two seconds a draw.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.techniques import BACKBONE, PHOTOS, SHARED, UNEVEN_PAIRS, choose_shares

SOLVED_PENALTIES = (0.3, 0.1, 0.03)
HIDDEN_UNITS, EPOCHS, BATCH, RATE, DROPOUT = 64, 40, 128, 0.002, 0.5
SHARE_HELD_OUT = 0.1
FEWEST_TO_CALIBRATE = 10


@dataclass(frozen=True)
class Place:
    """Features `(n, d)` of all photos of a place, as they are and mirrored, and their rows by path."""

    pooled: Any
    mirrored: Any
    rows: dict[Path, int]

    def views(self, photos: list[Path]) -> list[Any]:
        """Of some photos."""
        rows = [self.rows[photo.resolve()] for photo in photos]
        return [self.pooled[rows], self.mirrored[rows]]


def main() -> None:
    """Measure the draws that were asked for."""
    parser = argparse.ArgumentParser(description="`auto` on uneven pairs of places, on features")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int, help="the first draw that is not made")
    parser.add_argument("--backbone", default=BACKBONE)
    parser.add_argument("--key", type=int, default=97)
    asked = parser.parse_args()
    os.environ.setdefault("KERAS_HOME", str(SHARED / "weights"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryDirectory(prefix="translearn-bench-") as folder:
        os.environ["TRANSLEARN_HOME"] = f"{folder}/workspace"
        names = sorted({name for pair in UNEVEN_PAIRS for name in pair})
        places = {name: look(PHOTOS / "pacs" / name, asked.backbone) for name in names}
    gains = []
    for number in range(asked.first, asked.last):
        old, new = UNEVEN_PAIRS[number % len(UNEVEN_PAIRS)]
        rng = np.random.default_rng([number, asked.key])
        source = choose_shares(PHOTOS / "pacs" / old, rng, 6)
        target = choose_shares(PHOTOS / "pacs" / new, rng, 1)
        plain, adapted, left = judge(places[old], source, places[new], target, number)
        gains.append(100 * (adapted - plain))
        said = f"left plain: {left}" if left else f"{gains[-1]:+.1f}"
        print(f"{old} to {new}, draw {number}: {plain:.3f}, {adapted:.3f}, {said}", flush=True)
    lost = sum(gain < -1 for gain in gains)
    print(f"mean {np.mean(gains):+.1f}, worst {min(gains):+.1f}, {lost} of {len(gains)} lost")


def look(source: Path, backbone: str) -> Place:
    """What a frozen backbone sees of the photos of a place."""
    from translearn_core import datasets, runs
    from translearn_core.fitting.plan import make_plan
    from translearn_core.monitor import SILENT
    from translearn_core.recipe import resolve
    from translearn_core.run_settings import make_settings
    from translearn_core.techniques.extra_samples import gather_unlabelled

    dataset = datasets.import_source(source, test_source=None, in_place=True, check=False)
    settings = make_settings({"backbone": backbone, "augmentation": "mirror"})
    chosen = resolve.resolve(settings, dataset).settings
    plan = make_plan(runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint))
    seen = gather_unlabelled(plan, str(source), SILENT)
    rows = {Path(path).resolve(): row for row, path in enumerate(seen.photos["path"])}
    return Place(seen.pooled, seen.views[0], rows)


def judge(
    old: Place, source: list[Path], new: Place, target: list[Path], seed: int
) -> tuple[float, float, str | None]:
    """Accuracy of plain answers and of those that `auto` learns, and why it left the run plain."""
    from translearn_core.techniques.bagged_answers import (
        USUAL,
        answer_plainly,
        average_answers,
        draw_bags,
        neighbourhoods,
    )
    from translearn_core.techniques.balanced_alignment import BalancedAlignment
    from translearn_core.techniques.when_to_adapt import judge_alignment, tell_apart

    names = sorted({photo.parent.name for photo in source})
    labels, truth = (
        np.array([names.index(photo.parent.name) for photo in photos])
        for photos in (source, target)
    )
    classes, seen, there = len(names), old.views(source), new.views(target)
    each, penalty, temperature = answer_as_runs_do(seen, labels, there, classes, seed)
    bags = draw_bags(labels, classes, seed)
    alignment = BalancedAlignment.fit(seen, labels, there, classes=classes, bags=bags)
    apart = tell_apart(
        seen[0],
        there[0],
        source_groups=np.arange(len(labels)),
        target_groups=np.arange(len(truth)),
        seed=seed,
    )
    plain, near = np.mean(each, axis=0), neighbourhoods(there[0])
    verdict = judge_alignment(alignment, near[USUAL], plain, told_apart=apart, seed=seed)
    before = float((each[0].argmax(axis=1) == truth).mean())
    if not verdict.helps:
        return before, before, verdict.left_plain
    plain_bags = answer_plainly(
        seen, labels, there, bags, classes=classes, penalty=penalty, temperature=temperature
    )
    average = average_answers(near, plain, plain_bags, alignment)
    return before, float((average.argmax(axis=1) == truth).mean()), None


def answer_as_runs_do(
    seen: list[Any], labels: Any, there: list[Any], classes: int, seed: int
) -> tuple[list[Any], float, float]:
    """What both halves of a head say of each view `(m, classes)`; penalty and temperature of the
    linear one. The hidden one is calibrated by a tenth that another one has not learned from."""
    from translearn_core.evaluation.calibration import fit_temperature, softmax
    from translearn_core.fitting.linear import USUAL_TEMPERATURE

    solved, penalty, temperature = solve(seen, labels, classes, seed)
    rng, held_out = np.random.default_rng([seed, 5]), np.zeros(len(labels), bool)
    for code in range(classes):
        own = rng.permutation(np.flatnonzero(labels == code))
        held_out[own[: max(1, round(SHARE_HELD_OUT * len(own)))]] = True
    trial = train_hidden([view[~held_out] for view in seen], labels[~held_out], classes, seed)
    hidden = train_hidden(seen, labels, classes, seed)
    warmth = USUAL_TEMPERATURE
    if held_out.sum() >= FEWEST_TO_CALIBRATE:
        warmth = fit_temperature(trial(seen[0][held_out]), labels[held_out])
    answers = [softmax((hidden(view) / warmth + solved(view)) / 2) for view in there]
    return answers, penalty, temperature


def solve(seen: list[Any], labels: Any, classes: int, seed: int) -> tuple[Any, float, float]:
    """The linear half: features -> calibrated logits; its penalty and temperature."""
    from translearn_core.evaluation.calibration import calibrated_loss, fit_temperature
    from translearn_core.evaluation.cross_validation import assign_folds
    from translearn_core.evaluation.linear_probe import PCASpace, fit_heads
    from translearn_core.fitting.linear import FINAL_STEPS, FOLDS, SPREAD_POWER, TRIAL_STEPS
    from translearn_core.fitting.subsets import class_weights

    views, space = len(seen), PCASpace.fit(np.concatenate(seen), power=SPREAD_POWER)
    weights, every = class_weights(labels, classes, balance=True), np.tile(labels, len(seen))
    rng = np.random.default_rng([seed, 31])
    folds = assign_folds(labels, np.arange(len(labels)), folds=FOLDS, rng=rng)
    learned = np.stack([np.tile((folds != fold) * weights, views) for fold in range(FOLDS)])
    parts = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
    judged = labels[np.concatenate(parts)]
    tried: list[tuple[float, float, Any]] = []
    for penalty in SOLVED_PENALTIES:
        heads = fit_heads(
            space, every, learned.astype(np.float32), classes, penalty=penalty, steps=TRIAL_STEPS
        )
        logits = np.concatenate(
            [space.points[part] @ head for part, head in zip(parts, heads, strict=True)]
        )
        tried.append((calibrated_loss(logits, judged), penalty, logits))
        if tried[-1][0] > min(loss for loss, _penalty, _logits in tried):
            break
    _loss, penalty, logits = min(tried, key=lambda trial: trial[0])
    temperature = fit_temperature(logits, judged)
    whole = np.tile(weights, views)[None].astype(np.float32)
    head = fit_heads(space, every, whole, classes, penalty=penalty, steps=FINAL_STEPS)[0]
    return (lambda view: space.transform(view) @ head / temperature), penalty, temperature


def train_hidden(seen: list[Any], labels: Any, classes: int, seed: int) -> Any:
    """The hidden half, by Adam with dropout and the schedule of runs: features -> logits."""
    from translearn_core.fitting.rates import rates_of
    from translearn_core.fitting.subsets import class_weights

    rng, features = np.random.default_rng([seed, 1]), np.concatenate(seen)
    answers = np.tile(np.eye(classes, dtype=np.float32)[labels], (len(seen), 1))
    importance = np.tile(class_weights(labels, classes, balance=True), len(seen))
    (n, width), keep = features.shape, 1 - DROPOUT

    def dense(rows: int, columns: int) -> Any:
        bound = np.sqrt(6 / (rows + columns))
        return rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)

    def dropped(shape: tuple[int, ...]) -> Any:
        return (rng.random(shape, dtype=np.float32) < keep) * np.float32(1 / keep)

    weights = [dense(width, HIDDEN_UNITS), np.zeros(HIDDEN_UNITS, np.float32)]
    weights += [dense(HIDDEN_UNITS, classes), np.zeros(classes, np.float32)]
    moments = [(np.zeros_like(weight), np.zeros_like(weight)) for weight in weights]
    rates = rates_of(RATE, -(-n // BATCH) * EPOCHS)
    step = 0
    for _epoch in range(EPOCHS):
        order = rng.permutation(n)
        for batch in (order[start : start + BATCH] for start in range(0, n, BATCH)):
            inputs = features[batch] * dropped((len(batch), width))
            raw = inputs @ weights[0] + weights[1]
            passed = (raw > 0) * dropped(raw.shape)
            logits = (raw * passed) @ weights[2] + weights[3]
            probs = np.exp(logits - logits.max(axis=1, keepdims=True))
            probs /= probs.sum(axis=1, keepdims=True)
            error = (probs - answers[batch]) * (importance[batch] / len(batch))[:, None]
            back = (error @ weights[2].T) * passed
            gradients = (
                inputs.T @ back,
                back.sum(axis=0),
                (raw * passed).T @ error,
                error.sum(axis=0),
            )
            step += 1
            rate = np.float32(rates[step - 1] * np.sqrt(1 - 0.999**step) / (1 - 0.9**step))
            for weight, gradient, (mean, square) in zip(weights, gradients, moments, strict=True):
                mean += 0.1 * (gradient - mean)
                square += 0.001 * (gradient * gradient - square)
                weight -= rate * mean / (np.sqrt(square) + 1e-7)
    return lambda view: np.maximum(view @ weights[0] + weights[1], 0) @ weights[2] + weights[3]


if __name__ == "__main__":
    main()
