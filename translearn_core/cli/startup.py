"""What goes on while a command imports the libraries of its work.

Owns: `importing`. Leaves to others: the processes (`imaging/decoder_process.py`), the imports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from translearn_core.concurrency import no_garbage_search
from translearn_core.imaging import decoder_process


@contextmanager
def importing(source: str) -> Iterator[None]:
    """Within it a command imports; the processes that decode its photos start meanwhile.

    Args:
        source: of the photos, as the command was given it.
    """
    decoder_process.start_ahead(Path(source))
    with no_garbage_search():
        yield
