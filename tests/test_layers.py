"""Every layer against the papers' formulas in NumPy and float64, and against what a Keras layer owes."""

import helpers
import keras
import numpy as np
import pytest
from keras import ops as kops

from drsn_lib import layers

# name: (make, number of input channels)
UNITS = {
    f"unit-{branch}-{activation}": (
        lambda dtype="float64", branch=branch, activation=activation: layers.ResidualUnit(
            5, strides=2, branch=branch, activation=activation, dtype=dtype
        ),
        3,
    )
    for branch, activation in [
        ("plain", "relu"),
        ("se", "relu"),
        ("se-textbook", "relu"),
        ("drsn-cs", "relu"),
        ("drsn-cw", "relu"),
        ("drsn-cw", "aprelu"),
        ("learned-fraction", "relu"),
        ("learned-threshold", "relu"),
        ("fixed-threshold", "relu"),
        ("plain", "tanh"),
    ]
}
CASES = {
    "squeeze-excitation": (lambda dtype="float64": layers.SqueezeExcitation(reduction=2, dtype=dtype), 6),
    "squeeze-excitation-control": (
        lambda dtype="float64": layers.SqueezeExcitation(1, squeeze="abs", norm=True, dtype=dtype),
        6,
    ),
    "shrinkage-channel": (lambda dtype="float64": layers.Shrinkage("channel", dtype=dtype), 6),
    "shrinkage-channel-reduced": (lambda dtype="float64": layers.Shrinkage("channel", reduction=4, dtype=dtype), 6),
    "shrinkage-shared": (lambda dtype="float64": layers.Shrinkage("shared", dtype=dtype), 6),
    "learned-fraction": (lambda dtype="float64": layers.LearnedThreshold(dtype=dtype), 6),
    "learned-threshold": (lambda dtype="float64": layers.LearnedThreshold(relative=False, dtype=dtype), 6),
    **{
        f"aprelu-{statistic}": (
            lambda dtype="float64", statistic=statistic: layers.APReLU(2, statistic=statistic, dtype=dtype),
            6,
        )
        for statistic in ("both", "positive", "negative", "mean")
    },
    "identity-shortcut": (lambda dtype="float64": layers.IdentityShortcut(9, 2, dtype=dtype), 6),
    "identity-shortcut-end": (lambda dtype="float64": layers.IdentityShortcut(9, 2, "end", dtype=dtype), 6),
    "projection": (
        lambda dtype="float64": layers.ResidualUnit(5, strides=2, shortcut="projection", dtype=dtype),
        3,
    ),
    "no-shortcut": (lambda dtype="float64": layers.ResidualUnit(5, strides=2, shortcut=None, dtype=dtype), 3),
    **UNITS,
}
SHAPES = {"signal": (4, 11), "image": (4, 7, 5)}  # odd sizes, so that stride 2 has to round


def feature_map(channels, rank="image", seed=0):
    return np.random.default_rng(seed).normal(size=(*SHAPES[rank], channels))


def made(name, rank="image"):
    """A layer in float64 with random weights, and an input for it."""
    make, channels = CASES[name]
    layer, x = make(), feature_map(channels, rank)
    layer(x)
    helpers.randomize(layer)
    return layer, x


