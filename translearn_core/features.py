"""The feature cache, and the pass that fills it.

Owns: the feature cache and the one pass that decodes photos, checks them and runs the frozen
prefix while the next ones are being decoded.
Leaves to others: the graph (`graph/`), how it is run (`engine.py`), decoding (`datasets`).

Files: `cache/features/<key>/<shard>.npy` `(n, ...)` with `<shard>.txt` (a content hash a line),
written whole and renamed, the `.txt` last: a shard without it does not exist. `used` in the
folder of a key carries the time of the last use; the least recently used key goes first when
the cache is over its bound. `cache/engines/` keeps converted graphs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.augment import Strength, view_of
from translearn_core.config import home
from translearn_core.datasets import DECODE_VERSION, PhotoFacts, decode_ahead
from translearn_core.engine import ENGINE_BATCH, Engine
from translearn_core.errors import PhotoError, StorageError
from translearn_core.texts import _

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
SHARD_BYTES = 64 * 2**20
WAITING_BYTES = 384 * 2**20
"""Most bytes of decoded photos that wait for an engine to open."""


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
    strength: Strength = "none"
    view: int = 0
    """0 is the photo itself; 1 and up are varied views."""
    quick: bool = False
    """Whether it came out of an engine that trades precision for speed."""

    @property
    def digest(self) -> str:
        """Folder name of this key."""
        content = asdict(self) | {"decode": DECODE_VERSION, "layout": 2}
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


class FeatureTable:
    """Features of some photos, memory-mapped: row i belongs to the i-th photo asked for.

    `take` gives `(n, ...)` in the stored type: float32 (pooled), float16 (maps), uint8 (pixels).
    """

    def __init__(self, shards: list[Array], places: npt.NDArray[np.int64]) -> None:
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
        return result


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


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What one pass over photos found, by position in the list of paths handed in."""

    facts: dict[int, PhotoFacts]
    left_out: dict[int, str]
    stopped: bool
    photos_per_s: float


@dataclass(frozen=True, kw_only=True)
class Output:
    """One thing to keep of each photo in a pass."""

    key: FeatureKey
    open_engine: Callable[[], Engine] | None
    """Opens the engine of the frozen prefix; None keeps the pixels themselves."""
    store: np.dtype[Any]
    """Type to keep: float32, float16 or uint8. Float16 is clipped to its range."""
    root: Path | None = None


