"""A run's result is said alike on pages, in reports, in the terminal and beside an export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.trained import copy_of, trained
from translearn_core.cli.train_work import _print_result
from translearn_core.export import program
from translearn_core.export.formats import FORMATS
from translearn_core.reports.report import report_html
from translearn_core.reports.result_text import result_sentence
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import RunMetrics

TOLD = {
    "n_target": 200,
    "n_target_labelled": 50,
    "held_back": True,
    "target_accuracy_before": 0.3,
    "target_accuracy_after": 0.7,
}
NOT_KNOWN = {"n_target": 200}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A copy of the trained run that a test may change."""
    return copy_of(trained("frozen"), tmp_path / "run")


def adapted(run: Run, figures: dict[str, Any], **others: Any) -> Run:
    """The run as if it had been adapted to a new domain, with such figures."""
    path = run.folder / "metrics.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"adaptation": figures} | others
    path.write_text(json.dumps(content), encoding="utf-8")
    return run


def result(run: Run, **figures: Any) -> tuple[str, str]:
    """The sentence, and what goes with it."""
    metrics = RunMetrics.model_validate(run.metrics.as_dict() | figures)
    return result_sentence(metrics)


def test_a_run_adapted_to_a_new_domain_says_where_it_was_tested(run: Run) -> None:
    metrics = run.metrics
    here = f"On {metrics.n_test} test photos of the source domain it is right on {metrics.test_correct}"
    sentence, rest = result(run, adaptation=NOT_KNOWN)
    assert "not known yet" in sentence
    assert here in rest
    sentence, rest = result(run, adaptation=TOLD)
    assert sentence == "Right on 35 of 50 photos of the new domain (70 %)."
    assert "15 of them are right. It was adapted to 200 other photos from there" in rest
    assert "95 % confidence interval for other photos from there: 56 – 81 %." in rest
    assert here in rest
    sentence, rest = result(run, adaptation=TOLD, test_given=True)
    assert "new photos" in sentence, "the person named the test photos"


def test_a_test_photo_that_strayed_into_the_new_domain_does_not_turn_the_result(run: Run) -> None:
    n = run.metrics.n_test
    for name in ("tested_photos_left_out", "tested_photos_seen"):
        assert "new domain" in result(run, adaptation=TOLD | {name: n // 2})[0]
        assert "new photos" in result(run, adaptation=TOLD | {name: n // 2 + 1})[0]


def test_a_run_of_an_earlier_version_says_that_it_was_adapted_to_what_measures_it(run: Run) -> None:
    sentence, rest = result(run, adaptation=TOLD | {"held_back": False})
    assert "Right on 35 of 50 photos" in sentence
    assert "These are the photos that it was adapted to" in rest
    assert "interval" not in rest


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ({}, "It was not clear that"),  # as earlier versions decided
        ({"told_apart": 0.6}, "can hardly be told from the labelled ones"),
        ({"told_apart": 1.0, "left_plain": "few_classes"}, "It was not clear that"),
    ],
)
def test_a_run_that_was_left_plain_says_why(run: Run, why: dict[str, Any], words: str) -> None:
    assert words in result(run, adaptation=TOLD | {"helps": False} | why)[1]


@pytest.mark.parametrize("figures", [TOLD, NOT_KNOWN])
def test_everywhere_the_new_domain_comes_first(
    run: Run, figures: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    adapted(run, figures)
    sentence, rest = result_sentence(run.metrics)
    claim = f"Right on {run.metrics.test_correct} of {run.metrics.n_test} new photos"
    html = report_html(run)
    assert sentence in html
    assert claim not in html
    _print_result(run.metrics, run.config.settings)
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(f"{sentence} {rest}")
    assert "Test accuracy" not in printed
    readme = program.readme(run, FORMATS["openvino"], parity="")
    there = readme.index("hotos of the new domain")
    assert there < readme.index(f"Right on {run.metrics.test_correct} of {run.metrics.n_test}")
    assert ("35 of 50 (70 %)" in readme) == ("n_target_labelled" in figures)
