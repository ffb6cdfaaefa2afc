"""Every page draws itself, empty and with a data set, entered through app.py as a person does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.app import ROOT, assert_well, open_app, words
from translearn_core import datasets, jobs
from translearn_core.datasets.photos_without_class import write_loose
from translearn_core.datasets.unsorted import write_unsorted
from translearn_core.jobs.inline import InlineRunner
from translearn_core.recipe.technique_table import TECHNIQUES
from translearn_core.run_settings import make_settings
from translearn_core.runs import study
from translearn_ui.shell import frame

NAMES = [row.name for row in frame.PAGES if not row.of_class]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own for each test."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, and a workspace into which they were imported."""
    place = tmp_path_factory.mktemp("imported")
    rng = np.random.default_rng(0)
    for name in ("red *stars*", "blue"):
        folder = place / "photos" / name
        folder.mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 255, (32, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    (place / "photos" / "blue" / "notes.jpg").write_text("not a photo", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(place / "home"))
        datasets.import_source(place / "photos", name="Two_colours")
    return place


@pytest.fixture
def dataset(imported: Path, tmp_path: Path) -> datasets.Dataset:
    """Two classes of twelve small photos, and one file that is no photo; the test's own copy."""
    shutil.copytree(imported, tmp_path, dirs_exist_ok=True)
    (found,) = datasets.list_datasets()
    return found


@pytest.mark.parametrize("page", NAMES)
def test_page_without_anything_says_what_to_do(page: str) -> None:
    app = open_app(page)

    assert_well(app)
    assert app.title or app.header


@pytest.mark.parametrize("page", NAMES)
def test_page_with_a_data_set(page: str, dataset: datasets.Dataset) -> None:
    app = open_app(page, data=dataset.id)

    assert_well(app)


def test_start_page_offers_the_demo_and_tells_where_photos_stay() -> None:
    app = open_app()

    assert app.button(key="demo").label == "Try the demo photos"
    assert "Your photos" in words(app)
    assert "stay" in words(app)


def test_photos_page_shows_classes_and_what_was_left_out(dataset: datasets.Dataset) -> None:
    app = open_app("photos", data=dataset.id)

    assert "24 photos in 2 classes" in words(app)
    assert "1 file left out" in [box.label for box in app.expander]
    assert not app.button(key="train").disabled


@pytest.mark.parametrize("page", ["photos", "train"])
def test_photos_looked_at_in_the_background_are_told_quietly(
    page: str, dataset: datasets.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_LOOK_AHEAD", "true")
    runner = InlineRunner(
        lambda job: job.update_state(state="running", done=9, total=24, heartbeat=time.time())
    )
    with jobs.use_runner(runner):
        app = open_app(page, data=dataset.id)
    assert_well(app)
    assert [job.kind for job in runner.submitted] == ["look"]
    assert "9 of 24 photos looked at" in words(app)


def test_a_set_of_stacks_is_read_anew_by_another_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "stacks" / name).mkdir(parents=True)
        for n in range(2):
            first, second = (Image.effect_noise((40, 40), 9 * (k + 1)) for k in range(2))
            file = tmp_path / "stacks" / name / f"{n}.tif"
            first.save(file, save_all=True, append_images=[second])
    dataset = datasets.import_source(tmp_path / "stacks")
    app = open_app(data=dataset.id)
    app.selectbox(key="stacks_page").set_value(2)
    app.button(key="stacks_go").click().run()
    while "task" in app.query_params:
        app.run()
    assert_well(app)
    assert "stacks_page" in [box.key for box in app.selectbox]
    assert datasets.open_dataset(dataset.id).reading.page == 2


def test_data_set_with_one_class_cannot_be_trained_and_says_why(dataset: datasets.Dataset) -> None:
    by_hand = datasets.create_dataset("By hand")
    photos = dataset.photos[dataset.photos["class_name"] == "blue"]
    datasets.add_photos(
        by_hand, "blue", [(one.file, dataset.photo_path(one.path)) for one in photos.itertuples()]
    )

    app = open_app("photos", data=by_hand.id)

    assert_well(app)
    assert app.button(key="train").disabled
    assert app.info


@pytest.mark.parametrize("kind", ["one class", "loose", "unsorted"])
def test_what_nobody_sorted_leads_to_sorting_from_every_page(
    kind: str, dataset: datasets.Dataset
) -> None:
    """One sentence and one button, the same in the bar, on Photos, Train and the check; with undo."""
    datasets.remove_class(dataset, "red *stars*")
    if kind != "one class":
        names = [str(path) for path in dataset.photos["path"]]
        datasets.sort_photos(dataset, dict.fromkeys(names[:-2], ""))
    if kind == "loose":
        rows = datasets.read_unsorted(dataset)
        with dataset.locked():
            write_loose(dataset, rows.assign(listed=rows["file"]))
            write_unsorted(dataset, rows[:0])
    before, n = dataset.counts.to_dict(), 12 if kind == "one class" else 10
    said = "All 12 photos are in one class, blue" if n == 12 else "10 photos are not sorted"
    for page in ("photos", "train", "feasible"):
        app = open_app(page, data=dataset.id)
        assert_well(app)
        assert said in words(app)
        assert not app.info, "nothing says another thing"
        offered = app.button(key=f"go_sort_{'dataset' if page == 'photos' else page}")
        assert offered.label == "Sort photos"
        if page != "train":  # whose bar shows no next action
            assert app.button(key="next_sort").label == offered.label

    for key in ("go_sort_dataset", "next_sort"):
        app = open_app(data=dataset.id)
        with jobs.use_runner(InlineRunner(lambda job: job.update_state(state="finished"))):
            app.button(key=key).click().run()
            app.switch_page("pages/sort.py").run()
        assert_well(app)
        assert len(datasets.read_unsorted(dataset)) == n
        if kind != "unsorted":  # else nothing was changed
            app.button(key="sort_put_back").click().run()
            assert_well(app)
            assert said in words(app)
            assert dataset.counts.to_dict() == before


def test_what_belongs_together_is_chosen_on_the_photos_page(
    dataset: datasets.Dataset, tmp_path: Path
) -> None:
    """The plain data set has nothing to choose; one with folders inside its classes has."""
    assert "Photos that belong together" not in [
        box.label for box in open_app("photos", data=dataset.id).expander
    ]
    for number, photo in enumerate(sorted((tmp_path / "photos").rglob("*.png"))):
        site = photo.parent / f"site{number % 3}"
        site.mkdir(exist_ok=True)
        photo.rename(site / photo.name)
    choices = datasets.ImportChoices(classes="outer")
    sites = datasets.import_source(tmp_path / "photos", name="Sites", choices=choices)
    app = open_app("photos", data=sites.id)
    (box,) = [one for one in app.selectbox if one.label == "What shows that they belong together"]
    box.set_value("level:1").run()

    assert_well(app)
    assert "3 groups" in words(app)
    groups = datasets.named_groups(sites)
    assert groups is not None
    assert set(groups) == {"site0", "site1", "site2"}


def test_data_set_that_is_gone_leads_to_the_start(dataset: datasets.Dataset) -> None:
    app = open_app(data="no-such-set")

    assert_well(app)
    assert app.button(key="demo")
    assert ["not here" in box.value for box in app.warning] == [True]
    assert "data" not in app.query_params
    assert app.run().warning, "it is said until another page is opened"
    assert not app.switch_page("pages/work.py").run().warning


def test_address_cannot_name_a_folder_outside_the_workspace(tmp_path: Path) -> None:
    app = open_app("photos", data=f"../../{tmp_path.name}")

    assert app.button(key="demo")


def test_class_by_class_begins_with_an_empty_data_set() -> None:
    app = open_app()
    app.pills(key="way").set_value("classes").run()
    app.text_input(key="classes_name").input("Leaves")
    app.button(key="classes_begin").click().run()

    assert_well(app)
    assert [dataset.name for dataset in datasets.list_datasets()] == ["Leaves"]
    assert "No photos yet" in words(app)


@pytest.fixture(scope="module")
def brought_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Which of the large modules a process of its own has after the first page of a newcomer, and
    after all pages."""
    code = (
        "import gc, sys\n"
        "from tests.support.app import assert_well, open_app\n"
        "app = open_app()\n"
        "assert app.button(key='demo') and not app.error\n"
        "print(*sorted({'pandas', 'pyarrow', 'translearn_core.datasets'} & set(sys.modules)))\n"
        "gc.freeze()  # Streamlit looks for garbage after each run\n"
        f"for page in {NAMES}:\n"
        "    app.switch_page(f'pages/{page}.py').run()\n"
        "    assert_well(app)\n"
        "heavy = {'tensorflow', 'keras', 'openvino', 'sklearn', 'torch', 'jax'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    home = str(tmp_path_factory.mktemp("alone") / "home")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONPATH": str(ROOT), "TRANSLEARN_HOME": home},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, after_all = done.stdout.splitlines()
    return first, after_all


def test_no_page_brings_in_a_training_library(brought_in: tuple[str, str]) -> None:
    assert brought_in[1] == ""


def test_first_page_of_a_newcomer_waits_for_nothing_heavy(brought_in: tuple[str, str]) -> None:
    assert brought_in[0] == ""


def test_a_preset_fills_in_the_settings_and_the_default_takes_them_back(
    dataset: datasets.Dataset,
) -> None:
    app = open_app("train", data=dataset.id, expert="1")
    app.button_group(key="train_preset").set_value("article").run()
    assert_well(app)
    assert app.session_state["set_backbone"] == "vgg16"
    assert app.session_state["set_schedule"] == "constant"
    assert (app.session_state["set_epochs"], app.session_state["set_refit"]) == (10, False)
    app.session_state["set_epochs"] = 11
    assert app.run().button_group(key="train_preset").value is None
    app.button_group(key="train_preset").set_value("default").run()
    assert app.button_group(key="train_preset").value == "default"
    assert app.session_state["set_schedule"] == "cosine"
    assert app.session_state["set_backbone"] != "vgg16"


def test_a_mark_that_the_browser_still_shows_takes_no_setting_back(
    dataset: datasets.Dataset,
) -> None:
    app = open_app("train", data=dataset.id, expert="1")
    key = f"set_freeze_{app.session_state['set_backbone']}"
    blocks = app.slider(key=key).value
    app.slider(key=key).set_value(blocks - 1).run()
    assert app.button_group(key="train_preset").value is None

    app.button_group(key="train_preset").set_value("default")
    app.slider(key=key).set_value(blocks - 2).run()

    assert_well(app)
    assert app.slider(key=key).value == blocks - 2


def test_train_is_one_button_until_a_person_wants_to_choose(dataset: datasets.Dataset) -> None:
    app = open_app("train", data=dataset.id)
    assert_well(app)
    assert "about 17 photos" in words(app)
    assert "2 others" in words(app)
    assert not app.radio, "no choice stands in the way"
    assert "expert" not in app.query_params

    app.toggle(key="train_expert").set_value(True).run()
    assert "expert" in app.query_params, "a reload keeps it"
    app.button_group(key="train_preset").set_value("article").run()
    app.toggle(key="train_expert").set_value(False).run()
    assert not app.radio
    assert "settings are changed" in words(app)
    assert "set" in app.query_params, "what was chosen stays"
    chosen = app.query_params["set"]
    shared = open_app(
        "train", data=dataset.id, set=chosen[0] if isinstance(chosen, list) else chosen
    )
    assert shared.toggle(key="train_expert").value, "settings of a link are shown"
    app.button(key="train_recommended").click().run()
    assert "set" not in app.query_params
    assert "changed" not in words(app)


@pytest.mark.parametrize("page", ["train", "search", "feasible"])
def test_a_page_that_needs_photos_lists_those_that_are_there(
    page: str, dataset: datasets.Dataset
) -> None:
    app = open_app(page)
    app.button(key=f"recent_{dataset.id}").click().run()
    assert_well(app)
    assert "data" in app.query_params
    assert "First you need photos" not in words(app)


def test_a_removed_class_comes_back_by_one_press(dataset: datasets.Dataset) -> None:
    app = open_app(data=dataset.id)
    app.pills(key="class").set_value("blue").run()
    app.toggle(key="choose").set_value(True).run()
    for box in app.checkbox[:2]:
        box.set_value(True)
    app.run()
    app.button(key="remove_photos").click().run()
    assert_well(app)
    assert len(dataset.photos) == 22
    assert "2 photos removed" in [box.label for box in app.expander]
    app.button(key="undo").click().run()
    assert len(dataset.photos) == 24


def test_what_another_window_changed_is_said(dataset: datasets.Dataset) -> None:
    app = open_app(data=dataset.id)
    app.pills(key="class").set_value("blue").run()
    datasets.rename_class(dataset, "blue", "navy")
    app.run()
    assert_well(app)
    assert sum("blue" in box.value and "another window" in box.value for box in app.warning) == 1
    assert app.pills(key="class").value == ""

    datasets.delete_dataset(dataset)
    app.run()
    assert_well(app)
    assert any("Two" in box.value and "deleted" in box.value for box in app.warning)
    assert app.button(key="demo"), "the way on"


def test_a_search_is_shown_with_what_it_tried_and_found(dataset: datasets.Dataset) -> None:
    settings = make_settings({"backbone": "starter"})
    search = jobs.create_study(dataset, minutes=1, settings=settings)
    facts = {"log_loss": 0.4, "given_up": False, "seconds": 2.0}
    search.append_event("trial", number=1, settings={}, accuracy=0.8, best=True, **facts)
    changed = {"dropout": 0.3}
    search.append_event("trial", number=2, settings=changed, accuracy=0.9, best=True, **facts)
    result = study.StudyResult(
        study_dir=str(search.folder),
        trials=2,
        best=changed,
        validation_accuracy=0.9,
        default_validation_accuracy=0.8,
        seconds=20.0,
        sentence="In cross-validation 90 %.",
    )
    (search.folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")
    search.update_state(state="stopped")

    app = open_app("search", data=dataset.id, study=search.id)

    assert_well(app)
    table = app.table[0].value
    assert list(table["No."]) == ["2", "1"]
    assert "Dropout\\: 30\N{NO-BREAK SPACE}%" in table["What was tried"].iloc[0]
    assert app.button(key="search_train")


def test_train_page_offers_every_technique_and_refuses_two_that_do_not_go_together(
    dataset: datasets.Dataset, tmp_path: Path
) -> None:
    more = datasets.import_source(tmp_path / "photos", name="Another")
    app = open_app("train", data=dataset.id, expert="1")
    said = words(app)
    for row in TECHNIQUES.values():
        assert row.title in said
        assert row.plain in said

    assert "None of your models fits yet" in said

    app.selectbox("set_adapt_to").set_value(more.id).run()
    assert_well(app)
    assert "two different tasks" in words(app), "the other one is greyed out, with the reason"
    with pytest.raises(KeyError):
        app.selectbox("set_unlabelled")

    chosen = app.query_params["set"]
    reloaded = open_app(
        "train", data=dataset.id, set=chosen[0] if isinstance(chosen, list) else chosen
    )
    assert reloaded.selectbox("set_adapt_to").value == more.id, "a reload loses nothing"
    foreign = open_app("train", data=dataset.id, set='{"adapt_to": "/etc", "epochs": 7}')
    assert (foreign.selectbox("set_adapt_to").value, foreign.session_state["set_epochs"]) == ("", 7)
