"""The features of the classical diagnosis say what they are named for, and the linear classifier finds its optimum."""

import numpy as np
import pytest
import scipy.stats

from drsn_lib import data, training

RATE = 12_800.0


def one(x, name, **kwargs):
    features, names = data.vibration_features(x, RATE, **kwargs)
    return features[:, names.index(name)]


def knocks(rate, windows=3, resonance=3000.0, noise=0.05, length=2048):
    """Rings that return `rate` times a second, each window from another start."""
    rng = np.random.default_rng(0)
    t = np.arange(length) / RATE + rng.uniform(0, 1, (windows, 1))
    clean = np.exp(-900 * (t % (1 / rate))) * np.sin(2 * np.pi * resonance * (t % (1 / rate)))
    return clean + noise * rng.standard_normal((windows, length))


# ---------------------------------------------------------------- features


def test_the_shapes_of_input_are_one_and_windows_do_not_meet():
    x = np.random.default_rng(1).standard_normal((600, 128)).astype(np.float32)  # more than are worked on at once
    features, names = data.vibration_features(x, RATE, {"line": 700.0})
    assert features.shape == (600, len(names)) and len(set(names)) == len(names)
    assert features.dtype == np.float64 and np.isfinite(features).all()
    same, _ = data.vibration_features(x[..., np.newaxis], RATE, {"line": np.full(600, 700.0)})
    np.testing.assert_array_equal(features, same)
    alone, _ = data.vibration_features(x[555], RATE, {"line": 700.0})
    np.testing.assert_allclose(alone[0], features[555], rtol=1e-9, atol=1e-9)


def test_shape_features_are_the_textbooks():
    x = np.random.default_rng(2).gamma(2.0, size=(4, 4096))
    centered = x - x.mean(axis=1, keepdims=True)
    rms = np.sqrt((centered**2).mean(axis=1))
    np.testing.assert_allclose(one(x, "level"), np.log10(rms))
    np.testing.assert_allclose(one(x, "skewness"), scipy.stats.skew(x, axis=1))
    np.testing.assert_allclose(one(x, "kurtosis"), np.log10(scipy.stats.kurtosis(x, axis=1, fisher=False)))
    np.testing.assert_allclose(one(x, "crest factor"), np.abs(centered).max(axis=1) / rms)
    np.testing.assert_allclose(one(x, "shape factor"), rms / np.abs(centered).mean(axis=1))


def test_a_gain_moves_the_levels_alone():
    x = knocks(90.0)
    features, names = data.vibration_features(x, RATE, {"line": 90.0})
    louder, _ = data.vibration_features(10 * x, RATE, {"line": 90.0})
    moved = np.array([name.endswith("level") for name in names])
    assert moved.sum() == 4
    np.testing.assert_allclose(louder[:, moved] - features[:, moved], 1.0, atol=1e-9)
    np.testing.assert_allclose(louder[:, ~moved], features[:, ~moved], atol=1e-7)


def test_spectral_features_tell_where_power_lies():
    t = np.arange(2048) / RATE
    tone = np.sin(2 * np.pi * 2000 * t)
    noise = np.random.default_rng(3).standard_normal(2048)
    assert one(tone, "centroid") == pytest.approx(2000 / 6400, rel=0.01)
    assert one(tone, "spread") < 0.01 < 0.2 < one(noise, "spread")
    assert one(tone, "flatness") < -2 < -0.5 < one(noise, "flatness")
    assert 10 ** one(tone, "power 1600-2400 Hz") == pytest.approx(1, abs=1e-3)
    assert 10 ** one(tone, "power 3200-4000 Hz") < 1e-4
    shares = [10 ** one(noise, f"power {800 * k}-{800 * (k + 1)} Hz")[0] for k in range(8)]
    assert sum(shares) == pytest.approx(1, abs=0.01)


