"""What the techniques of a run brought: a section of the Results page, before and after.

Owns: the section and its bars. Leaves to others: the sentences
(`translearn_core/reports/techniques_text.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from translearn_core.i18n import _
from translearn_core.reports import techniques_text
from translearn_core.reports.techniques_text import Row
from translearn_core.run_settings import Settings
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import format
from translearn_ui.shell import frame


def show(settings: Settings, metrics: RunMetrics) -> None:
    """Show the section where a technique was used; nothing otherwise."""
    found = techniques_text.brought(settings, metrics)
    if not found:
        return
    st.header(_("What the techniques brought"), anchor=False)
    for one in found:
        if one.title:
            title, _dot, term = one.title.partition(" · ")
            st.markdown(f"**{title}** · {term}")
        if one.sentence:
            st.markdown(frame.plain(one.sentence))
        _show_bars(one.rows)


def _show_bars(rows: Sequence[Row]) -> None:
    cells = "".join(
        f'<tr class="{"before" if before else "after"}"><td>{escape(words)}</td>'
        f'<td class="n">{format.percent(share)}</td>'
        f'<td style="width:40%"><div class="bar"><i style="width:{100 * share:.0f}%"></i></div>'
        "</td></tr>"
        for words, share, before in rows
        if share is not None
    )
    if cells:
        st.html(f'<table class="tl-brought">{cells}</table>')
