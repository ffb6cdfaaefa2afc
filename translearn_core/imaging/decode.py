"""Decoding: bytes -> verified -> upright -> RGB -> resized, with image statistics.

Owns: the order of the steps from bytes to 8-bit RGB, the one way of resizing, and decoding many photos
ahead of their consumer. Leaves to others: which formats are read (`kinds.py`), TIFFs that Pillow does
not read (`tiff.py`), values of more than 8 bits (`reading.py`), colour profiles and transparency
(`colour.py`), missing parts of a JPEG (`jpeg.py`) or a PNG (`png.py`), odd side data (`side_data.py`), memory
(`budget.py`), refusals (`refusals.py`), what is measured on the way (`stats.py`).

Units: pixels, bytes.
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
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import GifImagePlugin, Image

from translearn_core.config import load_configuration
from translearn_core.errors import MissingPhotoError, PhotoError, UnreachableError
from translearn_core.i18n import _, number
from translearn_core.imaging import budget, jpeg, png, reading, tiff
from translearn_core.imaging.colour import over_background, to_srgb
from translearn_core.imaging.kinds import HEIF_BRANDS, PHOTO_FORMATS
from translearn_core.imaging.libtiff import decoding_errors
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
_PILLOW_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_heif_lock = threading.Lock()
_formats_lock = threading.Lock()
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
_FRAMES_LOOKED_AT = 30
_FLAT, _CLEAR = 4, 40
_JPEG_PIXELS = 2**30
MEASURED = 400
"""Photos of a data set that are measured for its ranges."""


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
    pages: int = 1
    channels: int = 0


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


def read_size(path: Path) -> tuple[int, int] | None:
    """Width and height of the upright photo as its header states them; None where it does not.

    Nothing is decoded: a file whose size is told may still be damaged.
    """
    _silence_pillow()
    limits = load_configuration().limits
    try:
        _length(path)
        with path.open("rb") as file:
            head = file.read(64)
            if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
                _register_heif()
            is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
            claimed = (budget.webp_size(head) if is_webp else None) or (0, 0)
            file.seek(0)
            with (
                budget.hold(budget.estimate("WEBP", "RGB", claimed), limits),
                Image.open(file, formats=_known_formats()) as image,
            ):
                if orientation_of(image) >= 5:  # of a TIFF, Pillow has turned the size already
                    return image.height, image.width
                return image.size
    except (*_DAMAGE, PhotoError, MemoryError, Image.DecompressionBombError):
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


def processor_count() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def _load(data: bytes, limits: Limits, min_side: int | None) -> _Loaded:
    """Open, check limits, verify and convert; a JPEG is shrunk to no less than 2 x `min_side`.

    A file whose side data hinders reading is read without it.
    """
    _silence_pillow()
    data = skip_white_space(data)
    try:
        return _load_bytes(data, limits, min_side)
    except MemoryError as error:
        raise PhotoError(_("The photo is too large for this machine's memory.")) from error
    except _DAMAGE as error:
        bare = without_side_data(data)
        if bare is None:
            raise unreadable(data) from error
        try:
            return _load_bytes(bare, limits, min_side, repaired=True)
        except MemoryError as second:
            raise PhotoError(_("The photo is too large for this machine's memory.")) from second
        except _DAMAGE as second:
            raise unreadable(data) from second


def _load_bytes(
    data: bytes, limits: Limits, min_side: int | None, *, repaired: bool = False
) -> _Loaded:
    """As `_load`; errors of Pillow's readers come as they are."""
    if tiff.is_tiff(data):
        return _load_tiff(data, limits)
    _check_webp(data, limits)
    with _open(data, limits) as image:
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
    return _Loaded(pixels, orientation, width, height, name, mode, n_frames)


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
) -> _Loaded:
    """A JPEG, at a half, a quarter or an eighth where that is enough; judged by what is decoded."""
    width, height = image.size
    mode, profile, orientation = image.mode, image.info.get("icc_profile"), orientation_of(image)
    if min_side is not None:
        image.draft(None, (2 * min_side, 2 * min_side))
    if image.width * image.height > limits.photo_pixels or width * height > _JPEG_PIXELS:
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
    return _Loaded(pixels, orientation, width, height, "JPEG", mode)


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


