"""Decoding: bytes -> verified -> upright -> RGB -> resized, with image statistics.

Owns: which formats are read, how every kind of pixel becomes 8-bit RGB, the one way of
resizing, and decoding many photos ahead of their consumer. Leaves to others: what is measured
on the way (`stats.py`), where the bytes come from and what the pixels are for.

Units: pixels, bytes. Colour profiles are not applied; CMYK is converted without one.
"""

from __future__ import annotations

import contextvars
import io
import os
import re
import stat
import struct
import threading
import warnings
import zlib
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from translearn_core.config import Limits, load_configuration
from translearn_core.errors import PhotoError
from translearn_core.i18n import _
from translearn_core.imaging.square import Fit, to_square
from translearn_core.imaging.stats import STATS_SIDE, PhotoStats, measure_stats

DECODE_VERSION = 1
"""Part of every cache key: increased whenever the same bytes could give different pixels."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
# What Pillow's readers raise on damaged bytes.
_DAMAGE = (
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
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_PILLOW_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_heif_lock = threading.Lock()


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo as the network sees it: `image` is (h, w, 3) uint8 RGB."""

    image: np.ndarray
    stats: PhotoStats


@dataclass(frozen=True)
class _Loaded:
    """RGB pixels as stored in the file (orientation not applied), and the metadata of the file."""

    image: Image.Image
    orientation: int
    width: int
    height: int
    format: str
    mode: str


def decode_photo(
    source: bytes | Path,
    *,
    size: int | None,
    fit: Fit = "stretch",
    limits: Limits | None = None,
) -> DecodedPhoto:
    """Decode one photo, verify it to its last byte and measure its image statistics.

    The first frame of an animation is taken, the EXIF orientation is applied, alpha is composited
    over white, 16-bit grey is scaled to 8 bits. A JPEG may be shrunk while loading, never below
    twice `size`.

    Args:
        source: the bytes of a file, or the file.
        size: side of the square that the photo becomes (antialiased bilinear), in pixels; None
            keeps its own size.
        fit: how it becomes one, see `square.py`.
        limits: bounds on bytes and pixels; default: the configuration's.

    Returns:
        The photo; its image is (size, size, 3) or (height, width, 3), uint8 RGB.

    Raises:
        PhotoError: the file is missing, empty, damaged, too large or no photo; the message is
            the reason, without the file's name.
    """
    limits = limits or load_configuration().limits
    data = _read(source, limits)
    loaded = _load(data, limits, min_side=None if size is None else max(size, STATS_SIDE))
    stats = measure_stats(
        data,
        loaded.image,
        transpose=_ORIENTATIONS.get(loaded.orientation),
        size=(loaded.width, loaded.height),
        format=loaded.format,
        mode=loaded.mode,
    )
    image = loaded.image
    if size is not None:
        image = to_square(image, size, fit)
    return DecodedPhoto(
        np.asarray(_apply_orientation(image, loaded.orientation)), stats
    )  # (h, w, 3)


def make_thumbnail(source: bytes | Path, *, side: int) -> bytes:
    """A JPEG of the photo, upright, no side longer than `side` pixels.

    Raises:
        PhotoError: as `decode_photo`.
    """
    limits = load_configuration().limits
    loaded = _load(_read(source, limits), limits, min_side=side)
    image = _apply_orientation(loaded.image, loaded.orientation)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    image.info = {}  # Pillow writes the comment of the photo into the thumbnail
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def read_size(path: Path) -> tuple[int, int] | None:
    """Width and height of the upright photo as its header states them; None where it does not.

    Nothing is decoded: a file whose size is told may still be damaged.
    """
    _silence_pillow()
    try:
        _length(path)
        with path.open("rb") as file:
            head = file.read(12)
            if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
                _register_heif()
            file.seek(0)
            with Image.open(file, formats=_known_formats()) as image:
                is_turned = _orientation_of(image) >= 5
                return (image.height, image.width) if is_turned else image.size
    except (*_DAMAGE, PhotoError, Image.DecompressionBombError):
        return None


def iterate_photos(
    paths: Sequence[Path | bytes],
    *,
    size: int | None,
    fit: Fit = "stretch",
    workers: int | None = None,
    limits: Limits | None = None,
) -> Generator[tuple[int, DecodedPhoto | PhotoError], None, None]:
    """Decode many photos in order, by threads that work a few dozen photos ahead.

    Closing the generator stops the threads. A photo that cannot be read comes as its error.

    Args:
        paths: files, or their bytes.
        size, fit: as in `decode_photo`.
        workers: threads; default one per processor.

    Returns:
        Pairs of the position in `paths` and the photo or its PhotoError.
    """
    limits = limits or load_configuration().limits
    workers = workers or processor_count()
    ahead = workers * (2 if size is None else 8)

    def decode(path: Path | bytes) -> DecodedPhoto | PhotoError:
        try:
            return decode_photo(path, size=size, fit=fit, limits=limits)
        except PhotoError as error:
            return error

    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    waiting: deque[Future[DecodedPhoto | PhotoError]] = deque()
    try:
        position = 0
        for path in paths:
            # each task runs in a copy of the caller's context, which holds the language of messages
            waiting.append(pool.submit(contextvars.copy_context().run, decode, path))
            if len(waiting) > ahead:
                yield position, waiting.popleft().result()
                position += 1
        while waiting:
            yield position, waiting.popleft().result()
            position += 1
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def processor_count() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(source: bytes | Path, limits: Limits) -> bytes:
    try:
        length = len(source) if isinstance(source, bytes) else _length(source)
        if length > limits.photo_bytes:
            raise PhotoError(
                _("The file is too large: {size} MB, at most {limit} MB are read.").format(
                    size=f"{length / 2**20:.0f}", limit=f"{limits.photo_bytes / 2**20:.0f}"
                )
            )
        if length == 0:
            raise PhotoError(_("The file is empty (0 bytes)."))
        return source if isinstance(source, bytes) else source.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError(_("The file is no longer there.")) from error
    except OSError as error:
        raise PhotoError(
            _("The file cannot be opened: {cause}.").format(cause=error.strerror or error)
        ) from error


