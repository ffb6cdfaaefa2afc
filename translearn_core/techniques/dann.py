"""Domain-adversarial training by gradient reversal (DANN, Ganin et al. 2016).

Owns: the layer that turns gradients round, and the short training in which a head learns classes
from labelled photos while its hidden layer unlearns the domain, from sorted and unlabelled ones.
Leaves to others: which features (`adaptation_methods.py`), building the head (`graph/assembly.py`).
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.errors import SettingsError
from translearn_core.fitting.fit import fit_arrays
from translearn_core.fitting.optimizer import FusedAdam, make_schedule
from translearn_core.i18n import _
from translearn_core.monitor import SILENT, Monitor

EPOCHS = 40
BATCH = 64
STRENGTH = 0.3
"""How strongly the domain is unlearned at the end; it grows as in the paper."""
PLACE_UNITS = 128


class ReverseGradient(keras.layers.Layer):  # type: ignore[misc]
    """The identity, whose gradient is reversed and scaled by a strength that can be set."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.strength = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="strength"
        )

    def call(self, inputs: Any) -> Any:
        """`x + s x - s x`: the value is that of `x`, the gradient that of the last term."""
        there = keras.ops.stop_gradient(inputs * (1 + self.strength))
        return there - inputs * self.strength


class _Growing(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets the strength grow from 0 to `strength`, tells of each epoch, and heeds a stop."""

    def __init__(self, monitor: Monitor, layer: ReverseGradient, strength: float) -> None:
        super().__init__()
        self._monitor = monitor
        self._layer = layer
        self._strength = strength

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """The schedule of the paper, section 5.2.2."""
        grown = 2 / (1 + math.exp(-10 * epoch / EPOCHS)) - 1
        self._layer.strength.assign(self._strength * grown)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Heed a stop."""
        if self._monitor.stop_requested:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show that it goes on."""
        self._monitor.progress(epoch + 1, EPOCHS, what="rounds")


def train_reversed(
    head: Any,
    source: Array,
    labels: Ints,
    target: Array,
    *,
    learning_rate: float,
    strength: float = STRENGTH,
    seed: int = 0,
    monitor: Monitor = SILENT,
) -> None:
    """Teach `head` the classes of `source` in features in which `target` looks the same.

    Args:
        head: with a hidden layer, features `(n, d)` -> probabilities.
        source, labels: labelled photos `(n, d)`, `(n,)`.
        target: unlabelled photos `(m, d)`.
        strength: how strongly the domain is unlearned at the end; 0 does not.
        seed: of the order of the photos.
        monitor: told of each of the `EPOCHS`; its stop is heeded between batches.

    Raises:
        SettingsError: the head has no hidden layer.
    """
    if not any(layer.name == "head_hidden" for layer in head.layers):
        raise SettingsError(
            _("Adversarial alignment changes the hidden layer of the head. Choose a head with one.")
        )
    reverse = ReverseGradient(name="reverse")
    hidden = head.get_layer("head_hidden").output  # (n, units)
    place = keras.layers.Dense(PLACE_UNITS, activation="relu")(reverse(hidden))
    place = keras.layers.Dense(1, activation="sigmoid", name="place")(place)
    both = keras.Model(head.input, {"class": head.output, "place": place})
    classes = int(head.output_shape[-1])
    n, m = len(source), len(target)
    features = np.concatenate([source, target]).astype(np.float32)
    answers = {
        "class": np.concatenate(
            [np.eye(classes, dtype=np.float32)[labels], np.zeros((m, classes), np.float32)]
        ),
        "place": np.concatenate([np.zeros((n, 1)), np.ones((m, 1))]).astype(np.float32),
    }
    total = n + m
    weights = {
        "class": np.concatenate([np.full(n, total / n), np.zeros(m)]).astype(np.float32),
        "place": np.concatenate([np.full(n, total / n), np.full(m, total / m)]).astype(np.float32)
        / 2,
    }
    steps = math.ceil(total / BATCH)
    both.compile(
        FusedAdam(make_schedule(learning_rate, steps * EPOCHS)),
        loss={"class": "categorical_crossentropy", "place": "binary_crossentropy"},
        jit_compile=False,
    )
    fit_arrays(
        both,
        (features, answers, weights),
        batch_size=BATCH,
        epochs=EPOCHS,
        callbacks=[_Growing(monitor, reverse, strength)],
        rng=np.random.default_rng([seed, 3]),
    )
