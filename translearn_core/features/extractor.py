"""Passes the photos of a data set once through the frozen part of a network.

Owns: which cuts are kept of each photo under which key, the engine for each, the pass over
what is not cached yet, and what that pass tells the data set (facts, unreadable files).
Leaves to others: the pass itself and the cache (`cache.py`), what is learned from the
features (`training/train.py`, `feasibility/job.py`).

Training and the feasibility check extract features here, so each finds what the other cached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from translearn_core import backbones, leftovers
from translearn_core.arrays import Array
from translearn_core.backbones import Backbone
from translearn_core.backbones.weights import weights_status
from translearn_core.backbones.weights_check import content_hash
from translearn_core.concurrency import release_memory
from translearn_core.config import load_configuration
from translearn_core.datasets import Dataset
from translearn_core.datasets.aspect_ratios import choose_fit
from translearn_core.datasets.missing_photos import check_deleted
from translearn_core.datasets.pending_stats import keep_facts, take_over_facts
from translearn_core.errors import StopRequestedError
from translearn_core.features import costs
from translearn_core.features.cache import FeatureCache, FeatureKey, FeatureTable, cache_folder
from translearn_core.features.extract import SHARD_PHOTOS, Output, ShardFacts
from translearn_core.features.node_pass import run_pass
from translearn_core.features.weight_change import WeightChange
from translearn_core.graph.engine import Engine, KerasEngine, bfloat16_pays
from translearn_core.graph.kept_engines import conversion_versions, open_prefix_engine
from translearn_core.graph.libraries import import_keras
from translearn_core.graph.recorded import has_record, recorded_prefix
from translearn_core.imaging import decoder_process
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.imaging.remote import PhotoFiles
from translearn_core.imaging.square import Fit
from translearn_core.monitor import SILENT, Monitor, PassProgress
from translearn_core.run_settings import Settings

POOLED, PIXELS = "pooled", "pixels"
"""Names of cuts that are no layers: the whole backbone's pooled features; the decoded photo."""
STORES: dict[str, type] = {POOLED: np.float32, PIXELS: np.uint8}
"""Type that a cut is kept in; what comes out at a layer is kept as float16."""


