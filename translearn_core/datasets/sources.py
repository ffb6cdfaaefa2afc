"""Lists the candidate photos of a source (folder or archive) with their classes.

Owns: `list_sources`, giving candidates their classes by folders or by a table, `unpacked`,
`allowed_folder`. Sources are never written to. Leaves to others: walking a folder
(`folder_listing.py`), archives (`archive.py`), what becomes of the candidates (`importing.py`).
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from translearn_core import spaces
from translearn_core.atomic import disk_errors
from translearn_core.config import load_configuration
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.file_names import NameKeeper, printable, safe_name
from translearn_core.datasets.folder_listing import list_photos, tell_empty, tell_hidden
from translearn_core.datasets.import_context import Candidate, ImportContext, LeftOut
from translearn_core.datasets.layout import ClassAssignment, read_layout
from translearn_core.datasets.questions import OpenQuestionError
from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _, ngettext


def existing_source(path: Path) -> Path:
    path = path.expanduser()
    try:
        resolved = path.resolve(strict=True)
        if resolved.is_dir() or resolved.is_file():
            return resolved
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a loop of links
        pass
    raise SourceError(
        _("There is no folder or zip {path}. Check the name.").format(path=printable(str(path)))
    )


def list_sources(
    sources: Sequence[Path],
    stack: contextlib.ExitStack,
    context: ImportContext,
    labels: Labelling | None = None,
) -> tuple[list[Candidate], LeftOut]:
    """Candidates of the source and, if there is one, of the test source, with class and split."""
    if labels is not None:
        listed = [_list_source(source, stack, context) for source in sources]
        return labelled(listed, [str(source) for source in sources], labels, context)
    candidates, left_out = with_assignments(*_list_source(sources[0], stack, context), context)
    if len(sources) == 1:
        return candidates, left_out
    test_candidates, test_left_out = with_assignments(
        *_list_source(sources[1], stack, context), context
    )
    classes = {item.assignment.class_name for item in candidates}
    unknown_classes = sorted({item.assignment.class_name for item in test_candidates} - classes)
    if unknown_classes:
        raise SourceError(
            _(
                "The photos kept for the test have classes that the others do not have: {names}. "
                "Name their folders as in {source}."
            ).format(names=", ".join(unknown_classes), source=printable(sources[0].name))
        )
    prefix = printable(sources[1].name)
    test_candidates = [
        replace(
            item, file=f"{prefix}/{item.file}", assignment=replace(item.assignment, split="test")
        )
        for item in test_candidates
    ]
    test_left_out = [(f"{prefix}/{file}", reason) for file, reason in test_left_out]
    return candidates + test_candidates, left_out + test_left_out


class Labelling(Protocol):
    """Gives photos their classes by something else than their folders.

    `key` tells data sets of one folder apart; `assign` gets the files of each source and the
    sources' paths, and returns class and split of each file, or the reason why it has none.
    """

    @property
    def key(self) -> str: ...

    def assign(
        self, listed: Sequence[Sequence[str]], roots: Sequence[str]
    ) -> list[list[ClassAssignment]]: ...


def labelled(
    listed: Sequence[tuple[list[Candidate], LeftOut]],
    roots: Sequence[str],
    labels: Labelling,
    context: ImportContext,
) -> tuple[list[Candidate], LeftOut]:
    """Candidates with the classes that `labels` gives; those of a second source are for the test."""
    left_out = [row for _candidates, rows in listed for row in rows]
    if not listed[0][0]:
        raise SourceError(nothing_left(left_out))
    assignments = labels.assign([[item.file for item in part] for part, _rows in listed], roots)
    assigned = []
    for number, (part, _rows) in enumerate(listed):
        for item, assignment in zip(part, assignments[number], strict=True):
            file = item.file
            if number:
                file = f"{Path(roots[number]).name}/{file}"
                assignment = replace(assignment, split="test")
            placed = replace(item, file=file, assignment=assignment)
            if assignment.reason:
                left_out.append((file, assignment.reason))
                context.loose.append(placed)
            else:
                assigned.append(placed)
    return assigned, left_out


def _list_source(
    source: Path, stack: contextlib.ExitStack, context: ImportContext
) -> tuple[list[Candidate], LeftOut]:
    context.report(0, 0, _("Listing the files"))
    if source.is_dir():
        return list_photos(source, context)
    opened = stack.enter_context(open_archive(source, context.limits, context.choices))
    candidates = [
        Candidate(
            entry.name, entry.size_bytes, functools.partial(opened.read, entry, context.limits)
        )
        for entry in opened.entries
    ]
    context.questions += opened.questions
    left_out = list(opened.left_out)
    left_out += tell_hidden(opened.hidden, context)
    left_out += tell_empty(opened.folders, candidates, left_out, context)
    return candidates, left_out


def with_assignments(
    candidates: list[Candidate], left_out: LeftOut, context: ImportContext
) -> tuple[list[Candidate], LeftOut]:
    """Assign class and split to each candidate; those without a class go to `left_out`."""
    if not candidates:
        if any(question.setting == "follow_links" for question in context.questions):
            raise OpenQuestionError(nothing_left(left_out), "follow_links", ())
        raise SourceError(nothing_left(left_out))
    assigned = []
    left_out = list(left_out)
    layout = read_layout([item.file for item in candidates], context.choices)
    context.notices += layout.notices
    context.questions += layout.questions
    whole: dict[str, str] = {}
    for item, assignment in zip(candidates, layout.assignments, strict=True):
        placed = replace(item, assignment=assignment)
        if not assignment.reason:
            assigned.append(placed)
            continue
        context.loose.append(placed)
        if assignment.folder:
            whole[f"{assignment.folder}/"] = assignment.reason
        else:
            left_out.append((item.file, assignment.reason))
    return assigned, left_out + sorted(whole.items())


def nothing_left(left_out: LeftOut) -> str:
    if not left_out:
        return _(
            "There are no photos in it. Choose a folder or zip with one folder for each class."
        )
    file, reason = left_out[0]
    return ngettext(
        "No photo could be taken from it; {n} file was left out. {file}: {reason}",
        "No photo could be taken from it; {n} files were left out. The first, {file}: {reason}",
        len(left_out),
    ).format(n=len(left_out), file=file, reason=reason)


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A temporary folder with the photos of an archive under safe names, classes or not.

    Only candidates for photos are unpacked; `archive.py` decides what is refused or left out.

    Raises:
        SourceError: the archive is refused.
        StorageError: the disk is full.
    """
    limits = load_configuration().limits
    keeper = NameKeeper()
    with (
        tempfile.TemporaryDirectory(prefix="translearn-") as name,
        open_archive(path, limits) as opened,
    ):
        folder = Path(name)
        for entry in opened.entries:
            *folders, last = entry.name.split("/")
            parent = folder.joinpath(*(safe_name(part) for part in folders))
            target = parent / keeper.claim("/".join(map(safe_name, folders)), last)
            with contextlib.suppress(PhotoError):
                data = opened.read(entry, limits)
                with disk_errors():
                    parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
        yield folder


def source_folders() -> list[Path]:
    """The folders of this machine that whoever acts may have photos read from.

    Those of the configuration; none for a pupil of a class.
    """
    if not spaces.is_whole():
        return []
    return [Path(root).expanduser() for root in load_configuration().source_folders]


def allowed_folder(path: Path | str) -> Path:
    """The real folder of `path`, if pages may read it.

    Links are resolved first, so none leads out of the allowed folders.

    Raises:
        SourceError: it lies in none of the configuration's `source_folders`, or is no folder.
    """
    roots = [root.resolve() for root in source_folders()]
    folder = Path(path).expanduser().resolve()
    if not any(folder.is_relative_to(root) for root in roots):
        raise SourceError(
            _(
                "{folder} may not be read from a page. Allowed are: {roots}. Whoever runs this "
                "server can change `source_folders` in config.toml."
            ).format(folder=folder, roots=", ".join(map(str, roots)) or _("no folders yet"))
        )
    if not folder.is_dir():
        raise SourceError(_("There is no folder {folder}.").format(folder=folder))
    return folder
