"""The code of a run: it is short, it is valid, and run without the app it gets what the run got."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.support.drawing import draw_image
from tests.support.networks import DISTINCT
from tests.support.trained import copy_of, copy_with_dataset, trained
from translearn_core import datasets
from translearn_core.backbones import BACKBONES
from translearn_core.datasets import decode_photo
from translearn_core.datasets.label_table import attach_labels
from translearn_core.datasets.table_reading import read_table
from translearn_core.errors import InputError, RunError
from translearn_core.export.keras_script import code_zip, notebook, script, write_code
from translearn_core.export.keras_script_code import TEMPLATE
from translearn_core.imaging.square import BORDER, FITS, Fit
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import RunMetrics
from translearn_core.runs.splits import recover_split
from translearn_core.templates import render_block


def lines_of(code: str) -> list[str]:
    return [line for line in code.splitlines() if line.strip() and not line.startswith("#")]


def unused_names(code: str) -> set[str]:
    """What a program imports, defines or assigns and never reads."""
    made: set[str] = set()
    read: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.FunctionDef):
            made.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            made |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {name for name in made - read if not name.startswith("_")}


def with_one_more_task(folder: Path) -> Run:
    """A copy of the frozen run that was also asked whether a photo's tone is warm or cold."""
    run = copy_with_dataset(trained("frozen"), folder / "asked")
    dataset = datasets.open_dataset(Path(run.config.dataset))
    lines = [
        f"{file},{ {'blue': 'cold', 'red': 'warm'}.get(name, '') }"
        for file, name in zip(dataset.photos["file"], dataset.photos["class_name"], strict=True)
    ]
    (folder / "labels.csv").write_text("file,tone\n" + "\n".join(lines), encoding="utf-8")
    attach_labels(dataset, read_table(folder / "labels.csv"))
    calibration = {"temperature": 2.0, "fitted_on": 12}
    tone = {"name": "tone", "classes": ["cold", "warm"], "test_correct": 9, "n_test": 10}
    tasks = [{"name": "class"}, tone | {"calibration": calibration}]
    (run.folder / "metrics.json").write_text(json.dumps(run.metrics.as_dict() | {"tasks": tasks}))
    return Run(run.folder)


@pytest.mark.parametrize("fit", FITS)
def test_the_program_fits_photos_as_the_app_does(fit: Fit, tmp_path: Path) -> None:
    metrics = RunMetrics(fit=fit)
    code = render_block(
        TEMPLATE,
        "photos",
        facts=SimpleNamespace(metrics=metrics, stem="x", further=()),
        border=BORDER,
    )
    reading = code[code.index("def read_photo") :]
    names = {"np": np, "Image": Image, "ImageOps": ImageOps, "SIZE": 97, "PHOTOS": tmp_path}
    exec(reading, names)
    for size in ((300, 201), (40, 200), (80, 80)):
        draw_image(2, size=size).save(tmp_path / "photo.png")
        expected = decode_photo(tmp_path / "photo.png", size=97, fit=fit).image
        assert np.array_equal(names["read_photo"]({"file": "photo.png"}), expected)  # type: ignore[operator]


@pytest.mark.slow
def test_the_program_gets_what_the_run_got_without_the_app(tmp_path: Path) -> None:
    programs = []
    for kind, run in (("frozen", with_one_more_task(tmp_path)), ("tuned", trained("tuned"))):
        program, photos, weights = write_code(run, tmp_path / kind / "learn.py")
        assert (photos.name, weights.name) == ("learn.csv", "starter.npz")
        programs.append(str(program))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import gc, runpy, sys\n"
            "gc.disable()\n"  # TensorFlow is imported in two thirds of the time without it and these
            "sys.modules |= {'matplotlib': None, 'sklearn': None}\n"
            "for p in sys.argv[1:]: runpy.run_path(p)",
            *programs,
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "translearn_core" not in Path(programs[0]).read_text(encoding="utf-8")
    found = re.findall(r"Right on (\d+) of (\d+) test photos", done.stdout)
    for kind, (correct, n) in zip(("frozen", "tuned"), found, strict=True):
        metrics = trained(kind).metrics
        assert int(n) == metrics.n_test
        assert abs(int(correct) - metrics.test_correct) <= max(2, 0.15 * metrics.n_test)
        assert (tmp_path / kind / "learn.keras").is_file()
    (more,) = re.findall(r"tone: right on (\d+) of (\d+) test photos", done.stdout)
    blue_or_red = [one for one in trained("frozen").metrics.per_class if one.name != "green"]
    assert int(more[1]) == sum(one.n_test for one in blue_or_red)  # the others have no label
    assert int(more[0]) >= 0.8 * int(more[1])


