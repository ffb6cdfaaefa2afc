"""Which technique prepares the lesson of a run: one line each.

Owns: `prepare_lesson`. Leaves to others: the techniques.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from translearn_core.lesson import Lesson
from translearn_core.material import Material
from translearn_core.plan import Plan


def prepare_lesson(
    plan: Plan, material: Material, learn_plainly: Callable[[], Any], enter: Callable[..., None]
) -> Lesson:
    """The lesson of a run, by the techniques of its settings.

    Args:
        learn_plainly: learns a head from `material` as it is, for figures to compare with.
        enter: told of the stage in which more photos or models are looked at.

    Raises:
        StopRequestedError: the run was asked to stop meanwhile.
        InputError: what a technique needs is not there.
    """
    settings = plan.settings
    if settings.adapt_to:
        from translearn_core.adaptation import adapt

        enter("running", "technique")
        return adapt(plan, material, learn_plainly)
    if settings.unlabelled:
        from translearn_core.selftraining import self_train

        enter("running", "technique")
        return self_train(plan, material)
    if settings.distill_from:
        from translearn_core.distillation import distil

        enter("running", "technique")
        return distil(plan, material)
    if settings.start_from:
        from translearn_core.carryover import carry_over

        enter("running", "technique")
        return carry_over(plan, material)
    return Lesson(material=material)
