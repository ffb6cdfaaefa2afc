"""Wrong guesses are slowed, and end.

Owns: counting them, and the refusal of further ones. A guess is counted before it is judged, so many at
once are no way round. Leaves to others: what is guessed.

A PIN is locked after `MOST_WRONG` wrong guesses until the teacher unlocks it. The join code and the
teacher's password are guessed from an address: it has to wait ever longer, and nobody else does.
"""

from __future__ import annotations

import math

from translearn_core.errors import AccessError
from translearn_core.i18n import _, ngettext
from translearn_core.people.records import Attempt, locked, read_attempts, write_attempts

MOST_WRONG = 10
"""So many wrong guesses lock a PIN."""
FREE = 3
"""So many wrong guesses cost no time."""
MOST_WAIT_S = 300.0
FORGET_S = 24 * 3600.0
"""Guesses from an address are forgotten after so long."""
PIN, CODE, PASSWORD = "pin:", "code:", "password:"
"""How the names of what is guessed begin: a person's id follows, or an address."""


def wait_s(attempt: Attempt, now: float) -> float:
    """Seconds until the next guess is judged."""
    if attempt.wrong < FREE:
        return 0.0
    pause_s = min(MOST_WAIT_S, 2.0 ** (attempt.wrong - FREE))
    return max(0.0, attempt.at + pause_s - now)


def is_locked(attempt: Attempt) -> bool:
    """Whether no further guess at a PIN is judged."""
    return attempt.wrong >= MOST_WRONG


def begin_guess(name: str, now: float) -> None:
    """Count a guess as wrong until `right` says otherwise.

    Args:
        name: what is guessed, beginning with `PIN`, `CODE` or `PASSWORD`.

    Raises:
        AccessError: it comes too soon after wrong ones, or the PIN is locked.
    """
    with locked():
        attempts = read_attempts()
        attempt = attempts.get(name, Attempt())
        if name.startswith(PIN) and is_locked(attempt):
            raise AccessError(
                _(
                    "There were too many wrong PINs for this name, so it is locked. Ask your teacher to "
                    "unlock it."
                )
            )
        left_s = math.ceil(wait_s(attempt, now))
        if left_s > 0:
            raise AccessError(
                ngettext(
                    "That was wrong several times. Wait {n} second, then try again.",
                    "That was wrong several times. Wait {n} seconds, then try again.",
                    left_s,
                ).format(n=left_s)
            )
        kept = {
            other: one
            for other, one in attempts.items()
            if other.startswith(PIN) or now - one.at < FORGET_S
        }
        kept[name] = Attempt(wrong=attempt.wrong + 1, at=now)
        write_attempts(kept)


def right(name: str) -> None:
    """Forget the wrong guesses at something: this one was right, or it was unlocked."""
    with locked():
        attempts = read_attempts()
        if attempts.pop(name, None) is not None:
            write_attempts(attempts)
