"""The drawing board: a digit, noise, and three trained networks that read it."""

import numpy as np
import traitlets

from drsn_lib._names import VARIANT_NAMES
from drsn_lib.widgets._base import LiveFigure, check_range
from drsn_lib.widgets._digits import NO_NOISE, add_noise, load_network, noisy_digit

VARIANTS = ("resnet", "senet", "drsn-cw")
NAMES = {variant: VARIANT_NAMES[variant] for variant in VARIANTS}
SIDE = 28
# A drawing's points lie on a grid of 64 x 64; two characters a point, column and row, and a space between strokes.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LONGEST = 4000
# As MNIST's digits are: the box that the middle of the strokes is fitted into (20 pixels with the strokes' width),
# half the strokes' width, and the width of their soft edge, in pixels.
BOX = 17.8
HALF_WIDTH = 1.2
EDGE = 1.3
MIDDLE = 14
# Smaller drawings, such as a dot, are not blown up to the full box.
SMALLEST = 16


def encode(strokes):
    """Return strokes as text, the figure's `drawing`.

    Args:
        strokes: List of strokes, each a list of `(column, row)` from 0 to 63, the row counted from the top.

    Returns:
        A string.
    """
    return " ".join("".join(ALPHABET[int(column)] + ALPHABET[int(row)] for column, row in stroke) for stroke in strokes)


def decode(drawing):
    """Return the strokes of a drawing.

    Args:
        drawing: String from `encode`.

    Returns:
        A list of int arrays of shape `(points, 2)`.
    """
    strokes = [np.array([ALPHABET.index(c) for c in stroke]).reshape(-1, 2) for stroke in drawing.split()]
    return strokes


def render(drawing):
    """Return a drawing as an image, made ready as MNIST's digits were.

    The strokes are fitted into a box, drawn with one width and soft edges, and moved until their center of mass is
    in the middle.

    Args:
        drawing: String from `encode`, not empty.

    Returns:
        A float64 array of shape `(784,)`, from 0 (paper) to 1 (ink).
    """
    strokes = decode(drawing)
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    factor = BOX / max(*(high - low), SMALLEST)
    strokes = [(stroke - (low + high) / 2) * factor + MIDDLE for stroke in strokes]
    ink = _ink(strokes)
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE)
    center = np.array([ink @ columns, ink @ rows]) / ink.sum()
    return _ink([stroke + MIDDLE - center for stroke in strokes])


def _ink(strokes):
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE)
    nearest = np.full(SIDE * SIDE, np.inf)
    for stroke in strokes:
        for (ax, ay), (bx, by) in zip(
            stroke[: max(len(stroke) - 1, 1)], stroke[-max(len(stroke) - 1, 1) :], strict=True
        ):
            dx, dy = bx - ax, by - ay
            along = ((columns - ax) * dx + (rows - ay) * dy) / ((dx * dx + dy * dy) or 1)
            along = np.clip(along, 0, 1)
            nearest = np.minimum(nearest, np.hypot(columns - ax - along * dx, rows - ay - along * dy))
    return np.clip((HALF_WIDTH - nearest) / EDGE + 0.5, 0, 1)


def recorded(snr):
    """Return what the records say of accuracy at the level that is nearest to a signal-to-noise ratio.

    Args:
        snr: Float, in dB; 20 stands for no noise.

    Returns:
        A dictionary: `snr`, the level; `mean` and `sd` over random seeds, dictionaries from variant to a number; and
        `best`, the variant that is clearly ahead, or `"none"`: where the gap to the next is no larger than twice its
        standard error over the random seeds.
    """
    levels = LiveFigure.load_data("digit_networks")["accuracies"]["levels"]
    return min(levels, key=lambda level: abs(level["snr"] - snr))


