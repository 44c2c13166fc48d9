"""The noise laboratory's mathematics: against scipy and the library, and against what it tells its reader."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import traitlets

from drsn_lib import data
from drsn_lib.widgets import NoiseLab, noise_lab

ROOT = Path(__file__).resolve().parents[1]
RATE = noise_lab.load()["rate"]
HZ = noise_lab.load()["frequencies"]
FAULTS = noise_lab.FAULTS[1:]


def simulate(**changes):
    settings = {"recordings": 1, "windows": 1, "shaft_hz": (25.0,), "loads": (1.0,), "classes": noise_lab.FAULTS}
    return data.simulate_vibration(**{**settings, "seed": 0, **changes})


def test_the_windows_and_frequencies_are_the_librarys():
    made = simulate()
    assert made.sampling_rate == RATE
    for k, name in enumerate(noise_lab.FAULTS):
        np.testing.assert_allclose(noise_lab.load()["windows"][name], made.x[k, :, 0], atol=1e-6)
    for name, hz in made.machine.frequencies(25.0).items():
        assert name == "cage" or HZ[name] == pytest.approx(hz)


def test_the_data_say_what_the_module_says():
    spec = importlib.util.spec_from_file_location("noise_data", ROOT / "tools" / "figure_data" / "noise_lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (module.FAULTS, module.SHAFT_HZ, module.BAND) == (noise_lab.FAULTS, noise_lab.SHAFT_HZ, noise_lab.BAND)


def test_the_knocks_come_at_the_faults_rate():
    for name in FAULTS:
        knocks = noise_lab.load()["knocks"][name]
        assert abs(len(knocks) - 0.16 * HZ[name]) <= 1
        interval = np.median(np.diff(knocks[:, 0])) / RATE
        assert interval == pytest.approx(1 / HZ[name], rel=0.03)
    assert len(noise_lab.load()["knocks"]["healthy"]) == 0


@pytest.mark.parametrize("kind", noise_lab.KINDS)
def test_the_noise_is_the_librarys_kind_at_an_exact_ratio(kind):
    stats = pytest.importorskip("scipy.stats")
    noise = np.concatenate([noise_lab.draw_noise(kind, draw) for draw in range(1, 21)])
    theirs = data.add_noise(np.tile([1.0, -1.0], (20, 1024)), 0, kind=kind, seed=0) - np.tile([1.0, -1.0], (20, 1024))
    assert np.mean(noise) == pytest.approx(0, abs=1e-12) and np.std(noise) == pytest.approx(1)
    if kind != "pink":
        assert stats.ks_2samp(noise, theirs.ravel()).pvalue > 0.001
    power = [np.mean(np.abs(np.fft.rfft(x.reshape(20, -1))) ** 2, axis=0) for x in (noise, theirs)]
    octaves = [[p[a : 2 * a].mean() for a in (8, 32, 128, 512)] for p in power]
    np.testing.assert_allclose(*octaves, rtol=0.25)
    figure = NoiseLab(noise=kind, snr=-4)
    signals = figure.signals()
    assert data.measure_snr(signals["clean"], signals["noisy"])[0] == pytest.approx(-4)


def test_the_band_is_butterworths():
    signal = pytest.importorskip("scipy.signal")
    sos = signal.butter(4, noise_lab.BAND, "bandpass", fs=RATE, output="sos")
    hz, response = signal.sosfreqz(sos, worN=np.linspace(10, 6390, 600), fs=RATE)
    np.testing.assert_allclose(noise_lab.band_gain(hz, RATE), np.abs(response) ** 2, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("snr", [20.0, 5.0, -10.0])
@pytest.mark.parametrize("fault", noise_lab.FAULTS)
def test_spectrum_and_heights_are_the_librarys(fault, snr):
    figure = NoiseLab(fault=fault, snr=snr, draw=7)
    noisy = figure.signals()["noisy"]
    lines = {name: HZ[name] for name in FAULTS} | {"double": 2 * HZ.get(fault, 45.0)}
    features, names = data.vibration_features(noisy, RATE, lines, [noise_lab.BAND])
    theirs = {n.split(",")[0]: 10 ** features[0, k] for k, n in enumerate(names) if n.endswith("4600 Hz")}
    m = figure.measures()
    for name in FAULTS:
        assert m["heights"][name] == pytest.approx(theirs[name], rel=5e-3)
    assert m["double"] is None if fault == "healthy" else m["double"] == pytest.approx(theirs["double"], rel=5e-3)


def test_the_envelope_is_scipys_but_for_the_ends_of_the_window():
    signal = pytest.importorskip("scipy.signal")
    for fault in noise_lab.FAULTS:
        noisy = NoiseLab(fault=fault, draw=7).signals()["noisy"]
        sos = signal.butter(4, noise_lab.BAND, "bandpass", fs=RATE, output="sos")
        expected = np.abs(signal.hilbert(signal.sosfiltfilt(sos, noisy)))
        envelope = np.abs(noise_lab.analytic(noisy, RATE))
        assert np.abs(envelope - expected)[100:-100].max() < 0.01 * expected.max()


def test_the_curve_is_the_height_at_each_ratio():
    for fault in ("ball", "healthy"):
        curve = NoiseLab(fault=fault, noise="pink", draw=3).curve()
        for i in (0, 13, 35):
            heights = NoiseLab(fault=fault, noise="pink", draw=3, snr=noise_lab.snr_grid()[i]).measures()["heights"]
            assert curve[i] == pytest.approx(max(heights.values()) if fault == "healthy" else heights[fault])


def test_healthy_windows_seldom_have_a_line_above_the_limit():
    x = simulate(recordings=60, windows=4, classes=("healthy",), seed=11).x[:, :, 0]
    lines = {name: HZ[name] for name in FAULTS}
    for kind in noise_lab.KINDS:
        for snr in (15, 5, -5):
            noisy = data.add_noise(x, snr, kind=kind, seed=5)
            features, names = data.vibration_features(noisy, RATE, lines, [noise_lab.BAND])
            heights = 10 ** features[:, [name.endswith("4600 Hz") for name in names]]
            assert (heights > noise_lab.LIMIT).mean(axis=0).max() < 0.05, (kind, snr)


def test_what_the_reader_is_told_holds_for_other_draws():
    """The knocks are lost before the line; pink noise spares the line for longer."""
    line = {}
    for kind in ("gaussian", "pink"):
        for fault in FAULTS:
            losses = [NoiseLab(fault=fault, noise=kind, draw=draw).losses() for draw in range(1, 16)]
            assert np.mean([one["line"] is None or one["eye"] > one["line"] for one in losses]) > 0.9
            line[kind, fault] = np.median([-99 if one["line"] is None else one["line"] for one in losses])
    for fault in FAULTS:
        assert line["pink", fault] <= line["gaussian", fault] - 3
    assert NoiseLab(fault="healthy").losses() == {"eye": None, "line": None}


def test_the_numbers_from_plain_loops():
    figure = NoiseLab(fault="inner race", snr=2, draw=5)
    m, held = figure.measures(), noise_lab.load()
    level = np.std(held["windows"]["inner race"]) * 10 ** (-2 / 20)
    assert m["level"] == pytest.approx(level)
    assert m["seen"] == sum(1 for _, h in held["knocks"]["inner race"] if h > 3 * level)
    best = max(m["heights"], key=m["heights"].get)
    assert m["answer"] == (best if m["heights"][best] > 2.5 else "healthy")
    lost = figure.losses()
    heights = held["knocks"]["inner race"][:, 1]
    for snr in noise_lab.snr_grid()[::-1]:
        if sum(h > 3 * noise_lab.noise_level(held["windows"]["inner race"], snr) for h in heights) < len(heights) / 2:
            assert lost["eye"] == snr
            break


def test_the_fallback_and_wrong_values():
    figure = NoiseLab(fault="ball", noise="laplacian", snr=-2)
    m = figure.measures()
    for words in ("(ball)", "laplacian", "-2 dB", f"ball {m['heights']['ball']:.1f}", f"is: {m['answer']}", "of 18"):
        assert words in figure.fallback()
    for wrong in ({"snr": -16}, {"snr": 21}, {"noise": "brown"}, {"fault": "gear"}, {"draw": 0}):
        with pytest.raises(traitlets.TraitError):
            NoiseLab(**wrong)
