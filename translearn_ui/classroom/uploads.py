"""What is uploaded rests in memory until it is taken over; for a class that has bounds.

Owns: how much of it may rest, for one page and for all.
Leaves to others: refusing more (`gate.py`), moving it to the disk (`components/uploads.py`).
"""

from __future__ import annotations

import psutil
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

PAGE_BYTES = 400 * 10**6
"""Of one page."""
ALL_BYTES = 1_500 * 10**6
"""Of all pages together, at most half of the memory that is free."""


class BoundedUploads(MemoryUploadedFileManager):
    """Uploads in memory that know how much they are."""

    def has_room(self, session_id: str, n_bytes: int) -> bool:
        """Whether so many bytes more may be uploaded to a page."""
        if n_bytes < 0:
            return False
        held = {
            session: sum(len(file.data) for file in list(files.values()))
            for session, files in list(self.file_storage.items())
        }
        total = sum(held.values())
        free = psutil.virtual_memory().available // 2
        return (
            held.get(session_id, 0) + n_bytes <= PAGE_BYTES
            and total + n_bytes <= ALL_BYTES
            and n_bytes <= free
        )
