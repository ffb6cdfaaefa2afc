"""Statistics of BatchNormalization measured afresh."""

from __future__ import annotations

import keras
import numpy as np

from translearn_core.techniques.adabn import take_in


def network() -> tuple[keras.Model, keras.layers.BatchNormalization]:
    layer = keras.layers.BatchNormalization()
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, layer(inputs))
    layer.trainable = True
    return model, layer


def test_the_statistics_become_the_mean_of_those_of_all_batches() -> None:
    model, layer = network()
    layer.moving_mean.assign([100.0, 100.0, 100.0])  # of the old place: forgotten
    rng = np.random.default_rng(0)
    batches = [rng.normal(place, 1 + place, (8, 4, 4, 3)).astype(np.float32) for place in range(3)]
    for done, batch in enumerate(batches):
        take_in(model, [layer], batch, done)
    means = np.mean([batch.mean(axis=(0, 1, 2)) for batch in batches], axis=0)
    spreads = np.mean([batch.var(axis=(0, 1, 2)) for batch in batches], axis=0)
    assert np.allclose(layer.moving_mean.numpy(), means, atol=1e-4)
    assert np.allclose(layer.moving_variance.numpy(), spreads, rtol=1e-3)


def test_photos_of_the_new_place_come_out_standardised() -> None:
    model, layer = network()
    rng = np.random.default_rng(1)
    photos = (rng.normal(0, 20, (16, 4, 4, 3)) + np.array([30, 90, 200])).astype(np.float32)
    take_in(model, [layer], photos, 0)
    seen = np.asarray(model(photos, training=False))
    assert np.allclose(seen.mean(axis=(0, 1, 2)), 0, atol=1e-3)
    assert np.allclose(seen.std(axis=(0, 1, 2)), 1, atol=1e-2)


def test_gamma_and_beta_are_left_alone() -> None:
    model, layer = network()
    layer.gamma.assign([2.0, 3.0, 4.0])
    layer.beta.assign([1.0, 0.0, -1.0])
    take_in(model, [layer], np.ones((2, 4, 4, 3), np.float32), 0)
    assert np.array_equal(layer.gamma.numpy(), [2, 3, 4])
    assert np.array_equal(layer.beta.numpy(), [1, 0, -1])
