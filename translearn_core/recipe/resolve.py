"""Resolves the settings of a run.

Owns: `resolve`, the only place where defaults are filled in and combinations of settings are
refused. Page, command line, search, submission and worker call it. `fill_in` is its part without
the checks of techniques, for a page whose settings are still being edited.
Leaves to others: the settings (`run_settings.py`), the rules of techniques (`technique_table.py`), blocks and
freezing (`backbones/freezing.py`). Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from translearn_core import backbones, datasets
from translearn_core.backbones import Backbone, default, freezing
from translearn_core.backbones.freezing import FreezeChoice
from translearn_core.backbones.weights import weights_status
from translearn_core.datasets import Dataset
from translearn_core.datasets.aspect_ratios import FitChoice, choose_fit
from translearn_core.errors import SettingsError, WeightsError
from translearn_core.i18n import _
from translearn_core.imaging import augment
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.recipe.technique_table import TechniqueRow, in_use
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_core.runs.annotations import display_name
from translearn_core.runs.find import find_run


@dataclass(frozen=True, kw_only=True)
class ResolvedSettings:
    """Settings with all defaults filled in, for one data set.

    Attributes:
        settings: as given, with the backbone filled in.
        freeze: which blocks are frozen.
        image_size: side of the model's input, in pixels.
        augmentation: augmentation policy; None while "auto" needs the data set.
        fit_choice: how photos become squares, and why; None while the data set is not known.
        techniques: rows of the table that are in use.
    """

    settings: Settings
    backbone: Backbone
    freeze: FreezeChoice
    image_size: int
    augmentation: AugmentationPolicy | None
    fit_choice: FitChoice | None
    techniques: tuple[TechniqueRow, ...]


def resolve(settings: Settings, dataset: Dataset | None = None) -> ResolvedSettings:
    """Fill in and check the settings of a run.

    Args:
        dataset: the training data. Without one only the settings themselves are checked, and not
            whether the weights are on this machine, since they may still be downloaded.

    Raises:
        SettingsError: settings do not fit each other, the backbone or the classes.
        RunError: a named run is missing, unfinished, or does not fit.
        SourceError: the data set cannot be trained, or named photos are missing.
        WeightsError: the backbone's weights are not on this machine.
    """
    if dataset is not None:
        datasets.check_ready(dataset)
    resolved = fill_in(settings)
    _check_techniques(resolved)
    if dataset is None:
        return resolved
    if settings.distill_from:
        check_same_classes(find_run(settings.distill_from), dataset.classes)
    if settings.weights == "imagenet":
        status = weights_status(resolved.backbone)
        if status.state != "ready":
            raise WeightsError(status.sentence)
    augmentation = augment.resolve_policy(
        settings.augmentation, photos=len(dataset.photos), classes=len(dataset.classes)
    )
    return replace(
        resolved, augmentation=augmentation, fit_choice=choose_fit(settings.fit, dataset)
    )


def fill_in(settings: Settings) -> ResolvedSettings:
    """Fill in what the settings leave open, without checking their techniques.

    Raises:
        SettingsError: a value does not fit the backbone.
        RunError: the run to start from is missing, and with it the backbone.
    """
    name = settings.backbone or _required_backbone(settings)
    backbone = backbones.get_backbone(name) if name else default.default_backbone()
    settings = settings.model_copy(update={"backbone": backbone.name})
    return ResolvedSettings(
        settings=settings,
        backbone=backbone,
        freeze=freezing.freeze_choice(backbone, settings.freeze, settings.freeze_layer),
        image_size=backbones.image_size_for(backbone, settings),
        augmentation=None if settings.augmentation == "auto" else settings.augmentation,
        fit_choice=None,
        techniques=tuple(in_use(settings)),
    )


def _required_backbone(settings: Settings) -> str:
    """The backbone of the run to start from; empty without one."""
    return find_run(settings.start_from).config.settings.backbone if settings.start_from else ""


def _check_techniques(resolved: ResolvedSettings) -> None:
    """Refuse techniques that do not fit the other settings, or name missing runs or photos."""
    settings = resolved.settings
    for row in resolved.techniques:
        why = row.obstacle(settings, resolved.freeze)
        if why:
            raise SettingsError(_("{technique}: {why}").format(technique=_(row.title), why=why))
    if settings.start_from:
        _check_same_backbone(find_run(settings.start_from), resolved.backbone)
    if settings.distill_from:
        find_run(settings.distill_from)
    for named in (settings.adapt_to, settings.unlabelled):
        if named:
            datasets.find_unlabelled(named)


def _check_same_backbone(run: Run, backbone: Backbone) -> None:
    theirs = run.config.settings.backbone
    if theirs != backbone.name:
        title = backbones.BACKBONES[theirs].title if theirs in backbones.BACKBONES else theirs
        raise SettingsError(
            _(
                "The run “{run}” is built on {theirs}, this one on {ours}. Choose the backbone "
                "{theirs}, or another run to start from."
            ).format(run=display_name(run), theirs=title or "?", ours=backbone.title)
        )


def check_same_classes(teacher: Run, classes: Sequence[str]) -> None:
    """Refuse a teacher run with other classes.

    Raises:
        SettingsError: the classes differ.
    """
    if set(teacher.labels) != set(classes):
        raise SettingsError(
            _(
                "The run “{run}” knows other classes ({theirs}) than these photos have ({ours}). "
                "Choose a run on the same classes."
            ).format(
                run=display_name(teacher), theirs=", ".join(teacher.labels), ours=", ".join(classes)
            )
        )
