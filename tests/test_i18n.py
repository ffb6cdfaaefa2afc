"""Sentences for a person can be translated: they are whole, constant, and found by the extractor."""

from __future__ import annotations

import ast
import string
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from babel.messages.catalog import Message

from scripts import catalogues
from tests.support.commands import call
from tests.support.sources import parsed
from translearn_core import worker
from translearn_core.formatting import day, percent, percent_range, stamp
from translearn_core.i18n import (
    LANGUAGES,
    N_,
    _,
    language,
    matching,
    ngettext,
    number,
    of_terminal,
)
from translearn_core.runs import Job, StateName
from translearn_core.runs.job import JobConfig

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    [ROOT / "app.py"]
    + [
        p
        for name in ("pages", "translearn_core", "translearn_ui")
        for p in (ROOT / name).rglob("*.py")
    ]
)
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


def test_the_extractor_finds_the_sentences_of_pages_core_templates_and_commands() -> None:
    found = set(catalogues.sentences())
    assert {"Backbone", "What it cannot do", "Do not ask.", "What your folder looks like"} <= found
    assert ("{n:,} photo", "{n:,} photos") in found
    assert "" not in found


def test_the_states_of_a_run_are_words_of_the_catalogues() -> None:
    assert set(get_args(StateName)) <= set(catalogues.sentences())


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_no_translation_is_missing_or_broken(code: str) -> None:
    """`python3 scripts/translations update` puts new sentences into the catalogues."""
    assert catalogues.problems(code) == []


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("{n:,} photos", "{n} 张照片"),
        ("{n} of {total}", "{n}"),
        ("{n} photos", "{m} 张照片"),
        ("Give `--tasks`.", "使用 `--task`。"),
        ("Give `fit`.", "使用 fit。"),
        ("**Sure**", "*确定*"),
        ("a\nb", "a b"),
        ("one ", "一"),
        (" and ", "和 "),
        ("{{}} {x}", "{} {x}"),
        ("a<br>b", "a b"),
        ("Save {n}", "保存 {n"),
        (":material/add: Add", ":material/plus: 添加"),
        (":red[no]", ":green[不]"),
        ("*Results* says", "*结果显示"),
        ("**Wrong?** Say so.", "**错了？**请说明。"),
        ("round %{x}", "第 {x} 轮"),
    ],
)
def test_a_broken_translation_is_found(text: str, translation: str) -> None:
    assert list(catalogues.differences(text, translation))
    assert not list(catalogues.differences(text, text))


def test_no_space_follows_a_full_width_sign() -> None:
    assert not list(catalogues.differences("Once more: ", "再来一次："))
    assert list(catalogues.differences("Once more: ", "再来一次： "))


def test_plural_forms_are_counted_and_a_number_may_be_spelled_in_the_form_of_one() -> None:
    key = ("One of {n} photo", "One of {n} photos")
    assert not list(catalogues.broken(Message(key, ("Ein Foto", "Eins von {n} Fotos")), 2))
    assert list(catalogues.broken(Message(key, ("Eins von {n} Fotos",)), 2))
    assert list(catalogues.broken(Message(key, ("Eins von {n} Fotos", "Fotos")), 2))


def test_a_catalogue_is_written_as_it_was_read() -> None:
    for code in ("zh_CN", "de"):
        before = catalogues.path_of(code).read_text(encoding="utf-8")
        assert catalogues.text_of(code, catalogues.translated(catalogues.read(code))) == before


@pytest.fixture
def speak() -> Iterator[Callable[[str], None]]:
    tokens = []
    yield lambda code: tokens.append(language.set(code))
    for token in reversed(tokens):
        language.reset(token)


def test_without_a_catalogue_english_is_shown(speak: Callable[[str], None]) -> None:
    speak("xx")
    assert _("Backbone") == N_("Backbone") == "Backbone"
    assert ngettext("{n} photo", "{n} photos", 2) == "{n} photos"


