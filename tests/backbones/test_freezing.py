"""Blocks, cut points and the freeze choice, from the package's own data: without TensorFlow."""

from __future__ import annotations

import pytest

from translearn_core.backbones import BACKBONES, Backbone
from translearn_core.backbones.freezing import blocks_of, freeze_choice
from translearn_core.errors import SettingsError

CUTS_AND_LAYERS = {
    "starter": (21, 37),
    "mobilenet_v2_035": (73, 154),
    "mobilenet_v2": (73, 154),
    "mobilenet_v3_small": (58, 157),
    "mobilenet_v3_large": (64, 187),
    "efficientnet_b0": (82, 237),
    "efficientnet_v2_b0": (63, 270),
    "efficientnet_v2_s": (79, 513),
    "resnet50": (38, 175),
    "resnet50_v2": (30, 190),
    "vgg16": (18, 19),
    "vgg19": (21, 22),
    "densenet121": (78, 427),
    "inception_v3": (28, 311),
    "xception": (24, 132),
    "convnext_tiny": (24, 133),
    "nasnet_mobile": (4, 769),
}
BLOCKS = {
    "starter": 8,
    "mobilenet_v2_035": 19,
    "mobilenet_v2": 19,
    "mobilenet_v3_small": 13,
    "mobilenet_v3_large": 17,
    "efficientnet_b0": 18,
    "efficientnet_v2_b0": 23,
    "efficientnet_v2_s": 42,
    "resnet50": 17,
    "resnet50_v2": 17,
    "vgg16": 5,
    "vgg19": 5,
    "densenet121": 8,
    "inception_v3": 13,
    "xception": 14,
    "convnext_tiny": 22,
    "nasnet_mobile": 2,
}
SMALL = BACKBONES["mobilenet_v2_035"]
every_backbone = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda row: row.name)


def test_the_promised_backbones_are_here() -> None:
    assert set(BACKBONES) >= set(CUTS_AND_LAYERS)


@pytest.mark.parametrize("name", CUTS_AND_LAYERS)
def test_cut_points_and_blocks_are_as_counted(name: str) -> None:
    graph = blocks_of(BACKBONES[name])
    assert (len(graph.cuts), graph.layers) == CUTS_AND_LAYERS[name]
    assert len(graph.blocks) == BLOCKS[name]


@every_backbone
def test_blocks_add_up_and_end_in_cut_points(backbone: Backbone) -> None:
    graph = blocks_of(backbone)
    assert sum(block.layers for block in graph.blocks) == graph.layers
    assert sum(block.parameters for block in graph.blocks) == graph.parameters
    assert sum(block.macs for block in graph.blocks) == graph.macs
    assert all(block.macs > 0 and block.parameters > 0 for block in graph.blocks)
    cut_names = {graph.names[cut] for cut in graph.cuts}
    assert {block.end_layer for block in graph.blocks} <= cut_names
    assert len({block.title for block in graph.blocks}) == len(graph.blocks)


@every_backbone
def test_every_step_of_the_freeze_control(backbone: Backbone) -> None:
    count = len(blocks_of(backbone).blocks)
    steps = [freeze_choice(backbone, frozen) for frozen in range(count + 1)]
    assert [step.frozen_blocks for step in steps] == list(range(count + 1))
    layers = [step.frozen_layers for step in steps]
    trainable = [step.trainable_weights for step in steps]
    assert layers == sorted(set(layers))
    assert trainable == sorted(trainable, reverse=True)
    assert steps[0] == freeze_choice(backbone, "none")
    assert steps[-1] == freeze_choice(backbone, "all")
    assert steps[0].cut_layer is None
    assert steps[0].frozen_layers == 0
    assert steps[-1].all_frozen
    assert steps[-1].trainable_weights == 0
    for last in range(1, count + 1):
        assert freeze_choice(backbone, -last) == steps[count - last]


@pytest.mark.parametrize("freeze", [20, 42, -20])
def test_freeze_out_of_range(freeze: int) -> None:
    with pytest.raises(SettingsError) as caught:
        freeze_choice(SMALL, freeze)
    assert "`freeze` must be between 0 and 19 blocks" in caught.value.message
    assert f"Received: {freeze}. Choose 19 to train the head only." in caught.value.message


def test_freeze_layer_snaps_to_a_cut_point_and_says_so() -> None:
    at_cut = freeze_choice(SMALL, "all", "block_7_add")
    assert (at_cut.cut_layer, at_cut.note) == ("block_7_add", "")
    assert at_cut == freeze_choice(SMALL, 9)
    inside = freeze_choice(SMALL, "all", "block_7_depthwise")
    assert inside.cut_layer == "block_6_project_BN"
    assert "block_7_depthwise" in inside.note
    assert "block_6_project_BN" in inside.note


def test_freeze_layer_before_every_cut_point_freezes_nothing() -> None:
    choice = freeze_choice(SMALL, "all", "photo")
    assert choice.cut_layer is None
    assert "nothing is frozen" in choice.note


def test_unknown_freeze_layer_is_answered_with_close_names() -> None:
    with pytest.raises(SettingsError, match="Did you mean `block_7_add`"):
        freeze_choice(SMALL, "all", "block7_add")
