"""Which photos of the target domain are adapted to, and which are kept to measure by.

Owns: `split_target`. A head that learned answers for photos of the target domain is right on these more often
than on others from there (docs/experiments/domain_adaptation.md), so that neither test photos of the run nor
the labelled photos that judge it are adapted to.
Leaves to others: gathering the photos (`extra_samples.py`), adapting to them (`adaptation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from translearn_core.arrays import Bools, Ints
from translearn_core.datasets.components import connect, joined_to
from translearn_core.datasets.copy_groups import find_groups
from translearn_core.evaluation.cross_validation import assign_folds
from translearn_core.fitting.data import TrainingData
from translearn_core.recipe.technique_table import LEAST_LABELLED
from translearn_core.run_settings import Settings
from translearn_core.runs.provenance import are_copies
from translearn_core.techniques.extra_samples import UnlabelledSet

FEWEST = 10
"""Photos that say nothing about a domain when they are fewer."""
FOLDS = 5
"""One in so many of the labelled photos judges."""


@dataclass(frozen=True, kw_only=True)
class TargetSplit:
    """The photos of a target domain.

    Attributes:
        adapted: what is adapted to.
        judged: photos with labels that are kept to measure by, maybe none; `labels` `(k,)` are their classes.
        left_out: how many are not adapted to because they are test photos of the run.
        seen: how many test photos of the run are adapted to, because without them too few were left.
    """

    adapted: UnlabelledSet
    judged: UnlabelledSet
    labels: Ints
    left_out: int
    seen: int


def split_target(settings: Settings, data: TrainingData, others: UnlabelledSet) -> TargetSplit:
    """Put aside what the run is measured by, with its near-copies, as far as enough is left to adapt to.

    Photos of one scene judge together or not at all.

    Args:
        settings: `weights` and `seed` are read.
        data: the run's own photos.
        others: all photos of the target domain that could be read.
    """
    random = settings.weights == "random"  # its features have nothing to say about copies
    copies, chain = find_groups(others.photos, None if random else others.pooled)
    scenes = connect(copies, chain)
    codes = {name: code for code, name in enumerate(data.classes)}
    labels = np.array([codes.get(name, -1) for name in others.photos["class_name"]], np.int64)
    test = data.photos.iloc[data.rows("test")].drop_duplicates("sha256")
    tested = joined_to(are_copies(others.photos, test).to_numpy(), scenes)
    keeps_tested = len(others) - tested.sum() < FEWEST
    if keeps_tested:
        tested[:] = False
    judging = _choose_judges(np.where(tested, -1, labels), scenes, settings.seed)
    adapted = ~tested & ~joined_to(judging, scenes)
    if adapted.sum() < FEWEST:
        judging[:] = False
        adapted = ~tested
    chosen = replace(others.chosen(np.flatnonzero(adapted)), groups=copies[adapted])
    return TargetSplit(
        adapted=chosen,
        judged=others.chosen(np.flatnonzero(judging)),
        labels=labels[judging],
        left_out=int(tested.sum()),
        seen=int(are_copies(test, chosen.photos).sum()) if keeps_tested else 0,
    )


def _choose_judges(labels: Ints, scenes: Ints, seed: int) -> Bools:
    """About one in `FOLDS` of the photos with labels, of whole scenes; none where these are too few.

    Args:
        labels: -1 for a photo that cannot judge.
    """
    judging = np.zeros(len(labels), np.bool_)
    known = np.flatnonzero(labels >= 0)
    if len(known) < LEAST_LABELLED:
        return judging
    rng = np.random.default_rng([seed, 43])
    folds = assign_folds(labels[known], scenes[known], folds=FOLDS, rng=rng)
    sizes = np.bincount(folds, minlength=FOLDS)
    fold = int(np.abs(sizes - len(known) / FOLDS).argmin())  # one large scene is a fold by itself
    judging[known[folds == fold]] = True
    return judging
