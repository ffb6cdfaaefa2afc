"""One pass over photos: decode, run through the frozen networks, keep the outputs.

Owns: `extract`, which decodes ahead while the networks run and ends a shard of photos after the
other, and what a pass tells.
Leaves to others: the cache on disk (`cache.py`), which outputs are wanted (`extractor.py`), passes
over several machines (`node_pass.py`).

Batches never reach over the end of a shard, nor shards over the end of a part of which the same is kept, so
that a shard comes out alike wherever it is done. A shard that its part left short is written with the next
one: engines go on meanwhile.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from itertools import compress, groupby, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from translearn_core.arrays import Array
from translearn_core.datasets import DecodedPhoto, PhotoStats, decode_ahead
from translearn_core.datasets.missing_photos import is_out_of_reach, out_of_reach
from translearn_core.errors import MissingPhotoError, PhotoError
from translearn_core.features.cache import FeatureCache, FeatureKey
from translearn_core.graph.engine import ENGINE_BATCH, Engine
from translearn_core.imaging.augment import augmented_view
from translearn_core.imaging.batches import in_batches
from translearn_core.imaging.remote import PhotoFile

WAITING_BYTES = 384 * 2**20
"""Most bytes of decoded photos that wait for an engine to open."""
SHARD_PHOTOS = 8192
"""Photos of a shard: what is done again after a kill at most. A multiple of every batch."""
SHARD_BYTES = 64 * 2**20
"""Features of one output that wait to be written, and so the most of a file of the cache, about."""


@dataclass(frozen=True, kw_only=True)
class ShardFacts:
    """What was found of the photos of a shard, by position in the list of photos handed in: the
    stats of each that was read, and the reason for each that was not; those whose file was not found
    are `missing`."""

    stats: dict[int, PhotoStats] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many photos were looked at."""
        return len(self.stats) + len(self.left_out) + len(self.missing)


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """How a pass went: photos that were read, whether it was stopped, and its speed."""

    n_read: int
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
    until: int | None = None
    """Kept of the photos before this position of the pass alone; None: of all."""

    def keeps(self, position: int) -> bool:
        """Whether it is kept of the photo at that position."""
        return self.until is None or position < self.until


