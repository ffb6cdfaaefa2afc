"""How a whole set is read: one range of values, and the page and the channels that were chosen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.image_files import GREY, SIDE, make_tiff, pixels_of, save_image
from translearn_core import datasets
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.errors import SourceError
from translearn_core.imaging.measured_ranges import measure_reading
from translearn_core.imaging.reading import Reading, parse_reading, range_of
from translearn_core.installation_limits import Limits

pytestmark = pytest.mark.awkward


def test_one_range_holds_for_all_photos_and_ignores_outliers() -> None:
    assert range_of("uint16", [(0, 90), (3, 4000)]) == (0, 4095)
    assert range_of("uint16", [(0, 5000)]) == (0, 16383)
    assert range_of("int16", [(-5, 80)]) == (-128, 127)
    assert range_of("int16", [(0, 25500)]) == (0, 32767)
    assert range_of("int16", [(-1024, 3000)]) == (-4096, 4095)
    assert range_of("float32", [(0, 1.02)]) == (0, 1)
    assert range_of("float32", [(0, 990)]) == (0, 1023)
    assert range_of("float32", [(2e5, 3e5)]) == (2e5, 3e5)
    how = Reading(ranges={"uint16": (0.0, 4095.0)}, page=2, channels=(3, 2, 1))
    assert parse_reading(json.loads(json.dumps(how.as_json()))) == how
    for odd in (
        None,
        5,
        {"ranges": 3},
        {"ranges": {"a": [2, 1]}},
        {"page": "x"},
        {"channels": [0]},
    ):
        assert parse_reading(odd) == Reading()


def _levels(photos: list[bytes]) -> list[int]:
    """The lightest level of each photo of a data set."""
    readers = [lambda data=data: data for data in photos]
    how = measure_reading(readers, Limits(), Reading())
    return [int(pixels_of(data, how).max()) for data in photos]


def test_a_declared_full_scale_counts_and_another_value_by_the_whole_set() -> None:
    dim, light = GREY.astype(np.uint16), GREY.astype(np.uint16) * 4  # up to 245 and 980
    full = [make_tiff(dim, top=255), make_tiff(light, top=1023), make_tiff(light, top=4095)]
    assert _levels(full) == [245, round(980 / 1023 * 255), round(980 / 4095 * 255)]
    agreed = [make_tiff(dim, top=2000), make_tiff(light, top=2000)]
    assert _levels(agreed) == [round(245 / 2000 * 255), round(980 / 2000 * 255)]
    of_each = [make_tiff(dim, top=245), make_tiff(light, top=980)]
    assert _levels(of_each) == [round(245 / 1023 * 255), round(980 / 1023 * 255)]
    assert _levels([make_tiff(light, top=255)]) == [round(980 / 1023 * 255)]  # it is wrong


@pytest.fixture(scope="module")
def microscopy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 12-bit photos, one of them dark, and stacks of two pages."""
    folder = tmp_path_factory.mktemp("microscopy")
    for name, factor in (("bright", 16), ("dim", 1)):
        (folder / name).mkdir()
        for n in range(3):
            values = np.roll(GREY, n * 5, axis=1).astype(np.uint16) * factor
            first = Image.fromarray(values)
            (folder / name / f"{n}.tif").write_bytes(
                save_image(first, "TIFF", save_all=True, append_images=[first])
            )
    return folder


def test_a_data_set_keeps_its_range_and_says_it(workspace: Path, microscopy: Path) -> None:
    for in_place in (True, False):
        dataset = datasets.import_source(microscopy, in_place=in_place)
        assert dataset.reading.ranges == {"uint16": (0.0, 4095.0)}
        light = dataset.photos.groupby("class_name")["light"].max()
        assert light["bright"] > 0.9
        assert light["dim"] < 0.1  # not stretched
        said = " ".join(datasets.warnings(dataset))
        assert "from 0 to 4095" in said
        assert "3 photos are nearly black (dim/0.tif, dim/1.tif, dim/2.tif)" in said
        assert "6 photos have several pages (2); page 1 is used" in said
    chosen = datasets.import_source(
        microscopy, in_place=True, choices=ImportChoices(page=2, channels=(1,))
    )
    assert (chosen.reading.page, chosen.reading.channels) == (2, (1,))
    said = " ".join(datasets.warnings(chosen))
    assert "6 photos have several pages (2); page 2 is used" in said


def test_a_data_set_is_read_anew_by_another_page(workspace: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for n in range(2):
            blank, seen = Image.new("L", (SIDE, SIDE), n), Image.fromarray(np.roll(GREY, n))
            stack = save_image(blank, "TIFF", save_all=True, append_images=[seen])
            (tmp_path / name / f"{n}.tif").write_bytes(stack)
    dataset = datasets.import_source(tmp_path)
    path, before = str(dataset.photos["path"][0]), dataset.fingerprint
    thumbnail = dataset.thumbnail(path).read_bytes()
    stacks = datasets.find_stacks(dataset)
    assert stacks is not None
    assert (stacks.pages, stacks.choosable) == (2, 0)
    assert "of one colour" in " ".join(datasets.warnings(dataset))
    changed = datasets.open_dataset(datasets.choose_stacks(dataset, page=2).id)
    assert changed.reading.page == ImportChoices.from_text(changed.record.choices).page == 2
    assert changed.photos["brightness"].min() > 0.2
    assert changed.fingerprint != before
    assert changed.thumbnail(path).read_bytes() != thumbnail
    assert "of one colour" not in " ".join(datasets.warnings(changed))
    with pytest.raises(SourceError):
        datasets.choose_stacks(dataset, page=1, stop=lambda: True)
    assert datasets.open_dataset(dataset.id).reading.page == 2


def test_a_folder_in_place_is_read_again_as_it_was_chosen(workspace: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "holdout"):
        (tmp_path / name).mkdir()
        for n in range(2):
            blank, seen = Image.new("L", (SIDE, SIDE), n), Image.fromarray(np.roll(GREY, n))
            stack = save_image(blank, "TIFF", save_all=True, append_images=[seen])
            (tmp_path / name / f"{n}.tif").write_bytes(stack)
    chosen = ImportChoices(page=2, roles=(("holdout", "out"),))
    datasets.import_source(tmp_path, in_place=True, choices=chosen)
    again = datasets.import_source(tmp_path, in_place=True)
    assert again.reading.page == 2
    assert again.classes == ["a", "b"]
    assert "chosen for this folder before: holdout = out; page 2." in " ".join(again.record.notices)
    other = datasets.import_source(tmp_path, in_place=True, choices=ImportChoices(page=1))
    assert other.reading.page == 1
    assert other.classes == ["a", "b", "holdout"]
    assert "before" not in " ".join(other.record.notices)
