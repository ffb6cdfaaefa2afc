"""The set-up of a run: everything before the button, with defaults that work as they are."""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.i18n import _
from translearn_ui.components import class_colors, look_ahead_line, run_setup, verdict_note
from translearn_ui.shell import frame
from translearn_ui.training import (
    backbone_choice,
    before_training,
    draft,
    freeze_control,
    more_settings,
    preset_choice,
    start_button,
    start_from,
    task_heads_form,
)


def show(dataset: Dataset) -> None:
    """Everything before the button, with defaults that work as they are."""
    draft.restore()
    st.title(_("Train"), anchor=False)
    n = int(dataset.counts.sum())
    words = _("**{name}**: {n:,} photos in {classes} classes.").format(
        name=frame.plain(dataset.name), n=n, classes=len(dataset.classes)
    )
    if before_training.can_start(dataset):
        judged = verdict_note.assess(dataset)
        if judged.is_good or judged.level == "unknown":
            words += " " + _("You can press Train right away.")
    st.markdown(words)
    before_training.show_other_run(dataset)
    obstacle = before_training.show_warnings(dataset)
    if not obstacle:
        verdict_note.show_note(dataset, begin=lambda: verdict_note.begin(dataset))
    start_from.show()
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
    freeze = freeze_control.choose(
        backbone,
        n_train=round(n * kept),
        n_photos=n,
        photo=before_training.first_thumbnail(dataset),
        places=list(class_colors.of_dataset(dataset).values()),
    )
    more_settings.show(dataset, backbone, freeze)
    task_heads_form.show(dataset)
    draft.keep(run_setup.present_values())
    start_button.show(dataset, status.state, obstacle=obstacle)
    look_ahead_line.show(dataset)
