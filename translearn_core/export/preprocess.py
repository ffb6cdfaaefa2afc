"""Preprocesses a photo exactly as TransLearn does: identical pixels. Needs pillow and numpy."""

from pathlib import Path

import numpy as np
from PIL import Image

try:
    from pi_heif import register_heif_opener  # only for HEIC photos: pip install pi-heif

    register_heif_opener()
except ImportError:
    pass

UPRIGHT = dict(zip(range(2, 9), (0, 3, 1, 5, 4, 6, 2), strict=True))  # EXIF turn -> transposition


def prepare(file: str | Path, size: int) -> np.ndarray:
    """A photo as input of the model: (size, size, 3) float32 in [0, 255]."""
    with Image.open(file) as photo:  # of an animation, the first frame
        if photo.format in (
            "JPEG",
            "MPO",
        ):  # large ones are decoded at a half, a quarter, an eighth
            photo.draft(None, (2 * max(size, 128), 2 * max(size, 128)))
        photo.load()
        turn = UPRIGHT.get(int(photo.getexif().get(0x0112, 1) or 1))
        small = as_rgb(photo).resize((size, size), Image.Resampling.BILINEAR)
    upright = small if turn is None else small.transpose(Image.Transpose(turn))
    return np.asarray(upright, np.float32)


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
