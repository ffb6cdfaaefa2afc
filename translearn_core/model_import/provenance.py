"""Provenance of an imported model.

Owns: `adopted.json` in the folder of a run with an imported model; a run that was trained here has
none.
Leaves to others: the import (`adopt.py`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from translearn_core.runs import Run

SCHEMA = 1


class Origin(BaseModel):
    """adopted.json: where the model of a run came from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    file: str
    sha256: str
    adopted: float
    keras_version: str = ""
    pixels: str = "0..255"
    parameters: int = 0
    layers: int = 0


def origin_of(run: Run) -> Origin | None:
    """Where the model of a run came from; None for a run that was trained here."""
    try:
        return Origin.model_validate_json((run.folder / "adopted.json").read_bytes())
    except (OSError, ValueError):
        return None
