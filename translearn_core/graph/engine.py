"""Runs a frozen graph over many photos at full speed (OpenVINO or Keras).

Owns: the OpenVINO engine (CPU), the Keras engine (GPU, or graphs that OpenVINO cannot run), the
conversion of a Keras model to an OpenVINO file and the check that both agree.
Leaves to others: which graph, which photos and where results go (`features/cache.py`,
`prediction/predict.py`).

Arrays: photos `(n, h, w, 3) uint8`, results `(n, ...) float32`.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import math
import os
import platform
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.abc import MetaPathFinder
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from translearn_core.arrays import Array
from translearn_core.atomic import replace_file, write_atomically
from translearn_core.errors import InputError, TransLearnError, WeightsError
from translearn_core.graph.gpus import count_gpus
from translearn_core.graph.onnx_writer import write_onnx

logger = logging.getLogger(__name__)

ENGINE_BATCH = 8
"""Photos per request: on a CPU many small requests in flight are faster than large ones."""
GPU_BATCH = 64
"""The same on a GPU."""
EAGER_BATCH = 4
"""Batch size of eager execution in `run_keras`."""
TENSOR_CORES = (7, 0)
"""From this compute capability on, half precision is faster than float32."""
TOLERANCE = 1e-3
"""Largest difference to Keras, relative to the largest value, at which OpenVINO is used."""

CONVERTER = 1
"""Raised when the same network is converted to another file than before."""
KEPT_BYTES = 2**30
"""Most bytes of converted networks that are kept."""


class Engine(Protocol):
    """Runs one graph. Results come in any order, through `done`."""

    name: str

    def submit(self, photos: Array, done: Callable[[Array], None]) -> None:
        """Run `photos` `(n, h, w, 3) uint8`; `done` gets `(n, ...) float32`, maybe later."""
        ...

    def wait(self) -> None:
        """Return when every submitted batch is done; raises what a batch raised."""
        ...


def import_openvino() -> Any:
    """OpenVINO's module, with its telemetry disabled."""
    if "openvino" not in sys.modules:
        # OpenVINO sends usage events unless its telemetry package is missing; it has a
        # stub for that case.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def import_keras() -> Any:
    """Keras, without the libraries that it looks for and that nothing here uses it with.

    Importing it takes seconds, a fifth of which go into scikit-learn and matplotlib, for wrappers
    and plots of Keras' own. Other threads may import them meanwhile: they are missing in this one
    only. Another fifth goes into looking for garbage among all the new objects, where there is
    next to none, so that waits, and these objects are left out of later searches.
    """
    if "keras" in sys.modules:
        import keras

        return keras
    collects = gc.isenabled()
    gc.disable()
    try:
        with keras_alone():
            import keras
    finally:
        gc.freeze()
        if collects:
            gc.enable()
    return keras


@contextmanager
def keras_alone() -> Iterator[None]:
    """Within it, Keras finds no library that it has wrappers or plots for."""
    hidden = _MissingHere({"matplotlib", "sklearn"})
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


class _MissingHere(MetaPathFinder):
    """Lets imports of some packages fail in the present thread, as if they were not installed."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """See `MetaPathFinder.find_spec`; finds nothing itself.

        Raises:
            ModuleNotFoundError: the package is to be missing.
        """
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is not imported by Keras here", name=fullname)


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
        self._queue.set_callback(self._finish)
        self._errors: list[BaseException] = []

    def _finish(self, request: Any, done: Callable[[Array], None]) -> None:
        try:
            done(np.array(request.get_output_tensor(0).data, dtype=np.float32))
        except BaseException as error:  # noqa: BLE001 - carried to `wait`, which raises it
            self._errors.append(error)

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


def trace(model: Any) -> Any:
    """A Keras model as a concrete TensorFlow function, `(n, h, w, 3) float32` -> its output."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32, name="photo")]
    # A functional model holds no Python control flow to convert: without it, half the time.
    function = tf.function(
        lambda photo: model(photo, training=False), input_signature=signature, autograph=False
    )
    return function.get_concrete_function()


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


