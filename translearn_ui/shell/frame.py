"""What every page begins with and shows alike: the bar, notices, errors, empty states, headings.

Owns: opening a page (`page`), the cure for deep links, going from page to page, the title of the
browser's tab, and how headings and errors are shown.
Leaves to others: the table of pages (`pages.py`), the photos and the model in hand (`tab_state.py`),
the bar (`bar.py`), words of a person as Markdown (`text.py`), colours and spacing (`theme.py`), what
a page holds (`pages/`). Their names can be used from here.

A page file begins, right after its imports, with `frame.page("photos")`.

Deep links: until some session has called `st.navigation`, Streamlit answers a first request
for `/train` by running `pages/train.py` without `app.py`. `app.py` therefore marks itself in a
`ContextVar`; a page that does not find the mark remembers page and query and goes to `app.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from translearn_core import __version__
from translearn_core.config import home
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_ui.shell import bar, language_choice, left_pages, signed_in, start, tab_state, theme
from translearn_ui.shell.pages import PAGES as PAGES
from translearn_ui.shell.pages import PageName as PageName
from translearn_ui.shell.pages import PageRow, path_of
from translearn_ui.shell.tab_state import current_dataset as current_dataset
from translearn_ui.shell.tab_state import current_run as current_run
from translearn_ui.shell.tab_state import kept as kept
from translearn_ui.shell.tab_state import open_dataset as open_dataset
from translearn_ui.shell.tab_state import open_run as open_run
from translearn_ui.shell.tab_state import runs_of as runs_of
from translearn_ui.shell.text import listed as listed
from translearn_ui.shell.text import plain as plain
from translearn_ui.shell.text import sentence as sentence
from translearn_ui.shell.text import unbroken as unbroken

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.navigation.page import Page

    from translearn_core.datasets import Dataset

log = logging.getLogger(__name__)

ICON = Path(__file__).parent / "assets" / "mark.svg"

_inside_app: ContextVar[bool] = ContextVar("inside_app", default=False)
_DEEP_LINK = "frame_deep_link"


def about() -> str:
    """The text of the About box."""
    return _(
        "**TransLearn {version}** teaches a computer to tell photos apart, on your own machine, "
        "without code (transfer learning)."
    ).format(version=__version__)


def navigation() -> list[Page]:
    """The pages for `st.navigation`, in the order of the table.

    The first one answers at `/` and, since an address that is written down must go on working,
    also at its own name.
    """
    start = PAGES[0]
    home_page = st.Page(
        path_of(start.name), title=_(start.title), icon=start.icon, url_path="", default=True
    )
    return [
        home_page,
        *(
            st.Page(path_of(row.name), title=_(row.title), icon=row.icon, url_path=row.name)
            for row in PAGES
            if signed_in.is_class() or not row.of_class
        ),
    ]


@contextmanager
def inside() -> Iterator[None]:
    """Mark that `app.py` runs the page."""
    token = _inside_app.set(True)
    try:
        yield
    finally:
        _inside_app.reset(token)


def follow_deep_link() -> None:
    """Go to the page that a deep link asked for before `app.py` had ever run."""
    wanted = st.session_state.pop(_DEEP_LINK, None)
    if wanted is not None:
        name, query = wanted
        st.switch_page(path_of(name), query_params=query)


def page(name: PageName) -> DeltaGenerator:
    """Open a page: cures a deep link, draws the style, the bar and notices. The first call of a page.

    Returns:
        The place in the bar for the next action, on pages that put their own there.
    """
    if not _inside_app.get():
        st.session_state[_DEEP_LINK] = (name, st.query_params.to_dict())
        st.switch_page("app.py", query_params=st.query_params.to_dict())
    row = next(row for row in PAGES if row.name == name)
    theme.apply()
    language_choice.show()
    if name in ("results", "try_it", "share"):
        tab_state.take_newest_result()
    dataset, run = tab_state.current_dataset(), tab_state.current_run()
    tab_title(_title_of(row, dataset))
    place, wanted = bar.show(row, dataset, run)
    if wanted is not None:
        if wanted.anew:
            tab_state.open_run(None)
        elif run is not None:
            tab_state.open_run(run)
        with errors_shown():
            if wanted.page == "sort" and dataset is not None:
                from translearn_ui.shell import sort_next  # brings pandas in

                sort_next.take(dataset)
            go(wanted.page)
    for text in tab_state.notices(name):
        _show_notice(text)
    if not start.can_write():
        st.error(
            _(
                "The workspace {folder} cannot be written, so nothing can be brought in or trained. "
                "Make it writable, or name another folder in TRANSLEARN_HOME and start again."
            ).format(folder=plain(str(home()))),
            icon=":material/lock:",
        )
    return place


def _title_of(row: PageRow, dataset: Dataset | None) -> str:
    """What the tab says of a page until the page says more."""
    if dataset is None:
        return _(row.title)
    if row.name == "photos":
        return _("Photos of {name}").format(name=dataset.name)
    return _("{page} · {name}").format(page=_(row.title), name=dataset.name)


def tell_now(text: str) -> None:
    """Say here, and at the top of this page from now on, what was changed elsewhere."""
    tab_state.tell(text)
    _show_notice(text)


def _show_notice(text: str) -> None:
    st.warning(sentence(text), icon=":material/info:")


def tab_title(text: str) -> None:
    """What the tab of the browser says: `82 % · done – TransLearn`."""
    st.set_page_config(page_title=f"{text} – TransLearn")


def go(name: PageName, **query: str) -> NoReturn:
    """Go to a page and take the current data set and run along, and what that page is told more."""
    left_pages.leave()
    st.switch_page(path_of(name), query_params=tab_state.kept() | query)


def server_is_here() -> bool:
    """Whether browser and server are, by all signs of the request, the same machine."""
    headers = st.context.headers
    if any(headers.get(name) for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")):
        return False
    host = headers.get("Host", "localhost").rsplit(":", 1)[0].strip("[]")
    return host in ("localhost", "127.0.0.1", "::1") and st.context.ip_address is None


# --- states that every page has ------------------------------------------------------------


def show_error(error: BaseException) -> None:
    """Show an error: its own sentence where it is meant for a person, a calm one where it is a bug.

    A bug goes to the log with its traceback.
    """
    if isinstance(error, TransLearnError):
        st.error(sentence(error.message), icon=":material/error:")
        return
    log.error("A page met an unexpected error", exc_info=error)
    st.error(
        _(
            "Something went wrong here that we did not foresee. Nothing you made is lost. "
            "Reload the page; if it happens again, the details are in the log of the app."
        ),
        icon=":material/error:",
    )


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show any error of the block as a friendly box. For pages, fragments and callbacks."""
    try:
        yield
    except Exception as error:
        log.debug("shown to the person", exc_info=error)
        show_error(error)


