"""Annotations of a run: name, tags, note.

Owns: `notes.json` in a run folder, replaced whole; nothing else of a run ever changes with it.
Leaves to others: everything that a run itself knows (`runs/`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core.atomic import write_atomically
from translearn_core.errors import InputError, RunError
from translearn_core.i18n import _
from translearn_core.runs.run import Run

SCHEMA = 1
MAX_TAGS = 12
MAX_TAG_LENGTH = 40
MAX_NAME_LENGTH = 80
MAX_NOTE_LENGTH = 4000


class Notes(BaseModel):
    """notes.json. Everything may be empty."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    name: str = ""
    """Shown instead of the run's own name."""
    tags: tuple[str, ...] = ()
    note: str = ""


def read_notes(run: Run) -> Notes:
    """The notes of a run; empty where there are none.

    Raises:
        RunError: notes.json is there and cannot be read.
    """
    path = run.folder / "notes.json"
    try:
        return Notes.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Notes()
    except (ValidationError, OSError) as error:
        raise RunError(
            _("{file} cannot be read. Fix or delete it; the run itself is whole.").format(file=path)
        ) from error


def write_notes(
    run: Run,
    *,
    name: str | None = None,
    tags: list[str] | tuple[str, ...] | None = None,
    note: str | None = None,
) -> Notes:
    """Change the notes of a run; None leaves a field unchanged.

    Raises:
        InputError: too many tags, or one that is too long.
        RunError: the folder is no run, or its notes cannot be read.
    """
    run.require()
    old = read_notes(run)
    notes = Notes(
        name=old.name if name is None else _tidy(name)[:MAX_NAME_LENGTH],
        tags=old.tags if tags is None else _checked_tags(tags),
        note=old.note if note is None else note.strip()[:MAX_NOTE_LENGTH],
    )
    write_atomically(run.folder / "notes.json", notes.model_dump_json(indent=1))
    return notes


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _checked_tags(tags: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Tags without white space around them, without empty ones, each once, in their order."""
    tidy = dict.fromkeys(tag for tag in map(_tidy, tags) if tag)
    if len(tidy) > MAX_TAGS:
        raise InputError(
            _("A run has at most {most} tags. Received: {n}.").format(most=MAX_TAGS, n=len(tidy))
        )
    for tag in tidy:
        if len(tag) > MAX_TAG_LENGTH:
            raise InputError(
                _("A tag has at most {most} characters: `{tag}` is too long.").format(
                    most=MAX_TAG_LENGTH, tag=tag[:60]
                )
            )
    return tuple(tidy)


def display_name(run: Run) -> str:
    """The display name of a run: from its notes, else its config, else its data set."""
    config = run.config
    try:
        written = read_notes(run).name
    except RunError:
        written = ""
    return written or config.name or config.dataset_name or run.id
