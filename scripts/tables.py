"""The pages of `docs/` that are made from tables of the code, so that they cannot disagree.

Owns: the pages in `PAGES`, and which tables each of them shows.
Leaves to others: their text, in `scripts/templates/` (jinja2), and the tables themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel

from translearn_core.backbones import BACKBONES
from translearn_core.backbones.freezing import blocks_of
from translearn_core.config import Cluster, Configuration, School
from translearn_core.datasets import CHECKS
from translearn_core.datasets.checks import Check
from translearn_core.feasibility import verdict
from translearn_core.feasibility.detectors import DETECTORS
from translearn_core.feasibility.giveaways import FEATURES
from translearn_core.feasibility.properties import PROPERTIES
from translearn_core.feasibility.report import Report
from translearn_core.formatting import percent
from translearn_core.installation_limits import Limits, Quotas
from translearn_core.recipe.presets import PRESETS
from translearn_core.recipe.technique_table import CHAPTERS, TECHNIQUES
from translearn_core.run_settings import allowed_values, setting_fields
from translearn_core.runs.run_metrics import RunMetrics

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
        "configuration.md",
        configuration=Configuration.model_fields,
        limits=Limits.model_fields,
        quotas=Quotas.model_fields,
        school=School.model_fields,
        cluster=Cluster.model_fields,
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
    return _fill(
        "checks.md", checks=CHECKS, when=_shown_when, properties=PROPERTIES, features=FEATURES
    )


def _shown_when(check: Check) -> str:
    """Which of the two views tells of a check."""
    views = {"before training": check.find is not None, "feasibility": check.name in DETECTORS}
    return ", ".join(name for name, shown in views.items() if shown)


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
        check=lambda name: next(row.title for row in CHECKS if row.name == name),
    )


def _fill(name: str, **tables: Any) -> str:
    """The page of the template `name` with these tables in it; ends in one line break."""
    return TEMPLATES.get_template(name).render(**tables).rstrip("\n") + "\n"


def metrics_page() -> str:
    """Every key of metrics.json."""
    models: list[type[BaseModel]] = [RunMetrics]
    for model in models:
        models += [part for part in _parts_of(model) if part not in models]
    return _fill("metrics.md", models=[(model, _rows_of(model)) for model in models])


def _rows_of(model: type[BaseModel]) -> list[tuple[str, str]]:
    """Key and meaning of each field."""
    rows = []
    for name, field in model.model_fields.items():
        parts = [part.__name__ for part in _models_in(field.annotation)]
        see = f"see [{parts[0]}](#{parts[0].lower()})" if parts else ""
        rows.append((field.alias or name, ", ".join(filter(None, (field.description, see)))))
    return rows


def _parts_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models of the fields of a model, in order, each once."""
    fields = model.model_fields.values()
    return list(dict.fromkeys(part for f in fields for part in _models_in(f.annotation)))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _models_in(inner)]


PAGES: dict[str, Callable[[], str]] = {
    "metrics.md": metrics_page,
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
