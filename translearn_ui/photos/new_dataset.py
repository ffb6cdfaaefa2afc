"""The ways to a new data set: zip, folder, class by class, a folder of this machine, demo.

Owns: the upload boxes, and moving each upload from memory to disk at once, in a task.
Leaves to others: how folders are read (`upload_choices.py`), more photos for a data set that is there
(`add_photos.py`), what becomes of the files (`translearn_core.datasets`), showing the task's
progress and its end (`pages/photos.py`).

`datasets` is imported where it is used, so that the first page is there before it.

Files: `<workspace>/uploads/asked-<random>/` holds what was brought in until it was read
(`datasets/kept_upload.py`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

import streamlit as st

from translearn_core import spaces
from translearn_core.config import home, load_configuration
from translearn_core.errors import SourceError
from translearn_core.i18n import N_, _
from translearn_ui.components import background_tasks, format, import_task, uploads
from translearn_ui.photos.upload_choices import ARCHIVE_TYPES, TABLE_TYPES, show_choices
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from translearn_core.datasets import Dataset, ImportChoices


WAYS = {
    "zip": N_("Zip file"),
    "folder": N_("Folder"),
    "classes": N_("Class by class"),
    "server": N_("Folder on this machine"),
}
_WAY_ICONS = {
    "zip": ":material/folder_zip:",
    "folder": ":material/folder_open:",
    "classes": ":material/category:",
    "server": ":material/dns:",
}


def show_ways() -> background_tasks.Task | None:
    """Show the ways to a new data set; returns the task of an import that has just been started."""
    way = st.pills(
        _("How your photos come in"),
        [way for way in WAYS if way != "server" or _has_source_folders()],
        format_func=lambda name: f"{_WAY_ICONS[name]} {_(WAYS[name])}",
        default="zip",
        required=True,
        key="way",
        persist_state="session",
        label_visibility="collapsed",
    )
    if way == "folder":
        return _from_folder()
    if way == "classes":
        _from_classes()
        return None
    if way == "server":
        return _from_server()
    return _from_zip()


def start_demo() -> background_tasks.Task:
    """Start drawing the demo photos."""
    from translearn_core import datasets

    return background_tasks.start(
        _("Drawing the demo photos"),
        lambda task: datasets.make_demo(progress=uploads.reporter(task)),
    )


def _from_zip() -> background_tasks.Task | None:
    box = uploads.Box("zip")
    given = st.file_uploader(
        _("Drop a zip, tar or 7z file here: inside it, one folder for each class"),
        accept_multiple_files=True,
        key=box.key,
    )
    st.caption(
        _(
            "At most {size}. Subfolders are fine; `train`, `val` and `test` folders are respected. "
            "No class folders? Drop a table (CSV, Excel, COCO) with the class of each photo, too."
        ).format(size=format.size(st.get_option("server.maxUploadSize") * 1_000_000))
    )
    choose = show_choices("zip", archive=True)
    other = [one.name for one in given if _type_of(one.name) not in (*ARCHIVE_TYPES, *TABLE_TYPES)]
    if other:
        st.warning(
            _(
                "{names}: only a zip, tar or 7z file works here, with a table beside it where you have "
                "one. For single photos choose Folder or Class by class."
            ).format(names=frame.listed(other)),
            icon=":material/info:",
        )
        return None
    tables = [one for one in given if _is_table(one.name)]
    archives = [one for one in given if not _is_table(one.name)]
    is_package = {"media.csv", "observations.csv"} <= {one.name for one in tables}
    if is_package:  # of camera traps: two tables that belong together
        tables = [one for one in tables if one.name in ("media.csv", "observations.csv")]
    if len(archives) > 1 or (len(tables) > 1 and not is_package):
        st.warning(
            _("One archive at a time, with one table at most. Take the others away."),
            icon=":material/info:",
        )
        return None
    if not archives:
        if tables:
            st.info(
                _("{name} is here. Now drop the archive with the photos, too.").format(
                    name=frame.listed([one.name for one in tables])
                ),
                icon=":material/table:",
            )
        return None
    return _start(
        PurePosixPath(_stem(archives[0].name)).name,
        choose(),
        box,
        archive=archives[0],
        tables=tables,
    )


def _stem(name: str) -> str:
    from translearn_core.datasets.archive import archive_stem

    return archive_stem(name)


def _is_table(name: str) -> bool:
    return _type_of(name) in TABLE_TYPES


def _type_of(name: str) -> str:
    return PurePosixPath(name.lower()).suffix.lstrip(".")


def _start(
    name: str,
    choices: ImportChoices,
    *boxes: uploads.Box,
    archive: UploadedFile | None = None,
    files: list[UploadedFile] | None = None,
    source: Path | None = None,
    in_place: bool = False,
    tables: Sequence[UploadedFile] = (),
) -> background_tasks.Task:
    """Start bringing in an archive, files or a folder of this machine, with a table or without.

    What comes over the page is kept in a folder of its own until it was read; where it cannot be
    read, for as long as the page asks about it.
    """
    folder = home() / "uploads" / f"asked-{secrets.token_hex(6)}"

    def work(task: background_tasks.Task) -> Dataset:
        from translearn_core.datasets import kept_upload, table_in_upload
        from translearn_core.datasets.tasks import TableChoices

        def received(number: int, file: str) -> None:
            task.report(number, len(files or ()), _("Receiving {file}").format(file=file))
            if task.stop():
                raise SourceError(_("The import was stopped. Nothing was kept."))

        with kept_upload.removed_unless_asked(folder, stop=task.stop):
            upload = kept_upload.receive_upload(
                folder,
                name=name,
                archive=(archive.name, cast(BinaryIO, archive)) if archive is not None else None,
                files=uploads.releasing(files or []),
                source=source,
                in_place=in_place,
                tables=[(one.name, cast(BinaryIO, one)) for one in tables],
                choices=choices,
                received=received,
            )
            for one in (*([archive] if archive is not None else []), *tables):
                one.close()
            adopted = TableChoices() if tables else table_in_upload.adopt_table(upload, choices)
            upload.remember(choices, adopted)
            return kept_upload.read_upload(
                upload,
                choices=choices,
                table=adopted,
                progress=uploads.reporter(task),
                stop=task.stop,
            )

    title = _("Bringing in {name}").format(name=name)
    task = background_tasks.start(title, work, upload=folder.name)
    st.query_params[import_task.UPLOAD] = folder.name
    for box in boxes:
        box.empty()
    return task


def _from_folder() -> background_tasks.Task | None:
    box = uploads.Box("folder")
    given = st.file_uploader(
        _("Drop a folder here: inside it, one folder for each class"),
        accept_multiple_files="directory",
        key=box.key,
    )
    st.caption(_("For more than about 5,000 photos a zip file is quicker."))
    choose = show_choices("folder")
    table_box, table = _table_box("folder")
    if not given:
        return None
    first = PurePosixPath(given[0].name).parts
    name = first[0] if len(first) > 1 else _("My photos")
    tables = [table] if table is not None else []
    return _start(name, choose(), box, table_box, files=given, tables=tables)


def _table_box(key: str) -> tuple[uploads.Box, UploadedFile | None]:
    """A box for a table with the classes, where the folders are not the classes."""
    box = uploads.Box(f"table_{key}")
    table = st.file_uploader(
        _("No class folders? First drop a table with the class of each photo (CSV, Excel, COCO)"),
        type=list(TABLE_TYPES),
        key=box.key,
    )
    return box, table


def _from_classes() -> None:
    from translearn_core import datasets

    with st.form("classes_form", border=False):
        name = st.text_input(
            _("A name for your photos"),
            placeholder=_("for example: leaves of our school yard"),
            key="classes_name",
        )
        st.caption(_("Then name your classes, and add photos to each, from files or the camera."))
        if st.form_submit_button(_("Begin"), type="primary", key="classes_begin"):
            frame.open_dataset(datasets.create_dataset(name.strip() or _("My photos")))
            st.session_state.pop("way", None)
            st.rerun()


def _has_source_folders() -> bool:
    """Whether pages may read folders of this machine, which a space of a class may not."""
    return spaces.is_whole() and bool(load_configuration().source_folders)


def _from_server() -> background_tasks.Task | None:
    from translearn_core import datasets

    roots = datasets.source_folders()
    chosen = st.selectbox(
        _("Folder with one folder for each class"),
        _folders_below(roots),
        index=None,
        accept_new_options=True,
        placeholder=_("Choose a folder, or type a path below {roots}").format(
            roots=", ".join(map(str, roots))
        ),
        key="server_folder",
    )
    in_place = st.checkbox(
        _("Leave the photos where they are (takes no room; they must stay there)"),
        value=True,
        key="server_in_place",
    )
    choose = show_choices("server")
    table_box, table = _table_box("server")
    if not st.button(_("Use this folder"), key="server_go", type="primary", disabled=not chosen):
        return None
    folder = datasets.allowed_folder(Path(str(chosen)))
    return _start(
        folder.name,
        choose(),
        table_box,
        source=folder,
        in_place=in_place,
        tables=[table] if table is not None else [],
    )


def _folders_below(roots: list[Path]) -> list[str]:
    """The roots and the folders right below them, at most 200."""
    found: list[str] = []
    for root in roots:
        if root.is_dir():
            inside = sorted(child for child in root.iterdir() if child.is_dir())
            found += [str(child) for child in inside if not child.name.startswith(".")]
            found.append(str(root))
    return found[:200]
