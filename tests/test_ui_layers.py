"""The rooms of the user interface import downward only, and pages stay thin."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.sources import parsed

ROOT = Path(__file__).resolve().parents[1]
UI = ROOT / "translearn_ui"
FLOORS = (
    ("shell",),
    ("components",),
    ("camera",),
    (
        "photos",
        "training",
        "feasibility",
        "results",
        "try_it",
        "compare",
        "work",
        "search",
        "share",
        "sorting",
        "classroom",
    ),
)
"""Rooms from bottom to top: a room imports its own modules and those of lower floors."""
MOST_LINES = 120


def _modules() -> list[Path]:
    return sorted(path for path in UI.rglob("*.py") if path.parent != UI)


def _imports(path: Path) -> set[str]:
    """Every module of the UI that is imported anywhere in a file, as `room.module`."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    inside = f"{UI.name}."
    return {".".join(name.split(".")[1:3]) for name in found if name.startswith(inside)}


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_has_its_floor() -> None:
    rooms = {path.name for path in UI.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == {room for rooms in FLOORS for room in rooms}
    assert [path.name for path in UI.glob("*.py")] == ["__init__.py"], "nothing lies flat"


def test_a_room_imports_only_lower_rooms() -> None:
    wrong = []
    for path in _modules():
        room = path.parent.name
        for other in {name.split(".")[0] for name in _imports(path)} - {room}:
            if _floor(other) >= _floor(room):
                wrong.append(f"{path.relative_to(UI)} imports {other}")
    assert not wrong


@pytest.mark.parametrize("room", [room for rooms in FLOORS for room in rooms])
def test_no_circle_inside_a_room(room: str) -> None:
    names = {path.stem for path in (UI / room).glob("*.py")} - {"__init__"}
    reads = {
        name: {
            other.split(".")[1]
            for other in _imports(UI / room / f"{name}.py")
            if other.startswith(f"{room}.")
        }
        & names
        for name in names
    }
    while ready := [name for name, others in reads.items() if not others & reads.keys()]:
        for name in ready:
            del reads[name]
    assert not reads, f"{sorted(reads)} import each other"


def test_no_table_of_a_page_is_saved_with_formulas() -> None:
    """The menu of `st.dataframe` saves what is in the cells; `tables.fit` makes them fit for that."""
    found = []
    for path in [*(ROOT / "pages").glob("*.py"), *(ROOT / "translearn_ui").rglob("*.py")]:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "st.dataframe",
                "st.data_editor",
            ):
                found.append((path.name, ast.unparse(node.args[0])))
    assert found
    assert [name for name, table in found if not table.startswith("tables.fit(")] == []


@pytest.mark.parametrize("page", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.stem)
def test_a_page_is_thin(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
