"""What a technique may change of plain training.

Owns: `Technique`, the base class of all of them, which changes nothing; `TrainingSet`, what a head
learns from; and `Techniques`, those of one run together.
Leaves to others: the techniques, each a module of its own; which of them a run has
(`registry.py`); the order of steps (`training/train.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.features.weight_change import WeightChange
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.head import build_new_head
from translearn_core.fitting.inputs import FeatureSource
from translearn_core.fitting.plan import Network, Plan
from translearn_core.monitor import Monitor

if TYPE_CHECKING:
    from translearn_core.fitting.fit_spec import Fitted


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What the head of a run learns from.

    Attributes:
        data: photos, features and targets; more photos than the run's own may stand below its
            rows, and features may be others than those that the saved network makes.
        joined: what it learns from once more, validation photos included; None: it does not,
            because these photos are to tell what became of the old domain.
        anew: whether the head then begins afresh, over all epochs: what it learned before was of
            other answers.
        left_plain: whether a technique that changes the head of a run has changed nothing of this one.
        own_features: what the saved network makes of the run's own photos, by row; None where
            that is what stands in the run's data.
        change: what the saved network's weights differ by from the plan's.
    """

    data: TrainingData
    joined: TrainingData | None
    anew: bool = False
    left_plain: bool = False
    own_features: FeatureSource | None = None
    change: WeightChange | None = None

    @classmethod
    def of(cls, data: TrainingData) -> TrainingSet:
        """The plain one."""
        return cls(data=data, joined=data.joined())


class Technique:
    """Plain training. A technique overrides what it changes, and keeps what it needs in itself.

    Made anew for every training. The methods are called in this order.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def prepare(self, training: TrainingSet, monitor: Monitor) -> TrainingSet:
        """What the head learns from.

        Raises:
            StopRequestedError: the monitor said so.
            InputError: what the technique needs is not there.
        """
        return training

    def initial_head(self, data: TrainingData) -> Any:
        """The head that learning starts from; None: a new one."""
        return None

    def fit_head(self, head: Any, data: TrainingData, monitor: Monitor) -> Fitted | None:
        """Fit the head in a way of its own; None: it is fitted as usual."""
        return None

    def finalize(self, head: Any) -> Any:
        """The fitted head -> the head that goes with the saved network."""
        return head

    def as_saved(self, features: Any) -> Any:
        """Features `(n, d)` as they are learned from -> as the saved network makes them, about."""
        return features

    def before_fine_tuning(
        self, network: Network, head: Any, data: TrainingData, monitor: Monitor
    ) -> None:
        """Look at the model before its blocks learn, too."""

    def fine_tuned_model(self, model: Any, network: Network, head: Any) -> Any:
        """The model that fine-tuning fits; it shares its layers with `model`."""
        return model

    def after_training(self, network: Network, head: Any, monitor: Monitor) -> None:
        """Look at the finished model, unless the run was stopped."""

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """What metrics.json says of it, once the test photos are answered."""
        return {}


class Techniques(Technique):
    """The techniques of one run together, in the order of the table; without any: plain training.

    The rules of the table see to it that at most one of them changes the training set.

    Args:
        new_head: a new head, where it was made already: learning starts from it once.
    """

    def __init__(
        self, plan: Plan, techniques: tuple[Technique, ...] = (), *, new_head: Any = None
    ) -> None:
        super().__init__(plan)
        self._techniques = techniques
        self._new_head = new_head

    def prepare(self, training: TrainingSet, monitor: Monitor) -> TrainingSet:
        """See `Technique.prepare`."""
        for technique in self._techniques:
            training = technique.prepare(training, monitor)
        return training

    def initial_head(self, data: TrainingData) -> Any:
        """See `Technique.initial_head`; never None."""
        heads = (technique.initial_head(data) for technique in self._techniques)
        head = next((head for head in heads if head is not None), None)
        if head is not None:
            return head
        made, self._new_head = self._new_head, None
        if made is not None and made.output_shape[-1] == len(data.classes):
            return made
        return build_new_head(self.plan, data)

    def fit_head(self, head: Any, data: TrainingData, monitor: Monitor) -> Fitted | None:
        """See `Technique.fit_head`."""
        for technique in self._techniques:
            fitted = technique.fit_head(head, data, monitor)
            if fitted is not None:
                return fitted
        return None

    def finalize(self, head: Any) -> Any:
        """See `Technique.finalize`."""
        for technique in self._techniques:
            head = technique.finalize(head)
        return head

    def as_saved(self, features: Any) -> Any:
        """See `Technique.as_saved`."""
        for technique in self._techniques:
            features = technique.as_saved(features)
        return features

    def before_fine_tuning(
        self, network: Network, head: Any, data: TrainingData, monitor: Monitor
    ) -> None:
        """See `Technique.before_fine_tuning`."""
        for technique in self._techniques:
            technique.before_fine_tuning(network, head, data, monitor)

    def fine_tuned_model(self, model: Any, network: Network, head: Any) -> Any:
        """See `Technique.fine_tuned_model`."""
        for technique in self._techniques:
            model = technique.fine_tuned_model(model, network, head)
        return model

    def after_training(self, network: Network, head: Any, monitor: Monitor) -> None:
        """See `Technique.after_training`."""
        for technique in self._techniques:
            technique.after_training(network, head, monitor)

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """See `Technique.figures`."""
        figures: dict[str, Any] = {}
        for technique in self._techniques:
            figures |= technique.figures(test)
        return figures
