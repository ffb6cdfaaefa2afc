"""`scripts/gpu_check`: what it measures on a device, and what its figures mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.gpu import ALIKE, DIFFERS, NO_GPU, largest_difference, measure, table, verdict

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_a_device_is_measured_and_held_against_itself(tmp_path: Path) -> None:
    column = measure("starter", 32, 8, 4, tmp_path / "answers.npz")
    assert column.device.startswith("CPU")
    assert column.precision == "float32"
    assert column.pass_per_s
    assert column.pass_per_s > 0
    assert column.two_blocks_s
    assert column.all_free_s
    assert column.memory_mb
    assert 100 < column.memory_mb < 50_000
    assert largest_difference(tmp_path / "answers.npz", tmp_path / "answers.npz") < 1e-4
    text = table([column, replace(column, device="NVIDIA T4", all_free_s=None)])
    assert "NVIDIA T4" in text.splitlines()[0]
    assert text.splitlines()[4].split()[-1] == "-"


def test_answers_that_differ_are_found(tmp_path: Path) -> None:
    answers = np.full((2, 4), 0.25, np.float32)
    np.savez(tmp_path / "a.npz", own=answers, saved=answers)
    np.savez(tmp_path / "b.npz", own=answers, saved=answers + np.array([0.1, -0.1, 0, 0]))
    assert largest_difference(tmp_path / "a.npz", tmp_path / "b.npz") == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("difference", "has_gpu", "usable", "said", "code"),
    [
        (0.001, True, True, "differ by up to 1.0e-03", ALIKE),
        (0.1, True, True, "differ by up to 1.0e-01", DIFFERS),
        (float("nan"), True, True, "differ by up to nan", DIFFERS),
        (None, True, True, "could not be measured", DIFFERS),
        (None, True, False, "requirements-gpu.txt", DIFFERS),
        (None, False, False, "no NVIDIA GPU here", NO_GPU),
    ],
)
def test_the_exit_code_says_what_came_out(
    difference: float | None, has_gpu: bool, usable: bool, said: str, code: int
) -> None:
    sentence, given = verdict(difference, has_gpu=has_gpu, usable=usable)
    assert said in sentence
    assert given == code
