"""The end of a search: the best settings and the default are trained, and the gain is stated.

Owns: which settings win, result.json, and the sentence on the gain.
Leaves to others: the file's keys (`runs/study.py`), scores (`search_scoring.py`), training
(`train.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from translearn_core import runs
from translearn_core.atomic import write_atomically
from translearn_core.evaluation.metrics import paired_gain
from translearn_core.evaluation.significance import mcnemar
from translearn_core.formatting import percent
from translearn_core.i18n import _, ngettext
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_core.runs.predictions import read_predictions
from translearn_core.runs.study import StudyResult
from translearn_core.training.search_scoring import Search


def write_result(found: Search, train_run: Callable[[Run], bool]) -> None:
    """Decide, train what was decided and the default, and write result.json."""
    default_key = found.space.default.model_dump_json()
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
