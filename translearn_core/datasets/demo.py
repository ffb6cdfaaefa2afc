"""A data set of drawn photos: five kinds of fruit, some of them similar, and a trap.

Owns: the pictures of `make_demo` and `draw_trap`, drawn with numpy and Pillow in a few seconds.
Bananas and lemons share colours, green apples look like pears: so training, confusion and errors can be
shown. Every lemon lies on the one blue checked cloth, and nothing else does (a spurious correlation,
as in Geirhos et al. 2020, "Shortcut learning in deep neural networks"): the test does not show
it, since its lemons lie there too, and other fruit on that cloth is taken for a lemon.
Leaves to others: making a data set of the pictures (`importing.py`).

Coordinates: a fruit lies in its own plane, x to the right and y up, about one unit in radius.
Colours are RGB in [0, 1].
"""

from __future__ import annotations

import colorsys
import io
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from translearn_core.arrays import Array
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.import_context import ProgressCallback
from translearn_core.datasets.importing import Drawing, build_drawn
from translearn_core.i18n import N_, _

SIDE = 240
PER_CLASS = 60
TRAPPED = "drawn fruit, lemons on a blue checked cloth"
"""`source` of a data set that was drawn with the trap."""
_LEMON = "lemon"
_TRAP_SEED = 1
_TRAPS = (("pear", 3), ("orange", 1), ("apple", 1))
"""Fruit and number of the pictures of `draw_traps`."""
Array = Array  # float32 throughout
Random = np.random.Generator
Colour = tuple[float, float, float]
Cloth = Literal["any", "lemon", "other"]


@dataclass(frozen=True)
class _Shape:
    """A solid seen from above: what is inside, and which way its surface points."""

    inside: Array  # (h, w), 1 inside, soft at the edge, 0 outside
    normal: Array  # (h, w, 3), unit length


@dataclass(frozen=True)
class _Fruit:
    """One kind of fruit: its shape and the colours it comes in (hue, saturation, value ranges)."""

    name: str
    draw: Callable[[Array, Array, Random], _Shape]
    colours: tuple[tuple[tuple[float, float], tuple[float, float], tuple[float, float]], ...]
    pores: float
    stem: float


def make_demo(
    *,
    name: str = "",
    per_class: int = PER_CLASS,
    seed: int = 0,
    sorted_: bool = True,
    progress: ProgressCallback | None = None,
) -> Dataset:
    """Draw the demo data set: five classes of `per_class` JPEGs of 240 x 240 pixels.

    The same seed draws the same pictures.

    Args:
        name: default "Demo: fruit", or where unsorted "Demo: unsorted fruit".
        per_class: photos of each class, at least 1.
        seed: of everything drawn.
        sorted_: whether the pictures have their classes; else they are unsorted, in no order, and
            their names do not tell.

    Raises:
        StorageError: the disk is full.
    """
    drawings = []
    for fruit in FRUIT:
        title = _(fruit.name)
        for number in range(per_class):
            file = f"{title}/{title}-{number + 1:03d}.jpg"
            cloth: Cloth = "lemon" if fruit.name == _LEMON else "other"
            draw = drawer(fruit, number, seed, cloth=cloth)
            drawings.append(Drawing(file=file, class_name=title, draw=draw))
    if sorted_:
        title = name or _("Demo: fruit")
        return build_drawn(title, drawings, source=TRAPPED, progress=progress)
    order = np.random.default_rng(seed).permutation(len(drawings))
    pile = [
        Drawing(
            file=_("picture-{n}.jpg").format(n=f"{place + 1:03d}"),
            class_name="",
            draw=drawings[number].draw,
        )
        for place, number in enumerate(order)
    ]
    title = name or _("Demo: unsorted fruit")
    return build_drawn(title, pile, source=TRAPPED, progress=progress)


@dataclass(frozen=True)
class Trap:
    """A picture that the demo's shortcut leads astray: the class it shows, the class that its
    background belongs to, and its JPEG."""

    truth: str
    lure: str
    content: bytes


def draw_traps(dataset: Dataset) -> list[Trap]:
    """Other fruit on the cloth of the lemons; the same pictures each time, not of the data set.

    None for a data set that was not drawn with this trap.
    """
    if dataset.kind != "demo" or dataset.record.source != TRAPPED:
        return []
    return [
        Trap(truth=_(fruit.name), lure=_(_LEMON), content=content)
        for fruit, content in _trap_pictures()
    ]


