"""Batch-normalization statistics that fit the weights, the callback, and models that begin anew."""

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


# ---------------------------------------------------------------- reinitialize


def values(model):
    return [helpers.array(w) for w in model.weights]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def small(variant="drsn-cw", **options):
    return models.build(variant, (16, 1), 3, stem=(4, 2), stages=[(4, 1, 1), (8, 1, 2)], **options)


def plain():
    layers = [keras.layers.Flatten(), keras.layers.Dense(5), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((16, 1)), *layers, keras.layers.Softmax()])


def fitted(model, optimizer="adam"):
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(*few(), batch_size=4, epochs=2, verbose=0)
    return model


def few():
    return np.random.default_rng(6).normal(size=(12, 16, 1)).astype("float32"), np.arange(12) % 3


@pytest.mark.parametrize("activation", ["relu", "aprelu"])
def test_reinitialized_weights_depend_on_the_seed_and_on_nothing_before(activation):
    keras.utils.set_random_seed(5)
    new, used = small(activation=activation), small(activation=activation)
    helpers.randomize(used)
    for model in (new, used):
        training.reinitialize(model, 7)
    assert_same(values(new), values(used))
    training.reinitialize(new, np.int64(8))
    # Another seed: every kernel is another one; biases, gammas and statistics are where they begin.
    same = [np.array_equal(a, b) for a, b in zip(values(new), values(used), strict=True)]
    assert same == [not w.path.endswith("kernel") for w in new.weights] and same.count(False) >= 10


def test_reinitialized_weights_are_distributed_as_those_of_a_new_model():
    keras.utils.set_random_seed(0)
    wide = models.build("drsn-cw", (64, 1), 3, stem=(64, 1), stages=[(64, 1, 1)], initial_scale=0.1)
    before = values(wide)
    training.reinitialize(wide, 0)
    for w, old, new in zip(wide.weights, before, values(wide), strict=True):
        if w.path.endswith("kernel"):
            assert not np.array_equal(old, new)
            np.testing.assert_allclose(new.std(), old.std(), rtol=0.25)
            assert abs(new.mean()) < 4 * old.std() / old.size**0.5
        else:
            np.testing.assert_array_equal(new, old)
    unit = wide.get_layer("stage1_unit1")
    kernels = [helpers.array(layer.kernel) for layer in (unit.conv_1, unit.conv_2)]
    assert abs(np.corrcoef(kernels[0].ravel(), kernels[1].ravel())[0, 1]) < 0.1  # each has draws of its own


def test_models_begin_alike_where_they_are_alike():
    family = {variant: small(variant) for variant in ("convnet", "resnet", "senet", "drsn-cs", "drsn-cw")}
    family["projection"] = small("resnet", shortcut="projection")
    family["nearly closed"] = small("drsn-cw", initial_scale=0.02)
    begins = {}
    for name, model in family.items():
        training.reinitialize(model, 3)
        begins[name] = {w.path: helpers.array(w) for w in model.weights}
    resnet = begins["resnet"]
    for name, begin in begins.items():
        assert set(resnet) <= set(begin)
        assert_same([begin[path] for path in resnet], resnet.values())
        assert (len(begin) == len(resnet)) == (name in ("resnet", "convnet"))
    assert_same(begins["senet"].values(), begins["drsn-cw"].values())
    differ = [p for p, w in begins["drsn-cw"].items() if not np.array_equal(w, begins["nearly closed"][p])]
    assert differ == [f"stage{k}_unit1/gate/gate_dense/bias" for k in (1, 2)]


def test_names_that_keras_has_numbered_are_counted_within_the_model():
    def made():
        inputs = keras.Input((4,))
        h = keras.layers.Dense(5)(keras.layers.Dense(5)(inputs))
        return keras.Model(inputs, keras.Sequential([keras.layers.Dense(5), keras.layers.Dense(5)])(h))

    one, other = made(), made()
    assert [w.path for w in one.weights] != [w.path for w in other.weights]
    for model in (one, other):
        training.reinitialize(model, 0)
    assert_same(values(one), values(other))
    assert not np.array_equal(*(helpers.array(layer.kernel) for layer in one.layers[-1].layers))


