"""The class and the split of a photo from its path alone; safe file names.

Owns: the rule of classes and splits (`read_layout`), which names are splits, hidden or of
unlabelled photos, what a person may choose about it (`ImportChoices`), which files are candidates
for photos by their names, and names that every operating system can store.
Leaves to others: reading folders and archives, and whether a file really is a photo.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"}
)
ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
_RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2"}
    | {".raf", ".pef", ".srw", ".x3f", ".3fr", ".erf", ".kdc", ".dcr", ".mrw", ".iiq", ".raw"}
)
"""Raw files of cameras: many begin like a TIFF, and what a TIFF reader finds is no photo."""
ROLES = ("train", "val", "test", "class", "out")
"""What a folder may be told to be: a split, a class, or left out."""

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
_UNLABELLED = frozenset(
    {"unlabelled", "unlabeled", "unsorted", "unclassified", "untagged", "unannotated", "unsup"}
    | {"uncategorized", "uncategorised", "unassigned", "unidentified", "notlabelled", "notlabeled"}
    | {"nolabel", "nolabels", "nolabelled", "tosort", "tolabel", "toclassify", "tobesorted"}
    | {"tobelabelled", "tobelabeled", "inbox"}
)
_JUNK = frozenset(
    {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx", "@eadir", "$recycle.bin"}
    | {"system volume information"}
)
_METADATA_FOLDERS = frozenset(
    {"__macosx", "@eadir", "$recycle.bin", "system volume information", ".git", ".svn", ".hg"}
    | {".ds_store", ".ipynb_checkpoints", ".thumbnails", ".thumbs", ".cache", ".appledouble"}
    | {".trash", ".trashes", ".spotlight-v100", ".fseventsd", ".temporaryitems", ".idea"}
    | {".vscode", ".dvc", ".picasaoriginals", ".apdisk", ".documentrevisions-v100"}
)
"""Folders that programs make: no photos of a person's are looked for in them."""
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


@dataclass(frozen=True)
class ImportChoices:
    """What a person decides about an import where names alone do not.

    Args:
        follow_links: also read what links to places outside of the folder lead to.
        names: encoding of the names in an archive that does not say it; empty: guessed.
        roles: folder name (or path) and what it is, one of `ROLES`.
        classes: which folders are the classes: `outer` (the first level), `inner` (those that
            directly hold the photos), or empty: by the rule of `read_layout`.
        page: of a file with several: its number, or 0 for the one with the most contrast.
        channels: of a file with many: the numbers of red, green and blue, or of grey.
    """

    follow_links: bool = False
    names: str = ""
    roles: tuple[tuple[str, str], ...] = ()
    classes: str = ""
    page: int = 1
    channels: tuple[int, ...] = ()

    def role_of(self, folder: Sequence[str]) -> str:
        """The role chosen for a folder, given by its parts; empty where none was."""
        path, name = (tidy(text).casefold() for text in ("/".join(folder), folder[-1]))
        for chosen, role in self.roles:
            if tidy(chosen.strip("/")).casefold() in (path, name):
                return role
        return ""

    def as_text(self) -> str:
        """The choices as JSON; empty where nothing was chosen."""
        return "" if self == ImportChoices() else json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class ClassAssignment:
    """Class and split of a photo; `reason` says why it has no class, `folder` is the folder that
    is left out as a whole for it."""

    class_name: str = ""
    split: str = ""
    reason: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Layout:
    """The assignments, one for each path, and what should be said of how folders were read."""

    assignments: list[ClassAssignment]
    notices: list[str] = field(default_factory=list)


def is_junk(parts: Iterable[str]) -> bool:
    """Whether a path is hidden or metadata of an operating system."""
    return any(part.lower() in _JUNK or part.startswith((".", "~$")) for part in parts)


def is_metadata_folder(name: str) -> bool:
    """Whether a hidden folder is one that programs make, not a person."""
    return name.lower() in _METADATA_FOLDERS or name.lower().startswith(".trash")


def hidden_folder(parts: Sequence[str], choices: ImportChoices) -> tuple[str, ...]:
    """The outermost hidden folder of a path to a file; () where there is none or it is kept."""
    for depth in range(1, len(parts)):
        if is_junk(parts[depth - 1 : depth]) and choices.role_of(parts[:depth]) in ("", "out"):
            return tuple(parts[:depth])
    return ()


