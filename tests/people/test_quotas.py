"""What a pupil may take, and the turns of the queue."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.photos import draw_photos
from translearn_core import datasets, jobs, people, runs, spaces
from translearn_core.errors import RunError, SourceError
from translearn_core.jobs.inline import InlineRunner
from translearn_core.jobs.queue import LiveJobs, in_turn, take_slot, waiting_jobs
from translearn_core.people import Person
from translearn_core.runs import Run
from translearn_core.settings import Settings

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
    with pytest.raises(RunError, match="1 run of yours is waiting"):
        jobs.make_run(dataset, settings)
    first.update_state(state="finished")
    with jobs.use_runner(InlineRunner()):
        second = jobs.start(dataset, settings)
    with pytest.raises(RunError, match="may keep 2 runs"):
        jobs.start(dataset, settings)
    runs.delete_run(second)
    jobs.make_run(dataset, settings)


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
