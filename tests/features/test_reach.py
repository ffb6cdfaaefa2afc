"""Photos that were deleted leave a data set; photos that cannot be reached do not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.support.photos import draw_photos
from translearn_core import backbones, datasets
from translearn_core.datasets.pages_and_channels import choose_stacks
from translearn_core.datasets.photo_manifest import import_manifest
from translearn_core.errors import SourceError
from translearn_core.features.extractor import PIXELS, FeatureExtractor
from translearn_core.monitor import SILENT

PHOTOS = 6
"""Of each class."""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("drawn"), per_class=PHOTOS)


@pytest.fixture
def folder(drawn: Path, tmp_path: Path) -> Path:
    """Three classes of photos, in one of which a photo lies in a folder of its own."""
    folder = shutil.copytree(drawn, tmp_path / "share" / "photos")
    (folder / "red" / "alone").mkdir()
    (folder / "red" / "005.jpg").rename(folder / "red" / "alone" / "005.jpg")
    return folder


def run(dataset: datasets.Dataset) -> None:
    """A pass over all photos."""
    look = FeatureExtractor(
        dataset=dataset, backbone=backbones.get_backbone("starter"), size=16, shard=8
    )
    look.take([(PIXELS, 0)], list(dataset.photos["path"]), SILENT)


def content(dataset: datasets.Dataset) -> list[bytes]:
    names = ("manifest.parquet", "left_out.parquet")
    return [(dataset.folder / name).read_bytes() for name in names]


def test_a_file_that_alone_cannot_be_opened_is_left_out_and_named(
    workspace: Path, folder: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("needs links")
    dataset = datasets.import_source(folder, in_place=True, check=False)
    _circle(folder)
    run(dataset)
    ((file, reason),) = dataset.left_out.itertuples(index=False)
    assert file == "red/002.jpg"
    assert "cannot be opened" in reason
    assert len(dataset.photos) == 3 * PHOTOS - 1


@pytest.mark.parametrize("gone", ["red/000.jpg", "red/alone"])
def test_a_photo_that_was_deleted_is_left_out_and_named(
    workspace: Path, folder: Path, gone: str
) -> None:
    dataset = datasets.import_source(folder, in_place=True, check=False)
    if (folder / gone).is_dir():
        shutil.rmtree(folder / gone)
    else:
        (folder / gone).unlink()
    run(dataset)
    ((file, reason),) = dataset.left_out.itertuples(index=False)
    assert file.startswith(gone)
    assert "no longer there" in reason
    assert len(dataset.photos) == 3 * PHOTOS - 1
    assert dataset.photos["checked"].all()


def _away(folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("elsewhere"))


def _without_class(folder: Path) -> None:
    shutil.rmtree(folder / "green")


def _emptied(folder: Path) -> None:
    for photo in folder.rglob("*.jpg"):
        photo.unlink()


def _circle(folder: Path) -> None:
    (folder / "red" / "002.jpg").unlink()
    (folder / "red" / "002.jpg").symlink_to("002.jpg")


def _circles(folder: Path) -> None:
    for photo in list((folder / "green").glob("*.jpg")):
        photo.unlink()
        photo.symlink_to(photo.name)


@pytest.mark.parametrize(
    "disturb",
    [
        _away,
        _without_class,
        _emptied,
        pytest.param(
            _circles, marks=pytest.mark.skipif(sys.platform == "win32", reason="needs links")
        ),
    ],
)
@pytest.mark.parametrize("look", [run, lambda dataset: choose_stacks(dataset, page=2)])
def test_photos_out_of_reach_stay_in_the_data_set(
    workspace: Path,
    folder: Path,
    disturb: Callable[[Path], None],
    look: Callable[[datasets.Dataset], None],
) -> None:
    dataset = datasets.import_source(folder, in_place=True, check=False)
    before = content(dataset)
    shutil.copytree(folder.parent, folder.parent.with_name("kept"))
    disturb(folder)
    with pytest.raises(SourceError, match="could not be read on"):
        look(dataset)
    assert content(dataset) == before
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.with_name("kept").rename(folder.parent)
    run(dataset)
    assert len(dataset.photos) == 3 * PHOTOS
    assert not len(dataset.left_out)


class ExpiringFileSystem(MemoryFileSystem):
    """Files in memory, to which the access may run out."""

    protocol = "expiring"
    store: dict[str, object] = {}  # noqa: RUF012 - as in the base class
    pseudo_dirs = [""]  # noqa: RUF012
    expired = False

    def _open(self, path: str, mode: str = "rb", **options: object) -> object:
        if self.expired:
            raise PermissionError("The token has expired")
        return super()._open(path, mode, **options)


@pytest.fixture
def bucket(drawn: Path, tmp_path: Path) -> Iterator[Path]:
    """A manifest of photos at addresses `expiring://bucket/...`."""
    fsspec.register_implementation("expiring", ExpiringFileSystem, clobber=True)
    store = fsspec.filesystem("expiring")
    rows = ["path,label"]
    for photo in sorted(drawn.rglob("*.jpg")):
        name = photo.relative_to(drawn).as_posix()
        store.pipe_file(f"expiring://bucket/{name}", photo.read_bytes())
        rows.append(f"expiring://bucket/{name},{photo.parent.name}")
    manifest = tmp_path / "m.csv"
    manifest.write_text("\n".join(rows), encoding="utf-8")
    yield manifest
    ExpiringFileSystem.expired = False
    ExpiringFileSystem.store.clear()


def test_an_access_that_ran_out_and_a_bucket_that_went_take_nothing_away(
    workspace: Path, bucket: Path
) -> None:
    store = fsspec.filesystem("expiring")
    dataset = import_manifest(bucket).dataset
    before = content(dataset)
    ExpiringFileSystem.expired = True
    with pytest.raises(SourceError, match="The token has expired"):
        run(dataset)
    assert content(dataset) == before
    ExpiringFileSystem.expired = False
    whole = dict(ExpiringFileSystem.store)
    ExpiringFileSystem.store.clear()
    with pytest.raises(SourceError, match="None of the photos"):
        run(dataset)
    assert content(dataset) == before
    ExpiringFileSystem.store.update(whole)
    store.rm_file("expiring://bucket/red/000.jpg")
    run(dataset)
    assert list(dataset.left_out["file"].str[-11:]) == ["red/000.jpg"]
    assert len(dataset.photos) == 3 * PHOTOS - 1
