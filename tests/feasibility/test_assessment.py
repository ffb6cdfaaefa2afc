"""What is said of a data set as a whole follows from one rule, on pages and in the terminal alike."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import call
from tests.support.photos import draw_photos
from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.feasibility.assessment import LEAST_TESTED, Facts, assess, decide
from translearn_core.feasibility.verdict import TITLES, VERDICTS, Verdict


@dataclass(frozen=True)
class Told:
    """What the rules read of a report."""

    verdict: Verdict
    same_scenes: bool = False

    @property
    def told(self) -> Any:
        return type("Headline", (), {"interval": (0.7, 0.8)})


def facts(**changed: Any) -> Facts:
    usual: dict[str, Any] = {
        "obstacle": "",
        "report": None,
        "remarks": (),
        "n": 400,
        "n_tested": 80,
        "asks": False,
    }
    return Facts(**{**usual, **changed})


@pytest.mark.parametrize(
    ("known", "level"),
    [
        ({"obstacle": "There is only one class.", "report": Told("works_well")}, "cannot"),
        ({"report": Told("not_yet"), "remarks": ("A copy.",)}, "not_yet"),
        ({"report": Told("no_sign"), "n_tested": 3}, "not_yet"),
        ({"report": Told("works_with_limits")}, "limits"),
        ({"report": Told("works_well")}, "well"),
        ({"n_tested": LEAST_TESTED - 1, "remarks": ("A copy.",)}, "few"),
        ({"remarks": ("A copy.",)}, "look"),
        ({"asks": True}, "look"),
        ({}, "unknown"),
    ],
)
def test_the_worst_that_is_known_decides(known: dict[str, Any], level: str) -> None:
    judged = decide(facts(**known))
    assert judged.level == level
    assert judged.is_good == (level in ("limits", "well"))
    assert set(known.get("remarks", ())) <= set(judged.remarks)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_check_is_told_in_the_words_of_its_page(verdict: Verdict) -> None:
    judged = decide(facts(report=Told(verdict)))
    assert judged.sentence == f"{TITLES[verdict]}. Right on 70 to 80 of 100 new photos."
    hidden = decide(facts(report=Told(verdict, same_scenes=True)))
    assert "70" not in hidden.sentence


def test_a_good_check_of_few_photos_says_that_they_are_few() -> None:
    judged = decide(facts(report=Told("works_well"), n_tested=6))
    assert judged.level == "well"
    assert "tested on 6" in judged.remarks[0]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("many"), per_class=36, seed=2)


def brought_in(photos: Path, folder: Path, *, classes: int, each: int) -> Dataset:
    for source in sorted(photos.iterdir())[:classes]:
        (folder / source.name).mkdir(parents=True)
        for file in sorted(source.iterdir())[:each]:
            shutil.copy(file, folder / source.name)
    return datasets.import_source(folder)


@pytest.mark.parametrize(
    ("classes", "each", "level"), [(1, 12, "cannot"), (2, 15, "few"), (3, 36, "unknown")]
)
def test_sets_of_different_kinds(
    home: Path, tmp_path: Path, photos: Path, classes: int, each: int, level: str
) -> None:
    dataset = brought_in(photos, tmp_path / "set", classes=classes, each=each)
    judged = assess(dataset)
    assert judged.level == level
    told = call("check", tmp_path / "set", "--json")
    assert json.loads(told.stdout)["assessment"] == {"level": level, "sentence": judged.sentence}
    shown = call("check", tmp_path / "set")
    assert judged.sentence in " ".join((shown.stdout + shown.stderr).split())
