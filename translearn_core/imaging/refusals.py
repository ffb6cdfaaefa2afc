"""What is said of a file that is not read: damaged, of a kind that is not read here, or too large.

Owns: the sentences, and telling the first two apart. Odd side data (EXIF, text, colour profile) is
neither: such photos are read (`side_data.py`).
"""

from __future__ import annotations

import io
import struct

from PIL import Image

from translearn_core.errors import PhotoError
from translearn_core.i18n import _, number
from translearn_core.imaging.jpeg import frame_of
from translearn_core.imaging.kinds import READ_KINDS, kind_of
from translearn_core.installation_limits import Limits


class KindError(PhotoError):
    """The photo is of a kind that is not read here."""


class ShareError(PhotoError):
    """The photo needs more memory than this process may take, but not more than is allowed."""


def damaged() -> PhotoError:
    """Pixels are missing."""
    return PhotoError(_("The photo is damaged or cut off: it cannot be read to its end."))


def part_missing() -> PhotoError:
    """The file was decoded, but not all pixels are from the file."""
    return PhotoError(
        _(
            "The photo is damaged: a part of it is missing and would be filled with one colour. "
            "Copy it again from its source."
        )
    )


def not_read_here(kind: str) -> KindError:
    """The photo may be whole."""
    return KindError(
        _(
            "The file is {kind}, a kind that is not read here. Save it as PNG or JPEG, and bring "
            "it in again."
        ).format(kind=kind)
    )


def too_many_pixels(pixels: int | None, limits: Limits) -> PhotoError:
    """More pixels than the configuration allows; None: unknown how many."""
    limit = number(limits.photo_pixels / 1e6, ".0f")
    if pixels is None:
        return PhotoError(
            _("The photo is too large: at most {limit} million pixels are read.").format(
                limit=limit
            )
        )
    return PhotoError(
        _(
            "The photo is too large: {pixels} million pixels, at most {limit} million are read "
            "(the setting `limits.photo_pixels`)."
        ).format(pixels=number(pixels / 1e6, ".0f"), limit=limit)
    )


def too_many_bytes(need: int, limits: Limits) -> PhotoError:
    """Decoding would take more memory than the configuration allows."""
    return PhotoError(
        _(
            "The photo is too large: it needs {need} MB of memory to be read, at most {limit} MB "
            "are used (the setting `limits.decode_bytes`)."
        ).format(need=number(need / 2**20, ".0f"), limit=number(limits.decode_bytes / 2**20, ".0f"))
    )


def unreadable(data: bytes) -> PhotoError:
    """Why no reader accepts these bytes."""
    kind = kind_of(data[:512])
    if kind == "JPEG":
        frame = frame_of(data)
        if frame is not None and frame.precision not in (2, 8) and not frame.lossless:
            return not_read_here(_("a JPEG of {bits} bits").format(bits=frame.precision))
        if frame is not None and frame.kind in (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF):
            return not_read_here(_("a hierarchical JPEG"))
        if frame is not None and frame.kind == 0xF7:
            return not_read_here("JPEG-LS")
        return damaged()
    if kind == "PNG" and data[12:16] == b"CgBI":
        return not_read_here(_("a PNG as iPhone apps keep it"))
    if kind == "zeros" and data.strip(b"\0"):
        kind = ""
    if kind == "BMP" and not _has_known_header(data):
        return not_read_here(_("a rare kind of BMP"))
    if kind in READ_KINDS:
        return damaged()
    sentences = {
        "video": _("The file is a video, not a photo."),
        "PDF": _("The file is a PDF document, not a photo."),
        "archive": _("The file is an archive, not a photo."),
        "text": _("The file holds text, not a photo."),
        "web page": _("The file holds text (a web page), not a photo."),
        "sound": _("The file is a sound recording, not a photo."),
        "pointer": _(
            "The file is a pointer of Git LFS, not the photo itself. Get the photos with "
            "`git lfs pull`."
        ),
        "zeros": _(
            "The file holds nothing but zeros: it was never copied whole. Copy it again from its "
            "source."
        ),
    }
    if kind in sentences:
        return PhotoError(sentences[kind])
    if kind:
        return not_read_here(kind)
    return PhotoError(
        _("The file is not a photo in a format that is read here (JPEG, PNG, WebP, HEIC ...).")
    )


def _has_known_header(data: bytes) -> bool:
    """Whether a BMP is of a kind that Pillow knows: its header says it, whatever the pixels are."""
    try:
        with Image.open(io.BytesIO(data.ljust(1024, b"\0")), formats=["BMP"]):
            return True
    except (OSError, SyntaxError, ValueError, struct.error):
        return False
