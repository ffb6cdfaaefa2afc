"""The values of settings in words.

Owns: the words for a setting's choices, and how shares, runs and data sets that a setting names are
written. Leaves to others: what the settings are (`translearn_core.config`), their widgets
(`training/settings_form.py`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from translearn_core import datasets
from translearn_core.config import home
from translearn_core.errors import RunError
from translearn_core.i18n import N_, _
from translearn_core.run_settings import setting_fields
from translearn_core.runs import Run
from translearn_ui.components import format, run_picker

CHOICES: dict[str, str] = {
    "imagenet": N_("What it knows (ImageNet)"),
    "random": N_("Nothing (random)"),
    "linear": N_("Simple (linear)"),
    "hidden": N_("One hidden layer"),
    "none": N_("Not at all"),
    "mirror": N_("Mirrored only"),
    "light": N_("A little"),
    "strong": N_("A lot"),
    "stretch": N_("Squeeze"),
    "crop": N_("Cut to the middle"),
    "pad": N_("Keep whole, with borders"),
    "cosine": N_("Up, then down (cosine)"),
    "constant": N_("Always the same"),
    "auto": N_("Automatic"),
    "batchnorm": N_("Measure anew (BatchNorm)"),
    "coral": N_("Recolour (CORAL)"),
    "dann": N_("Unlearn the place (DANN)"),
    "pseudo": N_("Trust sure guesses"),
    "fgsm": N_("Quick (FGSM)"),
    "pgd": N_("Thorough (PGD)"),
}
"""Words for the values of settings that are a choice."""


PERCENT = frozenset({"dropout", "label_smoothing", "validation_share", "test_share"})
"""Shares: shown as percentages."""


ZERO_IS_AUTOMATIC = frozenset({"image_size", "fine_tune_epochs"})
"""Numbers whose 0 stands for a value chosen by the app."""


def words_for(name: str, value: Any) -> str:
    """A setting's value as a person reads it."""
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if name in PERCENT:
        return format.percent(value)
    if isinstance(value, str):
        picks = extra_of(setting_fields()[name]).get("picks", "")
        named = _what_is_named(picks, value) if value else ""
        return named or _(CHOICES.get(value, value)) if value else _("none")
    if value == 0 and name in ZERO_IS_AUTOMATIC:
        return _("automatic (0)")
    return f"{value:g}"


def _what_is_named(picks: str, value: str) -> str:
    """The run or the photos that a setting names, in words; an empty text where there are none."""
    if picks == "run":
        run = Run(home() / "runs" / Path(value).name)
        with suppress(RunError):
            return run_picker.describe_run(run) if run.folder.is_dir() else ""
    if picks == "photos":
        sets = datasets.list_datasets()
        return next((one.name for one in sets if one.id == value), "")
    return ""


def extra_of(field: FieldInfo) -> dict[str, str]:
    """What the table of settings says of a field beside its type, as text."""
    extra = field.json_schema_extra
    return {str(k): str(v) for k, v in extra.items()} if isinstance(extra, dict) else {}
