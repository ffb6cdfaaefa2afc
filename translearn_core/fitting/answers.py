"""What a model answers to rows of a source. Imports no Keras by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.fitting.inputs import FeatureSource
from translearn_core.graph.engine import answer_batch

EAGER_BATCHES = 4
"""So many batches are answered in less time than it takes to trace a graph for them."""


def predict_rows(
    model: Any,
    source: FeatureSource,
    rows: Ints,
    *,
    batch_size: int = 64,
    traces: bool = False,
) -> Array:
    """Probabilities `(len(rows), classes) float32` of a model on rows of a source.

    Args:
        traces: see `answer_batch`; many batches always are worth it.
    """
    answers = []
    starts = range(0, len(rows), batch_size)
    for start in starts:
        inputs = source.take(rows[start : start + batch_size]).astype(np.float32)
        answers.append(answer_batch(model, inputs, traces=traces or len(starts) > EAGER_BATCHES))
    classes = int(model.output_shape[-1])
    return np.concatenate(answers) if answers else np.empty((0, classes), np.float32)
