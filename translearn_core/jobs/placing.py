"""The process that places jobs on the nodes of a cluster: `python -m translearn_core.jobs.placing`.

Owns: asking Ray for a place for the job that is next, following those that have one, and what happens when
a node is lost.
Leaves to others: the order (`queue.py`), what runs on a node (`node_worker.py`), the connection
(`cluster/`).

Our queue says who is next, Ray says where and when: at most one job at a time asks Ray for a place, the one
that is next by then, so that Ray has no queue of its own. All that lasts stands in the job folders; this
process can end at any time, and the next one finds the workers by the tokens of their placements.

A job whose node is lost begins again once, in its old place of the queue. Where only its process ended, it
is lost as on one machine: it would most likely end in the same way again.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from translearn_core import __version__, cluster, spaces
from translearn_core.cluster import Node
from translearn_core.config import load_configuration
from translearn_core.errors import ClusterError, TransLearnError
from translearn_core.i18n import N_, _, language
from translearn_core.jobs import launch, placer
from translearn_core.jobs.background import STOPPED_BEFORE
from translearn_core.jobs.node_worker import NodeWorker
from translearn_core.jobs.queue import LiveJobs, jobs_of_all
from translearn_core.runs import Job, StateName, list_jobs, study
from translearn_core.runs.placement import (
    Placement,
    new_token,
    read_placement,
    write_placement,
)

logger = logging.getLogger(__name__)

TICK_S = 0.3
LOOK_S = 3.0
"""The nodes are listed so often."""
RETRY_S = 10.0
"""A cluster that cannot be reached is tried again after so long."""
LEAVE_S = 60.0
"""A place that nobody uses is given back after so long: this process may have been killed."""
MOST_RESTARTS = 1
SECRET = frozenset({"TRANSLEARN_SCHOOL", "TRANSLEARN_TEACHER_PASSWORD"})
"""Variables that stay on this machine: a school's `client_secret`, a password."""

LOST_ONCE = N_("The machine {node} was lost while this ran there. It begins again by itself.")
LOST_TWICE = N_(
    "The machine that this ran on was lost for the second time, the last one was {node}. It does not begin "
    "again by itself; start it again when the machines are well."
)
STOPPED_LOST = N_(
    "Stopped by request. Its machine, {node}, was lost before it could keep anything."
)
PROCESS_ENDED = N_(
    "The process on {node} ended before it was done. Its log may tell why; start it again."
)
UNSEEN = N_(
    "The machine {node} does not see {folder}. Every machine of the cluster has to see the shared folder "
    "under the same path; then start it again."
)
OTHER_VERSION = N_(
    "Another version of TransLearn is installed on {node}. Install this one, {version}, on every machine "
    "of the cluster, then start it again."
)
NOT_STARTED = N_(
    "The machine {node} could not start its process: {cause}. Mend that, then start it again."
)
NO_BEGIN = N_(
    "A machine of the cluster can run nothing: {cause}. Every machine needs the same TransLearn, Python and "
    "Ray, under the same path. It is tried again."
)
NO_ROOM = N_(
    "No machine of the cluster has {processors:g} processors and {gpus:g} GPUs, which the configuration gives "
    "each run. Runs wait; change `[cluster]`, or add a machine."
)


@dataclass
class _Place:
    """A job and the actor that stands for its worker.

    Attributes:
        told: Ray's reference to the next answer: where it is, then how it ended.
        error: why there is no answer, in Ray's words.
    """

    job: Job
    token: str
    actor: Any
    told: Any
    node: str = ""
    error: str = ""


