"""Makes, while photos are still being looked at, what a run needs of Keras after that.

Owns: importing Keras, building the backbone and laying out the model to be saved in a thread.
Leaves to others: the steps of a run (`train.py`), the graphs (`graph/`).

All of it has to be done before learning begins: layers that are made draw from the random state of
the process, which learning sets.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from translearn_core.concurrency import run_in_thread, wait_for
from translearn_core.fitting.head import settings_of_kept_head
from translearn_core.fitting.plan import Network, Plan
from translearn_core.graph.engine import import_keras

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MadeAhead:
    """What there is when learning begins.

    Attributes:
        network: the backbone, which is nobody else's; None where the pass builds it.
        layout: see `saving.Layout`; None where the saved model depends on what is learned, or there
            was no time.
    """

    network: Any = None
    layout: Any = None


class Ahead:
    """Begins with it when it is made.

    Keras alone is imported where there is nothing to wait for, since the photos were looked at before,
    and where the pass builds the network.
    """

    def __init__(self, plan: Plan) -> None:
        look = plan.extractor
        self._plan = plan
        self._whole = look.is_recorded and not look.has_features
        self._is_awaited = threading.Event()
        self._made: Future[MadeAhead] = run_in_thread(self._make)

    def result(self, stop: Callable[[], bool]) -> MadeAhead:
        """What there is; what only saves time is left out where it would have to be waited for.

        Raises:
            StopRequestedError: `stop` returned True.
        """
        self._is_awaited.set()
        return wait_for(self._made, stop)

    def _make(self) -> MadeAhead:
        """What can be made; less where it fails: whoever needs it then makes it, and says why not."""
        try:
            return self._make_all()
        except Exception:
            logger.exception("Nothing is made ahead")
            return MadeAhead()

    def _make_all(self) -> MadeAhead:
        logger.info("Keras %s", import_keras().__version__)
        if not self._whole:
            return MadeAhead()
        plan = self._plan
        network = plan.extractor.build_network()
        if plan.fine_tunes or plan.techniques or self._is_awaited.is_set():
            return MadeAhead(network=network)
        from translearn_core.graph.assembly import build_head
        from translearn_core.graph.saving import lay_out

        classes = len(plan.dataset.classes)
        head = build_head(plan.backbone.features, classes, settings_of_kept_head(plan, classes))
        layout = lay_out(Network(plan, built=network).assemble(head))
        return MadeAhead(network=network, layout=layout)
