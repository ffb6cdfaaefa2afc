"""Techniques beyond plain training: what each brings, what it leaves, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import POSITION
from tests.support.photos import draw_photos
from tests.support.small_backbone import SMALL
from translearn_core import datasets, runs, worker
from translearn_core.errors import InputError
from translearn_core.fitting.data import gather_training_data
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import SILENT
from translearn_core.prediction.predict import predict
from translearn_core.recipe import resolve
from translearn_core.recipe.technique_table import TECHNIQUES, plain_settings
from translearn_core.run_settings import Settings, make_settings, setting_fields
from translearn_core.runs import Run
from translearn_core.runs.run_caveats import caveats_of
from translearn_core.techniques.extra_samples import gather_unlabelled
from translearn_core.techniques.target_split import split_target

TINY = {"backbone": SMALL, "image_size": 32, "epochs": 8, "hidden_units": 32}
pytestmark = pytest.mark.usefixtures("small_backbone")


def train(source: Path, *, test: Path | None = None, in_place: bool = True, **settings: Any) -> Run:
    dataset = datasets.import_source(source, test_source=test, in_place=in_place, check=False)
    chosen = resolve.resolve(make_settings(TINY | settings), dataset).settings
    run = runs.create_run(dataset.folder, chosen, fingerprint=dataset.fingerprint)
    worker.work(run)
    return run


def flat(source: Path, target: Path) -> Path:
    """The same photos in one folder, unsorted."""
    target.mkdir()
    for photo in source.rglob("*.jpg"):
        shutil.copy(photo, target / f"{photo.parent.name}-{photo.name}")
    return target


def darken(source: Path, target: Path) -> Path:
    """The same things in another light, by a phone that notes where it is."""
    for photo in source.rglob("*.jpg"):
        place = target / photo.parent.name / photo.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(photo) as image:
            dark = np.asarray(image, np.float32) * (0.35, 0.5, 0.3) + (60, 0, 60)
        Image.fromarray(np.clip(dark, 0, 255).astype(np.uint8)).save(
            place, quality=90, exif=POSITION
        )
    return target


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Photos, the same in another light, few and many of one kind; and a workspace for all tests."""
    folder = tmp_path_factory.mktemp("techniques")
    draw_photos(folder / "photos", per_class=16, seed=1)
    darken(draw_photos(folder / "more", per_class=14, seed=2), folder / "dark")
    draw_photos(folder / "few", per_class=5, seed=3)
    draw_photos(folder / "test", per_class=8, seed=4)
    flat(folder / "more", folder / "unsorted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(folder / "workspace"))
        yield folder


@pytest.fixture(scope="module")
def plain(place: Path) -> Run:
    return train(place / "photos")


def assert_saved_as_measured(run: Run) -> None:
    """The saved model and its OpenVINO copy answer as the figures were made."""
    assert run.state.state == "finished", run.state.reason
    assert run.metrics.parity_max_diff < 1e-3
    assert run.metrics.openvino_max_diff < 1e-3


# ------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("name", list(TECHNIQUES))
def test_every_technique_explains_itself_in_two_sentences(name: str) -> None:
    row = TECHNIQUES[name]
    assert row.title
    assert row.term
    assert row.source
    assert row.plain.count(". ") == 1, "two sentences"
    assert row.plain.endswith(".")
    for setting in row.settings:
        assert setting in setting_fields()
    assert not row.is_on(Settings())


def test_plain_settings_switch_every_technique_off_and_leave_the_rest() -> None:
    settings = make_settings({"epochs": 7, "unlabelled": "x", "compare_plain": True})
    assert plain_settings(settings) == make_settings({"epochs": 7})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"adapt_to": "unsorted", "unlabelled": "unsorted"}, "two different tasks"),
        ({"adapt_to": "unsorted", "freeze": -1}, "Freeze all blocks"),
        ({"unlabelled": "unsorted", "freeze": "none"}, "Freeze all blocks"),
        ({"adapt_to": "nowhere"}, "no folder of photos and no data set"),
        ({"start_from": "nowhere"}, "not a run"),
        ({"distill_from": "nowhere"}, "not a run"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    place: Path, settings: dict[str, Any], words: str
) -> None:
    named = {
        name: str(place / value) if name in ("adapt_to", "unlabelled") else value
        for name, value in settings.items()
    }
    dataset = datasets.import_source(place / "photos", in_place=True, check=False)
    with pytest.raises(InputError, match=words):
        resolve.resolve(make_settings(TINY | named), dataset)


def test_starting_from_another_backbone_is_refused(place: Path, plain: Run) -> None:
    dataset = datasets.import_source(place / "photos", in_place=True, check=False)
    settings = make_settings({"backbone": "mobilenet_v2", "start_from": str(plain.folder)})
    with pytest.raises(InputError, match="is built on Small"):
        resolve.resolve(settings, dataset)
    taken = resolve.resolve(make_settings({"start_from": plain.id}), dataset).settings
    assert taken.backbone == SMALL, "where none is named, it is that of the run"


