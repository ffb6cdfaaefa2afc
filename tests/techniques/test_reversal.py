"""The layer that turns gradients round."""

from __future__ import annotations

import keras
import numpy as np

from translearn_core.reversal import ReverseGradient


def learned(strength: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights of one dense layer before the reversed one, before and after a step; and the loss."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    before = keras.layers.Dense(2, use_bias=False)
    reverse = ReverseGradient()
    fixed = keras.layers.Dense(1, use_bias=False, trainable=False)
    model = keras.Model(inputs, fixed(reverse(before(inputs))))
    reverse.strength.assign(strength)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    first = before.get_weights()[0]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 3)).astype("float32"), np.ones((16, 1), "float32")
    loss = model.train_on_batch(x, y)
    return first, before.get_weights()[0], float(np.ravel(loss)[0])


def test_the_value_goes_through_unchanged() -> None:
    layer = ReverseGradient()
    values = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    layer(values)
    layer.strength.assign(0.7)
    assert np.allclose(np.asarray(layer(values)), values, atol=1e-6)


def test_the_gradient_comes_back_turned_round_and_scaled() -> None:
    first, full, _loss = learned(1.0)
    _first, half, _loss = learned(0.5)
    _first, back, _loss = learned(-1.0)  # turned round twice: as without the layer
    assert np.allclose(half - first, (full - first) / 2, atol=1e-6)
    assert np.allclose(back - first, -(full - first), atol=1e-6)
    assert np.abs(full - first).max() > 1e-3


def test_without_strength_nothing_is_unlearned() -> None:
    first, after, _loss = learned(0.0)
    assert np.array_equal(first, after)
