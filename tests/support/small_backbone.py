"""A backbone of 13 layers, for tests that train where the network is not what they are about.

Making, saving and reading the layers of `starter` takes most of the time of a tiny training.

Owns: its row of the table, its graph, its weights, the description of its blocks, its recorded graph, and
Keras' answers at `SIZES`, for which runs are saved without Keras; all made once for all processes of the
session. Processes that a test starts do not know the row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.session import made_once
from translearn_core.backbones import BACKBONES, Backbone
from translearn_core.backbones.freezing import described_graphs

SMALL = "small"
WIDTHS = (16, 48)
SIZES = (32, 64)
"""Sides of photos in pixels for which Keras' answers are known."""


def small_network(*, weights: str | None, include_top: bool, input_shape: Any) -> Any:
    """Called as the builders of `keras.applications` are: pixels in [-1, 1] -> `(n, h/8, w/8, 48)`.

    Its operations are of the kinds of `starter`'s: one unit, one with a way past it, one more.
    """
    import keras
    import numpy as np

    from translearn_core.graph.named_weights import assign_weights

    def unit(x: Any, width: int, stride: int, name: str) -> Any:
        x = keras.layers.Conv2D(
            width, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv",
            kernel_initializer="he_normal",
        )(x)  # fmt: skip
        return keras.layers.BatchNormalization(name=f"{name}_bn")(x)

    assert not include_top
    pixels = keras.Input(tuple(input_shape), name="pixels")
    first = keras.layers.ReLU(name="first_relu")(unit(pixels, WIDTHS[0], 4, "first"))
    past = keras.layers.Add(name="past_add")([first, unit(first, WIDTHS[0], 1, "past")])
    x = keras.layers.ReLU(name="past_relu")(past)
    x = keras.layers.ReLU(name="last_relu")(unit(x, WIDTHS[1], 2, "last"))
    model = keras.Model(pixels, x, name=SMALL)
    if weights is not None:
        with np.load(weights) as stored:
            assign_weights(model, dict(stored), Path(weights).name)
    return model


def _row(weights: Path) -> Backbone:
    return Backbone(
        name=SMALL,
        title="Small",
        builder=f"{__name__}:{small_network.__name__}",
        pixels="tf",
        input_size=64,
        min_size=16,
        parameters=9_936,
        features=WIDTHS[-1],
        top1=None,
        licence="Apache-2.0",
        when="For tests.",
        default_rank=1000,
        weight_file=str(weights),
        packaged=True,
        records=str(weights.parent),
    )


def _make(folder: Path) -> None:
    """The weights, with the random numbers of a seed, and what `translearn_core/data` holds of a row."""
    import keras
    import numpy as np

    from translearn_core.graph.build import build_backbone
    from translearn_core.graph.description import (
        RECORDED_AT,
        ask_keras,
        describe_backbone,
        record_graph,
        record_saved,
    )
    from translearn_core.graph.known_answers import FILE, name_of
    from translearn_core.graph.named_weights import weight_name

    keras.utils.set_random_seed(3)
    network = small_network(weights=None, include_top=False, input_shape=(64, 64, 3))
    arrays: dict[str, Any] = {
        weight_name(layer, weight): np.asarray(weight)
        for layer in network.layers
        for weight in layer.weights
    }
    np.savez(folder / "small.npz", **arrays)
    row = _row(folder / "small.npz")
    described = describe_backbone(row, network)
    (folder / "blocks.json").write_text(json.dumps(described), encoding="utf-8")
    networks = [build_backbone(row, size=row.input_size + more) for more in RECORDED_AT]
    record = record_graph(networks)
    assert record is not None
    record["saved"] = record_saved(networks, record)
    (folder / "graphs").mkdir()
    (folder / "graphs" / f"{SMALL}.json").write_text(json.dumps(record), encoding="utf-8")
    answers: Any = {name_of(row, size): ask_keras(row, size) for size in SIZES}
    np.savez(folder / FILE, **answers)


@contextmanager
def small_in_the_table() -> Iterator[Backbone]:
    """The row stands in the table, in this process, while the block runs."""
    folder = made_once("small-backbone", _make)
    row = _row(folder / "small.npz")
    described = json.loads((folder / "blocks.json").read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, SMALL, row)
        patch.setitem(described_graphs(), SMALL, described)
        yield row
