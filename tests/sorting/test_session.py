"""A session of sorting: decisions, their undo, and what other pages do meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.sorting import CLASSES, features_of
from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError
from translearn_core.sorting.groups import LikenessTree
from translearn_core.sorting.job import PhotoFeatures, read_features
from translearn_core.sorting.session import BLIND_EVERY, Question, Sorting


def test_from_nothing_to_sorted_with_few_decisions(pile: Dataset) -> None:
    found, truth = features_of(pile)
    sorting = Sorting(pile, found)
    assert sorting.proposals is None
    for name in CLASSES:
        groups = sorting.groups()
        group = next(one for one in groups if truth[sorting.paths[one.photos[0]]] == name)
        paths = [sorting.paths[photo] for photo in group.photos][:3]
        assert sorting.name_group(group.node, paths, name) == len(paths)
    decisions = sorting.decisions
    estimate = sorting.estimate(0.0)
    assert estimate.photos == int(sorting.is_unsorted.sum()) > 0
    assert sorting.accept(0.0) == estimate.photos
    assert sorting.decisions == decisions + 1
    assert not sorting.is_unsorted.any()
    again = Sorting(pile, found)
    assert dict(zip(again.paths, again.labels, strict=True)) == truth
    assert again.decisions == sorting.decisions < 15


def test_nothing_is_sorted_without_a_decision_and_each_can_be_undone(pile: Dataset) -> None:
    found, truth = features_of(pile)
    sorting = Sorting(pile, found)
    states = [pile.fingerprint]
    strangers = 2
    for group in sorting.groups()[:3]:
        paths = [sorting.paths[photo] for photo in group.photos][strangers:]
        strangers = 0
        if paths:
            sorting.name_group(group.node, paths, truth[paths[0]])
            states.append(pile.fingerprint)
    for question in sorting.questions(most=3):
        sorting.answer(question, truth[question.path])
        states.append(pile.fingerprint)
    sorting.put_aside([sorting.questions(most=1)[0].path])
    assert sorting.accept(0.5) > 0
    assert int(sorting.is_unsorted.sum()) + len(pile.photos) == 23  # one is aside
    sorting.undo()
    sorting.undo()
    while states:
        assert pile.fingerprint == states.pop()
        sorting.undo()
    assert sorting.undo() is None
    assert sorting.is_unsorted.all()


def test_a_group_is_split_and_put_off(pile: Dataset) -> None:
    found, _truth = features_of(pile)
    sorting = Sorting(pile, found)
    first = sorting.groups()[0]
    sorting.put_group_off(first.node)
    assert sorting.groups()[-1].node == first.node
    large = max(sorting.groups(), key=lambda group: len(group.photos))
    n = len(sorting.groups())
    sorting.split_group(large.node)
    assert len(sorting.groups()) == n + 1
    sorting.undo()
    sorting.undo()
    assert sorting.groups()[0].node == first.node


def test_a_leaf_of_many_photos_does_not_vanish_when_it_is_split(
    pile: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translearn_core.sorting.groups.MOST_LEAVES", 4)
    sorting = Sorting(pile, features_of(pile)[0])
    leaf = next(one for one in sorting.groups() if sorting.tree.is_leaf(one.node))
    sorting.split_group(leaf.node)
    assert leaf in sorting.groups()
    assert sorting.decisions == 0


def test_what_was_decided_about_groups_hides_none_of_those_that_more_photos_make(
    pile: Dataset,
) -> None:
    found, _truth = features_of(pile)
    few = PhotoFeatures(paths=found.paths[:23], features=found.features[:23], backbone="starter")
    sorting = Sorting(pile, few)
    for group in sorting.groups():
        sorting.name_group(group.node, [sorting.paths[group.photos[0]]], "cat")
    assert sorting.groups() == []
    more = Sorting(pile, found)
    shown = {photo for group in more.groups() for photo in group.photos}
    assert shown == set(np.flatnonzero(more.is_unsorted))


def test_the_figure_of_proposals_comes_from_photos_whose_proposal_was_hidden(pile: Dataset) -> None:
    found, truth = features_of(pile)
    sorting = Sorting(pile, found)
    for name in CLASSES[:2]:
        for path in [one for one in sorting.paths if truth[one] == name][:3]:
            sorting.answer(question_of(path), name)
    assert sorting.proposals is not None
    blind = 0
    for _turn in range(2 * BLIND_EVERY):
        question = sorting.questions(most=1)[0]
        blind += question.blind
        sorting.answer(question, truth[question.path])
    assert blind == 2
    estimate = sorting.estimate(0.0)
    assert estimate.measured == 2
    right = sum(one.proposed == one.class_name for one in sorting.journal if one.blind)
    assert estimate.measured_right == right
    sorting.put_aside(
        [sorting.paths[-1]],
        asked=Question(path=sorting.paths[-1], proposed="cat", confidence=0.9, blind=True),
    )
    after = sorting.estimate(0.0)
    assert (after.measured, after.measured_right) == (3, right), "it is of no class"


def question_of(path: str) -> Question:

    return Question(path=path)


def test_accepted_proposals_are_not_learned_from(pile: Dataset) -> None:
    found, truth = features_of(pile)
    sorting = Sorting(pile, found)
    for path in sorting.paths[:9]:
        sorting.answer(question_of(path), truth[path])
    before = sorting.proposals
    assert before is not None
    sorting.accept(0.0)
    after = sorting.proposals
    assert after is not None
    assert np.allclose(before.probabilities, after.probabilities)


def test_a_class_without_a_name_is_refused_and_a_damaged_journal_loses_no_class(
    pile: Dataset,
) -> None:
    found, _truth = features_of(pile)
    sorting = Sorting(pile, found)
    with pytest.raises(SourceError, match="no name"):
        sorting.name_group(0, sorting.paths[:2], "  ")
    sorting.answer(question_of(sorting.paths[0]), "cat")
    (pile.folder / "sorting" / "journal.json").write_text('{"decisions": [{"kind": 3}]}')
    again = Sorting(pile, found)
    assert again.labels[0] == "cat"
    assert again.journal == []
    (pile.folder / "sorting" / "features.npz").write_bytes(b"no archive")
    assert read_features(pile) is None


def test_groups_of_other_photos_are_not_taken_for_those_that_were_decided_about(
    pile: Dataset,
) -> None:
    found, _truth = features_of(pile)
    sorting = Sorting(pile, found)
    large = max(sorting.groups(), key=lambda group: len(group.photos))
    sorting.split_group(large.node)
    sorting.put_group_off(sorting.groups()[0].node)
    n = len(found.paths) // 2
    fewer = PhotoFeatures(
        paths=found.paths[:n], features=found.features[:n], backbone=found.backbone
    )
    again, fresh = Sorting(pile, fewer), LikenessTree(fewer.features)
    assert again.unsorted_without_features == len(found.paths) - n
    assert [one.node for one in again.groups()] == [one.node for one in fresh.first_groups()]


def test_what_another_page_decided_meanwhile_stays(pile: Dataset) -> None:
    found, _truth = features_of(pile)
    here, elsewhere = Sorting(pile, found), Sorting(pile, found)
    elsewhere.answer(question_of(found.paths[0]), "cat")
    here.answer(question_of(found.paths[1]), "dog")
    assert [one.class_name for one in here.journal] == ["cat", "dog"]
    elsewhere.undo()
    assert [one.class_name for one in Sorting(pile, found).journal] == ["cat"]
    assert dict(pile.photos[["path", "class_name"]].itertuples(index=False)) == {
        found.paths[0]: "cat"
    }


def test_what_is_taken_back_elsewhere_is_undecided_again(pile: Dataset) -> None:
    found, truth = features_of(pile)
    sorting = Sorting(pile, found)
    first = sorting.groups()[0]
    kept = [found.paths[photo] for photo in first.photos]
    sorting.name_group(first.node, kept, truth[kept[0]])
    assert first.node not in [group.node for group in sorting.groups()]
    datasets.undo(pile)  # on the page Photos
    again = Sorting(pile, found)
    assert again.journal == []
    assert first.node in [group.node for group in again.groups()]
    assert again.undo() is None
    again.put_group_off(first.node)
    assert [one.kind for one in Sorting(pile, found).journal] == ["later"]


def test_photos_are_dragged_to_another_group_and_keep_to_its_nearer_part(pile: Dataset) -> None:
    found, _truth = features_of(pile)
    sorting = Sorting(pile, found)
    source, target = sorting.groups()[0], max(sorting.groups(), key=lambda one: len(one.photos))
    assert source.node != target.node
    moved = [found.paths[photo] for photo in source.photos[:2]]
    sorting.regroup(moved, target.node)
    now = {group.node: group for group in Sorting(pile, found).groups()}
    assert set(now[target.node].photos) == {*target.photos, *source.photos[:2]}
    assert set(now[source.node].photos if source.node in now else ()) == set(source.photos[2:])
    assert pile.counts.empty, "it gives no photo a class"
    sorting.split_group(target.node)
    parts = [group for group in sorting.groups() if group.node not in now]
    assert {photo for part in parts for photo in part.photos} == {
        *target.photos,
        *source.photos[:2],
    }
    sorting.undo()
    sorting.undo()
    assert [group.photos for group in sorting.groups() if group.node == target.node] == [
        target.photos
    ]
