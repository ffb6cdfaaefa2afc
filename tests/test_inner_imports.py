"""An import inside a function keeps a heavy library out of a light process; all others stand at the top.

Read from the sources, so it holds for every function, whether a test calls it or not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.import_graph import Import, brought_in, imports_of, modules

HEAVY = frozenset(
    {
        "PIL",
        "ai_edge_litert",
        "av",
        "babel",
        "cleanlab",
        "fastapi",
        "fsspec",
        "grpc",
        "h5py",
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
        "scipy",
        "sklearn",
        "streamlit",
        "tensorflow",
        "threadpoolctl",
        "uvicorn",
    }
)
"""Libraries that take some 10 ms to import, or more, or that only some installations have."""

ALLOWED = {
    "resource": "is there on Linux and macOS only",
    "winreg": "is there on Windows only",
}
"""What may be imported inside a function though it is light, and why."""

LIGHT_PROCESSES = {
    "translearn_core.cli": {"PIL", "numpy", "pandas", "rich", "streamlit", "tensorflow"},
    "translearn_core.worker": {"numpy", "pandas", "sklearn", "tensorflow"},
    "app": {"pandas", "sklearn", "tensorflow"},
    "pages.photos": {"pandas", "plotly", "sklearn", "tensorflow"},
    "translearn_core.service.serving": {"pandas", "sklearn", "tensorflow"},
}
"""What starts often or waits in numbers (`--help`, waiting workers, the first page, the prediction
service), and some of what it does without."""


def _inner() -> Iterator[tuple[str, Import]]:
    return ((name, one) for name in modules() for one in imports_of(name) if one.function)


def _needless(module: str, one: Import) -> bool:
    """Whether an import inside a function brings nothing heavy in that its module does without."""
    if one.names[-1] in ALLOWED:
        return False
    return not (brought_in(one.names) - brought_in([module])) & HEAVY


def test_only_what_brings_a_heavy_library_in_is_imported_inside_a_function() -> None:
    assert [str(one) for module, one in _inner() if _needless(module, one)] == []


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
