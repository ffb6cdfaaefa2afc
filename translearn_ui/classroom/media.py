"""Pictures and downloads of the pages, each for whoever made it.

Owns: the memory of files under `/media`, with their owners. The name of such a file comes from its
content, so a name alone opens nothing.
Leaves to others: refusing the others (`gate.py`).
"""

from __future__ import annotations

from pathlib import Path

from streamlit.runtime.media_file_storage import MediaFileKind
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from translearn_core import spaces
from translearn_core.people import Person


class OwnedMedia(MemoryMediaFileStorage):
    """Files in memory, and the spaces from which they were shown."""

    def __init__(self, media_endpoint: str) -> None:
        super().__init__(media_endpoint)
        self._owners: dict[str, set[Path]] = {}

    def load_and_get_id(
        self,
        path_or_data: str | bytes,
        mimetype: str,
        kind: MediaFileKind,
        filename: str | None = None,
    ) -> str:
        """See `MediaFileStorage`; refuses where nobody is signed in."""
        owner = spaces.current()
        file_id = super().load_and_get_id(path_or_data, mimetype, kind, filename)
        self._owners.setdefault(file_id, set()).add(owner)
        return file_id

    def delete_file(self, file_id: str) -> None:
        """See `MediaFileStorage`."""
        self._owners.pop(file_id, None)
        super().delete_file(file_id)

    def is_for(self, file_id: str, person: Person) -> bool:
        """Whether a person may have a file."""
        owners = self._owners.get(file_id, set())
        return bool(owners) and (person.is_teacher or person.folder in owners)
