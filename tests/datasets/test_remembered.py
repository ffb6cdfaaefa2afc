"""What is kept of data sets in memory is bounded by its bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from translearn_core import datasets


def test_what_is_kept_of_data_sets_is_bounded_by_its_bytes(
    workspace: Path, colour_photos: Path
) -> None:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    made: list[str] = []

    def ask(what: str, n_bytes: int) -> None:
        def make() -> pd.DataFrame:
            made.append(what)
            values = np.broadcast_to(np.zeros(1, np.int8), (n_bytes, 1))  # takes no memory here
            return pd.DataFrame(values, columns=["a"], copy=False)

        dataset.known(what, make)

    for n in range(50):
        ask(f"small {n}", 100)
    ask("small 0", 100)
    assert len(made) == 50
    for what in ("one", "two", "three", "three", "one"):
        ask(what, 100 * 2**20)
    assert made[50:] == ["one", "two", "three", "one"]
    for _time in range(2):
        ask("too large", 300 * 2**20)
    ask("one", 100 * 2**20)
    assert made[54:] == ["too large", "too large"]