def convert_to_openvino(model: Any, path: Path) -> None:
    """Write a Keras model as an OpenVINO file `path` (`.xml`, with `.bin` beside), in float32.

    The write is atomic: the `.xml` appears last.
    """
    try:
        _convert_graph(model, path)
    except InputError as reason:  # a layer that our writer does not know
        logger.info("%s", reason)
        _convert_traced(model, path)


def convert_checked(
    model: Any,
    path: Path,
    *,
    photos: Array,
    expected: Array,
    tolerance: float,
    ask: Callable[[Path], Array] | None = None,
) -> float:
    """Write a Keras model as an OpenVINO file, and keep the file only if its outputs agree.

    Args:
        path: see `convert_to_openvino`.
        photos: `(n, h, w, 3) uint8` to compare on.
        expected: output of the model for them.
        tolerance: largest difference at which the file stays.
        ask: what the file answers to them; default its first output.

    Returns:
        The largest difference; infinite where OpenVINO cannot take the model.
    """
    difference = float("inf")
    for convert in (_convert_graph, _convert_traced):
        try:
            convert(model, path)
            if ask is not None:
                received = ask(path)
            else:
                received = run_engine(OpenVINOEngine(path), photos) if len(photos) else expected
        except InputError as reason:
            logger.info("%s", reason)
            continue
        except TransLearnError:
            raise
        except Exception:  # any failure: try the next conversion, then fall back to Keras
            logger.exception("OpenVINO cannot take this graph")
            continue
        difference = float(np.abs(received - expected).max(initial=0.0))
        if difference <= tolerance:
            return difference
        logger.warning("The OpenVINO copy differs by %.3g and is not kept", difference)
        path.unlink()
        path.with_suffix(".bin").unlink(missing_ok=True)
    return difference