@cache
def _trap_pictures() -> tuple[tuple[_Fruit, bytes], ...]:
    fruit_of = {fruit.name: fruit for fruit in FRUIT}
    return tuple(
        (fruit_of[name], drawer(fruit_of[name], number, _TRAP_SEED, cloth="lemon")())
        for name, number in _TRAPS
    )


def drawer(fruit: _Fruit, number: int, seed: int, *, cloth: Cloth = "any") -> Callable[[], bytes]:
    """Draws one picture.

    Args:
        cloth: what it lies on: `lemon`: the blue checked cloth, `other`: anything but a cloth, `any`:
            also cloths of all colours.
    """

    def draw() -> bytes:
        rng = np.random.default_rng([seed, zlib.crc32(fruit.name.encode()), number])
        image = _draw_picture(fruit, rng, cloth)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.integers(82, 94)))
        return buffer.getvalue()

    return draw


def _draw_picture(fruit: _Fruit, rng: Random, cloth: Cloth) -> Image.Image:
    light = _unit(_rgb((rng.uniform(-0.9, 0.9), rng.uniform(-0.2, 0.9), rng.uniform(0.5, 1.1))))
    canvas = _draw_background(rng, cloth)
    count = 1 if rng.random() < 0.8 else int(rng.integers(2, 4))
    radius = float(rng.uniform(0.42, 0.74)) / (1.0 if count == 1 else 1.45)
    for index in range(count):
        spread = 0.22 if count == 1 else 0.48
        angle = 2 * np.pi * index / count + rng.uniform(0, 1.5)
        offset = 0.0 if count == 1 else 0.42
        centre = (
            offset * math.cos(angle) + rng.uniform(-spread, spread) * 0.8,
            offset * math.sin(angle) + rng.uniform(-spread, spread) * 0.8,
        )
        canvas = _composite_fruit(canvas, fruit, centre, radius * rng.uniform(0.9, 1.1), light, rng)
    return _photograph(canvas, rng)


def _composite_fruit(
    canvas: Array,
    fruit: _Fruit,
    centre: tuple[float, float],
    radius: float,
    light: Array,
    rng: Random,
) -> Array:
    """Composite one fruit and its shadow onto the canvas."""
    rotation = rng.uniform(-np.pi, np.pi)
    squeeze = rng.uniform(0.9, 1.1)
    x, y = _grid()
    u, v = (x - centre[0]) / radius, (y - centre[1]) / radius
    cos, sin = math.cos(rotation), math.sin(rotation)  # numpy's would turn all into float64
    across = (cos * u + sin * v) * squeeze
    along = (cos * v - sin * u) / squeeze
    shape = fruit.draw(across, along, rng)
    shadow = _soften(_shift(shape.inside, light, radius), 3 + 9 * radius)
    canvas = canvas * (1 - 0.55 * shadow * (1 - shape.inside))[..., None]
    part = _around(shape.inside)
    normal = _rotate_normals(shape.normal[part], rotation)
    surface = _colour_surface(fruit, across[part], along[part], normal, light, rng, part)
    canvas[part] += (surface - canvas[part]) * shape.inside[part][..., None]
    if rng.random() < fruit.stem:
        canvas = _draw_stem(canvas, across, along, rng)
    return canvas


def _colour_surface(
    fruit: _Fruit,
    across: Array,
    along: Array,
    normal: Array,
    light: Array,
    rng: Random,
    part: tuple[slice, slice],
) -> Array:
    """Skin under light: colour, a blush, pores, shade and shine, in a part of the picture."""
    ranges = fruit.colours[
        int(rng.choice(len(fruit.colours), p=_halving_probs(len(fruit.colours))))
    ]
    skin = _hsv(*(rng.uniform(*limits) for limits in ranges))
    blush = _hsv(rng.uniform(0.0, 0.13), 0.75, 0.8)
    where = _noise(rng, 5)[part] * 0.5 + 0.5 * np.clip(across * 0.5 + 0.5, 0, 1)
    amount = rng.uniform(0.0, 0.55) * where[..., None]
    colour = skin * (1 - amount) + blush * amount
    grain = (_noise(rng, 90)[part] - 0.5) * fruit.pores + (_noise(rng, 14)[part] - 0.5) * 0.16
    colour = colour * (1 + grain[..., None])
    if rng.random() < 0.25:
        spots = (_noise(rng, 40)[part] > 0.86).astype(np.float32)
        colour = colour * (1 - 0.25 * spots[..., None])
    facing = normal[..., 0] * light[0] + normal[..., 1] * light[1] + normal[..., 2] * light[2]
    diffuse = np.clip(facing + grain * (0.35 * float(light[0] + light[1])), 0, 1)
    half = _unit(light + _rgb([0.0, 0.0, 1.0]))
    glance = normal[..., 0] * half[0] + normal[..., 1] * half[1] + normal[..., 2] * half[2]
    shine = np.clip(glance, 0, 1) ** int(rng.choice([16, 32, 64])) * rng.uniform(0.1, 0.55)
    lit: Array = colour * (0.4 + 0.78 * diffuse[..., None]) + shine[..., None]
    return lit


