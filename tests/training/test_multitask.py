"""Several tasks at once: the table, heads that learn where labels are, and what they answer."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.small_backbone import SMALL
from translearn_core import cli, datasets, jobs
from translearn_core.datasets.label_table import attach_labels, import_labelled
from translearn_core.datasets.table_reading import read_table
from translearn_core.datasets.tasks import detach_labels, tasks_of
from translearn_core.errors import SourceError
from translearn_core.export.formats import predictions_csv
from translearn_core.monitor import Monitor
from translearn_core.prediction.predict import predict
from translearn_core.reports.report import report_html
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run
from translearn_core.runs.predictions import read_task_predictions
from translearn_core.runs.task_heads import load_heads
from translearn_core.training.train import train

pytestmark = pytest.mark.usefixtures("small_backbone")
COLOURS = {"red": (210, 50, 40), "green": (40, 180, 60), "blue": (40, 60, 200)}


def draw(folder: Path, *, per_kind: int = 12) -> Path:
    """A flat folder of photos with a colour and a brightness, and its table `labels.csv`."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir(parents=True)
    rows = []
    for colour, value in COLOURS.items():
        for light in ("bright", "dark"):
            for n in range(per_kind):
                pixels = rng.normal(0, 12, (8, 8, 3)) + np.array(value) * (
                    1.0 if light == "bright" else 0.25
                )
                photo = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize((64, 64))
                name = f"{colour}-{light}-{n}.png"
                photo.save(folder / "photos" / name)
                rows.append({"file": name, "colour": colour, "light": light if n % 4 else ""})
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["file", "colour", "light"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("drawn"))


