"""The threshold laboratory: what a threshold does to a noisy sparse signal, and what it costs."""

import numpy as np
import traitlets

from drsn_lib.widgets._base import LiveFigure, check_range
from drsn_lib.widgets._base import noise as draw_noise

FUNCTIONS = ("soft", "hard", "garrote", "relu")
NOISES = ("gaussian", "laplacian", "uniform")
LENGTH = 256
MAX_THRESHOLD = 4.0
STEP = 0.02
# Six impacts that ring and die away, as a damaged bearing's do: (first sample, height).
IMPACTS = ((18, 3.4), (58, -2.4), (98, 2.9), (138, -3.1), (178, 2.2), (218, 3.0))


def clean_signal():
    """Return the clean signal s: six decaying impacts of 12 samples each, zero elsewhere.

    Returns:
        A float64 array of shape `(256,)`.
    """
    k = np.arange(12)
    ring = 0.72**k * np.cos(2 * np.pi * 0.19 * k)
    signal = np.zeros(LENGTH)
    for start, height in IMPACTS:
        signal[start : start + len(k)] = height * ring
    return signal


def noisy_signal(sigma, draw, noise="gaussian"):
    """Return x = s + σ·(noise of variance 1).

    Args:
        sigma: Float, the noise's standard deviation σ.
        draw: Integer, the random seed of the noise.
        noise: `"gaussian"`, `"laplacian"` or `"uniform"`.

    Returns:
        A float64 array of shape `(256,)`.
    """
    return clean_signal() + sigma * draw_noise(noise, draw, LENGTH)


def apply_threshold(function, x, threshold):
    """Return y(x) of one of the laboratory's functions.

    Args:
        function: `"soft"`, `"hard"`, `"garrote"` or `"relu"` (a ReLU with bias -τ).
        x: Array of samples.
        threshold: Float or array that broadcasts against `x`, the threshold τ.

    Returns:
        A float64 array.
    """
    x, t = np.broadcast_arrays(np.asarray(x, float), np.asarray(threshold, float))
    kept = np.abs(x) > t
    if function == "soft":
        return np.sign(x) * np.maximum(np.abs(x) - t, 0)
    if function == "hard":
        return np.where(kept, x, 0.0)
    if function == "garrote":
        return np.where(kept, x - t**2 / np.where(kept, x, 1.0), 0.0)
    if function == "relu":
        return np.maximum(x - t, 0)
    raise ValueError(f"Argument `function` must be one of {', '.join(FUNCTIONS)}. Received: function={function!r}")


def derivative(function, x, threshold):
    """Return dy/dx where it exists, and 0 at the threshold itself.

    Args:
        function: As in `apply_threshold`.
        x: Array of samples.
        threshold: Float, the threshold τ.

    Returns:
        A float64 array.
    """
    x, t = np.broadcast_arrays(np.asarray(x, float), np.asarray(threshold, float))
    kept = np.abs(x) > t
    if function in ("soft", "hard"):
        return kept.astype(float)
    if function == "garrote":
        return np.where(kept, 1 + (t / np.where(kept, x, 1.0)) ** 2, 0.0)
    if function == "relu":
        return (x > t).astype(float)
    raise ValueError(f"Argument `function` must be one of {', '.join(FUNCTIONS)}. Received: function={function!r}")


def threshold_grid():
    """Return the thresholds at which the error is drawn: 0, 0.02, ... 4."""
    return np.arange(round(MAX_THRESHOLD / STEP) + 1) * STEP


def error_curve(function, sigma, draw, noise="gaussian"):
    """Return the mean squared error of y against the clean signal, for each threshold of the grid.

    Args:
        function: As in `apply_threshold`.
        sigma: Float, the noise's standard deviation σ.
        draw: Integer, the random seed of the noise.
        noise: As in `noisy_signal`.

    Returns:
        A float64 array as long as `threshold_grid()`.
    """
    y = apply_threshold(function, noisy_signal(sigma, draw, noise), threshold_grid()[:, None])
    return np.mean((y - clean_signal()) ** 2, axis=1)


def best_threshold(function, sigma, draw, noise="gaussian"):
    """Return the grid's smallest threshold whose error is smallest (to nine digits).

    Args:
        function: As in `apply_threshold`.
        sigma: Float, the noise's standard deviation σ.
        draw: Integer, the random seed of the noise.
        noise: As in `noisy_signal`.

    Returns:
        A float.
    """
    curve = error_curve(function, sigma, draw, noise)
    # Hard thresholding's curve is made of steps: a tie must not be settled by rounding.
    return float(threshold_grid()[np.argmax(curve <= curve.min() * (1 + 1e-9))])


