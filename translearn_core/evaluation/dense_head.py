"""A classification head in NumPy: dense layers behind pooled features.

Owns: `DenseHead`: logits, probabilities and the gradient of the features, and its form as arrays of
an npz file. Leaves to others: learning one (Keras, `graph/assembly.py`), the files
(`prediction/model_runner.py`, `runs/task_heads.py`), scaling by a temperature (`calibration.py`).

Arrays: pooled features `(n, d)`, logits and probabilities `(n, classes)`, float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from translearn_core.arrays import Array
from translearn_core.evaluation.calibration import softmax


class DenseLayer(NamedTuple):
    """`x @ kernel + bias`, then ReLU or nothing: `(inputs, outputs)`, `(outputs,)`, float32."""

    kernel: Array
    bias: Array
    relu: bool


@dataclass(frozen=True, kw_only=True)
class DenseHead:
    """Dense layers from pooled features to logits, at least one.

    `name` and `classes` are those of its task; empty for the head of the run's first task, whose
    classes stand in `labels.json`.
    """

    layers: tuple[DenseLayer, ...]
    name: str = ""
    classes: tuple[str, ...] = ()

    @classmethod
    def of_weights(
        cls, weights: Iterable[tuple[Array, Array]], *, name: str = "", classes: Iterable[str] = ()
    ) -> DenseHead:
        """A head with ReLU between its layers, of `(kernel, bias)` in order."""
        pairs = list(weights)
        layers = tuple(
            DenseLayer(kernel, bias, relu=number < len(pairs))
            for number, (kernel, bias) in enumerate(pairs, 1)
        )
        return cls(layers=layers, name=name, classes=tuple(classes))

    @property
    def n_outputs(self) -> int:
        """How many classes it tells apart."""
        return len(self.layers[-1].bias)

    def logits(self, pooled: Array) -> Array:
        """Logits of photos by their pooled features."""
        x = np.asarray(pooled, np.float32)
        for layer in self.layers:
            x = x @ layer.kernel + layer.bias
            x = np.maximum(x, 0.0) if layer.relu else x
        return x

    def probabilities(self, pooled: Array) -> Array:
        """Probabilities of photos by their pooled features."""
        return softmax(self.logits(pooled)).astype(np.float32)

    def gradient(self, pooled: Array, of_logits: Array) -> Array:
        """The gradient of a weighted sum of logits with respect to the pooled features.

        Args:
            pooled: features of one photo, `(d,)`.
            of_logits: the weight of each logit, `(classes,)`.

        Returns:
            `(d,) float32`.
        """
        x = np.asarray(pooled, np.float32)
        passes: list[Array] = []  # which units of each layer are on
        for layer in self.layers:
            x = x @ layer.kernel + layer.bias
            passes.append(x > 0 if layer.relu else np.ones(x.shape, bool))
            x = np.maximum(x, 0.0) if layer.relu else x
        gradient = np.asarray(of_logits, np.float32)
        for layer, on in zip(reversed(self.layers), reversed(passes), strict=True):
            gradient = layer.kernel @ (gradient * on)
        return gradient

    def as_arrays(self, prefix: str = "") -> dict[str, Array]:
        """For layer j `j_kernel`, `j_bias`, `j_relu`, each after `prefix`."""
        arrays: dict[str, Array] = {}
        for j, layer in enumerate(self.layers):
            arrays[f"{prefix}{j}_kernel"], arrays[f"{prefix}{j}_bias"] = layer.kernel, layer.bias
            arrays[f"{prefix}{j}_relu"] = np.array(layer.relu)
        return arrays

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Array],
        prefix: str = "",
        *,
        name: str = "",
        classes: Iterable[str] = (),
    ) -> DenseHead | None:
        """What `as_arrays` made; None where there are no layers. Without `j_relu`, as runs of
        earlier versions keep further heads, ReLU stands between the layers."""
        pairs: list[tuple[Array, Array]] = []
        while f"{prefix}{len(pairs)}_kernel" in arrays:
            begin = f"{prefix}{len(pairs)}"
            pairs.append((arrays[f"{begin}_kernel"], arrays[f"{begin}_bias"]))
        if not pairs:
            return None
        head = cls.of_weights(pairs, name=name, classes=classes)
        layers = tuple(
            layer._replace(relu=bool(arrays.get(f"{prefix}{j}_relu", layer.relu)))
            for j, layer in enumerate(head.layers)
        )
        return cls(layers=layers, name=head.name, classes=head.classes)
