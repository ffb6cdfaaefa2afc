"""The catalogues of the languages: `python -m scripts.catalogues update | check | missing LANGUAGE`.

Owns: extracting the sentences of code, templates and command line, merging them into
`translearn_core/locale/<language>/LC_MESSAGES/translearn.po`, and telling what is missing or broken
in a translation. Leaves to others: reading the catalogues (`translearn_core/i18n.py`).

The files hold nothing but sentences in a fixed order: no lines of code and no dates, so that two
people who work on texts seldom meet in them. What is no longer in the code is removed.
"""

from __future__ import annotations

import ast
import io
import re
import string
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from translearn_core.i18n import DOMAIN, ENGLISH, LANGUAGES, LOCALE_FOLDER

ROOT = Path(__file__).resolve().parents[1]
MARKERS = {"_": 1, "N_": 1, "ngettext": 2}
"""What marks a sentence, and how many of its arguments are sentences."""
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
"""The same for Babel."""
COMPLETE = ("zh_CN", "de")
"""Languages in which every sentence is translated."""

_ICON = re.compile(r":[a-z_-]+(?:/[a-z_]+:|\[)")
"""An icon or a colour of Streamlit's Markdown: `:material/add:`, `:red[`."""
_FULL_WIDTH = "，。：；！？"
"""Signs of Chinese that bring their own room: no space follows them."""

Key = str | tuple[str, str]
"""A sentence, or singular and plural."""
Translations = dict[Key, str | tuple[str, ...]]
"""A sentence -> its translation, or the forms of it."""


def sources() -> list[Path]:
    """The files that hold sentences, in a fixed order."""
    code = [ROOT / "app.py"]
    for name in ("pages", "translearn_core", "translearn_ui"):
        code += sorted((ROOT / name).rglob("*.py"))
    templates = sorted((ROOT / "translearn_core" / "templates").rglob("*.j2"))
    return [*code, *templates, *sorted((ROOT / "translearn_ui").rglob("*.html"))]


@cache
def sentences() -> list[Key]:
    """All sentences, each once, in the order of the files and then of the command line."""
    found: dict[Key, None] = {}
    for path in sources():
        content = path.read_text(encoding="utf-8")
        if "_(" in content or "ngettext(" in content:
            in_file = _of_code if path.suffix == ".py" else _of_template
            found.update(dict.fromkeys(in_file(content)))
    for text in help_texts():
        found[text] = None
    plural_of = {key[0]: key for key in found if isinstance(key, tuple)}
    return [key for key in found if isinstance(key, tuple) or key not in plural_of]


def _of_code(content: str) -> Iterator[Key]:
    """The sentences of a module; also those inside an f-string, which Babel reads from Python 3.12 on."""
    calls = (node for node in ast.walk(ast.parse(content)) if isinstance(node, ast.Call))
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        n = MARKERS.get(call.func.id, 0) if isinstance(call.func, ast.Name) else 0
        texts = [arg.value for arg in call.args[:n] if isinstance(arg, ast.Constant)]
        if n and len(texts) == n and texts[0]:
            yield str(texts[0]) if n == 1 else (str(texts[0]), str(texts[1]))


def _of_template(content: str) -> Iterator[Key]:
    """The sentences of a Jinja2 template."""
    file = io.BytesIO(content.encode())
    for _line, message, *_rest in extract("jinja2.ext:babel_extract", file, keywords=KEYWORDS):
        yield message if isinstance(message, str) else (message[0], message[1])


def help_texts() -> list[str]:
    """What the command line says of its commands and options."""
    from translearn_core.cli import app, help_text

    return help_text.sentences(app)


def path_of(language: str) -> Path:
    """The catalogue of a language."""
    return LOCALE_FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    """The catalogue of a language; an empty one where there is none yet."""
    path = path_of(language)
    if not path.is_file():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def text_of(language: str, translations: Translations) -> str:
    """The catalogue of a language as text: all sentences, translated where `translations` is."""
    catalogue = Catalog(locale=language, fuzzy=False)
    for key in sentences():
        catalogue.add(key, translations.get(key, "" if isinstance(key, str) else ()))
    content = io.BytesIO()
    write_po(content, catalogue, width=100, omit_header=True, no_location=True)
    head = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n'
        '"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    )
    return head + content.getvalue().decode().strip() + "\n"


def write(language: str, translations: Translations) -> None:
    """Write the catalogue of a language."""
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(language, translations), encoding="utf-8")


def translated(catalogue: Catalog) -> Translations:
    """What a catalogue translates."""
    return {
        (m.id if isinstance(m.id, str) else (m.id[0], m.id[1])): (
            m.string if isinstance(m.string, str) else tuple(m.string)
        )
        for m in catalogue
        if m.id and _is_translated(m)
    }


