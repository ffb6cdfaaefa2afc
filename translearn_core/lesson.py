"""What the head of a run learns from, once the techniques of its settings have had their say.

Owns: `Lesson`, and which technique prepares it. A plain run's lesson is its material as it is.
Leaves to others: the techniques themselves, each a module of its own, and learning (`train.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from translearn_core.artefacts import Answers
from translearn_core.material import Material
from translearn_core.plan import Plan


def build_new_head(plan: Plan, material: Material) -> Any:
    """A head that knows nothing yet."""
    from translearn_core import model as graphs

    return graphs.build_head(plan.backbone.features, len(material.classes), plan.settings)


def _as_it_is(head: Any) -> Any:
    return head


def _nothing(_answers: Answers) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What the head learns from, and what becomes of it.

    Attributes:
        material: photos, features and targets; more photos than the run's own may stand in it.
        new_head: makes the head that learning starts from.
        finish: makes of the head that has learned the one that goes with the run's own features.
        report: what metrics.json says of the techniques, once the test photos are answered.
    """

    material: Material
    new_head: Callable[[Plan, Material], Any] = field(default=build_new_head)
    finish: Callable[[Any], Any] = field(default=_as_it_is)
    report: Callable[[Answers], dict[str, Any]] = field(default=_nothing)


def prepare_lesson(plan: Plan, material: Material, enter: Callable[..., None]) -> Lesson:
    """The lesson of a run; techniques that look at more photos say so by `enter`.

    Raises:
        StopRequestedError: the run was asked to stop meanwhile.
        InputError: what a technique needs is not there.
    """
    return Lesson(material=material)
