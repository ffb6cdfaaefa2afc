"""How texts of a person are written on pages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.app import ROOT
from translearn_ui.shell import frame

MARKDOWN_CALLS = {"warning", "info", "error", "success", "toast", "title", "header", "subheader"}
"""Calls of Streamlit whose first argument is Markdown and mostly a sentence."""
PERSONS = {
    "name",
    "message",
    "reason",
    "class_name",
    "file",
    "note",
    "tag",
    "dataset_name",
    "folder",
}
"""Attributes that hold what a person, or a file of a person, named."""
SAFE = {"plain", "listed", "_", "ngettext", "N_", "len", "int", "str", "summary", "sentence"}
SOURCES = sorted([*ROOT.glob("pages/*.py"), *ROOT.glob("translearn_ui/**/*.py")])


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/a.png)",
        "![x](http:&#47;&#47;evil.example&#47;a.png)",
        "https://evil.example www.evil.example mailto:a@evil.example",
        "$x^2$ :red[a] *b* _c_ `d` <b>e</b> ~~f~~ # g",
        "a\nb\n\n# c",
    ],
)
def test_nothing_of_a_name_is_markdown(text: str) -> None:
    plain = frame.plain(text)
    assert "\n" not in plain
    seen, signs = "", iter(plain)
    for sign in signs:
        if sign == "\\":
            seen += next(signs)
            continue
        assert sign not in "`*_{}[]()<>#+!|~:$&^", f"{sign} is bare in {plain}"
        seen += sign
    assert seen.replace("\u2060", "") == " ".join(text.split()), "a person reads it as it is"
    assert "://" not in seen
    assert "www." not in seen
    assert "a@" not in seen


def bare_names(source: str) -> list[str]:
    """Calls that write a text as Markdown which may hold the words of a person."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "st"
            and call.args
            and call.func.attr in MARKDOWN_CALLS
        ):
            found += [f"{call.lineno}: {what}" for what in _unsafe(call.args[0])]
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "st"
            and call.args
        ):
            for part in ast.walk(call.args[0]):
                if isinstance(part, ast.JoinedStr):
                    values = [v.value for v in part.values if isinstance(v, ast.FormattedValue)]
                elif (
                    isinstance(part, ast.Call)
                    and isinstance(part.func, ast.Attribute)
                    and part.func.attr == "format"
                ):
                    values = [keyword.value for keyword in part.keywords]
                else:
                    continue
                found += [
                    f"{value.lineno}: {ast.unparse(value)}"
                    for value in values
                    if isinstance(value, ast.Attribute) and value.attr in PERSONS
                ]
    return found


def _unsafe(text: ast.expr) -> list[str]:
    """The parts of a sentence that are neither constant nor made safe."""
    if isinstance(text, ast.Constant) or ast.unparse(text) == "title":
        return []  # a title is a sentence of the program
    if isinstance(text, ast.JoinedStr):
        return [what for part in text.values for what in _unsafe(part)]
    if isinstance(text, ast.FormattedValue):
        return _unsafe(text.value)
    if isinstance(text, ast.Subscript) and ast.unparse(text.value).isupper():
        return []  # a table of the program
    if isinstance(text, ast.BinOp):
        return _unsafe(text.left) + _unsafe(text.right)
    if isinstance(text, ast.BoolOp):
        return [what for value in text.values for what in _unsafe(value)]
    if isinstance(text, ast.IfExp):
        return _unsafe(text.body) + _unsafe(text.orelse)
    if isinstance(text, ast.Call):
        name = text.func.attr if isinstance(text.func, ast.Attribute) else ""
        name = text.func.id if isinstance(text.func, ast.Name) else name
        if name == "format" and isinstance(text.func, ast.Attribute):
            return _unsafe(text.func.value) if not isinstance(text.func.value, ast.Name) else []
        return [] if name in SAFE or name == "join" else [ast.unparse(text)]
    return [ast.unparse(text)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_page_writes_the_words_of_a_person_as_markdown(path: Path) -> None:
    assert bare_names(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "st.warning(sentence)",
        "st.error(error.message)",
        "st.toast(_('{a} is gone').format(a=run.name))",
        "st.title(run.config.name or _('Training'))",
        "st.markdown(f'**{dataset.name}**')",
        "st.button(_('Delete {name}').format(name=dataset.name))",
    ],
)
def test_the_test_finds_bare_names(line: str) -> None:
    assert len(bare_names(line)) == 1


def test_the_sign_of_a_percentage_begins_no_line() -> None:
    told = frame.sentence("Right on 86 of 100 (86 %), in `a % b` % of all 7 %")
    assert told.replace("\\", "") == "Right on 86 of 100 (86\u00a0%), in `a % b` % of all 7\u00a0%"
