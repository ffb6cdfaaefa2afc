"""A whole space as one zip: out, to take home, and in again.

Owns: the zip and what it is held against. Leaves to others: what lies in a space.

The zip holds the folders `datasets`, `runs` and `studies` of the space as they are, and
`translearn-space.json`: the SHA-256 of each file, the folder it came from, and a signature by the class.
A page brings in only what carries the signature of this installation, since a run may hold a model
that does what its maker wants.
Photos that were left in place outside the workspace are not in it, and no photo says in it where it was
taken: so it leaves out the archives and films that a data set was read from (`source`).
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from translearn_core import leftovers, quotas, spaces
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.config import load_configuration
from translearn_core.errors import AccessError, SourceError
from translearn_core.i18n import _
from translearn_core.imaging.kinds import HEAD_BYTES, looks_like_photo
from translearn_core.imaging.positions import without_position
from translearn_core.people.hashing import is_signed, sign
from translearn_core.people.records import read_class

FOLDERS = ("datasets", "runs", "studies")
INDEX = "translearn-space.json"
SCHEMA = 1
_LEFT_OUT = {".lock", "stop", "worker.json", ".reserve"}
_PIECE = 2**20


def pack(space: Path, target: Path, *, stop: Callable[[], bool] = lambda: False) -> None:
    """Write a space into a zip.

    Raises:
        StorageError: the disk is full.
        SourceError: it was stopped.
    """
    index: dict[str, str] = {}
    classroom = read_class()
    with disk_errors(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for path in _files_of(space):
            if stop():
                raise SourceError(_("The export was stopped. Nothing was kept."))
            name = path.relative_to(space).as_posix()
            digest = hashlib.sha256()
            try:
                with _opened(path) as source, made.open(name, "w", force_zip64=True) as file:
                    while piece := source.read(_PIECE):
                        digest.update(piece)
                        file.write(piece)
            except FileNotFoundError:  # it went just now
                continue
            index[name] = digest.hexdigest()
        content = {"schema_version": SCHEMA, "space": space.as_posix(), "files": index}
        text = json.dumps(content, sort_keys=True)
        signature = sign(text, classroom.secret) if classroom else ""
        made.writestr(INDEX, json.dumps({"content": text, "signature": signature}))


def unpack(archive: Path, space: Path, *, trusted: bool = False) -> list[str]:
    """Bring what is in a zip into a space; data sets and runs that are there already stay as they are.

    Args:
        trusted: take what no class of this installation has signed, too.

    Returns:
        What was brought in: `datasets/<id>`, `runs/<id>`, `studies/<id>`.

    Raises:
        SourceError: it is no such zip, it was changed, or it does not fit into the space.
        RunError: it holds more runs than may be kept.
        AccessError: it was not made by this installation.
    """
    staging = space / "uploads" / leftovers.own_name("")
    try:
        with disk_errors():
            staging.mkdir(parents=True)
        with zipfile.ZipFile(archive) as opened:
            content = _read_index(opened, archive.name, trusted=trusted)
            _check_size(opened)
            new = [name for name in content["files"] if not _is_there(space, name)]
            n_bytes = sum(opened.getinfo(name).file_size for name in new)
            runs = {name.split("/")[1] for name in new if not name.startswith("datasets/")}
            with quotas.room_for(n_bytes=n_bytes, runs=len(runs)):
                for name in new:
                    _copy(opened, name, content["files"][name], staging)
                sets = list((staging / "datasets").glob("*"))
                quotas.check_room(photos=sum(map(quotas.photos_in, sets)))
                return _take_over(staging, space, str(content["space"]))
    except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError) as error:
        raise _changed(archive.name) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _files_of(space: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((space / folder).rglob("*")):
            inside = path.relative_to(space / folder).parts
            is_left_out = inside[0].startswith(".") or inside[1:2] in (("thumbs",), ("source",))
            if is_left_out or path.name in _LEFT_OUT or path.is_symlink():
                continue
            if path.is_file():
                yield path


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file of a space, a photo without where it was taken."""
    with path.open("rb") as file:
        if looks_like_photo(file.read(HEAD_BYTES)):
            yield io.BytesIO(without_position(path.read_bytes()))
            return
        file.seek(0)
        yield file


def _is_there(space: Path, name: str) -> bool:
    """Whether a space has the data set or run already that a file belongs to."""
    folder, child = name.split("/")[:2]
    return (space / folder / child).exists()


def _read_index(opened: zipfile.ZipFile, name: str, *, trusted: bool) -> dict[str, Any]:
    try:
        outer = json.loads(opened.read(INDEX))
        text, signature = str(outer["content"]), str(outer["signature"])
        content: dict[str, Any] = json.loads(text)
        files = content["files"]
        is_whole = content["schema_version"] == SCHEMA and isinstance(content["space"], str)
        is_plain = all(_is_inside(path) and isinstance(files[path], str) for path in files)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _changed(name) from error
    if not (is_whole and is_plain):
        raise _changed(name)
    classroom = read_class()
    if not trusted and not (classroom and is_signed(text, signature, classroom.secret)):
        raise AccessError(
            _(
                "{file} was not made by this class, so it is not brought in as a whole. Unpack it and "
                "bring in the folders of photos that are in it."
            ).format(file=name)
        )
    return content


def _is_inside(name: str) -> bool:
    """Whether a name stays in one of the folders, on every system."""
    parts = PurePosixPath(name).parts
    is_plain = not any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts)
    return is_plain and len(parts) > 2 and parts[0] in FOLDERS and parts[1][0] != "."


def _check_size(opened: zipfile.ZipFile) -> None:
    needed = sum(info.file_size for info in opened.infolist())
    limits = load_configuration().limits
    most = shutil.disk_usage(spaces.root()).free - limits.free_bytes
    if needed > most or len(opened.infolist()) > limits.files:
        raise SourceError(
            _("It takes {needed:,} MB, and there is room for {most:,} MB. Make room first.").format(
                needed=needed // 2**20, most=max(0, most) // 2**20
            )
        )


def _copy(opened: zipfile.ZipFile, name: str, digest: str, staging: Path) -> None:
    target = staging / name
    found = hashlib.sha256()
    left = opened.getinfo(name).file_size
    with disk_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(name) as source, target.open("wb") as file:
            while piece := source.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise _changed(name)
                found.update(piece)
                file.write(piece)
    if found.hexdigest() != digest:
        raise _changed(name)


def _take_over(staging: Path, space: Path, before: str) -> list[str]:
    taken = []
    for folder in FOLDERS:
        (space / folder).mkdir(parents=True, exist_ok=True)
        for child in sorted((staging / folder).glob("*")):
            if (space / folder / child.name).exists():
                continue
            for path in child.rglob("*.json"):
                _move_paths(path, before, space.as_posix())
            with disk_errors():
                child.replace(space / folder / child.name)
            taken.append(f"{folder}/{child.name}")
    return taken


def _move_paths(path: Path, before: str, after: str) -> None:
    """Let what a file says of folders in the earlier space be true of the new one."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return  # damaged as it was before
    moved = _moved(content, before, after)
    if moved != content:
        write_atomically(path, json.dumps(moved, ensure_ascii=False, indent=1))


def _moved(value: Any, before: str, after: str) -> Any:
    if isinstance(value, dict):
        return {key: _moved(one, before, after) for key, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, before, after) for one in value]
    if isinstance(value, str) and value.startswith(f"{before}/"):
        return after + value[len(before) :]
    return value


def _changed(name: str) -> SourceError:
    return SourceError(
        _(
            "{file} is not a whole space, or was changed since it was made. Choose another file."
        ).format(file=name)
    )
