"""Compares runs in the further tasks that all of them have.

Owns: the common photos of such a task, and the accuracy of each run on them.
Leaves to others: the first task (`compare.py`), the test of a difference
(`evaluation/significance.py`).

A photo is common when all runs were tested on it with the same label of the task. No new predictions
are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from translearn_core.evaluation.significance import (
    PairedTest,
    Score,
    best_of,
    paired_test,
    summarise,
)
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_core.runs.predictions import read_task_predictions


@dataclass(frozen=True, kw_only=True)
class TaskComparison:
    """Runs compared with each other in one further task.

    Attributes:
        photos: a row for each common photo: truth, and `correct_i` for the run with index i.
        runs: one score for each run; none where there is no common photo.
        significance: paired test of every other run against the reference.
    """

    name: str
    photos: pd.DataFrame
    runs: tuple[Score, ...]
    reference: str = ""
    significance: tuple[PairedTest, ...] = ()

    @property
    def sentence(self) -> str:
        """The result in a sentence or two."""
        if not self.runs:
            return _("No photo that all of them were tested on carries the same label of it.")
        return summarise(self.runs, self.significance, self.reference)

    def with_reference(self, letter: str | None) -> TaskComparison:
        """The same with another reference: the run with this letter, or (None) the best."""
        if not self.runs:
            return self
        return replace(
            self,
            reference=letter or best_of(self.runs).letter,
            significance=paired_test(self.runs, self.photos, letter),
        )


def compare_tasks(tests: Mapping[str, tuple[Run, pd.DataFrame]]) -> list[TaskComparison]:
    """Compare runs in each further task that all of them have.

    Args:
        tests: letter -> the run, and its test photos: path, and a key that is the same for the
            same photo in all of them.
    """
    runs = [run for run, _answers in tests.values()]
    return [_compare_task(task, tests) for task in _further(runs[0]) if _all_answer(task, runs)]


def unshared_tasks(runs: Sequence[Run]) -> list[str]:
    """A sentence about further tasks that some of the runs have, but not all; else none."""
    named = dict.fromkeys(task for run in runs for task in _further(run))
    left = [task for task in named if not _all_answer(task, runs)]
    if not left:
        return []
    words = _("Not all of them have these further tasks, which are not compared: {tasks}.")
    return [words.format(tasks=", ".join(left))]


def _further(run: Run) -> list[str]:
    return [task.name for task in run.metrics.further_tasks]


def _all_answer(task: str, runs: Sequence[Run]) -> bool:
    return all(task in _further(run) for run in runs)


def _compare_task(task: str, tests: Mapping[str, tuple[Run, pd.DataFrame]]) -> TaskComparison:
    photos = pd.DataFrame()
    for place, (run, tested) in enumerate(tests.values()):
        answers = read_task_predictions(run, task).merge(tested[["path", "key"]], on="path")
        answers = answers.set_index("key")[["truth", "correct"]]
        answers = answers.set_axis([f"truth_{place}", f"correct_{place}"], axis=1)
        photos = answers if place == 0 else photos.join(answers, how="inner")
    truths = photos[[f"truth_{place}" for place in range(len(tests))]]
    photos = photos[truths.nunique(axis=1) == 1].reset_index(drop=True)
    scores = tuple(
        Score(letter=letter, n=len(photos), correct=int(photos[f"correct_{place}"].sum()))
        for place, letter in enumerate(tests)
    )
    return TaskComparison(name=task, photos=photos, runs=scores if len(photos) else ())
