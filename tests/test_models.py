"""The network family: stated parameter counts, shapes, looks inside, and wrong arguments."""

import helpers
import keras
import numpy as np
import pytest

from drsn_lib import layers, models


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


# What the papers' tables, the authors' code and our own counts of it state.
@pytest.mark.parametrize(
    ("preset", "variant", "overrides", "total", "trained"),
    [
        ("mnist", "drsn-cw", {}, 1_610, 1_546),
        ("mnist", "senet", {}, 1_610, 1_546),
        ("vibration", "convnet", {}, None, 8_416),
        ("vibration", "resnet", {}, None, 8_416),
        ("vibration", "senet", {}, None, 11_552),
        ("vibration", "drsn-cs", {}, None, 10_220),
        ("vibration", "drsn-cw", {}, None, 11_552),
        ("cifar10-aprelu", "resnet", {}, 93_791, None),
        ("cifar10-aprelu", "resnet", {"activation": "relu"}, 89_994, 89_450),
    ],
)
def test_parameter_counts(preset, variant, overrides, total, trained):
    model = models.preset(preset, variant, **overrides)
    if total is not None:
        assert model.count_params() == total
    if trained is not None:
        assert trainable(model) == trained


@pytest.mark.parametrize("variant", models.VARIANTS)
@pytest.mark.parametrize("input_shape", [(65, 2), (13, 9, 3), (None, 2), (None, None, 3)])
def test_family(variant, input_shape):
    model = models.build(variant, input_shape, 5, stem=(3, 2), stages=[(4, 2, 1), (7, 2, 2)])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, *[11 if size is None else size for size in input_shape])).astype("float32")
    out = helpers.array(model(x))
    assert out.shape == (6, 5)
    np.testing.assert_allclose(out.sum(axis=1), 1.0, rtol=1e-5)
    names = [layer.name for layer in model.layers]
    assert names == [
        "input",
        "stem",
        "stage1_unit1",
        "stage1_unit2",
        "stage2_unit1",
        "stage2_unit2",
        "norm",
        "activation",
        "pool",
        "classifier",
    ]
    shortcuts = [unit.shortcut_layer for unit in model.layers if isinstance(unit, layers.ResidualUnit)]
    assert all(one is None for one in shortcuts) == (variant == "convnet")
    assert [unit.strides for unit in model.layers if isinstance(unit, layers.ResidualUnit)] == [1, 1, 2, 1]


@pytest.mark.parametrize("variant", models.VARIANTS)
def test_learns_a_rule(variant):
    # Two classes that differ in the mean magnitude of one channel: any of the family must find that.
    rng = np.random.default_rng(1)
    y = np.arange(64) % 2
    x = rng.normal(size=(64, 24, 2)) * np.where(y, 3.0, 0.5)[:, None, None]
    keras.utils.set_random_seed(0)
    model = models.build(variant, (24, 2), 2, stem=(4, 1), stages=[(4, 1, 2)])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=12, batch_size=16, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.9


def test_activation_reaches_every_place():
    model = models.build("resnet", (16, 1), 3, activation=lambda: keras.layers.LeakyReLU(0.2))
    unit = model.get_layer("stage1_unit1")
    assert {type(one) for one in (unit.activation_1, unit.activation_2, model.get_layer("activation"))} == {
        keras.layers.LeakyReLU
    }
    aprelu = models.preset("cifar10-aprelu", "resnet", gamma_regularizer="l2")
    assert aprelu.get_layer("activation").reduction == 16
    assert aprelu.get_layer("activation").gate_norm.gamma_regularizer is not None
    assert aprelu.get_layer("stage3_unit1").shortcut_layer.padding == "end"


def test_regularizer_momentum_and_logits():
    model = models.build(
        "drsn-cw",
        (16, 1),
        3,
        kernel_regularizer=keras.regularizers.L2(1e-4),
        bn_momentum=0.99,
        classifier_activation=None,
    )
    kernels = [w for w in model.weights if w.path.endswith("kernel")]
    assert len(kernels) == 6 and all(w.regularizer is not None for w in kernels)
    norms = [part for part in model._flatten_layers() if isinstance(part, keras.layers.BatchNormalization)]
    assert len(norms) == 4 and {part.momentum for part in norms} == {0.99}
    x = np.random.default_rng(2).normal(size=(3, 16, 1))
    assert not np.allclose(helpers.array(model(x)).sum(axis=1), 1.0)


@pytest.mark.parametrize(("variant", "width"), [("drsn-cw", (4, 6)), ("drsn-cs", (1, 1)), ("learned-fraction", (4, 6))])
def test_thresholds_of_a_model(variant, width):
    model = models.build(variant, (20, 1), 3, stem=(4, 1), stages=[(4, 1, 1), (6, 1, 2)])
    x = np.random.default_rng(3).normal(size=(7, 20, 1)).astype("float32")
    found = models.thresholds(model, x, batch_size=3)
    assert list(found) == ["stage1_unit1", "stage2_unit1"]
    assert [found[name].shape for name in found] == [(7, width[0]), (7, width[1])]
    # The first unit's thresholds once more, through the layers themselves.
    unit = model.get_layer("stage1_unit1")
    u = unit.residual(model.get_layer("stem")(x))
    np.testing.assert_allclose(found["stage1_unit1"], helpers.array(unit.gate.thresholds(u)), rtol=1e-5)
    if variant != "learned-fraction":
        alphas = models.scales(model, x)
        np.testing.assert_allclose(alphas["stage1_unit1"], helpers.array(unit.gate.scales(u)), rtol=1e-5)
    # And they are those that the unit applies.
    applied = helpers.np_soft(helpers.array(u), found["stage1_unit1"][:, None, :])
    got = helpers.array(unit(model.get_layer("stem")(x)) - model.get_layer("stem")(x))
    np.testing.assert_allclose(got, applied, atol=1e-5)


