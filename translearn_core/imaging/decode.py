"""Decoding: bytes -> verified -> upright -> RGB -> resized, with image statistics.

Owns: the order of the steps from bytes to 8-bit RGB, the one way of resizing, and decoding many photos
ahead of their consumer. Leaves to others: which formats are read (`kinds.py`), opening by Pillow
(`pillow.py`), the pages of a TIFF (`tiff_pages.py`), values of more than 8 bits (`reading.py`) and
their ranges over a data set (`measured_ranges.py`), colours (`colour.py`), missing parts of a JPEG
(`jpeg.py`) or a PNG (`png.py`), odd side data (`side_data.py`), memory (`budget.py`), refusals
(`refusals.py`), what is measured on the way (`stats.py`).

Units: pixels, bytes.
"""

from __future__ import annotations

import contextvars
import io
import os
import stat
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import GifImagePlugin, Image

from translearn_core.config import load_configuration
from translearn_core.errors import MissingPhotoError, PhotoError, UnreachableError
from translearn_core.i18n import _, number
from translearn_core.imaging import budget, jpeg, png, reading, tiff
from translearn_core.imaging.colour import as_rgb, to_srgb
from translearn_core.imaging.kinds import HEIF_BRANDS
from translearn_core.imaging.loaded import Loaded
from translearn_core.imaging.pillow import (
    DAMAGE,
    JPEG_PIXELS,
    known_formats,
    open_photo,
    register_heif,
    silence_pillow,
)
from translearn_core.imaging.processors import processor_count
from translearn_core.imaging.refusals import (
    damaged,
    part_missing,
    too_many_pixels,
    unreadable,
)
from translearn_core.imaging.remote import PhotoFile, RemotePhoto
from translearn_core.imaging.side_data import (
    orientation_of,
    skip_white_space,
    without_side_data,
)
from translearn_core.imaging.square import Fit, to_square
from translearn_core.imaging.stats import STATS_SIDE, PhotoStats, measure_stats
from translearn_core.imaging.tiff_pages import load_tiff
from translearn_core.installation_limits import Limits

