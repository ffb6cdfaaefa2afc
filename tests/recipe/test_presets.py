"""Presets: every row is a set of allowed settings, and the article's walk-through runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.small_backbone import SMALL
from translearn_core import backbones, cli
from translearn_core.backbones import freezing
from translearn_core.graph.assembly import build_head, split_at
from translearn_core.graph.build import build_backbone
from translearn_core.recipe.presets import PRESETS
from translearn_core.recipe.resolve import resolve
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_is_allowed_and_differs_from_the_default(name: str) -> None:
    preset = PRESETS[name]
    settings = make_settings(dict(preset.settings))
    if settings.backbone:
        assert resolve(settings).settings == settings
    assert settings.changed()
    assert preset.title
    assert preset.sentence.endswith(".")


def test_the_articles_network_is_vgg16_with_1024_units_on_frozen_blocks() -> None:
    settings = make_settings(dict(PRESETS["article"].settings))
    backbone = backbones.get_backbone(settings.backbone)
    network = build_backbone(backbone, size=32, weights="random")
    prefix, suffix = split_at(network, freezing.freeze_choice(backbone, "all").cut_layer)
    head = build_head(backbone.features, 6, settings)
    assert suffix is None
    assert not prefix.trainable_weights
    assert [layer.units for layer in head.layers if hasattr(layer, "units")] == [1024, 6]


@pytest.mark.usefixtures("small_backbone")
def test_the_articles_preset_trains_evaluates_and_predicts(
    colour_photos: Path, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    options = ["--preset", "article", "--backbone", SMALL, "--set", "image_size=32"]
    assert (
        cli.main(["train", str(colour_photos), *options, "--run-dir", str(folder), "--json"]) == 0
    )
    metrics = json.loads(capsys.readouterr().out)
    settings = metrics["settings"]
    assert (settings["epochs"], settings["batch_size"], settings["schedule"]) == (
        10,
        32,
        "constant",
    )
    assert (metrics["epochs_run"], metrics["augmentation"]) == (10, "none")
    assert {epoch["learning_rate"] for epoch in Run(folder).epochs()} == {0.001}
    assert metrics["test_accuracy"] > 0.5
    photo = next(colour_photos.rglob("*.jpg"))
    assert cli.main(["predict", str(folder), str(photo), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["label"] in metrics["classes"]


def test_an_unknown_preset_is_refused_with_the_known_ones(
    colour_photos: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", str(colour_photos), "--preset", "paper"]) == 2
    assert "article" in capsys.readouterr().err
