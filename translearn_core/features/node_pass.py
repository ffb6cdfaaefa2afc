"""One pass over photos on the machines of a cluster: shards go to workers, features come back.

Owns: `run_pass`, which decides where a pass is done; `map_shards`, which hands shards to workers and
those of a lost worker to others; `ShardWorker`, our decoder and engines in a process on a node.
Leaves to others: the pass in this process (`extract.py`), connecting to Ray (`cluster`).

A node gets places of photos and the converted network, and gives back features and facts: only this
process writes. What a node cannot read is read here once more, and what nobody has done is done here.
The same photos, batches and network give the same features, bit for bit, on processors of one kind.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from translearn_core import __version__, cluster
from translearn_core.arrays import Array
from translearn_core.config import load_configuration
from translearn_core.errors import ClusterError
from translearn_core.features.cache import FeatureCache, FeatureKey
from translearn_core.features.extract import (
    SHARD_PHOTOS,
    Output,
    PassResult,
    ShardFacts,
    extract,
    open_engines,
    parts_of,
    submit,
)
from translearn_core.graph.engine import ENGINE_BATCH, Engine, OpenVINOEngine
from translearn_core.i18n import language
from translearn_core.imaging import reading
from translearn_core.imaging.batches import in_batches
from translearn_core.imaging.decode import iterate_photos
from translearn_core.imaging.reading import Reading
from translearn_core.imaging.remote import PhotoFile, PhotoFiles
from translearn_core.installation_limits import Limits

logger = logging.getLogger(__name__)

PROCESSORS = 4
"""Processors of one worker, where its node has so many."""
PATIENCE_S = 60.0
"""So long a pass waits for the first worker, then goes on in this process."""
Keep = Callable[[ShardFacts], None]


@dataclass(frozen=True, kw_only=True)
class NodeOutput:
    """One thing to keep of each photo, without what only this machine has: see `extract.Output`."""

    key: FeatureKey
    store: np.dtype[Any]


@dataclass(frozen=True, kw_only=True)
class NodeSetup:
    """What a worker has to know: the converted networks by cut and precision, as their two files."""

    outputs: tuple[NodeOutput, ...]
    networks: dict[tuple[str, bool], tuple[bytes, bytes]]
    limits: Limits
    language: str
    reading: Reading
    threads: int
    version: str
    """Of the program that asks: another one may give other features."""


@dataclass(frozen=True, kw_only=True)
class ShardResult:
    """A shard that was done: what was found by position in it, content hashes `(n,)` in the order of
    the photos, each once, and for each output their features `(n, ...)`."""

    facts: ShardFacts
    hashes: list[str]
    features: list[Array]


class ShardWorker:
    """Our decoder and engines, for one shard of photos after the other.

    Raises:
        ClusterError: this node has another version.
    """

    def __init__(self, setup: NodeSetup) -> None:
        if setup.version != __version__:
            raise ClusterError(
                f"This node has version {__version__}, and {setup.version} is asked for."
            )
        self._setup = setup
        self._outputs = [
            Output(key=one.key, open_engine=None, store=one.store) for one in setup.outputs
        ]
        self._engines: dict[tuple[str, bool], Engine] = {}
        with tempfile.TemporaryDirectory(
            prefix="translearn-engine-", ignore_cleanup_errors=True
        ) as folder:
            for number, (place, (graph, weights)) in enumerate(setup.networks.items()):
                path = Path(folder) / f"{number}.xml"
                path.write_bytes(graph)
                path.with_suffix(".bin").write_bytes(weights)
                self._engines[place] = OpenVINOEngine(path, quick=place[1], threads=setup.threads)

    def ready(self) -> None:
        """Answers once the worker is there."""

    def run(self, photos: Sequence[PhotoFile]) -> ShardResult:
        """Decode the photos of a shard and run them through the networks."""
        setup = self._setup
        language.set(setup.language)
        key = setup.outputs[0].key
        facts = ShardFacts()
        sinks = [_Gathered() for _output in self._outputs]
        decoded = iterate_photos(
            photos,
            size=key.size,
            fit=key.fit,
            workers=setup.threads,
            limits=setup.limits,
            how=setup.reading,
        )
        with contextlib.closing(decoded):
            for batch in in_batches(decoded, ENGINE_BATCH):
                facts.left_out.update((i, error.message) for i, error in batch.unreadable.items())
                facts.stats.update(
                    zip(batch.indices, (photo.stats for photo in batch.photos), strict=True)
                )
                given = [(photo.stats.sha256, photo.image) for photo in batch.photos]
                submit(given, self._outputs, self._engines, sinks)
        for engine in self._engines.values():
            engine.wait()
        hashes = list(dict.fromkeys(entry.sha256 for entry in facts.stats.values()))
        return ShardResult(
            facts=facts, hashes=hashes, features=[sink.in_order(hashes) for sink in sinks]
        )


class _Gathered:
    """Features of one output in memory; see `extract.Sink`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hashes: list[str] = []
        self._parts: list[Array] = []

    def put(self, hashes: Sequence[str], features: Array) -> None:
        """See `Sink`."""
        with self._lock:
            self._hashes += hashes
            self._parts.append(features)

    def in_order(self, hashes: Sequence[str]) -> Array:
        """The features of these photos `(n, ...)`."""
        if not hashes:
            return np.empty((0, 0), np.float32)
        place = {name: row for row, name in enumerate(self._hashes)}
        return np.concatenate(self._parts)[[place[name] for name in hashes]]