def _length(path: Path) -> int:
    """Bytes of an ordinary file.

    Raises:
        PhotoError: it is a folder, a pipe or a device.
        OSError: it cannot be looked at.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        os.scandir(path).close()
        raise PhotoError(_("It is a folder, not a photo."))
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(_("It is not an ordinary file."))
    return status.st_size


def _load(data: bytes, limits: Limits, min_side: int | None) -> _Loaded:
    """Open, check limits, verify and convert; a JPEG is shrunk to no less than 2 x `min_side`."""
    _silence_pillow()
    image = _open(data, limits)
    with image:
        if image.width * image.height > limits.photo_pixels:
            raise _too_many_pixels(image.width * image.height, limits)
        width, height = image.size
        name, mode = image.format or "", image.mode
        if name in ("JPEG", "MPO"):
            name = "JPEG"
            if min_side is not None:
                image.draft(None, (2 * min_side, 2 * min_side))
        try:
            image.load()
            orientation = _orientation_of(image)
            pixels = _as_rgb(image)
        except MemoryError as error:
            raise PhotoError(_("The photo is too large for this machine's memory.")) from error
        except _DAMAGE as error:
            raise _damaged() from error
        if name != "JPEG":
            width, height = image.size  # Pillow applies the orientation of a TIFF while loading
    if orientation not in _ORIENTATIONS:
        orientation = 1
    if orientation >= 5:
        width, height = height, width
    return _Loaded(pixels, orientation, width, height, name, mode)


def _orientation_of(image: Image.Image) -> int:
    """The orientation in EXIF data; 1 where there is none or it is odd.

    An orientation that is in XMP only is not followed; browsers do not, either.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - side data of any kind never hinders reading
        return 1
    return value if isinstance(value, int) else 1


def _open(data: bytes, limits: Limits) -> Image.Image:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        _register_heif()
    if Image.MAX_IMAGE_PIXELS is not None and limits.photo_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limits.photo_pixels
    try:
        return Image.open(io.BytesIO(data), formats=_known_formats())
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(None, limits) from error
    except UnidentifiedImageError as error:
        raise PhotoError(_describe_unreadable(data)) from error
    except _DAMAGE as error:
        raise _damaged() from error


def _known_formats() -> list[str]:
    if "TIFF" not in Image.OPEN or "AVIF" not in Image.OPEN:
        Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _register_heif() -> None:
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


def _silence_pillow() -> None:
    """Keep Pillow's warnings (unusual metadata, large images) out of the log.

    Not `catch_warnings`: that is not safe between threads. The filter only names Pillow.
    """
    if not warnings.filters or warnings.filters[0] != _PILLOW_FILTER:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _as_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB: alpha over white, grey of more than 8 bits scaled, palettes and CMYK
    converted."""
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return image.copy() if image.format == "GIF" else image
    if mode.startswith(("I", "F")):
        return Image.fromarray(_scale_to_bytes(np.asarray(image), mode)).convert("RGB")
    if "transparency" in image.info or mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")


def _scale_to_bytes(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey values of more than 8 bits to (h, w) uint8. 16-bit is scaled by 1/257.

    32-bit and floating point files do not say their range: it is taken to be the first of
    1 (floating point only), 255 and 65535 that holds all values, else the largest value.
    """
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    full_scale = 65535.0
    if not mode.startswith("I;16"):
        ranges = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
        largest = float(values.max(initial=0.0))
        full_scale = next((value for value in ranges if largest <= value), largest)
    scaled = np.clip(values * (255.0 / full_scale), 0.0, 255.0)
    result: np.ndarray = np.rint(scaled).astype(np.uint8)  # (h, w)
    return result


def _apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    transpose = _ORIENTATIONS.get(orientation)
    return image if transpose is None else image.transpose(transpose)


def _damaged() -> PhotoError:
    return PhotoError(_("The photo is damaged or cut off: it cannot be read to its end."))


def _too_many_pixels(pixels: int | None, limits: Limits) -> PhotoError:
    limit = f"{limits.photo_pixels / 1e6:.0f}"
    if pixels is None:
        return PhotoError(
            _("The photo is too large: at most {limit} million pixels are read.").format(
                limit=limit
            )
        )
    return PhotoError(
        _(
            "The photo is too large: {pixels} million pixels, at most {limit} million are read."
        ).format(pixels=f"{pixels / 1e6:.0f}", limit=limit)
    )


def _describe_unreadable(data: bytes) -> str:
    """Why bytes that no reader accepts are not a photo, from the magic number at their start."""
    head = data[:512]
    if head.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"BM")) or (
        head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    ):
        return _damaged().message
    if head[4:8] == b"ftyp":
        if head[8:12] in (*_HEIF_BRANDS, b"avif", b"avis"):
            return _damaged().message
        return _("The file is a video, not a photo.")
    if head.startswith(b"%PDF"):
        return _("The file is a PDF document, not a photo.")
    if head.startswith(b"PK\x03\x04"):
        return _("The file is an archive, not a photo.")
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return _("The file holds text, not a photo.")
    return _("The file is not a photo in a format that is read here (JPEG, PNG, WebP, HEIC ...).")
