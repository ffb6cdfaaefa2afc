"""What a thumbnail keeps of its photo: the pixels, and nothing that somebody wrote beside them."""

from __future__ import annotations

import io

from PIL import Image

from tests.support.monsters import picture
from translearn_core.imaging.decode import make_thumbnail


def test_a_thumbnail_has_no_comment() -> None:
    small = make_thumbnail(picture(comment=b"Anna, 7b"), side=32)
    assert b"Anna" not in small
    assert "comment" not in Image.open(io.BytesIO(small)).info
