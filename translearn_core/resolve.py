"""From what a person chose to what a run will do: the settings, checked against the data set.

Owns: `check_settings`, the one check that page, command line, search and worker make.
Leaves to others: the settings (`config.py`), the rules of techniques (`techniques.py`), blocks and
freezing (`freezing.py`). Imports nothing heavy.
"""

from __future__ import annotations

from translearn_core import backbones, datasets, freezing, recommendation, techniques
from translearn_core.config import Settings
from translearn_core.datasets import Dataset
from translearn_core.errors import WeightsError
from translearn_core.find import find_run
from translearn_core.techniques import Situation
from translearn_core.weights import weights_status


def check_settings(dataset: Dataset, settings: Settings) -> Settings:
    """The settings with the backbone filled in, once everything that can be refused was not."""
    datasets.check_ready(dataset)
    if settings.backbone:
        backbone = backbones.get_backbone(settings.backbone)
    else:
        name = techniques.required_backbone(settings)
        backbone = backbones.get_backbone(name) if name else recommendation.default_backbone()
        settings = settings.model_copy(update={"backbone": backbone.name})
    backbones.image_size_for(backbone, settings)
    choice = freezing.freeze_choice(backbone, settings.freeze, settings.freeze_layer)
    techniques.check(Situation(settings=settings, backbone=backbone, choice=choice))
    if settings.distill_from:
        techniques.check_same_classes(find_run(settings.distill_from), dataset.classes)
    if settings.weights == "imagenet":
        status = weights_status(backbone)
        if status.state != "ready":
            raise WeightsError(status.sentence)
    return settings