def extract(
    photos: Sequence[PhotoFile],
    outputs: Sequence[Output],
    *,
    keep: Callable[[ShardFacts], None],
    progress: Callable[[int, int, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    shard: int = SHARD_PHOTOS,
) -> PassResult:
    """Decode photos once, run the frozen prefix on the views asked for, and cache the results.

    Memory depends on the size of a shard, not on the number of photos.

    Args:
        photos: where the photos are.
        outputs: what to keep of each; all at the same photo size and fit, one at least of all photos.
        keep: takes what was found of a shard once its features are in the cache.
        progress: called with photos that are done with, photos in all and photos per second so far;
            not while the engines are still being opened.
        stop: asked between batches; True ends the pass, what was done stays cached.
        shard: photos of a shard; with what a part left short, fewer than two of them wait to be written.

    Raises:
        SourceError: a photo cannot be reached; what was done until then is kept.
    """
    writers = [ShardWriter(FeatureCache(output.key, root=output.root)) for output in outputs]
    n_read = n_left_out = 0
    started = time.monotonic()

    starts = [part.start for part in parts_of(len(photos), outputs)]
    of_all = [writer for out, writer in zip(outputs, writers, strict=True) if out.until is None]

    def tell() -> None:
        done = min(writer.photos for writer in of_all) + n_left_out
        if progress and done:
            progress(done, len(photos), done / max(time.monotonic() - started, 1e-6))

    def shard_of(position: int) -> tuple[int, int]:
        """Where the part begins that the photo lies in, and which shard of that part it lies in."""
        start = starts[bisect_right(starts, position) - 1]
        return start, (position - start) // shard

    feed = _Feed(outputs, writers, stop or _never, tell)
    decoded = decode_ahead(photos, size=outputs[0].key.size, fit=outputs[0].key.fit)
    lost: list[tuple[int, PhotoError]] = []
    facts = ShardFacts()

    def keep_found() -> None:
        """Keep what was found, once its features are in the cache."""
        nonlocal n_read, facts
        feed.finish()
        for writer in writers:
            writer.flush()
        n_read += len(facts.stats)
        keep(facts)
        facts = ShardFacts()

    try:
        reached = _until_lost(decoded, photos, lost)
        for (start, _number), of_shard in groupby(reached, lambda found: shard_of(found[0])):
            kept = [output.keeps(start) for output in outputs]
            for batch in in_batches(of_shard, ENGINE_BATCH):
                for i, error in batch.unreadable.items():
                    gone = isinstance(error, MissingPhotoError)
                    (facts.missing if gone else facts.left_out)[i] = error.message
                facts.stats.update(
                    zip(batch.indices, (photo.stats for photo in batch.photos), strict=True)
                )
                n_left_out += len(batch.unreadable)
                feed.put([(photo.stats.sha256, photo.image) for photo in batch.photos], kept)
                if feed.stopped():
                    break
            if feed.stopped():
                break
            if len(facts) >= shard:
                keep_found()
        if len(facts):
            keep_found()
        for i, unreachable in lost:
            raise out_of_reach(str(photos[i]), unreachable.message)
        tell()
    finally:
        decoded.close()
        for writer in writers:
            writer.flush()
    seconds = max(time.monotonic() - started, 1e-6)
    return PassResult(n_read=n_read, stopped=feed.was_stopped, photos_per_s=n_read / seconds)


def _until_lost(
    decoded: Iterable[tuple[int, DecodedPhoto | PhotoError]],
    photos: Sequence[PhotoFile],
    lost: list[tuple[int, PhotoError]],
) -> Iterator[tuple[int, DecodedPhoto | PhotoError]]:
    """The photos up to the first that cannot be reached, which is put into `lost`."""
    for i, photo in decoded:
        if isinstance(photo, PhotoError) and is_out_of_reach(photo, photos[i]):
            lost.append((i, photo))
            return
        yield i, photo


def parts_of(n: int, outputs: Sequence[Output]) -> list[range]:
    """Positions of `n` photos in parts of which the same outputs are kept."""
    borders = {0, n, *(min(output.until, n) for output in outputs if output.until is not None)}
    ordered = sorted(borders)
    return [range(start, stop) for start, stop in pairwise(ordered)]


def _never() -> bool:
    return False


Batch = list[tuple[str, Array]]
"""Decoded photos as (content hash, image)."""


class Sink(Protocol):
    """Takes the features of a pass as they come, in any order, from any thread."""

    def put(self, hashes: Sequence[str], features: Array) -> None:
        """Take features `(n, ...)` of `n` photos."""
        ...


class ShardWriter:
    """Collects features of one key and writes them to the cache a shard at a time."""

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
        """See `Sink`; a photo that the shard holds already is passed over."""
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
                self._write()

    def flush(self) -> None:
        """Write what is left, and begin a new shard."""
        with self._lock:
            self._write()
            self._seen.clear()

    def _write(self) -> None:
        """Write the photos in the order of their hashes: batches may come in any order."""
        if self._parts:
            order = sorted(range(len(self._hashes)), key=self._hashes.__getitem__)
            features = np.concatenate(self._parts)
            self._cache.add([self._hashes[i] for i in order], features[order])
        self._hashes, self._parts, self._bytes = [], [], 0


class _Feed:
    """Hands batches to the engines, which open in a thread of their own meanwhile.

    Opening one for the first time on a machine takes as long as decoding hundreds of photos.
    Until they are open, decoded photos wait, up to `WAITING_BYTES` of them.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        writers: Sequence[Sink],
        stop: Callable[[], bool],
        tell: Callable[[], None],
    ) -> None:
        self._tell = tell
        self._outputs = outputs
        self._writers = writers
        self._stop = stop
        self._waiting: deque[tuple[Batch, Sequence[bool]]] = deque()
        self._waiting_bytes = 0
        self._opening: Future[dict[tuple[str, bool], Engine]] = Future()
        self.was_stopped = False
        threading.Thread(target=self._open, name="open-engines", daemon=True).start()

    def _open(self) -> None:
        try:
            self._opening.set_result(open_engines(self._outputs))
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._opening.set_exception(error)

    def stopped(self) -> bool:
        """Whether the pass is to end here."""
        self.was_stopped = self.was_stopped or self._stop()
        return self.was_stopped

    def put(self, batch: Batch, kept: Sequence[bool]) -> None:
        """Take one batch, and which outputs are kept of it; blocks while the engines have enough to do."""
        self._waiting.append((batch, kept))
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
            batch, kept = self._waiting.popleft()
            outputs, writers = compress(self._outputs, kept), compress(self._writers, kept)
            submit(batch, list(outputs), engines, list(writers))
            submitted += 1
            self._tell()
        self._waiting_bytes = sum(
            image.nbytes for batch, _kept in self._waiting for _name, image in batch
        )


def open_engines(outputs: Sequence[Output]) -> dict[tuple[str, bool], Engine]:
    """One engine for each cut and precision: views of the same photos share it."""
    engines: dict[tuple[str, bool], Engine] = {}
    for output in outputs:
        place = (output.key.cut, output.key.quick)
        if output.open_engine and place not in engines:
            engines[place] = output.open_engine()
    return engines


def submit(
    batch: Batch,
    outputs: Sequence[Output],
    engines: dict[tuple[str, bool], Engine],
    writers: Sequence[Sink],
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


def _view_of(batch: Batch, key: FeatureKey) -> Array:
    """The batch as this key's view: `(n, size, size, 3) uint8`."""
    if not batch:
        return np.empty((0, key.size, key.size, 3), np.uint8)
    return np.stack(
        [augmented_view(image, key.strength, sha256=name, view=key.view) for name, image in batch]
    )


def _run(engine: Engine | None, images: Array, keep: Callable[[Array], None]) -> None:
    if len(images) == 0:
        return
    if engine is None:
        keep(images)
    else:
        engine.submit(images, keep)


def _keeper(writer: Sink, hashes: list[str], store: np.dtype[Any]) -> Callable[[Array], None]:
    """What takes a batch's result, in the stored type."""

    def keep(result: Array) -> None:
        if store == np.float16:
            limit = float(np.finfo(np.float16).max)
            result = np.clip(result, -limit, limit)
        writer.put(hashes, result.astype(store, copy=False))

    return keep
