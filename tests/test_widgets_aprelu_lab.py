"""The APReLU laboratory without a browser: its slopes are the trained network's, its twin is what the layer does."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from drsn_lib.widgets import ApreluLab, aprelu_lab

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("aprelu_data", ROOT / "tools" / "figure_data" / "aprelu_lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_slopes_one_at_a_time():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=(3, 3)), rng.normal(size=3)
    means = rng.normal(size=(2, 6))
    for row, expected in zip(means, aprelu_lab.slopes(means, weights), strict=True):
        hidden = [max(0, sum(row[i] * weights[0][i, k] for i in range(6)) + weights[1][k]) for k in range(3)]
        z = [sum(hidden[i] * weights[2][i, k] for i in range(3)) + weights[3][k] for k in range(3)]
        np.testing.assert_allclose(expected, [1 / (1 + np.exp(-v)) for v in z], rtol=1e-12)


def test_the_rectifier_is_the_books():
    x = np.linspace(-3, 3, 61)
    np.testing.assert_array_equal(aprelu_lab.rectify(x, 0), np.maximum(x, 0))
    np.testing.assert_allclose(aprelu_lab.rectify(x, 0.3), np.where(x > 0, x, 0.3 * x))


def test_the_slopes_are_what_the_trained_layers_answer(builder):
    """The means, carried through the small networks that ship, give Keras' slopes for feature maps of these means."""
    records = pytest.importorskip("drsn_lib.records")
    layers = importlib.import_module("drsn_lib.layers")
    model = records.load_model(builder.RECIPE, "aprelu", seed=0, budget="short", condition=builder.CONDITION)
    there = {one.path: one for one in model._flatten_layers() if isinstance(one, layers.APReLU)}
    assert len(there) == len(aprelu_lab.shares()) == 25
    for number in aprelu_lab.ACTIVATIONS:
        one = aprelu_lab.unit(number)
        c = one["channels"]
        means = one["means"].reshape(-1, 2 * c)[::17]
        # A map with two positions has any pair of means: one holds the negative part, one the positive.
        x = 2 * np.stack([means[:, :c], means[:, c:]], axis=1).astype("float32")
        expected = np.asarray(there[builder.place(number)].slopes(x))
        np.testing.assert_allclose(aprelu_lab.slopes(means, one["weights"]), expected, atol=2e-5)


def test_what_ships_is_consistent():
    for number in aprelu_lab.ACTIVATIONS:
        one = aprelu_lab.unit(number)
        c = one["channels"]
        assert one["means"].shape == (4, 8, 8, 2 * c) and len(one["prelu"]) == c
        assert np.all(one["means"][..., :c] <= 0) and np.all(one["means"][..., c:] >= 0)
        assert one["below"].shape == (4, 8, c) and one["bars"].shape == (4, 8, c, 24)
        np.testing.assert_allclose(one["bars"].max(-1), 1)
        # The histogram's lower half holds the share below zero.
        share = one["bars"][..., :12].sum(-1) / one["bars"].sum(-1)
        np.testing.assert_allclose(share, one["below"], atol=0.02)
    shares = aprelu_lab.shares()
    assert np.all(shares >= 0) and np.all(shares.sum(1) < 1)


def test_eight_windows_say_what_twenty_four_do():
    """The parts of the variance, from the windows that ship: near those that the figure shows."""
    for number in aprelu_lab.ACTIVATIONS:
        a = ApreluLab(activation=number).slopes()
        a = a - a.mean((0, 1, 2))
        total = a.var((0, 1, 2)).sum()
        found = [a.mean((1, 2)).var(0).sum() / total, a.mean((0, 2)).var(0).sum() / total]
        np.testing.assert_allclose(found, aprelu_lab.shares()[number - 1], atol=0.15)


def test_what_the_figure_tells_its_reader():
    shares = aprelu_lab.shares()
    assert shares[3, 0] > 2 * shares[3, 1]  # early: the noise
    assert shares[24, 1] > 2 * shares[24, 0]  # late: the state


def test_numbers_and_words():
    figure = ApreluLab(activation=4, channel=16, level=0, machine="ball", compare="leaky")
    m = figure.measures()
    a = figure.slopes()
    assert m["slope"] == a[0, 3, 0, 3] and m["low"] == a[0, ..., 3].min() and m["high"] == a[0, ..., 3].max()
    assert figure.others().tolist() == [0.1] and ApreluLab(compare="relu").others().tolist() == [0]
    for words in ("“ball”", "no noise", "channel 4", f"{m['slope']:.2f}", f"{100 * m['noise']:.0f} %"):
        assert words in figure.fallback()
    assert not np.allclose(ApreluLab(loudness=2).slopes(), ApreluLab().slopes(), atol=0.05)


@pytest.mark.parametrize(
    "wrong", [{"level": 4}, {"loudness": 0.1}, {"channel": 0}, {"activation": 2}, {"machine": "x"}]
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(Exception, match=next(iter(wrong))):
        ApreluLab(**wrong)
