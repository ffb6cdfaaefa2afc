"""The cache of features on disk.

Owns: keys, tables, shards, and keeping the cache within its size.
Leaves to others: the pass that fills it (`extract.py`), which outputs are wanted (`extractor.py`).

Files: `<workspace>/cache/features/<key>/`: shards of one output, and their index.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import mmap
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from translearn_core import leftovers, spaces
from translearn_core.arrays import HEADER_LOCK, Array, Bools, Ints
from translearn_core.atomic import replace_file
from translearn_core.datasets import DECODE_VERSION
from translearn_core.errors import StorageError
from translearn_core.i18n import _
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.imaging.reading import current
from translearn_core.imaging.square import Fit

logger = logging.getLogger(__name__)
MANY_ROWS = 256
"""After so many rows were taken, what was read of the mapped files is let go again: the memory of a
process does not grow with the features that it walks through. Linux maps up to half a megabyte around
each row that is read."""
CACHED = ("features", leftovers.ENGINES)
"""Folders of the cache that can be made again; beside them lie logs, measured speeds and work under
way."""
_HASH = "S64"
"""How a content hash is kept in memory: 64 bytes, as its hexadecimal digits."""


@dataclass(frozen=True, kw_only=True)
class FeatureKey:
    """Everything that a cached feature depends on, beside the photo itself."""

    backbone: str
    weights: str
    """Identity of the weights: `<file name>-<bytes>-<mtime in ns>`, `random-<seed>`, or that of the
    run whose fine-tuned weights are used. The content of the file is not hashed."""
    cut: str
    """Cut layer; `pooled` for the whole backbone, `pixels` for the decoded photo."""
    size: int
    fit: Fit = "stretch"
    strength: AugmentationPolicy = "none"
    view: int = 0
    """0 is the photo itself; 1 and up are varied views."""
    quick: bool = False
    """Whether it came out of an engine that trades precision for speed."""

    @property
    def digest(self) -> str:
        """Folder name of this key."""
        content = asdict(self) | {"decode": DECODE_VERSION, "layout": 2}
        how = current().as_json()
        if how:
            content["reading"] = how
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


class FeatureTable:
    """Features of some photos, memory-mapped: row i belongs to the i-th photo asked for.

    `take` gives `(n, ...)` in the stored type: float32 (pooled), float16 (maps), uint8 (pixels).
    """

    def __init__(self, shards: list[Array], places: Ints) -> None:
        self._shards = shards
        self._places = places  # (n, 2): shard, row
        self._taken = 0
        self.shape: tuple[int, ...] = (len(places), *shards[0].shape[1:]) if shards else (0,)
        self.dtype = shards[0].dtype if shards else np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows together, were they in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """The features of `rows`, in that order, in memory."""
        result = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for start in range(0, len(rows), MANY_ROWS):
            some = slice(start, start + MANY_ROWS)
            self._read(self._places[rows[some]], result[some])
        return result

    def _read(self, places: Ints, result: Array) -> None:
        """Fill `result` `(n, ...)` with the rows at `places` `(n, 2)`."""
        for shard in np.unique(places[:, 0]):
            chosen = np.flatnonzero(places[:, 0] == shard)
            result[chosen] = self._shards[shard][places[chosen, 1]]
        self._taken += len(places)
        if self._taken >= MANY_ROWS:
            self._taken = 0
            for mapped in self._shards:
                _let_go(mapped)

    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> Array:
        """The features of some rows, in memory."""
        return self.take(np.arange(len(self))[rows])


def _let_go(shard: Array) -> None:
    """Count what was read of a mapped file as this process' memory no longer."""
    mapped = getattr(shard, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


class FeatureCache:
    """The cached features of one key.

    Args:
        key: what the features depend on.
        root: the cache's folder; default in the workspace.
    """

    def __init__(self, key: FeatureKey, *, root: Path | None = None) -> None:
        self.folder = (root or cache_folder()) / "features" / key.digest
        self._shards: list[Array] = []
        self._known: set[str] = set()
        self._names = np.empty(0, _HASH)  # (n,), sorted
        self._places = np.empty((0, 2), np.int32)  # (n, 2): shard, row

    def _refresh(self) -> None:
        if not self.folder.is_dir():
            return
        names, places = [self._names], [self._places]
        for index in sorted(self.folder.glob("*.txt")):
            if index.name in self._known:
                continue
            found = _read_shard(index)
            if found is not None:
                hashes, shard = found
                places.append(np.empty((len(hashes), 2), np.int32))
                places[-1][:, 0], places[-1][:, 1] = len(self._shards), np.arange(len(hashes))
                names.append(hashes)
                self._shards.append(shard)
                self._known.add(index.name)
        if len(names) > 1:
            together = np.concatenate(names)
            order = np.argsort(together, kind="stable")
            self._names, self._places = together[order], np.concatenate(places)[order]

    def holds(self, hashes: Iterable[str]) -> Bools:
        """Of each content hash, whether its photo is in the cache: `(n,)`."""
        self._refresh()
        return self._find(_as_bytes(hashes))[1]

    def _find(self, wanted: Array) -> tuple[Ints, Bools]:
        """The place of each hash among the sorted names, and whether it is there."""
        if not len(self._names):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
        found = np.searchsorted(self._names, wanted)
        found[found == len(self._names)] = 0
        return found, self._names[found] == wanted

    def __contains__(self, sha256: str) -> bool:
        return bool(self.holds([sha256])[0])

    def table(self, hashes: Iterable[str]) -> FeatureTable:
        """The features of photos by content hash.

        Raises:
            KeyError: the cache lacks one.
        """
        self._refresh()
        self.touch()
        wanted = _as_bytes(hashes)
        found, there = self._find(wanted)
        if not there.all():
            raise KeyError(wanted[~there][0].decode())
        return FeatureTable(self._shards, self._places[found].astype(np.int64))

    def touch(self) -> None:
        """Mark the key as used now."""
        if self.folder.is_dir():
            (self.folder / "used").touch()

    def add(self, hashes: Sequence[str], features: Array) -> None:
        """Keep `features` `(n, ...)` of `n` photos, in files named by the hash of `hashes`: the same
        photos in the same order, extracted once more, take no room of their own. Another process may
        write the same files meanwhile and read them already, where Windows lets nobody replace them.

        Raises:
            StorageError: the disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        index = "\n".join(hashes)
        name = hashlib.sha256(index.encode()).hexdigest()[:24]
        published = self.folder / f"{name}.txt"
        if _read_shard(published) is not None:
            return
        temporary = self.folder / f".{name}-{secrets.token_hex(4)}.tmp"
        try:
            with temporary.open("wb") as file:
                np.save(file, features)
            replace_file(temporary, published.with_suffix(".npy"), durable=False)
            temporary.write_text(index, encoding="ascii")
            replace_file(temporary, published, durable=False)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            if _read_shard(published) is not None:
                return
            raise StorageError(
                _(
                    "The disk is full or cannot be written at {folder}: {cause}. Free some space."
                ).format(folder=self.folder, cause=error.strerror)
            ) from error


def _read_shard(index: Path) -> tuple[Array, Array] | None:
    """The hashes `(n,)` and the features `(n, ...)` of a shard, memory-mapped; None where it was
    removed just now, or is damaged: as if it did not exist."""
    try:
        hashes = np.array(index.read_bytes().split(), _HASH)
        with HEADER_LOCK:
            shard = np.load(index.with_suffix(".npy"), mmap_mode="r")
    except (OSError, ValueError):
        return None
    return (hashes, shard) if len(hashes) == len(shard) else None


def _as_bytes(hashes: Iterable[str]) -> Array:
    """Content hashes as an array of bytes, `(n,)`."""
    return np.fromiter((name.encode("ascii") for name in hashes), _HASH)


def cache_folder() -> Path:
    """Where cached features and converted graphs lie: one place for all, keyed by content."""
    return spaces.root() / "cache"


def cache_size_bytes(root: Path | None = None) -> int:
    """Bytes on disk of what `empty_cache` removes."""
    folder = root or cache_folder()
    return sum(_folder_bytes(folder / name) for name in CACHED)


def _folder_bytes(folder: Path) -> int:
    total = 0
    for parent, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(parent) / name).stat().st_size
            except OSError:  # removed just now
                continue
    return total


def trim_cache(
    limit_bytes: int, *, keep: Sequence[FeatureKey] = (), root: Path | None = None
) -> int:
    """Remove the least recently used keys until the cache is within `limit_bytes`.

    Args:
        keep: keys in use, never removed.

    Returns:
        Bytes that were removed.
    """
    folder = (root or cache_folder()) / "features"
    if not folder.is_dir():
        return 0
    kept = {key.digest for key in keep}
    entries = [(_last_use(child), _folder_bytes(child), child) for child in folder.iterdir()]
    total = sum(size for _used, size, _child in entries)
    removed = 0
    for _used, size, child in sorted(entries, key=lambda entry: entry[0]):
        if total - removed <= limit_bytes:
            break
        if child.name not in kept:
            shutil.rmtree(child, ignore_errors=True)
            removed += size
    return removed


def empty_cache(root: Path | None = None) -> None:
    """Remove every cached feature and converted graph."""
    folder = root or cache_folder()
    for name in CACHED:
        shutil.rmtree(folder / name, ignore_errors=True)


def _last_use(folder: Path) -> float:
    mark = folder / "used"
    try:
        return mark.stat().st_mtime if mark.exists() else folder.stat().st_mtime
    except OSError:
        return 0.0
