"""What each module of the project imports, read from the sources without importing anything.

Owns: `Import`, `imports_of` and `brought_in`: the libraries that are there once a module is imported,
by all that it imports at its top, directly or not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.sources import parsed

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("translearn_core", "translearn_ui", "pages")

BRINGS = {
    "cleanlab": ("pandas", "scipy", "sklearn"),
    "h5py": ("numpy",),
    "httpx": ("rich",),
    "keras": ("h5py", "numpy", "tensorflow"),
    "onnx": ("numpy",),
    "onnxruntime": ("numpy",),
    "openpyxl": ("PIL", "numpy"),
    "openvino": ("numpy",),
    "optuna": ("numpy",),
    "pandas": ("numpy", "pyarrow"),
    "pi_heif": ("PIL",),
    "pyarrow": ("numpy",),
    "s3fs": ("fsspec", "httpx"),
    "scipy": ("numpy",),
    "sklearn": ("pandas", "scipy", "threadpoolctl"),
    "streamlit": ("PIL", "plotly"),
    "tensorflow": ("h5py", "keras", "numpy"),
}
"""What heavy libraries import of others."""
_BLOCKS = (
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.ExceptHandler,
    ast.Match,
    ast.match_case,
)


@dataclass(frozen=True)
class Import:
    """One import: where it stands, in which function (empty at the top), and what it names."""

    path: Path
    line: int
    function: str
    names: tuple[str, ...]
    """Dotted names of modules, with their packages, which are imported before them."""

    def __str__(self) -> str:
        place = self.path.relative_to(ROOT)
        return f"{place}:{self.line} imports {self.names[-1]} inside {self.function}"


@cache
def modules() -> dict[str, Path]:
    """The modules of the app by their dotted names, packages without `.__init__`."""
    paths = [ROOT / "app.py"]
    for package in PACKAGES:
        paths += sorted((ROOT / package).rglob("*.py"))
    return {_name(path): path for path in paths}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """All imports of a module but those for type checkers alone."""
    path = modules()[module]
    return tuple(
        Import(path, node.lineno, function, _named(node))
        for function, node in _statements(parsed(path).body, "")
    )


def _statements(
    body: Iterable[ast.AST], function: str
) -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
    """The imports below some nodes, each with the outermost function that it stands in."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield function, node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _statements(node.body, function or node.name)
        elif isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            yield from _statements(node.orelse, function)
        elif isinstance(node, _BLOCKS):
            for name in ("body", "handlers", "orelse", "finalbody", "cases"):
                yield from _statements(getattr(node, name, ()), function)


def _named(node: ast.Import | ast.ImportFrom) -> tuple[str, ...]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        inside = [f"{node.module}.{alias.name}" for alias in node.names]
        names = [name if name in modules() else str(node.module) for name in inside]
    found = [parent for name in names for parent in (*_packages(name), name)]
    return tuple(dict.fromkeys(found))


def _packages(name: str) -> Iterator[str]:
    """`a.b.c` -> `a`, `a.b`."""
    parts = name.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts)))


def brought_in(names: Iterable[str]) -> set[str]:
    """The libraries that are there once modules and all that they import at their tops are."""
    found: set[str] = set()
    new = set(names)
    while new:
        found |= new
        new = {other for name in new for other in _next(name)} - found
    return {name for name in found - modules().keys() if "." not in name}


@cache
def _next(name: str) -> frozenset[str]:
    """What the import of a module or a library brings in at once."""
    if name in modules():
        tops = (one.names for one in imports_of(name) if not one.function)
        return frozenset(_packages(name)).union(*tops)
    library = name.split(".")[0]
    return frozenset((library, *BRINGS.get(library, ())))
