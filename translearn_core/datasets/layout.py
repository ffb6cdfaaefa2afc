"""The class and the split of a photo from its path alone; safe file names.

Owns: the rule of classes (`assign_classes`), which files are candidates for photos, which
are ignored, and names that every operating system can store.
Leaves to others: reading folders and archives, and whether a file really is a photo.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from translearn_core.errors import SourceError
from translearn_core.i18n import _

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"}
)
ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_JUNK = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx"})
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


@dataclass(frozen=True)
class ClassAssignment:
    """Class and split of a photo; `reason` says why it has no class."""

    class_name: str = ""
    split: str = ""
    reason: str = ""


def is_junk(parts: Iterable[str]) -> bool:
    """Whether a path is hidden or metadata of an operating system."""
    return any(part.lower() in _JUNK or part.startswith((".", "~$")) for part in parts)


def reason_not_photo(name: str) -> str:
    """Why a file of this name is no candidate; empty where it may be a photo.

    A name without a suffix may be a photo: its content decides.
    """
    stem, _dot, ending = name.rpartition(".")
    suffix = f".{ending}".lower() if stem else ""
    if not suffix or suffix in PHOTO_SUFFIXES:
        return ""
    if suffix in ARCHIVE_SUFFIXES:
        return _("An archive inside is not opened. Unpack it first.")
    return _("`{suffix}` files are not photos that are read here.").format(suffix=suffix)


def tidy(name: str) -> str:
    """A class name normalised: NFC, inner white space single, none around."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def safe_name(name: str, *, limit_bytes: int = 80) -> str:
    """A file or folder name that Windows, macOS and Linux can all store.

    Args:
        name: one part of a path.
        limit_bytes: longest result in UTF-8, suffix included.
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).rstrip(". ").lstrip(" ")
    if name.split(".")[0].rstrip().lower() in _RESERVED or name.startswith("."):
        name = "_" + name
    name = name.encode("utf-8", errors="replace").decode("utf-8")
    path = PurePosixPath(name or "_")
    suffix = path.suffix if len(path.suffix) <= 10 else ""
    stem = (name or "_")[: len(name or "_") - len(suffix)]
    room = limit_bytes - len(suffix.encode("utf-8"))
    stem = stem.encode("utf-8")[:room].decode("utf-8", errors="ignore").rstrip(". ")
    return (stem or "_") + suffix


class NameKeeper:
    """Makes names unique regardless of case: the second `a.jpg` is `a (2).jpg`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {self._key(name) for name in taken}
        self._next: dict[str, int] = {}

    def claim(self, folder: str, name: str) -> str:
        """A free safe name in `folder` for `name`; it is reserved."""
        safe = safe_name(name)
        path = PurePosixPath(safe)
        key = self._key(f"{folder}/{safe}")
        number = self._next.get(key, 1)
        while True:
            candidate = safe if number == 1 else f"{path.stem} ({number}){path.suffix}"
            number += 1
            if self._key(f"{folder}/{candidate}") not in self._taken:
                self._next[key] = number
                self._taken.add(self._key(f"{folder}/{candidate}"))
                return candidate

    @staticmethod
    def _key(name: str) -> str:
        return unicodedata.normalize("NFC", name.casefold())


def assign_classes(paths: Sequence[str]) -> list[ClassAssignment]:
    """Assign class and split to each photo from its folders.

    1.  A folder called train, training, val, valid, validation, test or testing (in any case)
        is a split layer when photos lie in further folders below it; the first such folder on a
        path counts and is then taken out of the path. Photos directly in a folder of such a name
        belong to a class of that name (trains, buses and cars are a fair data set), except:
        beside a split layer they are left out, and where no other class is there at all, the
        folders are taken for splits without classes and the whole source is refused.
    2.  The class is the folder that directly holds the photo; folders around it do not matter.
        `farm1/cats` and `farm2/cats` are one class, cats.
    3.  A folder that directly holds photos and has folders of photos below is one class with
        all that is below it (`cats/1.jpg`, `cats/indoor/2.jpg`). Two exceptions, where its own
        photos are strays beside class folders and are left out: it is the folder around
        everything; or it holds fewer photos itself than any folder below it and one of those
        names is also found elsewhere (`farm1/stray.jpg` beside `farm1/cats` and `farm2/cats`).
    4.  Photos in no folder are left out.

    Class names are NFC, with white space tidied. Names that differ only in upper and lower case
    stay two classes (A and a are two letters); `checks.warnings` asks about them.

    Args:
        paths: photos relative to the source, with `/` between the parts.

    Returns:
        One Place for each path, in order.

    Raises:
        SourceError: no photo lies in a class folder, or there are splits without classes.
    """
    parents = [path.rpartition("/")[0] for path in paths]
    parsed = {
        parent: tuple(tidy(part) for part in parent.split("/") if part) for parent in set(parents)
    }
    folders = [parsed[parent] for parent in parents]
    stripped, splits = _take_out_splits(folders)
    outer = _common_folder(stripped)
    class_folders = _find_class_folders(stripped, outer)
    located = list(zip(stripped, splits, strict=True))
    by_folder = {pair: _assign(*pair, class_folders) for pair in set(located)}
    assignments = [by_folder[pair] for pair in located]
    if not any(assignment.class_name for assignment in assignments):
        raise SourceError(
            _(
                "There is no class folder: the photos lie in no folder of their own. Put the "
                "photos of each class into a folder that has the name of the class."
            )
        )
    return assignments


