"""The APReLU laboratory: the slopes that a trained network computes, window by window and channel by channel."""

import functools

import numpy as np
import traitlets

from drsn_lib.widgets._base import LiveFigure, check_range, unpack

ACTIVATIONS = (1, 4, 16, 25)  # of the network's 25, from the input on
LEVELS = ("no noise", "5 dB", "0 dB", "−5 dB")
LEAK = 0.1
STATES = (
    "healthy",
    "inner race",
    "outer race",
    "ball",
    "cracked tooth",
    "broken tooth",
    "worn gear",
    "eccentric gear",
)


@functools.cache
def unit(activation):
    """Return what the figure brings along of one activation of the trained network.

    Args:
        activation: Integer, one of 1, 4, 16 and 25.

    Returns:
        A dictionary: `channels`; `means`, an array (4 noise levels, 8 states, 8 windows, twice the channels) of
        each channel's means of its negative and its positive part; `weights`, four arrays; `prelu`, the slopes of
        the network with PReLU; `below` (4, 8, channels), the share of values below zero in each state's first
        window; and `bars` (4, 8, channels, 24), the histogram of its values from -4 to 4, the highest bar being 1.
    """
    data = ApreluLab.load_data("aprelu_lab")
    one = data["activations"][str(activation)]
    c = one["channels"]
    shape = (len(data["levels"]), len(data["states"]))
    flat = unpack(one["weights"]).astype(float)
    parts = np.split(flat, np.cumsum([2 * c * c, c, c * c]))
    return {
        "channels": c,
        "means": unpack(one["means"]).astype(float).reshape(*shape, data["windows"], 2 * c),
        "weights": [parts[0].reshape(2 * c, c), parts[1], parts[2].reshape(c, c), parts[3]],
        "prelu": np.array(one["prelu"]),
        "below": np.reshape(one["below"], (*shape, c)),
        "bars": np.reshape(one["bars"], (*shape, c, -1)),
    }


def slopes(means, weights):
    """Return what an APReLU's small network answers; normalization is folded into its weights.

    Args:
        means: Array (..., 2 C), each channel's mean of the negative part, then that of the positive part.
        weights: Kernel and bias of the first layer, kernel and bias of the second.

    Returns:
        An array (..., C) of slopes a between 0 and 1.
    """
    first, first_bias, second, second_bias = weights
    hidden = np.maximum(means @ first + first_bias, 0)
    return 1 / (1 + np.exp(-(hidden @ second + second_bias)))


def rectify(x, slope):
    """Return y = max(x, 0) + a·min(x, 0).

    Args:
        x: Array of values.
        slope: Float or array that broadcasts against `x`, the slope a.

    Returns:
        A float64 array.
    """
    return np.maximum(x, 0) + np.asarray(slope, float) * np.minimum(x, 0)


def shares():
    """Return what part of the slopes' variance goes with what, for each of the network's 25 activations.

    Returns:
        An array (25, 2): the part of the noise level, and the part of the machine's state.
    """
    return np.array(ApreluLab.load_data("aprelu_lab")["shares"])


class ApreluLab(LiveFigure):
    """The APReLU laboratory: the slopes of a trained network, live, for each window and each channel.

    The network is the one of the record `vibration-aprelu`, its windows are test windows of it, eight of each
    state of the machine. What arrives at the activation was computed before; the slopes are computed live.

    Example:

    >>> lab = ApreluLab(activation=4, machine="ball", level=3)
    >>> lab.channel = 2
    >>> lab
    ApreluLab(activation=4, channel=2, compare='prelu', level=3, loudness=1.0, machine='ball')
    >>> 0 < lab.measures()["slope"] < 1
    True

    Args:
        activation: Integer, which of the network's 25 activations: 1, 4, 16 or 25.
        machine: String, the state of the machine whose first window is shown, such as `"outer race"`.
        level: Integer from 0 to 3, the noise: none, 5 dB, 0 dB or −5 dB.
        loudness: Float between 0.25 and 4, by which everything that arrives is multiplied.
        channel: Integer from 1 to 16, the channel that is drawn bold; the last one if there are fewer.
        compare: `"relu"`, `"leaky"` (slope 0.1) or `"prelu"`, the rectifier that is drawn beside.

    Raises:
        TraitError: If a value is out of its range; the old one stays.
    """

    _js = "aprelu_lab.js"
    _constant = "ApreluLab"
    _tag = "aprelu-lab"
    _data = ("aprelu_lab",)

    activation = traitlets.Enum(ACTIVATIONS, default_value=25).tag(sync=True, figure=True)
    machine = traitlets.Enum(STATES, default_value="outer race").tag(sync=True, figure=True)
    level = traitlets.CInt(1).tag(sync=True, figure=True, low=0, high=len(LEVELS) - 1)
    loudness = traitlets.CFloat(1.0).tag(sync=True, figure=True, low=0.25, high=4.0)
    channel = traitlets.CInt(1).tag(sync=True, figure=True, low=1, high=16)
    compare = traitlets.Enum(("relu", "leaky", "prelu"), default_value="prelu").tag(sync=True, figure=True)

    @traitlets.validate("level", "loudness", "channel")
    def _check(self, proposal):
        return check_range(self, proposal["trait"], proposal["value"])

    def slopes(self):
        """Return the slopes of all windows at all noise levels, in the chosen activation.

        Returns:
            An array (4 noise levels, 8 states, 8 windows, channels); window 0 of the chosen state is the one shown.
        """
        one = unit(self.activation)
        return slopes(self.loudness * one["means"], one["weights"])

    def others(self):
        """Return the slopes of the rectifier that is drawn beside.

        Returns:
            An array: one slope, or for `"prelu"` as many as there are channels.
        """
        return {"relu": np.zeros(1), "leaky": np.array([LEAK]), "prelu": unit(self.activation)["prelu"]}[self.compare]

    def measures(self):
        """Return the numbers that the figure shows.

        Returns:
            A dictionary: `slope` (of the channel, for the window), `low` and `high` (the same channel over all
            windows of that noise), `below` (share of the channel's values below zero), `noise` and `state` (parts
            of the variance of the activation's slopes, at loudness 1).
        """
        a, one, state = self.slopes(), unit(self.activation), STATES.index(self.machine)
        c = min(self.channel, one["channels"]) - 1
        noise, machine = shares()[self.activation - 1]
        return {
            "slope": float(a[self.level, state, 0, c]),
            "low": float(a[self.level, ..., c].min()),
            "high": float(a[self.level, ..., c].max()),
            "below": float(one["below"][self.level, state, c]),
            "noise": float(noise),
            "state": float(machine),
        }

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences.
        """
        m, c = self.measures(), min(self.channel, unit(self.activation)["channels"])
        return (
            "The APReLU laboratory is a live figure and needs JavaScript, as in the book's pages or in a running "
            f"notebook. It shows the slopes that activation {self.activation} of a trained network computes for a "
            f"window of the state “{self.machine}” ({LEVELS[self.level]}): in channel {c} the slope is "
            f"{m['slope']:.2f}, and over all windows in that noise it lies between {m['low']:.2f} and {m['high']:.2f}. "
            f"Of the variance of this activation's slopes {100 * m['state']:.0f} % goes with the state of the machine "
            f"and {100 * m['noise']:.0f} % with the noise level."
        )
