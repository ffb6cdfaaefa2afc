"""Measures calibration, out-of-distribution detection, and where Grad-CAM points.

    python -m benchmarks.calibration_ood_heatmaps [calibration] [unlike] [pointing] [SET ...] [--seeds 5]

`calibration` takes whole runs of all sets, or of those named: the calibration error before and after, and
the share of the test photos, all of known classes, that a run refuses. Needs the photo sets and ImageNet
weights beside the project (`../shared`). Makes its runs in a workspace that is removed afterwards; about
ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
SETS: dict[str, tuple[tuple[str, ...], tuple[str, ...] | None]] = {
    "trash": (("trash",), None),
    "flowers12": (("flowers12", "train"), ("flowers12", "test")),
    "sign_digits": (("sign_digits",), None),
    "photo": (("pacs", "photo"), None),
    "cartoon": (("pacs", "cartoon"), None),
    "sketch": (("pacs", "sketch"), None),
    "caltech102": (("caltech102",), None),
}
BACKBONE = "mobilenet_v2_035"
TRIPLES = 30
POINTED_AT = 102
"""Photos of the pointing test."""


def main() -> None:
    """Measure and print what was asked for, or everything."""
    os.environ.setdefault("KERAS_HOME", str(SHARED / "weights"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="calibration, unlike, pointing; sets of photos")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    sets = [name for name in given.names if name in SETS]
    parts: dict[str, Callable[[], None]] = {
        "calibration": lambda: measure_calibration(sets or list(SETS), range(given.seeds)),
        "unlike": measure_unlike,
        "pointing": measure_pointing,
    }
    for name in [name for name in given.names if name not in SETS] or list(parts):
        with _workspace():
            parts[name]()


@contextmanager
def _workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="translearn-bench-") as folder:
        os.environ["TRANSLEARN_HOME"] = folder
        yield Path(folder)


def _bring_in(name: str) -> Any:
    from translearn_core import datasets

    photos, test = SETS[name]
    return datasets.import_source(
        SHARED.joinpath("datasets", *photos),
        test_source=SHARED.joinpath("datasets", *test) if test else None,
        in_place=True,
        check=False,
    )


def _train(dataset: Any, **settings: Any) -> Any:
    from translearn_core import runs, worker
    from translearn_core.recipe import resolve
    from translearn_core.run_settings import make_settings

    chosen = resolve.resolve(make_settings(settings), dataset).settings
    run = runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint)
    worker.work(run)
    if not run.has_result:
        raise SystemExit(run.state.reason)
    return run


# --------------------------------------------------------------------------------- calibration


def measure_calibration(sets: Sequence[str], seeds: Sequence[int]) -> None:
    """Expected calibration error of whole runs, with the temperature and without it; and how many
    photos of known classes they refuse."""
    from translearn_core.evaluation import calibration as cal

    print(
        "| photos | predictions | before | after | by chance | each run before | after "
        "| temperatures | refused | each run |"
    )
    print("|---" * 10 + "|")
    for name in sets:
        dataset = _bring_in(name)
        before, after, truths, temperatures, refused = [], [], [], [], []
        for seed in seeds:
            run = _train(dataset, backbone=BACKBONE, seed=seed)
            if run.metrics.calibration is None:
                raise SystemExit("Runs of this version are not calibrated.")
            temperature = float(run.metrics.calibration.temperature)
            table = pd.read_parquet(run.folder / "predictions.parquet")
            classes = run.labels
            shares = table[[f"p_{place}" for place in range(len(classes))]].to_numpy()
            truths.append(np.array([classes.index(truth) for truth in table["truth"]]))
            after.append(shares)
            before.append(cal.rescaled(shares, 1 / temperature))
            temperatures.append(temperature)
            unlike = run.metrics.unlike
            refused.append((unlike.refused or 0.0, unlike.n_test) if unlike else (0.0, 0))
        truth = np.concatenate(truths)
        every = [np.concatenate(parts) for parts in (before, after)]
        n_refused = sum(share * n for share, n in refused)
        cells = [
            name,
            len(truth),
            *(f"{cal.expected_calibration_error(one, truth):.3f}" for one in every),
            f"{cal.calibration_error_by_chance(every[1]):.3f}",
            *(
                " ".join(
                    f"{cal.expected_calibration_error(part, one):.3f}"
                    for part, one in zip(parts, truths, strict=True)
                )
                for parts in (before, after)
            ),
            " ".join(f"{temperature:.2f}" for temperature in temperatures),
            f"{100 * n_refused / max(1, sum(n for _share, n in refused)):.1f} %",
            " ".join(f"{100 * share:.1f}" for share, _n in refused),
        ]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


# -------------------------------------------------------------------------------------- unlike


def measure_unlike() -> None:
    """Known against unknown flowers: nine learned, three shown besides, over many choices."""
    from translearn_core.backbones import get_backbone
    from translearn_core.evaluation import ood
    from translearn_core.features.extractor import extract_pooled

    dataset = _bring_in("flowers12")
    features = extract_pooled(dataset, get_backbone(BACKBONE)).features[:]
    codes = dataset.photos["class_name"].astype("category").cat.codes.to_numpy()
    test = (dataset.photos["split"] == "test").to_numpy()
    choices = list(itertools.combinations(range(12), 3))
    chosen = np.random.default_rng(1).choice(len(choices), TRIPLES, replace=False)
    rows = []
    for place in chosen:
        strange = np.isin(codes, choices[place])
        learned = ~test & ~strange
        reference, figures = ood.build_reference(
            features[learned],
            codes[learned],
            [""] * int(learned.sum()),
            test=features[test & ~strange],
        )
        known = reference.distances(features[test & ~strange])
        unknown = reference.distances(features[strange])
        rows.append(
            {
                "auroc": ood.auroc(known, unknown),
                "false refusals": figures["refused"],
                "false accepts": float((unknown <= (reference.threshold or 0)).mean()),
                "false accepts as the run measures them": figures["accepted"],
            }
        )
    table = pd.DataFrame(rows)
    print(f"9 of 12 flowers learned, 3 others shown; {TRIPLES} choices of the three")
    for name in table:
        column = table[name]
        print(f"  {name}: mean {column.mean():.3f}, {column.min():.3f} to {column.max():.3f}")


# ------------------------------------------------------------------------------------- pointing

POINTING = (
    # backbone, photo side, patch side, patches that decide nothing
    ("starter", 96, 30, 3),
    ("mobilenet_v2_035", 224, 64, 0),
)


def measure_pointing() -> None:
    """How often the hottest point lies in the patch that alone decides the class."""
    for backbone, side, patch, idle in POINTING:
        with _workspace() as folder:
            _measure_pointing(folder, backbone, side, patch, idle)


def _measure_pointing(folder: Path, backbone: str, side: int, patch: int, idle: int) -> None:
    from benchmarks.patches import draw_patches
    from translearn_core import datasets
    from translearn_core.prediction import predict

    options = {"side": side, "patch": patch, "idle": idle}
    draw_patches(folder / "photos", per_class=40, seed=1, **options)
    boxes = draw_patches(folder / "new", per_class=POINTED_AT // 3, seed=2, **options)
    dataset = datasets.import_source(folder / "photos", in_place=True, check=False)
    run = _train(dataset, backbone=backbone, image_size=side, epochs=20)
    predictor = predict.open_predictor(run)
    images = np.stack([datasets.decode_photo(path, size=side).image for path in boxes])
    seen = predictor.run(images, maps=True)
    wanted = [run.labels.index(path.parent.name) for path in boxes]
    right = float((seen.probabilities.argmax(axis=1) == wanted).mean())
    found = list(boxes.values())
    print(f"{backbone}, {side} px, patch {patch} px, {idle} others: right on {right:.2f}")
    for words, smooth in (("plain Grad-CAM", False), ("smoothed, as shown", True)):
        share = _share(predictor.head, seen, wanted, found, smooth=smooth)
        print(f"  {words}: hottest point in the patch on {share:.2f} of {len(found)} photos")
    for seed in range(3):
        probe = _random_model(backbone, side, seed)
        share = _share(probe.head, probe.run(images, maps=True), wanted, found, smooth=True)
        print(f"  random weights {seed}: {share:.2f}")


def _share(head: Any, seen: Any, wanted: list[int], boxes: list[Any], *, smooth: bool) -> float:
    from benchmarks.patches import points_into
    from translearn_core.prediction import explain

    hits = 0
    for place, (index, box) in enumerate(zip(wanted, boxes, strict=True)):
        heat = explain.grad_cam(head, seen.pooled[place], seen.maps[place], index)
        hits += points_into(explain.hottest(explain.smoothed(heat) if smooth else heat), box)
    return hits / len(boxes)


def _random_model(name: str, size: int, seed: int) -> Any:
    """The same network, backbone and head, as it was before it learned anything."""
    from translearn_core.backbones import get_backbone
    from translearn_core.graph.assembly import assemble, build_head, split_at
    from translearn_core.graph.build import build_backbone
    from translearn_core.graph.walk import cut_points
    from translearn_core.prediction.model_runner import KerasRunner
    from translearn_core.run_settings import Settings

    backbone = get_backbone(name)
    network = build_backbone(backbone, size=size, weights="random", seed=seed)
    prefix, _none = split_at(network, cut_points(network)[-1])
    head = build_head(backbone.features, 3, Settings(seed=seed))
    return KerasRunner(assemble(prefix, None, head))


if __name__ == "__main__":
    main()
