"""How the values of photos of more than 8 bits become 8 bits, and which page and channels are taken.

Owns: `Reading`, the choices of a data set, and the rule by which its ranges are found. A file of
8 bits, or one that declares its largest value, needs none of it.

The rule: black and white are the same for all photos of a data set. For each kind of sample
(`uint16`, `int16`, `float32`, ...) the darkest and lightest thousandth of each photo is left out, so
that a hot pixel changes nothing, and the extremes over all photos are taken. White is then the
smallest usual full scale that holds them: 255, 1023, 4095, 16383, 65535 or 2^32-1 for integers
(127, 32767 or 2^31-1 where the type holds no more), 1, 255, 1023, 4095, 16383 or 65535 for floating
point. With negative values it is 127, 4095, 32767 or 2^31-1 for integers, and black is minus that
(-1 for 1, -128 for 127). Floating-point values beyond 65535 have the measured extremes as black and
white.
A file that declares the largest value of its camera (SMaxSampleValue or MaxSampleValue of a TIFF is
a full scale, as 4095 is) is read by that. Where another value is declared, it is taken as it is if
all photos of the data set agree, else as the extreme of its photo.
A photo that is read on its own is treated like a data set of one photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from translearn_core.i18n import _

Range = tuple[float, float]
TAIL = 0.001
"""Share of the pixels of a photo that may lie beyond black or white."""
_OVERSHOOT = 1.05
_INTEGER_TOPS = (255.0, 1023.0, 4095.0, 16383.0, 65535.0, 4294967295.0)
_LARGEST = {"int8": 127.0, "int16": 32767.0, "int32": 2147483647.0}
_SIGNED_TOPS = (127.0, 4095.0, 32767.0, 2147483647.0)
_FLOAT_TOPS = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
_SAMPLE = 200_000


@dataclass(frozen=True)
class Reading:
    """The choices of a data set.

    Args:
        ranges: kind of sample (a NumPy type) -> black and white. Empty: found for each photo.
        page: of a file with several: a number from 1 on, or 0 for the one with the most contrast.
        channels: of a file with more than colours and opacity: the numbers, from 1 on, of those
            taken as red, green and blue, or one number for grey. Of a file with several grey pages,
            three numbers are those of the pages taken as red, green and blue. Empty: the first
            three channels, or the first where there are two.
    """

    ranges: Mapping[str, Range] = field(default_factory=dict)
    page: int = 1
    channels: tuple[int, ...] = ()

    @property
    def is_default(self) -> bool:
        """Whether nothing was chosen or measured."""
        return self == Reading()

    def as_json(self) -> dict[str, Any]:
        """As an object of a JSON file; empty where nothing was chosen or measured."""
        if self.is_default:
            return {}
        return {
            "ranges": {kind: list(ends) for kind, ends in sorted(self.ranges.items())},
            "page": self.page,
            "channels": list(self.channels),
        }


_default = Reading()
_current: ContextVar[Reading | None] = ContextVar("reading", default=None)


def current() -> Reading:
    """The reading in use here."""
    return _current.get() or _default


def set_reading(reading: Reading) -> None:
    """Use a reading in the whole process where no other is named: for one with one job."""
    global _default
    _default = reading


@contextmanager
def using(reading: Reading) -> Iterator[None]:
    """Use a reading within a block (and the decoding threads that are started there)."""
    token = _current.set(reading)
    try:
        yield
    finally:
        _current.reset(token)


def extremes_of(values: np.ndarray) -> Range:
    """The darkest and lightest value of a photo `(h, w, n)`, a thousandth left out at each end."""
    flat = values.reshape(-1)
    flat = flat[:: max(1, len(flat) // _SAMPLE)]
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    if not len(flat):
        return 0.0, 0.0
    ends = int(len(flat) * TAIL)
    if len(flat) > 20:
        ends = max(ends, 1)
    ordered = np.partition(flat, (ends, len(flat) - 1 - ends))
    return float(ordered[ends]), float(ordered[len(flat) - 1 - ends])


def range_of(kind: str, extremes: Iterable[Range]) -> Range:
    """Black and white for photos of a kind of sample (a NumPy type) by the rule above."""
    pairs = list(extremes)
    low = min((pair[0] for pair in pairs), default=0.0)
    high = max((pair[1] for pair in pairs), default=0.0)
    tops: tuple[float, ...] = _INTEGER_TOPS
    slack = 1.0
    if kind.startswith("float"):
        tops, slack = _FLOAT_TOPS, _OVERSHOOT
    elif low < 0:
        tops = _SIGNED_TOPS
    elif kind in _LARGEST:
        largest = _LARGEST[kind]
        tops = (*(top for top in _INTEGER_TOPS if top < largest), largest)
    for top in tops:
        bottom = 0.0 if low >= 0 or kind.startswith("uint") else _bottom(kind, top)
        if high <= top * slack and low >= bottom * slack:
            return bottom, top
    return (low, high) if low < high else (low, low + 1.0)


def is_full_scale(top: float) -> bool:
    """Whether a largest value is what a number of bits holds, as 4095 is, so that it tells of the
    camera and not of one photo."""
    return top >= 255 and (int(top) + 1) & int(top) == 0


def _bottom(kind: str, top: float) -> float:
    return -top if kind.startswith("float") else -top - 1


def to_bytes(values: np.ndarray, black_white: Range, *, invert: bool = False) -> np.ndarray:
    """Values of any type to uint8 of the same shape, a strip of rows at a time."""
    low, high = black_white
    result = np.empty(values.shape, np.uint8)
    rows = max(1, 2**21 // max(1, int(np.prod(values.shape[1:]))))
    kind = np.float64 if values.dtype.itemsize > 2 else np.float32
    scale = 255.0 / (high - low)
    for begin in range(0, len(values), rows):
        strip = np.nan_to_num(
            values[begin : begin + rows].astype(kind), nan=low, posinf=high, neginf=low
        )
        strip -= low
        strip *= scale
        np.clip(strip, 0.0, 255.0, out=strip)
        np.rint(strip, out=strip)
        result[begin : begin + rows] = 255 - strip if invert else strip
    return result


def describe_ranges(ranges: Mapping[str, Range]) -> str:
    """The ranges in words, as in: 16-bit integers from 0 to 4095."""
    names = {
        "uint16": _("16-bit integers"),
        "int16": _("signed 16-bit integers"),
        "uint32": _("32-bit integers"),
        "int32": _("signed 32-bit integers"),
        "int8": _("signed 8-bit integers"),
        "float16": _("16-bit floating-point values"),
        "float32": _("floating-point values"),
        "float64": _("64-bit floating-point values"),
    }
    return ", ".join(
        _("{kind} from {low} to {high}").format(
            kind=names.get(kind, kind),
            low=f"{low:.10g}",
            high=f"{high:.10g}",
        )
        for kind, (low, high) in sorted(ranges.items())
    )


def parse_reading(content: Any) -> Reading:
    """The reading of a JSON object as `Reading.as_json` gives it; of anything odd the default."""
    if not isinstance(content, dict):
        return Reading()
    try:
        ranges = {
            str(kind): (float(low), float(high))
            for kind, (low, high) in dict(content.get("ranges") or {}).items()
        }
        page = int(content.get("page", 1))
        channels = tuple(int(one) for one in content.get("channels") or ())
    except (TypeError, ValueError):
        return Reading()
    if page < 0 or any(one < 1 for one in channels) or any(a >= b for a, b in ranges.values()):
        return Reading()
    return Reading(ranges, page, channels)