def reference(layer, x):
    """What the layer must give, from the formula in its docstring."""
    w = helpers.weights(layer)
    if isinstance(layer, layers.IdentityShortcut):
        return helpers.np_shortcut(x, layer.filters, layer.strides, layer.padding)
    if isinstance(layer, layers.SqueezeExcitation):
        m = (np.abs(x) if layer.squeeze == "abs" else x).mean(axis=helpers.space(x))
        return x * helpers.np_over_space(helpers.np_gate(w, m, norm=layer.norm), x)
    if isinstance(layer, layers.Shrinkage):
        return helpers.np_soft(x, helpers.np_over_space(helpers.np_thresholds(w, x, layer.scope), x))
    if isinstance(layer, layers.LearnedThreshold):
        thresholds = helpers.np_learned_thresholds(helpers.array(layer.raw), x, layer.relative)
        return helpers.np_soft(x, helpers.np_over_space(thresholds, x))
    if isinstance(layer, layers.APReLU):
        negative, positive = np.minimum(x, 0), np.maximum(x, 0)
        seen = {"both": [negative, positive], "negative": [negative], "positive": [positive], "mean": [x]}
        s = np.concatenate([part.mean(axis=helpers.space(x)) for part in seen[layer.statistic]], axis=1)
        slope = helpers.np_gate(w, s, last_norm=True)
        return positive + helpers.np_over_space(slope, x) * negative
    u = x
    for part, stride in (("1", layer.strides), ("2", 1)):
        u = helpers.np_norm(w, f"norm_{part}", u)
        act = getattr(layer, f"activation_{part}")
        if isinstance(act, layers.APReLU):
            u = reference(act, u)
        else:
            u = np.tanh(u) if layer.activation == "tanh" else helpers.np_relu(u)
        u = helpers.np_conv(u, w[f"conv_{part}/kernel"], w[f"conv_{part}/bias"], stride)
    y = u if layer.gate is None else reference(layer.gate, u)
    if layer.shortcut is None:
        return y
    if layer.shortcut == "projection":
        return y + helpers.np_conv(x, w["shortcut/kernel"], w["shortcut/bias"], layer.strides)
    return y + helpers.np_shortcut(x, layer.filters, layer.strides)


@pytest.mark.parametrize("rank", SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_formula(name, rank):
    layer, x = made(name, rank)
    expected = reference(layer, x)
    got = helpers.array(layer(x))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, **helpers.TIGHT)
    assert layer.compute_output_shape(x.shape) == expected.shape


@pytest.mark.parametrize("shape", [(2, 1024, 6), (2, 12, 8, 6), (2, 13, 1, 6), (2, 8, 1, 64)], ids=str)
@pytest.mark.parametrize(
    "name", ["shrinkage-shared", "shrinkage-channel", "squeeze-excitation", "aprelu-both", "aprelu-mean"]
)
def test_formula_where_places_are_laid_in_rows(name, shape):
    # A row takes up to ten places of 6 channels, as many as divide their number: eight here; of 13 places, or of
    # 64 channels, one.
    make, _ = CASES[name]
    layer, x = make(), np.random.default_rng(3).normal(size=shape)
    layer(x)
    helpers.randomize(layer)
    np.testing.assert_allclose(helpers.array(layer(x)), reference(layer, x), **helpers.TIGHT)
    rows = layers._common.rows(kops.convert_to_tensor(x))
    together = {1024: 8, 12: 8, 13: 1, 8: 1}[shape[1]] if keras.backend.backend() == "tensorflow" else 1
    assert rows.shape[-1] == together * shape[-1]
    back = layers._common.unrowed(rows, kops.convert_to_tensor(x))
    np.testing.assert_array_equal(helpers.array(back), x)


@pytest.mark.parametrize("name", CASES)
def test_gradient_against_finite_differences(name):
    # The whole derivative: for Shrinkage and APReLU that includes the path through the threshold and the slope.
    layer, x = made(name, "signal")
    x = x[:2]
    direction = np.random.default_rng(5).normal(size=reference(layer, x).shape)
    (got,) = helpers.gradients(lambda v: kops.sum(layer(v) * kops.convert_to_tensor(direction)), x)
    expected = helpers.finite_difference(lambda v: (reference(layer, v) * direction).sum(), x)
    np.testing.assert_allclose(got, expected, **helpers.GRADIENT)


