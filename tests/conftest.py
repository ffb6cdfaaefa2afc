"""What several test modules need: a workspace of their own, drawn photos, the real photo sets."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TRANSLEARN_MEASURE_SPEED", "false")  # not behind a test's back
os.environ.setdefault("TRANSLEARN_STANDBY", "false")

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


def draw_photos(folder: Path, *, per_class: int, side: int = 64, seed: int = 0) -> Path:
    """Write noisy photos of a colour each, `<folder>/<colour>/<n>.jpg`; all differ."""
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for n in range(per_class):
            blocks = rng.normal(0, 45, (8, 8, 3)) + colour
            coarse = Image.fromarray(np.clip(blocks, 0, 255).astype(np.uint8))
            photo = coarse.resize((side, side), Image.Resampling.BILINEAR)
            photo.save(place / f"{n:03}.jpg", quality=90)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own."""
    folder = tmp_path / "workspace"
    monkeypatch.setenv("TRANSLEARN_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def colour_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three classes with 16 drawn photos each."""
    return draw_photos(tmp_path_factory.mktemp("colours"), per_class=16)


@pytest.fixture
def shared_weights(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ImageNet weights beside the project; skips without them."""
    folder = SHARED / "weights"
    if not folder.is_dir():
        pytest.skip("the shared weights are not beside the project")
    monkeypatch.setenv("KERAS_HOME", str(folder))
    return folder


def shared_photos(*parts: str) -> Path:
    """A real photo set beside the project; skips without it."""
    folder = SHARED.joinpath("datasets", *parts)
    if not folder.is_dir():
        pytest.skip("the shared photo sets are not beside the project")
    return folder


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace and a folder of weights of its own, both empty, and nothing configured."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("TRANSLEARN_WEIGHTS_URL", raising=False)
    monkeypatch.delenv("TRANSLEARN_ALLOW_DOWNLOADS", raising=False)
