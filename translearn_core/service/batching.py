"""Photos of several requests, asked of a model at once.

Owns: `Batcher`: a queue and the thread that empties it.
Leaves to others: decoding, which is done before, and the model (`models.py`).

There is no waiting for a batch to fill: a photo that comes while the model is idle is asked at once,
and what comes while it works waits and makes the next batch. So batches grow with the load, and a
single client waits for nobody.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 64
"""Items of a batch."""


class Batcher(Generic[T, R]):
    """Asks `work` about items, as many at once as wait.

    Args:
        work: answers items in their order. What it raises is raised to all who asked for one of them.
    """

    def __init__(self, work: Callable[[list[T]], Sequence[R]], *, name: str) -> None:
        self._work = work
        self._waiting: queue.SimpleQueue[tuple[T, Future[R]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"model {name}", daemon=True)
        self._thread.start()

    def ask(self, item: T) -> Future[R]:
        """The answer about an item, later."""
        future: Future[R] = Future()
        self._waiting.put((item, future))
        return future

    def close(self) -> None:
        """End the thread when everything that was asked before is answered."""
        self._waiting.put(None)

    def _run(self) -> None:
        is_open = True
        while is_open:
            first = self._waiting.get()
            if first is None:
                return
            batch = [first]
            while len(batch) < MOST:
                try:
                    entry = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if entry is None:
                    is_open = False
                    break
                batch.append(entry)
            self._answer(batch)

    def _answer(self, batch: list[tuple[T, Future[R]]]) -> None:
        asked = [entry for entry in batch if entry[1].set_running_or_notify_cancel()]
        if not asked:
            return
        try:
            answers = self._work([item for item, _future in asked])
        except BaseException as error:  # noqa: BLE001 - raised where the answer is read
            for _item, future in asked:
                future.set_exception(error)
            return
        for (_item, future), answer in zip(asked, answers, strict=True):
            future.set_result(answer)
