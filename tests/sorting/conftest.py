"""A data set of unsorted photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.drawing import make_tree
from translearn_core import datasets
from translearn_core.datasets import Dataset, NoClasses


@pytest.fixture
def pile(tmp_path: Path) -> Dataset:
    """24 unsorted photos."""
    return datasets.import_source(make_tree(tmp_path / "pile", {".": 24}), labels=NoClasses())
