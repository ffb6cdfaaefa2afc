"""Sorting: the tree of likeness, proposals, decisions and their undo, on drawn features and photos."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.drawing import draw_photo, make_tree, make_zip
from translearn_core import backbones, datasets
from translearn_core.arrays import Array
from translearn_core.cli.sort_work import Copies, _copy
from translearn_core.datasets import Dataset, NoClasses, read_unsorted
from translearn_core.errors import SourceError, StorageError
from translearn_core.features import extractor
from translearn_core.monitor import SILENT
from translearn_core.sorting import job
from translearn_core.sorting.groups import LikenessTree, one_of_each, typical
from translearn_core.sorting.job import PhotoFeatures, read_features
from translearn_core.sorting.proposals import head_points, next_questions, propose
from translearn_core.sorting.session import BLIND_EVERY, Question, Sorting

CLASSES = ("cat", "dog", "owl")


def clouds(n: int, *, spread: float = 0.35, seed: int = 0) -> tuple[Array, list[str]]:
    """Features `(n, 32)` of three clouds, and their classes in turn."""
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(3).normal(0, 1, (3, 32))
    labels = np.arange(n) % 3
    features = middles[labels] + rng.normal(0, spread, (n, 32))
    return features.astype(np.float32), [CLASSES[label] for label in labels]


@pytest.fixture
def pile(tmp_path: Path) -> Dataset:
    """24 unsorted photos."""
    return datasets.import_source(make_tree(tmp_path / "pile", {".": 24}), labels=NoClasses())


def features_of(dataset: Dataset) -> tuple[PhotoFeatures, dict[str, str]]:
    """Drawn features for its photos, and the class that each of them shows."""
    paths = tuple(str(path) for path in datasets.WithUnsorted(dataset.folder).photos["path"])
    features, labels = clouds(len(paths))
    found = PhotoFeatures(paths=paths, features=features, backbone="starter")
    return found, dict(zip(paths, labels, strict=True))


# --- groups ----------------------------------------------------------------------------------


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


# --- proposals -------------------------------------------------------------------------------


def test_a_few_labels_propose_the_rest_and_the_most_doubtful_lie_between() -> None:
    features, labels = clouds(150)
    given = [label if place < 12 else "" for place, label in enumerate(labels)]
    known = np.array([bool(label) for label in given])
    points = head_points(features)
    proposals = propose(points, given, by_hand=known)
    assert proposals is not None
    best = [proposals.classes[place] for place in proposals.best]
    assert np.mean([one == label for one, label in zip(best, labels, strict=True)]) > 0.95
    asked = next_questions(proposals, points, ~known, most=10)
    rest = np.setdiff1d(np.flatnonzero(~known), asked)
    assert proposals.margins[asked].max() <= proposals.margins[rest].min()


def test_nothing_is_proposed_before_two_classes_have_photos() -> None:
    features, labels = clouds(30)
    points = head_points(features)
    none = np.zeros(30, bool)
    assert propose(points, [""] * 30, by_hand=none) is None
    given = [label if label == "cat" else "" for label in labels]
    assert propose(points, given, by_hand=none) is None
    given[1] = "dog"
    assert propose(points, given, by_hand=none) is None


def test_the_most_different_questions_are_of_every_cloud() -> None:
    features, labels = clouds(90)
    unsorted = np.ones(90, bool)
    asked = next_questions(None, head_points(features), unsorted, order="different", most=3)
    assert {labels[photo] for photo in asked} == set(CLASSES)
    unsorted[[place for place, label in enumerate(labels) if label != "owl"]] = False
    asked = next_questions(None, head_points(features), unsorted, order="different", most=5)
    assert {labels[photo] for photo in asked} == {"owl"}


# --- unsorted photos of a data set ------------------------------------------------------------


def test_unsorted_photos_are_kept_apart_from_those_that_are_learned(pile: Dataset) -> None:
    assert len(pile.photos) == 0
    rows = read_unsorted(pile)
    assert len(rows) == 24
    assert all(pile.photo_path(path).is_file() for path in rows["path"])
    paths = list(rows["path"])
    before = pile.fingerprint
    assert datasets.sort_photos(pile, dict.fromkeys(paths[:5], " cat ")) == 5
    assert datasets.sort_photos(pile, {paths[5]: "dog", "no such": "dog"}) == 1
    assert pile.counts.to_dict() == {"cat": 5, "dog": 1}
    assert len(read_unsorted(pile)) == 18
    assert pile.fingerprint != before
    datasets.undo(pile)
    datasets.undo(pile)
    assert pile.fingerprint == before
    assert len(read_unsorted(pile)) == 24


def test_unsorted_photos_come_in_by_an_archive_by_files_and_to_a_set_that_is_there(
    tmp_path: Path,
) -> None:
    zipped = make_zip(
        tmp_path / "some.zip", {f"any/{n}.jpg": draw_photo(n) for n in range(3)} | {"a.txt": b"x"}
    )
    dataset = datasets.import_source(zipped, labels=NoClasses())
    assert len(read_unsorted(dataset)) == 3
    assert list(dataset.left_out["file"]) == ["a.txt"]
    files = [("0.jpg", io.BytesIO(draw_photo(50))), ("b.jpg", io.BytesIO(b"broken"))]
    report = datasets.add_unsorted(dataset, files)
    assert report.added == 1
    assert [file for file, _reason in report.left_out] == ["b.jpg"]
    assert len(set(read_unsorted(dataset)["path"])) == 4
    pets = datasets.import_source(make_tree(tmp_path / "pets", {"cats": 3, "dogs": 3}))
    datasets.add_unsorted(pets, [("0.jpg", io.BytesIO(draw_photo(60)))])
    assert pets.counts.to_dict() == {"cats": 3, "dogs": 3}
    assert len(read_unsorted(pets)) == 1


def test_a_damaged_list_is_said_and_sorted_photos_stay(pile: Dataset) -> None:
    paths = list(read_unsorted(pile)["path"])
    datasets.sort_photos(pile, dict.fromkeys(paths[:4], "cat"))
    (pile.folder / "unsorted.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(SourceError, match="Delete this file"):
        read_unsorted(pile)
    assert pile.counts.to_dict() == {"cat": 4}


def test_a_full_disk_loses_no_photo_that_is_taken_back(
    pile: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(read_unsorted(pile)["path"].iloc[0])
    datasets.sort_photos(pile, {path: "cat"})

    def full(*_arguments: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr("translearn_core.datasets.unsorted.write_table", full)
    with pytest.raises(StorageError):
        datasets.sort_photos(pile, {path: ""})
    assert list(pile.photos["path"]) == [path]
    assert len(read_unsorted(pile)) == 23


def test_photos_that_come_in_while_the_others_are_looked_at_wait_for_the_next_time(
    pile: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = extractor.FeatureExtractor.take

    def take_slowly(self: Any, *arguments: Any) -> Any:
        report = take(self, *arguments)
        datasets.add_unsorted(pile, [("0.jpg", io.BytesIO(draw_photo(70)))])
        return report

    monkeypatch.setattr(extractor.FeatureExtractor, "take", take_slowly)
    before = set(read_unsorted(pile)["path"])
    found = job.extract(pile, backbones.get_backbone("starter"), SILENT)
    assert len(read_unsorted(pile)) == 25
    assert set(found.paths) == before
    assert len(found.features) == 24


# --- a session --------------------------------------------------------------------------------


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


def test_copying_leaves_files_of_before_as_they_are(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        pile = datasets.open_unlabelled(
            str(make_tree(tmp_path / name, {".": 1}, start=40 * number))
        )
        file = str(pile.photos["file"].iloc[0])
        (tmp_path / name / file).rename(tmp_path / name / "a.jpg")
        pile = datasets.open_unlabelled(str(tmp_path / name))
        rows = [{"file": "a.jpg", "class": "cat", "proposal": "", "confidence": None}]
        (tmp_path / "into").mkdir(exist_ok=True)
        for _again in range(2):
            copies = _copy(pile, rows, tmp_path / "into", 0.9, pile=name)
            assert copies == Copies(made=1)
    there = sorted((tmp_path / "into" / "cat").iterdir())
    assert [copy.name for copy in there] == ["a (2).jpg", "a.jpg"]
    first = (tmp_path / "first" / "a.jpg").read_bytes()
    assert there[1].read_bytes() == first != there[0].read_bytes()


def test_a_copy_follows_its_photo_to_another_class_unless_it_was_changed(tmp_path: Path) -> None:
    folder, into = make_tree(tmp_path / "pile", {"a": 3, "b": 1}, start=70), tmp_path / "into"
    into.mkdir()
    pile = datasets.open_unlabelled(str(folder))
    rows = [
        {"file": str(file), "class": "cat", "proposal": "", "confidence": None}
        for file in pile.photos["file"]
    ]

    def copy_again() -> tuple[Copies, list[str]]:
        copies = _copy(pile, rows, into, 0.9, pile="pile")
        return copies, sorted(p.relative_to(into).as_posix() for p in into.glob("*/*"))

    assert copy_again() == (
        Copies(made=4),
        ["cat/0 (2).jpg", "cat/0.jpg", "cat/1.jpg", "cat/2.jpg"],
    )
    (into / "cat" / "2.jpg").write_bytes(draw_photo(99))  # cut by hand
    of = {row["file"]: row for row in rows}
    of["a/0.jpg"]["class"] = "dog"
    of["a/1.jpg"]["class"] = ""
    of["a/2.jpg"]["class"] = "dog"
    copies, files = copy_again()
    assert copies == Copies(made=3, moved=1, removed=1, kept=("cat/2.jpg",))
    assert files == ["cat/0 (2).jpg", "cat/2.jpg", "dog/0.jpg", "dog/2.jpg"]
    assert copy_again() == (Copies(made=3), files), "nothing is said or copied a second time"


# --- photos that come in later, and decisions taken back elsewhere -----------------------------


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


@pytest.mark.parametrize("kind", ["zip", "files", "folder in place"])
def test_photos_that_were_left_out_come_into_the_pile_and_leave_it_again(
    tmp_path: Path, kind: str
) -> None:
    folder = make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, ".": 4, "unlabeled": 2}, start=9)
    if kind == "zip":
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jpg")}
        dataset = datasets.import_source(make_zip(tmp_path / "set.zip", files))
    elif kind == "files":
        named = ((p.relative_to(folder).as_posix(), p) for p in sorted(folder.rglob("*.jpg")))
        dataset = datasets.import_files(named, name="set")
    else:
        dataset = datasets.import_source(folder, in_place=True)
    left_out = list(dataset.left_out["file"])
    assert len(left_out) == 5, "four loose photos and a folder"
    assert list(datasets.left_out_for_good(dataset)["file"]) == left_out
    taken = datasets.take_loose(dataset)
    assert len(taken) == 6
    assert len(dataset.photos) == 6, "nothing is filed"
    assert set(read_unsorted(dataset)["path"]) == set(taken)
    assert len(datasets.left_out_for_good(dataset)) == 0
    assert datasets.take_loose(dataset) == []
    datasets.sort_photos(dataset, {taken[0]: "cats"})
    assert datasets.leave_loose(dataset, taken) == 5, "a photo that has a class stays"
    assert len(datasets.read_loose(dataset)) == 5
    assert dataset.counts.to_dict() == {"cats": 4, "dogs": 3}
    more = [(f"{n}.jpg", io.BytesIO(draw_photo(200 + n))) for n in range(4)]
    report = datasets.add_unsorted(dataset, more)
    assert len(datasets.read_loose(dataset)) == 5, "no file of theirs was written over"
    datasets.remove_photos(dataset, report.paths)
    assert len(read_unsorted(dataset)) == 0
    assert not any((dataset.folder / path).exists() for path in report.paths)


def test_photos_of_a_class_that_is_too_small_can_be_sorted(tmp_path: Path) -> None:
    dataset = datasets.import_source(
        make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, "owls": 1}, start=30)
    )
    (file,) = dataset.left_out["file"]
    assert file.startswith("owls/")
    assert list(datasets.read_loose(dataset)["file"]) == [file]
    assert len(datasets.take_loose(dataset)) == 1


# --- photos of one class that were brought in so ------------------------------------------------


@pytest.mark.parametrize("kind", ["files", "zip", "earlier version"])
def test_a_class_that_was_named_while_sorting_is_not_taken_for_one_that_came_in(
    tmp_path: Path, kind: str
) -> None:
    folder = make_tree(tmp_path / "any", {"dcim": 4}, start=300)
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jpg")}
    if kind == "zip":
        source = make_zip(tmp_path / "any.zip", files)
        named, came_in = datasets.import_source(source, labels=NoClasses()), source
        dcim = datasets.import_source(came_in)
    else:
        streams = [(name, io.BytesIO(data)) for name, data in files.items()]
        named = datasets.import_files(streams, name="any", labels=NoClasses())
        dcim = datasets.import_files(
            ((name, io.BytesIO(data)) for name, data in files.items()), name="any"
        )
    if kind == "earlier version":
        unknown = {"begun_empty": None}
        named.write_record(named.record.model_copy(update=unknown))
        dcim.write_record(dcim.record.model_copy(update={**unknown, "source": "any.zip"}))
    datasets.sort_photos(named, dict.fromkeys(read_unsorted(named)["path"], "cat"))
    assert datasets.find_to_sort(named) is None
    assert datasets.take_to_sort(named) is None
    assert named.counts.to_dict() == {"cat": 4}

    found = datasets.find_to_sort(dcim)
    assert found is not None
    assert found.one_class == "dcim"
    assert datasets.take_to_sort(dcim) is not None
    datasets.sort_photos(dcim, dict.fromkeys(read_unsorted(dcim)["path"], "cat"))
    assert datasets.find_to_sort(dcim) is None, "its class was named here by now"
    datasets.undo(dcim)
    datasets.undo(dcim)
    assert datasets.find_to_sort(dcim) == found


def test_one_class_of_a_folder_in_place_is_sorted_in_a_copy(tmp_path: Path) -> None:
    folder = make_tree(tmp_path / "set", {"dcim": 6}, start=330)
    dataset = datasets.import_source(folder, in_place=True)
    assert datasets.is_copied_to_sort(dataset)
    assert datasets.take_to_sort(dataset) is None
    copy = datasets.copy_to_sort(dataset)
    assert not datasets.is_copied_to_sort(copy)
    paths = list(read_unsorted(copy)["path"])
    datasets.sort_photos(copy, {path: "ab"[n % 2] for n, path in enumerate(paths)})
    again = datasets.import_source(folder, in_place=True)
    assert again.id == dataset.id
    assert again.counts.to_dict() == {"dcim": 6}
    assert copy.counts.to_dict() == {"a": 3, "b": 3}
    assert len(list(folder.rglob("*.jpg"))) == 6


def test_loose_photos_that_were_sorted_keep_their_class_when_their_folder_is_read_again(
    tmp_path: Path,
) -> None:
    folder = make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, "owls": 1, ".": 2}, start=350)
    dataset = datasets.import_source(folder, in_place=True)
    taken = datasets.take_loose(dataset)
    datasets.sort_photos(dataset, {taken[0]: "cats", taken[1]: "cats", taken[2]: "dogs"})
    again = datasets.import_source(folder, in_place=True)
    assert again.counts.to_dict() == {"cats": 5, "dogs": 4}
    (folder / "owls" / "0.jpg").unlink()
    assert sum(datasets.import_source(folder, in_place=True).counts) == 8


def test_of_what_was_taken_only_the_unsorted_count(tmp_path: Path) -> None:
    dataset = datasets.import_source(
        make_tree(tmp_path / "set", {"cats": 3, "dogs": 3, ".": 2}, start=370)
    )
    taken = datasets.take_to_sort(dataset)
    assert taken is not None
    for n, path in enumerate(taken.paths):
        assert datasets.count_unsorted(dataset, taken) == 2 - n
        datasets.sort_photos(dataset, {path: "cats"})
    assert not datasets.can_put_back(dataset, taken)
