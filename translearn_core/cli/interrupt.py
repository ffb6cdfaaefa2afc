"""What a command says when it is interrupted (Ctrl-C).

Owns: `Interrupted`, and `kept`, which says what an interrupt of a step leaves. `main` prints it and
returns 130. Leaves to others: stopping a run with its weights (`train_work.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupted(BaseException):
    """An interrupt, with a sentence on what was kept and what was not.

    No `KeyboardInterrupt`: Typer turns that into a bare exit code.
    """

    def __init__(self, kept: str) -> None:
        super().__init__(kept)
        self.kept = kept


@contextmanager
def kept(sentence: str | Callable[[], str]) -> Iterator[None]:
    """Say what is kept when the block is interrupted; a step inside that says it itself goes first.

    Args:
        sentence: or what makes it at the interrupt.

    Raises:
        Interrupted: the block was interrupted.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(sentence if isinstance(sentence, str) else sentence()) from error
