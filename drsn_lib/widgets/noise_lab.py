"""The noise laboratory: a bearing's knocks in the waveform, its fault's line in the envelope spectrum, and noise."""

import functools

import numpy as np
import traitlets

from drsn_lib.widgets import _base
from drsn_lib.widgets._base import LiveFigure, check_range

FAULTS = ("healthy", "outer race", "inner race", "ball")
KINDS = ("gaussian", "laplacian", "pink", "uniform")
SHAFT_HZ = 25.0
BAND = (2600.0, 4600.0)  # Hz, chapter 11's, around the resonance that knocks ring
LENGTH = 2048
FINE = 4  # the envelope spectrum's grid is this many times as fine as its bins
SHOWN = 290  # values of it that are shown, up to 450 Hz
MIN_SNR, MAX_SNR = -15.0, 20.0
# A line higher than this, over the median of its surroundings, is taken for a fault's: fewer than one in
# twenty healthy windows have a line as high, whatever the noise.
LIMIT = 2.5
SIGMAS = 3.0  # a knock that rings higher than so many standard deviations of the noise is taken to be seen


@functools.cache
def load():
    """Return what the figure brings along: windows, frequencies and knocks.

    Returns:
        A dictionary: `rate` (Hz), `frequencies` (name to Hz), `windows` (fault to a float64 array of shape
        `(2048,)`) and `knocks` (fault to an array of rows of sample and height).
    """
    held = dict(NoiseLab.load_data("noise_lab"))
    held["windows"] = {name: _base.unpack(text).astype(float) for name, text in held["windows"].items()}
    held["knocks"] = {name: np.array(held["knocks"].get(name, []), float).reshape(-1, 2) for name in FAULTS}
    return held


def draw_noise(kind, draw):
    """Return noise of mean 0 and variance 1, of one of the kinds of `data.add_noise`.

    Args:
        kind: `"gaussian"`, `"laplacian"`, `"pink"` or `"uniform"`.
        draw: Integer, the random seed.

    Returns:
        A float64 array of shape `(2048,)`.
    """
    noise = _base.noise("gaussian" if kind == "pink" else kind, draw, LENGTH)
    if kind == "pink":
        frequency = np.fft.rfftfreq(LENGTH)
        frequency[0] = np.inf
        noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(frequency), LENGTH)
    noise = noise - noise.mean()
    return noise / noise.std()


def noise_level(clean, snr_db):
    """Return the standard deviation of the noise that gives a signal-to-noise ratio.

    Args:
        clean: Array, the signal; its mean does not count.
        snr_db: Float or array, the ratio in dB.

    Returns:
        A float or an array.
    """
    return clean.std() * 10 ** (-np.asarray(snr_db) / 20)


def band_gain(frequency, rate):
    """Return what a Butterworth band-pass of order 4 leaves of an amplitude, applied forwards and backwards.

    Args:
        frequency: Array in hertz, not negative.
        rate: Float, the sampling rate in hertz.

    Returns:
        An array of numbers between 0 and 1.

    Formula:

    ```
    w = tan(pi * frequency / rate), and so for both ends of the band, low and high
    gain = 1 / (1 + ((w ** 2 - low * high) / ((high - low) * w)) ** 8)
    ```
    """
    low, high = np.tan(np.pi * np.array(BAND) / rate)
    w = np.tan(np.pi * np.asarray(frequency) / rate)
    with np.errstate(divide="ignore", over="ignore"):
        return 1 / (1 + ((w**2 - low * high) / ((high - low) * w)) ** 8)


def analytic(x, rate):
    """Return the signal in the band, and as imaginary part its Hilbert transform; the magnitude is the envelope.

    Args:
        x: Array of shape `(2048,)`.
        rate: Float, the sampling rate in hertz.

    Returns:
        A complex array of shape `(2048,)`.
    """
    transform = np.fft.fft(x)
    half = LENGTH // 2
    transform[1:half] *= 2 * band_gain(np.arange(1, half) * rate / LENGTH, rate)
    transform[0] = 0
    transform[half:] = 0
    return np.fft.ifft(transform)


