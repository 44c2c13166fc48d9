"""The simulated machine: its faults can be read back where its geometry puts them."""

import time

import numpy as np
import pytest

from drsn_lib import data

RATE = 25.0


@pytest.fixture(scope="module")
def made():
    return data.simulate_vibration(recordings=4, windows=40, shaft_hz=(RATE,), loads=(1.0,), seed=3)


def recordings(made, kind):
    index = made.y == made.classes.index(kind)
    return [made.x[made.recording == r].ravel().astype(float) for r in np.unique(made.recording[index])]


def spectrum(x):
    return np.fft.rfftfreq(len(x), 1 / 12_800), np.abs(np.fft.rfft(x - x.mean())) / len(x)


def envelope_spectrum(x, band):
    return data.envelope_spectrum(x, 12_800, band)


def line(frequency, amplitude, hz, width=0.03):
    """The strongest line near `hz`, over the median around it."""
    near = np.abs(frequency - hz) < width * hz
    around = np.abs(frequency - hz) < 0.3 * hz
    place = np.flatnonzero(near)[amplitude[near].argmax()]
    return frequency[place], amplitude[place] / np.median(amplitude[around])


@pytest.mark.parametrize("kind", ["inner race", "outer race", "ball"])
def test_bearing_faults_stand_at_their_frequencies_in_the_envelope_spectrum(made, kind):
    expected = made.machine.frequencies(RATE)[kind]
    for x in recordings(made, kind):
        frequency, amplitude = envelope_spectrum(x, (2600, 4600))
        shown = (frequency > 60) & (frequency < 160)
        assert frequency[shown][amplitude[shown].argmax()] == pytest.approx(expected, rel=0.02)
    for x in recordings(made, "healthy"):
        assert line(*envelope_spectrum(x, (2600, 4600)), expected)[1] < 6


def test_the_rotating_race_is_modulated_by_the_shaft_and_the_ball_by_the_cage(made):
    hz = made.machine.frequencies(RATE)
    for kind, carrier in (("inner race", "shaft"), ("ball", "cage")):
        for x in recordings(made, kind):
            frequency, amplitude = envelope_spectrum(x, (2600, 4600))
            for sign in (-1, 1):
                assert line(frequency, amplitude, hz[kind] + sign * hz[carrier], 0.015)[1] > 6
    for x in recordings(made, "outer race"):
        frequency, amplitude = envelope_spectrum(x, (2600, 4600))
        assert line(frequency, amplitude, hz["outer race"] - hz["shaft"], 0.015)[1] < 6


@pytest.mark.parametrize("kind", ["cracked tooth", "broken tooth"])
def test_tooth_faults_strike_once_a_turn(made, kind):
    for x in recordings(made, kind):
        frequency, amplitude = envelope_spectrum(x, (1500, 2300))
        shown = (frequency > 10) & (frequency < 45)
        assert frequency[shown][amplitude[shown].argmax()] == pytest.approx(RATE, rel=0.02)


def test_a_broken_tooth_strikes_harder_than_a_cracked_one(made):
    def strength(kind):
        return [spectra[1].max() for spectra in (envelope_spectrum(x, (1500, 2300)) for x in recordings(made, kind))]

    assert min(strength("broken tooth")) > max(strength("cracked tooth"))


def test_eccentric_gear_has_sidebands_around_the_mesh(made):
    def sideband(x):
        frequency, amplitude = spectrum(x)
        near = np.abs(frequency - 475) < 6
        mesh = frequency[near][amplitude[near].argmax()]
        peak = amplitude[near].max()
        return np.mean([amplitude[np.abs(frequency - mesh - s * mesh / 19) < 1].max() for s in (-1, 1)]) / peak

    healthy = [sideband(x) for x in recordings(made, "healthy")]
    eccentric = [sideband(x) for x in recordings(made, "eccentric gear")]
    assert min(eccentric) > 3 * max(healthy)


def test_worn_gear_has_stronger_harmonics(made):
    def third(x):
        frequency, amplitude = spectrum(x)
        return amplitude[np.abs(frequency - 3 * 475) < 20].max() / amplitude[np.abs(frequency - 475) < 8].max()

    assert min(map(third, recordings(made, "worn gear"))) > max(map(third, recordings(made, "healthy")))


