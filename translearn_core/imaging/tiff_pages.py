"""The page of a TIFF as a photo: which page, which channels, and its samples as RGB.

Owns: `load_tiff`, and what the reading in use (`reading.py`) names of a file.
Leaves to others: the layout of a TIFF and its samples (`tiff.py`), pages that Pillow reads
(`pillow.py`), the ranges of a data set (`measured_ranges.py`).
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from translearn_core.imaging import budget, reading, tiff
from translearn_core.imaging.colour import as_rgb, over_background
from translearn_core.imaging.libtiff import decoding_errors
from translearn_core.imaging.loaded import Loaded
from translearn_core.imaging.pillow import open_photo
from translearn_core.imaging.refusals import damaged, too_many_pixels
from translearn_core.installation_limits import Limits


def load_tiff(data: bytes, limits: Limits) -> Loaded:
    """The page of a TIFF that the reading names, or the pages that it names as channels."""
    pages = tiff.read_pages(data)
    full = _full_pages(pages)
    used = _pages_as_channels(pages, full)
    if not used:
        used = _pages_named(full)
        if len(used) > 1:
            used = [max(used, key=lambda one: _contrast(_load_page(data, pages, one, limits)[0]))]
    pixels, mode, orientation = _load_page(data, pages, used[0], limits)
    if len(used) == 3:
        others = [_load_page(data, pages, index, limits)[0] for index in used[1:]]
        pixels = Image.merge("RGB", [one.getchannel(0) for one in (pixels, *others)])
        mode = "RGB"
    width, height = pixels.size
    if orientation >= 5:
        width, height = height, width
    page = pages[used[0]]
    channels = page.samples if page.spare and page.samples != len(channels_of(page)) else 0
    return Loaded(pixels, orientation, width, height, "TIFF", mode, len(full), channels)


def pages_used(pages: list[tiff.Page]) -> list[int]:
    """The pages of a TIFF that the reading names: one, three as channels, or all to choose from."""
    full = _full_pages(pages)
    return _pages_as_channels(pages, full) or _pages_named(full)


def _full_pages(pages: list[tiff.Page]) -> list[int]:
    """The pages that are no smaller version of another one."""
    return [index for index, page in enumerate(pages) if not page.is_reduced] or [0]


def _pages_as_channels(pages: list[tiff.Page], full: list[int]) -> list[int]:
    """The grey pages that the reading names as red, green and blue; else none."""
    how, sizes = reading.current(), {(pages[index].width, pages[index].height) for index in full}
    if len(how.channels) != 3 or len(full) < 2 or pages[full[0]].samples > 1 or len(sizes) > 1:
        return []
    return [full[min(one, len(full)) - 1] for one in how.channels]


def _pages_named(full: list[int]) -> list[int]:
    """The page that the reading names, or all, of which the one with the most contrast counts."""
    page = reading.current().page
    return full if page == 0 else [full[min(page, len(full)) - 1]]


def _contrast(image: Image.Image) -> float:
    """Standard deviation of the grey values of a small version."""
    small = image.resize((64, 64), Image.Resampling.BILINEAR, reducing_gap=1.0).convert("L")
    return float(np.asarray(small).std())


def _load_page(
    data: bytes, pages: list[tiff.Page], index: int, limits: Limits
) -> tuple[Image.Image, str, int]:
    """A page of a TIFF: its pixels, mode, and the orientation that is still to be applied."""
    page = pages[index]
    if page.width * page.height > limits.photo_pixels:
        raise too_many_pixels(page.width * page.height, limits)
    page.check_readable()
    if page.is_deep():
        each = page.samples * max(1, page.bits // 8) + 7
        need = page.width * page.height * each + 3 * page.segment_bytes()
        with budget.hold(need, limits):
            pixels, mode = _deep_page(data, page)
        turn = page.number(0x0112, 1)
        return pixels, mode, turn if 1 <= turn <= 8 else 1
    with open_photo(tiff.alone(data, page) if index else data, limits) as image:
        mode, profile = image.mode, image.info.get("icc_profile")
        with budget.hold(budget.fits_one(image) + 2 * page.segment_bytes(), limits):
            with decoding_errors() as errors:
                image.load()  # applies the orientation
            if errors.count:
                raise damaged()
            palette = page.palette_of_bytes if image.mode == "P" else None
            if palette is not None:
                image.putpalette(palette)
            return as_rgb(image, profile), mode, 1


def _deep_page(data: bytes, page: tiff.Page) -> tuple[Image.Image, str]:
    """Samples of more than 8 bits or of many channels as RGB, and Pillow's word for their mode."""
    samples = tiff.read_samples(data, page)
    chosen = channels_of(page)
    colours = samples[..., chosen] if len(chosen) < samples.shape[2] else samples
    kind = str(samples.dtype)
    if kind == "uint8":
        levels = np.ascontiguousarray(colours)
        if page.photometric == 0:
            levels = 255 - levels
    else:
        levels = reading.to_bytes(
            colours, _range_for(page, kind, colours), invert=page.photometric == 0
        )
    mode = {"f": "F", "i": "I", "u": "I;16"}[samples.dtype.kind]
    if page.photometric == 5 and levels.shape[2] == 4:
        return Image.fromarray(levels, "CMYK").convert("RGB"), "CMYK"
    alpha = _alpha_of(page, samples)
    if levels.shape[2] == 1:
        levels = np.repeat(levels, 3, axis=2)
    else:
        mode = "RGB"
    if alpha is None:
        return Image.fromarray(levels, "RGB"), mode
    if page.is_premultiplied:
        full = np.maximum(alpha, 1)[..., None].astype(np.uint16)
        levels = np.minimum(levels.astype(np.uint16) * 255 // full, 255).astype(np.uint8)
    return over_background(Image.fromarray(np.dstack([levels, alpha]), "RGBA")), mode


def channels_of(page: tiff.Page) -> list[int]:
    """The channels taken as red, green and blue, or as grey; from 0 on."""
    n = page.samples
    wanted = reading.current().channels
    if wanted and n > 1 and (n > 4 or page.spare or page.photometric in (0, 1)):
        return [min(one, n) - 1 for one in wanted]
    if page.photometric == 5:
        return list(range(4))
    return [0] if n < 3 else [0, 1, 2]


def _alpha_of(page: tiff.Page, samples: np.ndarray) -> np.ndarray | None:
    """Opacity `(h, w)` uint8, where the file says that a channel is that."""
    if page.opacity is None or page.photometric == 5 or page.opacity in channels_of(page):
        return None
    kind = samples.dtype
    top = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)
    return reading.to_bytes(samples[..., page.opacity], (0.0, top))


def _range_for(page: tiff.Page, kind: str, values: np.ndarray) -> reading.Range:
    """Black and white: a full scale that the file declares, else as measured over the data set,
    else as the file declares or over the photo. A declaration that its own pixels exceed is none."""
    if page.sample_format == 1 and page.bits < 16:
        return 0.0, 2.0**page.bits - 1
    extremes = reading.extremes_of(values)
    declared = page.top if page.top is not None and extremes[1] <= page.top else None
    known = reading.current().ranges.get(kind)
    if declared is not None and (known is None or reading.is_full_scale(declared)):
        return 0.0, declared
    return known or reading.range_of(kind, [extremes])
