"""The trials of a search, by Optuna, and what machines share of them.

Owns: Optuna's study and its journal, the loop that tries settings until the time is up, what a trial
tells the other machines, and the event of each trial.
Leaves to others: what is tried (`search_space.py`), scores (`search_scoring.py`).

Optuna's TPE: Bergstra et al. 2011, https://papers.nips.cc/paper/4443.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from translearn_core.errors import StopRequestedError
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings
from translearn_core.runs import study as study_files
from translearn_core.training.search_scoring import Score, Search

MOST_TRIED = 200
"""After so many settings the search ends when one is proposed again."""
LOST_AFTER_S = 30
"""Choosing takes far less; a machine that takes longer is lost."""


@dataclass
class Trials:
    """The trials of a search, by Optuna.

    Attributes:
        study: Optuna's.
        number: of the helper that this process is; 0 is the search itself.
        known: numbers of the trials that this process has taken down.
        told: how many of them an earlier process of the search has told as events.
        journal: their file, where they are shared.
    """

    study: Any
    journal: Path | None = None
    number: int = 0
    known: set[int] = field(default_factory=set)
    told: int = 0

    @property
    def shared(self) -> bool:
        """Whether other machines try settings, too; each trial then says what came out."""
        return self.journal is not None

    @contextmanager
    def choosing(self) -> Iterator[None]:
        """Hold back the other machines, so that no two choose the same settings at once.

        The lock is a file beside the journal; one that a lost machine left is broken after a while.
        """
        if self.journal is None:
            yield
            return
        lock = JournalFileOpenLock(f"{self.journal}.choosing", grace_period=LOST_AFTER_S)
        lock.acquire()
        try:
            yield
        finally:
            with suppress(RuntimeError):  # another machine took this one for lost
                lock.release()


def open_trials(found: Search, *, until: float) -> Trials:
    """The trials of a search, those of an earlier process of it included.

    Args:
        until: when the last one may begin, in unix seconds.
    """
    shared = found.run.written_state.cluster
    trials = open_study(found, shared=shared)
    if shared:
        trials.told = sum(1 for event in found.run.events()[0] if event["kind"] == "trial")
        trials.study.set_user_attr("backbones", [row.name for row in found.space.backbones])
        trials.study.set_user_attr("until", until)
        _queue_again(trials)
    for values in found.space.begin_with():
        trials.study.enqueue_trial(values, skip_if_exists=True)
    return trials


def _queue_again(trials: Trials) -> None:
    """Give up the trials that a lost process of the search was at, and queue again what it began with."""
    for trial in trials.study.get_trials(states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("by") != trials.number:  # a helper is at it
            continue
        trials.study.tell(trial.number, state=TrialState.FAIL)
        if "fixed_params" in trial.system_attrs:
            trials.study.enqueue_trial(trial.system_attrs["fixed_params"])


def open_study(found: Search, *, shared: bool, number: int = 0) -> Trials:
    """Trials in memory, or in a journal in the folder of the search.

    Args:
        number: of the helper; 0 is the search itself. Each draws other settings.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=found.plan.settings.seed + number, n_startup_trials=8)
    journal = found.run.folder / study_files.JOURNAL if shared else None
    opened = optuna.create_study(
        study_name="search",
        storage=JournalStorage(JournalFileBackend(str(journal))) if journal else None,
        load_if_exists=True,
        direction="maximize",
        sampler=sampler,
    )
    return Trials(opened, journal, number)


