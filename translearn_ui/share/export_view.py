"""The page Export: the web page first, all other formats behind one expander, made on demand.

Owns: how a format and the state of its export are shown, and the buttons.
Leaves to others: the formats (`translearn_core.export.formats`), making one (`translearn_core.export`),
the web page on phones (`phones.py`).
"""

from __future__ import annotations

import time

import streamlit as st

from translearn_core.export import formats
from translearn_core.export import job as export_job
from translearn_core.export.formats import Format, Parity, Purpose
from translearn_core.i18n import _
from translearn_core.runs import JobState, Run
from translearn_ui.components import format
from translearn_ui.share import phones
from translearn_ui.shell import frame, signed_in

_LOOK_EVERY_S = 0.7
_ICONS: dict[Purpose, str] = {
    "python": ":material/terminal:",
    "browser": ":material/public:",
    "phone": ":material/smartphone:",
    "server": ":material/dns:",
}
_FIRST = "html"
"""The format that is shown first and large."""


def show(run: Run) -> None:
    """All formats."""
    st.fragment(_show, run_every=_LOOK_EVERY_S if _working(run) else None)(run)


def _working(run: Run) -> list[str]:
    """The formats that are being made."""
    states = {name: export_job.state(run, row) for name, row in formats.FORMATS.items()}
    return [name for name, now in states.items() if now is not None and now.is_live]


def _show(run: Run) -> None:
    shown_before = f"share_working_{run.id}"
    working = _working(run)
    if st.session_state.get(shown_before) and not working:
        st.session_state[shown_before] = []
        st.rerun()  # nothing is left to look at: no more looking
    st.session_state[shown_before] = working
    with st.container(border=True, key="share_first"):
        _show_first(run)
    with st.expander(_("All other formats"), icon=":material/category:", key="share_more"):
        st.markdown(
            _(
                "Each download is a zip with the model, its class names, instructions and, for "
                "Python, a short program with the image preprocessing. Before you get it, it is run "
                "here on its own and compared with the app; where the answers differ, it says so."
            )
        )
        offered = [name for name in formats.PURPOSES if _rows_of(name)]
        for start in range(0, len(offered), 2):
            columns = st.columns(2, gap="medium")
            for column, purpose in zip(columns, offered[start : start + 2], strict=False):
                with column, st.container(border=True, key=f"share_{purpose}", height="stretch"):
                    _show_purpose(run, purpose)


def _show_first(run: Run) -> None:
    """The web page: one button, and the page on phones once it is made."""
    row, done = formats.get_format(_FIRST), None
    with st.container(horizontal=True, gap="large"):
        with st.container(key="share_page", width="stretch"), frame.errors_shown():
            st.header(_("A web page to pass on"), anchor=False)
            st.markdown(_(row.what))
            done = _show_state(run, row)
        if done is not None and done.within:
            with st.container(key="share_phones", width=300), frame.errors_shown():
                phones.show(formats.zip_path(run, row))


def _rows_of(purpose: Purpose) -> list[Format]:
    """The formats of a purpose behind the expander."""
    rows = formats.FORMATS.values()
    return [row for row in rows if row.purpose == purpose and row.name != _FIRST]


def _show_purpose(run: Run, purpose: Purpose) -> None:
    title, sentence = formats.PURPOSES[purpose]
    st.subheader(f"{_ICONS[purpose]} {_(title)}", anchor=False)
    st.caption(_(sentence))
    for number, row in enumerate(_rows_of(purpose)):
        if number:
            st.divider()
        with frame.errors_shown():
            _show_format(run, row)


def _show_format(run: Run, row: Format) -> None:
    with st.container(key=f"format_{row.name}", gap="small"):
        st.markdown(f"**{_(row.title)}** · {_(row.what)}")
        _show_state(run, row)


def _show_state(run: Run, row: Format) -> Parity | None:
    """What there is to press or to see of an export; its result, once it is made."""
    done = formats.read(run, row)
    if done is not None:
        _show_done(run, row, done)
        return done
    now = export_job.state(run, row)
    if now is not None and now.is_live:
        _show_working(run, row, now)
        return None
    reason = formats.obstacle(run, row)
    if reason:
        st.caption(f":material/block: {frame.sentence(reason)}")
        return None
    if now is not None and now.has_failed:
        st.error(frame.plain(now.reason), icon=":material/error:")
    if st.button(
        _button_words(row, again=now is not None and now.has_failed),
        key=f"make_{row.name}",
        icon=":material/build:",
        type="primary" if row.name == _FIRST else "secondary",
        help=_("Writes the model as {format} and checks it against the app.").format(
            format=_(row.title)
        ),
    ):
        export_job.start(run, row)
        st.rerun()  # the whole page, which looks at it from now on
    return None


def _button_words(row: Format, *, again: bool) -> str:
    if again:
        return _("Try again")
    return _("Make the web page") if row.name == _FIRST else _("Make it")


def _show_working(run: Run, row: Format, now: JobState) -> None:
    text = _("Starting") if now.stage in ("", "start") else now.stage
    if now.state == "queued" and now.pid:
        text = _("Waiting for another export to finish")
    if now.total:
        text += " · " + _("{done:,} of {total:,}").format(done=now.done, total=now.total)
    else:
        text += " · " + format.duration(time.time() - now.told_at)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, now.done / now.total) if now.total else 0.0, text=text)
        if st.button(_("Stop"), key=f"stop_{row.name}", icon=":material/stop_circle:"):
            export_job.request_stop(run, row)


def _show_done(run: Run, row: Format, done: Parity) -> None:
    sentence = formats.sentence_of(done)
    if done.within and (done.label_changes or done.cropped_changes):
        st.caption(f":orange[:material/rule:] {frame.sentence(sentence)}")
    elif done.within:
        st.caption(f":green[:material/verified:] {frame.sentence(sentence)}")
    else:
        st.warning(
            frame.sentence(sentence) + " " + _("That is too much: use another format."),
            icon=":material/warning:",
        )
    path = formats.zip_path(run, row)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            _download_words(row).format(format=_(row.title), size=format.size(done.zip_bytes)),
            signed_in.as_now(path.read_bytes),
            file_name=formats.file_name(run, row),
            mime="text/html" if row.suffix == ".html" else "application/zip",
            key=f"download_{row.name}",
            type="primary" if done.within and row.name == _FIRST else "secondary",
            icon=":material/download:",
            on_click="ignore",
        )
        with st.popover(_("How it was checked"), icon=":material/fact_check:"):
            _show_check(row, done)


def _download_words(row: Format) -> str:
    return (
        _("Download the web page ({size})")
        if row.name == _FIRST
        else _("Download {format} ({size})")
    )


def _show_check(row: Format, done: Parity) -> None:
    """The figures behind the sentence."""
    st.markdown(
        _(
            "The exported model was run on its own ({runtime}) on {n} photos, and its predictions "
            "were compared with the app's. The largest difference of a probability is "
            "{difference:.6f}; at most {bar:g} is asked for."
        ).format(
            runtime=done.runtime,
            n=done.photos,
            difference=done.max_difference,
            bar=done.difference_bar,
        )
    )
    st.markdown(_("Among the photos: {kinds}.").format(kinds=", ".join(done.kinds)))
    for change in done.changed[:8]:
        st.markdown(
            _("- {photo}: the app says {app} ({p}), the export {export} ({q})").format(
                photo=change["photo"],
                app=frame.plain(change["app"]),
                p=format.percent(change["app_probability"]),
                export=frame.plain(change["export"] or _("nothing")),
                q=format.percent(change["export_probability"]),
            )
        )
    if row.program:
        st.code(row.pip, language="bash")
