"""How a model stands up to photos changed on purpose: figures, and one such photo to look at.

Owns: the section of the Results page. Leaves to others: the attacks themselves
(`translearn_core.techniques.adversarial`), whose figures and pictures lie in the run's folder.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core.i18n import N_, _
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import AdversarialExample, AdversarialMetrics, RunMetrics
from translearn_ui.components import format
from translearn_ui.shell import frame

FOLDER = "adversarial"
ROWS: dict[str, str] = {
    "clean": N_("Photos as they are"),
    "fgsm": N_("Changed in one step (FGSM)"),
    "pgd": N_("Changed as badly as possible (PGD)"),
}
"""Figures of the trial -> words for a person."""


def show(run: Run, metrics: RunMetrics) -> None:
    """Show the section where the run learned to resist; nothing otherwise."""
    figures = metrics.adversarial
    if figures is None:
        return
    frame.heading(
        _("Against photos changed on purpose (adversarial)"),
        _(
            "Whoever has the model can work out how to change a photo, too little to see, "
            "so that the answer is wrong: each pixel by at most {steps:.1f} of 255 steps "
            "here. FGSM changes all pixels at once, PGD in {n} small steps, which is harder "
            "to withstand. “Plain” is the same network before adversarial training."
        ).format(steps=figures.strength * 255, n=figures.steps),
        name="attack",
        ask=_("what is that?"),
    )
    st.markdown(sentence(figures))
    st.html(_table_html(figures))
    _show_example(run, figures.example)


def sentence(figures: AdversarialMetrics) -> str:
    """The outcome in words."""
    clean, pgd, n = figures.clean, figures.pgd, figures.n
    trained, plain = round(pgd.trained * n), round(pgd.plain * n)
    words = _(
        "Under attack (PGD) it is right on {trained} of {n} test photos; plainly trained it was on "
        "{plain}. On photos as they are: {trained_clean}, plainly trained {plain_clean}."
    ).format(
        n=n,
        trained=trained,
        plain=plain,
        trained_clean=round(clean.trained * n),
        plain_clean=round(clean.plain * n),
    )
    if trained <= plain:
        words += " " + _(
            "So adversarial training has not helped. Give it more epochs of fine-tuning, free more "
            "blocks, or choose a smaller perturbation (epsilon)."
        )
    return words


def _table_html(figures: AdversarialMetrics) -> str:
    head = f"<th></th><th>{_('plain')}</th><th>{_('trained adversarially')}</th>"
    rows = "".join(
        f"<tr><td>{escape(_(words))}</td>{_cell(getattr(figures, name).plain, 'plain')}"
        f"{_cell(getattr(figures, name).trained, 'trained')}</tr>"
        for name, words in ROWS.items()
    )
    return f'<table class="tl-attack"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _cell(share: float, kind: str) -> str:
    return (
        f'<td class="{kind}"><span class="n">{format.percent(share)}</span>'
        f'<div class="bar"><i style="width:{100 * share:.0f}%"></i></div></td>'
    )


def _show_example(run: Run, example: AdversarialExample | None) -> None:
    if example is None:
        return
    folder = run.folder / FOLDER
    captions = {
        "photo": _("as it is: {truth}").format(truth=example.truth),
        "change": _("the change, magnified"),
        "attacked": _("changed: plain says {plain}, this model {trained}").format(
            plain=example.plain, trained=example.trained
        ),
    }
    if not all((folder / f"{name}.png").is_file() for name in captions):
        return
    with st.container(horizontal=True, key="attack_pictures", gap="small"):
        for name, caption in captions.items():
            st.image(
                str(folder / f"{name}.png"), caption=frame.plain(caption), width=224, alt=caption
            )
