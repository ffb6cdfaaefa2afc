"""labels.json of a wrong shape is refused with a short sentence; layers too wide before they are built."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.trained import trained
from translearn_core.errors import InputError
from translearn_core.formatting import NAME_IN_SENTENCE, shortened
from translearn_core.model_import.inspect import check_classes, inspect_model
from translearn_core.model_import.labels import read_labels
from translearn_core.model_import.sandbox import check_units

pytestmark = pytest.mark.awkward

GOOD = ["a", "b", "c"]
ODD: dict[str, Any] = {
    "a list": [1, 2],
    "a number": 5,
    "tasks that are a number": {"classes": GOOD, "tasks": 5},
    "tasks that are a dict": {"classes": GOOD, "tasks": {"name": "x", "classes": GOOD}},
    "a task without classes": {"classes": GOOD, "tasks": [{"name": "x"}]},
    "a task that is null": {"classes": GOOD, "tasks": [None]},
    "tasks of one name": {"tasks": [{"name": "x", "classes": GOOD}] * 2},
    "classes that are a text": {"classes": "abc"},
    "classes that are a dict": {"classes": {"a": 0}},
    "null and a dict": {"classes": [None, {"a": 1}]},
    "numbers": {"classes": [1, 2.5]},
    "broken text": {"classes": ["a\ud800", "b"]},
    "NUL": {"classes": ["a\0", "b"]},
    "a control character": {"classes": ["a\x1b[31m", "b"]},
    "blank": {"classes": [" ", "b"]},
    "a fit that is not known": {"classes": GOOD, "fit": "squash"},
    "5 MB": {"classes": ["x" * 5_000_000, "b"]},
    "a task of 5 MB": {"tasks": [{"name": "x" * 5_000_000, "classes": GOOD}]},
}


@pytest.mark.parametrize("name", ODD)
def test_labels_of_a_wrong_shape_are_refused_in_a_short_sentence(name: str) -> None:
    with pytest.raises(InputError, match=r"labels\.json beside the model") as caught:
        read_labels(ODD[name])
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "content", [None, {}, {"classes": None, "tasks": None}, {"image_size": 1e12}]
)
def test_labels_may_say_little(content: Any) -> None:
    assert read_labels(content).classes is None


def test_how_photos_are_fitted_is_taken_over_and_odd_remarks_are_not() -> None:
    labels = read_labels({"fit": "pad", "aspect_ratios": [1, 2.5], "told_by_shape": ["a"]})
    assert (labels.fit, labels.aspect_ratios, labels.told_by_shape) == ("pad", (1.0, 2.5), ("a",))
    labels = read_labels({"aspect_ratios": [1], "told_by_shape": {"a": 1}})
    assert (labels.fit, labels.aspect_ratios, labels.told_by_shape) == ("stretch", None, ())


def test_labels_are_refused_with_their_model(workspace: Path, tmp_path: Path) -> None:
    for number, content in enumerate(
        ({"classes": GOOD, "tasks": 5}, {"classes": ["a\ud800", "b", "c"]})
    ):
        target = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(target, "w") as archive:
            archive.write(trained("frozen").model_path, "x/model.keras")
            archive.writestr("x/labels.json", json.dumps(content))
        with pytest.raises(InputError, match=r"labels\.json"):
            inspect_model(target)


@pytest.mark.parametrize(
    "names", [["x" * 5_000_000] * 3, ["a\0", "b", "c"], ["y" * 150, "y" * 150, "z"]]
)
def test_class_names_are_cut_in_sentences(names: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        check_classes(names, inspect_model(trained("frozen").model_path))
    assert len(caught.value.message) < 300


def test_a_name_in_a_sentence_is_short_and_printable() -> None:
    assert shortened("cat") == "cat"
    assert shortened("a\nb\ud800") == r"a\nb\ud800"
    assert len(shortened("x" * 5_000_000)) == NAME_IN_SENTENCE


def test_a_layer_wider_than_its_weights_is_refused_before_it_is_built(tmp_path: Path) -> None:
    target = tmp_path / "wide.keras"
    layer = {"class_name": "Dense", "config": {"name": "vast", "units": 3_000_000_000}}
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [layer]}}))
    with pytest.raises(InputError, match="`vast` has 3000000000 units"):
        check_units(target, 2**20)
    check_units(trained("frozen").model_path, 2**24)
