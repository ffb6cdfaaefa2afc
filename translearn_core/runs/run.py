"""Run folders: the files of a training or a search, listing and deleting runs.

Owns: the files of a run and their meaning.
Leaves to others: what a run has in common with other jobs (`job.py`), who trains (`jobs/`,
`worker.py`) and what is trained (`training/train.py`).

`runs/<id>/` holds the files of a job (`RunConfig` in config.json) and
    model.keras labels.json metrics.json predictions.parquet    what a run leaves
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from translearn_core import __version__, leftovers, spaces
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.config import home
from translearn_core.errors import RunError, StorageError
from translearn_core.i18n import _
from translearn_core.imaging.square import Fit
from translearn_core.run_settings import Settings
from translearn_core.runs.file_cache import read_cached
from translearn_core.runs.job import Job, JobConfig, Kind, unreadable
from translearn_core.runs.run_metrics import RunMetrics
from translearn_core.runs.state import SCHEMA

T = TypeVar("T")


class RunConfig(JobConfig):
    """What a run was asked to do. Written once."""

    id: str
    name: str = ""
    dataset: str
    """Folder of the data set, absolute."""
    dataset_name: str = ""
    fingerprint: str = ""
    settings: Settings
    import_s: float = 0.0
    """Seconds that bringing the photos in took, where that was part of the same command."""
    versions: dict[str, str] = Field(default_factory=dict)

    @field_validator("settings", mode="before")
    @classmethod
    def _fill_in_fit(cls, value: Any) -> Any:
        """Runs of before there was a choice stretched their photos."""
        return {"fit": "stretch"} | value if isinstance(value, dict) else value


class Labels(BaseModel):
    """labels.json: what the outputs of a model mean."""

    model_config = ConfigDict(frozen=True, extra="allow")

    classes: list[str]
    image_size: int = 0
    fit: Fit = "stretch"
    """How photos that are not square become so; a file of before there was a choice has none."""
    aspect_ratios: tuple[float, float] | None = None
    """Least and greatest ratio of width to height of the photos that it learned from."""
    told_by_shape: list[str] = Field(default_factory=list)
    """Classes that the shape of their photos gave away in training."""


class Run(Job):
    """One run folder.

    Args:
        folder: the run folder.

    Raises:
        RunError: from the properties, when a file is missing or unreadable.
    """

    @cached_property
    def config(self) -> RunConfig:
        """What the run was asked to do."""
        return self.read_config(RunConfig)

    def require(self) -> RunConfig:
        """What the run was asked to do; refuses a folder that is no run.

        Raises:
            RunError: it has no config.json that can be read.
        """
        return self.config

    @property
    def model_path(self) -> Path:
        """The trained model."""
        return self.folder / "model.keras"

    @property
    def openvino_path(self) -> Path:
        """The copy of the model for predictions without TensorFlow; some runs have none."""
        return self.folder / "model.openvino.xml"

    @property
    def labels(self) -> list[str]:
        """Class names in the order of the model's outputs."""
        return list(self.read_labels().classes)

    def read_labels(self) -> Labels:
        """labels.json.

        Raises:
            RunError: there is none yet, or it cannot be read.
        """
        return self._read("labels.json", Labels.model_validate_json)

    def write_labels(
        self,
        classes: Sequence[str],
        *,
        image_size: int,
        backbone: str = "",
        fit: Fit = "stretch",
        aspect_ratios: tuple[float, float] | None = None,
        told_by_shape: Sequence[str] = (),
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        """Write labels.json.

        Args:
            classes: in the order of the model's outputs.
            image_size: side of the photos in pixels.
            backbone: what the model is built on, where that is known.
            fit: how photos that are not square become so; `stretch` is left out.
            aspect_ratios: least and greatest ratio of width to height of the photos that it learned
                from, where known.
            told_by_shape: classes that the shape of these photos gave away.
            reading: range, page and channels of photos that do not declare them
                (`imaging.reading.Reading.as_json`).
        """
        content: dict[str, Any] = {
            "schema_version": SCHEMA,
            "classes": list(classes),
            "image_size": image_size,
        }
        if backbone:
            content["backbone"] = backbone
        if fit != "stretch":
            content["fit"] = fit
        if aspect_ratios is not None:
            content["aspect_ratios"] = [round(ratio, 4) for ratio in aspect_ratios]
        if told_by_shape:
            content["told_by_shape"] = list(told_by_shape)
        if reading:
            content["reading"] = dict(reading)
        text = json.dumps(content, ensure_ascii=False, indent=1)
        write_atomically(self.folder / "labels.json", text)

    @property
    def metrics(self) -> RunMetrics:
        """metrics.json: what `train --json` prints, and what the results page shows."""
        return self._read("metrics.json", RunMetrics.model_validate_json)

    @property
    def has_result(self) -> bool:
        """Whether the run left a model, and figures that can be read."""
        return self.model_path.is_file() and not self._problem_of("metrics.json", missing=True)

    @property
    def has_model(self) -> bool:
        """Whether there is a model, trained by this run or imported, whose classes are known."""
        return self.model_path.is_file() and not self._problem_of("labels.json", missing=True)

    def require_whole(self) -> None:
        """See that what it left behind can be read.

        Raises:
            RunError: a file of it is damaged.
        """
        if self.problem:
            raise RunError(self.problem)

    @property
    def problem(self) -> str:
        """Which of its files is there and cannot be read, as a sentence; empty where all can."""
        return self._problem_of("metrics.json") or self._problem_of("labels.json")

    def _problem_of(self, name: str, *, missing: bool = False) -> str:
        if not missing and not (self.folder / name).exists():
            return ""
        try:
            _content = self.metrics if name == "metrics.json" else self.read_labels()
        except RunError as error:
            return error.message
        return ""

    def epochs(self) -> list[dict[str, Any]]:
        """The `epoch` events, one per epoch; of a repeated epoch the last."""
        epochs: list[dict[str, Any]] = []
        for event in self.events()[0]:
            if event["kind"] == "epoch":
                epochs = [earlier for earlier in epochs if earlier["epoch"] < event["epoch"]] + [
                    event
                ]
        return epochs

    def _read(self, name: str, parse: Callable[[bytes], T]) -> T:
        path = self.folder / name
        try:
            return read_cached(path, parse)
        except FileNotFoundError as error:
            raise RunError(
                _("The run {run} has no {file} yet: it is {state}. Choose a finished run.").format(
                    run=self.id, file=name, state=_(self.state.state)
                )
            ) from error
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from error

    def size_bytes(self) -> int:
        """Bytes on disk."""
        total = 0
        for file in self.folder.rglob("*"):
            with contextlib.suppress(OSError):  # it went just now
                total += file.stat().st_size if file.is_file() else 0
        return total


def new_id(created: float) -> str:
    """A name for a run folder that no other has; names sort by time.

    Args:
        created: seconds since the epoch.
    """
    stamp = datetime.fromtimestamp(created).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{secrets.token_hex(3)}"


def check_free(folder: Path) -> None:
    """Refuse a folder that a run cannot be put into.

    Raises:
        RunError: it already holds something.
    """
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise RunError(
            _("The run folder {folder} is not empty. Name a new or an empty folder.").format(
                folder=folder
            )
        )


def create_run(
    dataset_folder: Path,
    settings: Settings,
    *,
    dataset_name: str = "",
    fingerprint: str = "",
    name: str = "",
    folder: Path | None = None,
    import_s: float = 0.0,
    kind: Kind = "train",
) -> Run:
    """Make a run folder with its config.json and a queued state; nothing trains yet.

    Args:
        folder: where; default a new folder in the workspace.
        import_s: seconds that bringing the photos in took, for the run's figures.
        kind: `train`, or `search` for a search of settings.

    Raises:
        AccessError: the data set belongs to somebody else.
        RunError: `folder` already holds something.
        StorageError: the disk is full or cannot be written.
    """
    created = time.time()
    folder = folder or home() / "runs" / new_id(created)
    check_free(folder)
    run = Run(folder)
    config = RunConfig(
        kind=kind,
        id=run.id,
        name=name,
        created=created,
        dataset=str(spaces.reach(dataset_folder)),
        dataset_name=dataset_name,
        fingerprint=fingerprint,
        settings=settings,
        import_s=import_s,
        versions={"translearn": __version__},
    )
    with disk_errors():
        run.begin(config)
    return run


def list_runs(folder: Path | None = None) -> list[Run]:
    """All runs of the workspace, newest first."""
    readable, _unreadable = _look_through(folder or home() / "runs")
    return sorted(readable, key=lambda run: run.config.created, reverse=True)


@dataclass(frozen=True)
class UnreadableRun:
    """A folder among the runs whose config.json is missing or cannot be read, and why."""

    run: Run
    reason: str


def list_unreadable_runs(folder: Path | None = None) -> list[UnreadableRun]:
    """The folders among the runs of the workspace that cannot be read, by name."""
    _readable, unreadable_runs = _look_through(folder or home() / "runs")
    return sorted(unreadable_runs, key=lambda entry: entry.run.id)


def _look_through(folder: Path) -> tuple[list[Run], list[UnreadableRun]]:
    readable: list[Run] = []
    unreadable_runs: list[UnreadableRun] = []
    if folder.is_dir():
        for child in folder.iterdir():
            if child.name.startswith(".") or not child.is_dir():
                continue
            run = Run(child)
            try:
                _config = run.config
            except RunError as error:
                unreadable_runs.append(UnreadableRun(run, error.message))
            else:
                readable.append(run)
    return readable, unreadable_runs


def delete_run(run: Run) -> None:
    """Delete a run for good, whatever state its files are in.

    Raises:
        RunError: it is still queued or running, or its process lives.
        StorageError: a file is held by another program.
    """
    if run.is_worked_on:
        raise RunError(_("This run is still going on. Stop it first, then delete it."))
    hidden = run.folder.with_name(leftovers.own_name(f"{leftovers.DELETED}{run.id}-"))
    try:
        run.folder.replace(hidden)
        with contextlib.suppress(FileNotFoundError):  # another process goes on with it
            shutil.rmtree(hidden)
    except OSError as error:
        raise StorageError(
            _("The run {name} cannot be deleted: {cause}. Close what uses it.").format(
                name=run.id, cause=error.strerror or error
            )
        ) from error
