"""Batch-normalization statistics that fit the weights, and the callback."""

import helpers
import keras
import numpy as np
import pytest

from drsn_lib import models, training


def norms(model):
    return [part for part in model._flatten_layers() if isinstance(part, keras.layers.BatchNormalization)]


def statistics(model):
    return [helpers.array(w).astype(np.float64) for one in norms(model) for w in (one.moving_mean, one.moving_variance)]


def test_statistics_of_a_single_norm_are_those_of_the_data():
    inputs = keras.Input((8, 3))
    model = keras.Model(inputs, keras.layers.BatchNormalization(momentum=0.99)(inputs))
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(96, 8, 3)).astype("float32")
    training.recalibrate_batch_norm(model, x, batch_size=32)
    mean, variance = statistics(model)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 1)), rtol=1e-4)
    np.testing.assert_allclose(variance, x.var(axis=(0, 1)), rtol=1e-4)
    assert norms(model)[0].momentum == 0.99


def test_statistics_of_a_deep_model_are_those_of_training_mode():
    model = models.build("drsn-cw", (16, 2), 3, activation="aprelu")
    helpers.randomize(model)
    x = np.random.default_rng(1).normal(size=(32, 16, 2)).astype("float32")
    before = [helpers.array(w) for w in model.trainable_weights]
    training.recalibrate_batch_norm(model, x, batch_size=32)
    # One batch: inference with its statistics is training mode on it, in every layer at once.
    np.testing.assert_allclose(
        helpers.array(model(x, training=False)), helpers.array(model(x, training=True)), rtol=1e-3, atol=1e-4
    )
    for w, old in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(helpers.array(w), old)
    assert {one.momentum for one in norms(model)} == {0.9}


def test_incomplete_last_batch_is_left_out():
    inputs = keras.Input((4, 1))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    x = np.concatenate([np.random.default_rng(2).normal(size=(20, 4, 1)), np.full((3, 4, 1), 1e6)])
    training.recalibrate_batch_norm(model, x, batch_size=10)
    np.testing.assert_allclose(statistics(model)[0], x[:20].mean(axis=(0, 1)), rtol=1e-4)
    training.recalibrate_batch_norm(model, x[:5], batch_size=10)
    np.testing.assert_allclose(statistics(model)[0], x[:5].mean(axis=(0, 1)), rtol=1e-4)


def test_repairs_a_short_training():
    # With momentum 0.99 and few steps, inference mode knows next to nothing of what was learned.
    rng = np.random.default_rng(3)
    y = np.arange(200) % 2
    x = 5.0 + rng.normal(size=(200, 24, 1)) * np.where(y, 1.5, 0.5)[:, None, None]
    keras.utils.set_random_seed(0)
    model = models.build("drsn-cw", (24, 1), 2, bn_momentum=0.99)
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=4, batch_size=20, verbose=0)
    stale = model.evaluate(x, y, verbose=0)[1]
    training.recalibrate_batch_norm(model, x, batch_size=20)
    assert model.evaluate(x, y, verbose=0)[1] > stale + 0.1


def test_frozen_norms_are_left_alone():
    model = models.build("resnet", (16, 2), 3)
    model.get_layer("norm").trainable = False
    old = helpers.array(model.get_layer("norm").moving_mean)
    training.recalibrate_batch_norm(model, np.random.default_rng(4).normal(3.0, size=(8, 16, 2)), batch_size=8)
    np.testing.assert_array_equal(helpers.array(model.get_layer("norm").moving_mean), old)
    assert not np.allclose(helpers.array(model.get_layer("stage1_unit1").norm_1.moving_mean), 0.0)


def test_interrupted_recalibration_leaves_the_model_as_it_was():
    class Interrupted:
        shape = (30, 16, 2)

        def __len__(self):
            return 30

        def __getitem__(self, index):
            if index.start:
                raise KeyboardInterrupt
            return np.random.default_rng(5).normal(2.0, size=(10, 16, 2))

    model = models.build("resnet", (16, 2), 3)
    before = statistics(model)
    with pytest.raises(KeyboardInterrupt):
        training.recalibrate_batch_norm(model, Interrupted(), batch_size=10)
    for got, old in zip(statistics(model), before, strict=True):
        np.testing.assert_array_equal(got, old)
    assert {one.momentum for one in norms(model)} == {0.9}


@pytest.mark.parametrize(
    ("x", "batch_size", "named"), [(np.zeros((0, 4, 1)), 8, "`x`"), (np.zeros((8, 4, 1)), 1, "`batch_size`")]
)
def test_wrong_argument_is_named(x, batch_size, named):
    model = models.build("resnet", (4, 1), 2)
    with pytest.raises(ValueError, match=rf"{named}.*Received"):
        training.recalibrate_batch_norm(model, x, batch_size=batch_size)


def test_model_without_norm_is_said():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="plain")
    with pytest.raises(ValueError, match=r"no trainable BatchNormalization.*'plain'"):
        training.recalibrate_batch_norm(model, np.zeros((4, 3)))


def test_progress_bar_tells_epochs_and_metrics(capsys):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.zeros((8, 3)), np.zeros(8), epochs=3, verbose=0, callbacks=[training.ProgressBar("tiny")])
    said = capsys.readouterr().err
    assert "tiny" in said and "3/3" in said and "loss=" in said
