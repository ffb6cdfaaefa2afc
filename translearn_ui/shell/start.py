"""What the server does once, when the first page is opened.

Owns: removing what killed processes left (`leftovers`), in a thread; telling whether the workspace
can be written.
"""

from __future__ import annotations

import os
import threading
from functools import cache

from translearn_core import leftovers
from translearn_core.config import home


@cache
def once() -> None:
    """Sweep, in the background, the first time that this is called."""
    threading.Thread(target=leftovers.sweep, name="sweep", daemon=True).start()


def can_write() -> bool:
    """Whether the workspace is there, or can be made, and can be written."""
    folder = home()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)
