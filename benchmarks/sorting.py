"""How many decisions sorting takes, by a scripted person who answers truthfully.

    python -m benchmarks.sorting [SET ...]

On `flowers12/train` and `trash` beside the project (`../shared/datasets`), with their labels hidden, or
on the folders that are named, whose class folders are the truth. Every press counts as a decision:
a name for a group, each photo ticked out of one, a class for the ticked ones that are alike, putting a
group off, an answer, an acceptance. The
person ticks strangers out where they are at most a fifth of a group, and puts other groups off;
then answers one photo at a time and accepts all proposals with the last decision. Beside it: the
same head on photos that are answered in random order, and sorting by hand, a decision a photo.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from translearn_core import backbones, datasets
from translearn_core.datasets import Dataset, NoClasses
from translearn_core.sorting.job import PhotoFeatures, extract
from translearn_core.sorting.proposals import head_points, propose
from translearn_core.sorting.session import Sorting

ROOT = Path(__file__).resolve().parent.parent
SETS = ROOT.parent / "shared" / "datasets"
GOALS = {
    ("flowers12/train", "mobilenet_v2_035"): (0.95, 120),
    ("flowers12/train", "starter"): (0.95, 200),
    ("trash", "mobilenet_v2_035"): (0.90, 260),
}
"""(share rightly sorted, decisions) that are wanted."""
MOST_STRANGERS = 0.2
BACKBONES = ("mobilenet_v2_035", "starter", "efficientnet_lite0")


def main() -> None:
    """Print a row for each set and backbone."""
    os.environ.setdefault("KERAS_HOME", str(SETS.parent / "weights"))
    print(
        "| set | backbone | photos | decisions | rightly sorted | wanted | first reached | random order | by hand |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in sys.argv[1:] or ("flowers12/train", "trash"):
        for backbone in BACKBONES:
            share, budget = GOALS.get((name, backbone), (0.9, 200))
            with tempfile.TemporaryDirectory() as home:
                os.environ["TRANSLEARN_HOME"] = home
                _row(name, backbone, share, budget)


def _row(name: str, backbone: str, share: float, budget: int) -> None:
    source = SETS / name
    dataset = datasets.import_source(source, labels=NoClasses())
    truth = {
        str(path): Path(file).parent.name
        for path, file in datasets.read_unsorted(dataset)[["path", "file"]].itertuples(index=False)
    }
    found = extract(dataset, backbones.get_backbone(backbone))
    right, reached = _sort(dataset, found, truth, share, budget)
    at_random = _at_random(found, truth, budget)
    wanted = f"{share:.0%} by {budget}" if (name, backbone) in GOALS else ""
    print(
        f"| {name} | {backbone} | {len(truth)} | {budget} | {right:.1%} | {wanted} | {reached} "
        f"| {at_random:.1%} | {budget / len(truth):.1%} |",
        flush=True,
    )


def _sort(
    dataset: Dataset, found: PhotoFeatures, truth: dict[str, str], share: float, budget: int
) -> tuple[float, int | str]:
    """The share that is right after `budget` decisions, and after how many `share` was reached."""
    sorting = Sorting(dataset, found)
    pressed = 0
    for group in sorting.groups():
        labels = [truth[sorting.paths[photo]] for photo in group.photos]
        names, counts = np.unique(labels, return_counts=True)
        name, strangers = str(names[counts.argmax()]), len(labels) - int(counts.max())
        if strangers > MOST_STRANGERS * len(labels):
            sorting.put_group_off(group.node)
            pressed += 1
            continue
        paths = [sorting.paths[photo] for photo in group.photos]
        for other in sorted(set(labels) - {name}):
            sorting.move([path for path in paths if truth[path] == other], other)
            pressed += 1
        sorting.name_group(group.node, [path for path in paths if truth[path] == name], name)
        pressed += 1 + strangers
    reached: int | str = "-"
    while pressed < budget - 1 and sorting.is_unsorted.any():
        if reached == "-" and _right_if_accepted(sorting, truth) >= share:
            reached = pressed + 1
        question = sorting.questions(most=1)[0]
        sorting.answer(question, truth[question.path])
        pressed += 1
    right = _right_if_accepted(sorting, truth)
    sorting.accept(0.0)
    return right, reached


def _right_if_accepted(sorting: Sorting, truth: dict[str, str]) -> float:
    proposals = sorting.proposals
    if proposals is None:
        return 0.0
    right = [
        truth[path] == (label or proposals.classes[int(best)])
        for path, label, best in zip(sorting.paths, sorting.labels, proposals.best, strict=True)
    ]
    return float(np.mean(right))


def _at_random(found: PhotoFeatures, truth: dict[str, str], budget: int) -> float:
    """The same head after `budget` photos answered in random order, five times."""
    points = head_points(found.features)
    shares = []
    for seed in range(5):
        asked = np.random.default_rng(seed).permutation(len(found.paths))[: budget - 1]
        labels = [""] * len(found.paths)
        for photo in asked:
            labels[photo] = truth[found.paths[photo]]
        known = np.array([bool(label) for label in labels], bool)
        proposals = propose(points, labels, by_hand=known)
        assert proposals is not None
        shares.append(
            np.mean(
                [
                    truth[path] == (label or proposals.classes[int(best)])
                    for path, label, best in zip(found.paths, labels, proposals.best, strict=True)
                ]
            )
        )
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
