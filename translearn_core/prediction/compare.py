"""Compares runs on the same photos.

Owns: the common photos of the runs, and the predictions on them.
Leaves to others: significance (`evaluation/significance.py`), further tasks (`compare_tasks.py`),
page and printing.

A photo is common when it was held out from all runs and all know its class: every run was tested on
it, or some were and it is in no data set of the others, nor is a near-duplicate of it. A photo that a
run's source learned from (`known_photos.py`) is not held out from that run. Missing predictions on
such photos are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from translearn_core import datasets
from translearn_core.datasets.copy_groups import groups_of
from translearn_core.datasets.duplicates import bare_files, without_positions
from translearn_core.errors import RunError, SourceError, StopRequestedError
from translearn_core.evaluation.significance import (
    PairedTest,
    Score,
    best_of,
    paired_test,
    summarise,
)
from translearn_core.i18n import _, ngettext, number
from translearn_core.prediction.compare_tasks import TaskComparison, compare_tasks, unshared_tasks
from translearn_core.prediction.known_photos import Sources, seen_without_labels, sources_of
from translearn_core.prediction.predict import predict
from translearn_core.run_settings import setting_fields
from translearn_core.runs import Run
from translearn_core.runs.annotations import display_name, read_notes
from translearn_core.runs.predictions import read_predictions
from translearn_core.runs.provenance import are_copies, hashes_of
from translearn_core.runs.splits import RunSplit, recover_split

MOST_RUNS = 8
LETTERS = "ABCDEFGH"
"""Letters of the runs of a comparison, shown beside their names."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True)
class ComparedRun(Score):
    """One run of a comparison and its score on the common photos."""

    run: Run
    name: str
    asked: int
    """Common photos that were predicted for this comparison."""
    facts: Mapping[str, Any]
    """seconds, model_bytes, epochs_run, n_train, trainable_weights, device, dataset, classes."""
    tags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Letter and name."""
        return f"{self.letter} · {self.name}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs compared with each other.

    Attributes:
        photos: a row for each common photo: path, dataset (folder), file, truth, and `label_i`,
            `confidence_i`, `correct_i` for the run with index i.
        reference: letter of the run that the others are compared with.
        significance: paired test of every other run against the reference.
        remarks: sentences about the common photos and the limits of the comparison.
        settings: names of the settings that differ, each with the value of every run by letter.
        tasks: the further tasks that all of them have.
        learned_before: test photos that do not count, because a source of one of the runs learned
            from them or from near-duplicates of them.
        on_known_scenes: whether many test photos of a run are of scenes that it learned from. The
            runs can be held against each other on them, but a share of right answers is not
            shown.
    """

    runs: tuple[ComparedRun, ...]
    photos: pd.DataFrame
    reference: str
    significance: tuple[PairedTest, ...]
    remarks: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]
    tasks: tuple[TaskComparison, ...] = ()
    learned_before: int = 0
    on_known_scenes: bool = False

    @property
    def best(self) -> ComparedRun:
        """The run with the highest accuracy; the first of equals."""
        return best_of(self.runs)

    @property
    def sentence(self) -> str:
        """The result in a sentence or two."""
        return summarise(self.runs, self.significance, self.reference)

    def with_reference(self, letter: str | None) -> Comparison:
        """The same with another reference: the run with this letter, or (None) the best."""
        return replace(
            self,
            reference=letter or self.best.letter,
            significance=paired_test(self.runs, self.photos, letter),
            tasks=tuple(task.with_reference(letter) for task in self.tasks),
        )

    def disagreements(self) -> pd.DataFrame:
        """The photos on which the predictions of the runs differ."""
        labels = self.photos[[f"label_{place}" for place in range(len(self.runs))]]
        return self.photos[labels.nunique(axis=1) > 1]


