"""What the name of a folder says: a split, photos without a class, maybe no class, photos and nothing more.

Owns: the words in use. Leaves to others: what is made of a folder of such a name (`layout.py`).
"""

from __future__ import annotations

import re

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "validate": "val",
    "dev": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
    "holdout": "test",
    "heldout": "test",
    "eval": "eval",
    "evaluation": "eval",
    "pred": "out",
    "predict": "out",
    "prediction": "out",
}
"""`eval` is validation beside a test, else the test; `out` are photos whose classes are asked."""
_FILLERS = (
    "images?|imgs?|photos?|pictures?|pics?|data|datasets?|sets?|splits?|seg|samples?|folder|"
    "cropped|resized|original|my|new|final"
)
_SPLIT_NAME = re.compile(
    rf"(?:{_FILLERS})*({'|'.join(sorted(_SPLIT_WORDS, key=len, reverse=True))})(?:{_FILLERS})*"
)
_PHOTOS = re.compile(rf"(?:{_FILLERS}|files?|raws?|frames?|jpe?gs?|pngs?|originals?|all)+")
_UNLABELLED = frozenset(
    {"unlabelled", "unlabeled", "unsorted", "unclassified", "untagged", "unannotated", "unsup"}
    | {"uncategorized", "uncategorised", "unassigned", "unidentified", "notlabelled", "notlabeled"}
    | {"nolabel", "nolabels", "nolabelled", "tosort", "tolabel", "toclassify", "tobesorted"}
    | {"tobelabelled", "tobelabeled", "inbox"}
)


def split_kind(name: str) -> str:
    """The split that a folder name stands for: train, val, test, eval or out; empty for none.

    `Train`, `training_set`, `seg_train`, `train_images`, `images-train`, `valset`, `test2017`.
    """
    match = _SPLIT_NAME.fullmatch("".join(re.findall("[a-z]+", name.casefold())))
    return _SPLIT_WORDS[match[1]] if match and name.isascii() else ""


def names_photos(name: str) -> bool:
    """Whether a folder name only says that photos are in it, as images, photos_new or JPEGImages."""
    return _PHOTOS.fullmatch("".join(re.findall("[a-z]+", name.casefold()))) is not None


def is_unlabelled(name: str) -> bool:
    """Whether a folder name says that its photos are not sorted into classes."""
    letters = "".join(re.findall("[a-z]+", name.casefold()))
    for word in ("images", "image", "photos", "data", "set"):
        letters = letters.removesuffix(word) or letters
    return letters in _UNLABELLED or (name.startswith("_") and letters == "unknown")


def may_be_no_class(name: str) -> bool:
    letters = "".join(re.findall("[a-z]+", name.casefold()))
    return letters in ("unknown", "unknowns", "background") or letters.startswith("background")