def envelope_spectrum(envelope):
    """Return the amplitude spectrum of an envelope without its mean, with a Hann window, on a fine grid.

    Args:
        envelope: Array of shape `(..., 2048)`.

    Returns:
        A float64 array of shape `(..., 290)`; value k belongs to k·rate/8192 hertz.
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LENGTH) / LENGTH)
    swell = (envelope - envelope.mean(axis=-1, keepdims=True)) * window
    return np.abs(np.fft.rfft(swell, FINE * LENGTH)[..., :SHOWN]) * 2 / window.sum()


def surroundings(amplitude, frequency, rate):
    """Return the peak of a line and the median of what is around it, as `data.vibration_features` takes them.

    Args:
        amplitude: Array of shape `(290,)` from `envelope_spectrum`.
        frequency: Float, the line's place in hertz.
        rate: Float, the sampling rate in hertz.

    Returns:
        Two floats: the highest amplitude within 2 % or half a bin, and the median within 10 % or six bins.
    """
    bin_width = rate / LENGTH
    hz = np.arange(len(amplitude)) * bin_width / FINE
    distance = np.abs(hz - frequency)
    peak = amplitude[distance <= max(0.02 * frequency, bin_width / 2)].max()
    around = np.sort(amplitude[(distance <= max(0.1 * frequency, 6 * bin_width)) & (hz >= bin_width)])
    return float(peak), float(around[len(around) // 2])


def height(amplitude, frequency, rate):
    """Return how high a line stands over the median of its surroundings.

    Args:
        amplitude: Array of shape `(290,)` from `envelope_spectrum`.
        frequency: Float, the line's place in hertz.
        rate: Float, the sampling rate in hertz.

    Returns:
        A float; 1 or 2 is no line at all.
    """
    peak, middle = surroundings(amplitude, frequency, rate)
    return peak / middle


def snr_grid():
    """Return the ratios at which the heights are drawn: -15, -14, ... 20 dB."""
    return np.arange(MIN_SNR, MAX_SNR + 1)


class NoiseLab(LiveFigure):
    """The noise laboratory: waveform, spectrum and envelope spectrum of a bearing in noise.

    Example:

    >>> lab = NoiseLab(fault="inner race", snr=10)
    >>> lab
    NoiseLab(draw=1, fault='inner race', noise='gaussian', snr=10.0)
    >>> lab.measures()["answer"]
    'inner race'

    Args:
        fault: `"healthy"`, `"outer race"`, `"inner race"` or `"ball"`: where the pit is.
        noise: Kind of the noise, `"gaussian"`, `"laplacian"`, `"pink"` or `"uniform"`.
        snr: Float between -15 and 20, the signal-to-noise ratio in dB.
        draw: Integer from 1 on, the random seed of the noise.

    Raises:
        TraitError: If a value is out of its range; the old one stays.
    """

    _js = "noise_lab.js"
    _constant = "NoiseLab"
    _tag = "noise-lab"
    _data = ("noise_lab",)

    fault = traitlets.Enum(FAULTS, default_value="outer race").tag(sync=True, figure=True)
    noise = traitlets.Enum(KINDS, default_value="gaussian").tag(sync=True, figure=True)
    snr = traitlets.CFloat(5.0).tag(sync=True, figure=True, low=MIN_SNR, high=MAX_SNR)
    draw = traitlets.CInt(1).tag(sync=True, figure=True, low=1, high=2**31 - 1)

    @traitlets.validate("snr", "draw")
    def _check(self, proposal):
        return check_range(self, proposal["trait"], proposal["value"])

    def signals(self):
        """Return what the figure draws.

        Returns:
            A dictionary of arrays: `clean` and `noisy` (2,048 samples), `spectrum` (amplitudes of the noisy
            signal, 1,025 values) and `envelope_spectrum` (290 values).
        """
        held = load()
        clean = held["windows"][self.fault]
        noisy = clean + noise_level(clean, self.snr) * draw_noise(self.noise, self.draw)
        return {
            "clean": clean,
            "noisy": noisy,
            "spectrum": 2 / LENGTH * np.abs(np.fft.rfft(noisy)),
            "envelope_spectrum": envelope_spectrum(np.abs(analytic(noisy, held["rate"]))),
        }

    def curve(self):
        """Return the height of the fault's line against the signal-to-noise ratio.

        Returns:
            An array as long as `snr_grid()`; for a healthy bearing, of the highest of the three lines.
        """
        held = load()
        rate, clean = held["rate"], held["windows"][self.fault]
        a, b = analytic(clean, rate), analytic(draw_noise(self.noise, self.draw), rate)
        spectra = [envelope_spectrum(np.abs(a + level * b)) for level in noise_level(clean, snr_grid())]
        lines = FAULTS[1:] if self.fault == "healthy" else (self.fault,)
        return np.array([max(height(one, held["frequencies"][name], rate) for name in lines) for one in spectra])

    def losses(self):
        """Return at which signal-to-noise ratio the knocks and the line are lost first, as the noise rises.

        Returns:
            A dictionary: `eye` and `line`, the highest of the grid's ratios at which fewer than half of the
            knocks are higher than three standard deviations of the noise, and at which the line is not
            above the limit; None if there is none, or if the bearing is healthy.
        """
        if self.fault == "healthy":
            return {"eye": None, "line": None}
        grid, held = snr_grid(), load()
        heights = held["knocks"][self.fault][:, 1]
        levels = noise_level(held["windows"][self.fault], grid)
        seen = np.array([np.mean(heights > SIGMAS * level) for level in levels])
        lost = {"eye": seen < 0.5, "line": self.curve() <= LIMIT}
        return {name: float(grid[where].max()) if where.any() else None for name, where in lost.items()}

    def measures(self):
        """Return the numbers that the figure shows.

        Returns:
            A dictionary: `heights` (fault to height of its line), `double` (height at twice the fault's rate,
            or None), `answer` (the fault whose line is highest, if it is above the limit, else `"healthy"`),
            `knocks` and `seen` (how many there are, and how many ring higher than three standard deviations
            of the noise), `level` (of the noise, in g).
        """
        held = load()
        hz, amplitude = held["frequencies"], self.signals()["envelope_spectrum"]
        heights = {name: height(amplitude, hz[name], held["rate"]) for name in FAULTS[1:]}
        highest = max(heights, key=heights.get)
        knocks = held["knocks"][self.fault]
        level = float(noise_level(held["windows"][self.fault], self.snr))
        return {
            "heights": heights,
            "double": None if self.fault == "healthy" else height(amplitude, 2 * hz[self.fault], held["rate"]),
            "answer": highest if heights[highest] > LIMIT else "healthy",
            "knocks": len(knocks),
            "seen": int(np.sum(knocks[:, 1] > SIGMAS * level)),
            "level": level,
        }

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences.
        """
        m = self.measures()
        lines = ", ".join(f"{name} {value:.1f}" for name, value in m["heights"].items())
        lost = self.losses()
        last = f"{m['seen']} of {m['knocks']} knocks ring higher than three standard deviations of the noise"
        if lost["line"] is not None:
            last += f"; as the noise rises, the line is first lost at {lost['line']:.0f} dB"
        return (
            "The noise laboratory is a live figure and needs JavaScript, as in the book's pages or in a running "
            f"notebook. It shows a simulated bearing ({self.fault}) in {self.noise} noise at {self.snr:.0f} dB. In its "
            f"envelope spectrum the lines stand over their surroundings by these factors: {lines}. "
            f"Where a factor above {LIMIT} counts as a fault, the answer is: {m['answer']}; {last}."
        )
