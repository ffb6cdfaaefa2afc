"""Further samples beside a run's own photos: unlabelled ones, their features, training on them.

Owns: `UnlabelledSet` (unlabelled photos with their features), `with_extra_samples` (the training data of a run with
such samples appended).
Leaves to others: which classes they are taken for (`auto_adaptation.py`, `self_training.py`), the pass
over them (`features/extractor.py`), where they lie (`datasets.open_unlabelled`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Array, Ints
from translearn_core.datasets.duplicates import bare_hashes
from translearn_core.errors import SourceError
from translearn_core.features.extractor import POOLED
from translearn_core.fitting.data import TrainingData, extract_features
from translearn_core.fitting.inputs import FeatureSource, InMemory, Stacked
from translearn_core.fitting.plan import Plan
from translearn_core.i18n import _, number
from translearn_core.imaging.augment import VIEWS
from translearn_core.monitor import Monitor


@dataclass(frozen=True, kw_only=True)
class ExtraSamples:
    """Photos beside a run's own that its head learns from, too; all arrays by row.

    `labels` `(n,)` are the likeliest classes, `targets` `(n, classes)` what is learned, `weights`
    `(n,)` how much each counts.
    """

    photos: pd.DataFrame
    pooled: FeatureSource
    views: tuple[FeatureSource, ...]
    labels: Ints
    targets: Array
    weights: Array


def with_extra_samples(
    data: TrainingData, extra: ExtraSamples, *, own: bool = True
) -> TrainingData:
    """The training data with the extra samples appended.

    Args:
        own: whether the run's own training and validation photos are learned from as well;
            if not, they stand `aside`.
    """
    n, m = len(data.labels), len(extra.labels)
    split = data.split.astype("<U8")
    if not own:
        split = np.where(split == "test", split, "aside")
    beyond = int(max(data.groups.max(initial=-1), data.copies.max(initial=-1))) + 1
    more_groups = beyond + datasets.groups_of(extra.photos)
    targets = data.targets
    if targets is None:
        targets = np.eye(len(data.classes), dtype=np.float32)[data.labels]
    weights = np.ones(n, np.float32) if data.weights is None else data.weights
    return replace(
        data,
        photos=pd.concat([data.photos, extra.photos], ignore_index=True),
        labels=np.concatenate([data.labels, extra.labels]),
        groups=np.concatenate([data.groups, more_groups]),
        copies=np.concatenate([data.copies, more_groups]),
        split=np.concatenate([split, np.full(m, "train")]),
        pooled=Stacked(data.pooled, extra.pooled),
        views_pooled=tuple(
            Stacked(one, other) for one, other in zip(data.views_pooled, extra.views, strict=True)
        ),
        targets=np.concatenate([targets, extra.targets]).astype(np.float32),
        weights=np.concatenate([weights, extra.weights]).astype(np.float32),
    )


@dataclass(frozen=True, kw_only=True)
class UnlabelledSet:
    """Unsorted photos as the run's frozen backbone sees them, rows in one order.

    `photos` is their manifest with absolute paths; `views` are tables like `TrainingData.views_pooled`.
    In `groups` `(n,)` near-copies and frames of one burst share a number, where they were looked for.
    """

    photos: pd.DataFrame
    pooled: Array
    views: tuple[Array, ...]
    groups: Ints | None = None

    def __len__(self) -> int:
        return len(self.photos)

    def groups_or_each(self) -> Ints:
        """`groups`; each photo by itself where nobody looked."""
        return np.arange(len(self)) if self.groups is None else self.groups

    def chosen(self, rows: npt.NDArray[np.integer]) -> UnlabelledSet:
        """Some of them."""
        return UnlabelledSet(
            photos=self.photos.iloc[rows].reset_index(drop=True),
            pooled=self.pooled[rows],
            views=tuple(view[rows] for view in self.views),
            groups=None if self.groups is None else self.groups[rows],
        )

    def as_extra_samples(self, targets: Array, weights: Array | None = None) -> ExtraSamples:
        """To be learned from with these targets `(n, classes)`."""
        return ExtraSamples(
            photos=self.photos,
            pooled=InMemory(self.pooled),
            views=tuple(InMemory(view) for view in self.views),
            labels=targets.argmax(axis=1).astype(np.int64),
            targets=targets.astype(np.float32),
            weights=np.ones(len(targets), np.float32) if weights is None else weights,
        )


def gather_unlabelled(
    plan: Plan, named: str, monitor: Monitor, *, most: int | None = None
) -> UnlabelledSet:
    """Have unlabelled photos run through the frozen backbone, in as many views as the run's own.

    Args:
        named: what the setting names, see `datasets.open_unlabelled`.
        most: of more photos than that so many are looked at, the same in every run; all by default.

    Raises:
        StopRequestedError: the run was asked to stop.
        SourceError: there is no photo that can be read.
    """
    dataset = datasets.open_unlabelled(named, stop=lambda: monitor.stop_requested)
    look = plan.extractor_for(dataset)
    views = range(VIEWS[plan.augmentation] + 1)
    cuts = [(POOLED, view) for view in views]
    paths = dataset.photos["path"].to_numpy()
    if most is not None and len(paths) > most:
        text = _(
            "{most} of the {n} photos in {name}, drawn by chance, are used for adaptation: the figures "
            "are of these."
        )
        monitor.warning(
            text.format(most=number(most, ","), n=number(len(paths), ","), name=dataset.name)
        )
        paths = paths[np.sort(np.random.default_rng(41).permutation(len(paths))[:most])]
    extract_features(look, cuts, list(paths), monitor)
    photos = dataset.photos
    photos = photos[photos["path"].isin(paths)]
    photos = photos[~bare_hashes(photos).duplicated()].reset_index(drop=True)
    if photos.empty:
        raise SourceError(_("No photo in {name} could be read.").format(name=dataset.name))
    hashes, rows = list(photos["sha256"]), np.arange(len(photos))
    tables = [look.table(POOLED, view, hashes).take(rows) for view in views]
    files = [str(dataset.photo_path(path)) for path in photos["path"]]
    return UnlabelledSet(
        photos=photos.assign(path=files), pooled=tables[0], views=tuple(tables[1:])
    )
