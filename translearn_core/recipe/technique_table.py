"""The table of techniques: ways to transfer more knowledge than plain training does.

Owns: `TECHNIQUES` (a technique is a row here): its names, its settings, its source, and the settings
that exclude it.
Leaves to others: the settings (`run_settings.py`), the check of a run's settings (`resolve.py`), the
computation (the room `techniques/`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from translearn_core.backbones.freezing import FreezeChoice
from translearn_core.i18n import N_, _
from translearn_core.run_settings import Settings, setting_fields

Chapter = Literal["knowledge", "place", "labels", "safety"]

CHAPTERS: dict[Chapter, str] = {
    "knowledge": N_("Build on other models"),
    "place": N_("Work in another domain"),
    "labels": N_("Make more of the labels"),
    "safety": N_("Resist manipulated photos"),
}
"""Purposes of the techniques, in the order shown."""


ATTACK_STEPS: dict[str, int] = {"none": 0, "fgsm": 1, "pgd": 5}
"""Value of `adversarial` -> gradient steps of the attack in each training step."""

LEAST_LABELLED = 25
"""So many photos of the target domain need labels for one in five of them to measure adaptation."""


def _no_obstacle(_settings: Settings, _freeze: FreezeChoice) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class TechniqueRow:
    """One row of the table."""

    name: str
    title: str
    """The plain name, on the pages."""
    term: str
    """The field's term."""
    plain: str
    """Two plain sentences: what it does, and when to use it."""
    chapter: Chapter
    settings: tuple[str, ...]
    """Its settings; the first one switches it on by differing from its default."""
    source: str
    """The paper or page that the method comes from."""
    link: str
    looks: bool = False
    """Whether it extracts further features before training, of other photos or by another model."""
    obstacle: Callable[[Settings, FreezeChoice], str] = _no_obstacle
    """Why it is excluded by the other settings; empty where it is not. Called also before it is
    switched on, to disable it on the page."""

    @property
    def switch(self) -> str:
        """The setting that switches it on."""
        return self.settings[0]

    def is_on(self, settings: Settings) -> bool:
        """Whether a run with `settings` uses it."""
        return bool(getattr(settings, self.switch) != setting_fields()[self.switch].default)


# ------------------------------------------------------------------------------ obstacles


def _needs_frozen(freeze: FreezeChoice) -> str:
    if freeze.all_frozen:
        return ""
    return _("It works on the features of a fully frozen backbone. Freeze all blocks.")


def _not_with_unlabelled(settings: Settings) -> str:
    if not settings.unlabelled:
        return ""
    return _("It does not go together with unlabelled photos. Choose one of the two.")


def _start_obstacle(settings: Settings, _freeze: FreezeChoice) -> str:
    if settings.weights == "random":
        return _(
            "A run that starts from random weights starts from no other run. Choose one of the two."
        )
    if settings.adapt_to:
        return _(
            "Domain adaptation begins from the backbone alone, not from a run. Choose one of the "
            "two."
        )
    return _not_with_unlabelled(settings)


def _adapt_obstacle(settings: Settings, freeze: FreezeChoice) -> str:
    if settings.unlabelled:
        return _(
            "Photos of a new domain and unlabelled photos of the same domain are two different "
            "tasks. Choose one of the two."
        )
    if settings.start_from:
        return _(
            "Domain adaptation begins from the backbone alone, not from a run. Choose one of the "
            "two."
        )
    if settings.distill_from:
        return _("Distillation and domain adaptation cannot be combined. Choose one of the two.")
    if settings.adversarial != "none":
        return _adversarial_or_adaptation()
    return _needs_frozen(freeze)


def _unlabelled_obstacle(settings: Settings, freeze: FreezeChoice) -> str:
    if settings.start_from or settings.distill_from:
        return _(
            "It does not go together with another run to start or to learn from. Choose one of the "
            "two."
        )
    if settings.adapt_to:
        return _(
            "Photos of a new domain and unlabelled photos of the same domain are two different "
            "tasks. Choose one of the two."
        )
    return _needs_frozen(freeze)


def _distill_obstacle(settings: Settings, _freeze: FreezeChoice) -> str:
    if settings.start_from:
        return _(
            "A run either starts from another one or learns from its answers. Choose one of the "
            "two."
        )
    if settings.adapt_to:
        return _("Distillation and domain adaptation cannot be combined. Choose one of the two.")
    return _not_with_unlabelled(settings)


def _cutmix_obstacle(settings: Settings, freeze: FreezeChoice) -> str:
    if freeze.all_frozen and settings.adversarial == "none":
        return _(
            "It pastes pieces of photos, but with all blocks frozen the head only sees averages "
            "over the whole photo. Unfreeze the last two blocks, or blend photos (MixUp) instead."
        )
    return ""


def _adversarial_or_adaptation() -> str:
    return _(
        "Adversarial training and domain adaptation cannot be combined. Choose one of the two."
    )


def _adversarial_obstacle(settings: Settings, _freeze: FreezeChoice) -> str:
    return _adversarial_or_adaptation() if settings.adapt_to else ""


# ------------------------------------------------------------------------------- the table

