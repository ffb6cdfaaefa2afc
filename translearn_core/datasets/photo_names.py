"""What the name of a file says: whether it may be a photo, or is hidden or metadata of a system.

Owns: endings of tables, archives and raw files, and the names of files and folders that programs make.
Leaves to others: the formats of photos, their endings and bytes (`imaging/kinds.py`), names of splits
(`folder_words.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from translearn_core.i18n import _
from translearn_core.imaging.kinds import PHOTO_ENDINGS

PHOTO_SUFFIXES = frozenset(PHOTO_ENDINGS)
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".json", ".jsonl"})
ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
_RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2"}
    | {".raf", ".pef", ".srw", ".x3f", ".3fr", ".erf", ".kdc", ".dcr", ".mrw", ".iiq", ".raw"}
)
"""Raw files of cameras: many begin like a TIFF, and what a TIFF reader finds is no photo."""
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


def is_junk(parts: Iterable[str]) -> bool:
    """Whether a path is hidden or metadata of an operating system."""
    return any(part.lower() in _JUNK or part.startswith((".", "~$")) for part in parts)


def may_be_table(name: str) -> bool:
    """Whether a path ends as tables of labels do, and is not hidden."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.suffix.lower() in TABLE_SUFFIXES and not is_junk(path.parts)


def is_metadata_folder(name: str) -> bool:
    """Whether a hidden folder is one that programs make, not a person."""
    return name.lower() in _METADATA_FOLDERS or name.lower().startswith(".trash")


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
