"""The text of the program that repeats a run without the app.

Owns: its sections, and the values of the template `script/train.py.j2`. The program preprocesses,
freezes, trains and tests as `training/train.py` does, without what is there for speed, for small
memory or for the page.
Leaves to others: its code (the template), reading the run, and the files (`keras_script.py`).

The program is in English.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translearn_core.backbones import Backbone
from translearn_core.backbones.dino_weights import DEPTH
from translearn_core.fitting.early_stopping import MIN_PATIENCE, PATIENCE_PARTS
from translearn_core.fitting.head import REFIT_BELOW
from translearn_core.imaging.augment import VIEWS
from translearn_core.imaging.square import BORDER
from translearn_core.recipe import technique_table
from translearn_core.run_settings import Settings
from translearn_core.runs.run_metrics import CalibrationMetrics, RunMetrics, TaskMetrics
from translearn_core.templates import render_block

TEMPLATE = "script/train.py.j2"
TASK = "task: "
"""Stands before the name of a further task at the head of its column in the list of photos."""


@dataclass(frozen=True)
class Section:
    """A titled stretch of the program: a cell of the notebook."""

    title: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the program is written from."""

    name: str
    stem: str
    settings: Settings
    backbone: Backbone
    metrics: RunMetrics
    photos: Path
    certain: bool
    heif: bool
    validation_given: bool
    further: tuple[TaskMetrics, ...]
    """Figures of the further tasks whose labels are still kept with the photos."""

    @property
    def fine_tunes(self) -> bool:
        return bool(self.metrics.frozen_layers < self.metrics.total_layers)

    @property
    def strength(self) -> str:
        """How photos were varied, with `auto` settled."""
        return str(self.metrics.augmentation or self.settings.augmentation)

    @property
    def refits(self) -> bool:
        """Whether validation photos are learned from too, see `training/train.py`."""
        wanted = self.settings.refit and not self.fine_tunes and not self.validation_given
        return wanted and 0 < int(self.metrics.n_val) < REFIT_BELOW

    @property
    def fine_tune_epochs(self) -> int:
        return self.settings.split_epochs(fine_tunes=self.fine_tunes)[1]

    @property
    def head_epochs(self) -> int:
        return self.settings.split_epochs(fine_tunes=self.fine_tunes)[0]

    @property
    def frozen_layers(self) -> int:
        """How many of the layers that Keras builds are frozen."""
        extra = self.backbone.after_normalization and self.settings.weights == "imagenet"
        frozen = int(self.metrics.frozen_layers)
        return frozen + 1 if extra and frozen else frozen  # Keras' own Rescaling counts there


def introduction(facts: Facts) -> str:
    """What the program is, and what it leaves out."""
    metrics, settings = facts.metrics, facts.settings
    lines = [
        f"How the computer learned to tell photos apart: {facts.name}",
        "",
        "Written by TransLearn. It does without the app what the app did, with the same photos in",
        f"the same parts. There it was right on {metrics.test_correct} of {metrics.n_test} "
        "test photos.",
    ]
    if not facts.certain:
        lines += [
            "The photos have changed since then: the test photos are the same, the others may not be."
        ]
    left_out = [row.title for row in technique_table.in_use(settings)]
    if left_out:
        lines += [
            f"This program learns plainly. It leaves out: {', '.join(left_out)}.",
            "So its figure may differ.",
        ]
    if facts.further:
        answered = ", ".join(
            f"{task.name} (right on {task.test_correct} of {task.n_test})" for task in facts.further
        )
        lines += [f"The same look answered further questions: {answered}."]
    lost = [task.name for task in metrics.further_tasks if task not in facts.further]
    if lost:
        lines += [f"It leaves out {', '.join(lost)}: the labels are not with the photos any more."]
    needs = "tensorflow numpy pillow" + (" pi-heif" if facts.heif else "")
    return "\n".join([*lines, "", f"Needs: pip install {needs}"])


def sections_of(facts: Facts, *, in_notebook: bool) -> list[Section]:
    """The program, in order; settings come first."""
    values = _values_of(facts, in_notebook)
    titles = {
        "settings": "Settings",
        "photos": "The photos, prepared as the network wants them",
        "backbone": "The backbone, a network that has already learned to see",
        "features": "What the frozen backbone sees, once per photo",
        "head": "The head, the new part that learns the classes",
        "tune": "Fine-tuning: the last blocks learn, too, in small steps",
        "tasks": "More questions: a head for each, on the same numbers",
        "test": "The honest test, and the model to keep",
    }
    if not facts.fine_tunes:
        del titles["tune"]
    if not facts.further:
        del titles["tasks"]
    return [
        Section(title, render_block(TEMPLATE, block, **values)) for block, title in titles.items()
    ]


def own_weights(backbone: Backbone) -> str:
    """The file of weights beside a program whose network is not one of Keras'."""
    return f"{backbone.name}.npz"


def _values_of(facts: Facts, in_notebook: bool) -> dict[str, Any]:
    """What the template is filled in with."""
    backbone, settings = facts.backbone, facts.settings
    halves = {task.name: task.linear_half for task in facts.further if task.linear_half}
    calibrated = {task.name: task.calibration or CalibrationMetrics() for task in facts.further}
    # Left to itself, Keras takes another file of these backbones for another size of photos.
    names_file = settings.weights == "imagenet" and "_224_" in backbone.weight_file
    return {
        "facts": facts,
        "settings": settings,
        "backbone": backbone,
        "metrics": facts.metrics,
        "in_notebook": in_notebook,
        "weights_address": backbone.weight_url.rpartition("/")[0] if names_file else "",
        "own_weights": own_weights(backbone),
        "dino": {"depth": DEPTH, **dict(backbone.arguments)},
        "least_patience": MIN_PATIENCE,
        "patience_parts": PATIENCE_PARTS,
        "views": VIEWS,
        "border": BORDER,
        "temperature": (facts.metrics.calibration or CalibrationMetrics()).temperature,
        "task_prefix": TASK,
        "questions": {task.name: task.classes for task in facts.further},
        "has_halves": bool(facts.metrics.linear_half or halves),
        "halves": {
            name: (
                half.share,
                half.spread_power,
                half.penalty,
                (half.temperature, half.hidden_temperature),
            )
            for name, half in halves.items()
        },
        "damping": {name: figures.temperature for name, figures in calibrated.items()},
        "tasks_are_judged": not facts.refits
        and all(figures.fitted_on for figures in calibrated.values()),
    }
