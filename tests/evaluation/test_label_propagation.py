"""Guesses spread among neighbours and balanced, on clouds of points."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.clouds import accuracy, draw_clouds
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.label_propagation import (
    balance_classes,
    fit_centroids,
    knn_graph,
    propagate,
    sharpen,
)


def test_balance_meets_the_shares_at_full_strength_and_changes_nothing_at_none() -> None:
    probs = np.random.default_rng(0).dirichlet((3, 1, 1), 400)
    priors = np.array([0.2, 0.3, 0.5])
    assert np.allclose(balance_classes(probs, priors, strength=1.0).mean(axis=0), priors, atol=1e-3)
    assert np.allclose(balance_classes(probs, priors, strength=0.0), probs, atol=1e-6)


def test_balance_in_between_lies_in_between_and_keeps_the_order_within_a_class() -> None:
    probs = np.random.default_rng(1).dirichlet((3, 1), 300)
    priors = np.array([0.3, 0.7])
    means = [balance_classes(probs, priors, strength=s).mean(axis=0)[0] for s in (0.0, 0.5, 1.0)]
    assert means[0] > means[1] > means[2]
    half = balance_classes(probs, priors, strength=0.5)
    assert np.array_equal(np.argsort(half[:, 0]), np.argsort(probs[:, 0]))


def test_one_label_in_each_of_two_clouds_names_both_clouds() -> None:
    points, labels = draw_clouds(60, seed=1)
    known = np.zeros((120, 2))
    known[0, 0] = known[60, 1] = 1
    probs = propagate(knn_graph(points), known)
    assert accuracy(probs, labels) == 1.0
    assert np.allclose(probs.sum(axis=1), 1)


def test_neighbours_outvote_a_wrong_label_and_confirm_many() -> None:
    points, labels = draw_clouds(40, seed=2)
    wrong = np.arange(0, 80, 10)
    predicted = labels.copy()
    predicted[wrong] = 1 - predicted[wrong]
    probs = propagate(knn_graph(points), np.eye(2)[predicted])
    assert accuracy(probs, labels) == 1.0, "an eighth of the labels was wrong"
    upside_down = propagate(knn_graph(points), np.eye(2)[1 - labels])
    assert accuracy(upside_down, labels) == 0.0, "what all say, nobody corrects"


def test_without_trust_in_neighbours_answers_stay() -> None:
    points, labels = draw_clouds(20, seed=3)
    start = np.random.default_rng(0).dirichlet((1, 1), len(labels))
    assert np.allclose(propagate(knn_graph(points), start, alpha=0.0), start, atol=1e-6)


def test_the_graph_joins_each_point_to_its_own_cloud_alone() -> None:
    points, labels = draw_clouds(30, seed=4)
    graph = knn_graph(points, neighbours=5)
    rows, columns = graph.nonzero()
    assert (labels[rows] == labels[columns]).all()
    assert (rows != columns).all(), "nobody is a neighbour of himself"
    assert abs(graph - graph.T).max() < 1e-12
    assert (np.diff(graph.indptr) >= 5).all()


def test_the_graph_heeds_a_stop() -> None:
    with pytest.raises(StopRequestedError):
        knn_graph(draw_clouds(10)[0], stop=lambda: True)


def test_centres_turn_weak_guesses_into_right_answers() -> None:
    points, labels = draw_clouds(50, classes=3, seed=5)
    rng = np.random.default_rng(0)
    weak = 0.8 * rng.dirichlet((1, 1, 1), len(labels)) + 0.2 * np.eye(3)[labels]
    assert accuracy(weak, labels) < 0.95
    probs = fit_centroids(points, weak, np.full(3, 1 / 3), strength=0.6)
    assert accuracy(probs, labels) == 1.0


def test_sharpening_keeps_the_order_and_moves_to_the_largest() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]])
    sharp = sharpen(probs)
    assert np.allclose(sharp[0], np.array([625, 81, 16]) / 722)
    assert np.allclose(sharp[1], 1 / 3)