def _load_tiff(data: bytes, limits: Limits) -> _Loaded:
    """The page of a TIFF that the reading names, or the pages that it names as channels."""
    pages = tiff.read_pages(data)
    full = _full_pages(pages)
    used = _pages_as_channels(pages, full)
    if not used:
        used = _pages_named(full)
        if len(used) > 1:
            used = [max(used, key=lambda one: _contrast(_load_page(data, pages, one, limits)[0]))]
    pixels, mode, orientation = _load_page(data, pages, used[0], limits)
    if len(used) == 3:
        others = [_load_page(data, pages, index, limits)[0] for index in used[1:]]
        pixels = Image.merge("RGB", [one.getchannel(0) for one in (pixels, *others)])
        mode = "RGB"
    width, height = pixels.size
    if orientation >= 5:
        width, height = height, width
    page = pages[used[0]]
    channels = page.samples if page.spare and page.samples != len(_channels_of(page)) else 0
    return _Loaded(pixels, orientation, width, height, "TIFF", mode, len(full), channels)


def _full_pages(pages: list[tiff.Page]) -> list[int]:
    """The pages that are no smaller version of another one."""
    return [index for index, page in enumerate(pages) if not page.is_reduced] or [0]


def _pages_as_channels(pages: list[tiff.Page], full: list[int]) -> list[int]:
    """The grey pages that the reading names as red, green and blue; else none."""
    how, sizes = reading.current(), {(pages[index].width, pages[index].height) for index in full}
    if len(how.channels) != 3 or len(full) < 2 or pages[full[0]].samples > 1 or len(sizes) > 1:
        return []
    return [full[min(one, len(full)) - 1] for one in how.channels]


def _pages_named(full: list[int]) -> list[int]:
    """The page that the reading names, or all, of which the one with the most contrast counts."""
    page = reading.current().page
    return full if page == 0 else [full[min(page, len(full)) - 1]]


def _contrast(image: Image.Image) -> float:
    """Standard deviation of the grey values of a small version."""
    small = image.resize((64, 64), Image.Resampling.BILINEAR, reducing_gap=1.0).convert("L")
    return float(np.asarray(small).std())


