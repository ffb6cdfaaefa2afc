"""Photos unlike anything seen, and similar ones, on features whose places are known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.photos import shared_photos
from translearn_core.evaluation import ood


def clusters(n: int, *, kinds: range, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features `(n, 64)` of photos of some kinds, and their kinds; each kind has a place of its own."""
    middles = np.random.default_rng(99).gamma(0.5, 1.0, (12, 64))
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(kinds), n)
    return np.maximum(middles[labels] + rng.normal(0, 0.25, (n, 64)), 0), labels


def made(**options: object) -> tuple[ood.Reference, dict[str, object]]:
    features, labels = clusters(300, kinds=range(8))
    test, _labels = clusters(200, kinds=range(8), seed=1)
    paths = [f"photo-{n}.jpg" for n in range(300)]
    return ood.build_reference(features, labels, paths, test=test, **options)  # type: ignore[arg-type]


def test_unknown_kinds_are_told_and_known_ones_let_pass() -> None:
    reference, figures = made()
    strange, _labels = clusters(200, kinds=range(8, 12), seed=2)
    known, _labels = clusters(200, kinds=range(8), seed=3)
    assert reference.is_out_of_distribution(strange).mean() > 0.9
    assert reference.is_out_of_distribution(known).mean() < 0.15
    score = ood.auroc(reference.distances(known), reference.distances(strange))
    assert score is not None
    assert score > 0.95
    assert figures["refused"] < 0.15  # type: ignore[operator]
    assert figures["accepted"] < 0.2  # type: ignore[operator]
    assert json.loads(json.dumps(figures))["threshold"] == reference.threshold


def test_similar_photos_are_of_the_same_kind_nearest_first() -> None:
    reference, _figures = made()
    features, labels = clusters(20, kinds=range(8), seed=5)
    for row, label in zip(features, labels, strict=True):
        result = reference.similar(row, 4)
        assert [one.class_index for one in result] == [label] * 4
        assert [one.similarity for one in result] == sorted(
            (one.similarity for one in result), reverse=True
        )
    itself = reference.similar(clusters(300, kinds=range(8))[0][7], 1)[0]
    assert itself.path == "photo-7.jpg"
    assert itself.similarity == pytest.approx(1.0, abs=1e-2)


def test_a_reference_survives_the_disk_and_a_broken_one_is_as_none(tmp_path: Path) -> None:
    reference, _figures = made()
    reference.save(tmp_path)
    read = ood.load_reference(tmp_path)
    assert read is not None
    assert read.threshold == pytest.approx(reference.threshold)
    assert list(read.paths) == list(reference.paths)
    new, _labels = clusters(10, kinds=range(12), seed=9)
    assert np.allclose(read.distances(new), reference.distances(new), atol=1e-3)
    (tmp_path / ood.FILE).write_bytes(b"no archive")
    assert ood.load_reference(tmp_path) is None
    assert ood.load_reference(tmp_path / "nothing") is None


def test_copies_do_not_make_the_threshold_tight() -> None:
    features, labels = clusters(60, kinds=range(4))
    twice = np.repeat(features, 4, axis=0)  # bursts of four
    options = {"paths": ["x"] * 240, "test": features}
    tight, _figures = ood.build_reference(twice, np.repeat(labels, 4), **options)
    fair, _figures = ood.build_reference(
        twice, np.repeat(labels, 4), groups=np.arange(240) // 4, **options
    )
    assert tight.threshold is not None
    assert fair.threshold is not None
    assert tight.threshold < 0.01 < fair.threshold


def test_photos_of_the_same_source_are_refused_at_the_rate_that_is_stated() -> None:
    refused = []
    for seed in range(20):
        features, labels = clusters(260, kinds=range(8), seed=2 * seed)
        test, _labels = clusters(400, kinds=range(8), seed=2 * seed + 1)
        _reference, figures = ood.build_reference(features, labels, ["x"] * 260, test=test)
        refused.append(figures["refused"])
        low, high = figures["refused_interval"]
        assert low <= figures["refused"] <= high
    assert np.mean(refused) == pytest.approx(ood.FALSE_REFUSAL_RATE, abs=0.015)


def test_a_backbone_that_learned_is_judged_by_photos_it_did_not_learn() -> None:
    held_out, _labels = clusters(60, kinds=range(8), seed=4)
    reference, figures = made(held_out=held_out)
    assert reference.threshold is not None
    assert figures["accepted"] is None
    assert figures["auroc"] is None


