"""How TensorFlow makes the variables of a network.

Owns: their one name in TensorFlow. Leaves to others: the networks, and what Keras calls weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAME = "weight"


@contextmanager
def made_quickly() -> Iterator[None]:
    """Within it, TensorFlow gives all variables that this thread makes one name.

    It prepares, and keeps for good, an operation for every other name: up to half of the time that
    making a layer takes. Keras has names of its own, which are those in files.
    """
    import tensorflow as tf

    with tf.variable_creator_scope(_named_alike):
        yield


def _named_alike(make: Callable[..., Any], **settings: Any) -> Any:
    return make(**settings | {"name": f"{NAME}/"})  # with a slash: no scope's name comes before
