"""Kinds of files, told from their first bytes.

Owns: `PHOTO_FORMATS`, the table of what is read; `kind_of`, `looks_like_photo`, and the names of kinds
that are not read here. Leaves to others: whether a file is whole (`decode.py`), file names
(`datasets/photo_names.py`).
"""

from __future__ import annotations

HEAD_BYTES = 512
"""As many bytes from the start of a file tell its kind."""

PHOTO_FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
"""Formats of photos that are read, by Pillow's names and in the order in which its readers are tried,
with the endings of their files. What begins a file of each stands below."""
READ_KINDS = frozenset(PHOTO_FORMATS)
PHOTO_ENDINGS = tuple(ending for endings in PHOTO_FORMATS.values() for ending in endings)

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_STARTS = (
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0\x10\0\0\0CR", "camera raw"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"II\xbc", "JPEG XR"),
    (b"IIRO", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "ICO"),
    (b"icns", "ICNS"),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"AT&TFORM", "DjVu"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"ZISRAWFILE", "CZI"),
    (b"NRRD000", "NRRD"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy"),
    (b"CSFCHUNK", "Clip Studio"),
    (b"FOVb", "camera raw"),
    (b"\0MRM", "camera raw"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"BPG\xfb", "BPG"),
    (b"gimp xcf", "GIMP"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "archive"),
    (b"PK\x05\x06", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!\x1a\x07", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ\0", "archive"),
    (b"\x28\xb5\x2f\xfd", "archive"),
    (b"ID3", "sound"),
    (b"fLaC", "sound"),
    (b"OggS", "sound"),
    (b"FLV\1", "video"),
    (b"\0\0\1\xba", "video"),
    (b"\0\0\1\xb3", "video"),
    (b"\x1aE\xdf\xa3", "video"),
)
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def kind_of(head: bytes) -> str:
    """The kind of a file: one of `READ_KINDS`, the name of another kind, or "".

    `zeros` begins with nothing but zero bytes, `pointer` stands for a file that Git LFS holds.

    White space before the first byte of a photo, as some downloads have, is passed over.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of it.
    """
    kind = _kind(head)
    if not kind and head[:1] in (b"\r", b"\n", b" ", b"\t"):
        kind = _kind(head.lstrip(b"\r\n \t"))
        return kind if kind in READ_KINDS else _kind_of_text(head)
    return kind or _kind_of_text(head)


def looks_like_photo(head: bytes) -> bool:
    """Whether a file that begins like this is a photo of a kind that is read here."""
    return kind_of(head) in READ_KINDS


def _kind(head: bytes) -> str:
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"\0\0\2\0" and head[4:6] not in (b"", b"\0\0"):
        return "CUR"  # of one picture or more; a TGA begins alike, and has zeros here
    if head[:4] == b"RIFF":
        return {b"WEBP": "WEBP", b"WAVE": "sound"}.get(head[8:12], "video")
    if head[4:8] == b"ftyp":
        return _kind_of_box(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[257:262] == b"ustar":
        return "archive"
    if head[:4] == b"\1\0\0\0" and head[40:44] == b" EMF":
        return "EMF"
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return "video"
    if head[:3] in (b"PF\n", b"Pf\n"):
        return "PPM"
    if len(head) > 131 and head[128:132] == b"DICM":
        return "DICOM"
    if len(head) > 2 and head[:1] == b"P" and head[1:2] in b"1234567" and head[2:3].isspace():
        return "PPM"
    return ""


def _kind_of_box(head: bytes) -> str:
    """AVIF, HEIF, camera raw or a video, by the brands of an ISO file."""
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, len(head)) - 3, 4))]
    if head[8:12] in _AVIF_BRANDS:
        return "AVIF"
    if head[8:12] in HEIF_BRANDS:
        return "AVIF" if any(b in _AVIF_BRANDS for b in brands) else "HEIF"
    if head[8:12] == b"crx ":
        return "camera raw"
    if head[8:12] == b"jxl ":
        return "JPEG XL"
    if head[8:12] in (b"M4A ", b"M4B "):
        return "sound"
    return "video"


def _kind_of_text(head: bytes) -> str:
    start = head[:HEAD_BYTES]
    if not start.strip(b"\0") and len(start) > 1:
        return "zeros"
    lowered = start.replace(b"\0", b"").lower()
    if b"<svg" in lowered or b"<!doctype svg" in lowered:
        return "SVG"
    if b"<!doctype html" in lowered or b"<html" in lowered:
        return "web page"
    if start.startswith(b"version https://git-lfs"):
        return "pointer"
    if start and all((byte >= 32 and byte != 255) or byte in b"\t\n\r\f" for byte in start):
        return "text"
    return ""
