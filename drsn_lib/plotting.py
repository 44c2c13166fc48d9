"""The charts of the book.

Every function takes NumPy arrays or dictionaries, returns a Matplotlib figure and draws no title:
the book gives each figure a numbered caption and an alternative text in the notebook cell's metadata.
Figures have a white ground, so that they are legible wherever a notebook is shown; the book's style
sheet turns charts dark in its dark theme.
"""

import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's colours, told apart with any colour vision. One colour a network throughout the book.
COLORS = {
    "black": "#1a1a1a",
    "gray": "#7a7a7a",
    "blue": "#0072B2",
    "sky": "#56B4E9",
    "green": "#009E73",
    "orange": "#E69F00",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}
VARIANT_COLORS = {
    "convnet": COLORS["gray"],
    "resnet": COLORS["blue"],
    "senet": COLORS["orange"],
    "drsn-cs": COLORS["green"],
    "drsn-cw": COLORS["vermillion"],
    "aprelu": COLORS["purple"],
}
VARIANT_NAMES = {
    "convnet": "ConvNet",
    "resnet": "ResNet",
    "senet": "SENet",
    "drsn-cs": "DRSN-CS",
    "drsn-cw": "DRSN-CW",
}

STYLE = {
    "figure.dpi": 96,
    "savefig.dpi": 96,
    "figure.figsize": (7.2, 3.6),
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "image.cmap": "gray",
}


def use_style():
    """Set the book's Matplotlib style and ask notebooks for pictures sharp on dense screens."""
    plt.rcParams.update(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # a script, not a notebook
        return
    from IPython import get_ipython

    if get_ipython() is not None:
        set_matplotlib_formats("retina")


# --- Thresholding ---------------------------------------------------------------------------------

RULE_COLORS = {
    "identity": COLORS["gray"],
    "soft": COLORS["blue"],
    "hard": COLORS["vermillion"],
    "garrote": COLORS["green"],
}
_RULE_DASHES = {"identity": (0, (1, 1.5)), "soft": "-", "hard": (0, (5, 1.5)), "garrote": (0, (6, 1.5, 1, 1.5))}


def _rule(name):
    """The look of one thresholding rule: colour and dashes, so that it is told apart in gray too."""
    return {"color": RULE_COLORS.get(name, COLORS["black"]), "linestyle": _RULE_DASHES.get(name, "-")}


def signal_panels(signals, position=None, label="sample", reference=None):
    """Draws signals one below the other on common axes.

    Args:
        signals: Dictionary from label to array of one length.
        position: Array of the same length for the horizontal axis; sample numbers if None.
        label: String, the label of the horizontal axis.
        reference: Array drawn in gray behind every signal, or None.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(
        len(signals), 1, figsize=(7.2, 1.0 + 1.3 * len(signals)), sharex=True, sharey=True, squeeze=False
    )
    for axis, (name, signal) in zip(axes[:, 0], signals.items(), strict=True):
        position = np.arange(len(signal)) if position is None else position
        if reference is not None:
            axis.plot(position, reference, color=COLORS["orange"], linewidth=3.5, alpha=0.6)
        axis.plot(position, signal, color=COLORS["blue"], linewidth=1.1)
        axis.text(0.995, 1.0, name, transform=axis.transAxes, ha="right", va="bottom", fontsize=10)
        axis.margins(x=0.01)
    axes[-1, 0].set_xlabel(label)
    return figure


def energy_concentration(curves):
    """Draws the share of a signal's energy that its largest samples hold.

    Args:
        curves: Dictionary from label to array: entry `i` is the share held by the `i + 1` largest samples.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(5.6, 3.4))
    looks = [(COLORS["blue"], "-"), (COLORS["black"], (0, (5, 1.5))), (COLORS["gray"], (0, (1, 1.5)))]
    for (name, curve), (color, dashes) in zip(curves.items(), looks, strict=False):
        share = 100 * np.arange(1, len(curve) + 1) / len(curve)
        axis.plot(share, 100 * np.asarray(curve), color=color, linestyle=dashes, label=name)
    axis.set(xlabel="largest samples, % of all", ylabel="energy they hold, %", xlim=(0, 100), ylim=(0, 102))
    axis.legend(loc="lower right")
    return figure


