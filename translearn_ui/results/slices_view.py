"""The test photos broken down by attributes: is the model as good for each of their kinds?"""

from __future__ import annotations

from html import escape
from itertools import groupby

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs.run_metrics import RunMetrics, SliceMetrics
from translearn_ui.components import format


def show(metrics: RunMetrics) -> None:
    """A table for each attribute, its weakest value first; nothing where none is known."""
    if not metrics.slices:
        return
    st.header(_("Is it as good for all of them?"), anchor=False)
    st.caption(
        _(
            "The test photos by what else is known of them (slices). An average can hide that a model "
            "fails for one kind of photo, of which it saw too few."
        )
    )
    for attribute, rows in groupby(metrics.slices, key=lambda one: one.attribute):
        head = "".join(
            f'<th scope="col">{title}</th>'
            for title in (escape(attribute), _("right"), _("in words"))
        )
        body = "".join(_row(one) for one in rows)
        st.html(
            f'<table class="tl-classes"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        )


def _row(one: SliceMetrics) -> str:
    share = one.correct / one.n_test
    low, high = (100 * end for end in one.interval)
    said = (
        _(
            "Worse than the rest ({rest}) by more than chance: bring more photos of this kind."
        ).format(rest=format.percent(one.correct_rest / one.n_rest))
        if one.is_worse
        else ""
    )
    counts = _("{correct:,} of {n:,}").format(correct=one.correct, n=one.n_test)
    return (
        f'<tr><td>{escape(one.value)}</td><td class="share"><span class="n">'
        f'{format.percent(share)}</span> <span class="span">{counts}</span>'
        f'<div class="bar"><i class="could" style="left:{low:.0f}%;width:{high - low:.0f}%"></i>'
        f'<i style="width:{100 * share:.0f}%;background:var(--tl-accent)"></i></div></td>'
        f'<td class="what">{escape(said)}</td></tr>'
    )