def _load_page(
    data: bytes, pages: list[tiff.Page], index: int, limits: Limits
) -> tuple[Image.Image, str, int]:
    """A page of a TIFF: its pixels, mode, and the orientation that is still to be applied."""
    page = pages[index]
    if page.width * page.height > limits.photo_pixels:
        raise too_many_pixels(page.width * page.height, limits)
    page.check_readable()
    if page.is_deep():
        each = page.samples * max(1, page.bits // 8) + 7
        need = page.width * page.height * each + 3 * page.segment_bytes()
        with budget.hold(need, limits):
            pixels, mode = _deep_page(data, page)
        turn = page.number(0x0112, 1)
        return pixels, mode, turn if 1 <= turn <= 8 else 1
    with _open(tiff.alone(data, page) if index else data, limits) as image:
        mode, profile = image.mode, image.info.get("icc_profile")
        with budget.hold(budget.fits_one(image) + 2 * page.segment_bytes(), limits):
            with decoding_errors() as errors:
                image.load()  # applies the orientation
            if errors.count:
                raise damaged()
            palette = page.palette_of_bytes if image.mode == "P" else None
            if palette is not None:
                image.putpalette(palette)
            return _as_rgb(image, profile), mode, 1


def _deep_page(data: bytes, page: tiff.Page) -> tuple[Image.Image, str]:
    """Samples of more than 8 bits or of many channels as RGB, and Pillow's word for their mode."""
    samples = tiff.read_samples(data, page)
    chosen = _channels_of(page)
    colours = samples[..., chosen] if len(chosen) < samples.shape[2] else samples
    kind = str(samples.dtype)
    if kind == "uint8":
        levels = np.ascontiguousarray(colours)
        if page.photometric == 0:
            levels = 255 - levels
    else:
        levels = reading.to_bytes(
            colours, _range_for(page, kind, colours), invert=page.photometric == 0
        )
    mode = {"f": "F", "i": "I", "u": "I;16"}[samples.dtype.kind]
    if page.photometric == 5 and levels.shape[2] == 4:
        return Image.fromarray(levels, "CMYK").convert("RGB"), "CMYK"
    alpha = _alpha_of(page, samples)
    if levels.shape[2] == 1:
        levels = np.repeat(levels, 3, axis=2)
    else:
        mode = "RGB"
    if alpha is None:
        return Image.fromarray(levels, "RGB"), mode
    if page.is_premultiplied:
        full = np.maximum(alpha, 1)[..., None].astype(np.uint16)
        levels = np.minimum(levels.astype(np.uint16) * 255 // full, 255).astype(np.uint8)
    return over_background(Image.fromarray(np.dstack([levels, alpha]), "RGBA")), mode


def _channels_of(page: tiff.Page) -> list[int]:
    """The channels taken as red, green and blue, or as grey; from 0 on."""
    n = page.samples
    wanted = reading.current().channels
    if wanted and n > 1 and (n > 4 or page.spare or page.photometric in (0, 1)):
        return [min(one, n) - 1 for one in wanted]
    if page.photometric == 5:
        return list(range(4))
    return [0] if n < 3 else [0, 1, 2]


def _alpha_of(page: tiff.Page, samples: np.ndarray) -> np.ndarray | None:
    """Opacity `(h, w)` uint8, where the file says that a channel is that."""
    if page.opacity is None or page.photometric == 5 or page.opacity in _channels_of(page):
        return None
    kind = samples.dtype
    top = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)
    return reading.to_bytes(samples[..., page.opacity], (0.0, top))


def _range_for(page: tiff.Page, kind: str, values: np.ndarray) -> reading.Range:
    """Black and white: a full scale that the file declares, else as measured over the data set,
    else as the file declares or over the photo. A declaration that its own pixels exceed is none."""
    if page.sample_format == 1 and page.bits < 16:
        return 0.0, 2.0**page.bits - 1
    extremes = reading.extremes_of(values)
    declared = page.top if page.top is not None and extremes[1] <= page.top else None
    known = reading.current().ranges.get(kind)
    if declared is not None and (known is None or reading.is_full_scale(declared)):
        return 0.0, declared
    return known or reading.range_of(kind, [extremes])


@dataclass(frozen=True)
class _Measured:
    """Kind of sample of a photo, its extremes, and whether the file declares them."""

    kind: str
    ends: reading.Range
    is_declared: bool = False


def _measure_extremes(data: bytes, limits: Limits) -> _Measured | None:
    """The extremes of a photo whose file does not declare a full scale.

    None for all other photos, and for those that cannot be read.
    """
    deep_png = data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:26] == b"\x10\0"
    if not deep_png and not tiff.is_tiff(data):
        return None
    _silence_pillow()
    ends: list[_Measured] = []
    try:
        if deep_png:
            with _open(data, limits) as image, budget.hold(2 * budget.fits_one(image), limits):
                return _Measured("uint16", reading.extremes_of(np.asarray(image)))
        pages = tiff.read_pages(data)
        full = _full_pages(pages)
        for page in (pages[one] for one in _pages_as_channels(pages, full) or _pages_named(full)):
            is_full = page.bits < 16 if page.top is None else reading.is_full_scale(page.top)
            is_full = is_full and page.sample_format == 1
            if not page.is_deep() or is_full or page.width * page.height > limits.photo_pixels:
                continue
            if page.top is not None:
                ends.append(_Measured(f"uint{page.bits}", (0.0, page.top), is_declared=True))
                continue
            need = page.width * page.height * page.samples * page.bits // 8
            with budget.hold(2 * need + 3 * page.segment_bytes(), limits):
                samples = tiff.read_samples(data, page)
                extremes = reading.extremes_of(samples[..., _channels_of(page)])
                ends.append(_Measured(str(samples.dtype), extremes))
    except (PhotoError, MemoryError, *_DAMAGE):
        return None
    if not ends or ends[0].kind == "uint8":
        return None
    same = [one for one in ends if one.kind == ends[0].kind]
    both = min(one.ends[0] for one in same), max(one.ends[1] for one in same)
    return _Measured(ends[0].kind, both, all(one.is_declared for one in same))


