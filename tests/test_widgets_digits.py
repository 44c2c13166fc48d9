"""The figures that look into a trained network, without a browser: their numbers against Keras and plain loops."""

import importlib
import re

import numpy as np
import pytest
import traitlets

from drsn_lib import widgets
from drsn_lib.widgets import _digits


@pytest.fixture(scope="module")
def model():
    """Returns the trained Keras model of a variant, each loaded once."""
    records, loaded = importlib.import_module("drsn_lib.records"), {}

    def load(variant):
        if variant not in loaded:
            condition = {"noise": "mixed"}
            loaded[variant] = records.load_model("mnist-snr", variant, seed=0, budget="modern", condition=condition)
        return loaded[variant]

    return load


def batch(figure):
    return figure.image().reshape(1, 28, 28, 1).astype("float32")


# ---- digits and noise ------------------------------------------------------------------------------------------


def test_digits_are_the_first_test_image_of_each_class():
    data = importlib.import_module("drsn_lib.data")
    _, (images, labels) = data.load_mnist(full=False)
    for digit in range(10):
        first = images[np.flatnonzero(labels == digit)[0]].ravel() / 255
        np.testing.assert_allclose(_digits.noisy_digit(digit, 20, 1), first, atol=1e-12)


@pytest.mark.parametrize("snr", [-10, 0, 7.5, 19])
def test_noise_has_exactly_the_ratio(snr):
    data = importlib.import_module("drsn_lib.data")
    clean, noisy = (_digits.noisy_digit(7, level, 3)[None] for level in (20, snr))
    assert data.measure_snr(clean, noisy)[0] == pytest.approx(snr, abs=1e-9)
    assert not np.array_equal(noisy, _digits.noisy_digit(7, snr, 4)[None])


# ---- the excitation laboratory -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("digit", "snr", "unit"), [(3, 0, 4), (8, -10, 1), (5, 20, 3)])
def test_gates_and_probabilities_are_keras(model, digit, snr, unit):
    models = importlib.import_module("drsn_lib.models")
    figure = widgets.ExcitationLab(digit=digit, snr=snr, unit=unit)
    m, senet = figure.measures(), model("senet")
    gates = list(models.scales(senet, batch(figure)).values())[unit - 1][0]
    np.testing.assert_allclose(m["gates"], gates, atol=1e-5)
    probabilities = np.asarray(senet(batch(figure)))[0]
    assert m["label"] == m["label_after"] == probabilities.argmax()
    assert m["before"] == m["after"] == pytest.approx(probabilities.max(), abs=1e-4)


def test_a_shut_channel_is_one_multiplied_by_zero(model):
    """The last unit's output with one channel missing, sent through the rest of the Keras model by hand."""
    keras = importlib.import_module("keras")
    figure, senet = widgets.ExcitationLab(switched="0..1"), model("senet")
    unit = senet.get_layer("stage2_unit2")
    x = keras.Model(senet.input, unit.input)(batch(figure))
    u, g = np.array(unit.residual(x)), np.array(unit.scales(x))
    g[0, 0], g[0, 3] = 0, 1
    h = u * g[:, None, None, :] + np.array(unit.shortcut_layer(x))
    for name in ("norm", "activation", "pool", "classifier"):
        h = senet.get_layer(name)(h)
    m = figure.measures()
    assert m["after"] == pytest.approx(float(np.asarray(h)[0, m["label"]]), abs=1e-4)
    assert m["after"] != pytest.approx(m["before"], abs=1e-6)


def test_importance_is_what_switching_does():
    figure = widgets.ExcitationLab(digit=9, unit=2)
    worth = figure.importance()
    assert worth.shape == (8,)
    for channel in (0, 3, 7):
        figure.switched = "." * channel + "0"
        m = figure.measures()
        assert worth[channel] == pytest.approx(m["before"] - m["after"], abs=1e-12)


def test_what_the_chapter_says_of_the_excitation_laboratory():
    figure = widgets.ExcitationLab()
    m, worth = figure.measures(), figure.importance()
    gates = np.array(m["gates"])
    widest, first = gates.argmax(), worth.argmax()
    assert m["label"] == figure.digit and widest != first
    assert worth[widest] < 0.1 and worth[first] > 0.4 and gates[first] > 0.8
    figure.switched = "." * first + "0"
    assert figure.measures()["label_after"] != figure.digit
    assert m["moved_by_noise"] < 0.25 * m["moved_by_digit"]


def test_distances_between_gates_from_plain_loops():
    figure = widgets.ExcitationLab(digit=6, snr=-5, unit=3)
    gates = widgets.ExcitationLab(digit=6, snr=-5, unit=3).measures()["gates"]
    clean = [widgets.ExcitationLab(digit=d, snr=20, unit=3).measures()["gates"] for d in range(10)]
    own = clean[6]
    by_noise = sum(abs(a - b) for a, b in zip(gates, own, strict=True)) / 16
    others = [abs(a - b) for d in range(10) if d != 6 for a, b in zip(clean[d], own, strict=True)]
    assert figure.measures()["moved_by_noise"] == pytest.approx(by_noise)
    assert figure.measures()["moved_by_digit"] == pytest.approx(sum(others) / len(others))


