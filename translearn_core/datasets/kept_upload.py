"""What was brought in over a page, kept for as long as its reading may be changed.

Owns: receiving an archive or files, with a table of labels or without, in a folder; reading them
(`read_upload`), as photos that nobody has sorted (`read_as_unsorted`), and again with other answers
(`read_again`). Leaves to others: the
import (`importing.py`, `label_table.py`), what is asked (`questions.py`).

Files, in `<workspace>/uploads/<name>/` until they were read, then in `<dataset>/source/` where a
question was asked, a table given or one class found (else nothing is kept), without the positions of
photos unless they are wanted: `upload.json`, and `archive/<name>`, or
`files/0`, `files/1`, … in the order of the names in `upload.json`; `table/<name>`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from translearn_core import leftovers
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.config import load_configuration
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.file_names import safe_name
from translearn_core.datasets.folder_listing import begins_as_photo, list_photos
from translearn_core.datasets.import_choices import ImportChoices, hidden_folder
from translearn_core.datasets.import_context import ImportContext, ProgressCallback, StopCheck
from translearn_core.datasets.importing import import_files, import_source
from translearn_core.datasets.label_table import import_labelled, import_labelled_files
from translearn_core.datasets.library import check_free_space
from translearn_core.datasets.photo_names import (
    has_photo_suffix,
    is_junk,
    may_be_table,
    reason_not_photo,
)
from translearn_core.datasets.table_file import MOST_BYTES
from translearn_core.datasets.table_reading import LabelTable, read_table
from translearn_core.datasets.tasks import TableChoices, table_notes
from translearn_core.datasets.unsorted import NoClasses
from translearn_core.datasets.upload_positions import bare_archive, bare_files
from translearn_core.errors import SourceError, StorageError
from translearn_core.i18n import _, number
from translearn_core.imaging.video import is_video

KEPT = "source"
"""Folder in a data set."""
_NAME = leftovers.WAITING
_PAGE_SETTINGS = ("role", "classes", "names")


class Upload(BaseModel):
    """upload.json: the name for people; an archive, files, or a folder of this machine (and
    whether its photos are used in place); the name of the table, empty for none; and what was
    chosen so far: `choices` as `ImportChoices.as_text`, `columns` of the table."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    archive: str = ""
    files: tuple[str, ...] = ()
    source: str = ""
    in_place: bool = False
    table: str = ""
    choices: str = ""
    columns: TableChoices = TableChoices()


