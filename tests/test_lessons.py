"""The sheets of the lessons name what is there: buttons of the pages, pictures, in each language."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from scripts import catalogues
from translearn_core.i18n import ENGLISH, LANGUAGES

LESSONS = Path(__file__).resolve().parents[1] / "docs" / "lessons"
MOST_BYTES, MOST_BYTES_IN_ALL = 80_000, 1_500_000
SHEETS = sorted(path.name for path in LESSONS.glob("*.md"))


def _folder(code: str) -> Path:
    return LESSONS if code == ENGLISH else LESSONS / code


@cache
def _labels(code: str) -> re.Pattern[str]:
    """Every sentence of a language without its icon; a placeholder may be anything."""
    translations = catalogues.translated(catalogues.read(code)) if code != ENGLISH else {}
    texts: set[str] = set()
    for key in catalogues.sentences():
        shown = translations.get(key, key)
        texts.update([shown] if isinstance(shown, str) else shown)
    bare = {re.sub(r"^:material/\w+: ", "", text) for text in texts}
    return re.compile(
        "|".join(
            ".+".join(re.escape(part) for part in re.split(r"\{[^}]*\}", text))
            for text in bare
            if re.sub(r"\{[^}]*\}|\W", "", text)
        )
    )


def _named(text: str) -> list[str]:
    """What a sheet says in bold or italics, but for its own headings and the minutes of a step."""
    found = re.findall(r"\*{1,2}([^*|]+)\*{1,2}", text)
    labels = (" ".join(label.split()) for label in found)
    return [label for label in labels if label[0] not in "(（" and not _is_heading(label)]


def _is_heading(label: str) -> bool:
    return label[-1] in ":：" or (label[-1] == "." and " " not in label) or label in _HEADINGS


_HEADINGS = {"Before the first lesson.", "Vor der ersten Stunde."}


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("sheet", SHEETS)
def test_a_sheet_names_buttons_that_there_are(code: str, sheet: str) -> None:
    text = (_folder(code) / sheet).read_text(encoding="utf-8")
    named = _named(text)
    assert named
    assert [label for label in named if not _labels(code).fullmatch(label)] == []
    assert not list(catalogues.unseen_emphasis(text))


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != ENGLISH])
@pytest.mark.parametrize("sheet", SHEETS)
def test_a_sheet_has_the_steps_and_pictures_of_the_english_one(code: str, sheet: str) -> None:
    ours, theirs = ((_folder(one) / sheet).read_text(encoding="utf-8") for one in (ENGLISH, code))
    for pattern in (r"images/[\w-]+\.webp", r"^#+", r"^\d\.", r"^\| *\d"):
        assert re.findall(pattern, theirs, re.M) == re.findall(pattern, ours, re.M)


def test_each_sheet_shows_its_steps_and_no_picture_is_left_over() -> None:
    pictures = {path.name: path.stat().st_size for path in (LESSONS / "images").iterdir()}
    shown = []
    for sheet in SHEETS:
        own = re.findall(r"!\[[^\]]+\]\(images/([\w-]+\.webp)\)", (LESSONS / sheet).read_text())
        assert own or sheet == "README.md"
        shown += own
    assert sorted(shown) == sorted(pictures)
    assert max(pictures.values()) <= MOST_BYTES
    assert sum(pictures.values()) <= MOST_BYTES_IN_ALL
