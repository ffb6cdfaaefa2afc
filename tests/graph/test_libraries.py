"""Libraries that are loaded before they are imported."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from translearn_core.graph.libraries import TENSORFLOW


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are not loaded ahead")
def test_the_installed_tensorflow_has_the_shared_libraries_of_these_names() -> None:
    found = find_spec("tensorflow")
    assert found is not None
    folder = (found.submodule_search_locations or [])[0]
    assert [name for name in TENSORFLOW if not (Path(folder) / name).is_file()] == []
