"""A space is what somebody may reach; sharing, taking home, and the worker keep to it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets, jobs, leftovers, people, runs, spaces
from translearn_core.concurrency import run_in_thread
from translearn_core.config import home, load_configuration
from translearn_core.datasets import Dataset
from translearn_core.errors import AccessError, SourceError, TransLearnError
from translearn_core.people import Person
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, Run
from translearn_core.runs.find import find_run

NOW = 1_800_000_000.0


@pytest.fixture
def pair(workspace: Path) -> tuple[Person, Person]:
    """Two pupils of a class."""
    code = people.begin_class("correct horse", now=NOW).code
    ada, bob = (
        people.join(code, name, "4711", address="10.0.0.2", now=NOW) for name in ("Ada", "Bob")
    )
    return ada, bob


@pytest.fixture
def acting() -> Iterator[list[Path | None]]:
    """The space that the server finds for whoever acts, as its last item."""
    found: list[Path | None] = [None]
    spaces.require_identity(lambda: found[-1])
    yield found
    spaces.require_identity(None)


def _dataset(space: Path, name: str = "pets") -> Dataset:
    with spaces.acting_in(space):
        photos = draw_photos(space / "drawn", per_class=3)
        return datasets.import_source(photos, name=name)


def test_without_a_class_the_space_is_the_workspace(workspace: Path) -> None:
    assert home() == spaces.root() == workspace
    assert spaces.is_whole()
    assert Job(Path("/anywhere")).folder == Path("/anywhere")


def test_nobody_reaches_anything(workspace: Path, acting: list[Path | None]) -> None:
    for reaching in (home, datasets.list_datasets, runs.list_runs, lambda: Job(workspace / "runs")):
        with pytest.raises(AccessError, match="not signed in"):
            reaching()
    load_configuration()


def test_what_belongs_to_another_is_out_of_reach_by_every_name(
    pair: tuple[Person, Person], acting: list[Path | None]
) -> None:
    ada, bob = pair
    dataset = _dataset(ada.folder)
    with spaces.acting_in(ada.folder):
        run = runs.create_run(dataset.folder, Settings())
    own = _dataset(spaces.root(), "the teacher's")
    acting.append(bob.folder)
    assert datasets.list_datasets() == []
    assert runs.list_runs() == []
    inside = bob.folder / "datasets"
    for named in (
        dataset.id,
        str(dataset.folder),
        f"../../{ada.id}/datasets/{dataset.id}",
        str(inside / ".." / ".." / ada.id / "datasets" / dataset.id),
        str(own.folder),
        f"../../../datasets/{own.id}",
    ):
        with pytest.raises(TransLearnError):
            datasets.open_dataset(named)
    for folder in (run.id, str(run.folder), f"../../{ada.id}/runs/{run.id}"):
        with pytest.raises(TransLearnError):
            find_run(folder)
    inside.mkdir(parents=True)
    (inside / "link").symlink_to(dataset.folder)
    with pytest.raises(AccessError):
        datasets.open_dataset("link")
    with pytest.raises(TransLearnError):
        jobs.make_run(own, Settings())


def test_the_teacher_reaches_everything(
    pair: tuple[Person, Person], acting: list[Path | None]
) -> None:
    dataset = _dataset(pair[0].folder)
    acting.append(spaces.root())
    assert Dataset(dataset.folder).name == "pets"
    with spaces.acting_in(pair[0].folder):
        assert datasets.list_datasets() == [dataset]


def test_a_thread_goes_on_in_the_space_it_was_begun_in(
    pair: tuple[Person, Person], acting: list[Path | None]
) -> None:
    acting.append(pair[0].folder)
    thread = run_in_thread(home)
    acting.append(None)
    assert thread.result(10) == pair[0].folder


def test_a_pupil_names_no_folder_of_the_machine(
    pair: tuple[Person, Person],
    acting: list[Path | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRANSLEARN_SOURCE_FOLDERS", str(tmp_path))
    acting.append(spaces.root())
    assert datasets.allowed_folder(tmp_path) == tmp_path
    acting.append(pair[0].folder)
    with pytest.raises(SourceError, match="may not be read"):
        datasets.allowed_folder(tmp_path)


def test_a_worker_acts_in_the_space_of_its_job(pair: tuple[Person, Person]) -> None:
    ada, bob = pair
    try:
        spaces.act_for(ada.folder / "runs" / "x")
        assert home() == ada.folder
        with pytest.raises(AccessError):
            Run(bob.folder / "runs" / "y")
    finally:
        spaces.act_for(None)
    assert home() == spaces.root()


def test_what_is_left_in_a_space_is_swept(pair: tuple[Person, Person]) -> None:
    left = pair[0].folder / "datasets" / f"{leftovers.DELETED}cats-1-000000000000"
    left.mkdir(parents=True)
    leftovers.sweep()
    assert not left.exists()


def test_a_shared_set_is_everybody_s_own_and_takes_no_room(
    pair: tuple[Person, Person],
) -> None:
    ada, bob = pair
    source = _dataset(spaces.root())
    source.thumbnail(str(source.photos["path"].iloc[0]))
    for name in ("source", "fetched"):
        (source.folder / name).mkdir()
        (source.folder / name / "0").write_bytes(b"as it was brought in")
    assert people.share(source.id) == 2
    assert people.share(source.id) == 0
    with spaces.acting_in(ada.folder):
        copy = datasets.open_dataset(source.id)
        path = str(copy.photos["path"].iloc[0])
        assert copy.fingerprint == source.fingerprint
        assert copy.photo_path(path).samefile(source.photo_path(path))
        for name in ("thumbs", "source", "fetched"):
            assert not (copy.folder / name).exists()
        datasets.rename_class(copy, "blue", "sky")
        datasets.delete_dataset(copy)
    assert source.classes == ["blue", "green", "red"]
    assert source.photo_path(path).is_file()
    with spaces.acting_in(bob.folder):
        assert datasets.open_dataset(source.id).classes == ["blue", "green", "red"]
    code = people.class_of_installation().code  # type: ignore[union-attr]
    late = people.join(code, "Cleo", "4711", address="10.0.0.4", now=NOW)
    with spaces.acting_in(late.folder):
        assert [one.id for one in datasets.list_datasets()] == [source.id]
    with spaces.acting_in(late.folder):
        datasets.delete_dataset(datasets.open_dataset(source.id))
    people.come_back(code, "Cleo", "4711", address="10.0.0.4", now=NOW)
    assert not (late.folder / "datasets" / source.id).exists(), "what was deleted stays so"
    assert people.share(source.id) == 2, "until it is shared again"
    people.stop_sharing(source.id)
    assert people.shared_datasets() == []


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", ".hidden", "gone"])
def test_what_is_no_data_set_of_the_teacher_is_not_shared(
    pair: tuple[Person, Person], name: str
) -> None:
    with pytest.raises(AccessError, match="no data set"):
        people.share(name)


def test_a_space_goes_home_and_comes_back(pair: tuple[Person, Person], tmp_path: Path) -> None:
    ada, bob = pair
    dataset = _dataset(ada.folder)
    with spaces.acting_in(ada.folder):
        run = runs.create_run(dataset.folder, Settings(), name="mine")
        run.update_state(state="finished")
        people.pack(ada.folder, tmp_path / "ada.zip")
    with spaces.acting_in(bob.folder):
        taken = people.unpack(tmp_path / "ada.zip", bob.folder)
        assert taken == [f"datasets/{dataset.id}", f"runs/{run.id}"]
        assert datasets.open_dataset(dataset.id).fingerprint == dataset.fingerprint
        back = runs.list_runs()[0]
        assert Path(back.config.dataset) == bob.folder / "datasets" / dataset.id
        assert people.unpack(tmp_path / "ada.zip", bob.folder) == [], "nothing is overwritten"
    assert list((bob.folder / "uploads").iterdir()) == []


def _forged(source: Path, target: Path, name: str, data: bytes) -> Path:
    """The zip with one file added or replaced, and its hash in the index."""
    import hashlib

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        outer = json.loads(old.read("translearn-space.json"))
        content = json.loads(outer["content"])
        content["files"][name] = hashlib.sha256(data).hexdigest()
        for info in old.infolist():
            if info.filename not in ("translearn-space.json", name):
                new.writestr(info, old.read(info))
        new.writestr(name, data)
        outer["content"] = json.dumps(content)
        new.writestr("translearn-space.json", json.dumps(outer))
    return target


def test_a_changed_or_foreign_zip_is_refused(pair: tuple[Person, Person], tmp_path: Path) -> None:
    ada, bob = pair
    dataset = _dataset(ada.folder)
    whole, forged = tmp_path / "ada.zip", tmp_path / "forged.zip"
    people.pack(ada.folder, whole)
    record = f"datasets/{dataset.id}/dataset.json"
    _forged(whole, forged, record, b"{}")
    with pytest.raises(AccessError, match="not made by this class"):
        people.unpack(forged, bob.folder)
    for name in ("datasets/x/../../../../evil", "/etc/evil", "class/x/people.json", "runs/.x/y"):
        with pytest.raises(SourceError):
            people.unpack(_forged(whole, forged, name, b"x"), bob.folder, trusted=True)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(forged, "w") as new:
        for info in old.infolist():
            new.writestr(info, b"{}" if info.filename == record else old.read(info))
    with pytest.raises(SourceError, match="was changed"):
        people.unpack(forged, bob.folder)
    forged.write_bytes(b"no zip")
    with pytest.raises(SourceError):
        people.unpack(forged, bob.folder)
    assert not (bob.folder / "datasets").exists() or not any((bob.folder / "datasets").iterdir())
