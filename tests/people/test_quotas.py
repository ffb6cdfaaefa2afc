"""What a pupil may take, and the turns of the queue."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets, jobs, people, quotas, runs, spaces, trash
from translearn_core.config import load_configuration
from translearn_core.errors import InputError, RunError, SettingsError, SourceError
from translearn_core.feasibility import job as feasibility
from translearn_core.jobs.inline import InlineRunner
from translearn_core.jobs.queue import (
    AnnouncedJobs,
    LiveJobs,
    in_turn,
    lane_of,
    take_slot,
    waiting_jobs,
)
from translearn_core.model_import.adopt import adopt_model
from translearn_core.people import Person
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, Run
from translearn_core.sorting import job as sorting
from translearn_core.sorting.job import SortConfig
from translearn_ui.classroom import uploads
from translearn_ui.work import space_used

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that nobody works at is not given up, whatever its time."""
    monkeypatch.setenv("TRANSLEARN_HEARTBEAT_LOST_S", "1e12")


@pytest.fixture
def crowd(workspace: Path) -> list[Person]:
    """A class of ten."""
    code = people.begin_class("correct horse", now=NOW).code
    return [
        people.join(code, f"Pupil {number}", "47110", address="10.0.0.2", now=NOW)
        for number in range(10)
    ]


@pytest.fixture
def acting(crowd: list[Person]) -> Iterator[list[Person]]:
    spaces.require_identity(lambda: crowd[0].folder)
    yield crowd
    spaces.require_identity(None)


