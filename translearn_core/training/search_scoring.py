"""How a search scores settings: cross-validation outside the test part, given up when far behind.

Owns: `Score`, when one is better than another, and `Search`, what is known while a search goes on.
Leaves to others: what is tried (`search_space.py`), the trials (`search_trials.py`), learning
(`train.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Bools
from translearn_core.evaluation.cross_validation import assign_folds
from translearn_core.evaluation.linear_probe import log_loss
from translearn_core.fitting.data import TrainingData, gather_training_data
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_core.training.save import Clock
from translearn_core.training.search_space import Space
from translearn_core.training.train import learn

FOLDS = 3
GIVE_UP_BEHIND = 0.05
"""A trial ends after a fold where it is right so much less often than the leader was there."""
TRIAL_EPOCHS = 20
"""Most rounds of a trial: enough to tell settings apart, in half the time of a run."""
LOSS_WEIGHT = 0.02
"""How much the log-loss counts beside the accuracy, to tell equals apart."""
CERTAINTY = 2.0
"""Standard errors by which settings have to beat the default: the best of many looks about one
better than it is, because it was picked."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What cross-validation says of settings: `right` `(n,) bool` by photo, and the log-loss."""

    right: Bools
    log_loss: float

    @property
    def accuracy(self) -> float:
        """Share of photos that were named right by a head that had not learned from them."""
        return float(self.right.mean())

    @property
    def value(self) -> float:
        """What the search makes as large as it can."""
        return self.accuracy - LOSS_WEIGHT * min(self.log_loss, 5.0)

    def beats(self, other: Score) -> bool:
        """Whether it is better by more than `CERTAINTY` standard errors, with McNemar's correction."""
        better = int((self.right & ~other.right).sum())
        worse = int((~self.right & other.right).sum())
        return bool(better - worse - 1 > CERTAINTY * (better + worse) ** 0.5)


@dataclass
class Search:
    """One search while it goes on.

    Args:
        run: its folder.
        plan: of its default settings.
        monitor: told of trials and stages.
        minutes: how long it may take.
        began: by the monotonic clock.
        leads: whether this process tells trials as events, and ends the search; others help it.
    """

    run: Run
    plan: Plan
    monitor: Monitor
    minutes: float
    began: float
    scores: dict[str, Score] = field(default_factory=dict)
    settings: dict[str, Settings] = field(default_factory=dict)
    leader: str = ""
    given_up: int = 0
    leads: bool = True
    _materials: dict[tuple[Any, ...], TrainingData] = field(default_factory=dict)

    @cached_property
    def space(self) -> Space:
        """What it may try."""
        return Space(self.plan, self.minutes)

    def score(self, settings: Settings, monitor: Monitor) -> Score | None:
        """Cross-validate settings; None when they were given up, or the monitor said stop."""
        plan = replace(make_plan(self.run, settings), fit_choice=self.plan.fit_choice)
        data = self._material(plan, monitor)
        rows = np.flatnonzero(data.split != "test")
        folds = self._folds(data, rows)
        epochs = min(settings.epochs, TRIAL_EPOCHS)
        short = settings.model_copy(update={"refit": False, "epochs": epochs})
        learning = replace(plan, settings=short, augmentation=data.mirroring.augmentation)
        right = np.zeros(len(rows), bool)
        answers = np.zeros((len(rows), len(data.classes)), np.float64)
        leader = self.scores.get(self.leader)
        for fold in range(FOLDS):
            judged = folds == fold
            if not judged.any():  # there are fewer groups than folds
                continue
            answers[judged] = self._learn_fold(learning, data, rows, judged, monitor)
            if monitor.stop_requested:
                return None
            right[judged] = answers[judged].argmax(axis=1) == data.labels[rows[judged]]
            behind = (
                leader is not None
                and settings != self.space.default
                and right[judged].mean() < leader.right[judged].mean() - GIVE_UP_BEHIND
            )
            if behind and fold == 0:
                return None
        return Score(right=right, log_loss=log_loss(answers, data.labels[rows]))

    def _learn_fold(
        self,
        plan: Plan,
        data: TrainingData,
        rows: Array,
        judged: Bools,
        monitor: Monitor,
    ) -> Array:
        """Probabilities of the photos of one fold, by a model that learned from the others."""
        split = data.split.copy()
        split[rows] = np.where(judged, "val", "train")
        with_fold = replace(data, split=split)
        return learn(plan, with_fold, monitor.silent(), Clock()).validation.probs

    def _material(self, plan: Plan, monitor: Monitor) -> TrainingData:
        """Photos and features of a plan, gathered once."""
        key = (
            plan.backbone.name,
            plan.image_size,
            plan.fit,
            plan.augmentation,
            plan.freeze.cut_layer,
        )
        if key not in self._materials:
            data = gather_training_data(plan, monitor.silent())
            self._materials[key] = replace(data, network=None)  # every trial changes its own
        return self._materials[key]

    def _folds(self, data: TrainingData, rows: Array) -> Array:
        """The fold of each photo, the same in every trial; copies stay together."""
        codes = pd.factorize(data.groups[rows])[0].astype(np.int64)
        return assign_folds(
            data.labels[rows],
            codes,
            folds=FOLDS,
            rng=np.random.default_rng([self.plan.settings.seed, 11]),
        )
