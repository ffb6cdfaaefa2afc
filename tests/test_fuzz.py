"""What reads files from outside answers damaged ones, too: the short form of `scripts/fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fuzzing import TARGETS, answer, try_target


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_read_or_refused_in_words(name: str, tmp_path: Path) -> None:
    try_target(name, 120, tmp_path)


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"models"}))
def test_the_inputs_that_are_damaged_were_whole(name: str, tmp_path: Path) -> None:
    for data in TARGETS[name].seeds():
        assert answer(name, data, tmp_path) == ""


def test_damage_is_noticed(tmp_path: Path) -> None:
    """Cut in the middle, more than one in three are refused: the reader looks at the whole input."""
    for name in ("photos", "archives"):
        whole = TARGETS[name].seeds()
        cut = [data[: len(data) // 2] for data in whole]
        refused = [data for data in cut if answer(name, data, tmp_path)]
        assert len(refused) > len(whole) / 3, name
