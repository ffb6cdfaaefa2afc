"""A pool of processes that decodes photos ahead of the consumer.

Owns: sending the processes batches of paths, and returning pixels and statistics in order.
Leaves to others: the decode itself (`decode.py`), starting a process (`decoder_process.py`).

Threads decode as fast, but wait for the GIL while another thread imports a library or builds a
network: at the start of a run that takes seconds.

A process is `python -m translearn_core.imaging.decode_pool`: it reads pickled requests from its
standard input until that is closed (so it never outlives its parent) and replies on its standard
output. Pixels are written into a memory-mapped file that both processes share.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core import leftovers
from translearn_core.config import load_configuration
from translearn_core.errors import PhotoError
from translearn_core.i18n import language
from translearn_core.imaging import budget, decoder_process, reading
from translearn_core.imaging.decode import (
    DecodedPhoto,
    decode_photo,
    iterate_photos,
)
from translearn_core.imaging.processors import processor_count
from translearn_core.imaging.reading import Reading
from translearn_core.imaging.refusals import ShareError
from translearn_core.imaging.remote import PhotoFile
from translearn_core.imaging.square import Fit
from translearn_core.installation_limits import Limits

logger = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]
BATCH = 8
"""Photos per request."""
MAX_PENDING = 2
"""Requests that a process holds at a time, so that it never waits for its parent."""
AHEAD = 4
"""Requests per process that are decoded ahead of the consumer."""

Decoded = DecodedPhoto | PhotoError


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The parameters of a process: its first message."""

    size: int
    fit: Fit
    limits: Limits
    language: str
    reading: Reading
    pixels: str
    """File of `(slots, BATCH, size, size, 3) uint8`."""
    slots: int
    errors: str
    """File that errors are appended to; "" where they stay."""
    share: int
    """Most bytes of memory that decoding takes in a process; larger photos go to the parent."""

    def map_pixels(self) -> Pixels:
        """The file in memory, shared between processes."""
        shape = (self.slots, BATCH, self.size, self.size, 3)
        mapped: Pixels = np.memmap(self.pixels, np.uint8, "r+", shape=shape)
        return mapped


@dataclass(frozen=True, kw_only=True)
class _Request:
    """A batch of paths, the slot for their pixels, and the future of the result."""

    paths: list[PhotoFile]
    slot: int
    result: Future[list[Decoded]] = field(default_factory=Future)


def decode_ahead(
    paths: Sequence[PhotoFile], *, size: int, fit: Fit = "stretch", limits: Limits | None = None
) -> Generator[tuple[int, Decoded], None, None]:
    """Like `decode.iterate_photos`, for many photos of one size and fit, in processes where there are
    enough.

    The photos of a process that ends unexpectedly are decoded in this one.
    """
    if len(paths) < decoder_process.MIN_PHOTOS:
        yield from iterate_photos(paths, size=size, fit=fit, limits=limits)
        return
    workers = processor_count()
    slots = workers * AHEAD
    limits = limits or load_configuration().limits
    with tempfile.TemporaryDirectory(
        prefix=f"{leftovers.DECODING}{os.getpid()}-", ignore_cleanup_errors=True
    ) as folder:
        file = Path(folder) / "pixels"
        with file.open("wb") as stream:
            stream.truncate(slots * BATCH * size * size * 3)
        setup = Setup(
            size=size,
            fit=fit,
            limits=limits,
            language=language.get(),
            reading=reading.current(),
            errors=_errors_file(),
            share=limits.decode_bytes // workers,
            pixels=str(file),
            slots=slots,
        )
        yield from _in_order(paths, setup, workers)


def _in_order(
    paths: Sequence[PhotoFile], setup: Setup, workers: int
) -> Generator[tuple[int, Decoded], None, None]:
    """Keep every slot filled, and yield the photos in the order of their paths."""
    requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
    decoders = [_Decoder(setup, requests) for _worker in range(workers)]
    waiting: deque[_Request] = deque()
    free = list(range(setup.slots))
    pixels = setup.map_pixels()
    done = 0
    try:
        for begin in range(0, len(paths), BATCH):
            if not free:
                ready = waiting.popleft()
                yield from enumerate(_copy_photos(ready, pixels, setup), done)
                done += len(ready.paths)
                free.append(ready.slot)
            request = _Request(paths=list(paths[begin : begin + BATCH]), slot=free.pop())
            waiting.append(request)
            requests.put(request)
        while waiting:
            ready = waiting.popleft()
            yield from enumerate(_copy_photos(ready, pixels, setup), done)
            done += len(ready.paths)
    finally:
        for decoder in decoders:
            decoder.close()
        for decoder in decoders:
            decoder.join()
        del pixels


