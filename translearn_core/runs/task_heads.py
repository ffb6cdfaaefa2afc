"""The heads of further tasks: prediction without Keras, and their file.

Owns: `TaskHead` and `<run>/tasks.npz`: for task number i `i_name`, `i_classes`, and for each of its
layers j `i_j_kernel`, `i_j_bias` (ReLU between layers, softmax at the end).
Leaves to others: learning them (`training/multitask.py`), the features they read (`prediction/model_runner.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.atomic import replace_file
from translearn_core.evaluation.calibration import softmax

Array = npt.NDArray[Any]
NAME = "tasks.npz"


@dataclass(frozen=True, kw_only=True)
class TaskHead:
    """One task: its classes, and layers `(kernel (inputs, outputs), bias (outputs,))` in order."""

    name: str
    classes: tuple[str, ...]
    layers: tuple[tuple[Array, Array], ...]

    def answer(self, pooled: Array) -> Array:
        """Probabilities `(n, classes) float32` of photos by their pooled features `(n, d)`."""
        x = np.asarray(pooled, np.float32)
        for number, (kernel, bias) in enumerate(self.layers, 1):
            x = x @ kernel + bias
            if number < len(self.layers):
                x = np.maximum(x, 0)
        return softmax(x).astype(np.float32)


def save_heads(folder: Path, heads: list[TaskHead]) -> None:
    """Write the heads of a run."""
    arrays: dict[str, Array] = {}
    for i, head in enumerate(heads):
        arrays[f"{i}_name"] = np.array(head.name)
        arrays[f"{i}_classes"] = np.array(head.classes)
        for j, (kernel, bias) in enumerate(head.layers):
            arrays[f"{i}_{j}_kernel"], arrays[f"{i}_{j}_bias"] = kernel, bias
    temporary = folder / ".tasks.tmp.npz"
    np.savez(temporary, **arrays)  # type: ignore[arg-type]
    replace_file(temporary, folder / NAME)


def load_heads(folder: Path) -> tuple[TaskHead, ...]:
    """The heads of a run; none where it has one task only."""
    path = folder / NAME
    if not path.is_file():
        return ()
    found = []
    with np.load(path, allow_pickle=False) as arrays:
        i = 0
        while f"{i}_name" in arrays:
            layers: list[tuple[Array, Array]] = []
            while f"{i}_{len(layers)}_kernel" in arrays:
                j = len(layers)
                layers.append((arrays[f"{i}_{j}_kernel"], arrays[f"{i}_{j}_bias"]))
            found.append(
                TaskHead(
                    name=str(arrays[f"{i}_name"]),
                    classes=tuple(str(name) for name in arrays[f"{i}_classes"]),
                    layers=tuple(layers),
                )
            )
            i += 1
    return tuple(found)