def learned_by_heart(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Photos as a backbone sees them that learned from them: closer to each other than new ones."""
    middles = np.random.default_rng(99).gamma(0.5, 1.0, (12, 64))
    rng = np.random.default_rng(seed)
    labels = rng.choice(8, n)
    return np.maximum(middles[labels] + rng.normal(0, 0.1, (n, 64)), 0), labels


@pytest.mark.parametrize("n_held_out", [3, 8, 15, 40])
def test_few_photos_that_a_backbone_did_not_learn_are_enough_for_a_threshold(
    n_held_out: int,
) -> None:
    refused, caught = [], []
    for seed in range(8):
        features, labels = learned_by_heart(120, seed=seed)
        held_out, _labels = clusters(n_held_out, kinds=range(8), seed=50 + seed)
        reference, _figures = ood.build_reference(
            features, labels, ["x"] * 120, test=held_out[:0], held_out=held_out
        )
        known, _labels = clusters(200, kinds=range(8), seed=100 + seed)
        strange, _labels = clusters(200, kinds=range(8, 12), seed=200 + seed)
        refused.append(reference.is_out_of_distribution(known).mean())
        caught.append(reference.is_out_of_distribution(strange).mean())
    assert np.mean(refused) < 0.2
    assert np.mean(caught) > 0.9


def test_two_photos_that_a_backbone_did_not_learn_are_too_few() -> None:
    held_out, _labels = clusters(ood.MIN_HELD_OUT - 1, kinds=range(8), seed=4)
    assert made(held_out=held_out)[0].threshold is None


def test_too_few_photos_set_no_threshold() -> None:
    features, labels = clusters(8, kinds=range(2))
    reference, figures = ood.build_reference(features, labels, ["x"] * 8, test=features[:0])
    assert reference.threshold is None
    assert not reference.is_out_of_distribution(features).any()
    assert figures["refused"] is None


def test_large_sets_are_thinned_out_evenly() -> None:
    reference, _figures = made(most=100)
    assert 90 <= len(reference) <= 110
    assert set(reference.labels) == set(range(8))


@pytest.mark.parametrize(
    ("known", "strange", "expected"),
    [([0.0, 1.0], [2.0, 3.0], 1.0), ([2.0], [1.0], 0.0), ([1.0], [1.0], 0.5), ([], [1.0], None)],
)
def test_auroc_of_cases_by_hand(
    known: list[float], strange: list[float], expected: float | None
) -> None:
    assert ood.auroc(np.array(known), np.array(strange)) == expected


def test_auroc_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score  # here, since every test process reads this file

    rng = np.random.default_rng(0)
    known, strange = rng.integers(0, 9, 60) / 9, rng.integers(3, 12, 40) / 9  # many ties
    labels = np.repeat([0, 1], [len(known), len(strange)])
    expected = roc_auc_score(labels, np.concatenate([known, strange]))
    assert ood.auroc(known, strange) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_three_unseen_flowers_are_unlike_the_nine_seen(
    workspace: Path, shared_weights: Path, tmp_path: Path
) -> None:
    """On every second photo of a real set."""
    from translearn_core import datasets
    from translearn_core.backbones import get_backbone
    from translearn_core.features.extractor import extract_pooled

    for part in ("train", "test"):
        for folder in shared_photos("flowers12", part).iterdir():
            (tmp_path / part / folder.name).mkdir(parents=True)
            for photo in sorted(folder.iterdir())[::2]:
                shutil.copy(photo, tmp_path / part / folder.name)
    dataset = datasets.import_source(
        tmp_path / "train",
        test_source=tmp_path / "test",
        in_place=True,
        check=False,
    )
    features = extract_pooled(dataset, get_backbone("mobilenet_v2_035"), size=224).features[:]
    names, test = dataset.photos["class_name"], (dataset.photos["split"] == "test").to_numpy()
    unseen = names.isin(list(dataset.classes)[3:12:4]).to_numpy()
    train_features = ~test & ~unseen
    codes = names.astype("category").cat.codes.to_numpy()
    reference, _figures = ood.build_reference(
        features[train_features],
        codes[train_features],
        list(names[train_features]),
        test=features[test & ~unseen],
    )
    score = ood.auroc(
        reference.distances(features[test & ~unseen]), reference.distances(features[test & unseen])
    )
    assert score is not None
    assert score >= 0.9
