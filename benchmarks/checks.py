"""How well the checks find seeded faults, beside CleanVision and cleanlab, and what they cost.

    python -m benchmarks.checks [groups]

Needs the photo sets and weights beside the project, and `requirements-bench.txt`. Seeds faults into
copies of `trash` and `flowers12` (`benchmarks/faults.py`), reads them through the ImageNet MobileNetV2 0.35,
and prints recall and precision of each check, how far ours and CleanVision's flags agree, seconds
per 1,000 photos, and what burst sets and augmented sets do to the accuracy (`groups` names these alone).
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
os.environ.setdefault("KERAS_HOME", str(SHARED / "weights"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

from benchmarks import faults
from translearn_core import (
    backbones,
    datasets,
)
from translearn_core.evaluation import (
    cross_validation,
    linear_probe,
)
from translearn_core.feasibility import detectors
from translearn_core.features.extractor import extract_pooled
from translearn_core.imaging.decode import iterate_photos
from translearn_core.imaging.stats import measure_stats

SETS = {"trash": SHARED / "datasets/trash", "flowers12": SHARED / "datasets/flowers12/train"}
BACKBONE = "mobilenet_v2_035"
THEIRS = {
    "dark": "dark",
    "bright": "light",
    "blurred": "blurry",
    "low_information": "low_information",
    "odd_aspect": "odd_aspect_ratio",
    "odd_size": "odd_size",
    "greyscale": "grayscale",
}
"""Our check -> CleanVision's."""
PAIRS = 24
"""Photos of each class of an augmented set, and copies of them."""
COPIES = ("exact_copies", "near_copies", "cross_class_copies")
TWINS = {
    frozenset(pair.split())
    for pair in (
        "paper305 paper308",
        "image_0646 image_0679",
        "image_0662 image_0700",
        "image_0671 image_0693",
        "image_0830 image_0852",
        "image_0915 image_0928",
        "image_0974 image_1003",
        "image_0994 image_1015",
        "image_0997 image_1022",
        "image_1281 image_1355",
        "image_1305 image_1322",
    )
}
"""Two photos of one thing from nearly one place that the sets had before, found by eye: the same
leaves and drops lie in both."""

Pair = frozenset[str]


@dataclass(frozen=True)
class Score:
    """Of what was seeded, and of what was flagged; `twins`: flagged pairs that the set had before."""

    seeded: int
    found: int
    flagged: int
    right: int
    twins: int = 0

    def __str__(self) -> str:
        recall = f"{self.found / self.seeded:.2f}" if self.seeded else "-"
        precision = f"{self.right / self.flagged:.2f}" if self.flagged else "-"
        twins = f", {self.twins} of them twins of the set's own" if self.twins else ""
        return f"{recall} / {precision} ({self.flagged}{twins})"


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRANSLEARN_HOME"] = str(Path(home) / "workspace")
        if sys.argv[1:] != ["groups"]:
            for name, source in SETS.items():
                seeded = faults.seed_faults(source, Path(home) / name)
                _measure_set(name, seeded)
            _measure_watermarks(Path(home))
        _measure_bursts(Path(home))
        _measure_augmented(Path(home))


def _measure_set(name: str, seeded: faults.Seeded) -> None:
    dataset = datasets.import_source(seeded.folder)
    features = extract_pooled(dataset, backbones.BACKBONES[BACKBONE]).features[:]
    evidence = detectors.Evidence.of(dataset, features)
    evidence.groups = datasets.groups_of(evidence.photos, features)
    evidence.probabilities = _out_of_sample(evidence)
    found = detectors.find_all(evidence)
    files = {
        str(path): "/".join(str(file).split("/")[-2:])
        for path, file in zip(evidence.photos["path"], evidence.photos["file"], strict=True)
    }
    ours = _flags(found, files)
    for file in seeded.faults["unreadable"]:  # CleanVision 0.3 ends with an OSError over these
        (seeded.folder / file).unlink()
    theirs, their_seconds = _ask_cleanvision(seeded.folder)
    theirs["wrong_label"] = _ask_cleanlab(evidence, files)
    print(f"\n{name}: {len(evidence.photos)} photos that can be read")
    print("| check | ours: recall / precision (flagged) | CleanVision, cleanlab |")
    print("|---|---|---|")
    for check in faults.SHARES:
        mine = _score(check, seeded, ours)
        other = _score(check, seeded, theirs) if check in theirs else "-"
        print(f"| {check} | {mine} | {other} |")
    _print_agreement(list(files.values()), ours, theirs)
    shortcuts = [one.note for one in found if one.check == "shortcut"]
    print("shortcuts:", shortcuts or "none")
    _print_cost(dataset, evidence, their_seconds)