class Worker(Protocol):
    """Something that does shards, one at a time."""

    name: str

    def ready(self) -> Future[None]:
        """Ends when it can be given the first shard."""
        ...

    def begin(self, photos: Sequence[PhotoFile]) -> Future[ShardResult]:
        """Begin a shard; an error of any kind means that the worker is lost."""
        ...


def map_shards(
    photos: Sequence[PhotoFile],
    shards: Sequence[range],
    workers: Sequence[Worker],
    *,
    stop: Callable[[], bool],
    patience_s: float = PATIENCE_S,
) -> Iterator[tuple[range, ShardResult]]:
    """The shards as they are done, in any order; those that no worker does are not among them.

    A worker gets the next shard when it has done one. The shard of a lost worker goes to another; so
    does one of which a worker can read no photo, and that worker gets no more: it does not see them.

    Args:
        photos: where the photos are.
        shards: positions in `photos` that belong together.
        stop: asked twice a second at least; True ends it.
        patience_s: how long to wait for a first worker, and after the last one was lost for another.
    """
    waiting, idle = deque(shards), deque[Worker]()
    coming: dict[Future[Any], Worker] = {worker.ready(): worker for worker in workers}
    running: dict[Future[Any], tuple[Worker, range]] = {}
    active = time.monotonic()
    while (waiting or running) and not stop():
        while waiting and idle:
            worker, shard = idle.popleft(), waiting.popleft()
            running[worker.begin([photos[i] for i in shard])] = worker, shard
        if running:
            active = time.monotonic()
        elif not coming or time.monotonic() - active > patience_s:
            return
        done, _rest = wait([*coming, *running], timeout=0.5, return_when=FIRST_COMPLETED)
        for future in done:
            begun = running.pop(future, None)
            worker = begun[0] if begun else coming.pop(future)
            try:
                result = future.result()
            except Exception as error:  # noqa: BLE001 - whatever it is, another worker may do it
                logger.warning("The worker %s is lost: %s", worker.name, error)
                waiting.extendleft([begun[1]] if begun else [])
                continue
            if begun and not result.facts.stats:
                logger.warning("The worker %s can read none of its photos", worker.name)
                waiting.append(begun[1])
                continue
            idle.append(worker)
            if begun:
                yield begun[1], result


class RayWorker:
    """A `ShardWorker` in a process on a node."""

    def __init__(self, actor: Any, name: str) -> None:
        self._actor, self.name = actor, name

    def ready(self) -> Future[None]:
        """See `Worker.ready`."""
        future: Future[None] = self._actor.ready.remote().future()
        return future

    def begin(self, photos: Sequence[PhotoFile]) -> Future[ShardResult]:
        """See `Worker.begin`."""
        future: Future[ShardResult] = self._actor.run.remote(list(photos)).future()
        return future


