"""Pictures that mislead the demo's models, each with the reason.

Owns: the tiles, and what is said of the answer. Leaves to others: the pictures (`datasets/demo.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Trap
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.shell import frame
from translearn_ui.try_it import right_class


def show(run: Run, *, press: Callable[[Trap, int], None]) -> None:
    """The tiles, for a model of the demo photos as they were drawn."""
    dataset = right_class.dataset_of(run)
    traps = datasets.draw_traps(dataset) if dataset is not None else []
    if not traps or not _knows(run, traps):
        return
    st.caption(
        _(
            ":material/warning: **A trap:** in the demo every {lure} lies on a blue checked cloth, and "
            "nothing else does. What will the model say of these?"
        ).format(lure=frame.plain(traps[0].lure))
    )
    with st.container(key="gallery_try_traps"), st.grid(min_column_width=128, gap="small") as grid:
        for number, trap in enumerate(traps, 1):
            with grid.cell():
                st.image(trap.content, alt=_("A fruit on a blue checked cloth"), width="stretch")
                if st.button(
                    _("Trap {n}").format(n=number), key=f"try_trap_{number}", width="stretch"
                ):
                    press(trap, number)


def _knows(run: Run, traps: list[Trap]) -> bool:
    return {name for trap in traps for name in (trap.truth, trap.lure)} <= set(run.labels)


def sentence(truth: str, lure: str, answer: str) -> str:
    """What the answer to a trap teaches."""
    names = {"truth": frame.plain(truth), "lure": frame.plain(lure)}
    if answer == lure:
        return _(
            "The model fell into the trap: this is really **{truth}**. Every {lure} that it learned from "
            "lay on this cloth, so it learned the cloth, too, and the test could not show that, with the "
            "same cloth in it."
        ).format(**names)
    if answer == truth:
        return _(
            "It is really **{truth}**: this time the fruit counted more for the model than the cloth on "
            "which every {lure} lay."
        ).format(**names)
    return _(
        "It is really **{truth}**; the cloth on which every {lure} lay misled the model."
    ).format(**names)