_Folder = tuple[str, ...]


def _take_out_splits(folders: list[_Folder]) -> tuple[list[_Folder | None], list[str]]:
    """Folders without their split layer, and the splits; None: beside a layer, in no class."""
    layers = set()
    for folder in set(folders):
        for depth, part in enumerate(folder[:-1]):
            if part.lower() in SPLIT_FOLDERS:
                layers.add(folder[: depth + 1])
                break
    beside = {layer[:-1] for layer in layers}
    results: dict[_Folder, tuple[_Folder | None, str]] = {}
    for folder in set(folders):
        results[folder] = (folder, "")
        for depth, part in enumerate(folder):
            if part.lower() not in SPLIT_FOLDERS:
                continue
            if folder[: depth + 1] in layers:
                rest = folder[:depth] + folder[depth + 1 :]
                in_class = len(folder) > depth + 1
                results[folder] = (rest if in_class else None, SPLIT_FOLDERS[part.lower()])
                break
            if folder[:depth] in beside:
                results[folder] = (None, SPLIT_FOLDERS[part.lower()])
                break
    if not layers:
        _refuse_splits_without_classes(set(folders))
    return [results[folder][0] for folder in folders], [results[folder][1] for folder in folders]


def _refuse_splits_without_classes(folders: set[_Folder]) -> None:
    names = {folder[-1] for folder in folders if folder}
    kinds = {SPLIT_FOLDERS.get(name.lower(), "") for name in names}
    if len(kinds) >= 2 and "" not in kinds:
        raise SourceError(
            _(
                "The photos lie directly in {folders}, so their classes are not known. Put class "
                "folders into each of them."
            ).format(folders=", ".join(sorted(names)))
        )


def _common_folder(folders: list[_Folder | None]) -> _Folder:
    """The longest common prefix of all folders; () where some photo is in no folder."""
    known = {folder for folder in folders if folder is not None}
    if not known:
        return ()
    low, high = min(known), max(known)
    depth = 0
    while depth < min(len(low), len(high)) and low[depth] == high[depth]:
        depth += 1
    return low[:depth]


def _find_class_folders(folders: list[_Folder | None], outer: _Folder) -> set[_Folder]:
    """Folders that are a class, including everything below them."""
    direct = Counter(folder for folder in folders if folder)
    below: dict[_Folder, set[_Folder]] = defaultdict(set)
    homes: dict[str, set[_Folder]] = defaultdict(set)
    for folder in direct:
        homes[folder[-1]].add(folder)
        for depth in range(1, len(folder)):
            below[folder[:depth]].add(folder)
    class_folders = set()
    for folder, count in direct.items():
        inner = below.get(folder, set())
        if inner and folder == outer:
            continue
        fewer = count < min((direct[name] for name in inner), default=0)
        if fewer and any(homes[name[-1]] - inner for name in inner):
            continue
        class_folders.add(folder)
    return class_folders


def _assign(folder: _Folder | None, split: str, class_folders: set[_Folder]) -> ClassAssignment:
    if folder is None:
        return ClassAssignment(reason=_("It lies beside the class folders, in none of them."))
    for depth in range(1, len(folder) + 1):
        if folder[:depth] in class_folders:
            return ClassAssignment(class_name=folder[depth - 1], split=split)
    return ClassAssignment(reason=_("It lies beside the class folders, in none of them."))