class KeptUpload:
    """An upload in its folder.

    Raises:
        SourceError: there is none, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.content = Upload.model_validate_json((folder / _NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SourceError(
                _("What was brought in is no longer there. Bring it in again.")
            ) from error

    @property
    def name(self) -> str:
        """The name for people."""
        return self.content.name

    @property
    def table(self) -> Path | None:
        """The table of labels."""
        return self.folder / "table" / self.content.table if self.content.table else None

    @property
    def choices(self) -> ImportChoices:
        """What was chosen so far."""
        return ImportChoices.from_text(self.content.choices)

    def remember(self, choices: ImportChoices, columns: TableChoices) -> None:
        """Keep what is chosen, for whoever comes back to it before it is read.

        Raises:
            StorageError: the disk is full.
        """
        update = {"choices": choices.as_text(), "columns": columns}
        content = self.content.model_copy(update=update)
        if content != self.content:
            self.content = content
            _write(self.folder, content)

    @property
    def root(self) -> Path:
        """The archive or folder; the folder of the upload itself for files."""
        if self.content.source:
            return Path(self.content.source)
        return (
            self.folder / "archive" / self.content.archive if self.content.archive else self.folder
        )

    def read_table(self, choices: TableChoices) -> LabelTable:
        """The table of labels.

        Raises:
            SourceError: there is none, or it is not usable with these choices.
        """
        if self.table is None:
            raise SourceError(_("No table of labels was given."))
        return read_table(
            self.table,
            main=choices.main,
            file_column=choices.file_column,
            one_hot=choices.one_hot,
        )

    def list_files(self, choices: ImportChoices) -> list[str]:
        """The paths of all files that may be photos, within their source.

        Raises:
            SourceError: the source is refused.
        """
        with self.look_inside(choices) as (files, _tables):
            return files

    @contextmanager
    def look_inside(
        self, choices: ImportChoices
    ) -> Iterator[tuple[list[str], Mapping[str, Callable[[], bytes]]]]:
        """The paths of all files that may be photos, within their source, and of those that may be
        tables of labels, each with what reads it as long as the block lasts.

        Raises:
            SourceError: the source is refused.
        """
        if self.content.files:
            placed = [
                (name, self.folder / "files" / str(place))
                for place, name in enumerate(self.content.files)
            ]
            files = [name for name, path in placed if _may_be_photo(name, path, choices)]
            tables = {name: path.read_bytes for name, path in placed if may_be_table(name)}
            yield files, tables
            return
        limits = load_configuration().limits
        if self.content.source:
            context = ImportContext(limits, False, None, None, choices)
            files = [item.file for item in list_photos(self.root, context)[0]]
            paths = sorted([*self.root.glob("*"), *self.root.glob("*/*")])
            near = {path.relative_to(self.root).as_posix(): path for path in paths}
            yield (
                files,
                {
                    name: path.read_bytes
                    for name, path in near.items()
                    if may_be_table(name) and path.is_file() and path.stat().st_size <= MOST_BYTES
                },
            )
            return
        with open_archive(self.root, limits, choices) as opened:
            yield (
                [entry.name for entry in opened.entries],
                {entry.name: partial(entry.read_bytes, MOST_BYTES) for entry in opened.tables},
            )

    def add_table(self, *tables: tuple[str, BinaryIO]) -> None:
        """Receive a table of labels, or the tables of a camera trap package, in place of an
        earlier one."""
        self.drop_table()
        for name, file in tables:
            _receive(file, self.folder / "table" / safe_name(name))
        self.content = self.content.model_copy(update={"table": safe_name(tables[0][0])})
        _write(self.folder, self.content)

    def drop_positions(self, stop: StopCheck | None = None) -> None:
        """Take out of its photos where they were taken; a folder of this machine stays as it is.

        Raises:
            StorageError: the disk is full.
            SourceError: the archive cannot be read any more, or it was stopped.
        """
        context = ImportContext(load_configuration().limits, False, None, stop)
        bare_files(self.folder / "files", context)
        if self.content.archive:
            made = bare_archive(self.root, context)
            self.content = self.content.model_copy(update={"archive": made.name})
            _write(self.folder, self.content)

    def drop_table(self) -> None:
        """Take the table away."""
        shutil.rmtree(self.folder / "table", ignore_errors=True)
        update = {"table": "", "columns": TableChoices()}
        self.content = self.content.model_copy(update=update)
        _write(self.folder, self.content)


def receive_upload(
    folder: Path,
    *,
    name: str,
    archive: tuple[str, BinaryIO] | None = None,
    files: Iterable[tuple[str, Path | BinaryIO]] = (),
    source: Path | None = None,
    in_place: bool = False,
    tables: Sequence[tuple[str, BinaryIO]] = (),
    choices: ImportChoices | None = None,
    received: Callable[[int, str], None] | None = None,
) -> KeptUpload:
    """Move what a page was given to the disk, one by one.

    Args:
        folder: is made.
        archive, files: a name, or pairs of a relative name, and the file.
        source: a folder of this machine, in place of both.
        tables: a table of labels, or those of a camera trap package.
        choices: what was chosen about it.
        received: called with the number and the name of each file.

    Raises:
        StorageError: the disk is full.
        SourceError: there are more files than are taken at once.
    """
    with disk_errors():
        (folder / "files").mkdir(parents=True)
    names = []
    limits = load_configuration().limits
    total = 0
    for place, (raw_name, file) in enumerate(files):
        names.append(
            "/".join(part for part in raw_name.replace("\\", "/").split("/") if part != ".")
        )
        if received is not None:
            received(place, names[-1])
        total += _receive(file, folder / "files" / str(place), limits.photo_bytes + 1)
        if place >= limits.files or total > limits.total_bytes:
            raise SourceError(
                _("These are too many files at once: at most {files} and {size} GB.").format(
                    files=limits.files, size=number(limits.total_bytes / 2**30, ".1f")
                )
            )
    if archive is not None:
        _receive(archive[1], folder / "archive" / safe_name(archive[0]))
    for table_name, file in tables:
        _receive(file, folder / "table" / safe_name(table_name))
    content = Upload(
        name=name,
        archive=safe_name(archive[0]) if archive is not None else "",
        files=tuple(names),
        source=str(source) if source is not None else "",
        in_place=in_place,
        table=safe_name(tables[0][0]) if tables else "",
        choices=choices.as_text() if choices is not None else "",
    )
    _write(folder, content)
    return KeptUpload(folder)


@contextmanager
def removed_unless_asked(folder: Path, *, stop: StopCheck) -> Iterator[None]:
    """Remove the folder of an upload when its reading ends with an error, unless another answer
    about it may help: it holds files that may be photos, and it was not stopped."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, SourceError) and not stop() and _may_be_asked(folder)):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def waiting_uploads(folder: Path) -> list[KeptUpload]:
    """The uploads in a folder that wait for an answer, or are being read, by their names."""
    found = []
    for one in folder.glob(f"*/{_NAME}"):
        with suppress(SourceError):  # it was taken away
            found.append(KeptUpload(one.parent))
    return sorted(found, key=lambda upload: (upload.name, upload.folder))


def _may_be_photo(name: str, path: Path, choices: ImportChoices) -> bool:
    """Whether a file that was given is listed as a photo or a video, by its name or its content."""
    parts = name.split("/")
    if hidden_folder(parts, choices) or is_junk(parts[-1:]) or reason_not_photo(parts[-1]):
        return False
    if is_video(name) or (has_photo_suffix(name) and PurePosixPath(name).suffix):
        return True
    with suppress(OSError):  # it was taken away
        return begins_as_photo(path)
    return False