def compare(
    runs: Sequence[Run],
    *,
    reference: str | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Compare runs on photos that were held out from all of them.

    Args:
        runs: two to eight runs with results.
        reference: id of the run to compare the others with; default the best.
        progress: called with (photos predicted, photos to predict, what).
        stop: checked between photos; true stops the comparison.

    Raises:
        RunError: too few or too many runs, one without a result, or no common photo.
        StopRequestedError: `stop` returned true.
    """
    runs = list({run.folder: run for run in runs}.values())
    _check_runs(runs)
    tests = _with_common_keys([_read_test(run) for run in runs])
    found = _find_photos(tests)
    photos, asked = _answer(tests, found.photos, progress, stop)
    if photos.empty:
        raise RunError(_no_photos())
    contestants = tuple(
        _contestant(run, place, photos, asked[place]) for place, run in enumerate(runs)
    )
    letter = next((one.letter for one in contestants if one.run.id == reference), None)
    given = {
        one.letter: (one.run, test.answers[~test.answers["key"].isin(found.learned_before)])
        for one, test in zip(contestants, tests, strict=True)
    }
    remarks = [*found.remarks, *unshared_tasks(runs)]
    on_known_scenes = any(run.metrics.tested_on_known_scenes for run in runs)
    if on_known_scenes:
        remarks.append(
            _(
                "Many of these photos are later ones of the scenes that were learned from: how often "
                "the runs are right in other scenes is not known."
            )
        )
    if sum(asked):
        remarks.append(
            _(
                "{n} answers were given just now; the others come from the tests of the runs."
            ).format(n=sum(asked))
        )
    return Comparison(
        runs=contestants,
        photos=photos,
        reference=letter or best_of(contestants).letter,
        significance=paired_test(contestants, photos, letter),
        remarks=tuple(remarks),
        settings=differing_settings(runs),
        tasks=tuple(task.with_reference(letter) for task in compare_tasks(given)),
        learned_before=len(found.learned_before),
        on_known_scenes=on_known_scenes,
    )


def _check_runs(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise RunError(_("A comparison needs at least two different runs. Name another one."))
    if len(runs) > MOST_RUNS:
        raise RunError(
            _("At most {most} runs are compared at once. Received: {n}.").format(
                most=MOST_RUNS, n=len(runs)
            )
        )
    for run in runs:
        state = run.state.state  # for the message
        run.require()
        run.require_whole()
        if not run.model_path.is_file() or not (run.folder / "labels.json").is_file():
            raise RunError(
                _("The run {run} has no model: it is {state}. Choose a finished run.").format(
                    run=run.id, state=_(state)
                )
            )
        if not run.has_result:
            raise RunError(
                _(
                    "{run} was brought in from elsewhere: nobody here knows which photos it "
                    "learned from, so no photo is known to be new to it. Show it new photos on the "
                    "page Try it."
                ).format(run=display_name(run))
            )


# --- common photos ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Test:
    """The test of one run.

    Attributes:
        parts: its split; None where its data set is gone.
        answers: key, path, dataset, file, truth, label, confidence of its test photos. The key is
            the photo's SHA-256 where it is known (without its position, where one of the data sets
            dropped that), else data set and path.
        sources: what it comes from.
    """

    run: Run
    parts: RunSplit | None
    answers: pd.DataFrame
    sources: Sources


def _read_test(run: Run) -> _Test:
    """The test of a run; identical files count once."""
    answers = read_predictions(run)
    table = answers[["path", "file", "truth", "label", "confidence"]]
    table = table.assign(dataset=run.config.dataset)
    places = run.config.dataset + "\n" + table["path"]
    try:
        parts = recover_split(run)
    except SourceError:  # the photos are gone: what was answered is still there
        return _Test(run, None, table.assign(key=places), sources_of(run))
    hashes = parts.table.set_index("path")["sha256"]
    content = table["path"].map(hashes).fillna("")
    table = table.assign(key=content.where(content != "", places))
    return _Test(run, parts, table.drop_duplicates("key"), sources_of(run))


def _with_common_keys(tests: Sequence[_Test]) -> list[_Test]:
    """The tests with one key for a photo that is in its place in one data set, with its position, and
    copied without it into another."""
    bare: dict[str, str] = {}
    for test in tests:
        bare |= bare_files(test.parts.table) if test.parts is not None else {}
    if not bare:
        return list(tests)
    changed = []
    for test in tests:
        keys = without_positions(test.answers["key"], bare)
        answers, parts = test.answers.assign(key=keys).drop_duplicates("key"), test.parts
        if parts is not None:
            hashes = without_positions(parts.table["sha256"], bare)
            parts = replace(parts, table=parts.table.assign(sha256=hashes))
        changed.append(replace(test, answers=answers, parts=parts))
    return changed


@dataclass(frozen=True)
class _Found:
    """The common photos (key, path, dataset, file, truth), remarks on them, and the keys of those that
    do not count because a source learned from them."""

    photos: pd.DataFrame
    remarks: tuple[str, ...]
    learned_before: frozenset[str]


def _find_photos(tests: Sequence[_Test]) -> _Found:
    """The common photos of all runs."""
    columns = ["key", "path", "dataset", "file", "truth"]
    pool = pd.concat([test.answers[columns] for test in tests], ignore_index=True)
    same_truth = pool.groupby("key")["truth"].transform("nunique") == 1
    pool = pool[same_truth].drop_duplicates("key")
    fair = pd.Series(True, index=pool.index)
    for test in tests:
        fair &= pool["key"].isin(test.answers["key"]) | _never_had(test.parts, pool)
    known = set.intersection(*(set(test.run.labels) for test in tests))
    fair &= pool["truth"].isin(known)
    learned = pd.Series(False, index=pool.index)
    remarks = []
    for test in tests:
        own = _learned_before(test, pool) & fair
        learned |= own
        remarks += _tell_sources(test, int(own.sum()))
    photos = pool[fair & ~learned]
    if photos.empty and learned.any():
        raise RunError(_all_learned(int(learned.sum())))
    if photos.empty:
        raise RunError(_no_photos() if known else _no_classes())
    photos = photos.sort_values(["truth", "file"], ignore_index=True)
    for test in tests:
        remarks += _tell_without_labels(test, photos)
    return _Found(
        photos,
        (*_remarks(tests, photos, known, int(learned.sum())), *remarks),
        frozenset(pool.loc[learned, "key"]),
    )


def _learned_before(test: _Test, pool: pd.DataFrame) -> pd.Series:
    """Which photos of the pool a source of the run learned from."""
    if not test.sources.hashes:
        return pd.Series(False, index=pool.index)
    return test.sources.learned(pool, _looks_of(pool))


def _tell_sources(test: _Test, n: int) -> list[str]:
    """What is said of the sources of a run."""
    run, told = display_name(test.run), []
    if n:
        told.append(
            ngettext(
                "{n} photo does not count: {run} comes from {sources}, which learned from it or from "
                "a copy of it.",
                "{n} photos do not count: {run} comes from {sources}, which learned from them or "
                "from copies of them.",
                n,
            ).format(n=n, run=run, sources=_name_sources(test.sources))
        )
    if test.sources.unknown:
        told.append(
            _(
                "{run} comes from {sources}, of which it is not known any more what it learned "
                "from: some of these photos may not be new to {run}."
            ).format(run=run, sources=", ".join(test.sources.unknown))
        )
    return told


def _tell_without_labels(test: _Test, photos: pd.DataFrame) -> list[str]:
    """What is said of photos that a run may have seen without their labels."""
    seen, figures = seen_without_labels(test.run), test.run.metrics.adaptation
    if figures is not None and figures.tested_photos_left_out:
        photos = photos[~photos["key"].isin(test.answers["key"])]  # not adapted to
    if not len(seen) or not len(photos):
        return []
    n = int((photos["key"].isin(hashes_of(seen)) | _are_copies(photos, seen)).sum())
    if not n:
        return []
    words = ngettext(
        "{n} of these photos is among those that {run} was adapted to, or learned guessed classes of: it may "
        "be right on it more easily than on others.",
        "{n} of these photos are among those that {run} was adapted to, or learned guessed classes of: it "
        "may be right on them more often than on others.",
        n,
    )
    return [words.format(run=display_name(test.run), n=n)]


def _are_copies(photos: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Which photos of the pool are near-duplicates of others, as `photos`; not those of unknown looks."""
    looks = _looks_of(photos)
    if not len(looks):
        return pd.Series(False, index=photos.index)
    found = pd.Series(are_copies(looks, others), index=looks.index)
    return found.reindex(photos.index, fill_value=False)


