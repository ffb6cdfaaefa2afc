"""Every backbone in every format: `python -m benchmarks.exports --photos ../shared/datasets/flowers12`.

Each backbone gets a model in a run folder: a trained one where its weights are on this machine, else
one with random weights at a small size, whose head is scaled so that probabilities are not all alike.
It is written in each format by the code that the page uses, opened by the lines of the program that
goes along (the web page's in Node), and asked about test photos: all of them for a trained model, 8 for
a random one. A line of JSON per backbone and format goes to `--out`; `--table` prints them as a table
for docs/exports.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from translearn_core import datasets, runs, worker
from translearn_core.backbones import BACKBONES, Backbone, get_backbone
from translearn_core.backbones.weights import weights_status
from translearn_core.datasets import Dataset
from translearn_core.export import litert, make, program, verify
from translearn_core.export.formats import FORMATS, Format
from translearn_core.export.preprocess import prepare
from translearn_core.export.writers import ExportSource, test_photos
from translearn_core.recipe import resolve
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run

MEASURED = [name for name in FORMATS if name != "teachable-machine"]
"""That one takes other photos: `benchmarks/teachable.py`."""
FEW = 8
SMALL = 96
"""Side of the photos for a random model, where its network takes so small ones."""
SPREAD = 3.0
"""Standard deviation of a random model's logits over the classes."""


def main() -> int:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder with train/ and test/")
    parser.add_argument("--backbones", default=",".join(BACKBONES))
    parser.add_argument("--formats", default=",".join(MEASURED))
    parser.add_argument("--out", type=Path, default=Path("exports.jsonl"))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.table:
        print(table(options.out))
        return 0
    if options.one:
        measure(options.one, options.formats.split(","), options.photos, options.out)
        return 0
    for name in options.backbones.split(","):  # a process each: TensorFlow gives no memory back
        arguments = [*sys.argv[1:], "--one", name]
        subprocess.run([sys.executable, "-m", "benchmarks.exports", *arguments], check=False)
    return 0


def measure(name: str, formats: list[str], photos: Path, out: Path) -> None:
    """One backbone in some formats."""
    logging.disable(logging.WARNING)
    backbone = get_backbone(name)
    trained = weights_status(backbone).state == "ready"
    dataset = datasets.import_source(
        photos / "train", test_source=photos / "test", in_place=True, check=False
    )
    run = _trained_run(dataset, backbone) if trained else _random_run(dataset, backbone)
    source = ExportSource(run)
    size = source.model.input_shape[1]
    files = test_photos(run, most=10**6 if trained else FEW) or _some(dataset)
    pixels = [prepare(file, size) for file in files]
    expected = np.concatenate(
        [
            source.model.predict_on_batch(np.stack(pixels[i : i + 8]))
            for i in range(0, len(files), 8)
        ]
    )
    for row in (FORMATS[one] for one in formats):
        line = {"backbone": name, "format": row.name, "trained": trained, "photos": len(files)}
        try:
            line |= _measure(source, row, pixels, expected, _some(dataset))
        except Exception as error:  # noqa: BLE001 - the table says so
            line |= {"error": f"{type(error).__name__}: {error}"[:200]}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


