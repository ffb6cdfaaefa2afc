"""Where photos were taken is dropped when they are brought in, and never leaves the installation."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from translearn_core import datasets, people, spaces
from translearn_core.config import home
from translearn_core.datasets import ImportChoices, kept_upload
from translearn_core.datasets.tasks import TableChoices
from translearn_core.imaging.positions import without_position
from translearn_core.runs import provenance


def _photo(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 51.7731), 3: "E", 4: (2.0, 17.0, 51.7731)}
    target = io.BytesIO()
    picture = Image.fromarray(rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)).resize((70, 50))
    picture.save(target, "JPEG", exif=exif.tobytes())
    return target.getvalue()


NAMES = [f"{name}/{n}.jpg" for name in ("cat", "horse") for n in range(3)]
PHOTOS = {name: _photo(n) for n, name in enumerate(NAMES)}


def _archive(target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as made:
        for name, data in PHOTOS.items():
            made.writestr(name, data)
    return target


def _with_positions(folder: Path) -> list[str]:
    """The files below a folder that hold a position, in a zip or not."""
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.is_file():
            parts = {path.name: path.read_bytes()}
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as opened:
                    parts = {name: opened.read(name) for name in opened.namelist()}
            found += [name for name, data in parts.items() if without_position(data) is not data]
    return found


def test_positions_are_dropped_unless_they_are_wanted(tmp_path: Path) -> None:
    source = _archive(tmp_path / "pets.zip")
    dataset = datasets.import_source(source)
    photos = dataset.photos
    assert len(photos) == len(PHOTOS)
    assert _with_positions(dataset.folder) == []
    for row in photos.itertuples():
        stored = dataset.photo_path(str(row.path)).read_bytes()
        before, after = (Image.open(io.BytesIO(one)) for one in (PHOTOS[str(row.file)], stored))
        assert np.array_equal(np.asarray(before), np.asarray(after))
        assert after.getexif()[0x0112] == 6
    assert datasets.import_source(source) == dataset, "known again"
    kept = datasets.import_source(source, choices=ImportChoices(keep_positions=True))
    assert kept != dataset
    assert len(_with_positions(kept.folder)) == len(PHOTOS)
    datasets.add_photos(kept, "cat", [("more.jpg", io.BytesIO(_photo(77)))])
    assert len(_with_positions(kept.folder)) == len(PHOTOS) + 1, "what is added follows the set"
    datasets.add_photos(dataset, "cat", [("more.jpg", io.BytesIO(_photo(77)))])
    datasets.add_unsorted(dataset, [("pile.jpg", io.BytesIO(_photo(78)))])
    assert _with_positions(dataset.folder) == []


def test_a_set_of_an_earlier_version_is_brought_in_anew(tmp_path: Path) -> None:
    source = _archive(tmp_path / "pets.zip")
    before = datasets.import_source(source)
    for row in before.photos.itertuples():
        before.photo_path(str(row.path)).write_bytes(PHOTOS[str(row.file)])
    again = datasets.import_source(source)
    assert again != before
    assert _with_positions(again.folder) == []


def test_photos_in_place_are_not_written_to(tmp_path: Path) -> None:
    for name, data in PHOTOS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    dataset = datasets.import_source(tmp_path, in_place=True)
    assert {n: (tmp_path / n).read_bytes() for n in PHOTOS} == PHOTOS
    copied = datasets.import_source(tmp_path)
    known, brought = (set(copied.photos[name]) for name in ("sha256", "brought_sha256"))
    assert brought == set(dataset.photos["sha256"]), "a photo is known under both hashes"
    assert known.isdisjoint(brought)
    assert provenance.hashes_of(copied.photos) == known | brought


@pytest.mark.parametrize("form", ["archive", "archive of names in bytes", "files"])
def test_an_upload_that_is_kept_keeps_no_position(tmp_path: Path, form: str) -> None:
    names = ["Ordner für Tiere/1.jpg", "Ordner für Tiere/2.jpg"]
    photos = {name: _photo(n) for n, name in enumerate(names)}
    folder = home() / "uploads" / "asked-1"
    if form == "files":
        files = [(name, io.BytesIO(data)) for name, data in photos.items()]
        upload = kept_upload.receive_upload(folder, name="pets", files=files)
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as made:
            for name, data in photos.items():
                made.writestr(name, data)
        content = packed.getvalue()
        if "bytes" in form:  # as old programs write them: cp1252, and no word of it
            content = content.replace("für".encode(), b"f\xfcr\x20")
            content = re.sub(rb"(PK\x03\x04..|PK\x01\x02....)\0\x08", rb"\1\0\0", content)
        given = ("pets.zip", io.BytesIO(content))
        upload = kept_upload.receive_upload(folder, name="pets", archive=given)
    before = upload.list_files(ImportChoices())
    dataset = kept_upload.read_upload(upload, choices=ImportChoices(), table=TableChoices())
    kept = kept_upload.kept_upload(dataset)
    assert kept is not None, "one class: a table may say more"
    assert kept.list_files(ImportChoices()) == before
    assert _with_positions(dataset.folder) == []
    again = kept_upload.read_again(dataset, choices=ImportChoices(), table=TableChoices())
    assert len(again.photos) == len(dataset.photos) == 2


@pytest.mark.parametrize("form", ["archive", "files"])
@pytest.mark.parametrize("cause", ["no room", "stopped"])
def test_a_data_set_that_is_made_stays_where_its_upload_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, cause: str
) -> None:
    """The photos come in; then the disk is full, or somebody presses Stop."""
    folder = home() / "uploads" / "asked-1"
    files = [(f"Tiere/{n}.jpg", io.BytesIO(_photo(n))) for n in range(2)]
    if form == "files":
        upload = kept_upload.receive_upload(folder, name="pets", files=files)
    else:
        with zipfile.ZipFile(tmp_path / "pets.zip", "w") as made:
            for name, data in files:
                made.writestr(name, data.getvalue())
        given = ("pets.zip", io.BytesIO((tmp_path / "pets.zip").read_bytes()))
        upload = kept_upload.receive_upload(folder, name="pets", archive=given)

    def is_made() -> bool:
        made = any((home() / "datasets").glob("[!.]*/dataset.json"))
        if made and cause == "no room":
            monkeypatch.setenv("TRANSLEARN_LIMITS", json.dumps({"free_bytes": 2**60}))
        return made and cause == "stopped"

    dataset = kept_upload.read_upload(
        upload, choices=ImportChoices(), table=TableChoices(), stop=is_made
    )
    assert len(dataset.photos) == 2
    assert kept_upload.kept_upload(dataset) is None
    assert not folder.exists()
    assert not (dataset.folder / "source").exists()


def test_a_space_goes_home_without_positions(tmp_path: Path) -> None:
    people.begin_class("a long password")
    space = spaces.space_named("0123456789abcdef")
    with spaces.acting_in(space):
        source = _archive(tmp_path / "pets.zip")
        kept = datasets.import_source(source, choices=ImportChoices(keep_positions=True))
        assert _with_positions(kept.folder)
        (kept.folder / "source").mkdir()
        shutil.copy(source, kept.folder / "source" / "pets.zip")
        people.pack(space, tmp_path / "home.zip")
    assert _with_positions(tmp_path / "home.zip") == []
    with zipfile.ZipFile(tmp_path / "home.zip") as packed:
        assert json.loads(packed.read("translearn-space.json"))["signature"]
        assert sum(name.endswith(".jpg") for name in packed.namelist()) == len(PHOTOS)
        assert not any("/source/" in name for name in packed.namelist())
    other = spaces.space_named("fedcba9876543210")
    with spaces.acting_in(other):
        assert people.unpack(tmp_path / "home.zip", other) == [f"datasets/{kept.id}"]
