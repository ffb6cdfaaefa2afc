"""The search for settings: what it leaves, when it says better, and how it stops."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import threadpoolctl  # type: ignore[import-untyped]

from tests.support.small_backbone import SMALL
from translearn_core import cli, datasets, jobs, runs, worker
from translearn_core.errors import SettingsError, StopRequestedError
from translearn_core.evaluation.metrics import paired_gain
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings, make_settings
from translearn_core.runs import Run, study
from translearn_core.runs.study import TrialsConfig
from translearn_core.training import search_trials
from translearn_core.training.search import help_search, search
from translearn_core.training.search_scoring import Score, Search
from translearn_core.training.search_trials import (
    open_study,
    open_trials,
    score_default,
    try_settings,
)

pytestmark = pytest.mark.usefixtures("small_backbone")


def right(share: float, n: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n) < share


def test_a_gain_carries_an_interval_that_no_difference_does_not_leave() -> None:
    same = right(0.8)
    assert paired_gain(same, same) == (0.0, 0.0, 0.0)
    gain, low, high = paired_gain(right(0.95), right(0.6, seed=1))
    assert 0.25 < low < gain < high < 0.45
    gain, low, high = paired_gain(right(0.80), right(0.80, seed=1))
    assert low < 0 < high


def test_settings_are_better_only_beyond_the_noise() -> None:
    default = Score(right=right(0.80), log_loss=0.5)
    flipped = default.right.copy()
    flipped[np.flatnonzero(~flipped)[:1]] = True
    assert not Score(right=flipped, log_loss=0.5).beats(default)
    flipped[np.flatnonzero(~flipped)[:20]] = True
    assert Score(right=flipped, log_loss=0.5).beats(default)


def test_a_search_leaves_trials_runs_and_a_gain_with_its_interval(
    colour_photos: Path,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study, "LEAST_MINUTES", 0.01)  # the search takes all that it is given
    options = ["--minutes", "0.05", "--backbone", SMALL, "--seed", "1", "--json"]
    assert cli.main(["tune", str(colour_photos), *options]) == 0
    result = json.loads(capsys.readouterr().out)
    found = Run(result["study_dir"])
    trials = study.read_trials(found)
    assert trials[0]["settings"] == {}
    assert result["trials"] == sum(1 for trial in trials if not trial["given_up"]) >= 1
    assert study.read_result(found) is not None
    low, high = result["gain_interval"]
    assert low <= result["gain"] <= high
    best, default = Run(result["run_dir"]), Run(result["default_run_dir"])
    assert best.metrics.test_accuracy == pytest.approx(result["test_accuracy"])
    assert default.metrics.n_test == result["n_test"]
    assert {run.folder for run in runs.list_runs()} >= {best.folder, default.folder}
    assert found.state.state == "finished"


def test_a_search_that_is_stopped_at_once_says_so(colour_photos: Path, workspace: Path) -> None:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    found = jobs.create_study(dataset, minutes=5, settings=make_settings({"backbone": SMALL}))
    found.request_stop()
    assert not worker.work(found)
    assert found.state.state == "stopped"
    assert study.read_result(found) is None


class _Threads(Monitor):
    """Notes how many threads BLAS has while settings are tried, and then stops."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.tries = False

    def stage(self, name: str) -> None:
        self.tries = name == "search"

    @property
    def stop_requested(self) -> bool:
        if self.tries:
            found = threadpoolctl.threadpool_info()
            self.threads |= {pool["num_threads"] for pool in found if pool["user_api"] == "blas"}
        return len(self.threads) > 0


def test_blas_has_one_thread_while_settings_are_tried(colour_photos: Path, workspace: Path) -> None:
    """A linear half is learned beside the hidden one because it takes one processor."""
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    run = jobs.create_study(dataset, minutes=5, settings=make_settings({"backbone": SMALL}))
    run.update_state(cluster=True)
    helping = TrialsConfig(created=0.0, study=str(run.folder), number=1)
    begins: tuple[Callable[[Monitor], bool], ...] = (
        lambda told: search(run, told, train_run=lambda _run: False),
        lambda told: help_search(helping, told),
    )
    for begin in begins:
        told = _Threads()
        with threadpoolctl.threadpool_limits(2), suppress(StopRequestedError):
            begin(told)
        assert told.threads == {1}


def test_minutes_out_of_range_are_refused(colour_photos: Path, workspace: Path) -> None:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    with pytest.raises(SettingsError, match="Received: 0"):
        jobs.create_study(dataset, minutes=0, settings=make_settings({"backbone": SMALL}))
    for name in ("start_from", "distill_from"):  # its photos would judge settings
        with pytest.raises(SettingsError, match="cannot build on another run"):
            jobs.create_study(dataset, minutes=5, settings=make_settings({name: "run"}))


