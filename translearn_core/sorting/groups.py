"""Groups of like photos, from their features.

Owns: the tree of likeness, the groups shown at first, and splitting one.
Leaves to others: what a person decides about a group (`session.py`).

Method: features of length 1 in their leading principal components, joined by Ward's minimum
variance criterion (Ward 1963, "Hierarchical grouping to optimize an objective function"). Above
`MOST_LEAVES` photos the tree joins the centres of a k-means clustering instead of single photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from translearn_core.arrays import Array, Ints

MOST_LEAVES = 3000
"""Leaves of the tree: its distances then take 36 MB."""
COMPONENTS = 64
_FEWEST_GROUPS, _MOST_GROUPS = 4, 80


@dataclass(frozen=True, kw_only=True)
class Group:
    """Photos that look alike.

    Attributes:
        node: of the tree; `LikenessTree.split` takes it.
        photos: their numbers, the most typical first.
        spread: mean squared distance of the photos from their centre; features have length 1.
    """

    node: int
    photos: tuple[int, ...]
    spread: float


class LikenessTree:
    """A tree of photos, joined from the most alike upwards.

    Args:
        features: `(n, d) float32`.
    """

    def __init__(self, features: Array, *, seed: int = 0) -> None:
        self._points = _points(features)
        n = len(self._points)
        if n <= MOST_LEAVES:
            self._leaf_photos = [np.array([photo]) for photo in range(n)]
            centres = self._points
        else:
            centres, of_photo = _centres(self._points, seed)
            self._leaf_photos = [np.flatnonzero(of_photo == leaf) for leaf in range(len(centres))]
        self._children = _join(centres)  # (leaves - 1, 2)

    def __len__(self) -> int:
        return len(self._points)

    def first_groups(self, count: int | None = None) -> list[Group]:
        """The groups shown at first, the tightest first.

        Args:
            count: how many; default about 1.2 times the root of the number of photos.
        """
        if not len(self):
            return []
        leaves = len(self._leaf_photos)
        wanted = count or round(1.2 * np.sqrt(len(self)))
        wanted = min(leaves, max(_FEWEST_GROUPS, min(_MOST_GROUPS, wanted)))
        nodes = {2 * leaves - 2}
        while len(nodes) < wanted:
            top = max(nodes)
            nodes.remove(top)
            nodes.update(self._children[top - leaves])
        return sorted((self._group(int(node)) for node in nodes), key=lambda one: one.spread)

    def is_leaf(self, node: int) -> bool:
        """Whether a group was joined from none; above `MOST_LEAVES` photos it may still have many."""
        return node < len(self._leaf_photos)

    def split(self, node: int) -> list[Group]:
        """The two groups that a group was joined from; the group itself where it is a leaf."""
        if self.is_leaf(node):
            return [self._group(node)]
        leaves = len(self._leaf_photos)
        return [self._group(int(child)) for child in self._children[node - leaves]]

    def below(self, node: int) -> list[int]:
        """A group and all groups that it was joined from."""
        leaves, found, pending = len(self._leaf_photos), [], [node]
        while pending:
            one = pending.pop()
            if not 0 <= one < 2 * leaves - 1:
                continue
            found.append(one)
            if one >= leaves:
                pending.extend(int(child) for child in self._children[one - leaves])
        return found

    def nearest(self, photo: int, nodes: Sequence[int]) -> int:
        """The group whose centre is nearest to a photo."""
        point = self._points[photo]

        def distance(node: int) -> float:
            centre = self._points[self._photos_below(node)].mean(axis=0)
            return float(((centre - point) ** 2).sum())

        return min(nodes, key=distance)

    def _group(self, node: int) -> Group:
        photos = self._photos_below(node)
        points = self._points[photos]
        distances = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
        ordered = photos[np.argsort(distances, kind="stable")]
        return Group(
            node=node, photos=tuple(int(one) for one in ordered), spread=float(distances.mean())
        )

    def _photos_below(self, node: int) -> Ints:
        leaves, found, pending = len(self._leaf_photos), [], [node]
        while pending:
            one = pending.pop()
            if one < leaves:
                found.append(self._leaf_photos[one])
            else:
                pending.extend(int(child) for child in self._children[one - leaves])
        return np.sort(np.concatenate(found))


def unit_length(features: Array) -> Array:
    """Features `(n, d)` of length 1, centred; zero rows stay zero before centring."""
    if not len(features):
        return features.astype(np.float32)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled = features / np.maximum(lengths, 1e-12)
    result: Array = (scaled - scaled.mean(axis=0)).astype(np.float32)
    return result


def _points(features: Array) -> Array:
    """The features in at most `COMPONENTS` principal components `(n, c)`."""
    scaled = unit_length(features)
    width = min(COMPONENTS, *scaled.shape)
    if width < 1 or len(scaled) < 3:
        return scaled
    _values, vectors = np.linalg.eigh(scaled.T.astype(np.float64) @ scaled)
    result: Array = (scaled @ vectors[:, ::-1][:, :width]).astype(np.float32)
    return result


def _centres(points: Array, seed: int) -> tuple[Array, Ints]:
    """`MOST_LEAVES` centres or fewer, and which of them each point belongs to."""
    from sklearn.cluster import MiniBatchKMeans

    clustering = MiniBatchKMeans(MOST_LEAVES, random_state=seed, n_init=1, batch_size=4096)
    nearest = clustering.fit_predict(points)
    used, of_photo = np.unique(nearest, return_inverse=True)
    return clustering.cluster_centers_[used], of_photo


def _join(centres: Array) -> Ints:
    """The two nodes that each join of Ward's method joins, `(n - 1, 2)`."""
    if len(centres) < 2:
        return np.zeros((0, 2), np.int64)
    from scipy.cluster.hierarchy import linkage

    joined: Ints = linkage(centres.astype(np.float64), method="ward")[:, :2].astype(np.int64)
    return joined


def typical(group: Group, most: int) -> Sequence[int]:
    """At most `most` photos of a group for a strip: the most typical, and its edge.

    The last third are those farthest from the centre, where strangers are.
    """
    if len(group.photos) <= most:
        return group.photos
    edge = most // 3
    return (*group.photos[: most - edge], *group.photos[-edge:])


def one_of_each(groups: Sequence[Group]) -> list[int]:
    """All photos: the most typical of each group, the largest group first, then the second of each."""
    by_size = sorted(groups, key=lambda group: -len(group.photos))
    longest = max((len(group.photos) for group in by_size), default=0)
    return [
        group.photos[turn]
        for turn in range(longest)
        for group in by_size
        if turn < len(group.photos)
    ]
