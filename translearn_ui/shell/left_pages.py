"""Requests of a page that was just left.

A part of a page that redraws itself, by a clock or because something in it was pressed, asks the server for
that by the name of its page. Streamlit takes such a request also when the person has asked for another page
meanwhile, or the script goes to one. It then runs nothing, but tells the browser that the page is the old one:
the browser clears the new page, and stays empty until it is loaded again.

Owns: dropping these requests.
Leaves to others: requests of the page that is shown, and all of them where Streamlit keeps what is read here
in another place.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

_left: WeakKeyDictionary[PagesManager, str] = WeakKeyDictionary()
"""Of sessions whose script goes to another page: the page that it leaves."""


def drop_their_requests() -> None:
    """Let sessions of this process pass over requests of parts of a page that was left; each run of the
    app says so at its begin, whichever page it comes to."""
    _wrap()
    context = get_script_run_ctx()
    if context is not None:
        _left.pop(context.pages_manager, None)


def leave() -> None:
    """The script goes to another page now: this one is left until the next run begins."""
    context = get_script_run_ctx()
    if context is not None:
        _left[context.pages_manager] = context.page_script_hash


@cache
def _wrap() -> None:
    request_rerun = AppSession.request_rerun

    def request_if_shown(session: AppSession, client_state: ClientState | None) -> None:
        if client_state is None or not is_of_a_left_page(session, client_state):
            request_rerun(session, client_state)

    setattr(AppSession, "request_rerun", request_if_shown)  # noqa: B010 - a method that is typed


def is_of_a_left_page(session: Any, asked: ClientState) -> bool:
    """Whether it is; the session is told which page is asked for.

    Of itself it knows the page of the run that began last. That is the app's own script while a first run
    has not come to the page yet. A run may come to another page than was asked for, since there is none of
    that name, say; from its begin on that page is shown, too.
    """
    try:
        held, pages = session._client_state, session._pages_manager
        page = asked.page_script_hash
        if not asked.fragment_id:
            held.page_script_hash = page or held.page_script_hash
            return False
        if held.page_script_hash in ("", pages.main_script_hash):
            return False
        shown = {held.page_script_hash}
        if pages.intended_page_script_hash == held.page_script_hash:
            shown.add(pages.current_page_script_hash)
        return page not in shown or page == _left.get(pages)
    except AttributeError:
        return False
