"""What the head of a run learns from, once the techniques of its settings have had their say.

Owns: `Lesson`, and whether validation photos are learned from, too. A plain run's lesson is its
material as it is.
Leaves to others: which technique makes it (`prepare.py`), the techniques themselves, each a
module of its own, and learning (`train.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from translearn_core.material import Material
from translearn_core.plan import Plan
from translearn_core.predictions import Answers
from translearn_core.weight_change import WeightChange

REFIT_BELOW = 150
"""With so many validation photos they judge well, and matter little as training photos: with 198 a
refit on 2,000 photos of litter gained nothing over five seeds (0.776 after 0.781)."""


def build_new_head(plan: Plan, material: Material) -> Any:
    """A head that knows nothing yet."""
    from translearn_core.graph.assembly import build_head

    return build_head(plan.backbone.features, len(material.classes), plan.settings)


def learns_again(plan: Plan, material: Material, judges: int) -> bool:
    """Whether a head learns once more, from training and validation photos together.

    Args:
        judges: validation photos that carry a label of the head's task.
    """
    given = (material.photos["split"] == "val").any()
    wanted = plan.settings.refit and not plan.fine_tunes and not plan.run.stop_requested
    return bool(wanted and not given and 0 < judges < REFIT_BELOW)


def _as_it_is(what: Any) -> Any:
    return what


def _nothing(_answers: Answers) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What the head learns from, and what becomes of it.

    Attributes:
        material: photos, features and targets; more photos than the run's own may stand below its
            rows, and features may be others than those that the saved network makes.
        own_features: what the saved network makes of the run's own photos, by row; None where
            that is what stands in the run's material.
        target_features: the same of unsorted photos, `(m, d)`; None: as they were gathered.
        change: what the saved network's weights differ by from the plan's.
        new_head: makes the head that learning starts from.
        learned: whether that head has learned already.
        refits: whether the head may learn once more, from the validation photos too: not where
            they are to tell what became of the old place.
        together: what it then learns from; None: `material` with the validation photos in it.
        finish: makes of the head that has learned the one that goes with the saved network.
        as_seen: features as they are learned from -> as the saved network makes them, about.
        report: what metrics.json says of the techniques, once the test photos are answered.
    """

    material: Material
    own_features: Any = None
    target_features: Any = None
    change: WeightChange | None = None
    new_head: Callable[[Plan, Material], Any] = field(default=build_new_head)
    learned: bool = False
    refits: bool = True
    together: Material | None = None
    finish: Callable[[Any], Any] = field(default=_as_it_is)
    as_seen: Callable[[Any], Any] = field(default=_as_it_is)
    report: Callable[[Answers], dict[str, Any]] = field(default=_nothing)
