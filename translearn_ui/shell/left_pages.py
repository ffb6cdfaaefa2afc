"""Requests of a page that the person has just left.

A part of a page that redraws itself, by a clock or because something in it was pressed, asks the server for
that by the name of its page. Streamlit takes such a request also when the person has asked for another page
meanwhile. It then runs nothing, but tells the browser that the page is the old one: the browser clears the
new page, and stays empty until it is loaded again.

Owns: dropping these requests.
Leaves to others: requests of the page that is shown.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession


@cache
def drop_their_requests() -> None:
    """Let sessions of this process pass over requests of parts of a page that was left."""
    request_rerun = AppSession.request_rerun

    def request_if_shown(session: AppSession, client_state: ClientState | None) -> None:
        if client_state is None or not _is_of_a_left_page(session, client_state):
            request_rerun(session, client_state)

    setattr(AppSession, "request_rerun", request_if_shown)  # noqa: B010 - a method that is typed


def _is_of_a_left_page(session: Any, asked: ClientState) -> bool:
    """Whether it is; the session is told which page is asked for.

    Of itself it knows the page of the run that began last. That is the app's own script while a first run
    has not come to the page yet.
    """
    held, page = session._client_state, asked.page_script_hash
    if not asked.fragment_id:
        held.page_script_hash = page or held.page_script_hash
        return False
    known = held.page_script_hash not in ("", session._pages_manager.main_script_hash)
    return known and page != held.page_script_hash
