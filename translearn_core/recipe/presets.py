"""Presets: named sets of settings.

Owns: the table of presets. A preset is a row; page, command line and docs read it.
Leaves to others: the settings (`run_settings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from translearn_core.errors import SettingsError
from translearn_core.i18n import N_, _


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of settings; `settings` holds only those that differ from the defaults."""

    name: str
    title: str
    sentence: str
    settings: Mapping[str, Any]


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="article",
            title=N_("VGG16 baseline"),
            sentence=N_(
                "The classic recipe of many tutorials: VGG16 frozen, one hidden layer of 1024 "
                "units, ten epochs of Adam at 0.001 in batches of 32, and nothing else. Good for "
                "lessons and comparison; the default is quicker and more accurate."
            ),
            settings={
                "backbone": "vgg16",
                "freeze": "all",
                "head": "hidden",
                "hidden_units": 1024,
                "dropout": 0.0,
                "epochs": 10,
                "learning_rate": 1e-3,
                "schedule": "constant",
                "batch_size": 32,
                "large_batches": False,
                "label_smoothing": 0.0,
                "class_weighting": False,
                "early_stopping": False,
                "refit": False,
                "augmentation": "none",
            },
        ),
        Preset(
            name="quick",
            title=N_("Quick baseline"),
            sentence=N_(
                "A linear head on photos without augmentation, ten epochs: an answer within "
                "seconds, a few points below the default."
            ),
            settings={
                "head": "linear",
                "epochs": 10,
                "augmentation": "none",
            },
        ),
    )
}


def get_preset(name: str) -> Preset:
    """A row of the table.

    Raises:
        SettingsError: there is no such preset; the message lists the names.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise SettingsError(
            _("There is no preset `{name}`. The presets are: {names}.").format(
                name=name, names=", ".join(PRESETS)
            )
        ) from None