def test_a_table_trains_a_head_for_each_column_and_predicts_each(
    drawn: Path, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    options = [
        "--backbone",
        SMALL,
        "--set",
        "image_size=32",
        "--set",
        "validation_share=0.3",
        "--epochs",
        "12",
        "--seed",
        "1",
    ]
    arguments = ["train", str(drawn / "photos"), "--tasks", str(drawn / "labels.csv"), *options]
    assert cli.main([*arguments, "--run-dir", str(folder), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert [task["name"] for task in metrics["tasks"]] == ["colour", "light"]
    first, second = metrics["tasks"]
    assert first["test_accuracy"] == metrics["test_accuracy"] > 0.6
    assert second["classes"] == ["bright", "dark"]
    assert second["test_accuracy"] > 0.8
    assert second["n_test"] < first["n_test"] == metrics["n_test"]  # gaps are not judged
    assert np.sum(second["confusion"]) == second["n_test"]
    run = Run(folder)
    assert [head.name for head in load_heads(run.folder)] == ["light"]
    calibrated = second["calibration"]
    assert 0 < calibrated["fitted_on"] < metrics["n_val"]  # gaps are no part of it, either
    assert second["linear_half"]["temperature"] != first["linear_half"]["temperature"]
    kept = read_task_predictions(run, "light")
    assert len(kept) == second["n_test"]
    assert kept["correct"].sum() == second["test_correct"]
    again = predict(
        run, [datasets.open_dataset(Path(run.config.dataset)).photo_path(p) for p in kept["path"]]
    )
    said = [max((answer.tasks or {})["light"].values()) for answer in again]
    assert np.allclose(said, kept["confidence"], atol=1e-3)  # the app answers as it was measured
    table = pd.read_csv(io.BytesIO(predictions_csv(run)), keep_default_na=False)
    assert len(table) == metrics["n_test"]
    assert (table["light"] != "").sum() == second["n_test"]
    report = report_html(run)
    assert "Task: light" in report
    assert f"Right on {second['test_correct']} of {second['n_test']} new photos" in report
    photos = sorted((drawn / "photos").glob("*-bright-*.png"))
    answers = [answer.tasks or {} for answer in predict(run, photos)]
    lights = [next(iter(answer["light"])) for answer in answers]
    assert lights.count("bright") > 0.8 * len(lights)
    assert sum(answers[0]["light"].values()) == pytest.approx(1, abs=1e-4)
    assert cli.main(["predict", str(folder), str(photos[0])]) == 0
    assert "; light: " in capsys.readouterr().out


def test_class_folders_are_the_first_task_and_the_table_adds_to_them(
    colour_photos: Path, workspace: Path, tmp_path: Path
) -> None:
    files = sorted(
        path.relative_to(colour_photos).as_posix() for path in colour_photos.rglob("*.jpg")
    )
    table = tmp_path / "more.csv"
    lines = [f"{file};{'odd' if n % 2 else 'even'}" for n, file in enumerate(files[:30])]
    table.write_text("file;number\n" + "\n".join(lines), encoding="utf-8")
    read = import_labelled(colour_photos, read_table(table), several=True)
    dataset, kept = read.dataset, tasks_of(read.dataset)
    assert kept is not None
    assert (kept.main, kept.tasks) == ("class", ("number",))
    assert len(kept.labels) == 30
    assert "18 of 48" in " ".join(read.notes)
    assert [(one.setting, one.taken, one.options) for one in read.questions] == [
        ("main", "class", ("class", "number"))
    ]
    assert dataset.classes == ["blue", "green", "red"]


@pytest.mark.parametrize("flat", [True, False])
def test_photos_kept_for_the_test_stand_in_the_same_table(
    flat: bool, drawn: Path, workspace: Path, tmp_path: Path
) -> None:
    labels = pd.read_csv(drawn / "labels.csv", dtype=str).set_index("file")
    tested = sorted(labels.index)[::6]
    rows = []
    for file in labels.index:
        colour = labels.loc[file, "colour"]
        part = "later" if file in tested else "first"
        target = tmp_path / part / ("" if flat else colour) / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((drawn / "photos" / file).read_bytes())
        rows.append({"file": f"later/{file}" if flat and file in tested else file})
        rows[-1] |= {"light": labels.loc[file, "light"]} | ({"colour": colour} if flat else {})
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    read = import_labelled(
        tmp_path / "first",
        read_table(tmp_path / "labels.csv", main="colour" if flat else "class"),
        test_source=tmp_path / "later",
        several=True,
    )
    dataset = read.dataset
    photos = dataset.photos.set_index("path")
    assert read.notes == ()
    assert (photos["split"] == "test").sum() == len(tested)
    kept = tasks_of(dataset)
    assert kept is not None
    assert kept.main == ("colour" if flat else "class")
    for path, given in kept.labels.items():
        assert (
            given.get("light", photos.loc[path, "file"]).split("-")[0] in photos.loc[path, "file"]
        )
    held = [kept.labels[path] for path in photos.index[photos["split"] == "test"]]
    assert sum("light" in given for given in held) == labels.loc[tested, "light"].notna().sum()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour,tone\nred,a\nblue,b\n", "no column `file`"),
        ("file,colour\na.jpg,red\nb.jpg,red\n", "two different"),
        ("file\na.jpg\n", "at least one column of labels"),
        ("file,path\na.jpg,left\nb.jpg,right\n", "a column `path`"),
    ],
)
def test_a_table_that_is_none_is_refused(text: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        read_table(table)


def test_a_table_of_other_photos_is_refused(
    colour_photos: Path, workspace: Path, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,kind\nx.jpg,a\ny.jpg,b\n", encoding="utf-8")
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    with pytest.raises(SourceError, match="names none of the photos"):
        attach_labels(dataset, read_table(table))
    with pytest.raises(SourceError, match="No file of the table"):
        import_labelled(colour_photos / "blue", read_table(table))


class RemovesLabels(Monitor):
    """Removes the labels of the further tasks when the head begins to learn."""

    def __init__(self, dataset: datasets.Dataset) -> None:
        self._dataset = dataset

    def stage(self, name: str) -> None:
        if name == "head":
            detach_labels(self._dataset)


def test_labels_that_are_removed_in_mid_run_are_learned_all_the_same(
    drawn: Path, workspace: Path
) -> None:
    table = read_table(drawn / "labels.csv")
    dataset = import_labelled(drawn / "photos", table, several=True).dataset
    values = {"backbone": SMALL, "image_size": 32, "epochs": 2, "hidden_units": 8}
    run = jobs.make_run(dataset, make_settings(values))
    assert train(run, RemovesLabels(dataset))
    assert tasks_of(dataset) is None
    assert [task.name for task in run.metrics.tasks] == ["colour", "light"]
