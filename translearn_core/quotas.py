"""What a pupil's space may hold: the figures, and the refusal of more.

Owns: the figures of each space (`quotas_of`: the configuration, then what the teacher chose for all, then
for one space), measuring a space, and `room_for`, which everything asks that puts something into one:
imports, models, what comes back from the bin or from home, runs. Without a class, and for the teacher,
nothing is refused. Leaves to others: what waits for its turn (`jobs/`), who chooses (`people/`, pages).

File: `<workspace>/class/quotas.json`: `all` and `spaces` (by id), each with the figures that differ.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ValidationError

from translearn_core import leftovers, spaces
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.concurrency import Locks
from translearn_core.config import home, load_configuration
from translearn_core.errors import RunError, SettingsError, SourceError
from translearn_core.i18n import _, ngettext
from translearn_core.installation_limits import Quotas

PER_SPACE = ("photos", "space_bytes", "runs", "waiting")
"""The figures that may differ from pupil to pupil; the others are of the class."""
_LISTS = ("manifest.parquet", "unsorted.parquet")
"""Of a data set: the photos that it has."""
_reserved: dict[Path, list[tuple[int, int, int]]] = {}
"""Photos, bytes and runs on their way into a space of this process."""
_locks = Locks()
"""By space: another one need not wait while one is measured."""


# --- the figures ----------------------------------------------------------------------------


def quotas_of(space: Path) -> Quotas:
    """The figures that hold for a space.

    Raises:
        SettingsError: the configuration is not usable.
    """
    chosen = chosen_quotas()
    own = chosen["spaces"].get(space.name, {}) if space.parent.name == spaces.PEOPLE else {}
    return load_configuration().quotas.model_copy(update={**chosen["all"], **own})


def chosen_quotas() -> dict[str, dict[str, Any]]:
    """What the teacher chose: `all`, and `spaces` by id. Figures that cannot be read do not count."""
    try:
        content = json.loads(_path().read_bytes())
        everybody, own = dict(content["all"]), dict(content["spaces"])
    except (OSError, ValueError, TypeError, KeyError):
        return {"all": {}, "spaces": {}}
    return {
        "all": _sound(everybody, tuple(Quotas.model_fields)),
        "spaces": {
            str(name): _sound(figures, PER_SPACE)
            for name, figures in own.items()
            if isinstance(figures, dict)
        },
    }


def _sound(figures: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, int]:
    return {
        name: value
        for name, value in figures.items()
        if name in names and isinstance(value, int) and value > 0
    }


def choose_quotas(figures: Mapping[str, int], *, space: Path | None = None) -> None:
    """Let other figures hold for all, or for one space, from now on.

    Args:
        figures: replace what was chosen before; what is not named follows the configuration, for
            one space what holds for all.

    Raises:
        SettingsError: a figure is not above 0, or is none of a space.
    """
    allowed = tuple(Quotas.model_fields) if space is None else PER_SPACE
    try:
        Quotas.model_validate(dict(figures))
        unknown = [name for name in figures if name not in allowed]
    except ValidationError as error:
        unknown = [str(error.errors()[0]["loc"][0])]
    if unknown:
        raise SettingsError(
            _("The limit `{name}` must be a whole number above 0.").format(name=unknown[0])
        )
    with disk_errors():
        _path().parent.mkdir(parents=True, exist_ok=True)
    with FileLock(_path().with_name(".quotas.lock"), timeout=30):
        chosen = chosen_quotas()
        if space is None:
            chosen["all"] = dict(figures)
        elif figures:
            chosen["spaces"][space.name] = dict(figures)
        else:
            chosen["spaces"].pop(space.name, None)
        with disk_errors():
            write_atomically(_path(), json.dumps(chosen, indent=1))


def _path() -> Path:
    return spaces.root() / "class" / "quotas.json"


# --- measuring ------------------------------------------------------------------------------


def space_bytes(space: Path) -> int:
    """Bytes of everything in a space; a photo that is shared by all counts for nobody, and what is being
    brought in (`uploads`, too) not yet."""
    total = 0
    for parent, folders, names in os.walk(space):
        coming = {"uploads"} if Path(parent) == space else set()
        folders[:] = [
            name
            for name in folders
            if not name.startswith(leftovers.IMPORTING) and name not in coming
        ]
        for name in names:
            with suppress(OSError):  # it went just now
                found = (Path(parent) / name).lstat()
                total += found.st_size if found.st_nlink == 1 else 0
    return total


def count_photos(space: Path) -> int:
    """Photos of all data sets of a space, sorted or not; what the teacher shared counts for nobody."""
    given = _handed_to(space)
    total = 0
    for folder in _folders(space / "datasets", "dataset.json"):
        n = photos_in(folder)
        total += n if folder.name not in given else max(0, n - _shared_photos(folder))
    return total


def _handed_to(space: Path) -> set[str]:
    """The data sets that a space was given by the teacher (`people/sharing.py`)."""
    try:
        content = json.loads((spaces.root() / "class" / "handed.json").read_bytes())
        return set(map(str, content.get(space.name, ())))
    except (OSError, ValueError, TypeError, AttributeError):
        return set()


def _shared_photos(folder: Path) -> int:
    """How many photos of a data set are the teacher's: as many as the teacher's own set has, or as are
    files of several, should that one be gone."""
    linked = 0
    for path in (folder / "photos").rglob("*"):
        with suppress(OSError):  # it went just now
            found = path.lstat()
            linked += stat.S_ISREG(found.st_mode) and found.st_nlink > 1
    return max(linked, photos_in(spaces.root() / "datasets" / folder.name))


def photos_in(folder: Path) -> int:
    """Photos of one data set; 0 where its lists are damaged, which is told elsewhere."""
    import pyarrow as pa
    from pyarrow import parquet

    total = 0
    for name in _LISTS:
        with suppress(OSError, pa.ArrowException):
            total += parquet.read_metadata(folder / name).num_rows
    return total


def count_runs(space: Path) -> int:
    """Runs and searches that a space keeps; those in the bin do not count."""
    return sum(len(_folders(space / name, "config.json")) for name in ("runs", "studies"))


def _folders(parent: Path, holding: str) -> list[Path]:
    with suppress(OSError):  # nothing of that kind yet
        return [
            one
            for one in sorted(parent.iterdir())
            if not one.name.startswith(".") and (one / holding).is_file()
        ]
    return []


# --- the refusal ----------------------------------------------------------------------------


@contextmanager
def room_for(*, photos: int = 0, n_bytes: int = 0, runs: int = 0) -> Iterator[None]:
    """Have room in the space that is acted in while the block puts something there: what several tabs
    bring at once counts together.

    Raises:
        SourceError: they are too many photos, or take too much room; the message says how many fit.
        RunError: as many runs as may be kept are there.
    """
    if spaces.is_whole():
        yield
        return
    space, mine = home(), (photos, n_bytes, runs)
    with _locks.of(space):
        others = _reserved.setdefault(space, [])
        _check(space, mine, tuple(map(sum, zip((0, 0, 0), *others, strict=True))))
        others.append(mine)
    try:
        yield
    finally:
        with _locks.of(space):
            others.remove(mine)
            if not others:
                _reserved.pop(space, None)


def check_room(*, photos: int = 0, n_bytes: int = 0, runs: int = 0) -> None:
    """Refuse what does not fit now.

    Raises:
        SourceError, RunError: as `room_for`.
    """
    with room_for(photos=photos, n_bytes=n_bytes, runs=runs):
        pass


def _check(space: Path, wanted: tuple[int, int, int], coming: tuple[int, ...]) -> None:
    quotas = quotas_of(space)
    photos, n_bytes, runs = wanted
    if photos:
        there = count_photos(space) + coming[0]
        if there + photos > quotas.photos:
            raise SourceError(
                _(
                    "You may have {most:,} photos and have {there:,}: {photos:,} more are too many. "
                    "Bring in fewer, or delete a data set under My work."
                ).format(most=quotas.photos, there=there, photos=photos)
            )
    if runs and count_runs(space) + coming[2] + runs > quotas.runs:
        raise RunError(
            ngettext(
                "You may keep {most} training, and you have one. Delete it under My work, then try "
                "again.",
                "You may keep {most} trainings, and you have as many. Delete one under My work, "
                "then try again.",
                quotas.runs,
            ).format(most=quotas.runs)
        )
    used = space_bytes(space) + coming[1] if n_bytes else 0
    if used + n_bytes > quotas.space_bytes:
        raise SourceError(
            _(
                "Your work may take {most:,} MB and takes {used:,} MB: {needed:,} MB more are too "
                "much. Delete a data set or a training under My work, and empty the bin."
            ).format(
                most=quotas.space_bytes // 10**6,
                used=used // 10**6,
                needed=max(1, n_bytes // 10**6),
            )
        )