def _is_translated(message: Message) -> bool:
    return all([message.string] if isinstance(message.string, str) else message.string or [""])


def problems(language: str) -> list[str]:
    """What is missing (in a language that is to be complete) or broken, a line each."""
    catalogue = read(language)
    wanted = sentences()
    known = {m.id if isinstance(m.id, str) else (m.id[0], m.id[1]): m for m in catalogue if m.id}
    found = []
    if language in COMPLETE:
        found += [
            f"missing: {key!r}"
            for key in wanted
            if key not in known or not _is_translated(known[key])
        ]
    found += [f"no longer in the code: {key!r}" for key in known.keys() - set(wanted)]
    for key, message in known.items():
        if message.fuzzy:
            found.append(f"fuzzy: {key!r}")
        if any([message.string] if isinstance(message.string, str) else message.string):
            found += [f"{what}: {key!r}" for what in broken(message, catalogue.num_plurals)]
    return found


def broken(message: Message, plurals: int) -> Iterator[str]:
    if isinstance(message.id, str):
        yield from differences(message.id, message.string)
        return
    if len(message.string) != plurals or not all(message.string):
        yield f"{len(message.string)} forms instead of {plurals}"
        return
    for place, form in enumerate(message.string):
        # a form of one number only may spell that number, as English does
        optional = {"n"} if place < plurals - 1 else set()
        yield from differences(message.id[1], form, optional=optional)


def differences(text: str, translation: str, *, optional: set[str] | None = None) -> Iterator[str]:
    """How a translation does not fit its sentence."""
    try:
        here, there = _fields(text), _fields(translation)
    except ValueError:
        yield "braces that do not fit"
        return
    names = {name for name, _spec in here}
    lost = {field for field in here - there if field[0] not in (optional or set())}
    if lost or {name for name, _spec in there} - names or there - here:
        yield f"placeholders {sorted(here)} became {sorted(there)}"
    for sign in ("`", "**", "\n", "](", "\\", "%{"):
        if text.count(sign) != translation.count(sign):
            yield f"{text.count(sign)} of {sign!r} became {translation.count(sign)}"
    if translation.count("*") % 2 or translation.count("[") != translation.count("]"):
        yield "emphasis or brackets that do not close"
    yield from unseen_emphasis(translation)
    if Counter(_ICON.findall(text)) != Counter(_ICON.findall(translation)):
        yield "icons or colours differ"
    if Counter(re.findall(r"`[^`]*`", text)) != Counter(re.findall(r"`[^`]*`", translation)):
        yield "what stands in backticks differs"
    if re.findall(r"</?\w+", text) != re.findall(r"</?\w+", translation):
        yield "HTML differs"
    if _edge(text) != _edge(translation):
        yield "other white space at its beginning"
    wanted = "" if translation.rstrip().endswith(tuple(_FULL_WIDTH)) else _edge(text[::-1])
    if wanted != _edge(translation[::-1]):
        yield "other white space at its end"


def unseen_emphasis(text: str) -> Iterator[str]:
    """Marks that Markdown shows as they are: between a letter outside and a sign inside, as in
    `**错了？**把`. A space outside mends it."""
    for found in re.finditer(r"(\*{1,2})([^*]+)\1", text):
        inside, before, after = found[2], text[: found.start()][-1:], text[found.end() :][:1]
        if (_is_word(before) and _is_sign(inside[0])) or (_is_sign(inside[-1]) and _is_word(after)):
            yield f"Markdown does not see the emphasis of {found[0]}"


def _is_sign(letter: str) -> bool:
    return not letter.isalnum() and letter not in "{}_ "


def _is_word(letter: str) -> bool:
    """Whether it is part of a word, or of a placeholder, which may be one."""
    return letter.isalnum() or letter in ("{", "}")


def _edge(text: str) -> str:
    """The white space at the beginning of a text."""
    return text[: len(text) - len(text.lstrip())]


def _fields(text: str) -> set[tuple[str, str]]:
    """The placeholders with their formats."""
    return {
        (name, f"{spec}!{conversion or ''}")
        for _text, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    }


def main(arguments: list[str]) -> int:
    """Run one command; the exit code is 1 where something is missing or broken."""
    others = [code for code in LANGUAGES if code != ENGLISH]
    if arguments[:1] == ["update"]:
        for language in others:
            write(language, translated(read(language)))
    elif arguments[:1] == ["missing"]:
        known = translated(read(arguments[1]))
        for key in sentences():
            if key not in known:
                print(key)
        return 0
    elif arguments != ["check"]:
        print("python3 scripts/translations update | check | missing LANGUAGE")
        return 2
    total, bad = len(sentences()), 0
    for language in others:
        found = problems(language)
        bad += len(found)
        for line in found:
            print(f"{language}: {line}")
        print(f"{language}: {len(translated(read(language)))} of {total} sentences translated")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
