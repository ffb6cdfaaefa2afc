"""The pages of `docs/` that are made from tables of the code, so that they cannot disagree.

Owns: the pages in `PAGES`, and which tables each of them shows.
Leaves to others: their text, in `scripts/templates/` (jinja2), and the tables themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from translearn_core.backbones import BACKBONES
from translearn_core.backbones.freezing import blocks_of
from translearn_core.config import Configuration, Limits
from translearn_core.feasibility import verdict
from translearn_core.feasibility.checks import CHECKS_TABLE
from translearn_core.feasibility.properties import PROPERTIES
from translearn_core.feasibility.report import Report
from translearn_core.formatting import percent
from translearn_core.recipe.presets import PRESETS
from translearn_core.recipe.techniques import CHAPTERS, TECHNIQUES
from translearn_core.settings import allowed_values, setting_fields

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent / "templates"),
    undefined=StrictUndefined,
    autoescape=False,  # the pages are Markdown
    keep_trailing_newline=False,
)


def settings_page() -> str:
    """Every setting and preset of a run."""
    return _fill(
        "settings.md",
        settings=setting_fields(),
        allowed=allowed_values,
        presets=list(PRESETS.values()),
    )


def configuration_page() -> str:
    """Every value of config.toml."""
    return _fill(
        "configuration.md", configuration=Configuration.model_fields, limits=Limits.model_fields
    )


def backbones_page() -> str:
    """Every backbone."""
    return _fill(
        "backbones.md",
        backbones=list(BACKBONES.values()),
        blocks=lambda row: len(blocks_of(row).blocks),
        percent=percent,
    )


def checks_page() -> str:
    """Every check of the photos, near-duplicate detection, and every trivial property."""
    return _fill("checks.md", checks=CHECKS_TABLE, properties=PROPERTIES)


def feasible_page() -> str:
    """The rules of the verdict, the figures, and the fields of the report."""
    return _fill(
        "feasible.md",
        titles=verdict.TITLES,
        rules=verdict.RULES,
        sure=verdict.LEAST_DEVIATIONS,
        useful=verdict.USEFUL_REDUCTION,
        good=verdict.GOOD_REDUCTION,
        weakest=verdict.LEAST_RECALL,
        verdict_file=Path(verdict.__file__).resolve().relative_to(ROOT).as_posix(),
        report=Report.model_fields,
    )


def techniques_page() -> str:
    """Every technique: what it is, how it works, its source."""
    return _fill("techniques.md", chapters=CHAPTERS, techniques=list(TECHNIQUES.values()))


def glossary_page() -> str:
    """The field's terms, with the words that the pages show for settings, techniques
    and checks."""
    return _fill(
        "glossary.md",
        title=lambda name: setting_fields()[name].title,
        technique=lambda name: TECHNIQUES[name].title,
        check=lambda name: next(row.title for row in CHECKS_TABLE if row.name == name),
    )


def _fill(name: str, **tables: Any) -> str:
    """The page of the template `name` with these tables in it; ends in one line break."""
    return TEMPLATES.get_template(name).render(**tables).rstrip("\n") + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "backbones.md": backbones_page,
    "checks.md": checks_page,
    "configuration.md": configuration_page,
    "feasible.md": feasible_page,
    "glossary.md": glossary_page,
    "settings.md": settings_page,
    "techniques.md": techniques_page,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