class _Guessing(Search):
    """A search that scores settings by their text, at once."""

    def score(self, settings: Settings, monitor: Monitor) -> Score | None:
        time.sleep(0.01)
        seed = zlib.crc32(settings.model_dump_json().encode())
        return None if seed % 5 == 0 else Score(right=right(0.7, 41, seed), log_loss=0.5)


class _Rounds(Monitor):
    """Says stop after so many looks, and keeps the events."""

    def __init__(self, rounds: int) -> None:
        self._left = rounds
        self.told: list[dict[str, Any]] = []

    @property
    def stop_requested(self) -> bool:
        self._left -= 1
        return self._left < 0

    def event(self, kind: str, **fields: Any) -> None:
        self.told.append(fields)


def test_machines_share_the_trials_of_a_search_by_its_journal(
    colour_photos: Path, workspace: Path
) -> None:
    """Two that try settings at once, and one that goes on with the search after its node was lost."""
    dataset = datasets.import_source(colour_photos)
    run = jobs.create_study(dataset, minutes=1.0, settings=Settings(backbone=SMALL))
    run.update_state(cluster=True)
    plan = make_plan(run)

    def searching(rounds: int, *, leads: bool) -> tuple[Search, _Rounds]:
        monitor = _Rounds(rounds)
        found = _Guessing(run=run, plan=plan, monitor=monitor, minutes=1.0, began=0.0, leads=leads)
        found.space.backbones = [plan.backbone]
        return found, monitor

    first, told = searching(14, leads=True)
    helping, silent = searching(14, leads=False)
    trials = open_trials(first, until=time.time() + 60)
    helper = open_study(helping, shared=True, number=1)
    threads = [
        threading.Thread(target=try_settings, args=(found, kept, found.monitor))
        for found, kept in ((first, trials), (helping, helper))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not silent.told
    ended, _ = searching(0, leads=True)
    ended_trials = open_trials(ended, until=0.0)
    ended_trials.told = len(told.told)
    try_settings(ended, ended_trials, ended.monitor)
    assert {*first.scores} | {*helping.scores} == {*ended.scores}
    tried = [
        trial.user_attrs["settings"]
        for trial in ended_trials.study.get_trials()
        if "seconds" in trial.user_attrs
    ]
    assert len(tried) == len(set(tried)) == len(ended.scores) + ended.given_up > 8
    values = {key: score.value for key, score in ended.scores.items()}
    assert values[ended.leader] == max(values.values())
    assert json.loads(tried[0]) == plan.settings.model_dump(mode="json"), "the default comes first"


def test_a_lock_that_a_lost_machine_left_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_trials, "LOST_AFTER_S", 3)
    trials = search_trials.Trials(study=None, journal=tmp_path / "journal.log")
    with trials.choosing():
        (left,) = tmp_path.iterdir()
    left.touch()
    entered = []

    def choose() -> None:
        with trials.choosing():
            entered.append(True)

    thread = threading.Thread(target=choose, daemon=True)
    thread.start()
    thread.join(60)
    assert entered
    assert not left.exists()


class _Lost(_Guessing):
    """A search whose machine is lost during its first trial."""

    def score(self, settings: Settings, monitor: Monitor) -> Score | None:
        raise ConnectionError


def test_a_search_that_begins_again_still_has_the_default_to_compare_with(
    colour_photos: Path, workspace: Path
) -> None:
    run = jobs.create_study(
        datasets.import_source(colour_photos), minutes=1.0, settings=Settings(backbone=SMALL)
    )
    run.update_state(cluster=True)
    plan = make_plan(run)

    def searching(kind: type[Search], rounds: int) -> Search:
        found = kind(run=run, plan=plan, monitor=_Rounds(rounds), minutes=1.0, began=0.0)
        found.space.backbones = [plan.backbone]
        return found

    for number in (0, 1):  # the search, and a helper that goes on
        lost = searching(_Lost, 1)
        trials = open_study(lost, shared=True, number=number)
        if not number:
            trials = open_trials(lost, until=time.time() + 60)
        with pytest.raises(ConnectionError):
            try_settings(lost, trials, lost.monitor)
    again = searching(_Guessing, 3)
    trials = open_trials(again, until=time.time() + 60)
    states = [trial.state.name for trial in trials.study.get_trials()]
    assert states == ["FAIL", "RUNNING", "WAITING"]
    try_settings(again, trials, again.monitor)
    default = plan.settings.model_dump_json()
    assert again.space.default.model_dump_json() == default
    assert default in again.scores
    # where it was a helper that was lost with the default, it is scored at the end
    del again.scores[default]
    again.monitor = _Rounds(3)
    assert score_default(again, trials)
    assert default in again.scores
    del again.scores[default]
    again.monitor = _Rounds(0)
    assert not score_default(again, trials), "a person said stop"
