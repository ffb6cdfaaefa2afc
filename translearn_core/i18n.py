"""Translation of sentences for users (gettext).

Owns: the message catalogues in `translearn_core/locale/<language>/LC_MESSAGES/translearn.po`, the
languages there are, and the choice of language. Leaves to others: the sentences themselves, which
stand where they are used, in English, wrapped in `_()` or, in tables that are built when a module
is imported, in `N_()` and translated when they are shown; extracting and checking
(`scripts/translations`).

The `.po` files are read as they are, once in a process, by Babel, which English never imports.
Numbers that a sentence formats (`{n:,}`, `{rate:.1f}`) are written as the language writes them.
"""

from __future__ import annotations

import gettext
import io
import os
import string
from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from functools import lru_cache
from pathlib import Path
from typing import Any

DOMAIN = "translearn"
LOCALE_FOLDER = Path(__file__).parent / "locale"
ENGLISH = "en"

LANGUAGES: dict[str, str] = {ENGLISH: "English", "zh_CN": "简体中文", "de": "Deutsch"}
"""The languages there are, each with its own name."""

NUMBER_SIGNS: dict[str, str] = {"de": ",."}
"""Decimal and thousands sign of the languages that do not write them as English does (`.,`)."""


class _Language:
    """The language of the texts, as a code of `LANGUAGES`.

    Each thread that belongs to a person sets its own. Where none is set it is what `ask_first`
    tells, else that of the process.
    """

    def __init__(self) -> None:
        self._own: ContextVar[str | None] = ContextVar("language", default=None)
        self._of_process = ""
        self._asked: Callable[[], str | None] = lambda: None

    def get(self) -> str:
        """The code of the language."""
        return self._own.get() or self._asked() or self._of_process or of_environment() or ENGLISH

    def set(self, code: str) -> Token[str | None]:
        """Set the language of this thread, and of those that are started with its context."""
        return self._own.set(code)

    def reset(self, token: Token[str | None]) -> None:
        """Set the language to what it was before `set`."""
        self._own.reset(token)

    def set_of_process(self, code: str) -> None:
        """Set the language of all threads that have none of their own."""
        self._of_process = code

    def ask_first(self, asked: Callable[[], str | None]) -> None:
        """Where a thread has no language of its own, `asked` may tell it."""
        self._asked = asked


language = _Language()


def matching(wanted: Iterable[str | None]) -> str:
    """The first language there is of those wanted: `de_AT.UTF-8` and `de-AT` are `de`.

    Traditional Chinese is none of ours.

    Returns:
        A code of `LANGUAGES`; empty where none is.
    """
    for name in wanted:
        parts = (name or "").split(".")[0].split("@")[0].replace("-", "_").lower().split("_")
        if parts[0] == "zh" and not {"hant", "tw", "hk", "mo"} & set(parts):
            return "zh_CN"
        if parts[0] != "zh" and parts[0] in LANGUAGES:
            return parts[0]
    return ""


def of_environment() -> str:
    """The language that `TRANSLEARN_LANGUAGE` names; empty where it names none of ours."""
    return matching([os.environ.get("TRANSLEARN_LANGUAGE")])


def of_terminal() -> str:
    """The language of a command: `TRANSLEARN_LANGUAGE`, else that of the terminal; or empty."""
    names = [os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    return of_environment() or matching(next(([name] for name in names if name), []))


def tag(code: str) -> str:
    """A language as HTML and browsers name it: `zh-CN`."""
    return code.replace("_", "-")


@lru_cache(maxsize=16)
def _catalogue(code: str) -> gettext.NullTranslations:
    path = LOCALE_FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po"
    if code == ENGLISH or not path.is_file():
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class _Localised(str):
    """A sentence whose `format` writes numbers with the signs of a language."""

    __slots__ = ("signs",)
    signs: str

    def format(self, *values: object, **named: object) -> str:
        """As `str.format`."""
        return _Formatter(self.signs).vformat(self, values, named)


class _Formatter(string.Formatter):
    def __init__(self, signs: str) -> None:
        self._signs = str.maketrans(".,", signs)

    def format_field(self, value: Any, spec: str) -> str:
        """As `format`; a number gets the signs of the language."""
        text: str = super().format_field(value, spec)
        return text if not spec or isinstance(value, str) else text.translate(self._signs)


def _in_signs(code: str, text: str) -> str:
    signs = NUMBER_SIGNS.get(code)
    if not signs or ":" not in text or "{" not in text:
        return text
    sentence = _Localised(text)
    sentence.signs = signs
    return sentence


def number(value: float, spec: str) -> str:
    """A number as the language writes it, by a format such as `,` or `.1f`."""
    text = format(value, spec)
    signs = NUMBER_SIGNS.get(language.get())
    return text.translate(str.maketrans(".,", signs)) if signs else text


def _(message: str) -> str:
    """Translate `message` into the session's language; English where there is no translation."""
    if not message:  # in a catalogue, the entry of the empty text is its head
        return message
    code = language.get()
    return _in_signs(code, _catalogue(code).gettext(message))


def ngettext(singular: str, plural: str, n: int) -> str:
    """Translate the form of a message that fits the number `n`."""
    code = language.get()
    return _in_signs(code, _catalogue(code).ngettext(singular, plural, n))


def N_(message: str) -> str:
    """Mark `message` for translation without translating it yet."""
    return message
