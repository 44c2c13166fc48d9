"""Inside a shrinkage unit: from u over the mean magnitude and α to the threshold, channel by channel."""

import numpy as np
import traitlets

from drsn_lib.widgets._digits import NO_NOISE, DigitFigure, check_range, load_network, noisy_digit

VARIANTS = ("drsn-cw", "drsn-cs")
MARGIN = 1.2  # a threshold that grows by no more than this factor, and shrinks by no more, counts as unmoved


class ShrinkageUnit(DigitFigure):
    """Inside a shrinkage unit: a trained unit at work on a digit, from its branch's output to what it lets through.

    The networks are the book's `drsn-cw` and `drsn-cs` of four units, trained on digits in mixed noise.

    Example:

    >>> figure = ShrinkageUnit(unit=2, channel=5)
    >>> m = figure.measures()
    >>> bool(np.isclose(m["tau"][5], m["alpha"][5] * m["m"][5]))
    True

    Args:
        variant: `"drsn-cw"` (channel-wise: a threshold for each channel) or `"drsn-cs"` (one for all).
        unit: Integer from 1 to 4; the first two have 8 channels, the others 16.
        channel: Integer from 0 to 15, the channel that is shown at large; the unit's last one if it has fewer.
        digit: Integer from 0 to 9; each has one test image.
        snr: Float between -10 and 20, the signal-to-noise ratio in dB; 20 stands for no noise.
        draw: Integer from 1 on, the random seed of the noise.

    Raises:
        TraitError: If a value is out of its range; the old one stays.
    """

    _js = "shrinkage_unit.js"
    _constant = "ShrinkageUnit"
    _tag = "shrinkage-unit"
    _data = ("test_digits", "shrinkage_unit")

    variant = traitlets.Enum(VARIANTS, default_value="drsn-cw").tag(sync=True, figure=True)
    unit = traitlets.CInt(1).tag(sync=True, figure=True, low=1, high=4)
    channel = traitlets.CInt(2).tag(sync=True, figure=True, low=0, high=15)

    @traitlets.validate("channel")
    def _check_channel(self, proposal):
        return check_range(self, proposal["trait"], proposal["value"])

    def _trace(self, image):
        return load_network("shrinkage_unit", self.variant).run(image)["units"][self.unit - 1]

    def stages(self):
        """Return the stages of the channel that is shown at large.

        Returns:
            A dictionary of arrays of shape `(height, width)`: `u`, `magnitude` and `output`, which is soft(u, τ).
        """
        trace = self._trace(self.image())
        channel = min(self.channel, len(trace["branch"]) - 1)
        u = trace["branch"][channel]
        return {"u": u, "magnitude": np.abs(u), "output": trace["gated"][channel]}

    def measures(self):
        """Return the numbers that the figure shows.

        Returns:
            A dictionary: lists with one number a channel, `m` (mean magnitude), `alpha`, `tau` and `zeroed` (share
            of values set to zero; of a shared unit α and τ are repeated), the means over channels of three of them,
            `mean_m`, `mean_tau` and `mean_zeroed`, and `clean_m` and `clean_tau`, the same without noise.
        """
        now, clean = (self._trace(x) for x in (self.image(), noisy_digit(self.digit, NO_NOISE, self.draw)))
        channels = len(now["magnitudes"])
        thresholds = np.broadcast_to(now["thresholds"], channels)
        return {
            "m": now["magnitudes"].tolist(),
            "alpha": np.broadcast_to(now["gates"], channels).tolist(),
            "tau": thresholds.tolist(),
            "zeroed": now["zeroed"].tolist(),
            "mean_m": float(np.mean(now["magnitudes"])),
            "mean_tau": float(np.mean(thresholds)),
            "mean_zeroed": float(np.mean(now["zeroed"])),
            "clean_m": float(np.mean(clean["magnitudes"])),
            "clean_tau": float(np.mean(clean["thresholds"])),
        }

    def response(self):
        """Return how the unit responds to noise: means over 500 test digits and over channels.

        Returns:
            A dictionary: `levels` (dB, rising, without the case of no noise), and `m`, `alpha` and `tau`, each
            divided by its value without noise, which comes last.
        """
        stored = self.load_data("shrinkage_unit")
        name = list(stored["responses"][self.variant])[self.unit - 1]
        numbers = {key: np.array(values) for key, values in stored["responses"][self.variant][name].items()}
        return {"levels": stored["levels"], **{key: (v / v[-1]).tolist() for key, v in numbers.items()}}

    def verdict(self):
        """Return what this unit's thresholds do on average from no noise to -10 dB.

        Returns:
            `"rise"`, `"fall"` or, if they change by less than a fifth, `"stay"`.
        """
        ratio = self.response()["tau"][0]
        return "rise" if ratio > MARGIN else "fall" if ratio < 1 / MARGIN else "stay"

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences.
        """
        m, said = self.measures(), self.response()
        c = min(self.channel, len(m["m"]) - 1)
        kind = {"drsn-cw": "channel-wise", "drsn-cs": "channel-shared"}[self.variant]
        return (
            "Inside a shrinkage unit is a live figure and needs JavaScript, as in the book's pages or in a running "
            f"notebook. It shows unit {self.unit} of a trained {kind} network at work on the digit "
            f"{self.digit} {self._noise_words()}: in channel {c} the mean magnitude is {m['m'][c]:.2f}, the threshold "
            f"{m['tau'][c]:.2f}, and {100 * m['zeroed'][c]:.0f} % of the values become zero. From no noise to −10 dB "
            f"the unit's mean threshold is multiplied by {said['tau'][0]:.2f} over 500 test digits, its mean "
            f"magnitude by {said['m'][0]:.2f}."
        )
