"""Prepares a photo exactly as TransLearn does: identical pixels. Needs pillow and numpy."""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

try:
    from pi_heif import register_heif_opener  # only for HEIC photos: pip install pi-heif

    register_heif_opener()
except ImportError:
    pass

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic")
MOST_BYTES = 100 * 2**20
MOST_PIXELS = 100_000_000
UPRIGHT = dict(zip(range(2, 9), (0, 3, 1, 5, 4, 6, 2), strict=True))  # EXIF turn -> transposition


def find(place: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder and its folders, in order, each with the reason why it is no photo, or "".

    Links to folders are not followed. A place that is no folder is given back as it is.
    """
    if not place.is_dir():
        yield place, ""
        return
    found: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        found.append((Path(error.filename), f"The folder cannot be opened: {error.strerror}."))

    for name, folders, files in os.walk(place, onerror=note):
        found += [(Path(name, file), "") for file in files]
        for folder in folders:
            path = Path(name, folder)
            if path.is_symlink():
                found.append((path, "It is a link to a folder; such links are not followed."))
            elif folder.lower().endswith(ENDINGS):
                found.append((path, "It is a folder, not a photo."))
    yield from sorted(found)


def prepare(file: str | Path, size: int) -> np.ndarray:
    """A photo as input of the model: (size, size, 3) float32 in [0, 255].

    Raises:
        ValueError: it cannot be read; the message is the reason.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return _prepare(_read(file), size)
    except OSError as error:
        reason = error.strerror or "it is no photo of a kind that is read here, or it is damaged"
        raise ValueError(f"The file cannot be read: {reason}.") from error
    except MemoryError as error:
        raise ValueError("The photo is too large for this machine's memory.") from error
    except Exception as error:  # Pillow raises any kind on damaged bytes
        raise ValueError(f"The photo is damaged or too large: {error}") from error


def _read(file: str | Path) -> bytes:
    """The bytes of an ordinary file, neither empty nor too large."""
    status = Path(file).stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is not an ordinary file")
    if not status.st_size:
        raise OSError(0, "it is empty")
    if status.st_size > MOST_BYTES:
        raise OSError(0, f"it is larger than {MOST_BYTES >> 20} MB")
    return Path(file).read_bytes()


def _prepare(data: bytes, size: int) -> np.ndarray:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, MOST_PIXELS)
    Image.init()
    kinds = [kind for kind in KINDS if kind in Image.OPEN]
    with Image.open(io.BytesIO(data), formats=kinds) as photo:  # of an animation, the first frame
        if photo.width * photo.height > MOST_PIXELS:
            raise OSError(0, f"it has more than {MOST_PIXELS // 10**6} million pixels")
        if photo.format in ("JPEG", "MPO"):  # large ones are decoded at a half, quarter, eighth
            photo.draft(None, (2 * max(size, 128), 2 * max(size, 128)))
        photo.load()
        turn = UPRIGHT.get(_orientation(photo))
        small = as_rgb(photo).resize((size, size), Image.Resampling.BILINEAR)
    upright = small if turn is None else small.transpose(Image.Transpose(turn))
    return np.asarray(upright, np.float32)


def _orientation(photo: Image.Image) -> int:
    """The orientation in EXIF data; 1 where there is none or it is odd. XMP does not count."""
    exif = Image.Exif()
    try:
        exif.load(photo.info.get("exif") or b"")
        turn = exif.get(0x0112, 1)
    except Exception:  # noqa: BLE001 - odd EXIF does not damage a picture
        return 1
    return turn if isinstance(turn, int) else 1


def as_rgb(photo: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: more than 8 bits scaled down, transparency over white."""
    if photo.mode[0] in "IF":
        values = np.nan_to_num(np.asarray(photo, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        tops = {"I": (255.0, 65535.0), "F": (1.0, 255.0, 65535.0)}.get(photo.mode, (65535.0,))
        most = float(values.max(initial=0.0))
        top = next((top for top in tops if most <= top or len(tops) == 1), most)
        grey = np.rint(np.clip(values * (255.0 / top), 0, 255)).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if "transparency" in photo.info or photo.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        over = photo.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return photo.convert("RGB")
