"""Memory for decoding: what a photo needs, from its header, and a bound for all photos at once.

Owns: `estimate`, and `hold`, which waits until the photos being decoded leave room.
Leaves to others: the bound itself (`limits.decode_bytes` of the configuration).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from PIL import Image

from translearn_core.imaging.refusals import ShareError, too_many_bytes
from translearn_core.installation_limits import Limits

_condition = threading.Condition()
_used = 0
_share: int | None = None
# Bytes per pixel: the decoder's own picture and what is made of it, by kind and mode of Pillow.
_DECODERS = {"WEBP": 12, "AVIF": 8, "HEIF": 8}
_MODES = {"1": 1, "L": 1, "P": 1, "LA": 4, "I;16": 5, "I;16B": 5, "I;16L": 5}
_RGB_BYTES = 4
_UNCOUNTED = 256
"""Photos that take less than this part of the memory are not counted: that would cost time."""
_FREE = nullcontext()


def set_share(n_bytes: int) -> None:
    """Bound the memory of this process further: it is one of several."""
    global _share
    _share = n_bytes


def estimate(kind: str, mode: str, size: tuple[int, int], *, progressive: bool = False) -> int:
    """Bytes that decoding takes.

    Args:
        kind, mode: as Pillow names them.
        size: of the picture as it is decoded, in pixels.
        progressive: whether all coefficients are held until the end.
    """
    pixels = size[0] * size[1]
    each = _MODES.get(mode, 4) + _DECODERS.get(kind, 0)
    if mode not in ("RGB", "L", "1", "P"):
        each += _RGB_BYTES  # a copy
    elif mode != "RGB":
        each += _RGB_BYTES
    return pixels * each + (pixels * 6 if progressive else 0)


def hold(n_bytes: int, limits: Limits) -> AbstractContextManager[None]:
    """Take a part of the memory for a block, waiting until there is room.

    Raises:
        PhotoError: more than may be used at all.
        ShareError: more than this process may use.
    """
    if n_bytes <= limits.decode_bytes // _UNCOUNTED:
        return _FREE
    if n_bytes > limits.decode_bytes:
        raise too_many_bytes(n_bytes, limits)
    if _share is not None and n_bytes > _share:
        raise ShareError(too_many_bytes(n_bytes, limits).message)
    return _held(n_bytes, limits.decode_bytes)


@contextmanager
def _held(n_bytes: int, total: int) -> Iterator[None]:
    global _used
    with _condition:
        while _used + n_bytes > total:
            _condition.wait()
        _used += n_bytes
    try:
        yield
    finally:
        with _condition:
            _used -= n_bytes
            _condition.notify_all()


def for_frames(kind: str, size: tuple[int, int], n_frames: int) -> int:
    """Bytes that looking at further frames of an animation takes."""
    each = 0 if n_frames < 2 else 12 if kind == "GIF" else 4
    return size[0] * size[1] * each


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a WebP claims; Pillow takes the memory when it opens one."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return (
            1 + int.from_bytes(data[24:27], "little"),
            1 + int.from_bytes(data[27:30], "little"),
        )
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and len(data) >= 30:
        return (
            int.from_bytes(data[26:28], "little") & 0x3FFF,
            int.from_bytes(data[28:30], "little") & 0x3FFF,
        )
    return None


def fits_one(image: Image.Image, *, progressive: bool = False) -> int:
    """`estimate` of an open image that is not loaded yet."""
    return estimate(image.format or "", image.mode, image.size, progressive=progressive)
