"""Makes, while photos are still being looked at, what a run needs of Keras after that.

Owns: importing Keras and building the backbone in a thread.
Leaves to others: the steps of a run (`train.py`), the graphs (`graph/`).

All of it has to be done before learning begins: layers that are made draw from the random state of
the process, which learning sets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from translearn_core.concurrency import run_in_thread, wait_for
from translearn_core.fitting.plan import Plan
from translearn_core.graph.engine import import_keras

logger = logging.getLogger(__name__)


class Ahead:
    """Begins with it when it is made.

    Keras alone is imported where the network is not needed (the model is saved by its record), where
    there is nothing to wait for, since the photos were looked at before, and where the pass builds it.
    """

    def __init__(self, plan: Plan) -> None:
        look = plan.extractor
        self._plan = plan
        self._builds = (
            look.is_recorded and not look.has_features and not plan.expects_to_save_by_record
        )
        self._made: Future[Any] = run_in_thread(self._make)

    def network(self, stop: Callable[[], bool]) -> Any:
        """The backbone, which is nobody else's; None where it was not built.

        Raises:
            StopRequestedError: `stop` returned True.
        """
        return wait_for(self._made, stop)

    def _make(self) -> Any:
        """What can be made; less where it fails: whoever needs it then makes it, and says why not."""
        try:
            logger.info("Keras %s", import_keras().__version__)
            return self._plan.extractor.build_network() if self._builds else None
        except Exception:
            logger.exception("Nothing is made ahead")
            return None
