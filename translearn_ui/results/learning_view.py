"""How a run learned: its curves, and how to read them."""

from __future__ import annotations

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.components import curves_view, run_progress
from translearn_ui.shell import frame


def show(run: Run) -> None:
    """The curves and what they say about overfitting."""
    progress = run_progress.progress_of(run)
    if not progress.epochs:
        return
    frame.heading(
        _("How it learned"),
        _(
            "Dotted: the photos it learns from. Solid: photos that it does not learn from "
            "(validation). When the dotted line keeps getting better and the solid one does "
            "not, it learns single photos by heart (overfitting). The star marks the round "
            "that was kept."
        ),
        name="curves",
        ask=_("how to read it"),
    )
    curves_view.show(progress, key="results")
