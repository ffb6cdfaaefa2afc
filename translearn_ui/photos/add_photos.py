"""The ways photos come in: zip, folder, class by class, camera, a folder of this machine, demo.

Owns: the upload boxes, and moving each upload from memory to disk at once, in a task.
Leaves to others: what becomes of the files (`translearn_core.datasets`), showing the task's
progress and its end (`pages/photos.py`).

`datasets` is imported where it is used, so that the first page is there before it.

Files: `<workspace>/uploads/asked-<random>/` holds what was brought in until it was read
(`datasets/kept_upload.py`); `<workspace>/uploads/<random>/` a zip of further photos.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import streamlit as st

from translearn_core import spaces
from translearn_core.config import home, load_configuration
from translearn_core.errors import SourceError
from translearn_core.i18n import N_, _, ngettext
from translearn_ui.components import background_tasks, format, import_task, uploads
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from translearn_core.datasets import Dataset, ImportChoices


EVERY_S = 0.5
"""As `imaging.video.EVERY_S`, which is not imported for the first page."""
ARCHIVE_TYPES = ("zip", "tar", "gz", "tgz", "bz2", "tbz2", "xz", "txz", "7z")
"""As `datasets.ARCHIVE_TYPES`, which is not imported for the first page."""
TABLE_TYPES = ("csv", "tsv", "txt", "xlsx", "json", "jsonl")
"""As `table_form.TABLE_TYPES`."""

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
    choose = _show_choices("zip", archive=True)
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
    choose = _show_choices("folder")
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
    choose = _show_choices("server")
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


_LEVELS = {
    "": N_("By the folders"),
    "outer": N_("The first level of folders"),
    "inner": N_("The innermost folders"),
}
_ENCODINGS = ("", "utf-8", "cp932", "gbk", "big5", "cp949", "cp1251", "cp866", "cp1252", "cp437")
_ROLE_WORDS = {
    "class": N_("Folders that are classes"),
    "train": N_("Folders of training photos"),
    "val": N_("Folders of validation photos"),
    "test": N_("Folders of test photos"),
    "out": N_("Folders to leave out"),
}


def _show_choices(key: str, *, archive: bool = False) -> Callable[[], ImportChoices]:
    """What names alone do not decide, folded away; returns a function that makes the choices, for the
    import that begins now: the next one begins without any."""
    box = uploads.Box(f"choices_{key}")
    _tell_positions()
    with st.expander(_("How folders are read"), icon=":material/account_tree:", key=f"read_{key}"):
        level = st.selectbox(
            _("Which folders are the classes"),
            list(_LEVELS),
            format_func=lambda name: _(_LEVELS[name]),
            key=f"level_{box.key}",
            persist_state="session",
        )
        named = {
            role: st.text_input(
                _(words),
                placeholder=_("names, with commas between them"),
                key=f"role_{role}_{box.key}",
                persist_state="session",
            )
            for role, words in _ROLE_WORDS.items()
        }
        names = (
            st.selectbox(
                _("Encoding of the names in the archive"),
                list(_ENCODINGS),
                format_func=lambda name: name or _("Found out from the names"),
                key=f"names_{box.key}",
                persist_state="session",
            )
            if archive
            else ""
        )

        every_s = st.number_input(
            _("Seconds between two frames of a video"),
            min_value=0.1,
            max_value=60.0,
            value=EVERY_S,
            step=0.1,
            key=f"every_{box.key}",
            persist_state="session",
        )
        keeps = st.checkbox(
            _("Store where photos were taken (GPS), too"),
            key=f"keep_{box.key}",
            persist_state="session",
        )

    def make() -> ImportChoices:
        from translearn_core.datasets import ImportChoices

        box.empty()
        roles = tuple(
            (name.strip(), role)
            for role, text in named.items()
            for name in text.split(",")
            if name.strip()
        )
        return ImportChoices(
            roles=roles, classes=level, names=names, every_s=every_s, keep_positions=keeps
        )

    return make


def _tell_positions() -> None:
    st.caption(_("Where a photo was taken (GPS) is not stored."))


def _folders_below(roots: list[Path]) -> list[str]:
    """The roots and the folders right below them, at most 200."""
    found: list[str] = []
    for root in roots:
        if root.is_dir():
            inside = sorted(child for child in root.iterdir() if child.is_dir())
            found += [str(child) for child in inside if not child.name.startswith(".")]
            found.append(str(root))
    return found[:200]


# --- more photos for a data set that is there ----------------------------------------------

_RECORDED = "recorded_in"


def is_wanted(dataset: Dataset, *, can_sort: bool) -> bool:
    """Whether adding photos is what comes next, or is being done with the camera.

    Args:
        can_sort: whether photos wait to be sorted instead.
    """
    if len(dataset.classes) < 2:
        return bool(dataset.classes) or not can_sort  # one class alone is not enough
    is_camera = st.session_state.get("add_from") == "camera"
    return is_camera and st.session_state.get(_RECORDED) == dataset.id


def show_add(dataset: Dataset) -> background_tasks.Task | None:
    """Show how to add photos to a data set; returns the task that has just been started."""
    from_where = st.segmented_control(
        _("From where"),
        ["files", "camera", "zip"],
        format_func=lambda where: {
            "files": _(":material/add_photo_alternate: Files"),
            "camera": _(":material/videocam: Camera"),
            "zip": _(":material/folder_zip: Zip file"),
        }[where],
        default="files",
        required=True,
        key="add_from",
        persist_state="session",
        label_visibility="collapsed",
    )
    if from_where == "zip":
        return _add_zip(dataset)
    if from_where == "camera":
        _record(dataset)
        return None
    name = st.selectbox(
        _("Class"),
        dataset.classes,
        index=None,
        accept_new_options=True,
        placeholder=_("Choose a class, or type the name of a new one"),
        key="add_class",
        persist_state="session",
    )
    if not name or not name.strip():
        st.caption(_("First say what is on the photos: that is their class."))
        return None
    return _add_files(dataset, name.strip())


def _record(dataset: Dataset) -> None:
    from translearn_ui.camera import panel, recording_note

    def store() -> Dataset | None:
        st.session_state[_RECORDED] = dataset.id
        return frame.current_dataset()

    panel.show(f"record_{dataset.id}", dataset=frame.current_dataset, store=store)
    recording_note.show(dataset)


def _add_zip(dataset: Dataset) -> background_tasks.Task | None:
    from translearn_core import datasets

    box = uploads.Box("add_zip")
    upload = st.file_uploader(
        _("Drop a zip, tar or 7z file here: inside it, one folder for each class"),
        type=list(ARCHIVE_TYPES),
        key=box.key,
    )
    choose = _show_choices("add_zip", archive=True)
    if upload is None:
        return None
    choices = choose()

    def work(task: background_tasks.Task) -> Any:
        with uploads.on_disk(upload) as path:
            return datasets.add_source(
                dataset, path, choices=choices, progress=uploads.reporter(task), stop=task.stop
            )

    task = background_tasks.start(_("Adding {name}").format(name=upload.name), work)
    box.empty()
    return task


def _add_files(dataset: Dataset, name: str) -> background_tasks.Task | None:
    from translearn_core import datasets
    from translearn_core.datasets import ImportChoices

    box = uploads.Box("add_files")
    given = st.file_uploader(
        _("Photos or videos of {name}").format(name=name),
        accept_multiple_files=True,
        key=box.key,
    )
    uploads.want_photos(box, videos=True)
    if not ImportChoices.from_text(dataset.record.choices).keep_positions:
        _tell_positions()
    if not given:
        return None
    total = len(given)
    files = uploads.releasing(given)
    task = background_tasks.start(
        ngettext("Adding {n} photo to {name}", "Adding {n} photos to {name}", total).format(
            n=total, name=name
        ),
        lambda task: datasets.add_photos(
            dataset, name, files, progress=uploads.reporter(task), stop=task.stop
        ),
    )
    box.empty()
    return task