def try_settings(
    found: Search, trials: Trials, timed: Monitor, *, first: Monitor | None = None
) -> None:
    """Trials until the time of `timed` is up or a person says stop; each is told as an event.

    The first one, the default, is tried to its end however little time there is.

    Args:
        first: says when the first one has to stop; without it only a person does.
    """
    study = trials.study
    tried: set[str] = set()
    monitor = first or found.monitor
    while not monitor.stop_requested:
        with trials.choosing():
            tried |= _take_over(found, trials)
            trial = study.ask()
            settings = found.space.propose(trial)
            key = settings.model_dump_json()
            is_new = key not in tried
            if is_new and trials.shared:
                trial.set_user_attr("by", trials.number)
                trial.set_user_attr("settings", key)
        if not is_new:
            known = found.scores.get(key)
            if known is None and trials.shared:  # another machine is at it
                study.tell(trial, state=TrialState.FAIL)
            else:
                study.tell(trial, known.value if known else 0.0)
            if len(tried) > MOST_TRIED:
                break
            continue
        tried.add(key)
        began = time.monotonic()
        try:
            score = found.score(settings, monitor)
        except StopRequestedError:
            score = None
        seconds = time.monotonic() - began
        if score is None and monitor.stop_requested:
            if trials.shared:
                study.tell(trial, state=TrialState.FAIL)
            break
        trials.known.add(trial.number)
        _take_down(found, trials, key, settings, score, seconds)
        monitor = timed
        if trials.shared:
            for name, value in _told(score, seconds).items():
                trial.set_user_attr(name, value)
        if score is None:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, score.value)
    _take_over(found, trials)


def score_default(found: Search, trials: Trials) -> bool:
    """See that the default has a score: a machine that was at it may be lost. False: it was stopped."""
    key = found.space.default.model_dump_json()
    if key in found.scores:
        return True
    if found.monitor.stop_requested:
        return False
    began = time.monotonic()
    try:
        score = found.score(found.space.default, found.monitor)
    except StopRequestedError:
        score = None
    if score is None:
        return False
    _take_down(found, trials, key, found.space.default, score, time.monotonic() - began)
    return True


def _told(score: Score | None, seconds: float) -> dict[str, Any]:
    """What came out of a trial, for the other machines."""
    if score is None:
        return {"seconds": seconds}
    return {
        "right": np.packbits(score.right).tobytes().hex(),
        "photos": len(score.right),
        "log_loss": score.log_loss,
        "seconds": seconds,
    }


def _take_over(found: Search, trials: Trials) -> set[str]:
    """Take down what other machines, or an earlier process of this search, have tried.

    Returns:
        The settings that they have tried or are trying, as JSON.
    """
    if not trials.shared:
        return set()
    keys = set()
    for trial in trials.study.get_trials(deepcopy=False):
        told = trial.user_attrs
        if trial.state.name == "FAIL":
            continue
        if "settings" in told:
            keys.add(told["settings"])
        if trial.number in trials.known or not trial.state.is_finished() or "seconds" not in told:
            continue
        trials.known.add(trial.number)
        score = None
        if "right" in told:
            bits = np.frombuffer(bytes.fromhex(told["right"]), np.uint8)
            right = np.unpackbits(bits, count=told["photos"]).astype(bool)
            score = Score(right=right, log_loss=told["log_loss"])
        settings = Settings.model_validate_json(told["settings"])
        _take_down(found, trials, told["settings"], settings, score, told["seconds"])
    return keys


def _take_down(
    found: Search,
    trials: Trials,
    key: str,
    settings: Settings,
    score: Score | None,
    seconds: float,
) -> None:
    """Keep a trial's score, see whether it leads, and tell it."""
    leads = False
    if score is None:
        found.given_up += 1
    else:
        leader = found.scores.get(found.leader)
        leads = leader is None or score.value > leader.value
        found.scores[key], found.settings[key] = score, settings
        if leads:
            found.leader = key
    if not found.leads:
        return
    if trials.told:
        trials.told -= 1
        return
    changed = {
        name: value
        for name, value in settings.model_dump().items()
        if value != getattr(found.plan.settings, name)
    }
    found.monitor.event(
        "trial",
        number=sum(1 for event in found.run.events()[0] if event["kind"] == "trial") + 1,
        settings=changed,
        accuracy=None if score is None else round(score.accuracy, 5),
        log_loss=None if score is None else round(score.log_loss, 5),
        given_up=score is None,
        best=leads,
        seconds=round(seconds, 2),
    )