@pytest.mark.parametrize("name", CASES)
def test_training_mode_uses_batch_statistics_and_a_step_changes_every_weight(name):
    make, channels = CASES[name]
    inputs = keras.Input((7, 5, channels), dtype="float64")
    outputs = make()(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(dtype="float64")(outputs))
    x = feature_map(channels)
    y = np.random.default_rng(6).normal(size=(4, outputs.shape[-1]))
    rng = np.random.default_rng(7)
    for w in model.trainable_weights:  # the same on every backend; above zero, for a dead relu has no gradient
        w.assign(rng.uniform(0.05, 0.3, w.shape) + (1.0 if "gamma" in w.path else 0.0))
    before = [helpers.array(w) for w in model.trainable_weights]
    inference = helpers.array(model(x, training=False))
    normalizes = any(isinstance(part, keras.layers.BatchNormalization) for part in model._flatten_layers())
    assert np.allclose(inference, helpers.array(model(x, training=True))) == (not normalizes)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    paths = {w.path for w, old in zip(model.trainable_weights, before, strict=True) if np.all(helpers.array(w) == old)}
    # A bias in front of a normalization has no gradient; a plain sum of channels has none through a zero.
    assert not {p for p in paths if "bias" not in p}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rank", SHAPES)
def test_unknown_spatial_sizes(name, rank):
    make, channels = CASES[name]
    free = (None,) * (len(SHAPES[rank]) - 1)
    layer = make()
    inputs = keras.Input((*free, channels), dtype="float64")
    outputs = layer(inputs)
    assert outputs.shape == (None, *free, outputs.shape[-1])
    model = keras.Model(inputs, outputs)
    helpers.randomize(layer)
    for seed in (0, 1):
        x = feature_map(channels, rank, seed)[:, : 5 + seed]
        np.testing.assert_allclose(helpers.array(model(x)), reference(layer, x), **helpers.TIGHT)


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip(name):
    layer, x = made(name)
    again = type(layer).from_config(layer.get_config())
    again(x)
    assert again.get_config() == layer.get_config()
    assert [tuple(w.shape) for w in again.weights] == [tuple(w.shape) for w in layer.weights]
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(helpers.array(again(x)), helpers.array(layer(x)))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", CASES)
def test_mixed_precision(name, policy):
    make, channels = CASES[name]
    layer, full = make(policy), make("float32")
    x = feature_map(channels).astype("float32")
    out = layer(x)
    full(x)
    full.set_weights(layer.get_weights())
    assert keras.backend.standardize_dtype(out.dtype) == policy.removeprefix("mixed_")
    assert {keras.backend.standardize_dtype(w.dtype) for w in layer.weights} <= {"float32"}
    np.testing.assert_allclose(helpers.array(kops.cast(out, "float32")), helpers.array(full(x)), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", CASES)
def test_nan_is_never_a_silent_zero(name):
    layer, x = made(name)
    x[0, 2, 2, 0] = np.nan  # a place that stride 2 keeps
    out = helpers.array(layer(x))
    assert np.isnan(out[0]).any()
    assert not np.isnan(out[1:]).any()


# What single layers promise beyond the common.


@pytest.mark.parametrize("rank", SHAPES)
@pytest.mark.parametrize("scope", ["channel", "shared"])
def test_thresholds_are_positive_and_below_the_mean_magnitude(scope, rank):
    layer, x = made(f"shrinkage-{scope}", rank)
    thresholds = helpers.array(layer.thresholds(x))
    magnitude = np.abs(x).mean(axis=helpers.space(x))
    cap = magnitude if scope == "channel" else magnitude.mean(axis=1, keepdims=True)
    assert thresholds.shape == cap.shape
    assert (thresholds > 0).all() and (thresholds < cap).all()
    np.testing.assert_allclose(thresholds, helpers.array(layer.scales(x)) * cap, **helpers.TIGHT)
    np.testing.assert_allclose(thresholds, helpers.np_thresholds(helpers.weights(layer), x, scope), **helpers.TIGHT)


@pytest.mark.parametrize("rank", SHAPES)
def test_learned_thresholds_start_where_they_are_told(rank):
    x = feature_map(6, rank)
    magnitude = np.abs(x).mean(axis=helpers.space(x))
    relative = layers.LearnedThreshold(initial_scale=0.3, dtype="float64")
    np.testing.assert_allclose(helpers.array(relative.thresholds(x)), 0.3 * magnitude, rtol=1e-6)
    absolute = layers.LearnedThreshold(relative=False, initial_scale=0.3, dtype="float64")
    # The mean magnitude of a standard normal variable is sqrt(2 / pi).
    np.testing.assert_allclose(
        helpers.array(absolute.thresholds(x)), np.full_like(magnitude, 0.3 * np.sqrt(2 / np.pi)), rtol=1e-6
    )
    assert len(absolute.trainable_weights) == 1
    fixed = layers.LearnedThreshold(relative=False, trainable=False)
    fixed(x)
    assert not fixed.trainable_weights and fixed.count_params() == 6


def test_a_threshold_without_attention_is_the_same_for_every_sample():
    x = feature_map(6)
    x[1] = 5.0 * x[0]
    for relative, ratio in ((False, 1.0), (True, 5.0)):
        found = helpers.array(layers.LearnedThreshold(relative, dtype="float64").thresholds(x))
        np.testing.assert_allclose(found[1], ratio * found[0], **helpers.TIGHT)


def test_slopes_and_gates():
    for name, method in (("aprelu-both", "slopes"), ("squeeze-excitation", "gates")):
        layer, x = made(name)
        values = helpers.array(getattr(layer, method)(x))
        assert values.shape == (4, 6)
        assert (values > 0).all() and (values < 1).all()


@pytest.mark.parametrize("scale", [0.5, 0.018, 0.9])
def test_initial_scale(scale):
    # An input of zeros leaves only what initial_scale set.
    zeros = np.zeros((2, 8, 4))
    for layer, method in [
        (layers.Shrinkage("channel", initial_scale=scale), "scales"),
        (layers.Shrinkage("shared", initial_scale=scale), "scales"),
        (layers.SqueezeExcitation(1, initial_scale=scale), "gates"),
        (layers.APReLU(initial_scale=scale), "slopes"),
    ]:
        np.testing.assert_allclose(helpers.array(getattr(layer, method)(zeros)), scale, rtol=1e-5)
    assert helpers.array(layers.ResidualUnit(4, branch="drsn-cw", initial_scale=scale).scales(zeros)).shape == (2, 4)


def test_control_has_the_weights_of_the_shrinkage_block():
    x = feature_map(6)
    gate, block = layers.SqueezeExcitation(1, squeeze="abs", norm=True), layers.Shrinkage("channel")
    gate(x)
    block(x)
    assert [tuple(w.shape) for w in gate.weights] == [tuple(w.shape) for w in block.weights]
    gate.set_weights(block.get_weights())
    np.testing.assert_allclose(helpers.array(gate.gates(x)), helpers.array(block.scales(x)), rtol=1e-6)


def test_soft_threshold_layer():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(4, 7, 5, 6))
    for t in (np.abs(rng.normal(size=(4, 6))), np.abs(rng.normal(size=(4, 1)))):
        expected = helpers.np_soft(x, t.reshape(4, 1, 1, -1))
        layer = layers.SoftThreshold(dtype="float64")
        np.testing.assert_allclose(helpers.array(layer([x, t])), expected, **helpers.TIGHT)
        np.testing.assert_allclose(helpers.array(layer([x, t.reshape(4, 1, 1, -1)])), expected, **helpers.TIGHT)
        got = helpers.gradients(lambda v, t, layer=layer: kops.sum(layer([v, t]) ** 2), x[:1], t[:1])
        for place, value in enumerate((x[:1], t[:1])):

            def loss(v, place=place, t=t):
                a, b = (v, t[:1]) if place == 0 else (x[:1], v)
                return (helpers.np_soft(a, b.reshape(1, 1, 1, -1)) ** 2).sum()

            np.testing.assert_allclose(got[place], helpers.finite_difference(loss, value), rtol=1e-5, atol=1e-7)
    symbolic = keras.Input((7, 5, 6)), keras.Input((6,))
    assert layers.SoftThreshold()(list(symbolic)).shape == (None, 7, 5, 6)
    assert layers.SoftThreshold().compute_output_shape([(4, 7, 5, 6), (4, 6)]) == (4, 7, 5, 6)
    nan = helpers.array(layers.SoftThreshold()([np.full((1, 3, 2), np.nan), np.zeros((1, 2))]))
    assert np.isnan(nan).all()


