"""How a photo that is not square becomes the square that a network takes.

Owns: `Fit`, `to_square`, and which shape of a photo is another one than those a model knows.
Leaves to others: reading the photo (`decode.py`), which fit a run takes (`datasets/aspect_ratios.py`).

- stretch: the whole photo, squeezed: a circle on a wide photo becomes an upright ellipse.
- crop: the largest square in the middle; what lies beside it is lost.
- pad: the whole photo in its own proportions, with grey borders.

Borders are equally wide on both sides, so that turning a photo and fitting it give the same in
either order. The web export does the same sums in `prepare.js`.
"""

from __future__ import annotations

from typing import Literal, get_args

from PIL import Image

Fit = Literal["stretch", "crop", "pad"]
FITS: tuple[Fit, ...] = get_args(Fit)
BORDER = (124, 116, 104)
"""Colour of the borders: the mean of ImageNet, which backbones were trained to see as nothing."""
OTHER_SHAPE = 1.25
"""Factor by which a ratio of width to height lies outside the known ones, to be another shape."""


def to_square(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    """An RGB photo as `size` x `size` pixels, resized by an antialiased triangle filter.

    Args:
        image: the photo, no side of 0 pixels.
        size: side of the square in pixels.
    """
    width, height = image.size
    if fit == "pad" and width != height:
        across, down = (border_of(side, max(width, height), size) for side in (width, height))
        inner = image.resize((size - 2 * across, size - 2 * down), Image.Resampling.BILINEAR)
        square = Image.new("RGB", (size, size), BORDER)
        square.paste(inner, (across, down))
        return square
    box = None
    if fit == "crop" and width != height:
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def border_of(side: int, longest: int, size: int) -> int:
    """Pixels of each of the two borders beside a side of a photo whose longest side fills `size`."""
    return min((size * (longest - side) + longest) // (2 * longest), (size - 1) // 2)


def is_other_shape(width: float, height: float, known: tuple[float, float]) -> bool:
    """Whether a photo has clearly another shape than the photos a model knows.

    Args:
        width, height: of the upright photo, in pixels.
        known: least and greatest ratio of width to height among them.
    """
    low, high = known
    return not low / OTHER_SHAPE <= width / height <= high * OTHER_SHAPE