_ROWS = (
    TechniqueRow(
        name="start_from",
        title=N_("Start from a model of yours"),
        term=N_("warm start from a source domain"),
        plain=N_(
            "First train on many related photos, then continue with the few that matter, as far "
            "as the first ones help. Use it when a run on similar things exists and the new "
            "photos are few."
        ),
        chapter="knowledge",
        settings=("start_from",),
        source="Yosinski et al. 2014, How transferable are features in deep neural networks?",
        link="https://arxiv.org/abs/1411.1792",
        looks=True,
        obstacle=_start_obstacle,
    ),
    TechniqueRow(
        name="distill_from",
        title=N_("Learn from a stronger model"),
        term=N_("distillation, soft labels"),
        plain=N_(
            "A large model (the teacher) says how likely each class is for each photo, and a "
            "small, quick one (the student) learns these answers. Use it when the model has to be "
            "small; with a few hundred photos it has brought little."
        ),
        chapter="knowledge",
        settings=("distill_from",),
        source="Hinton, Vinyals & Dean 2015, Distilling the knowledge in a neural network",
        link="https://arxiv.org/abs/1503.02531",
        looks=True,
        obstacle=_distill_obstacle,
    ),
    TechniqueRow(
        name="adapt_to",
        title=N_("Adapt to a new domain"),
        term=N_("domain adaptation"),
        plain=N_(
            "The labelled photos come from one place (the source domain, say a studio), the model "
            "will work in another (the target domain, say a phone in the street): unlabelled "
            "photos from there let it adapt. Use it when new photos look different from the "
            "labelled ones."
        ),
        chapter="place",
        settings=("adapt_to", "adaptation"),
        source="Sun, Feng & Saenko 2016 (CORAL); Li et al. 2016 (AdaBN); Ganin et al. 2016 (DANN); "
        "Lee 2013 (pseudo-labels)",
        link="https://arxiv.org/abs/1511.05547",
        looks=True,
        obstacle=_adapt_obstacle,
    ),
    TechniqueRow(
        name="unlabelled",
        title=N_("Use unlabelled photos"),
        term=N_("self-training, pseudo-labels"),
        plain=N_(
            "It guesses the classes of unlabelled photos and learns from these guesses where that "
            "helps. Use it when labelling is expensive and unlabelled photos are plenty."
        ),
        chapter="labels",
        settings=("unlabelled",),
        source="Zhou et al. 2003, Learning with local and global consistency; Lee 2013, "
        "Pseudo-label",
        link="https://proceedings.neurips.cc/paper/2003/hash/"
        "87682805257e619d49b8e0dfdc14affa-Abstract.html",
        looks=True,
        obstacle=_unlabelled_obstacle,
    ),
    TechniqueRow(
        name="mixup",
        title=N_("Blend photos"),
        term=N_("MixUp, soft labels"),
        plain=N_(
            "It trains on blends of two photos whose label is a blend, too, so that the model "
            "gets less overconfident. Use it when the model is more confident than accurate; on "
            "few photos it seldom raises the accuracy."
        ),
        chapter="labels",
        settings=("mixup",),
        source="Zhang et al. 2018, mixup: Beyond empirical risk minimization; Verma et al. 2019, "
        "Manifold mixup",
        link="https://arxiv.org/abs/1710.09412",
    ),
    TechniqueRow(
        name="cutmix",
        title=N_("Paste pieces of photos"),
        term=N_("CutMix, soft labels"),
        plain=N_(
            "It trains on photos with a piece of another one pasted in, so that the model uses "
            "the whole object and not one detail. Use it when blocks of the backbone are trained, "
            "too."
        ),
        chapter="labels",
        settings=("cutmix",),
        source="Yun et al. 2019, CutMix: Regularization strategy to train strong classifiers",
        link="https://arxiv.org/abs/1905.04899",
        obstacle=_cutmix_obstacle,
    ),
    TechniqueRow(
        name="adversarial",
        title=N_("Adversarial training"),
        term=N_("FGSM, PGD"),
        plain=N_(
            "Somebody can change a photo so little that nobody sees it, and the model errs; "
            "training on such photos makes the model more robust. Use it when somebody gains from "
            "fooling the model; it is slow, and works best with some blocks unfrozen."
        ),
        chapter="safety",
        settings=("adversarial", "strength"),
        source="Goodfellow et al. 2015 (FGSM); Madry et al. 2018 (PGD); Wong et al. 2020, Fast is "
        "better than free",
        link="https://arxiv.org/abs/2001.03994",
        looks=True,
        obstacle=_adversarial_obstacle,
    ),
)
TECHNIQUES: dict[str, TechniqueRow] = {row.name: row for row in _ROWS}


def in_use(settings: Settings) -> list[TechniqueRow]:
    """The techniques that a run with `settings` uses."""
    return [row for row in _ROWS if row.is_on(settings)]


def plain_settings(settings: Settings) -> Settings:
    """`settings` without any technique: the plain run that the comparison is made with."""
    fields = setting_fields()
    names = [name for row in _ROWS for name in row.settings] + ["compare_plain"]
    return settings.model_copy(update={name: fields[name].default for name in names})
