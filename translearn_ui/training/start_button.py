"""The button that starts a training, and what keeps it from starting."""

from __future__ import annotations

import streamlit as st

from translearn_core import jobs
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.recipe import resolve
from translearn_core.run_settings import Settings, make_settings
from translearn_ui.components import run_setup
from translearn_ui.shell import frame


def show(dataset: Dataset, settings: Settings | None, weights: str, *, obstacle: str) -> None:
    """The one primary button, and beside it why it cannot be pressed."""
    random = settings is not None and settings.weights == "random"
    waits = weights != "ready" and not random
    pressed = st.button(
        _("Train"),
        key="train_button",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(obstacle) or waits or settings is None,
    )
    if obstacle:
        st.caption(_("Something is missing, see below."))
    elif waits:
        st.caption(_("Download this network first (below), or choose one that is ready."))
    if pressed and settings is not None:
        with frame.errors_shown():
            frame.open_run(jobs.start(dataset, settings))
            st.rerun()


def warn_of_nothing_learned(settings: Settings) -> None:
    """Say that a frozen backbone with random weights learns nothing."""
    if settings.weights == "random" and settings.freeze == "all" and not settings.freeze_layer:
        st.warning(
            _(
                "The backbone begins with random weights and, frozen, learns nothing: only the head is "
                "trained, on random features. Free all blocks, or let it begin with what it knows "
                "(More settings, The network)."
            ),
            icon=":material/info:",
        )


def read_settings() -> Settings | None:
    """The settings as they stand; None, and the reason shown, when they do not go together."""
    try:
        settings = make_settings(run_setup.present_values())
        resolve.resolve(settings)
    except TransLearnError as error:
        frame.show_error(error)
        return None
    return settings
