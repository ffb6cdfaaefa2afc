"""The answer to "can this work with my photos?" on a page: the verdict, what it is held against, and
what would help most.

Owns: reading a report once per state of its file, the scale of accuracies, the list of advice, and
the short note that other pages show. Leaves to others: the figures (`translearn_core.feasible`), the
evidence (`evidence_view.py`), when a check runs (`pages/feasible.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from translearn_core import feasible, feasible_report
from translearn_core.datasets import Dataset
from translearn_core.feasible_report import Report
from translearn_core.texts import N_, _, ngettext
from translearn_core.verdict import TITLES, Verdict
from translearn_ui import charts, findings_view, frame

PART_KEY = "feasible_part"
SIGNS: dict[Verdict, tuple[str, str]] = {
    "works_well": ("✓", "#1f8a6f"),
    "works_with_limits": ("✓", "#a87400"),
    "not_yet": ("!", "#c05621"),
    "no_sign": ("✕", "#8a8a8a"),
}
"""Of each verdict a sign and a colour that white text can be read on."""
SAME = 0.005
"""A random split whose accuracy is no more than this above the honest one is not worth a word."""

STYLE = """
<style>
.tl-answer {display: flex; align-items: flex-start; gap: .9rem; margin: .1rem 0 .3rem;}
.tl-answer > i {flex: none; width: 2.5rem; height: 2.5rem; border-radius: 50%; color: white;
  display: flex; align-items: center; justify-content: center; font-style: normal;
  font-weight: 700; font-size: 1.35rem; margin-top: .1rem;}
.tl-answer h1 {font-size: clamp(1.5rem, 3.4vw, 2.1rem); line-height: 1.15; margin: 0;
  padding: 0; letter-spacing: -.02em; font-weight: 650;}
.tl-answer p {font-size: 1.08rem; line-height: 1.45; margin: .45rem 0 0; max-width: 52rem;
  overflow-wrap: anywhere;}
.tl-ladder {display: grid; gap: .5rem; margin: .2rem 0 .1rem; font-variant-numeric: tabular-nums;}
.tl-ladder .row {display: grid; grid-template-columns: 13.5rem 1fr 7.2rem; column-gap: .9rem;
  align-items: center;}
.tl-ladder .name {font-size: .92rem; line-height: 1.25;}
.tl-ladder .track {position: relative; height: .62rem; border-radius: .4rem;
  background: color-mix(in srgb, currentColor 9%, transparent);}
.tl-ladder .bar {position: absolute; inset: 0 auto 0 0; border-radius: .4rem;
  background: color-mix(in srgb, currentColor 34%, transparent);}