def test_the_list_of_photos_is_the_split_of_the_run(tmp_path: Path) -> None:
    run = trained("frozen")
    _program, photos, _weights = write_code(run, tmp_path / "learn.py")
    with photos.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = recover_split(run)
    assert parts.certain
    assert [row["part"] for row in rows] == list(parts.table["part"])
    counts = [sum(row["part"] == part for row in rows) for part in ("train", "val", "test")]
    assert counts == [getattr(run.metrics, name) for name in ("n_train", "n_val", "n_test")]
    assert rows[0]["file"] == f"{rows[0]['class']}/{Path(rows[0]['file']).name}"


def test_the_notebook_is_valid_and_holds_the_same_code() -> None:
    run = trained("tuned")
    book = notebook(run)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    kinds = [cell["cell_type"] for cell in book["cells"]]
    assert kinds.count("code") == kinds.count("markdown") == 7
    assert len({cell["id"] for cell in book["cells"]}) == len(kinds)
    code = "\n".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code")
    expected = script(run).replace("Path(__file__).parent", "Path.cwd()").partition('"""\n\n')[2]
    assert lines_of(code) == lines_of(expected)
    ast.parse(code)


@pytest.mark.parametrize("name", [row.name for row in DISTINCT])
@pytest.mark.parametrize("kind", ["frozen", "tuned"])
def test_every_backbone_and_setting_gives_a_program(name: str, kind: str, tmp_path: Path) -> None:
    run = copy_of(trained(kind), tmp_path / "run")
    changes = {"head": "linear", "class_weighting": False, "early_stopping": False, "refit": False}
    for file, change in (("config.json", changes), ("metrics.json", {"augmentation": "strong"})):
        path = run.folder / file
        content = json.loads(path.read_text(encoding="utf-8"))
        if file == "config.json":
            content["settings"] |= change
        else:
            content |= change | {"backbone": name, "image_size": 96}
        path.write_text(json.dumps(content), encoding="utf-8")
    code = script(Run(run.folder))
    ast.parse(code)
    row = BACKBONES[name]
    assert ("keras.applications." + row.builder in code) is not row.is_own
    assert "RandomRotation" in code
    assert unused_names(code) == set()


def test_the_program_says_which_questions_it_leaves_out(tmp_path: Path) -> None:
    run = copy_of(trained("frozen"), tmp_path / "run")
    tasks = [{"name": "class"}, {"name": "light"}]
    content = json.dumps(run.metrics.as_dict() | {"tasks": tasks})
    (run.folder / "metrics.json").write_text(content, encoding="utf-8")
    said = script(run)
    assert "It leaves out light: the labels are not with the photos any more." in said
    assert "leaves out" not in script(trained("frozen"))
    said = script(with_one_more_task(tmp_path))
    assert "further questions: tone (right on 9 of 10)." in said
    assert unused_names(said) == set()


def test_the_zip_holds_program_notebook_and_what_they_need() -> None:
    with zipfile.ZipFile(BytesIO(code_zip(trained("frozen")))) as archive:
        assert set(archive.namelist()) == {"train.py", "train.ipynb", "train.csv", "starter.npz"}
        json.loads(archive.read("train.ipynb"))


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    run = copy_of(trained("frozen"), tmp_path / "run")
    with pytest.raises(InputError, match=r"\.ipynb"):
        write_code(run, tmp_path / "learn.txt")
    (run.folder / "metrics.json").unlink()
    with pytest.raises(RunError, match="not trained here"):
        script(run)
