"""All heads of a multi-task run in one Keras model, and back.

Owns: `join` and `part`. Leaves to others: the heads (`evaluation/dense_head.py`) and their file (`runs/task_heads.py`), which formats the
joined model goes to (`exports/`), whether a model from elsewhere may be opened at all (`model_import/`).

A joined model takes `photo` and gives `(n, classes + classes of every further task) float32`: the
probabilities of the first task, then those of each further one, in the order of `labels.json`.
Imports Keras inside the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from translearn_core.errors import InputError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.i18n import _

FEATURES = "head_dropout"
"""The first layer of our heads: what enters it are the pooled features."""
END = "answers"


def join(model: Any, heads: Sequence[DenseHead]) -> Any:
    """The model with further heads on its pooled features; the model itself where there are none."""
    import keras

    if not heads:
        return model
    pooled = model.get_layer(FEATURES).input  # (n, d)
    answers, filled = [model.outputs[0]], []
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
            filled.append((dense, [layer.kernel, layer.bias]))
        answers.append(x)  # (n, classes of this task)
    joined = keras.Model(
        model.inputs, keras.layers.Concatenate(name=END, dtype="float32")(answers), name=model.name
    )
    for dense, weights in filled:
        dense.set_weights(weights)
    return joined


def part(model: Any, tasks: Sequence[tuple[str, Sequence[str]]]) -> tuple[Any, list[DenseHead]]:
    """The model of the first task alone, and the heads of the further ones.

    Args:
        model: a joined model, which may come from elsewhere.
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
                raise _not_joined(name)
            layers.append((weights[0], weights[1]))
        if not layers or layers[-1][1].shape != (len(classes),):
            raise _not_joined(name)
        heads.append(DenseHead.of_weights(layers, name=name, classes=classes))
    if END not in names or FEATURES not in names:
        raise _not_joined(tasks[0][0])
    answers = model.get_layer(END).input
    return keras.Model(model.inputs, answers[0], name=model.name), heads


def _not_joined(task: str) -> InputError:
    return InputError(
        _(
            "labels.json names the task {task}, but the model beside it does not answer it. Take "
            "the zip as it was exported."
        ).format(task=task)
    )
