"""Hyperparameter search within a time limit.

Owns: the steps of a search (`search`), and what another machine does for it (`help_search`).
Leaves to others: what is tried (`search_space.py`), how settings are scored (`search_scoring.py`), the
trials and what machines share of them (`search_trials.py`), the trainings at the end and what is said
of the gain (`search_result.py`), the files (`runs/study.py`), learning (`train.py`).

A trial learns as a run would, on cached features, in cross-validation over the photos outside the
test part; it is given up after one fold when it falls far behind. The test photos are touched once,
at the end, by the best settings and by the default: the gain is the difference on the same photos,
with a bootstrap interval and McNemar's exact test. Settings only count as better when they beat
the default by more than two standard errors in cross-validation; otherwise the default stands.

On a cluster other machines try settings, too: all share Optuna's journal in the folder of the search,
and each trial carries what came out. The process of the search alone tells events and ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from translearn_core import backbones
from translearn_core.fitting.data import gather_training_data
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import Monitor
from translearn_core.runs import Run
from translearn_core.runs.study import TrialsConfig, read_plan
from translearn_core.training.search_result import write_result
from translearn_core.training.search_scoring import Search
from translearn_core.training.search_trials import (
    open_study,
    open_trials,
    score_default,
    try_settings,
)

LEAST_KEPT = 0.3
"""Share of the time that is kept for the two trainings at the end."""


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
    with plan.limit_blas():
        return _search(found, train_run)


def _search(found: Search, train_run: Callable[[Run], bool]) -> bool:
    plan, monitor = found.plan, found.monitor
    monitor.stage("features")
    gather_training_data(plan, monitor)
    monitor.check_stop()
    monitor.stage("search")
    monitor.leaves_result()
    left_s = found.began + found.minutes * 60 * (1 - LEAST_KEPT) - time.monotonic()
    trials = open_trials(found, until=time.time() + left_s)
    try_settings(found, trials, monitor.until(time.monotonic() + left_s))
    if found.leader == "" or not score_default(found, trials):
        return False
    write_result(found, train_run)
    return not monitor.stop_requested


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
    with plan.limit_blas():
        _help(found, config.number)
    return True


def _help(found: Search, number: int) -> None:
    plan, monitor = found.plan, found.monitor
    monitor.stage("features")
    gather_training_data(plan, monitor)
    monitor.stage("search")
    trials = open_study(found, shared=True, number=number)
    told = trials.study.user_attrs
    found.space.backbones = [backbones.BACKBONES[name] for name in told["backbones"]]
    left_s = told["until"] - time.time()
    timed = monitor.until(time.monotonic() + left_s)
    try_settings(found, trials, timed, first=timed)
    monitor.check_stop()
