"""The button that starts a training, with what it is about to do."""

from __future__ import annotations

import streamlit as st

from translearn_core import jobs
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.recipe import resolve
from translearn_core.settings import Settings, make_settings
from translearn_ui.components import run_setup
from translearn_ui.shell import frame


def show(dataset: Dataset, weights: str, *, obstacle: str) -> None:
    """The one primary button, with what it is about to do."""
    settings = read_settings()
    random = settings is not None and settings.weights == "random"
    waits = weights != "ready" and not random
    if random and settings is not None and settings.freeze == "all" and not settings.freeze_layer:
        st.warning(
            _(
                "The backbone begins with random weights and, frozen, learns nothing: only the head is "
                "trained, on random features. Free all blocks, or let it begin with what it knows "
                "(More settings, The network)."
            ),
            icon=":material/info:",
        )
    with st.container(key="train_go", horizontal=True, vertical_alignment="center", gap="medium"):
        pressed = st.button(
            _("Train"),
            key="train_button",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(obstacle) or waits or settings is None,
        )
        if waits:
            st.caption(_("First bring this backbone's weights here, or choose one that is ready."))
        elif settings is not None:
            n = int(dataset.counts.sum())
            st.caption(
                _(
                    "Trains on about {train:,} photos, decides by {val:,} others when to stop "
                    "(validation), and is tested on {test:,} more at the end."
                ).format(
                    train=round(n * (1 - settings.validation_share - settings.test_share)),
                    val=round(n * settings.validation_share),
                    test=round(n * settings.test_share),
                )
            )
    if st.button(
        _("Or let it search for better settings"),
        key="train_search",
        type="tertiary",
        icon=":material/manage_search:",
    ):
        frame.go("search")
    if pressed and settings is not None:
        with frame.errors_shown():
            frame.open_run(jobs.start(dataset, settings))
            st.rerun()


def read_settings() -> Settings | None:
    """The settings as they stand; None, and the reason shown, when they do not go together."""
    try:
        settings = make_settings(run_setup.present_values())
        resolve.resolve(settings)
    except TransLearnError as error:
        frame.show_error(error)
        return None
    return settings
