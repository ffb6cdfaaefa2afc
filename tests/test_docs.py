"""The docs say what the code does: tables are the code's own, and nothing is without words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from scripts import tables
from translearn_core.runs import StateName
from translearn_core.techniques import TECHNIQUES

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
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("path", _documents(), ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_every_step_of_the_readme_is_a_script() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("scripts/run", "scripts/test"):
        assert f"python3 {name}\n" in readme
        assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", list(TECHNIQUES))
def test_every_technique_is_explained_with_its_source(name: str) -> None:
    words = " ".join((ROOT / "docs" / "techniques.md").read_text(encoding="utf-8").split())
    row = TECHNIQUES[name]
    for text in (row.title, row.plain, row.source, row.link, f"`{row.switch}`"):
        assert text in words