def _copy_photos(request: _Request, pixels: Pixels, setup: Setup) -> list[Decoded]:
    """The photos of a request, with their pixels copied out of the slot.

    Those that need more memory than a process may take are decoded here.
    """
    photos = [
        _decode([path], setup, None)[0] if isinstance(photo, ShareError) else photo
        for path, photo in zip(request.paths, request.result.result(), strict=True)
    ]
    return [
        DecodedPhoto(pixels[request.slot, index].copy(), photo.stats)
        if isinstance(photo, DecodedPhoto) and not photo.image.size
        else photo
        for index, photo in enumerate(photos)
    ]


class _Decoder(threading.Thread):
    """A thread that sends requests to a process of its own until it is closed.

    When the process ends unexpectedly, the thread decodes in this process.
    """

    def __init__(self, setup: Setup, requests: queue.SimpleQueue[_Request | None]) -> None:
        super().__init__(name="decode", daemon=True)
        self._setup = setup
        self._requests = requests
        self._pending: deque[_Request] = deque()
        self._closed = False
        self._process = decoder_process.start()
        self.start()

    def run(self) -> None:
        """The thread."""
        language.set(self._setup.language)
        try:
            if self._process is not None:
                with self._process as process:
                    self._serve_requests(process.stdin, process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            if not self._closed:
                logger.exception("A decoding process ended; going on without it")
        for request in self._pending:
            self._decode_in_thread(request)
        while not self._closed and (next_request := self._requests.get()):
            self._decode_in_thread(next_request)

    def close(self) -> None:
        """Kill the process; pending requests are dropped."""
        self._closed = True
        if self._process is not None:
            self._process.kill()
        self._requests.put(None)

    def _serve_requests(self, stdin: Any, stdout: Any) -> None:
        """Send requests to the process and store its replies, until None is requested."""
        _send(stdin, self._setup)
        while not self._closed:
            while len(self._pending) < MAX_PENDING:
                try:
                    request = self._requests.get(block=not self._pending)
                except queue.Empty:
                    break
                if request is None:
                    return
                self._pending.append(request)
                _send(stdin, (request.paths, request.slot))
            self._pending[0].result.set_result(pickle.load(stdout))
            self._pending.popleft()

    def _decode_in_thread(self, request: _Request) -> None:
        if self._closed:
            return
        try:
            request.result.set_result(_decode(request.paths, self._setup, None))
        except BaseException as error:  # noqa: BLE001 - raised where the result is read
            request.result.set_exception(error)


def _send(stream: Any, message: object) -> None:
    pickle.dump(message, stream)
    stream.flush()


def _decode(paths: Sequence[PhotoFile], setup: Setup, pixels: Pixels | None) -> list[Decoded]:
    """Decode photos; their pixels go to `pixels` `(BATCH, size, size, 3)` where it is given."""
    photos: list[Decoded] = []
    for index, path in enumerate(paths):
        try:
            photo = decode_photo(
                path, size=setup.size, fit=setup.fit, limits=setup.limits, how=setup.reading
            )
        except PhotoError as error:
            photos.append(error)
            continue
        if pixels is not None:
            pixels[index] = photo.image
            photo = DecodedPhoto(np.empty(0, np.uint8), photo.stats)
        photos.append(photo)
    return photos


def _bound_memory(n_bytes: int) -> None:
    """Bound the memory of this process, where the system can: what it has, and twice `n_bytes`."""
    if sys.platform != "linux":
        return
    import resource

    with Path("/proc/self/statm").open(encoding="ascii") as file:
        pages = int(file.read().split()[5])  # data and stack
    most = pages * resource.getpagesize() + 2 * n_bytes + 2**28
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _errors_file() -> str:
    """The file that errors of this process are written to, "" for none or where that is not known."""
    try:
        path = Path("/proc/self/fd/2").readlink()
    except OSError:
        return ""
    return str(path) if path.is_file() else ""


def _write_errors_to(path: str) -> None:
    """Append errors to a file: when this process was started they went to a terminal, perhaps."""
    if path:
        with suppress(OSError), Path(path).open("ab") as file:
            os.dup2(file.fileno(), 2)


def main() -> None:
    """The process: serve requests until the input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it and closes the input
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    try:
        setup: Setup = pickle.load(requests)
    except EOFError:  # it was started ahead, and is not needed
        return
    _write_errors_to(setup.errors)
    language.set(setup.language)
    reading.set_reading(setup.reading)
    budget.set_share(setup.share)
    _bound_memory(setup.limits.decode_bytes)
    pixels = setup.map_pixels()
    while True:
        try:
            paths, slot = pickle.load(requests)
        except EOFError:
            return
        _send(replies, _decode(paths, setup, pixels[slot]))


if __name__ == "__main__":
    main()
