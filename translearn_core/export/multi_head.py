"""One Keras model with the heads of all tasks, and back.

Owns: `merge` and `separate`.
Leaves to others: the heads (`evaluation/dense_head.py`) and their file (`runs/task_heads.py`), writing formats (`writers.py`),
opening untrusted models (`model_import/`).

A merged model takes `photo` and gives `(n, classes + classes of every further task) float32`: the
probabilities of the first task, then those of each further one, in the order of `labels.json`.
Imports Keras inside the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from translearn_core.errors import InputError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.formatting import shortened
from translearn_core.i18n import _

FEATURES = "head_dropout"
"""The first layer of the heads trained here; its input are the pooled features."""
END = "answers"
"""Name of the layer that concatenates the probabilities of all tasks."""


def merge(model: Any, heads: Sequence[DenseHead]) -> Any:
    """The model with further heads on its pooled features; unchanged where there are none."""
    import keras

    if not heads:
        return model
    pooled = model.get_layer(FEATURES).input  # (n, d)
    outputs, weighted_layers = [model.outputs[0]], []
    for i, head in enumerate(heads):
        x = pooled
        for j, layer in enumerate(head.layers):
            dense = keras.layers.Dense(
                layer.kernel.shape[1],
                activation="relu" if layer.relu else "softmax",
                name=f"task_{i}_{j}",
                dtype="float32",
            )
            x = dense(x)
            weighted_layers.append((dense, [layer.kernel, layer.bias]))
        outputs.append(x)  # (n, classes of this task)
    merged = keras.Model(
        model.inputs, keras.layers.Concatenate(name=END, dtype="float32")(outputs), name=model.name
    )
    for dense, weights in weighted_layers:
        dense.set_weights(weights)
    return merged


def separate(model: Any, tasks: Sequence[tuple[str, Sequence[str]]]) -> tuple[Any, list[DenseHead]]:
    """The model of the first task alone, and the heads of the further tasks.

    Args:
        model: a merged model; it may be an imported one.
        tasks: name and classes of each further task, in order.

    Raises:
        InputError: the model does not have these heads.
    """
    import keras

    names = {layer.name for layer in model.layers}
    heads = []
    for i, (name, classes) in enumerate(tasks):
        layers: list[tuple[Any, Any]] = []
        while f"task_{i}_{len(layers)}" in names:
            weights = model.get_layer(f"task_{i}_{len(layers)}").get_weights()
            if len(weights) != 2:
                raise _missing_head(name)
            layers.append((weights[0], weights[1]))
        if not layers or layers[-1][1].shape != (len(classes),):
            raise _missing_head(name)
        heads.append(DenseHead.of_weights(layers, name=name, classes=classes))
    if END not in names or FEATURES not in names:
        raise _missing_head(tasks[0][0])
    outputs = model.get_layer(END).input
    return keras.Model(model.inputs, outputs[0], name=model.name), heads


def _missing_head(task: str) -> InputError:
    return InputError(
        _(
            "labels.json names the task {task}, but the model beside it does not answer it. Take "
            "the zip as it was exported."
        ).format(task=shortened(task))
    )