# ---- inside a shrinkage unit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["drsn-cw", "drsn-cs"])
@pytest.mark.parametrize(("digit", "snr", "unit"), [(3, 0, 1), (0, -10, 2), (4, 20, 4)])
def test_thresholds_are_keras(model, variant, digit, snr, unit):
    models = importlib.import_module("drsn_lib.models")
    figure = widgets.ShrinkageUnit(variant=variant, digit=digit, snr=snr, unit=unit)
    m, trained = figure.measures(), model(variant)
    channels = len(m["m"])
    for key, found in (("tau", models.thresholds), ("alpha", models.scales)):
        theirs = list(found(trained, batch(figure)).values())[unit - 1][0]
        np.testing.assert_allclose(m[key], np.broadcast_to(theirs, channels), rtol=1e-4, atol=1e-5)


def test_a_channel_from_plain_loops():
    figure = widgets.ShrinkageUnit(unit=2, channel=7, digit=8)
    stages, m = figure.stages(), figure.measures()
    values = stages["u"].ravel().tolist()
    magnitude = sum(abs(v) for v in values) / len(values)
    tau = m["alpha"][7] * magnitude
    assert m["m"][7] == pytest.approx(magnitude) and m["tau"][7] == pytest.approx(tau)
    shrunk = [(v - tau if v > tau else v + tau if v < -tau else 0.0) for v in values]
    np.testing.assert_allclose(stages["output"].ravel(), shrunk, atol=1e-12)
    assert m["zeroed"][7] == pytest.approx(sum(abs(v) <= tau for v in values) / len(values))


def test_a_shared_threshold_takes_the_mean_of_all_channels():
    m = widgets.ShrinkageUnit(variant="drsn-cs", unit=3).measures()
    assert len(set(m["tau"])) == len(set(m["alpha"])) == 1
    assert m["tau"][0] == pytest.approx(m["alpha"][0] * np.mean(m["m"]))


def test_a_channel_beyond_the_last_is_the_last():
    beyond, last = (widgets.ShrinkageUnit(unit=1, channel=c) for c in (15, 7))
    np.testing.assert_array_equal(beyond.stages()["u"], last.stages()["u"])
    assert "in channel 7 " in beyond.fallback()


def test_the_response_to_noise_is_that_of_the_network():
    """The stored means are over 500 digits; ten of the twin's must come near them."""
    for variant in ("drsn-cw", "drsn-cs"):
        for unit in (1, 4):
            stored = widgets.ShrinkageUnit(variant=variant, unit=unit).response()
            cases = [widgets.ShrinkageUnit(variant=variant, unit=unit, digit=d, snr=-10, draw=d + 1) for d in range(10)]
            m = [case.measures() for case in cases]
            ratio = np.mean([one["mean_tau"] for one in m]) / np.mean([one["clean_tau"] for one in m])
            assert ratio == pytest.approx(stored["tau"][0], abs=0.15)
            assert stored["tau"][-1] == stored["m"][-1] == stored["alpha"][-1] == 1


def test_what_the_chapter_says_of_the_shrinkage_unit():
    said = {unit: widgets.ShrinkageUnit(unit=unit).response() for unit in (1, 2, 3, 4)}
    assert widgets.ShrinkageUnit(unit=1).verdict() == "rise" and said[1]["m"][0] > said[1]["alpha"][0] > 1
    assert said[3]["tau"][0] < 0.9
    at_0 = said[1]["levels"].index(0)
    assert all(abs(numbers["tau"][at_0] - 1) < 0.06 for numbers in said.values())


# ---- the widgets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "arguments", "words"),
    [
        ("ExcitationLab", {"switched": "0x"}, "`switched` of ExcitationLab must be at most 16 of the characters"),
        ("ExcitationLab", {"switched": "." * 17}, "Received: switched='................."),
        ("ExcitationLab", {"unit": 5}, "`unit` of ExcitationLab must lie between 1 and 4. Received: unit=5"),
        ("ExcitationLab", {"snr": -11}, "`snr` of ExcitationLab must lie between -10.0 and 20.0"),
        ("ShrinkageUnit", {"digit": 10}, "`digit` of ShrinkageUnit must lie between 0 and 9"),
        ("ShrinkageUnit", {"channel": 16}, "`channel` of ShrinkageUnit must lie between 0 and 15"),
        ("ShrinkageUnit", {"variant": "resnet"}, "resnet"),
    ],
)
def test_wrong_arguments_are_named(figure, arguments, words):
    with pytest.raises(traitlets.TraitError, match=re.escape(words)):
        getattr(widgets, figure)(**arguments)


def test_fallbacks_give_the_numbers():
    figure = widgets.ShrinkageUnit(unit=2, channel=3, snr=-5)
    m = figure.measures()
    words = f"{m['m'][3]:.2f}", f"{m['tau'][3]:.2f}", f"{100 * m['zeroed'][3]:.0f} %", "in noise of −5 dB"
    lab = widgets.ExcitationLab(snr=20)
    found = lab.measures()
    said = f"{min(found['gates']):.2f}", f"{max(found['gates']):.2f}", f"{found['before']:.2f}", "without noise"
    assert all(word in figure.fallback() for word in words) and all(word in lab.fallback() for word in said)
