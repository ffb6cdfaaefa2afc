"""The techniques on the Train page: what each does, its switch, and what it needs.

Owns: the chapters and their cards, made from the table of techniques; choosing a run
that a technique needs.
Leaves to others: unlabelled photos (`unlabelled_photos.py`), the table
(`translearn_core.recipe.technique_table`), the widgets of other settings (`settings_form.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.recipe.resolve import ResolvedSettings
from translearn_core.recipe.technique_table import CHAPTERS, TECHNIQUES, TechniqueRow
from translearn_core.run_settings import setting_fields
from translearn_core.runs import Run, list_runs
from translearn_ui.components import run_setup
from translearn_ui.shell import frame
from translearn_ui.training import settings_form, unlabelled_photos


def show(dataset: Dataset, resolved: ResolvedSettings | None) -> None:
    """All techniques, chapter by chapter.

    Args:
        dataset: the sorted photos that are going to be learned from.
        resolved: what decides whether a technique makes sense; None where the settings do not
            go together yet.
    """
    st.caption(
        _(
            "Ways to learn more than plain training does, from other photos or models. You "
            "need none of them; each says when it helps."
        )
    )
    for chapter, title in CHAPTERS.items():
        st.markdown(f"**{_(title)}**")
        columns = st.columns(2, gap="medium")
        rows = [row for row in TECHNIQUES.values() if row.chapter == chapter]
        for number, row in enumerate(rows):
            with columns[number % 2]:
                _show_card(row, dataset, resolved)
    settings_form.show_setting("compare_plain", "")


def _show_card(row: TechniqueRow, dataset: Dataset, resolved: ResolvedSettings | None) -> None:
    obstacle = row.obstacle(resolved.settings, resolved.freeze) if resolved is not None else ""
    on = run_setup.value_of(row.switch) != setting_fields()[row.switch].default
    with st.container(border=True, key=f"technique_{row.name}", gap="small"):
        st.markdown(f"**{_(row.title)}** · {_(row.term)}")
        st.markdown(_(row.plain))
        st.caption(f"[{row.source}]({row.link})")
        if obstacle:
            words = _("Not possible now: {why}") if not on else _("Not possible: {why}")
            st.caption(f":material/block: {frame.plain(words.format(why=obstacle))}")
            if not on:
                return
        for name in row.settings:
            if name != row.switch and not on:
                continue
            if _picks(name) == "photos":
                unlabelled_photos.choose(name, dataset)
            elif _picks(name) == "run":
                _choose_run(name, dataset, resolved)
            else:
                settings_form.show_setting(name, "")


def _choose_run(name: str, dataset: Dataset, resolved: ResolvedSettings | None) -> None:
    """Choose one of the runs that this setting can name, or say which would be one."""
    fits: dict[str, tuple[Callable[[Run], bool], str]] = {
        "distill_from": (
            lambda run: _knows(run, dataset.classes),
            _("None of your models fits yet: it needs one with the same classes."),
        ),
    }
    if resolved is not None:
        backbone = resolved.backbone
        fits["start_from"] = (
            lambda run: run.config.settings.backbone == backbone.name,
            _("None of your models fits yet: it needs one that is built on {backbone}.").format(
                backbone=_(backbone.title)
            ),
        )
    fitting, nothing = fits.get(name, (None, ""))
    chosen = run_setup.value_of(name)
    runs = [run for run in list_runs() if run.has_model]
    if fitting is not None and not chosen and not any(map(fitting, runs)):
        st.caption(f":material/block: {frame.plain(nothing)}")
        return
    settings_form.show_setting(name, "", fitting=fitting, described=False)


def _knows(run: Run, classes: Sequence[str]) -> bool:
    """Whether a run's model answers just these classes; False where its labels cannot be read."""
    try:
        return set(run.labels) == set(classes)
    except TransLearnError:
        return False


def _picks(name: str) -> str:
    extra = setting_fields()[name].json_schema_extra
    return str(extra.get("picks", "")) if isinstance(extra, dict) else ""