def empty_state(
    *,
    title: str,
    text: str,
    icon: str,
    key: str,
    button: str = "",
    page: PageName = "photos",
    heads: bool = False,
) -> None:
    """Show what a page says when there is nothing to show yet, and the one way on.

    Args:
        page: where the button leads; to the photos where training has none yet.
        heads: whether its title is that of the page, which has no other.
    """
    if button and page == "train" and not tab_state.kept():
        button, page = _("Choose photos"), "photos"
    with st.container(key=f"empty_{key}", horizontal_alignment="center", gap="small"):
        with st.container(key=f"icon_of_empty_{key}", width="content"):
            st.markdown(icon)
        (st.title if heads else st.header)(title, anchor=False, text_alignment="center")
        st.markdown(text, text_alignment="center")
        if button and st.button(button, key=f"go_from_empty_{key}", type="primary"):
            go(page)


# --- how things are written ----------------------------------------------------------------


def heading(title: str, why: str, *, name: str, ask: str = "") -> None:
    """A heading, and beside it an explanation for those who ask.

    Args:
        why: the explanation, in Markdown.
        name: of the explanation, within the page.
        ask: the question that leads to it; default “why?”.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(title, anchor=False, width="content")
        with st.popover(ask or _("why?"), type="tertiary", key=f"why_{name}"):
            st.markdown(why)
