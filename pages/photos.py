"""Step 1: bring photos in, look at them, put them in order.

The start page is painted before anything heavy (pandas, Pillow) is imported: that is what a
newcomer waits for.
"""

from __future__ import annotations

import html
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.config import home
from translearn_core.errors import SourceError
from translearn_core.texts import _, ngettext
from translearn_ui.components import background_tasks
from translearn_ui.photos import add_photos
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

frame.page("photos")

ALL = ""


def main() -> None:
    """The start page without a data set, the data set's page with one."""
    task = background_tasks.find(st.query_params.get("task"))
    if task is not None and not task.finished:
        background_tasks.show(task)
        return
    if task is not None:
        _end_task(task)
    dataset = frame.current_dataset()
    if dataset is None:
        _show_start()
    else:
        _show_dataset(dataset)


def _begin(task: background_tasks.Task) -> None:
    st.query_params["task"] = task.id
    st.rerun()


def _end_task(task: background_tasks.Task) -> None:
    """Take over what a task left: a data set to open, an error to show."""
    from translearn_core.datasets import Dataset

    background_tasks.forget(task)
    st.query_params.pop("task", None)
    if task.error is not None:
        if task.cancelled:
            st.toast(_("Stopped. Nothing was kept."), icon=":material/stop_circle:")
        else:
            frame.show_error(task.error)
    elif isinstance(task.result, Dataset):
        frame.open_dataset(task.result)
        st.toast(_("Your photos are in."), icon=":material/check_circle:")
    elif task.result is not None:
        report = task.result
        added = ngettext("{n} photo added.", "{n} photos added.", report.added)
        st.toast(added.format(n=report.added), icon=":material/check_circle:")
        _show_refused(list(report.left_out))


def _show_refused(left_out: list[tuple[str, str]]) -> None:
    if left_out:
        lines = [f"- **{file}**: {reason}" for file, reason in left_out[:8]]
        if len(left_out) > 8:
            lines.append(_("- and {n} more, listed below").format(n=len(left_out) - 8))
        st.warning(_("Left out:") + "\n" + "\n".join(lines), icon=":material/filter_alt:")


# --- without a data set ----------------------------------------------------------------------


def _show_start() -> None:
    with st.container(key="start_words", gap="small"):
        st.title(_("Teach your computer to tell photos apart"), anchor=False)
        st.markdown(
            _(
                "Show it a few examples of each thing. It learns from them right here "
                "(transfer learning), and then names what is on new photos."
            )
        )
        _show_privacy()
    ways, demo = st.columns([1.75, 1], gap="medium")
    with ways, st.container(border=True, key="start_ways"):
        st.subheader(_("Your photos"), anchor=False)
        with frame.errors_shown():
            task = add_photos.show_ways()
            if task is not None:
                _begin(task)
    with demo, st.container(border=True, key="start_demo"):
        st.subheader(_("Nothing at hand?"), anchor=False)
        st.markdown(
            _("Play with photos that we draw for you, in a few seconds. Everything works the same.")
        )
        if st.button(
            _("Try the demo photos"),
            key="demo",
            type="secondary" if st.session_state.get("way") in ("classes", "server") else "primary",
            icon=":material/auto_awesome:",
            width="stretch",
        ):
            _begin(add_photos.start_demo())
        st.html(_shape_of_a_folder())
    _show_recent()


def _show_privacy() -> None:
    if frame.server_is_here():
        text = _(":material/lock: Your photos stay on this computer. Nothing is sent anywhere.")
    else:
        text = _(
            ":material/lock: Your photos go to the computer that runs TransLearn ({host}) and stay "
            "there. They are sent nowhere else."
        ).format(host=st.context.headers.get("Host", "").rsplit(":", 1)[0])
    st.caption(text)


def _shape_of_a_folder() -> str:
    names = [(_("apples"), 3), (_("pears"), 2)]
    rows = "".join(
        f"<li><b>{html.escape(name)}</b><span>{'<i></i>' * n}</span></li>" for name, n in names
    )
    return (
        f"<div class='tl-tree'><p>{html.escape(_('What your folder looks like'))}</p>"
        f"<div>{html.escape(_('my photos'))}</div><ul>{rows}</ul></div>"
    )


def _show_recent() -> None:
    if not any((home() / "datasets").glob("*/dataset.json")):
        return  # a newcomer's first page needs nothing heavy
    from translearn_core import datasets
    from translearn_ui.components import gallery
    from translearn_ui.photos import edit_dataset

    recent = datasets.list_datasets()[:6]
    if not recent:
        return
    st.subheader(_("Go on with"), anchor=False)
    with st.grid(min_column_width=260, gap="small", border=True) as grid:
        for dataset in recent:
            with grid.cell(), frame.errors_shown():
                paths = list(dataset.photos.groupby("class_name")["path"].first())[:4]
                gallery.preview(dataset, paths, key=f"recent_{dataset.id}")
                st.markdown(f"**{frame.plain(dataset.name)}**  \n{edit_dataset.summary(dataset)}")
                if st.button(_("Open"), key=f"recent_{dataset.id}"):
                    frame.open_dataset(dataset)
                    st.rerun()