class Placing:
    """Places the jobs of a workspace while this process is connected.

    Args:
        ray: the connected module.
        worker: the module that a worker runs.
    """

    def __init__(self, ray: Any, *, worker: str = launch.WORKER) -> None:
        self._ray = ray
        self._worker = worker
        self._order = LiveJobs(spaces.root() / "runs")
        self._placed: dict[Job, _Place] = {}
        self._helpers: dict[Job, Job] = {}
        self._asked: _Place | None = None
        self._nodes: list[Node] = []
        self._looked_at = -LOOK_S
        self._problem = ""
        self._asks_again_at = 0.0
        self._take_over()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._placed and not self._waiting()

    def step(self) -> None:
        """Look at everything once; returns at once."""
        self._look()
        self._follow_placed()
        self._follow_asked()
        self._call_helpers_off()

    # the jobs that have a place

    def _take_over(self) -> None:
        """Find the workers that an earlier process of this kind placed; end those that nobody knows."""
        self._helpers = _live_helpers()
        known = set()
        for job in [*_live_on_cluster(), *self._helpers]:
            placement = read_placement(job.folder)
            if placement is None or not placement.node_id:
                continue
            known.add(placement.token)
            place = _Place(job, placement.token, None, None, placement.node)
            try:
                place.actor = self._ray.get_actor(placement.token)
            except ValueError:
                self._settle(place, "lost")
                continue
            # whoever placed it may have ended before its worker was started
            self._start(place)
        for name in self._ray.util.list_named_actors():
            if name.startswith("run-") and name not in known:
                self._ray.kill(self._ray.get_actor(name))

    def _follow_placed(self) -> None:
        for place in list(self._placed.values()):
            is_told, how = self._answer(place)
            if is_told:
                del self._placed[place.job]
                self._end(place)
                self._settle(place, how)

    def _answer(self, place: _Place) -> tuple[bool, str]:
        """Whether the actor has answered, and its answer; `lost` where it is gone, `error` where its
        machine could not do what was asked."""
        if not self._ray.wait([place.told], timeout=0)[0]:
            return False, ""
        try:
            return True, str(self._ray.get(place.told))
        except self._ray.exceptions.RayError as error:
            logger.warning("%s on %s: %s", place.job.id, place.node, error)
            place.error = _last_line(error)
            is_answer = isinstance(error, self._ray.exceptions.RayTaskError)
            return True, "error" if is_answer else "lost"

    def _end(self, place: _Place) -> None:
        self._ray.kill(place.actor)

    def _settle(self, place: _Place, how: str) -> None:
        """See that a job without a worker has an end, or begins again."""
        job = place.job
        if not _is_there(job) or not job.written_state.is_live:
            return
        placement = read_placement(job.folder)
        is_lost = how == "lost" and not (placement is not None and placement.ended)
        if is_lost and job not in self._helpers:
            self._begin_again(job, place.node)
            return
        language.set_of_process(job.written_state.language)
        if how == "unseen":
            _write_end(job, "failed", _(UNSEEN).format(node=place.node, folder=job.folder))
        elif how == "version":
            reason = _(OTHER_VERSION).format(node=place.node, version=__version__)
            _write_end(job, "failed", reason)
        elif how == "error":
            reason = _(NOT_STARTED).format(node=place.node, cause=place.error)
            _write_end(job, "failed", reason)
        else:
            _write_end(job, "lost", _(PROCESS_ENDED).format(node=place.node))

    def _begin_again(self, job: Job, node: str) -> None:
        """Queue a job again whose node is lost, once; end it the next time."""
        if not _is_there(job):
            return
        # first: the node may only be cut off
        write_placement(job.folder, Placement(token=new_token()))
        state = job.written_state
        if not state.is_live:
            return
        language.set_of_process(state.language)
        if job.stop_requested:
            _write_end(job, "stopped", _(STOPPED_LOST).format(node=node))
            return
        if state.restarts >= MOST_RESTARTS:
            _write_end(job, "lost", _(LOST_TWICE).format(node=node))
            return
        fresh = type(state)(
            queued_at=state.queued_at,
            told_at=time.time(),
            language=state.language,
            cluster=True,
            node=node,
            restarts=state.restarts + 1,
        )
        job.write_state(fresh)
        job.append_event("warning", text=_(LOST_ONCE).format(node=node))
        job.append_event("state", state="queued", stage="")

    # the job that asks for a place

    def _waiting(self) -> list[Job]:
        return [
            job for job in self._order.waiting() if job.state.cluster and job not in self._placed
        ]

    def _follow_asked(self) -> None:
        waiting = self._waiting()
        for job in waiting:
            if job.stop_requested:
                language.set_of_process(job.written_state.language)
                _write_end(job, "stopped", _(STOPPED_BEFORE))
        wanted = next((job for job in waiting if not job.stop_requested), None) or self._helper()
        asked = self._asked
        if asked is not None:
            is_told, where = self._answer(asked)
            if not is_told and asked.job != wanted:
                self._asked = None
                self._end(asked)
            elif is_told:
                self._asked = None
                is_wanted = _is_there(asked.job) and asked.job.state.is_live
                if where in ("lost", "error"):
                    self._problem = _(NO_BEGIN).format(cause=asked.error)
                    self._asks_again_at = time.monotonic() + RETRY_S
                    self._look(now=True)
                if where in ("lost", "error") or not is_wanted:
                    self._end(asked)
                else:
                    self._problem = ""
                    self._place(asked, where)
                    return
        if wanted is None:
            self._problem = ""
        is_due = time.monotonic() >= self._asks_again_at
        if self._asked is None and wanted is not None and is_due:
            self._asked = self._ask(wanted)

    # helpers of searches: they take what nobody waits for, and give way

    def _helper(self) -> Job | None:
        """A helper for a search, where another machine could be had for one."""
        nodes = sum(node.works for node in self._nodes)
        for search in self._placed:
            if search in self._helpers or not _takes_help(search):
                continue
            mine = [job for job, led in self._helpers.items() if led == search]
            if any(job.written_state.has_failed for job in mine):
                continue  # the next one would fail, too
            if len([job for job in mine if job in self._placed]) >= nodes - 1:
                continue
            spare = next((job for job in mine if job.written_state.state == "queued"), None)
            return spare or self._make_helper(search, len(mine) + 1)
        return None

    def _make_helper(self, search: Job, number: int) -> Job:
        job = Job(search.folder / study.HELPERS / f"{number}-{new_token()[4:]}")
        job.begin(
            study.TrialsConfig(created=time.time(), study=str(search.folder), number=number),
            cluster=True,
        )
        self._helpers[job] = search
        return job

    def _call_helpers_off(self) -> None:
        """Stop the helpers of searches that need none any more, and one for each job that waits."""
        placed = []
        for job, search in list(self._helpers.items()):
            if job in self._placed:
                placed.append(job)
                if not _takes_help(search) and not job.stop_requested:
                    job.request_stop()
            elif not _takes_help(search):
                del self._helpers[job]
                if job.written_state.is_live:
                    _write_end(job, "stopped", _(STOPPED_BEFORE))
        going = [job for job in placed if job.stop_requested]
        staying = [job for job in placed if job not in going]
        waiting = [job for job in self._waiting() if not job.stop_requested]
        for job in staying[: max(0, len(waiting) - len(going))]:
            job.request_stop()

    def _ask(self, job: Job) -> _Place:
        """Ask Ray for a place."""
        each = load_configuration().cluster
        token = new_token()
        remote = self._ray.remote(NodeWorker).options(
            name=token,
            lifetime="detached",
            num_cpus=each.processors,
            num_gpus=each.gpus,
            max_concurrency=4,
        )
        actor = remote.remote(each.processors, each.gpus, LEAVE_S)
        return _Place(job, token, actor, actor.where.remote())

    def _place(self, place: _Place, node_id: str) -> None:
        """Start the worker where Ray found a place."""
        self._look(now=True)
        place.node = next((one.name for one in self._nodes if one.id == node_id), node_id[:6])
        write_placement(
            place.job.folder, Placement(token=place.token, node=place.node, node_id=node_id)
        )
        self._start(place)

    def _start(self, place: _Place) -> None:
        """Start the worker, unless it was, and follow it."""
        now = time.time()
        if place.job.written_state.state == "queued":
            # running from here on: whoever is next is chosen by it
            place.job.update_state(
                state="running",
                stage="start",
                node=place.node,
                started_at=now,
                told_at=now,
                heartbeat=now,
            )
        place.actor.start.remote(
            str(place.job.folder),
            place.token,
            worker=self._worker,
            version=__version__,
            environment=_environment(),
        )
        place.told = place.actor.wait.remote()
        self._placed[place.job] = place

    # the nodes

    def _look(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        self._nodes = cluster.list_nodes(self._ray)
        each = load_configuration().cluster
        has_room = any(
            one.processors >= each.processors and one.gpus >= each.gpus for one in self._nodes
        )
        problem = self._problem
        if not has_room:
            problem = _(NO_ROOM).format(processors=each.processors, gpus=each.gpus)
        placer.write_view(
            placer.ClusterView(
                at=time.time(), address=each.address, problem=problem, nodes=tuple(self._nodes)
            )
        )


def _last_line(error: Exception) -> str:
    """What an error of Ray comes down to: a traceback of the other machine ends with it."""
    return next(reversed(str(error).strip().splitlines()), type(error).__name__).strip()


def _is_there(job: Job) -> bool:
    """Whether the folder of a job was not deleted meanwhile."""
    return job.state_path.is_file()


def _takes_help(search: Job) -> bool:
    """Whether a search is at the point where settings are tried."""
    state = search.written_state
    return (
        search.kind == "search"
        and state.state == "running"
        and state.stage == "search"
        and not search.stop_requested
    )


def _live_on_cluster() -> list[Job]:
    return [job for job in jobs_of_all() if job.written_state.cluster and job.state.is_live]


def _live_helpers() -> dict[Job, Job]:
    """What helps with the searches of all people, each with its search."""
    searches = [job for job in jobs_of_all() if job.kind == "search" and job.written_state.cluster]
    with spaces.everywhere():
        return {
            helper: search
            for search in searches
            for helper in list_jobs(search.folder / study.HELPERS)
            if helper.written_state.is_live
        }


def _write_end(job: Job, state: StateName, reason: str) -> None:
    if not _is_there(job):
        return
    job.update_state(state=state, stage="", reason=reason, finished_at=time.time())
    job.append_event("state", state=state, stage="")


def _environment() -> dict[str, str]:
    """The variables that a worker has to share with this process; no secrets, which it has no use for."""
    named = {
        name: value
        for name, value in os.environ.items()
        if (name.startswith("TRANSLEARN_") or name == "KERAS_HOME") and name not in SECRET
    }
    return named | {"TRANSLEARN_HOME": str(spaces.root())}


def place_until_idle(idle_s: float) -> None:
    """Place jobs until none has waited or run for `idle_s` seconds.

    A cluster that cannot be reached, or a disk that is full, is tried again for as long as jobs wait.
    """
    busy_at = time.monotonic()
    while time.monotonic() - busy_at < idle_s:
        try:
            with cluster.connected() as ray:
                try:
                    placing = Placing(ray)
                    while time.monotonic() - busy_at < idle_s:
                        placing.step()
                        if not placing.is_idle:
                            busy_at = time.monotonic()
                        time.sleep(TICK_S)
                except ray.exceptions.RayError as error:
                    raise ClusterError(_last_line(error)) from error
        except (TransLearnError, OSError, RuntimeError, ValueError) as error:
            logger.warning("Connects anew", exc_info=error)
            if _report(str(error)):
                busy_at = time.monotonic()
            time.sleep(min(RETRY_S, idle_s))


def _report(problem: str) -> bool:
    """Show what keeps jobs from being placed. Returns whether any waits or runs."""
    try:
        address = load_configuration().cluster.address
        placer.write_view(placer.ClusterView(at=time.time(), address=address, problem=problem))
        return bool(_live_on_cluster())
    except (TransLearnError, OSError) as error:
        logger.warning("%s", error)
        return False


def main() -> int:
    """Entry of the process. Returns the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    lock_path = placer.lock_path()
    Path(lock_path).parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock_path, timeout=1.0):
            place_until_idle(load_configuration().standby_idle_s)
    except Timeout:
        logger.info("Another process places jobs already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