def test_a_fault_line_stands_in_the_envelope_of_its_band_and_nowhere_else():
    x = knocks(90.0, noise=0.1)
    heights, names = data.vibration_features(x, RATE, {"right": 90.0, "wrong": 117.0}, bands=[(2600, 3400), (400, 800)])
    height = {name: 10 ** heights[:, names.index(name)] for name in names if name[:5] in ("right", "wrong")}
    assert len(height) == 6
    assert (height["right, envelope 2600-3400 Hz"] > 10).all()
    assert (height["wrong, envelope 2600-3400 Hz"] < 4).all()
    # A few rings a window have weak lines of their own at low frequencies; the carrier hides them from the spectrum.
    assert (height["right, spectrum"] < height["right, envelope 2600-3400 Hz"] / 2).all()


def test_each_window_may_have_a_line_of_its_own():
    rates = np.array([70.0, 90.0, 110.0])
    x = np.concatenate([knocks(rate, windows=1) for rate in rates])
    name, bands = "line, envelope 2600-3400 Hz", [(2600, 3400)]
    own = one(x, name, lines={"line": rates}, bands=bands)
    others = one(x, name, lines={"line": rates[[1, 2, 0]]}, bands=bands)
    assert (own - others > 0.5).all()


def test_a_slow_swell_is_seen_in_its_octave():
    t = np.arange(4096) / RATE
    x = (1 + 0.9 * np.cos(2 * np.pi * 150 * t)) * np.sin(2 * np.pi * 2400 * t)
    label = "envelope 1600-3200 Hz"
    octaves = [10 ** one(x, f"{label}: power {low}-{2 * low} Hz")[0] for low in (25, 50, 100, 200, 400)]
    assert np.argmax(octaves) == 2 and octaves[2] > 0.9
    assert one(x, f"{label}: depth") == pytest.approx(0.9 / np.sqrt(2), rel=0.05)


def test_a_constant_window_gives_numbers():
    features, _ = data.vibration_features(np.ones((2, 256)), RATE, {"line": 900.0})
    assert np.isfinite(features).all()


def test_without_a_sampling_rate_frequencies_are_in_cycles_a_sample():
    x = np.random.default_rng(4).standard_normal((2, 512))
    features, names = data.vibration_features(x, 1.0, {"line": 0.01})
    same, _ = data.vibration_features(x, RATE, {"line": 0.01 * RATE})
    np.testing.assert_allclose(features, same, atol=1e-6)
    assert not any("Hz" in name for name in names)


@pytest.mark.parametrize(
    ("x", "kwargs", "words"),
    [
        (np.ones((2, 63)), {}, "at least 64 points"),
        (np.ones((0, 128)), {}, "at least one window"),
        (np.ones((2, 128, 2)), {}, r"shape \(2, 128, 2\)"),
        (np.full((1, 128), "a"), {}, "numbers"),
        (np.where(np.arange(256).reshape(2, 128) == 200, np.nan, 1.0), {}, "window 1 "),
        (np.ones((2, 128)), {"sampling_rate": 0.0}, "positive"),
        (np.ones((2, 128)), {"lines": {"a": 6400.0}}, "'a'"),
        (np.ones((2, 128)), {"lines": {"a": [1.0, 2.0, 3.0]}}, "each of the 2 windows"),
        (np.ones((2, 128)), {"bands": [(100, 6400)]}, "pairs"),
    ],
)
def test_wrong_arguments_are_named(x, kwargs, words):
    with pytest.raises(ValueError, match=words):
        data.vibration_features(x, **{"sampling_rate": RATE, **kwargs})


def test_the_baseline_tells_simulated_faults_from_unseen_recordings():
    made = data.simulate_vibration(
        recordings=6, windows=6, shaft_hz=(25.0,), classes=("healthy", "inner race", "outer race", "ball"), seed=0
    )
    lines = {name: made.machine.frequencies(25.0)[name] for name in ("inner race", "outer race", "ball")}
    features, _ = data.vibration_features(made.x, made.sampling_rate, lines, bands=[(2600, 4600)])
    train, test = made.split_by_recording(0.34)
    fitted = training.fit_linear(features[train], made.y[train], l2=1e-2)
    assert (fitted.predict(features[test]) == made.y[test]).mean() > 0.95


