"""The cache of features on disk.

Owns: keys, tables, shards, and keeping the cache within its size.
Leaves to others: the pass that fills it (`extract.py`), which outputs are wanted (`extractor.py`).

Files: `<workspace>/cache/features/<key>/`: shards of one output, and their index.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
import secrets
import shutil
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from translearn_core import spaces
from translearn_core.arrays import HEADER_LOCK, Array, Ints
from translearn_core.datasets import DECODE_VERSION
from translearn_core.errors import StorageError
from translearn_core.i18n import _
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.imaging.reading import current
from translearn_core.imaging.square import Fit

logger = logging.getLogger(__name__)
SHARD_BYTES = 64 * 2**20
MANY_ROWS = 1024
"""So many rows taken at once are a walk through all of them: what was read is let go again."""


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
        places = self._places[rows]
        for shard in np.unique(places[:, 0]):
            chosen = np.flatnonzero(places[:, 0] == shard)
            result[chosen] = self._shards[shard][places[chosen, 1]]
            if len(chosen) >= MANY_ROWS:
                _let_go(self._shards[shard])
        return result

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
        self._rows: dict[str, tuple[int, int]] = {}
        self._shards: list[Array] = []
        self._known: set[str] = set()
        self._refresh()

    def _refresh(self) -> None:
        if not self.folder.is_dir():
            return
        for index in sorted(self.folder.glob("*.txt")):
            if index.name in self._known:
                continue
            try:
                with HEADER_LOCK:
                    shard = np.load(index.with_suffix(".npy"), mmap_mode="r")
            except (OSError, ValueError):  # removed just now, or damaged: as if it did not exist
                continue
            names = index.read_text(encoding="ascii").split()
            if len(names) == len(shard):
                place = len(self._shards)
                self._shards.append(shard)
                self._rows.update((name, (place, row)) for row, name in enumerate(names))
            self._known.add(index.name)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._rows

    def table(self, hashes: Sequence[str]) -> FeatureTable:
        """The features of photos by content hash; every one must be in the cache."""
        self._refresh()
        self.touch()
        places = np.array([self._rows[name] for name in hashes], np.int64).reshape(-1, 2)
        return FeatureTable(self._shards, places)

    def touch(self) -> None:
        """Mark the key as used now."""
        if self.folder.is_dir():
            (self.folder / "used").touch()

    def add(self, hashes: Sequence[str], features: Array) -> None:
        """Keep `features` `(n, ...)` of `n` photos.

        Raises:
            StorageError: the disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(8)
        temporary = self.folder / f".{name}.tmp"
        try:
            with temporary.open("wb") as file:
                np.save(file, features)
            temporary.replace(self.folder / f"{name}.npy")
            temporary.write_text("\n".join(hashes), encoding="ascii")
            temporary.replace(self.folder / f"{name}.txt")
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(
                _(
                    "The disk is full or cannot be written at {folder}: {cause}. Free some space."
                ).format(folder=self.folder, cause=error.strerror)
            ) from error
        self._refresh()


class _ShardWriter:
    """Collects features of one key and writes them a shard at a time; safe across threads."""

    def __init__(self, cache: FeatureCache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._hashes: list[str] = []
        self._parts: list[Array] = []
        self._bytes = 0
        self._seen: set[str] = set()
        self.photos = 0
        """How many it was handed."""

    def put(self, hashes: Sequence[str], features: Array) -> None:
        """Keep the features of photos that are not kept yet."""
        with self._lock:
            fresh = [i for i, name in enumerate(hashes) if name not in self._seen]
            self._seen.update(hashes)
            self.photos += len(hashes)
            if not fresh:
                return
            self._hashes += [hashes[i] for i in fresh]
            self._parts.append(features[fresh])
            self._bytes += self._parts[-1].nbytes
            if self._bytes >= SHARD_BYTES:
                self._flush()

    def _flush(self) -> None:
        if self._parts:
            self._cache.add(self._hashes, np.concatenate(self._parts))
        self._hashes, self._parts, self._bytes = [], [], 0

    def close(self) -> None:
        """Write what is left."""
        with self._lock:
            self._flush()


def cache_folder() -> Path:
    """Where cached features and converted graphs lie: one place for all, keyed by content."""
    return spaces.root() / "cache"


def cache_size_bytes(root: Path | None = None) -> int:
    """Bytes that the whole cache takes on disk."""
    folder = root or cache_folder()
    return sum(_folder_bytes(child) for child in folder.iterdir()) if folder.is_dir() else 0


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
    for name in ("features", "engines"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _last_use(folder: Path) -> float:
    mark = folder / "used"
    try:
        return mark.stat().st_mtime if mark.exists() else folder.stat().st_mtime
    except OSError:
        return 0.0
