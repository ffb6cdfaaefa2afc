"""Where the texts of a photo say at which place it was taken: XMP, films, IPTC.

Owns: which names of XMP, which records of IPTC and which texts of films tell a place.
Leaves to others: where a file holds these texts (`positions.py`, `position_tags.py`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

Span = tuple[int, int]
"""From the first byte to the one behind the last."""

IPTC, RESOURCES = 0x83BB, 0x8649
_PLACES = (26, 27, 90, 92, 95, 100, 101)
"""Of the second record of IPTC: codes and names of locations, city, part of it, region, country."""
_IPTC_RESOURCE = b"8BIM\x04\x04"
_MOST_SWAPPED = 2**14
_NAME = (
    rb"[A-Za-z_][\w.-]{0,64}:"
    rb"(?:GPS\w{0,64}|\w{0,64}(?:Latitude|Longitude|Longtitude|Altitude)\w{0,64}"
    rb"|City|State|ProvinceState|Country(?:Name|Code)?|WorldRegion"
    rb"|(?:Sub|Shot)?Location(?:Created|Shown|Name|Id)?)"
)
_XMP = re.compile(
    rb"<(?P<name>" + _NAME + rb")(?:\s[^<>]*)?/?>"
    rb"|(?<=\s)" + _NAME + rb"\s{0,64}=\s{0,64}(?:\"[^\"]*\"|'[^']*')",
    re.IGNORECASE,
)
"""An opening tag, or an attribute. Names are bounded, so that the time is one of the length alone."""
_XMP_CLOSES = re.compile(rb"</(" + _NAME + rb")\s*>", re.IGNORECASE)
_XMP_BEGINS, _XMP_ENDS = re.compile(rb"<rdf:RDF"), re.compile(rb"</rdf:RDF\s*>")
_FILM = re.compile(
    rb"[+-]\d{2,6}(?:\.\d+)?[+-]\d{3,7}(?:\.\d+)?(?:[+-]\d+(?:\.\d+)?)?(?:CRS[\w:]{1,20})?/"
)
"""A position as films hold it (ISO 6709): `+48.8577+002.295/`."""


# --- texts: XMP, and films ------------------------------------------------------------------


def clear_texts(buffer: bytearray) -> None:
    """Let positions in XMP, and of films, become spaces."""
    begin, has_end = _XMP_BEGINS.search(buffer), True
    while begin is not None:
        end = _XMP_ENDS.search(buffer, begin.end()) if has_end else None
        has_end = end is not None
        stop = end.end() if end is not None else min(len(buffer), begin.end() + 2**20)
        _blank(buffer, _xmp_spans, begin.start(), stop)
        begin = _XMP_BEGINS.search(buffer, stop)
    at = buffer.find(b"moov")
    if at >= 0:
        _blank(buffer, _film_spans, max(0, buffer.find(b"ftyp")), len(buffer))


def _blank(
    buffer: bytearray, spans_of: Callable[[bytes], Iterable[Span]], begin: int, end: int
) -> None:
    for first, last in spans_of(bytes(buffer[begin:end])):
        buffer[begin + first : begin + last] = b" " * (last - first)


def _xmp_spans(text: bytes) -> Iterator[Span]:
    """Where XMP says something of a position: attributes, and elements from tag to tag. Of an element
    that is not closed, what comes before the next tag."""
    closes: dict[bytes, list[Span]] = {}
    for found in _XMP_CLOSES.finditer(text):
        closes.setdefault(found[1].lower(), []).append(found.span())
    end = 0
    for found in _XMP.finditer(text):
        first, last = found.span()
        if first < end:
            continue
        if found["name"] and not found[0].endswith(b"/>"):
            rows = closes.get(found["name"].lower(), [])
            row = bisect_left(rows, (last, last))
            after = text.find(b"<", last)
            last = rows[row][1] if row < len(rows) else after if after >= 0 else len(text)
        end = last
        yield first, last


def _film_spans(data: bytes) -> Iterator[Span]:
    return (found.span() for found in _FILM.finditer(data))


# --- IPTC -----------------------------------------------------------------------------------


def read_iptc(data: bytes, at: int, end: int) -> tuple[list[Span], int]:
    """Where IPTC names places, and where it ends, or cannot be read further."""
    found = []
    while at + 5 <= end and data[at] == 0x1C:
        record, number, length = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5])
        at += 5
        if length & 0x8000:  # so many bytes say how long it is
            wide = length & 0x7FFF
            length = int.from_bytes(data[at : at + wide]) if wide <= 8 else end
            at += wide
        first, at = min(at, end), min(at + length, end)
        if record == 2 and number in _PLACES:
            found.append((first, at))
    return found, at


def resource_spans(data: bytes) -> Iterator[Span]:
    """Where the IPTC in resources of Photoshop names places."""
    found = data.find(_IPTC_RESOURCE)
    while found >= 0:
        at = found + len(_IPTC_RESOURCE)
        at += (data[at] + 2) & ~1 if at < len(data) else 0  # the name of the resource
        end = min(len(data), at + 4 + int.from_bytes(data[at : at + 4]))
        spans, at = read_iptc(data, at + 4, end)
        yield from spans
        found = data.find(_IPTC_RESOURCE, at)


def place_spans(data: bytes, tag: int) -> Iterator[Span]:
    """Where the value of one of two tags names places."""
    if tag == RESOURCES:
        yield from resource_spans(data)
    elif data[:1] != b"\x1c" and data[3:4] == b"\x1c":  # some programs write it as numbers
        whole = data + bytes(-len(data) % 4)
        other = b"".join(whole[at : at + 4][::-1] for at in range(0, len(whole), 4))
        spans = read_iptc(other, 0, len(other))[0]
        places = (place ^ 3 for span in spans for place in range(*span))
        yield from ((place, place + 1) for place in islice(places, _MOST_SWAPPED))
    else:
        yield from read_iptc(data, 0, len(data))[0]
