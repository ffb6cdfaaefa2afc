"""Groups of like photos: the tree of likeness, and which photos of a group are shown, on drawn features."""

from __future__ import annotations

import pytest

from tests.support.sorting import clouds
from translearn_core.sorting.groups import LikenessTree, one_of_each, typical


def test_groups_hold_every_photo_once_and_do_not_mix_what_is_far_apart() -> None:
    features, labels = clouds(90)
    groups = LikenessTree(features).first_groups()
    assert sorted(photo for group in groups for photo in group.photos) == list(range(90))
    assert all(len({labels[photo] for photo in group.photos}) == 1 for group in groups)
    spreads = [group.spread for group in groups]
    assert spreads == sorted(spreads)


def test_a_group_splits_into_the_two_it_was_joined_from() -> None:
    features, _labels = clouds(60)
    tree = LikenessTree(features)
    whole = tree.first_groups(1)  # at least as many as are shown anywhere
    for group in whole:
        parts = tree.split(group.node)
        assert sorted(photo for part in parts for photo in part.photos) == sorted(group.photos)
    leaf = tree.split(0)
    assert [one.photos for one in leaf] == [(0,)]


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_photos(n: int) -> None:
    groups = LikenessTree(clouds(n)[0]).first_groups()
    assert sorted(photo for group in groups for photo in group.photos) == list(range(n))


def test_many_photos_are_joined_by_their_centres(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = clouds(300)
    monkeypatch.setattr("translearn_core.sorting.groups.MOST_LEAVES", 40)
    groups = LikenessTree(features).first_groups()
    assert sorted(photo for group in groups for photo in group.photos) == list(range(300))
    assert all(len({labels[photo] for photo in group.photos}) == 1 for group in groups)


def test_a_strip_shows_the_edge_of_its_group_and_the_first_questions_are_typical() -> None:
    groups = LikenessTree(clouds(120)[0]).first_groups(4)
    large = max(groups, key=lambda group: len(group.photos))
    strip = typical(large, 12)
    assert len(strip) == 12
    assert strip[0] == large.photos[0]
    assert strip[-1] == large.photos[-1]
    order = one_of_each(groups)
    assert order[: len(groups)] == [
        group.photos[0] for group in sorted(groups, key=lambda group: -len(group.photos))
    ]
    assert sorted(order) == list(range(120))
