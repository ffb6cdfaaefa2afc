"""What axe-core finds on a page as it is now: for the journeys, and for the pages one by one."""

from __future__ import annotations

from typing import Any

DROPZONE = 'data-testid="stFileUploaderDropzone"'
"""Streamlit gives the box for files the role `presentation` and a label; the button inside is whole."""
STOP = 'data-testid="stBaseButton-header"'
"""Streamlit's own button, there while a page is drawn."""

AT_REST = """
* { transition: none !important; animation: none !important; }
[data-stale=true], [data-testid=stExpander] :is(details, summary) { opacity: 1 !important; }
"""
"""No colour is judged half-way: not while the theme changes, nor where a part is pale for the moment
in which its successor is made."""


def faults(page: Any, *rules: str, within: str = "") -> list[str]:
    """What axe-core finds, by its default rules or only by some, on the page or in one part of it."""
    options: dict[str, Any] = {"resultTypes": ["violations"], "selectors": False}
    if rules:
        options["runOnly"] = list(rules)
    from axe_playwright_python.base import AXE_SCRIPT  # needs Playwright

    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
        page.add_style_tag(content=AT_REST)
    ask = "([within, options]) => axe.run(within || document, options)"
    result = page.evaluate(ask, [within, options])
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in result["violations"]
        for node in rule["nodes"]
        if not (rule["id"] == "presentation-role-conflict" and DROPZONE in node["html"])
        and STOP not in node["html"]
    ]


def faults_in_both(page: Any, *, within: str = "") -> list[str]:
    """The faults of a page as it is, light or dark, and those of contrast in the other.

    It stays so: to draw a page in other colours takes as long as to judge it.
    """
    first = page.evaluate(SCHEME)
    then = "light" if first == "dark" else "dark"
    found = [f"{first}: {fault}" for fault in faults(page, within=within)]
    _turn(page, then)
    return found + [f"{then}: {fault}" for fault in faults(page, "color-contrast", within=within)]


def _turn(page: Any, scheme: str) -> None:
    """Have the page light or dark, and wait until the app has followed the change."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"{SCHEME} === '{scheme}'", polling=50)


SCHEME = "getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme"
"""`light` or `dark`, as the app is drawn."""
DIALOG = "[role=dialog]"
MAIN = "[data-testid=stMain]"
