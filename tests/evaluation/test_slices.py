"""Accuracy by attribute: parts that fare worse are told, chance is not."""

from __future__ import annotations

import numpy as np

from translearn_core.evaluation.slices import find_slices

TRUTH = ["happy", "sad"] * 40


def _hats(n: int) -> list[str]:
    return ["yes"] * n + ["no"] * (80 - n)


def test_a_part_that_fares_worse_is_named_first_and_the_rest_is_not_blamed() -> None:
    correct = np.ones(80, bool)
    correct[:15] = False
    worse, better = find_slices(correct, TRUTH, {"hat": _hats(20)})
    assert (worse.value, worse.n, worse.correct, worse.n_rest, worse.correct_rest) == (
        "yes",
        20,
        5,
        60,
        60,
    )
    assert worse.figures()["is_worse"]
    assert not better.figures()["is_worse"]


def test_a_difference_that_chance_makes_is_not_told() -> None:
    correct = np.ones(80, bool)
    correct[[0, 1, 40]] = False
    assert not any(
        one.figures()["is_worse"] for one in find_slices(correct, TRUTH, {"hat": _hats(20)})
    )


def test_many_attributes_are_corrected_for_their_number() -> None:
    correct = np.ones(80, bool)
    correct[:3] = False
    alone = find_slices(correct, TRUTH, {"hat": _hats(20)})
    rng = np.random.default_rng(0)
    noise = {f"noise {k}": [str(v) for v in rng.integers(0, 4, 80)] for k in range(5)}
    among = find_slices(correct, TRUTH, {"hat": _hats(20)} | noise)
    assert alone[0].figures()["is_worse"]
    assert not any(one.figures()["is_worse"] for one in among)


def test_names_one_value_the_class_itself_and_small_parts_have_no_slices() -> None:
    correct = np.zeros(80, bool)
    attributes = {
        "file": [str(n) for n in range(80)],
        "one": ["same"] * 80,
        "class again": [name.upper() for name in TRUTH],
        "few": ["rare"] * 4 + ["usual"] * 76,
        "unknown": [""] * 80,
    }
    assert [one.value for one in find_slices(correct, TRUTH, attributes)] == ["usual"]


def test_photos_without_a_value_count_nowhere() -> None:
    correct = np.arange(80) % 2 == 0
    values = ["", *["a"] * 39, *["b"] * 40]
    slices = find_slices(correct, TRUTH, {"site": values})
    assert sorted((one.value, one.n, one.n_rest) for one in slices) == [
        ("a", 39, 40),
        ("b", 40, 39),
    ]
