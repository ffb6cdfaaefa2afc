"""What the server does once, when the first page is opened, and what it has to see to later.

Owns: removing what killed processes left (`leftovers`) and what is too old in the bin, in a thread; telling whether the workspace
can be written; keeping the search for garbage short.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from contextlib import suppress
from functools import cache

from translearn_core import leftovers, people, spaces, trash
from translearn_core.config import home
from translearn_core.errors import StorageError


@cache
def once() -> None:
    """Sweep, in the background, the first time that this is called."""
    threading.Thread(target=_sweep, name="sweep", daemon=True).start()


def _sweep() -> None:
    leftovers.sweep()
    for space in spaces.all_spaces():
        with spaces.acting_in(space):
            trash.entries()  # what is too old goes
    with suppress(StorageError):  # told where the class is needed
        people.delete_due()


def can_write() -> bool:
    """Whether the workspace is there, or can be made, and can be written."""
    folder = home()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def set_modules_aside() -> None:
    """At the end of a run of a page that brought modules in: keep them out of the search for garbage.

    Streamlit looks through all objects after each run of a page, and after each look at a run that
    goes on. Modules are never garbage, and with those of the pages that takes 50 to 100 ms.
    """
    global _modules
    if len(sys.modules) > _modules:
        _modules = len(sys.modules)
        gc.collect()
        gc.freeze()


_modules = 0
"""How many there were when objects were last set aside."""
