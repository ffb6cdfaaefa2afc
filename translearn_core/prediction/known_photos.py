"""Photos that a run knows from the runs that it started from, and those that it has seen without labels.

Owns: `sources_of`, and which test photos a source has learned: they are no fair test of the run; and
`seen_without_labels`, photos that a run was adapted to, or guessed the classes of.
Leaves to others: the split of a run (`runs/splits.py`), recorded hashes (`runs/provenance.py`), the
comparison (`compare.py`).

Sources are the run that a warm start began with and the teacher of a distillation, and theirs in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from translearn_core.datasets.copy_groups import have_copies
from translearn_core.datasets.unlabelled import open_unlabelled
from translearn_core.errors import RunError, SourceError
from translearn_core.runs import Run
from translearn_core.runs.find import find_run
from translearn_core.runs.provenance import are_among, hashes_of, read_photos, training_hashes
from translearn_core.runs.splits import recover_split


@dataclass(frozen=True)
class Sources:
    """What a run comes from.

    Attributes:
        runs: its sources that are still here, the nearest first.
        hashes: contents of the photos that they learned from, as far as known.
        looks: manifest rows of these photos, where their data sets are still here.
        unknown: names of sources of which it is not known what they learned from.
    """

    runs: tuple[Run, ...]
    hashes: frozenset[str]
    looks: pd.DataFrame
    unknown: tuple[str, ...]

    def learned(self, photos: pd.DataFrame, statistics: pd.DataFrame) -> pd.Series:
        """Which photos a source learned from, or has a near-duplicate of: bool, as `photos`.

        Args:
            photos: with a column `key`: the SHA-256, where it is known.
            statistics: manifest rows of these photos, with the same index, as far as known.
        """
        found: pd.Series = photos["key"].isin(self.hashes)
        if len(statistics):
            known = are_among(statistics, self.hashes)
            found = found | known.reindex(photos.index, fill_value=False)
            near = pd.Series(have_copies(statistics, self.looks), index=statistics.index)
            found = found | near.reindex(photos.index, fill_value=False)
        return found


def sources_of(run: Run) -> Sources:
    """What a run comes from, directly or by way of others."""
    own = read_photos(run)
    hashes = set() if own is None else hashes_of(own[own["path"] == ""])
    unknown, looks, runs = [], [], []
    for name, source in _walk(run, {run.folder}):
        if source is None:
            if not hashes:  # else they were recorded when it was there
                unknown.append(name)
            continue
        runs.append(source)
        recorded = training_hashes(source)
        hashes |= recorded or set()
        try:
            table = recover_split(source).table
        except (SourceError, RunError):
            if recorded is None:
                unknown.append(source.id)
            continue
        table = table[table["part"] != "test"]
        hashes |= hashes_of(table)
        looks.append(table[table["checked"]])
    return Sources(
        runs=tuple(runs),
        hashes=frozenset(hashes - {""}),
        looks=pd.concat(looks, ignore_index=True) if looks else pd.DataFrame(),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def seen_without_labels(run: Run) -> pd.DataFrame:
    """Manifest rows of the photos that a run was adapted to, or learned guessed classes of; none where there are
    none, or where they are gone or were not used."""
    settings, figures = run.config.settings, run.metrics
    named = settings.adapt_to or settings.unlabelled
    used = figures.adaptation or figures.selftraining
    if not named or used is None or used.helps is False:
        return pd.DataFrame()
    try:
        photos = open_unlabelled(named).photos
    except SourceError:
        return pd.DataFrame()
    return photos[photos["checked"]]


def _walk(run: Run, seen: set[object]) -> Iterator[tuple[str, Run | None]]:
    """The name of each source and its run, None where it is gone."""
    settings = run.config.settings
    for name in filter(None, (settings.start_from, settings.distill_from)):
        try:
            source = find_run(name)
        except RunError:
            yield name, None
            continue
        if source.folder not in seen:
            seen.add(source.folder)
            yield name, source
            yield from _walk(source, seen)