def extract(
    paths: Sequence[Path],
    outputs: Sequence[Output],
    *,
    progress: Callable[[int, int, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> PassResult:
    """Decode photos once, run the frozen prefix on the views asked for, and cache the results.

    Args:
        paths: the photos.
        outputs: what to keep of each; all at the same photo size.
        progress: called with photos that are done with, photos in all and photos per second so far;
            not while the engines are still being opened.
        stop: asked between batches; True ends the pass, what was done stays cached.

    Returns:
        The facts of every photo that was read, and the reason for each that was not.
    """
    writers = [_ShardWriter(FeatureCache(output.key, root=output.root)) for output in outputs]
    facts: dict[int, PhotoFacts] = {}
    left_out: dict[int, str] = {}
    started = time.monotonic()

    def tell() -> None:
        done = min(writer.photos for writer in writers) + len(left_out)
        if progress and done:
            progress(done, len(paths), done / max(time.monotonic() - started, 1e-6))

    feed = _Feed(outputs, writers, stop or _never, tell)
    photos = decode_ahead(paths, size=outputs[0].key.size)
    try:
        for batch in _batches(photos, facts, left_out, ENGINE_BATCH):
            feed.put(batch)
            if feed.stopped():
                break
        feed.finish()
        tell()
    finally:
        photos.close()
        for writer in writers:
            writer.close()
    seconds = max(time.monotonic() - started, 1e-6)
    return PassResult(
        facts=facts,
        left_out=left_out,
        stopped=feed.was_stopped,
        photos_per_s=len(facts) / seconds,
    )


def _never() -> bool:
    return False


Batch = list[tuple[str, Array]]
"""Decoded photos as (content hash, image)."""


class _Feed:
    """Hands batches to the engines, which open in a thread of their own meanwhile.

    Opening one for the first time on a machine takes as long as decoding hundreds of photos.
    Until they are open, decoded photos wait, up to `WAITING_BYTES` of them.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        writers: Sequence[_ShardWriter],
        stop: Callable[[], bool],
        tell: Callable[[], None],
    ) -> None:
        self._tell = tell
        self._outputs = outputs
        self._writers = writers
        self._stop = stop
        self._waiting: deque[Batch] = deque()
        self._waiting_bytes = 0
        self._opening: Future[dict[tuple[str, bool], Engine]] = Future()
        self.was_stopped = False
        threading.Thread(target=self._open, name="open-engines", daemon=True).start()

    def _open(self) -> None:
        try:
            self._opening.set_result(_open_engines(self._outputs))
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._opening.set_exception(error)

    def stopped(self) -> bool:
        """Whether the pass is to end here."""
        self.was_stopped = self.was_stopped or self._stop()
        return self.was_stopped

    def put(self, batch: Batch) -> None:
        """Take one batch; blocks while the engines have enough to do."""
        self._waiting.append(batch)
        self._waiting_bytes += sum(image.nbytes for _name, image in batch)
        if self._opening.done() or self._waiting_bytes >= WAITING_BYTES:
            self._drain()

    def finish(self) -> None:
        """Run what waits and return when everything is done; of a stopped pass, very little."""
        if not self.was_stopped:
            self._drain()
        if self._opening.done():
            self._submit_waiting(most=1 if self.was_stopped else None)
            for engine in self._opening.result().values():
                engine.wait()

    def _drain(self) -> None:
        while not self._opening.done():
            if self.stopped():
                return
            wait([self._opening], timeout=0.1)
        self._submit_waiting()

    def _submit_waiting(self, most: int | None = None) -> None:
        engines = self._opening.result()
        submitted = 0
        while self._waiting and submitted != most and (most or not self.stopped()):
            _submit(self._waiting.popleft(), self._outputs, engines, self._writers)
            submitted += 1
            self._tell()
        self._waiting_bytes = sum(image.nbytes for batch in self._waiting for _, image in batch)


def _open_engines(outputs: Sequence[Output]) -> dict[tuple[str, bool], Engine]:
    """One engine for each cut and precision: views of the same photos share it."""
    engines: dict[tuple[str, bool], Engine] = {}
    for output in outputs:
        place = (output.key.cut, output.key.quick)
        if output.open_engine and place not in engines:
            engines[place] = output.open_engine()
    return engines


def _submit(
    batch: Batch,
    outputs: Sequence[Output],
    engines: dict[tuple[str, bool], Engine],
    writers: Sequence[_ShardWriter],
) -> None:
    """Hand one batch of photos to every output; a view is made once for all its outputs."""
    hashes = [sha256 for sha256, _image in batch]
    views: dict[int, Array] = {}
    for output, writer in zip(outputs, writers, strict=True):
        key = output.key
        if key.view not in views:
            views[key.view] = _view_of(batch, key)
        engine = engines.get((key.cut, key.quick))
        _run(engine, views[key.view], _keeper(writer, hashes, output.store))


def _batches(
    photos: Iterator[tuple[int, Any]],
    facts: dict[int, PhotoFacts],
    left_out: dict[int, str],
    size: int,
) -> Iterator[Batch]:
    """Group decoded photos as (hash, image), noting facts and reasons on the way."""
    batch: Batch = []
    for position, photo in photos:
        if isinstance(photo, PhotoError):
            left_out[position] = photo.message
            continue
        facts[position] = photo.facts
        batch.append((photo.facts.sha256, photo.image))
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


def _view_of(batch: Batch, key: FeatureKey) -> Array:
    """The batch as this key's view: `(n, size, size, 3) uint8`."""
    if not batch:
        return np.empty((0, key.size, key.size, 3), np.uint8)
    return np.stack(
        [view_of(image, key.strength, sha256=name, view=key.view) for name, image in batch]
    )


def _run(engine: Engine | None, images: Array, keep: Callable[[Array], None]) -> None:
    if len(images) == 0:
        return
    if engine is None:
        keep(images)
    else:
        engine.submit(images, keep)


def _keeper(
    writer: _ShardWriter, hashes: list[str], store: np.dtype[Any]
) -> Callable[[Array], None]:
    """What takes a batch's result, in the stored type."""

    def keep(result: Array) -> None:
        if store == np.float16:
            limit = float(np.finfo(np.float16).max)
            result = np.clip(result, -limit, limit)
        writer.put(hashes, result.astype(store, copy=False))

    return keep


def cache_folder() -> Path:
    """Where cached features and converted graphs lie."""
    return home() / "cache"


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
