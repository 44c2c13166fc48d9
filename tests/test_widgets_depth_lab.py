"""The depth laboratory's mathematics: against Keras, against differences, and against what it tells its reader."""

import numpy as np
import pytest
import traitlets

from drsn_lib.widgets import DepthLab, depth_lab

CASES = [(n, s) for n in depth_lab.NORMALIZATIONS for s in depth_lab.STACKS]


@pytest.mark.parametrize("normalization, stack", CASES)
def test_signal_and_gradient_are_those_of_automatic_differentiation(normalization, stack):
    tf = pytest.importorskip("tensorflow")
    x, r, weights = depth_lab.draw_stack(4, 3)
    kernels = 0.8 * np.sqrt(2 / depth_lab.WIDTH) * weights
    maps = [tf.constant(x)]
    with tf.GradientTape() as tape:
        tape.watch(maps[0])
        for pair in kernels:
            h = maps[-1]
            for kernel in pair:
                if normalization == "batch":
                    mean, variance = tf.nn.moments(h, axes=[0])
                    h = (h - mean) / tf.sqrt(variance + 1e-3)
                h = tf.nn.relu(h) @ kernel
            maps.append(maps[-1] + h if stack == "residual" else h)
        loss = tf.reduce_sum(maps[-1] * r)
    gradients = tape.gradient(loss, maps)
    signal, gradient = depth_lab.travel(x, r, weights, 0.8, normalization, stack)
    np.testing.assert_allclose(signal, [np.sqrt(np.mean(m.numpy() ** 2)) for m in maps], rtol=1e-12)
    np.testing.assert_allclose(gradient, [np.linalg.norm(g.numpy()) for g in gradients], rtol=1e-10)


def test_a_deeper_stack_begins_with_the_weights_of_a_shallower_one():
    shallow, deep = depth_lab.draw_stack(3, 5), depth_lab.draw_stack(9, 5)
    for a, b in zip(shallow, deep, strict=True):
        np.testing.assert_array_equal(a, b[: len(a)])
    assert np.sqrt(np.mean(shallow[0] ** 2)) == pytest.approx(1) and np.linalg.norm(shallow[1]) == pytest.approx(1)


@pytest.mark.parametrize("normalization, stack", CASES)
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.4])
def test_the_arithmetic_holds_for_wide_layers(normalization, stack, scale):
    rng = np.random.default_rng(0)
    width, batch, depth = 400, 200, 4
    x, r = rng.normal(size=(2, batch, width))
    trip = depth_lab.travel(
        x, r / np.linalg.norm(r), rng.normal(size=(depth, 2, width, width)), scale, normalization, stack
    )
    for found, expected in zip(trip, depth_lab.theory(depth, scale, normalization, stack), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.2)


def test_the_known_factors():
    signal, gradient = depth_lab.theory(30, 1.0, "none", "residual")
    assert signal[-1] == pytest.approx(2**15) and gradient[0] == pytest.approx(2**15)
    _, gradient = depth_lab.theory(30, 1.0, "batch", "plain")
    np.testing.assert_allclose(gradient[1:-1] / gradient[2:], np.pi / (np.pi - 1))


def test_reach():
    assert depth_lab.reach(np.array([1000, 150, 20, 3, 1])) == 3
    assert depth_lab.reach(np.array([1e-3, 0.5, 1])) == 2
    assert depth_lab.reach(np.array([50, 1])) is None


def test_what_the_reader_is_told_holds_for_other_draws():
    for draw in range(1, 41):
        none, batch = (DepthLab(draw=draw, normalization=n).measures() for n in depth_lab.NORMALIZATIONS)
        assert none["residual_gradient"] > 1e3 and 1e-3 < none["plain_gradient"] < 1e1
        assert batch["plain_gradient"] > 1e4 and batch["residual_gradient"] < 200
    for scale in (0.5, 2.0):  # no scale helps the plain stack's gradient
        assert DepthLab(scale=scale, normalization="batch").measures()["plain_gradient"] > 1e4
    half = DepthLab(scale=0.5).measures()
    assert half["plain_gradient"] < 1e-12 and 1 < half["residual_gradient"] < 10


def test_the_fallback_and_wrong_values():
    figure = DepthLab(depth=12, normalization="batch")
    m = figure.measures()
    for words in ("12 units", "batch normalization", f"{m['plain_gradient']:.2g}", f"{m['residual_gradient']:.2g}"):
        assert words in figure.fallback()
    for wrong in ({"depth": 1}, {"depth": 41}, {"scale": 2.5}, {"normalization": "layer"}, {"draw": 0}):
        with pytest.raises(traitlets.TraitError):
            DepthLab(**wrong)
