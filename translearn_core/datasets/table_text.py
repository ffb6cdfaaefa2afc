"""The text of a table's bytes, whatever encoding it was saved in.

Owns: byte order marks, UTF-16 without one, and telling the older encodings apart where a file is not
UTF-8. Leaves to others: cells and columns (`table_file.py`).

Older encodings are told apart by how common the characters are that each of them reads: frequent
Chinese characters, kana, plain hangul syllables, Cyrillic words, single accented letters within Latin
words. Where no encoding is clearly ahead the text is refused: a wrong guess would be a wrong class.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from translearn_core.i18n import N_, _

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEAST_SCORE = 0.5
_LEAST_LEAD = 0.12
_SAMPLE_BYTES = 200_000
_SIGNS = "°±²³µ§©®€£“”‘’–—…·«»¿¡½¼¾×™\xa0ªº"

_WORDS = "àÀåÅéÉèÈóÓöÖ"
"""Words of one letter."""


class UnknownEncodingError(ValueError):
    """The bytes are no text, or in an encoding that cannot be told."""


@dataclass(frozen=True)
class DecodedText:
    """A text; `guessed` names the encoding for people where it had to be guessed."""

    text: str
    guessed: str = ""


def decode_text(data: bytes) -> DecodedText:
    """The text of a file.

    Raises:
        UnknownEncodingError: it is no text, or its encoding cannot be told.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return DecodedText(_strictly(data, encoding))
    wide = _wide_encoding(data)
    if wide:
        return DecodedText(_strictly(data, wide), guessed="UTF-16")
    try:
        return DecodedText(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _guess(data)


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnknownEncodingError from error


def _wide_encoding(data: bytes) -> str:
    """UTF-16 without a mark: every second byte of Western text is zero."""
    sample = data[:2000]
    if len(sample) < 4 or len(data) % 2:
        return ""
    even, odd = (sample[start::2].count(0) / len(sample[start::2]) for start in (0, 1))
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else ""


def _guess(data: bytes) -> DecodedText:
    lines = [line for line in data.splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:_SAMPLE_BYTES]
    scores = []
    for encoding, title, score in _ENCODINGS:
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        scores.append((score(sample.decode(encoding, "ignore")), encoding, title))
    scores.sort(key=lambda row: -row[0])
    second = scores[1][0] if len(scores) > 1 else 0.0
    if not scores or scores[0][0] < max(_LEAST_SCORE, second + _LEAST_LEAD):
        raise UnknownEncodingError
    _score, encoding, title = scores[0]
    return DecodedText(data.decode(encoding), guessed=_(title))


def _mean(text: str, worth: Callable[[str], float]) -> float:
    """Mean worth of the characters beyond ASCII."""
    values = [worth(character) for character in text if not character.isascii()]
    return sum(values) / len(values) if values else 0.0


def _score_gbk(text: str) -> float:
    def worth(character: str) -> float:
        first, *rest = character.encode("gbk", "ignore") or b"\0"
        if not rest or rest[0] < 0xA1:
            return 0.05
        if 0xB0 <= first <= 0xD7:
            return 1.0
        return 0.5 if first <= 0xA3 else 0.2

    return _mean(text, worth)


def _score_big5(text: str) -> float:
    def worth(character: str) -> float:
        first, *rest = character.encode("big5", "ignore") or b"\0"
        if 0xA4 <= first <= 0xC6:  # a letter as second byte may be one of a Latin word
            return 0.95 if rest and rest[0] >= 0x80 else 0.8
        return 0.5 if 0xA1 <= first <= 0xA3 else 0.2

    return _mean(text, worth)


def _score_japanese(text: str) -> float:
    kana = len(re.findall("[\u3041-\u30ff]", text))

    def worth(character: str) -> float:
        if "\u3041" <= character <= "\u30ff":
            return 1.0
        if "\uff61" <= character <= "\uff9f":  # half-width katakana: any byte from A1 on
            return 0.1
        first = (character.encode("cp932", "ignore") or b"\0")[0]
        return (0.9 if kana else 0.6) if 0x88 <= first <= 0x97 else 0.2

    return _mean(text, worth)


def _score_korean(text: str) -> float:
    plain_finals = {0, 1, 4, 8, 16, 17, 19, 20, 21}
    double_initials, plain_vowels = {1, 4, 8, 10, 13}, {0, 1, 4, 5, 6, 8, 9, 11, 12, 13, 18, 20}

    def worth(character: str) -> float:
        number = ord(character) - 0xAC00
        if not 0 <= number < 11172:
            return 0.1
        initial, vowel, final = number // 588, number // 28 % 21, number % 28
        is_plain = (
            final in plain_finals and vowel in plain_vowels and initial not in double_initials
        )
        return 1.0 if is_plain else 0.4

    return _mean(text, worth)


def _score_cyrillic(text: str) -> float:
    worth = 0.0
    others = text
    for word in re.findall("[\u0401-\u0451]+", text):
        well_formed = word.islower() or word.isupper() or word.istitle()
        worth += len(word) * (0.95 if len(word) > 1 and well_formed else 0.1)
        others = others.replace(word, "", 1)
    rest = [character for character in others if not character.isascii()]
    n = sum(not character.isascii() for character in text)
    return (worth + sum(0.5 for character in rest if character in _SIGNS)) / n if n else 0.0


def _score_western(text: str) -> float:
    worth, n = 0.0, 0
    for run in re.finditer(r"[^\x00-\x7f]+", text):
        characters = run.group()
        n += len(characters)
        before, after = text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]
        in_word = before.isalpha() or after.isalpha()
        if len(characters) == 1 and characters in _SIGNS + _WORDS:
            worth += 0.75
        elif len(characters) <= 2 and characters.isalpha() and in_word:
            odd_case = characters[-1].isupper() and before.islower()
            worth += len(characters) * (0.2 if odd_case else 0.95 if len(characters) == 1 else 0.6)
        else:
            worth += 0.1 * len(characters)
    return worth / n if n else 0.0


_ENCODINGS: tuple[tuple[str, str, Callable[[str], float]], ...] = (
    ("gbk", N_("GBK (Chinese)"), _score_gbk),
    ("big5", N_("Big5 (Chinese)"), _score_big5),
    ("cp932", N_("Shift-JIS (Japanese)"), _score_japanese),
    ("cp949", N_("CP949 (Korean)"), _score_korean),
    ("cp1251", N_("Windows-1251 (Cyrillic)"), _score_cyrillic),
    ("cp1252", N_("Windows-1252 (Western European)"), _score_western),
)