def _name_sources(sources: Sources) -> str:
    names = ", ".join(display_name(one) for one in sources.runs)
    return names or _("an earlier run")


def _never_had(parts: RunSplit | None, pool: pd.DataFrame) -> pd.Series:
    """Which photos of the pool are certainly not in a run's data set, nor near-duplicates of one.

    None are where the data set was changed since, or is gone.
    """
    nothing = pd.Series(False, index=pool.index)
    if parts is None or not parts.certain:
        return nothing
    own = parts.table
    strangers = pool[
        ~pool["key"].isin(own["sha256"]) & (pool["dataset"] != str(parts.dataset.folder))
    ]
    if strangers.empty:
        return nothing
    looks = _looks_of(strangers)
    if looks.empty:
        return nothing
    both = pd.concat([own, looks], ignore_index=True)
    groups = groups_of(both)
    known = set(groups[: len(own)])
    new = [group not in known for group in groups[len(own) :]]
    return nothing | pd.Series(new, index=looks.index).reindex(pool.index, fill_value=False)


def _looks_of(strangers: pd.DataFrame) -> pd.DataFrame:
    """Manifest rows with image statistics of photos of other data sets; unchecked ones are left out."""
    found = []
    for folder, rows in strangers.groupby("dataset"):
        try:
            photos = datasets.open_dataset(Path(str(folder))).photos.set_index("path", drop=False)
        except SourceError:
            continue
        rows = rows[rows["path"].isin(photos.index)]
        looks = photos.loc[rows["path"]].set_axis(rows.index)
        found.append(looks[looks["checked"]])
    return pd.concat(found) if found else pd.DataFrame()