DECODE_VERSION = 2
"""Part of every cache key: increased whenever the same bytes could give different pixels."""

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
_FRAMES_LOOKED_AT = 30
_FLAT, _CLEAR = 4, 40


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo as the network sees it: `image` is (h, w, 3) uint8 RGB."""

    image: np.ndarray
    stats: PhotoStats


def decode_photo(
    source: bytes | PhotoFile,
    *,
    size: int | None,
    fit: Fit = "stretch",
    limits: Limits | None = None,
    how: reading.Reading | None = None,
) -> DecodedPhoto:
    """Decode one photo, verify it to its last byte and measure its image statistics.

    The first frame of an animation that is not of one colour is taken, the EXIF orientation is
    applied, colour profiles are converted to sRGB, alpha is composited over white (a drawing in
    white: over black), more than 8 bits are scaled by the rule of `reading.py`. A JPEG may be shrunk
    while loading, never below twice `size`.

    Args:
        source: the bytes of a file, or the file.
        size: side of the square that the photo becomes (antialiased bilinear), in pixels; None
            keeps its own size.
        fit: how it becomes one, see `square.py`.
        limits: bounds on bytes and pixels; default: the configuration's.
        how: range, page and channels for what does not declare them; default: those in use.

    Returns:
        The photo; its image is (size, size, 3) or (height, width, 3), uint8 RGB.

    Raises:
        PhotoError: the file is missing, empty, damaged, too large or no photo; the message is
            the reason, without the file's name.
    """
    limits = limits or load_configuration().limits
    data = _read(source, limits)
    with reading.using(how or reading.current()):
        loaded = _load(data, limits, min_side=None if size is None else max(size, STATS_SIDE))
    stats = measure_stats(
        data,
        loaded.image,
        transpose=_ORIENTATIONS.get(loaded.orientation),
        size=(loaded.width, loaded.height),
        format=loaded.format,
        mode=loaded.mode,
        pages=loaded.pages,
        channels=loaded.channels,
    )
    image = loaded.image
    if size is not None:
        image = to_square(image, size, fit)
    return DecodedPhoto(
        np.asarray(_apply_orientation(image, loaded.orientation)), stats
    )  # (h, w, 3)


def make_thumbnail(source: bytes | Path, *, side: int, how: reading.Reading | None = None) -> bytes:
    """A JPEG of the photo, upright, no side longer than `side` pixels.

    Args:
        how: as in `decode_photo`.

    Raises:
        PhotoError: as `decode_photo`.
    """
    limits = load_configuration().limits
    with reading.using(how or reading.current()):
        loaded = _load(_read(source, limits), limits, min_side=side)
    image = _apply_orientation(loaded.image, loaded.orientation)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    image.info = {}  # Pillow writes the comment of the photo into the thumbnail
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def read_size(path: Path, limits: Limits | None = None) -> tuple[int, int] | None:
    """Width and height of the upright photo as its header states them; None where it does not.

    Nothing is decoded: a file whose size is told may still be damaged.

    Args:
        limits: as in `decode_photo`.
    """
    silence_pillow()
    limits = limits or load_configuration().limits
    try:
        _length(path)
        with path.open("rb") as file:
            head = file.read(64)
            if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
                register_heif()
            is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
            claimed = (budget.webp_size(head) if is_webp else None) or (0, 0)
            file.seek(0)
            with (
                budget.hold(budget.estimate("WEBP", "RGB", claimed), limits),
                Image.open(file, formats=known_formats()) as image,
            ):
                if orientation_of(image) >= 5:  # of a TIFF, Pillow has turned the size already
                    return image.height, image.width
                return image.size
    except (*DAMAGE, PhotoError, MemoryError, Image.DecompressionBombError):
        return None


def iterate_photos(
    paths: Sequence[PhotoFile | bytes],
    *,
    size: int | None,
    fit: Fit = "stretch",
    workers: int | None = None,
    limits: Limits | None = None,
    how: reading.Reading | None = None,
) -> Generator[tuple[int, DecodedPhoto | PhotoError], None, None]:
    """Decode many photos in order, by threads that work a few dozen photos ahead; one photo needs none.

    Closing the generator stops the threads. A photo that cannot be read comes as its error.

    Args:
        paths: files, or their bytes.
        size, fit: as in `decode_photo`.
        workers: threads; default one per processor.
        how: as in `decode_photo`.

    Returns:
        Pairs of the position in `paths` and the photo or its PhotoError.
    """
    limits = limits or load_configuration().limits
    workers = workers or processor_count()
    ahead = workers * (2 if size is None else 8)

    def decode(path: PhotoFile | bytes) -> DecodedPhoto | PhotoError:
        try:
            return decode_photo(path, size=size, fit=fit, limits=limits, how=how)
        except PhotoError as error:
            return error

    if len(paths) == 1:  # a live answer waits for it
        yield 0, decode(paths[0])
        return
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


def check_length(length: int, limits: Limits) -> None:
    """Check that a file of so many bytes is read as a photo.

    Raises:
        PhotoError: it is too large.
    """
    if length > limits.photo_bytes:
        raise PhotoError(
            _("The file is too large: {size} MB, at most {limit} MB are read.").format(
                size=number(length / 2**20, ".0f"),
                limit=number(limits.photo_bytes / 2**20, ".0f"),
            )
        )


def _read(source: bytes | PhotoFile, limits: Limits) -> bytes:
    try:
        if isinstance(source, RemotePhoto):
            source = source.read(limits.photo_bytes)
        length = len(source) if isinstance(source, bytes) else _length(source)
        check_length(length, limits)
        if length == 0:
            raise PhotoError(_("The file is empty (0 bytes)."))
        return source if isinstance(source, bytes) else source.read_bytes()
    except FileNotFoundError as error:
        raise MissingPhotoError(_("The file is no longer there.")) from error
    except OSError as error:
        raise UnreachableError(
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


def _load(data: bytes, limits: Limits, min_side: int | None) -> Loaded:
    """Open, check limits, verify and convert; a JPEG is shrunk to no less than 2 x `min_side`.

    A file whose side data hinders reading is read without it.
    """
    silence_pillow()
    data = skip_white_space(data)
    try:
        return _load_bytes(data, limits, min_side)
    except MemoryError as error:
        raise PhotoError(_("The photo is too large for this machine's memory.")) from error
    except DAMAGE as error:
        bare = without_side_data(data)
        if bare is None:
            raise unreadable(data) from error
        try:
            return _load_bytes(bare, limits, min_side, repaired=True)
        except MemoryError as second:
            raise PhotoError(_("The photo is too large for this machine's memory.")) from second
        except DAMAGE as second:
            raise unreadable(data) from second


def _load_bytes(
    data: bytes, limits: Limits, min_side: int | None, *, repaired: bool = False
) -> Loaded:
    """As `_load`; errors of Pillow's readers come as they are."""
    if tiff.is_tiff(data):
        return load_tiff(data, limits)
    _check_webp(data, limits)
    with open_photo(data, limits) as image:
        width, height = image.size
        name, mode = image.format or "", image.mode
        if name in ("JPEG", "MPO"):
            return _load_jpeg(data, image, limits, min_side, repaired=repaired)
        if width * height > limits.photo_pixels:
            raise too_many_pixels(width * height, limits)
        n_frames = _count_frames(image) if name in _ANIMATED else 1
        need = budget.fits_one(image) + budget.for_frames(name, image.size, n_frames)
        with budget.hold(need, limits):
            pixels = _first_frame(data, image, n_frames)
        orientation = orientation_of(image)
    if orientation >= 5:
        width, height = height, width
    return Loaded(pixels, orientation, width, height, name, mode, n_frames)


