"""Each class in words and numbers: recall and precision with their intervals."""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.i18n import _, ngettext
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import ClassMetrics, RunMetrics
from translearn_ui.components import class_marks, format


def show(run: Run, metrics: RunMetrics) -> None:
    """Each class in words and numbers, the weakest first."""
    st.header(_("Class by class"), anchor=False)
    if metrics.tested_elsewhere:
        st.caption(_("The test photos here are of the source domain."))
    places = class_marks.of_classes(run.config.dataset, metrics.classes)
    weakest_first = sorted(metrics.per_class, key=lambda row: row.recall or 0.0)
    known = metrics.test_accuracy is not None
    rows = "".join(class_row_html(row, places[row.name], shares=known) for row in weakest_first)
    head = "".join(
        f'<th scope="col">{title}</th>'
        for title in (_("class"), _("found (recall)"), _("correct when predicted (precision)"))
    )
    st.html(
        f'<div class="tl-wide"><table class="tl-classes"><thead><tr>{head}'
        f'<th class="what" scope="col">{_("in words")}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    if known:
        st.caption(
            _("Small figures and thin lines: 95 % intervals, in %. Few photos, wide intervals.")
        )


def class_row_html(row: ClassMetrics, place: int, *, shares: bool = True) -> str:
    """One class: its name, recall and precision with intervals and bars, and a sentence.

    Args:
        place: of its colour.
        shares: whether shares may be shown; without, their counts stand instead.
    """
    color = class_marks.color_of(place)
    cells = ""
    for share, of in (
        (row.recall, row.n_test),
        (row.precision, row.answered),
    ):
        if share is None:
            cells += f"<td>{_('never predicted')}</td>"
            continue
        if not shares:
            cells += f"<td>{row.correct} / {of}</td>"
            continue
        low, high = (100 * end for end in wilson_interval(row.correct, of))
        cells += (
            f'<td class="share"><span class="n">{format.percent(share)}</span> '
            f'<span class="span">{low:.0f} – {high:.0f}</span><div class="bar">'
            f'<i class="could" style="left:{low:.0f}%;width:{high - low:.0f}%"></i>'
            f'<i style="width:{100 * share:.0f}%;background:{color}"></i></div></td>'
        )
    return (
        f'<tr><th scope="row">{class_marks.mark_html(place)}{escape(row.name)}</th>{cells}'
        f'<td class="what">{escape(class_sentence(row))}</td></tr>'
    )


def class_sentence(row: ClassMetrics) -> str:
    """A class's figures in words."""
    n = row.n_test
    if row.recall is None:
        return _("No photo of it was in the test.")
    found = round(row.recall * n)
    sentence = ngettext(
        "{found} of its {n} photo was found", "{found} of its {n} photos were found", n
    ).format(found=found, n=n)
    said = round(found / row.precision) if row.precision else 0
    if row.precision is None:
        rest = _("it was never predicted.")
    elif not said:
        rest = _("it was predicted, but never correctly.")
    else:
        rest = ngettext(
            "the model said so {n} time, and {found} were right.",
            "the model said so {n} times, and {found} were right.",
            said,
        ).format(n=said, found=found)
    return _("{sentence}; {rest}").format(sentence=sentence, rest=rest)