def universal_threshold(sigma, length=LENGTH):
    """Return Donoho and Johnstone's universal threshold σ·sqrt(2 ln n).

    Args:
        sigma: Float, the noise's standard deviation σ.
        length: Integer, the number of samples n.

    Returns:
        A float.
    """
    return float(sigma * np.sqrt(2 * np.log(length)))


class ThresholdLab(LiveFigure):
    """The threshold laboratory: curve, derivative, signal and error, with live controls.

    It is an ipywidget: its traits can be observed, set from Python and linked to other widgets.

    Example:

    >>> lab = ThresholdLab(function="hard", threshold=1.2)
    >>> lab.threshold = 1.5
    >>> lab
    ThresholdLab(draw=1, function='hard', noise='gaussian', sigma=0.5, threshold=1.5)
    >>> lab.measures()["mse_after"] < lab.measures()["mse_before"]
    True

    Args:
        function: `"soft"`, `"hard"`, `"garrote"` or `"relu"` (a ReLU with bias -τ, for comparison).
        threshold: Float between 0 and 4, the threshold τ.
        sigma: Float between 0.1 and 1.2, the noise's standard deviation σ.
        noise: `"gaussian"`, `"laplacian"` or `"uniform"`, the kind of noise.
        draw: Integer from 1 on, the random seed of the noise.

    Raises:
        TraitError: If a value is out of its range; the old one stays.
    """

    _js = "threshold_lab.js"
    _constant = "ThresholdLab"
    _tag = "threshold-lab"

    function = traitlets.Enum(FUNCTIONS, default_value="soft").tag(sync=True, figure=True)
    threshold = traitlets.CFloat(0.4).tag(sync=True, figure=True, low=0.0, high=MAX_THRESHOLD)
    sigma = traitlets.CFloat(0.5).tag(sync=True, figure=True, low=0.1, high=1.2)
    noise = traitlets.Enum(NOISES, default_value="gaussian").tag(sync=True, figure=True)
    draw = traitlets.CInt(1).tag(sync=True, figure=True, low=1, high=2**31 - 1)

    @traitlets.validate("threshold", "sigma", "draw")
    def _check(self, proposal):
        return check_range(self, proposal["trait"], proposal["value"])

    def signals(self):
        """Return the signals of the figure.

        Returns:
            A dictionary of arrays: `clean` s, `noisy` x, `output` y and `residual` x − y.
        """
        noisy = noisy_signal(self.sigma, self.draw, self.noise)
        output = apply_threshold(self.function, noisy, self.threshold)
        return {"clean": clean_signal(), "noisy": noisy, "output": output, "residual": noisy - output}

    def measures(self):
        """Return the numbers that the figure shows.

        Returns:
            A dictionary: `mse_before`, `mse_after`, `snr_before`, `snr_after` and `snr_gain` (dB), `zeroed`
            (share of samples set to zero), `best` and `universal` (thresholds).
        """
        s = self.signals()
        before = float(np.mean((s["noisy"] - s["clean"]) ** 2))
        after = float(np.mean((s["output"] - s["clean"]) ** 2))
        power = float(np.mean(s["clean"] ** 2))
        return {
            "mse_before": before,
            "mse_after": after,
            "snr_before": 10 * np.log10(power / before),
            "snr_after": 10 * np.log10(power / after),
            "snr_gain": 10 * np.log10(before / after),
            "zeroed": float(np.mean(s["output"] == 0)),
            "best": best_threshold(self.function, self.sigma, self.draw, self.noise),
            "universal": universal_threshold(self.sigma),
        }

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences.
        """
        m = self.measures()
        name = {"relu": "a ReLU with bias −τ"}.get(self.function, f"{self.function} thresholding")
        return (
            "The threshold laboratory is a live figure and needs JavaScript, as in the book's pages or in a running "
            f"notebook. It shows {name} of a noisy signal of {LENGTH} samples "
            f"({self.noise.title() if self.noise != 'uniform' else 'uniform'} noise, σ = {self.sigma:.2f}). "
            f"At τ = {self.threshold:.2f} the mean squared error goes from {m['mse_before']:.3f} to "
            f"{m['mse_after']:.3f} and {100 * m['zeroed']:.0f} % of the samples become zero; "
            f"the error is smallest at τ = {m['best']:.2f}."
        )
