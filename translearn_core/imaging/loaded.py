"""What is loaded of a file before it is turned and resized."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Loaded:
    """RGB pixels as stored in the file (orientation not applied), and the metadata of the file."""

    image: Image.Image
    orientation: int
    width: int
    height: int
    format: str
    mode: str
    pages: int = 1
    channels: int = 0