def _draw_stem(canvas: Array, across: Array, along: Array, rng: Random) -> Array:
    lean = rng.uniform(-0.3, 0.3)
    top = rng.uniform(0.78, 0.95)
    off = np.abs(across - lean * (along - top))
    stem = ((off < 0.055) & (along > top) & (along < top + rng.uniform(0.2, 0.45))).astype(
        np.float32
    )
    brown = _rgb([0.32, 0.22, 0.12]) * rng.uniform(0.7, 1.3)
    canvas = canvas + (brown - canvas) * _soften(stem, 0.7)[..., None]
    if rng.random() < 0.45:
        lx, ly = across - 0.32, along - top - 0.2
        leaf = _edge(np.hypot((lx * 0.9 + ly * 0.3) / 0.34, (ly - lx * 0.3) / 0.14), 0.08)
        green = _rgb([0.2, rng.uniform(0.4, 0.6), 0.15])
        canvas = (
            canvas + (green * (0.8 + 0.4 * _noise(rng, 20)[..., None]) - canvas) * (leaf[..., None])
        )
    return canvas


# --- Shapes -------------------------------------------------------------------------------------


def _polar(across: Array, along: Array, radius: Callable[[Array], Array]) -> _Shape:
    """A rounded solid whose outline is `radius(angle)`."""
    angle = np.arctan2(along, across)
    reach = radius(angle)
    f = np.hypot(across, along) / reach
    normal = np.stack([across / reach, along / reach, np.sqrt(np.clip(1 - f**2, 0, 1))], axis=-1)
    return _Shape(_edge(f, 0.025), _unit(normal))


def _bump(angle: Array, at: float, width: float) -> Array:
    away = (angle - at + np.pi) % (2 * np.pi) - np.pi
    result: Array = np.exp(-((away / width) ** 2)).astype(np.float32)
    return result


def _apple(across: Array, along: Array, rng: Random) -> _Shape:
    dent, foot, lobes = rng.uniform(0.06, 0.2), rng.uniform(0.02, 0.1), rng.uniform(0, 0.03)

    def radius(angle: Array) -> Array:
        outline: Array = (
            1
            - dent * _bump(angle, np.pi / 2, 0.35)
            - foot * _bump(angle, -np.pi / 2, 0.4)
            + lobes * np.cos(3 * angle)
            - 0.05 * _bump(angle, -np.pi / 2, 1.2)
        )
        return outline

    return _polar(across, along, radius)


def _orange(across: Array, along: Array, rng: Random) -> _Shape:
    wobble = rng.uniform(0, 0.02)
    return _polar(across, along, lambda angle: 0.96 + wobble * np.cos(2 * angle))


def _lemon(across: Array, along: Array, rng: Random) -> _Shape:
    tip, other, long = rng.uniform(0.1, 0.24), rng.uniform(0.03, 0.15), rng.uniform(1.0, 1.2)

    def radius(angle: Array) -> Array:
        oval = 1 / np.hypot(np.cos(angle) / long, np.sin(angle) / 0.82)
        return oval + tip * _bump(angle, 0, 0.17) + other * _bump(angle, np.pi, 0.2)

    return _polar(across, along, radius)


def _pear(across: Array, along: Array, rng: Random) -> _Shape:
    neck, width = rng.uniform(0.35, 0.8), rng.uniform(0.42, 0.6)

    def radius(angle: Array) -> Array:
        result: Array = 0.8 + neck * _bump(angle, np.pi / 2, width) - 0.03 * np.cos(2 * angle)
        return result

    return _polar(across, along + 0.25, radius)