def _may_be_asked(folder: Path) -> bool:
    try:
        return bool(KeptUpload(folder).list_files(ImportChoices()))
    except SourceError:
        return False


def _write(folder: Path, content: Upload) -> None:
    with disk_errors():
        write_atomically(folder / _NAME, content.model_dump_json())


def _receive(file: Path | BinaryIO, target: Path, most_bytes: int = -1) -> int:
    """Copy a file, at most so many bytes of it; returns their number."""
    check_free_space(0)
    with disk_errors():
        target.parent.mkdir(exist_ok=True)
        if isinstance(file, Path):
            shutil.copyfile(file, target)
        else:
            with target.open("wb") as copy:
                if most_bytes < 0:
                    shutil.copyfileobj(file, copy, 2**20)
                else:
                    copy.write(file.read(most_bytes))
    return target.stat().st_size


def read_upload(
    upload: KeptUpload,
    *,
    choices: ImportChoices,
    table: TableChoices,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Dataset:
    """Make a data set of an upload; the upload moves into it where its reading may be changed,
    else, or where the disk has no room for that or it is stopped then, it is removed.

    Raises:
        SourceError, StorageError: as `importing.import_source`; the upload stays as it is.
    """
    dataset = _import(upload, choices, table, progress, stop)
    target = dataset.folder / KEPT
    if upload.folder == target:
        return dataset
    is_asked = any(one.setting in _PAGE_SETTINGS for one in dataset.record.questions)
    is_one = len(dataset.classes) < 2  # a table may say more
    if is_asked or is_one or upload.table is not None or dataset.record.choices:
        shutil.rmtree(target, ignore_errors=True)
        with suppress(StorageError, SourceError):  # the data set is whole without it
            if not choices.keep_positions:
                upload.drop_positions(stop)
            with disk_errors():
                upload.folder.replace(target)
    shutil.rmtree(upload.folder, ignore_errors=True)
    return dataset


def _import(
    upload: KeptUpload,
    choices: ImportChoices,
    table: TableChoices,
    progress: ProgressCallback | None,
    stop: StopCheck | None,
) -> Dataset:
    content = upload.content
    files = [(name, upload.folder / "files" / str(n)) for n, name in enumerate(content.files)]
    if upload.table is not None:
        read = upload.read_table(table)
        if files:
            return import_labelled_files(
                files,
                read,
                name=content.name,
                several=table.several,
                choices=choices,
                progress=progress,
                stop=stop,
            ).dataset
        return import_labelled(
            upload.root,
            read,
            several=table.several,
            in_place=content.in_place,
            choices=choices,
            check=True,
            name=content.name,
            key=content.table,
            progress=progress,
            stop=stop,
        ).dataset
    if files:
        return import_files(files, name=content.name, choices=choices, progress=progress, stop=stop)
    return import_source(
        upload.root,
        name=content.name,
        in_place=content.in_place,
        choices=choices,
        progress=progress,
        stop=stop,
    )


def read_as_unsorted(
    upload: KeptUpload,
    *,
    choices: ImportChoices,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Dataset:
    """Make a data set of an upload whose photos nobody has sorted: its folders are no classes. The
    upload is removed; photos of a folder of this machine are copied, since they get classes here.

    Args:
        choices: how names and files are read, and which folders are left out; none makes a class.

    Raises:
        SourceError, StorageError: as `importing.import_source`; the upload stays as it is.
    """
    content, labels = upload.content, NoClasses(choices)
    if content.files:
        files = [(name, upload.folder / "files" / str(n)) for n, name in enumerate(content.files)]
        dataset = import_files(
            files,
            name=content.name,
            labels=labels,
            choices=choices,
            progress=progress,
            stop=stop,
        )
    else:
        dataset = import_source(
            upload.root,
            name=content.name,
            labels=labels,
            choices=choices,
            progress=progress,
            stop=stop,
        )
    shutil.rmtree(upload.folder, ignore_errors=True)
    return dataset


def kept_upload(dataset: Dataset) -> KeptUpload | None:
    """What a data set was read from, where it can be read again; None where it cannot."""
    with suppress(SourceError):
        return KeptUpload(dataset.folder / KEPT)
    return None


def read_again(
    dataset: Dataset,
    *,
    choices: ImportChoices,
    table: TableChoices,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Dataset:
    """Read the upload of a data set again with other answers.

    Returns:
        A new data set, to which the upload has moved; the old one stays as it is. Photos that are
        used in place may give the same data set, read afresh.

    Raises:
        SourceError, StorageError: as `read_upload`; nothing has changed.
    """
    upload = KeptUpload(dataset.folder / KEPT)
    return read_upload(upload, choices=choices, table=table, progress=progress, stop=stop)


def forget_upload(dataset: Dataset) -> None:
    """Delete the upload of a data set, whose reading is right."""
    shutil.rmtree(dataset.folder / KEPT, ignore_errors=True)


def table_choices(dataset: Dataset) -> TableChoices:
    """What was chosen about the table of a data set, or found."""
    return TableChoices(**table_notes(dataset).model_dump(include=set(TableChoices.model_fields)))
