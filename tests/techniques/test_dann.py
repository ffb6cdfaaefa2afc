"""Gradient reversal: the layer, and a head that unlearns the place."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.support.clouds import WIDTH, accuracy, draw_clouds
from translearn_core.errors import SettingsError
from translearn_core.graph.assembly import build_head
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings
from translearn_core.techniques.dann import EPOCHS, ReverseGradient, train_reversed


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


# ---------------------------------------------------------------------------- the training


def two_places() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sorted photos, their classes, and photos of a place that one more feature gives away."""
    source, labels = draw_clouds(60, seed=1, apart=2.0)
    target, truth = draw_clouds(60, seed=2, apart=2.0)
    source[:, WIDTH - 1] += 2
    target[:, WIDTH - 1] -= 2
    return source, labels, target, truth


def learn(strength: float, **options: object) -> tuple[keras.Model, keras.Model]:
    """A head after the training, and its hidden layer."""
    keras.utils.set_random_seed(0)
    head = build_head(WIDTH, 2, Settings(head="hidden", hidden_units=16, dropout=0.0))
    source, labels, target, _truth = two_places()
    train_reversed(
        head, source, labels, target, learning_rate=1e-2, strength=strength, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    return head, keras.Model(head.input, head.get_layer("head_hidden").output)


def gap(hidden: keras.Model) -> float:
    """How far the places lie apart in the hidden layer, in units of the spread within them."""
    source, _labels, target, _truth = two_places()
    here, there = np.asarray(hidden(source)), np.asarray(hidden(target))
    spread = np.sqrt((here.var(axis=0) + there.var(axis=0)).sum())
    return float(np.linalg.norm(here.mean(axis=0) - there.mean(axis=0)) / spread)


class Listener(Monitor):
    """Keeps the epochs that it was told of."""

    def __init__(self, *, stop: bool = False) -> None:
        self.epochs: list[int] = []
        self._stop = stop

    @property
    def stop_requested(self) -> bool:
        return self._stop

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        self.epochs.append(done)


@pytest.fixture(scope="module")
def unlearned() -> tuple[keras.Model, keras.Model, Listener]:
    """A head that unlearned the place, its hidden layer, and what was told meanwhile."""
    listener = Listener()
    return *learn(1.0, monitor=listener), listener


def test_classes_are_learned_and_the_place_is_unlearned(
    unlearned: tuple[keras.Model, keras.Model, Listener],
) -> None:
    source, labels, target, truth = two_places()
    reversed_head, reversed_hidden, _listener = unlearned
    _plain_head, plain_hidden = learn(0.0)
    answers = np.asarray(reversed_head(source))
    assert accuracy(answers, labels) > 0.98
    assert accuracy(np.asarray(reversed_head(target)), truth) > 0.95
    assert gap(reversed_hidden) < 0.7 * gap(plain_hidden)


def test_every_epoch_is_told_and_a_stop_is_heeded(
    unlearned: tuple[keras.Model, keras.Model, Listener],
) -> None:
    _head, _hidden, listener = unlearned
    assert listener.epochs == list(range(1, EPOCHS + 1))
    stopped = Listener(stop=True)
    learn(0.3, monitor=stopped)
    assert len(stopped.epochs) <= 1


def test_a_head_without_a_hidden_layer_is_refused() -> None:
    head = build_head(WIDTH, 2, Settings(head="linear"))
    source, labels, target, _truth = two_places()
    with pytest.raises(SettingsError, match="hidden layer"):
        train_reversed(head, source, labels, target, learning_rate=1e-2)
