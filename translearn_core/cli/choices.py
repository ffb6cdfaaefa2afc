"""Options of the commands that read labelled photos: a table of labels, and what names do not decide.

Owns: `with_import_options`, `ImportOptions`. Leaves to others: what the choices do (`datasets`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translearn_core.cli.interrupt import kept
from translearn_core.errors import SettingsError
from translearn_core.i18n import N_, _

if TYPE_CHECKING:
    from translearn_core.datasets import ImportChoices
    from translearn_core.datasets.questions import Question

MAIN = "class"
"""As `datasets.tasks.MAIN`, which is not imported for `--help`."""
EVERY_S = 0.5
"""As `imaging.video.EVERY_S`, likewise."""
MOST_EVERY_S = 3600
_TABLE_OPTIONS: dict[str, tuple[Any, Any]] = {
    "labels": (
        Annotated[
            Path | None,
            typer.Option(
                metavar="TABLE",
                help="A table with the class of each photo: CSV, Excel, Parquet, COCO.",
            ),
        ],
        None,
    ),
    "main": (
        Annotated[str, typer.Option(help="The column of the classes; `class` for the folders.")],
        "",
    ),
    "file_column": (Annotated[str, typer.Option(help="The column that names the photos.")], ""),
    "one_hot": (
        Annotated[
            bool, typer.Option(help="Take columns of 0 and 1 with one 1 in each row as one label.")
        ],
        True,
    ),
    "group_by": (
        Annotated[
            str,
            typer.Option(
                metavar="COLUMN|LEVEL",
                help="What photos belong together, so that no split tears them apart: a column of "
                "the table, `folder`, a folder level like 1, -1 or site, `name:_`, or `none`.",
            ),
        ],
        "",
    ),
}
_CHOICE_OPTIONS: dict[str, tuple[Any, Any]] = {
    "follow_links": (
        Annotated[
            bool,
            typer.Option("--follow-links", help="Also read what links out of the folder lead to."),
        ],
        False,
    ),
    "keep_folder": (
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME",
                help="Take this folder as a class (hidden, unlabelled, train); may be repeated.",
            ),
        ],
        None,
    ),
    "folder_as": (
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME=ROLE",
                help="What a folder is: train, val, test, class or out; may be repeated.",
            ),
        ],
        None,
    ),
    "classes": (
        Annotated[
            str,
            typer.Option(
                metavar="outer|inner",
                help="Which folders are the classes: the first level, or the innermost.",
            ),
        ],
        "",
    ),
    "names": (
        Annotated[
            str,
            typer.Option(
                metavar="ENCODING",
                help="Encoding of the names in an archive, like cp1252, cp866, gbk or cp932.",
            ),
        ],
        "",
    ),
    "page": (
        Annotated[
            str,
            typer.Option(
                metavar="NUMBER|brightest",
                help="Page of TIFF files with several: its number (default 1), or the one with most "
                "contrast.",
            ),
        ],
        "",
    ),
    "channels": (
        Annotated[
            str,
            typer.Option(
                metavar="R,G,B",
                help="Channels of files with many (or grey pages of TIFF files), from 1 on: three as "
                "red, green and blue, or one channel as grey.",
            ),
        ],
        "",
    ),
    "every": (
        Annotated[
            float,
            typer.Option(
                metavar="SECONDS", help="Distance of two frames that are taken of a video in a zip."
            ),
        ],
        EVERY_S,
    ),
    "keep_positions": (
        Annotated[
            bool,
            typer.Option(
                "--keep-positions",
                help="Keep in photos that are copied where they were taken (GPS); else it is dropped.",
            ),
        ],
        False,
    ),
}


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """How labelled photos are read: by a table of labels (its column of classes, its column of names,
    whether one-hot columns are one label), or by their folders; what photos belong together
    (`--group-by`); and the choices (None: no option of them was given)."""

    labels: Path | None
    main: str
    file_column: str
    one_hot: bool
    group_by: str
    choices: ImportChoices | None


def with_import_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose parameter `options` (`ImportOptions`) is made of the options of an import."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.name != "options"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in (_TABLE_OPTIONS | _CHOICE_OPTIONS).items()
    ]

    @functools.wraps(command)
    def run(**values: Any) -> Any:
        table = {name: values.pop(name) for name in _TABLE_OPTIONS}
        with kept(_("Nothing had begun.")):
            given = {name: values.pop(name) for name in _CHOICE_OPTIONS}
            chosen = any(
                value != _CHOICE_OPTIONS[name][1] and value != [] for name, value in given.items()
            )
            choices = make_choices(**given) if chosen else None
        return command(**values, options=ImportOptions(**table, choices=choices))

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in own] + added
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


_LEVELS = {
    "inner": N_("To take the innermost folders as the classes, give `--classes inner`."),
    "outer": N_("To take the outer folders as the classes, give `--classes outer`."),
}
_ANSWERS = {
    "names": N_(
        "If they look wrong, give `--names ENCODING`, for example cp1252, cp866, gbk or cp932."
    ),
    "follow_links": N_("To read what lies there, too, give `--follow-links`."),
    "file_column": N_("Name the right one with `--file-column`."),
    "one_hot": N_("With `--no-one-hot` each stays a column of its own."),
}


def with_option(question: Question) -> str:
    """The sentence of a question, and the option that gives another answer."""
    return f"{question.text} {_option(question)}"


def _option(question: Question) -> str:
    if question.setting == "classes":
        other = next(level for level in _LEVELS if level != question.taken)
        return _(_LEVELS[other])
    if question.setting == "main":
        return _main_option(question)
    if question.setting != "role":
        return _(_ANSWERS[question.setting])
    if question.taken == "out":
        return _(
            "To use it, give `--keep-folder {name}` (a class) or `--folder-as {name}=train`."
        ).format(name=question.name)
    others = [role for role in question.options if role != question.taken]
    return _("If that is wrong, give `--folder-as {name}={first}` (or {others}).").format(
        name=question.name, first=others[0], others=", ".join(others[1:])
    )


def _main_option(question: Question) -> str:
    folders = MAIN in question.options
    if not question.taken:
        text = _("Choose one with `--main`, or train one head for each with `--tasks`.")
        return f"{text} {_('`--main class` are the folders.')}" if folders else text
    if question.taken == MAIN:
        return _("Name another first task with `--main`.")
    return _("With `--main class` they are.") if folders else _("Choose another with `--main`.")


def make_choices(
    *,
    follow_links: bool,
    keep_folder: list[str] | None,
    folder_as: list[str] | None,
    classes: str,
    names: str,
    page: str = "",
    channels: str = "",
    every: float = EVERY_S,
    keep_positions: bool = False,
) -> ImportChoices:
    """The choices of an import from its options.

    Raises:
        SettingsError: a value is not one of those that are allowed.
    """
    from translearn_core.datasets import ROLES, ImportChoices

    roles = [(name, "class") for name in keep_folder or []]
    for pair in folder_as or []:
        name, sign, role = pair.rpartition("=")
        if not sign or not name or role.strip() not in ROLES:
            raise SettingsError(
                _(
                    "`--folder-as` takes NAME=ROLE with one of {roles}, like `--folder-as "
                    "holdout=test`. Received: {text}."
                ).format(roles=", ".join(ROLES), text=pair)
            )
        roles.append((name, role.strip()))
    if classes not in ("", "outer", "inner"):
        raise SettingsError(
            _("`--classes` takes outer or inner. Received: {text}.").format(text=classes)
        )
    if not 0 < every <= MOST_EVERY_S:
        raise SettingsError(
            _("`--every` takes seconds above 0, at most {most}. Received: {value}.").format(
                most=MOST_EVERY_S, value=every
            )
        )
    return ImportChoices(
        every_s=every,
        follow_links=follow_links,
        names=names,
        roles=tuple(roles),
        classes=classes,
        page=_page(page) if page else 1,
        channels=_channels(channels),
        keep_positions=keep_positions,
    )


def _page(text: str) -> int:
    if text == "brightest":
        return 0
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(
            _("`--page` takes a number from 1 on, or brightest. Received: {text}.").format(
                text=text
            )
        )
    return int(text)


def _channels(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    good = all(part.isascii() and part.isdigit() and int(part) >= 1 for part in parts)
    if not good or len(parts) not in (0, 1, 3):
        raise SettingsError(
            _(
                "`--channels` takes one number or three, from 1 on, like `--channels 4,3,2`. "
                "Received: {text}."
            ).format(text=text)
        )
    return tuple(int(part) for part in parts)
