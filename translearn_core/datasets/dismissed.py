"""Dismissed findings, which are not shown again.

Owns: `<dataset>/feasible/kept.json`, a list of (check, path). Leaves to others: the findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from translearn_core.atomic import disk_errors
from translearn_core.datasets.dataset import Dataset, write_file

Dismissed = tuple[str, str]
"""The name of a check, and the path of a photo."""


def read_dismissed(dataset: Dataset) -> set[Dismissed]:
    """All dismissed findings; empty where the file is missing or unreadable."""
    try:
        rows = json.loads((dataset.folder / "feasible" / "kept.json").read_text(encoding="utf-8"))
        return {(str(check), str(path)) for check, path in rows["kept"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def dismiss(dataset: Dataset, pairs: Iterable[Dismissed]) -> None:
    """Dismiss findings."""
    with dataset.locked():
        _write(dataset, read_dismissed(dataset) | set(pairs))


def restore_dismissed(dataset: Dataset, pairs: Iterable[Dismissed]) -> None:
    """Show findings again."""
    with dataset.locked():
        _write(dataset, read_dismissed(dataset) - set(pairs))


def _write(dataset: Dataset, dismissed: set[Dismissed]) -> None:
    folder = dataset.folder / "feasible"
    with disk_errors():
        folder.mkdir(exist_ok=True)
    content = json.dumps({"schema_version": 1, "kept": sorted(dismissed)}, ensure_ascii=False)
    write_file(folder / "kept.json", content.encode("utf-8"))
