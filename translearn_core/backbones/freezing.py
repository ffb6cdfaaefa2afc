"""The blocks of a backbone, and how many of them stay frozen.

Owns: what is known about each backbone's graph without building it, read from
`data/blocks.json` (made by `scripts/make_blocks`), and the freeze choice.
Leaves to others: which backbones there are (`catalog.py`), finding blocks and cut points in a
graph and cutting it (`graph/`).

Imports no TensorFlow and no Keras: the web process shows all of this.
Units: `parameters` and `macs` (multiply-accumulate operations for one photo at the native size)
are counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from translearn_core.backbones.catalog import Backbone, did_you_mean
from translearn_core.errors import SettingsError
from translearn_core.i18n import _, ngettext


@dataclass(frozen=True)
class Block:
    """A block of a backbone: one step of the freeze control."""

    title: str
    end_layer: str
    """Its last layer (or bare operation), a cut point."""
    layers: int
    parameters: int
    macs: int
    """Multiply-accumulate operations for one photo at the native size."""
    output: tuple[int, int, int]
    """Height, width and channels of its output, at the native size."""


@dataclass(frozen=True)
class BackboneGraph:
    """What is known about a backbone's graph without building it."""

    blocks: tuple[Block, ...]
    layers: int
    """Layers without the top, the input included, as Keras counts them."""
    parameters: int
    macs: int
    names: tuple[str, ...]
    """All operations in topological order."""
    cuts: tuple[int, ...]
    """Positions in `names` where the graph can be cut; the last one is the output."""
    layers_up_to: tuple[int, ...]
    """For each cut: layers up to it, itself included."""
    trainable_after: tuple[int, ...]
    """For each cut: trainable weights after it when all of that is unfrozen."""
    macs_up_to: tuple[int, ...]
    """For each cut: multiply-accumulate operations up to it."""
    trainable: int
    """Trainable weights when nothing is frozen (BatchNormalization stays frozen)."""


@dataclass(frozen=True)
class FreezeChoice:
    """What stays frozen: blocks, layers, cut point."""

    frozen_blocks: int
    """Whole frozen blocks."""
    blocks: int
    cut_layer: str | None
    """The last frozen layer; None: nothing is frozen."""
    frozen_layers: int
    total_layers: int
    trainable_weights: int
    """Trainable weights of the backbone, without the head."""
    note: str = ""
    """How the choice was interpreted, as a sentence for the user."""

    @property
    def all_frozen(self) -> bool:
        """Whether only the head is trained."""
        return self.frozen_layers == self.total_layers


@lru_cache(maxsize=1)
def described_graphs() -> dict[str, Any]:
    """What the package's data says of each backbone's graph, by name; read once."""
    file = resources.files("translearn_core").joinpath("data/blocks.json")
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    backbones: dict[str, Any] = content["backbones"]
    return backbones


@lru_cache(maxsize=64)
def blocks_of(backbone: Backbone) -> BackboneGraph:
    """The blocks, cut points and totals of a backbone, from the package's own data."""
    entry = described_graphs()[backbone.name]
    blocks = tuple(
        Block(**(block | {"output": tuple(block["output"])})) for block in entry["blocks"]
    )
    return BackboneGraph(
        blocks=blocks,
        layers=entry["layers"],
        parameters=entry["parameters"],
        macs=entry["macs"],
        names=tuple(entry["names"].split()),
        cuts=tuple(entry["cuts"]),
        layers_up_to=tuple(entry["layers_up_to"]),
        trainable_after=tuple(entry["trainable_after"]),
        macs_up_to=tuple(entry["macs_up_to"]),
        trainable=entry["trainable"],
    )


def freeze_choice(
    backbone: Backbone, freeze: int | Literal["all", "none"], freeze_layer: str = ""
) -> FreezeChoice:
    """What `freeze` (blocks) or `freeze_layer` (a name) means for this backbone.

    Args:
        freeze: the first N blocks, a negative N to leave the last N trainable, `all`, `none`.
        freeze_layer: name of the last frozen layer; snaps to the nearest cut point at or before
            it, and overrides `freeze` where it is not empty.

    Raises:
        SettingsError: N is out of range, or there is no such layer.
    """
    graph = blocks_of(backbone)
    if freeze_layer:
        return _freeze_up_to(backbone, graph, freeze_layer)
    count = len(graph.blocks)
    if freeze == "all":
        return _choice(graph, len(graph.cuts) - 1)
    if freeze == "none":
        return _choice(graph, None)
    if not -count <= freeze <= count:
        raise SettingsError(
            ngettext(
                "`freeze` must be between 0 and {count} block, or below 0 to leave that many of "
                "the last ones trainable. Received: {received}. Choose {count} to train the head "
                "only.",
                "`freeze` must be between 0 and {count} blocks, or between -{count} and -1 to "
                "leave that many of the last ones trainable. Received: {received}. Choose "
                "{count} to train the head only.",
                count,
            ).format(count=count, received=freeze)
        )
    frozen = freeze if freeze >= 0 else count + freeze
    if frozen == 0:
        return _choice(graph, None)
    end = graph.names.index(graph.blocks[frozen - 1].end_layer)
    return _choice(graph, graph.cuts.index(end))


def _choice(graph: BackboneGraph, cut: int | None, note: str = "") -> FreezeChoice:
    """The choice to freeze up to the cut with index `cut`, or nothing."""
    if cut is None:
        return FreezeChoice(0, len(graph.blocks), None, 0, graph.layers, graph.trainable, note)
    position = graph.cuts[cut]
    ends = [graph.names.index(block.end_layer) for block in graph.blocks]
    return FreezeChoice(
        frozen_blocks=sum(end <= position for end in ends),
        blocks=len(graph.blocks),
        cut_layer=graph.names[position],
        frozen_layers=graph.layers_up_to[cut],
        total_layers=graph.layers,
        trainable_weights=graph.trainable_after[cut],
        note=note,
    )


def _freeze_up_to(backbone: Backbone, graph: BackboneGraph, layer: str) -> FreezeChoice:
    if layer not in graph.names:
        raise SettingsError(
            _("{title} has no layer `{layer}`.{guess} Its blocks end in: {names}.").format(
                title=backbone.title,
                layer=layer,
                guess=did_you_mean(layer, list(graph.names)),
                names=", ".join(block.end_layer for block in graph.blocks),
            )
        )
    position = graph.names.index(layer)
    possible = [index for index, cut in enumerate(graph.cuts) if cut <= position]
    if not possible:
        note = _("Before `{layer}` and at it {title} cannot be cut, so nothing is frozen.").format(
            layer=layer, title=backbone.title
        )
        return _choice(graph, None, note)
    nearest = graph.names[graph.cuts[possible[-1]]]
    note = ""
    if nearest != layer:
        note = _(
            "The network cannot be cut at `{layer}`, because other paths run beside it; it is "
            "frozen up to `{nearest}`, the nearest place before."
        ).format(layer=layer, nearest=nearest)
    return _choice(graph, possible[-1], note)
