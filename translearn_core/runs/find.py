"""Finds the run that a setting names.

Owns: `find_run`, by id in the workspace or by folder. Leaves to others: what a run is (`runs/`).
"""

from __future__ import annotations

from pathlib import Path

from translearn_core.config import home
from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs.annotations import display_name
from translearn_core.runs.run import Run


def find_run(named: str) -> Run:
    """The run with this id in the workspace, or in this folder, that has a model.

    Raises:
        RunError: there is none, it has no model, or a file of it is damaged.
    """
    inside = home() / "runs" / named
    run = Run(inside if Path(named).name == named and inside.is_dir() else Path(named))
    run.require()
    run.require_whole()
    if not run.has_model:
        raise RunError(
            _("The run “{run}” has no model: it is {state}. Choose a finished run.").format(
                run=display_name(run), state=_(run.state.state)
            )
        )
    return run
