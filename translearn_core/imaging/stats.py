"""Image statistics from one decode, which checks, splits and near-duplicate detection use.

Owns: `PhotoStats`, how each statistic is measured, and two thumbnails (grey and colour) that
pairwise comparisons use. Leaves to others: reading and verifying the file (`decode.py`), what a
value means for a person (`feasibility/detectors.py`).

All of it is computed from two small versions of the decoded image, at about a quarter of the cost
of a decode: grey, averaged down to 128 x 128; and 64 x 64 pixels sampled without averaging
(which would hide single dark and light pixels). Sources: dark, bright, low information and
blurred as CleanVision 0.3 defines them (`edge_score` is its blur score); perceptual hash: 64-bit
DCT hash (Zauner 2010), bit for bit what imagehash 4 makes of the grey version.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from translearn_core.arrays import Floats

STATS_SIDE = 128
SAMPLE_SIDE = 64
GREY_THUMBNAIL_SIDE = 24
COLOUR_THUMBNAIL_SIDE = 8
MIN_DETAIL = 1 / 16
"""Lowest `detail`, of a linear gradient: four times the distance, sixteen times the square."""


_LUMA = np.array([0.241, 0.691, 0.068], np.float32)  # of squared red, green, blue (CleanVision)
_EDGE_SIDE = 64
_HASH_SIDE = 32
_ROUNDING = 2 * 2 / 12  # what rounding to grey levels adds to two mean squared differences
# A thumbnail is stored as text, one character per value, in 64 levels.
_FIRST_LETTER = 48
_LETTERS = bytes(_FIRST_LETTER + value // 4 for value in range(256))
_AT_ONCE = 4096  # thumbnails that are joined at a time


@dataclass(frozen=True)
class PhotoStats:
    """Image statistics of one photo.

    Args:
        width, height: pixels, EXIF orientation applied.
        brightness: mean grey, in [0, 1].
        phash: 16 hex digits.
        shade, light: 5th and 99th percentile of the brightness, in [0, 1].
        entropy: of the red, green and blue values (of the grey ones where the file is grey), bits.
        detail: mean squared difference of neighbouring pixels over that of pixels four apart, of
            the grey version; 1/16 for a gradient without detail, 0 for a uniform image.
        edge_score: CleanVision's blur score, in [0, 1]; low is blurred.
        look: the photo as 24 x 24 grey pixels (`unpack_grey_thumbnails`); empty: not measured yet.
        tint: the photo as 8 x 8 RGB pixels (`unpack_colour_thumbnails`).
        pages: of the file, or frames of its animation; one of them was read.
        channels: of a pixel, where some of them are neither colour nor opacity; else 0.
    """

    sha256: str
    width: int
    height: int
    format: str
    mode: str
    brightness: float
    phash: str
    shade: float = 0.0
    light: float = 0.0
    entropy: float = 0.0
    detail: float = 0.0
    edge_score: float = 0.0
    look: str = ""
    tint: str = ""
    pages: int = 1
    channels: int = 0


def measure_stats(
    data: bytes,
    image: Image.Image,
    *,
    transpose: Image.Transpose | None,
    size: tuple[int, int],
    format: str,
    mode: str,
    pages: int = 1,
    channels: int = 0,
) -> PhotoStats:
    """Measure the statistics of a photo.

    Args:
        data: the file's bytes.
        image: its pixels, RGB, as stored.
        transpose: applies the EXIF orientation; None: nothing to do.
        size: width and height of the whole photo, upright, in pixels.
        format, mode: as stated by the file.
        pages, channels: as in `PhotoStats`.
    """
    grey = image.convert("L").resize(
        (STATS_SIDE, STATS_SIDE), Image.Resampling.BILINEAR, reducing_gap=1.0
    )
    sample = image.resize((SAMPLE_SIDE, SAMPLE_SIDE), Image.Resampling.NEAREST)
    if transpose is not None:
        grey, sample = grey.transpose(transpose), sample.transpose(transpose)
    values = np.asarray(grey, dtype=np.float32)  # (128, 128)
    shade, light = _percentiles(sample)
    is_grey = mode[:1] in ("1", "L", "I", "F")
    return PhotoStats(
        sha256=hashlib.sha256(data).hexdigest(),
        width=size[0],
        height=size[1],
        format=format,
        mode=mode,
        brightness=round(float(values.mean()) / 255.0, 4),
        phash=_perceptual_hash(values),
        shade=shade,
        light=light,
        entropy=round(sample.entropy() - (math.log2(3) if is_grey else 0.0), 3),
        detail=_detail(values if min(size) >= STATS_SIDE else _own_size(grey, size)),
        edge_score=_edge_score(grey, size),
        look=_pack(grey.resize((GREY_THUMBNAIL_SIDE, GREY_THUMBNAIL_SIDE), Image.Resampling.BOX)),
        tint=_pack(sample.reduce(SAMPLE_SIDE // COLOUR_THUMBNAIL_SIDE)),
        pages=pages,
        channels=channels,
    )


class GreyThumbnails:
    """Grey thumbnails of many photos, as they are stored: rows `(n, 24, 24)` float32 in [0, 255] are
    unpacked as they are asked for, as all of them take four times the memory.

    Args:
        texts: of each photo, see `PhotoStats.look`.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._letters = np.empty((len(texts), GREY_THUMBNAIL_SIDE**2), np.uint8)
        for start in range(0, len(texts), _AT_ONCE):
            letters = np.frombuffer(
                "".join(texts[start : start + _AT_ONCE]).encode("ascii"), np.uint8
            )
            self._letters[start : start + _AT_ONCE] = letters.reshape(-1, GREY_THUMBNAIL_SIDE**2)

    def __len__(self) -> int:
        return len(self._letters)

    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> Floats:
        """Some of them."""
        return _values(self._letters[rows], (GREY_THUMBNAIL_SIDE, GREY_THUMBNAIL_SIDE))


