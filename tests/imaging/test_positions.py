"""Positions are taken out of photos; pixels, orientation and the rest stay."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from translearn_core.imaging.positions import without_position

pillow_heif.register_heif_opener()

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description '
    b'exif:GPSLatitude="48,51.4616N" exif:GPSLongitude=\'2,17.7N\' tiff:Make="Somebody" '
    b'drone-dji:GpsLongtitude="2.2945">'
    b"<exif:GPSAltitude>3581/100</exif:GPSAltitude><dc:title>a tower</dc:title>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
PLACES_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description '
    b'photoshop:City="Quimper" tiff:Make="Somebody"><Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li '
    b'Iptc4xmpExt:Sublocation="Locmaria"/></rdf:Bag></Iptc4xmpExt:LocationCreated>'
    b"<photoshop:State>Finistere</photoshop:State><dc:title>a tower</dc:title>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
PLACES = (b"Quimper", b"Locmaria", b"Finistere")
SECRETS = (b"48,51.4616N", b"2,17.7N", b"2.2945", b"3581/100", b"GPSLatitude", *PLACES)
MINUTE = 517_731
"""A number of the position that is found again in the bytes of a file."""


def _pixels() -> Image.Image:
    rng = np.random.default_rng(3)
    blocks = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return blocks.resize((64, 48))


def _exif(order: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = 6
    exif[0x010F] = "Somebody"
    exif[0x8769] = {0x9003: "2024:05:01 10:00:00", 0x927C: b"where: 48.8577 2.295 again" * 4}
    exif[0x8825] = {
        1: "N",
        2: (48.0, 51.0, MINUTE / 10_000),
        3: "E",
        4: (2.0, 17.0, MINUTE / 10_000),
        29: "2024:05:01",
    }
    return exif.tobytes()


def _saved(kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    _pixels().save(target, kind, **options)
    return target.getvalue()


def _png_texts() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
    raw = _exif()
    info.add_text("Raw profile type exif", f"\nexif\n{len(raw):8}\n{raw.hex()}\n", zip=True)
    info.add_text("Comment", "keep me")
    return _saved("PNG", pnginfo=info)


def _two_pictures() -> bytes:
    target = io.BytesIO()
    second = _pixels().rotate(180)
    _pixels().save(target, "MPO", save_all=True, append_images=[second], exif=_exif())
    first = target.getvalue()
    return first + b"\xff\xd8\xff\xe1" + _segment(b"Exif\0\0" + _bare(_exif(">"))) + b"\xff\xd9"


def _segment(content: bytes) -> bytes:
    return struct.pack(">H", len(content) + 2) + content


def _bare(exif: bytes) -> bytes:
    return exif.removeprefix(b"Exif\0\0")


def _with_film() -> bytes:
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x40moov\xa9xyz\0\x12\x15\xc7+48.8577+002.295/"
    return _saved("JPEG", exif=_exif()) + film


def _iptc() -> bytes:
    """The title, then places; one whose length is told in the longer way."""
    rows = [(5, b"a tower"), (90, b"Quimper"), (95, b"Finistere"), (120, b"seen by me")]
    made = b"".join(struct.pack(">BBBH", 0x1C, 2, tag, len(said)) + said for tag, said in rows)
    return made + struct.pack(">BBBHI", 0x1C, 2, 92, 0x8004, 8) + b"Locmaria"


def _resources() -> bytes:
    thumbnail = b"8BIM" + struct.pack(">HHI", 0x040C, 0, 4) + b"none"
    return thumbnail + b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(_iptc())) + _iptc()


def _jpeg_of_photoshop() -> bytes:
    """Its resources go on from one segment to the next."""
    photo, content = _saved("JPEG", exif=_exif()), _resources()
    halves = (content[:50], content[50:])
    segments = [b"\xff\xed" + _segment(b"Photoshop 3.0\0" + half) for half in halves]
    return photo[:2] + b"".join(segments) + photo[2:]


def _png_profile() -> bytes:
    info, raw = PngImagePlugin.PngInfo(), _resources()
    info.add_text("Raw profile type iptc", f"\niptc\n{len(raw):8}\n{raw.hex()}\n", zip=True)
    return _saved("PNG", pnginfo=info)


def _as_numbers(data: bytes) -> bytes:
    """Each four bytes in the other order."""
    whole = data + bytes(-len(data) % 4)
    return b"".join(whole[at : at + 4][::-1] for at in range(0, len(whole), 4))


MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: _saved("JPEG", exif=_exif()),
    "jpeg, other order": lambda: _saved("JPEG", exif=_exif(">")),
    "jpeg with XMP": lambda: _saved("JPEG", exif=_exif(), xmp=XMP),
    "jpeg, progressive, of two pictures": _two_pictures,
    "jpeg with a film": _with_film,
    "png": lambda: _saved("PNG", exif=_exif()),
    "png with texts": _png_texts,
    "webp": lambda: _saved("WEBP", lossless=True, exif=_exif(), xmp=XMP),
    "tiff": lambda: _saved("TIFF", exif=_exif()),
    "tiff with XMP": lambda: _saved("TIFF", tiffinfo={700: XMP}),
    "avif": lambda: _saved("AVIF", exif=_exif(), xmp=XMP),
    "heic": lambda: _saved("HEIF", exif=_exif(), xmp=XMP),
    "jpeg with names of places": _jpeg_of_photoshop,
    "jpeg with names in XMP": lambda: _saved("JPEG", xmp=PLACES_XMP),
    "webp with names in XMP": lambda: _saved("WEBP", lossless=True, xmp=PLACES_XMP),
    "png with names of places": _png_profile,
    "tiff with names of places": lambda: _saved("TIFF", tiffinfo={33723: _iptc()}),
    "tiff of Photoshop": lambda: _saved("TIFF", tiffinfo={34377: _resources()}, exif=_exif()),
    "tiff with names as numbers": lambda: _saved("TIFF", tiffinfo={33723: _as_numbers(_iptc())}),
}


@pytest.mark.parametrize("name", MAKERS)
def test_no_position_is_left_and_all_else_stays(name: str) -> None:
    data = MAKERS[name]()
    assert _positions_in(data), "the photo of the test holds one"
    bare = without_position(data)
    assert not _positions_in(bare)
    assert without_position(bare) is bare
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(bare)) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))
        for tag in (0x0112, 0x010F):
            assert after.getexif().get(tag) == before.getexif().get(tag)
        taken = [image.getexif().get_ifd(0x8769).get(0x9003) for image in (before, after)]
        assert taken[0] == taken[1]
        assert not after.getexif().get_ifd(0x8825)
    if "png" not in name:
        assert len(bare) == len(data), "nothing moves"
    if b"a tower" in data:
        assert b"a tower" in bare


def _positions_in(data: bytes) -> list[str]:
    """What of a position is found in the bytes, unpacked where a PNG packs them."""
    texts = [data]
    at = 8
    while data.startswith(b"\x89PNG") and at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] in (b"iTXt", b"zTXt"):
            packed = data[at + 8 : at + 8 + length]
            start = packed.find(b"\x78\x9c")
            texts.append(zlib.decompress(packed[start:]) if start >= 0 else packed)
        at += 12 + length
    found = []
    for text in texts:
        digits = "".join(text.decode("latin-1").split())
        for secret in (*SECRETS, b"48.8577", b"+002.295"):
            is_there = secret in text or secret in _as_numbers(text) or secret.hex() in digits
            found += [repr(secret)] if is_there else []
        for order in ("<I", ">I"):
            number = struct.pack(order, MINUTE)
            is_there = number in text or number.hex() in digits
            found += ["number"] if is_there else []
    return found


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF", "BMP"])
def test_a_photo_without_a_position_is_the_same_file(kind: str) -> None:
    data = _saved(kind)
    assert without_position(data) is data


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "name", ["jpeg with XMP", "png with texts", "tiff", "heic", "webp", "tiff of Photoshop"]
)
def test_damaged_side_data_never_ends_it(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = MAKERS[name]()
    for _try in range(20):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 600), 4):
            data[place] = rng.integers(0, 256)
        without_position(bytes(data[: rng.integers(20, len(data))]))


@pytest.mark.parametrize("name", ["jpeg", "png with texts", "webp", "tiff", "avif", "heic"])
def test_white_space_before_a_photo_hides_no_position(name: str) -> None:
    data, space = MAKERS[name](), b"\r\n \t\n"
    assert without_position(space + data) == space + without_position(data) != space + data
    bare = space + without_position(data)
    assert without_position(bare) is bare


@pytest.mark.parametrize(
    "said",
    [
        b"<exif:GPSLatitude>%s</exif:GPSLatitude>",
        b"<EXIF:gpslatitude>%s</exif:GPSLatitude >",
        b"<exif:GPSPosition><rdf:Seq><rdf:li>%s</rdf:li></rdf:Seq></exif:GPSPosition>",
        b'<exif:GPSLatitude v="%s"/>',
        b'<exif:GPSLatitude v="%s" />',
        b"<exif:GPSLatitude>" + b" " * 5000 + b"%s</exif:GPSLatitude>",
        b"<exif:GPSLatitude>%s<dc:not-closed/>",
        b"<a exif:GPSLatitude = '%s'/>",
        b'<a dji:AbsoluteAltitude="' + b" " * 5000 + b'%s"/>',
    ],
)
def test_xmp_says_it_in_many_ways(said: bytes) -> None:
    xmp = b"<rdf:RDF>" + said % b"48,51.4616N" + b"<dc:title>a tower</dc:title></rdf:RDF>"
    bare = without_position(_saved("GIF") + xmp)
    assert b"48,51" not in bare
    assert b"<dc:title>a tower</dc:title></rdf:RDF>" in bare


def _directories() -> bytes:
    """A TIFF whose directories overlap, and lead to each other."""
    entries = [(0x014A if n % 2 else 0x8825, 4, 10_000, 8 + 3 * n) for n in range(4000)]
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<IH", 8, 4000) + rows * 11)[: 2**19]


def _items(extents: int) -> bytes:
    """A HEIC whose items of EXIF are all the whole file, many times."""
    n = 500
    infe = b"".join(
        struct.pack(">I4sB3xHH4s", 20, b"infe", 2, item, 0, b"Exif") for item in range(n)
    )
    row = struct.pack(">II", 0, 900_000) * extents if extents < 100 else b""
    iloc = b"".join(struct.pack(">HHH", item, 0, extents) + row for item in range(n))
    sizes = 0x44 if row else 0
    boxes = struct.pack(">I4sIH", 14 + len(infe), b"iinf", 0, n) + infe
    boxes += struct.pack(">I4sIBBH", 16 + len(iloc), b"iloc", 0, sizes, 0, n) + iloc
    head = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1"
    return (head + struct.pack(">I4sI", 12 + len(boxes), b"meta", 0) + boxes).ljust(2**20, b"\0")


_RESOURCE = b"8BIM\x04\x04\0\0\x7f\xff\xff\xff"


def _jpeg_with(resources: bytes, times: int) -> bytes:
    photo = _saved("JPEG")
    return photo[:2] + (b"\xff\xed" + _segment(b"Photoshop 3.0\0" + resources)) * times + photo[2:]


def _values() -> bytes:
    """A TIFF many of whose entries call the whole file their IPTC."""
    entries = b"".join(struct.pack("<HHII", 33723, 7, 2**19 - n, n) for n in range(4000))
    rows = struct.pack("<BBBH", 0x1C, 2, 90, 0) * 2**16
    return (b"II*\0" + struct.pack("<IH", 8, 4000) + entries + rows)[: 2**19]


def _xmp_of(piece: bytes) -> Callable[[], bytes]:
    return lambda: _saved("GIF") + b"<rdf:RDF " + piece * (2**20 // len(piece))


NASTY: dict[str, Callable[[], bytes]] = {
    "tags": _xmp_of(b"<x:GPS>"),
    "other tags": _xmp_of(b"".join(b"<a%d:GPS>" % n for n in range(80_000))),
    "long name": _xmp_of(b" x:" + b"Latitude" * 2**16),
    "pictures": lambda: b"\xff\xd8" + b"\xff\xda\0\2" * 2**18 + b"\xff\xd8\xff",
    "directories": _directories,
    "items": lambda: _items(20),
    "resources": lambda: _jpeg_with((b"8BIM\x04\x04\0\0\x7f" + b"\xff" * 3) * 5000, 10),
    "names": lambda: _jpeg_with((struct.pack(">BBBH", 0x1C, 2, 0, 12) + _RESOURCE) * 3800, 10),
    "values": _values,
    "empty items": lambda: _items(65535),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", NASTY)
def test_a_file_made_to_take_long_does_not(name: str) -> None:
    """Each took minutes or hours where a step looked at the rest of the file once more."""
    without_position(NASTY[name]())


def test_a_position_that_points_into_the_pixels_does_not_change_them() -> None:
    pixels = bytes(range(256)) * 3  # a TIFF of 16 x 16, uncompressed, whose position lies in them
    tags = [
        (256, 4, 1, 16),
        (257, 4, 1, 16),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (279, 4, 1, 768),
        (0x8825, 4, 1, 8),
    ]
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    data = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + table + bytes(4)
    bare = without_position(data)
    assert bare != data
    assert bare[8 : 8 + len(pixels)] == pixels
    with Image.open(io.BytesIO(bare)) as after:
        assert after.size == (16, 16)
        assert 0x8825 not in after.getexif()
