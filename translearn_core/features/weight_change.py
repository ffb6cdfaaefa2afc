"""The difference of a run's backbone from the weights of its file.

Owns: `WeightChange`, and which one a run has that starts from another run.
Leaves to others: building the backbone (`graph/build.py`), features through it (`extractor.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from translearn_core.backbones.dino_weights import resize_positions
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_core.runs.find import find_run
from translearn_core.runs.run_metrics import RunMetrics


@dataclass(frozen=True, kw_only=True)
class WeightChange:
    """What makes a backbone's weights others than those of its file.

    `identity` tells these weights from others, for cache keys; `apply` changes a backbone that
    `graph.backbone.build_backbone` made.
    """

    identity: str
    apply: Callable[[Any], None]


def backbone_change(settings: Settings) -> WeightChange | None:
    """What a run that starts from another one has in its backbone beside the file's weights.

    Raises:
        RunError: the run to start from is not there.
    """
    if not settings.start_from:
        return None
    run = find_run(settings.start_from)
    figures = figures_of(run)
    theirs = run.config.settings
    if not (
        figures is None  # brought in from elsewhere: nobody knows
        or figures.fine_tuned
        or theirs.weights == "random"
        or (figures.adaptation is not None and figures.adaptation.way == "batchnorm")
        or theirs.start_from
    ):
        return None
    facts = run.model_path.stat()

    def apply(network: Any) -> None:
        from translearn_core.graph.saving import load_model

        model = load_model(run.model_path)
        known = {layer.name: layer for layer in model.layers}
        for layer in network.layers:
            if layer.weights and layer.name in known:
                layer.set_weights(_fitted(known[layer.name].get_weights(), layer))

    identity = f"run-{run.id}-{facts.st_size}-{facts.st_mtime_ns}"
    return WeightChange(identity=identity, apply=apply)


def _fitted(weights: list[Any], layer: Any) -> list[Any]:
    """The weights of a layer as another one like it takes them: position embeddings of DINOv2, whose
    number goes with the size of the photos, are interpolated."""
    fitted = []
    for array, variable in zip(weights, layer.weights, strict=True):
        if array.ndim == 2 and len(array) != variable.shape[0]:
            side = math.isqrt(variable.shape[0] - 1)
            array = resize_positions(array, (side, side))
        fitted.append(array)
    return fitted


def figures_of(run: Run) -> RunMetrics | None:
    """What metrics.json says; None for a model that was brought in."""
    return run.metrics if (run.folder / "metrics.json").is_file() else None
