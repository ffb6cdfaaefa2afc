"""Imports run downward only, and the core knows no Streamlit."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "translearn_core"
LEVELS = {
    "config": 0,
    "monitor": 0,
    "costs": 1,
    "sources": 0,
    "head_fitting": 3,
    "technique": 3,
    "technique_registry": 3,
    "run_monitor": 1,
    "feasible_report": 1,
    "find": 1,
    "predictions": 1,
    "resolve": 1,
    "weight_change": 3,
    "processes": 0,
    "errors": 0,
    "formatting": 0,
    "palette": 0,
    "files": 0,
    "stopping": 0,
    "texts": 0,
    "templates": 0,
    "decoding": 1,
    "datasets": 1,
    "backbones": 1,
    "freezing": 1,
    "recommendation": 1,
    "weights": 1,
    "runs": 1,
    "metrics": 1,
    "notes": 1,
    "calibration": 1,
    "doubt": 3,
    "decision": 1,
    "testimony": 2,
    "unlike": 1,
    "augment": 1,
    "lineage": 1,
    "techniques": 1,
    "verdict": 1,
    "forecast": 1,
    "starter": 1,
    "presets": 1,
    "mixing": 1,
    "adversarial": 3,
    "study": 2,
    "label_table": 2,
    "heads": 2,
    "joined": 2,
    "tasks": 3,
    "tuning": 3,
    "engine": 2,
    "features": 2,
    "fitting": 2,
    "feeding": 2,
    "optimiser": 2,
    "flatten": 2,
    "crossval": 2,
    "jobs": 2,
    "graph": 2,
    "properties": 1,
    "onnx_graph": 2,
    "trivial": 2,
    "suspects": 2,
    "findings": 2,
    "shortcuts": 2,
    "probe": 2,
    "adoption": 3,
    "assessment": 3,
    "artefacts": 3,
    "compare": 3,
    "compare_tasks": 3,
    "duels": 2,
    "export": 3,
    "exports": 3,
    "feasible": 3,
    "gather": 3,
    "material": 3,
    "parts": 2,
    "plan": 3,
    "predict": 3,
    "report": 3,
    "report_charts": 2,
    "training_curves": 1,
    "script": 3,
    "script_code": 3,
    "explain": 3,
    "speed": 3,
    "train": 3,
    "adaptation": 3,
    "others": 3,
    "propagation": 2,
    "renorm": 3,
    "reversal": 3,
    "carryover": 3,
    "distillation": 3,
    "selftraining": 3,
    "cli": 4,
    "worker": 4,
    "__main__": 5,
    "__init__": 0,
}
HEAVY = {"tensorflow", "keras", "openvino", "torch", "jax"}


def _modules() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def _room(path: Path) -> str:
    parts = path.relative_to(CORE).with_suffix("").parts
    return parts[0]


def _imports(tree: ast.AST) -> list[str]:
    """Every module that is imported anywhere in a file, as a dotted name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _core_rooms(path: Path) -> set[str]:
    names = _imports(ast.parse(path.read_text(encoding="utf-8")))
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "translearn_core" and len(p) > 1 and p[1] in LEVELS}


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_imports_run_downward(path: Path) -> None:
    room = _room(path)
    assert room in LEVELS, f"{room} has no level yet: give it one here"
    for other in _core_rooms(path) - {room}:
        assert LEVELS[other] <= LEVELS[room], f"{room} imports {other}, which lies above it"


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in CORE.glob("*/__init__.py")), ids=lambda path: path.name
)
def test_no_circle_inside_a_folder(folder: Path) -> None:
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    inside = f"{CORE.name}.{folder.name}."
    reads = {}
    for name in names:
        imports = _imports(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8")))
        siblings = {i.removeprefix(inside).split(".")[0] for i in imports if i.startswith(inside)}
        reads[name] = siblings & names - {name}
    while ready := [name for name, others in reads.items() if not others & reads.keys()]:
        for name in ready:
            del reads[name]
    assert not reads, f"{sorted(reads)} import each other"


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_knows_no_streamlit(path: Path) -> None:
    roots = {name.split(".")[0] for name in _imports(ast.parse(path.read_text(encoding="utf-8")))}
    assert not roots & {"streamlit", "translearn_ui", "pages"}


@pytest.mark.parametrize(
    "room",
    [
        "adoption",
        "config",
        "errors",
        "texts",
        "datasets",
        "backbones",
        "freezing",
        "recommendation",
        "weights",
        "runs",
        "metrics",
    ],
)
def test_what_the_web_process_imports_names_nothing_heavy_at_import(room: str) -> None:
    paths = [path for path in _modules() if _room(path) == room]
    assert paths
    for path in paths:
        top_level = ast.Module(
            [
                node
                for node in ast.parse(path.read_text(encoding="utf-8")).body
                if isinstance(node, ast.Import | ast.ImportFrom)
            ],
            [],
        )
        roots = {name.split(".")[0] for name in _imports(top_level)}
        assert not roots & HEAVY, path
