"""Runs a Teachable Machine export where it is for: in TensorFlow.js and in `@teachablemachine/image`.

    python -m benchmarks.teachable RUN_DIR PHOTOS

For each photo the middle square of 224 x 224 pixels is given to the app, to the export in Node, in the
version of TensorFlow.js that those programs use and in the newest, and, where Chromium and playwright
are here, to the library itself in a browser. The packages come from the npm registry. Where Node or npm
is not on this machine, it says so and ends.

A network whose side is not 224 pixels resizes the square once more, and the app rounds pixels there as
files do. So the export is also compared with the model on pixels that are not rounded: that difference
is the conversion's.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from translearn_core.arrays import Array
from translearn_core.datasets import decode_photo
from translearn_core.export import formats
from translearn_core.export.make import make_export
from translearn_core.export.teachable import HALF_RANGE, LIBRARY, SIDE, resizing
from translearn_core.export.writers import ExportSource
from translearn_core.prediction.predict import predict
from translearn_core.runs import Run

ENDINGS = (".jpg", ".jpeg", ".png")
NEWEST = "4"
PROGRAM = """\
const fs = require("fs"), tf = require("@tensorflow/tfjs");
const [, folder, file, side] = process.argv, n = Number(side) * Number(side) * 3;
const bytes = (name) => new Uint8Array(fs.readFileSync(name)).buffer;
const { modelTopology, weightsManifest: [{ weights: weightSpecs }] } =
  JSON.parse(fs.readFileSync(`${folder}/model.json`));
const parts = { modelTopology, weightSpecs, weightData: bytes(`${folder}/weights.bin`) };
const photos = new Float32Array(bytes(file));
tf.loadLayersModel({ load: async () => parts }).then((model) => {
  for (let at = 0; at < photos.length; at += n) {
    const photo = tf.tensor(photos.slice(at, at + n), [1, Number(side), Number(side), 3]);
    console.log("answer " + JSON.stringify(Array.from(model.predict(photo).dataSync())));
  }
});
"""
PAGE = """\
<!doctype html><script src="{tf}"></script><script src="{library}"></script>
"""
ASK = """async (names) => {
  const model = await tmImage.load("model.json", "metadata.json"), answers = [];
  for (const name of names) {
    const image = new Image();
    image.src = name;
    await image.decode();
    answers.push(await model.predict(image));
  }
  return answers.map((answer) => answer.map(({ className, probability }) => [className, probability]));
}"""


def main() -> int:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AsWritten)
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--most", type=int, default=8, help="number of photos")
    parser.add_argument("--modules", type=Path, help="folder that keeps the npm packages")
    options = parser.parse_args()
    if not (shutil.which("node") and shutil.which("npm")):
        print("Node or npm is not on this machine.")
        return 0
    run, row = Run(options.run), formats.get_format("teachable-machine")
    make_export(run, row)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with zipfile.ZipFile(formats.zip_path(run, row)) as archive:
            archive.extractall(folder)
        names, pixels = _squares(options.photos, folder, options.most)
        app, plain = _answers_of_the_app(run, [folder / name for name in names], pixels)
        worst = 0.0
        print(f"{run.id}: {len(names)} photos, side {ExportSource(run).model.input_shape[1]}")
        for runtime, answers in _answers(options.modules or folder, folder, names, pixels):
            off, from_app = np.abs(answers - plain).max(), np.abs(answers - app).max()
            same = int((answers.argmax(1) == app.argmax(1)).sum())
            print(
                f"{runtime}: conversion {off:.1e}, app {from_app:.1e}, same answer {same}/{len(names)}"
            )
            worst = max(worst, float(off))
    return 0 if worst <= 1e-4 else 1


class _AsWritten(argparse.RawDescriptionHelpFormatter):
    pass


def _squares(photos: Path, folder: Path, most: int) -> tuple[list[str], Array]:
    """The middle squares, as files and as `(n, 224, 224, 3) uint8`."""
    files = sorted(file for file in photos.rglob("*") if file.suffix.lower() in ENDINGS)
    chosen = [
        files[at] for at in np.unique(np.linspace(0, len(files) - 1, most).round().astype(int))
    ]
    pixels = np.stack([decode_photo(file, size=SIDE, fit="crop").image for file in chosen])
    names = [f"photo-{number}.png" for number in range(len(pixels))]
    for name, one in zip(names, pixels, strict=True):
        Image.fromarray(one).save(folder / name)
    return names, pixels


def _answers_of_the_app(run: Run, files: list[Path], pixels: Array) -> tuple[Array, Array]:
    """The app's probabilities for the files, and the model's without rounding between."""
    app = [[(one.probabilities or {})[name] for name in run.labels] for one in predict(run, files)]
    model = ExportSource(run).model
    weights = resizing(SIDE, model.input_shape[1])
    resized = np.einsum(
        "yh,nhwc,xw->nyxc", weights, pixels.astype(np.float32), weights, optimize=True
    )
    return np.array(app), model.predict_on_batch(resized)


def _answers(
    modules: Path, folder: Path, names: list[str], pixels: Array
) -> Iterator[tuple[str, Array]]:
    file = folder / "photos.bin"
    (pixels.astype("<f4") / np.float32(HALF_RANGE) - 1).tofile(file)
    for version in (LIBRARY, NEWEST):
        place = _install(modules / f"tfjs-{version}", f"@tensorflow/tfjs@{version}")
        done = subprocess.run(
            ["node", "-e", PROGRAM, str(folder), str(file), str(SIDE)],
            cwd=place,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("answer ")]
        yield f"TensorFlow.js {version}, Node", np.array([json.loads(line[7:]) for line in lines])
    place = modules / f"tfjs-{LIBRARY}"
    _install(place, f"@tensorflow/tfjs@{LIBRARY}", "@teachablemachine/image@0.8.5")
    yield from _answers_of_library(place, folder, names)


def _install(place: Path, *packages: str) -> Path:
    """Install npm packages into a folder, unless they are there."""
    place.mkdir(parents=True, exist_ok=True)
    if not all((place / "node_modules" / one.rpartition("@")[0]).is_dir() for one in packages):
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        (place / "package.json").write_text("{}")
        subprocess.run(command, cwd=place, check=True, stdout=sys.stderr)
    return place


def _answers_of_library(place: Path, folder: Path, names: list[str]) -> Iterator[tuple[str, Array]]:
    """The library `@teachablemachine/image` in Chromium, from the files of the zip."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("@teachablemachine/image was not tried: there is no Chromium, or no playwright.")
        return
    scripts = {
        "tf": "@tensorflow/tfjs/dist/tf.min.js",
        "library": "@teachablemachine/image/dist/teachablemachine-image.min.js",
    }
    for name, path in scripts.items():
        shutil.copyfile(place / "node_modules" / path, folder / f"{name}.js")
    (folder / "index.html").write_text(PAGE.format(tf="tf.js", library="library.js"))
    with _served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        found = page.evaluate(ASK, names)
        browser.close()
    classes = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["labels"]
    assert all([name for name, _share in answer] == classes for answer in found)
    yield "@teachablemachine/image, Chromium", np.array([[p for _, p in one] for one in found])


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
