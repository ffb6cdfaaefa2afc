"""The optimiser of Keras and its learning rate schedule (as numbers: `rates.py`)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from translearn_core.fitting.rates import END, START, WARMUP_PARTS


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam (Kingma & Ba 2015) whose step is one operation for each variable under TensorFlow.

    Keras writes it as a dozen, each of which walks through all weights: for a head with one
    hidden layer that takes longer than the gradients.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """See `keras.Optimizer.update_step`."""
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        place = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[place]),
            v=_handle(self._velocities[place]),
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )


def _handle(variable: Any) -> Any:
    """TensorFlow's handle of a Keras or TensorFlow variable."""
    return variable.handle if hasattr(variable, "handle") else variable.value.handle


def make_schedule(peak: float, steps: int, kind: str = "cosine") -> Any:
    """Warm-up over a twentieth of the steps to `peak`, then cosine decay to a hundredth of it.

    `constant` is `peak` throughout.
    """
    if kind == "constant":
        return peak
    warmup = max(1, steps // WARMUP_PARTS)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak * START,
        decay_steps=max(1, steps - warmup),
        alpha=END,
        warmup_target=peak,
        warmup_steps=warmup,
    )


def restart(optimizer: Any) -> None:
    """Make an optimiser forget what it has learned of gradients.

    In mixed precision Keras wraps it in another one, whose scale of the losses stays: it holds for
    the model, and with 0 every gradient would become NaN.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = optimizer.learning_rate
    for variable in optimizer.variables:
        if variable is not rate:
            variable.assign(keras.ops.zeros_like(variable))
