"""Ctrl-C in long commands: exit code 130, and a line on what was kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.commands import call
from translearn_core.cli.interrupt import Interrupted, kept

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--backbone", "starter"]


def interrupt(arguments: list[str | Path], begun: Callable[[str], bool]) -> tuple[int, str]:
    """Run a command in a process group of its own, press Ctrl-C once its output says that the work has
    begun; exit code and standard error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "translearn_core", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if begun(line):
            os.killpg(process.pid, signal.SIGINT)
            break
    rest = process.communicate(timeout=120)[1]
    return process.returncode, "".join(lines) + rest


def _heed_interrupts() -> None:
    """A shell starts background jobs deaf to Ctrl-C, and their processes inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_check_says_what_it_left(workspace: Path, colour_photos: Path) -> None:
    code, said = interrupt(["feasible", colour_photos, *TINY], lambda line: "Extracting" in line)
    assert code == 130, said
    (dataset,) = (workspace / "datasets").glob("folder-*")
    assert f"Kept: the list of the photos, in {dataset}" in said.splitlines()[-1]
    assert "there is no report yet" in said
    assert "Traceback" not in said
    assert not (dataset / "feasible" / "report.json").exists()


def test_an_interrupted_training_keeps_what_was_learned(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    long = ["--set", "augmentation=none", "--set", "early_stopping=false", "--epochs", "1000"]
    code, said = interrupt(
        ["train", colour_photos, *TINY, *long, "--run-dir", run],
        lambda line: line.startswith("Epoch"),
    )
    assert code == 130, said
    assert f"Kept: the model with its best weights so far, measured as above, in {run}" in said
    assert "Traceback" not in said
    photo = next(colour_photos.glob("red/*.jpg"))
    assert call("predict", run, photo).returncode == 0


@pytest.mark.parametrize("steps", [1, 2])
def test_the_innermost_step_says_what_is_kept(steps: int) -> None:
    within = kept("innermost") if steps == 2 else nullcontext()
    with pytest.raises(Interrupted) as caught, kept("outer"), kept(lambda: "inner"), within:
        raise KeyboardInterrupt
    assert caught.value.kept == ("inner" if steps == 1 else "innermost")
