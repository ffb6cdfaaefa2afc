"""The app without a browser: a page opened through `cli/app.py`, and what it says."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]


def open_app(page: str = "", **query: str) -> AppTest:
    """The app after its first run: on a page, if one is named, as who opens its address."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    if page:
        app.switch_page(f"pages/{page}.py")
    app.run()
    known = app._registered_pages
    assert not page or app._page_hash in known, "without such a page, the first one answers"
    return app


def assert_well(app: AppTest) -> None:
    """No exception reached the page, and no box tells of an unforeseen one."""
    assert not app.exception
    assert [box.value for box in app.error] == []


def words(app: AppTest) -> str:
    """All that the page says in headings and paragraphs."""
    return "\n".join(
        element.value
        for kind in (app.title, app.header, app.subheader, app.markdown, app.caption)
        for element in kind
    )
