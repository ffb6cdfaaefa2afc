"""Photo sets for the benchmarks, made from real photos beside the project, or from drawn ones.

`make_set` makes as many different photos of 512 x 384 as asked for out of fewer: each is cut,
turned or mirrored and recoloured in its own way, and photos of one original never lie on both
sides of the split. `repeat_set` only changes bytes: the same pictures again and again.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from PIL import Image, ImageEnhance

from translearn_core.datasets.demo import make_demo

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
WIDTH, HEIGHT = 512, 384


def originals(scratch: Path) -> Path:
    """A folder of class folders: litter (TrashNet) where it is there, else drawn fruit."""
    real = SHARED / "datasets" / "trash"
    if real.is_dir():
        return real
    drawn = make_demo()
    return drawn.folder / "photos"


def make_set(folder: Path, n: int, *, seed: int = 0) -> tuple[Path, Path]:
    """Write about `n` photos, four fifths below `folder/train`, one below `folder/test`."""
    train, test = folder / "train", folder / "test"
    if train.is_dir() and test.is_dir():
        return train, test
    source = originals(folder)
    rng = random.Random(seed)
    classes = sorted(child for child in source.iterdir() if child.is_dir())
    for place in classes:
        photos = sorted(path for path in place.iterdir() if path.is_file())
        rng.shuffle(photos)
        split = len(photos) * 4 // 5
        for part, chosen in ((train, photos[:split]), (test, photos[split:])):
            target = part / place.name
            target.mkdir(parents=True, exist_ok=True)
            wanted = round(n / len(classes) * (0.8 if part is train else 0.2))
            for number in range(wanted):
                path = chosen[number % len(chosen)]
                _vary(path, number >= len(chosen), rng).save(
                    target / f"{number:05}.jpg", quality=92
                )
    return train, test


def _vary(path: Path, change: bool, rng: random.Random) -> Image.Image:
    with Image.open(path) as opened:
        photo = opened.convert("RGB")
    if change:
        share = rng.uniform(0.6, 0.9)
        width, height = photo.size
        left, top = rng.uniform(0, width * (1 - share)), rng.uniform(0, height * (1 - share))
        photo = photo.crop(
            (round(left), round(top), round(left + width * share), round(top + height * share))
        )
        turn = rng.choice([None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180])
        photo = photo if turn is None else photo.transpose(turn)
        photo = ImageEnhance.Brightness(photo).enhance(rng.uniform(0.7, 1.3))
        photo = ImageEnhance.Color(photo).enhance(rng.uniform(0.6, 1.4))
    return photo.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def repeat_set(source: Path, folder: Path, n: int) -> Path:
    """Write `n` files: the photos of `source` over and over, each with bytes of its own."""
    if folder.is_dir():
        shutil.rmtree(folder)
    photos = sorted(source.rglob("*.jpg"))
    contents = [path.read_bytes() for path in photos]
    for number in range(n):
        place = number % len(photos)
        target = folder / photos[place].parent.name
        target.mkdir(parents=True, exist_ok=True)
        note = f"{number:012}".encode()  # a JPEG comment, right after the start marker
        data = contents[place]
        content = data[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + data[2:]
        (target / f"{number:06}.jpg").write_bytes(content)
    return folder
