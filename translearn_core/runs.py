"""Run folders: the one thing that page, worker, command line and cluster share.

Owns: the files of a run and their meaning, listing and deleting runs.
Leaves to others: who trains (`jobs.py`, `worker.py`) and what is trained (`train.py`).

`runs/<id>/` holds
    config.json          immutable: `RunConfig`
    state.json           `RunState`, replaced atomically by one writer at a time
    events.jsonl         append only, one object a line: `t` (unix seconds), `kind`, and what
                         that kind says (see `append_event`)
    stop                 a request to stop, by existing
    model.keras labels.json metrics.json predictions.parquet log.txt   what a run leaves

States: queued -> running -> finished | stopped | failed | lost (the heartbeat is too old;
never written by the dead worker itself, but read off the clock).
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core import __version__
from translearn_core.config import Settings, home, load_configuration
from translearn_core.errors import RunError
from translearn_core.files import write_atomically
from translearn_core.texts import _

SCHEMA = 1
StateName = Literal["queued", "running", "finished", "stopped", "failed", "lost"]
LIVE_STATES = frozenset({"queued", "running"})
ENDED_STATES = frozenset({"finished", "stopped", "failed", "lost"})


class RunConfig(BaseModel):
    """What a run was asked to do. Written once."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    id: str
    name: str = ""
    created: float
    dataset: str
    """Folder of the data set, absolute."""
    dataset_name: str = ""
    fingerprint: str = ""
    settings: Settings
    import_s: float = 0.0
    """Seconds that bringing the photos in took, where that was part of the same command."""
    versions: dict[str, str] = {}