# ---------------------------------------------------------------- the linear classifier


def cloud(samples=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=samples)
    return rng.standard_normal((samples, 4)) * [1, 10, 0.1, 1] + 1.5 * y[:, np.newaxis] * [1, 0, 0.1, 0] + 7, y


def loss(fitted, features, y, l2):
    return (
        -np.log(fitted.probabilities(features)[np.arange(len(y)), np.searchsorted(fitted.classes, y)]).mean()
        + l2 / 2 * (fitted.weights**2).sum()
    )


def test_the_fit_is_the_minimum():
    features, y = cloud()
    fitted = training.fit_linear(features, y, l2=0.01)
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    error = (fitted.probabilities(features) - np.eye(3)[y]) / len(y)
    np.testing.assert_allclose(z.T @ error + 0.01 * fitted.weights, 0, atol=1e-4)
    np.testing.assert_allclose(error.sum(axis=0), 0, atol=1e-4)
    rng = np.random.default_rng(1)
    for _ in range(5):
        moved = training.LinearClassifier(
            fitted.classes, fitted.mean, fitted.scale, fitted.weights + 0.1 * rng.standard_normal((4, 3)), fitted.bias
        )
        assert loss(moved, features, y, 0.01) > loss(fitted, features, y, 0.01)


def test_units_of_features_do_not_matter_and_more_penalty_means_smaller_weights():
    features, y = cloud()
    fitted = training.fit_linear(features, y)
    other = training.fit_linear(1000 * features - 5, y)
    np.testing.assert_allclose(other.scores(1000 * features - 5), fitted.scores(features), atol=1e-3)
    norms = [(training.fit_linear(features, y, l2=l2).weights ** 2).sum() for l2 in (0.001, 0.1, 10.0)]
    assert norms[0] > norms[1] > norms[2] > 0


def test_predictions_are_labels_and_probabilities_sum_to_one():
    features, y = cloud()
    names = np.array(["healthy", "pit", "crack"])[y]
    fitted = training.fit_linear(features, names)
    assert fitted.classes.tolist() == ["crack", "healthy", "pit"]
    assert (fitted.predict(features) == names).mean() > 0.7
    probabilities = fitted.probabilities(features)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), fitted.scores(features).argmax(axis=1))


def test_a_feature_that_never_changed_has_no_say():
    features, y = cloud()
    fitted = training.fit_linear(np.column_stack([features, np.full(len(y), 0.1)]), y)
    plain = training.fit_linear(features, y)
    later = np.column_stack([features, np.full(len(y), 99.0)])
    np.testing.assert_allclose(fitted.scores(later), plain.scores(features), atol=1e-3)


@pytest.mark.parametrize(
    ("features", "y", "kwargs", "words"),
    [
        (np.ones((4, 2)), [0, 1, 0], {}, r"\(4, 2\) and \(3,\)"),
        (np.ones(4), [0, 1, 0, 1], {}, "shape"),
        (np.array([[1.0], [np.nan]]), [0, 1], {}, "row 1"),
        (np.ones((4, 2)), [1, 1, 1, 1], {}, "two classes"),
        (np.ones((4, 2)), [0, 1, 0, 1], {"l2": -1}, "l2"),
        (np.ones((4, 2)), [0, 1, 0, 1], {"iterations": 0}, "iterations"),
    ],
)
def test_wrong_arguments_of_the_fit_are_named(features, y, kwargs, words):
    with pytest.raises(ValueError, match=words):
        training.fit_linear(features, y, **kwargs)


def test_scores_ask_for_the_features_that_were_fitted():
    features, y = cloud()
    with pytest.raises(ValueError, match=r"samples, 4"):
        training.fit_linear(features, y).scores(features[:, :3])
