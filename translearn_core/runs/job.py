"""A job folder: the contract of every piece of work that a process of its own does.

Owns: the files that training, search, check, export and measurement have in common, and listing
them. Leaves to others: what a run has beside them (`run.py`), who does the work (`jobs/`).

A job folder holds
    config.json     immutable while the job lives: `JobConfig`, with the fields of its kind
    state.json      `JobState`, replaced atomically by one writer at a time
    events.jsonl    append only, one object a line: `t` (unix seconds), `kind`, and what that kind
                    says (see `Job.append_event`)
    stop            a request to stop, by existing
    log.txt         output of the process
    worker.json     the process that was started for it, until that writes its own state
    placement.json  on a cluster: who may work at it (`placement.py`)
    .lock           held by the worker process
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from translearn_core import spaces
from translearn_core.atomic import write_atomically
from translearn_core.errors import RunError
from translearn_core.i18n import _, language
from translearn_core.runs import events as event_file
from translearn_core.runs.file_cache import read_cached
from translearn_core.runs.placement import PLACEMENT
from translearn_core.runs.state import (
    LOCK,
    SCHEMA,
    WORKER,
    JobState,
    count_own_write,
    detect_lost,
    is_held,
    process_of,
    read_state,
    write_state,
)

Kind = Literal["train", "search", "check", "export", "measure", "look", "sort", "trials"]


class JobConfig(BaseModel):
    """What a job was asked to do; each kind adds fields of its own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    kind: Kind = "train"
    created: float

    @field_validator("schema_version")
    @classmethod
    def _is_known(cls, value: int) -> int:
        if not 1 <= value <= SCHEMA:
            raise ValueError(f"this version reads 1 to {SCHEMA}")
        return value


def first_cause(error: Exception) -> str:
    """What is wrong with a file, in short: `settings.epochs: Input should be ...`."""
    if not isinstance(error, ValidationError):
        return str(getattr(error, "strerror", None) or error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


Config = TypeVar("Config", bound=JobConfig)


class Job(spaces.Folder):
    """One job folder. Reading never writes; every read sees the files as they are now.

    Args:
        folder: the job folder; it need not exist yet.

    Raises:
        AccessError: it lies in the space of somebody else.
    """

    @property
    def kind(self) -> Kind:
        """What is to be done.

        Raises:
            RunError: config.json is missing or unreadable.
        """
        if (self.folder / "study.json").is_file():  # a search of 0.1 has no kind in its config
            return "search"
        return self.read_config(JobConfig).kind

    def read_config(self, model: type[Config]) -> Config:
        """What the job was asked to do.

        Raises:
            RunError: config.json is missing or unreadable.
        """
        path = self.folder / "config.json"
        try:
            return read_cached(path, model.model_validate_json)
        except FileNotFoundError as error:
            raise RunError(
                _("{folder} is not a run: it has no config.json. Name the folder of a run.").format(
                    folder=self.folder
                )
            ) from error
        except (ValueError, OSError) as error:
            raise unreadable(path, error) from error

    def begin(self, config: JobConfig, **first_fields: Any) -> None:
        """Write the config and queue the job; files of an earlier job in the folder are deleted.

        Args:
            first_fields: further fields of the first state.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("stop", "events.jsonl", "log.txt", WORKER, PLACEMENT):
            (self.folder / name).unlink(missing_ok=True)
        first = JobState(
            state="queued",
            queued_at=config.created,
            told_at=config.created,
            language=language.get(),
        )
        self.write_state(first.model_copy(update=first_fields))
        self.append_event("state", state="queued", stage="")
        # last: a folder without it is not listed
        write_atomically(self.folder / "config.json", config.model_dump_json(indent=1))
        count_own_write()  # who looked in between has not seen it

    @property
    def state_path(self) -> Path:
        """The state file."""
        return self.folder / "state.json"

    @property
    def state(self) -> JobState:
        """The state of the job, with `lost` derived from its process."""
        return detect_lost(self.folder, self.written_state)

    @property
    def written_state(self) -> JobState:
        """The content of state.json, without checking the heartbeat."""
        return read_state(self.state_path)

    def write_state(self, state: JobState, *, durable: bool = True) -> None:
        """Replace state.json. For the one writer: the worker, or the submitter before there is
        one.

        Args:
            durable: as in `atomic.replace_file`.
        """
        write_state(self.state_path, state, durable=durable)

    def update_state(self, **changes: Any) -> JobState:
        """Replace fields of state.json. Only its one writer calls this."""
        state = self.written_state.model_copy(update=changes)
        self.write_state(state)
        return state

    def process(self) -> psutil.Process | None:
        """The live worker process of this job on this machine, identified by pid and start time; else
        None."""
        return process_of(self.folder, self.written_state)

    @property
    def is_worked_on(self) -> bool:
        """Whether it is queued or running, or a process holds it although it was stopped or its state
        is damaged."""
        return self.state.is_live or (
            self.written_state.state in ("lost", "stopped") and is_held(self.folder / LOCK)
        )

    @property
    def is_being_put_together(self) -> bool:
        """Whether it counts as stopped while its process still writes what it leaves."""
        return self.written_state.state == "stopped" and is_held(self.folder / LOCK)

    def append_event(self, kind: str, **fields: Any) -> None:
        """Append one line to events.jsonl.

        Kinds and their fields:
            state     state, stage
            progress  stage, done, total (counts of photos, or of `what`: rounds), per_s, left_s
            batch     phase (head | fine_tune), epoch (from 1), epochs, batch, batches, loss, accuracy
            epoch     phase, epoch, epochs, loss, accuracy, val_loss, val_accuracy,
                      val_loss_calibrated (what the best epoch is chosen by), seconds, left_s,
                      learning_rate; `epoch` counts on through the phases
            warning   text
            error     text
        """
        event_file.append_event(self.folder / "events.jsonl", kind, **fields)

    def events(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events from byte `offset` on, and the offset to read on from.

        A last line without a newline is left for the next call.
        """
        return event_file.read_events(self.folder / "events.jsonl", offset)

    def request_stop(self) -> None:
        """Ask the job to stop; a training keeps its best weights."""
        (self.folder / "stop").touch()

    @property
    def stop_requested(self) -> bool:
        """Whether a stop was requested."""
        return (self.folder / "stop").exists()

    @property
    def log_path(self) -> Path:
        """What the process wrote."""
        return self.folder / "log.txt"

    def log_tail(self, characters: int = 4000) -> str:
        """The end of the log."""
        if not self.log_path.is_file():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-characters:]


def list_jobs(folder: Path) -> list[Job]:
    """The jobs in `folder`, unordered."""
    return list_begun(folder)[0]


def list_begun(folder: Path) -> tuple[list[Job], list[Path]]:
    """The jobs in `folder`, and what lies beside them and may become one; unordered.

    A job that is being made has no config.json yet (see `is_listed`).
    """
    if not folder.is_dir():
        return [], []
    jobs: list[Job] = []
    others: list[Path] = []
    for child in folder.iterdir():
        if child.name.startswith("."):
            continue
        if is_listed(child):
            jobs.append(Job(child))
        else:
            others.append(child)
    return jobs, others


def is_listed(folder: Path) -> bool:
    """Whether a folder is that of a job whose making is complete."""
    return (folder / "config.json").is_file()


def unreadable(path: Path, error: Exception) -> RunError:
    """The error for a file of a job that cannot be read."""
    return RunError(
        _(
            "{file} cannot be read ({cause}). It is damaged, or the run may come from a newer "
            "version."
        ).format(file=path, cause=first_cause(error))
    )
