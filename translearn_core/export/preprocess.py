"""Finds the photos of a folder and prepares each exactly as TransLearn does: identical pixels.

Needs pillow and numpy; for HEIC photos also pi-heif.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from translearn_core.errors import PhotoError
from translearn_core.imaging.decode import decode_photo
from translearn_core.imaging.kinds import PHOTO_ENDINGS
from translearn_core.imaging.reading import Reading, parse_reading
from translearn_core.imaging.square import Fit


def find(place: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder and its folders, in order, each with the reason why it is no photo, or "".

    Links to folders are not followed. A place that is no folder is given back as it is.
    """
    if not place.is_dir():
        yield place, ""
        return
    found: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        found.append((Path(error.filename), f"The folder cannot be opened: {error.strerror}."))

    for name, folders, files in os.walk(place, onerror=note):
        found += [(Path(name, file), "") for file in files]
        for folder in folders:
            path = Path(name, folder)
            if path.is_symlink():
                found.append((path, "It is a link to a folder; such links are not followed."))
            elif folder.lower().endswith(PHOTO_ENDINGS):
                found.append((path, "It is a folder, not a photo."))
    yield from sorted(found)


def _reading() -> Reading:
    """How photos that do not declare their range, page or channels are read: as in training."""
    try:
        content = json.loads(Path(__file__).with_name("labels.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Reading()
    return parse_reading(content.get("reading"))


READING = _reading()


def prepare(file: str | Path, size: int, fit: Fit = "stretch") -> np.ndarray:
    """A photo as input of the model: (size, size, 3) float32 in [0, 255].

    `fit` is that of labels.json; without it there the photo is stretched.

    Raises:
        ValueError: it cannot be read; the message is the reason.
    """
    try:
        photo = decode_photo(Path(file), size=size, fit=fit, how=READING)
        return np.asarray(photo.image, np.float32)
    except PhotoError as error:
        raise ValueError(error.message) from error
    except Exception as error:
        raise ValueError(f"The photo cannot be read: {error}") from error