# ------------------------------------------------------------------------------- the doing


def test_getting_used_to_another_light_is_measured_and_is_what_is_saved(place: Path) -> None:
    run = train(
        place / "photos",
        test=place / "dark",
        in_place=False,
        adapt_to=str(flat(place / "dark", place / "dark-unsorted")),
        compare_plain=True,
    )
    assert_saved_as_measured(run)
    metrics = run.metrics
    assert metrics.test_accuracy >= metrics.plain_test_accuracy
    assert metrics.test_accuracy > 0.7
    figures = metrics.adaptation
    assert figures.n_target == figures.tested_photos_seen == 42, "with their positions, and without"
    assert figures.n_target_labelled == 0, "their folder is no class"
    assert figures.target_accuracy_before is None
    assert figures.source_accuracy_before is not None
    stages = [e["stage"] for e in run.events()[0] if e["kind"] == "state"]
    assert stages.index("technique") < stages.index("head") < stages.index("compare")
    answers = list(predict(run, sorted((place / "dark").rglob("*.jpg"))))
    right = np.mean([Path(one.file).parent.name == one.label for one in answers])
    assert right == pytest.approx(metrics.test_accuracy, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["batchnorm", "coral", "dann", "pseudo"])
def test_each_way_of_adaptation_is_saved_as_it_was_measured(place: Path, way: str) -> None:
    run = train(place / "photos", test=place / "dark", adapt_to=str(place / "dark"), adaptation=way)
    assert_saved_as_measured(run)
    figures = run.metrics.adaptation
    assert (figures.n_target, figures.n_target_labelled, figures.held_back) == (34, 8, True)
    assert figures.tested_photos_seen == 34, "all of the place is the test"
    assert any("34 of the 42 test photos" in text for text in caveats_of(run.metrics))
    plan = make_plan(run)
    others = gather_unlabelled(plan, str(place / "dark"), SILENT)
    judged = split_target(plan.settings, gather_training_data(plan, SILENT), others).judged.photos
    said = [one.label for one in predict(run, [Path(path) for path in judged["path"]])]
    right = np.mean(np.array(said) == judged["class_name"])
    assert figures.target_accuracy_after == pytest.approx(right)


def test_unsorted_photos_are_used_only_where_hidden_ones_say_that_they_help(place: Path) -> None:
    run = train(place / "few", test=place / "test", unlabelled=str(place / "unsorted"))
    assert_saved_as_measured(run)
    figures = run.metrics.selftraining
    assert figures.n_unlabelled == 42
    assert figures.hidden == 15, "every sorted photo is hidden once"
    assert (figures.pseudo_labels > 0) == figures.helps
    if not figures.helps:
        assert any("are not used" in text for text in run.metrics.warnings)


def test_a_run_that_starts_from_another_says_what_was_carried_over(place: Path, plain: Run) -> None:
    run = train(place / "few", test=place / "test", start_from=plain.id, epochs=4)
    assert_saved_as_measured(run)
    figures = run.metrics.carryover
    assert figures.hidden == 15, "every new photo is hidden"
    if figures.helps:
        assert figures.classes_carried_over == ["blue", "green", "red"]
        assert figures.rehearsed_photos == 48
    else:
        assert figures.rehearsed_photos == 0
        assert figures.classes_carried_over == []
        assert any("are not used" in text for text in run.metrics.warnings)
    assert not figures.backbone_changed


@pytest.mark.slow
def test_a_run_whose_backbone_learned_hands_on_its_weights(place: Path) -> None:
    old = train(place / "photos", freeze=-1, epochs=2)
    run = train(place / "few", test=place / "test", start_from=old.id, epochs=2)
    assert_saved_as_measured(run)
    figures = run.metrics.carryover
    assert figures.backbone_changed
    assert figures.rehearsed_photos == 0
    assert "head_hidden" in figures.layers
    assert any(name.endswith(": blue") for name in figures.layers)


def test_a_pupil_learns_the_answers_of_its_teacher(place: Path, plain: Run) -> None:
    run = train(place / "few", test=place / "test", distill_from=str(plain.folder), head="linear")
    assert_saved_as_measured(run)
    figures = run.metrics.distillation
    assert figures.teacher_test_accuracy == plain.metrics.test_accuracy
    assert 0.5 < figures.agrees_with_labels <= 1


def test_a_teacher_that_knows_the_test_photos_is_refused(place: Path, plain: Run) -> None:
    run = train(place / "photos", distill_from=str(plain.folder), seed=5)
    assert run.state.state == "failed"
    assert "the same seed" in run.state.reason
