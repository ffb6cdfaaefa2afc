"""Drawn data sets for teaching, each with one fault that photos of the world have, too.

Owns: the table `TEACHING_SETS` and its pictures. `docs/lessons` says what to do with them.
Leaves to others: fruit (`demo.py`), making a data set of drawings (`importing.py`).

Pictures are 240 x 240 pixels, drawn at twice the size. Colours are RGB in [0, 255]. The same seed
draws the same pictures.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.demo import FRUIT, drawer
from translearn_core.datasets.import_context import ProgressCallback
from translearn_core.datasets.importing import Drawing, build_drawn
from translearn_core.i18n import N_, _

SIDE = 240
_SCALE = 2
_WRONG = 0.3
"""Share of the photos to learn from whose label is wrong, in the set of wrong labels."""
Random = np.random.Generator
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class TeachingSet:
    """A row: `name` in web addresses, a title, what is in it, and its drawings by a seed."""

    name: str
    title: str
    about: str
    drawings: Callable[[int], Iterator[Drawing]]


def make_teaching_set(
    name: str, *, seed: int = 0, progress: ProgressCallback | None = None
) -> Dataset:
    """Draw a data set of `TEACHING_SETS`.

    Raises:
        KeyError: there is none of this name.
        StorageError: the disk is full.
    """
    row = TEACHING_SETS[name]
    return build_drawn(_(row.title), list(row.drawings(seed)), progress=progress)


# --- Wrong labels -------------------------------------------------------------------------------


def _wrong_labels(seed: int) -> Iterator[Drawing]:
    """Fruit; the labels of the photos to learn from are partly wrong, those of the test are right."""
    rng = np.random.default_rng([seed, 1])
    names = [_(fruit.name) for fruit in FRUIT]
    for code, fruit in enumerate(FRUIT):
        for number in range(52):
            to_learn = number < 40
            wrong = to_learn and rng.random() < _WRONG
            label = names[(code + int(rng.integers(1, len(names)))) % len(names) if wrong else code]
            part = "train" if to_learn else "test"
            yield Drawing(
                file=f"{part}/{label}/{names[code][0]}{number:03d}-{rng.integers(1000):03d}.jpg",
                class_name=label,
                draw=drawer(fruit, number, seed + 1000),
                split=part,
            )


# --- Snow ---------------------------------------------------------------------------------------


def _snow(seed: int) -> Iterator[Drawing]:
    """Dogs on grass and wolves in snow to learn from; half of the test is the other way round."""
    usual = {"dog": "grass", "wolf": "snow"}
    titles = {"dog": _("dog"), "wolf": _("wolf")}
    places = {"grass": _("grass"), "snow": _("snow")}
    scenes = {
        ("dog", "grass"): _("dog on grass"),
        ("dog", "snow"): _("dog in snow"),
        ("wolf", "grass"): _("wolf on grass"),
        ("wolf", "snow"): _("wolf in snow"),
    }
    for kind, place in product(titles, places):
        is_usual = usual[kind] == place
        for number in range(75 if is_usual else 15):
            part = "train" if is_usual and number < 60 else "test"
            yield Drawing(
                file=f"{part}/{titles[kind]}/{places[place]}-{number + 1:03d}.jpg",
                class_name=titles[kind],
                draw=_jpeg(_draw_animal, [seed, number], kind, place),
                split=part,
                attributes={_("scene"): scenes[kind, place]},
            )


def _draw_animal(rng: Random, kind: str, place: str) -> Image.Image:
    """A head before snow or grass. A dog has hanging ears and a short snout, a wolf pointed ears and
    a long one; the fur of both has the same colours."""
    image = _landscape(rng, place)
    draw = ImageDraw.Draw(image)
    side = SIDE * _SCALE
    x, y = side * rng.uniform(0.35, 0.65), side * rng.uniform(0.42, 0.62)
    size = side * rng.uniform(0.13, 0.18)
    fur = _mix((148, 140, 134), (170, 128, 88), rng.random())
    fur = _shade(fur, rng.uniform(0.75, 1.2))
    dark, light = _shade(fur, 0.62), _mix(fur, (255, 255, 255), 0.55)
    for way in (-1, 1):
        if kind == "wolf":
            tip = rng.uniform(1.3, 1.5)
            ear = [(0.25, -0.75), (0.95, -0.45), (0.82, -tip)]
        else:
            ear = [(0.55, -0.75), (1.0, -0.6), (1.3, 0.25), (1.1, 0.6), (0.85, 0.2)]
        _polygon(draw, [(x + way * size * a, y + size * b) for a, b in ear], dark)
    _oval(draw, x, y, size, size * 1.02, fur)
    long = 0.85 if kind == "wolf" else 0.6
    _oval(draw, x, y + size * 0.55, size * 0.45, size * long, light)
    _oval(draw, x, y + size * (0.45 + long * 0.72), size * 0.17, size * 0.13, (30, 26, 26))
    for way in (-1, 1):
        _oval(draw, x + way * size * 0.42, y - size * 0.2, size * 0.13, size * 0.13, (28, 24, 22))
        _oval(draw, x + way * size * 0.42, y - size * 0.24, size * 0.04, size * 0.04, (245,) * 3)
    return image


def _landscape(rng: Random, place: str) -> Image.Image:
    side = SIDE * _SCALE
    if place == "snow":
        sky, ground, spot = (178, 200, 224), (238, 243, 250), (252, 253, 255)
    else:
        sky, ground, spot = (150, 196, 232), (96, 158, 70), (70, 128, 52)
    light = rng.uniform(0.88, 1.06)
    image = Image.new("RGB", (side, side), _shade(sky, light))
    draw = ImageDraw.Draw(image)
    horizon = side * rng.uniform(0.25, 0.5)
    for _tree in range(int(rng.integers(2, 6))):
        x, height = side * rng.random(), side * rng.uniform(0.12, 0.3)
        tree = (196, 212, 220) if place == "snow" else (52, 104, 56)
        _polygon(
            draw,
            [(x - height / 3, horizon), (x + height / 3, horizon), (x, horizon - height)],
            _shade(tree, rng.uniform(0.85, 1.1)),
        )
    hill = [(0.0, float(side)), (0.0, horizon + side * rng.uniform(-0.04, 0.08))]
    hill += [(side * k / 6, horizon + side * rng.uniform(-0.04, 0.05)) for k in range(1, 6)]
    hill += [(side, horizon + side * rng.uniform(-0.04, 0.08)), (side, side)]
    _polygon(draw, hill, _shade(ground, light))
    for _spot in range(220):
        x, y = side * rng.random(), horizon + (side - horizon) * rng.random()
        r = side * rng.uniform(0.004, 0.012)
        _oval(draw, x, y, r, r * (0.6 if place == "snow" else 1.6), _shade(spot, light))
    return image


# --- Robots -------------------------------------------------------------------------------------


def _robots(seed: int) -> Iterator[Drawing]:
    """Happy and sad robots, orange and blue; there is no sad orange one to learn from."""
    moods = {"happy": _("happy"), "sad": _("sad")}
    colours = {"blue": _("blue"), "orange": _("orange")}
    to_learn = {("happy", "blue"): 20, ("sad", "blue"): 60, ("happy", "orange"): 40}
    for mood, colour in product(moods, colours):
        n = to_learn.get((mood, colour), 0)
        for number in range(n + 20):
            part = "train" if number < n else "test"
            yield Drawing(
                file=f"{part}/{moods[mood]}/{colours[colour]}-{number + 1:03d}.jpg",
                class_name=moods[mood],
                draw=_jpeg(_draw_robot, [seed, number], mood, colour),
                split=part,
                attributes={_("colour"): colours[colour]},
            )


def _draw_robot(rng: Random, mood: str, colour: str) -> Image.Image:
    side = SIDE * _SCALE
    wall = _shade((225, 222, 214), rng.uniform(0.8, 1.05))
    image = Image.new("RGB", (side, side), wall)
    draw = ImageDraw.Draw(image)
    for _tile in range(5):
        x, y, r = side * rng.random(), side * rng.random(), side * rng.uniform(0.05, 0.16)
        box = (x - r, y - r, x + r, y + r)
        draw.rectangle(box, fill=_shade(wall, rng.uniform(0.9, 1.06)))
    base = (64, 118, 206) if colour == "blue" else (240, 138, 36)
    body = _shade(base, rng.uniform(0.8, 1.15))
    x, y = side * rng.uniform(0.44, 0.56), side * rng.uniform(0.44, 0.56)
    w, h = side * rng.uniform(0.26, 0.34), side * rng.uniform(0.24, 0.32)
    line = max(2, int(side * 0.012))
    draw.line([(x, y - h), (x, y - h - side * 0.09)], fill=_shade(body, 0.6), width=line)
    _oval(draw, x, y - h - side * 0.1, side * 0.025, side * 0.025, (220, 70, 70))
    for way in (-1, 1):
        ear = (x + way * w * 1.09, y)
        _oval(draw, *ear, w * 0.13, h * 0.3, _shade(body, 0.7))
    draw.rounded_rectangle((x - w, y - h, x + w, y + h), radius=side * 0.05, fill=body)
    draw.rounded_rectangle(
        (x - w * 0.82, y - h * 0.72, x + w * 0.82, y + h * 0.8),
        radius=side * 0.035,
        fill=_mix(body, (255, 255, 255), 0.45),
    )
    eye = side * rng.uniform(0.028, 0.045)
    for way in (-1, 1):
        at = (x + way * w * 0.4, y - h * 0.28)
        _oval(draw, *at, eye, eye, (250, 250, 250))
        _oval(draw, at[0] + eye * rng.uniform(-0.3, 0.3), at[1], eye * 0.5, eye * 0.5, (20, 20, 30))
    wide, deep = w * rng.uniform(0.4, 0.55), h * rng.uniform(0.16, 0.26)
    top = y + h * 0.36
    if mood == "happy":
        draw.arc(
            (x - wide, top - deep, x + wide, top + deep), 15, 165, fill=(40, 30, 40), width=line
        )
    else:
        draw.arc((x - wide, top, x + wide, top + 2 * deep), 195, 345, fill=(40, 30, 40), width=line)
    return image


# --- Pens ---------------------------------------------------------------------------------------


def _jpeg(
    picture: Callable[..., Image.Image], seeds: list[int], *parts: str
) -> Callable[[], bytes]:
    """The bytes of a picture, as a small camera would take it."""

    def draw() -> bytes:
        rng = np.random.default_rng([*seeds, *(zlib.crc32(part.encode()) for part in parts)])
        image = picture(rng, *parts).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        if rng.random() < 0.3:
            image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.1))))
        noise = rng.standard_normal((SIDE, SIDE, 1)) * rng.uniform(1, 5)
        noisy = np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "JPEG", quality=int(rng.integers(82, 94)))
        return buffer.getvalue()

    return draw


def _oval(
    draw: ImageDraw.ImageDraw, x: float, y: float, wide: float, high: float, colour: Colour
) -> None:
    draw.ellipse((x - wide, y - high, x + wide, y + high), fill=colour)


def _polygon(
    draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: Colour
) -> None:
    draw.polygon(points, fill=colour)


def _mix(one: Colour, other: Colour, amount: float) -> Colour:
    r, g, b = (round(a + (c - a) * amount) for a, c in zip(one, other, strict=True))
    return r, g, b


def _shade(colour: Colour, light: float) -> Colour:
    r, g, b = (min(255, round(value * light)) for value in colour)
    return r, g, b


TEACHING_SETS: dict[str, TeachingSet] = {
    row.name: row
    for row in (
        TeachingSet(
            "wrong-labels",
            N_("Fruit with wrong labels"),
            N_(
                "Three in ten photos to learn from have the wrong name. Find them, and train again."
            ),
            _wrong_labels,
        ),
        TeachingSet(
            "snow",
            N_("Dogs and wolves"),
            N_("It learns perfectly, and then fails. What did it look at?"),
            _snow,
        ),
        TeachingSet(
            "robots",
            N_("Happy and sad robots"),
            N_("Good on the whole, but not for everybody. Whom did it never see?"),
            _robots,
        ),
    )
}
"""By name."""
