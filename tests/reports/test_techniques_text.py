"""What techniques brought, in words."""

from __future__ import annotations

import pytest

from translearn_core.reports.techniques_text import brought
from translearn_core.run_settings import make_settings
from translearn_core.runs.run_metrics import RunMetrics


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"helps": True, "told_apart": 1.0}, "Adapted with 40 unlabelled photos"),
        (
            {"helps": False, "told_apart": 0.6},
            "the 40 unlabelled photos of the new domain (target) ",
        ),
        (
            {"helps": False, "told_apart": 1.0, "left_plain": "few_classes"},
            "it was not clear that adaptation would help",
        ),
        ({"helps": False}, "it was not clear that adaptation would help"),
    ],
    ids=["adapted", "not told apart", "few classes", "an earlier run"],
)
def test_why_a_run_was_not_adapted_is_what_was_asked_then(
    figures: dict[str, float | bool | str], words: str
) -> None:
    metrics = RunMetrics.model_validate({"adaptation": {"n_target": 40, **figures}})
    sentence = brought(make_settings({"adapt_to": "there"}), metrics)[0].sentence
    assert words in sentence
    assert ("can hardly be told" in sentence) == (figures.get("told_apart") == 0.6)
