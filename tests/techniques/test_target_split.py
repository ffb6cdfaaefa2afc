"""What measures the target domain, or the run, is not adapted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.support.clouds import training_data
from translearn_core.datasets.manifest_columns import COLUMNS, with_columns
from translearn_core.run_settings import make_settings
from translearn_core.techniques.extra_samples import UnlabelledSet
from translearn_core.techniques.target_split import TargetSplit, split_target

CLASSES = ["class 0", "class 1"]
"""As `training_data` names them."""


def place(labels: list[str], *, scenes: np.ndarray | None = None, first: int = 0) -> UnlabelledSet:
    """Photos of a target domain; those of one scene are copies."""
    n = len(labels)
    names = np.array([f"{first + row}.jpg" for row in range(n)])
    frames = pd.DataFrame({"path": names, "class_name": labels})
    frames["sha256"] = names if scenes is None else names[scenes]
    pooled = np.random.default_rng(5).normal(size=(n, 64)).astype(np.float32)
    return UnlabelledSet(photos=with_columns(frames, COLUMNS), pooled=pooled, views=())


def split(others: UnlabelledSet, *, tested: int = 0) -> TargetSplit:
    """With so many of the photos among the run's test photos."""
    n = 20 + tested
    part = np.where(np.arange(n) < 20, "train", "test")
    data = training_data(np.zeros((n, 64)), np.arange(n) % 2, part)
    own = pd.concat([place([""] * 20, first=1000).photos, others.photos[:tested]])
    own = own.reset_index(drop=True)
    return split_target(make_settings({}), replace(data, photos=own), others)


def test_one_in_five_labelled_photos_of_each_class_judges_and_is_not_adapted_to() -> None:
    others = place(CLASSES[:1] * 60 + CLASSES[1:] * 30 + ["elsewhere"] * 20)
    found = split(others)
    judged, adapted = set(found.judged.photos["path"]), set(found.adapted.photos["path"])
    assert not judged & adapted
    assert judged | adapted == set(others.photos["path"])
    assert np.bincount(found.labels).tolist() == [12, 6]
    for photo, code in zip(found.judged.photos["class_name"], found.labels, strict=True):
        assert photo == CLASSES[code], "of no other class"
    assert (found.left_out, found.seen) == (0, 0)
    again = split(others)
    assert list(again.judged.photos["path"]) == list(found.judged.photos["path"])


def test_a_scene_judges_as_a_whole_or_is_adapted_to_as_a_whole() -> None:
    scenes = np.repeat(np.arange(20), 3)
    others = place([CLASSES[scene % 2] for scene in scenes], scenes=scenes)
    found = split(others)
    of = dict(zip(others.photos["path"], scenes, strict=True))
    judged = {of[path] for path in found.judged.photos["path"]}
    adapted = {of[path] for path in found.adapted.photos["path"]}
    assert judged
    assert not judged & adapted


@pytest.mark.parametrize("labelled", [0, 24])
def test_where_few_have_labels_all_are_adapted_to(labelled: int) -> None:
    found = split(place(CLASSES[:1] * labelled + [""] * 30))
    assert len(found.judged) == len(found.labels) == 0
    assert len(found.adapted) == labelled + 30


def test_test_photos_of_the_run_are_not_adapted_to() -> None:
    others = place([""] * 40)
    found = split(others, tested=25)
    assert (found.left_out, found.seen) == (25, 0)
    assert list(found.adapted.photos["path"]) == list(others.photos["path"][25:])


def test_where_the_target_is_the_test_it_is_adapted_to_all_the_same() -> None:
    """A run says so of its figures."""
    found = split(place([""] * 40), tested=35)
    assert (found.left_out, found.seen) == (0, 35)
    assert len(found.adapted) == 40
