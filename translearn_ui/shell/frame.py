"""What stands around every page: navigation, the path of five steps, what is being looked at.

Owns: the table of pages, the cure for deep links, the current data set and run (both in the
URL, so that a reload and a second tab keep them), and how headings and errors are shown.
Leaves to others: colours and spacing (`theme.py`), what a page holds (`pages/`).

A page file begins, right after its imports, with `frame.page("photos")`.

Deep links: until some session has called `st.navigation`, Streamlit answers a first request
for `/train` by running `pages/train.py` without `cli/app.py`. `cli/app.py` therefore marks itself in a
`ContextVar`; a page that does not find the mark remembers page and query and goes to `cli/app.py`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import streamlit as st

from translearn_core import __version__
from translearn_core.config import home
from translearn_core.errors import RunError, TransLearnError
from translearn_core.i18n import N_, _
from translearn_core.runs import Run, list_runs
from translearn_ui.shell import language_choice, start, theme

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

    from translearn_core.datasets import Dataset

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
ICON = Path(__file__).parent / "assets" / "mark.svg"

PageName = Literal[
    "photos",
    "train",
    "results",
    "try_it",
    "share",
    "work",
    "compare",
    "feasible",
    "search",
    "sort",
    "camera",
]


@dataclass(frozen=True)
class PageRow:
    """One page: its name (also its address and file), its title, its icon, its step (0: none).

    `under`: the page of the head line that it belongs to, where it stands there itself not.
    """

    name: PageName
    title: str
    icon: str
    step: int
    under: PageName | None = None


PAGES: tuple[PageRow, ...] = (
    PageRow("photos", N_("Photos"), ":material/photo_library:", 1),
    PageRow("train", N_("Train"), ":material/model_training:", 2),
    PageRow("results", N_("Results"), ":material/insights:", 3),
    PageRow("try_it", N_("Try it"), ":material/photo_camera:", 4),
    PageRow("share", N_("Take it away"), ":material/download:", 5),
    PageRow("work", N_("My work"), ":material/inventory_2:", 0),
    PageRow("compare", N_("Compare"), ":material/compare_arrows:", 0, "work"),
    PageRow("feasible", N_("Can this work?"), ":material/fact_check:", 0, "photos"),
    PageRow("search", N_("Search for better settings"), ":material/manage_search:", 0, "train"),
    PageRow("sort", N_("Sort photos"), ":material/filter_none:", 0, "photos"),
    PageRow("camera", N_("Camera"), ":material/videocam:", 0, "photos"),
)

_MARKDOWN = "\\`*_{}[]()<>#+-.!|~:$&^"
_JOINER = "\u2060"
_ADDRESS = re.compile(r"(?i)(?:[a-z][a-z0-9+.-]*:(?=//)|www(?=\.)|(?:mailto|xmpp):|(?=@))")

_inside_app: ContextVar[bool] = ContextVar("inside_app", default=False)
_DEEP_LINK = "frame_deep_link"
_DATA = "data"
_RUN = "run"


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
        _path_of(start.name), title=_(start.title), icon=start.icon, url_path="", default=True
    )
    return [
        home_page,
        *(
            st.Page(_path_of(row.name), title=_(row.title), icon=row.icon, url_path=row.name)
            for row in PAGES
        ),
    ]


@contextmanager
def inside() -> Iterator[None]:
    """Mark that `cli/app.py` runs the page."""
    token = _inside_app.set(True)
    try:
        yield
    finally:
        _inside_app.reset(token)


def follow_deep_link() -> None:
    """Go to the page that a deep link asked for before `cli/app.py` had ever run."""
    wanted = st.session_state.pop(_DEEP_LINK, None)
    if wanted is not None:
        name, query = wanted
        st.switch_page(str(ROOT / "pages" / f"{name}.py"), query_params=query)


def page(name: PageName) -> None:
    """Open a page: cures a deep link, draws style, head line and path. The first call of a page."""
    if not _inside_app.get():
        st.session_state[_DEEP_LINK] = (name, st.query_params.to_dict())
        st.switch_page("app.py", query_params=st.query_params.to_dict())
    row = next(row for row in PAGES if row.name == name)
    tab_title(_(row.title))
    theme.apply()
    language_choice.show()
    _show_head(row)
    if not start.can_write():
        st.error(
            _(
                "The workspace {folder} cannot be written, so nothing can be brought in or trained. "
                "Make it writable, or name another folder in TRANSLEARN_HOME and start again."
            ).format(folder=plain(str(home()))),
            icon=":material/lock:",
        )


def tab_title(text: str) -> None:
    """What the tab of the browser says: `82 % · done – TransLearn`."""
    st.set_page_config(page_title=f"{text} – TransLearn")


def _show_head(here: PageRow) -> None:
    """The line with the brand, the five steps with the present one marked, and My work."""
    with st.container(key="frame_head", horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(key="frame_brand", width="content"):
            st.page_link(_path_of("photos"), label="TransLearn")
        with st.container(key="frame_path", horizontal=True, gap=None, width="stretch"):
            for row in PAGES:
                if row.step:
                    _show_step(row, here)
        with st.container(
            key="frame_work_now" if _place_of(here) == "work" else "frame_work", width="content"
        ):
            st.page_link(
                _path_of("work"),
                label=_("My work"),
                icon=":material/inventory_2:",
                query_params=_kept(),
            )


def _show_step(row: PageRow, here: PageRow) -> None:
    now = row.name == _place_of(here)
    with st.container(key=f"frame_step_{row.name}{'_now' if now else ''}", width="content"):
        st.page_link(
            _path_of(row.name),
            label=_(row.title),
            icon=f":material/counter_{row.step}:",
            query_params=_kept(),
            help=_("You are here: step {n} of 5").format(n=row.step) if now else None,
        )


def _place_of(here: PageRow) -> PageName:
    """What of the head line is marked on a page."""
    return here.under or here.name


def _path_of(name: str) -> str:
    return str(ROOT / "pages" / f"{name}.py")


def _kept() -> dict[str, str]:
    """The part of the URL that goes along from page to page."""
    return {key: st.query_params[key] for key in (_DATA, _RUN) if key in st.query_params}


def go(name: PageName, **query: str) -> NoReturn:
    """Go to a page and take the current data set and run along, and what that page is told more."""
    st.switch_page(_path_of(name), query_params=_kept() | query)


# --- what is being looked at ---------------------------------------------------------------


def current_dataset() -> Dataset | None:
    """The data set of this tab: the URL's, else the current run's; None when there is none.

    A data set that is gone is taken out of the URL and said in a toast.
    """
    name: str | None = Path(st.query_params.get(_DATA, "")).name  # an id, never a path
    if not name:
        run = _named_run()
        name = run.config.dataset if run else None
    if not name:
        return None
    from translearn_core import datasets

    try:
        return datasets.open_dataset(name)
    except TransLearnError as error:
        st.query_params.pop(_DATA, None)
        st.toast(plain(error.message), icon=":material/info:")
        return None


def current_run() -> Run | None:
    """The run of this tab: the URL's, else the newest one of the current data set; or None."""
    named = _named_run()
    if named is not None or _DATA not in st.query_params:
        return named
    of_data = runs_of(st.query_params[_DATA])
    return of_data[0] if of_data else None