def _check_webp(data: bytes, limits: Limits) -> None:
    """Refuse a WebP by its header: opening it takes the memory of its pixels."""
    size = budget.webp_size(data) if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None
    if size is None:
        return
    if size[0] * size[1] > limits.photo_pixels:
        raise too_many_pixels(size[0] * size[1], limits)
    with budget.hold(budget.estimate("WEBP", "RGB", size), limits):
        pass


def _load_jpeg(
    data: bytes, image: Image.Image, limits: Limits, min_side: int | None, *, repaired: bool
) -> Loaded:
    """A JPEG, at a half, a quarter or an eighth where that is enough; judged by what is decoded."""
    width, height = image.size
    mode, profile, orientation = image.mode, image.info.get("icc_profile"), orientation_of(image)
    if min_side is not None:
        image.draft(None, (2 * min_side, 2 * min_side))
    if image.width * image.height > limits.photo_pixels or width * height > JPEG_PIXELS:
        raise too_many_pixels(width * height, limits)
    progressive = bool(image.info.get("progressive"))
    need = budget.fits_one(image) + (width * height * 3 if progressive else 0)
    with budget.hold(need, limits):
        image.load()
        _check_jpeg(data, image, progressive=progressive, repaired=repaired)
        pixels = to_srgb(image, profile)
        pixels = pixels if pixels.mode == "RGB" else pixels.convert("RGB")
    if orientation >= 5:
        width, height = height, width
    return Loaded(pixels, orientation, width, height, "JPEG", mode)


def _check_jpeg(data: bytes, image: Image.Image, *, progressive: bool, repaired: bool) -> None:
    """Refuse a JPEG of which libjpeg made up a part.

    Raises:
        PhotoError: a part is missing.
    """
    if progressive:
        if repaired or jpeg.lacks_scans(data):
            raise damaged() if repaired else part_missing()
        return
    if jpeg.is_part_zeroed(data):
        raise part_missing()
    if repaired or jpeg.may_end_early(data, image):
        frame = jpeg.frame_of(data)
        if (
            frame is not None
            and frame.kind in (0xC0, 0xC1)
            and jpeg.ends_early(data, _decode_small)
        ):
            raise damaged() if repaired else part_missing()


def _decode_small(data: bytes) -> Image.Image:
    """A JPEG at an eighth of its size."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
        return image


def _count_frames(image: Image.Image) -> int:
    """Frames of an animation; 1 where that cannot be told."""
    try:
        return int(getattr(image, "n_frames", 1))
    except DAMAGE:
        return 1


def _first_frame(data: bytes, image: Image.Image, n_frames: int) -> Image.Image:
    """The first frame as RGB; of an animation that begins with one colour, the first other."""
    first = _load_frame(data, image)
    if n_frames < 2 or not _is_flat(first):
        return first
    first = first.copy()
    for index in range(1, min(n_frames, _FRAMES_LOOKED_AT)):
        try:
            image.seek(index)
            frame = _load_frame(data, image)
        except (EOFError, *DAMAGE):
            break
        if not _is_flat(frame, _CLEAR):
            return frame
    return first


def _is_flat(image: Image.Image, levels: int = _FLAT) -> bool:
    """Whether all pixels agree within some levels."""
    return all(
        isinstance(ends, tuple) and ends[1] - ends[0] <= levels for ends in image.getextrema()
    )


def _load_frame(data: bytes, image: Image.Image) -> Image.Image:
    """The current frame, loaded, as RGB."""
    extent = None
    if isinstance(image, GifImagePlugin.GifImageFile) and image.tell() == 0:
        extent = image.dispose_extent
    image.load()
    if image.format == "PNG" and image.tell() == 0 and png.lacks_pixels(data, image):
        raise part_missing()
    pixels = as_rgb(image, image.info.get("icc_profile"), data)
    if extent is not None and tuple(extent) != (0, 0, *image.size):
        framed = Image.new("RGB", image.size, "white")
        framed.paste(pixels.crop(extent), (extent[0], extent[1]))
        return framed
    return pixels


def _apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    transpose = _ORIENTATIONS.get(orientation)
    return image if transpose is None else image.transpose(transpose)
