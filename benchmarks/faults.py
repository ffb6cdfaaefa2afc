"""Photo sets with known faults, made from a sound one: what checks are measured by.

Owns: `seed_faults` (wrong labels, copies, blurred, dark and cut-off photos), `make_bursts` (ten
frames of every object, and photos of other objects) and `add_watermark`. Every photo gets one
fault at most, so that what a check should find is known exactly.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SHARES = {
    "wrong_label": 0.05,
    "exact_copies": 0.03,
    "near_copies": 0.03,
    "cross_class_copies": 0.02,
    "blurred": 0.02,
    "dark": 0.02,
    "unreadable": 0.02,
}
SHOTS = 10


@dataclass(frozen=True)
class Seeded:
    """A photo set with faults; files are `class/name` within `folder`.

    `faults` holds, for each check, the files that are wrong and what belongs to each: its right
    class for `wrong_label`, the photo it was copied from for copies, else nothing.
    """

    folder: Path
    faults: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bursts:
    """`frames`: several frames of each object, `<class>/<object>-<frame>.jpg`; `others`: one photo
    each of objects that are not among them."""

    frames: Path
    others: Path


def seed_faults(source: Path, target: Path, *, seed: int = 0) -> Seeded:
    """Copy a set of class folders and put the faults of `SHARES` into it.

    Args:
        source: class folders with photos.
        target: a folder that does not exist yet.
    """
    rng = np.random.default_rng(seed)
    files = copy_set(source, target)
    order = [files[place] for place in rng.permutation(len(files))]
    classes = sorted({file.split("/")[0] for file in files})
    faults: dict[str, dict[str, str]] = {}
    for check, share in SHARES.items():
        n = max(1, round(share * len(files)))
        chosen, order = order[:n], order[n:]
        faults[check] = dict(_spoil(check, target, chosen, classes, rng))
    return Seeded(target, faults)


def make_bursts(
    source: Path, target: Path, *, objects: int, others: int, shots: int = SHOTS, seed: int = 0
) -> Bursts:
    """A burst set from a set of class folders: of each class `objects` photos as bursts, and
    `others` more as photos of new objects."""
    rng = np.random.default_rng(seed)
    bursts = Bursts(target / "frames", target / "others")
    for folder in _class_folders(source):
        photos = sorted(folder.iterdir())
        chosen = [photos[place] for place in rng.permutation(len(photos))[: objects + others]]
        for root in (bursts.frames, bursts.others):
            (root / folder.name).mkdir(parents=True)
        for photo in chosen[:objects]:
            image = _open(photo)
            for shot in range(shots):
                name = f"{photo.stem}-{shot}.jpg"
                _save(_shake(image, rng), bursts.frames / folder.name / name, quality=88)
        for photo in chosen[objects:]:
            _save(_open(photo), bursts.others / folder.name / f"{photo.stem}.jpg", quality=88)
    return bursts


AUGMENTATIONS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "mirrored": lambda image, _rng: ImageOps.mirror(image),
    "mirrored, cut to 0.85 to 0.97, lit differently": lambda image, rng: _light(
        _cut(ImageOps.mirror(image), float(rng.uniform(0.85, 0.97)), rng), rng
    ),
    "turned by a quarter": lambda image, _rng: image.transpose(Image.Transpose.ROTATE_90),
    "turned by a half": lambda image, _rng: image.transpose(Image.Transpose.ROTATE_180),
    "upside down": lambda image, _rng: ImageOps.flip(image),
    "tilted by 8 to 15 degrees": lambda image, rng: image.rotate(
        float(rng.choice([-1, 1]) * rng.uniform(8, 15)), Image.Resampling.BILINEAR
    ),
}
"""What tools for augmentation make of a photo."""


def augment_set(source: Path, target: Path, *, kind: str, photos: int, seed: int = 0) -> Bursts:
    """An augmented set: of each class `photos` photos and a copy of each as `AUGMENTATIONS` say of `kind`;
    and as many other photos."""
    rng = np.random.default_rng(seed)
    made = Bursts(target / "frames", target / "others")
    for folder in _class_folders(source):
        files = sorted(folder.iterdir())
        chosen = [_open(files[place]) for place in rng.permutation(len(files))[: 2 * photos]]
        for root in (made.frames, made.others):
            (root / folder.name).mkdir(parents=True)
        for number, image in enumerate(chosen[:photos]):
            _save(image, made.frames / folder.name / f"{number}.jpg")
            copy = AUGMENTATIONS[kind](image, rng)
            _save(copy, made.frames / folder.name / f"{number}-copy.jpg")
        for number, image in enumerate(chosen[photos:]):
            _save(image, made.others / folder.name / f"{number}.jpg")
    return made


def add_watermark(folder: Path, class_name: str, *, text: str = "", side: float = 0.09) -> None:
    """Put one mark on every photo of a class: a plain spot, or `text`, in the lower right corner.

    Args:
        side: of the spot, as a share of the photo's shorter side; for text, its height.
    """
    for photo in sorted((folder / class_name).iterdir()):
        image = _open(photo)
        size = round(side * min(image.size))
        draw = ImageDraw.Draw(image)
        right, bottom = image.width - size // 2, image.height - size // 2
        if text:
            draw.text((right, bottom), text, fill="white", font_size=size, anchor="rs")
        else:
            draw.rectangle((right - size, bottom - size, right, bottom), fill=(235, 60, 50))
        _save(image, photo, quality=90)


def _spoil(
    check: str, target: Path, chosen: list[str], classes: list[str], rng: np.random.Generator
) -> Iterable[tuple[str, str]]:
    """Put one fault into each chosen photo; yields what `Seeded.faults` holds."""
    ways = list(NEAR.values())
    for number, file in enumerate(chosen):
        path = target / file
        class_name, name = file.split("/")
        other = str(rng.choice([one for one in classes if one != class_name]))
        stem = path.stem
        if check == "wrong_label":
            moved = f"{other}/moved-{name}"
            path.rename(target / moved)
            yield moved, class_name
        elif check == "exact_copies":
            shutil.copyfile(path, target / class_name / f"copy-{name}")
            yield f"{class_name}/copy-{name}", file
        elif check == "near_copies":
            copy = f"{class_name}/near-{stem}.jpg"
            ways[number % len(ways)](_open(path), target / copy, rng)
            yield copy, file
        elif check == "cross_class_copies":
            copy = f"{other}/also-{stem}.jpg"
            if number % 2:
                ways[number // 2 % len(ways)](_open(path), target / copy, rng)
            else:
                shutil.copyfile(path, target / copy)
            yield copy, file
        else:
            FAULTS[check](path, rng)
            yield file, ""


def _save_again(image: Image.Image, path: Path, rng: np.random.Generator) -> None:
    _save(image, path, quality=int(rng.integers(45, 75)))


def _resize(image: Image.Image, path: Path, rng: np.random.Generator) -> None:
    share = rng.uniform(0.5, 0.8)
    _save(image.resize((round(image.width * share), round(image.height * share))), path)


def _crop(image: Image.Image, path: Path, rng: np.random.Generator) -> None:
    _save(_cut(image, rng.uniform(0.88, 0.95), rng), path)


def _expose(image: Image.Image, path: Path, rng: np.random.Generator) -> None:
    factor = rng.choice([rng.uniform(0.65, 0.85), rng.uniform(1.15, 1.35)])
    _save(ImageEnhance.Brightness(image).enhance(float(factor)), path)


NEAR: dict[str, Callable[[Image.Image, Path, np.random.Generator], None]] = {
    "saved again": _save_again,
    "resized": _resize,
    "cropped": _crop,
    "brightness": _expose,
}


def _blur(path: Path, rng: np.random.Generator) -> None:
    image = _open(path)
    radius = rng.uniform(0.015, 0.03) * max(image.size)
    _save(image.filter(ImageFilter.GaussianBlur(radius)), path)


def _darken(path: Path, rng: np.random.Generator) -> None:
    _save(ImageEnhance.Brightness(_open(path)).enhance(float(rng.uniform(0.08, 0.25))), path)


def _cut_off(path: Path, rng: np.random.Generator) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * rng.uniform(0.1, 0.8))])


FAULTS: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "blurred": _blur,
    "dark": _darken,
    "unreadable": _cut_off,
}


def _shake(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The next frame of a webcam: moved and turned a little, lit a little differently, noisy."""
    frame = image.rotate(float(rng.uniform(-2, 2)), Image.Resampling.BILINEAR)
    frame = _cut(frame, float(rng.uniform(0.9, 0.95)), rng)
    frame = ImageEnhance.Brightness(frame).enhance(float(rng.uniform(0.93, 1.07)))
    noise = rng.normal(0, 3, (frame.height, frame.width, 3))
    return Image.fromarray(np.clip(np.asarray(frame) + noise, 0, 255).astype(np.uint8))


def _light(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(float(rng.uniform(0.85, 1.15)))


def _cut(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A piece of the picture, `share` as wide and high, from anywhere."""
    width, height = round(image.width * share), round(image.height * share)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def copy_set(source: Path, target: Path) -> list[str]:
    files = []
    for folder in _class_folders(source):
        (target / folder.name).mkdir(parents=True)
        for photo in sorted(folder.iterdir()):
            shutil.copyfile(photo, target / folder.name / photo.name)
            files.append(f"{folder.name}/{photo.name}")
    return files


def _class_folders(source: Path) -> list[Path]:
    return sorted(path for path in source.iterdir() if path.is_dir())


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _save(image: Image.Image, path: Path, *, quality: int = 90) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    path.write_bytes(buffer.getvalue())