def _out_of_sample(evidence: detectors.Evidence) -> Any:
    assert evidence.features is not None
    assert evidence.groups is not None
    return cross_validation.cross_validate(
        linear_probe.PCASpace.fit(evidence.features),
        evidence.labels,
        evidence.groups,
        len(evidence.classes),
    ).probabilities


# --- what was flagged: files, or pairs of them -----------------------------------------------------


def _flags(found: Iterable[datasets.Finding], files: dict[str, str]) -> dict[str, set[Any]]:
    flags: dict[str, set[Any]] = {check.name: set() for check in datasets.CHECKS}
    for one in found:
        file = files.get(one.path, "/".join(one.path.split("/")[-2:]))
        if one.others:
            flags[one.check] |= {frozenset((file, files[other])) for other in one.others}
        else:
            flags[one.check].add(file)
    return flags


def _ask_cleanvision(folder: Path) -> tuple[dict[str, set[Any]], float]:
    """CleanVision's flags by our names of checks, and its seconds per 1,000 photos (processor)."""
    from cleanvision import Imagelab

    before = _processor_seconds()
    lab = Imagelab(data_path=str(folder), verbose=False)
    lab.find_issues(n_jobs=1, verbose=False)
    seconds = _processor_seconds() - before
    flags: dict[str, set[Any]] = {}
    for ours, theirs in THEIRS.items():
        rows = lab.issues.index[lab.issues[f"is_{theirs}_issue"]]
        flags[ours] = {_short(row) for row in rows}
    sets = {kind: lab.info[f"{kind}_duplicates"]["sets"] for kind in ("exact", "near")}
    pairs = {
        kind: {
            frozenset((_short(one), _short(other)))
            for group in groups
            for place, one in enumerate(group)
            for other in group[place + 1 :]
        }
        for kind, groups in sets.items()
    }
    flags["exact_copies"] = {pair for pair in pairs["exact"] if not _crosses(pair)}
    flags["near_copies"] = {pair for pair in pairs["near"] if not _crosses(pair)}
    flags["cross_class_copies"] = {
        pair for pair in pairs["exact"] | pairs["near"] if _crosses(pair)
    }
    return flags, 1000 * seconds / len(lab.issues)


def _ask_cleanlab(evidence: detectors.Evidence, files: dict[str, str]) -> set[str]:
    """cleanlab's own flags, from the same probabilities."""
    from cleanlab.filter import find_label_issues

    rows = np.flatnonzero(find_label_issues(evidence.labels, evidence.probabilities))
    return {files[str(evidence.photos["path"].iloc[row])] for row in rows}


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-2:])


def _crosses(pair: Pair) -> bool:
    return len({file.split("/")[0] for file in pair}) > 1


def _score(check: str, seeded: faults.Seeded, flags: dict[str, set[Any]]) -> Score:
    """What a check's flags make of the faults seeded for it.

    Copies are judged as pairs; a pair of `TWINS` is no mistake. The copy of a photo in another
    class has a wrong label, too.
    """
    flagged, truth = flags.get(check, set()), seeded.faults[check]
    if check not in COPIES:
        right = set(truth)
        if check == "wrong_label":
            right |= set(seeded.faults["cross_class_copies"])
        return Score(len(truth), len(flagged & set(truth)), len(flagged), len(flagged & right))
    wanted = {frozenset(pair) for pair in truth.items()}
    twins = {pair for pair in flagged - wanted if _stems(pair) in TWINS}
    right = {frozenset(pair) for kind in COPIES for pair in seeded.faults[kind].items()} | twins
    return Score(len(wanted), len(wanted & flagged), len(flagged), len(flagged & right), len(twins))


def _stems(pair: Pair) -> Pair:
    """The names of two files before anything was seeded."""
    return frozenset(Path(file).stem.split("-")[-1] for file in pair)


def _print_agreement(
    files: Sequence[str], ours: dict[str, set[Any]], theirs: dict[str, set[Any]]
) -> None:
    print(
        "agreement with CleanVision (share of photos judged alike; flagged by both, ours, theirs):"
    )
    for check in THEIRS:
        mine, other = ours[check] & set(files), theirs[check] & set(files)
        alike = 1 - len(mine ^ other) / len(files)
        counts = f"{len(mine & other)}, {len(mine - other)}, {len(other - mine)}"
        print(f"  {check}: {alike:.3f} ({counts})")


# --- what it costs -----------------------------------------------------------------------------------


def _processor_seconds() -> float:
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system