def split_kind(name: str) -> str:
    """The split that a folder name stands for: train, val, test, eval or out; empty for none.

    `Train`, `training_set`, `seg_train`, `train_images`, `images-train`, `valset`, `test2017`.
    """
    match = _SPLIT_NAME.fullmatch("".join(re.findall("[a-z]+", name.casefold())))
    return _SPLIT_WORDS[match[1]] if match and name.isascii() else ""


def is_unlabelled(name: str) -> bool:
    """Whether a folder name says that its photos are not sorted into classes."""
    letters = "".join(re.findall("[a-z]+", name.casefold()))
    for word in ("images", "image", "photos", "data", "set"):
        letters = letters.removesuffix(word) or letters
    return letters in _UNLABELLED or (name.startswith("_") and letters == "unknown")


def _may_be_no_class(name: str) -> bool:
    letters = "".join(re.findall("[a-z]+", name.casefold()))
    return letters in ("unknown", "unknowns", "background") or letters.startswith("background")


def reason_not_photo(name: str) -> str:
    """Why a file of this name is not even looked into; empty where its content decides."""
    stem, _dot, ending = name.rpartition(".")
    suffix = f".{ending}".lower() if stem else ""
    if suffix in ARCHIVE_SUFFIXES:
        return _("An archive inside is not opened. Unpack it first.")
    return reason_suffix(name) if suffix in _RAW_SUFFIXES else ""


def has_photo_suffix(name: str) -> bool:
    """Whether the name ends as photos do, or has no ending."""
    suffix = PurePosixPath(name).suffix.lower()
    return not suffix or suffix in PHOTO_SUFFIXES


def reason_suffix(name: str) -> str:
    """That files with the ending of `name` are no photos."""
    suffix = name[name.rfind(".") :].lower()
    return _("`{suffix}` files are not photos that are read here.").format(suffix=suffix)


