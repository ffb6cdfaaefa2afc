"""Imports Keras and OpenVINO, without what they would look for or do beside.

Owns: `import_keras`, `import_openvino`. Leaves to others: what is done with them.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
import typing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from translearn_core.concurrency import no_garbage_search

TENSORFLOW = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
"""Its shared libraries, the ones that others need first."""
_LOADING = threading.Lock()
# A process that ended while they are loaded would hang or crash.
atexit.register(_LOADING.acquire, timeout=60)


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
    next to none, so that waits, and these objects are left out of later searches. With Python
    3.11 a tenth of what is left goes into compiling 18,000 annotations in quotes, of which 160 differ.
    """
    if "keras" in sys.modules:
        import keras

        return keras
    _load_tensorflow()
    with no_garbage_search(), keras_alone(), annotations_compiled_once():
        import keras
    return keras


def _load_tensorflow() -> None:
    """Load TensorFlow's shared libraries, without the lock of the interpreter.

    Importing TensorFlow, which would load them, holds it meanwhile: no other thread goes on for a third of a
    second, longer where they have to be read from the disk. On Linux; elsewhere nothing is done.
    """
    found = find_spec("tensorflow") if sys.platform == "linux" else None
    if found is None:
        return
    with _LOADING, suppress(OSError, AttributeError):  # another C library
        load = ctypes.CDLL(None).dlopen  # ctypes calls it without the lock
        load.argtypes, load.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
        for folder in found.submodule_search_locations or ():
            for name in TENSORFLOW:
                load(os.fsencode(Path(folder) / name), os.RTLD_NOW)


@contextmanager
def annotations_compiled_once() -> Iterator[None]:
    """Within it, `typing` compiles an annotation in quotes once, however often it is written; Python 3.12
    and later compile those of type variables when they are asked for."""
    vars(typing)["compile"] = cache(compile)  # where it has none, it finds the built-in function
    try:
        yield
    finally:
        vars(typing).pop("compile", None)  # another thread may have done so


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
