"""Files of several pages or many channels: what a data set has of them, and choosing anew.

Owns: `Stacks`, `find_stacks`, `choose_stacks`. Leaves to others: what a choice means for a file
(`imaging/decode.py`), the choice at an import (`importing.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from translearn_core.config import load_configuration
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import ImportContext, ProgressCallback, StopCheck
from translearn_core.datasets.manifest_checks import has_pages
from translearn_core.datasets.missing_photos import check_deleted, is_out_of_reach, out_of_reach
from translearn_core.errors import MissingPhotoError
from translearn_core.i18n import _
from translearn_core.imaging.decode import DecodedPhoto, iterate_photos
from translearn_core.imaging.measured_ranges import measure_reading
from translearn_core.imaging.reading import Reading
from translearn_core.imaging.stats import STATS_SIDE, PhotoStats


@dataclass(frozen=True)
class Stacks:
    """Most pages of a file, most channels of a page (0: no more than colours), and how they are
    read."""

    pages: int
    channels: int
    reading: Reading

    @property
    def choosable(self) -> int:
        """How many channels, or grey pages as such, there are to choose from; 0: none."""
        return self.channels or (self.pages if self.pages > 2 else 0)


def find_stacks(dataset: Dataset) -> Stacks | None:
    """What there is to choose; None where every file is one picture of colours or grey."""
    photos = dataset.photos
    paged = photos.loc[has_pages(photos), "pages"]
    pages = int(paged.max()) if len(paged) else 1
    channels = int(photos["channels"].max()) if len(photos) else 0
    if pages < 2 and not channels:
        return None
    return Stacks(pages, channels, dataset.reading)


def choose_stacks(
    dataset: Dataset,
    *,
    page: int,
    channels: Sequence[int] = (),
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Dataset:
    """Read all photos of a data set by another page or other channels, and keep that choice.

    Statistics and the range of values are measured again; what is known of the photos by their old
    look (a check, features) no longer counts.

    Args:
        page, channels: as in `imaging.reading.Reading`.
        stop: polled; True ends it, and nothing is changed.

    Raises:
        SourceError: `stop` returned True, or photos cannot be reached; nothing is changed.
        StorageError: the disk is full.
    """
    context = ImportContext(load_configuration().limits, True, progress, stop)
    paths = [str(path) for path in dataset.photos["path"]]
    files = [dataset.photo_file(path) for path in paths]
    how = Reading(page=page, channels=tuple(channels))
    how = measure_reading([file.read_bytes for file in files], context.limits, how)
    stats: dict[str, PhotoStats] = {}
    reasons: dict[str, str] = {}
    missing: set[str] = set()
    decoded = iterate_photos(files, size=STATS_SIDE, limits=context.limits, how=how)
    with contextlib.closing(decoded):
        for position, photo in decoded:
            if isinstance(photo, DecodedPhoto):
                stats[paths[position]] = photo.stats
            elif is_out_of_reach(photo, files[position]):
                raise out_of_reach(str(files[position]), photo.message)
            else:
                reasons[paths[position]] = photo.message
                if isinstance(photo, MissingPhotoError):
                    missing.add(paths[position])
            context.report(position + 1, len(paths), _("Looking at the photos"))
    check_deleted(dataset, missing)
    with dataset.locked():
        record = dataset.record
        choices = ImportChoices.from_text(record.choices)
        choices = replace(
            choices, page=page, channels=tuple(channels)
        )  # an import that is repeated
        changed = {"reading": how.as_json(), "choices": choices.as_text()}
        dataset.write_record(record.model_copy(update=changed))
    dataset.record_stats(stats, reasons)
    return dataset
