"""Which class does what a row of the table of techniques promises.

Owns: `build_techniques`. A technique is one row in `recipe/technique_table.py` and one line here.
Leaves to others: the techniques, each a module of its own. Those that bring Keras in are imported
when they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from translearn_core.fitting.plan import Plan
from translearn_core.techniques.base import Technique, Techniques
from translearn_core.techniques.distillation import Distillation
from translearn_core.techniques.warm_start import WarmStart


def _adaptation(plan: Plan) -> Technique:
    from translearn_core.techniques.adaptation_methods import METHODS

    return METHODS[plan.settings.adaptation](plan)


def _self_training(plan: Plan) -> Technique:
    from translearn_core.techniques.self_training import SelfTraining

    return SelfTraining(plan)


def _adversarial(plan: Plan) -> Technique:
    from translearn_core.techniques.adversarial import AdversarialTraining

    return AdversarialTraining(plan)


BUILDERS: dict[str, Callable[[Plan], Technique]] = {
    "start_from": WarmStart,
    "distill_from": Distillation,
    "adapt_to": _adaptation,
    "unlabelled": _self_training,
    "adversarial": _adversarial,
}
"""By the name of the row. MixUp and CutMix have none: they change only how batches are made."""


def build_techniques(plan: Plan, new_head: Any = None) -> Techniques:
    """The techniques of a run, by its settings; `new_head`: see `Techniques`."""
    rows = [row.name for row in plan.techniques if row.name in BUILDERS]
    return Techniques(plan, tuple(BUILDERS[name](plan) for name in rows), new_head=new_head)
