"""The excitation laboratory: a trained unit's channels and their gates, which the reader can shut and open."""

import re

import numpy as np
import traitlets

from drsn_lib.widgets._digits import NO_NOISE, DigitFigure, load_network, noisy_digit

SWITCHES = {"0": 0.0, "1": 1.0, ".": None}


class ExcitationLab(DigitFigure):
    """The excitation laboratory: the channels of a trained unit, each with a gate that you can shut or open.

    The network is the book's `senet` of four units, trained on digits in mixed noise. Its small network gets the
    mean of |u| in each channel and computes the gates, by which the channels of u are multiplied.

    Example:

    >>> lab = ExcitationLab(digit=3, unit=4)
    >>> lab.measures()["label"]
    3
    >>> lab.switched = "....0"  # the fifth channel is shut
    >>> lab.measures()["after"] < lab.measures()["before"]
    True

    Args:
        unit: Integer from 1 to 4; the first two have 8 channels, the others 16.
        switched: String, a character for each channel from the first on: `.` leaves its gate as computed, `0`
            shuts it, `1` opens it fully. Channels without a character are left.
        digit: Integer from 0 to 9; each has one test image.
        snr: Float between -10 and 20, the signal-to-noise ratio in dB; 20 stands for no noise.
        draw: Integer from 1 on, the random seed of the noise.

    Raises:
        TraitError: If a value is out of its range; the old one stays.
    """

    _js = "excitation_lab.js"
    _constant = "ExcitationLab"
    _tag = "excitation-lab"
    _data = ("test_digits", "excitation_lab")

    unit = traitlets.CInt(4).tag(sync=True, figure=True, low=1, high=4)
    switched = traitlets.Unicode("").tag(sync=True, figure=True)

    @traitlets.validate("switched")
    def _check_switched(self, proposal):
        if not re.fullmatch(r"[.01]{0,16}", proposal["value"]):
            raise traitlets.TraitError(
                "Argument `switched` of ExcitationLab must be at most 16 of the characters `.`, `0` and `1`. "
                f"Received: switched={proposal['value']!r}"
            )
        return proposal["value"]

    def _run(self, others=(), image=None):
        replaced = [None] * (self.unit - 1) + [list(others)]
        return load_network("excitation_lab").run(self.image() if image is None else image, gates=replaced)

    def _gates_of(self, image):
        return self._run(image=image)["units"][self.unit - 1]["gates"]

    def importance(self):
        """Return what each channel is worth: how far the probability of the answer falls when its gate is shut.

        Returns:
            A float64 array, one number a channel; negative where the network becomes surer.
        """
        before = self._run()
        label, channels = before["label"], len(before["units"][self.unit - 1]["gates"])
        shut = [self._run([None] * c + [0.0])["probabilities"][label] for c in range(channels)]
        return before["probabilities"][label] - np.array(shut)

    def measures(self):
        """Return the numbers that the figure shows.

        Returns:
            A dictionary: `label` (the network's answer) and `before` (its probability) with all gates as computed;
            `after`, the probability of the same digit as switched, and `label_after`; `gates` (as computed);
            `moved_by_noise` and `moved_by_digit`, how far a gate lies on average from the same gate without noise,
            and how far the gates of the ten digits without noise lie from this one's.
        """
        others = [SWITCHES[c] for c in self.switched]
        before, after = self._run(), self._run(others)
        gates = before["units"][self.unit - 1]["gates"]
        by_digit = np.array([self._gates_of(noisy_digit(d, NO_NOISE, 1)) for d in range(10)])
        own = by_digit[self.digit]
        return {
            "label": before["label"],
            "before": float(before["probabilities"][before["label"]]),
            "after": float(after["probabilities"][before["label"]]),
            "label_after": after["label"],
            "gates": gates.tolist(),
            "moved_by_noise": float(np.mean(np.abs(gates - own))),
            "moved_by_digit": float(np.mean(np.abs(np.delete(by_digit, self.digit, axis=0) - own))),
        }

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences.
        """
        m, worth = self.measures(), self.importance()
        gates = np.array(m["gates"])
        return (
            "The excitation laboratory is a live figure and needs JavaScript, as in the book's pages or in a running "
            f"notebook. It shows unit {self.unit} of a trained network at work on the digit {self.digit} "
            f"{self._noise_words()}: {len(gates)} channels, each multiplied by a gate between {gates.min():.2f} and "
            f"{gates.max():.2f}, and an answer of {m['label']} with probability {m['before']:.2f}. The widest gate is "
            f"that of channel {gates.argmax()}; the channel whose shutting costs the most is {worth.argmax()}."
        )
