"""What a press of *Train* will do, in one sentence, and how long it takes.

Leaves to others: the split itself (`datasets/split.py`), measuring (`speed.py`).
"""

from __future__ import annotations

import math

import streamlit as st

from translearn_core import backbones, jobs
from translearn_core.backbones import freezing
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.features import costs
from translearn_core.i18n import _
from translearn_core.run_settings import Settings
from translearn_ui.components import format
from translearn_ui.training import speed


def show(dataset: Dataset, settings: Settings) -> None:
    """The sentence, with the time as soon as that is known."""
    if speed.is_coming(backbones.get_backbone(settings.backbone)):
        _await(dataset, settings)
    else:
        _show(dataset, settings)


@st.fragment(run_every=1.0)
def _await(dataset: Dataset, settings: Settings) -> None:
    if not jobs.is_measuring(settings.backbone):
        st.rerun()
    _show(dataset, settings)


def _show(dataset: Dataset, settings: Settings) -> None:
    train, val, test = parts(dataset, settings)
    words = _(
        "The model learns your {classes} classes from about {train:,} photos. {val:,} others decide "
        "when to stop (validation), and {test:,} more, which it has never seen, test it at the end."
    ).format(classes=len(dataset.classes), train=train, val=val, test=test)
    st.markdown(f"{words} {_time_words(settings, n_photos=train + val + test, n_train=train)}")


def parts(dataset: Dataset, settings: Settings) -> tuple[int, int, int]:
    """About how many photos are for training, validation and test; given ones are counted."""
    given = dataset.photos["split"]
    n = len(given)
    n_val, n_test = int((given == "val").sum()), int((given == "test").sum())
    free = n - n_val - n_test
    test = n_test or round(free * settings.test_share)
    val = n_val or round(free * settings.validation_share)
    return n - val - test, val, test


def _time_words(settings: Settings, *, n_photos: int, n_train: int) -> str:
    """How long it takes on this computer, at most; empty while nobody knows."""
    try:
        backbone = backbones.get_backbone(settings.backbone)
        choice = freezing.freeze_choice(backbone, settings.freeze, settings.freeze_layer)
    except TransLearnError:
        return ""
    expected_s = costs.expected_run_s(
        backbone.name,
        choice.frozen_blocks,
        n_photos=n_photos,
        n_train=n_train,
        epochs=settings.split_epochs(fine_tunes=choice.frozen_blocks < choice.blocks),
    )
    if expected_s is None:
        measuring = jobs.is_measuring(backbone.name)
        return _("How long it takes here is being measured …") if measuring else ""
    if expected_s < 60:
        return _("On this computer that takes **less than a minute**.")
    time = format.duration(60 * math.ceil(expected_s / 60))
    return _("On this computer that takes **about {time}** at most.").format(time=time)
