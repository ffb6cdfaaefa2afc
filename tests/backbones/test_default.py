"""Which backbone is the default here, and which stronger one could be fetched."""

from __future__ import annotations

import pytest

from translearn_core.backbones import BACKBONES
from translearn_core.backbones import weights as weight_files
from translearn_core.backbones.default import default_backbone, stronger_backbone
from translearn_core.backbones.weights import weights_path
from translearn_core.backbones.weights_folder import weights_folder
from translearn_core.errors import SettingsError

pytestmark = pytest.mark.usefixtures("own_folders")


def test_default_backbone_is_the_best_that_is_ready() -> None:
    assert default_backbone().name == "efficientnet_lite0"
    for name in ("vgg16", "mobilenet_v2_035", "mobilenet_v2"):
        weights_folder().mkdir(parents=True, exist_ok=True)
        weights_path(BACKBONES[name]).write_bytes(b"here")
    assert default_backbone().name == "mobilenet_v2"


def test_without_the_package_of_weights_the_default_is_the_one_of_our_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weight_files, "_in_distribution", lambda *_: None)
    assert default_backbone().name == "starter"


def test_the_configuration_may_name_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_DEFAULT_BACKBONE", "starter")
    assert default_backbone().name == "starter"
    monkeypatch.setenv("TRANSLEARN_DEFAULT_BACKBONE", "vgg16")  # its weights are not here
    assert default_backbone().name == "efficientnet_lite0"
    monkeypatch.setenv("TRANSLEARN_DEFAULT_BACKBONE", "startre")
    with pytest.raises(SettingsError, match="Did you mean `starter`"):
        default_backbone()


def test_a_stronger_backbone_is_named_where_it_can_be_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starter = BACKBONES["starter"]
    assert "MobileNetV2 can be downloaded" in stronger_backbone(starter)
    assert stronger_backbone(BACKBONES["mobilenet_v2"]) == ""
    assert stronger_backbone(BACKBONES["efficientnet_lite0"]) == ""  # a point is within the noise
    monkeypatch.setenv("TRANSLEARN_ALLOW_DOWNLOADS", "false")
    assert stronger_backbone(starter) == ""