Cut = tuple[str, int]
"""What is kept of a photo: the name of a cut, and the number of the view (0: as it is)."""


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor:
    """Which photos are passed through which frozen network.

    Args:
        dataset: the photos.
        backbone: the network.
        size: side of the photos for the network, in pixels.
        fit: how photos that are not square become so.
        weights: `imagenet`, or `random` with `seed`.
        strength: what varied views (1 and up) mean.
        change: what the weights differ by.
        own_cache: folder to keep features in where the shared cache is switched off.
        shard: photos of which features and facts are kept together, see `extract.py`.
    """

    dataset: Dataset
    backbone: Backbone
    size: int
    fit: Fit = "stretch"
    weights: Literal["imagenet", "random"] = "imagenet"
    seed: int = 0
    strength: AugmentationPolicy = "none"
    own_cache: Path | None = None
    change: WeightChange | None = None
    shard: int = SHARD_PHOTOS

    @property
    def weights_identity(self) -> str:
        """What tells these weights from others, for cache keys."""
        if self.change is not None:
            return self.change.identity
        if self.weights == "random":
            return f"random-{self.seed}"
        path = weights_status(self.backbone).path
        facts = path.stat()
        return f"{path.name}-{facts.st_size}-{facts.st_mtime_ns}"

    def key(self, cut: str, view: int = 0) -> FeatureKey:
        """The cache key of what comes out at `cut` (`pooled`, `pixels` or a layer's name)."""
        pixels = cut == PIXELS
        return FeatureKey(
            backbone="" if pixels else self.backbone.name,
            weights="" if pixels else self.weights_identity,
            cut=cut,
            size=self.size,
            fit=self.fit,
            strength=self.strength if view else "none",
            view=view,
            quick=bool(view and not pixels and bfloat16_pays()),
        )

    @property
    def root(self) -> Path:
        """The shared cache; or a place of the caller's own where the cache is switched off."""
        if self.own_cache is not None and not load_configuration().cache_bytes:
            return self.own_cache
        return cache_folder()

    def engine_path(self, cut: str) -> Path:
        """Where the converted graph from pixels to `cut` is kept: once for a backbone, the content of
        its weights, a size of photos, and the versions of what converts it."""
        if self.change is not None or self.weights == "random":
            weights = self.weights_identity
        else:
            weights = content_hash(weights_status(self.backbone).path)
        facts = [self.backbone.name, weights, cut, str(self.size), conversion_versions()]
        digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]
        return cache_folder() / leftovers.ENGINES / f"{digest}.xml"

    @property
    def is_recorded(self) -> bool:
        """Whether its graph can be had without Keras, see `graph/recorded.py`."""
        of_file = self.change is None and self.weights == "imagenet"
        return of_file and has_record(self.backbone)

    def record(self, cut: str) -> Any:
        """The frozen part up to `cut` without Keras; None: not to be had."""
        if not self.is_recorded:
            return None

        layer = None if cut == POOLED else cut
        return recorded_prefix(self.backbone, size=self.size, cut=layer)

    def build_network(self) -> Any:
        """The backbone as a Keras model of the caller's own."""
        import_keras()
        from translearn_core.graph.build import build_backbone

        network = build_backbone(
            self.backbone, size=self.size, weights=self.weights, seed=self.seed
        )
        if self.change is not None:
            self.change.apply(network)
        return network

    def table(self, cut: str, view: int, hashes: Iterable[str]) -> FeatureTable:
        """Features of photos by content hash, all of them cached by now."""
        return FeatureCache(self.key(cut, view), root=self.root).table(hashes)

    @property
    def has_features(self) -> bool:
        """Whether the pooled features of all photos are cached."""
        cache = FeatureCache(self.key(POOLED), root=self.root)
        return bool(cache.holds(self.dataset.photos["sha256"]).all())

    def take(
        self,
        cuts: Sequence[Cut],
        paths: Sequence[str],
        monitor: Monitor,
        *,
        as_they_are: Sequence[str] = (),
    ) -> PassReport:
        """Have every photo of `paths` (of the manifest) in the cache for all `cuts`.

        Decodes only what some cut lacks, a shard of photos after the other. Facts, and photos that
        cannot be read, are recorded in the data set, those of a pass that was killed as well.

        Args:
            as_they_are: further photos, of which no varied view is taken.

        Raises:
            StopRequestedError: the monitor said so; what was done stays cached.
            SourceError: photos cannot be reached; the manifest stays as it is.
        """
        engines = Engines(self)
        outputs = [engines.output(cut, view) for cut, view in cuts]
        known = take_over_facts(self.dataset)
        varied = self._missing(paths, outputs)
        missing = [
            *varied,
            *self._missing(as_they_are, [out for out in outputs if not out.key.view]),
        ]
        if not missing:
            decoder_process.end_waiting()
            return PassReport(left_out=tuple(known))
        if len(varied) < len(missing):
            outputs = [replace(out, until=len(varied) if out.key.view else None) for out in outputs]
            outputs = [out for out in outputs if out.until != 0]
        n = len(paths) + len(as_they_are)
        tell = PassProgress(monitor, n, done=n - len(missing))

        def keep(facts: ShardFacts) -> None:
            stats = {missing[i]: entry for i, entry in facts.stats.items()}
            keep_facts(self.dataset, stats, {missing[i]: why for i, why in facts.left_out.items()})
            deleted = {missing[i]: why for i, why in facts.missing.items()}
            check_deleted(self.dataset, deleted)
            keep_facts(self.dataset, {}, deleted)

        result = run_pass(
            PhotoFiles(missing, self.dataset.photo_file),
            outputs,
            keep=keep,
            progress=lambda done, _total, per_s: tell(done, per_s),
            stop=lambda: monitor.stop_requested,
            shard=self.shard,
        )
        decoder_process.end_waiting()
        unreadable = take_over_facts(self.dataset)  # of a stopped pass too: the next goes on there
        release_memory()
        if result.stopped:
            raise StopRequestedError
        if len(missing) >= 50:  # a pass long enough to tell the next person by
            costs.record_speed(self.backbone.name, pass_per_s=round(result.photos_per_s, 2))
        return PassReport(
            photos_per_s=result.photos_per_s,
            left_out=(*known, *unreadable),
            network=engines.network,
        )

    def _missing(self, paths: Sequence[str], outputs: Sequence[Output]) -> list[str]:
        """The photos that some output lacks."""
        photos = self.dataset.photos[["path", "sha256"]].drop_duplicates("path")
        rows = pd.Index(photos["path"]).get_indexer(pd.Index(list(paths)))
        hashes = photos["sha256"].iloc[rows[rows >= 0]]
        there = np.zeros(len(paths), np.bool_)
        there[rows >= 0] = np.logical_and.reduce(
            [FeatureCache(output.key, root=output.root).holds(hashes) for output in outputs]
        )
        return [path for path, is_there in zip(paths, there, strict=True) if not is_there]

    def mirrored(self, photos: pd.DataFrame, monitor: Monitor) -> Array:
        """Pooled features of mirrored photos `(n, d) float32`.

        Args:
            photos: rows of the manifest, of photos that can be read.

        Raises:
            StopRequestedError: the monitor said so.
        """
        look = replace(self, strength="mirror")
        look.take([(POOLED, 1)], list(photos["path"]), monitor)
        table = look.table(POOLED, 1, list(photos["sha256"]))
        return table.take(np.arange(len(photos)))


