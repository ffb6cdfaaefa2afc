"""Translation of sentences for users (gettext).

Owns: the message catalogues in `translearn_core/locale/<language>/LC_MESSAGES/translearn.mo`
and the choice of language. Leaves to others: the sentences themselves, which stand
where they are used, in English, wrapped in `_()` or, in tables that are built when a
module is imported, in `N_()` and translated when they are shown.
"""

from __future__ import annotations

import gettext
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

DOMAIN = "translearn"
LOCALE_FOLDER = Path(__file__).parent / "locale"

language: ContextVar[str] = ContextVar("language", default="en")
"""Language of the texts, as a code like `en` or `pt_BR`; each session sets its own."""


@lru_cache(maxsize=16)
def _catalogue(code: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE_FOLDER, languages=[code], fallback=True)


def _(message: str) -> str:
    """Translate `message` into the session's language; English where there is no translation."""
    return _catalogue(language.get()).gettext(message)


def ngettext(singular: str, plural: str, n: int) -> str:
    """Translate the form of a message that fits the number `n`."""
    return _catalogue(language.get()).ngettext(singular, plural, n)


def N_(message: str) -> str:
    """Mark `message` for translation without translating it yet."""
    return message
