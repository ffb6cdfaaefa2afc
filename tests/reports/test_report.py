"""The report: one file that holds everything, asks for nothing, and says the truth in words."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.trained import copy_of, copy_with_dataset, trained
from translearn_core.errors import RunError
from translearn_core.reports import charts as report_charts
from translearn_core.reports import model_card_text
from translearn_core.reports.report import report_html, write_report
from translearn_core.runs import Run
from translearn_core.runs.annotations import write_notes
from translearn_core.runs.find import find_run
from translearn_core.runs.splits import recover_split

VOID = {"meta", "img", "br", "input", "link", "rect", "line", "circle", "polyline"}


class Outline(HTMLParser):
    """Collects tags, attributes and text, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def read(html: str) -> Outline:
    outline = Outline()
    outline.feed(html)
    outline.close()
    assert outline.open == []
    return outline


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A copy of the trained run that a test may change."""
    return copy_of(trained("frozen"), tmp_path / "run")


def test_report_is_one_file_that_asks_for_nothing(run: Run, tmp_path: Path) -> None:
    target = write_report(run, tmp_path)
    assert target == tmp_path / "report-run.html"
    html = target.read_text(encoding="utf-8")
    outline = read(html)
    links = [value for _tag, name, value in outline.attributes if name in ("src", "href", "srcset")]
    assert links
    assert all(value.startswith("data:image/jpeg;base64,") for value in links)
    assert "<script" not in html
    assert not re.search(r"url\(|@import|http-equiv=.refresh", html)
    assert "default-src 'none'" in html
    assert len(html) < 1_500_000
    assert "@page {size: A4" in html
    assert "prefers-color-scheme: dark" in html


def test_report_says_what_the_run_found(run: Run) -> None:
    metrics = run.metrics
    outline = read(report_html(run))
    assert f"Right on {metrics.test_correct} of {metrics.n_test} new photos" in outline.words
    for heading in (
        "The photos",
        "What it mixes up",
        "Class by class",
        "Examples from the test",
        "How it learned",
        "What it cannot do",
        "How this was measured",
        "Settings and versions",
    ):
        assert heading in outline.words
    pictures = [value for tag, name, value in outline.attributes if (tag, name) == ("img", "alt")]
    wrong = metrics.n_test - metrics.test_correct
    assert len(pictures) == 3 + min(12, wrong) + min(12, metrics.test_correct)
    assert all(pictures)
    labels = [
        value for tag, name, value in outline.attributes if (tag, name) == ("svg", "aria-label")
    ]
    assert len(labels) == 4  # the matrix and confidence and two curves, in words
    assert "Version of Keras" in outline.words


def test_what_a_person_wrote_cannot_become_code(run: Run) -> None:
    write_notes(
        run, name="<script>alert(1)</script>", tags=['"><b>'], note="<img src=x>\nsecond line"
    )
    for name in ("metrics.json", "labels.json"):
        path = run.folder / name
        path.write_text(
            path.read_text(encoding="utf-8").replace("green", "<i>green"), encoding="utf-8"
        )
    html = report_html(run)
    outline = read(html)
    assert "<script>alert" not in html
    assert "<i>" not in html
    assert "second line" in outline.words
    assert "<script>alert(1)</script>" in outline.words


def test_report_is_made_without_the_photos_too(run: Run) -> None:
    path = run.folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"dataset": str(run.folder / "gone")}), encoding="utf-8")
    html = report_html(Run(run.folder))
    assert "There is no data set in" in html
    assert "<img" not in html


@pytest.mark.parametrize(
    ("part", "words"),
    [("test", "says which are for the test"), ("val", "were drawn at random")],
)
def test_report_says_who_chose_the_test_photos(part: str, words: str, tmp_path: Path) -> None:
    run = copy_with_dataset(trained("frozen"), tmp_path)
    parts = recover_split(run).table
    manifest = Path(run.config.dataset) / "manifest.parquet"
    photos = pd.read_parquet(manifest)
    chosen = photos["path"].isin(parts.loc[parts["part"] == part, "path"])
    photos.assign(split=np.where(chosen, part, photos["split"])).to_parquet(manifest)
    assert words in read(report_html(Run(run.folder))).words


def test_limits_name_what_is_weak(run: Run) -> None:
    path = run.folder / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics["per_class"][0] |= {"name": "blue", "n_test": 4, "correct": 1, "recall": 0.25}
    metrics |= {"test_interval": [0.2, 0.6], "majority_accuracy": 0.34, "warnings": ["A warning."]}
    path.write_text(json.dumps(metrics), encoding="utf-8")
    said = " ".join(model_card_text.limits(run))
    for part in (
        "A warning.",
        "from 20 % to 60 %",
        "not significantly above",
        "Missed more often",
        "blue",
    ):
        assert part in said


def test_report_says_how_far_confidence_can_be_believed(run: Run) -> None:
    path = run.folder / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    assert "too few validation photos to calibrate" in read(report_html(run)).words
    metrics["calibration"] |= {"fitted_on": 60, "temperature": 2.1}
    path.write_text(json.dumps(metrics), encoding="utf-8")
    said = read(report_html(run)).words
    assert "fits what 60 validation photos showed (temperature 2.10)" in said
    assert "Below 50 % it says “not sure”." in said
    assert "I have never seen anything like this" in said
    assert "**" not in said
    for older in ("calibration", "unlike"):
        del metrics[older]
    path.write_text(json.dumps(metrics), encoding="utf-8")
    said = read(report_html(run)).words
    assert "was not calibrated" in said
    assert "It always answers with one of its classes" in said


def test_a_run_without_figures_has_no_report(run: Run, tmp_path: Path) -> None:
    (run.folder / "metrics.json").unlink()
    with pytest.raises(RunError, match="nothing to report"):
        report_html(run)
    with pytest.raises(RunError, match="is not a run"):
        report_html(Run(tmp_path))


def test_curves_cope_with_one_epoch_and_without_validation() -> None:
    one = [{"epoch": 1, "accuracy": 0.5, "loss": 2.0, "val_accuracy": None, "val_loss": None}]
    drawn = report_charts.curves(one, metric="accuracy")
    assert "<circle" in drawn
    assert "nan" not in drawn
    assert report_charts.curves([], metric="loss") == ""


def test_of_a_damaged_file_nothing_else_is_said(run: Run) -> None:
    for name in ("metrics.json", "labels.json"):
        path = run.folder / name
        content = path.read_bytes()
        path.write_bytes(content[:30])
        with pytest.raises(RunError, match=name):
            report_html(run)
        with pytest.raises(RunError, match=name):
            find_run(str(run.folder))
        path.write_bytes(content)