def threshold_functions(x, outputs, slopes, threshold):
    """Draws thresholding functions and, below, their derivatives.

    Args:
        x: Array, the input.
        outputs: Dictionary from rule to array, its output on `x`.
        slopes: Dictionary from rule to array, its derivative on `x`.
        threshold: Float, where the functions start to differ from zero.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(
        2, len(outputs), figsize=(7.6, 4.4), sharex=True, sharey="row", height_ratios=(2.2, 1), squeeze=False
    )
    for (top, bottom), (name, output) in zip(axes.T, outputs.items(), strict=True):
        top.plot(x, x, color=COLORS["gray"], linewidth=1.2, linestyle=(0, (1, 1.5)))
        jumps = np.abs(np.diff(output)) > 0.5 * threshold
        y = np.insert(np.asarray(output, float), np.flatnonzero(jumps) + 1, np.nan)
        at = np.insert(np.asarray(x, float), np.flatnonzero(jumps) + 1, np.nan)
        top.plot(at, y, color=RULE_COLORS.get(name, COLORS["blue"]), linewidth=2.6)
        slope = np.asarray(slopes[name], float)
        jumps = np.flatnonzero(np.abs(np.diff(slope)) > 0.5)
        bottom.plot(
            np.insert(np.asarray(x, float), jumps + 1, np.nan),
            np.insert(slope, jumps + 1, np.nan),
            color=RULE_COLORS.get(name, COLORS["blue"]),
            linewidth=2.6,
        )
        for axis in (top, bottom):
            axis.axvspan(-threshold, threshold, color=COLORS["orange"], alpha=0.15, linewidth=0)
        top.text(0.04, 0.96, name, transform=top.transAxes, va="top", fontweight="bold")
        bottom.set_xlabel("$x$")
        bottom.set_xticks([-threshold, 0, threshold], [r"$-\tau$", "0", r"$\tau$"])
    axes[0, 0].set_ylabel("output $y$")
    axes[1, 0].set_ylabel("$dy/dx$")
    axes[1, 0].set_ylim(-0.1, 2.2)
    return figure


def proximal_costs(y, costs, penalty):
    """Draws, for each input, the cost of every output and marks the cheapest.

    Args:
        y: Array of candidate outputs.
        costs: Dictionary from input `x` (float) to the array of costs of `y`.
        penalty: Array, the part of the cost that does not depend on `x`.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, len(costs), figsize=(7.6, 3.0), sharey=True, squeeze=False)
    for axis, (x, cost) in zip(axes[0], costs.items(), strict=True):
        axis.plot(y, 0.5 * (y - x) ** 2, color=COLORS["gray"], linewidth=1.4, label="misfit")
        axis.plot(y, penalty, color=COLORS["orange"], linewidth=1.4, linestyle=(0, (5, 1.5)), label="penalty")
        axis.plot(y, cost, color=COLORS["blue"], label="sum")
        best = int(np.argmin(cost))
        axis.plot(y[best], cost[best], "o", color=COLORS["vermillion"], markersize=8)
        axis.axvline(x, color=COLORS["black"], linewidth=1, linestyle=(0, (1, 1.5)))
        axis.text(0.5, 1.02, f"$x$ = {x:g}", transform=axis.transAxes, ha="center", va="bottom")
        axis.set_xlabel("candidate $y$")
        axis.set_ylim(0, 3.2)
    axes[0, 0].set_ylabel("cost")
    axes[0, -1].legend(loc="upper right", handlelength=1.4)
    return figure


def risk_curves(s, risks):
    """Draws expected squared error, squared bias and variance of thresholding rules.

    Args:
        s: Array of true values, in units of the noise's standard deviation.
        risks: Dictionary from rule to dictionary with arrays `"risk"`, `"bias"` and `"variance"`.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, 3, figsize=(8.2, 3.2), sharey=True)
    panels = (("risk", "expected squared error"), ("bias", "bias squared"), ("variance", "variance"))
    for axis, (key, words) in zip(axes, panels, strict=True):
        for name, curves in risks.items():
            values = curves[key] ** 2 if key == "bias" else curves[key]
            axis.plot(s, values, label=name, **_rule(name))
        axis.set(xlabel=r"true value, $s/\sigma$", ylim=(0, None))
        axis.text(0.5, 1.02, words, transform=axis.transAxes, ha="center", va="bottom")
    axes[0].set_ylabel(r"in units of $\sigma^2$")
    axes[0].legend(loc="upper left", bbox_to_anchor=(0.0, 0.99), handlelength=2.2, fontsize=9)
    return figure


def noise_maxima(sizes, maxima, bound):
    """Draws how large the largest of n noise samples is, against a bound.

    Args:
        sizes: Sequence of sample numbers.
        maxima: List with one array of simulated maxima a size.
        bound: Array, the bound at each size.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.4))
    low, middle, high = np.array([np.quantile(m, (0.05, 0.5, 0.95)) for m in maxima]).T
    axis.fill_between(sizes, low, high, color=COLORS["sky"], alpha=0.45, linewidth=0, label="90 % of the draws")
    axis.plot(sizes, middle, color=COLORS["blue"], marker="o", markersize=4, label="median draw")
    axis.plot(sizes, bound, color=COLORS["black"], linestyle=(0, (5, 1.5)), label=r"$\sqrt{2\,\ln n}$")
    axis.set_xscale("log", base=2)
    axis.set(xlabel="number of noise samples $n$", ylabel=r"largest magnitude, in $\sigma$", ylim=(0, None))
    axis.legend(loc="lower right")
    return figure