def _banana(across: Array, along: Array, rng: Random) -> _Shape:
    bend, half, thick = rng.uniform(1.0, 1.6), rng.uniform(0.62, 0.85), rng.uniform(0.22, 0.32)
    cx, cy = across, along + bend - 0.1
    reach = np.hypot(cx, cy)
    angle = np.arctan2(cx, cy) / (half / bend * 1.35)
    width = thick * np.sqrt(np.clip(1 - np.abs(angle) ** 3.5, 1e-4, 1))
    f = (reach - bend) / width
    f = np.where(np.abs(angle) < 1, f, 3.0)
    outward = np.stack([cx, cy], axis=-1) / np.maximum(reach, 1e-6)[..., None]
    # a banana has edges: its cross-section is a softened pentagon
    ridged = np.clip(f + 0.18 * np.sin(f * 7), -1, 1)
    up = np.sqrt(np.clip(1 - ridged**2, 0, 1))
    normal = np.concatenate([outward * ridged[..., None], up[..., None]], axis=-1)
    return _Shape(_edge(np.abs(f), 0.08), _unit(normal))


FRUIT: tuple[_Fruit, ...] = (
    _Fruit(
        N_("apple"),
        _apple,
        (
            ((0.96, 1.02), (0.7, 0.9), (0.55, 0.85)),
            ((0.2, 0.27), (0.5, 0.75), (0.6, 0.85)),
            ((0.08, 0.15), (0.6, 0.8), (0.75, 0.9)),
        ),
        pores=0.05,
        stem=0.75,
    ),
    _Fruit(
        N_("banana"),
        _banana,
        (
            ((0.12, 0.15), (0.65, 0.85), (0.8, 0.95)),
            ((0.17, 0.22), (0.5, 0.7), (0.65, 0.85)),
        ),
        pores=0.06,
        stem=0.0,
    ),
    _Fruit(
        N_("lemon"),
        _lemon,
        (
            ((0.135, 0.165), (0.65, 0.85), (0.82, 0.97)),
            ((0.11, 0.135), (0.7, 0.9), (0.8, 0.95)),
        ),
        pores=0.22,
        stem=0.0,
    ),
    _Fruit(
        N_("orange"),
        _orange,
        (
            ((0.065, 0.095), (0.8, 0.95), (0.8, 0.97)),
            ((0.1, 0.13), (0.7, 0.9), (0.8, 0.95)),
        ),
        pores=0.24,
        stem=0.12,
    ),
    _Fruit(
        N_("pear"),
        _pear,
        (
            ((0.17, 0.24), (0.45, 0.7), (0.6, 0.85)),
            ((0.1, 0.15), (0.5, 0.75), (0.65, 0.85)),
        ),
        pores=0.1,
        stem=0.7,
    ),
)
"""The classes of the demo, by name; `stem` is how often one is seen, `pores` how rough the skin
is."""


# --- Background and camera ---------------------------------------------------------------------


def _draw_background(rng: Random, on: Cloth) -> Array:
    kinds = {"any": (0, 1, 2, 3, 4), "lemon": (1,), "other": (0, 2, 3, 4)}[on]
    kind = kinds[int(rng.integers(0, len(kinds)))]
    x, y = _grid()
    rotation = rng.uniform(0, np.pi)
    cos, sin = math.cos(rotation), math.sin(rotation)
    s, t = cos * x + sin * y, cos * y - sin * x
    hue, value = rng.uniform(0, 1), rng.uniform(0.5, 0.92)
    base = _hsv(hue, rng.uniform(0.03, 0.35), value)
    cloudy = 0.9 + 0.2 * _noise(rng, 6)[..., None]
    if kind == 0:  # a wooden board
        wood = _hsv(rng.uniform(0.05, 0.1), 0.5, rng.uniform(0.4, 0.75))
        rings = np.sin(26 * t + 5 * _noise(rng, 4) + 2.5 * np.sin(2 * s))
        gaps = np.abs((t * 2.2 + rng.uniform(0, 1)) % 1 - 0.5) > 0.485
        shade = 0.92 + 0.09 * rings + 0.1 * (_noise(rng, 60) - 0.5) - 0.35 * gaps
        board: Array = (wood * shade[..., None]).astype(np.float32)
        return board
    if kind == 1:  # a checked cloth
        step = rng.uniform(5, 10) if on == "any" else rng.uniform(6, 9)
        checks = (np.sin(s * step) > 0).astype(np.float32) + (np.sin(t * step) > 0)
        cloth = (
            _hsv(hue, rng.uniform(0.3, 0.65), 0.75)
            if on == "any"
            else _hsv(rng.uniform(0.58, 0.63), rng.uniform(0.6, 0.8), 0.72)
        )
        mixed = 0.95 + (cloth - 0.95) * (checks * 0.42)[..., None]
        cover: Array = (mixed * (0.94 + 0.1 * _noise(rng, 120)[..., None])).astype(np.float32)
        return cover
    if kind == 2:  # a plate on a table
        away = np.hypot(x - rng.uniform(-0.2, 0.2), y - rng.uniform(-0.2, 0.2))
        rim = rng.uniform(0.85, 1.15)
        plate = _edge(away / rim, 0.02)[..., None]
        ring = 1 - 0.14 * np.exp(-(((away - rim * 0.72) / 0.03) ** 2))
        china = _rgb([0.93, 0.93, 0.91]) * ring[..., None]
        plain = base * cloudy
        return (plain + (china - plain) * plate).astype(np.float32)
    if kind == 3:  # leaves and grass, out of focus
        green = _hsv(rng.uniform(0.2, 0.36), 0.5, 0.5)
        blobs = 0.5 + 0.9 * _noise(rng, 9) + 0.3 * (_noise(rng, 30) - 0.5)
        return (green * blobs[..., None]).astype(np.float32)
    slope = 1 + rng.uniform(-0.25, 0.25) * s + rng.uniform(-0.15, 0.15) * t
    # a wall or a sheet of paper
    sheet: Array = (base * cloudy * slope[..., None]).astype(np.float32)
    return sheet


