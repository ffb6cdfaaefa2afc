"""How this installation is set up: its folder, its cache, its limits."""

from __future__ import annotations

import streamlit as st

from translearn_core.config import home, load_configuration
from translearn_core.i18n import _, ngettext
from translearn_ui.components import dialogs, format


def show() -> None:
    """Folder, cache and limits."""
    from translearn_core.features import cache

    configuration = load_configuration()
    home().mkdir(parents=True, exist_ok=True)
    st.markdown(_("Everything is in one folder: `{folder}`.").format(folder=home()))
    st.caption(_("To use another folder, set `TRANSLEARN_HOME` before the app is started."))
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="row_cache"):
        used = cache.cache_size_bytes()
        st.markdown(
            _(
                "**Cache**  \n:small[{used} of at most {most}: features of photos, from which the next training on them starts.]"
            ).format(used=format.size(used), most=format.size(configuration.cache_bytes)),
            width="stretch",
        )
        if st.button(
            _("Empty"),
            key="cache_empty",
            type="tertiary",
            icon=":material/delete:",
            disabled=not used,
        ):
            dialogs.ask_once(
                _("Empty the cache?"),
                _("{size} are freed. The next training looks at its photos again.").format(
                    size=format.size(used)
                ),
                _("Empty"),
                cache.empty_cache,
            )
    st.markdown(_("**Settings of this installation**"))
    limits = configuration.limits
    roots = ", ".join(f"`{path}`" for path in configuration.source_folders)
    lines = [
        _("Folders that pages may read photos from: {roots}").format(roots=roots or _("none")),
        ngettext(
            "At most {n} training at a time", "At most {n} trainings at a time", configuration.slots
        ).format(n=configuration.slots)
        if configuration.slots
        else _("One training at a time, or one per graphics card"),
        _("Backbones may be downloaded: {yes}").format(
            yes=_("yes") if configuration.allow_downloads else _("no")
        ),
        _("At most {files:,} files and {size} in one import, {photo} in one photo").format(
            files=limits.files,
            size=format.size(limits.total_bytes),
            photo=format.size(limits.photo_bytes),
        ),
    ]
    st.markdown("\n".join(f"- {line}" for line in lines))
    st.caption(
        _(
            "To change them, write `{file}` (`docs/configuration.md` says how) and reload the page."
        ).format(file=home() / "config.toml")
    )
