"""What a hyperparameter search tries: the backbones, the ranges of the settings, the first trials.

Leaves to others: which of them is tried next (Optuna, `search_trials.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna.trial import FixedTrial

from translearn_core import backbones
from translearn_core.backbones import Backbone, freezing
from translearn_core.backbones.weights import weights_status
from translearn_core.features import costs
from translearn_core.fitting.plan import Plan
from translearn_core.run_settings import Settings, make_settings
from translearn_core.training.train import OPERATIONS_PER_S

MOST_BACKBONES = 4
DEEP_MINUTES = 10.0
"""From so many minutes on, trials may also free the last blocks; each takes minutes itself."""


@dataclass
class Space:
    """What a search may try.

    Args:
        plan: of the default settings.
        minutes: how long the search may take.
    """

    plan: Plan
    minutes: float

    @cached_property
    def backbones(self) -> list[Backbone]:
        """The default's backbone, and others that are ready and quick enough, the best first."""
        default = self.plan.backbone
        others = [
            row
            for row in backbones.BACKBONES.values()
            if row.top1 is not None
            and row.name != default.name
            and weights_status(row).state == "ready"
            and self._pass_s(row) < 0.1 * self.minutes * 60
        ]
        return [default, *sorted(others, key=lambda row: -(row.top1 or 0))][:MOST_BACKBONES]

    def _pass_s(self, backbone: Backbone) -> float:
        """Seconds that looking at all photos through a backbone takes, about."""
        n = len(self.plan.dataset.photos)
        measured = costs.expected_pass_s(backbone.name, n)
        if measured is not None:
            return measured
        area = (backbone.default_size / backbone.input_size) ** 2
        macs = sum(block.macs for block in freezing.blocks_of(backbone).blocks)
        return n * 2 * macs * area / OPERATIONS_PER_S

    def propose(self, trial: Any) -> Settings:
        """Settings that Optuna suggests."""
        values: dict[str, Any] = {
            "backbone": trial.suggest_categorical("backbone", [row.name for row in self.backbones]),
            "head": trial.suggest_categorical("head", ["auto", "hidden", "linear"]),
            "dropout": trial.suggest_float("dropout", 0.1, 0.7, step=0.1),
            "learning_rate": trial.suggest_float("learning_rate", 2e-4, 5e-3, log=True),
            "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2, step=0.05),
            "augmentation": trial.suggest_categorical("augmentation", ["auto", "none"]),
        }
        if values["head"] != "linear":
            values["hidden_units"] = trial.suggest_categorical("hidden_units", [256, 512, 1024])
        if self.minutes >= DEEP_MINUTES:
            free = trial.suggest_categorical("free_blocks", [0, 0, 1, 2])
            values |= {"freeze": -free, "augmentation": "none"} if free else {}
        values["learning_rate"] = float(f"{values['learning_rate']:.2g}")
        values["dropout"] = round(values["dropout"], 2)
        values["label_smoothing"] = round(values["label_smoothing"], 2)
        return make_settings(values, base=self.plan.settings)

    def begin_with(self) -> list[dict[str, Any]]:
        """The first trials: the default, and its backbone changed; by Optuna's names."""
        default = self.plan.settings
        values = {
            "head": default.head,
            "dropout": default.dropout,
            "learning_rate": default.learning_rate,
            "label_smoothing": default.label_smoothing,
            "augmentation": "auto",
            "hidden_units": default.hidden_units,
            "free_blocks": 0,
        }
        return [values | {"backbone": row.name} for row in self.backbones] + [
            values | {"backbone": self.plan.backbone.name, "head": "linear", "dropout": 0.3}
        ]

    @cached_property
    def default(self) -> Settings:
        """What everything is held against; tried first, and never given up."""
        return self.propose(FixedTrial(self.begin_with()[0]))
