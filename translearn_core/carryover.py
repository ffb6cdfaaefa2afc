"""Starting from a run: what was learned on other photos is where learning begins.

Owns: what is carried over from a run: its backbone's weights where they were changed, its hidden
layer, the outputs of classes with the same name, and, where its photos are still here, the photos
of those classes, which are learned from beside the new ones so that nothing is forgotten
(rehearsal, as by Robins 1995). They are moved to the mean and deviation of the new photos first,
and weigh as much as those together.
Leaves to others: the fit (`train.py`), which runs fit (`techniques.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from translearn_core.config import Settings
from translearn_core.gather import WeightChange
from translearn_core.runs import Run
from translearn_core.techniques import find_run, refuse_taught
from translearn_core.texts import _

if TYPE_CHECKING:
    from translearn_core.lesson import Lesson
    from translearn_core.material import Material
    from translearn_core.others import Others
    from translearn_core.plan import Plan

Array = npt.NDArray[Any]
SHRINK = 0.1
"""Part of the old photos' deviation that is added to that of a few new ones."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """From features of the old photos to those of the new ones: `x -> x * scale + shift`."""

    scale: Array
    shift: Array

    @classmethod
    def between(cls, old: Array, new: Array) -> Move:
        """Mean and deviation of `old` `(n, d)` become those of `new` `(m, d)`."""
        deviation = old.std(axis=0) + 1e-3
        scale = (new.std(axis=0) + SHRINK * deviation) / deviation
        return cls(scale=scale, shift=new.mean(axis=0) - old.mean(axis=0) * scale)

    def __call__(self, features: Array) -> Array:
        moved: Array = (features * self.scale + self.shift).astype(np.float32)
        return moved


def backbone_change(settings: Settings) -> WeightChange | None:
    """What a run that starts from another one has in its backbone beside the file's weights.

    Raises:
        RunError: the run to start from is not there.
    """
    if not settings.start_from:
        return None
    run = find_run(settings.start_from)
    figures = run.metrics if (run.folder / "metrics.json").is_file() else {}
    theirs = run.config.settings
    renormed = figures.get("adaptation", {}).get("way") == "batchnorm"
    if not (
        not figures  # brought in from elsewhere: nobody knows
        or figures.get("fine_tuned")
        or theirs.weights == "random"
        or renormed
        or theirs.start_from
    ):
        return None
    facts = run.model_path.stat()

    def apply(network: Any) -> None:
        from translearn_core.model import load_model

        model = load_model(run.model_path)
        known = {layer.name: layer for layer in model.layers}
        for layer in network.layers:
            if layer.weights and layer.name in known:
                layer.set_weights(known[layer.name].get_weights())

    identity = f"run-{run.id}-{facts.st_size}-{facts.st_mtime_ns}"
    return WeightChange(identity=identity, apply=apply)


def carry_over(plan: Plan, material: Material) -> Lesson:
    """The lesson of a run that starts from another one.

    Raises:
        SettingsError: that run learned from photos that are tested here.
        StopRequestedError: the run was asked to stop.
    """
    from translearn_core.lesson import Lesson

    run = find_run(plan.settings.start_from)
    tested = material.photos.iloc[material.rows("test")]
    refuse_taught(run, set(tested["sha256"]))
    shared = [name for name in run.labels if name in material.classes]
    lesson, old = Lesson(material=material), None
    others = _old_photos(plan, run, material) if shared and not plan.fine_tunes else None
    if others is not None:
        rows = np.flatnonzero(material.split == "train")
        move = Move.between(others.pooled, material.pooled.take(rows))
        lesson, old = _rehearsing(material, others, move), move
    figures = {
        "run": str(run.folder),
        "classes_carried_over": shared,
        "backbone_changed": plan.change is not None,
        "rehearsed_photos": 0 if others is None else len(others),
    }
    carried: list[str] = []

    def new_head(plan: Plan, material: Material) -> Any:
        head, parts = start_head(plan, material, run, old)
        carried[:] = parts
        return head

    return replace(
        lesson,
        new_head=new_head,
        report=lambda _answers: {"carryover": figures | {"layers": list(carried)}},
    )


def _old_photos(plan: Plan, run: Run, material: Material) -> Others | None:
    """The photos of the run to start from whose classes are known here; None without any."""
    from translearn_core.others import gather_others

    folder = Path(run.config.dataset)
    if not (folder / "dataset.json").is_file():
        plan.run.append_event(
            "warning",
            text=_(
                "The photos of the run that this one starts from are no longer here; only its "
                "weights are carried over."
            ),
        )
        return None
    others = gather_others(plan, str(folder))
    own = set(material.photos["sha256"])
    known = others.photos["class_name"].isin(material.classes)
    chosen = np.flatnonzero((known & ~others.photos["sha256"].isin(own)).to_numpy())
    return others.chosen(chosen) if len(chosen) else None


def _rehearsing(material: Material, others: Others, move: Move) -> Lesson:
    """Old photos among what is learned, moved to where the new ones lie."""
    from translearn_core.lesson import Lesson
    from translearn_core.others import with_guests

    codes = {name: code for code, name in enumerate(material.classes)}
    labels = [codes[name] for name in others.photos["class_name"]]
    targets = np.eye(len(codes), dtype=np.float32)[labels]
    moved = replace(
        others, pooled=move(others.pooled), views=tuple(move(view) for view in others.views)
    )
    own = int((material.split != "test").sum())
    weights = np.full(len(others), min(1.0, own / len(others)), np.float32)
    return Lesson(material=with_guests(material, moved.as_guests(targets, weights)))


def start_head(
    plan: Plan, material: Material, run: Run, move: Move | None
) -> tuple[Any, list[str]]:
    """A head that begins with what the run's head knows, and what that is, by layer.

    Args:
        move: from the features that the run's head knows to those of this run.
    """
    from translearn_core.lesson import build_new_head
    from translearn_core.model import OUTPUT, load_model

    head = build_new_head(plan, material)
    model = load_model(run.model_path)
    theirs = {layer.name: layer for layer in model.layers if hasattr(layer, "kernel")}
    old_hidden = theirs.get("head_hidden")
    hidden = next((layer for layer in head.layers if layer.name == "head_hidden"), None)
    carried: list[str] = []
    output = theirs.get(OUTPUT)
    if (hidden is None) != (old_hidden is None) or output is None:
        return head, carried
    if hidden is not None and old_hidden is not None:
        if hidden.kernel.shape != old_hidden.kernel.shape:
            return head, carried
        hidden.set_weights(_moved(old_hidden.get_weights(), move))
        carried.append("head_hidden")
        move = None
    kernel, bias = head.get_layer(OUTPUT).get_weights()
    old_kernel, old_bias = _moved(output.get_weights(), move)
    if old_kernel.shape[0] != kernel.shape[0]:
        return head, carried
    for place, name in enumerate(material.classes):
        if name in run.labels:
            kernel[:, place] = old_kernel[:, run.labels.index(name)]
            bias[place] = old_bias[run.labels.index(name)]
            carried.append(f"{OUTPUT}: {name}")
    head.get_layer(OUTPUT).set_weights([kernel, bias])
    return head, carried


def _moved(weights: list[Array], move: Move | None) -> list[Array]:
    """A dense layer's weights that answer to moved features as they did to the old ones."""
    if move is None:
        return weights
    kernel, bias = weights
    turned = kernel / move.scale[:, None]
    return [turned, bias - move.shift @ turned]
