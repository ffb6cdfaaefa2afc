"""Hyperparameter search within a time limit.

Owns: what is tried (the space), how a trial is scored, when the search ends, and how the gain over
the default is stated.
Leaves to others: the files (`runs/study.py`), learning (`train.py`), the optimiser (Optuna).

A trial learns as a run would, on cached features, in cross-validation over the photos outside the
test part; it is given up after one fold when it falls far behind. The test photos are touched once,
at the end, by the best settings and by the default: the gain is the difference on the same photos,
with a bootstrap interval and McNemar's exact test. Settings only count as better when they beat
the default by more than two standard errors in cross-validation; otherwise the default stands.

On a cluster other machines try settings, too (`help_search`): all share Optuna's journal in the folder of the
search, and each trial carries what came out. The process of the search alone tells events and ends it.

Optuna's TPE: Bergstra et al. 2011, https://papers.nips.cc/paper/4443.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from translearn_core import backbones, runs
from translearn_core.arrays import Array, Bools
from translearn_core.atomic import write_atomically
from translearn_core.backbones import Backbone, freezing
from translearn_core.backbones.weights import weights_status
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.cross_validation import assign_folds
from translearn_core.evaluation.linear_probe import log_loss
from translearn_core.evaluation.metrics import paired_gain
from translearn_core.evaluation.significance import mcnemar
from translearn_core.features import costs
from translearn_core.fitting.data import TrainingData, gather_training_data
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.formatting import percent
from translearn_core.i18n import _, ngettext
from translearn_core.monitor import Monitor
from translearn_core.runs import Run
from translearn_core.runs import study as study_files
from translearn_core.runs.predictions import read_predictions
from translearn_core.runs.study import StudyResult, TrialsConfig, read_plan
from translearn_core.settings import Settings, make_settings
from translearn_core.training.save import Clock
from translearn_core.training.train import OPERATIONS_PER_S, learn

logger = logging.getLogger(__name__)

FOLDS = 3
GIVE_UP_BEHIND = 0.05
"""A trial ends after a fold where it is right so much less often than the leader was there."""
TRIAL_EPOCHS = 20
"""Most rounds of a trial: enough to tell settings apart, in half the time of a run."""
LEAST_KEPT = 0.3
"""Share of the time that is kept for the two trainings at the end."""
MOST_BACKBONES = 4
MOST_TRIED = 200
"""After so many settings the search ends when one is proposed again."""
DEEP_MINUTES = 10.0
"""From so many minutes on, trials may also free the last blocks; each takes minutes itself."""
LOSS_WEIGHT = 0.02
"""How much the log-loss counts beside the accuracy, to tell equals apart."""
LOST_AFTER_S = 30
"""Choosing takes far less; a machine that takes longer is lost."""
CERTAINTY = 2.0
"""Standard errors by which settings have to beat the default: the best of many looks about one
better than it is, because it was picked."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What cross-validation says of settings: `right` `(n,) bool` by photo, and the log-loss."""

    right: Bools
    log_loss: float

    @property
    def accuracy(self) -> float:
        """Share of photos that were named right by a head that had not learned from them."""
        return float(self.right.mean())

    @property
    def value(self) -> float:
        """What the search makes as large as it can."""
        return self.accuracy - LOSS_WEIGHT * min(self.log_loss, 5.0)

    def beats(self, other: Score) -> bool:
        """Whether it is better by more than `CERTAINTY` standard errors, with McNemar's correction."""
        better = int((self.right & ~other.right).sum())
        worse = int((~self.right & other.right).sum())
        return bool(better - worse - 1 > CERTAINTY * (better + worse) ** 0.5)