def test_characteristic_frequencies():
    # SKF 6205 at 1,797 turns a minute: the multiples that Case Western's bearing data center publishes.
    machine = data.Machine(balls=9, ball_diameter=7.94, pitch_diameter=39.04)
    hz = machine.frequencies(1.0)
    assert hz["inner race"] == pytest.approx(5.4152, abs=2e-3)
    assert hz["outer race"] == pytest.approx(3.5848, abs=2e-3)
    assert hz["cage"] == pytest.approx(0.39828, abs=2e-4)
    assert hz["ball"] == pytest.approx(4.7135, abs=3e-3)
    assert hz["inner race"] + hz["outer race"] == pytest.approx(machine.balls)


def test_extent_speed_and_repetition():
    start = time.process_time()
    made = data.simulate_vibration()
    assert time.process_time() - start < 60
    assert made.x.shape == (28_800, 2048, 1) and made.x.dtype == np.float32
    assert np.isfinite(made.x).all()
    assert np.bincount(made.y).tolist() == [3600] * 8
    assert len(np.unique(made.recording)) == 720
    few = data.simulate_vibration(recordings=1, windows=2)
    np.testing.assert_array_equal(few.x, data.simulate_vibration(recordings=1, windows=2).x)
    assert not np.allclose(few.x, data.simulate_vibration(recordings=1, windows=2, seed=1).x)


def test_load_raises_the_mesh():
    made = data.simulate_vibration(recordings=6, windows=4, classes=("healthy",), shaft_hz=(RATE,))
    power = [made.x[made.load == load].std() for load in (0.5, 1.0, 1.5)]
    assert power[0] < power[1] < power[2]


def test_split_by_recording():
    made = data.simulate_vibration(recordings=4, windows=2, length=256)
    train, test = made.split_by_recording(test_share=0.25)
    assert len(train) + len(test) == len(made.y) and not set(train) & set(test)
    assert not set(made.recording[train]) & set(made.recording[test])
    assert np.bincount(made.y[test]).tolist() == [18] * 8
    assert {*made.load[test]} == {0.5, 1.0, 1.5} and {*made.shaft_hz[test]} == {20.0, 25.0, 30.0}
    other = made.split_by_recording(test_share=0.25, seed=1)[1]
    assert set(other) != set(test)
    with pytest.raises(ValueError, match="Simulate more recordings"):
        made.split_by_recording(test_share=0.05)


@pytest.mark.parametrize(
    "arguments",
    [
        {"recordings": 0},
        {"windows": 1.5},
        {"length": -1},
        {"shaft_hz": ()},
        {"loads": (0.0,)},
        {"classes": ("healthy", "rusty")},
        {"classes": ()},
        {"sensor_noise": -1.0},
        {"sampling_rate": 4000.0},
    ],
)
def test_wrong_argument_is_named(arguments):
    with pytest.raises(ValueError, match=rf"`{next(iter(arguments))}`.*Received: "):
        data.simulate_vibration(**{"recordings": 1, "windows": 1, **arguments})


def test_envelope_spectrum_of_a_modulated_tone():
    t = np.arange(12_800) / 12_800
    tone = (1.0 + 0.5 * np.cos(2 * np.pi * 40 * t)) * np.cos(2 * np.pi * 3000 * t) + 3.0 * np.cos(2 * np.pi * 500 * t)
    frequency, amplitude = data.envelope_spectrum(tone, 12_800, band=(2500, 3500))
    # The amplitude of the modulation, whatever stands outside of the band.
    assert amplitude[frequency == 40][0] == pytest.approx(0.5, rel=0.01)
    assert np.delete(amplitude, np.flatnonzero(frequency == 40)).max() < 0.02
    windows = np.stack([tone, 2 * tone])[..., np.newaxis]
    np.testing.assert_allclose(data.envelope_spectrum(windows, 12_800, (2500, 3500))[1][1], 2 * amplitude, atol=1e-9)


@pytest.mark.parametrize(
    "x, band",
    [(np.zeros(10), None), (np.zeros((2, 100, 3)), None), (np.zeros(100), (0, 50)), (np.zeros(100), (10, 7000))],
)
def test_envelope_spectrum_says_what_is_wrong(x, band):
    with pytest.raises(ValueError, match=r"`(x|band)` must .* Received: "):
        data.envelope_spectrum(x, 12_800, band)
