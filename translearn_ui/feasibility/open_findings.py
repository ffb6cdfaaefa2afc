"""Findings that are still to look at: read from findings.json, joined to sets, without handled and kept.

A finding is handled once its photo is gone or lies in another class; a set of copies once fewer
than two of them are left (of copies under several classes: once they lie in one).

Leaves to others: the cards and their buttons (`findings_view.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import CHECKS, Check, Dataset, Finding
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.label_errors import strength_of, worth_showing

IN_SETS = {"exact_copies", "near_copies", "cross_class_copies", "leak"}
"""Checks whose findings are sets of photos, shown side by side."""


@dataclass(frozen=True)
class Set:
    """Photos that one or more findings of a check are about; one photo where it has no partners."""

    paths: tuple[str, ...]
    score: float
    suggested: str = ""
    note: str = ""


@dataclass(frozen=True)
class Found:
    """A check with what it found: `open` is what is left to look at, the surest first;
    `held_back` so many more are too weak to be shown unasked."""

    check: Check
    open: tuple[Set, ...]
    kept: tuple[str, ...]
    handled: int
    held_back: int = 0

    @property
    def photos(self) -> int:
        """Photos (or sets of photos) that are left to look at."""
        return len(self.open)


@st.cache_data(max_entries=16, show_spinner=False)
def _read(path: str, changed_ns: int) -> list[Finding]:
    """findings.json (`changed_ns` only tells one state from another)."""
    rows: list[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf-8"))
    known = set(Finding.__dataclass_fields__)
    kept = [{name: row[name] for name in known & set(row)} for row in rows]
    return [Finding(**row | {"others": tuple(row.get("others", ()))}) for row in kept]


def read(dataset: Dataset, assessed: pd.DataFrame, *, accuracy: float = 1.0) -> list[Found]:
    """Every check that found something, in the order of the table of checks.

    Args:
        assessed: photos.parquet of the report: what the photos were when they were checked.
        accuracy: of the models of the check; of weak ones few labels are called into question.
    """
    path = check_report.folder_of(dataset) / "findings.json"
    if not path.is_file():
        return []
    listed = _read(str(path), path.stat().st_mtime_ns)
    kept = datasets.read_dismissed(dataset)
    photos = dataset.photos
    now = dict(zip(photos["path"], photos["class_name"], strict=True))
    then = dict(zip(assessed["path"], assessed["class_name"], strict=True))
    found = []
    for check in CHECKS:
        own = [one for one in listed if one.check == check.name]
        if own:
            one = _sort_out(check, own, kept, now, then)
            found.append(_softened(one, accuracy) if check.name == "wrong_label" else one)
    return found


def _softened(one: Found, accuracy: float) -> Found:
    """The first of the labels that may be wrong, see `worth_showing`; those that were looked at count."""
    sure = sum(strength_of(item.score) == "almost_certain" for item in one.open)
    done = len(one.kept) + one.handled
    shown = max(sure, worth_showing(len(one.open) + done, sure, accuracy) - done)
    shown = min(shown, len(one.open))
    return replace(one, open=one.open[:shown], held_back=len(one.open) - shown)


def _sort_out(
    check: Check,
    own: Sequence[Finding],
    kept: set[datasets.Dismissed],
    now: Mapping[str, str],
    then: Mapping[str, str],
) -> Found:
    sets = _in_sets(own) if check.name in IN_SETS else [_alone(one) for one in own]
    here = [one for one in sets if _is_open(check.name, one, now, then)]
    looked_at = [all((check.name, path) in kept for path in one.paths) for one in here]
    left = [one for one, done in zip(here, looked_at, strict=True) if not done]
    kept_paths = [p for one, done in zip(here, looked_at, strict=True) if done for p in one.paths]
    left.sort(key=lambda one: (-one.score, one.paths))
    return Found(check, tuple(left), tuple(kept_paths), len(sets) - len(here))


def _alone(one: Finding) -> Set:
    return Set((one.path,), one.score, one.suggested, one.note)


def _in_sets(own: Iterable[Finding]) -> list[Set]:
    """Findings that share a photo, joined."""
    leader: dict[str, str] = {}

    def find(path: str) -> str:
        while leader.setdefault(path, path) != path:
            path = leader[path]
        return path

    for one in own:
        for other in one.others:
            leader[find(other)] = find(one.path)
    members: dict[str, dict[str, None]] = {}
    score: dict[str, float] = {}
    note: dict[str, str] = {}
    for one in own:
        head = find(one.path)
        members.setdefault(head, {}).update(dict.fromkeys((one.path, *one.others)))
        score[head] = max(score.get(head, 0.0), one.score)
        note[head] = note.get(head) or one.note
    return [
        Set(tuple(sorted(paths)), score[head], note=note[head]) for head, paths in members.items()
    ]


def _is_open(check: str, one: Set, now: Mapping[str, str], then: Mapping[str, str]) -> bool:
    """Whether there is still something to decide; findings about no photo of the set stay."""
    if not any(path in then for path in one.paths):
        return True
    left = [path for path in one.paths if path in now]
    if check == "cross_class_copies":
        return len({now[path] for path in left}) > 1
    if check in IN_SETS:
        return len(left) > 1
    return bool(left) and now[left[0]] == then.get(left[0], now[left[0]])
