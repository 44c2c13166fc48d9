"""The thresholding functions against their definitions, value by value and derivative by derivative."""

import math

import helpers
import keras
import numpy as np
import pytest
from keras import ops as kops

from drsn_lib import ops

X = np.array([-3.0, -1.5, -1.0, -0.4, 0.0, 0.4, 1.0, 1.5, 3.0])

DEFINITIONS = {
    "soft": (ops.soft_threshold, lambda x, t: math.copysign(abs(x) - t, x) if abs(x) > t else 0.0),
    "hard": (ops.hard_threshold, lambda x, t: x if abs(x) > t else 0.0),
    "garrote": (ops.garrote_threshold, lambda x, t: x - t**2 / x if abs(x) > t else 0.0),
}
NAMES = sorted(DEFINITIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0, 10.0])
def test_value(name, threshold):
    function, definition = DEFINITIONS[name]
    expected = [definition(x, threshold) for x in X]
    np.testing.assert_allclose(helpers.array(function(X, threshold)), expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (1, 1, 4), (3, 5, 4)])
def test_threshold_broadcasts(name, shape):
    function, definition = DEFINITIONS[name]
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(3, 5, 4)), np.abs(rng.normal(size=shape))
    expected = np.vectorize(definition)(x, np.broadcast_to(t, x.shape))
    np.testing.assert_allclose(helpers.array(function(x, t)), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_against_finite_differences(name):
    function, definition = DEFINITIONS[name]
    rng = np.random.default_rng(2)
    x, t, w = rng.normal(size=(4, 6)), np.abs(rng.normal(size=(4, 1))) * 0.5, rng.normal(size=(4, 6))
    got_x, got_t = helpers.gradients(lambda x, t: kops.sum(function(x, t) * kops.convert_to_tensor(w)), x, t)
    reference = np.vectorize(definition)
    np.testing.assert_allclose(
        got_x, helpers.finite_difference(lambda v: (reference(v, t) * w).sum(), x), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(
        got_t, helpers.finite_difference(lambda v: (reference(x, v) * w).sum(), t), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_finite_at_zero_input(name):
    got_x, got_t = helpers.gradients(lambda x, t: kops.sum(DEFINITIONS[name][0](x, t)), np.zeros(3), np.array([0.5]))
    np.testing.assert_array_equal(got_x, 0.0)
    np.testing.assert_array_equal(got_t, 0.0)


def test_soft_gradient_at_threshold_zero_and_at_the_kink():
    # At threshold 0 the function is the identity, and the threshold's gradient still is -sign(x).
    x = np.array([-2.0, 0.5, 3.0])
    got_x, got_t = helpers.gradients(lambda x, t: kops.sum(ops.soft_threshold(x, t)), x, np.zeros(3))
    np.testing.assert_array_equal(got_x, [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(got_t, [1.0, -1.0, -1.0])
    got_x, got_t = helpers.gradients(lambda x, t: kops.sum(ops.soft_threshold(x, t)), np.array([1.0, -1.0]), np.ones(2))
    np.testing.assert_array_equal(got_x, 0.0)
    np.testing.assert_array_equal(got_t, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_never_a_silent_zero(name):
    function = DEFINITIONS[name][0]
    assert np.isnan(helpers.array(function(np.array([np.nan, 2.0]), 0.5))).tolist() == [True, False]
    assert np.isnan(helpers.array(function(np.array([0.1, 2.0]), np.array([np.nan, np.nan])))).all()


@pytest.mark.parametrize("name", NAMES)
def test_infinite_input_stays_infinite(name):
    np.testing.assert_array_equal(
        helpers.array(DEFINITIONS[name][0](np.array([np.inf, -np.inf]), 1.0)), [np.inf, -np.inf]
    )


def test_soft_is_the_proximal_operator():
    # y minimizes (z - x)^2 / 2 + t |z|: no point of a fine grid does better.
    grid = np.linspace(-5, 5, 20001)
    for x in X:
        y = float(helpers.array(ops.soft_threshold(x, 0.7)))
        cost = 0.5 * (grid - x) ** 2 + 0.7 * np.abs(grid)
        assert 0.5 * (y - x) ** 2 + 0.7 * abs(y) <= cost.min() + 1e-12


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_type_is_kept(dtype):
    for name in NAMES:
        x = kops.cast(X, dtype)
        assert keras.backend.standardize_dtype(DEFINITIONS[name][0](x, 0.5).dtype) == dtype


def test_a_python_number_is_not_rounded_to_float32():
    y = helpers.array(ops.soft_threshold(np.array([1.0]), 0.7))
    assert y[0] == 1.0 - 0.7


def test_integers_become_floats():
    np.testing.assert_array_equal(helpers.array(ops.soft_threshold(np.array([-3, 0, 2]), 0.5)), [-2.5, 0.0, 1.5])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [-0.1, [0.5, -1.0], np.array([[-1.0]])])
def test_negative_threshold_is_refused(name, bad):
    with pytest.raises(ValueError, match=r"`threshold` must not be negative.*Received: threshold="):
        DEFINITIONS[name][0](np.ones((3, 2)), bad)


def test_threshold_that_does_not_broadcast_is_refused():
    with pytest.raises(ValueError, match=r"`threshold` must broadcast.*\(4, 5, 5, 8\).*shape \(4, 8\)"):
        ops.soft_threshold(np.ones((4, 5, 5, 8)), np.ones((4, 8)))
    with pytest.raises(ValueError, match="must broadcast"):
        ops.soft_threshold(np.ones(3), np.ones((2, 3)))


def test_universal_threshold():
    assert ops.universal_threshold(2.0, 512) == pytest.approx(2.0 * math.sqrt(2 * math.log(512)))
    # Gaussian noise exceeds it rarely: at most 1 / sqrt(pi log n) of draws of n samples have a larger maximum.
    rng = np.random.default_rng(3)
    exceeded = (np.abs(rng.normal(size=(2000, 512))).max(axis=1) > ops.universal_threshold(1.0, 512)).mean()
    assert 0 < exceeded < 1 / math.sqrt(math.pi * math.log(512))
    with pytest.raises(ValueError, match="`sigma`"):
        ops.universal_threshold(-1.0, 10)
    with pytest.raises(ValueError, match="`sigma`"):
        ops.universal_threshold(float("nan"), 10)
    with pytest.raises(ValueError, match="`size`"):
        ops.universal_threshold(1.0, 0)


def test_works_on_symbolic_tensors():
    x, t = keras.Input((None, 4), dtype="float64"), keras.Input((1, 4), dtype="float64")
    model = keras.Model([x, t], ops.soft_threshold(x, t))
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 7, 4)), np.abs(rng.normal(size=(2, 1, 4)))
    np.testing.assert_allclose(helpers.array(model([a, b])), helpers.np_soft(a, b), rtol=1e-6)
