"""Sharing a data set of the teacher with the class.

Owns: the list of what is shared, and handing it to each space. Leaves to others: data sets.

What is shared is handed to each space as a data set of its own, whose photos are the teacher's files by
another name (hard links), so thirty copies take the room of one. Whoever changes theirs changes nobody
else's: photos are added and removed, never written to.

Files: `<workspace>/class/shared.json`, the ids of the data sets that who joins later gets, too;
`handed.json`, which of them each space was given: one that was deleted there does not come back when
somebody signs in, only when the teacher shares it again.
"""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path

from translearn_core import leftovers, spaces
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.errors import AccessError
from translearn_core.i18n import _
from translearn_core.people.records import folder, locked, read_people

NOT_SHARED = {"thumbs", "feasible", "sorting", ".lock", "undo.json", "source", "fetched"}
"""Of the folder of a data set: what each space makes for itself, and what the teacher brought in."""


def shared_datasets() -> list[str]:
    """The ids of the data sets that the class gets."""
    try:
        names = json.loads((folder() / "shared.json").read_bytes())
    except (OSError, ValueError):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).name == name]


def share(dataset_id: str) -> int:
    """Hand a data set of the teacher to every pupil, and to who joins later.

    Returns:
        The number of spaces that got it now; others have it already.

    Raises:
        AccessError: the teacher has no such data set.
    """
    source = _source(dataset_id)
    if not (source / "dataset.json").is_file():
        raise AccessError(_("There is no data set {name} to share.").format(name=dataset_id))
    with locked():
        names = dict.fromkeys([*shared_datasets(), dataset_id])
        write_atomically(folder() / "shared.json", json.dumps(list(names)))
        targets = {one.folder for one in read_people() if not one.is_teacher}
    given = sum(_hand(source, target) for target in sorted(targets))
    _remember({target.name: [dataset_id] for target in targets})
    return given


def stop_sharing(dataset_id: str) -> None:
    """Hand a data set to nobody else; who has it keeps it."""
    with locked():
        names = [name for name in shared_datasets() if name != dataset_id]
        write_atomically(folder() / "shared.json", json.dumps(names))


def hand_over(space: Path) -> None:
    """Give a space everything that is shared and that it was not given before."""
    new = [name for name in shared_datasets() if name not in _handed().get(space.name, ())]
    given = []
    for name in new:
        source = _source(name)
        if (source / "dataset.json").is_file():
            _hand(source, space)
            given.append(name)
    if given:
        _remember({space.name: given})


def _handed() -> dict[str, list[str]]:
    """Which data sets each space was given, by its id."""
    try:
        content = json.loads((folder() / "handed.json").read_bytes())
        return {str(space): list(map(str, names)) for space, names in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(given: dict[str, list[str]]) -> None:
    with locked():
        handed = _handed()
        for space, names in given.items():
            handed[space] = list(dict.fromkeys([*handed.get(space, ()), *names]))
        write_atomically(folder() / "handed.json", json.dumps(handed))


def _source(dataset_id: str) -> Path:
    if Path(dataset_id).name != dataset_id or dataset_id.startswith("."):
        raise AccessError(_("There is no data set {name} to share.").format(name=dataset_id))
    return spaces.root() / "datasets" / dataset_id


def _hand(source: Path, space: Path) -> bool:
    """Whether the space got it now."""
    target = space / "datasets" / source.name
    if target.exists():
        return False
    hidden = target.with_name(leftovers.own_name(leftovers.IMPORTING))
    try:
        with disk_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(
                source,
                hidden,
                ignore=lambda parent, _names: NOT_SHARED if Path(parent) == source else (),
                copy_function=partial(_link_or_copy, source),
            )
            hidden.replace(target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return True


def _link_or_copy(source: Path, original: str, target: str) -> None:
    """Photos by another name; what is written to, and files of another disk, as a copy."""
    if Path(original).relative_to(source).parts[0] in ("photos", "aside"):
        try:
            os.link(original, target)
            return
        except OSError:  # another disk, or a file system without links
            pass
    shutil.copyfile(original, target)
