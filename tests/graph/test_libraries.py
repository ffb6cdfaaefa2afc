"""Libraries that are loaded before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from translearn_core.concurrency import import_path
from translearn_core.graph.libraries import TENSORFLOW


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are not loaded ahead")
def test_the_installed_tensorflow_has_the_shared_libraries_of_these_names() -> None:
    found = find_spec("tensorflow")
    assert found is not None
    folder = (found.submodule_search_locations or [])[0]
    assert [name for name in TENSORFLOW if not (Path(folder) / name).is_file()] == []


LEAVES = """
import sys, time
from translearn_core.concurrency import end_process, run_in_thread
from translearn_core.graph.libraries import import_keras

run_in_thread(import_keras)
time.sleep(float(sys.argv[1]))
end_process(2)
"""


@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.4])
def test_a_process_may_end_while_the_libraries_are_loaded(seconds: float) -> None:
    left = subprocess.run(
        [sys.executable, "-c", LEAVES, str(seconds)],
        env=os.environ | {"PYTHONPATH": import_path()},
        check=False,
        timeout=120,
        capture_output=True,
    )
    assert left.returncode == 2, left.stderr
