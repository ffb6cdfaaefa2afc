"""The style sheet: each colour is written once, and every variable that rules use is set."""

from __future__ import annotations

import re
from pathlib import Path

from translearn_core import palette
from translearn_ui.shell import theme

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [
    path
    for name in ("pages", "translearn_ui", "translearn_core")
    for path in (ROOT / name).rglob("*")
    if path.suffix in (".py", ".css")
]


def test_every_variable_of_the_sheet_is_set() -> None:
    used = set(re.findall(r"var\(--tl-([a-z]+)\)", theme.SHEET.read_text(encoding="utf-8")))
    assert used == set(theme.VARIABLES)
    for name, color in theme.VARIABLES.items():
        assert f"--tl-{name}: {color};" in theme.style()


def test_colours_of_the_palette_are_written_once() -> None:
    colors = {*palette.CLASS_COLORS, *theme.VARIABLES.values()}
    for path in SOURCES:
        if path.name == "palette.py":
            continue
        found = set(re.findall(r"#[0-9a-f]{6}\b", path.read_text(encoding="utf-8").lower()))
        assert not found & {color.lower() for color in colors}, path


def test_style_stands_in_the_sheet_only() -> None:
    """A `<style>` elsewhere is made on the fly from what a run has come to or from the colours of the
    classes, or is the theme's own."""
    holders = {
        path.name
        for path in (ROOT / "translearn_ui").rglob("*.py")
        if "<style>" in path.read_text(encoding="utf-8")
    }
    assert holders == {"theme.py", "live.py", "class_marks.py"}
    assert not [
        path
        for path in (ROOT / "pages").glob("*.py")
        if "<style>" in path.read_text(encoding="utf-8")
    ]
