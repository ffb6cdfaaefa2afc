"""Heads that are kept to learn in the place of others of their shape, since they have their graphs.

Owns: which heads are of one shape, the kept ones (a few in a process), and handing weights over.
Leaves to others: making the graphs and fitting (`fit.py`).

To trace the graphs of a small head takes longer than it learns. The first head of a shape has graphs of its
own; where another one comes, as in every fold and trial of a search, a copy of it is made that learns for all
that follow: it takes over a head's weights and the state of its dropout, and hands them back.
"""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from translearn_core.run_settings import Settings

MOST_KEPT = 4
"""Shapes that are known, each with one head at most: three times its weights in memory."""

Shape = tuple[Any, ...]

_lock = threading.Lock()
_kept: OrderedDict[Shape, Any] = OrderedDict()
"""Each shape with a head that is free, or None where there is none yet or it is learning."""


def shape_of(head: Any, settings: Settings) -> Shape | None:
    """What the graphs of a head hang on; None where it is none of `build_head`, or in mixed precision."""
    layers = head.layers
    names = [layer.name for layer in layers if layer.name.startswith("head_")]
    known = ["head_dropout"], ["head_dropout", "head_hidden", "head_hidden_dropout"]
    if head.name != "head" or names not in known or len(layers) != len(names) + 2:
        return None
    if any(layer.dtype_policy.name != "float32" or not layer.trainable for layer in layers[1:]):
        return None
    widths = tuple(int(layer.output.shape[-1]) for layer in layers)
    rates = tuple(layer.rate for layer in layers if layer.name.endswith("dropout"))
    return widths, rates, settings.label_smoothing


def note(shape: Shape | None) -> bool:
    """Note that a head of this shape is fitted; whether one was before."""
    if shape is None:
        return False
    with _lock:
        known = shape in _kept
        _kept.setdefault(shape, None)
        _kept.move_to_end(shape)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return known


@contextmanager
def borrowed(shape: Shape, head: Any) -> Iterator[Any]:
    """A head that learns in the place of `head`, which has its weights afterwards.

    One within which something is raised is not used again, and `head` stays as it was.
    """
    with _lock:
        learner = _kept.get(shape)
        if learner is not None:
            _kept[shape] = None
    learner = learner or copy_of(head)
    _hand_over(head, learner)
    yield learner
    _hand_over(learner, head)
    keep(shape, learner)


def keep(shape: Shape, learner: Any) -> None:
    """Let a head that nobody else has learn for others of its shape."""
    with _lock:
        if shape in _kept:
            _kept[shape] = learner


def has_one(shape: Shape) -> bool:
    """Whether a head is free for this shape."""
    with _lock:
        return _kept.get(shape) is not None


def copy_of(head: Any) -> Any:
    """A head of the same shape; whatever is drawn by chance next is drawn as if there were none."""
    import keras

    state = random.getstate()  # seeds of new layers are drawn from it
    try:
        return keras.models.clone_model(head)
    finally:
        random.setstate(state)


def _hand_over(one: Any, other: Any) -> None:
    """Give one head the weights of another, and where its dropout draws on."""
    other.set_weights(one.get_weights())
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        generator = getattr(mine, "seed_generator", None)
        if generator is not None:
            theirs.seed_generator.state.assign(generator.state)
