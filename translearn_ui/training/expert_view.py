"""All choices of a run: preset, backbone, what is frozen, settings, techniques, several tasks."""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.i18n import _
from translearn_ui.components import class_marks, run_setup
from translearn_ui.shell import frame
from translearn_ui.training import (
    backbone_choice,
    before_training,
    freeze_control,
    more_settings,
    preset_choice,
    task_heads_form,
)


def show(dataset: Dataset) -> str:
    """Everything that can be chosen. Returns the state of the backbone's weights."""
    preset_choice.show()
    frame.heading(
        _("Which network to build on (backbone)"),
        _(
            "A backbone is a network that was trained before (pretrained), on a million photos of "
            "a thousand things (ImageNet). Your training only adds the last step: which of its "
            "features belong to which of your classes. That is transfer learning, and why a few "
            "photos are enough."
        ),
        name="backbone",
    )
    backbone = backbone_choice.choose()
    status = backbone_choice.show_weights(
        backbone, needed=run_setup.value_of("weights") != "random"
    )
    frame.heading(
        _("How much of it stays as it is (frozen)"),
        _(
            "The first blocks see edges and colours, the last ones shapes and things. With "
            "few photos, leave all frozen: quick, and with little overfitting "
            "(learning single photos by heart). With many photos, or photos unlike everyday ones, free the "
            "last blocks: slower, often better."
        ),
        name="freeze",
    )
    kept = 1 - run_setup.value_of("validation_share") - run_setup.value_of("test_share")
    n = len(dataset.photos)
    freeze = freeze_control.choose(
        backbone,
        n_train=round(n * kept),
        n_photos=n,
        photo=before_training.first_thumbnail(dataset),
        places=list(class_marks.of_dataset(dataset).values()),
    )
    more_settings.show(dataset, backbone, freeze)
    task_heads_form.show(dataset)
    if st.button(
        _("Find better settings automatically"),
        key="train_search",
        type="tertiary",
        icon=":material/manage_search:",
    ):
        frame.go("search")
    return status.state