def test_a_training_after_reinitialize_is_that_of_a_new_model():
    def run(model):
        training.reinitialize(model, 1)
        if not model.compiled:
            rate = keras.optimizers.schedules.CosineDecay(0.05, 9)
            model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        return model.fit(*few(), batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"]

    model = plain()
    first, again = run(model), run(model)
    np.testing.assert_allclose(again, first, rtol=1e-4)
    np.testing.assert_allclose(run(plain()), first, rtol=1e-4)
    assert int(model.optimizer.iterations) == 9


@pytest.mark.parametrize("name", ["SGD", "Adam", "Nadam", "Adagrad", "RMSprop", "LossScaleOptimizer"])
def test_optimizer_is_in_the_state_of_its_first_step(name):
    keras.utils.set_random_seed(0)
    kind = getattr(keras.optimizers, name)
    inner = keras.optimizers.Adam
    made = {"SGD": lambda: kind(0.1, momentum=0.9), "LossScaleOptimizer": lambda: kind(inner())}
    optimizer = made.get(name, kind)()
    model = plain()
    model.compile(optimizer, "sparse_categorical_crossentropy")
    optimizer.build(model.trainable_variables)
    before = [helpers.array(v) for v in optimizer.variables]
    identities = [id(v) for v in optimizer.variables]
    model.fit(*few(), batch_size=4, epochs=2, verbose=0)
    assert (
        sum(not np.array_equal(helpers.array(v), old) for v, old in zip(optimizer.variables, before, strict=True)) > 4
    )
    training.reinitialize(model, 0)
    assert_same([helpers.array(v) for v in optimizer.variables], before)
    assert [id(v) for v in optimizer.variables] == identities and model.optimizer is optimizer


def test_lowered_learning_rate_is_kept_and_an_optimizer_that_was_never_used_is_left_alone():
    model = fitted(plain(), keras.optimizers.SGD(0.5))
    model.optimizer.learning_rate = 0.125
    training.reinitialize(model, 0)
    assert float(model.optimizer.learning_rate) == 0.125 and int(model.optimizer.iterations) == 0
    model = plain()
    model.compile("adam", "sparse_categorical_crossentropy")
    training.reinitialize(model, 0)
    model.fit(*few(), batch_size=4, verbose=0)
    assert int(model.optimizer.iterations) == 3


def test_frozen_layers_begin_anew_too_and_adapted_ones_are_kept():
    scale = keras.layers.Normalization(name="scale")
    scale.adapt(np.random.default_rng(0).normal(3.0, 2.0, size=(50, 16, 1)))
    inputs = keras.Input((16, 1))
    inner = plain()
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inner(scale(inputs))))
    fitted(model)
    inner.trainable = False
    adapted = [helpers.array(v) for v in scale.variables]
    with pytest.raises(ValueError, match=r"compile the model again.*Received"):
        training.reinitialize(model, 0)  # the optimizer has slots of weights that are frozen now
    fitted(model)
    training.reinitialize(model, 0)
    begun = values(inner)
    assert_same([helpers.array(v) for v in scale.variables], adapted)
    assert not any(w.trainable for w in inner.weights)
    np.testing.assert_array_equal(helpers.array(norms(inner)[0].moving_mean), 0.0)
    training.reinitialize(model, 1)
    assert not np.array_equal(values(inner)[0], begun[0])


def test_layers_of_several_kinds_with_random_states_begin_anew():
    inputs = keras.Input((6, 4))
    h = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))(inputs)
    h = keras.layers.MultiHeadAttention(2, 3)(h, h)
    # On PyTorch, a dropout without a seed draws from PyTorch's own generator.
    h = keras.layers.Dropout(0.5, seed=4 if keras.backend.backend() == "torch" else None)(h)
    shared = keras.layers.Dense(6)
    model = keras.Model(inputs, shared(shared(h)))
    x = np.ones((2, 6, 4), dtype="float32")
    training.reinitialize(model, 2)
    first = helpers.array(model(x, training=True))
    assert not np.array_equal(helpers.array(model(x, training=True)), first)
    training.reinitialize(model, 2)
    np.testing.assert_array_equal(helpers.array(model(x, training=True)), first)


def test_initializers_with_a_seed_of_their_own_give_what_they_always_give():
    own = keras.initializers.HeNormal(seed=11)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_initializer=own)])
    before = values(model)
    training.reinitialize(model, 0)
    assert_same(values(model), before)


def test_reinitialize_changes_nothing_outside_the_model():
    import random

    random.seed(3)
    np.random.seed(3)  # noqa: NPY002  (whether the global generator is left alone is the question)
    keras.utils.set_random_seed(3)
    expected = random.random(), np.random.random(), helpers.array(keras.random.normal((2,)))  # noqa: NPY002
    keras.utils.set_random_seed(3)
    training.reinitialize(small(), 0)
    model = small()
    keras.utils.set_random_seed(3)
    training.reinitialize(model, 0)
    found = random.random(), np.random.random(), helpers.array(keras.random.normal((2,)))  # noqa: NPY002
    assert found[:2] == expected[:2]
    np.testing.assert_array_equal(found[2], expected[2])


class Forgetful(keras.layers.Layer):
    """Its configuration does not say how wide it is."""

    def __init__(self, width=1, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.width))

    def call(self, x):
        return x @ self.kernel

    def get_config(self):
        return keras.layers.Layer.get_config(self)


def test_layer_that_cannot_be_made_anew_is_named_and_the_model_is_as_it_was():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Forgetful(3, name="forgetful")(keras.layers.Dense(4)(inputs)))
    before = values(model)
    with pytest.raises(ValueError, match=r"Forgetful 'forgetful'.*Expected.*get_config.*Received.*\(4, 3\).*\(4, 1\)"):
        training.reinitialize(model, 0)
    assert_same(values(model), before)


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0", None])
def test_wrong_seed_is_named(seed):
    with pytest.raises(ValueError, match=r"`seed`.*Received"):
        training.reinitialize(small(), seed)


@pytest.mark.parametrize("model", [keras.Sequential([keras.layers.Dense(2)]), None])
def test_model_without_weights_yet_is_said(model):
    with pytest.raises(ValueError, match=r"`model` must be a built.*Received"):
        training.reinitialize(model, 0)