# --- with a data set -------------------------------------------------------------------------


def _show_dataset(dataset: Dataset) -> None:
    from translearn_ui.photos import edit_dataset

    ready = _why_not_ready(dataset)
    _show_title(dataset, ready)
    edit_dataset.show_undo(dataset)
    if not len(dataset.photos):
        frame.empty_state(
            title=_("No photos yet"),
            text=_("Name a class and add photos of it. Two classes are enough to begin."),
            icon=":material/add_photo_alternate:",
            key="dataset",
        )
    elif ready:
        st.info(ready, icon=":material/info:")
    with (
        st.expander(
            _("Add photos"),
            icon=":material/add:",
            expanded=not len(dataset.photos) or len(dataset.classes) < 2,
            key="add",
        ),
        frame.errors_shown(),
    ):
        task = add_photos.show_add(dataset)
        if task is not None:
            _begin(task)
    if len(dataset.photos):
        _show_overview(dataset)
        _show_gallery(dataset)


def _why_not_ready(dataset: Dataset) -> str:
    from translearn_core import datasets

    try:
        datasets.check_ready(dataset)
    except SourceError as error:
        return error.message
    return ""


def _show_title(dataset: Dataset, ready: str) -> None:
    from translearn_ui.photos import edit_dataset

    with st.container(key="dataset_title", horizontal=True, vertical_alignment="bottom"):
        with st.container(width="stretch", gap="xsmall"):
            st.title(frame.plain(dataset.name), anchor=False)
            st.caption(edit_dataset.summary(dataset))
        with st.container(horizontal=True, width="content"):
            edit_dataset.show_menu(dataset)
            if st.button(
                _("Can this work?"),
                key="feasible",
                icon=":material/fact_check:",
                disabled=bool(ready),
            ):
                from translearn_ui.feasibility import verdict_view

                verdict_view.begin(dataset)
            if st.button(
                _("Train"),
                key="train",
                type="primary",
                icon=":material/arrow_forward:",
                icon_position="right",
                disabled=bool(ready),
            ):
                frame.go("train")


def _show_overview(dataset: Dataset) -> None:
    from translearn_ui.components import charts

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
        _show_left_out(dataset)
        _show_sizes(dataset)


def _show_warnings(dataset: Dataset) -> None:
    from translearn_core import datasets

    found = datasets.warnings(dataset)
    if not found:
        st.success(_("Nothing to worry about."), icon=":material/check_circle:")
    for sentence in found[:4]:
        st.warning(sentence, icon=":material/warning:")
    if len(found) > 4:
        with st.expander(
            ngettext("{n} more remark", "{n} more remarks", len(found) - 4).format(
                n=len(found) - 4
            ),
            key="more_warnings",
        ):
            st.markdown("\n".join(f"- {sentence}" for sentence in found[4:]))


def _show_left_out(dataset: Dataset) -> None:
    left_out = dataset.left_out
    if not len(left_out):
        st.caption(_(":material/done_all: No file was left out."))
        return
    title = ngettext("{n:,} file left out", "{n:,} files left out", len(left_out))
    with st.expander(title.format(n=len(left_out)), icon=":material/filter_alt:", key="left_out"):
        st.dataframe(
            left_out[["file", "reason"]],
            hide_index=True,
            column_config={"file": _("File"), "reason": _("Why it was left out")},
            key="left_out_table",
            alt=_("Files that were left out, each with its reason"),
        )


def _show_sizes(dataset: Dataset) -> None:
    from translearn_ui.photos import edit_dataset

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


def _show_gallery(dataset: Dataset) -> None:
    from translearn_ui.components import gallery
    from translearn_ui.photos import edit_dataset

    st.subheader(_("Look at them"), anchor=False)
    name = _choose_class(dataset)
    rows = dataset.photos
    if name != ALL:
        rows = rows[rows["class_name"] == name]
    else:  # the first of each class, then the second of each
        turns = rows.groupby("class_name").cumcount()
        rows = rows.iloc[turns.argsort(kind="stable")]
    choose = False
    with st.container(horizontal=True, vertical_alignment="center", key="tools_of_gallery"):
        if name != ALL:
            edit_dataset.show_class_menu(dataset, name)
        choose = st.toggle(_("Choose photos to remove"), key="choose")
    key = f"photos_{dataset.id}_{name}"
    chosen = gallery.show(dataset, rows, key=key, choose=choose, named=name == ALL)
    if choose:
        edit_dataset.show_remove_photos(dataset, chosen, partial(gallery.forget_choice, key))


def _choose_class(dataset: Dataset) -> str:
    counts = dataset.counts

    def label(name: str) -> str:
        n = len(dataset.photos) if name == ALL else int(counts[name])
        return f"{_('All') if name == ALL else frame.plain(name)} · {n:,}"

    options = [ALL, *dataset.classes]
    if len(options) > 14:
        return st.selectbox(
            _("Class"),
            options,
            format_func=label,
            key="class_long",
            label_visibility="collapsed",
            persist_state="session",
        )
    return st.pills(
        _("Class"),
        options,
        format_func=label,
        default=ALL,
        required=True,
        key="class",
        persist_state="session",
        label_visibility="collapsed",
    )


main()
