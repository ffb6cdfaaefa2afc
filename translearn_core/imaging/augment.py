"""Augmented views of a photo: flipped, shifted, recoloured.

Owns: the augmentation policies `mirror`, `light`, `strong` and `auto`. Leaves to others: how many views a photo
gets and where they are kept (`features/cache.py`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from translearn_core.arrays import Array

AugmentationPolicy = Literal["none", "mirror", "light", "strong"]
VIEWS: dict[str, int] = {"none": 0, "mirror": 1, "light": 3, "strong": 6}
"""Augmented views of each training photo, besides the photo itself."""
MIRROR_BELOW = 200
"""Photos per class from which `auto` no longer mirrors: with 100 of each it gained two points, with
180 no more than the deviation between splits, and it doubles the work."""


def resolve_policy(
    wanted: AugmentationPolicy | Literal["auto"], *, photos: int, classes: int
) -> AugmentationPolicy:
    """The policy that `auto` stands for with so many photos; other policies unchanged.

    A run still leaves mirroring out where it does harm (`fitting/mirroring.py`).
    """
    if wanted != "auto":
        return wanted
    return "mirror" if photos < MIRROR_BELOW * classes else "none"


def augment(
    image: npt.NDArray[np.uint8], policy: AugmentationPolicy, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """One augmented view of a photo.

    Args:
        image: `(h, w, 3) uint8` RGB.
        policy: `mirror` flips horizontally with probability 1/2; `light` also shifts and zooms by
            up to a tenth and changes the brightness by up to a tenth; `strong` also rotates by up
            to 15 degrees, zooms by up to a third, changes colours, and blurs one view in five.

    Returns:
        `(h, w, 3) uint8`.
    """
    if policy == "none":
        return image
    if policy == "mirror":
        return mirror(image) if rng.random() < 0.5 else image
    strong = policy == "strong"
    photo = Image.fromarray(image)
    if rng.random() < 0.5:
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if strong:
        photo = _rotate(photo, float(rng.uniform(-15.0, 15.0)))
    photo = _crop(photo, float(rng.uniform(0.67 if strong else 0.9, 1.0)), rng)
    spread = 0.3 if strong else 0.1
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if strong or change is ImageEnhance.Brightness:
            photo = change(photo).enhance(float(rng.uniform(1.0 - spread, 1.0 + spread)))
    if strong and rng.random() < 0.2:
        photo = photo.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.5))))
    return np.asarray(photo)


def mirror(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The photo `(h, w, 3)` with left and right swapped."""
    return np.ascontiguousarray(image[:, ::-1])


def augmented_view(
    image: npt.NDArray[np.uint8], policy: AugmentationPolicy, *, sha256: str, view: int
) -> npt.NDArray[np.uint8]:
    """View number `view` of a photo, the same in every run; 0 is the photo itself."""
    if view == 0:
        return image
    if policy == "mirror":
        return mirror(image)
    return augment(image, policy, view_generator(sha256, view))


def _rotate(photo: Image.Image, degrees: float) -> Image.Image:
    """Rotate about the centre; corners are filled by reflection."""
    width, height = photo.size
    margin = max(width, height) // 4
    padded = np.pad(
        np.asarray(photo), ((margin, margin), (margin, margin), (0, 0)), mode="symmetric"
    )
    turned = Image.fromarray(padded).rotate(degrees, resample=Image.Resampling.BILINEAR)
    return turned.crop((margin, margin, margin + width, margin + height))


def _crop(photo: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A part of the photo with `share` of each side, at a random position, resized to the original
    size."""
    width, height = photo.size
    left = float(rng.uniform(0.0, width * (1.0 - share)))
    top = float(rng.uniform(0.0, height * (1.0 - share)))
    box = (left, top, left + width * share, top + height * share)
    return photo.resize((width, height), Image.Resampling.BILINEAR, box=box)


def augment_preview(
    image: npt.NDArray[np.uint8], policy: AugmentationPolicy, *, n: int = 4, seed: int = 0
) -> list[Array]:
    """Up to `n` augmented views of a photo `(h, w, 3) uint8`, for a preview of the policy."""
    if policy == "mirror":
        return [mirror(image)]
    rng = np.random.default_rng(seed)
    return [augment(image, policy, rng) for _view in range(n)]


def view_generator(sha256: str, view: int) -> np.random.Generator:
    """The random generator of one view of one photo; the same on every machine and in every run."""
    return np.random.default_rng([int(sha256[:15] or "0", 16), view])
