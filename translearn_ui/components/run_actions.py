"""What can be done with one run, wherever it is listed: notes, start again, settings, report, code.

Owns: the menu of a run and its dialogs. Leaves to others: doing it (`translearn_core`), and the
pages that list runs or show one.
"""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from translearn_core import datasets, jobs
from translearn_core.errors import RunError
from translearn_core.export.keras_script import code_zip, script
from translearn_core.i18n import _
from translearn_core.reports.report import report_html
from translearn_core.runs import LIVE_STATES, Run, list_runs
from translearn_core.runs.annotations import (
    MAX_NAME_LENGTH,
    MAX_NOTE_LENGTH,
    MAX_TAGS,
    Notes,
    display_name,
    read_notes,
    write_notes,
)
from translearn_core.runs.in_use import throw_away_run
from translearn_ui.components import bin_line, dialogs, format, run_setup
from translearn_ui.shell import frame, signed_in, tab_state


def show_menu(run: Run, *, key: str, leave_out: Collection[str] = ()) -> str | None:
    """The menu of a run; does what is chosen, and returns `delete` where that was.

    Args:
        leave_out: entries that stand beside the menu already.
    """
    names = ["notes"]
    if run.has_result:
        names += ["again", "settings", "continue", "report", "code"]
    elif run.has_model and run.config.settings.backbone:
        names.append("continue")
    if run.state.state not in LIVE_STATES:
        names.append("delete")
    words = {
        "notes": _(":material/edit_note: Name, tags, note"),
        "again": _(":material/replay: Repeat with the same settings"),
        "settings": _(":material/tune: Use its settings"),
        "continue": _(":material/add_photo_alternate: Continue training"),
        "report": _(":material/description: Report"),
        "code": _(":material/code: Show me the code"),
        "delete": _(":material/delete: Delete"),
    }
    names = [name for name in names if name not in leave_out]
    action = st.menu_button(_("More"), names, format_func=words.__getitem__, key=key)
    if action == "notes":
        edit_notes(run)
    elif action == "again":
        repeat_run(run)
    elif action == "settings":
        set_up_like(run)
    elif action == "continue":
        offer_to_learn_on(run)
    elif action == "report":
        show_report(run)
    elif action == "code":
        show_code(run)
    return str(action) if action else None


def repeat_run(run: Run) -> None:
    """A new run with the same photos and settings; goes to where it can be watched."""
    with frame.errors_shown():
        frame.open_run(jobs.repeat_run(run))
        frame.go("train")


def set_up_like(run: Run) -> None:
    """To the training page, with the photos and settings of a run filled in, to be changed there."""
    with frame.errors_shown():
        fill_in(run)
        frame.go("train")


def fill_in(run: Run, **more: str) -> None:
    """Put the photos and settings of a run, and `more` settings, into the training page."""
    if run.config.dataset:
        frame.open_dataset(datasets.open_dataset(run.config.dataset))
    run_setup.fill_in(run.config.settings.changed() | more)
    frame.open_run(None)


def offer_to_learn_on(run: Run) -> None:
    """The dialog from which a training goes on from a run."""

    @st.dialog(_("Continue training"))
    def ask() -> None:
        text = (
            _(
                "The next training begins with what **{name}** has learned. Add the new photos to "
                "its data set first, to classes that are there or to new ones. The photos that it "
                "was tested on are tested again, and none that it learned from."
            )
            if run.has_result
            else _(
                "The next training begins with what **{name}** has learned. It came without its "
                "photos: bring in photos that it has not learned from, or the test will look "
                "better than it is."
            )
        )
        st.markdown(text.format(name=frame.plain(display_name(run))))
        with frame.errors_shown(), st.container(horizontal=True):
            add = st.button(_("Add photos"), type="primary", key=f"learn_on_add_{run.id}")
            train = st.button(_("They are there already: train"), key=f"learn_on_train_{run.id}")
            if add or train:
                fill_in(run, start_from=run.id)
                frame.go("photos" if add else "train")

    ask()


def notes_or_none(run: Run) -> Notes:
    """What was written about a run; nothing where that cannot be read."""
    try:
        return read_notes(run)
    except RunError:
        return Notes()


def known_tags(runs: list[Run]) -> list[str]:
    """All tags of some runs, sorted."""
    return sorted({tag for run in runs for tag in notes_or_none(run).tags})


def edit_notes(run: Run) -> None:
    """The dialog for name, tags and note."""
    before = notes_or_none(run)
    tags = sorted({*known_tags(list_runs()), *before.tags})

    @st.dialog(_("About this training"))
    def ask() -> None:
        with st.form(f"notes_{run.id}", border=False), frame.errors_shown():
            name = st.text_input(
                _("Name"), display_name(run), key=f"notes_name_{run.id}", max_chars=MAX_NAME_LENGTH
            )
            chosen = st.multiselect(
                _("Tags"),
                tags,
                default=list(before.tags),
                accept_new_options=True,
                max_selections=MAX_TAGS,
                placeholder=_("Choose, or type a new one"),
                key=f"notes_tags_{run.id}",
            )
            note = st.text_area(
                _("Note"),
                before.note,
                max_chars=MAX_NOTE_LENGTH,
                placeholder=_("What was tried, and what came of it"),
                key=f"notes_note_{run.id}",
            )
            if st.form_submit_button(_("Save"), type="primary", key="notes_go"):
                write_notes(run, name=name, tags=chosen, note=note)
                st.rerun()

    ask()


def show_report(run: Run) -> None:
    """The dialog from which the report is taken away."""

    @st.dialog(_("Report"))
    def ask() -> None:
        st.markdown(
            _(
                "One HTML file with everything: result, photos, mistakes, curves, settings, limits. "
                "It opens in any browser without a network, and prints on A4."
            )
        )
        download_report(run, key=f"report_{run.id}", primary=True)
        dialogs.keep_focus()

    ask()


def download_report(run: Run, *, key: str, primary: bool = False) -> None:
    """The button that makes and downloads the report of a run with a result."""

    def make() -> bytes:
        return report_html(run).encode("utf-8")

    st.download_button(
        _("Download the report"),
        signed_in.as_now(make),
        file_name=f"translearn-report-{run.id}.html",
        mime="text/html",
        key=key,
        type="primary" if primary else "secondary",
        icon=":material/description:",
        on_click="ignore",
    )


def show_code(run: Run) -> None:
    """The dialog with the run as a program."""

    @st.dialog(_("Show me the code"), width="large")
    def ask() -> None:
        with frame.errors_shown():
            text = script(run)
            st.markdown(
                _(
                    "This training as a plain Keras program: the same photos in the same parts, the "
                    "same preparation and settings. The download holds it as a program and as a "
                    "notebook, with the list of photos."
                )
            )
            st.download_button(
                _("Download the code"),
                signed_in.as_now(lambda: code_zip(run)),
                file_name=f"translearn-code-{run.id}.zip",
                mime="application/zip",
                key=f"code_{run.id}",
                type="primary",
                icon=":material/download:",
                on_click="ignore",
            )
            st.code(text, language="python", wrap_lines=True)
            dialogs.keep_focus()

    ask()


def confirm_delete(run: Run) -> None:
    """Move a run to the bin after one question."""

    def delete() -> None:
        entry = throw_away_run(run)
        tab_state.forget(run.id)
        bin_line.remember(entry)

    dialogs.ask_once(
        _("Delete the model {name}?").format(name=frame.plain(display_name(run))),
        _("Its figures and curves go with it ({size}); the photos stay.").format(
            size=format.size(run.size_bytes())
        )
        + " "
        + bin_line.what_happens(),
        _("Delete"),
        delete,
    )
