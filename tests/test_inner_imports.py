"""An import inside a function keeps a heavy library out of a light process; all others stand at the top.

Read from the sources, so it holds for every function, whether a test calls it or not.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.import_graph import ROOT, Import, brought_in, imports_of, modules

HEAVY = frozenset(
    {
        "PIL",
        "ai_edge_litert",
        "av",
        "authlib",
        "babel",
        "cleanlab",
        "fastapi",
        "fsspec",
        "grpc",
        "h5py",
        "httpx",
        "jinja2",
        "keras",
        "numpy",
        "onnx",
        "onnxruntime",
        "openpyxl",
        "openvino",
        "optuna",
        "pandas",
        "pi_heif",
        "plotly",
        "py7zr",
        "pyarrow",
        "ray",
        "rich",
        "s3fs",
        "scipy",
        "sklearn",
        "streamlit",
        "tensorflow",
        "threadpoolctl",
        "uvicorn",
    }
)
"""Libraries that take some 10 ms to import, or more, or that only some installations have."""

OF_SOME_INSTALLATIONS = ("cluster", "remote", "school")
"""Lists of requirements that are no part of the app's own."""
IMPORTED_AS = {"grpcio": "grpc"}

ALLOWED = {
    "resource": "is there on Linux and macOS only",
    "winreg": "is there on Windows only",
}
"""What may be imported inside a function though it is light, and why."""

COMPUTING = {
    "cleanlab",
    "keras",
    "onnx",
    "openvino",
    "optuna",
    "ray",
    "scipy",
    "sklearn",
    "tensorflow",
}
LIGHT_PROCESSES = {
    "translearn_core.cli": COMPUTING | {"PIL", "numpy", "pandas", "rich", "streamlit"},
    "translearn_core.worker": COMPUTING | {"numpy", "pandas", "streamlit"},
    "translearn_core.imaging.decode_pool": COMPUTING | {"av", "pandas", "pi_heif", "streamlit"},
    "translearn_core.service.serving": COMPUTING - {"openvino"} | {"pandas", "streamlit"},
    **{name: COMPUTING for name in modules() if name.startswith("pages.")},
    "pages.photos": COMPUTING | {"pandas"},
    "app": COMPUTING | {"pandas"},
}
"""What starts often or waits in numbers (`--help`, waiting workers, processes that decode photos, the
prediction service, the pages), and what it does without."""


def _inner() -> Iterator[tuple[str, Import]]:
    return ((name, one) for name in modules() for one in imports_of(name) if one.function)


def _needless(module: str, one: Import) -> bool:
    """Whether an import inside a function brings nothing heavy in that its module does without."""
    if one.names[-1] in ALLOWED:
        return False
    return not (brought_in(one.names) - brought_in([module])) & HEAVY


def test_only_what_brings_a_heavy_library_in_is_imported_inside_a_function() -> None:
    assert [str(one) for module, one in _inner() if _needless(module, one)] == []


@pytest.mark.parametrize("name", OF_SOME_INSTALLATIONS)
def test_what_only_some_installations_have_is_heavy(name: str) -> None:
    lines = (ROOT / f"requirements-{name}.txt").read_text(encoding="utf-8").splitlines()
    named = {re.split("[^a-z0-9]", line)[0] for line in lines if line[0].isalpha()}
    assert named
    assert {IMPORTED_AS.get(one, one) for one in named} <= HEAVY


def test_the_table_tells_all_that_heavy_libraries_bring_in() -> None:
    """Held against a process that imports some that light processes need, one after another."""
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    before = set(sys.modules)\n"
        "    importlib.import_module(name)\n"
        "    print(name, *(set(sys.modules) - before))"
    )
    names = ["streamlit", "httpx"]
    told = subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, text=True, check=True
    )
    found = dict(line.split(" ", 1) for line in told.stdout.splitlines())
    assert list(found) == names
    for name, new in found.items():
        assert set(new.split()) & HEAVY <= brought_in([name]), name


def test_every_allowed_module_is_imported_somewhere() -> None:
    assert {one.names[-1] for _module, one in _inner()} >= ALLOWED.keys()


@pytest.mark.parametrize(
    ("text", "needless"),
    [
        ("import json", True),
        ("import numpy", False),
        ("import winreg", False),
        ("from translearn_core import atomic", True),
        ("from translearn_core.datasets import questions", False),  # by its package
    ],
)
def test_what_is_judged(text: str, needless: bool) -> None:
    """As if it stood in a function of the module of errors, which imports nothing."""
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.Import | ast.ImportFrom)
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{name}" for name in names]
    one = Import(Path(), 1, "function", tuple(names))
    assert _needless("translearn_core.errors", one) is needless


@pytest.mark.parametrize("module", LIGHT_PROCESSES)
def test_a_light_process_brings_nothing_heavy_in(module: str) -> None:
    assert module in modules()
    assert brought_in([module]) & LIGHT_PROCESSES[module] == set()
