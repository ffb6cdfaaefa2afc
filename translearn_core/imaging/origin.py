"""Where the file of a photo comes from: the camera that it names and how strongly it is compressed.

Owns: `read_origin`, from the header of a file. Pixels are not read.
Leaves to others: decoding (`decode.py`), what an origin means (`feasibility/giveaways.py`).

Only formats whose header Pillow reads without decoding are opened: JPEG, MPO and TIFF.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

logger = logging.getLogger(__name__)

FORMATS = ("JPEG", "MPO", "TIFF")
_MAKE, _MODEL, _SOFTWARE = 271, 272, 305
_MOST_CHARACTERS = 40


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the header says.

    Args:
        camera: make, model and software, as far as they are named; empty: none.
        quantisation: sum of the luminance table of a JPEG: 64 is the best quality, larger is
            coarser; 0 for other formats.
    """

    camera: str = ""
    quantisation: int = 0


def read_origin(path: Path) -> Origin:
    """The origin of a photo; an empty one where the file does not tell."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                exif = image.getexif()
                named = [_text(exif.get(tag)) for tag in (_MAKE, _MODEL, _SOFTWARE)]
                tables = getattr(image, "quantization", None) or {}
                return Origin(
                    camera=" ".join(dict.fromkeys(filter(None, named))),
                    quantisation=int(sum(tables.get(0, ()))),
                )
    except Exception as error:  # noqa: BLE001 - a header may be broken in any way
        logger.debug("%s: no origin: %s", path, error)
        return Origin()


def _text(value: object) -> str:
    return " ".join(str(value or "").replace("\0", " ").split())[:_MOST_CHARACTERS]
