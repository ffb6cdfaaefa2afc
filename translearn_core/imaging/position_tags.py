"""Takes the position out of EXIF, and of a TIFF, which is laid out alike.

Owns: directories and their entries: which of them tell a place, and taking them out where they lie.
Leaves to others: where a file holds its EXIF (`positions.py`), texts that name places
(`position_texts.py`).

A directory loses its entries and what they point to becomes zeros, names become spaces. What two
things in a damaged file share is not overwritten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from translearn_core.imaging.position_texts import (
    IPTC,
    RESOURCES,
    Span,
    place_spans,
)

_GPS, _EXIF, _SUB_IFDS, _MAKER_NOTE = 0x8825, 0x8769, 0x014A, 0x927C
_OFFSETS, _COUNTS = (273, 324, 513), (279, 325, 514)
"""Tags of the places and lengths of strips, of tiles, and of a small JPEG."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_MOST_DIRECTORIES, _MOST_ENTRIES, _MOST_READ = 10_000, 4096, 10**7


@dataclass
class _Entry:
    """One entry of a directory: where its 12 (or 20) bytes begin, and where its value lies."""

    at: int
    tag: int
    kind: int
    count: int
    value: Span
    outside: bool


@dataclass
class _Tiff:
    """The directories of a TIFF that lies in a buffer."""

    buffer: bytearray
    base: int
    end: int
    order: str = "<"
    big: bool = False
    used: list[Span] = field(default_factory=list)
    left: int = field(init=False)
    """So many numbers may still be read. Sound files need fewer; directories that overlap would take
    time without bounds."""

    def __post_init__(self) -> None:
        self.left = min(2 * (self.end - self.base), _MOST_READ)

    def number(self, at: int, size: int) -> int:
        """An unsigned number."""
        self.left -= 1
        if self.left < 0 or not self.base <= at <= self.end - size:
            raise IndexError(at)
        return int.from_bytes(self.buffer[at : at + size], "little" if self.order == "<" else "big")

    @property
    def wide(self) -> int:
        """Bytes of a place."""
        return 8 if self.big else 4

    def entries(self, place: int) -> list[_Entry]:
        """The entries of a directory; empty where it is none."""
        size, begin, n = self._table(place)
        found = []
        for row in range(n):
            at = begin + row * size
            tag, kind = self.number(at, 2), self.number(at + 2, 2)
            count = self.number(at + 4, self.wide)
            length = _SIZES.get(kind, 0) * count
            inside = at + 4 + self.wide
            outside = length > self.wide
            start = self.base + self.number(inside, self.wide) if outside else inside
            found.append(_Entry(at, tag, kind, count, (start, start + length), outside))
        return found

    def _table(self, place: int) -> tuple[int, int, int]:
        """Bytes of an entry, where the first one begins, and their number."""
        wide = 8 if self.big else 2
        n = self.number(place, wide)
        size = 20 if self.big else 12
        if n > _MOST_ENTRIES or place + wide + n * size > self.end:
            raise IndexError(place)
        return size, place + wide, n

    def span(self, place: int) -> Span:
        """Where a directory lies, with the place of the next one."""
        size, begin, n = self._table(place)
        return place, min(self.end, begin + n * size + self.wide)

    def next(self, place: int) -> int:
        """The place of the next directory; the base: there is none."""
        size, begin, n = self._table(place)
        at = begin + n * size
        return self.base + (self.number(at, self.wide) if at + self.wide <= self.end else 0)

    def numbers(self, entry: _Entry) -> list[int]:
        """The values of an entry, where they are whole numbers."""
        size = _SIZES.get(entry.kind, 0)
        if size not in (2, 4, 8) or entry.kind in (5, 10, 11, 12) or entry.value[1] > self.end:
            return []
        return [self.number(at, size) for at in range(*entry.value, size)]

    def remove(self, place: int, entry: _Entry) -> None:
        """Take an entry out of its directory; what follows moves up."""
        size, _begin, n = self._table(place)
        _start, end = self.span(place)
        self.buffer[entry.at : end] = self.buffer[entry.at + size : end] + bytes(size)
        wide = 8 if self.big else 2
        order = "little" if self.order == "<" else "big"
        self.buffer[place : place + wide] = (n - 1).to_bytes(wide, order)  # type: ignore[arg-type]

    def clear(self, spans: Iterable[Span], fill: bytes = b"\0") -> None:
        """Let bytes become zeros, or another byte, in each span that nothing else uses."""
        used, gone = _merged(self.used), []
        for one in spans:
            first, last = max(one[0], self.base), min(one[1], self.end)
            before = bisect_left(used, (last, last)) - 1  # the last one that begins before the end
            if first < last and not (before >= 0 and first < used[before][1]):
                gone.append((first, last))
        for first, last in _merged(gone):
            self.buffer[first:last] = fill * (last - first)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same bytes in spans that do not overlap, in order."""
    found: list[Span] = []
    for first, last in sorted(one for one in spans if one[0] < one[1]):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def clear_tiff(buffer: bytearray, base: int, end: int) -> None:
    """Take the position out of a TIFF, or of the EXIF of another file, in place."""
    opened = _open_tiff(buffer, base, end)
    if opened is None:
        return
    tiff, first = opened
    directories = dict(_walk(tiff, first))
    found = [one for entries in directories.values() for one in entries]
    pointers = [one for one in found if one.tag == _GPS]
    names = [one for one in found if one.tag in (IPTC, RESOURCES) and one.outside]
    if not pointers and not names:
        return
    removed = (_GPS, _MAKER_NOTE) if pointers else ()
    cleared = (*removed, IPTC, RESOURCES)
    for place, entries in directories.items():
        tiff.used += [one.value for one in entries if one.outside and one.tag not in cleared]
        tiff.used += [tiff.span(place), *_pixels(tiff, entries)]
    tiff.used.append((base, base + (16 if tiff.big else 8)))
    tiff.clear(_names_in(tiff, names), b" ")
    tiff.used += [one.value for one in names]
    if not pointers:
        return
    notes = [one.value for one in found if one.tag == _MAKER_NOTE and one.outside]
    positions = [base + at for one in pointers for at in tiff.numbers(one)[:1]]
    for place in set(positions) - set(directories):
        notes += _directory_spans(tiff, place)
    tiff.clear(notes)
    for place, entries in directories.items():
        gone = [one for one in entries if one.tag in removed]
        for entry in reversed(gone):
            tiff.remove(place, entry)


def _names_in(tiff: _Tiff, entries: Iterable[_Entry]) -> Iterator[Span]:
    """Where the values of entries name places. Each part of a file is read twice at most."""
    left = 2 * (tiff.end - tiff.base)
    for (first, last), tag in dict.fromkeys((one.value, one.tag) for one in entries):
        last = min(last, tiff.end)
        left -= max(0, last - first)
        if left < 0:
            return
        inside = place_spans(bytes(tiff.buffer[first:last]), tag)
        yield from ((first + begin, first + end) for begin, end in inside)


def _open_tiff(buffer: bytearray, base: int, end: int) -> tuple[_Tiff, int] | None:
    """A TIFF and the place of its first directory; None where it is none."""
    orders = {b"II": "<", b"MM": ">"}
    order = orders.get(bytes(buffer[base : base + 2]))
    if order is None or end - base < 8:
        return None
    tiff = _Tiff(buffer, base, end, order)
    tiff.big = tiff.number(base + 2, 2) == 43
    return tiff, base + tiff.number(base + (8 if tiff.big else 4), tiff.wide)


def _walk(tiff: _Tiff, first: int) -> Iterator[tuple[int, list[_Entry]]]:
    """All directories but those of positions, as far as they can be read: places and entries."""
    waiting, seen = [first], {tiff.base}
    while waiting and len(seen) < _MOST_DIRECTORIES:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        try:
            entries = tiff.entries(place)
        except IndexError:
            continue
        yield place, entries
        waiting.append(tiff.next(place))
        for entry in entries:
            if entry.tag in (_EXIF, _SUB_IFDS):
                waiting += [tiff.base + at for at in tiff.numbers(entry)]


def _pixels(tiff: _Tiff, entries: list[_Entry]) -> list[Span]:
    """Where the pixels of a directory lie."""
    values = {one.tag: tiff.numbers(one) for one in entries if one.tag in (*_OFFSETS, *_COUNTS)}
    found = []
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        pairs = zip(values.get(offsets, ()), values.get(counts, ()), strict=False)
        found += [(tiff.base + at, tiff.base + at + n) for at, n in pairs]
    return found


def _directory_spans(tiff: _Tiff, place: int) -> list[Span]:
    """Where a directory lies, and all that it points to; nothing where it cannot be read."""
    try:
        entries, span = tiff.entries(place), tiff.span(place)
    except IndexError:
        return []
    return [*(one.value for one in entries if one.outside), (span[0], span[1] - tiff.wide)]


def clear_exif(buffer: bytearray, begin: int, end: int) -> None:
    """Take the position out of EXIF, which may begin with its name."""
    if buffer[begin : begin + 4] == b"Exif":
        begin += 6
    clear_tiff(buffer, begin, end)
