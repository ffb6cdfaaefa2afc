"""Makes, while photos are still being looked at, what a run needs of Keras after that.

Owns: importing Keras, building the backbone and laying out the model to be saved in a thread.
Leaves to others: the steps of a run (`train.py`), the graphs (`graph/`).

All of it has to be done before learning begins: layers that are made draw from the random state of
the process, which learning sets.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from translearn_core.concurrency import run_in_thread
from translearn_core.fitting.head import settings_of_kept_head
from translearn_core.fitting.plan import Network, Plan
from translearn_core.graph.engine import import_keras

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MadeAhead:
    """What there is when learning begins.

    Attributes:
        network: the backbone, which is nobody else's; None where the pass builds it.
        layout: see `saving.Layout`; None where the saved model depends on what is learned.
    """

    network: Any = None
    layout: Any = None


def make_ahead(plan: Plan) -> Future[MadeAhead]:
    """Begin with it.

    Keras alone is imported where there is nothing to wait for, since the photos were looked at before,
    and where the pass builds the network.
    """
    look = plan.extractor
    whole = look.is_recorded and not look.has_features
    return run_in_thread(lambda: _make(plan, whole))


def _make(plan: Plan, whole: bool) -> MadeAhead:
    logger.info("Keras %s", import_keras().__version__)
    if not whole:
        return MadeAhead()
    network = plan.extractor.build_network()
    if plan.fine_tunes or plan.techniques:
        return MadeAhead(network=network)
    from translearn_core.graph.assembly import build_head
    from translearn_core.graph.saving import lay_out

    classes = len(plan.dataset.classes)
    head = build_head(plan.backbone.features, classes, settings_of_kept_head(plan, classes))
    layout = lay_out(Network(plan, built=network).assemble(head))
    return MadeAhead(network=network, layout=layout)
