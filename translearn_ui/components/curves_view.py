"""The training curves of a run that has ended, and training curves in words.

Leaves to others: the figure (`charts.py`), the curves of a run that is training (`live_curves.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from translearn_core.i18n import _, number
from translearn_ui.components import charts, format
from translearn_ui.components.run_progress import RunProgress


def show(progress: RunProgress, *, key: str) -> None:
    """The two curves of a run that has ended; `key` begins the keys of the elements."""
    best = progress.best
    left, right = st.columns(2, gap="medium")
    for column, metric in ((left, "accuracy"), (right, "loss")):
        figure = charts.drawing(
            charts.curves,
            progress.epochs,
            metric=metric,
            best_epoch=best["epoch"] if best else 0,
        )
        with column:
            charts.show(figure, key=f"{key}_{metric}", alt=in_words(progress, metric))
    if best:
        st.caption(why_kept(best))


def why_kept(best: Mapping[str, Any]) -> str:
    """Why the kept round, an event of an epoch, need not be the one of the highest accuracy."""
    if best["phase"] == "fine_tune" or best.get("val_loss_calibrated") is None:
        return _(
            "★ Kept is the round of the last phase with the lowest validation loss. So the star need "
            "not be the best point of the accuracy."
        )
    return _(
        "★ Kept is the round with the lowest validation loss once its percentages are calibrated. So "
        "the star need not be the best point of either curve."
    )


def in_words(progress: RunProgress, metric: str) -> str:
    """What a curve shows, for people who do not see it."""
    if not progress.epochs:
        return _("A curve that is just beginning.")
    latest = progress.epochs[-1]
    name = _("accuracy") if metric == "accuracy" else _("loss")
    value = latest.get(f"val_{metric}")
    if value is None:
        return _("{name} over {n} rounds.").format(name=name, n=latest["epoch"])
    shown = format.percent(value) if metric == "accuracy" else number(value, ".2f")
    return _("{name} over {n} rounds; on the validation photos now {value}.").format(
        name=name, n=latest["epoch"], value=shown
    )
