"""What is drawn by chance begins as Keras' own function has it begin."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from translearn_core.graph.chance import set_seed


def _drawn(begin: Callable[[int], None]) -> list[np.ndarray]:
    begin(41)
    layer, dropout = keras.layers.Dense(3), keras.layers.Dropout(0.5)
    layer.build((None, 4))
    return [
        *(np.asarray(weight) for weight in layer.weights),
        np.asarray(dropout(np.ones((2, 5), np.float32), training=True)),
        np.asarray(keras.random.uniform((3,))),
        np.random.random(2),
    ]


@pytest.mark.parametrize("before", [0, 7])
def test_as_keras_has_it(before: int) -> None:
    set_seed(before)
    keras.random.uniform((5,))
    ours, theirs = _drawn(set_seed), _drawn(keras.utils.set_random_seed)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
