"""Projects features to two dimensions (PCA, t-SNE).

Owns: the two projections. Leaves to others: drawing (`translearn_ui`).

Principal components keep large distances (Pearson 1901); t-SNE keeps neighbourhoods (van der
Maaten and Hinton 2008), initialised with the principal components, so that it is deterministic.
"""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.linear_probe import PCASpace

MAX_PHOTOS = 2000
COMPONENTS = 50
ROUNDS = 500
_LEAST_PHOTOS = 12


def project_to_2d(space: PCASpace, chosen: Ints, *, seed: int) -> tuple[Array, Array]:
    """Two projections of each photo.

    Args:
        space: of all photos.
        chosen: rows that t-SNE embeds, at most `MAX_PHOTOS` of them.

    Returns:
        Principal components `(n, 2)`, and t-SNE `(n, 2)`, NaN for photos not chosen. Both in
        about [-1, 1]. Where there are too few photos for t-SNE both are the same.
    """
    pca = np.zeros((len(space.points), 2))
    width = min(2, space.points.shape[1] - 1)
    pca[:, :width] = space.points[:, :width]
    pca = _scaled(pca)
    if len(chosen) < _LEAST_PHOTOS:
        return pca, pca
    tsne = np.full_like(pca, np.nan)
    tsne[chosen] = _scaled(_tsne(space.points[chosen, :-1][:, :COMPONENTS], seed))
    return pca, tsne


def _tsne(points: Array, seed: int) -> Array:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    init = points[:, :2].astype(np.float32)
    if init.shape[1] < 2:
        init = np.concatenate([init, np.zeros_like(init)], axis=1)
    init = 1e-4 * init / max(float(init[:, 0].std()), 1e-12)
    perplexity = float(min(30.0, (len(points) - 1) / 3.0))
    # its threads synchronise in every round: on a busy machine one thread is ten times as fast
    with threadpool_limits(1, user_api="openmp"):
        embedding: Array = TSNE(
            init=init,
            perplexity=perplexity,
            max_iter=ROUNDS,
            learning_rate="auto",
            random_state=seed,
        ).fit_transform(points)
    return embedding


def _scaled(points: Array) -> Array:
    center = np.median(points, axis=0)
    extent = max(float(np.abs(points - center).max()), 1e-12)
    scaled: Array = (points - center) / extent
    return scaled
