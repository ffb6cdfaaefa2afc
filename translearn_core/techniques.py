"""The table of techniques: ways to carry more knowledge over than plain training does.

Owns: `TECHNIQUES` (a technique is a row here): its words, what switches it on, where it comes
from, and when it makes no sense.
Leaves to others: the settings themselves (`config.py`), the check of a run's settings
(`resolve.py`) and the doing (`adaptation.py`, `selftraining.py`, `distillation.py`,
`carryover.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from translearn_core.config import Settings, setting_fields
from translearn_core.freezing import FreezeChoice
from translearn_core.texts import N_, _

Chapter = Literal["knowledge", "place", "labels", "safety"]

CHAPTERS: dict[Chapter, str] = {
    "knowledge": N_("Build on what was learned before"),
    "place": N_("Work in another place"),
    "labels": N_("Make more of the labels"),
    "safety": N_("Stand up to tampering"),
}
"""What the techniques are for, in the order in which a person meets them."""


ATTACK_STEPS: dict[str, int] = {"none": 0, "fgsm": 1, "pgd": 5}
"""Gradients that the attack of one step of adversarial training takes, by the setting."""


def _no_obstacle(_settings: Settings, _freeze: FreezeChoice) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class TechniqueRow:
    """One row of the table."""

    name: str
    title: str
    """What a person calls it."""
    term: str
    """What the field calls it."""
    plain: str
    """Two plain sentences: what it does, and when to take it."""
    chapter: Chapter
    settings: tuple[str, ...]
    """Its settings; the first one switches it on by differing from its default."""
    source: str
    """The paper or page that the method comes from."""
    link: str
    looks: bool = False
    """Whether it looks at more photos, or at the same ones with another model, before learning."""
    obstacle: Callable[[Settings, FreezeChoice], str] = _no_obstacle
    """Why it makes no sense with the other settings; an empty text where it does. Asked also
    before it is switched on, to grey it out."""

    @property
    def switch(self) -> str:
        """The setting that switches it on."""
        return self.settings[0]

    def is_on(self, settings: Settings) -> bool:
        """Whether a run with `settings` uses it."""
        return bool(getattr(settings, self.switch) != setting_fields()[self.switch].default)


# ------------------------------------------------------------------- when it makes no sense


def _needs_frozen(freeze: FreezeChoice) -> str:
    if freeze.all_frozen:
        return ""
    return _("It works on what a wholly frozen backbone sees. Freeze all blocks.")


def _no_unsorted(settings: Settings) -> str:
    if not settings.unlabelled:
        return ""
    return _("It does not go together with photos that nobody sorted. Choose one of the two.")


def _start_obstacle(settings: Settings, _freeze: FreezeChoice) -> str:
    if settings.weights == "random":
        return _(
            "A run that starts from random weights starts from no other run. Choose one of the two."
        )
    if settings.adapt_to:
        return _(
            "Getting used to a new place begins from the bare backbone, not from a run. Choose one "
            "of the two."
        )
    return _no_unsorted(settings)


def _adapt_obstacle(settings: Settings, freeze: FreezeChoice) -> str:
    if settings.unlabelled:
        return _(
            "Photos of a new place and unsorted photos of the same place are two different tasks. "
            "Choose one of the two."
        )
    if settings.start_from:
        return _(
            "Getting used to a new place begins from the bare backbone, not from a run. Choose one "
            "of the two."
        )
    if settings.distill_from:
        return _(
            "A model cannot answer like another one and get used to a new place at once. Choose one "
            "of the two."
        )
    if settings.adversarial != "none":
        return _tricks_or_place()
    return _needs_frozen(freeze)


def _unlabelled_obstacle(settings: Settings, freeze: FreezeChoice) -> str:
    if settings.start_from or settings.distill_from:
        return _(
            "It does not go together with another run to start or to learn from. Choose one of the "
            "two."
        )
    if settings.adapt_to:
        return _(
            "Photos of a new place and unsorted photos of the same place are two different tasks. "
            "Choose one of the two."
        )
    return _needs_frozen(freeze)


def _distill_obstacle(settings: Settings, _freeze: FreezeChoice) -> str:
    if settings.start_from:
        return _(
            "A run either starts from another one or learns to answer like one. Choose one of the "
            "two."
        )
    if settings.adapt_to:
        return _(
            "A model cannot answer like another one and get used to a new place at once. Choose one "
            "of the two."
        )
    return _no_unsorted(settings)


def _cutmix_obstacle(settings: Settings, freeze: FreezeChoice) -> str:
    if freeze.all_frozen and settings.adversarial == "none":
        return _(
            "It pastes pieces of photos, but with all blocks frozen only averages over the whole "
            "photo are learned from. Free the last two blocks, or blend photos (MixUp) instead."
        )
    return ""


def _tricks_or_place() -> str:
    return _(
        "Withstanding tricks and getting used to a new place cannot be learned at once. Choose one "
        "of the two."
    )


def _adversarial_obstacle(settings: Settings, _freeze: FreezeChoice) -> str:
    return _tricks_or_place() if settings.adapt_to else ""


# ------------------------------------------------------------------------------- the table

_ROWS = (
    TechniqueRow(
        name="start_from",
        title=N_("Start from a model of yours"),
        term=N_("source-domain learning"),
        plain=N_(
            "First learn on many related photos, then move on to the few that matter, from what "
            "was learned there, as far as it helps. Take it when a run on similar things is at hand "
            "and the new photos are few."
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
            "A large model says how likely it finds each class for each photo, and a small, quick "
            "one learns to answer like it. Take it when the model has to be small; with a few "
            "hundred photos it has brought little."
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
        title=N_("Get used to a new place"),
        term=N_("domain adaptation"),
        plain=N_(
            "The photos you sorted come from one place (a studio), the model will work in another "
            "(a phone in the street): unsorted photos from there let it get used to it. Take it "
            "when new photos look different from the sorted ones."
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
        title=N_("Use photos that nobody sorted"),
        term=N_("self-training, pseudo-labels"),
        plain=N_(
            "It guesses the classes of unsorted photos and learns from the guesses that hold. Take "
            "it when sorting is the expensive part and unsorted photos are plenty."
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
            "It learns from blends of two photos whose answer is a blend, too, so that it does not "
            "get too sure. Take it when the model is surer than it is right; on few photos it "
            "seldom makes it right more often."
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
            "It learns from photos with a piece of another one pasted in, so that it looks at the "
            "whole thing and not at one detail. Take it when blocks of the backbone learn, too."
        ),
        chapter="labels",
        settings=("cutmix",),
        source="Yun et al. 2019, CutMix: Regularization strategy to train strong classifiers",
        link="https://arxiv.org/abs/1905.04899",
        obstacle=_cutmix_obstacle,
    ),
    TechniqueRow(
        name="adversarial",
        title=N_("Withstand trick photos"),
        term=N_("adversarial training: FGSM, PGD"),
        plain=N_(
            "Somebody can change a photo so little that nobody sees it, and the model errs; it "
            "learns from such photos until it withstands them better. Take it when somebody gains "
            "from fooling it; it is slow, and best with some blocks free."
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
