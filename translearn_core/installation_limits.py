"""Bounds that whoever runs this may set: on uploads (`[limits]`), and on each pupil (`[quotas]`).

Owns: their names, defaults and meaning. Leaves to others: reading them (`config.py`), what a teacher
chooses instead and refusing more (`quotas.py`), refusing files (`imaging/`, `datasets/`).
Units: `_bytes` bytes.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Bounds on uploads, against malicious or mistaken ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zip_ratio: float = Field(
        default=200.0, gt=1, description="Highest compression ratio of a file in a zip."
    )
    total_bytes: int = Field(
        default=50 * 2**30, gt=0, description="Most bytes of one import, unpacked."
    )
    files: int = Field(default=200_000, gt=0, description="Most files in one import.")
    nesting: int = Field(default=12, gt=0, description="Deepest folder level in one import.")
    photo_bytes: int = Field(default=100 * 2**20, gt=0, description="Most bytes of one photo file.")
    photo_pixels: int = Field(default=100_000_000, gt=0, description="Most pixels of one photo.")
    decode_bytes: int = Field(
        default=2**30, gt=0, description="Most memory that photos being decoded take together."
    )
    classes: int = Field(default=1000, ge=2, description="Most classes in one data set.")
    class_photos: int = Field(
        default=2,
        ge=1,
        description="Fewest photos of a class of a folder or archive; smaller classes are left out.",
    )
    free_bytes: int = Field(default=500 * 2**20, ge=0, description="Disk space that is kept free.")


class Quotas(BaseModel):
    """Bounds on what each pupil of a class may take; a group counts as one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: int = Field(default=60, gt=0, description="Most pupils in the class.")
    space_bytes: int = Field(
        default=2 * 2**30, gt=0, description="Most bytes of a pupil's data sets and runs."
    )
    photos: int = Field(
        default=5_000, gt=0, description="Most photos of a pupil, all sets together."
    )
    runs: int = Field(default=20, gt=0, description="Most runs and searches that a pupil may keep.")
    waiting: int = Field(
        default=3, gt=0, description="Most runs and searches of a pupil that wait or go on at once."
    )
