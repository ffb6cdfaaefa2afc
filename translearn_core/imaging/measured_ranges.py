"""The ranges of a data set, measured over its photos of more than 8 bits.

Owns: `measure_reading`, once for a data set, when it comes in.
Leaves to others: the rule of a range (`reading.py`), decoding by it (`decode.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from translearn_core.errors import PhotoError
from translearn_core.imaging import budget, reading, tiff
from translearn_core.imaging.pillow import DAMAGE, open_photo, silence_pillow
from translearn_core.imaging.tiff_pages import channels_of, pages_used
from translearn_core.installation_limits import Limits

MEASURED = 400
"""Photos of a data set that are measured for its ranges."""


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
    silence_pillow()
    ends: list[_Measured] = []
    try:
        if deep_png:
            with open_photo(data, limits) as image, budget.hold(2 * budget.fits_one(image), limits):
                return _Measured("uint16", reading.extremes_of(np.asarray(image)))
        pages = tiff.read_pages(data)
        for page in (pages[one] for one in pages_used(pages)):
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
                extremes = reading.extremes_of(samples[..., channels_of(page)])
                ends.append(_Measured(str(samples.dtype), extremes))
    except (PhotoError, MemoryError, *DAMAGE):
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
