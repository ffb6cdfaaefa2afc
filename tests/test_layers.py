"""Imports run one way through the rooms, without circles, and the core knows no Streamlit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.support.import_graph import brought_in
from tests.support.sources import parsed

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "translearn_core"

GROUND = (
    "arrays",
    "errors",
    "i18n",
    "spaces",
    "leftovers",
    "trash",
    "concurrency",
    "atomic",
    "remembered",
    "csv_tables",
    "monitor",
    "formatting",
    "palette",
    "templates",
    "run_settings",
    "installation_limits",
    "config",
    "quotas",
)
"""The modules that lie flat in the package: every room may import them."""

ROOMS = (
    "cluster",
    "evaluation",
    "imaging",
    "people",
    "datasets",
    "backbones",
    "graph",
    "runs",
    "recipe",
    "features",
    "prediction",
    "fitting",
    "techniques",
    "training",
    "jobs",
    "sorting",
    "feasibility",
    "export",
    "reports",
    "model_import",
    "service",
)
"""The rooms from bottom to top. A room imports only rooms that stand before it."""

ENTRIES = ("worker", "cli", "__main__")
"""What starts a process. Nothing imports them."""

ORDER = {name: 0 for name in ("__init__", *GROUND)}
ORDER |= {name: n for n, name in enumerate((*ROOMS, *ENTRIES), start=1)}
HEAVY = {"tensorflow", "keras", "openvino", "torch", "jax", "ray"}
LIGHT = (
    "cluster",
    "evaluation",
    "imaging",
    "people",
    "datasets",
    "backbones",
    "runs",
    "recipe",
    "model_import",
)
"""Rooms that a page imports: none of their modules brings anything heavy in at import."""

MODULES = sorted(CORE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(CORE).with_suffix("").parts[0]


def _name(path: Path) -> str:
    """The dotted name of a module, without `.__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {_name(path) for path in MODULES}


def _imports(tree: ast.AST) -> set[str]:
    """Every name that is imported anywhere in a file, functions and TYPE_CHECKING included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def _imports_of(path: Path) -> frozenset[str]:
    """Every name that a file imports."""
    return frozenset(_imports(parsed(path)))


def _core_modules(path: Path) -> set[str]:
    """The modules of the core that a file imports, as dotted names."""
    names = _imports_of(path)
    inside = {name for name in names if name.split(".")[0] == CORE.name}
    return {name if name in NAMES else name.rpartition(".")[0] for name in inside} - {CORE.name}


def test_every_module_has_its_place() -> None:
    found = {_room(path) for path in MODULES}
    assert found == set(ORDER), "name a new room in ROOMS; flat modules belong into a room"


def test_a_room_imports_only_rooms_before_it() -> None:
    """The ground floor imports only itself."""
    wrong = []
    for path in MODULES:
        room = _room(path)
        for name in _core_modules(path):
            other = name.split(".")[1]
            if other != room and ORDER[other] >= max(ORDER[room], 1):
                wrong.append(f"{_name(path)} imports {name}")
    assert not wrong


@pytest.mark.parametrize("room", ["", *ROOMS, "cli"])
def test_no_circle_inside_a_room(room: str) -> None:
    """An `__init__` may import its siblings; they may not import it."""
    folder = CORE / room
    paths = {_name(path): path for path in folder.glob("*.py")}
    reads = {name: _core_modules(path) & paths.keys() - {name} for name, path in paths.items()}
    while ready := [name for name, others in reads.items() if not others & reads.keys()]:
        for name in ready:
            del reads[name]
    assert not reads, f"import each other: {reads}"


def test_the_core_knows_no_streamlit() -> None:
    page = {"streamlit", "translearn_ui", "pages"}
    assert [_name(path) for path in MODULES if _roots(_imports_of(path)) & page] == []


def test_rooms_of_the_web_process_import_nothing_heavy_at_import() -> None:
    """Neither itself nor by what it imports."""
    light = {_name(path) for path in MODULES if _room(path) in (*LIGHT, *GROUND)}
    assert {name for name in light if brought_in([name]) & HEAVY} == set()


def _roots(names: Iterable[str]) -> set[str]:
    """The packages of dotted names."""
    return {name.split(".")[0] for name in names}


NAMED_FILE = re.compile(r"`((?:\w+/)*\w+\.py)`")


@pytest.mark.parametrize("package", ["translearn_core", "translearn_ui"])
def test_docstrings_name_modules_that_are_there(package: str) -> None:
    """`name.py` lies beside the module or on the ground floor, `room/name.py` in its room."""
    wrong = []
    for path in sorted((ROOT / package).rglob("*.py")):
        told = ast.get_docstring(parsed(path)) or ""
        for name in NAMED_FILE.findall(told):
            places = (path.parent, path.parents[1], ROOT / package, CORE, ROOT)
            if not any((place / name).is_file() for place in places):
                wrong.append(f"{path.relative_to(ROOT)} names {name}")
    assert not wrong