@dataclass
class Search:
    """One search while it goes on.

    Args:
        run: its folder.
        plan: of its default settings.
        monitor: told of trials and stages.
        minutes: how long it may take.
        began: by the monotonic clock.
        leads: whether this process tells trials as events, and ends the search; others help it.
    """

    run: Run
    plan: Plan
    monitor: Monitor
    minutes: float
    began: float
    scores: dict[str, Score] = field(default_factory=dict)
    settings: dict[str, Settings] = field(default_factory=dict)
    leader: str = ""
    given_up: int = 0
    leads: bool = True
    _materials: dict[tuple[Any, ...], TrainingData] = field(default_factory=dict)

    @cached_property
    def backbones(self) -> list[Backbone]:
        """The default's backbone, and others that are ready and quick enough, the best first."""
        default = self.plan.backbone
        others = [
            row
            for row in backbones.BACKBONES.values()
            if row.top1 is not None
            and row.name != default.name
            and weights_status(row).state == "ready"
            and self._pass_s(row) < 0.1 * self.minutes * 60
        ]
        return [default, *sorted(others, key=lambda row: -(row.top1 or 0))][:MOST_BACKBONES]

    def _pass_s(self, backbone: Backbone) -> float:
        """Seconds that looking at all photos through a backbone takes, about."""
        n = len(self.plan.dataset.photos)
        measured = costs.expected_pass_s(backbone.name, n)
        if measured is not None:
            return measured
        area = (backbone.default_size / backbone.input_size) ** 2
        macs = sum(block.macs for block in freezing.blocks_of(backbone).blocks)
        return n * 2 * macs * area / OPERATIONS_PER_S

    def propose(self, trial: Any) -> Settings:
        """Settings that Optuna suggests."""
        values: dict[str, Any] = {
            "backbone": trial.suggest_categorical("backbone", [row.name for row in self.backbones]),
            "head": trial.suggest_categorical("head", ["auto", "hidden", "linear"]),
            "dropout": trial.suggest_float("dropout", 0.1, 0.7, step=0.1),
            "learning_rate": trial.suggest_float("learning_rate", 2e-4, 5e-3, log=True),
            "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2, step=0.05),
            "augmentation": trial.suggest_categorical("augmentation", ["auto", "none"]),
        }
        if values["head"] != "linear":
            values["hidden_units"] = trial.suggest_categorical("hidden_units", [256, 512, 1024])
        if self.minutes >= DEEP_MINUTES:
            free = trial.suggest_categorical("free_blocks", [0, 0, 1, 2])
            values |= {"freeze": -free, "augmentation": "none"} if free else {}
        values["learning_rate"] = float(f"{values['learning_rate']:.2g}")
        values["dropout"] = round(values["dropout"], 2)
        values["label_smoothing"] = round(values["label_smoothing"], 2)
        return make_settings(values, base=self.plan.settings)

    def begin_with(self) -> list[dict[str, Any]]:
        """The first trials: the default, and its backbone changed; by Optuna's names."""
        default = self.plan.settings
        values = {
            "head": default.head,
            "dropout": default.dropout,
            "learning_rate": default.learning_rate,
            "label_smoothing": default.label_smoothing,
            "augmentation": "auto",
            "hidden_units": default.hidden_units,
            "free_blocks": 0,
        }
        return [values | {"backbone": row.name} for row in self.backbones] + [
            values | {"backbone": self.plan.backbone.name, "head": "linear", "dropout": 0.3}
        ]

    @cached_property
    def default(self) -> Settings:
        """What everything is held against; tried first, and never given up."""
        from optuna.trial import FixedTrial

        return self.propose(FixedTrial(self.begin_with()[0]))

    def score(self, settings: Settings, monitor: Monitor) -> Score | None:
        """Cross-validate settings; None when they were given up, or the monitor said stop."""
        plan = replace(make_plan(self.run, settings), fit_choice=self.plan.fit_choice)
        data = self._material(plan, monitor)
        rows = np.flatnonzero(data.split != "test")
        folds = self._folds(data, rows)
        epochs = min(settings.epochs, TRIAL_EPOCHS)
        short = settings.model_copy(update={"refit": False, "epochs": epochs})
        learning = replace(plan, settings=short, augmentation=data.mirroring.augmentation)
        right = np.zeros(len(rows), bool)
        answers = np.zeros((len(rows), len(data.classes)), np.float64)
        leader = self.scores.get(self.leader)
        for fold in range(FOLDS):
            judged = folds == fold
            if not judged.any():  # there are fewer groups than folds
                continue
            answers[judged] = self._learn_fold(learning, data, rows, judged, monitor)
            if monitor.stop_requested:
                return None
            right[judged] = answers[judged].argmax(axis=1) == data.labels[rows[judged]]
            behind = (
                leader is not None
                and settings != self.default
                and right[judged].mean() < leader.right[judged].mean() - GIVE_UP_BEHIND
            )
            if behind and fold == 0:
                return None
        return Score(right=right, log_loss=log_loss(answers, data.labels[rows]))

    def _learn_fold(
        self,
        plan: Plan,
        data: TrainingData,
        rows: Array,
        judged: Bools,
        monitor: Monitor,
    ) -> Array:
        """Probabilities of the photos of one fold, by a model that learned from the others."""
        split = data.split.copy()
        split[rows] = np.where(judged, "val", "train")
        with_fold = replace(data, split=split)
        return learn(plan, with_fold, monitor.silent(), Clock()).validation.probs

    def _material(self, plan: Plan, monitor: Monitor) -> TrainingData:
        """Photos and features of a plan, gathered once."""
        key = (
            plan.backbone.name,
            plan.image_size,
            plan.fit,
            plan.augmentation,
            plan.freeze.cut_layer,
        )
        if key not in self._materials:
            data = gather_training_data(plan, monitor.silent())
            self._materials[key] = replace(data, network=None)  # every trial changes its own
        return self._materials[key]

    def _folds(self, data: TrainingData, rows: Array) -> Array:
        """The fold of each photo, the same in every trial; copies stay together."""
        codes = pd.factorize(data.groups[rows])[0].astype(np.int64)
        return assign_folds(
            data.labels[rows],
            codes,
            folds=FOLDS,
            rng=np.random.default_rng([self.plan.settings.seed, 11]),
        )