def _measure(
    source: ExportSource, row: Format, pixels: list[Any], expected: Any, fitted: list[Path]
) -> dict[str, Any]:
    """Write, open and ask; `fitted` are the photos for int8 where the model learned from none."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copyfile(source.run.folder / "labels.json", folder / "labels.json")
        began = time.monotonic()
        if row.needs_photos and not source.run.has_result:
            litert.write_int8(source.model, folder / row.model, fitted)
        else:
            row.write(source, folder / row.model)
        written = time.monotonic()
        received = _ask(row, folder, pixels)
        size = make._bytes_of(folder, row)
    return {
        "max_difference": float(np.abs(received - expected).max()),
        "label_changes": int((received.argmax(1) != expected.argmax(1)).sum()),
        "write_s": round(written - began, 1),
        "per_photo_ms": round(1000 * (time.monotonic() - written) / len(pixels), 1),
        "megabytes": round(size / 1e6, 1),
    }


def _ask(row: Format, folder: Path, pixels: list[Any]) -> Any:
    """Open the model by the lines of the program that goes along, and ask it."""
    if row.run in (verify.run_page, verify.run_one_file):
        return _ask_page(folder, pixels)
    names: dict[str, Any] = {"here": folder, "sys": sys}
    exec(program.opening(row), names)
    return np.stack([np.asarray(names["ask"](photo)) for photo in pixels])


def _ask_page(folder: Path, pixels: list[Any]) -> Any:
    """The code of the web page, in Node."""
    raw = folder / "pixels.bin"
    np.stack(pixels).tofile(raw)
    command = ["node", "-e", verify.PAGE_PROGRAM, "page", str(raw), str(pixels[0].shape[0])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return np.array([json.loads(line) for line in done.stdout.splitlines()])


def _trained_run(dataset: Dataset, backbone: Backbone) -> Run:
    settings = resolve.resolve(make_settings({"backbone": backbone.name}), dataset).settings
    run = runs.create_run(dataset.folder, settings, dataset_name=dataset.name)
    worker.work(run)
    return run


def _random_run(dataset: Dataset, backbone: Backbone) -> Run:
    """A run folder with a model of random weights."""
    import keras

    from translearn_core.graph.assembly import assemble, build_head, split_at
    from translearn_core.graph.build import build_backbone
    from translearn_core.graph.saving import save_model
    from translearn_core.graph.walk import cut_points

    settings = make_settings({"backbone": backbone.name, "weights": "random", "head": "linear"})
    size = max(backbone.min_size, SMALL)
    network = build_backbone(backbone, size=size, weights="random", seed=0)
    prefix, suffix = split_at(network, cut_points(network)[-1])
    head = build_head(backbone.features, len(dataset.classes), settings)
    sample = np.stack([prepare(file, size) for file in _some(dataset)[:4]])
    features = prefix.predict_on_batch(sample)
    kernel, bias = head.layers[-1].get_weights()
    kernel *= SPREAD / (features @ kernel).std()
    head.layers[-1].set_weights([kernel, bias])
    run = runs.create_run(dataset.folder, settings, dataset_name=dataset.name)
    save_model(assemble(prefix, suffix, head), run.model_path)
    labels = {"schema_version": 1, "classes": dataset.classes, "image_size": size}
    (run.folder / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    keras.backend.clear_session()
    return run


def _some(dataset: Dataset) -> list[Path]:
    paths = list(dataset.photos["path"])
    return [dataset.photo_path(paths[i]) for i in np.linspace(0, len(paths) - 1, FEW).astype(int)]


def table(path: Path) -> str:
    """What was measured as a table in Markdown: a backbone a row, a format a column."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        found[line["backbone"], line["format"]] = line
    names = [name for name in FORMATS if any(key[1] == name for key in found)]
    lines = ["| backbone | weights | photos | " + " | ".join(names) + " |"]
    lines.append("|---|---|---|" + "---|" * len(names))
    for backbone in BACKBONES:
        of = {name: found[backbone, name] for name in names if (backbone, name) in found}
        if of:
            any_line = next(iter(of.values()))
            cells = [_cell(of.get(name)) for name in names]
            weights = "trained" if any_line["trained"] else "random"
            lines.append(
                f"| `{backbone}` | {weights} | {any_line['photos']} | " + " | ".join(cells) + " |"
            )
    return "\n".join(lines)


def _cell(line: dict[str, Any] | None) -> str:
    if line is None:
        return "–"
    if "error" in line:
        return "refused"
    difference = f"{line['max_difference']:.0e}" if line["max_difference"] else "0"
    return f"{difference} ({line['label_changes']})"


if __name__ == "__main__":
    sys.exit(main())
