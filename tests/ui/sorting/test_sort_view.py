"""Sorting on a page: a press answers the photo that was shown, and undo takes back what is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from tests.support.drawing import make_tree
from translearn_core import datasets
from translearn_core.sorting.job import PhotoFeatures, folder_of
from translearn_core.sorting.session import Question, Sorting


def _page(folder: str) -> None:
    from pathlib import Path

    from translearn_core.datasets import Dataset
    from translearn_ui.sorting import sort_view

    sort_view.show(Dataset(Path(folder)))


def test_a_button_belongs_to_its_photo_and_undo_to_the_last_decision(tmp_path: Path) -> None:
    pile = datasets.import_source(
        make_tree(tmp_path / "pile", {".": 12}), labels=datasets.NoClasses()
    )
    paths = tuple(datasets.read_unsorted(pile)["path"])
    features = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float16)
    folder_of(pile).mkdir()
    np.savez(folder_of(pile) / "features.npz", features=features, paths=paths, backbone="drawn")
    sorting = Sorting(
        pile, PhotoFeatures(paths=paths, features=features.astype(np.float32), backbone="drawn")
    )
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
