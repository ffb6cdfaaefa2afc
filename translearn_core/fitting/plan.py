"""What a run is going to do, settled before it begins.

Owns: `Plan`: data set, settings and backbone of a run with all choices made, and what follows
from them (epochs of each phase, the network cut in two).
Leaves to others: what a run looks at (`data.py`) and the doing (`training/train.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from translearn_core import datasets
from translearn_core.concurrency import limit_blas
from translearn_core.config import Configuration, load_configuration
from translearn_core.datasets import Dataset
from translearn_core.datasets.aspect_ratios import FitChoice
from translearn_core.features.extractor import POOLED, FeatureExtractor
from translearn_core.features.weight_change import WeightChange, backbone_change
from translearn_core.graph.device import prepare_device
from translearn_core.graph.gpus import count_gpus
from translearn_core.graph.kept_engines import is_confirmed, kept_engine
from translearn_core.graph.keras_file import can_be_written
from translearn_core.graph.known_answers import has_answers
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.imaging.reading import set_reading
from translearn_core.imaging.square import Fit
from translearn_core.recipe.resolve import ResolvedSettings, resolve
from translearn_core.recipe.technique_table import plain_settings
from translearn_core.run_settings import Settings
from translearn_core.runs import Run


@dataclass(frozen=True, kw_only=True)
class Plan(ResolvedSettings):
    """What a run is going to do."""

    run: Run
    dataset: Dataset
    configuration: Configuration
    augmentation: AugmentationPolicy
    fit_choice: FitChoice
    device: str = ""
    change: WeightChange | None = None
    """What the backbone's weights differ by from those of its file."""
    split_like: str = ""
    """The run whose split is inherited where no technique starts from it."""

    @property
    def fit(self) -> Fit:
        """How photos that are not square become so."""
        return self.fit_choice.fit

    @property
    def fine_tunes(self) -> bool:
        """Whether anything learns from more than pooled features."""
        return not self.freeze.all_frozen or self.resists

    @property
    def resists(self) -> bool:
        """Whether it learns from photos changed on purpose."""
        return self.settings.adversarial != "none"

    @property
    def fine_tune_epochs(self) -> int:
        """Epochs of the second phase."""
        return self._epochs[1]

    @property
    def head_epochs(self) -> int:
        """Epochs of the first phase."""
        return self._epochs[0]

    @property
    def _epochs(self) -> tuple[int, int]:
        share = 0.5 if self.resists else 0.25
        return self.settings.split_epochs(fine_tunes=self.fine_tunes, share=share)

    def limit_blas(self) -> AbstractContextManager[object]:
        """What every training of this process stands in, see `concurrency.limit_blas`."""
        return limit_blas(len(self.dataset.photos) * len(self.dataset.classes))

    def without_techniques(self) -> Plan:
        """The plain run that it is compared with, on the same test photos."""
        plain = plain_settings(self.settings)
        return replace(
            self, settings=plain, techniques=(), change=None, split_like=self.settings.start_from
        )

    @property
    def saves_by_record(self) -> bool:
        """Whether the model is saved without being built: where it could be, and Keras has confirmed, in
        an earlier run or by answers that are known, what its features come from."""
        return self.could_save_by_record and is_confirmed(self.extractor.engine_path(POOLED))

    @property
    def expects_to_save_by_record(self) -> bool:
        """Whether that is so, or is going to be when photos were looked at: what Keras answers is known."""
        if not self.could_save_by_record:
            return False
        path = self.extractor.engine_path(POOLED)
        is_new = not kept_engine(path) and has_answers(self.backbone, self.image_size)
        return is_new or is_confirmed(path)

    @property
    def could_save_by_record(self) -> bool:
        """Whether all of the model is known but for the head: the graph of the backbone is recorded, and
        nothing learns in it."""
        if self.fine_tunes or self.techniques or count_gpus():
            return False
        return self.extractor.is_recorded and can_be_written(self.backbone)

    @property
    def extractor(self) -> FeatureExtractor:
        """How this run extracts the features of its photos."""
        return self.extractor_for(self.dataset)

    def extractor_for(self, dataset: Dataset) -> FeatureExtractor:
        """The same for other photos."""
        return FeatureExtractor(
            dataset=dataset,
            backbone=self.backbone,
            size=self.image_size,
            fit=self.fit,
            weights=self.settings.weights,
            seed=self.settings.seed,
            strength=self.augmentation,
            own_cache=self.run.folder / "cache",
            change=self.change,
        )


def make_plan(run: Run, settings: Settings | None = None) -> Plan:
    """Settle what a run is going to do.

    Args:
        settings: other ones than the run's own.

    Raises:
        InputError: the data set, the settings or the weights do not allow it.
    """
    dataset = datasets.open_dataset(Path(run.config.dataset))
    set_reading(dataset.reading)
    resolved = resolve(settings or run.config.settings, dataset)
    return Plan(
        **vars(resolved),
        run=run,
        dataset=dataset,
        configuration=load_configuration(),
        change=backbone_change(resolved.settings),
        device=prepare_device(),
    )


class Network:
    """The backbone of a run, built when it is first needed and cut in two.

    Args:
        change: what its weights differ by from the plan's.
        built: the plan's backbone, built already, which is nobody else's.
    """

    def __init__(self, plan: Plan, change: WeightChange | None = None, built: Any = None) -> None:
        self._plan = plan
        self._change = change
        self._built = built
        self._parts: tuple[Any, Any] | None = None

    @property
    def parts(self) -> tuple[Any, Any]:
        """Frozen prefix (pixels in) and suffix (None when all is frozen)."""
        if self._parts is None:
            from translearn_core.graph.assembly import split_at
            from translearn_core.graph.chance import set_seed

            plan = self._plan
            network = None if self._change else self._built
            if network is None:
                look = replace(plan.extractor, change=self._change or plan.change)
                network = look.build_network()
            set_seed(plan.settings.seed)  # alike, built now or before
            self._parts = split_at(network, plan.freeze.cut_layer)
        return self._parts

    def assemble(self, head: Any) -> Any:
        """Pixels to probabilities, as one model."""
        from translearn_core.graph.assembly import assemble

        return assemble(*self.parts, head)
