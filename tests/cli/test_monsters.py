"""One odd item among good photos stays a line about itself, in every command and exported program."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.commands import call
from tests.support.monsters import add_monsters
from tests.support.photos import draw_photos
from tests.support.small_backbone import SMALL
from tests.support.trained import copy_of, trained
from translearn_core.export import formats, program
from translearn_core.export.formats import FORMATS
from translearn_core.export.make import make_export
from translearn_core.runs import Run

pytestmark = pytest.mark.awkward

CLASSES = ["error", "file", "sure"]
"""Class names that are names of columns, too."""
GOOD = {
    "odd EXIF",
    "a name that is not UTF-8",
    "a name with a newline",
    "a name of 250 bytes",
    "a formula",
}
"""Odd items that are photos all the same."""
MAYBE = {"a vast WebP of 28 bytes"}
"""A photo, or too large for the limits of the installation."""


@dataclass(frozen=True)
class Place:
    """A folder with three classes of good photos, and the odd items among one of them."""

    photos: Path
    monsters: dict[str, Path]
    run: Run

    @property
    def good(self) -> set[str]:
        return {str(path) for path in self.photos.rglob("0*.jpg")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("monsters")
    photos = draw_photos(folder / "photos", per_class=6)
    monsters = add_monsters(photos / "red")
    run = copy_of(trained("frozen"), folder / "run")
    run.write_labels(CLASSES, image_size=32)
    return Place(photos, monsters, run)


def text_of(path: Path) -> str:
    """A path as it is written where only UTF-8 may stand."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def check_answers(place: Place, error_of: dict[str, str]) -> None:
    """Every good photo has an answer, and every odd item its own."""
    assert {name for name in error_of if name in place.good} == place.good
    assert not any(error_of[name] for name in place.good)
    for what, path in place.monsters.items():
        assert text_of(path) in error_of, what
        if what not in MAYBE:
            assert bool(error_of[text_of(path)]) == (what not in GOOD), what


def test_predict_answers_all_and_writes_whole_tables(place: Place, tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    done = call("predict", place.run.folder, place.photos, "--json", "--csv", target)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.encode("utf-8"))
    check_answers(place, {answer["file"]: answer["error"] or "" for answer in answers})
    data = target.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert len(set(head)) == len(head)
    assert {f"p({name})" for name in CLASSES} | {"file", "error", "sure"} <= set(head)
    assert len(rows) == len(answers)
    check_answers(place, {row[0]: row[head.index("error")] for row in rows})


def test_a_table_that_cannot_be_written_leaves_the_old_one(place: Place, tmp_path: Path) -> None:
    target = tmp_path / "gone" / "answers.csv"
    done = call("predict", place.run.folder, place.photos / "blue", "--csv", target)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_the_program_of_an_export_answers_all(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "workspace"))
    row = FORMATS["openvino"]
    make_export(place.run, row, photos=16)
    with zipfile.ZipFile(formats.zip_path(place.run, row)) as archive:
        archive.extractall(tmp_path)
    code = next(tmp_path.glob("*/classify.py"))
    done = subprocess.run(
        [sys.executable, str(code), str(place.photos)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": ""},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert done.stdout.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(done.stdout.decode("utf-8-sig"), newline=""))
    assert len(set(head)) == len(head)
    assert {f"p({name})" for name in CLASSES} | {"file", "error", "sure"} <= set(head)
    check_answers(place, {line[0]: line[head.index("error")] for line in rows})


def test_the_programs_differ_only_in_how_they_open_the_model() -> None:
    texts = set()
    for row in FORMATS.values():
        if row.program:
            text = program.program(row).replace(row.pip, "")
            for part in program.opening(row).strip().split("\n"):
                text = text.replace(part, "", 1)
            texts.add("\n".join(line for line in text.splitlines() if line.strip()))
    assert len(texts) == 1


@pytest.mark.parametrize("command", [["check"], ["feasible", "--backbone", "starter"]])
def test_a_check_ends_with_a_result(command: list[str], place: Place, workspace: Path) -> None:
    done = call(command[0], place.photos, *command[1:], "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.encode("utf-8"))
    if command == ["check"]:
        assert (result["classes"]["blue"], result["classes"]["green"]) == (6, 6)
        assert 6 <= result["classes"]["red"] <= 6 + len(GOOD) + len(MAYBE)
        told = json.dumps(result["left_out"])
        for what, path in place.monsters.items():
            if what not in GOOD | MAYBE | {"a folder named like a photo"}:
                assert path.name in told, what


def test_a_name_that_no_file_has_is_a_sentence(place: Place) -> None:
    for name in ("x" * 5000, "nowhere"):
        done = call("predict", place.run.folder, name)
        assert done.returncode == 2
        assert len(done.stderr) < 500
        assert "There is no file or folder" in done.stderr


def test_a_reader_of_the_table_may_leave_early(place: Place) -> None:
    command = [sys.executable, "-m", "translearn_core", "predict"]
    with subprocess.Popen(
        [*command, place.run.folder, place.photos / "blue"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.usefixtures("small_backbone")
def test_training_ends_with_a_result(place: Place, workspace: Path, tmp_path: Path) -> None:
    options = ["--backbone", SMALL, "--set", "image_size=32", "--epochs", 1]
    done = call("train", place.photos, *options, "--run-dir", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["state"] == "finished"
    assert len(result["left_out"]) >= len(place.monsters) - len(GOOD) - len(MAYBE)
