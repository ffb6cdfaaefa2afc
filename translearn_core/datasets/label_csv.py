"""Reads a table with several labels for each photo (multi-task).

Owns: reading and checking such a table, and making a data set of a folder that has no class folders.
Leaves to others: storing the labels (`tasks.py`), training on them (`training/multitask.py`).

The table is a CSV file with a column `file` (a photo's path within the folder, or its name) and one
column for each kind of label; an empty cell is a label that is missing. Where the folder has class
folders, these are the first task and the table's columns come beside it; where it has none, the
column with the fewest gaps is the first task, and photos without it are left out. Photos kept for
the test stand in the same table: by their path within the test folder with its name before it
(`later/a.jpg`), or by their name alone where no other photo has it.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from translearn_core import datasets
from translearn_core.config import home
from translearn_core.datasets.library import Dataset
from translearn_core.datasets.tasks import MAIN, store_tasks
from translearn_core.errors import SourceError
from translearn_core.i18n import _

FILE = "file"
RESERVED = "path"
"""A column of tasks.parquet, so no task can have this name."""


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """Labels by file; an empty text is a label that is missing. `tasks` are its columns."""

    tasks: tuple[str, ...]
    labels: pd.DataFrame


def read_table(source: Path | Any) -> LabelTable:
    """Read and check a table.

    Args:
        source: a path, or an open file.

    Raises:
        SourceError: the table is not usable; the message says why.
    """
    name = getattr(source, "name", str(source))
    try:
        data = source.read_bytes() if isinstance(source, Path) else source.read()
        text = data.decode("utf-8-sig")
        head = text.partition("\n")[0]
        separator = max(",;\t", key=head.count)
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, sep=separator)
    except (OSError, ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise SourceError(
            _("{file} cannot be read as a table: {cause}. Save it as CSV (UTF-8).").format(
                file=name, cause=str(error).splitlines()[0]
            )
        ) from error
    frame.columns = [str(column).strip() for column in frame.columns]
    if FILE not in frame.columns:
        raise SourceError(
            _(
                "{file} has no column `file`. Its columns are: {columns}. Rename the one that holds "
                "the names of the photos."
            ).format(file=name, columns=", ".join(frame.columns))
        )
    if RESERVED in frame.columns:
        raise SourceError(
            _(
                "{file} has a column `{name}`, under which the answers of a run keep the place of a "
                "photo. Give the column another name."
            ).format(file=name, name=RESERVED)
        )
    frame = frame.apply(lambda column: column.str.strip())
    tasks = [column for column in frame.columns if column != FILE]
    single = [task for task in tasks if frame[task].replace("", pd.NA).nunique() < 2]
    if single or not tasks:
        raise SourceError(
            _(
                "{file} needs at least one column of labels beside `file`, each with two different "
                "labels or more. Too few in: {columns}."
            ).format(file=name, columns=", ".join(single) or _("none given"))
        )
    frame[FILE] = frame[FILE].str.replace("\\", "/").str.removeprefix("./")
    labels = frame.drop_duplicates(FILE, keep="last").set_index(FILE)
    return LabelTable(tasks=tuple(tasks), labels=labels)


def import_labelled(
    source: Path,
    table: LabelTable,
    *,
    test_source: Path | None = None,
    choices: datasets.ImportChoices | None = None,
    progress: Callable[[Any], None] | None = None,
) -> tuple[Dataset, str]:
    """Make a data set of a folder of photos and a table.

    Args:
        test_source: a folder of photos that are kept for the test; the table names them, too.

    Returns:
        The data set, and a sentence on what did not match (empty when all did).

    Raises:
        SourceError: nothing matched, or the folder is refused.
    """
    for folder_path in filter(None, (source, test_source)):
        if not folder_path.is_dir():
            raise SourceError(
                _("With a table of labels, {source} must be a folder.").format(source=folder_path)
            )
    if len([child for child in source.iterdir() if child.is_dir() and child.name[0] != "."]) >= 2:
        dataset = datasets.import_source(
            source,
            test_source=test_source,
            in_place=True,
            check=False,
            choices=choices,
            progress=progress,
        )
        return dataset, attach_labels(dataset, table, main=MAIN)
    main = min(table.tasks, key=lambda task: list(table.labels[task]).count(""))
    cache = home() / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="by-label-", dir=cache) as folder:
        staged, staged_test = Path(folder) / "learned" / source.name, None
        new_paths = _stage(source, table.labels[main], staged)
        if test_source is not None:
            staged_test = Path(folder) / "tested" / test_source.name
            remaining = table.labels[main].drop(list(new_paths))
            test_paths = _stage(test_source, remaining, staged_test)
            new_paths |= {
                file: f"{staged_test.name}/{folder_path}"
                for file, folder_path in test_paths.items()
            }
        dataset = datasets.import_source(
            staged, test_source=staged_test, check=False, progress=progress, name=source.name
        )
    relabelled = table.labels.loc[list(new_paths)].rename(index=new_paths)
    matched = LabelTable(tasks=table.tasks, labels=relabelled)
    attach_labels(dataset, matched, main=main)
    unmatched = len(table.labels) - len(new_paths)
    if unmatched:
        return dataset, _(
            "{n} rows of the table were not used: their photo is missing, or has no {main}."
        ).format(n=unmatched, main=main)
    return dataset, ""


def _stage(source: Path, labels: pd.Series[str], staged: Path) -> dict[str, str]:
    """Link photos into folders named by their label; the new path of each file of the table."""
    files = {
        path.relative_to(source).as_posix(): path for path in source.rglob("*") if path.is_file()
    }
    by_name = {PurePosixPath(file).name: path for file, path in files.items()}
    files |= {f"{source.name}/{file}": path for file, path in files.items()}
    new_paths: dict[str, str] = {}
    for number, (file, label) in enumerate(labels.items()):
        path = files.get(str(file)) or by_name.get(PurePosixPath(str(file)).name)
        if path is None or not label:
            continue
        folder_name = str(label).replace("/", "-").strip(". ") or "-"
        target = staged / folder_name / f"{number:05}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(path, target)
        new_paths[str(file)] = f"{folder_name}/{target.name}"
    if not new_paths:
        raise SourceError(
            _(
                "No file of the table is in {source}. The column `file` holds paths within it."
            ).format(source=source)
        )
    return new_paths


def attach_labels(dataset: Dataset, table: LabelTable, *, main: str = MAIN) -> str:
    """Store the table's labels with a data set, replacing earlier ones.

    Returns:
        A sentence on the number of photos without a row; empty when there are none.

    Raises:
        SourceError: it names none of the photos.
    """
    photos = dataset.photos
    bare_names = {str(file) for file in table.labels.index if "/" not in str(file)}
    name_counts = Counter(PurePosixPath(file).name for file in photos["file"])
    further_tasks = tuple(task for task in table.tasks if task != main)
    labels: dict[str, dict[str, str]] = {}
    for path, file in zip(photos["path"], photos["file"], strict=True):
        name = PurePosixPath(file).name
        by_name = name if name in bare_names and name_counts[name] == 1 else None
        key = next((k for k in (file, path, by_name) if k in table.labels.index), None)
        if key is not None:
            row = table.labels.loc[key]
            labels[path] = {task: str(row[task]) for task in further_tasks if row[task]}
    if not labels:
        raise SourceError(
            _(
                "The table names none of the photos of {name}. Its column `file` must hold paths like "
                "{example}."
            ).format(name=dataset.name, example=photos["file"].iloc[0] if len(photos) else "a.jpg")
        )
    store_tasks(dataset, main=main, tasks=further_tasks, labels=labels)
    missing = len(photos) - len(labels)
    if missing:
        return _("The table says nothing of {n} of {total} photos.").format(
            n=missing, total=len(photos)
        )
    return ""