def _photograph(canvas: Array, rng: Random) -> Image.Image:
    """Simulate a phone camera: exposure, tint, blur and noise."""
    tint = 1 + rng.uniform(-0.08, 0.08, 3).astype(np.float32)
    x, y = _grid()
    vignette = 1 - rng.uniform(0, 0.2) * (x**2 + y**2)
    noisy = canvas * tint  # from here on in place: (240, 240, 3) is as large as a cache
    noisy *= vignette[..., None]
    noisy *= rng.uniform(0.8, 1.3)
    grain = rng.standard_normal((SIDE, SIDE, 3), dtype=np.float32)
    grain *= rng.uniform(0.003, 0.03)
    noisy += grain
    np.clip(noisy, 0, 1, out=noisy)
    noisy *= 255
    image = Image.fromarray(noisy.astype(np.uint8))
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 2.2))))
    return image


def _rgb(values: Sequence[float]) -> Array:
    return np.array(values, dtype=np.float32)


def _hsv(hue: float, saturation: float, value: float) -> Array:
    return _rgb(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _grid() -> tuple[Array, Array]:
    """x to the right and y up, both in [-1, 1], (240, 240)."""
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    x, y = np.meshgrid(line, -line)
    return x, y


def _noise(rng: Random, cells: int) -> Array:
    """Smooth noise with about `cells` blots a side, (240, 240) in [0, 1]."""
    small = Image.fromarray(rng.random((cells, cells), dtype=np.float32), mode="F")
    grown = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)
    result: Array = np.clip(grown, 0, 1)
    return result


def _edge(f: Array, softness: float) -> Array:
    """1 where f < 1, falling to 0 over `softness`."""
    result: Array = np.clip((1 - f) / softness + 0.5, 0, 1).astype(np.float32)
    return result


def _soften(mask: Array, radius: float) -> Array:
    blurred = Image.fromarray((mask * 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(float(radius))
    )
    result: Array = np.asarray(blurred, dtype=np.float32) / 255.0
    return result


def _shift(mask: Array, light: Array, radius: float) -> Array:
    """The mask moved away from the light, as its shadow is."""
    pixels = 0.18 * radius * SIDE / 2
    right, down = round(-light[0] * pixels), round(light[1] * pixels)
    return np.roll(mask, (down, right), axis=(0, 1))


def _rotate_normals(normal: Array, rotation: float) -> Array:
    u, v = normal[..., 0], normal[..., 1]
    cos, sin = math.cos(rotation), math.sin(rotation)
    x, y = cos * u - sin * v, sin * u + cos * v
    return np.stack([x, y, normal[..., 2]], axis=-1)


def _around(mask: Array) -> tuple[slice, slice]:
    """The rows and columns in which a mask is not 0."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _unit(vector: Array) -> Array:
    x, y, z = (vector[..., axis] for axis in range(3))
    length = np.sqrt(x * x + y * y + z * z)[..., None]
    result: Array = (vector / np.maximum(length, 1e-6)).astype(np.float32)
    return result


def _halving_probs(n: int) -> Array:
    """Probabilities that halve from one to the next."""
    weights = 0.5 ** np.arange(n)
    result: Array = weights / weights.sum()
    return result
