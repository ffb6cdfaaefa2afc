"""What a run learns from: its photos, their split, and what the frozen part made of them.

Owns: which cuts a run keeps, the split of its photos, and sources that the fit loop reads by
row. Leaves to others: the pass over the photos (`features/extractor.py`), the split's rule (`datasets`),
learning (`fit.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Array, Ints
from translearn_core.backbones import freezing
from translearn_core.concurrency import release_memory, run_stoppable
from translearn_core.errors import PhotoError, SourceError
from translearn_core.features.cache import FeatureTable
from translearn_core.features.extractor import (
    PIXELS,
    POOLED,
    Cut,
    FeatureExtractor,
    PassReport,
)
from translearn_core.fitting.inputs import FeatureSource
from translearn_core.fitting.mirroring import Mirroring, settle_mirroring
from translearn_core.fitting.plan import Network, Plan
from translearn_core.i18n import _, ngettext
from translearn_core.imaging.augment import VIEWS
from translearn_core.imaging.remote import PhotoFile, PhotoFiles
from translearn_core.imaging.square import Fit
from translearn_core.monitor import Monitor
from translearn_core.runs import provenance
from translearn_core.runs.find import find_run

PHOTOS = "photos"
"""The cut of photos decoded afresh in every epoch: no cache holds it."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The photos of a run and what the frozen part made of them; rows are indices of `photos`."""

    photos: pd.DataFrame
    classes: list[str]
    labels: Ints
    split: npt.NDArray[np.str_]
    groups: Ints
    """Photos that stay on one side of every split share a number: copies, bursts, named groups."""
    copies: Ints
    """Copies and frames of one burst alone share a number."""
    pooled: FeatureSource
    """Features of every photo."""
    cut: Any
    """Inputs of the unfrozen part, a `FeatureSource`; None when all is frozen."""
    cut_is_pixels: bool
    views_pooled: tuple[FeatureSource, ...]
    views_cut: tuple[FeatureSource, ...]
    photos_per_s: float | None
    targets: Array | None = None
    """What each photo is to be answered with, `(n, classes) float32`; None: its label."""
    view_targets: tuple[Array, ...] = ()
    """The same for each of the views, where it differs."""
    weights: Array | None = None
    """How much each photo counts in the loss beside the balance of classes, `(n,) float32`."""
    mirroring: Mirroring
    """The augmentation that the run uses: its plan's, unless mirroring does harm."""
    network: Any = None
    """The backbone, where it was built on the way and is nobody else's."""

    def rows(self, name: str) -> Ints:
        """Rows of one subset of the split."""
        return np.flatnonzero(self.split == name)

    def joined(self) -> TrainingData:
        """The same with the validation photos among the training photos."""
        return replace(self, split=np.where(self.split == "val", "train", self.split))


