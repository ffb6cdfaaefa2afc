"""Pillow, as photos are opened with it here.

Owns: opening a photo with the formats of `kinds.py`, what damage raises, Pillow's bound and warnings.
Leaves to others: whether the photo is whole (`decode.py`), its pixels as RGB (`colour.py`).
"""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
import zlib

from PIL import Image

from translearn_core.errors import PhotoError
from translearn_core.i18n import _
from translearn_core.imaging.kinds import HEIF_BRANDS, PHOTO_FORMATS
from translearn_core.imaging.refusals import too_many_pixels
from translearn_core.installation_limits import Limits

DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    EOFError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
)
"""What Pillow's readers raise on damaged bytes."""
JPEG_PIXELS = 2**30
"""Most pixels of a JPEG, which is loaded smaller than it is."""
_PILLOW_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_heif_lock = threading.Lock()
_formats_lock = threading.Lock()


def open_photo(data: bytes, limits: Limits) -> Image.Image:
    """A photo whose header was read, and no pixels yet.

    Raises:
        PhotoError: it has far too many pixels, or needs a package that is not here.
    """
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        register_heif()
    if Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS < JPEG_PIXELS:
        Image.MAX_IMAGE_PIXELS = max(JPEG_PIXELS, limits.photo_pixels)
    try:
        return Image.open(io.BytesIO(data), formats=known_formats())
    except Image.DecompressionBombError as error:
        raise too_many_pixels(None, limits) from error


def known_formats() -> list[str]:
    """The formats that are read here, by Pillow's names."""
    with _formats_lock:  # a thread must not see the readers while another one loads them
        Image.init()
    return [name for name in PHOTO_FORMATS if name in Image.OPEN]


def register_heif() -> None:
    """Let Pillow read HEIC.

    Raises:
        PhotoError: the package for it is not here.
    """
    with _heif_lock:
        if "HEIF" in Image.OPEN:
            return
        try:
            import pi_heif
        except ImportError as error:
            raise PhotoError(
                _("HEIC photos need one more package here: pip install pi-heif.")
            ) from error
        pi_heif.register_heif_opener()


def silence_pillow() -> None:
    """Keep Pillow's warnings (unusual metadata, large images) out of the log.

    Not `catch_warnings`: that is not safe between threads. The filter only names Pillow.
    """
    if not warnings.filters or warnings.filters[0] != _PILLOW_FILTER:
        warnings.filterwarnings("ignore", module=r"PIL\.")