def _quotas(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TRANSLEARN_QUOTAS", text)


@pytest.mark.parametrize(
    ("quotas", "said"),
    [
        ('{"photos": 5}', "You may have 5 photos and have 0: 6 more are too many"),
        ('{"space_bytes": 3000}', "more are too much"),
    ],
)
def test_photos_that_do_not_fit_are_refused_and_nothing_stays(
    acting: list[Person],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quotas: str,
    said: str,
) -> None:
    _quotas(monkeypatch, quotas)
    photos = draw_photos(tmp_path / "drawn", per_class=2)
    with pytest.raises(SourceError, match=said):
        datasets.import_source(photos)
    empty = datasets.create_dataset("mine")
    with pytest.raises(SourceError, match=said):
        datasets.add_source(empty, photos)
    assert len(empty.photos) == 0
    with spaces.everywhere():
        assert len(datasets.import_source(photos).photos) == 6, "the teacher is not bound"


def test_runs_are_refused_beyond_those_that_may_wait_or_be_kept(
    acting: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = datasets.import_source(draw_photos(tmp_path / "drawn", per_class=8))
    settings = Settings(backbone="starter")
    _quotas(monkeypatch, '{"runs": 2, "waiting": 1}')
    first = jobs.make_run(dataset, settings)
    with pytest.raises(RunError, match="1 training, check or export of yours is waiting"):
        jobs.make_run(dataset, settings)
    first.update_state(state="finished")
    with jobs.use_runner(InlineRunner()):
        second = jobs.start(dataset, settings)
    with pytest.raises(RunError, match="may keep 2 trainings"):
        jobs.start(dataset, settings)
    runs.delete_run(second)
    jobs.make_run(dataset, settings)


def _sorting_job(person: Person, at: float) -> Job:
    with spaces.acting_in(person.folder):
        job = Job(person.folder / "datasets" / "photos" / "sorting")
        with jobs.place_in_line(job):
            job.begin(SortConfig(created=at, dataset=str(job.folder.parent)))
    with jobs.use_runner(_Nobody()):
        jobs.submit(job)
    return job


class _Nobody(InlineRunner):
    """A runner whose jobs stay in the queue."""

    def submit(self, job: Job) -> None:
        """See `Runner.submit`."""


def test_checks_sorting_and_exports_take_turns_by_person(crowd: list[Person]) -> None:
    first, second = crowd[:2]
    going_on = _sorting_job(first, NOW)
    with take_slot(going_on, poll_s=0.01) as turn:
        assert turn
        going_on.update_state(state="finished")
    later = _sorting_job(first, NOW + 2)
    other = _sorting_job(second, NOW + 3)
    assert AnnouncedJobs(lane_of(later)).waiting() == [other, later]
    with take_slot(other, poll_s=0.01) as turn:
        assert turn, "who came later but was not served yet is first"


def test_without_a_class_checks_and_sorting_begin_at_once(workspace: Path) -> None:
    job = Job(workspace / "datasets" / "photos" / "sorting")
    job.begin(SortConfig(created=NOW, dataset=str(job.folder.parent)))
    assert lane_of(job) is None


def test_a_check_takes_a_place_in_the_queue(
    acting: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quotas(monkeypatch, '{"waiting": 1}')
    _sorting_job(acting[0], NOW)
    dataset = datasets.import_source(draw_photos(tmp_path / "drawn", per_class=2))
    with jobs.use_runner(_Nobody()):
        with pytest.raises(RunError, match="1 training, check or export of yours is waiting"):
            feasibility.start(dataset, backbone="starter")
        with pytest.raises(RunError, match="is waiting"):
            sorting.start(dataset, backbone="starter")


def test_a_place_is_taken_before_the_job_is_submitted(
    acting: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    _quotas(monkeypatch, '{"waiting": 1}')
    job = Job(acting[0].folder / "datasets" / "photos" / "sorting")
    with jobs.place_in_line(job):
        job.begin(SortConfig(created=NOW, dataset=str(job.folder.parent)))
    with pytest.raises(RunError, match="is waiting"), jobs.place_in_line():
        pass


def test_what_the_teacher_shares_counts_for_nobody(
    crowd: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = datasets.import_source(draw_photos(tmp_path / "drawn", per_class=2))
    people.share(shared.id)
    one, other = crowd[:2]
    assert [quotas.count_photos(who.folder) for who in (one, other)] == [0, 0]
    _quotas(monkeypatch, '{"photos": 6}')
    with spaces.acting_in(one.folder):
        datasets.import_source(draw_photos(tmp_path / "own", per_class=1, seed=1))
        datasets.add_source(
            datasets.open_dataset(shared.id), draw_photos(tmp_path / "more", per_class=1, seed=2)
        )
        with pytest.raises(SourceError, match="have 6"):
            quotas.check_room(photos=1)
    assert quotas.count_photos(spaces.root()) == 6
    datasets.delete_dataset(shared)
    assert [quotas.count_photos(who.folder) for who in (one, other)] == [6, 0]


def test_what_is_being_brought_in_does_not_count_yet(acting: list[Person]) -> None:
    space = acting[0].folder
    before = quotas.space_bytes(space)
    for folder in ("uploads/new", "datasets/x/uploads"):
        (space / folder).mkdir(parents=True)
        (space / folder / "0").write_bytes(bytes(1000))
    assert quotas.space_bytes(space) == before + 1000


def test_the_room_in_use_has_each_file_once(crowd: list[Person], tmp_path: Path) -> None:
    dataset = datasets.import_source(draw_photos(tmp_path / "drawn", per_class=2))
    photos = [dataset.photo_path(str(path)) for path in dataset.photos["path"]]
    n_bytes = sum(path.stat().st_size for path in photos)
    before = space_used._measure(str(spaces.root()), (0,))
    people.share(dataset.id)
    after = space_used._measure(str(spaces.root()), (1,))
    assert before["sets"] == after["sets"] > n_bytes
    copies = [
        path for path in spaces.root().rglob("*") if path.is_file() and path.stat().st_nlink == 1
    ]
    assert sum(after.values()) == n_bytes + sum(path.stat().st_size for path in copies)


def test_what_comes_back_counts_as_what_is_new(
    acting: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = acting[0].folder
    dataset = datasets.import_source(draw_photos(tmp_path / "drawn", per_class=2))
    run = runs.create_run(dataset.folder, Settings(), name="one")
    run.update_state(state="finished")
    people.pack(space, tmp_path / "home.zip")
    thrown = [
        trash.throw_away(run.folder, kind="run", name="one"),
        trash.throw_away(dataset.folder, kind="dataset", name="photos"),
    ]
    runs.create_run(dataset.folder, Settings()).update_state(state="finished")
    datasets.import_source(draw_photos(tmp_path / "more", per_class=1, seed=1))
    _quotas(monkeypatch, '{"runs": 1, "photos": 8}')
    for entry, said in zip(thrown, ("may keep 1 training", "may have 8 photos"), strict=True):
        with pytest.raises(InputError, match=said):
            trash.put_back(entry)
        assert (entry.folder / "content").is_dir()
    with pytest.raises(RunError, match="may keep 1 training"):
        people.unpack(tmp_path / "home.zip", space)
    _quotas(monkeypatch, '{"runs": 2, "photos": 8}')
    with pytest.raises(SourceError, match="may have 8 photos"):
        people.unpack(tmp_path / "home.zip", space)
    _quotas(monkeypatch, '{"space_bytes": 20000}')
    with pytest.raises(SourceError, match="more are too much"):
        people.unpack(tmp_path / "home.zip", space)
    assert not (space / "datasets" / dataset.id).exists()
    monkeypatch.delenv("TRANSLEARN_QUOTAS")
    assert len(people.unpack(tmp_path / "home.zip", space)) == 2


def test_a_model_from_elsewhere_is_a_run_that_is_kept(
    acting: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.create_run(acting[0].folder, Settings()).update_state(state="finished")
    _quotas(monkeypatch, '{"runs": 1}')
    model = tmp_path / "model.keras"
    model.write_bytes(b"refused before it is opened")
    with pytest.raises(RunError, match="may keep 1 training"):
        adopt_model(model)


def test_what_several_tabs_bring_counts_together(
    acting: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    _quotas(monkeypatch, '{"photos": 10, "space_bytes": 1000}')
    with quotas.room_for(photos=6, n_bytes=600):
        with pytest.raises(SourceError, match="have 6"):
            quotas.check_room(photos=5)
        with pytest.raises(SourceError, match="too much"):
            quotas.check_room(n_bytes=500)
        quotas.check_room(photos=4, n_bytes=400)
    quotas.check_room(photos=10, n_bytes=1000)


def test_the_teacher_chooses_limits_for_all_and_for_one(crowd: list[Person]) -> None:
    one, other = crowd[:2]
    quotas.choose_quotas({"photos": 7, "people": 11})
    quotas.choose_quotas({"photos": 9}, space=one.folder)
    assert [quotas.quotas_of(who.folder).photos for who in (one, other)] == [9, 7]
    assert quotas.quotas_of(spaces.root()).people == 11
    quotas.choose_quotas({}, space=one.folder)
    assert quotas.quotas_of(one.folder).photos == 7
    for wrong in ({"photos": 0}, {"people": 3}, {"else": 3}):
        with pytest.raises(SettingsError, match="whole number above 0"):
            quotas.choose_quotas(wrong, space=one.folder)
    (spaces.root() / "class" / "quotas.json").write_text('{"all": {"runs": "many"}, "spaces": {}}')
    assert quotas.quotas_of(one.folder) == load_configuration().quotas


def test_uploads_on_their_way_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PAGE_BYTES", 10)
    memory = uploads.BoundedUploads("/upload")
    with memory.receiving("page", 6) as first, memory.receiving("page", 6) as second:
        assert (first, second) == (True, False)
        with memory.receiving("other", 6) as third, memory.receiving("page", -1) as odd:
            assert (third, odd) == (True, False)
    with memory.receiving("page", 6) as again:
        assert again


def test_a_class_that_is_full_takes_nobody_in(
    crowd: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    _quotas(monkeypatch, '{"people": 10}')
    code = people.class_of_installation().code  # type: ignore[union-attr]
    with pytest.raises(Exception, match="is full: 10 people"):
        people.join(code, "Late", "47110", address="10.0.0.2", now=NOW)


def _queue(person: Person, at: float) -> Run:
    with spaces.acting_in(person.folder):
        run = runs.create_run(person.folder / "datasets" / "photos", Settings())
    run.update_state(queued_at=at)
    return run


@pytest.mark.parametrize("seed", range(3))
def test_each_first_run_ends_before_anybody_s_second_starts(crowd: list[Person], seed: int) -> None:
    """Thirty runs of ten pupils, queued in any order; also from before the one that goes on."""
    dice = random.Random(seed)
    owners = [person for person in crowd for _n in range(3)]
    dice.shuffle(owners)
    queued = [(_queue(person, NOW + at), person) for at, person in enumerate(owners)]
    owner_of = {run: person.id for run, person in queued}
    order, watch = [], LiveJobs(queued[0][0].folder.parent)
    for clock in itertools.count():
        waiting = watch.waiting()
        if not waiting:
            break
        first = waiting[0]
        first.update_state(state="running", started_at=NOW + 100 + clock)
        assert first not in watch.waiting()
        first.update_state(state="finished")
        order.append(owner_of[first])  # type: ignore[index]
    assert len(order) == 30
    for start in (0, 10, 20):
        assert len(set(order[start : start + 10])) == 10


def test_who_comes_late_is_before_another_s_second(crowd: list[Person]) -> None:
    ada, bob, late = crowd[:3]
    began = _queue(ada, NOW)
    began.update_state(state="finished", started_at=NOW + 1)
    second, first_of_bob = _queue(ada, NOW + 2), _queue(bob, NOW + 3)
    assert waiting_jobs(second.folder.parent) == [first_of_bob, second]
    first_of_late = _queue(late, NOW + 9)
    assert waiting_jobs(second.folder.parent) == [first_of_bob, first_of_late, second]
    assert jobs.place_in_queue(second) == 2
    with take_slot(first_of_bob, poll_s=0.01) as turn:
        assert turn


def test_without_people_who_comes_first_is_served_first(workspace: Path) -> None:
    queued = []
    for at in (3.0, 1.0, 2.0):
        run = runs.create_run(Path("photos"), Settings())
        run.update_state(queued_at=NOW + at, started_at=0.0)
        queued.append(run)
    assert waiting_jobs() == [queued[1], queued[2], queued[0]]
    assert in_turn([], {}) == []
