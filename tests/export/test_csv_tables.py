"""Tables that are written: columns of one name each, no cell that computes, valid UTF-8."""

from __future__ import annotations

import csv
import io
import os

import pandas as pd
import pytest

from tests.support.trained import copy_of, trained
from translearn_core.csv_tables import BOM, cell, csv_text, task_column, unique_columns, valid_text
from translearn_core.export.formats import predictions_csv
from translearn_core.runs import Run
from translearn_ui.try_it.prediction_view import Answer, table

pytestmark = pytest.mark.awkward

FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "'=1",
    "''+1",
    "\uff1d1",
    "\0=1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_computed(text: str) -> None:
    assert cell(text) == f"'{text}"
    (row,) = csv.reader(io.StringIO(csv_text([text], [])[1:], newline=""))
    assert row == [f"'{text}"]


@pytest.mark.parametrize("value", ["red", "a=b", "'t", "", 0.5, -0.5, 3, True])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert cell(value) == value


@pytest.mark.parametrize("value", [None, float("nan")])
def test_nothing_is_an_empty_cell(value: object) -> None:
    assert cell(value) == ""


def test_a_name_that_is_not_utf8_is_written_by_its_bytes() -> None:
    assert valid_text(os.fsdecode(b"caf\xe9.jpg")) == r"caf\xe9.jpg"
    assert valid_text("a\ud800") == r"a\ud800"
    assert (
        csv_text(["file"], [[os.fsdecode(b"\xe9,=1")]]).encode()
        == b'\xef\xbb\xbffile\r\n"\\xe9,=1"\r\n'
    )


def test_columns_have_names_of_their_own() -> None:
    assert unique_columns(["a", "a", "a (2)", "a"]) == ["a", "a (3)", "a (2)", "a (4)"]
    assert task_column("file", ["file"]) == "task: file"
    assert task_column("pose", ["file"]) == "pose"


def test_the_test_predictions_of_odd_classes_are_a_table(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run = copy_of(trained("frozen"), tmp_path_factory.mktemp("odd") / "run")
    run.write_labels(["file", "=cmd", "truth"], image_size=32)
    path = run.folder / "predictions.parquet"
    predictions = pd.read_parquet(path)
    predictions["file"] = "=1+1.jpg"
    predictions.to_parquet(path)
    data = predictions_csv(Run(run.folder))
    assert data.startswith(BOM.encode())
    head, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert len(set(head)) == len(head)
    assert {"file", "truth", "answer", "p(file)", "p(=cmd)", "p(truth)"} <= set(head)
    assert len(rows) == len(predictions)
    assert {row[head.index("file")] for row in rows} == {"'=1+1.jpg"}


def test_the_page_names_its_columns_the_same_way() -> None:
    from translearn_core.prediction.predict import Prediction

    tasks = {"file": {"a": 1.0}}
    prediction = Prediction(file="x", label="sure", probabilities={"sure": 1.0}, tasks=tasks)
    found = table([Answer(prediction, None)], sure_from=0.5)
    assert {"file", "p(sure)", "task: file", "task: file: sure"} <= set(found.columns)
