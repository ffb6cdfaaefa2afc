"""Jobs: submitting, queue, processes, endings.

Owns: submitting (`submit.py`), the order (`queue.py`), where jobs run (`runner.py`, `inline.py`),
starting and ending processes (`launch.py`), the pre-warmed worker (`warm_worker.py`),
measuring this machine (`measurement.py`), looking at photos ahead (`look_ahead.py`), and running a job in its process (`background.py`).
Leaves to others: the files of a job (`runs/`), and what each kind does (`worker.py` knows it).
"""

from translearn_core.jobs.launch import reap
from translearn_core.jobs.look_ahead import give_way, look_ahead, looking
from translearn_core.jobs.measurement import is_measuring, measure
from translearn_core.jobs.queue import ahead_of, place_in_queue
from translearn_core.jobs.runner import (
    ClusterRunner,
    LocalRunner,
    Runner,
    current_runner,
    use_runner,
)
from translearn_core.jobs.submit import (
    create_study,
    follow,
    force_stop,
    make_run,
    place_in_line,
    repeat_run,
    start,
    submit,
    warm_up,
)

__all__ = [
    "ClusterRunner",
    "LocalRunner",
    "Runner",
    "ahead_of",
    "create_study",
    "current_runner",
    "follow",
    "force_stop",
    "give_way",
    "is_measuring",
    "look_ahead",
    "looking",
    "make_run",
    "measure",
    "place_in_line",
    "place_in_queue",
    "reap",
    "repeat_run",
    "start",
    "submit",
    "use_runner",
    "warm_up",
]
