"""A head in NumPy: its gradient, and its form as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.evaluation.dense_head import DenseHead, DenseLayer


@pytest.fixture
def head() -> DenseHead:
    """Six features, one hidden layer, three classes."""
    rng = np.random.default_rng(0)
    return DenseHead.of_weights(
        [
            (rng.normal(size=(6, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)),
            (rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)),
        ],
        name="light",
        classes=("bright", "dark", "neither"),
    )


def test_relu_stands_between_the_layers_and_not_behind_the_last(head: DenseHead) -> None:
    assert [layer.relu for layer in head.layers] == [True, False]
    pooled = np.random.default_rng(1).normal(size=(20, 6))
    (first, more), (second, last) = ((layer.kernel, layer.bias) for layer in head.layers)
    hidden = np.clip(pooled @ first + more, 0, None)
    assert (hidden == 0).any()
    assert np.allclose(head.logits(pooled), hidden @ second + last, atol=1e-4)


def test_probabilities_add_up_to_one_and_keep_the_order_of_logits(head: DenseHead) -> None:
    pooled = np.random.default_rng(2).normal(size=(20, 6))
    shares = head.probabilities(pooled)
    assert shares.dtype == np.float32
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert (shares.argmax(axis=1) == head.logits(pooled).argmax(axis=1)).all()


def test_the_gradient_is_that_of_finite_differences(head: DenseHead) -> None:
    pooled = np.random.default_rng(3).normal(size=6)
    wanted = np.array([1.0, -0.5, -0.5])
    step = 1e-3
    steps = pooled + step * np.vstack([np.eye(6), -np.eye(6)])
    values = head.logits(steps) @ wanted
    assert np.allclose(
        head.gradient(pooled, wanted), (values[:6] - values[6:]) / (2 * step), atol=1e-2
    )


def test_arrays_give_the_same_head_back(head: DenseHead) -> None:
    arrays = head.as_arrays("0_")
    again = DenseHead.from_arrays(arrays, "0_", name=head.name, classes=head.classes)
    assert again is not None
    assert (again.name, again.classes, again.n_outputs) == ("light", head.classes, 3)
    pooled = np.ones((2, 6))
    assert np.array_equal(again.logits(pooled), head.logits(pooled))
    assert DenseHead.from_arrays(arrays, "1_") is None


def test_heads_of_earlier_versions_have_relu_between_layers(head: DenseHead) -> None:
    arrays = {name: array for name, array in head.as_arrays().items() if "relu" not in name}
    again = DenseHead.from_arrays(arrays)
    assert again is not None
    assert [layer.relu for layer in again.layers] == [True, False]


def test_a_layer_without_relu_in_the_middle_keeps_that(head: DenseHead) -> None:
    first, last = head.layers
    linear = DenseHead(layers=(DenseLayer(first.kernel, first.bias, False), last))
    again = DenseHead.from_arrays(linear.as_arrays())
    assert again is not None
    assert not again.layers[0].relu
