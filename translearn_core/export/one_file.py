"""The web page in one file: the folder of a web page export, put into a single HTML file.

Owns: how its files lie within the page, and taking them out again.
Leaves to others: the files themselves (`writers.py`, `web/`), reading them in a browser
(`web/page.js`), verifying them (`verify.py`).

The page opens from a disk (`file:`), where a browser loads no other file: scripts stand in it as
they are, everything that is data as base64 in elements `<script data-part="NAME">`, which a browser
does not run. A content security policy forbids it every request, so nothing can leave the browser.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

SCRIPTS = ("files.js", "prepare.js", "page.js")
"""Scripts of the page, in the order in which they are run."""
PARTS = ("labels.json", "check.json", "network.js", "model.onnx")
"""Data of the page; network.js is the program of its worker."""
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src blob: data:; media-src blob:; connect-src 'none'; "
    "form-action 'none'; base-uri 'none'"
)
"""What the browser lets the page do: run what is in it, and show photos that are chosen."""
_HEAD = '<meta charset="utf-8">'
_PART = re.compile(rb'<script type="text/plain" data-part="([^"]+)">([^<]*)</script>')


def write_page(folder: Path, path: Path) -> None:
    """Put an unpacked web page export into one HTML file.

    Args:
        folder: has index.html, `SCRIPTS` and `PARTS`.
    """
    page = (folder / "index.html").read_text(encoding="utf-8")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page = _replaced(page, _HEAD, f"{_HEAD}\n{policy}")
    for name in SCRIPTS:
        code = (folder / name).read_text(encoding="utf-8")
        if "</script" in code or "<!--" in code:
            raise ValueError(f"{name} would end its own element")
        page = _replaced(page, f'<script src="{name}"></script>', f"<script>\n{code}</script>")
    before, _first, after = page.partition("<script>")
    with path.open("wb") as file:
        file.write(before.encode("utf-8"))
        for name in PARTS:
            file.write(f'<script type="text/plain" data-part="{name}">'.encode())
            file.write(base64.b64encode((folder / name).read_bytes()))
            file.write(b"</script>\n")
        file.write(f"<script>{after}".encode())


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"{old} is not in the page once")
    return text.replace(old, new)


def read_parts(page: bytes) -> dict[str, bytes]:
    """The data within a page of `write_page`: name -> bytes."""
    return {
        found[1].decode(): base64.b64decode(found[2], validate=True)
        for found in _PART.finditer(page)
    }