def error_against_threshold(thresholds, errors, marks=None, band=None, ylim=None):
    """Draws error curves against the threshold, the minimum of each, and thresholds worth naming.

    Args:
        thresholds: Array, in units of the noise's standard deviation.
        errors: Dictionary from label to array of errors, in units of the noise's variance. A rule's name
            (`"soft"`, `"hard"`, `"garrote"`) gives its colour.
        marks: Dictionary from label to threshold, drawn as vertical lines, or None.
        band: `(low, high)` arrays to shade, or None.
        ylim: Float, the top of the vertical axis, or None.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.8))
    if band is not None:
        axis.fill_between(thresholds, *band, color=COLORS["sky"], alpha=0.35, linewidth=0)
    spare = iter([(COLORS["blue"], "-"), (COLORS["vermillion"], (0, (5, 1.5))), (COLORS["black"], (0, (1, 1.5)))])
    for name, error in errors.items():
        if name in RULE_COLORS:
            look = _rule(name)
        else:
            color, dashes = next(spare)
            look = {"color": color, "linestyle": dashes}
        axis.plot(thresholds, error, label=name, **look)
        best = int(np.argmin(error))
        axis.plot(thresholds[best], error[best], "o", color=look["color"], markersize=7)
    top = ylim or axis.get_ylim()[1]
    axis.set_ylim(0, top)
    for name, at in (marks or {}).items():
        axis.axvline(at, color=COLORS["black"], linewidth=1, linestyle=(0, (1, 1.5)))
        axis.text(at, 1.01, name, transform=axis.get_xaxis_transform(), ha="center", va="bottom", fontsize=9)
    axis.set(xlabel=r"threshold $\tau/\sigma$", ylabel=r"mean squared error / $\sigma^2$")
    axis.legend(loc="upper center" if ylim is None else "best")
    return figure


def basis_panels(panels, reference):
    """Draws a grid of signals: one row a signal, one column a treatment, the truth in the background.

    Args:
        panels: Dictionary from row label to dictionary from column label to array.
        reference: Dictionary from row label to the clean array.

    Returns:
        A Matplotlib figure.
    """
    rows, columns = len(panels), len(next(iter(panels.values())))
    figure, axes = plt.subplots(
        rows, columns, figsize=(8.2, 0.9 + 1.7 * rows), sharex=True, sharey="row", squeeze=False
    )
    for line, (row, treatments) in zip(axes, panels.items(), strict=True):
        for axis, (column, signal) in zip(line, treatments.items(), strict=True):
            axis.plot(reference[row], color=COLORS["orange"], linewidth=3.5, alpha=0.6)
            axis.plot(signal, color=COLORS["blue"], linewidth=1.1)
            axis.margins(x=0.01)
            if axis in axes[0]:
                axis.text(0.5, 1.03, column, transform=axis.transAxes, ha="center", va="bottom")
            if axis in axes[-1]:
                axis.set_xlabel("sample")
        line[0].set_ylabel(row)
    return figure


def image_row(images, limits=(0.0, 1.0)):
    """Draws images side by side on one gray scale, each with its label below.

    Args:
        images: Dictionary from label to array of shape `(height, width)`.
        limits: The values shown as black and as white.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, len(images), figsize=(1.75 * len(images) + 0.3, 2.3), squeeze=False)
    for axis, (name, image) in zip(axes[0], images.items(), strict=True):
        axis.imshow(image, vmin=limits[0], vmax=limits[1], cmap="gray", interpolation="nearest")
        axis.set_xlabel(name, fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
        for spine in axis.spines.values():
            spine.set_visible(False)
    return figure
