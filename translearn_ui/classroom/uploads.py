"""What is uploaded rests in memory until it is taken over; for a class that has bounds.

Owns: how much of it may rest, for one page and for all; what is on its way counts, too.
Leaves to others: refusing more (`gate.py`), moving it to the disk (`components/uploads.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

PAGE_BYTES = 400 * 10**6
"""Of one page."""
ALL_BYTES = 1_500 * 10**6
"""Of all pages together, at most half of the memory that is free."""


class BoundedUploads(MemoryUploadedFileManager):
    """Uploads in memory that know how much they are."""

    def __init__(self, upload_endpoint: str) -> None:
        super().__init__(upload_endpoint)
        self._coming: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    @contextmanager
    def receiving(self, session_id: str, n_bytes: int) -> Iterator[bool]:
        """Whether so many bytes more may be uploaded to a page; they count while the block receives
        them."""
        mine = (session_id, n_bytes)
        with self._lock:
            has_room = self._has_room(session_id, n_bytes)
            if has_room:
                self._coming.append(mine)
        try:
            yield has_room
        finally:
            if has_room:
                with self._lock:
                    self._coming.remove(mine)

    def _has_room(self, session_id: str, n_bytes: int) -> bool:
        if n_bytes < 0:
            return False
        held = {
            session: sum(len(file.data) for file in list(files.values()))
            for session, files in list(self.file_storage.items())
        }
        for session, coming in self._coming:
            held[session] = held.get(session, 0) + coming
        on_the_way = sum(coming for _session, coming in self._coming)
        free = psutil.virtual_memory().available // 2
        return (
            held.get(session_id, 0) + n_bytes <= PAGE_BYTES
            and sum(held.values()) + n_bytes <= ALL_BYTES
            and on_the_way + n_bytes <= free
        )
