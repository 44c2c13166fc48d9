"""What the figures of trained networks share: ten test digits and noise on them; the twin of digits.js."""

import base64
import functools
import json

import numpy as np
import traitlets

from drsn_lib.widgets._base import _FOLDER, LiveFigure, check_range, normals
from drsn_lib.widgets._network import Network

NO_NOISE = 20.0  # the end of the slider of signal-to-noise ratios


@functools.cache
def _images():
    stored = json.loads((_FOLDER / "data" / "test_digits.json").read_text(encoding="utf8"))["images"]
    return np.array([np.frombuffer(base64.b64decode(text), np.uint8) for text in stored]) / 255


def add_noise(image, snr, draw):
    """Return an image with Gaussian noise at an exact signal-to-noise ratio, as `data.add_noise` makes it.

    Args:
        image: Array of pixels between 0 and 1.
        snr: Float, the signal-to-noise ratio in dB; 20 and more add nothing.
        draw: Integer, the random seed of the noise.

    Returns:
        A float64 array of the shape of `image`.
    """
    if snr >= NO_NOISE:
        return image.copy()
    noise = normals(draw, image.size)
    noise -= noise.mean()
    return image + noise * np.sqrt(image.var() / noise.var() * 10 ** (-snr / 10))


def noisy_digit(digit, snr, draw):
    """Return a test digit with noise; see `add_noise`.

    Args:
        digit: Integer from 0 to 9; each has one image.
        snr: Float, the signal-to-noise ratio in dB; 20 and more add nothing.
        draw: Integer, the random seed of the noise.

    Returns:
        A float64 array of shape `(784,)`; the clean image has values between 0 and 1.
    """
    return add_noise(_images()[digit], snr, draw)


@functools.cache
def load_network(name, key=None):
    """Return a network of a data file, ready to run.

    Args:
        name: Name of the data file.
        key: Name of the network in it, if it holds several.

    Returns:
        A `Network`.
    """
    stored = LiveFigure.load_data(name)
    return Network(stored["networks"][key] if key else stored)


class DigitFigure(LiveFigure):
    """The base of figures that show one unit of a network at work on one digit; a subclass has the trait `unit`.

    Args:
        digit: Integer from 0 to 9.
        snr: Float between -10 and 20, the signal-to-noise ratio in dB; 20 stands for no noise.
        draw: Integer from 1 on, the random seed of the noise.
    """

    _shared = ("network.js", "digits.js")

    digit = traitlets.CInt(3).tag(sync=True, figure=True, low=0, high=9)
    snr = traitlets.CFloat(0.0).tag(sync=True, figure=True, low=-10.0, high=NO_NOISE)
    draw = traitlets.CInt(1).tag(sync=True, figure=True, low=1, high=2**31 - 1)

    @traitlets.validate("digit", "snr", "draw", "unit")
    def _check(self, proposal):
        return check_range(self, proposal["trait"], proposal["value"])

    def image(self):
        """Return the image that the network gets.

        Returns:
            A float64 array of shape `(784,)`.
        """
        return noisy_digit(self.digit, self.snr, self.draw)

    def _noise_words(self):
        return "without noise" if self.snr >= NO_NOISE else f"in noise of {self.snr:g} dB".replace("-", "−")
