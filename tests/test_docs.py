"""The docs say what the code does: tables are the code's own, and nothing is without words."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import get_args

import pytest

from scripts import tables
from tests.support.sources import parsed
from translearn_core.recipe.technique_table import TECHNIQUES
from translearn_core.run_settings import setting_fields
from translearn_core.runs import StateName

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", list(tables.PAGES))
def test_pages_made_from_tables_are_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == tables.PAGES[name](), (
        "run `python3 scripts/make_docs`"
    )


@pytest.mark.parametrize("state", get_args(StateName))
def test_every_run_state_is_explained(state: str) -> None:
    assert f"- `{state}`:" in (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")


def _documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tools").rglob("*.md")]


@pytest.mark.parametrize("path", _documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(
        r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", path.read_text(encoding="utf-8")
    ):
        if target.startswith("http"):
            continue
        file = path.parent / target if target else path
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file), f"{target}#{anchor}"


def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@lru_cache(maxsize=1)
def _shown() -> str:
    """Every text in the code of pages and core, one a line."""
    files = [
        p
        for room in ("pages", "translearn_core", "translearn_ui")
        for p in (ROOT / room).rglob("*.py")
    ]
    trees = [parsed(path) for path in files]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return "\n".join(node.value for node in nodes if isinstance(node.value, str))


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], ids=lambda path: path.name
)
def test_labels_of_the_pages_that_the_docs_name_in_italics_exist(path: Path) -> None:
    text = re.sub(r"\*\*.+?\*\*|`[^`]+`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for label in re.findall(r"(?<![\w*])\*([A-Z][^*|]+)\*(?![\w*])", text):
        assert " ".join(label.split()) in _shown(), label


def test_every_step_of_the_readme_is_a_script() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("scripts/run", "scripts/test"):
        assert f"python3 {name}\n" in readme
        assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", list(TECHNIQUES))
def test_every_technique_is_in_the_glossary_by_its_title_and_its_terms(name: str) -> None:
    rows = tables.glossary_page().splitlines()
    row = TECHNIQUES[name]
    assert any(f"| {row.title} |" in line and f"`{row.switch}`" in line for line in rows)
    for term in row.term.split(", "):
        assert any(term in line.split(" | ")[0] for line in rows), term


@pytest.mark.parametrize("name", list(setting_fields()))
def test_every_setting_is_in_the_glossary(name: str) -> None:
    settings = [line.rsplit(" | ", 1)[-1] for line in tables.glossary_page().splitlines()]
    assert any(f"`{name}`" in cell for cell in settings)


def test_the_newest_version_of_the_changelog_is_that_of_the_project() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", changelog, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert versions[1][0] == project["version"]
    assert all(date for _version, date in versions[1:])
