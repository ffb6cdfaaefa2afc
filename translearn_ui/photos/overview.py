"""Counts, warnings, files that were left out and sizes of a data set."""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.datasets.tasks import table_notes
from translearn_core.i18n import _, ngettext
from translearn_ui.components import charts, loose_photos
from translearn_ui.photos import edit_dataset, groups, stack_choice
from translearn_ui.shell import frame


def show(dataset: Dataset) -> None:
    """The counts, and beside them what should be known."""
    counts, notes = st.columns([1.5, 1], gap="medium")
    with counts, st.container(border=True, key="counts_box"):
        st.markdown(_("**Photos in each class**"))
        classes = len(dataset.classes)
        with st.container(height=440 if classes > 12 else "content", border=False):
            charts.show(
                charts.counts_chart(dataset.counts),
                key="counts",
                alt=_("Photos in each class: {counts}").format(
                    counts=", ".join(f"{name} {n}" for name, n in dataset.counts.head(40).items())
                ),
            )
    with notes:
        _show_warnings(dataset)
        stack_choice.show(dataset)
        show_left_out(dataset)
        _show_sizes(dataset)
        groups.show(dataset)


def _show_warnings(dataset: Dataset) -> None:
    found = [*dataset.record.notices, *datasets.found_by_checks(dataset)]
    if not found and not table_notes(dataset).rows:
        st.success(_("Nothing to worry about."), icon=":material/check_circle:")
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


def show_left_out(dataset: Dataset) -> None:
    """The files that were left out, each with its reason."""
    with frame.errors_shown():
        loose_photos.show(dataset, key="photos")
    left_out = datasets.left_out_for_good(dataset)
    if not len(left_out):
        st.caption(_(":material/done_all: No file was left out."))
        return
    title = ngettext("{n:,} file left out", "{n:,} files left out", len(left_out))
    with st.expander(title.format(n=len(left_out)), icon=":material/filter_alt:", key="left_out"):
        st.dataframe(
            left_out[["file", "reason"]].replace("`", "", regex=True),
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
            sizes,
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
