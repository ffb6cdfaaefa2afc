"""What a feasibility check says of each photo, and where the photo lies on the map.

Owns: the rows of photos.parquet, and the coordinates. Leaves to others: its columns (`report.py`), the
projection (`evaluation/projection.py`), predictions and findings (`compute.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from translearn_core.arrays import Array
from translearn_core.datasets import Finding
from translearn_core.evaluation import projection
from translearn_core.evaluation.linear_probe import PCASpace
from translearn_core.feasibility.check_data import MOST_VALIDATED, CheckData
from translearn_core.feasibility.label_errors import LabelError
from translearn_core.feasibility.report import PHOTO_COLUMNS


def photo_table(
    data: CheckData,
    probabilities: Array,
    label_errors: list[LabelError],
    findings: list[Finding],
    projected: tuple[Array, Array],
) -> pd.DataFrame:
    """The table for photos.parquet, see `report.PHOTO_COLUMNS`."""
    names = np.array(data.classes, dtype=object)
    n = len(data.labels)
    predicted = probabilities.argmax(axis=1)
    score, suggested = np.zeros(n), np.full(n, "", dtype=object)
    for label_error in label_errors:
        score[label_error.row] = label_error.score
        suggested[label_error.row] = names[label_error.suggested]
    outliers = {finding.path: finding.score for finding in findings if finding.check == "outlier"}
    pca, tsne = projected
    return pd.DataFrame(
        {
            "path": data.photos["path"].to_numpy(),
            "class_name": data.photos["class_name"].to_numpy(),
            "group": data.copies,
            "x": tsne[:, 0],
            "y": tsne[:, 1],
            "pca_x": pca[:, 0],
            "pca_y": pca[:, 1],
            "answer": names[predicted],
            "p_given": probabilities[np.arange(n), data.labels],
            "correct": predicted == data.labels,
            "suspect_score": score,
            "suggested": suggested,
            "outlier_score": [outliers.get(path, 0.0) for path in data.photos["path"]],
        }
    ).astype(PHOTO_COLUMNS)


def project(data: CheckData, space: PCASpace, first: list[int]) -> tuple[Array, Array]:
    """Coordinates on the map, PCA and t-SNE, `(n, 2)` each; of many photos a sample is projected,
    which includes the rows `first`."""
    n = len(data.labels)
    if len(data.rows) < n:
        points = np.concatenate(
            [
                space.transform(data.features[begin : begin + MOST_VALIDATED])
                for begin in range(0, n, MOST_VALIDATED)
            ]
        )
        space = PCASpace(
            points=points, mean=space.mean, deviation=space.deviation, components=space.components
        )
    others = np.setdiff1d(np.arange(n), first)
    others = np.random.default_rng([data.seed, 43]).permutation(others)
    chosen = np.concatenate([np.array(first, np.int64), others])[: projection.MAX_PHOTOS]
    return projection.project_to_2d(space, np.sort(chosen), seed=data.seed)
