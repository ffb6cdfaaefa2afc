"""Templates are found from anywhere, and Jinja2 is imported only when a text is made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from translearn_core.templates import render

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
import translearn_core.export.keras_script, translearn_core.reports.report
from translearn_core.export import program
from translearn_core.export.formats import get_format
assert "jinja2" not in sys.modules
print(program.program(get_format("onnx")))
assert "jinja2" in sys.modules
"""


def test_a_text_is_made_in_any_folder_and_jinja2_imported_then(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "import onnxruntime" in done.stdout


def test_a_value_that_is_missing_is_an_error() -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="row"):
        render("classify/onnx.py.j2")
