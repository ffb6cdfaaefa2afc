"""Makes, while photos are still being looked at, what a run needs of Keras after that.

Owns: importing Keras, building the backbone, and a plain head with its graphs, in a thread.
Leaves to others: the steps of a run (`train.py`), the graphs (`graph/`), fitting (`fitting/fit.py`).

All of it has to be done before learning begins: layers that are made draw from the random state of
the process, which learning sets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from translearn_core.concurrency import run_in_thread, wait_for
from translearn_core.fitting.plan import Plan
from translearn_core.graph.engine import bfloat16_pays
from translearn_core.graph.libraries import import_keras

logger = logging.getLogger(__name__)

OF_THE_PASS = ("h5py", "onnx")
"""What opening an engine imports."""
OF_LEARNING = ("scipy.optimize", "scipy.sparse.csgraph")
"""What finding near-duplicates and learning import, for which nothing else would go on."""


@dataclass(kw_only=True)
class Made:
    """What was made, each nobody else's: the backbone, and a new head that is ready to be fitted; None
    where it was not."""

    network: Any = None
    head: Any = None


class Ahead:
    """Begins with it when it is made.

    The backbone is not built where the network is not needed (the model is saved by its record), where
    there is nothing to wait for, since the photos were looked at before, and where the pass builds it.
    A head is made where the model is saved by its record: it begins as every new one does then, and the
    pass, which would draw from the same random state of the process, builds nothing in Keras.
    """

    def __init__(self, plan: Plan) -> None:
        look = plan.extractor
        self._plan = plan
        self._makes_head = plan.expects_to_save_by_record
        self._builds = look.is_recorded and not look.has_features and not self._makes_head
        bfloat16_pays()  # loads OpenVINO, for which the pass would wait until TensorFlow is loaded
        self._making: Future[Made] = run_in_thread(self._make)

    def made(self, stop: Callable[[], bool]) -> Made:
        """What was made.

        Raises:
            StopRequestedError: `stop` returned True.
        """
        return wait_for(self._making, stop)

    def _make(self) -> Made:
        """What can be made; less where it fails: whoever needs it then makes it, and says why not."""
        made = Made()
        try:
            import_for_pass()
            logger.info("Keras %s", import_keras().__version__)
            if self._builds:
                made.network = self._plan.extractor.build_network()
            if self._makes_head:
                made.head = self._make_head()
            for name in OF_LEARNING:
                import_module(name)
        except Exception:
            logger.exception("Less is made ahead")
        return made

    def _make_head(self) -> Any:
        from translearn_core.fitting.fit import make_ready
        from translearn_core.graph.assembly import build_head

        plan = self._plan
        head = build_head(plan.backbone.features, len(plan.dataset.classes), plan.settings)
        make_ready(head, plan.settings)
        return head


def import_for_pass() -> None:
    """Import what opening an engine would import, which comes before TensorFlow's libraries.

    While these are loaded, a thread that imports another compiled module waits for the system to load it
    and holds the lock of the interpreter meanwhile.
    """
    for name in OF_THE_PASS:
        import_module(name)
