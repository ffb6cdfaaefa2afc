"""The page "Can this work?" in each of its states, entered through app.py as a person does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app import assert_well, open_app, words
from tests.support.photos import draw_photos
from translearn_core import backbones, datasets, jobs
from translearn_core.backbones import default
from translearn_core.datasets import Dataset
from translearn_core.feasibility import job as check_job
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.assessment import assess
from translearn_core.feasibility.label_errors import MOST_OF_A_WEAK_MODEL
from translearn_core.feasibility.report import Report
from translearn_core.feasibility.verdict import TITLES
from translearn_core.jobs.inline import InlineRunner
from translearn_core.runs import JobState
from translearn_ui.feasibility import map_pictures
from translearn_ui.shell import frame


@pytest.fixture(scope="module")
def dataset(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    photos = draw_photos(tmp_path_factory.mktemp("photos"), per_class=12, seed=3)
    (photos / "blue" / "copy.jpg").write_bytes(next((photos / "blue").glob("*.jpg")).read_bytes())
    return datasets.import_source(photos, name="Colours")


def test_before_the_first_check_it_says_what_it_tells(dataset: Dataset) -> None:
    app = open_app("feasible", data=dataset.id)
    assert_well(app)
    assert "labels may be wrong" in words(app)
    assert app.button(key="feasible_start").label == "Check my photos"
    train = open_app("train", data=dataset.id)
    assert train.button(key="feasible_begin").label == "Can this work?"


def test_the_button_has_the_photos_checked_by_the_chosen_network(dataset: Dataset) -> None:
    runner = InlineRunner()
    with jobs.use_runner(runner):
        app = open_app("feasible", data=dataset.id)
        app.button(key="feasible_start").click().run()
    assert_well(app)
    assert [job.kind for job in runner.submitted] == ["check"]
    config = runner.submitted[0].read_config(check_job.CheckConfig)
    assert config.backbone == default.default_backbone().name


@pytest.fixture(scope="module")
def report(dataset: Dataset) -> Report:
    return check_job.assess(dataset, backbone=backbones.get_backbone("starter"))


@pytest.fixture(autouse=True)
def _no_state_left(home: Path) -> Iterator[None]:
    yield
    for path in home.glob("datasets/*/feasible/state.json"):
        path.unlink()


def _put_state(dataset: Dataset, **facts: object) -> None:
    state = JobState.model_validate({"state": "running", **facts})
    check_report.folder_of(dataset).mkdir(exist_ok=True)
    path = check_report.folder_of(dataset) / "state.json"
    path.write_text(state.model_dump_json(), encoding="utf-8")


def html(app: AppTest) -> str:
    """All that the page writes in HTML of its own."""
    return "\n".join(element.proto.body for element in app.get("html"))


def test_the_answer_stands_first_with_what_it_is_held_against(
    dataset: Dataset, report: Report
) -> None:
    app = open_app("feasible", data=dataset.id)
    assert_well(app)
    page = html(app)
    assert TITLES[report.verdict] in page
    assert frame.unbroken(report.explanation) in page.replace("&#x27;", "'")
    for name in ("colour and size alone", "Guessing the largest class", "shuffled labels"):
        assert name in page
    for one in report.advice:
        assert f"advice_go_{one.kind}" in [button.key for button in app.button]
    assert "Something else gives the class away" in words(app)  # these photos differ in colour


def test_every_part_of_the_evidence_draws_itself(dataset: Dataset, report: Report) -> None:
    app = open_app("feasible", data=dataset.id)
    for part in ("mixups", "map", "figures"):
        app.session_state["feasible_part"] = part
        app.run()
        assert_well(app)


def test_a_check_that_goes_on_can_be_stopped(dataset: Dataset, report: Report) -> None:
    own = psutil.Process()
    _put_state(dataset, pid=own.pid, pid_started=own.create_time(), stage="look", done=12, total=37)
    app = open_app("feasible", data=dataset.id)
    assert_well(app)
    assert "12 of 37" in html(app)
    app.button(key="feasible_stop").click().run()
    stop = check_report.folder_of(dataset) / "stop"
    assert stop.exists()
    stop.unlink()


def test_a_check_that_failed_says_why_and_what_was_before_stays(
    dataset: Dataset, report: Report
) -> None:
    _put_state(dataset, state="failed", reason="The disk is full.")
    app = open_app("feasible", data=dataset.id)
    assert [box.value for box in app.error] == ["The check failed. The disk is full\\."]
    assert TITLES[report.verdict] in html(app)


def test_excluding_a_copy_is_undone_and_outdates_the_answer(
    dataset: Dataset, report: Report
) -> None:
    app = open_app("feasible", data=dataset.id)
    app.session_state["feasible_check"] = "exact_copies"
    app.run()
    app.button(key="bulk_exclude_exact_copies").click().run()
    assert_well(app)
    assert len(datasets.open_dataset(dataset.id).photos) == 36
    assert app.button(key="feasible_again").label == "Check again"
    assert "have changed since" in words(app)
    app.button(key="acts_undo").click().run()
    assert_well(app)
    assert len(datasets.open_dataset(dataset.id).photos) == 37
    assert "feasible_again" not in [button.key for button in app.button]


def test_a_report_that_cannot_be_read_is_none(dataset: Dataset, report: Report) -> None:
    path = check_report.folder_of(dataset) / "report.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(json.dumps({"verdict": "who knows"}), encoding="utf-8")
    os.utime(path)
    app = open_app("feasible", data=dataset.id)
    assert_well(app)
    assert app.button(key="feasible_start")
    path.write_text(whole, encoding="utf-8")


def test_every_page_says_the_same_of_the_photos(dataset: Dataset, report: Report) -> None:
    judged = assess(dataset).sentence
    assert judged.startswith(TITLES[report.verdict])
    for page in ("photos", "train"):
        app = open_app(page, data=dataset.id)
        boxes = [box.value for kind in (app.info, app.success, app.warning) for box in kind]
        said = "\n".join([words(app), *boxes]).replace("\\", "")
        assert judged in said, page
        assert "Nothing wrong was found" not in said


@pytest.fixture
def suspects(dataset: Dataset, report: Report) -> Iterator[list[str]]:
    """Ten photos whose labels a weak model calls into question, one of them almost certainly wrong."""
    folder = check_report.folder_of(dataset)
    paths = [folder / name for name in ("report.json", "findings.json")]
    before = [path.read_bytes() for path in paths]
    blue = dataset.photos[dataset.photos["class_name"] == "blue"]
    chosen = [str(path) for path in blue["path"][:10]]
    scores = [0.95, *(0.8 - 0.01 * number for number in range(9))]
    findings = [
        {"check": "wrong_label", "path": path, "score": score, "suggested": "red"}
        for path, score in zip(chosen, scores, strict=True)
    ]
    told = json.loads(before[0])
    (told["headline"] or told)["accuracy"] = told["accuracy"] = 0.6
    for path, content in zip(paths, (told, findings), strict=True):
        path.write_text(json.dumps(content), encoding="utf-8")
    yield chosen
    for path, content in zip(paths, before, strict=True):
        path.write_bytes(content)


def test_a_weak_model_calls_few_labels_into_question_and_gently(
    dataset: Dataset, suspects: list[str]
) -> None:
    app = open_app("feasible", data=dataset.id)
    app.session_state["feasible_check"] = "wrong_label"
    app.run()
    assert_well(app)
    acts = {button.key: button for button in app.button if "wrong_label_" in (button.key or "")}
    kept = [path for path in suspects if f"act_wrong_label_keep_{path}" in acts]
    assert kept == suspects[:MOST_OF_A_WEAK_MODEL]
    sure, doubtful = suspects[0], suspects[1]
    order = list(acts)
    assert order.index(f"act_wrong_label_move_{sure}") < order.index(f"act_wrong_label_keep_{sure}")
    assert order.index(f"act_wrong_label_keep_{doubtful}") < order.index(
        f"act_wrong_label_move_{doubtful}"
    )
    assert words(app).count("almost certain") == 1
    assert "looks like" in words(app)
    app.button(key="findings_all").click().run()
    assert f"act_wrong_label_keep_{suspects[-1]}" in [button.key for button in app.button]


def test_a_cell_of_the_matrix_is_chosen_by_its_pair(dataset: Dataset, report: Report) -> None:
    app = open_app("feasible", data=dataset.id)
    app.session_state["feasible_part"] = "mixups"
    app.session_state["feasible_cell"] = ("blue", "blue")
    app.run()
    assert_well(app)
    recognised = report.confusion[report.classes.index("blue")][report.classes.index("blue")]
    assert f"**{recognised}** photos of **blue** were recognised" in words(app)


def test_the_map_gives_pictures_of_its_own_photos_only(dataset: Dataset) -> None:
    paths = [str(path) for path in dataset.photos["path"]]
    asked = [paths[0], str(dataset.folder / "dataset.json"), 7, "../x"]
    found = map_pictures.pictures_of(dataset, asked, paths)
    assert list(found) == paths[:1]
    assert found[paths[0]].startswith("data:image/jpeg;base64,")
    assert map_pictures.pictures_of(dataset, None, paths) == {}
