"""The figures that come out of a decode, and manifests that do not have them yet."""

from __future__ import annotations

import io
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from tests.support.drawing import draw_image, make_tree
from translearn_core import datasets
from translearn_core.imaging.stats import (
    MIN_DETAIL,
    STATS_SIDE,
    GreyThumbnails,
    PhotoStats,
    unpack_colour_thumbnails,
    unpack_grey_thumbnails,
)


def _facts(image: Image.Image, kind: str = "PNG", **options: object) -> PhotoStats:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return datasets.decode_photo(buffer.getvalue(), size=64).stats


def test_the_hash_is_that_of_imagehash() -> None:
    for seed in range(20):
        image = draw_image(seed, size=(128, 128)).convert("L")
        assert _facts(image).phash == str(imagehash.phash(image))


def test_shade_and_light_are_percentiles_of_brightness() -> None:
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (256, 1)))
    stats = _facts(ramp)
    assert stats.shade == pytest.approx(0.05, abs=0.02)
    assert stats.light == pytest.approx(0.99, abs=0.02)
    assert stats.entropy == pytest.approx(6.0, abs=0.1)  # 64 of 256 levels are picked


def test_entropy_of_grey_and_colour_files_means_the_same_as_in_pillow() -> None:
    image = draw_image(3, size=(64, 64))
    for picture in (image, image.convert("L")):
        assert _facts(picture).entropy == pytest.approx(picture.entropy(), abs=0.01)


def test_detail_falls_with_blur_and_not_with_light_or_size() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8))
    image = image.resize((512, 384), Image.Resampling.NEAREST)
    sharp = _facts(image).detail
    blurred = [_facts(image.filter(ImageFilter.GaussianBlur(r))).detail for r in (2, 4, 8)]
    assert sharp > blurred[0] > blurred[1] > blurred[2] > 0.8 * MIN_DETAIL
    assert _facts(image.point(lambda value: value // 3)).detail == pytest.approx(sharp, rel=0.05)
    assert _facts(image.resize((64, 48), Image.Resampling.BOX)).detail > blurred[0]
    assert _facts(Image.new("RGB", (64, 64), "teal")).detail == 0.0


def test_small_pictures_stand_upright() -> None:
    image = Image.new("RGB", (64, 48), "black")
    image.paste((250, 10, 10), (0, 0, 32, 24))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: top left comes to the top right
    stats = _facts(image, "JPEG", quality=95, exif=exif)
    look, tint = unpack_grey_thumbnails([stats.look])[0], unpack_colour_thumbnails([stats.tint])[0]
    assert look.shape == (24, 24)
    assert look[:10, 14:].min() > 60 > look[14:].max()
    assert tint[0, -1] == pytest.approx([250, 10, 10], abs=12)
    assert tint[-1].max() < 12


def test_thumbnails_that_are_unpacked_as_they_are_asked_for_are_the_same() -> None:
    rng = np.random.default_rng(0)
    texts = [bytes(row).decode() for row in rng.integers(48, 112, (5000, 576), np.uint8)]
    packed, unpacked = GreyThumbnails(texts), unpack_grey_thumbnails(texts)
    rows = np.array([4999, 0, 4096, 0, 4095])
    assert len(packed) == len(unpacked)
    assert np.array_equal(packed[rows], unpacked[rows])
    assert np.array_equal(packed[4090:4100], unpacked[4090:4100])


def test_an_older_manifest_opens_and_is_completed(tmp_path: Path) -> None:
    dataset = datasets.import_source(make_tree(tmp_path / "s", {"a": 3, "b": 3}))
    path = dataset.folder / "manifest.parquet"
    new = dataset.photos
    older = pd.read_parquet(path).drop(
        columns=["look", "tint", "shade", "light", "entropy", "detail", "edge_score"]
    )
    older.assign(sharpness=1.0, thumb="00").to_parquet(path)
    photos = dataset.photos
    assert list(photos.columns) == list(new.columns)
    assert not photos["checked"].any()
    assert set(photos["look"]) == {""}
    assert datasets.groups_of(photos).tolist() == list(range(6))
    stats = {
        path: datasets.decode_photo(dataset.photo_path(path), size=STATS_SIDE).stats
        for path in photos["path"]
    }
    dataset.record_stats(stats)
    pd.testing.assert_frame_equal(dataset.photos, new)
