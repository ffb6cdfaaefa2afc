"""How photos that were brought in are read: what was taken, the controls for another answer, a preview.

Owns: the box on the page of a data set, and the one for an upload that cannot be read before
something is answered. Leaves to others: the questions, the previews and reading again
(`translearn_core.datasets`), showing the task (`pages/photos.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import streamlit as st

from translearn_core.config import home
from translearn_core.datasets import Dataset, ImportChoices, ToSort
from translearn_core.datasets.archive_names import ENCODINGS
from translearn_core.datasets.import_choices import ROLES
from translearn_core.datasets.kept_upload import (
    KeptUpload,
    forget_upload,
    kept_upload,
    read_again,
    read_as_unsorted,
    read_upload,
    table_choices,
)
from translearn_core.datasets.previews import Preview, preview_folders, preview_table
from translearn_core.datasets.questions import Question
from translearn_core.datasets.table_reading import LabelTable
from translearn_core.datasets.tasks import MAIN, TableChoices, table_notes
from translearn_core.errors import RunError, SourceError, StorageError
from translearn_core.i18n import N_, _, ngettext
from translearn_core.runs.in_use import throw_away_dataset
from translearn_ui.components import (
    background_tasks,
    bin_line,
    import_task,
    sort_offer,
    table_form,
    uploads,
)
from translearn_ui.shell import frame

_ROLE_WORDS = {
    "class": N_("a class"),
    "train": N_("training photos"),
    "val": N_("validation photos"),
    "test": N_("test photos"),
    "out": N_("left out"),
}
_LEVELS = {
    "": N_("found by the folders"),
    "outer": N_("the outer folders"),
    "inner": N_("the innermost folders"),
}
_PREVIEW_CLASSES = 12


def show(dataset: Dataset) -> background_tasks.Task | None:
    """What was taken when a data set was read, and controls for another answer where what was
    brought in is still there; returns the task of reading it again."""
    upload = kept_upload(dataset)
    notes = table_notes(dataset)
    record = dataset.record
    if upload is None:
        _tell(dataset)
        return None
    if notes.summary:
        st.caption(f":material/table: {frame.plain(notes.table)}: {frame.sentence(notes.summary)}")
    chosen = ImportChoices.from_text(record.choices)
    level = len(dataset.classes) < 2 or bool(notes.table)
    questions = _with_answers(record.questions, chosen)
    asked = _asked_here(questions, upload, level=level)
    with st.expander(
        _("How your photos were read"),
        icon=":material/account_tree:",
        expanded=bool(
            questions
            or notes.questions
            or notes.rows
            or (notes.table and notes.main == MAIN)  # folders beside a table
        ),
        key="reading",
    ):
        told = [one.text for one in record.questions if one in questions and one not in asked]
        for note in (*notes.notes, *(one.text for one in notes.questions), *told):
            st.caption(frame.sentence(note))
        table_form.show_rows(notes.rows, notes.table, key="reading")
        answers = _ask(upload, chosen, table_choices(dataset), asked, key=dataset.id, level=level)
        if answers is None:
            return None
        choices, table = answers
        changed = choices != chosen or (
            table != table_choices(dataset)
            if upload.table is not None
            else bool(notes.table)  # it was taken away
        )
        if changed:
            _show_preview(upload, choices, table)
            anew = _(
                "All photos are read anew: classes that you renamed or merged, and photos that you "
                "added or removed here, are as they were brought in."
            )
            stays = dataset.kind == "folder"  # it is read again in its place
            st.caption(anew if stays else f"{anew} {_what_becomes_of(dataset)}")
        with st.container(horizontal=True, vertical_alignment="center"):
            again = changed and st.button(
                _("Read again this way"),
                type="primary",
                key="reading_again",
                icon=":material/refresh:",
            )
            if not changed:
                if st.button(_("That is right"), key="reading_right", icon=":material/check:"):
                    forget_upload(dataset)
                    st.rerun()
                st.caption(
                    _("What you brought in is kept until then: you need not upload it again."),
                    width="stretch",
                )
    return _start_again(dataset, choices, table) if again else None


def _tell(dataset: Dataset) -> None:
    """What was taken, where it cannot be changed any more."""
    notes = table_notes(dataset)
    said = [*([notes.summary] if notes.summary else []), *notes.notes]
    said += [one.text for one in (*notes.questions, *dataset.record.questions)]
    if not said:
        return
    with st.expander(_("How your photos were read"), icon=":material/account_tree:", key="reading"):
        st.markdown("\n".join(f"- {frame.sentence(sentence)}" for sentence in said))
        st.caption(
            _(
                "To read them in another way, bring them in again; the choices are under *{box}*."
            ).format(box=_("How folders are read"))
        )
    table_form.show_rows(notes.rows, notes.table, key="reading")


def _what_becomes_of(dataset: Dataset) -> str:
    """What happens to a data set of which another is made."""
    if frame.runs_of(dataset.id):
        return _("A new data set is made. Your models keep the photos as they are now.")
    gone = _("This data set as it is now goes to the bin.")
    return f"{gone} {bin_line.what_happens()}"


def _put_away(dataset: Dataset, *, instead: Dataset) -> None:
    """Move a data set that was read anew into the bin, with all that was added to it since; it stays
    where it is in use, or cannot be moved."""
    if instead.folder != dataset.folder:
        with suppress(RunError, StorageError):
            throw_away_dataset(dataset)


def _start_again(
    dataset: Dataset, choices: ImportChoices, table: TableChoices
) -> background_tasks.Task:
    is_used = bool(frame.runs_of(dataset.id))  # their photos stay

    def work(task: background_tasks.Task) -> Dataset:
        new = read_again(
            dataset,
            choices=choices,
            table=table,
            progress=uploads.reporter(task),
            stop=task.stop,
        )
        if not is_used:
            _put_away(dataset, instead=new)
        return new

    return background_tasks.start(_("Reading {name} again").format(name=dataset.name), work)


def _wants_sorting(upload: KeptUpload) -> bool:
    """The line that offers to sort the photos; whether its button was pressed."""
    n = 0
    with suppress(SourceError):  # the preview says what is wrong
        n = len(_files(upload, upload.choices))
    if not n:
        return False
    sentence = ToSort(photos=n, one_class="", is_next=True).sentence
    return sort_offer.button(sentence, key="upload", kind="primary")


def _start_sorting(upload: KeptUpload, choices: ImportChoices) -> background_tasks.Task:
    """Take the photos of an upload as unsorted ones."""
    return background_tasks.start(
        _("Bringing in {name}").format(name=upload.name),
        lambda task: read_as_unsorted(
            upload, choices=choices, progress=uploads.reporter(task), stop=task.stop
        ),
        upload=upload.folder.name,
    )


# --- an upload that is not read yet -------------------------------------------------------------


def pending_upload() -> KeptUpload | None:
    """The upload of this tab that waits for an answer."""
    name = st.query_params.get(import_task.UPLOAD, "")
    if not name or Path(name).name != name or name.startswith("."):
        return None
    try:
        return KeptUpload(home() / "uploads" / name)
    except SourceError:
        import_task.let_go()
        return None


def show_page() -> None:
    """The page of an upload that waits for an answer; the start page where there is none."""
    upload = pending_upload()
    if upload is None:
        st.rerun()
    with frame.errors_shown():
        task = show_pending(upload)
        if task is not None:
            import_task.begin(task)


def show_pending(upload: KeptUpload) -> background_tasks.Task | None:
    """What is asked about an upload before it can be read; returns the task of reading it."""
    st.title(_("How should {name} be read?").format(name=frame.plain(upload.name)), anchor=False)
    with st.container(border=True, key="reading"):
        place, offer = st.container(), st.container()
        chosen, columns = upload.choices, upload.content.columns
        questions = _asked_here(_with_answers((), chosen), upload, level=True)
        answers = _ask(upload, chosen, columns, questions, key=upload.folder.name, level=True)
        if answers is not None:
            upload.remember(*answers)
        problem = ""
        if answers is not None:
            problem = _show_preview(upload, *answers)
        ready = answers is not None and problem == ""
        asked, why = st.session_state.get(import_task.ASKED, ("", ""))
        tried = st.session_state.setdefault(import_task.TRIED, answers)
        if asked == upload.folder.name and answers == tried and why != problem:
            place.info(frame.sentence(why), icon=":material/help:")
        is_open = answers is None and upload.table is not None  # a question about the table
        is_next = not (ready or is_open)
        with offer:
            wants_sorting = is_next and _wants_sorting(upload)
        with st.container(horizontal=True):
            go = st.button(
                _("Bring it in"),
                type="primary" if ready else "secondary",
                key="reading_go",
                disabled=not ready,
                icon=":material/arrow_forward:",
            )
            if not is_next:
                wants_sorting = st.button(_("Sort photos"), key="go_sort_upload")
            if st.button(_("Bring in something else"), key="reading_drop", type="tertiary"):
                shutil.rmtree(upload.folder, ignore_errors=True)
                import_task.let_go()
                st.rerun()
    if wants_sorting:
        return _start_sorting(upload, answers[0] if answers else chosen)
    if not go or answers is None:
        return None
    choices, table = answers
    return background_tasks.start(
        _("Bringing in {name}").format(name=upload.name),
        lambda task: read_upload(
            upload,
            choices=choices,
            table=table,
            progress=uploads.reporter(task),
            stop=task.stop,
        ),
        upload=upload.folder.name,
    )


# --- the controls -------------------------------------------------------------------------------


def _with_answers(questions: Sequence[Question], chosen: ImportChoices) -> list[Question]:
    """The questions that have a control here, with those that were answered before."""
    found = [one for one in questions if one.setting in ("role", "classes", "names")]
    asked = {(one.setting, one.name) for one in found}
    for name, role in chosen.roles:
        if ("role", name) not in asked:
            text = _("The folder {name} was read as you chose.").format(name=name)
            found.append(Question(text=text, setting="role", name=name, options=ROLES, taken=role))
    if chosen.classes and ("classes", "") not in asked:
        text = _("The level of the class folders was taken as you chose.")
        options = ("outer", "inner")
        found.append(Question(text=text, setting="classes", options=options, taken=chosen.classes))
    if chosen.names and ("names", "") not in asked:
        text = _("The names in the archive were read as you chose.")
        found.append(Question(text=text, setting="names", options=ENCODINGS, taken=chosen.names))
    return found


def _asked_here(
    questions: Sequence[Question], upload: KeptUpload, *, level: bool
) -> list[Question]:
    """The questions without that for the level of the class folders, where `_ask` asks for it anyway.

    Args:
        level: as of `_ask`.
    """
    is_asked = level and upload.table is None
    return [one for one in questions if one.setting != "classes" or not is_asked]


def _ask(
    upload: KeptUpload,
    chosen: ImportChoices,
    table: TableChoices,
    questions: Sequence[Question],
    *,
    key: str,
    level: bool = False,
) -> tuple[ImportChoices, TableChoices] | None:
    """The controls; returns what is chosen now, None where something has to be said first.

    Args:
        level: where no table is given, ask for the level of the class folders, and for a table.
    """
    if upload.table is not None:
        if st.button(
            _("Take {name} away").format(name=frame.plain(upload.content.table)),
            key=f"drop_table_{key}",
            type="tertiary",
            icon=":material/close:",
        ):
            upload.drop_table()
            st.rerun()
        place = f"table_{key}_{upload.content.table}"
        read = table_form.choose_file_column(upload.table, table, key=place)
        if read is None:
            return None
        folders = _has_folders(upload, chosen)
        answer = table_form.choose_classes(read, table, folders=folders, key=place)
        if answer is None:
            return None
        table = answer
    choices = chosen
    for question in _first_of_each(questions):
        choices = _ask_one(question, choices, key=key)
    if level and upload.table is None:
        choices = _ask_level(choices, key=key)
        _offer_table(upload, key=key)
    return choices, table


def _first_of_each(questions: Sequence[Question]) -> list[Question]:
    """The questions, those about one folder or one level joined."""
    joined: dict[tuple[str, str], Question] = {}
    for one in questions:
        place = (one.setting, one.name)
        if place in joined:
            text = f"{joined[place].text} {one.text}"
            one = one.model_copy(update={"text": text})
        joined[place] = one
    return list(joined.values())


def _ask_one(question: Question, choices: ImportChoices, *, key: str) -> ImportChoices:
    """One line: what was taken, and a box with what may be chosen instead."""
    place = f"ask_{key}_{question.setting}_{question.name}"
    words = {
        "role": lambda role: _(_ROLE_WORDS[role]),
        "classes": lambda level: _(_LEVELS[level]),
        "names": lambda encoding: encoding,
    }[question.setting]
    titles = {
        "role": _("The folder {name} is").format(name=frame.plain(question.name)),
        "classes": _("The classes are"),
        "names": _("The names are written in"),
    }
    options = list(question.options)
    if question.taken not in options:
        options.insert(0, question.taken)
    text, control = st.columns([1.6, 1], vertical_alignment="center")
    text.markdown(frame.sentence(question.text))
    value = control.selectbox(
        titles[question.setting],
        options,
        index=options.index(question.taken),
        format_func=words,
        key=place,
        persist_state="session",
        label_visibility="collapsed",
    )
    if value == question.taken:
        return choices
    return choices.answered(question.setting, question.name, value)


def _ask_level(choices: ImportChoices, *, key: str) -> ImportChoices:
    value = st.selectbox(
        _("The classes are"),
        list(_LEVELS),
        index=list(_LEVELS).index(choices.classes),
        format_func=lambda level: _(_LEVELS[level]),
        key=f"ask_{key}_level",
        persist_state="session",
    )
    return choices.answered("classes", "", value)


def _offer_table(upload: KeptUpload, *, key: str) -> None:
    """A box for a table that names the photos, where the folders are not the classes."""
    box = uploads.Box(f"table_{key}")
    given = st.file_uploader(
        _("Or add a table with the class of each photo (CSV, Excel, COCO)"),
        type=list(table_form.TABLE_TYPES),
        key=box.key,
    )
    if given is not None:
        upload.add_table((given.name, cast(BinaryIO, given)))
        box.empty()
        st.rerun()


def _has_folders(upload: KeptUpload, choices: ImportChoices) -> bool:
    try:
        return len(preview_folders(_files(upload, choices), choices).counts) > 1
    except SourceError:
        return False


def _files(upload: KeptUpload, choices: ImportChoices) -> list[str]:
    """The files of the upload, listed once for each way of reading their names."""
    hidden = tuple(pair for pair in choices.roles if pair[0].startswith((".", "~")))
    place = (str(upload.folder), choices.names, hidden)
    kept = st.session_state.setdefault("reading_files", {})
    if place not in kept:
        kept.clear()
        kept[place] = upload.list_files(choices)
    files: list[str] = kept[place]
    return files


def _show_preview(upload: KeptUpload, choices: ImportChoices, table: TableChoices) -> str:
    """What the answers lead to, before anything is read; returns why it cannot be read so, empty where
    it can."""
    try:
        files = _files(upload, choices)
        read: LabelTable | None = upload.read_table(table) if upload.table is not None else None
        preview = (
            preview_folders(files, choices)
            if read is None
            else preview_table(files, str(upload.root), read, choices)
        )
    except SourceError as error:
        frame.show_error(error)
        return error.message
    if preview.problem:
        st.warning(frame.sentence(preview.problem), icon=":material/info:")
    else:
        st.markdown(_describe(preview))
    for note in preview.notes:
        st.caption(frame.sentence(note))
    table_form.show_rows(preview.rows, upload.content.table, key="preview")
    return preview.problem


def _describe(preview: Preview) -> str:
    """`3 classes: a 10, b 12, c 9. 9 photos for the test. 4 of 31 files left out.`"""
    shown = list(preview.counts.items())[:_PREVIEW_CLASSES]
    names = ", ".join(f"{frame.plain(name)} {n:,}" for name, n in shown)
    n = len(preview.counts)
    if n > len(shown):
        names = _("{names} and {n} more").format(names=names, n=n - len(shown))
    parts = [
        ngettext(
            "**That gives {n} class:** {names}.", "**That gives {n} classes:** {names}.", n
        ).format(n=n, names=names)
    ]
    given = {"train": _("for training"), "val": _("for validation"), "test": _("for the test")}
    splits = [f"{preview.splits[one]:,} {given[one]}" for one in given if one in preview.splits]
    if splits:
        parts.append(_("Given: {splits}.").format(splits=", ".join(splits)))
    left = preview.n_photos - sum(preview.counts.values())
    if left:
        parts.append(
            ngettext("{n:,} photo is left out.", "{n:,} photos are left out.", left).format(n=left)
        )
    return " ".join(parts)
