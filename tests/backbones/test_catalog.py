"""The table of backbones: its rows are whole, and what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from translearn_core.backbones import BACKBONES, Backbone, get_backbone, image_size_for
from translearn_core.backbones.freezing import blocks_of
from translearn_core.backbones.weights import weights_status
from translearn_core.errors import SettingsError
from translearn_core.run_settings import Settings

SMALL = BACKBONES["mobilenet_v2_035"]
every_backbone = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda row: row.name)
pytestmark = pytest.mark.usefixtures("own_folders")


def test_imports_no_heavy_library() -> None:
    code = (
        "import sys; from translearn_core.backbones import default, freezing; "
        "freezing.freeze_choice(default.default_backbone(), -2); "
        "print({'tensorflow', 'keras', 'openvino', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_ranks_and_files_of_weights_are_their_own() -> None:
    ranks = [backbone.default_rank for backbone in BACKBONES.values()]
    assert len(set(ranks)) == len(ranks)
    files = [backbone.weight_file for backbone in BACKBONES.values()]
    assert len(set(files)) == len(files)


@every_backbone
def test_row_is_whole_and_agrees_with_its_graph(backbone: Backbone) -> None:
    graph = blocks_of(backbone)
    assert backbone.parameters == graph.parameters
    assert backbone.features == graph.blocks[-1].output[2]
    assert backbone.size_mb == pytest.approx(graph.parameters * 4e-6, abs=0.06)
    assert backbone.top1 is None or 0.5 < backbone.top1 < 0.9
    assert backbone.min_size <= backbone.input_size
    assert backbone.licence
    assert backbone.when.endswith(".")
    if backbone.packaged:
        assert not backbone.weight_url
        assert weights_status(backbone).state == "ready"
    elif backbone.distribution:
        assert not backbone.weight_url
    else:
        hosts = ("https://storage.googleapis.com/", "https://huggingface.co/")
        assert backbone.weight_url.startswith(hosts)
    assert len(backbone.weight_hash) in (0, 32, 64)


def test_unknown_backbone_is_named_with_a_guess() -> None:
    with pytest.raises(
        SettingsError, match=r"no backbone `mobilenetv2`.*Did you mean `mobilenet_v2"
    ):
        get_backbone("mobilenetv2")


def test_image_size() -> None:
    inception = BACKBONES["inception_v3"]
    assert image_size_for(inception, Settings()) == 299
    assert image_size_for(inception, Settings(image_size=75)) == 75
    with pytest.raises(SettingsError, match=r"`image_size` must be at least 75.*Received: 64"):
        image_size_for(inception, Settings(image_size=64))


def test_a_row_can_ship_its_weights_with_the_package() -> None:
    row = dataclasses.replace(SMALL, packaged=True, weight_file="blocks.json", weight_url="")
    assert weights_status(row).state == "ready"
