"""Sentences for a person can be translated: they are whole, constant, and found by the extractor."""

from __future__ import annotations

import ast
import io
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract

from translearn_core.i18n import N_, _, language, ngettext

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    [ROOT / "app.py"]
    + [
        p
        for name in ("pages", "translearn_core", "translearn_ui")
        for p in (ROOT / name).rglob("*.py")
    ]
)
TEMPLATES = sorted((ROOT / "translearn_core" / "templates").rglob("*.j2"))
CALLS = {"_": 1, "N_": 1, "ngettext": 2}


def _calls(path: Path) -> list[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [c for c in calls if isinstance(c.func, ast.Name) and c.func.id in CALLS]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_are_constant_so_that_the_extractor_finds_them(path: Path) -> None:
    for call in _calls(path):
        if path.name == "texts.py":
            continue
        for argument in call.args[: CALLS[call.func.id]]:  # type: ignore[attr-defined]
            if isinstance(argument, ast.Constant):
                list(string.Formatter().parse(str(argument.value)))
            else:  # a row of a table that was marked with N_ where it is written
                assert not isinstance(argument, ast.JoinedStr | ast.BinOp), (
                    f"{path.name}:{argument.lineno}: build the sentence with .format, outside of _()"
                )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_line_names_its_options(path: Path) -> None:
    """A sentence of the core is read on a page, too, where there is no option."""
    if "cli" in path.relative_to(ROOT).parts:
        return
    for call in _calls(path):
        for argument in call.args[: CALLS[call.func.id]]:  # type: ignore[attr-defined]
            text = str(argument.value) if isinstance(argument, ast.Constant) else ""
            assert "`--" not in text, f"{path.name}:{argument.lineno}: {text}"


def test_the_extractor_finds_the_sentences_of_pages_core_and_templates() -> None:
    found = set()
    for path in [*SOURCES, *TEMPLATES]:
        method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
        keywords = {"_": None, "N_": None, "ngettext": (1, 2)}
        for _line, message, *_rest in extract(
            method, io.BytesIO(path.read_bytes()), keywords=keywords
        ):
            found.update([message] if isinstance(message, str) else filter(None, message))
    assert "Backbone" in found
    assert "What it cannot do" in found
    assert len(found) > 300


def test_without_a_catalogue_english_is_shown() -> None:
    token = language.set("xx")
    try:
        assert _("Backbone") == N_("Backbone") == "Backbone"
        assert ngettext("{n} photo", "{n} photos", 2) == "{n} photos"
    finally:
        language.reset(token)
