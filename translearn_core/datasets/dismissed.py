"""Findings that a person has dismissed; they are not shown again.

Owns: `<dataset>/feasible/kept.json`, a list of (check, path). Leaves to others: the findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from translearn_core.datasets.library import Dataset, disk_errors, write_file

Dismissed = tuple[str, str]
"""The name of a check, and the path of a photo."""


def read_kept(dataset: Dataset) -> set[Dismissed]:
    """All that was kept; empty where there is nothing or it cannot be read."""
    try:
        rows = json.loads((dataset.folder / "feasible" / "kept.json").read_text(encoding="utf-8"))
        return {(str(check), str(path)) for check, path in rows["kept"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def keep(dataset: Dataset, pairs: Iterable[Dismissed]) -> None:
    """Remember that these findings are no faults."""
    with dataset.locked():
        _write(dataset, read_kept(dataset) | set(pairs))


def stop_keeping(dataset: Dataset, pairs: Iterable[Dismissed]) -> None:
    """Let these findings be shown again."""
    with dataset.locked():
        _write(dataset, read_kept(dataset) - set(pairs))


def _write(dataset: Dataset, kept: set[Dismissed]) -> None:
    folder = dataset.folder / "feasible"
    with disk_errors():
        folder.mkdir(exist_ok=True)
    content = json.dumps({"schema_version": 1, "kept": sorted(kept)}, ensure_ascii=False)
    write_file(folder / "kept.json", content.encode("utf-8"))