def runs_of(dataset_id: str) -> list[Run]:
    """The runs on a data set, newest first."""
    return [run for run in list_runs() if Path(run.config.dataset).name == dataset_id]


def _named_run() -> Run | None:
    name = st.query_params.get(_RUN)
    if name is None:
        return None
    run = Run(home() / "runs" / Path(name).name)
    try:
        run.require()
    except RunError:
        st.query_params.pop(_RUN, None)
        st.toast(_("That run is no longer there."), icon=":material/info:")
        return None
    return run


def open_dataset(dataset: Dataset | None) -> None:
    """Make a data set the one this tab looks at (None: none); a run on another one is let go."""
    run = _named_run()
    if dataset is None:
        st.query_params.pop(_DATA, None)
        st.query_params.pop(_RUN, None)
        return
    if run is not None and Path(run.config.dataset).name != dataset.folder.name:
        st.query_params.pop(_RUN, None)
    st.query_params[_DATA] = dataset.id


def open_run(run: Run | None) -> None:
    """Make a run, and the data set it was trained on, the ones this tab looks at."""
    if run is None:
        st.query_params.pop(_RUN, None)
        return
    st.query_params[_RUN] = run.id
    st.query_params[_DATA] = Path(run.config.dataset).name


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
    *, title: str, text: str, icon: str, key: str, button: str = "", page: PageName = "photos"
) -> None:
    """Show what a page says when there is nothing to show yet, and the one way on."""
    with st.container(key=f"empty_{key}", horizontal_alignment="center", gap="small"):
        with st.container(key=f"icon_of_empty_{key}", width="content"):
            st.markdown(icon)
        st.subheader(title, anchor=False, text_alignment="center")
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
        st.subheader(title, anchor=False, width="content")
        with st.popover(ask or _("why?"), type="tertiary", key=f"why_{name}"):
            st.markdown(why)


def plain(text: str) -> str:
    """A text of a person (a class name, a file name) so that Markdown leaves it as it is.

    It stays on one line. Addresses, which become links whatever is escaped in them, are broken by
    a sign that is not seen.
    """
    return _escaped(" ".join(text.split()))


def _escaped(line: str) -> str:
    line = _ADDRESS.sub(lambda found: f"{found[0]}{_JOINER}", line)
    return "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in line)


def sentence(text: str) -> str:
    """A sentence of the core for Markdown: as `plain`, with what stands in backticks as code."""
    if text.count("`") % 2:
        return plain(text)
    marked = [
        f"`{part}`" if place % 2 and part.strip() else _escaped(part)
        for place, part in enumerate(" ".join(text.split()).split("`"))
    ]
    return "".join(marked)


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names of a person in a row, for Markdown: `cats, dogs and 12 more`."""
    text = ", ".join(plain(name) for name in names[:most])
    if len(names) > most:
        text = _("{names} and {n} more").format(names=text, n=len(names) - most)
    return text