.tl-ladder .value {font-size: .95rem; font-weight: 600; white-space: nowrap;}
.tl-ladder .value small {font-size: .8rem; font-weight: 400; opacity: .75; margin-left: .3rem;}
.tl-ladder .main .name {font-weight: 650;}
.tl-ladder .main .track {height: 1.05rem;}
.tl-ladder .main .bar {background: #2f9e87;}
.tl-ladder .main .value {font-size: 1.15rem;}
.tl-ladder .band {position: absolute; top: -.22rem; bottom: -.22rem; border: 2px solid currentColor;
  border-top: 0; border-bottom: 0; opacity: .8;}
.tl-ladder .band::before {content: ""; position: absolute; left: 0; right: 0; top: 50%;
  border-top: 2px solid currentColor;}
.tl-ladder .flattering .bar {background: repeating-linear-gradient(-45deg, #d9822b 0 5px,
  color-mix(in srgb, #d9822b 45%, transparent) 5px 10px);}
@media (max-width: 640px) {
  .tl-ladder .row {grid-template-columns: 1fr auto; row-gap: .2rem;}
  .tl-ladder .track {grid-row: 2; grid-column: 1 / -1;}
  .tl-ladder {gap: .75rem;}
}
.tl-help {display: grid; grid-template-columns: 1.7rem 1fr; column-gap: .7rem; align-items: start;}
.tl-help b {width: 1.7rem; height: 1.7rem; border-radius: 50%; display: flex; font-size: .9rem;
  align-items: center; justify-content: center; font-weight: 650;
  background: color-mix(in srgb, #2f9e87 22%, transparent);}
.tl-help p {margin: .1rem 0 0; line-height: 1.42; overflow-wrap: anywhere;}
[class*="st-key-advice_"] button {min-height: 2rem; padding: .1rem .7rem;}
[class*="st-key-advice_"] button p {font-size: .88rem;}
[class*="st-key-advice_"] [data-testid="stButton"] {margin-left: 2.4rem;}
.st-key-feasible_note {padding: .55rem .9rem;}
</style>
"""


def read(dataset: Dataset) -> Report | None:
    """The last report of a data set; None where there is none."""
    path = feasible_report.folder_of(dataset) / "report.json"
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        return None
    return _read(dataset, str(path), changed_ns)


@st.cache_data(max_entries=8, show_spinner=False)
def _read(_dataset: Dataset, path: str, changed_ns: int) -> Report | None:
    """`changed_ns` only tells one state of the file from another."""
    return feasible_report.read(_dataset)


def is_outdated(dataset: Dataset, report: Report) -> bool:
    """Whether the photos are others now than those that the report is about."""
    return report.fingerprint != dataset.fingerprint


# --- the answer ----------------------------------------------------------------------------------


def show_answer(report: Report) -> None:
    """The verdict and its sentence."""
    sign, color = SIGNS[report.verdict]
    st.html(
        f'<div class="tl-answer"><i style="background:{color}" aria-hidden="true">{sign}</i><div>'
        f"<h1>{escape(_(TITLES[report.verdict]))}</h1><p>{escape(report.explanation or report.sentence)}</p></div></div>"
    )


def show_scale(report: Report) -> None:
    """The accuracy beside everything that it has to be better than."""
    st.html(f'<div class="tl-ladder" role="list">{"".join(_rows(report))}</div>')
    if report.random_split_accuracy - report.accuracy > SAME:
        st.caption(
            _(
                ":material/warning: A random split would have claimed **{random}**: copies and "
                "frames of one burst lie on both sides of it. **{honest}** is the honest figure."
            ).format(
                random=charts.percent(report.random_split_accuracy),
                honest=charts.percent(report.accuracy),
            )
        )


def _rows(report: Report) -> list[str]:
    rows = [
        _row(_("On photos it has not seen"), report.accuracy, "main", interval=report.interval),
    ]
    if report.random_split_accuracy - report.accuracy > SAME:
        name = _("What a random split would claim")
        rows.append(_row(name, report.random_split_accuracy, "flattering"))
    if report.given_test is not None:
        given = report.given_test
        name = ngettext("On your {n} test photo", "On your {n} test photos", given.n)
        rows.append(_row(name.format(n=given.n), given.accuracy, "", interval=given.interval))
    rows += [
        _row(_("From colour and size alone"), report.trivial_accuracy, ""),
        _row(_("Guessing the largest class"), report.majority_accuracy, ""),
        _row(_("With shuffled labels (luck)"), report.shuffled_accuracy, ""),
    ]
    return rows


def _row(name: str, share: float, kind: str, *, interval: tuple[float, float] | None = None) -> str:
    band, span = "", ""
    if interval is not None:
        low, high = (100 * end for end in interval)
        band = f'<i class="band" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        span = f"<small>{low:.0f} – {high:.0f} %</small>"
    return (
        f'<div class="row {kind}" role="listitem"><span class="name">{escape(name)}</span>'
        f'<span class="track" aria-hidden="true"><i class="bar" style="width:{100 * share:.1f}%">'
        f'</i>{band}</span><span class="value">{charts.percent(share)}{span}</span></div>'
    )


def show_how(report: Report) -> None:
    """How the figures came about, for those who ask."""
    with st.popover(_("How is this measured?"), type="tertiary", key="why_verdict"):
        st.markdown(
            _(
                "A frozen network looked at every photo. A simple head then learned from {share} of "
                "them and was judged on the rest, in {folds} turns and {repeats} divisions, so that "
                "every photo was judged by heads that had not learned from it (cross-validation). "
                "Copies and frames of one burst always stay on one side.  \n"
                "The span says how much the figure would differ with other photos of the same kind "
                "(95 % interval).  \n"
                "Training can only be better than this simple head: it adds a hidden layer and varied "
                "views, and may adapt the network."
            ).format(
                share=charts.percent(1 - 1 / report.folds),
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
    st.subheader(_("What would help most"), anchor=False)
    if not report.advice:
        st.markdown(_("Nothing stands out. Train, and try the model on new photos."))
    for place, one in enumerate(report.advice, 1):
        with st.container(key=f"advice_{one.kind}", gap="xxsmall"):
            st.html(f'<div class="tl-help"><b>{place}</b><p>{escape(one.text)}</p></div>')
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


# --- on other pages ------------------------------------------------------------------------------


def show_note(dataset: Dataset, *, begin: Callable[[], None]) -> None:
    """One line for other pages: what the last check said, or the offer to make one.

    Args:
        begin: called when the person asks for a check.
    """
    report = read(dataset)
    with st.container(
        key="feasible_note", border=True, horizontal=True, vertical_alignment="center"
    ):
        if report is None:
            st.markdown(
                _(
                    ":material/fact_check: Not sure whether these photos are enough? A check says so "
                    "before you train, and what would help."
                ),
                width="stretch",
            )
            if st.button(_("Can this work?"), key="feasible_begin"):
                begin()
            return
        st.markdown(
            _(
                ":material/fact_check: **{title}**: right on {low} to {high} of 100 new photos."
            ).format(
                title=_(TITLES[report.verdict]),
                low=round(100 * report.interval[0]),
                high=round(100 * report.interval[1]),
            )
            + (" " + _("The photos have changed since.") if is_outdated(dataset, report) else ""),
            width="stretch",
        )
        if st.button(_("See why"), key="feasible_open"):
            frame.go("feasible")


def begin(dataset: Dataset) -> None:
    """Start a check, unless the last one is about these very photos, and go to its page."""
    report = read(dataset)
    with frame.errors_shown():
        if report is None or is_outdated(dataset, report):
            feasible.start(dataset)
        frame.go("feasible")
