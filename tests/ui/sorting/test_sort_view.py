"""Sorting on a page: a press answers the photo that was shown, and undo takes back what is stored."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app import assert_well, open_app, words
from tests.support.drawing import make_tree
from translearn_core import datasets, jobs
from translearn_core.jobs.inline import InlineRunner
from translearn_core.sorting.job import PhotoFeatures, folder_of
from translearn_core.sorting.session import Question, Sorting


def _page(folder: str) -> None:
    from pathlib import Path

    from translearn_core.datasets import Dataset
    from translearn_ui.sorting import sort_view

    sort_view.show(Dataset(Path(folder)))


def _pile(folder: Path, n: int) -> tuple[datasets.Dataset, Sorting]:
    """Unsorted photos that have drawn features."""
    pile = datasets.import_source(make_tree(folder / "pile", {".": n}), labels=datasets.NoClasses())
    paths = tuple(datasets.read_unsorted(pile)["path"])
    features = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float16)
    folder_of(pile).mkdir()
    np.savez(folder_of(pile) / "features.npz", features=features, paths=paths, backbone="drawn")
    return pile, Sorting(
        pile, PhotoFeatures(paths=paths, features=features.astype(np.float32), backbone="drawn")
    )


def test_a_button_belongs_to_its_photo_and_undo_to_the_last_decision(tmp_path: Path) -> None:
    pile, sorting = _pile(tmp_path, 12)
    paths = sorting.paths
    for place, path in enumerate(paths[:6]):
        sorting.answer(Question(path=path), ("cat", "dog")[place % 2])

    app = AppTest.from_function(_page, args=(str(pile.folder),), default_timeout=60)
    app.session_state["sort_tab"] = "proposals"
    app.run()
    (button,) = [one for one in app.button if str(one.key).startswith("sort_answer_1")]
    button.click().run()
    assert not app.exception
    assert button.key not in [one.key for one in app.button], "a second press answers nothing"
    assert pile.counts.to_dict() == {"cat": 4, "dog": 3}

    sorting.answer(Question(path=sorting.paths[-1]), "owl")  # by another page
    app.button(key="sort_undo").click().run()
    assert not app.exception
    assert pile.counts.to_dict() == {"cat": 4, "dog": 3}


def test_one_class_and_a_photo_put_aside_lead_to_photos_of_another_class(
    tmp_path: Path, workspace: Path
) -> None:
    pile, sorting = _pile(tmp_path, 5)
    for path in sorting.paths[:4]:
        sorting.answer(Question(path=path), "cat")
    sorting.put_aside(sorting.paths[4:])
    app = AppTest.from_function(_page, args=(str(pile.folder),), default_timeout=60).run()
    assert_well(app)
    assert [one.value for one in app.success] == ["All photos are sorted but 1 that you put aside."]
    assert [one.key for one in app.button if str(one.key).startswith("go_sort")] == []
    (add,) = [one for one in open_app(data=pile.id).expander if one.label == "Add photos"]
    assert add.proto.expanded


def test_one_class_of_a_folder_in_place_is_copied_on_the_way_to_sorting(
    tmp_path: Path, workspace: Path
) -> None:
    there = datasets.import_source(make_tree(tmp_path / "set", {"dcim": 4}), in_place=True)
    app = open_app(data=there.id)
    with jobs.use_runner(InlineRunner(lambda job: job.update_state(state="finished"))):
        app.button(key="go_sort_dataset").click().run()
        app.switch_page("pages/sort.py").run()
        for _turn in range(200):
            if "task" not in app.query_params:
                break
            time.sleep(0.05)
            app.run()
    assert_well(app)
    (copy,) = [one for one in datasets.list_datasets() if one.id != there.id]
    assert len(datasets.read_unsorted(copy)) == 4
    assert there.counts.to_dict() == {"dcim": 4}
    assert app.query_params["data"] == copy.id


def test_going_to_sort_ends_the_camera_and_can_be_undone(tmp_path: Path, workspace: Path) -> None:
    dcim = datasets.import_source(make_tree(tmp_path / "set", {"dcim": 4}))
    for goes in (False, True):
        app = open_app(data=dcim.id)
        app.session_state["sort_way"] = "camera"
        if not goes:
            app.switch_page("pages/sort.py").run()
            assert "sort_recorded" in [one.key for one in app.button]
            assert "go_sort_sort" not in [one.key for one in app.button], "it would end the camera"
    with jobs.use_runner(InlineRunner(lambda job: job.update_state(state="finished"))):
        app.button(key="next_sort").click().run()
        app.switch_page("pages/sort.py").run()
        assert "sort_recorded" not in [one.key for one in app.button]
        app.button(key="sort_put_back").click().run()
    assert_well(app)
    assert dcim.counts.to_dict() == {"dcim": 4}


@pytest.mark.parametrize("left", [1, 0])
def test_what_was_put_among_the_unsorted_photos_is_counted_as_it_is_now(
    left: int, tmp_path: Path, workspace: Path
) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "set", {"a": 3, ".": 2}))
    app = open_app(data=dataset.id)
    with jobs.use_runner(InlineRunner(lambda job: job.update_state(state="finished"))):
        app.button(key="go_sort_dataset").click().run()
        paths = list(datasets.read_unsorted(dataset)["path"])
        datasets.sort_photos(dataset, dict.fromkeys(paths[left:], "b"))
        datasets.add_unsorted(dataset, [("c.jpg", next((tmp_path / "set" / "a").glob("*")))])
        app.switch_page("pages/sort.py").run()
    assert_well(app)
    assert ("1 photo is among the unsorted ones now" in words(app)) == bool(left)
    assert ("sort_put_back" in [one.key for one in app.button]) == bool(left)
