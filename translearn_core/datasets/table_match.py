"""Which photo a row of a table means.

Owns: the rule. A row names a photo by its path within the source; else by the end of its path, whole
folders only, if no other photo ends alike; a bare name is such an end. First as it is written, then
without regard to case and Unicode form. A name without the ending of a photo means the photo with
that stem. A row with a folder that the photo does not lie in names no photo: names repeat from one
camera card to the next, so a bare name is never tried instead.

Leaves to others: what becomes of rows without a photo (`label_table.py`).
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from translearn_core.datasets.table_columns import has_photo_suffix

_Parts = tuple[str, ...]
_SAME_SUFFIX = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}


@dataclass(frozen=True)
class Match:
    """What a row names: the position of its photo, or None; `candidates` where it fits several."""

    photo: int | None
    candidates: tuple[int, ...] = ()


class PhotoIndex:
    """Finds photos by the names in tables.

    Args:
        files: paths of the photos within their source, `/` between the parts.
        roots: the folder or archive of each photo, an absolute path or a name; a row may begin
            anywhere in it.
    """

    def __init__(self, files: Sequence[str], roots: Sequence[str]) -> None:
        self._whole: dict[_Parts, list[int]] = defaultdict(list)
        self._whole_blind: dict[_Parts, list[int]] = defaultdict(list)
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._paths: list[_Parts] = []
        self._own_parts: list[int] = []
        for number, (file, root) in enumerate(zip(files, roots, strict=True)):
            own = _split(file)
            path = (*_split(root), *own)
            self._paths.append(path)
            self._own_parts.append(len(own))
            self._whole[own].append(number)
            self._whole_blind[_blind(own)].append(number)
            for name in {_fold(own[-1]), _fold(_stem(own[-1]))}:
                self._by_name[name].append(number)

    def find(self, name: str) -> Match:
        """The photo that a table calls `name`."""
        match = self._find_path(name)
        if match.photo is None and not match.candidates and "%" in name:
            match = self._find_path(unquote(name))
        return match

    def _find_path(self, name: str) -> Match:
        address = re.match(r"[a-z][a-z0-9+.-]+://", name, re.IGNORECASE)
        if address:
            parts = _split(unquote(urlsplit(name).path))
            return self._among(parts[-1:]) if parts else Match(None)
        parts = _split(name)
        if not parts:
            return Match(None)
        for found in (self._whole.get(parts, []), self._whole_blind.get(_blind(parts), [])):
            if len(found) == 1:
                return Match(found[0])
        match = self._among(parts)
        if match.photo is None and not match.candidates and _is_absolute(name):
            return self._from_elsewhere(parts)
        return match

    def _among(self, parts: _Parts) -> Match:
        """The photo whose path ends in `parts`."""
        found = [
            number
            for number in self._by_name.get(_name_key(parts[-1]), [])
            if _ends_in(_blind(self._paths[number]), _blind(parts))
        ]
        exact = [number for number in found if _ends_in(self._paths[number], parts)]
        if len(exact) == 1:
            return Match(exact[0])
        if len(found) == 1:
            return Match(found[0])
        return Match(None, tuple(found))

    def _from_elsewhere(self, parts: _Parts) -> Match:
        """The photo of an absolute path of another machine, whose source has the same name."""
        found = []
        for number in self._by_name.get(_name_key(parts[-1]), []):
            length = self._own_parts[number] + 1
            path = _blind(self._paths[number])
            if len(path) >= length <= len(parts) and _ends_in(path, _blind(parts[-length:])):
                found.append(number)
        return Match(found[0]) if len(found) == 1 else Match(None, tuple(found))


def _split(path: str) -> _Parts:
    """The parts of a path in NFC, without `.`, `..` and what is empty."""
    text = unicodedata.normalize("NFC", path.strip().replace("\\", "/"))
    return tuple(
        part for part in posixpath.normpath(text).split("/") if part not in ("", ".", "..")
    )


def _is_absolute(name: str) -> bool:
    return name.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:[\\/]", name) is not None


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _blind(parts: _Parts) -> _Parts:
    """Parts without case, and with one spelling of a suffix that has several."""
    return (*(_fold(part) for part in parts[:-1]), _one_suffix(_fold(parts[-1])))


def _one_suffix(name: str) -> str:
    stem, suffix = posixpath.splitext(name)
    return stem + _SAME_SUFFIX.get(suffix, suffix)


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def _name_key(name: str) -> str:
    """The key of `PhotoIndex._by_name`: the stem finds all spellings of a suffix."""
    return _fold(_stem(name)) if has_photo_suffix(name) else _fold(name)


def _ends_in(path: _Parts, parts: _Parts) -> bool:
    """Whether a path ends in these parts; a last part without a photo's suffix may be the stem."""
    if len(parts) > len(path) or path[len(path) - len(parts) : -1] != parts[:-1]:
        return False
    name = parts[-1]
    return path[-1] == name or (not has_photo_suffix(name) and _stem(path[-1]) == name)