def _remarks(
    tests: Sequence[_Test], photos: pd.DataFrame, known: set[str], learned: int
) -> list[str]:
    n = len(photos)
    tested = [set(test.answers["key"]) for test in tests]
    everywhere = set.intersection(*tested)
    if all(set(photos["key"]) == keys for keys in tested):
        remarks = [
            ngettext(
                "All were tested on the same {n} photo, and none of them learned from it.",
                "All were tested on the same {n} photos, and none of them learned from these.",
                n,
            ).format(n=n)
        ]
    elif learned and all(keys == everywhere for keys in tested):
        remarks = [
            _("All were tested on the same {all} photos; {n} of them count.").format(
                all=len(everywhere), n=n
            )
        ]
    else:
        remarks = [_differing_tests(tests, n, int((~photos["key"].isin(everywhere)).sum()))]
    if any(set(test.run.labels) != known for test in tests):
        remarks.append(
            _(
                "Only photos of classes that all of them know count ({names}). One that knows more "
                "classes has the harder task."
            ).format(names=", ".join(sorted(known)))
        )
    if n < 30:
        remarks.append(_("So few photos tell only large differences apart."))
    return remarks


def _differing_tests(tests: Sequence[_Test], n: int, new: int) -> str:
    parts = [
        _(
            "Their test photos differ ({tests}). Compared on the {n} that none of them learned from."
        ).format(tests=", ".join(number(len(test.answers), ",") for test in tests), n=n)
    ]
    if new:
        parts.append(_("{new} of these are not in the data sets of all.").format(new=new))
    parts.append(_("The same photos, shares and seed give all of them the same test."))
    return " ".join(parts)


def _no_classes() -> str:
    return _("These runs share no class, so there is nothing to compare. Choose runs that do.")


def _all_learned(n: int) -> str:
    return ngettext(
        "There is no photo that is new to all of these runs: {n} test photo is one that a run they "
        "started from learned from. Train one of them again without that start, and compare again.",
        "There is no photo that is new to all of these runs: {n} test photos are ones that a run "
        "they started from learned from. Train one of them again without that start, and compare "
        "again.",
        n,
    ).format(n=n)


def _no_photos() -> str:
    return _(
        "There is no photo that is new to all of these runs: what one was tested on, another "
        "learned from. Train one of them again with the photos, shares and seed of the other "
        "(its settings are on the page Results), and compare again."
    )


# --- predictions -----------------------------------------------------------------------------


