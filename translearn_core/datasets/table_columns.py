"""What the columns of a table mean: names of photos, labels, the split.

Owns: the names in use for each (`FILE_NAMES`, `LABEL_NAMES`, `SPLIT_NAMES`), the words of a split
column, one-hot columns, and which columns are no labels (ids, free text, measurements). Leaves to
others: reading cells (`table_file.py`), which photo a row means (`table_match.py`).

Nothing is chosen where two columns fit equally: the question names them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from translearn_core.datasets.folder_words import split_kind
from translearn_core.datasets.photo_names import PHOTO_SUFFIXES
from translearn_core.datasets.questions import OpenQuestionError, Question
from translearn_core.datasets.table_file import Cells, no_heads
from translearn_core.errors import SourceError
from translearn_core.i18n import _

FILE_NAMES = (
    frozenset(
        [
            "file",
            "files",
            "filename",
            "filenames",
            "filepath",
            "filepaths",
            "fname",
            "path",
            "paths",
            "image",
            "images",
            "imagename",
            "imagefile",
            "imagefilename",
            "imagepath",
            "imagepaths",
            "imagefilepath",
            "img",
            "imgname",
            "imgfile",
            "imgpath",
            "imgfilename",
            "photo",
            "photos",
            "photoname",
            "photofile",
            "photopath",
            "photofilename",
            "picture",
            "picturename",
            "picturefile",
            "relativepath",
            "relpath",
            "basename",
            "imageurl",
            "url",
            "uri",
            "jpg",
        ]
    ),
    frozenset(
        [
            "id",
            "imageid",
            "imgid",
            "photoid",
            "pictureid",
            "fileid",
            "uuid",
            "key",
            "name",
            "guid",
            "mediaid",
        ]
    ),
)
"""Column heads that name photos, the surer ones first; `key_of` form."""
LABEL_NAMES = frozenset(
    [
        "label",
        "labels",
        "labelname",
        "class",
        "classes",
        "classname",
        "classlabel",
        "category",
        "categories",
        "categoryname",
        "species",
        "speciesname",
        "scientificname",
        "commonname",
        "breed",
        "target",
        "targets",
        "y",
        "diagnosis",
        "dx",
        "groundtruth",
        "truth",
        "annotation",
        "tag",
    ]
)
SPLIT_NAMES = frozenset(
    [
        "split",
        "splits",
        "set",
        "subset",
        "partition",
        "datasplit",
        "datasetsplit",
        "splitname",
        "phase",
        "usage",
    ]
)
SPLIT_WORDS = {
    "train": "train trn training learn learning",
    "val": "val valid validation validate dev develop development",
    "test": "test tst testing eval evaluation holdout heldout",
}
_SPLIT_OF = {word: split for split, words in SPLIT_WORDS.items() for word in words.split()}
ONE_HOT = "label"
"""Name of the label that one-hot columns are taken as."""
_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "": 0}
_MOST_NUMBERS = 50
_DISTINCT_SHARE = 0.9
_FEW_ROWS = 3


def key_of(head: str) -> str:
    """A column head without case, spaces and signs: `File Name` and `file_name` are `filename`."""
    return re.sub(r"[\W_]+", "", head.casefold())


@dataclass(frozen=True, kw_only=True)
class ColumnRoles:
    """What the columns of a table mean.

    Args:
        file: the column that names the photos.
        labels: columns of labels, in the table's order.
        named: those of them whose head says that they hold classes.
        split: the column of the split, or empty.
        one_hot: the columns that were taken as one label, or none.
        notes: sentences on what was taken and what was not.
        questions: what may be chosen instead.
    """

    file: str
    labels: tuple[str, ...]
    named: tuple[str, ...]
    split: str
    one_hot: tuple[str, ...]
    notes: tuple[str, ...]
    questions: tuple[Question, ...] = ()


def find_roles(
    cells: Cells,
    *,
    file_column: str = "",
    wanted: str = "",
    groups: str = "",
    one_hot: bool = True,
) -> ColumnRoles:
    """What the columns of a table mean.

    Args:
        file_column: the column that names the photos, where a person chose it.
        wanted: a column that a person chose for the classes; empty for none.
        groups: the column of what photos belong together, which is no label; empty for none.
        one_hot: whether columns of 0 and 1 with one 1 in each row are one label.

    Raises:
        SourceError: no column names the photos, several do equally, or none holds labels.
    """
    file = named_column(cells, file_column) if file_column else _find_file(cells)
    split = _find_split(cells, {file, wanted, groups})
    no_labels = {file, split, groups} - {wanted}
    rest = [column for column in cells.columns if column not in no_labels]
    hot = _find_one_hot(cells, rest) if one_hot and wanted not in rest else ()
    labels: list[str] = []
    notes: list[str] = []
    questions: list[Question] = []
    for column in rest:
        if column in hot:
            continue
        reason = "" if column == wanted else _no_label(cells, column)
        if reason:
            notes.append(reason)
        else:
            labels.append(column)
    if hot:
        labels.append(one_hot_name(cells))
        text = _(
            "The columns {columns} hold 0 and 1, with one 1 in each row (one-hot): they were taken as "
            "one column of labels, called {name}."
        ).format(columns=_listed(hot), name=labels[-1])
        questions.append(Question(text=text, setting="one_hot", options=("yes", "no"), taken="yes"))
    named = tuple(column for column in labels if key_of(column) in LABEL_NAMES)
    return ColumnRoles(
        file=file,
        labels=tuple(labels),
        named=named,
        split=split,
        one_hot=hot,
        notes=tuple(notes),
        questions=tuple(questions),
    )


def named_column(cells: Cells, name: str) -> str:
    """The column of a name, in its own case or any.

    Raises:
        SourceError: there is none, or several differ in case only.
    """
    found = find_column(cells, name)
    if found:
        return found
    raise SourceError(
        _("{file} has no column {name}. Its columns are: {columns}.").format(
            file=cells.name, name=name, columns=_listed(cells.columns)
        )
    )


def find_column(cells: Cells, name: str) -> str:
    """The column of a name, in its own case or any; empty: none, or several differ in case only."""
    if name in cells.columns:
        return name
    same = [column for column in cells.columns if key_of(column) == key_of(name)]
    return same[0] if len(same) == 1 else ""


def one_hot_name(cells: Cells) -> str:
    """The name of the one label that one-hot columns are."""
    return ONE_HOT if ONE_HOT not in cells.columns else f"{ONE_HOT} (one-hot)"


def one_hot_labels(cells: Cells, columns: Sequence[str]) -> list[str]:
    """The label of each row: the head of its 1; empty where all cells are empty."""
    places = [cells.columns.index(column) for column in columns]
    labels = []
    for row in cells.rows:
        ones = [place for place in places if _BITS[row[place].lower()]]
        labels.append(cells.columns[ones[0]] if ones else "")
    return labels


def split_of(word: str) -> str | None:
    """train, val or test; empty for an empty word, None for one that is not known."""
    key = key_of(word)
    if not key:
        return ""
    plain = key.removesuffix("set").removesuffix("data")
    kind = _SPLIT_OF.get(key) or _SPLIT_OF.get(plain) or split_kind(word)
    return "test" if kind == "eval" else kind if kind in SPLIT_WORDS else None


def _find_file(cells: Cells) -> str:
    looking = {column: _photo_share(cells.column(column)) for column in cells.columns}
    strong = [column for column in cells.columns if looking[column] >= 0.5]
    for names in FILE_NAMES:
        known = [column for column in cells.columns if key_of(column) in names]
        with_suffix = [column for column in known if column in strong]
        if strong and not with_suffix and any(key_of(one) in FILE_NAMES[1] for one in strong):
            continue
        found = with_suffix or known
        exact = [column for column in found if key_of(column) == "file"]
        if len(exact) == 1:
            return exact[0]
        if len(found) > 1:
            raise OpenQuestionError(
                _("{file} has several columns that may name the photos: {columns}.").format(
                    file=cells.name, columns=_listed(found)
                ),
                "file_column",
                found,
            )
        if found:
            return found[0]
    if any(PurePosixPath(head).suffix.lower() in PHOTO_SUFFIXES for head in cells.columns):
        raise no_heads(cells.name, cells.columns)
    if len(strong) == 1:
        return strong[0]
    raise OpenQuestionError(
        _(
            "{file} has no column `file` or another that names the photos. Its columns are: {columns}."
        ).format(file=cells.name, columns=_listed(cells.columns)),
        "file_column",
        cells.columns,
    )


def _photo_share(values: Sequence[str]) -> float:
    given = [value for value in values if value]
    if not given:
        return 0.0
    return sum(has_photo_suffix(value) for value in given) / len(given)


def has_photo_suffix(name: str) -> bool:
    """Whether a name ends as the name of a photo does."""
    return PurePosixPath(name.replace("\\", "/")).suffix.lower() in PHOTO_SUFFIXES


def _find_split(cells: Cells, taken: set[str]) -> str:
    found = [
        column
        for column in cells.columns
        if column not in taken
        and key_of(column) in SPLIT_NAMES
        and any(split_of(word) for word in set(cells.column(column)))
    ]
    if len(found) > 1:
        raise SourceError(
            _(
                "{file} has several columns that give the split: {columns}. Remove all but one."
            ).format(file=cells.name, columns=_listed(found))
        )
    return found[0] if found else ""


def _find_one_hot(cells: Cells, columns: Sequence[str]) -> tuple[str, ...]:
    """The longest run of neighbouring columns of 0 and 1 that have exactly one 1 in each row."""
    bits: dict[str, list[int]] = {}
    for column in columns:
        values = [_BITS.get(value.lower()) for value in cells.column(column)]
        if None not in values and any(values):
            bits[column] = [value or 0 for value in values]
        elif None not in values and any(cells.column(column)):
            bits[column] = [0] * len(values)  # a class that no row has
    best: tuple[str, ...] = ()
    for start in range(len(columns)):
        sums = [0] * len(cells.rows)
        for end in range(start, len(columns)):
            if columns[end] not in bits:
                break
            sums = [total + bit for total, bit in zip(sums, bits[columns[end]], strict=True)]
            if max(sums) > 1:
                break
            run = tuple(columns[start : end + 1])
            if len(run) > max(1, len(best)) and min(sums) == 1:
                best = run
    return best if sum(any(bits[column]) for column in best) > 1 else ()


def _no_label(cells: Cells, column: str) -> str:
    """Why a column holds no labels to learn, as a sentence; empty where it may."""
    values = [value for value in cells.column(column) if value]
    distinct = len(set(values))
    if distinct < 2:
        return _("The column {column} has fewer than two different labels; it is left out.").format(
            column=column
        )
    if key_of(column) in LABEL_NAMES:
        return ""
    if len(values) >= _FEW_ROWS and distinct >= _DISTINCT_SHARE * len(values):
        return _(
            "The column {column} is left out: nearly every row has its own value ({n} in {rows} rows), "
            "as ids and free text do."
        ).format(column=column, n=distinct, rows=len(values))
    if distinct > _MOST_NUMBERS and all(map(_is_number, values)):
        return _(
            "The column {column} is left out: it holds {n} different numbers, as measurements do."
        ).format(column=column, n=distinct)
    if not all(map(_is_whole, values)) and all(map(_is_number, values)):
        return _("The column {column} is left out: it holds measurements.").format(column=column)
    return ""


def _is_number(value: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", value) is not None


def _is_whole(value: str) -> bool:
    return re.fullmatch(r"[+-]?\d+([.,]0*)?", value) is not None or not _is_number(value)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:30])
    return shown if len(columns) <= 30 else f"{shown}, …"
