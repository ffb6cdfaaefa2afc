"""Tells the encoding of file names in archives that do not say it.

Owns: `decode_names`, which picks one encoding for all names of an archive, and `Decoded`, which
says whether it is sure. Leaves to others: reading archives (`archive.py`).

Every encoding that can decode all names is scored by the letters that come out: common letters of
a language count for it; symbols, two scripts inside one word, capitals inside a word and rows of
accented letters count against it. The score is a mean over the bytes above 127, in [-1, 1].
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from translearn_core.errors import SourceError
from translearn_core.i18n import _

ENCODINGS = (
    "utf-8",
    "cp932",
    "gbk",
    "big5",
    "cp949",
    "cp1251",
    "cp866",
    "koi8-r",
    "cp1252",
    "cp437",
    "cp1250",
    "cp852",
    "cp1253",
    "cp737",
    "cp1254",
    "cp857",
    "cp1255",
    "cp862",
    "cp1256",
)
"""Encodings that a page offers; the command line takes every one that Python knows."""

_CANDIDATES = {  # encoding -> head start where others score the same
    "cp437": 0.06,
    "cp850": 0.05,
    "cp1252": 0.06,
    "cp1250": 0.0,
    "cp1251": 0.02,
    "cp866": 0.02,
    "cp932": 0.02,
    "gbk": 0.03,
    "big5": -0.15,
    "cp949": 0.0,
}
_ONE_BYTE = frozenset({"cp437", "cp850", "cp1252", "cp1250", "cp1251", "cp866"})
"""Never sure: one of several dozen code pages that are no candidates may have been meant. Greek, Hebrew, Arabic and
Turkish names come out as letters here, too."""
_SURE_SCORE = 0.35
_SURE_MARGIN = 0.2
_COMMON_CYRILLIC = frozenset("оеаинтсрвлкмдпуяызьбгчйхжшюцщэфъёіїєґ")
_COMMON_EASTERN = frozenset("ąćęłńśźżčěřšžůťďňőűđ")
_COMMON_HANGUL = frozenset(
    "이가다리나사아자고하지기스라시인도어로대해오부전정일수장주마서동소미강우비상보구안원유선은무"
    "개새양말닭물불꽃과진람차집산바트을의한에는를화제조신경모운연방금돌국공성교토거두루치드파"
)
_COMMON_LATIN = frozenset("äöüßéèàçêâîôûëïùñóíáúåæøãõœ")


@dataclass(frozen=True)
class Decoded:
    """The names; the encoding they were read in, empty where all of them say it; and whether
    another one would be about as likely."""

    names: list[str]
    encoding: str = ""
    unsure: bool = False


def decode_names(raw: Sequence[str | bytes], chosen: str = "") -> Decoded:
    """Decode names; those that are text already are certain.

    Args:
        chosen: the encoding, where a person said it.

    Raises:
        SourceError: there is no encoding of the chosen name.
    """
    legacy = sorted({name for name in raw if isinstance(name, bytes) and not name.isascii()})
    encoding, unsure = (chosen, False) if chosen else _guess(legacy)
    try:
        names = [n if isinstance(n, str) else n.decode(encoding, "backslashreplace") for n in raw]
    except LookupError as error:
        raise SourceError(
            _("There is no encoding of names called {name}. Take one of {known}.").format(
                name=chosen, known=", ".join(ENCODINGS)
            )
        ) from error
    return Decoded(names, encoding if legacy else "", unsure and bool(legacy))


def _guess(names: Sequence[bytes]) -> tuple[str, bool]:
    """The most likely encoding of all names, and whether another one is about as likely."""
    if not names or _decoded(names, "utf-8") is not None:
        return "utf-8", False
    scored = []
    for encoding, start in _CANDIDATES.items():
        texts = _decoded(names, encoding)
        if texts is not None:
            scored.append((_score(texts, names, encoding) + start, encoding, texts))
    if not scored:
        return _guess_most(names), True
    scored.sort(key=lambda one: -one[0])
    best, encoding, texts = scored[0]
    rivals = [score for score, _name, other in scored[1:] if other != texts]
    close = bool(rivals) and best - rivals[0] < _SURE_MARGIN
    return encoding, encoding in _ONE_BYTE or best < _SURE_SCORE or close


def _guess_most(names: Sequence[bytes]) -> str:
    """The encoding that decodes most of the names; some are damaged."""
    return max(
        ("utf-8", *_CANDIDATES),
        key=lambda encoding: sum(_decoded([name], encoding) is not None for name in names),
    )


def _decoded(names: Sequence[bytes], encoding: str) -> list[str] | None:
    try:
        return [name.decode(encoding) for name in names]
    except UnicodeDecodeError:
        return None


def _score(texts: Sequence[str], names: Sequence[bytes], encoding: str) -> float:
    """Mean quality of what bytes above 127 became."""
    value = weight = 0.0
    for text, raw in zip(texts, names, strict=True):
        high = sum(byte > 127 for byte in raw)
        qualities = [
            _quality(text, place, encoding)
            for place, letter in enumerate(text)
            if not letter.isascii()
        ]
        value += high * sum(qualities) / max(1, len(qualities))
        weight += high
    return value / max(1.0, weight)


def _quality(text: str, place: int, encoding: str) -> float:
    letter = text[place]
    script = _script(letter)
    if script == "symbol":
        return -0.8
    if script == "half width":
        return -0.3
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    beside = [one for one in (before, after) if one.isalpha()]
    same = {"kana": "han", "han": "kana"}
    if any(_script(one) not in (script, same.get(script)) for one in beside):
        return -1.0 if script != "hangul" or any(one.isascii() for one in beside) else 0.0
    if before.isalpha() and before.islower() and letter.isupper():
        return -0.6
    if script == "latin":
        crowd = sum(not one.isascii() for one in beside)
        if crowd:
            return 0.3 if crowd == 1 else -0.4
        if letter.lower() in _COMMON_EASTERN:
            return 0.9
        return 1.0 if letter.lower() in _COMMON_LATIN else 0.4
    if script == "cyrillic":
        return 1.0 if letter.lower() in _COMMON_CYRILLIC else -0.4
    if script == "kana":
        return 1.0 if encoding == "cp932" else 0.2
    if script == "hangul":
        return 1.0 if letter in _COMMON_HANGUL else 0.55
    return _rank(letter, encoding)


def _script(letter: str) -> str:
    if letter.isascii():
        return "latin" if letter.isalpha() else "symbol"
    if not letter.isalpha() and letter not in "ー々〇":
        return "symbol" if unicodedata.category(letter)[0] != "M" else "latin"
    name = unicodedata.name(letter, "")
    if name.startswith("HALFWIDTH"):
        return "half width"
    for prefix, script in (
        ("CJK UNIFIED", "han"),
        ("HIRAGANA", "kana"),
        ("KATAKANA", "kana"),
        ("HANGUL", "hangul"),
        ("LATIN", "latin"),
        ("CYRILLIC", "cyrillic"),
    ):
        if name.startswith(prefix):
            return script
    if letter in "々〇":
        return "han"
    return "symbol"


_LEVELS = {  # encoding -> its standard, first and last lead byte of the common characters
    "gbk": ("gb2312", 0xB0, 0xD7),
    "cp932": ("shift_jis", 0x88, 0x97),
    "big5": ("big5", 0xA4, 0xC6),
}


def _rank(letter: str, encoding: str) -> float:
    """How common a Chinese character is, by the level of its standard."""
    if encoding not in _LEVELS:
        return -0.3
    standard, first, last = _LEVELS[encoding]
    code = letter.encode(standard, "ignore")
    if len(code) != 2:
        return -0.3
    return 0.9 if first <= code[0] <= last else 0.2
