"""Features of the files that tell the classes apart are named with what they get alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from translearn_core import datasets
from translearn_core.feasibility.detectors import Evidence, find_all
from translearn_core.feasibility.giveaways import (
    FEATURES,
    Files,
    Giveaway,
    measure_giveaways,
    name_pattern,
)
from translearn_core.imaging.origin import Origin, read_origin

pytestmark = pytest.mark.awkward

N = 60
LABELS = np.repeat([0, 1], [36, 24])
RNG = np.random.default_rng(0)


def files(**columns: object) -> Files:
    """Sixty files of two classes that tell nothing, with some columns replaced."""
    size = RNG.integers(20_000, 60_000, N)
    rows = {
        "file": [f"pets/{'ab'[label]}/IMG_{n:04}.jpg" for n, label in enumerate(LABELS)],
        "bytes": size,
        "width": np.full(N, 640),
        "height": np.full(N, 480),
        "format": np.full(N, "JPEG"),
    }
    origins = columns.pop("origins", [Origin()] * N)
    copies = columns.pop("copies", np.ones(N, np.int64))
    return Files(
        photos=pd.DataFrame(rows | columns), origins=origins, copies=copies, classes=["a", "b"]
    )  # type: ignore[arg-type]


def found(of: Files, groups: np.ndarray | None = None) -> dict[str, Giveaway]:
    told = measure_giveaways(of, LABELS, np.arange(N) if groups is None else groups)
    assert [one.feature.name for one in told] == [row.name for row in FEATURES]
    return {one.feature.name: one for one in told if one.is_found}


SEEDED: dict[str, Callable[[], dict[str, object]]] = {
    "file_size": lambda: {"bytes": np.where(LABELS, 90_000, 40_000) + RNG.integers(0, 9_000, N)},
    "file_format": lambda: {"format": np.where(LABELS, "PNG", "JPEG")},
    "compression": lambda: {"origins": [Origin(quantisation=400 + 500 * n) for n in LABELS]},
    "picture_size": lambda: {"width": np.where(LABELS, 640, 600)},
    "camera": lambda: {"origins": [Origin(camera="Canon EOS" if n else "") for n in LABELS]},
    "file_name": lambda: {
        "file": [f"DSC{n:05}.jpg" if label else f"IMG_{n}.jpg" for n, label in enumerate(LABELS)]
    },
    "copies": lambda: {"copies": np.where(LABELS, 6, 1)},
}


@pytest.mark.parametrize("name", SEEDED)
def test_a_feature_that_tells_the_classes_apart_is_named_with_its_figure(name: str) -> None:
    told = found(files(**SEEDED[name]()))
    assert set(told) == {name}
    one = told[name]
    assert one.accuracy > 0.95
    assert one.largest == pytest.approx(0.6)
    assert one.interval[0] < one.accuracy <= one.interval[1] <= 1
    assert "60 %" in one.describe()


def test_files_that_are_alike_give_nothing_away() -> None:
    assert found(files()) == {}


def test_one_burst_of_each_class_proves_nothing() -> None:
    """All photos of one camera are copies of one photo: it may be chance."""
    of = files(**SEEDED["camera"]())
    assert found(of, groups=LABELS.astype(np.int64)) == {}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a/IMG_0001.JPG", "b/IMG_20417.jpg", True),
        ("cat-1.jpg", "dog-12.jpg", True),
        ("paper_cup (3).png", "glass (12).png", True),
        ("n01440764_10026.JPEG", "n02102040_7.JPEG", True),
        ("IMG_0001.jpg", "DSC00012.jpg", False),
        ("20230514_101112.jpg", "101112.jpg", False),
        ("3f2a9c81d0e47b65.jpg", "117.jpg", False),
        ("8c5f1c1e-1b1a-4a53-9c5f-0a1b2c3d4e5f.jpg", "photo.jpg", False),
    ],
)
def test_names_are_compared_by_how_they_are_built(first: str, second: str, same: bool) -> None:
    classes = ["cat", "dog", "paper cup", "paper_cup", "glass"]
    assert (name_pattern(first, classes) == name_pattern(second, classes)) is same


def test_a_camera_is_read_from_the_files_and_found(tmp_path: Path) -> None:
    for name, camera in (("ants", "Apple"), ("bees", "Canon")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            picture = Image.fromarray(RNG.integers(0, 255, (48, 48, 3), np.uint8))
            exif = Image.Exif()
            exif[271], exif[272] = camera, f"{camera} One"
            picture.save(tmp_path / "photos" / name / f"{number}.jpg", exif=exif)
    evidence = Evidence.of(datasets.import_source(tmp_path / "photos"))
    (told,) = [one for one in find_all(evidence) if one.check == "giveaway"]
    assert told.path == "camera"
    assert "ants: Apple Apple One" in told.note
    assert "learn the camera" in told.note


def test_files_without_a_header_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8 no photo")
    assert read_origin(tmp_path / "x.jpg") == Origin()
    assert read_origin(tmp_path / "gone.jpg") == Origin()