class Engines:
    """Opens the engines from pixels to cuts, each once; builds the backbone once at most.

    `network` is the backbone, where it was built and no engine runs on its layers.
    """

    def __init__(self, look: FeatureExtractor) -> None:
        self._look = look
        self._opened: dict[tuple[str, bool], Engine] = {}
        self.network: Any = None

    def output(self, cut: str, view: int) -> Output:
        """One thing to keep of each photo: which, through which engine, in which type."""
        look = self._look
        key = look.key(cut, view)
        return Output(
            key=key,
            open_engine=None if cut == PIXELS else lambda: self._open(cut, quick=key.quick),
            store=np.dtype(STORES.get(cut, np.float16)),
            root=look.root,
        )

    def _open(self, cut: str, *, quick: bool) -> Engine:
        """The engine to `cut`; `quick` for views that only training sees."""
        if (cut, quick) in self._opened:
            return self._opened[cut, quick]
        path = self._look.engine_path(cut)
        engine = open_prefix_engine(
            path,
            lambda: self._build_prefix(cut),
            record=lambda: self._look.record(cut),
            quick=quick,
        )
        if isinstance(engine, KerasEngine):
            self.network = None
        self._opened[cut, quick] = engine
        return engine

    def _build_prefix(self, cut: str) -> Any:
        from translearn_core.graph.assembly import split_at
        from translearn_core.graph.walk import cut_points

        if self.network is None:
            self.network = self._look.build_network()
        layer = cut_points(self.network)[-1] if cut == POOLED else cut
        return split_at(self.network, layer)[0]


@dataclass(frozen=True, kw_only=True)
class PassReport:
    """What a pass did.

    Attributes:
        photos_per_s: its speed; None when everything was cached.
        left_out: photos that cannot be read.
        network: the backbone, where it was built for an engine that no longer needs it: whoever
            takes it may change it.
    """

    photos_per_s: float | None = None
    left_out: tuple[str, ...] = ()
    network: Any = None


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Pooled features of all photos of a data set, in the order of its manifest.

    `features` `(n, d) float32`, memory-mapped, one row for each of `paths`; `extractor` extracted
    them.
    """

    features: FeatureTable
    paths: tuple[str, ...]
    extractor: FeatureExtractor
    photos_per_s: float | None = None


def extract_pooled(
    dataset: Dataset,
    backbone: Backbone,
    *,
    size: int | None = None,
    fit: Fit | None = None,
    monitor: Monitor = SILENT,
) -> Pooled:
    """The backbone's pooled features of every photo that can be read.

    Args:
        size: side of the photos; default what training takes for this backbone.
        fit: how they become squares; default what training takes for these photos.

    Raises:
        StopRequestedError: the monitor said so.
        SourceError: nothing that can be trained on was left.
    """
    look = FeatureExtractor(
        dataset=dataset,
        backbone=backbone,
        size=size or backbones.image_size_for(backbone, Settings()),
        fit=fit or choose_fit("auto", dataset).fit,
    )
    paths = list(dataset.photos["path"])
    report = look.take([(POOLED, 0)], paths, monitor)
    photos = dataset.photos
    photos = photos[photos["path"].isin(paths)]  # others may have come in meanwhile
    return Pooled(
        features=look.table(POOLED, 0, photos["sha256"]),
        paths=tuple(map(str, photos["path"])),
        extractor=look,
        photos_per_s=report.photos_per_s,
    )
