"""Runs a frozen graph over many photos at full speed (OpenVINO or Keras).

Owns: the OpenVINO engine (CPU), the Keras engine (GPU, or graphs that OpenVINO cannot run).
Leaves to others: which graph, which photos and where results go (`features/cache.py`,
`prediction/predict.py`), converting (`convert.py`), which of the two is used (`kept_engines.py`).

Arrays: photos `(n, h, w, 3) uint8`, results `(n, ...) float32`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from translearn_core.arrays import Array
from translearn_core.graph.gpus import count_gpus
from translearn_core.graph.libraries import import_openvino

ENGINE_BATCH = 8
"""Photos per request: on a CPU many small requests in flight are faster than large ones."""
EAGER_BATCH = 4
"""Batch size of eager execution in `run_keras`."""


class Engine(Protocol):
    """Runs one graph. Results come in any order, through `done`."""

    name: str

    def submit(self, photos: Array, done: Callable[[Array], None]) -> None:
        """Run `photos` `(n, h, w, 3) uint8`; `done` gets `(n, ...) float32`, maybe later."""
        ...

    def wait(self) -> None:
        """Return when every submitted batch is done; raises what a batch raised."""
        ...


class OpenVINOEngine:
    """OpenVINO on the CPU, several requests in flight.

    Args:
        path: an OpenVINO `.xml` whose one input is `(n, h, w, 3) float32`.
        latency: tuned for one photo at a time instead of many.
        quick: in bfloat16 where the processor has it: nearly twice as fast, features differ by
            a few percent. For augmented views, which are only trained on, never evaluated.
        threads: how many processors it uses; default all that this process may use.
    """

    name = "OpenVINO"

    def __init__(
        self, path: Path, *, latency: bool = False, quick: bool = False, threads: int | None = None
    ) -> None:
        self.path = path
        openvino = import_openvino()
        core = openvino.Core()
        model = core.read_model(path)
        steps = openvino.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(openvino.Type.u8)
        settings = {
            "PERFORMANCE_HINT": "LATENCY" if latency else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "bf16" if quick and has_bfloat16() else "f32",
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        compiled = core.compile_model(steps.build(), "CPU", settings)
        self._queue = openvino.AsyncInferQueue(compiled)
        errors = self._errors = list[BaseException]()

        def finish(request: Any, done: Callable[[Array], None]) -> None:
            try:
                done(np.array(request.get_output_tensor(0).data, dtype=np.float32))
            except BaseException as error:  # noqa: BLE001 - carried to `wait`, which raises it
                errors.append(error)

        self._queue.set_callback(finish)  # of a method, the queue would keep this engine for ever

    def submit(self, photos: Array, done: Callable[[Array], None]) -> None:
        """See `Engine.submit`; blocks while every request is busy."""
        self._queue.start_async({0: photos}, done)
        if self._errors:
            self.wait()

    def wait(self) -> None:
        """See `Engine.wait`."""
        self._queue.wait_all()
        if self._errors:
            raise self._errors.pop()


@lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Whether this processor supports bfloat16."""
    capabilities = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def bfloat16_pays() -> bool:
    """Whether a `quick` engine differs from a precise one on this machine."""
    return not count_gpus() and has_bfloat16()


class KerasEngine:
    """The plain Keras forward pass: for a GPU, and where OpenVINO does not agree.

    Args:
        model: `(n, h, w, 3) float32` -> its output.
        batch: photos that are run at a time; fewer wait for more, or for `wait`.
    """

    name = "Keras"

    def __init__(self, model: Any, *, batch: int = ENGINE_BATCH) -> None:
        self._model = model
        self._batch = batch
        self._waiting: list[tuple[Array, Callable[[Array], None]]] = []

    def submit(self, photos: Array, done: Callable[[Array], None]) -> None:
        """See `Engine.submit`; runs as soon as there are enough."""
        self._waiting.append((photos, done))
        if sum(len(some) for some, _done in self._waiting) >= self._batch:
            self.wait()

    def wait(self) -> None:
        """See `Engine.wait`."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        together = np.concatenate([some for some, _done in waiting]).astype(np.float32)
        results = answer_batch(self._model, together)
        start = 0
        for some, done in waiting:
            done(results[start : start + len(some)])
            start += len(some)


def answer_batch(model: Any, inputs: Array, *, traces: bool = True) -> Array:
    """What a Keras model answers to one batch, `(n, ...) float32`.

    By one graph for batches of every size, where `predict_on_batch` traces a second one for the
    second size; without XLA, which Keras takes on a GPU: it compiles the graph anew for batches of
    every size, for longer than photos by the hundred or thousand take to run.

    Args:
        traces: whether to make the graph where there is none; for a few batches the layers one after
            the other take less time.
    """
    graph: Callable[[Array], Any] | None = getattr(model, "answers_graph", None)
    if graph is None and traces:
        import tensorflow as tf

        (given,) = model.inputs
        graph = model.answers_graph = tf.function(
            lambda batch: _call(model, batch),
            input_signature=[tf.TensorSpec((None, *given.shape[1:]), tf.float32)],
            autograph=False,
        )
    answers = _call(model, inputs) if graph is None else graph(inputs)
    return np.asarray(answers, np.float32)


def _call(model: Any, batch: Any) -> Any:
    """Keras warns where a model that was made of a list of inputs is not called with one."""
    in_list = isinstance(getattr(model, "_inputs_struct", None), list)
    return model([batch] if in_list else batch, training=False)


def run_engine(engine: Engine, photos: Array) -> Array:
    """Run `photos` `(n, h, w, 3) uint8` through `engine` and return `(n, ...) float32` in order."""
    outputs: dict[int, Array] = {}
    for start in range(0, len(photos), ENGINE_BATCH):

        def store(result: Array, start: int = start) -> None:
            outputs[start] = result

        engine.submit(photos[start : start + ENGINE_BATCH], store)
    engine.wait()
    return np.concatenate([outputs[start] for start in sorted(outputs)])


def probe_photos(shape: tuple[Any, ...]) -> Array:
    """Two random photos `(2, *shape) uint8`, always the same."""
    return np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)


def run_keras(model: Any, photos: Array) -> Array:
    """Output of a Keras model for `photos` `(n, h, w, 3) uint8`: `(n, ...) float32`.

    Runs eagerly in small batches, since eager execution keeps the intermediate tensors; for a few
    dozen photos that is as fast as tracing a function first.
    """
    import keras

    outputs = [
        keras.ops.convert_to_numpy(
            model(photos[start : start + EAGER_BATCH].astype(np.float32), training=False)
        )
        for start in range(0, max(1, len(photos)), EAGER_BATCH)
    ]
    return np.concatenate(outputs).astype(np.float32, copy=False)
