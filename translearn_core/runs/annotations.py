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
MOST_TAGS = 12
LONGEST_TAG = 40
LONGEST_NAME = 80
LONGEST_NOTE = 4000


class Notes(BaseModel):
    """notes.json. Everything may be empty."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    name: str = ""
    """Shown instead of the run's own name."""
    tags: tuple[str, ...] = ()
    note: str = ""


def read_notes(run: Run) -> Notes:
    """What was written about a run; empty notes where nothing was.

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
    """Change what is written about a run; what is None stays as it is.

    Raises:
        InputError: too many tags, or one that is too long.
        RunError: the folder is no run, or its notes cannot be read.
    """
    run.require()
    before = read_notes(run)
    notes = Notes(
        name=before.name if name is None else _tidy(name)[:LONGEST_NAME],
        tags=before.tags if tags is None else _checked_tags(tags),
        note=before.note if note is None else note.strip()[:LONGEST_NOTE],
    )
    write_atomically(run.folder / "notes.json", notes.model_dump_json(indent=1))
    return notes


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _checked_tags(tags: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Tags without white space around them, without empty ones, each once, in their order."""
    tidy = dict.fromkeys(tag for tag in map(_tidy, tags) if tag)
    if len(tidy) > MOST_TAGS:
        raise InputError(
            _("A run has at most {most} tags. Received: {n}.").format(most=MOST_TAGS, n=len(tidy))
        )
    for tag in tidy:
        if len(tag) > LONGEST_TAG:
            raise InputError(
                _("A tag has at most {most} characters: `{tag}` is too long.").format(
                    most=LONGEST_TAG, tag=tag[:60]
                )
            )
    return tuple(tidy)


def display_name(run: Run) -> str:
    """What a run is called: by its notes, else by itself, else by its photos."""
    config = run.config
    try:
        written = read_notes(run).name
    except RunError:
        written = ""
    return written or config.name or config.dataset_name or run.id
