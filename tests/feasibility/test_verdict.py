"""From figures to one of four answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from translearn_core.feasibility.verdict import (
    RULES,
    TITLES,
    VERDICTS,
    ExpectedGains,
    Figures,
    Verdict,
    advise,
    decide,
    summarize,
)

GOOD = Figures(
    accuracy=0.95,
    interval=(0.93, 0.97),
    mean_recall=0.94,
    majority=0.3,
    shuffled=0.25,
    shuffled_recall=0.25,
    shuffled_recall_std=0.02,
    shuffled_recall_max=0.29,
    trivial=0.5,
    lowest_recall=0.8,
)
MARK = "A spot in the corner tells dogs."

CASES: dict[str, tuple[Figures, Verdict]] = {
    "good": (GOOD, "works_well"),
    "labels mean nothing": (replace(GOOD, mean_recall=0.28), "no_sign"),
    "too few to tell": (replace(GOOD, mean_recall=1.0, shuffled_recall_max=1.0), "not_yet"),
    "too few for three deviations": (
        replace(GOOD, mean_recall=1.0, shuffled_recall=0.5, shuffled_recall_std=0.2),
        "not_yet",
    ),
    "hardly better than guessing": (replace(GOOD, interval=(0.5, 0.6)), "not_yet"),
    "a rare class hides that it does not work": (replace(GOOD, majority=0.9), "not_yet"),
    "some mistakes": (replace(GOOD, interval=(0.75, 0.85)), "works_with_limits"),
    "one class is not found": (replace(GOOD, lowest_recall=0.3), "works_with_limits"),
    "colours do as well": (replace(GOOD, trivial=0.94), "works_with_limits"),
    "a shortcut": (replace(GOOD, shortcuts=(MARK,)), "works_with_limits"),
    "scenes only": (replace(GOOD, one_scene=("cat",), same_scenes=True), "not_yet"),
    "one scene": (replace(GOOD, one_scene=("cat",)), "works_with_limits"),
    "augmented": (replace(GOOD, augmented=True), "works_with_limits"),
    "one scene that labels by lot fit, too": (
        replace(GOOD, one_scene=("cat",), shuffled_recall_max=1.0),
        "not_yet",
    ),
    "a shortcut and nothing else": (replace(GOOD, shortcuts=(MARK,), trivial=0.99), "not_yet"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_the_verdict_follows_from_the_figures(case: str) -> None:
    figures, expected = CASES[case]
    verdict, rule = decide(figures)
    assert verdict == expected
    assert rule
    sentence = summarize(verdict, figures, mixed_up=("cat", "dog"))
    assert ("95 of 100" in sentence) == (not figures.same_scenes)
    assert ("in other scenes is not known" in sentence) == figures.same_scenes
    if figures.shortcuts:
        assert MARK in sentence
    if not figures.same_scenes:
        assert ("most of cat are frames" in sentence) == bool(figures.one_scene)
        assert ("this set was augmented" in sentence) == figures.augmented


def test_a_given_test_is_what_is_told_and_its_gap_comes_first() -> None:
    gap = "On the 810 given test photos only 72 % are right."
    figures = replace(GOOD, accuracy=0.72, interval=(0.69, 0.75), tested=810, gap=gap)
    verdict, _rule = decide(figures)
    sentence = summarize(verdict, figures)
    assert verdict == "works_with_limits"
    assert sentence.startswith(gap)
    assert "about 72 of 100 photos like the 810 given test photos" in sentence


def test_every_verdict_has_a_title_and_a_rule() -> None:
    assert set(TITLES) == set(VERDICTS) == {rule.verdict for rule in RULES}


def test_the_docs_hold_the_same_table() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "feasible.md"
    rows = [
        f"| {number} | {rule.when} | `{rule.verdict}` |" for number, rule in enumerate(RULES, 1)
    ]
    assert "\n".join(rows) in page.read_text(encoding="utf-8")


def test_advice_comes_by_what_it_brings() -> None:
    gains = ExpectedGains(
        label_errors=12,
        sure_label_errors=9,
        label_errors_gain=0.01,
        cross_class=1,
        weak=("cat", "dog"),
        weak_photos=80,
        weak_gain=0.04,
        doubled=400,
        doubled_gain=0.001,
        backbone="Take a better one.",
        backbone_gain=0.02,
    )
    limited = replace(GOOD, interval=(0.75, 0.85), shortcuts=(MARK,))
    kinds = [advice.kind for advice in advise("works_with_limits", limited, gains)]
    assert kinds == [
        "shortcut",
        "cross_class",
        "more_photos_of",
        "stronger_backbone",
        "fix_labels",
        "unfreeze",
    ]
    texts = [advice.text for advice in advise("works_well", GOOD, gains)]
    assert any("9 labels" in text and "1 of 100" in text and "3 more" in text for text in texts)
    unsure = replace(gains, sure_label_errors=0, label_errors_gain=0.0)
    last = advise("works_well", GOOD, unsure)[-1]
    assert (last.kind, last.count, last.gain) == ("fix_labels", 12, None)
    assert "most are right" in last.text
    assert [advice.kind for advice in advise("no_sign", GOOD, ExpectedGains(label_errors=99))] == [
        "check_labels"
    ]
