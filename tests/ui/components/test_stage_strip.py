"""The strip of stages: what is over, what goes on, what lies ahead."""

from __future__ import annotations

import re

from translearn_ui.components import stage_strip

STAGES = {"look": "Look", "judge": "Cross-validate", "map": "Map <all>"}


def kinds(html: str) -> list[str]:
    return re.findall(r'<li class="(\w+)"', html)


def test_stages_before_the_present_one_are_over() -> None:
    html = stage_strip.strip_html(STAGES, "judge")
    assert kinds(html) == ["done", "now", "ahead"]
    assert html.count('aria-current="step"') == 1
    assert html.count("✓") == 1
    assert "Map &lt;all&gt;" in html


def test_before_the_first_stage_all_lie_ahead() -> None:
    assert kinds(stage_strip.strip_html(STAGES, "")) == ["ahead"] * 3


def test_a_stage_that_was_over_stays_over() -> None:
    assert kinds(stage_strip.strip_html(STAGES, "look", done=["map"])) == ["now", "ahead", "done"]


def test_the_headline_escapes_and_leaves_out_empty_figures() -> None:
    assert "<span>" not in stage_strip.headline_html("Training")
    assert "a &lt;b&gt; <span>3 &amp; 4</span>" in stage_strip.headline_html("a <b>", "3 & 4")
