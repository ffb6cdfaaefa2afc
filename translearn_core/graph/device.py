"""What TensorFlow computes on in this process.

Owns: the device of this machine, its memory and its precision. Leaves to others: counting GPUs without
TensorFlow (`gpus.py`).
"""

from __future__ import annotations

import logging
import os
import platform
from typing import Any

from translearn_core.graph.gpus import count_gpus

logger = logging.getLogger(__name__)

TENSOR_CORES = (7, 0)
"""From this compute capability on, half precision is faster than float32."""
_precision = ""
"""Keras' dtype policy in this process, where `prepare_device` has chosen one for a GPU."""


def gpu_names() -> list[str]:
    """Names of the GPUs that TensorFlow can use here; imports TensorFlow."""
    import tensorflow as tf

    return [str(detail.get("device_name", "GPU")) for detail in _gpu_details(tf)]


def _gpu_details(library: Any) -> list[dict[str, Any]]:
    devices = library.config.list_physical_devices("GPU")
    return [library.config.experimental.get_device_details(device) for device in devices]


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