@pytest.mark.parametrize(
    "bad",
    [
        [np.ones((4, 7, 6))],
        [np.ones((4, 7, 6)), np.ones((4, 5))],
        [np.ones((4, 7, 5, 6)), np.ones((4, 5, 6))],
    ],
)
def test_soft_threshold_layer_refuses(bad):
    with pytest.raises(ValueError, match=r"SoftThreshold.*Received"):
        layers.SoftThreshold()(bad)


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize("rank", [1, 2])
def test_shortcut_is_one_by_one_average_pooling(size, rank):
    x = np.random.default_rng(9).normal(size=(2, *(size,) * rank, 3)).astype("float32")
    pool = {1: keras.layers.AveragePooling1D, 2: keras.layers.AveragePooling2D}[rank](1, strides=2)
    np.testing.assert_array_equal(helpers.array(layers.IdentityShortcut(3, 2)(x)), helpers.array(pool(x)))


def test_shortcut_padding():
    x = np.ones((1, 2, 3))
    both = helpers.array(layers.IdentityShortcut(6)(x))[0, 0]  # odd growth: the larger half goes behind
    end = helpers.array(layers.IdentityShortcut(6, padding="end")(x))[0, 0]
    assert both.tolist() == [0, 1, 1, 1, 0, 0]
    assert end.tolist() == [1, 1, 1, 0, 0, 0]
    assert layers.IdentityShortcut(4, [2, 1])(np.ones((1, 5, 5, 3))).shape == (1, 3, 5, 4)


