"""The answer to "can this work with my photos?" on a page: the verdict, what it is compared with,
and what would help most.

Owns: the verdict in words, the scale of accuracies, the list of advice. Leaves to others: the figures
(`translearn_core.feasibility.report`), the evidence (`cv_view.py`), the note on other pages
(`components/verdict_note.py`).
"""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core import palette
from translearn_core.feasibility.report import Report
from translearn_core.feasibility.verdict import TITLES, Verdict
from translearn_core.i18n import N_, _, ngettext
from translearn_ui.components import format
from translearn_ui.feasibility import findings_view
from translearn_ui.shell import frame

PART_KEY = "feasible_part"
SIGNS: dict[Verdict, tuple[str, str]] = {
    "works_well": ("✓", "#1f8a6f"),
    "works_with_limits": ("✓", "#a87400"),
    "not_yet": ("!", "#c05621"),
    "no_sign": ("✕", palette.QUIET_COLOR),
}
"""Of each verdict a sign and a colour that white text can be read on."""
SAME = 0.005
"""A random split whose accuracy is no more than this above the group-wise one is not mentioned."""


# --- the answer ----------------------------------------------------------------------------------


def show_answer(report: Report) -> None:
    """The verdict and its sentence."""
    sign, color = SIGNS[report.verdict]
    said = frame.unbroken(report.explanation or report.sentence)
    st.html(
        f'<div class="tl-answer"><i style="background:{color}" aria-hidden="true">{sign}</i><div>'
        f"<h1>{escape(_(TITLES[report.verdict]))}</h1><p>{escape(said)}</p></div></div>"
    )
    if report.remarks:
        st.markdown("\n".join(f"- {frame.sentence(text)}" for text in report.remarks))


def show_scale(report: Report) -> None:
    """The accuracy beside everything that it has to be better than."""
    st.html(f'<div class="tl-ladder" role="list">{"".join(_rows(report))}</div>')
    if report.random_split_note:
        st.caption(frame.plain(report.random_split_note))


def _rows(report: Report) -> list[str]:
    rows = []
    given = report.given_test
    if given is not None:
        name = ngettext("On your {n} test photo", "On your {n} test photos", given.n)
        rows.append(_row(name.format(n=given.n), given.accuracy, "main", interval=given.interval))
    if report.same_scenes:
        unseen = _("On photos it has not seen, of the same scenes")
    elif given is not None:
        unseen = _("On photos it has not seen (cross-validation)")
    else:
        unseen = _("On photos it has not seen")
    rows.append(
        _row(
            unseen,
            report.accuracy,
            "main" if given is None else "",
            interval=report.interval,
        )
    )
    if report.random_split_accuracy - report.accuracy > SAME and report.random_split_flatters:
        name = _("A random split would claim (duplicates not grouped)")
        rows.append(_row(name, report.random_split_accuracy, "flattering"))
    rows += [
        _row(_("From colour and size alone"), report.trivial_accuracy, ""),
        _row(_("Guessing the largest class"), report.majority_accuracy, ""),
        _row(_("With shuffled labels (chance)"), report.shuffled_accuracy, ""),
    ]
    return rows


def _row(name: str, share: float, kind: str, *, interval: tuple[float, float] | None = None) -> str:
    band, span = "", ""
    if interval is not None:
        low, high = (100 * end for end in interval)
        band = f'<i class="band" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        span = f"<small>{format.percent_range(*interval)}</small>"
    return (
        f'<div class="row {kind}" role="listitem"><span class="name">{escape(name)}</span>'
        f'<span class="track" aria-hidden="true"><i class="bar" style="width:{100 * share:.1f}%">'
        f'</i>{band}</span><span class="value">{format.percent(share)}{span}</span></div>'
    )


def show_how(report: Report) -> None:
    """How the figures came about, for those who ask."""
    with st.popover(_("How is this measured?"), type="tertiary", key="why_verdict"):
        st.markdown(
            _(
                "A frozen network looked at every photo. A simple head then learned from {share} "
                "of them and was tested on the rest, in {folds} turns, {repeats} times over, so "
                "that every photo was tested by heads that had not learned from it "
                "(cross-validation). Copies and frames of one burst always stay on one side.  "
                "\nThe range says how much the figure would differ with other photos of the same "
                "kind (95 % interval).  \nTraining can only be better than this simple head: it "
                "adds a hidden layer and varied views, and may adapt the network."
            ).format(
                share=format.percent(1 - 1 / report.folds),
                folds=report.folds,
                repeats=report.repeats,
            )
        )
        st.markdown(_("**The answer follows from this rule:** {rule}").format(rule=report.rule))


# --- what would help -----------------------------------------------------------------------------

_LOOK: dict[str, tuple[str, str]] = {
    "fix_labels": ("wrong_label", N_("Look at them")),
    "cross_class": ("cross_class_copies", N_("Look at them")),
    "shortcut": ("shortcut", N_("See what it is")),
}
_GO: dict[str, tuple[frame.PageName, str]] = {
    "more_photos_of": ("photos", N_("Add photos")),
    "more_photos": ("photos", N_("Add photos")),
    "check_labels": ("photos", N_("Look at the photos")),
    "stronger_backbone": ("train", N_("Choose it")),
    "unfreeze": ("train", N_("Go to training")),
}


def show_advice(report: Report) -> None:
    """What would help most, in order, each with the way to it."""
    st.header(_("What would help most"), anchor=False)
    if not report.advice:
        st.markdown(_("Nothing stands out. Train, and try the model on new photos."))
    for number, one in enumerate(report.advice, 1):
        with st.container(key=f"advice_{one.kind}", gap="xxsmall"):
            st.html(f'<div class="tl-help"><b>{number}</b><p>{escape(one.text)}</p></div>')
            if one.kind in _LOOK:
                check, label = _LOOK[one.kind]
                st.button(
                    _(label), key=f"advice_go_{one.kind}", on_click=_open_check, args=(check,)
                )
            elif one.kind in _GO:
                page, label = _GO[one.kind]
                if st.button(_(label), key=f"advice_go_{one.kind}"):
                    frame.go(page)


def _open_check(check: str) -> None:
    st.session_state[PART_KEY] = "findings"
    st.session_state[findings_view.CHECK_KEY] = check
