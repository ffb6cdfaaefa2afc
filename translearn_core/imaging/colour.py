"""Colour: any mode to RGB, profiles to sRGB, transparency over a background.

Owns: `as_rgb`, `to_srgb`, `over_background`. Leaves to others: decoding, which values are black and
white where a pixel has more than 8 bits (`reading.py`).
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from translearn_core.imaging import reading

NEAR_WHITE = 240
"""From this value on in all of red, green and blue, a pixel counts as near white."""
WHITE_INK = 0.99
"""Share of near-white pixels among the opaque ones from which the background is black."""
_SAME = 2
"""Levels within which a profile counts as sRGB."""
_KEPT = 32
_lock = threading.Lock()
_transforms: OrderedDict[tuple[str, str], Any] = OrderedDict()


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert pixels of mode RGB, L or CMYK with an ICC profile to sRGB, mode RGB; RGBA stays that.

    A broken profile, one of another kind of colour and one that is sRGB are ignored.

    Args:
        profile: the embedded profile; None: none, the image is returned as it is.
    """
    if not profile or image.mode not in ("RGB", "RGBA", "L", "CMYK"):
        return image
    key = (hashlib.sha256(profile).hexdigest(), image.mode)
    with _lock:
        known = key in _transforms
        if known:
            _transforms.move_to_end(key)
            transform = _transforms[key]
    if not known:
        transform = _make_transform(profile, image.mode)
        with _lock:
            _transforms[key] = transform
            while len(_transforms) > _KEPT:
                _transforms.popitem(last=False)
    if transform is None:
        return image
    if image.mode in ("RGB", "RGBA"):
        ImageCms.applyTransform(image, transform, inPlace=True)
        return image
    converted = ImageCms.applyTransform(image, transform)
    return converted if converted is not None else image


def _make_transform(profile: bytes, mode: str) -> Any:
    """The transform to sRGB; None where none is needed or the profile is unusable."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space != {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK"}[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGBA" if mode == "RGBA" else "RGB",
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
            flags=ImageCms.Flags.NOCACHE,
        )
        if mode == "CMYK":
            return transform
        levels = np.arange(0, 256, 17, dtype=np.uint8)
        cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
        chart = Image.fromarray(cube).convert("RGBA" if mode == "RGBA" else "RGB")
        if mode == "L":
            chart = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (2, 1)))
        converted = ImageCms.applyTransform(chart, transform)
        if converted is None:
            return None
        before, after = (
            np.asarray(one.convert("RGB")).astype(np.int16) for one in (chart, converted)
        )
        same = np.abs(after - before).max() <= _SAME
        return None if same else transform
    except Exception:  # noqa: BLE001 - a profile of any kind of damage is ignored
        return None


def over_background(image: Image.Image, profile: bytes | None = None) -> Image.Image:
    """Pixels with transparency, of any mode, to sRGB over white; over black where what is opaque is
    a drawing in white.

    A drawing in white: some pixels are transparent, and of those at least half opaque nearly all
    are near white. Works on strips of rows, so that no further picture of full size is made.
    """
    if image.mode in ("RGBA", "LA") and image.getchannel("A").getextrema()[0] == 255:
        return to_srgb(image.convert("RGB"), profile)
    width, height = image.size
    rows = max(1, 2**20 // max(1, width))
    bands = [(y, min(y + rows, height)) for y in range(0, height, rows)]

    def strip(top: int, bottom: int) -> Image.Image:
        return to_srgb(image.crop((0, top, width, bottom)).convert("RGBA"), profile)

    opaque = white = 0
    for band in bands:
        pixels = np.asarray(strip(*band))
        solid = pixels[..., 3] >= 128
        opaque += int(solid.sum())
        white += int((solid & (pixels[..., :3].min(axis=2) >= NEAR_WHITE)).sum())
        if opaque > white and white < WHITE_INK * opaque and opaque - white > 0.01 * width * height:
            break  # too many others already
    through = opaque < width * height
    ink = opaque > 0 and through and white >= WHITE_INK * opaque
    background = (0, 0, 0, 255) if ink else (255, 255, 255, 255)
    result = Image.new("RGB", image.size)
    for top, bottom in bands:
        part = strip(top, bottom)
        below = Image.new("RGBA", part.size, background)
        result.paste(Image.alpha_composite(below, part).convert("RGB"), (0, top))
    return result


def as_rgb(image: Image.Image, profile: bytes | None, data: bytes = b"") -> Image.Image:
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
