"""Words of a person, and sentences of the core, as Markdown that shows them as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from translearn_core.i18n import _

_MARKDOWN = "\\`*_{}[]()<>#+-.!|~:$&^"
_JOINER = "\u2060"
_SHARE = re.compile(r"(?<=\d) (?=%)")
_ADDRESS = re.compile(r"(?i)(?:[a-z][a-z0-9+.-]*:(?=//)|www(?=\.)|(?:mailto|xmpp):|(?=@))")


def plain(text: str) -> str:
    """A text of a person (a class name, a file name) so that Markdown leaves it as it is.

    It stays on one line. Addresses, which become links whatever is escaped in them, are broken by
    a sign that is not seen.
    """
    return _escaped(" ".join(text.split()))


def _escaped(line: str) -> str:
    line = _ADDRESS.sub(lambda found: f"{found[0]}{_JOINER}", line)
    return "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in line)


def unbroken(text: str) -> str:
    """A text in which no line begins with the sign of a percentage."""
    return _SHARE.sub("\N{NO-BREAK SPACE}", text)


def sentence(text: str) -> str:
    """A sentence of the core for Markdown: as `plain`, with what stands in backticks as code."""
    if text.count("`") % 2:
        return plain(text)
    marked = [
        f"`{part}`" if place % 2 and part.strip() else _escaped(unbroken(part))
        for place, part in enumerate(" ".join(text.split()).split("`"))
    ]
    return "".join(marked)


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names of a person in a row, for Markdown: `cats, dogs and 12 more`."""
    text = ", ".join(plain(name) for name in names[:most])
    if len(names) > most:
        text = _("{names} and {n} more").format(names=text, n=len(names) - most)
    return text