def test_sentences_and_plurals_are_those_of_the_language(speak: Callable[[str], None]) -> None:
    photos = ("{n:,} photo", "{n:,} photos")
    speak("zh_CN")
    assert _("Backbone") == "骨干网络"
    assert _("") == ""
    assert [ngettext(*photos, n).format(n=n) for n in (1, 2000)] == ["1 张照片", "2,000 张照片"]
    assert (percent(0.864, 1), percent_range(0.8, 0.9)) == ("86.4%", "80 – 90%")
    speak("de")
    assert [ngettext(*photos, n).format(n=n) for n in (1, 2000)] == ["1 Foto", "2.000 Fotos"]
    assert (percent(0.864, 1), number(1234.5, ",.1f")) == ("86,4 %", "1.234,5")
    assert "{n:.2f} {name}".format(n=0.5, name="a.b") == "0.50 a.b"
    assert _("not translated {n:,.1f}, {name}").format(n=1234.5, name="a.b") == (
        "not translated 1.234,5, a.b"
    )
    speak("en")
    assert [ngettext(*photos, n).format(n=n) for n in (1, 2000)] == ["1 photo", "2,000 photos"]
    assert percent(0.864, 1) == "86.4 %"


def test_dates_are_those_of_the_language(speak: Callable[[str], None]) -> None:
    moment = datetime(2026, 11, 3, 14, 5)
    said = {}
    for code in LANGUAGES:
        speak(code)
        said[code] = (day(moment), stamp(moment))
    assert said == {
        "en": ("03 Nov 2026", "2026-11-03 14:05"),
        "zh_CN": ("2026年11月3日", "2026年11月3日 14:05"),
        "de": ("03.11.2026", "03.11.2026 14:05"),
    }


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["de_AT.UTF-8"], "de"),
        (["de-CH"], "de"),
        (["zh-Hans-CN"], "zh_CN"),
        (["zh"], "zh_CN"),
        (["zh-TW"], ""),
        (["zh_Hant_HK"], ""),
        (["fr", None, "", "en_GB"], "en"),
        (["C.UTF-8", "POSIX"], ""),
        (["../de"], ""),
    ],
)
def test_names_of_languages_lead_to_those_there_are(names: list[str | None], code: str) -> None:
    assert matching(names) == code


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, ""),
        ({"LANG": "de_DE.UTF-8", "TRANSLEARN_LANGUAGE": "en"}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, ""),
    ],
)
def test_a_command_speaks_as_its_terminal(
    variables: dict[str, str], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRANSLEARN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert of_terminal() == code


def test_the_command_line_speaks_chinese(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_LANGUAGE", "zh-CN")
    try:
        assert "仅" not in call("report", "--help").stderr
        assert "写一份训练报告" in call("report", "--help").stdout
        assert "没有文件夹或 zip" in call("check", workspace / "nothing").stderr
        monkeypatch.delenv("TRANSLEARN_LANGUAGE")
        monkeypatch.setenv("LC_ALL", "C")
        assert "There is no folder or zip" in call("check", workspace / "nothing").stderr
        workspace.mkdir(exist_ok=True)
        (workspace / "config.toml").write_text('language = "zh_CN"', encoding="utf-8")
        assert "没有文件夹或 zip" in call("check", workspace / "nothing").stderr
    finally:
        language.set_of_process("")


def test_a_job_speaks_the_language_of_whoever_started_it(workspace: Path) -> None:
    """Whatever the process speaks that runs it, which may have waited for any job."""
    token = language.set("zh_CN")
    job = Job(workspace / "checks" / "one")
    job.begin(JobConfig(kind="check", created=1.0))
    language.reset(token)
    assert job.written_state.language == "zh_CN"
    try:
        assert worker.main([str(job.folder)]) != 0
        assert language.get() == "zh_CN"
    finally:
        language.set_of_process("")
    assert "无法读取" in job.written_state.reason
