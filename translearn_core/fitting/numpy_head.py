"""A head that learns without Keras: one or two dense layers whose weights can be set.

Owns: `NumpyHead` and its new weights. Its layers can be asked as those of a Keras model of a head can
(`graph/assembly.py`): name, kernel, bias, `get_weights`, `set_weights`.
Leaves to others: learning (`numpy_fit.py`), a head that has learned (`evaluation/dense_head.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from translearn_core.arrays import Array
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.settings import Settings

HIDDEN, OUTPUT = "head_hidden", "probabilities"
"""Names of the layers, as in the saved model."""


class NumpyLayer:
    """A dense layer: kernel `(inputs, outputs)` and bias `(outputs,)`, float32."""

    def __init__(self, name: str, kernel: Array, bias: Array) -> None:
        self.name = name
        self.kernel, self.bias = kernel, bias

    def get_weights(self) -> list[Array]:
        """Kernel and bias; not copies."""
        return [self.kernel, self.bias]

    def set_weights(self, weights: Sequence[Array]) -> None:
        """Take kernel and bias of the same shapes; they are copied."""
        kernel, bias = (np.array(weight, np.float32) for weight in weights)
        if kernel.shape != self.kernel.shape or bias.shape != self.bias.shape:
            raise ValueError(f"{self.name} has other shapes than {kernel.shape}, {bias.shape}")
        self.kernel, self.bias = kernel, bias


class NumpyHead:
    """Pooled features `(n, d)` -> probabilities `(n, classes)`; a hidden layer, where there is one, ends
    in ReLU. `dropout` is the share that is left out of what goes into each layer while learning."""

    def __init__(self, layers: Sequence[NumpyLayer], dropout: float) -> None:
        self.layers = list(layers)
        self.dropout = dropout

    @classmethod
    def new(cls, features: int, classes: int, settings: Settings) -> NumpyHead:
        """One that knows nothing yet, of the shape of `assembly.build_head`.

        Kernels are drawn evenly by Glorot & Bengio 2010, as Keras draws them (from other random
        numbers).
        """
        rng = np.random.default_rng([settings.seed, 41])
        widths = [features, classes]
        if settings.head != "linear":
            widths.insert(1, settings.hidden_units)
        layers = []
        for number, (inputs, outputs) in enumerate(pairwise(widths)):
            reach = np.sqrt(6 / (inputs + outputs))
            kernel = rng.uniform(-reach, reach, (inputs, outputs)).astype(np.float32)
            name = OUTPUT if number == len(widths) - 2 else HIDDEN
            layers.append(NumpyLayer(name, kernel, np.zeros(outputs, np.float32)))
        return cls(layers, settings.dropout)

    @property
    def output_shape(self) -> tuple[None, int]:
        """As Keras gives it."""
        return None, len(self.layers[-1].bias)

    def get_layer(self, name: str) -> NumpyLayer:
        """The layer of that name."""
        return next(layer for layer in self.layers if layer.name == name)

    def get_weights(self) -> list[Array]:
        """Of all layers, in order."""
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[Array]) -> None:
        """Take what `get_weights` gave."""
        for number, layer in enumerate(self.layers):
            layer.set_weights(weights[2 * number : 2 * number + 2])

    def as_dense(self) -> DenseHead:
        """The same as it answers."""
        return DenseHead.of_weights((layer.kernel, layer.bias) for layer in self.layers)

    def probabilities(self, features: Array) -> Array:
        """Probabilities `(n, classes) float32` of pooled features `(n, d)`."""
        return self.as_dense().probabilities(features)
