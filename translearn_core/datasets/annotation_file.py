"""Labels of photos that come as JSON, or as a camera trap package.

Owns: COCO (one category for each image), lists of records (JSON, JSON lines), a label for each photo's
name, and Camtrap DP (`media.csv` with `observations.csv`). Each becomes the cells of a table with one row for each
photo and label. Leaves to others: tables (`table_file.py`).

A photo with several different labels has no one class: it is left out and counted.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from translearn_core.datasets.table_columns import has_photo_suffix
from translearn_core.datasets.table_file import (
    Cells,
    cell_text,
    check_size,
    make_cells,
    read_cells,
    table_text,
)
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext

MEDIA, OBSERVATIONS = "media.csv", "observations.csv"
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_annotations(data: bytes, name: str) -> Cells:
    """The cells of a JSON file or of JSON lines.

    Raises:
        SourceError: it is no JSON, or of a form that is not read.
    """
    check_size(len(data), name)
    text = table_text(data, name).text
    try:
        content = _parse(text)
    except json.JSONDecodeError as error:
        content = _lines(text, name, error)
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        content = None
    if isinstance(content, dict) and isinstance(content.get("images"), list):
        return _from_coco(content, name)
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return _from_records(content, name)
    if isinstance(content, dict) and content and all(map(has_photo_suffix, content)):
        return _from_names(content, name)
    raise SourceError(
        _(
            "{file} is no JSON that is read here: a COCO file with `images`, `annotations` and "
            "`categories`, or a list of records. Save the labels as a CSV table."
        ).format(file=name)
    )


def looks_like_json(data: bytes) -> bool:
    """Whether a file begins as JSON does, in UTF-8 or UTF-16."""
    start = data[:200].removeprefix(b"\xef\xbb\xbf")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        start = start[2:].replace(b"\0", b"")
    return start.lstrip()[:1] in (b"{", b"[")


class _UnclearObject(dict[str, Any]):
    """A JSON object that says different things under one name; it holds the last of them."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.unclear = {key for key, value in pairs if cell_text(value) != cell_text(self[key])}


