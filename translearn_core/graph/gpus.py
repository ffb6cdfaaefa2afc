"""Which GPUs this process may train on.

Owns: counting them without TensorFlow or NumPy: a job that waits for its turn asks.
Leaves to others: what TensorFlow does with them (`device.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from ctypes.util import find_library
from functools import lru_cache
from importlib.metadata import distributions
from itertools import takewhile


def count_gpus() -> int:
    """How many NVIDIA GPUs this process may train on; 0 where TensorFlow has no CUDA to use them."""
    return len(visible_gpus())


def visible_gpus() -> list[str]:
    """The GPUs that this process may train on, as `CUDA_VISIBLE_DEVICES` names them.

    Those that `nvidia-smi` lists, or out of them those that the variable names already. None where
    the CUDA libraries of requirements-gpu.txt are missing: TensorFlow then uses the CPU, whatever
    the machine has. Imports no TensorFlow.
    """
    listed = listed_gpus()
    if not listed or not has_cuda():
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(number) for number in range(listed)]
    usable = (name for name in named.replace(" ", "").split(",") if name)
    return list(takewhile(lambda name: not name.startswith("-"), usable))


@lru_cache(maxsize=1)
def listed_gpus() -> int:
    """How many NVIDIA GPUs this machine has, from `nvidia-smi`; 0 without it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    try:
        result = subprocess.run(
            [tool, "--list-gpus"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(1 for line in result.stdout.splitlines() if line.startswith("GPU "))


@lru_cache(maxsize=1)
def has_cuda() -> bool:
    """Whether the CUDA libraries that TensorFlow needs are installed, by pip or in the system."""
    if sys.platform != "linux":
        return False
    packages = (str(one.name or "").lower() for one in distributions())
    return any(name.startswith("nvidia-cudnn-cu") for name in packages) or bool(
        find_library("cudnn")
    )
