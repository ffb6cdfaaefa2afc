"""The checks of the photos: each finds what it is for, and stays silent over sound photos."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from benchmarks import faults
from tests.support.photos import shared_photos
from translearn_core import datasets
from translearn_core.datasets import CHECKS, Finding
from translearn_core.feasibility.detectors import DETECTORS, Evidence, find_all
from translearn_core.feasibility.properties import PROPERTIES
from translearn_core.feasibility.shortcuts import find_shortcuts

SIZE = (160, 120)
PER_CLASS = 20


@pytest.fixture(autouse=True)
def _own_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"free_bytes": 0}')


def _draw(seed: int) -> Image.Image:
    """A thing with many edges on a soft ground, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    ground = Image.fromarray(rng.integers(40, 220, (4, 4, 3), dtype=np.uint8))
    image = ground.resize(SIZE, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _stroke in range(40):
        x, y, w, h = (int(v) for v in rng.integers((30, 25, 4, 4), (110, 80, 24, 20)))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw.rectangle((x, y, x + w, y + h), fill=colour)
    return image


def _save(image: Image.Image, path: Path, kind: str = "JPEG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=92)
    path.write_bytes(buffer.getvalue())


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of drawn photos without a fault."""
    folder = tmp_path_factory.mktemp("sound")
    for place, name in enumerate(("ants", "bees", "cats")):
        for n in range(PER_CLASS):
            _save(_draw(100 * place + n), folder / name / f"{n:02}.jpg")
    return folder


def _found(source: Path) -> dict[str, list[Finding]]:
    return _by_check(Evidence.of(datasets.import_source(source, in_place=True)))


def _by_check(evidence: Evidence) -> dict[str, list[Finding]]:
    found = find_all(evidence)
    return {check.name: [one for one in found if one.check == check.name] for check in CHECKS}


def _files(found: list[Finding]) -> set[str]:
    return {"/".join(Path(one.path).parts[-2:]) for one in found}


def test_every_check_is_shown_by_one_of_the_two_views() -> None:
    names = {check.name for check in CHECKS}
    assert set(DETECTORS) <= names
    told = {check.name for check in CHECKS if check.find is not None}
    assert told | set(DETECTORS) == names


def test_sound_photos_are_left_alone(sound: Path) -> None:
    assert find_all(Evidence.of(datasets.import_source(sound, in_place=True))) == []


def _darken(folder: Path) -> str:
    photo = folder / "ants/03.jpg"
    _save(Image.open(photo).convert("RGB").point(lambda value: value // 6), photo)
    return "ants/03.jpg"


def _whiten(folder: Path) -> str:
    image = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(image).line((10, 10, 60, 60), fill="black")
    _save(image, folder / "ants/white.jpg")
    return "ants/white.jpg"


def _blur(folder: Path) -> str:
    photo = folder / "bees/05.jpg"
    small = Image.open(photo).resize((14, 10), Image.Resampling.BOX)
    _save(small.resize(SIZE, Image.Resampling.BICUBIC), photo)
    return "bees/05.jpg"


def _blank(folder: Path) -> str:
    _save(Image.new("RGB", SIZE, "teal"), folder / "bees/blank.png", "PNG")
    return "bees/blank.png"


def _stretch(folder: Path) -> str:
    _save(_draw(7000).resize((160, 40)), folder / "cats/wide.jpg")
    return "cats/wide.jpg"


def _enlarge(folder: Path) -> str:
    _save(_draw(7001).resize((640, 480)), folder / "cats/large.jpg")
    return "cats/large.jpg"


def _make_grey(folder: Path) -> str:
    _save(_draw(7002).convert("L").convert("RGB"), folder / "cats/grey.jpg")
    return "cats/grey.jpg"


def _cut_off(folder: Path) -> str:
    photo = folder / "cats/02.jpg"
    photo.write_bytes(photo.read_bytes()[:900])
    return "cats/02.jpg"


SPOILT: dict[str, Callable[[Path], str]] = {
    "dark": _darken,
    "bright": _whiten,
    "blurred": _blur,
    "low_information": _blank,
    "odd_aspect": _stretch,
    "odd_size": _enlarge,
    "greyscale": _make_grey,
    "unreadable": _cut_off,
}


@pytest.fixture(scope="module")
def found_in_spoilt(
    sound: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, list[Finding]], dict[str, str]]:
    """What is found among photos of which one is spoilt for each check, and which one that is."""
    folder = shutil.copytree(sound, tmp_path_factory.mktemp("spoilt") / "s")
    spoilt = {check: spoil(folder) for check, spoil in SPOILT.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(folder.parent / "home"))
        return _found(folder), spoilt


@pytest.mark.parametrize("check", SPOILT)
def test_one_spoilt_photo_is_found(
    check: str, found_in_spoilt: tuple[dict[str, list[Finding]], dict[str, str]]
) -> None:
    found, spoilt = found_in_spoilt
    of_it = [one for one in found[check] if _files([one]) == {spoilt[check]}]
    assert len(of_it) == 1
    assert of_it[0].score >= next(row for row in CHECKS if row.name == check).threshold
    assert _files(found[check]) <= set(spoilt.values()), "sound photos are left alone"


def test_copies_are_told_apart_by_kind(sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound, tmp_path / "s")
    shutil.copyfile(folder / "ants/01.jpg", folder / "ants/x-exact.jpg")
    shutil.copyfile(folder / "ants/02.jpg", folder / "bees/x-other.jpg")
    image = Image.open(folder / "cats/04.jpg")
    image.resize((100, 75)).save(folder / "cats/x-near.jpg", quality=70)
    for name, target in (("bees/06", "bees/x-mirrored"), ("bees/07", "cats/x-left-hand")):
        ImageOps.mirror(Image.open(folder / f"{name}.jpg")).save(folder / f"{target}.jpg")
    found = _found(folder)
    assert _files(found["exact_copies"]) == {"ants/x-exact.jpg"}
    assert found["exact_copies"][0].others[0].endswith("01.jpg")
    assert _files(found["near_copies"]) == {"cats/x-near.jpg", "bees/x-mirrored.jpg"}
    assert _files(found["cross_class_copies"]) == {"bees/x-other.jpg"}
    assert found["cross_class_copies"][0].others[0].endswith("ants/02.jpg")


def test_copies_across_given_splits_are_leaks(sound: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    for part, chosen in (("train", slice(0, 14)), ("test", slice(14, PER_CLASS))):
        for name in ("ants", "bees"):
            for photo in sorted((sound / name).iterdir())[chosen]:
                (folder / part / name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(photo, folder / part / name / photo.name)
    shutil.copyfile(folder / "train/ants/03.jpg", folder / "test/ants/x.jpg")
    dataset = datasets.import_source(folder, in_place=True)
    leaks = _by_check(Evidence.of(dataset))["leak"]
    files = dataset.photos.set_index("path")["file"]
    assert [files[one.path].split("/")[-3:] for one in leaks] == [["test", "ants", "x.jpg"]]
    assert files[leaks[0].others[0]].endswith("train/ants/03.jpg")


def test_features_tell_outliers(sound: Path) -> None:
    evidence = Evidence.of(datasets.import_source(sound, in_place=True))
    rng = np.random.default_rng(0)
    points = np.eye(3, 32)[evidence.labels] * 8 + rng.normal(size=(3 * PER_CLASS, 32))
    points[5] = -points[5] * 3
    evidence.features = points
    found = _by_check(evidence)["outlier"]
    assert found[0].path == evidence.photos["path"].iloc[5]
    assert len(found) <= 3


def test_probabilities_tell_wrong_labels(sound: Path) -> None:
    pytest.importorskip("cleanlab")
    evidence = Evidence.of(datasets.import_source(sound, in_place=True))
    evidence.probabilities = np.eye(3)[evidence.labels] * 0.9 + 0.1 / 3
    evidence.probabilities[4] = [0.01, 0.01, 0.98]
    found = _by_check(evidence)["wrong_label"]
    assert [(one.path, one.suggested) for one in found] == [
        (evidence.photos["path"].iloc[4], "cats")
    ]


def test_small_and_unequal_classes(sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound, tmp_path / "s")
    for n in range(2, PER_CLASS):
        (folder / f"cats/{n:02}.jpg").unlink()
    found = _found(folder)
    assert [(one.path, "2" in one.note) for one in found["too_few"]] == [("cats", True)]
    assert [one.path for one in found["imbalance"]] == ["cats"]


def test_photos_without_facts_are_passed_over(sound: Path) -> None:
    evidence = Evidence.of(datasets.import_source(sound, check=False))
    assert find_all(evidence) == []


def _add_frame(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).rectangle((0, 0, SIZE[0] - 1, SIZE[1] - 1), outline="black", width=8)
    return image


def _add_spot(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).rectangle((136, 98, 152, 112), fill=(240, 220, 20))
    return image


SHORTCUTS: dict[str, tuple[Callable[[Image.Image], Image.Image], str]] = {
    "file": (lambda image: image, "PNG"),
    "size": (lambda image: image.resize((200, 150)), "JPEG"),
    "mark": (_add_spot, "JPEG"),
    "brightness": (lambda image: image.point(lambda value: value // 3), "JPEG"),
    "sharpness": (lambda image: image.reduce(8).resize(SIZE), "JPEG"),
    "border": (_add_frame, "JPEG"),
}


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_property_that_gives_a_class_away_is_named(
    name: str, sound: Path, tmp_path: Path
) -> None:
    change, kind = SHORTCUTS[name]
    folder = shutil.copytree(sound, tmp_path / "s")
    for number in range(PER_CLASS):
        path = folder / f"bees/{number:02}.jpg"
        image = change(Image.open(path).convert("RGB"))
        path.unlink()
        _save(image, path.with_suffix(f".{kind.lower()}"), kind)
    evidence = Evidence.of(datasets.import_source(folder, in_place=True))
    rows = {row.name: row for row in PROPERTIES}
    told = find_shortcuts(evidence.photos, evidence.labels, None)
    assert [evidence.classes[one.label] for one in told] == ["bees"]
    if name != "border":  # a frame is a mark as well
        assert told[0].property is rows[name] or name in ("sharpness", "brightness")
    found = _by_check(evidence)["shortcut"]
    assert [one.path for one in found] == ["bees"]
    assert "bees" in found[0].note


def test_a_watermark_is_called_one(sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound, tmp_path / "s")
    faults.add_watermark(folder, "cats", side=0.12)
    note = _found(folder)["shortcut"][0].note
    assert "watermark" in note
    assert "lower right" in note


def test_of_two_classes_the_marked_one_is_named(sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound, tmp_path / "s")
    shutil.rmtree(folder / "ants")
    faults.add_watermark(folder, "cats", text="SHOP", side=0.15)
    assert [one.path for one in _found(folder)["shortcut"]] == ["cats"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trash", "flowers12/train", "sign_digits"])
def test_natural_differences_raise_no_alarm(name: str) -> None:
    source = shared_photos(*name.split("/"))
    evidence = Evidence.of(datasets.import_source(source, in_place=True))
    assert find_shortcuts(evidence.photos, evidence.labels, None) == []


@pytest.mark.slow
def test_seeded_faults_are_found(tmp_path: Path) -> None:
    """By the starter backbone's features, on a few classes of flowers."""
    from translearn_core import backbones
    from translearn_core.features.extractor import extract_pooled

    source = shared_photos("flowers12", "train")
    few = tmp_path / "few"
    for folder in sorted(source.iterdir())[:4]:
        shutil.copytree(folder, few / folder.name)
    seeded = faults.seed_faults(few, tmp_path / "seeded", seed=1)
    dataset = datasets.import_source(seeded.folder, in_place=True)
    pooled = extract_pooled(dataset, backbones.BACKBONES["starter"], size=112)
    found = _by_check(Evidence.of(dataset, pooled.features))
    for check in ("exact_copies", "cross_class_copies", "blurred", "dark", "unreadable"):
        assert set(seeded.faults[check]) <= _files(found[check]) | {
            "/".join(Path(other).parts[-2:]) for one in found[check] for other in one.others
        }, check
    near = set(seeded.faults["near_copies"])
    hit = near & (
        _files(found["near_copies"])
        | {"/".join(Path(other).parts[-2:]) for one in found["near_copies"] for other in one.others}
    )
    assert len(hit) >= 0.8 * len(near)


def test_findings_name_photos_of_the_manifest(sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound, tmp_path / "s")
    _darken(folder)
    shutil.copyfile(folder / "ants/01.jpg", folder / "ants/x.jpg")
    dataset = datasets.import_source(folder, in_place=True)
    for one in find_all(Evidence.of(dataset)):
        assert {one.path, *one.others} <= set(dataset.photos["path"])