class RunState(BaseModel):
    """Where a run stands. Times are unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    state: StateName = "queued"
    stage: str = ""
    """Of a running run: start | import | features | technique | head | fine_tune | evaluate |
    compare | save."""
    reason: str = ""
    """Why it failed, in a sentence for a person."""
    pid: int = 0
    pid_started: float = 0.0
    heartbeat: float = 0.0
    queued_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    device: str = ""
    memory_bytes: int = 0


def live_process(pid: int, started: float) -> psutil.Process | None:
    """The process `pid` if it lives and began at `started` (seconds since 1970); else None."""
    if pid == 0:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


class Run:
    """One run folder. Reading never writes; every read sees the files as they are now.

    Args:
        folder: the run folder.

    Raises:
        RunError: from the properties, when a file is missing or unreadable.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.folder == other.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def config(self) -> RunConfig:
        """What the run was asked to do."""
        path = self.folder / "config.json"
        try:
            return RunConfig.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise RunError(
                _("{folder} is not a run: it has no config.json. Name the folder of a run.").format(
                    folder=self.folder
                )
            ) from error
        except (ValidationError, OSError) as error:
            raise RunError(
                _("{file} cannot be read. The run may come from a newer version.").format(file=path)
            ) from error

    def require(self) -> RunConfig:
        """What the run was asked to do; refuses a folder that is no run.

        Raises:
            RunError: it has no config.json that can be read.
        """
        return self.config

    @property
    def state(self) -> RunState:
        """Where the run stands, with `lost` read off its heartbeat and process."""
        written = self.written_state
        if written.state not in LIVE_STATES:
            return written
        age_s = time.time() - max(written.heartbeat, written.queued_at)
        if age_s < 3.0:
            return written
        alive = written.pid == 0 or self.process() is not None  # pid 0: the worker is starting
        if alive and age_s < load_configuration().heartbeat_lost_s:
            return written
        reason = _("The training process ended without a word. See its log, or start it again.")
        return written.model_copy(update={"state": "lost", "reason": reason})

    @property
    def written_state(self) -> RunState:
        """The content of state.json, without judging the heartbeat."""
        path = self.folder / "state.json"
        for attempt in range(5):
            try:
                return RunState.model_validate_json(path.read_bytes())
            except FileNotFoundError:
                return RunState()
            except (PermissionError, ValidationError):  # Windows: being replaced just now
                if attempt == 4:
                    raise
                time.sleep(0.02)
        raise AssertionError("unreachable")

    def update_state(self, **changes: Any) -> RunState:
        """Replace state.json by itself with `changes`. For the one writer: the worker.

        Before a worker exists, the submitter is the writer.
        """
        state = self.written_state.model_copy(update=changes)
        write_atomically(self.folder / "state.json", state.model_dump_json(indent=1))
        return state

    def process(self) -> psutil.Process | None:
        """The live worker process of this run, identified by pid and start time; else None."""
        state = self.written_state
        return live_process(state.pid, state.pid_started)

    def append_event(self, kind: str, **fields: Any) -> None:
        """Append one line to events.jsonl.

        Kinds and their fields:
            state     state, stage
            progress  stage, done, total (counts of photos, or of `what`: rounds), per_s, left_s
            batch     phase (head | fine_tune), epoch (from 1), epochs, batch, batches, loss, accuracy
            epoch     phase, epoch, epochs, loss, accuracy, val_loss, val_accuracy, seconds, left_s,
                      learning_rate; `epoch` counts on through the phases
            warning   text
            error     text
        """
        line = json.dumps({"t": round(time.time(), 3), "kind": kind, **fields}, ensure_ascii=False)
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def events(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events from byte `offset` on, and the offset to read on from.

        A last line without a newline is left for the next call.
        """
        path = self.folder / "events.jsonl"
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], offset
        end = data.rfind(b"\n") + 1
        lines = data[:end].splitlines()
        return [json.loads(line) for line in lines if line.strip()], offset + end

    def request_stop(self) -> None:
        """Ask the run to end training and keep its best weights."""
        (self.folder / "stop").touch()

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the run to stop."""
        return (self.folder / "stop").exists()

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

    def write_labels(self, classes: Sequence[str], *, image_size: int, backbone: str = "") -> None:
        """Write labels.json.

        Args:
            classes: in the order of the model's outputs.
            image_size: side of the photos in pixels.
            backbone: what the model is built on, where that is known.
        """
        content: dict[str, Any] = {
            "schema_version": SCHEMA,
            "classes": list(classes),
            "image_size": image_size,
        }
        if backbone:
            content["backbone"] = backbone
        text = json.dumps(content, ensure_ascii=False, indent=1)
        write_atomically(self.folder / "labels.json", text)

    @property
    def metrics(self) -> dict[str, Any]:
        """metrics.json: the object that `train --json` prints, and what the results page shows."""
        return self._read_json("metrics.json")

    @property
    def has_result(self) -> bool:
        """Whether the run left a model and figures."""
        return (self.folder / "metrics.json").is_file() and self.model_path.is_file()

    @property
    def has_model(self) -> bool:
        """Whether there is a model to ask: of its own making, or brought in from elsewhere."""
        return (self.folder / "labels.json").is_file() and self.model_path.is_file()

    def epochs(self) -> list[dict[str, Any]]:
        """The `epoch` events, one for each epoch: one that was begun again counts as it ended."""
        told: list[dict[str, Any]] = []
        for event in self.events()[0]:
            if event["kind"] == "epoch":
                told = [before for before in told if before["epoch"] < event["epoch"]] + [event]
        return told

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

    def log_tail(self, characters: int = 4000) -> str:
        """The end of the worker's log."""
        path = self.folder / "log.txt"
        return (
            path.read_text(encoding="utf-8", errors="replace")[-characters:]
            if path.is_file()
            else ""
        )

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
) -> Run:
    """Make a run folder with its config.json and a queued state; nothing trains yet.

    Args:
        folder: where; default a new folder in the workspace.
        import_s: seconds that bringing the photos in took, for the run's figures.

    Raises:
        RunError: `folder` already holds something.
    """
    created = time.time()
    folder = folder or home() / "runs" / new_id(created)
    check_free(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    config = RunConfig(
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
    write_atomically(run.folder / "config.json", config.model_dump_json(indent=1))
    run.update_state(state="queued", queued_at=created)
    run.append_event("state", state="queued", stage="")
    return run


def list_runs(folder: Path | None = None) -> list[Run]:
    """All runs of the workspace, newest first."""
    folder = folder or home() / "runs"
    return sorted(_iterate_runs(folder), key=lambda run: run.config.created, reverse=True)


def _iterate_runs(folder: Path) -> Iterator[Run]:
    if not folder.is_dir():
        return
    for child in folder.iterdir():
        if (child / "config.json").is_file():
            run = Run(child)
            try:
                run.require()
            except RunError:
                continue
            yield run


def delete_run(run: Run) -> None:
    """Delete a run for good.

    Raises:
        RunError: it is still queued or running.
    """
    if run.state.state in LIVE_STATES:
        raise RunError(_("This run is still going on. Stop it first, then delete it."))
    shutil.rmtree(run.folder)