def _answer(
    tests: Sequence[_Test],
    photos: pd.DataFrame,
    progress: Progress | None,
    stop: Callable[[], bool],
) -> tuple[pd.DataFrame, list[int]]:
    """The photos with every run's predictions, and how many of these were made now for each run."""
    table = photos.copy()
    missing = []
    for place, test in enumerate(tests):
        known = test.answers.set_index("key")[["label", "confidence"]].reindex(table["key"])
        for name in known.columns:
            table[f"{name}_{place}"] = known[name].to_numpy(dtype=object)
        missing.append(known["label"].isna().to_numpy())
    total, done = int(sum(rows.sum() for rows in missing)), 0
    for place, (test, rows) in enumerate(zip(tests, missing, strict=True)):
        asked = table[rows]
        paths = [Path(d) / p for d, p in zip(asked["dataset"], asked["path"], strict=True)]
        for row, prediction in zip(
            asked.index, predict(test.run, paths) if paths else (), strict=True
        ):
            if stop():
                raise StopRequestedError
            table.loc[row, [f"label_{place}", f"confidence_{place}"]] = [
                prediction.label,
                prediction.confidence,
            ]
            done += 1
            if progress:
                progress(done, total, _("Photo"))
    table = table.dropna(subset=[f"label_{place}" for place in range(len(tests))])
    table = table.drop(columns="key").reset_index(drop=True)  # without unreadable photos
    for place in range(len(tests)):
        table[f"correct_{place}"] = table[f"label_{place}"] == table["truth"]
        table[f"confidence_{place}"] = table[f"confidence_{place}"].astype(float)
    return table, [int(rows.sum()) for rows in missing]


def _contestant(run: Run, place: int, photos: pd.DataFrame, asked: int) -> ComparedRun:
    metrics = run.metrics
    return ComparedRun(
        run=run,
        letter=LETTERS[place],
        name=display_name(run),
        n=len(photos),
        correct=int(photos[f"correct_{place}"].sum()),
        asked=asked,
        facts={
            "dataset": metrics.dataset,
            "n_train": metrics.n_train,
            "n_test": metrics.n_test,
            "test_accuracy": metrics.test_accuracy,
            "classes": len(metrics.classes),
            "seconds": metrics.seconds.total,
            "epochs_run": metrics.epochs_run,
            "model_bytes": metrics.model_bytes,
            "trainable_weights": metrics.trainable_weights,
            "image_size": metrics.image_size,
            "device": metrics.device,
        },
        tags=read_notes(run).tags,
    )


# --- settings --------------------------------------------------------------------------------


def differing_settings(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Settings whose values are not the same in all runs: name -> letter -> value."""
    values = [run.config.settings.model_dump() for run in runs]
    found = {}
    for name in setting_fields():
        column = [value[name] for value in values]
        if any(value != column[0] for value in column):
            found[name] = dict(zip(LETTERS, column, strict=False))
    return found


def as_json(comparison: Comparison) -> dict[str, Any]:
    """What `compare --json` prints."""
    known = not comparison.on_known_scenes
    return {
        "schema_version": 1,
        "n_photos": len(comparison.photos),
        "n_learned_before": comparison.learned_before,
        "reference": comparison.reference,
        "sentence": comparison.sentence,
        "remarks": list(comparison.remarks),
        "runs": [
            {
                "letter": one.letter,
                "run_dir": str(one.run.folder),
                "name": one.name,
                "tags": list(one.tags),
                "correct": one.correct,
                "accuracy": one.accuracy if known else None,
                "interval": list(one.interval) if known else [0.0, 1.0],
                "asked": one.asked,
                **one.facts,
            }
            for one in comparison.runs
        ],
        "duels": [_test_json(pair) for pair in comparison.significance],
        "tasks": [
            {
                "name": task.name,
                "n_photos": len(task.photos),
                "sentence": task.sentence,
                "runs": [
                    {
                        "letter": one.letter,
                        "correct": one.correct,
                        "accuracy": one.accuracy if known else None,
                        "interval": list(one.interval) if known else [0.0, 1.0],
                    }
                    for one in task.runs
                ],
                "duels": [_test_json(pair) for pair in task.significance],
            }
            for task in comparison.tasks
        ],
        "settings": {name: dict(row) for name, row in comparison.settings.items()},
        "disagreements": len(comparison.disagreements()),
    }


def _test_json(pair: PairedTest) -> dict[str, Any]:
    return {
        "run": pair.letter,
        "against": pair.against,
        "better": pair.better,
        "worse": pair.worse,
        "p_value": pair.p_value,
        "p_corrected": pair.p_corrected,
        "sentence": pair.sentence,
    }
