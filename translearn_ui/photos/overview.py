"""Counts, warnings, files that were left out and sizes of a data set."""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.feasibility.assessment import Assessment
from translearn_core.i18n import _, ngettext
from translearn_ui.components import charts, class_marks, tables, verdict_note
from translearn_ui.photos import edit_dataset, groups, stack_choice
from translearn_ui.shell import frame

_MOST_WRITTEN_OUT = 100
"""Files left out that are listed in full; more of them scroll in a table of their own."""


def show(dataset: Dataset) -> None:
    """The counts, and beside them what should be known."""
    counts, notes = st.columns([1.5, 1], gap="medium")
    with counts:
        _show_counts(dataset)
    with notes:
        _show_warnings(dataset)
        stack_choice.show(dataset)
        show_left_out(dataset)
        _show_sizes(dataset)
        groups.show(dataset)


def _show_counts(dataset: Dataset) -> None:
    with st.container(border=True, key="counts_box"):
        st.markdown(_("**Photos in each class**"))
        classes, sizes = len(dataset.classes), set(dataset.counts)
        if classes > 1 and len(sizes) == 1:  # bars of one length say nothing
            st.markdown(
                _("Each of the {classes} classes has {n:,} photos.").format(
                    classes=classes, n=sizes.pop()
                )
            )
            return
        with st.container(height=440 if classes > 12 else "content", border=False):
            charts.show(
                charts.drawing(
                    charts.counts_chart,
                    dataset.counts,
                    colors=class_marks.colors(class_marks.of_dataset(dataset)),
                ),
                key="counts",
                alt=_("Photos in each class: {counts}").format(
                    counts=", ".join(f"{name} {n}" for name, n in dataset.counts.head(40).items())
                ),
            )


def _show_warnings(dataset: Dataset) -> None:
    judged = verdict_note.assess(dataset)
    found = judged.remarks
    if judged.level != "cannot":  # that stands at the head of the page
        _show_judgement(judged)
    for sentence in found[:4]:
        st.warning(frame.sentence(sentence), icon=":material/warning:")
    if len(found) > 4:
        with st.expander(
            ngettext("{n} more remark", "{n} more remarks", len(found) - 4).format(
                n=len(found) - 4
            ),
            key="more_warnings",
        ):
            st.markdown("\n".join(f"- {frame.sentence(sentence)}" for sentence in found[4:]))


def _show_judgement(judged: Assessment) -> None:
    """What is said of the photos as a whole, with a sign and a colour of its own."""
    if judged.level == "well":
        st.success(frame.plain(judged.sentence), icon=":material/check_circle:")
    elif judged.level in ("not_yet", "few"):
        st.warning(frame.plain(judged.sentence), icon=":material/warning:")
    else:
        st.info(frame.plain(judged.sentence), icon=":material/fact_check:")


def show_left_out(dataset: Dataset) -> None:
    """The files that were left out, each with its reason."""
    left_out = datasets.left_out_for_good(dataset)
    if not len(left_out):
        st.caption(_(":material/done_all: No file was left out."))
        return
    title = ngettext("{n:,} file left out", "{n:,} files left out", len(left_out))
    with st.expander(title.format(n=len(left_out)), icon=":material/filter_alt:", key="left_out"):
        table = left_out[["file", "reason"]].replace("`", "", regex=True)
        if len(table) <= _MOST_WRITTEN_OUT:  # reasons in full, also for who goes by keyboard
            names = {"file": _("File"), "reason": _("Why it was left out")}
            for column in names:
                table[column] = table[column].map(frame.plain)
            with st.container(height=320 if len(table) > 6 else "content", border=False):
                st.table(table.rename(columns=names), hide_index=True)
            return
        st.dataframe(
            tables.fit(table),
            hide_index=True,
            column_config={"file": _("File"), "reason": _("Why it was left out")},
            key="left_out_table",
            alt=_("Files that were left out, each with its reason"),
        )


def _show_sizes(dataset: Dataset) -> None:
    sizes = edit_dataset.sizes(dataset)
    if not len(sizes):
        return
    with st.expander(_("Sizes of the photos"), icon=":material/aspect_ratio:", key="sizes"):
        st.dataframe(
            tables.fit(sizes),
            hide_index=True,
            height=min(280, 38 + 35 * len(sizes)),
            column_config={
                "size": _("Width × height"),
                "format": _("Format"),
                "photos": st.column_config.NumberColumn(_("Photos"), format="localized"),
            },
            key="sizes_table",
            alt=_("How many photos have which size and format"),
        )
