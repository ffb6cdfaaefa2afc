"""Run folders: the files of a training or a search, listing and deleting runs.

Owns: the files of a run and their meaning.
Leaves to others: what a run has in common with other jobs (`job.py`), who trains (`jobs/`,
`worker.py`) and what is trained (`training/train.py`).

`runs/<id>/` holds the files of a job (`RunConfig` in config.json) and
    model.keras labels.json metrics.json predictions.parquet    what a run leaves
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from translearn_core import __version__
from translearn_core.atomic import write_atomically
from translearn_core.config import home
from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs.job import Job, JobConfig, Kind, list_jobs
from translearn_core.runs.run_metrics import RunMetrics
from translearn_core.runs.state import SCHEMA
from translearn_core.settings import Settings


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
        return list(self._read_json("labels.json")["classes"])

    def write_labels(
        self,
        classes: Sequence[str],
        *,
        image_size: int,
        backbone: str = "",
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        """Write labels.json.

        Args:
            classes: in the order of the model's outputs.
            image_size: side of the photos in pixels.
            backbone: what the model is built on, where that is known.
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
        if reading:
            content["reading"] = dict(reading)
        text = json.dumps(content, ensure_ascii=False, indent=1)
        write_atomically(self.folder / "labels.json", text)

    @property
    def metrics(self) -> RunMetrics:
        """metrics.json: what `train --json` prints, and what the results page shows."""
        try:
            return RunMetrics.model_validate(self._read_json("metrics.json"))
        except ValidationError as error:
            raise RunError(
                _("{file} cannot be read. The run may come from a newer version.").format(
                    file=self.folder / "metrics.json"
                )
            ) from error

    @property
    def has_result(self) -> bool:
        """Whether the run left a model and figures."""
        return (self.folder / "metrics.json").is_file() and self.model_path.is_file()

    @property
    def has_model(self) -> bool:
        """Whether there is a model: trained by this run, or imported."""
        return (self.folder / "labels.json").is_file() and self.model_path.is_file()

    def epochs(self) -> list[dict[str, Any]]:
        """The `epoch` events, one per epoch; of a repeated epoch the last."""
        epochs: list[dict[str, Any]] = []
        for event in self.events()[0]:
            if event["kind"] == "epoch":
                epochs = [earlier for earlier in epochs if earlier["epoch"] < event["epoch"]] + [
                    event
                ]
        return epochs

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(
                _("The run {run} has no {file} yet: it is {state}. Choose a finished run.").format(
                    run=self.id, file=name, state=self.state.state
                )
            ) from error
        return content

    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


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
        RunError: `folder` already holds something.
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
        dataset=str(dataset_folder.resolve()),
        dataset_name=dataset_name,
        fingerprint=fingerprint,
        settings=settings,
        import_s=import_s,
        versions={"translearn": __version__},
    )
    run.begin(config)
    return run


def list_runs(folder: Path | None = None) -> list[Run]:
    """All runs of the workspace, newest first."""
    folder = folder or home() / "runs"
    return sorted(_iterate_runs(folder), key=lambda run: run.config.created, reverse=True)


def _iterate_runs(folder: Path) -> Iterator[Run]:
    for job in list_jobs(folder):
        run = Run(job.folder)
        try:
            _config = run.config
        except RunError:
            continue
        yield run


def delete_run(run: Run) -> None:
    """Delete a run for good.

    Raises:
        RunError: it is still queued or running.
    """
    if run.state.is_live:
        raise RunError(_("This run is still going on. Stop it first, then delete it."))
    shutil.rmtree(run.folder)