def search(run: Run, monitor: Monitor, train_run: Callable[[Run], bool]) -> bool:
    """Search, train the best settings and the default, and write what came out.

    Args:
        run: the folder of the search.
        train_run: trains a run within this process.

    Returns:
        True when it ran to its end, False when a person stopped it.

    Raises:
        TransLearnError: it cannot go on; the message is for a person.
        StopRequestedError: it was stopped before anything was tried.
    """
    began = time.monotonic()
    minutes = read_plan(run).minutes
    plan = make_plan(run)
    monitor.update(device=plan.device)
    found = Search(run=run, plan=plan, monitor=monitor, minutes=minutes, began=began)
    monitor.stage("features")
    gather_training_data(plan, monitor)
    monitor.check_stop()
    monitor.stage("search")
    monitor.leaves_result()
    left_s = began + minutes * 60 * (1 - LEAST_KEPT) - time.monotonic()
    trials = _open_trials(found, until=time.time() + left_s)
    _try_settings(found, trials, monitor.until(time.monotonic() + left_s))
    if found.leader == "" or not _score_default(found, trials):
        return False
    _finish(found, train_run)
    return not monitor.stop_requested


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
        from optuna.storages.journal import JournalFileOpenLock

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


def _open_trials(found: Search, *, until: float) -> Trials:
    """The trials of a search, those of an earlier process of it included.

    Args:
        until: when the last one may begin, in unix seconds.
    """
    shared = found.run.written_state.cluster
    trials = _open_study(found, shared=shared)
    if shared:
        trials.told = sum(1 for event in found.run.events()[0] if event["kind"] == "trial")
        trials.study.set_user_attr("backbones", [row.name for row in found.backbones])
        trials.study.set_user_attr("until", until)
        _queue_again(trials)
    for values in found.begin_with():
        trials.study.enqueue_trial(values, skip_if_exists=True)
    return trials


