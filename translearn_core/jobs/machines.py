"""What runs where: the machines of the cluster with the jobs that each has.

Owns: putting both together, for a page and a command. Leaves to others: finding the machines
(`cluster/nodes.py`), the picture of them that lasts (`placer.py`). What runs where is read from the job
folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from translearn_core import spaces
from translearn_core.cluster import Node
from translearn_core.i18n import _, ngettext
from translearn_core.jobs.queue import is_running, jobs_of_all
from translearn_core.runs import Job, list_jobs, study


@dataclass(frozen=True)
class Machine:
    """A node of the cluster, and the trainings and searches of all people that run there."""

    node: Node
    jobs: list[Job] = field(default_factory=list)

    @property
    def devices(self) -> str:
        """What the machine offers, in words."""
        node = self.node
        if not node.works:
            return _("runs nothing")
        parts = [
            ngettext("{n:g} processor", "{n:g} processors", int(node.processors)).format(
                n=node.processors
            )
        ]
        if node.gpus:
            gpus = ngettext("{n:g} GPU", "{n:g} GPUs", int(node.gpus)).format(n=node.gpus)
            parts.append(f"{gpus} ({', '.join(node.devices)})" if node.devices else gpus)
        return ", ".join(parts)


def machines(nodes: Sequence[Node]) -> list[Machine]:
    """The machines with what runs on each."""
    running = [job for job in jobs_of_all() if is_running(job) and job.written_state.cluster]
    where = [(job.written_state.node, job) for job in running]
    for search in running:  # machines that help with a search are at that search
        with spaces.everywhere():  # whoever asks may not reach that of somebody else
            helpers = list_jobs(search.folder / study.HELPERS)
        where += [(helper.written_state.node, search) for helper in helpers if is_running(helper)]
    return [Machine(node, [job for name, job in where if name == node.name]) for node in nodes]


def waiting_for_a_place() -> list[Job]:
    """The trainings and searches of all people that wait for a machine, unordered."""
    return [
        job for job in jobs_of_all() if job.written_state.cluster and job.state.state == "queued"
    ]