def printable(name: str) -> str:
    r"""A name as valid text: bytes that are not UTF-8 are written as `\xe9`.

    `real_path` undoes it.
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def real_path(path: str | Path) -> Path:
    r"""The path on the disk of a `printable` one: itself where there is such a file, else with
    the bytes that `\x80` to `\xff` stand for."""
    text = str(path)
    if "\\x" not in text or os.path.lexists(text):
        return Path(text)
    return Path(_real_name(text))


def _real_name(name: str) -> str:
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda m: chr(0xDC00 + int(m[1], 16)), name)


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


_Folder = tuple[str, ...]


def natural_key(name: str) -> tuple[object, ...]:
    """Sorts names so that 2 comes before 10."""
    parts = re.split(r"([0-9]+)", name)
    key = tuple((1, "", int(part)) if n % 2 else (0, part, 0) for n, part in enumerate(parts))
    return (*key, name)


def read_layout(paths: Sequence[str], choices: ImportChoices | None = None) -> Layout:
    """Assign class and split to each photo from its folders.

    1.  A folder with the name of a split (`split_kind`) is a split layer when photos lie in
        further folders below it, and is then taken out of the path; so is a folder of the same
        split right inside it (`seg_train/seg_train`). Folders beside layers that include the
        training photos are left out, and so are photos directly in a layer. One such folder alone
        beside two or more others is a class (`train/steam`, `bus`, `car`), unless those others
        have the names of the folders inside it. Photos directly in a folder of such a name
        belong to a class of that name (trains, buses and cars are a fair data set); where no
        other class is there at all, the folders inside of several others are their splits
        (`cats/train`, `dogs/train`), else they are splits without classes and the whole source
        is refused.
    2.  The class is the folder that directly holds the photo; folders around it do not matter.
        `farm1/cats` and `farm2/cats` are one class, cats.
    3.  A folder that directly holds photos and has folders of photos below is one class with
        all that is below it (`cats/1.jpg`, `cats/indoor/2.jpg`). Two exceptions, where its own
        photos are strays beside class folders and are left out: it is the folder around
        everything; or it holds fewer photos itself than any folder below it and one of those
        names is also found elsewhere (`farm1/stray.jpg` beside `farm1/cats` and `farm2/cats`).
    4.  A folder of folders beside a class is a class itself (`cats/indoor` and `cats/outdoor`
        beside `dogs`), unless the name of the class is found in it.
    5.  Photos in no folder, and folders for unlabelled photos (`is_unlabelled`), are left out.

    Class names are NFC, with white space tidied. Names that differ only in upper and lower case
    stay two classes (A and a are two letters); `checks.warnings` asks about them.

    Args:
        paths: photos relative to the source, with `/` between the parts.

    Raises:
        SourceError: no photo lies in a class folder, or there are splits without classes.
    """
    choices = choices or ImportChoices()
    parents = [path.rpartition("/")[0] for path in paths]
    parsed = {
        parent: tuple(tidy(part) for part in parent.split("/") if part) for parent in set(parents)
    }
    counts = Counter(parsed[parent] for parent in parents)
    reading = _Reading(counts, choices)
    by_folder = reading.assign()
    assignments = [by_folder[parsed[parent]] for parent in parents]
    if not any(assignment.class_name for assignment in assignments):
        raise SourceError(
            _(
                "There is no class folder: the photos lie in no folder of their own. Put the "
                "photos of each class into a folder that has the name of the class."
            )
        )
    return Layout(assignments, reading.notices)


class _Tree:
    """Folders with photos: how many lie directly in each, and the folders right inside."""

    def __init__(self, counts: Counter[_Folder]) -> None:
        self.direct = counts
        self.children: dict[_Folder, set[_Folder]] = defaultdict(set)
        self.total: Counter[_Folder] = Counter()
        for folder, n in counts.items():
            for depth in range(len(folder), -1, -1):
                self.total[folder[:depth]] += n
                if depth:
                    self.children[folder[: depth - 1]].add(folder[:depth])

    def inside(self, folder: _Folder) -> list[_Folder]:
        return sorted(self.children.get(folder, ()))

    def below(self, folder: _Folder) -> list[_Folder]:
        """The folders below that directly hold photos."""
        found = []
        for child in self.inside(folder):
            found += [child] if self.direct[child] else []
            found += self.below(child)
        return found


class _Reading:
    """One reading of the folders of a source."""

    def __init__(self, counts: Counter[_Folder], choices: ImportChoices) -> None:
        self.tree, self.choices = _Tree(counts), choices
        self.notices: list[str] = []
        self.roles: dict[_Folder, str] = {}
        self._inner: list[_Folder] = []
        self._as_class: list[_Folder] = []

    # ------------------------------------------------------------------------------ splits

    def _find_splits(self) -> None:
        """Fill `roles`: train, val, test, out or beside for the folders that are no classes."""
        self._visit((), "")
        apart = [
            parent
            for parent in self._inner
            if len(self._inner) > 1 or len(self.tree.inside(parent[:-1])) > 1
        ]
        for parent in apart:
            for child in self.tree.inside(parent):
                self.roles[child] = self._kinds([child])[child]
        self._inner = apart
        if not self.roles:
            self._refuse_splits_without_classes()

    def _visit(self, parent: _Folder, layer: str) -> None:
        children = self.tree.inside(parent)
        free = []
        for child in children:
            role = self.choices.role_of(child)
            if role in ("train", "val", "test", "out"):
                self.roles[child] = role
            elif not role:
                free.append(child)
        if layer:
            for child in free:
                repeated = split_kind(child[-1]) == split_kind(parent[-1]) != ""
                if repeated and (self.tree.inside(child) or len(children) == 1):
                    self.roles[child] = layer
        else:
            self._judge(parent, free)
        for child in children:
            role = self.roles.get(child, "")
            if role not in ("out", "beside"):
                self._visit(child, role or layer)

    def _kinds(self, folders: Sequence[_Folder]) -> dict[_Folder, str]:
        """The folders with names of splits; `eval` is settled by what is beside it."""
        kinds = {one: kind for one in folders if (kind := split_kind(one[-1]))}
        siblings = {split_kind(one[-1]) for one in self.tree.inside(folders[0][:-1])}
        settled = "val" if "test" in siblings else "test"
        return {one: settled if kind == "eval" else kind for one, kind in kinds.items()}

    def _judge(self, parent: _Folder, folders: list[_Folder]) -> None:
        """Decide for the folders right inside `parent` which of them are splits."""
        kinds = self._kinds(folders) if folders else {}
        real = {one: kind for one, kind in kinds.items() if kind != "out"}
        if not real:
            return
        others = [one for one in folders if one not in kinds and not is_unlabelled(one[-1])]
        inner = {below[-1] for one in real for below in self.tree.inside(one)}
        shared = {
            one
            for one in others
            if one[-1] in inner or {below[-1] for below in self.tree.inside(one)} & inner
        }
        n_kinds = len(set(real.values()))
        if not inner:
            if n_kinds > 1 and not others and parent and not self.tree.direct[parent]:
                self._inner.append(parent)
            elif others:
                self._as_class += list(real)
            return
        same_names = any(one[-1] in inner for one in others)
        if n_kinds == 1 and len(others) > 1 and not same_names:
            self._as_class += list(real)
            return
        self.roles |= kinds
        has_train = "train" in real.values()
        for one in others:
            if has_train or one not in shared:
                self.roles[one] = "beside"

    def _refuse_splits_without_classes(self) -> None:
        names = {folder[-1] for folder in self.tree.direct if folder}
        kinds = {split_kind(name) for name in names}
        kept = any(self.choices.role_of(folder) for folder in self.tree.direct if folder)
        if len(kinds) >= 2 and "" not in kinds and not kept:
            raise SourceError(
                _(
                    "The photos lie directly in {folders}, so their classes are not known. Put "
                    "class folders into each of them."
                ).format(folders=", ".join(sorted(names)))
            )

    # ----------------------------------------------------------------------------- classes

    def assign(self) -> dict[_Folder, ClassAssignment]:
        """Class, split or reason for every folder that directly holds photos."""
        self._find_splits()
        result: dict[_Folder, ClassAssignment] = {}
        stripped: dict[_Folder, tuple[_Folder, str]] = {}
        for folder in self.tree.direct:
            placed = self._without_splits(folder)
            if isinstance(placed, ClassAssignment):
                result[folder] = placed
            else:
                stripped[folder] = placed
        result |= self._leave_unlabelled(stripped)
        counts: Counter[_Folder] = Counter()
        for folder, (rest, _split) in stripped.items():
            counts[rest] += self.tree.direct[folder]
        finder = _ClassFinder(counts, self.choices)
        for folder, (rest, split) in stripped.items():
            name = finder.class_of(rest)
            reason = "" if name else _("It lies beside the class folders, in none of them.")
            result[folder] = ClassAssignment(class_name=name, split=split, reason=reason)
        self._tell(result, finder)
        return result

    def _without_splits(self, folder: _Folder) -> tuple[_Folder, str] | ClassAssignment:
        rest: list[str] = []
        split = layer = ""
        open_layer = False
        for depth, part in enumerate(folder, 1):
            role = self.roles.get(folder[:depth], "")
            whole = "/".join(folder[:depth])
            if role == "out":
                return ClassAssignment(reason=self._why_out(folder[:depth]), folder=whole)
            if role == "beside":
                reason = _("It lies beside the folders of the splits, in none of them.")
                return ClassAssignment(reason=reason, folder=whole)
            if role:
                split, layer = split or role, part
                open_layer = folder[: depth - 1] not in self._inner
            else:
                rest.append(part)
                open_layer = False
        if open_layer:
            return ClassAssignment(
                reason=_(
                    "It lies directly in the folder {layer}, not in a folder of a class beside the "
                    "class folders."
                ).format(layer=layer)
            )
        return tuple(rest), split

    def _why_out(self, folder: _Folder) -> str:
        if self.choices.role_of(folder):
            return _("The folder was left out as asked.")
        return _("A folder of this name holds photos to be predicted, not to learn from.")

    def _leave_unlabelled(
        self, stripped: dict[_Folder, tuple[_Folder, str]]
    ) -> dict[_Folder, ClassAssignment]:
        """Take the folders for unlabelled photos out of `stripped`."""
        around = _common_folder({rest for rest, _split in stripped.values()})
        out: dict[_Folder, ClassAssignment] = {}
        direct = {rest for rest, _split in stripped.values()}
        for folder, (rest, _split) in stripped.items():
            for depth in range(len(around) + 1, len(rest) + 1):
                if rest[: depth - 1] in direct and depth > len(around) + 1:
                    break  # inside a class
                part = rest[:depth]
                if is_unlabelled(part[-1]) and self.choices.role_of(part) != "class":
                    reason = _("A folder of this name holds photos without a class.")
                    whole = folder[: len(folder) - len(rest) + depth]
                    out[folder] = ClassAssignment(reason=reason, folder="/".join(whole))
                    break
        if len(out) == len(stripped):
            return {}
        for folder in out:
            del stripped[folder]
        return out

    # ----------------------------------------------------------------------------- notices

    def _tell(self, result: dict[_Folder, ClassAssignment], finder: _ClassFinder) -> None:
        self._tell_splits()
        for folder in self._as_class:
            others = [one[-1] for one in self.tree.inside(folder[:-1]) if one != folder]
            self._say(
                _(
                    "The folder {name} was taken as a class, as it lies beside {others}. If it is "
                    "a split, give `--folder-as {name}=train` (or val, test, out)."
                ),
                name="/".join(folder),
                others=_names(others),
            )
        self._tell_left_out(result)
        finder.tell(self._say)
        kept = {one.class_name for one in result.values() if one.class_name}
        for name in sorted(kept):
            if _may_be_no_class(name) and not self.choices.role_of((name,)):
                self._say(
                    _(
                        "The folder {name} was taken as a class, though its name may stand for "
                        "photos of no class. To leave it out, give `--folder-as {name}=out`."
                    ),
                    name=name,
                )

    def _say(self, text: str, **values: object) -> None:
        self.notices.append(text.format(**values))

    def _tell_splits(self) -> None:
        found: dict[str, list[_Folder]] = defaultdict(list)
        for folder, role in sorted(self.roles.items()):
            if role in ("train", "val", "test") and folder[:-1] not in self.roles:
                found[role].append(folder)
        plain = {"train", "training", "val", "valid", "validation", "test", "testing"}
        names = {folder[-1].lower() for folders in found.values() for folder in folders}
        if names - plain or self._inner:
            for role in ("train", "val", "test"):
                if found[role]:
                    self._say(
                        _(
                            "Taken as the split {split}: {folders}. If that is wrong, give "
                            "`--folder-as NAME=ROLE` (train, val, test, class or out)."
                        ),
                        split=role,
                        folders=_names(["/".join(folder) for folder in found[role]]),
                    )
        if found["train"] and found["val"] and not found["test"]:
            self._say(
                _(
                    "There are folders for training and validation, but none for the test: test "
                    "photos are taken from those for training. To test on the validation photos "
                    "instead, give `--folder-as {name}=test`."
                ),
                name=found["val"][0][-1],
            )

    def _tell_left_out(self, result: dict[_Folder, ClassAssignment]) -> None:
        whole: Counter[tuple[str, str]] = Counter()
        loose = 0
        for folder, one in result.items():
            if one.folder:
                whole[(one.folder, one.reason)] += self.tree.direct[folder]
            elif one.reason:
                loose += self.tree.direct[folder]
        for (name, reason), n in sorted(whole.items()):
            self._say(
                ngettext(
                    "The folder {name} ({n} photo) was left out. {reason} To use it, give "
                    "`--keep-folder {name}` (a class) or `--folder-as {name}=train`.",
                    "The folder {name} ({n} photos) was left out. {reason} To use it, give "
                    "`--keep-folder {name}` (a class) or `--folder-as {name}=train`.",
                    n,
                ),
                name=name,
                n=n,
                reason=reason,
            )
        if loose:
            self._say(
                ngettext(
                    "{n} photo lies beside the class folders, in none of them, and was left out. "
                    "Move it into the folder of its class.",
                    "{n} photos lie beside the class folders, in none of them, and were left out. "
                    "Move them into the folders of their classes.",
                    loose,
                ),
                n=loose,
            )


class _ClassFinder:
    """The folders that are classes, once splits are taken out of the paths."""

    def __init__(self, counts: Counter[_Folder], choices: ImportChoices) -> None:
        self._tree = _Tree(counts)
        self._rule = choices.classes
        self._around = _common_folder(set(counts))
        self._classes = self._find()
        self._raised: list[_Folder] = []
        if not self._rule:
            self._raise(self._around)

    def class_of(self, folder: _Folder) -> str:
        """The name of the class of a folder; empty for none."""
        if self._rule == "outer":
            around = len(self._around)
            own = bool(self._tree.direct[self._around]) and folder == self._around
            if own and len(self._tree.direct) == 1:
                return folder[-1] if folder else ""
            return folder[around] if len(folder) > around else ""
        if self._rule == "inner":
            strays = folder == self._around and len(self._tree.direct) > 1
            return folder[-1] if folder and not strays else ""
        for depth in range(1, len(folder) + 1):
            if folder[:depth] in self._classes:
                return folder[depth - 1]
        return ""

    def _find(self) -> set[_Folder]:
        """Folders that are a class, including everything below them."""
        direct = {folder: n for folder, n in self._tree.direct.items() if folder}
        homes: dict[str, set[_Folder]] = defaultdict(set)
        for folder in direct:
            homes[folder[-1]].add(folder)
        classes = set()
        for folder, count in direct.items():
            inner = set(self._tree.below(folder))
            if inner and folder == self._around:
                continue
            fewer = count < min((direct[name] for name in inner), default=0)
            if fewer and any(homes[name[-1]] - inner for name in inner):
                continue
            classes.add(folder)
        return classes

    def _raise(self, parent: _Folder) -> None:
        """Make folders of folders classes where they lie beside one (rule 4)."""
        children = self._tree.inside(parent)
        beside = {child[-1] for child in children if child in self._classes}
        for child in children:
            if child in self._classes:
                continue
            below = self._tree.below(child)
            names = {folder[-1] for folder in below}
            if beside and len(below) > 1 and not self._tree.direct[child] and not names & beside:
                self._classes.add(child)
                self._raised.append(child)
            else:
                self._raise(child)

    def tell(self, say: object) -> None:
        """Say which level of folders was taken where there was a choice."""
        assert callable(say)
        for folder in self._raised:
            say(
                _(
                    "The photos of {name} lie in folders inside it ({inner}); all of them were "
                    "taken as the class {name}, as other classes lie beside it. To take the "
                    "innermost folders as the classes, give `--classes inner`."
                ),
                name=folder[-1],
                inner=_names([one[-1] for one in self._tree.below(folder)]),
            )
        nested = [
            folder
            for folder in sorted(self._classes - set(self._raised))
            if self._tree.below(folder)
            and not any(folder[:depth] in self._classes for depth in range(1, len(folder)))
        ]
        if nested and not self._rule:
            say(
                _(
                    "Folders inside of class folders ({names}) belong to the class around them. "
                    "To make them classes, give `--classes inner`."
                ),
                names=_names(
                    ["/".join(one) for folder in nested for one in self._tree.below(folder)]
                ),
            )
        self._tell_around(say)

    def _tell_around(self, say: object) -> None:
        assert callable(say)
        start = len(self._around)
        pairs = {
            (folder[start], self.class_of(folder))
            for folder in self._tree.direct
            if len(folder) > start and self.class_of(folder)
        }
        outer = sorted({first for first, name in pairs if first != name})
        inner = sorted({name for first, name in pairs if first != name})
        if self._rule or len(outer) < 2 or len(inner) < 2:
            return
        grid = len(pairs) == len(outer) * len(inner)
        if not grid:  # a full grid is a check of its own, `double_layer`
            say(
                _(
                    "The classes are the innermost folders ({inner}); the folders around them "
                    "({outer}) were not used. To take those as the classes, give "
                    "`--classes outer`."
                ),
                inner=_names(inner),
                outer=_names(outer),
            )


def _names(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    if len(names) <= most:
        return shown
    return _("{names} and {n} more").format(names=shown, n=len(names) - most)


def _common_folder(folders: set[_Folder]) -> _Folder:
    """The longest common prefix of all folders; () where some photo is in no folder."""
    if not folders:
        return ()
    low, high = min(folders), max(folders)
    depth = 0
    while depth < min(len(low), len(high)) and low[depth] == high[depth]:
        depth += 1
    return low[:depth]
