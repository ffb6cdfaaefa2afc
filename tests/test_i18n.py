"""Sentences for a person can be translated: they are whole, constant, and found by the extractor."""

from __future__ import annotations

import ast
import io
import string
from functools import cache
from pathlib import Path

from babel.messages.extract import extract

from tests.support.sources import parsed
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


@cache
def _sentences() -> tuple[tuple[Path, ast.expr], ...]:
    """What is handed to `_`, `N_` and `ngettext` in every source."""
    found = []
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                most = CALLS.get(node.func.id, 0)
                found += [(path, argument) for argument in node.args[:most]]
    return tuple(found)


def test_texts_are_constant_so_that_the_extractor_finds_them() -> None:
    """What is no constant is a row of a table that was marked with N_ where it is written."""
    built = []
    for path, argument in _sentences():
        if path.name == "texts.py":
            continue
        if isinstance(argument, ast.Constant):
            list(string.Formatter().parse(str(argument.value)))
        elif isinstance(argument, ast.JoinedStr | ast.BinOp):
            built.append(f"{path.relative_to(ROOT)}:{argument.lineno}")
    assert not built, "build the sentence with .format, outside of _()"


def test_only_the_command_line_names_its_options() -> None:
    """A sentence of the core is read on a page, too, where there is no option: it names none, or
    the page beside it."""
    named = [
        f"{path.relative_to(ROOT)}:{argument.lineno}: {argument.value}"
        for path, argument in _sentences()
        if "cli" not in path.relative_to(ROOT).parts
        and isinstance(argument, ast.Constant)
        and "`--" in str(argument.value)
        and "on the page" not in str(argument.value)
    ]
    assert not named


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
