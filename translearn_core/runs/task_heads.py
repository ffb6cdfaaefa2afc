"""The heads of further tasks: their file in the run folder.

Owns: `<run>/tasks.npz`: for task number i `i_name`, `i_classes`, and for each of its layers j
`i_j_kernel`, `i_j_bias`, `i_j_relu` (softmax at the end).
Leaves to others: what a head computes (`evaluation/dense_head.py`), learning them
(`training/multitask.py`), the features they read (`prediction/model_runner.py`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from translearn_core.arrays import Array
from translearn_core.atomic import replace_file
from translearn_core.evaluation.dense_head import DenseHead

NAME = "tasks.npz"


def save_heads(folder: Path, heads: list[DenseHead]) -> None:
    """Write the heads of a run."""
    arrays: dict[str, Array] = {}
    for i, head in enumerate(heads):
        arrays[f"{i}_name"] = np.array(head.name)
        arrays[f"{i}_classes"] = np.array(head.classes)
        arrays |= head.as_arrays(f"{i}_")
    temporary = folder / ".tasks.tmp.npz"
    np.savez(temporary, **arrays)  # type: ignore[arg-type]
    replace_file(temporary, folder / NAME)


def load_heads(folder: Path) -> tuple[DenseHead, ...]:
    """The heads of a run; none where it has one task only."""
    path = folder / NAME
    if not path.is_file():
        return ()
    heads: list[DenseHead] = []
    with np.load(path, allow_pickle=False) as arrays:
        while f"{len(heads)}_name" in arrays:
            i = len(heads)
            head = DenseHead.from_arrays(
                arrays,
                f"{i}_",
                name=str(arrays[f"{i}_name"]),
                classes=[str(name) for name in arrays[f"{i}_classes"]],
            )
            if head is None:
                break
            heads.append(head)
    return tuple(heads)
