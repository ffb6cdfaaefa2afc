"""What is chosen beside an upload."""

from __future__ import annotations

from translearn_core.datasets import archive_names
from translearn_ui.photos import upload_choices


def test_every_encoding_of_names_can_be_chosen() -> None:
    assert ("", *archive_names.ENCODINGS) == upload_choices.ENCODINGS