def _convert_graph(model: Any, path: Path) -> None:
    """Converts with our ONNX writer, for the layers it supports; a fifth of the time of tracing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{secrets.token_hex(6)}.tmp.onnx")
    try:
        write_onnx(model, temporary)
        _save(import_openvino().Core().read_model(temporary), path)
    finally:
        temporary.unlink(missing_ok=True)


def _convert_traced(model: Any, path: Path) -> None:
    """Converts through TensorFlow's SavedModel format.

    `openvino.convert_model` takes a function in memory, but not under Python 3.13: it runs
    `exec("del tensorflow")`, which fails there. Reading a SavedModel does not pass that code and
    takes the same time (ConvNeXt Tiny: 2.4 s after 2.3 s).
    """
    import tensorflow as tf

    function = trace(model)
    module = tf.Module()
    module.weights = list(function.variables)  # what is saved must be reachable from the module
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f"{path.stem}.", suffix=".tmp", ignore_cleanup_errors=True
    ) as folder:
        tf.saved_model.save(module, folder, signatures=function)
        _save(import_openvino().Core().read_model(folder), path)


def keep_one_output(source: Path, path: Path) -> None:
    """Write an OpenVINO file with the first output of `source` only."""
    openvino = import_openvino()
    model = openvino.Core().read_model(source)
    _save(openvino.Model([model.output(0)], model.get_parameters(), model.friendly_name), path)


def _save(converted: Any, path: Path) -> None:
    openvino = import_openvino()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{secrets.token_hex(6)}.tmp.xml")
    openvino.save_model(converted, temporary, compress_to_fp16=False)
    replace_file(temporary.with_suffix(".bin"), path.with_suffix(".bin"))
    replace_file(temporary, path)


def open_prefix_engine(
    path: Path,
    build: Callable[[], Any],
    *,
    record: Callable[[], Any] | None = None,
    quick: bool = False,
) -> Engine:
    """The fastest engine on this machine for the graph that `build` makes.

    Args:
        path: where the converted graph is kept between runs (`.xml`); see `kept_engine`.
        build: makes the Keras model; called only when it is needed.
        record: makes the same graph without Keras, see `recorded.py`; None where there is none.
        quick: see `OpenVINOEngine`.
    """
    if count_gpus() and gpu_names():
        prepare_device()  # a check of photos opens an engine, too, maybe beside a run
        return KerasEngine(build(), batch=GPU_BATCH)
    kept = kept_engine(path)
    if kept == "disagrees":
        return KerasEngine(build())
    if kept == "agrees":
        try:
            return OpenVINOEngine(path, quick=quick)
        except RuntimeError:  # of another kind of damage than a changed file
            logger.exception("The converted network %s cannot be opened; it is made anew", path)
    recorded = None if record is None else _convert_record(record, path)
    if recorded is not None:
        return OpenVINOEngine(path, quick=True) if quick else recorded
    model = build()
    difference = _convert_and_compare(model, path)
    agrees = path.is_file()
    _keep(path, agrees=agrees, difference=difference)
    if agrees:
        logger.info("OpenVINO agrees with Keras to %.1e relative", difference)
        return OpenVINOEngine(path, quick=quick)
    logger.warning("OpenVINO differs from Keras by %.1e: Keras is used", difference)
    return KerasEngine(model)


def kept_engine(path: Path) -> Literal["agrees", "disagrees", ""]:
    """What is kept of a converted graph: one that can be used, that Keras is to be used, or nothing.

    `.json` beside the graph is written last. It holds the difference from Keras (null where the graph
    was converted without Keras and no answers of Keras are known, until `confirm_engine`) and the
    checksums of the files: a damaged or half written one counts as nothing.
    """
    try:
        comparison = _read_comparison(path)
        if not comparison["agrees"]:
            return "disagrees"
        if comparison["sha256"] != _checksums(path):
            return ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    with suppress(OSError):
        path.with_suffix(".json").touch()  # the least recently used goes first
    return "agrees"


def is_confirmed(path: Path) -> bool:
    """Whether Keras was asked the same as what is kept of a converted graph, here or before
    (`known_answers.py`), and they agreed."""
    if kept_engine(path) != "agrees":
        return False
    with suppress(OSError, ValueError, KeyError, TypeError):
        return bool(_read_comparison(path)["difference"] <= TOLERANCE)
    return False


def confirm_engine(path: Path, model: Any) -> None:
    """Hold what is kept of a converted graph against Keras, and keep the difference beside it.

    Args:
        path: of the graph; nothing is done where there is none.
        model: the same graph in Keras.
    """
    if kept_engine(path) != "agrees":
        return
    photos, expected, _scale = _ask_keras(model)
    difference = _difference(run_engine(OpenVINOEngine(path), photos), expected)
    agrees = difference <= TOLERANCE
    if not agrees:
        logger.warning("OpenVINO differs from Keras by %.1e: Keras is used from now on", difference)
    _keep(path, agrees=agrees, difference=difference)


def _read_comparison(path: Path) -> Any:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def _keep(path: Path, *, agrees: bool, difference: float | None) -> None:
    """Write what `kept_engine` reads, and remove what has not been used for long."""
    content: dict[str, Any] = {
        "agrees": agrees,
        "difference": difference if difference is None or math.isfinite(difference) else None,
        "tolerance": TOLERANCE,
    }
    if agrees:
        content["sha256"] = _checksums(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".json"), json.dumps(content))
    _trim(path)


def _checksums(path: Path) -> list[str]:
    """Of the two files of a converted graph."""
    sums = []
    for part in (path, path.with_suffix(".bin")):
        with part.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    return sums


def _trim(newest: Path) -> None:
    """Remove the least recently used converted graphs until the others fit into `KEPT_BYTES`."""
    entries: dict[str, list[tuple[float, int, Path]]] = {}
    for file in newest.parent.iterdir():
        with suppress(OSError):
            facts = file.stat()
            entries.setdefault(file.name.split(".")[0], []).append(
                (facts.st_mtime, facts.st_size, file)
            )
    total = sum(size for files in entries.values() for _used, size, _file in files)
    oldest_first = sorted(entries.items(), key=lambda entry: max(used for used, *_ in entry[1]))
    for stem, files in oldest_first:
        if total <= KEPT_BYTES:
            return
        if stem == newest.stem:
            continue
        for _used, size, file in files:
            with suppress(OSError):
                file.unlink()
                total -= size


def _convert_record(record: Callable[[], Any], path: Path) -> OpenVINOEngine | None:
    """Convert a recorded graph; an engine for it where that went well."""
    try:
        model = record()
        if model is None:
            return None
        _convert_graph(model, path)
        engine = OpenVINOEngine(path)
        answers = run_engine(engine, probe_photos(model.input_shape[1:]))
        if not np.isfinite(answers).all() or not answers.any():
            raise ValueError("it answers nothing")
        difference = None if model.answers is None else _difference(answers, model.answers)
        if difference is not None and not difference <= TOLERANCE:
            raise ValueError(f"it differs from what Keras answers by {difference:.1e}")
    except WeightsError:
        raise
    except Exception:  # Keras then says in words what is wrong with the weights
        logger.exception("The recorded graph cannot be used")
        return None
    _keep(path, agrees=True, difference=difference)
    return engine


def conversion_versions() -> str:
    """What a converted graph depends on beside the network: the programs that converted it."""
    return f"{CONVERTER} openvino {version('openvino')} keras {version('keras')}"


def _convert_and_compare(model: Any, path: Path) -> float:
    """Largest difference between the converted graph and Keras, relative to the largest value."""
    photos, expected, scale = _ask_keras(model)
    return (
        convert_checked(model, path, photos=photos, expected=expected, tolerance=TOLERANCE * scale)
        / scale
    )


def _ask_keras(model: Any) -> tuple[Array, Array, float]:
    """Two random photos, what a Keras model answers to them, and the largest value of that."""
    photos = probe_photos(tuple(model.inputs[0].shape[1:]))
    expected = run_keras(model, photos)
    return photos, expected, float(np.abs(expected).max()) or 1.0


def _difference(received: Array, expected: Array) -> float:
    """The largest difference, relative to the largest value; infinite where shapes differ."""
    if received.shape != expected.shape:
        return math.inf
    return float(np.abs(received - expected).max()) / (float(np.abs(expected).max()) or 1.0)


def gpu_names() -> list[str]:
    """Names of the GPUs that TensorFlow can use here; imports TensorFlow."""
    import tensorflow as tf

    return [str(detail.get("device_name", "GPU")) for detail in _gpu_details(tf)]


def _gpu_details(library: Any) -> list[dict[str, Any]]:
    devices = library.config.list_physical_devices("GPU")
    return [library.config.experimental.get_device_details(device) for device in devices]


_precision = ""
"""Keras' dtype policy in this process, where `prepare_device` has chosen one for a GPU."""


