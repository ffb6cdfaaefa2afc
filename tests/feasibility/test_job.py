"""The whole check of a data set: its report, its files, its process, its command."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.commands import call
from tests.support.photos import draw_photos
from translearn_core import backbones, datasets, jobs
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError, StopRequestedError, WeightsError
from translearn_core.feasibility import compute
from translearn_core.feasibility import job as check_job
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.check_data import MOST_VALIDATED
from translearn_core.feasibility.report import Report
from translearn_core.monitor import Monitor
from translearn_core.runs import ENDED_STATES

ROOT = Path(__file__).resolve().parents[2]
STARTER = backbones.get_backbone("starter")
PROMISED = (
    "verdict accuracy interval majority_accuracy trivial_accuracy trivial shuffled_accuracy "
    "forecast learning_curve suspects near_duplicate_groups cross_class_duplicates leaks "
    "random_split_accuracy seconds classes counts n_photos fingerprint backbone confusion mixups "
    "advice shortcuts findings_counts per_class"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("photos"), per_class=16, seed=3)


@pytest.fixture(scope="module")
def dataset(home: Path, photos: Path) -> Dataset:
    return datasets.import_source(photos, in_place=True, check=False)


@pytest.fixture(scope="module")
def report(dataset: Dataset) -> Report:
    return check_job.assess(dataset, backbone=STARTER)


def wait_for(condition: Callable[[], bool], *, timeout_s: float = 120.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.1)


def test_easy_photos_work_and_the_report_tells_that_colour_does_it(report: Report) -> None:
    assert report.accuracy > 0.9
    assert report.interval[0] <= report.accuracy <= report.interval[1]
    assert report.majority_accuracy == pytest.approx(1 / 3)
    assert report.shuffled_accuracy < 0.6
    assert report.trivial["colour"] > 0.9
    assert report.trivial["size"] < 0.5
    assert report.verdict in ("works_with_limits", "not_yet")
    assert np.sum(report.confusion) == report.n_photos == 48
    assert [one.name for one in report.per_class] == ["blue", "green", "red"]


def test_what_was_written_is_what_is_read(dataset: Dataset, report: Report) -> None:
    assert check_report.read(dataset) == report
    assert report.fingerprint == dataset.fingerprint
    table = check_report.read_photos(dataset)
    assert list(table.columns) == list(check_report.PHOTO_COLUMNS)
    assert list(table["path"]) == list(dataset.photos["path"])
    assert table[["x", "y", "pca_x", "pca_y"]].notna().all(axis=None)
    assert table["p_given"].between(0, 1).all()
    assert (table["correct"] == (table["answer"] == table["class_name"])).all()
    assert isinstance(json.loads((dataset.folder / "feasible" / "findings.json").read_text()), list)


def test_the_same_photos_and_seed_give_the_same_answer(dataset: Dataset, report: Report) -> None:
    again = check_job.assess(dataset, backbone=STARTER)
    assert again.accuracy == report.accuracy
    assert again.sentence == report.sentence
    assert again.learning_curve == report.learning_curve


def test_labels_by_lot_are_no_sign(report: Report, photos: Path, tmp_path: Path) -> None:
    files = sorted(photos.rglob("*.jpg"))
    names = [file.parent.name for file in files]
    random.Random(1).shuffle(names)
    for number, (file, name) in enumerate(zip(files, names, strict=True)):
        (tmp_path / name).mkdir(exist_ok=True)
        os.link(file, tmp_path / name / f"{number}.jpg")
    shuffled = datasets.import_source(tmp_path, in_place=True, check=False)
    found = check_job.assess(shuffled, backbone=STARTER)
    assert found.verdict == "no_sign"
    assert found.advice[0].kind == "check_labels"


def test_labels_found_right_by_a_person_are_not_asked_about_again(
    report: Report, photos: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(photos, tmp_path / "s")
    first = sorted((folder / "red").iterdir())[0]
    first.rename(folder / "blue" / "wrong.jpg")
    dataset = datasets.import_source(folder, in_place=True, check=False)
    before = check_job.assess(dataset, backbone=STARTER)
    assert [one.file.split("/")[-1] for one in before.suspects] == ["wrong.jpg"]
    assert before.suspects[0].suggested == "red"
    datasets.dismiss(dataset, [("wrong_label", before.suspects[0].path)])
    after = check_job.assess(dataset, backbone=STARTER)
    assert after.suspects == []
    assert "fix_labels" not in [one.kind for one in after.advice]


def test_given_test_photos_are_not_learned_from(
    report: Report, photos: Path, tmp_path: Path
) -> None:
    held = draw_photos(tmp_path / "test", per_class=4, seed=9)
    both = datasets.import_source(photos, test_source=held, in_place=True, check=False)
    found = check_job.assess(both, backbone=STARTER)
    assert (found.n_photos, found.n_judged) == (60, 48)
    assert found.given_test is not None
    assert found.given_test.n == 12
    assert found.given_test.accuracy > 0.6
    assert found.told.source == "test"
    assert found.told.interval == found.given_test.interval
    assert "12 given test photos" in found.sentence
    assert any("Fewer than 10 test photos" in text for text in found.remarks)


def test_a_test_of_other_things_decides_and_is_said_first(
    report: Report, photos: Path, tmp_path: Path
) -> None:
    held = draw_photos(tmp_path / "test", per_class=14, seed=11)
    for first, second in (("blue", "spare"), ("green", "blue"), ("spare", "green")):
        (held / first).rename(held / second)
    both = datasets.import_source(photos, test_source=held, in_place=True, check=False)
    found = check_job.assess(both, backbone=STARTER)
    assert found.accuracy > 0.9
    assert found.verdict not in ("works_well", "works_with_limits")
    assert found.test_gap
    assert found.sentence.startswith(found.test_gap)
    assert found.explanation.startswith(found.test_gap)
    assert any("(recall 0): blue (0 / 14), green (0 / 14)" in text for text in found.remarks)
    assert [one.n_test for one in found.per_class] == [14, 14, 14]


def test_of_very_many_photos_some_are_judged() -> None:
    n = 50_000
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(n) < 0.001, 2, rng.integers(0, 2, n))
    groups = np.arange(n) // 3
    split = np.where(np.arange(n) % 10 == 0, "test", "").astype(object)
    split[1::10] = datasets.ASIDE
    rows = compute.choose_rows(split, labels, groups, seed=0)
    assert not (split[rows] == datasets.ASIDE).any()
    assert len(rows) <= 1.1 * MOST_VALIDATED
    assert not np.isin(groups[rows], groups[split == "test"]).any()
    shares = np.bincount(labels[rows]) / len(rows)
    assert shares[:2] == pytest.approx([0.5, 0.5], abs=0.03)
    assert (labels[rows] == 2).sum() >= 15
    assert sorted(np.unique(groups[rows], return_counts=True)[1])[0] >= 1


def test_a_stop_is_heard_and_nothing_is_lost(dataset: Dataset, report: Report) -> None:
    before = check_report.read(dataset)
    with pytest.raises(StopRequestedError):
        check_job.assess(dataset, backbone=STARTER, seed=5, monitor=Monitor().until(0.0))
    assert check_report.read(dataset) == before


BLANK: dict[str, tuple[dict[str, list[int]], str]] = {
    "all blank": ({"a": [255] * 6, "b": [255] * 6}, "All 12 photos are copies of one photo"),
    "all black": ({"a": [0] * 2, "b": [0] * 2}, "All 4 photos are copies of one photo"),
    "all alike": ({"a": [-1] * 6, "b": [-1] * 6}, "All 12 photos are copies of one photo"),
    "each blank": ({"a": [0] * 6, "b": [255] * 6}, "Of each of a, b all photos are copies"),
    "one blank": ({"a": [255] * 6, "b": list(range(-2, -8, -1))}, "All photos of a are copies"),
}
"""Classes with the photos of each: a grey level, or the number of a picture below 0."""


def grey_or_noise(value: int) -> Image.Image:
    if value >= 0:
        return Image.new("RGB", (48, 48), (value, value, value))
    noise = np.random.default_rng(-value).integers(0, 255, (48, 48, 3), np.uint8)
    return Image.fromarray(noise)


@pytest.mark.awkward
@pytest.mark.parametrize("name", BLANK)
def test_blank_or_identical_photos_end_with_a_true_sentence(
    home: Path, tmp_path: Path, name: str
) -> None:
    classes, said = BLANK[name]
    for class_name, values in classes.items():
        (tmp_path / class_name).mkdir()
        for number, value in enumerate(values):
            grey_or_noise(value).save(tmp_path / class_name / f"{number}.png")
    dataset = datasets.import_source(tmp_path, in_place=True, check=False)
    with pytest.raises(SourceError, match=said):
        check_job.assess(dataset, backbone=STARTER)


@pytest.mark.awkward
def test_a_blank_class_beside_two_sound_ones_is_said(home: Path, tmp_path: Path) -> None:
    shutil.copytree(draw_photos(tmp_path / "drawn", per_class=8, seed=6), tmp_path / "photos")
    (tmp_path / "photos" / "white").mkdir()
    for number in range(8):
        grey_or_noise(255).save(tmp_path / "photos" / "white" / f"{number}.png")
    dataset = datasets.import_source(tmp_path / "photos", in_place=True, check=False)
    report = check_job.assess(dataset, backbone=STARTER)
    assert report.verdict != "works_well"
    assert any("All photos of white are copies of one photo" in text for text in report.remarks)


def test_what_cannot_be_checked_is_refused(
    home: Path, dataset: Dataset, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(photos / "red", tmp_path / "one" / "red")
    single = datasets.import_source(tmp_path / "one", in_place=True, check=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "none"))
    with pytest.raises(WeightsError, match="not on this machine"):
        check_job.start(dataset, backbone="vgg16")
    with pytest.raises(SourceError, match="only one class"):
        check_job.start(single, backbone="starter")
    assert check_job.state(dataset) is None


@pytest.mark.slow
def test_the_process_finishes_stops_and_its_loss_is_told(dataset: Dataset, report: Report) -> None:
    check_job.start(dataset, backbone="starter", seed=2)
    first = check_job.state(dataset)
    assert first is not None
    assert first.is_live
    check_job.start(dataset, backbone="starter", seed=3)  # one is at it
    wait_for(lambda: _state(dataset) in ENDED_STATES)
    assert _state(dataset) == "finished", (dataset.folder / "feasible" / "log.txt").read_text()
    done = check_report.read(dataset)
    assert done is not None
    assert done.seed == 2

    check_job.start(dataset, backbone="starter")
    asked = time.monotonic()
    check_job.request_stop(dataset)
    wait_for(lambda: _state(dataset) in ENDED_STATES)
    assert _state(dataset) == "stopped"
    assert time.monotonic() - asked < 20  # five seconds on a quiet machine

    check_job.start(dataset, backbone="starter")
    job = check_job.job_of(dataset)
    wait_for(lambda: _state(dataset) == "running")
    assert not job.stop_requested
    process = job.process()
    assert process is not None
    process.kill()
    wait_for(lambda: _state(dataset) == "lost")
    jobs.reap()
    assert check_report.read(dataset) == done


def _state(dataset: Dataset) -> str:
    found = check_job.state(dataset)
    return "" if found is None else found.state


def test_the_command_says_it_in_json_and_in_words(
    report: Report, photos: Path, home: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for photo in sorted(photos.rglob("*.jpg")):
            file.write(photo, photo.relative_to(photos))
    told = call("feasible", archive, "--backbone", "starter", "--json")
    assert told.returncode == 0, told.stderr
    content = json.loads(told.stdout)
    assert set(PROMISED.split()) <= set(content)
    assert content["accuracy"] == report.accuracy
    assert "Traceback" not in told.stderr
    spoken = call("feasible", photos, "--backbone", "starter")
    assert spoken.stdout.splitlines()[0] == report.sentence
    wrong = call("feasible", tmp_path / "nowhere")
    assert wrong.returncode == 2
    assert len(wrong.stderr.strip().splitlines()) == 1