def gather_training_data(plan: Plan, monitor: Monitor) -> TrainingData:
    """Have every photo decoded, checked and run through the frozen part; then split.

    Raises:
        StopRequestedError: the run was asked to stop.
        SourceError: too few photos could be read, or groups leave none for the test.
    """
    cuts, cut_name = _choose_cuts(plan, monitor)
    dataset, settings, look = plan.dataset, plan.settings, plan.extractor
    listed = set(dataset.photos["path"])
    report = _first_pass(plan, cuts, monitor)
    datasets.check_ready(dataset)
    photos = dataset.photos.reset_index(drop=True)
    if not listed.issuperset(photos["path"]):  # more came in meanwhile
        return gather_training_data(plan, monitor)
    hashes = list(photos["sha256"])
    pooled = look.table(POOLED, 0, hashes)
    together, split = run_stoppable(
        lambda: (_tell_groups(plan, pooled), _split(plan)), lambda: monitor.stop_requested
    )
    release_memory()
    if not photos.equals(dataset.photos.reset_index(drop=True)):  # somebody sorted meanwhile
        datasets.forget_groups(dataset)
        return gather_training_data(plan, monitor)
    subsets = split.loc[photos["path"]].to_numpy(dtype=str)
    before = settings.start_from or plan.split_like
    if before:
        subsets = provenance.inherit_split(subsets, photos, together.groups, find_run(before))
    if dataset.record.grouped_by and not (subsets == "test").any():
        raise SourceError(
            _(
                "No photo could be kept for the test: with each of the groups ({by}) a class would "
                "lose all of its photos to learn from. Add photos of more groups, or do without them "
                "(`--group-by none`, or on the page Photos)."
            ).format(by=dataset.record.grouped_by)
        )
    groups, copies = together.groups, together.copies
    used = subsets != datasets.ASIDE
    if not used.all():
        photos, subsets = photos[used].reset_index(drop=True), subsets[used]
        groups, copies = groups[used], copies[used]
        hashes = list(photos["sha256"])
        pooled = look.table(POOLED, 0, hashes)
    classes = list(dataset.classes)
    codes = {name: code for code, name in enumerate(classes)}
    labels = np.array([codes[name] for name in photos["class_name"]], np.int64)
    mirroring = settle_mirroring(plan, photos, pooled, labels, groups, subsets, monitor)
    if mirroring.said:
        monitor.warning(mirroring.said)
    plan = replace(plan, augmentation=mirroring.augmentation)
    learned = subsets != "test" if settings.refit and not plan.fine_tunes else subsets == "train"
    views, network = _extract_views(plan, cuts, photos[learned], monitor)
    tables = {cut: look.table(cut, 0, hashes) for cut in cuts}
    cut: Any = tables.get(cut_name)
    if cut_name == PHOTOS:
        paths = PhotoFiles(list(photos["path"]), dataset.photo_file)
        cut = PhotoSource(paths, plan.image_size, plan.fit)
    rows = np.flatnonzero(learned)
    return TrainingData(
        photos=photos,
        classes=classes,
        labels=labels,
        split=subsets,
        groups=groups,
        copies=copies,
        pooled=tables[POOLED],
        cut=cut,
        cut_is_pixels=cut_name in (PIXELS, PHOTOS),
        views_pooled=tuple(_ViewTable(t[POOLED], rows, tables[POOLED]) for t in views),
        views_cut=tuple(
            _ViewTable(t[cut_name], rows, tables[cut_name]) for t in views if cut_name in t
        ),
        photos_per_s=report.photos_per_s,
        mirroring=mirroring,
        network=report.network or network,
    )


def _first_pass(plan: Plan, cuts: Sequence[str], monitor: Monitor) -> PassReport:
    """Features of every photo; where photos are only mirrored, of the mirrored ones in the same pass.

    Which photos are learned from is not known before their features are, unless the source gave
    them for validation or the test: those are not mirrored.
    """
    photos, look = plan.dataset.photos, plan.extractor
    plain = [(cut, 0) for cut in cuts]
    if plan.augmentation != "mirror":
        return extract_features(look, plain, list(photos["path"]), monitor)
    mirrored = [(cut, 1) for cut in cuts if cut != PIXELS]
    given = photos["split"].isin(["val", "test"])
    return extract_features(
        look,
        plain + mirrored,
        list(photos["path"][~given]),
        monitor,
        as_they_are=list(photos["path"][given]),
    )


def _split(plan: Plan) -> pd.Series:
    """The subset of each photo, by its path."""
    settings = plan.settings
    return datasets.assign_splits(
        plan.dataset,
        validation_share=settings.validation_share,
        test_share=settings.test_share,
        seed=settings.seed,
    )


def _tell_groups(plan: Plan, pooled: FeatureTable) -> datasets.Together:
    """Which photos belong together; random weights have nothing to say about that."""
    if plan.settings.weights == "random":
        return datasets.together(plan.dataset)
    return datasets.assign_groups(plan.dataset, pooled)


def extract_features(
    look: FeatureExtractor,
    cuts: Sequence[Cut],
    paths: Sequence[str],
    monitor: Monitor,
    *,
    as_they_are: Sequence[str] = (),
) -> PassReport:
    """One pass, see `FeatureExtractor.take`; the person is told of photos that had to be left out."""
    report = look.take(cuts, paths, monitor, as_they_are=as_they_are)
    if report.left_out:
        names = ", ".join(Path(path).name for path in report.left_out[:3])
        n = len(report.left_out)
        names += " …" if n > 3 else ""
        text = ngettext(
            "{n} file could not be read and is left out: {names}",
            "{n} files could not be read and are left out: {names}",
            n,
        )
        monitor.warning(text.format(n=n, names=names))
    return report


