"""The depth laboratory: what becomes of a signal and of its gradient on the way through a deep stack."""

import numpy as np
import traitlets

from drsn_lib.widgets._base import LiveFigure, check_range, normals

WIDTH = 24  # values a sample, and so the size of every dense layer
BATCH = 24
MAX_DEPTH = 40
STACKS = ("plain", "residual")
NORMALIZATIONS = ("none", "batch")
EPSILON = 1e-3  # what batch normalization adds to a variance


def draw_stack(depth, draw):
    """Return the random arrays of an experiment; those of a deeper stack begin with those of a shallower one.

    Args:
        depth: Integer, the number of units K.
        draw: Integer, the random seed.

    Returns:
        The input, of shape `(24, 24)` and root mean square 1; the gradient at the end, of the same shape and
        norm 1; and standard normal numbers for the weights, of shape `(depth, 2, 24, 24)`.
    """
    size = BATCH * WIDTH
    z = normals(draw, 2 * size + 2 * depth * WIDTH**2)
    x, r = z[:size].reshape(BATCH, WIDTH), z[size : 2 * size].reshape(BATCH, WIDTH)
    weights = z[2 * size :].reshape(depth, 2, WIDTH, WIDTH)
    return x / np.sqrt(np.mean(x**2)), r / np.linalg.norm(r), weights


def travel(x, r, weights, scale, normalization, stack):
    """Send a signal forward through a stack of units and a gradient backward.

    The branch of a unit is twice (batch normalization, if any; ReLU; dense layer). Weights have the standard
    deviation `scale * sqrt(2 / 24)`, which is He's for a scale of 1.

    Args:
        x: Array of shape `(batch, width)`, the signal in front of the first unit.
        r: Array of the same shape, the gradient behind the last unit.
        weights: Array of shape `(units, 2, width, width)` of standard normal numbers.
        scale: Float, the scale of the weights, as a multiple of He's.
        normalization: `"none"` or `"batch"`.
        stack: `"plain"`, whose units are their branch, or `"residual"`, whose units add their input to it.

    Returns:
        Two float64 arrays of shape `(units + 1,)`: root mean square of every x_k, and norm of the gradient
        with respect to every x_k, for k from 0 to K.
    """
    shortcut = stack == "residual"
    weights = scale * np.sqrt(2 / weights.shape[-1]) * weights
    signal, steps = [np.sqrt(np.mean(x**2))], []
    for pair in weights:
        h = x
        for w in pair:
            deviation = None
            if normalization == "batch":
                deviation = np.sqrt(h.var(axis=0) + EPSILON)
                h = (h - h.mean(axis=0)) / deviation
            steps.append((w, h, deviation))
            h = np.maximum(h, 0) @ w
        x = x + h if shortcut else h
        signal.append(np.sqrt(np.mean(x**2)))
    gradient = [np.linalg.norm(r)]
    while steps:
        g = r
        for _ in range(2):
            w, h, deviation = steps.pop()
            g = (g @ w.T) * (h > 0)
            if deviation is not None:
                g = (g - g.mean(axis=0) - h * np.mean(g * h, axis=0)) / deviation
        r = r + g if shortcut else g
        gradient.append(np.linalg.norm(r))
    return np.array(signal), np.array(gradient[::-1])


def theory(depth, scale, normalization, stack):
    """Return what a line of arithmetic expects of wide layers, large batches and independent weights.

    Args:
        depth: Integer, the number of units K.
        scale: Float, the scale of the weights, as a multiple of He's.
        normalization: `"none"` or `"batch"`.
        stack: `"plain"` or `"residual"`.

    Returns:
        Two float64 arrays of shape `(depth + 1,)`, as `travel` returns them.

    Formula:

    ```
    without normalization, a branch multiplies power by         s**4
    with it, the output of a branch has the power               s**2, of which 1 / pi is an offset
    and the power of a gradient is multiplied, with v = var(x_k), by   s**2 / ((1 - 1 / pi) * v)
    a shortcut adds 1 to each factor
    ```
    """
    k = np.arange(depth + 1)
    residual = stack == "residual"
    rest = 1 - 1 / np.pi
    if normalization == "batch":
        added = scale**2 * (k if residual else np.minimum(k, 1))
        kept = np.where(residual | (k == 0), 1.0, 0.0)
        power, variance = kept + added, kept + rest * added
        factors = scale**2 / (rest * variance[:-1]) + residual
    else:
        factors = np.full(depth, scale**4 + residual, float)
        power = np.cumprod([1, *factors])
    back = np.cumprod([1, *factors[::-1]])[::-1]
    return np.sqrt(power), np.sqrt(back)


