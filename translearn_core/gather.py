"""Looks at the photos of a data set once, through the frozen part of a network.

Owns: which outputs are kept of each photo under which key, the engine for each, the pass over
what is not cached yet, and what that pass tells the data set (facts, unreadable files).
Leaves to others: the pass itself and the cache (`features.py`), what is learned from the
features (`train.py`, `feasible.py`).

Training and the feasibility check look through here, so each finds what the other cached.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from translearn_core import backbones, costs
from translearn_core.augment import Strength
from translearn_core.backbones import Backbone
from translearn_core.config import Settings, load_configuration
from translearn_core.datasets import Dataset, PhotoFacts
from translearn_core.engine import Engine, KerasEngine, import_keras, open_prefix_engine, quick_pays
from translearn_core.errors import StopRequestedError
from translearn_core.features import (
    FeatureCache,
    FeatureKey,
    FeatureTable,
    Output,
    cache_folder,
    extract,
)
from translearn_core.weight_change import WeightChange
from translearn_core.weights import weights_status

Array = npt.NDArray[Any]
TELL_EVERY_S = 0.25
POOLED, PIXELS = "pooled", "pixels"
"""Names of cuts that are no layers: the whole backbone's pooled features; the decoded photo."""
STORES: dict[str, type] = {POOLED: np.float32, PIXELS: np.uint8}
"""Type that a cut is kept in; what comes out at a layer is kept as float16."""


_left_over: list[tuple[tuple[str, int, str], Any]] = []
"""At most one network that an engine was made from, and what tells it from others."""


def _tell_nobody(done: int, total: int, per_s: float) -> None:
    """No progress wanted."""


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Look:
    """Which photos are looked at, through which frozen network, and who hears of it.

    Args:
        dataset: the photos.
        backbone: the network.
        size: side of the photos for the network, in pixels.
        weights: `imagenet`, or `random` with `seed`.
        strength: what varied views (1 and up) mean.
        change: what the weights differ by.
        own_cache: folder to keep features in where the shared cache is switched off.
        progress: called with photos done, photos in all and photos a second.
        stop: asked between batches; True ends the pass.
    """

    dataset: Dataset
    backbone: Backbone
    size: int
    weights: Literal["imagenet", "random"] = "imagenet"
    seed: int = 0
    strength: Strength = "none"
    own_cache: Path | None = None
    change: WeightChange | None = None
    progress: Callable[[int, int, float], None] = field(default=_tell_nobody)
    stop: Callable[[], bool] = field(default=_never)

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
            strength=self.strength if view else "none",
            view=view,
            quick=bool(view and not pixels and quick_pays()),
        )

    @property
    def root(self) -> Path:
        """The shared cache; or a place of the caller's own where the cache is switched off."""
        if self.own_cache is not None and not load_configuration().cache_bytes:
            return self.own_cache
        return cache_folder()

    def output(self, cut: str, view: int = 0) -> Output:
        """One thing to keep of each photo: which, through which engine, in which type."""
        key = self.key(cut, view)
        return Output(
            key=key,
            open_engine=None if cut == PIXELS else lambda: self.open_engine(cut, quick=key.quick),
            store=np.dtype(STORES.get(cut, np.float16)),
            root=self.root,
        )

    def open_engine(self, cut: str, *, quick: bool = False) -> Engine:
        """The engine from pixels to `cut`; `quick` for views that only training sees."""
        built: list[Any] = []

        def build() -> Any:
            from translearn_core.graph.assembly import split_at
            from translearn_core.graph.walk import cut_points

            built.append(network := self.build_network())
            layer = cut_points(network)[-1] if cut == POOLED else cut
            return split_at(network, layer)[0]

        engine = open_prefix_engine(self.engine_path(cut), build, quick=quick)
        if built and not isinstance(engine, KerasEngine):
            _left_over[:] = [(self._identity, built[-1])]
        return engine

    def engine_path(self, cut: str) -> Path:
        """Where the converted graph from pixels to `cut` is kept."""
        return cache_folder() / "engines" / f"{self.key(cut).digest}.xml"

    def build_network(self) -> Any:
        """The backbone as a Keras model of the caller's own.

        One that an engine was just made from is given away, once.
        """
        import_keras()
        from translearn_core.graph.backbone import build_backbone

        identity, network = _left_over.pop() if _left_over else (None, None)
        if identity == self._identity:
            return network
        network = build_backbone(
            self.backbone, size=self.size, weights=self.weights, seed=self.seed
        )
        if self.change is not None:
            self.change.apply(network)
        return network

    @property
    def _identity(self) -> tuple[str, int, str]:
        return self.backbone.name, self.size, self.weights_identity

    def table(self, cut: str, view: int, hashes: Sequence[str]) -> FeatureTable:
        """Features of photos by content hash, all of them cached by now."""
        return FeatureCache(self.key(cut, view), root=self.root).table(hashes)

    def take(self, outputs: Sequence[Output], paths: Sequence[str]) -> PassReport:
        """Have every photo of `paths` (of the manifest) in the cache for all `outputs`.

        Decodes only what some output lacks. Facts, and photos that cannot be read, are
        recorded in the data set.

        Raises:
            StopRequestedError: `stop` said so; what was done stays cached.
        """
        photos = self.dataset.photos
        known = dict(zip(photos["path"], photos["sha256"], strict=True))
        caches = [FeatureCache(output.key, root=output.root) for output in outputs]
        missing = [
            path
            for path in paths
            if not known.get(path) or not all(known[path] in cache for cache in caches)
        ]
        if not missing:
            return PassReport()
        before = len(paths) - len(missing)
        result = extract(
            [self.dataset.photo_path(path) for path in missing],
            outputs,
            progress=_sparingly(
                lambda done, total, per_s: self.progress(before + done, before + total, per_s)
            ),
            stop=self.stop,
        )
        facts: dict[str, PhotoFacts] = {missing[i]: found for i, found in result.facts.items()}
        reasons = {missing[i]: reason for i, reason in result.left_out.items()}
        self.dataset.record_facts(facts, reasons)  # of a stopped pass too: the next goes on there
        if result.stopped:
            raise StopRequestedError
        if len(missing) >= 50:  # a pass long enough to tell the next person by
            costs.record_speed(self.backbone.name, pass_per_s=round(result.photos_per_s, 2))
        return PassReport(photos_per_s=result.photos_per_s, left_out=tuple(reasons))