class _ViewTable:
    """A varied view of the photos that are learned from, addressed by the rows of all photos.

    A photo without such a view stands as it is: what judges a technique, and the folds of a search,
    take rows that the run itself does not learn from.

    Args:
        table: the view.
        rows: the photos that are in it.
        plain: all photos as they are.
    """

    def __init__(self, table: FeatureTable, rows: Ints, plain: FeatureTable) -> None:
        self._table, self._plain = table, plain
        self._index = np.full(len(plain), -1, np.int64)
        self._index[rows] = np.arange(len(rows))
        self.shape = plain.shape

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """See `FeatureSource`."""
        places = self._index[rows]
        there = places >= 0
        if there.all():
            return self._table.take(places)
        result = self._plain.take(rows)
        result[there] = self._table.take(places[there])
        return result


class PhotoSource:
    """Photos decoded as they are asked for: where nothing of them fits into the cache."""

    def __init__(self, paths: Sequence[PhotoFile], size: int, fit: Fit) -> None:
        self._paths = paths
        self.shape = (len(self._paths), size, size, 3)
        self._size, self._fit = size, fit

    def take(self, rows: npt.NDArray[np.integer]) -> Array:
        """Photos `(len(rows), size, size, 3) uint8`; one that vanished since is grey."""
        result = np.full((len(rows), self._size, self._size, 3), 128, np.uint8)
        chosen = [self._paths[row] for row in rows]
        for index, photo in datasets.iterate_photos(chosen, size=self._size, fit=self._fit):
            if not isinstance(photo, PhotoError):
                result[index] = photo.image
        return result


def _choose_cuts(plan: Plan, monitor: Monitor) -> tuple[list[str], str]:
    """What to keep of each photo, and the name of what the unfrozen part is fed with.

    The head always learns on pooled features. An unfrozen part is fed, in order of preference,
    with what comes out at the cut, with the decoded photos, or with photos decoded afresh in
    every epoch: the first that the cache has room for. CutMix pastes rectangles, which the tokens
    of a transformer have no place for: it gets photos.
    """
    if not plan.fine_tunes:
        return [POOLED], ""
    n = len(plan.dataset.photos)
    room = plan.configuration.cache_bytes * 0.9
    copies = 1 + VIEWS[plan.augmentation] * (1 - plan.settings.test_share)
    pixels_bytes = n * plan.image_size * plan.image_size * 3
    needs_photos = plan.resists or (plan.settings.cutmix > 0 and plan.backbone.size_step > 1)
    if plan.freeze.cut_layer is not None and not needs_photos:
        cut_bytes = n * copies * _cut_values(plan) * 2
        if cut_bytes <= room:
            return [POOLED, plan.freeze.cut_layer], plan.freeze.cut_layer
        _warn_no_room(plan, cut_bytes, monitor)
    if pixels_bytes <= room:
        return [POOLED, PIXELS], PIXELS
    return [POOLED], PHOTOS


def _cut_values(plan: Plan) -> int:
    """Numbers that come out at the cut for one photo, about."""
    if plan.settings.freeze_layer:  # maybe within a block, whose shape only the graph knows
        prefix, _suffix = Network(plan).parts
        return int(np.prod(prefix.output_shape[1:]))
    graph = freezing.blocks_of(plan.backbone)
    height, width, channels = graph.blocks[plan.freeze.frozen_blocks - 1].output
    scale = (plan.image_size / plan.backbone.input_size) ** 2
    return int(height * width * channels * scale) + 1


def _warn_no_room(plan: Plan, needed_bytes: float, monitor: Monitor) -> None:
    monitor.warning(
        _(
            "The features of all photos would take {needed:.1f} GB, more than the "
            "cache may hold ({room:.1f} GB). They run again in every epoch, which is slower. "
            "Raise `cache_bytes` in config.toml, or freeze fewer or more blocks."
        ).format(needed=needed_bytes / 2**30, room=plan.configuration.cache_bytes / 2**30)
    )


def _extract_views(
    plan: Plan, cuts: Sequence[str], photos: pd.DataFrame, monitor: Monitor
) -> tuple[list[dict[str, FeatureTable]], Any]:
    """Features of the varied views of the training photos, a dictionary by cut for each view; and
    the backbone that was built on the way, see `PassReport`."""
    look = plan.extractor
    numbers = range(1, VIEWS[plan.augmentation] + 1)
    cuts = [cut for cut in cuts if cut != PIXELS]
    wanted = [(cut, view) for view in numbers for cut in cuts]
    if not wanted:
        return [], None
    report = extract_features(look, wanted, list(photos["path"]), monitor)
    hashes = list(photos["sha256"])
    tables = [{cut: look.table(cut, view, hashes) for cut in cuts} for view in numbers]
    return tables, report.network