def _parse(text: str) -> Any:
    """JSON in which objects that say two things under one name are `_UnclearObject`."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _UnclearObject(pairs)


def _check_clear(objects: Iterable[Any], keys: Iterable[str], name: str) -> None:
    """Make sure that no object says two different things under a name that is used.

    Raises:
        SourceError: one does.
    """
    used = set(keys)
    for one in objects:
        unclear = sorted(one.unclear & used) if isinstance(one, _UnclearObject) else []
        if unclear:
            raise SourceError(
                _(
                    "{file} says two different things under the name {key}. Correct it, or save the "
                    "labels as a CSV table."
                ).format(file=name, key=_quoted(unclear[0]))
            )


def _quoted(key: str) -> str:
    """A name of a JSON object in ASCII, cut."""
    return ascii(key)[1:-1][:60]


def find_camera_traps(path: Path) -> Path | None:
    """The folder of a camera trap package that `path` names: the folder or one of its files."""
    folder = path if path.is_dir() else path.parent
    names = (MEDIA, OBSERVATIONS, "datapackage.json")
    is_named = path.is_dir() or path.name in names
    both = (folder / MEDIA).is_file() and (folder / OBSERVATIONS).is_file()
    return folder if is_named and both else None


def read_camera_traps(folder: Path) -> Cells:
    """The cells of a Camtrap DP package: `file`, `species`, `deploymentID`.

    Raises:
        SourceError: its tables cannot be read, or lack a column.
    """
    media = read_cells((folder / MEDIA).read_bytes(), MEDIA)
    seen = read_cells((folder / OBSERVATIONS).read_bytes(), OBSERVATIONS)
    _need(media, ("mediaID", "filePath"))
    _need(seen, ("mediaID", "observationType"))
    types, ids = seen.column("observationType"), seen.column("mediaID")
    names = seen.column("scientificName") if "scientificName" in seen.columns else [""] * len(ids)
    labels: dict[str, set[str]] = defaultdict(set)
    without_photo = 0
    for media_id, kind, species in zip(ids, types, names, strict=True):
        if not media_id:
            without_photo += 1
        elif kind.lower() not in ("", "unclassified"):
            labels[media_id].add(species or kind)
    paths = media.column("filePath")
    if "fileName" in media.columns:
        paths = [
            name if name and "://" in path else path
            for path, name in zip(paths, media.column("fileName"), strict=True)
        ]
    sites = (
        media.column("deploymentID") if "deploymentID" in media.columns else [""] * len(media.rows)
    )
    notes = []
    if without_photo:
        notes.append(
            ngettext(
                "{n} observation is of an event, not of a single photo; it was not used.",
                "{n} observations are of events, not of single photos; they were not used.",
                without_photo,
            ).format(n=without_photo)
        )
    rows = [
        (path, labels.get(media_id, set()), {"deploymentID": site})
        for path, media_id, site in zip(paths, media.column("mediaID"), sites, strict=True)
    ]
    return _one_label_each(OBSERVATIONS, "species", rows, notes)


def _need(cells: Cells, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in cells.columns:
            raise SourceError(
                _("{file} has no column {name}. Its columns are: {columns}.").format(
                    file=cells.name, name=column, columns=", ".join(cells.columns)
                )
            )


def _lines(text: str, name: str, error: json.JSONDecodeError) -> list[Any]:
    """The records of JSON lines.

    Args:
        error: why the text as a whole is no JSON.

    Raises:
        SourceError: a line is none; where the first one is none, the text is no JSON at all.
    """
    found: list[Any] = []
    try:
        for line in _LINE_END.split(text):
            found.append(_parse(line) if line.strip() else None)
    except (ValueError, RecursionError) as broken:
        at_error = len(_LINE_END.findall(text[: error.pos])) + 1
        raise SourceError(
            _(
                "{file} is no whole JSON: it breaks off or has an error in line {line}. Export it "
                "again, or save the labels as a CSV table."
            ).format(file=name, line=len(found) + 1 if any(found) else at_error)
        ) from broken
    return [one for one in found if one is not None]


def _from_names(content: Mapping[str, Any], name: str) -> Cells:
    """A label for each name of a photo; a list of one label counts as that label."""
    _check_clear([content], content, name)
    rows = []
    for file, value in content.items():
        label = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(label, (dict, list)):
            raise SourceError(
                _(
                    "{file} gives {photo} several labels or none. A photo has one label here: correct "
                    "it, or save the labels as a CSV table."
                ).format(file=name, photo=_quoted(file))
            )
        rows.append([file, cell_text(label)])
    return make_cells(name, list(enumerate([["file", "label"], *rows], 1)))


def _from_records(content: Sequence[Mapping[str, Any]], name: str) -> Cells:
    heads = list(dict.fromkeys(str(key) for row in content for key in row))
    flat = [
        head
        for head in heads
        if not any(isinstance(row.get(head), (dict, list)) for row in content)
    ]
    _check_clear(content, flat, name)
    rows = [[cell_text(row.get(head)) for head in flat] for row in content]
    return make_cells(name, list(enumerate([flat, *rows], 1)))


def _from_coco(content: Mapping[str, Any], name: str) -> Cells:
    try:
        given, seen = content.get("categories") or [], content.get("annotations") or []
        _check_clear([content], ("categories", "annotations", "images"), name)
        _check_clear(given, ("id", "name"), name)
        _check_clear(seen, ("image_id", "category_id"), name)
        _check_clear(content["images"], ("id", "file_name"), name)
        categories = {one["id"]: str(one["name"]) for one in given}
        labels: dict[Any, set[str]] = defaultdict(set)
        for one in seen:
            labels[one["image_id"]].add(categories[one["category_id"]])
        rows: list[tuple[str, set[str], Mapping[str, str]]] = [
            (str(image["file_name"]), labels.get(image["id"], set()), {})
            for image in content["images"]
        ]
    except (KeyError, TypeError) as error:
        raise SourceError(
            _(
                "{file} looks like COCO, but an image, annotation or category lacks {key}. Export it "
                "again, or save the labels as a CSV table."
            ).format(file=name, key=str(error)[:60])
        ) from error
    return _one_label_each(name, "category", rows, [])


def _one_label_each(
    name: str,
    head: str,
    rows: Sequence[tuple[str, set[str], Mapping[str, str]]],
    notes: list[str],
) -> Cells:
    several = [file for file, labels, _more in rows if len(labels) > 1]
    if several:
        notes.append(
            ngettext(
                "{n} photo has several different labels and no single class; it is left out: {file}.",
                "{n} photos have several different labels and no single class; they are left out, "
                "the first is {file}.",
                len(several),
            ).format(n=len(several), file=several[0])
        )
    more = list(dict.fromkeys(key for _file, _labels, others in rows for key in others))
    table = [["file", head, *more]]
    for file, labels, others in rows:
        label = next(iter(labels)) if len(labels) == 1 else ""
        table.append([file, label, *(others.get(key, "") for key in more)])
    return make_cells(name, list(enumerate(table, 1)), notes)
