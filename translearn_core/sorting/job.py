"""The features of a data set's photos for sorting: their file, and the process that extracts them.

Owns: `<dataset>/sorting/` with the files of the job (`runs/job.py`) and
    features.npz   `features` `(n, d) float16`, pooled; `paths` of these photos; `backbone`
Leaves to others: groups and proposals from them (`session.py`), the pass itself (`features/`).
"""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from translearn_core import backbones, datasets, jobs
from translearn_core.arrays import Array
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.backbones import Backbone, default
from translearn_core.backbones.weights import weights_status
from translearn_core.datasets import Dataset
from translearn_core.datasets.unsorted import WithUnsorted
from translearn_core.errors import SourceError, WeightsError
from translearn_core.features.extractor import extract_pooled
from translearn_core.i18n import N_, _
from translearn_core.imaging.reading import set_reading
from translearn_core.monitor import SILENT, Monitor
from translearn_core.runs import Job, JobConfig, JobState, Kind

STAGES: dict[str, str] = {"look": N_("Extracting features of the photos")}


class SortConfig(JobConfig):
    """config.json of the job."""

    kind: Kind = "sort"
    dataset: str
    """Folder of the data set, absolute."""
    backbone: str = ""


@dataclass(frozen=True, kw_only=True)
class PhotoFeatures:
    """Pooled features of photos, sorted or not.

    `features` `(n, d) float32`, one row for each of `paths`; `backbone` made them.
    """

    paths: tuple[str, ...]
    features: Array
    backbone: str


def folder_of(dataset: Dataset) -> Path:
    """The folder of what sorting keeps."""
    return dataset.folder / "sorting"


def extract(dataset: Dataset, backbone: Backbone, monitor: Monitor = SILENT) -> PhotoFeatures:
    """The features of all photos of a data set, sorted or not.

    Raises:
        StopRequestedError: the monitor said so.
        SourceError: there is no photo.
    """
    everything = WithUnsorted(dataset.folder)
    monitor.stage("look")
    pooled = extract_pooled(everything, backbone, fit="stretch", monitor=monitor)
    return PhotoFeatures(
        paths=pooled.paths,
        features=pooled.features[:],
        backbone=backbone.name,
    )


def read_features(dataset: Dataset) -> PhotoFeatures | None:
    """The stored features; None where there are none, or their files are damaged."""
    try:
        content = io.BytesIO((folder_of(dataset) / "features.npz").read_bytes())
        with np.load(content) as file:
            features = file["features"].astype(np.float32)
            paths, backbone = tuple(map(str, file["paths"])), str(file["backbone"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    if features.ndim != 2 or len(features) != len(paths):
        return None
    return PhotoFeatures(paths=paths, features=features, backbone=backbone)


def start(dataset: Dataset, *, backbone: str = "") -> None:
    """Extract the features in a process of its own, unless one is at it.

    Raises:
        WeightsError: the backbone's weights are not here.
        SourceError: the data set has no photo.
        RunError: a pupil has as many jobs waiting as they may.
    """
    if not len(WithUnsorted(dataset.folder).photos):
        raise SourceError(_("There are no photos yet. Bring some in first."))
    row = backbones.get_backbone(backbone) if backbone else default.default_backbone()
    status = weights_status(row)
    if status.state != "ready":
        raise WeightsError(status.sentence)
    now = state(dataset)
    if now is not None and now.is_live:
        return
    job = Job(folder_of(dataset))
    with jobs.place_in_line(job):
        job.begin(SortConfig(created=time.time(), dataset=str(dataset.folder), backbone=row.name))
    jobs.submit(job)


def state(dataset: Dataset) -> JobState | None:
    """The state of the latest extraction; None before the first one."""
    return jobs.follow(Job(folder_of(dataset)))


def request_stop(dataset: Dataset) -> None:
    """Request a stop; what was extracted stays in the cache."""
    if folder_of(dataset).is_dir():
        Job(folder_of(dataset)).request_stop()


def work(job: Job, monitor: Monitor) -> bool:
    """Extract and store the features, see `jobs.background.Work`."""
    config = job.read_config(SortConfig)
    dataset = datasets.open_dataset(Path(config.dataset))
    set_reading(dataset.reading)
    found = extract(dataset, backbones.get_backbone(config.backbone), monitor)
    content = io.BytesIO()
    np.savez(
        content,
        features=found.features.astype(np.float16),
        paths=np.array(found.paths),
        backbone=np.array(found.backbone),
    )
    with disk_errors():
        write_atomically(job.folder / "features.npz", content.getvalue())
    return True
