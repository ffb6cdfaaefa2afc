"""Decoded photos in batches, with progress and the request to stop.

Owns: `in_batches`, the one loop over decoded photos that goes by batches. Leaves to others: decoding
ahead (`decode.iterate_photos`, `decode_pool.decode_ahead`), and what is made of a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from translearn_core.arrays import Array
from translearn_core.errors import PhotoError
from translearn_core.imaging.decode import DecodedPhoto
from translearn_core.monitor import SILENT, Monitor, PassProgress


@dataclass
class PhotoBatch:
    """Photos that were decoded one after the other, by their index in the pass.

    Attributes:
        indices: of those that could be read.
        photos: these photos.
        unreadable: why others among them could not be read.
    """

    indices: list[int] = field(default_factory=list)
    photos: list[DecodedPhoto] = field(default_factory=list)
    unreadable: dict[int, PhotoError] = field(default_factory=dict)

    def images(self) -> Array:
        """`(n, size, size, 3) uint8` of the photos that could be read, at least one."""
        return np.stack([photo.image for photo in self.photos])


def in_batches(
    decoded: Iterable[tuple[int, DecodedPhoto | PhotoError]],
    size: int,
    *,
    monitor: Monitor = SILENT,
    total: int = 0,
) -> Iterator[PhotoBatch]:
    """Group decoded photos.

    Args:
        decoded: pairs of index and photo or its error, from a decoder.
        size: readable photos in a batch; the last one holds what is left, and may hold none where
            the last photos could not be read.
        monitor: is told the progress of the pass, and asked for every photo whether to stop.
        total: photos of the pass, for the progress; 0 tells none.

    Raises:
        StopRequestedError: the monitor said so.
    """
    tell = PassProgress(monitor, total)
    batch = PhotoBatch()
    for done, (index, photo) in enumerate(decoded, 1):
        monitor.check_stop()
        if isinstance(photo, PhotoError):
            batch.unreadable[index] = photo
        else:
            batch.indices.append(index)
            batch.photos.append(photo)
        if total:
            tell(done)
        if len(batch.photos) == size:
            yield batch
            batch = PhotoBatch()
    if batch.photos or batch.unreadable:
        yield batch
