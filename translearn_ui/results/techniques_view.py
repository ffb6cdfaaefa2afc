"""What the techniques of a run brought: a section of the Results page, before and after.

Owns: the sentences and bars. Leaves to others: the figures, which stand in metrics.json.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core.i18n import _
from translearn_core.recipe.techniques import in_use
from translearn_core.runs.run_metrics import RunMetrics
from translearn_core.settings import Settings
from translearn_ui.components import format, run_text
from translearn_ui.shell import frame

LIKELY_DIFFERENT = 0.1
"""Share of photos that two trainings usually answer differently; two deviations of the difference
are chance."""
Row = tuple[str, float | None, bool]
"""Words, a share, and whether it is the figure before."""


def show(settings: Settings, metrics: RunMetrics) -> None:
    """Show the section where a technique was used; nothing otherwise."""
    used = [row for row in in_use(settings) if row.name in ALL]
    plain = metrics.plain_test_accuracy
    if not used and plain is None:
        return
    st.subheader(_("What the techniques brought"), anchor=False)
    for row in used:
        st.markdown(f"**{_(row.title)}** · {_(row.term)}")
        sentence, bars = ALL[row.name](metrics)
        if sentence:
            st.markdown(frame.plain(sentence))
        _show_bars(bars)
    if plain is not None:
        for row in in_use(settings):
            if row not in used:  # nothing more is known of it than the comparison
                st.markdown(f"**{_(row.title)}** · {_(row.term)}")
        elsewhere = run_text.tested_elsewhere(metrics)
        words = _("These test photos are of the source domain:") + " " if elsewhere else ""
        st.markdown(words + _compared(float(plain), metrics))
        _show_bars(
            [
                (_("Plain training, the same test photos"), plain, True),
                (_("This training"), metrics.accuracy, False),
            ]
        )


def _compared(plain: float, metrics: RunMetrics) -> str:
    """Whether it is better than plain training, in words that noise is not sold as progress by."""
    n = metrics.n_test
    more = round((metrics.accuracy - plain) * n)
    if more == 0:
        return _("As many test photos right as by plain training.")
    words = (
        _("{more} more of {n} test photos right than by plain training.")
        if more > 0
        else _("{more} fewer of {n} test photos right than by plain training.")
    ).format(more=abs(more), n=n)
    if abs(more) < 2 * (LIKELY_DIFFERENT * max(1, n)) ** 0.5:
        words += " " + _("So few may be chance.")
    return words


def _show_bars(rows: list[Row]) -> None:
    known = [(words, share, before) for words, share, before in rows if share is not None]
    if not known:
        return
    cells = "".join(
        f'<tr class="{"before" if before else "after"}"><td>{escape(words)}</td>'
        f'<td class="n">{format.percent(share)}</td>'
        f'<td style="width:40%"><div class="bar"><i style="width:{100 * share:.0f}%"></i></div>'
        "</td></tr>"
        for words, share, before in known
    )
    st.html(f'<table class="tl-brought">{cells}</table>')


def _adapted(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.adaptation
    if figures is None:
        return "", []
    sentence = _(
        "Adapted with {n:,} unlabelled photos of the new domain (target). On photos of the source "
        "domain it may be worse than before."
    ).format(n=figures.n_target)
    if figures.tested_photos_seen:
        sentence += " " + _(
            "{n:,} of the test photos were among them, without their classes."
        ).format(n=figures.tested_photos_seen)
    there = _("New domain, {n:,} photos with labels").format(n=figures.n_target_labelled)
    here = _("Source domain, {n:,} validation photos").format(n=figures.n_source)
    return sentence, [
        (_("{where}: before").format(where=there), figures.target_accuracy_before, True),
        (_("{where}: after").format(where=there), figures.target_accuracy_after, False),
        (_("{where}: before").format(where=here), figures.source_accuracy_before, True),
        (_("{where}: after").format(where=here), figures.source_accuracy_after, False),
    ]


def _self_trained(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.selftraining
    if figures is None or figures.helps is None:
        return "", []
    words = (
        _("Trained on pseudo-labels of {used:,} of {n:,} unlabelled photos.")
        if figures.helps
        else _("{n:,} unlabelled photos were tried and not used: they would not have helped.")
    )
    sentence = words.format(used=figures.pseudo_labels, n=figures.n_unlabelled)
    hidden = _("{n:,} sorted photos, hidden in turn").format(n=figures.hidden or 0)
    return sentence, [
        (
            _("{where}: without pseudo-labels").format(where=hidden),
            figures.hidden_accuracy_plain,
            True,
        ),
        (_("{where}: with them").format(where=hidden), figures.hidden_accuracy, False),
    ]


def _carried_over(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.carryover
    if figures is None:
        return "", []
    parts = []
    if figures.backbone_changed:
        parts.append(_("the backbone as that run changed it"))
    if "head_hidden" in figures.layers:
        parts.append(_("the hidden layer"))
    shared = figures.classes_carried_over
    if shared and figures.layers:
        parts.append(_("what it knew of {classes}").format(classes=frame.listed(shared)))
    if figures.rehearsed_photos:
        parts.append(
            _("{n:,} of its photos ({classes}), learned from again").format(
                n=figures.rehearsed_photos, classes=frame.listed(shared)
            )
        )
    sentence = _("Carried over: {parts}.").format(parts=", ".join(parts) or _("nothing"))
    if figures.helps is None:
        return sentence, []
    hidden = _("{n:,} new photos, hidden in turn").format(n=figures.hidden or 0)
    return sentence, [
        (
            _("{where}: from the new photos alone").format(where=hidden),
            figures.hidden_accuracy_plain,
            True,
        ),
        (
            _("{where}: with the old ones").format(where=hidden),
            figures.hidden_accuracy if figures.helps else None,
            False,
        ),
    ]


def _distilled(metrics: RunMetrics) -> tuple[str, list[Row]]:
    figures = metrics.distillation
    if figures is None:
        return "", []
    sentence = _(
        "Learned to answer like a model that agrees with {share} of the labels it was asked about."
    ).format(share=format.percent(figures.agrees_with_labels or 0.0))
    return sentence, [
        (_("The model it learned from, on its own test"), figures.teacher_test_accuracy, True),
        (_("This one"), metrics.accuracy, False),
    ]


ALL = {
    "adapt_to": _adapted,
    "unlabelled": _self_trained,
    "start_from": _carried_over,
    "distill_from": _distilled,
}
"""Technique -> what is said of it. Others have sections of their own."""