def _queue_again(trials: Trials) -> None:
    """Give up the trials that a lost process of the search was at, and queue again what it began with."""
    from optuna.trial import TrialState

    for trial in trials.study.get_trials(states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("by") != trials.number:  # a helper is at it
            continue
        trials.study.tell(trial.number, state=TrialState.FAIL)
        if "fixed_params" in trial.system_attrs:
            trials.study.enqueue_trial(trial.system_attrs["fixed_params"])


def _open_study(found: Search, *, shared: bool, number: int = 0) -> Trials:
    """Trials in memory, or in a journal in the folder of the search.

    Args:
        number: of the helper; 0 is the search itself. Each draws other settings.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

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


def help_search(config: TrialsConfig, monitor: Monitor) -> bool:
    """Try settings for a search that another machine leads, until its time is up.

    Returns:
        True.

    Raises:
        StopRequestedError: it was stopped.
    """
    run = Run(config.study)
    plan = make_plan(run)
    monitor.update(device=plan.device)
    found = Search(
        run=run,
        plan=plan,
        monitor=monitor,
        minutes=read_plan(run).minutes,
        began=time.monotonic(),
        leads=False,
    )
    monitor.stage("features")
    gather_training_data(plan, monitor)
    monitor.stage("search")
    trials = _open_study(found, shared=True, number=config.number)
    told = trials.study.user_attrs
    found.backbones = [backbones.BACKBONES[name] for name in told["backbones"]]
    left_s = told["until"] - time.time()
    timed = monitor.until(time.monotonic() + left_s)
    _try_settings(found, trials, timed, first=timed)
    monitor.check_stop()
    return True


def _try_settings(
    found: Search, trials: Trials, timed: Monitor, *, first: Monitor | None = None
) -> None:
    """Trials until the time of `timed` is up or a person says stop; each is told as an event.

    The first one, the default, is tried to its end however little time there is.

    Args:
        first: says when the first one has to stop; without it only a person does.
    """
    from optuna.trial import TrialState

    study = trials.study
    tried: set[str] = set()
    monitor = first or found.monitor
    while not monitor.stop_requested:
        with trials.choosing():
            tried |= _take_over(found, trials)
            trial = study.ask()
            settings = found.propose(trial)
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


def _score_default(found: Search, trials: Trials) -> bool:
    """See that the default has a score: a machine that was at it may be lost. False: it was stopped."""
    key = found.default.model_dump_json()
    if key in found.scores:
        return True
    if found.monitor.stop_requested:
        return False
    began = time.monotonic()
    try:
        score = found.score(found.default, found.monitor)
    except StopRequestedError:
        score = None
    if score is None:
        return False
    _take_down(found, trials, key, found.default, score, time.monotonic() - began)
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


def _finish(found: Search, train_run: Callable[[Run], bool]) -> None:
    """Decide, train what was decided and the default, and write result.json."""
    default_key = found.default.model_dump_json()
    default, leader = found.scores[default_key], found.scores[found.leader]
    best_key = found.leader if leader.beats(default) else default_key
    best = found.settings[best_key]
    facts: dict[str, Any] = {
        "study_dir": str(found.run.folder),
        "trials": len(found.scores),
        "best": {
            name: value
            for name, value in best.model_dump().items()
            if value != getattr(found.plan.settings, name)
        },
        "validation_accuracy": found.scores[best_key].accuracy,
        "default_validation_accuracy": default.accuracy,
    }
    if not found.monitor.stop_requested:
        found.monitor.stage("train_best")
        facts |= _train_and_judge(found, best, best_key == default_key, train_run)
    facts["seconds"] = round(time.monotonic() - found.began, 1)
    facts["given_up"] = found.given_up
    facts["sentence"] = _sentence(facts)
    result = StudyResult.model_validate(facts)
    write_atomically(found.run.folder / "result.json", result.model_dump_json(indent=1))


def _train_and_judge(
    found: Search, best: Settings, same: bool, train_run: Callable[[Run], bool]
) -> dict[str, Any]:
    """Train the best settings and the default as runs, and hold them against each other."""
    run = _train_as_run(found, best, _("The best of a search"), train_run)
    if run is None:
        return {}
    facts: dict[str, Any] = {"run_dir": str(run.folder)}
    other: Run | None = run
    if not same and found.monitor.stop_requested:
        return facts
    if not same:
        found.monitor.stage("train_default")
        title = _("Recommended settings, to compare a search with")
        other = _train_as_run(found, found.plan.settings, title, train_run)
    if other is None:
        return facts
    mine, theirs = (read_predictions(one) for one in (run, other))
    pairs = mine.merge(theirs, on="path")
    first, second = (pairs[f"correct_{side}"].to_numpy(bool) for side in "xy")
    gain, low, high = paired_gain(first, second, seed=found.plan.settings.seed)
    better, worse = int((first & ~second).sum()), int((~first & second).sum())
    known = not run.metrics.tested_on_known_scenes
    return facts | {
        "default_run_dir": str(other.folder),
        "n_test": len(pairs),
        "test_accuracy": float(first.mean()) if known else None,
        "default_test_accuracy": float(second.mean()) if known else None,
        "gain": gain,
        "gain_interval": (low, high),
        "p_value": mcnemar(better, worse),
    }


def _train_as_run(
    found: Search, settings: Settings, name: str, train_run: Callable[[Run], bool]
) -> Run | None:
    """A run of the workspace with these settings; None when it left no result."""
    config = found.run.config
    run = runs.create_run(
        Path(config.dataset),
        settings,
        dataset_name=config.dataset_name,
        fingerprint=config.fingerprint,
        name=name,
    )
    ended = threading.Event()

    def pass_on_stop() -> None:
        while not ended.wait(0.2):
            if found.monitor.stop_requested:
                run.request_stop()
                return

    watcher = threading.Thread(target=pass_on_stop, name="pass-on-stop", daemon=True)
    watcher.start()
    try:
        return run if train_run(run) else None
    finally:
        ended.set()
        watcher.join()


def _sentence(facts: dict[str, Any]) -> str:
    """What the search brought, in words that claim no more than the photos say."""
    n = facts["trials"] + facts["given_up"]
    tried = ngettext("{n} setting tried.", "{n} settings tried.", n).format(n=n)
    if n < 2:
        return _("There was only time for the recommended settings. Give the search more minutes.")
    if not facts["best"]:
        return (
            _(
                "Nothing beat the recommended settings by more than chance: they stay the best "
                "choice."
            )
            + " "
            + tried
        )
    if facts.get("gain") is None:
        return (
            _(
                "In cross-validation the best settings are right on {best}, the recommended ones on "
                "{default}; they were not run on the test photos."
            )
        ).format(
            best=percent(facts["validation_accuracy"], 1),
            default=percent(facts["default_validation_accuracy"], 1),
        ) + f" {tried}"
    low, high = facts["gain_interval"]
    if facts["test_accuracy"] is None:
        text = _(
            "Many of the {n} test photos are of scenes that were learned from: what the best settings "
            "bring in other scenes is not known."
        ).format(n=facts["n_test"])
        return f"{text} {tried}"
    text = _(
        "On {n} test photos that the search never saw, the best settings are right on {best} and "
        "the default on {default}: {gain:+.1f} points (95 % confidence interval: {low:+.1f} to "
        "{high:+.1f})."
    ).format(
        n=facts["n_test"],
        best=percent(facts["test_accuracy"], 1),
        default=percent(facts["default_test_accuracy"], 1),
        gain=100 * facts["gain"],
        low=100 * low,
        high=100 * high,
    )
    if low <= 0:
        text += " " + _("That may be chance.")
    return f"{text} {tried}"
