"""How photos get in: folders, zips, uploads, in place; and what a failed import leaves."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.support.drawing import draw_photo, make_tree, make_zip, two_classes
from translearn_core import datasets
from translearn_core.errors import SourceError


def _everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_is_copied_checked_and_listed(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 3, "dogs": 2})
    (source / "cats" / "notes.txt").write_text("x", encoding="utf-8")
    (source / "cats" / "empty.jpg").write_bytes(b"")
    (source / "cats" / "Thumbs.db").write_bytes(b"x")
    before = _everything(source)
    seen: list[datasets.Progress] = []
    dataset = datasets.import_source(source, progress=seen.append)
    assert dataset.name == "pets"
    assert dataset.kind == "upload"
    assert dataset.counts.to_dict() == {"cats": 3, "dogs": 2}
    assert set(dataset.left_out["file"]) == {"cats/notes.txt", "cats/empty.jpg"}
    row = dataset.photos.iloc[0]
    assert row["file"] == "cats/0.jpg"
    assert bool(row["checked"])
    assert (row["width"], row["height"]) == (48, 40)
    assert dataset.photo_path(row["path"]).read_bytes() == (source / "cats/0.jpg").read_bytes()
    assert _everything(source) == before
    assert seen[-1].done == seen[-1].total == 6
    assert datasets.open_dataset(dataset.id) == dataset
    assert datasets.list_datasets() == [dataset]
    datasets.check_ready(dataset)


def test_unchecked_rows_are_checked_by_the_first_pass(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 3, "dogs": 3})
    (source / "dogs" / "bad.jpg").write_bytes(b"no photo at all")
    dataset = datasets.import_source(source, check=False, in_place=True)
    photos = dataset.photos
    assert len(photos) == 7
    assert not photos["checked"].any()
    stats, refused = {}, {}
    paths = list(photos["path"])
    files = [dataset.photo_path(path) for path in paths]
    for index, photo in datasets.iterate_photos(files, size=32):
        if isinstance(photo, datasets.DecodedPhoto):
            stats[paths[index]] = photo.stats
        else:
            refused[paths[index]] = photo.message
    elsewhere = datasets.open_dataset(dataset.folder)
    assert len(elsewhere.photos) == 7
    before = elsewhere.photos["path"].isin(list(stats)).sum()
    dataset.record_stats(stats, refused)
    assert before == 6
    assert elsewhere.photos["checked"].all()
    assert elsewhere.photos["sha256"].str.len().eq(64).all()
    assert elsewhere.left_out["file"].tolist() == ["dogs/bad.jpg"]
    assert (source / "dogs" / "bad.jpg").is_file()


def test_facts_do_not_change_the_fingerprint_but_edits_do(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 3, "dogs": 3})
    dataset = datasets.import_source(source, check=False)
    begin = dataset.fingerprint
    path = dataset.photos["path"].iloc[0]
    stats = datasets.decode_photo(dataset.photo_path(path), size=32).stats
    dataset.record_stats({path: stats}, {})
    assert dataset.fingerprint == begin
    datasets.rename_class(dataset, "cats", "lions")
    assert dataset.fingerprint != begin


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 8, "dogs": 8})
    dataset = datasets.import_source(source, check=False)
    paths = list(dataset.photos["path"])

    def record(path: str) -> None:
        own = datasets.open_dataset(dataset.folder)
        own.record_stats({path: datasets.decode_photo(own.photo_path(path), size=16).stats}, {})

    threads = [threading.Thread(target=record, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    datasets.rename_class(dataset, "cats", "lions")
    for thread in threads:
        thread.join()
    assert dataset.photos["checked"].all()
    assert dataset.classes == ["dogs", "lions"]


def test_in_place_leaves_photos_where_they_are(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 3, "dogs": 2})
    before = _everything(source)
    dataset = datasets.import_source(source, in_place=True)
    assert dataset.kind == "folder"
    assert all(Path(path).is_absolute() for path in dataset.photos["path"])
    thumbnail = dataset.thumbnail(dataset.photos["path"].iloc[0], 32)
    assert thumbnail.is_relative_to(dataset.folder)
    datasets.remove_class(dataset, "cats")
    datasets.delete_dataset(dataset)
    assert not dataset.folder.exists()
    assert _everything(source) == before


def test_in_place_again_reads_only_what_changed(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "pets", {"cats": 3, "dogs": 3})
    first = datasets.import_source(source, in_place=True)
    begin = first.fingerprint
    again = datasets.import_source(source, in_place=True, check=False)
    assert again == first
    assert again.photos["checked"].all()
    assert again.fingerprint == begin
    (source / "cats" / "0.jpg").write_bytes(draw_photo(99, quality=60))
    (source / "dogs" / "0.jpg").unlink()
    (source / "dogs" / "new.jpg").write_bytes(draw_photo(98))
    again = datasets.import_source(source, in_place=True, check=False)
    unchecked = again.photos.loc[~again.photos["checked"], "file"]
    assert set(unchecked) == {"cats/0.jpg", "dogs/new.jpg"}
    assert again.fingerprint != begin
    assert len(datasets.list_datasets()) == 1


def test_in_place_is_quick_for_many_files(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "many" / name).mkdir(parents=True)
        for number in range(2000):
            (tmp_path / "many" / name / f"{number}.jpg").touch()
    begin = time.perf_counter()
    dataset = datasets.import_source(tmp_path / "many", in_place=True, check=False)
    assert len(dataset.photos) == 4000
    assert time.perf_counter() - begin < 5


def test_photos_kept_for_the_test(tmp_path: Path) -> None:
    train = make_tree(tmp_path / "train", {"cats": 3, "dogs": 3})
    test = make_tree(tmp_path / "test", {"cats": 2, "dogs": 1}, start=50)
    for in_place in (False, True):
        dataset = datasets.import_source(train, test_source=test, in_place=in_place)
        assert dataset.photos["split"].value_counts().to_dict() == {"": 6, "test": 3}
        assert "test/cats/0.jpg" in set(dataset.photos["file"])
    zipped = make_zip(tmp_path / "t.zip", {"dogs/1.jpg": draw_photo(70)})
    dataset = datasets.import_source(train, test_source=zipped)
    assert (dataset.photos["split"] == "test").sum() == 1
    birds = make_tree(tmp_path / "other", {"birds": 1, "cats": 1})
    with pytest.raises(SourceError, match="birds"):
        datasets.import_source(train, test_source=birds)


def test_splits_of_a_zip_are_kept(tmp_path: Path) -> None:
    files = {
        f"set/{split}/{name}/{n}.jpg": draw_photo(hash((split, name, n)) % 1000)
        for split in ("train", "valid", "test")
        for name in ("a", "b")
        for n in range(2)
    }
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    assert dataset.photos["split"].value_counts().to_dict() == {"train": 4, "val": 4, "test": 4}
    assert len(set(dataset.photos["path"])) == 12


def test_the_same_zip_again_is_the_same_data_set_until_it_is_edited(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", two_classes())
    first = datasets.import_source(path)
    assert datasets.import_source(path) == first
    assert datasets.import_source(path, name="other") != first
    datasets.rename_class(first, "cats", "lions")
    assert datasets.import_source(path) not in (first,)


def test_three_hundred_classes(tmp_path: Path) -> None:
    photo = [draw_photo(n) for n in range(4)]
    files = {f"{c:03d}/{n}.jpg": photo[(c + n) % 4] for c in range(300) for n in range(2)}
    dataset = datasets.import_source(make_zip(tmp_path / "a.zip", files))
    assert len(dataset.classes) == 300
    datasets.check_ready(dataset)
    split = datasets.assign_splits(dataset, validation_share=0.15, test_share=0.2, seed=0)
    assert len(split) == 600


def test_stopping_leaves_nothing(tmp_path: Path, workspace: Path) -> None:
    source = make_tree(tmp_path / "s", {"cats": 20, "dogs": 20})
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 10

    with pytest.raises(SourceError, match="stopped"):
        datasets.import_source(source, stop=stop)
    assert not list((workspace / "datasets").iterdir())


def test_a_folder_through_the_browser(tmp_path: Path, workspace: Path) -> None:
    on_disk = tmp_path / "upload"
    on_disk.write_bytes(draw_photo(5))
    uploads = [
        ("pets/cats/1.jpg", io.BytesIO(draw_photo(1))),
        ("pets/cats/2.jpg", io.BytesIO(draw_photo(2))),
        ("pets/dogs/1.jpg", on_disk),
        ("pets/dogs/sub.txt", io.BytesIO(b"hello")),
        ("pets/dogs/broken.jpg", io.BytesIO(draw_photo(3)[:200])),
        ("pets/../../evil/1.jpg", io.BytesIO(draw_photo(6))),
        ("pets/.DS_Store", io.BytesIO(b"x")),
        ("pets/readme", io.BytesIO(b"read me")),
    ]
    dataset = datasets.import_files(iter(uploads), name="pets")
    assert dataset.counts.to_dict() == {"cats": 2, "dogs": 1}
    assert set(dataset.left_out["file"]) == {
        "pets/dogs/sub.txt",
        "pets/dogs/broken.jpg",
        "pets/../../evil/1.jpg",
        "pets/readme",
    }
    assert on_disk.is_file()
    assert sorted(path.name for path in dataset.folder.iterdir()) == [
        "dataset.json",
        "left_out.parquet",
        "manifest.parquet",
        "photos",
    ]
    with pytest.raises(SourceError):
        datasets.import_files([("1.jpg", io.BytesIO(draw_photo(1)))], name="x")
    assert len(list((workspace / "datasets").iterdir())) == 1


@pytest.mark.awkward
@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_in_a_folder(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "s", {"cats": 2, "dogs": 2})
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(draw_photo(9))
    (source / "cats" / "out.jpg").symlink_to(secret)
    (source / "cats" / "inside.jpg").symlink_to(source / "dogs" / "0.jpg")
    (source / "cats" / "nowhere.jpg").symlink_to(tmp_path / "nothing.jpg")
    (source / "loop").symlink_to(source)
    dataset = datasets.import_source(source)
    assert dataset.counts.to_dict() == {"cats": 3, "dogs": 2}
    reasons = dict(zip(dataset.left_out["file"], dataset.left_out["reason"], strict=True))
    assert "leads out" in reasons["cats/out.jpg"]
    assert "no longer there" in reasons["cats/nowhere.jpg"]
    assert "link to a folder" in reasons["loop"]


def test_only_allowed_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_tree(tmp_path / "open", {"pets/cats": 1})
    outside = make_tree(tmp_path / "closed", {"cats": 1})
    with pytest.raises(SourceError, match="source_folders"):
        datasets.allowed_folder(root)
    monkeypatch.setenv("TRANSLEARN_SOURCE_FOLDERS", str(root))
    assert datasets.allowed_folder(root / "pets") == (root / "pets").resolve()
    for path in (outside, root / ".." / "closed", tmp_path):
        with pytest.raises(SourceError, match="may not be read"):
            datasets.allowed_folder(path)
    if os.name != "nt":
        (root / "link").symlink_to(outside)
        with pytest.raises(SourceError, match="may not be read"):
            datasets.allowed_folder(root / "link")
    with pytest.raises(SourceError, match="no folder"):
        datasets.allowed_folder(root / "nothing")


def test_left_out_and_photos_are_tables_even_when_empty() -> None:
    dataset = datasets.create_dataset("mine")
    assert isinstance(dataset.photos, pd.DataFrame)
    assert list(dataset.left_out.columns) == ["file", "reason"]
    assert dataset.classes == []
    assert len(dataset.counts) == 0
    assert datasets.warnings(dataset) == []
    assert len(dataset.fingerprint) == 16
    with pytest.raises(SourceError, match="no photos yet"):
        datasets.check_ready(dataset)