def prepare_device(library: Any = None) -> str:
    """Configure TensorFlow for this machine and return the name of the device: `NVIDIA T4` or `CPU,
    2 cores`.

    On a GPU: memory grows as needed and, where it has tensor cores, layers compute in mixed
    precision.

    Args:
        library: TensorFlow, or what stands for it.
    """
    global _precision
    _precision = ""
    if count_gpus():
        if library is None:
            import tensorflow

            library = tensorflow
        details = _gpu_details(library)
        for device in library.config.list_physical_devices("GPU"):
            try:
                library.config.experimental.set_memory_growth(device, True)
            except RuntimeError as reason:  # it is in use already
                logger.warning("%s", reason)
        if details:
            capable = all(one.get("compute_capability", (0, 0)) >= TENSOR_CORES for one in details)
            _precision = "mixed_float16" if capable else "float32"
            apply_precision()
            return str(details[0].get("device_name", "GPU"))
    cores = os.cpu_count() or 1
    return f"CPU, {cores} cores ({platform.machine()})"


def apply_precision() -> None:
    """Let Keras build layers in the precision that `prepare_device` chose.

    Keras keeps that choice for each thread by itself, and forgets it when its session is cleared.
    """
    if _precision:
        import keras

        keras.config.set_dtype_policy(_precision)