@contextlib.contextmanager
def ray_workers(ray: Any, setup: NodeSetup, most: int) -> Iterator[list[RayWorker]]:
    """Workers on the nodes of the cluster, `most` at most, which end with the block.

    A node has one for every `PROCESSORS` processors; Ray places a worker when they are free.
    """
    places = [
        min(PROCESSORS, int(node.processors))
        for node in cluster.list_nodes(ray)
        for _worker in range(max(1, int(node.processors) // PROCESSORS))
        if node.works
    ]
    shared = {threads: ray.put(replace(setup, threads=threads)) for threads in sorted(set(places))}
    remote = ray.remote(ShardWorker)
    actors = [
        remote.options(num_cpus=threads, scheduling_strategy="SPREAD").remote(shared[threads])
        for threads in places[:most]
    ]
    try:
        yield [
            RayWorker(actor, f"{number} of {len(actors)}") for number, actor in enumerate(actors, 1)
        ]
    finally:
        for actor in actors:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor)


def run_pass(
    photos: Sequence[PhotoFile],
    outputs: Sequence[Output],
    *,
    keep: Keep,
    progress: Callable[[int, int, float], None],
    stop: Callable[[], bool],
    shard: int = SHARD_PHOTOS,
) -> PassResult:
    """A pass over photos, on the nodes of the cluster where one is named and it pays, else here.

    Args:
        photos, outputs, keep, progress, stop, shard: as for `extract`.

    Raises:
        ClusterError: a cluster is named and cannot be used.
    """
    if not cluster.is_named() or len(photos) <= shard:
        return extract(photos, outputs, keep=keep, progress=progress, stop=stop, shard=shard)
    began = time.monotonic()
    rest: list[int] = []
    n_read = 0
    for part in parts_of(len(photos), outputs):
        if stop():
            break
        if len(part) <= shard:
            rest += part
            continue
        kept = [one for one in outputs if one.keeps(part.start)]
        left, n_of_part = _on_nodes(photos, part, kept, keep, progress, n_read, stop, shard)
        rest += left
        n_read += n_of_part
    if rest and not stop():
        done = len(photos) - len(rest)
        here = extract(
            PhotoFiles(rest, photos.__getitem__),
            _outputs_of(rest, outputs),
            keep=lambda facts: keep(_moved(facts, rest)),
            progress=lambda n, _all, per_s: progress(done + n, len(photos), per_s),
            stop=stop,
            shard=shard,
        )
        n_read += here.n_read
    seconds = max(time.monotonic() - began, 1e-6)
    return PassResult(n_read=n_read, stopped=stop(), photos_per_s=n_read / seconds)


def _outputs_of(positions: Sequence[int], outputs: Sequence[Output]) -> list[Output]:
    """What is kept of the photos at some ascending positions, of these photos alone."""
    until = [None if one.until is None else bisect_left(positions, one.until) for one in outputs]
    pairs = zip(outputs, until, strict=True)
    return [replace(one, until=place) for one, place in pairs if place != 0]


def _on_nodes(
    photos: Sequence[PhotoFile],
    part: range,
    outputs: Sequence[Output],
    keep: Keep,
    progress: Callable[[int, int, float], None],
    n_before: int,
    stop: Callable[[], bool],
    shard: int,
) -> tuple[list[int], int]:
    """Do what nodes can do of a part of the photos; the positions that are left, and how many were read.

    Args:
        n_before: photos of the pass that were read before.
    """
    setup = _setup_of(outputs)
    if setup is None:
        return list(part), 0
    shards = [
        range(start, min(start + shard, part.stop)) for start in range(part.start, part.stop, shard)
    ]
    rest = np.zeros(len(photos), np.bool_)
    rest[part.start : part.stop] = True
    n_read = 0
    began = time.monotonic()
    caches = [FeatureCache(output.key, root=output.root) for output in outputs]
    with cluster.connected() as ray, ray_workers(ray, setup, len(shards)) as workers:
        for done, result in map_shards(photos, shards, workers, stop=stop):
            if result.hashes:
                for cache, features in zip(caches, result.features, strict=True):
                    cache.add(result.hashes, features)
            read = ShardFacts(stats={done[i]: entry for i, entry in result.facts.stats.items()})
            keep(read)
            rest[list(read.stats)] = False
            n_read += len(read.stats)
            per_s = n_read / max(time.monotonic() - began, 1e-6)
            progress(n_before + n_read, len(photos), per_s)
    return [int(row) for row in np.flatnonzero(rest)], n_read


def _setup_of(outputs: Sequence[Output]) -> NodeSetup | None:
    """What workers have to know; None where nodes cannot do this: maps and pixels are too large to be
    sent back, and a network that OpenVINO does not run is not sent."""
    engines = open_engines(outputs) if all(one.key.cut == "pooled" for one in outputs) else {}
    networks = {}
    for place, engine in engines.items():
        if not isinstance(engine, OpenVINOEngine):
            return None
        networks[place] = engine.path.read_bytes(), engine.path.with_suffix(".bin").read_bytes()
    if not networks:
        return None
    return NodeSetup(
        outputs=tuple(NodeOutput(key=one.key, store=one.store) for one in outputs),
        networks=networks,
        limits=load_configuration().limits,
        language=language.get(),
        reading=reading.current(),
        threads=1,
        version=__version__,
    )


def _moved(facts: ShardFacts, rows: Sequence[int]) -> ShardFacts:
    """Facts by position in all photos instead of by position in some."""
    return ShardFacts(
        stats={rows[i]: entry for i, entry in facts.stats.items()},
        left_out={rows[i]: reason for i, reason in facts.left_out.items()},
        missing={rows[i]: reason for i, reason in facts.missing.items()},
    )