def test_unit_accepts_activations():
    x = feature_map(3)
    for activation, kind in [
        (lambda: keras.layers.LeakyReLU(0.1), keras.layers.LeakyReLU),
        (keras.layers.PReLU(shared_axes=[1, 2]), keras.layers.PReLU),
        (keras.layers.PReLU, keras.layers.PReLU),
        (layers.APReLU(reduction=3), layers.APReLU),
        ("elu", keras.layers.Activation),
    ]:
        unit = layers.ResidualUnit(5, 2, activation=activation)
        again = layers.ResidualUnit.from_config(unit.get_config())
        for one in (unit, again):
            assert one(x).shape == (4, 4, 3, 5)
            assert isinstance(one.activation_1, kind) and isinstance(one.activation_2, kind)
        assert unit.activation_1 is not unit.activation_2
    assert unit.activation_1.name != unit.activation_2.name
    assert layers.ResidualUnit(5, activation=layers.APReLU(reduction=3))(x) is not None


def test_regularizers_reach_every_kernel_and_gamma():
    unit = layers.ResidualUnit(
        4, branch="drsn-cw", activation="aprelu", kernel_regularizer="l2", gamma_regularizer=keras.regularizers.L2(0.1)
    )
    unit(feature_map(4))
    kernels = [w for w in unit.weights if w.path.endswith("kernel")]
    gammas = [w for w in unit.weights if w.path.endswith("gamma")]
    assert len(kernels) == 8 and len(gammas) == 7
    assert all(w.regularizer is not None for w in kernels + gammas)
    expected = sum(0.01 * (helpers.array(w) ** 2).sum() for w in kernels)
    expected += sum(0.1 * (helpers.array(w) ** 2).sum() for w in gammas)
    assert float(sum(unit.losses)) == pytest.approx(expected, rel=1e-5)