@dataclass(frozen=True, kw_only=True)
class PassReport:
    """What a pass did: its speed (None when everything was cached), and what it left out."""

    photos_per_s: float | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Pooled features of all photos of a data set, in the order of its manifest.

    `features` `(n, d) float32`; `mirrored`, where asked for, the same of the mirrored photos.
    """

    features: Array
    mirrored: Array | None = None
    photos_per_s: float | None = None


def gather_pooled(
    dataset: Dataset,
    backbone: Backbone,
    *,
    size: int | None = None,
    mirrored: bool = False,
    progress: Callable[[int, int, float], None] = _tell_nobody,
    stop: Callable[[], bool] = _never,
) -> Pooled:
    """The backbone's pooled features of every photo that can be read.

    Args:
        size: side of the photos; default what training takes for this backbone.
        mirrored: also of the mirrored photos.
        progress, stop: see `Look`.

    Raises:
        StopRequestedError: `stop` said so.
        SourceError: nothing that can be trained on was left.
    """
    look = Look(
        dataset=dataset,
        backbone=backbone,
        size=size or backbones.image_size_for(backbone, Settings()),
        strength="mirror",
        progress=progress,
        stop=stop,
    )
    views = (0, 1) if mirrored else (0,)
    report = look.take([look.output(POOLED, view) for view in views], list(dataset.photos["path"]))
    hashes = list(dataset.photos["sha256"])
    tables = [look.table(POOLED, view, hashes) for view in views]
    rows = np.arange(len(hashes))
    return Pooled(
        features=tables[0].take(rows),
        mirrored=tables[1].take(rows) if mirrored else None,
        photos_per_s=report.photos_per_s,
    )


def _sparingly(tell: Callable[[int, int, float], None]) -> Callable[[int, int, float], None]:
    """`tell` a few times a second at most, and at the end."""
    told = 0.0

    def sometimes(done: int, total: int, per_s: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TELL_EVERY_S or done >= total:
            told = now
            tell(done, total, per_s)

    return sometimes
