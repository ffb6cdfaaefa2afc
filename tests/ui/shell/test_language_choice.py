"""Each person reads the pages in a language: how it is found, chosen, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from translearn_core.i18n import language, matching

TITLES = {"My work": "en", "我的作品": "zh_CN", "Meine Arbeit": "de"}


@pytest.fixture(autouse=True)
def _as_configured(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The language is nobody's; what a page sets in this process does not stay."""
    monkeypatch.delenv("TRANSLEARN_LANGUAGE")
    monkeypatch.delenv("LANG", raising=False)
    yield
    language.ask_first(lambda: None)


def _page() -> None:
    import streamlit as st

    from translearn_core.i18n import _, language
    from translearn_ui.shell import language_choice

    @st.fragment
    def alone() -> None:
        language.set("")  # as in a thread that runs a fragment alone
        st.caption(_("My work"))

    language_choice.use()
    language_choice.show()
    st.title(_("My work"))
    alone()


def opened(locale: str | None = None, *, query: str = "") -> AppTest:
    app = AppTest.from_function(_page, default_timeout=60)
    if locale:
        app.context = {"locale": locale}
    if query:
        app.query_params["lang"] = query
    return app.run()


def spoken(app: AppTest) -> str:
    """The language of a page and of its fragment."""
    assert not app.exception
    assert app.title[0].value == app.caption[0].value
    return TITLES[app.title[0].value]


def test_a_page_speaks_the_language_of_the_browser_until_another_is_chosen() -> None:
    app = opened("zh-CN")
    assert spoken(app) == "zh_CN"
    app.button(key="language_de").click().run()
    assert spoken(app) == "de"
    assert spoken(app.run()) == "de"


@pytest.mark.parametrize(
    ("locale", "query", "configured", "code"),
    [
        (None, "", "", "en"),
        ("fr-FR", "", "", "en"),
        ("de-AT", "", "", "de"),
        ("de-AT", "zh-CN", "", "zh_CN"),
        ("de-AT", "xx", "zh_CN", "zh_CN"),
    ],
)
def test_the_address_comes_before_the_configuration_and_that_before_the_browser(
    locale: str | None, query: str, configured: str, code: str, workspace: Path
) -> None:
    if configured:
        workspace.mkdir()
        (workspace / "config.toml").write_text(f'language = "{configured}"', encoding="utf-8")
    assert spoken(opened(locale, query=query)) == code


def test_what_the_cookie_of_an_earlier_visit_says_is_no_more_than_a_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value, code in (("de", "de"), ("../../de", "en"), ("", "en")):
        monkeypatch.setattr(type(st.context), "cookies", {"translearn_language": value})
        assert spoken(opened()) == code
        assert matching([value]) in ("de", "")


def test_a_configuration_that_cannot_be_read_leaves_the_pages_their_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRANSLEARN_LIMITS", "{bad")
    app = opened("de-DE")
    assert not app.exception
    assert TITLES[app.title[0].value] == "de"
