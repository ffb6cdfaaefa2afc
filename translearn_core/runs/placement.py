"""Which machine of a cluster may work at a job.

Owns: placement.json in the folder of a job, and the right to write there that it stands for.
Leaves to others: choosing the machine (`jobs/placing.py`), ending a worker that has lost its right
(`jobs/background.py` in its process, `jobs/node_worker.py` beside it).

A machine that is cut off may still see the shared folder while its job has begun again elsewhere. So each
placement has a token of its own, and whoever works at the job looks whether the token in the file is still
theirs before they write. A job that no cluster placed has no such file.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from translearn_core.atomic import write_atomically
from translearn_core.runs.file_cache import read_cached

PLACEMENT = "placement.json"


class Placement(BaseModel):
    """Where a job runs.

    Attributes:
        token: of whoever may work at it; empty: nobody may.
        node: the machine's name, for people.
        node_id: of the cluster.
        ended: the process there has ended, and nobody was there to be told.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    token: str = ""
    node: str = ""
    node_id: str = ""
    ended: bool = False


def new_token() -> str:
    """A token that no other placement has."""
    return f"run-{secrets.token_hex(8)}"


def write_placement(folder: Path, placement: Placement) -> None:
    """Tell who may work at the job in `folder` from now on; whoever could before may not any more."""
    write_atomically(folder / PLACEMENT, placement.model_dump_json(indent=1))


def read_placement(folder: Path) -> Placement | None:
    """Where the job in `folder` runs; None where no cluster placed it, or the file is damaged."""
    try:
        return read_cached(folder / PLACEMENT, Placement.model_validate_json)
    except (OSError, ValueError):
        return None


def may_work(folder: Path, token: str) -> bool:
    """Whether a token is still that of the job in `folder`; also where the file cannot be read just now:
    a shared folder that does not answer takes nobody's right."""
    try:
        return read_cached(folder / PLACEMENT, Placement.model_validate_json).token == token
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def revoke(folder: Path) -> None:
    """Take the right to work at the job in `folder` from whoever has it, if a cluster placed it."""
    placement = read_placement(folder)
    if placement is not None and placement.token:
        write_placement(folder, placement.model_copy(update={"token": ""}))


def mark_ended(folder: Path, token: str) -> None:
    """Tell that the process with this token has ended, unless another one may work there by now.

    Raises:
        OSError: it cannot be written.
    """
    placement = read_placement(folder)
    if placement is not None and placement.token == token:
        write_placement(folder, placement.model_copy(update={"ended": True}))
