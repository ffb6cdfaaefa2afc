"""Projects features to two dimensions (PCA, t-SNE).

Owns: the two projections. Leaves to others: the picture of it (`translearn_ui`).

Principal components keep large distances (Pearson 1901); t-SNE keeps neighbourhoods (van der
Maaten and Hinton 2008), begun from the principal components, so that it too is the same each time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.evaluation.linear_probe import PCASpace

Array = npt.NDArray[Any]

MOST_PHOTOS = 2000
COMPONENTS = 50
ROUNDS = 500
_LEAST_PHOTOS = 12


def lay_out(space: PCASpace, chosen: npt.NDArray[np.int64], *, seed: int) -> tuple[Array, Array]:
    """Two places for each photo.

    Args:
        space: of all photos.
        chosen: rows of those that t-SNE lays out, at most `MOST_PHOTOS` of them.

    Returns:
        Principal components `(n, 2)`, and t-SNE `(n, 2)`, NaN for photos not chosen. Both in
        about [-1, 1]. Where there are too few photos for t-SNE both are the same.
    """
    flat = np.zeros((len(space.points), 2))
    width = min(2, space.points.shape[1] - 1)
    flat[:, :width] = space.points[:, :width]
    flat = _scaled(flat)
    if len(chosen) < _LEAST_PHOTOS:
        return flat, flat
    near = np.full_like(flat, np.nan)
    near[chosen] = _scaled(_tsne(space.points[chosen, :-1][:, :COMPONENTS], seed))
    return flat, near


def _tsne(points: Array, seed: int) -> Array:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    start = points[:, :2].astype(np.float32)
    if start.shape[1] < 2:
        start = np.concatenate([start, np.zeros_like(start)], axis=1)
    start = 1e-4 * start / max(float(start[:, 0].std()), 1e-12)
    perplexity = float(min(30.0, (len(points) - 1) / 3.0))
    # its threads wait for each other in every round: on a busy machine one is ten times as quick
    with threadpool_limits(1, user_api="openmp"):
        placed: Array = TSNE(
            init=start,
            perplexity=perplexity,
            max_iter=ROUNDS,
            learning_rate="auto",
            random_state=seed,
        ).fit_transform(points)
    return placed


def _scaled(places: Array) -> Array:
    middle = np.median(places, axis=0)
    reach = max(float(np.abs(places - middle).max()), 1e-12)
    scaled: Array = (places - middle) / reach
    return scaled
