"""Names of files and classes: safe on every system, shown as valid text, sorted as people count.

Owns: names that every operating system can store (`safe_name`, `NameKeeper`), names that are no
UTF-8 (`printable`, `real_path`), tidy class names, names that look alike, natural order. Leaves to others: what a name says
about a file (`photo_names.py`) or a folder (`folder_words.py`).
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Characters that nobody sees or means: soft hyphens, marks of direction and of the encoding, spaces of
no width. Joiners stay: words of some languages and emoji need them."""
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏԛԝνοραικτυ−‐‑–∕⁄’‘",
    "aeopcyxijsdhlqwvopaiktu----//''",
)
"""Small letters of Cyrillic and Greek, and signs, to what they look like."""
_COPY = re.compile(r"^(copy of|kopie von) |( - |[ _-])(copy|kopie|副本)$")
"""What file managers add to the name of a copy."""
_NUMBERED = re.compile(r"\s[(（]\d+[)）]$")
"""What they add too, where the name without it is taken."""
_NUMBER = re.compile(r"([+-]?)0*([0-9]+)\.?([0-9]*)")


def printable(name: str) -> str:
    r"""A name as valid text: bytes that are not UTF-8 are written as `\xe9`.

    `real_path` undoes it.
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def real_path(path: str | Path) -> Path:
    r"""The path on the disk of a `printable` one: itself where there is such a file, else with
    the bytes that `\x80` to `\xff` stand for."""
    text = str(path)
    if "\\x" not in text or os.path.lexists(text):
        return Path(text)
    return Path(_real_name(text))


def _real_name(name: str) -> str:
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda m: chr(0xDC00 + int(m[1], 16)), name)


def tidy(name: str) -> str:
    """A class name normalised: NFC, inner white space single, none around, nothing invisible."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", name)).split())


def group_lookalikes(names: Iterable[str]) -> list[list[str]]:
    """The names that a reader takes for one another, two or more in each group: letters of other
    alphabets and widths that look alike, upper and lower case, 1 and 1.0, cat and cats, cats and
    cats - Copy, cats and cats (2)."""
    keys = {name: _lookalike_key(name) for name in names}
    known = set(keys.values())
    alike: dict[str, list[str]] = defaultdict(list)
    for name, key in keys.items():
        bare = _lookalike_key(_NUMBERED.sub("", name))
        alike[bare if bare in known else key].append(name)
    return [group for group in alike.values() if len(group) > 1]


def _lookalike_key(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_LOOKALIKES)
    plain = _COPY.sub("", plain).rstrip(". ") or plain
    number = _NUMBER.fullmatch(plain)
    if number:
        sign, whole, part = number[1], number[2], number[3].rstrip("0")
        minus = sign == "-" and (whole != "0" or part)
        return f"{'-' if minus else '+'}{whole}.{part}"
    return plain.removesuffix("s") if len(plain) > 3 else plain


def natural_key(name: str) -> tuple[object, ...]:
    """Sorts names so that 2 comes before 10."""
    parts = re.split(r"0*([0-9]+)", name)
    key = tuple((1, len(part), part) if n % 2 else (0, 0, part) for n, part in enumerate(parts))
    return key, name


def natural_order(names: Iterable[str]) -> list[int]:
    """The positions of names, 2 before 10."""
    keys = [natural_key(str(name)) for name in names]
    return sorted(range(len(keys)), key=keys.__getitem__)


def safe_name(name: str, *, limit_bytes: int = 80) -> str:
    """A file or folder name that Windows, macOS and Linux can all store.

    Args:
        name: one part of a path.
        limit_bytes: longest result in UTF-8, suffix included.
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).rstrip(". ").lstrip(" ")
    if name.split(".")[0].rstrip().lower() in _RESERVED or name.startswith("."):
        name = "_" + name
    name = name.encode("utf-8", errors="replace").decode("utf-8")
    path = PurePosixPath(name or "_")
    suffix = path.suffix if len(path.suffix) <= 10 else ""
    stem = (name or "_")[: len(name or "_") - len(suffix)]
    room = limit_bytes - len(suffix.encode("utf-8"))
    stem = stem.encode("utf-8")[:room].decode("utf-8", errors="ignore").rstrip(". ")
    return (stem or "_") + suffix


class NameKeeper:
    """Makes names unique regardless of case: the second `a.jpg` is `a (2).jpg`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {self._key(name) for name in taken}
        self._next: dict[str, int] = {}

    def claim(self, folder: str, name: str) -> str:
        """A free safe name in `folder` for `name`; it is reserved."""
        safe = safe_name(name)
        path = PurePosixPath(safe)
        key = self._key(f"{folder}/{safe}")
        number = self._next.get(key, 1)
        while True:
            candidate = safe if number == 1 else f"{path.stem} ({number}){path.suffix}"
            number += 1
            if self._key(f"{folder}/{candidate}") not in self._taken:
                self._next[key] = number
                self._taken.add(self._key(f"{folder}/{candidate}"))
                return candidate

    @staticmethod
    def _key(name: str) -> str:
        return unicodedata.normalize("NFC", name.casefold())
