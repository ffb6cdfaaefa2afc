"""Model files that were changed or cut since they were saved."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

import pytest

from tests.support.commands import call
from tests.support.trained import trained, trained_photos
from translearn_core.errors import RunError
from translearn_core.export.formats import FORMATS
from translearn_core.export.make import make_export
from translearn_core.prediction.predict import Prediction, open_predictor, predict
from translearn_core.runs import Run
from translearn_core.runs.model_files import COPY, FILE, KERAS, REFERENCE, altered_files

pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def run(tmp_path: Path, workspace: Path) -> Run:
    """A trained run to be changed."""
    return Run(shutil.copytree(trained("small").folder, tmp_path / "run"))


def photos() -> list[Path]:
    return sorted(trained_photos().rglob("*.*"))[:4]


def answers(run: Run) -> list[Prediction]:
    return list(predict(run, photos()))


@lru_cache(maxsize=1)
def answers_of_the_whole() -> list[Prediction]:
    """What the run answers that nobody changed."""
    return answers(trained("small"))


def change(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        content[middle : middle + 40] = bytes(40 * [7])
        path.write_bytes(content)


def test_a_run_that_nobody_changed_answers_without_a_word(run: Run) -> None:
    assert (run.folder / FILE).is_file()
    assert altered_files(run, KERAS, *COPY, REFERENCE) == []
    assert all(answer.error is None for answer in answers(run))
    assert open_predictor(run).notices == []


@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
@pytest.mark.parametrize("name", COPY)
def test_a_copy_that_was_changed_is_not_asked(name: str, how: str, run: Run) -> None:
    expected = answers_of_the_whole()
    change(run.folder / name, how)
    received = answers(run)
    assert [answer.label for answer in received] == [answer.label for answer in expected]
    for one, other in zip(received, expected, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
    assert [name in notice for notice in open_predictor(run).notices] == [True]


def test_the_command_line_says_which_file(run: Run) -> None:
    change(run.folder / COPY[1], "changed")
    done = call("predict", run.folder, *photos())
    assert done.returncode == 0
    assert COPY[1] in done.stderr


@pytest.mark.parametrize("how", ["changed", "cut", "empty"])
def test_without_any_whole_model_nothing_is_answered(how: str, run: Run) -> None:
    for name in (COPY[1], KERAS):
        change(run.folder / name, how)
    with pytest.raises(RunError, match="not as it was saved"):
        answers(run)


def test_a_changed_model_is_not_exported(run: Run) -> None:
    change(run.model_path, "changed")
    with pytest.raises(RunError, match="not as it was saved"):
        make_export(run, FORMATS["keras"])


def test_a_changed_reference_refuses_nothing_and_says_so(run: Run) -> None:
    change(run.folder / REFERENCE, "changed")
    assert {answer.unlike for answer in answers(run)} == {None}
    assert REFERENCE in open_predictor(run).notices[0]


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"files": 3}'])
def test_a_run_without_hashes_answers_as_before(content: bytes | None, run: Run) -> None:
    expected = answers_of_the_whole()
    if content is None:
        (run.folder / FILE).unlink()
    else:
        (run.folder / FILE).write_bytes(content)
    change(run.model_path, "changed")  # nobody asks for it
    assert answers(run) == expected
    change(run.folder / COPY[1], "cut")
    if run.model_path.is_file():
        shutil.copyfile(trained("small").model_path, run.model_path)
    assert [answer.label for answer in answers(run)] == [answer.label for answer in expected]