def unpack_grey_thumbnails(texts: list[str]) -> Floats:
    """Grey thumbnails: `(n, 24, 24)` float32 in [0, 255]."""
    return _unpack(texts, (GREY_THUMBNAIL_SIDE, GREY_THUMBNAIL_SIDE))


def unpack_colour_thumbnails(tints: list[str]) -> Floats:
    """Colour thumbnails: `(n, 8, 8, 3)` float32 in [0, 255]."""
    return _unpack(tints, (COLOUR_THUMBNAIL_SIDE, COLOUR_THUMBNAIL_SIDE, 3))


def _unpack(texts: list[str], shape: tuple[int, ...]) -> Floats:
    return _values(np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8), shape)


def _values(letters: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Floats:
    values: Floats = letters.astype(np.float32)
    values -= _FIRST_LETTER  # in place: of many photos each copy would be hundreds of megabytes
    values *= 4.0
    values += 1.5
    return values.reshape(-1, *shape)


def _pack(small: Image.Image) -> str:
    return small.tobytes().translate(_LETTERS).decode("ascii")


def _own_size(grey: Image.Image, size: tuple[int, int]) -> Floats:
    """A photo smaller than the grey version, at about its own size: upsampling would count as
    blur."""
    min_side = 8
    width, height = (min(max(side, min_side), STATS_SIDE) for side in size)
    resized = grey.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)


def _percentiles(sample: Image.Image) -> tuple[float, float]:
    """5th and 99th percentile of the brightness, in [0, 1]."""
    pixels = np.asarray(sample).reshape(-1, 3).astype(np.float32)  # (64 * 64, 3)
    pixels *= pixels
    levels = np.sqrt(pixels @ _LUMA).astype(np.uint8)
    counts = np.bincount(levels, minlength=256).cumsum()
    low, high = np.searchsorted(counts, (0.05 * len(levels), 0.99 * len(levels)))
    return round(float(low) / 255, 4), round(float(high) / 255, 4)


def _detail(grey: Floats) -> float:
    """See `PhotoStats.detail`; in [0, 2).

    Computed on every third row and column: small enough for single-threaded products.
    """
    rows, columns = grey[::3], grey[:, ::3].T
    adjacent, distant = (
        sum(_mean_square(lines[:, step:] - lines[:, :-step]) for lines in (rows, columns))
        for step in (1, 4)
    )
    adjacent, distant = adjacent - _ROUNDING, distant - _ROUNDING
    return round(max(adjacent, 0.0) / distant, 4) if distant > 1.0 else 0.0


def _mean_square(values: Floats) -> float:
    vector = values.ravel()
    return float(vector @ vector) / max(1, len(vector))


def _edge_score(grey: Image.Image, size: tuple[int, int]) -> float:
    """Spread of the edges and of the histogram of a version no longer than 64 pixels."""
    shrink = max(1.0, max(size) / _EDGE_SIDE)
    width, height = (max(1, int(side // shrink)) for side in size)
    small = grey.resize((width, height), Image.Resampling.BOX)
    edges = np.asarray(small.filter(ImageFilter.FIND_EDGES), dtype=np.float32).ravel()
    counts = np.bincount(np.asarray(small).ravel(), minlength=256).astype(np.float32)
    by_edges, by_spread = (1 - math.exp(-0.01 * _spread(values)) for values in (edges, counts))
    return round(min(1.0, by_edges + (by_spread if by_spread > 0.18 else 0.0)), 4)


def _spread(values: Floats) -> float:
    """Standard deviation."""
    n = len(values)
    return math.sqrt(max(0.0, float(values @ values) / n - (float(values.sum()) / n) ** 2))


def _perceptual_hash(grey: Floats) -> str:
    """64-bit DCT hash: which of the 8 x 8 lowest frequencies of a 32 x 32 version exceed their
    median.

    Resized as by Pillow's Lanczos filter (each pass rounds), in four products that are small enough
    to run single-threaded.
    """
    shrink, cosines = _hash_matrices()
    parts = grey.reshape(4, -1, STATS_SIDE) @ shrink.T  # (4, 32, 32)
    columns = np.clip(np.rint(parts), 0, 255).reshape(STATS_SIDE, _HASH_SIDE)
    small = np.clip(np.rint(shrink @ columns), 0, 255)  # (32, 32)
    low = cosines @ small @ cosines.T  # (8, 8)
    ordered = np.sort(low, axis=None)  # np.median takes ten times as long
    median = (ordered[31] + ordered[32]) / 2
    return np.packbits(low > median).tobytes().hex()


@cache
def _hash_matrices() -> tuple[Floats, Floats]:
    """Lanczos shrinking 128 -> 32, `(32, 128)`, and the first 8 cosines of a DCT-II, `(8, 32)`."""
    scale = STATS_SIDE / _HASH_SIDE
    centres = (np.arange(_HASH_SIDE) + 0.5) * scale
    distance = (np.arange(STATS_SIDE) + 0.5 - centres[:, None]) / scale
    weights = np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    columns = np.arange(_HASH_SIDE) + 0.5
    cosines = np.cos(np.pi * np.arange(8)[:, None] * columns / _HASH_SIDE)
    return weights.astype(np.float32), cosines.astype(np.float32)