def _spent(work: Callable[[], Any]) -> float:
    """Processor seconds of the quickest of three times."""
    taken = []
    for _attempt in range(3):
        before = _processor_seconds()
        work()
        taken.append(_processor_seconds() - before)
    return min(taken)


def _print_cost(
    dataset: datasets.Dataset, evidence: detectors.Evidence, their_seconds: float
) -> None:
    """Processor seconds per 1,000 photos: facts within a decode, and findings from facts."""
    paths = [dataset.photo_path(path) for path in evidence.photos["path"]][::2]
    images = [Image.open(path).convert("RGB") for path in paths]
    contents = [path.read_bytes() for path in paths]

    def measure() -> None:
        for image, data in zip(images, contents, strict=True):
            measure_stats(data, image, transpose=None, size=image.size, format="JPEG", mode="RGB")

    def decode() -> None:
        for _place, _photo in iterate_photos(paths, size=224, workers=1):
            pass

    def find(names: Iterable[str]) -> None:
        again = detectors.Evidence.of(dataset, evidence.features)
        again.probabilities, again.groups = evidence.probabilities, evidence.groups
        for name, detect in detectors.DETECTORS.items():
            if name in names:
                list(detect(again))

    facts, whole = (1000 / len(paths) * _spent(work) for work in (measure, decode))
    everything = list(detectors.DETECTORS)
    finding, alike = (
        1000 / len(evidence.photos) * _spent(partial(find, names))
        for names in (everything, (*COPIES, *THEIRS))
    )
    print(
        f"processor seconds per 1,000 photos: a decode with facts {whole:.2f}, of which facts "
        f"{facts:.2f}; the checks that CleanVision has too {alike:.2f}, all checks {finding:.2f}; "
        f"CleanVision {their_seconds:.2f}, that is {their_seconds / (facts + alike):.1f} times facts "
        f"and the same checks, {their_seconds / (facts + finding):.1f} times facts and all checks"
    )


# --- marks and bursts --------------------------------------------------------------------------------


def _measure_watermarks(home: Path) -> None:
    print("\nwatermarks")
    for name, source in SETS.items():
        for look in ({}, {"side": 0.05}, {"text": "SHOP.COM", "side": 0.08}):
            folder = home / f"mark-{name}-{len(look)}{look.get('text', '')}"
            clean = faults.copy_set(source, folder)
            class_name = sorted({file.split("/")[0] for file in clean})[1]
            faults.add_watermark(folder, class_name, **look)
            evidence = detectors.Evidence.of(datasets.import_source(folder))
            told = [one.note for one in detectors.find_all(evidence) if one.check == "shortcut"]
            print(f"  {name}, {look or 'a spot of 9 %'} on {class_name}: {told or 'not found'}")


def _measure_bursts(home: Path) -> None:
    bursts = faults.make_bursts(SETS["trash"], home / "bursts", objects=20, others=60)
    print("\nbursts: ten frames of each of 120 objects")
    _measure_groups(bursts)


def _measure_augmented(home: Path) -> None:
    for name, source in SETS.items():
        for number, kind in enumerate(faults.AUGMENTATIONS):
            folder = home / f"augmented-{name}-{number}"
            made = faults.augment_set(source, folder, kind=kind, photos=PAIRS)
            print(f"\n{name}, a copy of each photo: {kind}")
            _measure_groups(made)


def _measure_groups(made: faults.Bursts) -> None:
    """Accuracy by cross-validation over groups, over single photos, and on photos of new objects."""
    frames, others = (datasets.import_source(folder) for folder in (made.frames, made.others))
    looks = [
        extract_pooled(one, backbones.BACKBONES[BACKBONE]).features[:] for one in (frames, others)
    ]
    evidence, fresh = (
        detectors.Evidence.of(one, seen) for one, seen in zip((frames, others), looks, strict=True)
    )
    space = linear_probe.PCASpace.fit(looks[0])
    kinds = {
        "groups": datasets.groups_of(evidence.photos, looks[0]),
        "random": np.arange(len(evidence.labels)),
    }
    for kind, groups in kinds.items():
        judged = cross_validation.cross_validate(
            space, evidence.labels, groups, len(evidence.classes)
        )
        answers = linear_probe.predict_heads(space.transform(looks[1]), judged.heads).argmax(axis=1)
        print(
            f"  {kind} ({len(np.unique(groups))} of {len(groups)} photos): {judged.accuracy:.3f}; "
            f"on {len(fresh.labels)} new photos {(answers == fresh.labels).mean():.3f}"
        )


if __name__ == "__main__":
    main()