def test_two_layers_of_one_seed_do_not_share_random_numbers_within():
    unit = layers.ResidualUnit(4, kernel_initializer=keras.initializers.HeNormal(seed=None))
    unit(feature_map(4))
    assert not np.allclose(helpers.array(unit.conv_1.kernel), helpers.array(unit.conv_2.kernel))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: layers.Shrinkage(scope="all"), "`scope`"),
        (lambda: layers.Shrinkage(reduction=0), "`reduction`"),
        (lambda: layers.Shrinkage(reduction=2.0), "`reduction`"),
        (lambda: layers.Shrinkage(initial_scale=0), "`initial_scale`"),
        (lambda: layers.Shrinkage(initial_scale=1.0), "`initial_scale`"),
        (lambda: layers.Shrinkage(initial_scale="half"), "`initial_scale`"),
        (lambda: layers.Shrinkage(bn_momentum=1.5), "`bn_momentum`"),
        (lambda: layers.LearnedThreshold(relative="yes"), "`relative`"),
        (lambda: layers.LearnedThreshold(initial_scale=1), "`initial_scale`"),
        (lambda: layers.APReLU(statistic="max"), "`statistic`"),
        (lambda: layers.APReLU(reduction=True), "`reduction`"),
        (lambda: layers.SqueezeExcitation(squeeze="max"), "`squeeze`"),
        (lambda: layers.IdentityShortcut(0), "`filters`"),
        (lambda: layers.IdentityShortcut(4, strides=0), "`strides`"),
        (lambda: layers.IdentityShortcut(4, padding="front"), "`padding`"),
        (lambda: layers.ResidualUnit(4, branch="drsn"), "`branch`"),
        (lambda: layers.ResidualUnit(4, strides=(2, 2)), "`strides`"),
        (lambda: layers.ResidualUnit(4, shortcut="conv"), "`shortcut`"),
        (lambda: layers.ResidualUnit(4, activation="rleu"), "`activation`"),
        (lambda: layers.ResidualUnit(4, activation=3), "`activation`"),
        (lambda: layers.ResidualUnit(4, activation=lambda x: x), "`activation`"),
        (lambda: layers.ResidualUnit(-4), "`filters`"),
    ],
)
def test_wrong_argument_is_named(make, named):
    with pytest.raises(ValueError, match=rf"{named}.*Received: "):
        make()


@pytest.mark.parametrize("layer", [layers.Shrinkage, layers.LearnedThreshold, layers.APReLU, layers.SqueezeExcitation])
def test_wrong_input_is_said(layer):
    with pytest.raises(ValueError, match=r"expects a feature map.*Received.*\(4, 6\)"):
        layer()(np.ones((4, 6)))
    with pytest.raises(ValueError, match="known number of channels"):
        layer()(keras.Input((8, None)))


def test_channels_cannot_be_dropped_by_an_identity():
    with pytest.raises(ValueError, match=r"`filters` must be at least.*8.*Received: filters=4"):
        layers.IdentityShortcut(4)(np.ones((1, 5, 8)))
    with pytest.raises(ValueError, match=r"IdentityShortcut can add channels"):
        layers.ResidualUnit(4)(np.ones((1, 5, 8)))
    assert layers.ResidualUnit(4, shortcut="projection")(np.ones((1, 5, 8))).shape == (1, 5, 4)
    with pytest.raises(ValueError, match=r"`strides`.*2 integers"):
        layers.IdentityShortcut(8, strides=[2])(np.ones((1, 5, 5, 8)))


def test_units_without_thresholds_say_so():
    with pytest.raises(ValueError, match=r"'drsn-cs' or 'drsn-cw'.*'plain'"):
        layers.ResidualUnit(4).thresholds(np.ones((1, 8, 4)))
    with pytest.raises(ValueError, match="'plain' has no gate"):
        layers.ResidualUnit(4).scales(np.ones((1, 8, 4)))