def measure_reading(
    readers: Sequence[Callable[[], bytes]], limits: Limits, how: reading.Reading
) -> reading.Reading:
    """A reading with the ranges of a data set, by the rule of `reading.py`.

    Args:
        readers: each gives the bytes of a photo; photos that do not need it are passed over. Of
            more than `MEASURED`, so many are taken, evenly.
        how: page and channels, and ranges that stand already.
    """
    step = max(1, -(-len(readers) // MEASURED))
    found: dict[str, list[_Measured]] = {}
    with reading.using(how):
        for read in readers[::step]:
            try:
                one = _measure_extremes(read(), limits)
            except (OSError, PhotoError):
                continue
            if one is not None:
                found.setdefault(one.kind, []).append(one)
    ranges = {}
    for kind, photos in found.items():
        is_declared = all(one == photos[0] and one.is_declared for one in photos)
        ends = [one.ends for one in photos]
        ranges[kind] = ends[0] if is_declared else reading.range_of(kind, ends)
    return reading.Reading({**ranges, **how.ranges}, how.page, how.channels)


def _count_frames(image: Image.Image) -> int:
    """Frames of an animation; 1 where that cannot be told."""
    try:
        return int(getattr(image, "n_frames", 1))
    except _DAMAGE:
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
        except (EOFError, *_DAMAGE):
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
    pixels = _as_rgb(image, image.info.get("icc_profile"), data)
    if extent is not None and tuple(extent) != (0, 0, *image.size):
        framed = Image.new("RGB", image.size, "white")
        framed.paste(pixels.crop(extent), (extent[0], extent[1]))
        return framed
    return pixels


def _open(data: bytes, limits: Limits) -> Image.Image:
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        _register_heif()
    if Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS < _JPEG_PIXELS:
        Image.MAX_IMAGE_PIXELS = max(_JPEG_PIXELS, limits.photo_pixels)
    try:
        return Image.open(io.BytesIO(data), formats=_known_formats())
    except Image.DecompressionBombError as error:
        raise too_many_pixels(None, limits) from error


def _known_formats() -> list[str]:
    with _formats_lock:  # a thread must not see the readers while another one loads them
        Image.init()
    return [name for name in PHOTO_FORMATS if name in Image.OPEN]


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


def _as_rgb(image: Image.Image, profile: bytes | None, data: bytes = b"") -> Image.Image:
    """Any mode to RGB: transparency over a background, grey of more than 8 bits scaled, colour
    profiles applied, palettes and CMYK converted."""
    mode, clear = image.mode, image.info.get("transparency")
    if mode == "RGBA" and image.format == "BMP" and image.getchannel("A").getextrema()[1] == 0:
        return image.convert("RGB")  # a mask for opacity that was never filled
    if mode.startswith(("I", "F")):
        return _grey_to_rgb(image, clear)
    if clear is not None and mode == "RGB" and isinstance(clear, tuple) and data[24:25] == b"\x10":
        image.info["transparency"] = tuple(value >> 8 for value in clear)  # of 16 bits
    if clear is not None or mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return over_background(image, profile)
    if mode in ("L", "CMYK"):
        image = to_srgb(image, profile)
        return image if image.mode == "RGB" else image.convert("RGB")
    if mode == "RGB":
        pixels = image.copy() if image.format == "GIF" else image
        return to_srgb(pixels, profile)
    return to_srgb(image.convert("RGB"), profile)


def _grey_to_rgb(image: Image.Image, clear: object) -> Image.Image:
    """Grey of 16 bits, and what Pillow holds as 32 bits or floating point."""
    values = np.asarray(image)
    kind = "uint16" if image.mode.startswith("I;16") else str(values.dtype)
    known = reading.current().ranges.get(kind)
    ends = known or reading.range_of(kind, [reading.extremes_of(values)])
    grey = reading.to_bytes(values, ends)
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Image.fromarray(grey).convert("RGB")


def _apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    transpose = _ORIENTATIONS.get(orientation)
    return image if transpose is None else image.transpose(transpose)