def reach(gradient):
    """Return after how many units, counted from the end, the gradient has changed a hundredfold.

    Args:
        gradient: Array of norms, for k from 0 to K.

    Returns:
        An integer, or None if it never has.
    """
    change = np.abs(np.log10(gradient[::-1] / gradient[-1]))
    return int(np.argmax(change >= 2)) if change.max() >= 2 else None


class DepthLab(LiveFigure):
    """The depth laboratory: signal and gradient through stacks of units, with shortcuts and without.

    Example:

    >>> lab = DepthLab(depth=20)
    >>> lab
    DepthLab(depth=20, draw=4, normalization='none', scale=1.0)
    >>> m = lab.measures()
    >>> m["residual_gradient"] > 100 > m["plain_gradient"]
    True

    Args:
        depth: Integer between 2 and 40, the number of units K.
        scale: Float between 0.5 and 2, the scale of the random weights, as a multiple of He's.
        normalization: `"none"`, or `"batch"` for batch normalization in front of every ReLU.
        draw: Integer from 1 on, the random seed of weights, signal and gradient.

    Raises:
        TraitError: If a value is out of its range; the old one stays.
    """

    _js = "depth_lab.js"
    _constant = "DepthLab"
    _tag = "depth-lab"

    depth = traitlets.CInt(30).tag(sync=True, figure=True, low=2, high=MAX_DEPTH)
    scale = traitlets.CFloat(1.0).tag(sync=True, figure=True, low=0.5, high=2.0)
    normalization = traitlets.Enum(NORMALIZATIONS, default_value="none").tag(sync=True, figure=True)
    draw = traitlets.CInt(4).tag(sync=True, figure=True, low=1, high=2**31 - 1)

    @traitlets.validate("depth", "scale", "draw")
    def _check(self, proposal):
        return check_range(self, proposal["trait"], proposal["value"])

    def journeys(self):
        """Return what the figure draws.

        Returns:
            A dictionary from `"plain"` and `"residual"` to two arrays, as `travel` returns them.
        """
        arrays = draw_stack(self.depth, self.draw)
        return {stack: travel(*arrays, self.scale, self.normalization, stack) for stack in STACKS}

    def measures(self):
        """Return the numbers that the figure shows, of either stack.

        Returns:
            A dictionary: `plain_signal` (last over first), `plain_gradient` (first over last), `plain_reach`
            (units until the gradient has changed a hundredfold, or None), and so for `residual`.
        """
        out = {}
        for stack, (signal, gradient) in self.journeys().items():
            out[f"{stack}_signal"] = float(signal[-1] / signal[0])
            out[f"{stack}_gradient"] = float(gradient[0] / gradient[-1])
            out[f"{stack}_reach"] = reach(gradient)
        return out

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences.
        """
        m = self.measures()
        name = "batch normalization" if self.normalization == "batch" else "no normalization"
        return (
            "The depth laboratory is a live figure and needs JavaScript, as in the book's pages or in a running "
            f"notebook. It sends a signal forward and a gradient backward through {self.depth} units with random "
            f"weights of {self.scale:.2f} times He's scale and {name}. Between the last unit and the first, the "
            f"gradient's norm is multiplied by {m['plain_gradient']:.2g} without shortcuts and by "
            f"{m['residual_gradient']:.2g} with them."
        )
