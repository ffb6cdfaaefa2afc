"""Each export's program in an empty environment: `python -m benchmarks.export_programs RUN_DIR PHOTOS`.

For every format with a program: a virtual environment that holds nothing but what the program's
first lines name (`pip install ...`), the zip unpacked, the program run on 50 of the photos, its
answers held against the app's. Needs a package index.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

from translearn_core.export import formats
from translearn_core.export.formats import FORMATS, Format
from translearn_core.export.make import make_export
from translearn_core.prediction.photo_files import find_photos
from translearn_core.prediction.predict import predict
from translearn_core.runs import Run

PHOTOS = 50


def main() -> int:
    """Run all programs; the exit code is 1 when one gives another answer than the app."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--formats", default=",".join(FORMATS))
    options = parser.parse_args()
    run = Run(options.run_dir)
    files = list(find_photos([options.photos]))
    files = files[:: max(1, len(files) // PHOTOS)][:PHOTOS]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="translearn-alone-") as place:
        scratch = Path(place)
        (scratch / "photos").mkdir()
        for number, file in enumerate(files):
            shutil.copyfile(file, scratch / "photos" / f"{number:03}{file.suffix}")
        copies = sorted((scratch / "photos").iterdir())
        app = {p.file: p.label for p in predict(run, copies)}
        for name in options.formats.split(","):
            row = FORMATS[name]
            if row.program:
                wrong += _run_alone(run, row, scratch, app)
    return 1 if wrong else 0


def _run_alone(run: Run, row: Format, scratch: Path, app: dict[str, str | None]) -> int:
    """One program; how many answers differ."""
    make_export(run, row)
    python = _environment(scratch, row)
    folder = scratch / row.name
    with zipfile.ZipFile(formats.zip_path(run, row)) as archive:
        archive.extractall(folder)
    program = next(folder.glob("*/classify.py"))
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TRANSLEARN"))}
    began = time.monotonic()
    done = subprocess.run(
        [str(python), str(program), str(scratch / "photos")],
        env=clean,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        print(f"{row.name}: failed\n{done.stderr[-2000:]}", flush=True)
        return len(app)
    answers = {line[0]: line[1] for line in list(csv.reader(io.StringIO(done.stdout)))[1:]}
    wrong = sum(1 for file, label in app.items() if answers.get(file) != label)
    print(
        f"{row.name}: {len(app) - wrong} of {len(app)} answers as the app, {seconds:.1f} s; {row.pip}",
        flush=True,
    )
    return wrong


def _environment(scratch: Path, row: Format) -> Path:
    """The Python of an environment with what the program needs and nothing else."""
    folder = scratch / f"venv-{row.needs}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not folder.exists():
        venv.create(folder, with_pip=True)
        packages = row.pip.split()[2:]
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*command, *packages], check=True, stderr=subprocess.DEVNULL)
    return python


if __name__ == "__main__":
    sys.exit(main())