class DrawDigit(LiveFigure):
    """The drawing board: a digit, noise, and three trained networks that read it.

    A ResNet, an SENet and a DRSN-CW from the records (recipe `mnist-snr`, mixed noise, random seed 0) classify what
    is drawn, or a test digit, with noise added.

    Example:

    >>> from drsn_lib.widgets.draw_digit import encode
    >>> board = DrawDigit(digit=3, snr=-5)
    >>> board
    DrawDigit(digit=3, draw=3, drawing='', snr=-5.0)
    >>> board.measures()["readings"]["drsn-cw"]
    3
    >>> board.drawing = encode([[(32, 8), (32, 56)]])
    >>> board.measures()["readings"]["resnet"]
    1

    Args:
        digit: Integer from 0 to 9: the test digit that is shown while nothing is drawn.
        drawing: String of strokes on a grid of 64 x 64, as `encode` of this module writes them; empty for the
            test digit.
        snr: Float between -10 and 20, the signal-to-noise ratio (SNR) in dB; 20 stands for no noise.
        draw: Integer from 1 on, the random seed of the noise.

    Raises:
        TraitError: If a value is out of its range; the old one stays.
    """

    _js = "draw_digit.js"
    _constant = "DrawDigit"
    _tag = "draw-digit"
    _shared = ("network.js", "digits.js")
    _data = ("test_digits", "digit_networks")

    digit = traitlets.CInt(3).tag(sync=True, figure=True, low=0, high=9)
    drawing = traitlets.Unicode("").tag(sync=True, figure=True)
    snr = traitlets.CFloat(-5.0).tag(sync=True, figure=True, low=-10.0, high=NO_NOISE)
    draw = traitlets.CInt(3).tag(sync=True, figure=True, low=1, high=2**31 - 1)

    @traitlets.validate("digit", "snr", "draw")
    def _check(self, proposal):
        return check_range(self, proposal["trait"], proposal["value"])

    @traitlets.validate("drawing")
    def _check_drawing(self, proposal):
        text = proposal["value"]
        if len(text) > LONGEST or any(len(stroke) % 2 or set(stroke) - set(ALPHABET) for stroke in text.split()):
            raise traitlets.TraitError(
                f"Argument `drawing` of DrawDigit must be strokes of two characters a point, A-Z, a-z, 0-9, - and _, "
                f"with spaces between strokes, at most {LONGEST:,} in all. Received: drawing={text[:60]!r}"
            )
        return " ".join(text.split())

    def image(self):
        """Return the image without noise.

        Returns:
            A float64 array of shape `(784,)`, row by row, from 0 to 1.
        """
        return render(self.drawing) if self.drawing else noisy_digit(self.digit, NO_NOISE, self.draw)

    def noisy_image(self):
        """Return what the networks are given.

        Returns:
            A float64 array of shape `(784,)`.
        """
        return add_noise(self.image(), self.snr, self.draw)

    def measures(self):
        """Return the numbers that the figure shows.

        Returns:
            A dictionary: `probabilities` (variant to ten numbers), `readings` (variant to the likeliest digit),
            `certainties` (its probability), `zeroed` and `zeroed_clean` (for each unit of the DRSN-CW an array of
            the shares of each channel that its threshold sets to zero, with the noise and without) and
            `threshold_ratio` (mean threshold with the noise over that without).
        """
        x = self.noisy_image()
        said = {variant: load_network("digit_networks", variant).run(x) for variant in VARIANTS}
        clean = load_network("digit_networks", "drsn-cw").run(self.image())
        mean = [np.concatenate([u["thresholds"] for u in one["units"]]).mean() for one in (said["drsn-cw"], clean)]
        return {
            "probabilities": {variant: one["probabilities"] for variant, one in said.items()},
            "readings": {variant: one["label"] for variant, one in said.items()},
            "certainties": {variant: float(one["probabilities"].max()) for variant, one in said.items()},
            "zeroed": [u["zeroed"] for u in said["drsn-cw"]["units"]],
            "zeroed_clean": [u["zeroed"] for u in clean["units"]],
            "threshold_ratio": float(mean[0] / mean[1]),
        }

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences.
        """
        m = self.measures()
        shown = "a drawing" if self.drawing else f"the test digit {self.digit}"
        read = [f"{NAMES[v]} reads {m['readings'][v]} ({100 * m['certainties'][v]:.0f} %)" for v in VARIANTS]
        zeroed, clean = (100 * np.mean(np.concatenate(m[key])) for key in ("zeroed", "zeroed_clean"))
        noise = "without noise" if self.snr >= NO_NOISE else f"in noise at {self.snr:.0f} dB".replace("-", "−")
        return (
            "The drawing board is a live figure and needs JavaScript, as in the book's pages or in a running notebook: "
            "there you draw a digit and three trained networks read it. "
            f"It shows {shown} {noise}: {', '.join(read)}. "
            f"The thresholds of the DRSN-CW set {zeroed:.0f} % of a channel to zero on average; without noise "
            f"{clean:.0f} %."
        )
