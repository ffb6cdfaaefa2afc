"""Pack the training photos into two arrays.

Owns: reading `train/<class>/images/*.JPEG` of Tiny ImageNet. Writes into the work folder
`images.npy`, `(n, 64, 64, 3) uint8 RGB`, and `labels.npy`, `(n,) int16`, classes and files
sorted by name.
Leaves to others: everything after (`views.py`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def read_photo(path: Path) -> np.ndarray:
    """`(64, 64, 3) uint8`; grey photos become RGB."""
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB"))


def pack(train: Path, work: Path) -> int:
    """Write both arrays and return the number of photos."""
    photos, labels = [], []
    for number, folder in enumerate(sorted(p for p in train.iterdir() if p.is_dir())):
        for path in sorted((folder / "images").iterdir()):
            photos.append(read_photo(path))
            labels.append(number)
    work.mkdir(parents=True, exist_ok=True)
    np.save(work / "images.npy", np.stack(photos))
    np.save(work / "labels.npy", np.array(labels, np.int16))
    return len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="Tiny ImageNet's folder `train`")
    parser.add_argument("--work", type=Path, required=True, help="folder for the arrays")
    settings = parser.parse_args()
    sys.stdout.write(f"{pack(settings.train, settings.work)} photos\n")


if __name__ == "__main__":
    main()
