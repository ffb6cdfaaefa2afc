"""The records of a hyperparameter search: its folder, its trials, its result.

Owns: the files of a search and their meaning, reading and listing searches.
Leaves to others: making one (`jobs/`), the search itself (`training/search.py` and its siblings), the process
(`worker.py`).

A search is a folder `<workspace>/studies/<id>/` with the files of a run (`config.json` with the
settings that it begins with, `state.json`, `events.jsonl`, `stop`, `log.txt`; see `job.py`) and
    study.json    `StudyPlan`, written once
    result.json   `StudyResult`, once it has ended
    trials.journal  on a cluster: the trials of all machines, in Optuna's own form
    helpers/<n>/  on a cluster: job folders of the machines that try settings, too (`TrialsConfig`)
Its events are those of a run, and `trial`: `number`, `settings` (those that differ from the
default), `accuracy` and `log_loss` in cross-validation (None where it was pruned), `given_up`,
`best` (whether it is the best so far), `seconds`. Imports nothing heavy: pages read searches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core import runs
from translearn_core.config import home
from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs.job import JobConfig, Kind
from translearn_core.runs.run import Run

LEAST_MINUTES, MOST_MINUTES = 0.2, 24 * 60.0


JOURNAL = "trials.journal"
HELPERS = "helpers"


class TrialsConfig(JobConfig):
    """Which search a machine of a cluster helps with."""

    kind: Kind = "trials"
    study: str
    """Folder of the search, absolute."""
    number: int
    """Of the helper, from 1."""


class StudyPlan(BaseModel):
    """What a search was asked to do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = 1
    minutes: float


class StudyResult(BaseModel):
    """What a search found.

    `gain` is the difference in test accuracy between the best settings and the default, with its 95
    % interval; None where it was stopped before both were trained.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = 1
    study_dir: str
    run_dir: str | None = None
    """The run with the best settings."""
    default_run_dir: str | None = None
    trials: int
    """Completed trials."""
    best: dict[str, Any]
    """Settings of the best trial that differ from the default; empty where none was better."""
    validation_accuracy: float
    default_validation_accuracy: float
    """In cross-validation, on out-of-fold photos outside the test set."""
    test_accuracy: float | None = None
    default_test_accuracy: float | None = None
    n_test: int = 0
    gain: float | None = None
    gain_interval: tuple[float, float] | None = None
    p_value: float | None = None
    """McNemar's exact test."""
    seconds: float
    sentence: str


def is_study(run: Run) -> bool:
    """Whether a folder is that of a search."""
    return (run.folder / "study.json").is_file()


def read_plan(study: Run) -> StudyPlan:
    """What a search was asked to do.

    Raises:
        RunError: the folder is none of a search.
    """
    try:
        return StudyPlan.model_validate_json((study.folder / "study.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(
            _("{folder} is no search for settings.").format(folder=study.folder)
        ) from error


def read_result(study: Run) -> StudyResult | None:
    """What a search found; None before it has ended."""
    try:
        return StudyResult.model_validate_json((study.folder / "result.json").read_bytes())
    except (OSError, ValidationError):
        return None


def read_trials(study: Run) -> list[dict[str, Any]]:
    """The trials so far, in their order; see the module docstring for their fields."""
    return [event for event in study.events()[0] if event["kind"] == "trial"]


def folder_of_studies() -> Path:
    """The folder of searches."""
    return home() / "studies"


def list_studies(dataset_id: str = "") -> list[Run]:
    """The searches of the workspace, or of one data set, newest first."""
    studies = [study for study in runs.list_runs(folder_of_studies()) if is_study(study)]
    if not dataset_id:
        return studies
    return [study for study in studies if Path(study.config.dataset).name == dataset_id]
