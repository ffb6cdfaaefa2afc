"""A pool of processes that decodes photos ahead of their consumer.

Owns: starting those processes, handing them photos a few at a time, and taking pixels and facts
back in order. Leaves to others: the decode itself (`decode.py`).

Threads decode as fast, but wait for Python's lock whenever another thread imports a library or
builds a network: at the beginning of a run that is seconds, while a processor stands idle.

A process is `python -m translearn_core.imaging.decode_pool`: it reads pickled requests from its
standard input until that ends (so it never outlives its parent) and answers each on its standard
output. Pixels do not pass through there; they are written into a file that both have mapped.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.concurrency import import_path
from translearn_core.config import Limits, load_configuration
from translearn_core.errors import PhotoError
from translearn_core.i18n import language
from translearn_core.imaging.decode import (
    DecodedPhoto,
    decode_photo,
    iterate_photos,
    processor_count,
)

logger = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]
ENOUGH_PHOTOS = 250
"""With fewer, threads are done before processes have started."""
TOGETHER = 8
"""Photos a request."""
UNANSWERED = 2
"""Requests that a process has at a time, so that it never waits for its parent."""
AHEAD = 4
"""Requests a process that are decoded ahead of their consumer."""

Decoded = DecodedPhoto | PhotoError


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a process has to know: its first message."""

    size: int
    limits: Limits
    language: str
    pixels: str
    """File of `(slots, TOGETHER, size, size, 3) uint8`."""
    slots: int

    def map_pixels(self) -> Pixels:
        """The file in memory, shared between processes."""
        shape = (self.slots, TOGETHER, self.size, self.size, 3)
        mapped: Pixels = np.memmap(self.pixels, np.uint8, "r+", shape=shape)
        return mapped


@dataclass(frozen=True, kw_only=True)
class _Request:
    """A few photos, the slot that their pixels are for, and who waits for them."""

    paths: list[Path]
    slot: int
    answer: Future[list[Decoded]] = field(default_factory=Future)


def decode_ahead(
    paths: Sequence[Path], *, size: int, limits: Limits | None = None
) -> Generator[tuple[int, Decoded], None, None]:
    """Like `decode.iterate_photos`, for many photos of one size: in processes where that pays.

    Photos whose process ends before its time are decoded in this one.
    """
    if len(paths) < ENOUGH_PHOTOS:
        yield from iterate_photos(paths, size=size, limits=limits)
        return
    workers = processor_count()
    slots = workers * AHEAD
    limits = limits or load_configuration().limits
    with tempfile.TemporaryDirectory(
        prefix="translearn-decode-", ignore_cleanup_errors=True
    ) as folder:
        file = Path(folder) / "pixels"
        with file.open("wb") as stream:
            stream.truncate(slots * TOGETHER * size * size * 3)
        setup = Setup(
            size=size, limits=limits, language=language.get(), pixels=str(file), slots=slots
        )
        yield from _in_order(paths, setup, workers)


def _in_order(
    paths: Sequence[Path], setup: Setup, workers: int
) -> Generator[tuple[int, Decoded], None, None]:
    """Keep every slot at work, and give the photos out in the order of their paths."""
    requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
    team = [_Decoder(setup, requests) for _worker in range(workers)]
    waiting: deque[_Request] = deque()
    free = list(range(setup.slots))
    pixels = setup.map_pixels()
    done = 0
    try:
        for begin in range(0, len(paths), TOGETHER):
            if not free:
                ready = waiting.popleft()
                yield from enumerate(_take(ready, pixels), done)
                done += len(ready.paths)
                free.append(ready.slot)
            request = _Request(paths=list(paths[begin : begin + TOGETHER]), slot=free.pop())
            waiting.append(request)
            requests.put(request)
        while waiting:
            ready = waiting.popleft()
            yield from enumerate(_take(ready, pixels), done)
            done += len(ready.paths)
    finally:
        for decoder in team:
            decoder.let_go()
        for decoder in team:
            decoder.join()
        del pixels


def _take(request: _Request, pixels: Pixels) -> list[Decoded]:
    """The photos of a request, with pixels of their own."""
    found = request.answer.result()
    return [
        DecodedPhoto(pixels[request.slot, place].copy(), photo.facts)
        if isinstance(photo, DecodedPhoto) and not photo.image.size
        else photo
        for place, photo in enumerate(found)
    ]


class _Decoder(threading.Thread):
    """Has requests answered by a process of its own until it is let go.

    When the process ends before that, the thread decodes by itself.
    """

    def __init__(self, setup: Setup, requests: queue.SimpleQueue[_Request | None]) -> None:
        super().__init__(name="decode", daemon=True)
        self._setup = setup
        self._requests = requests
        self._unanswered: deque[_Request] = deque()
        self._let_go = False
        self._process = _start()
        self.start()

    def run(self) -> None:
        """The thread."""
        language.set(self._setup.language)
        try:
            if self._process is not None:
                with self._process as process:
                    self._ask_all(process.stdin, process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            if not self._let_go:
                logger.exception("A decoding process ended; going on without it")
        for request in self._unanswered:
            self._answer_here(request)
        while not self._let_go and (asked := self._requests.get()):
            self._answer_here(asked)

    def let_go(self) -> None:
        """End the process now: nobody wants what is not answered yet."""
        self._let_go = True
        if self._process is not None:
            self._process.kill()
        self._requests.put(None)

    def _ask_all(self, questions: Any, answers: Any) -> None:
        """Keep the process supplied, and pass its answers on, until None is requested."""
        _send(questions, self._setup)
        while not self._let_go:
            while len(self._unanswered) < UNANSWERED:
                try:
                    request = self._requests.get(block=not self._unanswered)
                except queue.Empty:
                    break
                if request is None:
                    return
                self._unanswered.append(request)
                _send(questions, (request.paths, request.slot))
            self._unanswered[0].answer.set_result(pickle.load(answers))
            self._unanswered.popleft()

    def _answer_here(self, request: _Request) -> None:
        if self._let_go:
            return
        try:
            request.answer.set_result(_decode(request.paths, self._setup, None))
        except BaseException as error:  # noqa: BLE001 - raised where the answer is asked for
            request.answer.set_exception(error)


def _start() -> subprocess.Popen[bytes] | None:
    """A process that decodes; None where none can be started."""
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW
    try:
        return subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | one_thread | {"PYTHONPATH": import_path()},
            **options,
        )
    except OSError:
        logger.exception("No decoding process could be started; going on without it")
        return None


def _send(stream: Any, message: object) -> None:
    pickle.dump(message, stream)
    stream.flush()


def _decode(paths: Sequence[Path], setup: Setup, pixels: Pixels | None) -> list[Decoded]:
    """Decode photos; their pixels go to `pixels` `(TOGETHER, size, size, 3)` where it is given."""
    found: list[Decoded] = []
    for place, path in enumerate(paths):
        try:
            photo = decode_photo(path, size=setup.size, limits=setup.limits)
        except PhotoError as error:
            found.append(error)
            continue
        if pixels is not None:
            pixels[place] = photo.image
            photo = DecodedPhoto(np.empty(0, np.uint8), photo.facts)
        found.append(photo)
    return found


def main() -> None:
    """The process: answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent hears of it and ends the input
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    setup: Setup = pickle.load(requests)
    language.set(setup.language)
    pixels = setup.map_pixels()
    while True:
        try:
            paths, slot = pickle.load(requests)
        except EOFError:
            return
        _send(answers, _decode(paths, setup, pixels[slot]))


if __name__ == "__main__":
    main()