def test_looks_inside_that_are_not_there():
    with pytest.raises(ValueError, match=r"'drsn-cs', 'drsn-cw', .* to have thresholds.*'resnet'"):
        models.thresholds(models.build("resnet", (20, 1), 3), np.zeros((1, 20, 1)))
    with pytest.raises(ValueError, match="to have scales"):
        models.scales(models.build("convnet", (20, 1), 3), np.zeros((1, 20, 1)))
    assert models.scales(models.build("senet", (20, 1), 3), np.zeros((2, 20, 1)))["stage1_unit1"].shape == (2, 8)


@pytest.mark.parametrize("variant", ["drsn-cw", "drsn-cs", "senet"])
def test_predictions_with_the_scales_of_others(variant):
    options = {"stem": (4, 2), "stages": [(4, 1, 1), (8, 1, 2)]}
    model = models.build(variant, (20, 1), 3, activation="aprelu", **options)
    helpers.randomize(model)
    x = np.random.default_rng(0).normal(size=(7, 20, 1)).astype("float32")
    usual = model.predict(x, verbose=0)
    said = models.scales(model, x)
    np.testing.assert_allclose(models.predict_with_scales(model, x, said, batch_size=3), usual, atol=1e-5)
    np.testing.assert_allclose(models.predict_with_scales(model, x, {}), usual, atol=1e-5)
    order = np.roll(np.arange(7), 1)
    of_others = {name: one[order] for name, one in said.items()}
    changed = models.predict_with_scales(model, x, of_others)
    assert np.abs(changed - usual).max() > 1e-3
    last = list(said)[-1]
    one_unit = models.predict_with_scales(model, x, {last: of_others[last]})
    # By hand: the last unit alone, behind all that is as usual.
    ahead = keras.Model(model.input, model.get_layer(last).input)
    y = model.get_layer(last).with_scales(ahead(x, training=False), of_others[last])
    for layer in model.layers[[layer.name for layer in model.layers].index(last) + 1 :]:
        y = layer(y)
    np.testing.assert_allclose(one_unit, helpers.array(y), atol=1e-5)
    # And by the formula of the unit.
    unit = model.get_layer(last)
    before = ahead(x, training=False)
    u, alpha = helpers.array(unit.residual(before)), of_others[last][:, np.newaxis]
    if variant == "senet":
        passed = u * alpha
    else:
        mean = np.abs(u).mean(axis=1, keepdims=True)
        tau = alpha * (mean.mean(axis=-1, keepdims=True) if variant == "drsn-cs" else mean)
        passed = np.sign(u) * np.maximum(np.abs(u) - tau, 0)
    expected = passed + helpers.array(unit.shortcut_layer(before))
    np.testing.assert_allclose(helpers.array(unit.with_scales(before, of_others[last])), expected, atol=1e-5)


def test_scales_that_do_not_fit():
    model = models.build("drsn-cw", (20, 1), 3, stem=(4, 2), stages=[(4, 1, 1)])
    x = np.zeros((5, 20, 1), "float32")
    with pytest.raises(ValueError, match="named after units of the model: 'stage1_unit1'"):
        models.predict_with_scales(model, x, {"stage9": np.zeros((5, 4))})
    with pytest.raises(ValueError, match="one row for each of the 5 inputs"):
        models.predict_with_scales(model, x, {"stage1_unit1": np.zeros((4, 4))})
    with pytest.raises(ValueError, match=r"the shape \(5, 4\)"):
        models.predict_with_scales(model, x, {"stage1_unit1": np.zeros((5, 3))})
    plain = models.build("resnet", (20, 1), 3, stem=(4, 2), stages=[(4, 1, 1)])
    with pytest.raises(ValueError, match="no gate whose scales could be given"):
        models.predict_with_scales(plain, x, {"stage1_unit1": np.zeros((5, 4))})


def test_classifier_computes_in_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build("drsn-cw", (16, 1), 3, activation="aprelu")
    finally:
        keras.config.set_dtype_policy("float32")
    out = model(np.zeros((2, 16, 1), "float32"))
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    assert model.get_layer("stage1_unit1").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"variant": "drsn"}, "`variant`"),
        ({"input_shape": (28,)}, "`input_shape`"),
        ({"input_shape": (28, None)}, "`input_shape`"),
        ({"input_shape": (4, 4, 4, 1)}, "`input_shape`"),
        ({"num_classes": 0}, "`num_classes`"),
        ({"stem": 8}, "`stem`"),
        ({"stem": (8, 0)}, "`stem: strides`"),
        ({"stages": []}, "`stages`"),
        ({"stages": [(8, 1)]}, "`stages`"),
        ({"stages": [(8, 1, 0.5)]}, "`stages: strides`"),
        ({"activation": "rleu"}, "`activation`"),
        ({"initial_scale": 2.0}, "`initial_scale`"),
        ({"shortcut": "conv"}, "`shortcut`"),
    ],
)
def test_wrong_argument_is_named(arguments, named):
    with pytest.raises(ValueError, match=rf"{named}.*Received: "):
        models.build(**{"variant": "drsn-cw", "input_shape": (28, 1), "num_classes": 3, **arguments})


def test_unknown_preset_is_named():
    with pytest.raises(ValueError, match=r"`name` of models.preset must be one of 'mnist'.*Received: name='imagenet'"):
        models.preset("imagenet", "resnet")
