"""Figures as a person reads them, written one way everywhere, and as the language writes them.

Owns: percentages, dates, the sentence of an answer, and names cut to a length that a sentence bears,
in sentences of the core, on pages, in reports and in the terminal. Leaves to others: sizes and
durations of the pages (`translearn_ui/components/format.py`), numbers inside a sentence (`i18n.py`).

English is written here; other languages write dates by the tables of Babel.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from translearn_core.i18n import ENGLISH, _, language, number

NAME_IN_SENTENCE = 60
"""Characters of a name that stand in a sentence, at most."""


def shortened(name: str, most: int = NAME_IN_SENTENCE) -> str:
    """A name as it may stand in a sentence: in one line, printable, at most `most` characters."""
    start = name[: most + 1]
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in start)
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True)
class AnswerWords:
    """An answer in two parts, each with a full stop where another follows it."""

    head: str
    rest: str

    @property
    def sentence(self) -> str:
        """Both in one line."""
        return f"{self.head} {self.rest}"


def answer_words(name: str, share: str, *, is_sure: bool, is_unlike: bool) -> AnswerWords:
    """What a model says of a photo: the class, or that it is not sure, or that it has seen nothing like it.

    Args:
        name: the likeliest class.
        share: its probability, as it is to be written.
        is_sure: the probability is not below the threshold of the run.
        is_unlike: the photo is unlike all that it learned from.
    """
    if is_unlike:
        return AnswerWords(
            never_seen(), _("Closest: {name} ({share})").format(name=name, share=share)
        )
    if not is_sure:
        return AnswerWords(
            _("Not sure."), _("Closest: {name} ({share})").format(name=name, share=share)
        )
    return AnswerWords(name, f"({share})")


def never_seen() -> str:
    """What a model says of a photo that is unlike all that it learned from."""
    return _("I have never seen anything like this.")


def percent(share: float, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage: `86 %`, with one digit `86.4 %`.

    `100 %` means all and `0 %` none: what lies between the last step and either end is said as
    `over 99 %` or `under 1 %` (with one digit `over 99.9 %`, `under 0.1 %`).
    """
    step = 10.0 ** -(digits + 2)
    if 1.0 - step < share < 1.0:
        return _("over {share}").format(share=_written(1.0 - step, digits))
    if 0.0 < share < step:
        return _("under {share}").format(share=_written(step, digits))
    return _written(share, digits)


def certainty(share: float, digits: int = 0) -> str:
    """A probability in [0, 1] as a percentage; nothing is ever quite certain, nor impossible."""
    return percent(min(max(share, 1e-9), 1.0 - 1e-9), digits)


def percent_range(low: float, high: float, digits: int = 0) -> str:
    """Two shares in [0, 1] as the ends of an interval: `83 – 89 %`."""
    return _with_sign(f"{number(low * 100, f'.{digits}f')} – {number(high * 100, f'.{digits}f')}")


def _written(share: float, digits: int) -> str:
    return _with_sign(number(share * 100, f".{digits}f"))


def _with_sign(text: str) -> str:
    return f"{text}%" if language.get().startswith("zh") else f"{text} %"


def day(moment: datetime) -> str:
    """A date in a list: `03 Nov 2026`."""
    code = language.get()
    if code == ENGLISH:
        return moment.strftime("%d %b %Y")
    from babel.dates import format_date

    return str(format_date(moment, "medium", locale=code))


def stamp(moment: datetime) -> str:
    """A moment in full: `2026-11-03 14:05`."""
    date = f"{moment:%Y-%m-%d}" if language.get() == ENGLISH else day(moment)
    return f"{date} {moment:%H:%M}"
