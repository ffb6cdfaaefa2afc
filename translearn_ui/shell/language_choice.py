"""The language of the pages: which one a person gets, choosing another, keeping it.

Owns: the order of what tells the language, the menu in the head line, the cookie.
Leaves to others: the languages there are and their texts (`translearn_core/i18n.py`).

The first of these that names a language there is: what was chosen in this tab, `?lang=` in the
address, the cookie of an earlier visit, the configuration, the browser. `use` is called by `app.py`
at each run of a page; a fragment or callback, which runs without it, asks the session.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from translearn_core.config import load_configuration
from translearn_core.errors import TransLearnError
from translearn_core.i18n import ENGLISH, LANGUAGES, language, matching, tag

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

_CHOSEN = "language_chosen"
QUERY = "lang"
COOKIE = "translearn_language"
_SCRIPT = """
export default function ({ data }) {
  document.documentElement.lang = data.tag;
  if (data.keep) {
    const safe = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${data.cookie}=${data.keep}; path=/; max-age=31536000; SameSite=Lax${safe}`;
  }
}
"""


def use() -> None:
    """Give this run of a page its language."""
    asked = st.query_params.pop(QUERY, None)
    if matching([asked]):
        st.session_state[_CHOSEN] = matching([asked])
    language.ask_first(_of_session)
    language.set(_told() or ENGLISH)


def of_request(request: HTTPConnection) -> str:
    """The language of a page that is none of Streamlit's: that of its request, by the same order."""
    accepted = request.headers.get("accept-language", "").split(",")
    return (
        matching(
            [
                request.query_params.get(QUERY),
                request.cookies.get(COOKIE),
                _configured(),
                *(name.split(";")[0].strip() for name in accepted),
            ]
        )
        or ENGLISH
    )


def _told() -> str:
    return matching(
        [
            st.session_state.get(_CHOSEN),
            st.context.cookies.get(COOKIE),
            _configured(),
            st.context.locale,
        ]
    )


def _configured() -> str:
    before = language.set(ENGLISH)  # its errors are sentences, which ask for the language
    try:
        return load_configuration().language
    except TransLearnError:  # told where the configuration is needed
        return ""
    finally:
        language.reset(before)


def _of_session() -> str | None:
    """The language of the session that this thread runs a fragment or a callback for."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    code = _told() or None
    if code:
        language.set(code)
    return code


def show() -> None:
    """The menu of languages, in the corner of the page."""
    now = language.get()
    with st.container(key="frame_language", width="content"):
        with st.popover(LANGUAGES[now], icon=":material/language:", type="tertiary"):
            for code, own_name in LANGUAGES.items():
                st.button(
                    own_name,
                    key=f"language_{code}",
                    type="tertiary",
                    icon=":material/check:" if code == now else None,
                    on_click=_choose,
                    args=(code,),
                )
        _keeper()(
            key="language_keeper",
            data={"tag": tag(now), "cookie": COOKIE, "keep": st.session_state.get(_CHOSEN, "")},
        )


def _choose(code: str) -> None:
    st.session_state[_CHOSEN] = code
    language.set(code)


@cache
def _keeper() -> Any:
    """An element without a face that writes the cookie and names the language of the document."""
    return st.components.v2.component("translearn_language", js=_SCRIPT)
