"""One pass over photos: decode, run through the frozen networks, keep the outputs.

Owns: `extract`, which decodes ahead while the networks run, and what a pass tells.
Leaves to others: the cache on disk (`cache.py`), which outputs are wanted (`extractor.py`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.datasets import PhotoStats, decode_ahead
from translearn_core.features.cache import FeatureCache, FeatureKey, _ShardWriter
from translearn_core.graph.engine import ENGINE_BATCH, Engine
from translearn_core.imaging.augment import augmented_view
from translearn_core.imaging.batches import in_batches

WAITING_BYTES = 384 * 2**20
"""Most bytes of decoded photos that wait for an engine to open."""


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What one pass over photos found, by position in the list of paths handed in."""

    stats: dict[int, PhotoStats]
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
        outputs: what to keep of each; all at the same photo size and fit.
        progress: called with photos that are done with, photos in all and photos per second so far;
            not while the engines are still being opened.
        stop: asked between batches; True ends the pass, what was done stays cached.

    Returns:
        The stats of every photo that was read, and the reason for each that was not.
    """
    writers = [_ShardWriter(FeatureCache(output.key, root=output.root)) for output in outputs]
    stats: dict[int, PhotoStats] = {}
    left_out: dict[int, str] = {}
    started = time.monotonic()

    def tell() -> None:
        done = min(writer.photos for writer in writers) + len(left_out)
        if progress and done:
            progress(done, len(paths), done / max(time.monotonic() - started, 1e-6))

    feed = _Feed(outputs, writers, stop or _never, tell)
    photos = decode_ahead(paths, size=outputs[0].key.size, fit=outputs[0].key.fit)
    try:
        for decoded in in_batches(photos, ENGINE_BATCH):
            left_out |= {index: error.message for index, error in decoded.unreadable.items()}
            stats |= zip(decoded.indices, (photo.stats for photo in decoded.photos), strict=True)
            feed.put([(photo.stats.sha256, photo.image) for photo in decoded.photos])
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
        stats=stats,
        left_out=left_out,
        stopped=feed.was_stopped,
        photos_per_s=len(stats) / seconds,
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
