"""The charts of the book.

Every function takes NumPy arrays or dictionaries, returns a Matplotlib figure and draws no title:
the book gives each figure a numbered caption and an alternative text in the notebook cell's metadata.
Figures have a white ground, so that they are legible wherever a notebook is shown; the book's style
sheet turns charts dark in its dark theme.
"""

import io
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, FancyBboxPatch, Rectangle, Wedge
from PIL import Image

from drsn_lib import _names

__all__ = [
    "COLORS",
    "RULE_COLORS",
    "STYLE",
    "VARIANT_COLORS",
    "VARIANT_NAMES",
    "aprelu_diagram",
    "banded_curves",
    "basis_panels",
    "bearing_section",
    "beside_published",
    "best_guesses",
    "call_times",
    "channel_bands",
    "channel_correlations",
    "channel_ranges",
    "class_examples",
    "companion_rows",
    "company_spread",
    "confusion_tables",
    "cost_ratios",
    "demodulation_steps",
    "depth_curves",
    "difference_forest",
    "energy_concentration",
    "error_against_threshold",
    "fault_fingerprints",
    "gain_against_threshold",
    "gate_bars",
    "heat_tables",
    "image_row",
    "leads_beside_published",
    "learning_curves",
    "level_curves",
    "level_differences",
    "level_panels",
    "line_spectra",
    "map_rows",
    "named_curves",
    "network_stages",
    "noise_maxima",
    "noise_response",
    "noise_sweep",
    "operator_rows",
    "parameter_shares",
    "path_lengths",
    "photograph_rows",
    "proximal_costs",
    "published_beside",
    "receptive_fields",
    "record_table",
    "rectifier_functions",
    "reliability_panels",
    "risk_curves",
    "score_ladder",
    "score_rows",
    "seed_scores",
    "shared_thresholds",
    "shrinkage_histograms",
    "signal_panels",
    "snr_curves",
    "split_ladder",
    "split_maps",
    "split_scores",
    "squeeze_statistics",
    "start_runs",
    "step_ratios",
    "stream_panels",
    "threshold_functions",
    "threshold_scatter",
    "two_factors",
    "unit_diagrams",
    "unit_orders",
    "unit_path",
    "unit_profiles",
    "use_style",
    "value_strips",
    "variance_shares",
    "variant_scores",
    "zero_shares",
]

# Okabe and Ito's colors by name, told apart with any color vision.
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
# One color a network throughout the book.
VARIANT_COLORS = {
    "convnet": COLORS["gray"],
    "resnet": COLORS["blue"],
    "senet-textbook": "#8a5f00",
    "senet": COLORS["orange"],
    "fixed-threshold": COLORS["black"],
    "learned-threshold": COLORS["sky"],
    "learned-fraction": COLORS["purple"],
    "drsn-cs": COLORS["green"],
    "drsn-cw": COLORS["vermillion"],
    "senet-open": "#6b7a00",
    "drsn-cs-low": COLORS["sky"],
    "drsn-cw-low": "#6a3d9a",
    "relu": COLORS["blue"],
    "relu-wide": COLORS["gray"],
    "relu-large": COLORS["green"],
    "leaky_relu": COLORS["sky"],
    "prelu": COLORS["black"],
    "aprelu": COLORS["purple"],
    "aprelu-mean": COLORS["orange"],
    "aprelu-positive": COLORS["green"],
    "aprelu-negative": "#8a5f00",
    "aprelu-low": "#6b7a00",
    "aprelu-full": COLORS["orange"],
    "aprelu-large": COLORS["vermillion"],
    "drsn-cw-aprelu": "#6a3d9a",
    "learned-fraction-aprelu": "#00695c",
}
# How a chart names the networks.
VARIANT_NAMES = dict(_names.VARIANT_NAMES)

# What `use_style` sets.
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
    """Set the book's Matplotlib style and ask notebooks for small pictures, sharp on dense screens.

    Example:

    >>> use_style()
    >>> plt.rcParams["figure.facecolor"], plt.rcParams["axes.spines.top"]
    ('white', False)
    """
    plt.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # a script, not a notebook
        return
    shell = get_ipython()
    if shell is not None:
        set_matplotlib_formats("retina")
        shell.display_formatter.formatters["image/png"].for_type(Figure, _small_png)


def _small_png(figure):
    """Return a picture at twice the screen's density as (bytes, metadata), in a palette of 256 colors.

    That makes a chart two to four times smaller than a full-color picture, so that a notebook with a dozen
    of them stays light. Pictures of at most 256 colors, such as gray ones, are kept exactly.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * figure.dpi, bbox_inches="tight")
    image = Image.open(buffer).convert("RGB")
    method = Image.Quantize.FASTOCTREE if image.getcolors(256) is None else Image.Quantize.MEDIANCUT
    reduced = image.quantize(256, method=method, dither=Image.Dither.NONE)
    if image.getpixel((0, 0)) == (255, 255, 255):
        # The palette mixes the ground with what is nearly white; it shall stay white.
        palette, ground = reduced.getpalette(), 3 * reduced.getpixel((0, 0))
        palette[ground : ground + 3] = 255, 255, 255
        reduced.putpalette(palette)
    small = io.BytesIO()
    reduced.save(small, "PNG", optimize=True)
    # The width alone: a page that is narrower then keeps the proportions.
    return small.getvalue(), {"width": image.width // 2}


# --- Vibration ------------------------------------------------------------------------------------


def line_spectra(rows, marks=None, limit=None, unit="Hz"):
    """Draws spectra one below the other, and marks where lines are expected.

    Example:

    >>> rows = {"inner race": (np.linspace(0, 100, 50), np.ones(50))}
    >>> figure = line_spectra(rows, marks={"inner race": {"shaft": 25.0}})
    >>> len(figure.axes)
    1

    Args:
        rows: Dictionary from label to `(frequencies, amplitudes)`.
        marks: Dictionary from label to dictionary from a mark's name to its frequency; a row without one has
            no marks.
        limit: Float, the highest frequency shown.
        unit: String, the unit of frequencies.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(len(rows), 1, figsize=(7.2, 0.9 + 1.5 * len(rows)), sharex=True, squeeze=False)
    for axis, (name, (frequency, amplitude)) in zip(axes[:, 0], rows.items(), strict=True):
        shown = slice(None) if limit is None else frequency <= limit
        axis.plot(frequency[shown], amplitude[shown], color=COLORS["blue"], linewidth=1.1)
        top = 1.35 * float(np.max(amplitude[shown]))
        for k, (mark, place) in enumerate(sorted(((marks or {}).get(name) or {}).items(), key=lambda pair: pair[1])):
            axis.axvline(place, color=COLORS["vermillion"], linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
            left = mark.startswith("\N{MINUS SIGN}")  # a side line's name stands on its own side
            axis.annotate(
                mark,
                (place, top * (0.97 - 0.16 * (k % 2))),
                xytext=(-3 if left else 3, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="top",
                fontsize=9,
                color=COLORS["vermillion"],
            )
        axis.set_ylim(0, top)
        axis.margins(x=0.01)
        axis.text(0.995, 1.0, name, transform=axis.transAxes, ha="right", va="bottom", fontsize=10)
    axes[-1, 0].set_xlabel(f"frequency ({unit})")
    figure.supylabel("amplitude (g)", fontsize=11)
    return figure


# --- Thresholding ---------------------------------------------------------------------------------

# One color a thresholding rule.
RULE_COLORS = {
    "identity": COLORS["gray"],
    "soft": COLORS["blue"],
    "hard": COLORS["vermillion"],
    "garrote": COLORS["green"],
}
_RULE_DASHES = {"identity": (0, (1, 1.5)), "soft": "-", "hard": (0, (5, 1.5)), "garrote": (0, (6, 1.5, 1, 1.5))}


def _rule(name):
    """The look of one thresholding rule: color and dashes, so that it is told apart in gray too."""
    return {"color": RULE_COLORS.get(name, COLORS["black"]), "linestyle": _RULE_DASHES.get(name, "-")}


def signal_panels(signals, position=None, label="sample", reference=None, ylabel=None):
    """Draws signals one below the other on common axes.

    Example:

    >>> t = np.linspace(0, 1, 256)
    >>> clean = np.sin(2 * np.pi * 5 * t)
    >>> noisy = clean + np.random.default_rng(0).normal(0, 0.5, 256)
    >>> signals = {"noisy": noisy, "clean": clean}
    >>> figure = signal_panels(signals, t, "time (s)", reference=clean, ylabel="acceleration (g)")

    Args:
        signals: Dictionary from label to array of one length.
        position: Array of the same length for the horizontal axis; sample numbers if None.
        label: String, the label of the horizontal axis.
        reference: Array drawn in gray behind every signal, or None.
        ylabel: String, one label for the vertical axes of all signals, or None.

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
    if ylabel is not None:
        figure.supylabel(ylabel, fontsize=11)
    return figure


def energy_concentration(curves):
    """Draws the share of a signal's energy that its largest samples hold.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> energy = {"Laplacian": rng.laplace(size=500) ** 2, "Gaussian": rng.normal(size=500) ** 2}
    >>> shares = {name: np.cumsum(np.sort(e)[::-1]) / e.sum() for name, e in energy.items()}
    >>> figure = energy_concentration(shares)

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

    Example:

    >>> x = np.linspace(-3, 3, 301)
    >>> kept = (np.abs(x) > 1).astype(float)
    >>> outputs = {"soft": np.sign(x) * np.maximum(np.abs(x) - 1, 0), "hard": x * kept}
    >>> figure = threshold_functions(x, outputs, {"soft": kept, "hard": kept}, threshold=1.0)

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

    Example:

    >>> y = np.linspace(-2, 3, 501)
    >>> costs = {x: 0.5 * (y - x) ** 2 + np.abs(y) for x in (0.5, 2.0)}
    >>> figure = proximal_costs(y, costs, penalty=np.abs(y))

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
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def risk_curves(s, risks):
    """Draws expected squared error, squared bias and variance of thresholding rules.

    Example:

    >>> s = np.linspace(0, 6, 61)
    >>> nothing, one = np.zeros_like(s), np.ones_like(s)
    >>> figure = risk_curves(s, {"identity": {"risk": one, "bias": nothing, "variance": one}})

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
    axes[2].legend(loc="upper right", handlelength=2.2)
    return figure


def noise_maxima(sizes, maxima, bound):
    """Draws how large the largest of n noise samples is, against a bound.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> sizes = [16, 32, 64, 128, 256]
    >>> maxima = [np.abs(rng.normal(size=(200, n))).max(axis=1) for n in sizes]
    >>> figure = noise_maxima(sizes, maxima, bound=np.sqrt(2 * np.log(sizes)))

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

    Example:

    >>> rng = np.random.default_rng(0)
    >>> clean = 5.0 * (np.arange(256) % 32 == 0)
    >>> noisy = clean + rng.normal(size=256)
    >>> thresholds = np.linspace(0, 4, 81)[:, np.newaxis]
    >>> soft = np.sign(noisy) * np.maximum(np.abs(noisy) - thresholds, 0)
    >>> errors = {"soft": np.mean((soft - clean) ** 2, axis=1)}
    >>> figure = error_against_threshold(thresholds[:, 0], errors, marks={"universal": np.sqrt(2 * np.log(256))})

    Args:
        thresholds: Array, in units of the noise's standard deviation.
        errors: Dictionary from label to array of errors, in units of the noise's variance. A rule's name
            (`"soft"`, `"hard"`, `"garrote"`) gives its color.
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


def basis_panels(panels, reference, length=None):
    """Draws a grid of signals: one row a signal, one column a treatment, the truth in the background.

    Example:

    >>> clean = {"blocks": np.sign(np.sin(np.arange(128) / 9))}
    >>> noisy = clean["blocks"] + np.random.default_rng(0).normal(0, 0.3, 128)
    >>> smooth = np.convolve(noisy, np.ones(5) / 5, "same")
    >>> figure = basis_panels({"blocks": {"noisy": noisy, "smoothed": smooth}}, reference=clean)

    Args:
        panels: Dictionary from row label to dictionary from column label to array.
        reference: Dictionary from row label to the clean array.
        length: Integer, how many samples to show; all if None.

    Returns:
        A Matplotlib figure.
    """
    rows, columns = len(panels), len(next(iter(panels.values())))
    figure, axes = plt.subplots(
        rows, columns, figsize=(8.2, 0.9 + 1.7 * rows), sharex=True, sharey="row", squeeze=False
    )
    for line, (row, treatments) in zip(axes, panels.items(), strict=True):
        for axis, (column, signal) in zip(line, treatments.items(), strict=True):
            axis.plot(reference[row][:length], color=COLORS["orange"], linewidth=3.5, alpha=0.6)
            axis.plot(signal[:length], color=COLORS["blue"], linewidth=1.1)
            axis.margins(x=0.01)
            if axis in axes[0]:
                axis.text(0.5, 1.03, column, transform=axis.transAxes, ha="center", va="bottom")
            if axis in axes[-1]:
                axis.set_xlabel("sample")
        line[0].set_ylabel(row)
    return figure


def image_row(images, limits=(0.0, 1.0)):
    """Draws images side by side on one gray scale, each with its label below.

    Example:

    >>> images = np.random.default_rng(0).random((2, 28, 28))
    >>> figure = image_row({"one": images[0], "another": images[1]})

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


# --- The residual shrinkage unit ------------------------------------------------------------------

_UNIT_GATES = {
    # Title, color, the boxes between u and the node on the branch, what is beside their arrows, the node.
    "plain": ("residual unit", COLORS["blue"], (), (), None),
    "se": (
        "squeeze-and-excitation",
        "#8a5f00",
        ("mean of $u$", "FC, ReLU", "FC, sigmoid"),
        ("", "hidden: $C/r$", "$g$: $C$ numbers"),
        r"$u \cdot g$",
    ),
    "drsn-cs": (
        "shrinkage, channel-shared",
        "#007a59",
        (r"mean of $|u|$", "FC, BN, ReLU", "FC, sigmoid", r"$\times$ mean of $m$"),
        ("$m$: $C$ numbers", "hidden: $C$", r"$\alpha$: 1 number", r"$\tau$: 1 number"),
        r"soft$(u, \tau)$",
    ),
    "drsn-cw": (
        "shrinkage, channel-wise",
        "#b64f00",
        (r"mean of $|u|$", "FC, BN, ReLU", "FC, sigmoid", r"$\times\ m$"),
        ("$m$: $C$ numbers", "hidden: $C$", r"$\alpha$: $C$ numbers", r"$\tau$: $C$ numbers"),
        r"soft$(u, \tau)$",
    ),
}


def unit_diagrams(kinds=("plain", "se", "drsn-cs", "drsn-cw")):
    """Draws residual units as block diagrams on one plan, what is special to each in color.

    Example:

    >>> figure = unit_diagrams(["plain", "drsn-cw"])

    Args:
        kinds: Sequence of `"plain"`, `"se"`, `"drsn-cs"` and `"drsn-cw"`.

    Returns:
        A Matplotlib figure.
    """
    columns = min(2, len(kinds))
    rows = -(-len(kinds) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, 3.9 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set(xlim=(0, 6.6), ylim=(-0.5, 10.1))
        axis.axis("off")
    for axis, kind in zip(axes.flat, kinds, strict=False):
        _unit_diagram(axis, *_UNIT_GATES[kind])
    return figure


def _unit_diagram(axis, title, color, boxes, labels, node):
    quiet, line = "#f0f0f0", {"color": COLORS["black"], "linewidth": 1.3, "solid_capstyle": "butt"}
    trunk, gate, bypass = 2.0, 4.85, 0.35

    def arrow(start, end, color=COLORS["black"]):
        style = {"arrowstyle": "-|>,head_length=0.35,head_width=0.18", "color": color, "linewidth": 1.3}
        axis.annotate("", end, start, arrowprops={**style, "shrinkA": 0, "shrinkB": 0})

    def box(x, y, text, width, face, edge, ink=COLORS["black"]):
        patch = {"boxstyle": "round,pad=0,rounding_size=0.18", "facecolor": face, "edgecolor": edge, "linewidth": 1.3}
        axis.add_patch(FancyBboxPatch((x - width / 2, y - 0.38), width, 0.76, **patch))
        axis.text(x, y, text, ha="center", va="center", fontsize=9.5, color=ink)

    axis.text(bypass - 0.2, 9.98, title, fontsize=11, fontweight="bold", color=color, va="top")
    axis.text(trunk, 8.95, "$x$", ha="center", va="center", fontsize=11)
    arrow((trunk, 8.68), (trunk, 8.1))
    box(trunk, 7.7, "BN, ReLU, Conv", 2.6, quiet, COLORS["black"])
    arrow((trunk, 7.32), (trunk, 6.88))
    box(trunk, 6.5, "BN, ReLU, Conv", 2.6, quiet, COLORS["black"])
    # The shortcut leaves above the branch and comes back at the addition.
    axis.plot([trunk, bypass, bypass], [8.42, 8.42, 0.95], **line)
    arrow((bypass, 0.95), (trunk - 0.27, 0.95))
    axis.text(bypass - 0.12, 4.4, "shortcut", rotation=90, ha="right", va="center", fontsize=9)
    axis.add_patch(plt.Circle((trunk, 0.95), 0.27, facecolor="white", edgecolor=COLORS["black"], linewidth=1.3))
    axis.text(trunk, 0.93, "+", ha="center", va="center", fontsize=12)
    arrow((trunk, 0.68), (trunk, 0.12))
    axis.text(trunk, -0.2, "$y$", ha="center", va="center", fontsize=11)
    axis.text(trunk - 0.16, 5.62, "$u$", ha="right", va="center", fontsize=11)
    if node is None:
        arrow((trunk, 6.12), (trunk, 1.22))
        return
    arrow((trunk, 6.12), (trunk, 2.73))
    box(trunk, 2.35, node, 1.7, color, color, "white")
    arrow((trunk, 1.97), (trunk, 1.22))
    places = np.linspace(7.15, 2.35, 4)[: len(boxes)] if len(boxes) == 4 else np.array([7.15, 5.55, 3.95])
    first = places[0]
    # From u up to the gate's first box, in the gap between trunk and gate.
    gap = (trunk + 1.3 + gate - 1.15) / 2
    axis.plot([trunk, gap, gap], [5.62, 5.62, first], color=color, linewidth=1.3)
    arrow((gap, first), (gate - 1.15, first), color)
    for place, text, label, below in zip(places, boxes, labels, [*places[1:], None], strict=True):
        box(gate, place, text, 2.3, "white", color)
        if below is not None:
            arrow((gate, place - 0.38), (gate, below + 0.38), color)
            if label:
                axis.text(gate + 0.14, (place + below) / 2, label, ha="left", va="center", fontsize=8.5, color=color)
        elif len(boxes) == 4:
            arrow((gate - 1.15, place), (trunk + 0.85, place), color)
            axis.text(gate - 0.1, place - 0.5, label, ha="center", va="top", fontsize=8.5, color=color)
        else:
            axis.plot([gate, gate], [place - 0.38, 2.35], color=color, linewidth=1.3)
            arrow((gate, 2.35), (trunk + 0.85, 2.35), color)
            axis.text(gate + 0.14, 3.1, label, ha="left", va="center", fontsize=8.5, color=color)


def map_rows(rows, signed=True, columns=8, common=False):
    """Draws feature maps in rows, each row on its own scale or all on one.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> figure = map_rows({"image": rng.random((28, 28, 1)), "$u$": rng.normal(size=(14, 14, 16))})

    Args:
        rows: Dictionary from label to array of shape `(height, width, channels)`, or to a list of images. More
            maps than `columns` go on in a further line.
        signed: Whether zero is white, positive red and negative blue; otherwise black to white from 0 to 1.
        columns: Integer, maps a line.
        common: Whether all rows share one scale.

    Returns:
        A Matplotlib figure.
    """
    lines = []
    for name, maps in rows.items():
        maps = [maps[..., c] for c in range(maps.shape[-1])] if isinstance(maps, np.ndarray) else list(maps)
        top = max(np.abs(one).max() for one in maps) or 1.0
        for start in range(0, len(maps), columns):
            lines.append((name if start == 0 else "", maps[start : start + columns], top))
    if common:
        lines = [(name, maps, max(top for *_, top in lines)) for name, maps, _ in lines]
    size = (8.4, 8.3 / columns * len(lines) + 0.1)
    figure, axes = plt.subplots(len(lines), columns, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.015, wspace=0.02, hspace=0.02)
    for line, (name, maps, top) in zip(axes, lines, strict=True):
        for axis in line:
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            for spine in axis.spines.values():
                spine.set(visible=True, color="#b0b0b0", linewidth=0.8)
        for axis, one in zip(line, maps, strict=False):
            look = {"cmap": "RdBu_r", "vmin": -top, "vmax": top} if signed else {"cmap": "gray", "vmin": 0, "vmax": 1}
            axis.imshow(one, interpolation="nearest", **look)
        for axis in line[len(maps) :]:
            axis.axis("off")
        line[0].set_ylabel(name, fontsize=11)
    return figure


def squeeze_statistics(signed, magnitude):
    """Draws, channel by channel, the size of the mean against the mean of the size.

    Example:

    >>> u = np.random.default_rng(0).normal(0.3, 1.0, size=(14, 14, 16))
    >>> figure = squeeze_statistics(np.abs(u.mean(axis=(0, 1))), np.abs(u).mean(axis=(0, 1)))

    Args:
        signed: Array of shape `(channels,)`, the magnitude of the mean of `u`.
        magnitude: Array of shape `(channels,)`, the mean of `|u|`.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.0))
    at = np.arange(len(magnitude))
    axis.bar(at, magnitude, width=0.8, color=COLORS["sky"], label=r"mean of $|u|$")
    axis.bar(at, signed, width=0.42, color=COLORS["black"], label=r"$|$mean of $u|$")
    axis.set(xlabel="channel", ylabel="over all positions", xticks=at)
    axis.grid(axis="x", visible=False)
    axis.legend(ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    return figure


def gain_against_threshold(gains, gain_errors, fractions, threshold_errors):
    """Draws the error that every gain leaves, and every threshold, for some noise levels.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> signal = rng.laplace(size=1000) * (rng.random(1000) < 0.2)
    >>> noise = rng.normal(0, 0.5, 1000)
    >>> x, power = signal + noise, np.mean(noise**2)
    >>> gains, fractions = np.linspace(0, 1, 51)[:, np.newaxis], np.linspace(0, 2.5, 101)[:, np.newaxis]
    >>> shrunk = np.sign(x) * np.maximum(np.abs(x) - fractions * np.abs(x).mean(), 0)
    >>> by_gain = {0: np.mean((gains * x - signal) ** 2, axis=1) / power}
    >>> by_threshold = {0: np.mean((shrunk - signal) ** 2, axis=1) / power}
    >>> figure = gain_against_threshold(gains[:, 0], by_gain, fractions[:, 0], by_threshold)

    Args:
        gains: Array of gains.
        gain_errors: Dictionary from SNR in dB to array, the error of each gain, 1 being the untouched map's.
        fractions: Array of thresholds, as fractions of the mean magnitude.
        threshold_errors: Dictionary from SNR in dB to array, the error of each threshold.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.2), sharey=True)
    looks = [(COLORS["vermillion"], "-"), (COLORS["blue"], (0, (5, 1.5))), (COLORS["green"], (0, (6, 1.5, 1, 1.5)))]
    panels = ((gains, gain_errors, "gain $g$"), (fractions, threshold_errors, r"threshold, in units of $m$"))
    for axis, (at, errors, label) in zip(axes, panels, strict=True):
        axis.axhline(1.0, color=COLORS["gray"], linestyle=(0, (1, 1.5)), linewidth=1.4)
        for (level, error), (color, dashes) in zip(errors.items(), looks, strict=False):
            axis.plot(at, error, color=color, linestyle=dashes, label=f"{level} dB".replace("-", "\u2212"))
            best = int(np.argmin(error))
            axis.plot(at[best], error[best], "o", color=color, markersize=7, clip_on=False)
        axis.set(xlabel=label, ylim=(0, 1.5), xlim=(at[0], at[-1]))
    axes[1].axvspan(0, 1, color=COLORS["sky"], alpha=0.2, linewidth=0)
    axes[1].text(0.5, 0.06, r"within reach of $\alpha m$", ha="center", fontsize=9)
    axes[0].set_ylabel("error left / noise")
    axes[0].text(0.02, 1.03, "untouched", fontsize=9, color=COLORS["gray"])
    axes[0].legend(loc="upper left", handlelength=2.4, borderaxespad=0.1)
    return figure


def heat_tables(tables, rows, label="channel"):
    """Draws arrays as colored tables one below the other, each with its values written in.

    Example:

    >>> alpha = np.random.default_rng(0).random((3, 8))
    >>> figure = heat_tables({"alpha": alpha}, rows=["digit 0", "digit 1", "digit 2"])

    Args:
        tables: Dictionary from name to array of shape `(len(rows), columns)`.
        rows: Sequence of row labels.
        label: String, what the columns are.

    Returns:
        A Matplotlib figure.
    """
    height = 0.5 + 0.31 * len(rows)
    figure, axes = plt.subplots(len(tables), 1, figsize=(8.0, height * len(tables) + 0.3), squeeze=False)
    for axis, (name, table) in zip(axes[:, 0], tables.items(), strict=True):
        table = np.asarray(table)
        top = table.max()
        axis.imshow(table, cmap="YlOrRd", vmin=0, vmax=top, aspect="auto")
        for (i, j), value in np.ndenumerate(table):
            ink = "white" if value > 0.72 * top else COLORS["black"]
            axis.text(
                j, i, f"{value:.2f}" if top <= 1 else f"{value:.1f}", ha="center", va="center", fontsize=8, color=ink
            )
        axis.set_yticks(range(len(rows)), rows)
        axis.set_xticks(range(table.shape[1]))
        axis.set_ylabel(name, fontsize=13, rotation=0, labelpad=14)
        axis.tick_params(length=0)
        axis.grid(False)
        axis.spines[:].set_visible(False)
    axes[-1, 0].set_xlabel(label)
    return figure


def shrinkage_histograms(before, after, thresholds):
    """Draws how the values of some channels are spread before and after shrinkage.

    Example:

    >>> u = np.random.default_rng(0).normal(size=400)
    >>> shrunk = np.sign(u) * np.maximum(np.abs(u) - 0.5, 0)
    >>> figure = shrinkage_histograms({"channel 0": u}, {"channel 0": shrunk}, {"channel 0": 0.5})

    Args:
        before: Dictionary from label to array of values.
        after: Dictionary from the same labels to the shrunken values.
        thresholds: Dictionary from the same labels to the threshold.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, len(before), figsize=(8.4, 3.4), squeeze=False)
    for axis, (name, u) in zip(axes[0], before.items(), strict=True):
        tau, shrunk = thresholds[name], np.asarray(after[name])
        edges = np.linspace(min(u.min(), 0), max(u.max(), 0), 42)
        share = {"weights": np.full(len(u), 100 / len(u))}
        axis.hist(u, edges, color=COLORS["sky"], label="before", **share)
        zero = shrunk == 0
        rest = {"weights": np.full((~zero).sum(), 100 / len(u))}
        axis.hist(
            shrunk[~zero], edges, histtype="step", color=COLORS["vermillion"], linewidth=1.8, label="after", **rest
        )
        top = axis.get_ylim()[1]
        axis.set_ylim(0, 1.08 * top)
        for sign in (-1, 1):
            if edges[0] <= sign * tau <= edges[-1]:
                axis.axvline(sign * tau, color=COLORS["black"], linewidth=1.1, linestyle=(0, (4, 2)))
                mark = r"$-\tau$" if sign < 0 else r"$\tau$"
                axis.text(sign * tau, 1.01, mark, transform=axis.get_xaxis_transform(), ha="center", va="bottom")
        axis.set_xlabel(f"value\n{name}; zero: {100 * zero.mean():.0f} %", fontsize=9.5)
    axes[0, 0].set_ylabel("positions, %")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def zero_shares(zeros, caps, gaussian):
    """Draws the share of values that each channel loses, and the most it could lose.

    Example:

    >>> u = np.abs(np.random.default_rng(0).normal(size=(200, 8)))
    >>> zeros, caps = (u <= 0.5 * u.mean(axis=0)).mean(axis=0), (u < u.mean(axis=0)).mean(axis=0)
    >>> figure = zero_shares(zeros, caps, gaussian=float(caps.mean()))

    Args:
        zeros: Array of shape `(channels,)`, the share of zeros after shrinkage.
        caps: Array of shape `(channels,)`, the share of values below the mean magnitude.
        gaussian: Float, that share for a normal distribution of mean zero.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.0))
    at = np.arange(len(zeros))
    axis.bar(
        at,
        100 * caps,
        width=0.8,
        facecolor="none",
        edgecolor=COLORS["gray"],
        linewidth=1.2,
        label=r"$|u| < m$: could be lost",
    )
    axis.bar(at, 100 * zeros, width=0.8, color=COLORS["vermillion"], label=r"$|u| \leq \tau$: zero")
    axis.axhline(100 * gaussian, color=COLORS["black"], linestyle=(0, (5, 1.5)), linewidth=1.3)
    axis.text(len(at) - 0.3, 100 * gaussian, " Gaussian", fontsize=9, va="bottom")
    axis.set(xlabel="channel", ylabel="values, %", xticks=at, xlim=(-0.6, len(at) + 1.4))
    axis.set_ylim(0, max(100 * caps.max(), 100 * gaussian) + 8)
    axis.grid(axis="x", visible=False)
    axis.legend(ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    return figure


def noise_response(labels, quantities, spreads):
    """Draws how quantities of a unit move with the noise: a line a channel, their mean, the spread over samples.

    Example:

    >>> alpha = np.random.default_rng(0).random((4, 8))
    >>> figure = noise_response(["-5", "0", "5", "clean"], {"alpha": alpha}, {"alpha": np.full(4, 0.1)})

    Args:
        labels: Sequence of strings, the noise levels from strong to none.
        quantities: Dictionary from name to array of shape `(levels, channels)`, means over samples.
        spreads: Dictionary from name to array of shape `(levels,)`, the typical standard deviation over samples
            of one channel.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, len(quantities), figsize=(8.2, 3.1), squeeze=False)
    at = np.arange(len(labels))
    for axis, (name, values) in zip(axes[0], quantities.items(), strict=True):
        mean = values.mean(1)
        axis.fill_between(
            at,
            mean - spreads[name],
            mean + spreads[name],
            color=COLORS["sky"],
            alpha=0.35,
            linewidth=0,
            label="± spread over digits",
        )
        axis.plot(at, values, color=COLORS["gray"], linewidth=0.8, alpha=0.8)
        axis.plot(at, mean, color=COLORS["vermillion"], marker="o", markersize=4, label="mean of channels")
        axis.set_xticks(at, labels)
        axis.set_xlabel("SNR (dB)")
        axis.set_ylim(0, None)
        axis.text(0.5, 1.02, name, transform=axis.transAxes, ha="center", va="bottom", fontsize=12)
    handles = [plt.Line2D([], [], color=COLORS["gray"], linewidth=0.8, label="one channel")]
    handles = [*axes[0, 0].get_legend_handles_labels()[0], *handles]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    return figure


# --- Trained networks -----------------------------------------------------------------------------


def seed_scores(scores, pairs, label="test accuracy"):
    """Draws the score of every random seed, and what one network gains over another seed by seed.

    Example:

    >>> scores = {"resnet": np.array([0.90, 0.92, 0.91]), "drsn-cw": np.array([0.93, 0.92, 0.95])}
    >>> figure = seed_scores(scores, pairs=[("drsn-cw", "resnet")])

    Args:
        scores: Dictionary from variant to array of scores, one a seed, in one order of the seeds.
        pairs: List of `(variant, control)`, the differences to draw in the second panel.
        label: String, what the scores are.

    Returns:
        A Matplotlib figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), width_ratios=[1, 1.15])
    marks = "osD^v<>ph*"
    names = [VARIANT_NAMES.get(name, name) for name in scores]
    for column, (name, values) in enumerate(scores.items()):
        _seed_column(left, column, values, VARIANT_COLORS.get(name, COLORS["black"]), marks)
    left.set_xticks(range(len(names)), names)
    left.set_ylabel(label)
    right.axhline(0, color=COLORS["black"], linewidth=1)
    for column, (name, control) in enumerate(pairs):
        difference = 100 * (np.asarray(scores[name]) - np.asarray(scores[control]))
        _seed_column(right, column, difference, COLORS["black"], marks)
    words = [f"{VARIANT_NAMES.get(a, a)}\nminus {VARIANT_NAMES.get(b, b)}" for a, b in pairs]
    right.set_xticks(range(len(pairs)), words, fontsize=9)
    right.set_ylabel("difference (percentage points)")
    count = len(next(iter(scores.values())))
    handles = [
        plt.Line2D([], [], marker=marks[s % len(marks)], color=COLORS["gray"], linestyle="", label=f"seed {s}")
        for s in range(count)
    ]
    handles.append(plt.Line2D([], [], color=COLORS["gray"], linewidth=2, label="mean"))
    figure.legend(handles=handles, loc="outside upper center", ncols=count + 1)
    for axis in (left, right):
        axis.grid(axis="x", visible=False)
    return figure


def _seed_column(axis, column, values, color, marks):
    spots = column + 0.16 * (np.arange(len(values)) - (len(values) - 1) / 2)
    axis.plot([column - 0.32, column + 0.32], [np.mean(values)] * 2, color=color, linewidth=2, alpha=0.5)
    for s, (spot, value) in enumerate(zip(spots, values, strict=True)):
        axis.plot(spot, value, marks[s % len(marks)], color=color, markersize=7)
    axis.set_xlim(-0.6, max(axis.get_xlim()[1], column + 0.6))


def score_ladder(groups, chance=None, label="test accuracy"):
    """Draws named scores as dots on one scale, group by group, each with its number.

    Example:

    >>> figure = score_ladder({"inference mode": {"as trained": 0.67, "recalibrated": 0.91}}, chance=0.1)

    Args:
        groups: Dictionary from group name to a dictionary from row name to score.
        chance: Float, the score of guessing, drawn as a dashed line; None for none.
        label: String, what the scores are.

    Returns:
        A Matplotlib figure.
    """
    colors = [COLORS["vermillion"], COLORS["blue"], COLORS["green"], COLORS["purple"]]
    rows = sum(len(group) for group in groups.values())
    figure, axis = plt.subplots(figsize=(7.2, 0.9 + 0.36 * (rows + len(groups))))
    position, ticks, names = 0.0, [], []
    for color, (title, group) in zip(colors, groups.items(), strict=False):
        axis.text(
            0.005,
            position,
            title,
            color=color,
            fontsize=10.5,
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
        )
        for name, score in group.items():
            position += 1
            axis.plot([0, score], [position] * 2, color="#d0d0d0", linewidth=1.2, zorder=1)
            axis.plot(score, position, "o", color=color, markersize=8)
            # White behind the number, or the line of guessing strikes it through.
            said = axis.annotate(f"{score:.2f}", (score, position), (9, 0), textcoords="offset points", va="center")
            said.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
            ticks.append(position)
            names.append(name)
        position += 1.25
    if chance is not None:
        axis.axvline(chance, color=COLORS["gray"], linestyle="--", linewidth=1.2)
        axis.annotate(
            "guessing", (chance, position - 0.65), (4, 0), textcoords="offset points", fontsize=9, va="center"
        )
    axis.set_yticks(ticks, names)
    axis.set_ylim(position - 0.4, -0.7)
    axis.set_xlim(0, 1)
    axis.set_xlabel(label)
    axis.grid(axis="y", visible=False)
    return figure


def company_spread(changing, fixed, images):
    """Draws the predictions for a few images when the rest of the batch changes, each image beside its row.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> figure = company_spread(rng.random((3, 20)), fixed=rng.random(3), images=rng.random((3, 28, 28)))

    Args:
        changing: Array of shape `(images, batches)`, the probability of the true class by batch statistics.
        fixed: Array of shape `(images,)`, the same in inference mode.
        images: Array of shape `(images, height, width)`.

    Returns:
        A Matplotlib figure.
    """
    count = len(changing)
    figure, axis = plt.subplots(figsize=(7.2, 0.9 + 0.5 * count))
    for row, (values, value) in enumerate(zip(changing, fixed, strict=True)):
        first = row == 0
        axis.plot(
            values,
            np.full(len(values), row),
            "|",
            color=COLORS["vermillion"],
            markersize=13,
            markeredgewidth=1.2,
            alpha=0.7,
            label="batch statistics, one mark a batch" if first else None,
        )
        axis.plot(
            value,
            row,
            "o",
            color=COLORS["blue"],
            markersize=8,
            label="inference mode, recalibrated" if first else None,
        )
        box = axis.inset_axes([-0.095, row - 0.45, 0.085, 0.9], transform=axis.get_yaxis_transform())
        box.imshow(images[row], cmap="gray", interpolation="nearest")
        box.axis("off")
    axis.set_ylim(count - 0.4, -0.6)
    axis.set_xlim(-0.02, 1.02)
    axis.set_yticks([])
    axis.set_xlabel("probability given to the right digit")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def channel_ranges(panels):
    """Draws, channel by channel, the middle and the spread over inputs of a quantity, for two or more kinds of input.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> kinds = {"clean": rng.gamma(2, 0.1, (100, 8)), "noisy": rng.gamma(2, 0.2, (100, 8))}
    >>> figure = channel_ranges({"threshold": kinds})

    Args:
        panels: Dictionary from axis label to a dictionary from kind of input to array of shape
            `(inputs, channels)`.

    Returns:
        A Matplotlib figure; the dot is the median, the line holds 90 % of the inputs.
    """
    colors = [COLORS["vermillion"], COLORS["blue"], COLORS["green"], COLORS["purple"]]
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.2), squeeze=False)
    for axis, (label, kinds) in zip(axes[0], panels.items(), strict=True):
        for k, (color, (kind, values)) in enumerate(zip(colors, kinds.items(), strict=False)):
            low, middle, high = np.percentile(values, [5, 50, 95], axis=0)
            spots = np.arange(values.shape[1]) + 0.26 * (k - (len(kinds) - 1) / 2)
            axis.vlines(spots, low, high, color=color, linewidth=3, alpha=0.45)
            axis.plot(spots, middle, "os^D"[k % 4], color=color, markersize=5.5, label=kind)
        axis.set_xticks(range(values.shape[1]))
        axis.set_xlabel("channel")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(axis="x", visible=False)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(handles))
    return figure


# --- Records --------------------------------------------------------------------------------------

# Dashes and marks beside the colors, so that networks are told apart in gray too.
_VARIANT_LOOKS = {
    "convnet": ((0, (1, 1.5)), "o"),
    "resnet": ("-", "s"),
    "senet-textbook": ((0, (6, 1.5, 1, 1.5)), "v"),
    "senet": ((0, (5, 1.5)), "D"),
    "fixed-threshold": ((0, (1, 3)), "x"),
    "learned-threshold": ((0, (4, 1, 1, 1)), "P"),
    "learned-fraction": ((0, (8, 2)), "*"),
    "drsn-cs": ((0, (3, 1, 1, 1, 1, 1)), "^"),
    "drsn-cw": ("-", "o"),
    "senet-open": ((0, (8, 2)), "P"),
    "drsn-cs-low": ((0, (1, 3)), "v"),
    "drsn-cw-low": ((0, (4, 1, 1, 1)), "h"),
    "relu": ("-", "s"),
    "leaky_relu": ((0, (5, 1.5)), "D"),
    "prelu": ((0, (1, 1.5)), "^"),
    "aprelu": ("-", "h"),
    "relu-wide": ((0, (8, 2)), "s"),
    "relu-large": ((0, (3, 1, 1, 1, 1, 1)), "P"),
    "aprelu-mean": ((0, (6, 1.5, 1, 1.5)), "v"),
    "aprelu-positive": ((0, (3, 1, 1, 1, 1, 1)), "P"),
    "aprelu-negative": ((0, (1, 3)), "x"),
    "aprelu-low": ((0, (8, 2)), "P"),
    "aprelu-full": ((0, (6, 1.5, 1, 1.5)), "v"),
    "aprelu-large": ((0, (4, 1, 4, 1, 1, 1)), "p"),
    "drsn-cw-aprelu": ((0, (4, 1, 4, 1, 1, 1)), "*"),
    "learned-fraction-aprelu": ((0, (5, 1.5)), "X"),
}


def record_table(table, value="test_accuracy", rows="variant", columns=None, digits=3):
    """Makes a table to be read: mean ± standard deviation over random seeds.

    Example:

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"variant": "drsn-cw", "seed": [0, 1, 2], "test_accuracy": [0.90, 0.91, 0.95]})
    >>> record_table(runs)
                      test accuracy
    DRSN-CW  0.920 ± 0.026 (n = 3)

    Args:
        table: A table of records; see `drsn_lib.records.load`.
        value: String, the column of the numbers.
        rows: String, the column that gives the rows.
        columns: String, a column whose values stand side by side, such as `"noise"`; None for one column of
            numbers, with the number of parameters and the seconds of a run beside it.
        digits: Integer, digits behind the point.

    Returns:
        A `pandas.DataFrame` of strings.

    Raises:
        ValueError: As for `drsn_lib.records.summary`.
    """
    import pandas as pd

    from drsn_lib import records

    found = records.summary(table, (rows,) if columns is None else (rows, columns), value)
    said = []
    for row in found.to_dict("records"):
        spread = "" if np.isnan(row["sd"]) else f" ± {row['sd']:.{digits}f}"
        said.append(f"{row['mean']:.{digits}f}{spread} (n = {row['n']})".replace("-", "\u2212"))
    names = [_name(rows, one) for one in found[rows]]
    if columns is not None:
        heads = [_name(columns, one) for one in found[columns]]
        made = {head: {} for head in sorted(set(heads), key=heads.index)}
        for name, head, words in zip(names, heads, said, strict=True):
            made[head][name] = words
        return pd.DataFrame(made, index=list(dict.fromkeys(names))).fillna("\u2013")
    made = {value.replace("_", " "): said}
    if "parameters" in found:
        made["parameters"] = [f"{one:,.0f}" for one in found["parameters"]]
    if "seconds" in found:
        made["seconds a run"] = [f"{one:.1f}" if one < 100 else f"{one:,.0f}" for one in found["seconds"]]
    return pd.DataFrame(made, index=names, dtype=object)


def learning_curves(records, metrics=("loss", "accuracy"), source=True):
    """Draws how trainings went: the mean over random seeds, epoch by epoch, and the range of the seeds.

    Example:

    >>> run = {"recipe": "mnist-noise", "budget": "smoke", "condition": {}, "device": {"kind": "cpu"}}
    >>> runs = [{**run, "variant": "resnet", "seed": s, "history": {"loss": [2.0, 1.0 + s]}} for s in range(3)]
    >>> figure = learning_curves(runs, metrics=["loss"], source=False)
    >>> figure.axes[0].get_ylabel()
    'training loss'

    Args:
        records: List of records of one recipe, budget, condition and kind of device; see
            `drsn_lib.records.load_records`.
        metrics: Names of histories, one panel each: `"loss"`, `"accuracy"`, `"val_loss"`, `"val_accuracy"`.
        source: Whether a line at the foot says where the records are from.

    Returns:
        A Matplotlib figure.

    Raises:
        ValueError: If there are no records, they are not alike, or one has no such history.
    """
    if not records:
        raise ValueError("There are no records to draw.")
    for what, kinds in {
        "recipe": {one["recipe"] for one in records},
        "budget": {one["budget"] for one in records},
        "condition": {str(one["condition"]) for one in records},
        "device": {one["device"]["kind"] for one in records},
        "number of epochs": {len(one["history"]["loss"]) for one in records},
    }.items():
        if len(kinds) > 1:
            raise ValueError(f"The records must be of one {what}. Received: {', '.join(map(str, sorted(kinds)))}")
    figure, axes = plt.subplots(1, len(metrics), figsize=(min(8.4, 3.7 * len(metrics)), 3.5), squeeze=False)
    groups = {name: [one for one in records if one["variant"] == name] for name in _variants(records)}
    for axis, metric in zip(axes[0], metrics, strict=True):
        for name, group in groups.items():
            lacking = [one["seed"] for one in group if metric not in one["history"]]
            if lacking:
                raise ValueError(f"The records of {name!r}, seeds {lacking}, have no history {metric!r}.")
            curves = np.array([one["history"][metric] for one in group], float)
            epochs = np.arange(1, curves.shape[1] + 1)
            color, (dashes, mark) = VARIANT_COLORS.get(name, COLORS["black"]), _VARIANT_LOOKS.get(name, ("-", "o"))
            axis.fill_between(epochs, curves.min(0), curves.max(0), color=color, alpha=0.18, linewidth=0)
            axis.plot(
                epochs,
                curves.mean(0),
                color=color,
                linestyle=dashes,
                # A few marks are enough to tell lines apart.
                marker=mark,
                markersize=4,
                markevery=max(1, len(epochs) // 8),
                label=VARIANT_NAMES.get(name, name),
            )
        axis.set_xlabel("epoch")
        axis.set_ylabel(("validation " if metric.startswith("val_") else "training ") + metric.removeprefix("val_"))
        axis.xaxis.get_major_locator().set_params(integer=True)
    _legend(figure, axes[0, 0])
    return _with_source(figure, records, source)


def variant_scores(table, value="test_accuracy", pairs=None, label=None, source=True):
    """Draws the score of every random seed and their mean, and what networks gain over others, seed by seed.

    Example:

    >>> import pandas as pd
    >>> variants, scores = ["resnet"] * 2 + ["drsn-cw"] * 2, [0.90, 0.92, 0.93, 0.94]
    >>> runs = pd.DataFrame({"variant": variants, "seed": [0, 1, 0, 1], "test_accuracy": scores})
    >>> figure = variant_scores(runs, source=False)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['ResNet', 'DRSN-CW']

    Args:
        table: A table of records of one recipe, budget and kind of device; see `drsn_lib.records.load`. Where
            it holds several conditions, a seed's score is their mean.
        value: String, the column of the scores.
        pairs: List of `(variant, control)`, the differences to draw; None for every network against the plain
            one, and `"drsn-cw"` against `"senet"` too.
        label: String, what the scores are; the column's name if None.
        source: Whether a line at the foot says where the records are from.

    Returns:
        A Matplotlib figure. Bars are means; lines in the second panel are bootstrap intervals of 95 %, from five
        seeds on (see `drsn_lib.records.paired`).

    Raises:
        ValueError: As for `drsn_lib.records.paired`.
    """
    from drsn_lib import records

    names = list(records.summary(table, "variant", value)["variant"])
    if not names:
        raise ValueError("There are no records to draw.")
    if pairs is None:
        control = next((name for name in ("resnet", "relu") if name in names), names[0])
        pairs = [(name, control) for name in names if name != control]
        if {"senet", "drsn-cw"} <= set(names) and control != "senet":
            pairs.append(("drsn-cw", "senet"))
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7.6, 1.5 + 0.42 * max(len(names), len(pairs))), width_ratios=[1, 1.05]
    )
    for row, name in enumerate(names):
        seeds = records.by_seed(table[table["variant"] == name], value)
        _score_row(left, row, seeds.to_numpy(), VARIANT_COLORS.get(name, COLORS["black"]))
    left.set_yticks(range(len(names)), [VARIANT_NAMES.get(name, name) for name in names])
    left.set_xlabel(label or value.replace("_", " "))
    right.axvline(0, color=COLORS["black"], linewidth=1)
    for row, (name, control) in enumerate(pairs):
        found = records.paired(table, name, control, value)
        color = VARIANT_COLORS.get(name, COLORS["black"])
        if found.enough:
            right.plot([100 * found.low, 100 * found.high], [row, row], color=color, linewidth=2, marker="|", zorder=1)
        _score_row(right, row, 100 * found.differences.to_numpy(), color)
    words = [f"{VARIANT_NAMES.get(a, a)} \u2212 {VARIANT_NAMES.get(b, b)}" for a, b in pairs]
    words = [one if len(one) < 28 else one.replace(" \u2212", "\n\u2212") for one in words]  # or no room is left
    right.set_yticks(range(len(pairs)), words)
    right.set_xlabel("difference, percentage points")
    for axis, count in ((left, len(names)), (right, len(pairs))):
        axis.set_ylim(count - 0.45, -0.55)
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0, labelsize=10)
    return _with_source(figure, table, source)


def snr_curves(table, value="test_accuracy", x="snr_db", panels="noise", label=None, source=True):
    """Draws accuracy against the signal-to-noise ratio: means over random seeds, with their standard deviation.

    Example:

    >>> import pandas as pd
    >>> seeds, levels, scores = [0, 1, 0, 1], [-5, -5, 5, 5], [0.70, 0.72, 0.90, 0.92]
    >>> runs = pd.DataFrame({"variant": "resnet", "seed": seeds, "snr_db": levels, "test_accuracy": scores})
    >>> figure = snr_curves(runs, panels=None, source=False)
    >>> figure.axes[0].get_xlabel()
    'SNR (dB)'

    Args:
        table: A table of records of one recipe, budget and kind of device; see `drsn_lib.records.load`. Runs
            without a number in `x` (those without noise) are left out.
        value: String, the column of the scores.
        x: String, the column for the horizontal axis.
        panels: String, the column that gives one panel each; None for a single panel.
        label: String, what the scores are; the column's name if None.
        source: Whether a line at the foot says where the records are from.

    Returns:
        A Matplotlib figure; the band is one standard deviation of the seeds to either side.

    Raises:
        ValueError: If the table has no such column, or as for `drsn_lib.records.summary`.
    """
    from drsn_lib import records

    lacking = [name for name in (x, value, panels) if name is not None and name not in table]
    if lacking:
        raise ValueError(f"The table has no column {', '.join(map(repr, lacking))}; it has {', '.join(table.columns)}.")
    table = table[table[x].notna()]
    if not len(table):
        raise ValueError(f"There are no records with a number in {x!r} to draw.")
    kinds = [None] if panels is None else list(dict.fromkeys(table[panels]))
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(max(5.2, 1.2 + 2.4 * len(kinds)), 3.6), sharey=True, squeeze=False
    )
    for axis, kind in zip(axes[0], kinds, strict=True):
        part = table if kind is None else table[table[panels] == kind]
        found = records.summary(part, ("variant", x), value)
        for name in dict.fromkeys(found["variant"]):
            curve = found[found["variant"] == name].sort_values(x)
            at, mean, sd = (curve[key].to_numpy(float) for key in (x, "mean", "sd"))
            color, (dashes, mark) = VARIANT_COLORS.get(name, COLORS["black"]), _VARIANT_LOOKS.get(name, ("-", "o"))
            axis.fill_between(at, mean - sd, mean + sd, color=color, alpha=0.18, linewidth=0)
            axis.plot(
                at, mean, color=color, linestyle=dashes, marker=mark, markersize=4, label=VARIANT_NAMES.get(name, name)
            )
        axis.set_xlabel("SNR (dB)" if x == "snr_db" else x.replace("_", " "))
        axis.locator_params(axis="x", nbins=6, steps=[1, 2, 5, 10])
        axis.xaxis.set_major_formatter(lambda number, _: f"{number:g}".replace("-", "\u2212"))
        if kind is not None:
            axis.text(0.5, 1.02, str(kind), transform=axis.transAxes, ha="center", va="bottom")
    axes[0, 0].set_ylabel(label or value.replace("_", " "))
    _legend(figure, axes[0, 0])
    return _with_source(figure, table, source)


def _variants(records):
    """The variants of records, in the order of their colors; unknown ones behind."""
    there = list(dict.fromkeys(one["variant"] for one in records))
    known = list(VARIANT_COLORS)
    return sorted(there, key=lambda name: known.index(name) if name in known else len(known))


def _name(column, value):
    return VARIANT_NAMES.get(value, value) if column == "variant" else value


def _score_row(axis, row, values, color):
    """Dots of one row, spread a little so that equal ones are seen, and behind several a bar at their mean."""
    spread = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else [0]
    if len(values) > 1:
        axis.plot([np.mean(values)] * 2, [row - 0.3, row + 0.3], color=color, linewidth=2.6, zorder=2)
    axis.plot(values, row + np.asarray(spread), "o", color=color, markersize=5, alpha=0.65, markeredgewidth=0, zorder=3)


def _legend(figure, axis):
    handles, names = axis.get_legend_handles_labels()
    columns = min(len(handles), 5 if figure.get_figwidth() > 6 else 3)
    figure.legend(handles, names, loc="outside upper center", ncols=columns, handlelength=2.6, columnspacing=1.4)


def _with_source(figure, records, source):
    """Writes at the foot of a figure where its numbers are from: device, versions, date, commit."""
    if source:
        from drsn_lib.records import provenance

        width = int(13.5 * figure.get_figwidth())
        words = textwrap.fill(provenance(records), width)
        figure.supxlabel(words, x=0.005, ha="left", fontsize=8, color="#5a5a5a")
    return figure


# --- Residual networks ----------------------------------------------------------------------------

# From shallow to deep: darker, with another mark.
_DEPTH_LOOKS = (("#7fb8de", "o"), ("#2f7fbf", "s"), ("#0b4f8a", "^"), ("#06203d", "D"))
_DESIGN_LOOKS = ((COLORS["vermillion"], "-"), (COLORS["orange"], (0, (5, 1.5))), (COLORS["gray"], (0, (1, 1.5))))
_LAST_DESIGN = (COLORS["blue"], "-")


def depth_curves(curves, label="training loss"):
    """Draws how networks of several depths train: one panel a kind of network, one color a depth.

    Example:

    >>> falling = np.exp(-np.linspace(0, 3, 10)) * np.ones((2, 1))
    >>> figure = depth_curves({"convnet": {2: falling, 8: 2 * falling}, "resnet": {2: falling, 8: falling}})
    >>> len(figure.axes)
    2

    Args:
        curves: Dictionary from variant to a dictionary from number of units to array of shape
            `(seeds, epochs)`.
        label: String, what the curves are.

    Returns:
        A Matplotlib figure; a thick line is the mean over seeds, a thin one a seed.
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(7.2, 3.6), sharey=True, squeeze=False)
    for axis, (name, by_depth) in zip(axes[0], curves.items(), strict=True):
        for (units, rows), (color, mark) in zip(by_depth.items(), _DEPTH_LOOKS, strict=False):
            rows = np.asarray(rows)
            epochs = np.arange(1, rows.shape[1] + 1)
            axis.plot(epochs, rows.T, color=color, linewidth=0.9, alpha=0.6)
            every = max(1, len(epochs) // 6)
            axis.plot(epochs, rows.mean(0), color=color, marker=mark, markersize=5, markevery=every, label=f"{units}")
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.text(0.5, 1.02, VARIANT_NAMES.get(name, name), transform=axis.transAxes, ha="center", va="bottom")
    axes[0, 0].set_ylabel(label)
    axes[0, 0].set_ylim(bottom=0)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, title="units", loc="outside right center")
    return figure


def unit_profiles(panels, logarithmic=True, guide=None, label="unit"):
    """Draws quantities along a stack of units, for several designs of the unit.

    Example:

    >>> growing = 2.0 ** np.arange(9) * np.ones((3, 1))
    >>> designs = {"one design": growing, "another": np.ones((3, 9))}
    >>> figure = unit_profiles({"signal": designs}, guide={"signal": ("theory", growing[0])})

    Args:
        panels: Dictionary from axis label to a dictionary from design to array of shape `(seeds, places)`;
            at most four designs, the last one stands out.
        logarithmic: Whether the vertical axes are logarithmic.
        guide: Dictionary from axis label to `(name, array)`, a thin black line of one value a place.
        label: String, the label of the horizontal axis.

    Returns:
        A Matplotlib figure; the line is the median over seeds, the band holds all of them.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.7), squeeze=False)
    for axis, (name, designs) in zip(axes[0], panels.items(), strict=True):
        looks = (*_DESIGN_LOOKS[: len(designs) - 1], _LAST_DESIGN)
        for (design, rows), (color, dashes) in zip(designs.items(), looks, strict=True):
            rows = np.asarray(rows)
            places = np.arange(rows.shape[1])
            axis.fill_between(places, rows.min(0), rows.max(0), color=color, alpha=0.18, linewidth=0)
            front = 2 if dashes == "-" else 3  # dashes stay visible on a full line
            axis.plot(places, np.median(rows, axis=0), color=color, linestyle=dashes, label=design, zorder=front)
        if name in (guide or {}):
            words, values = guide[name]
            axis.plot(np.arange(len(values)), values, color=COLORS["black"], linewidth=1.1, linestyle=":", label=words)
        axis.set_xlabel(label)
        axis.locator_params(axis="x", integer=True)
        axis.set_ylabel(name)
        if logarithmic:
            axis.set_yscale("log")
    found = {}
    for axis in axes[0]:
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    figure.legend(found.values(), found.keys(), loc="outside upper center", ncols=2, handlelength=2.8)
    return figure


def path_lengths(shares):
    """Draws shares of paths through a residual network by the number of branches that they pass.

    Example:

    >>> figure = path_lengths({"of the paths": [0.25, 0.5, 0.25], "of the gradient": [0.6, 0.3, 0.1]})

    Args:
        shares: Dictionary from label to array of shares, one for each number of branches from 0 on.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    width = 0.8 / len(shares)
    looks = ((COLORS["gray"], ""), (COLORS["blue"], "//"), (COLORS["orange"], ".."))
    for k, ((name, values), (color, hatch)) in enumerate(zip(shares.items(), looks, strict=False)):
        spots = np.arange(len(values)) + width * (k - (len(shares) - 1) / 2)
        axis.bar(spots, 100 * np.asarray(values), width, color=color, hatch=hatch, edgecolor="white", label=name)
    axis.set_xticks(np.arange(len(values)))
    axis.set_xlabel("branches passed")
    axis.set_ylabel("share, percent")
    axis.grid(axis="x", visible=False)
    axis.legend()
    return figure


def unit_orders(orders):
    """Draws residual units that differ in the order of their layers, side by side.

    Example:

    >>> figure = unit_orders({"pre-activation": (["BN", "ReLU", "Conv"], []), "original": (["Conv", "BN"], ["ReLU"])})

    Args:
        orders: Dictionary from name to `(branch, behind)`: the names of the layers in the branch, and of those
            behind the addition.

    Returns:
        A Matplotlib figure; what is a ReLU is in color.
    """
    figure, axes = plt.subplots(1, len(orders), figsize=(7.2, 5.4), squeeze=False)
    line = {"color": COLORS["black"], "linewidth": 1.3, "solid_capstyle": "butt"}
    trunk, bypass, step = 2.3, 0.55, 1.12
    longest = max(len(branch) for branch, _ in orders.values())
    foot = 9.2 - step * (longest + 1.2)  # where the additions stand
    for axis, (name, (branch, behind)) in zip(axes[0], orders.items(), strict=True):
        axis.set(xlim=(0, 4), ylim=(foot - 2.6, 10.8))
        axis.axis("off")

        def arrow(start, end, axis=axis):
            style = {"arrowstyle": "-|>,head_length=0.35,head_width=0.18", "shrinkA": 0, "shrinkB": 0}
            axis.annotate("", end, start, arrowprops={**style, "color": COLORS["black"], "linewidth": 1.3})

        def box(y, text, axis=axis):
            ink, face = ("white", COLORS["vermillion"]) if text == "ReLU" else (COLORS["black"], "#f0f0f0")
            look = {"boxstyle": "round,pad=0,rounding_size=0.16", "facecolor": face, "linewidth": 1.2}
            edge = COLORS["vermillion"] if text == "ReLU" else COLORS["black"]
            axis.add_patch(FancyBboxPatch((trunk - 0.85, y - 0.34), 1.7, 0.68, edgecolor=edge, **look))
            axis.text(trunk, y, text, ha="center", va="center", fontsize=10, color=ink)

        axis.text(2.0, 10.75, name, ha="center", va="top", fontsize=11, fontweight="bold")
        axis.text(trunk, 9.75, "$x$", ha="center", va="center", fontsize=12)
        places = 9.2 - step * (np.arange(len(branch)) + 1)
        arrow((trunk, 9.45), (trunk, places[0] + 0.36))
        for place, text in zip(places, branch, strict=True):
            box(place, text)
        for place in places[:-1]:
            arrow((trunk, place - 0.34), (trunk, place - step + 0.36))
        axis.plot([trunk, bypass, bypass], [9.1, 9.1, foot], **line)
        arrow((bypass, foot), (trunk - 0.27, foot))
        arrow((trunk, places[-1] - 0.34), (trunk, foot + 0.28))
        axis.text(trunk + 0.15, (places[-1] - 0.34 + foot + 0.28) / 2, "$u$", ha="left", va="center", fontsize=12)
        axis.add_patch(plt.Circle((trunk, foot), 0.27, facecolor="white", edgecolor=COLORS["black"], linewidth=1.3))
        axis.text(trunk, foot - 0.02, "+", ha="center", va="center", fontsize=12)
        last = foot - 0.27
        for text in behind:
            arrow((trunk, last), (trunk, last - 0.42))
            box(last - 0.78, text)
            last -= 1.12
        arrow((trunk, last), (trunk, foot - 2.05))
        axis.text(trunk, foot - 2.35, "$y$", ha="center", va="center", fontsize=12)
    return figure


# --- Why networks meet noise ----------------------------------------------------------------------


def companion_rows(rows, position=None, label="sample", limits=(-0.6, 1.6)):
    """Draws an image and a signal side by side, one line for each noise level; all lines on the same scales.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> rows = {"clean": (rng.random((28, 28)), np.sin(np.arange(500) / 9))}
    >>> figure = companion_rows(rows)
    >>> len(figure.axes)
    2

    Args:
        rows: Dictionary from label to `(image, signal)`.
        position: Array for the signals' horizontal axis; sample numbers if None.
        label: String, the label of that axis.
        limits: The image values shown as black and as white.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(7.6, 0.5 + 1.5 * len(rows)), width_ratios=(1, 3.8), sharex="col", squeeze=False
    )
    top = 1.05 * max(np.abs(signal).max() for _, signal in rows.values())
    for (left, right), (name, (image, signal)) in zip(axes, rows.items(), strict=True):
        left.imshow(image, vmin=limits[0], vmax=limits[1], cmap="gray", interpolation="nearest")
        left.set(xticks=[], yticks=[])
        left.set_ylabel(name, fontsize=11)
        left.grid(False)
        left.spines[:].set_visible(False)
        right.plot(np.arange(len(signal)) if position is None else position, signal, color=COLORS["blue"], linewidth=1)
        right.set_ylim(-top, top)
        right.margins(x=0.01)
    axes[-1, 1].set_xlabel(label)
    return figure


def noise_sweep(panels, levels, chance=None, trained_at=None, label="test accuracy", what="images"):
    """Draws accuracy against noise level, a panel for each kind of noise: mean and range over random seeds.

    Example:

    >>> scores = {"clean digits": np.array([[0.3, 0.8, 0.9], [0.2, 0.7, 0.9]])}
    >>> figure = noise_sweep({"tested with noise": scores}, levels=[-5, 5, np.inf], chance=0.1)
    >>> figure.axes[0].get_xticklabels()[-1].get_text()
    'clean'

    Args:
        panels: Dictionary from a panel's label to a dictionary from training to array of shape
            `(seeds, levels)`.
        levels: Sequence of signal-to-noise ratios in dB; `inf` is shown as "clean".
        chance: Float, the score of guessing, drawn as a dashed line; None for none.
        trained_at: Float, a level to mark by a vertical line, or None.
        label: String, what the scores are.
        what: String, what is tested.

    Returns:
        A Matplotlib figure.
    """
    looks = [
        (COLORS["black"], "-", "o"),
        (COLORS["blue"], (0, (5, 1.5)), "s"),
        (COLORS["vermillion"], (0, (1, 1.2)), "^"),
        (COLORS["green"], (0, (6, 1.5, 1, 1.5)), "D"),
    ]
    names = ["clean" if np.isinf(level) else f"{level:g}".replace("-", "\N{MINUS SIGN}") for level in levels]
    figure, axes = plt.subplots(1, len(panels), figsize=(max(4.6, 3.9 * len(panels)), 3.9), sharey=True, squeeze=False)
    at = np.arange(len(levels))
    for axis, (panel, trainings) in zip(axes[0], panels.items(), strict=True):
        if trained_at is not None:
            axis.axvline(list(levels).index(trained_at), color="#c8c8c8", linewidth=5, zorder=0)
        for (name, scores), (color, dashes, mark) in zip(trainings.items(), looks, strict=False):
            scores = np.asarray(scores)
            axis.fill_between(at, scores.min(0), scores.max(0), color=color, alpha=0.18, linewidth=0)
            axis.plot(at, scores.mean(0), color=color, linestyle=dashes, marker=mark, markersize=5, label=name)
        if chance is not None:
            axis.axhline(chance, color=COLORS["gray"], linestyle="--", linewidth=1.2)
            axis.annotate("guessing", (at[-1], chance), (0, 3), textcoords="offset points", fontsize=9, ha="right")
        axis.set_xticks(at, names)
        axis.set_xlabel(f"SNR of the test {what} (dB)")
        axis.set_ylim(0, 1)
        axis.text(0.5, 1.02, panel, transform=axis.transAxes, ha="center", va="bottom")
    axes[0, 0].set_ylabel(label)
    handles, words = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=len(handles), handlelength=2.6, title="trained on")
    return figure


def best_guesses(values, curves):
    """Draws the best guess of a clean value from a noisy one, beside the guess that trusts the noisy value.

    Example:

    >>> values = np.linspace(-4, 4, 17)
    >>> shrunk = np.sign(values) * np.maximum(np.abs(values) - 1, 0)
    >>> figure = best_guesses(values, {"pixels": np.maximum(shrunk, 0), "first maps": np.stack([shrunk, 0.9 * shrunk])})
    >>> len(figure.axes)
    1

    Args:
        values: Array of noisy values.
        curves: Dictionary from label to array of guesses, of shape `(values,)`, or `(seeds, values)` to draw
            their mean and range.

    Returns:
        A Matplotlib figure.
    """
    looks = [
        (COLORS["black"], (0, (1, 1.2)), "o"),
        (COLORS["blue"], (0, (5, 1.5)), "s"),
        (COLORS["vermillion"], "-", "^"),
    ]
    figure, axis = plt.subplots(figsize=(6.6, 4.2))
    axis.plot(values, values, color=COLORS["gray"], linestyle=(0, (1, 1.5)), linewidth=1.4)
    axis.annotate(
        "trust it",
        (values[-1], values[-1]),
        (-6, -2),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color="#5a5a5a",
    )
    for (name, guesses), (color, dashes, mark) in zip(curves.items(), looks, strict=False):
        guesses = np.atleast_2d(guesses)
        axis.fill_between(values, guesses.min(0), guesses.max(0), color=color, alpha=0.18, linewidth=0)
        axis.plot(values, guesses.mean(0), color=color, linestyle=dashes, marker=mark, markersize=5, label=name)
    axis.axhline(0, color=COLORS["gray"], linewidth=0.8, zorder=0)
    axis.set_xlabel("noisy value, in units of the mean magnitude")
    axis.set_ylabel("best guess of the clean value")
    axis.legend(loc="upper left", handlelength=2.6)
    return figure


# --- Squeeze and excitation, the shrinkage units --------------------------------------------------


def gate_bars(gates, images, marked=()):
    """Draws the gates of a few samples as bars, a row for each sample beside its image.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> gates = {"sample A": rng.random(16), "sample B": rng.random(16)}
    >>> figure = gate_bars(gates, rng.random((2, 28, 28)), marked=(3, 8))

    Args:
        gates: Dictionary from label to array of shape `(channels,)`, each between 0 and 1.
        images: Array of shape `(len(gates), height, width)`.
        marked: Sequence of at most two channels to be drawn in color.

    Returns:
        A Matplotlib figure.
    """
    looks = [(COLORS["vermillion"], "first channel"), (COLORS["blue"], "second channel")]
    figure, axes = plt.subplots(
        len(gates), 2, figsize=(7.2, 0.5 + 1.75 * len(gates)), width_ratios=[1, 3.6], squeeze=False
    )
    for (left, right), (name, values), image in zip(axes, gates.items(), images, strict=True):
        left.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        left.set(xticks=[], yticks=[])
        left.set_xlabel(name, fontsize=10)
        left.grid(False)
        left.spines[:].set_visible(False)
        bars = right.bar(np.arange(len(values)), values, width=0.8, color="#bdbdbd")
        for channel, (color, _) in zip(marked, looks, strict=False):
            bars[channel].set_color(color)
        right.set(ylim=(0, 1), ylabel="gate $g$", xticks=np.arange(len(values)))
        right.grid(axis="x", visible=False)
    axes[-1, 1].set_xlabel("channel")
    if len(marked):
        handles = [plt.Rectangle((0, 0), 1, 1, color=color, label=label) for color, label in looks[: len(marked)]]
        figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=9)
    return figure


def shared_thresholds(panels):
    """Draws one threshold against the channels that share it, a panel for each sample.

    Example:

    >>> u = np.abs(np.random.default_rng(0).normal(size=(196, 16))) * np.linspace(0.2, 2, 16)
    >>> figure = shared_thresholds({"a sample": (u.mean(axis=0), u.max(axis=0), 0.5 * u.mean())})

    Args:
        panels: Dictionary from label to `(means, peaks, threshold)`: two arrays of shape `(channels,)`, the mean
            and the largest magnitude of each channel, and a float.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(len(panels), 1, figsize=(7.2, 0.6 + 2.0 * len(panels)), sharex=True, squeeze=False)
    for axis, (name, (means, peaks, threshold)) in zip(axes[:, 0], panels.items(), strict=True):
        at = np.arange(len(means))
        axis.vlines(at, means, peaks, color=COLORS["blue"], linewidth=1.4, label="up to the largest $|u|$")
        axis.bar(at, means, width=0.8, color=COLORS["sky"], label="mean magnitude $m$")
        axis.axhline(threshold, color=COLORS["black"], linestyle=(0, (5, 1.5)), linewidth=1.4, label=r"shared $\tau$")
        axis.text(0.995, 1.0, name, transform=axis.transAxes, ha="right", va="bottom", fontsize=10)
        axis.set(ylim=(0, None), xticks=at, ylabel="$|u|$")
        axis.grid(axis="x", visible=False)
    axes[-1, 0].set_xlabel("channel")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return figure


def start_runs(losses, scores):
    """Draws the loss epoch by epoch and the final score of every run, for two or more ways to start.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> losses = {start: 2 / np.arange(1, 11) + rng.random((10, 10)) for start in (0.5, 0.018)}
    >>> figure = start_runs(losses, {start: 0.8 + 0.1 * rng.random(10) for start in losses})

    Args:
        losses: Dictionary from start to array of shape `(seeds, epochs)`.
        scores: Dictionary from start to array of shape `(seeds,)`, in the same order of the seeds.

    Returns:
        A Matplotlib figure; thin lines are seeds, thick ones medians over the seeds. At the right the two runs of
        a seed are joined; a bar is the mean, a diamond the median.
    """
    looks = [(COLORS["vermillion"], "-"), (COLORS["blue"], (0, (5, 1.5))), (COLORS["green"], (0, (6, 1.5, 1, 1.5)))]
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.6), width_ratios=[1.35, 1])
    for (start, curves), (color, dashes) in zip(losses.items(), looks, strict=False):
        epochs = np.arange(1, curves.shape[1] + 1)
        left.plot(epochs, curves.T, color=color, linewidth=0.7, alpha=0.4)
        left.plot(
            epochs, np.median(curves, axis=0), color=color, linestyle=dashes, label=rf"start at $\alpha$ = {start}"
        )
    left.set(xlabel="epoch", ylabel="training loss", xlim=(1, None), ylim=(0, None))
    left.legend(loc="upper right", handlelength=2.6)
    columns = np.arange(len(scores))
    right.plot(columns, np.array(list(scores.values())), color="#b8b8b8", linewidth=1.0, zorder=1)
    for column, (values, (color, _)) in enumerate(zip(scores.values(), looks, strict=False)):
        right.plot(np.full(len(values), column), values, "o", color=color, markersize=5.5, alpha=0.8)
        side = column + (-0.24 if column == 0 else 0.24)
        right.plot([side - 0.1, side + 0.1], [np.mean(values)] * 2, color=color, linewidth=2.5)
        right.plot(side, np.median(values), "D", color="white", markeredgecolor=color, markersize=6.5)
    right.set_xticks(columns, [rf"$\alpha$ = {start}" for start in scores])
    right.set(xlim=(-0.5, len(scores) - 0.5), ylabel="test accuracy")
    right.grid(axis="x", visible=False)
    handles = [
        plt.Line2D([], [], color=COLORS["gray"], linewidth=2.5, label="mean"),
        plt.Line2D([], [], color="white", marker="D", markeredgecolor=COLORS["gray"], markersize=6.5, label="median"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=9)
    return figure


# --- Evaluating honestly --------------------------------------------------------------------------


def named_curves(x, curves, xlabel, ylabel, bounds=None, levels=None, base=2, limits=None):
    """Draws curves over a count on a logarithmic axis, with bounds on them and levels to compare with.

    Example:

    >>> count = np.array([1, 2, 5, 10])
    >>> figure = named_curves(count, {"best": np.sqrt(np.log(count))}, "candidates", "gain", levels={"limit": 2.0})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['best', 'limit']

    Args:
        x: Array of counts, above zero.
        curves: Dictionary from label to array of values.
        xlabel: String.
        ylabel: String.
        bounds: Dictionary from a curve's label to array of values, drawn dashed in the curve's color; None for
            none.
        levels: Dictionary from label to a height, drawn as a dashed line; None for none.
        base: Float, the base of the axis' ticks; the counts themselves are named if there are at most ten.
        limits: `(low, high)` of the vertical axis; None for those of the curves, from zero.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(7.2, 3.6))
    colors = [COLORS["blue"], COLORS["vermillion"], COLORS["green"], COLORS["purple"]]
    for color, mark, (name, values) in zip(colors, "osD^", curves.items(), strict=False):
        axis.plot(x, values, color=color, marker=mark, markersize=5.5, label=name, clip_on=False, zorder=3)
        if name in (bounds or {}):
            axis.plot(x, bounds[name], color=color, linewidth=1.2, linestyle=(0, (4, 3)))
    for name, height in (levels or {}).items():
        axis.axhline(height, color=COLORS["black"], linewidth=1.2, linestyle=(0, (4, 3)), label=name)
    axis.set_xscale("log", base=base)
    if len(x) <= 10:
        axis.set_xticks(x, [f"{count:,}" for count in x])
        axis.minorticks_off()
    axis.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None) if limits is None else limits)
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2 if max(map(len, names)) > 22 else 4)
    return figure


def split_scores(panels, chance, label="test accuracy"):
    """Draws the scores of classifiers under several ways to split the same data, one dot a split.

    Example:

    >>> scores = {"at random": {"nearest": [0.97, 0.98]}, "by recording": {"nearest": [0.78, 0.84]}}
    >>> figure = split_scores({"eight states": scores}, chance=[1 / 8])
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['at random', 'by recording']

    Args:
        panels: Dictionary from a panel's name to a dictionary from way to split to a dictionary from
            classifier to sequence of scores.
        chance: Sequence of floats, the score of guessing in each panel.
        label: String, what the scores are.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.6), sharey=True, squeeze=False)
    colors, width = [COLORS["blue"], COLORS["vermillion"], COLORS["green"]], 0.34
    for axis, guess, (title, ways) in zip(axes[0], chance, panels.items(), strict=True):
        axis.axhline(guess, color=COLORS["black"], linewidth=1.2, linestyle=(0, (4, 3)))
        for column, found in enumerate(ways.values()):
            for k, (color, (name, scores)) in enumerate(zip(colors, found.items(), strict=False)):
                middle = column + width * (k - (len(found) - 1) / 2)
                spots = middle + np.linspace(-0.11, 0.11, len(scores))
                axis.plot(spots, scores, "osD"[k], color=color, markersize=4, alpha=0.6, markeredgewidth=0)
                bar = [middle - 0.14, middle + 0.14]
                axis.plot(bar, [np.mean(scores)] * 2, color=color, linewidth=3, label=None if column else name)
        axis.set_xticks(range(len(ways)), list(ways))
        axis.set_xlim(-0.55, len(ways) - 0.45)
        axis.text(0.5, 1.02, title, transform=axis.transAxes, ha="center", va="bottom", fontsize=11)
        axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylim(0, 1.02)
    axes[0, 0].set_ylabel(label)
    handles, names = axes[0, 0].get_legend_handles_labels()
    handles.append(plt.Line2D([], [], color=COLORS["black"], linewidth=1.2, linestyle=(0, (4, 3))))
    figure.legend(handles, [*names, "guessing"], loc="outside upper center", ncols=len(handles))
    return figure


# --- What did it learn? ---------------------------------------------------------------------------

_LEVEL_LOOKS = [
    (COLORS["vermillion"], "-", "o"),
    (COLORS["blue"], (0, (5, 1.5)), "s"),
    (COLORS["black"], (0, (1, 1.2)), "^"),
    (COLORS["green"], (0, (6, 1.5, 1, 1.5)), "D"),
    (COLORS["purple"], (0, (3, 1, 1, 1, 1, 1)), "v"),
    (COLORS["gray"], (0, (8, 2)), "x"),
]


def channel_bands(panels, label, limits=(0.0, 1.0)):
    """Draws how a quantity of each channel is distributed over samples, channels sorted by their median.

    Example:

    >>> alpha = np.random.default_rng(0).random((500, 8))
    >>> figure = channel_bands({"unit 1": alpha, "unit 2": alpha}, "alpha")
    >>> figure.axes[0].get_ylabel()
    'alpha'

    Args:
        panels: Dictionary from a panel's label to array of shape `(samples, channels)`.
        label: String, what the quantity is.
        limits: `(low, high)` of the vertical axis; None in it for the data's.

    Returns:
        A Matplotlib figure; thin bars reach from the 5th to the 95th percentile, thick ones from the 25th to the
        75th, dots are medians.
    """
    counts = [values.shape[1] for values in panels.values()]
    figure, axes = plt.subplots(
        1, len(panels), figsize=(8.2, 3.1), sharey=True, squeeze=False, width_ratios=[count + 4 for count in counts]
    )
    for axis, (name, values) in zip(axes[0], panels.items(), strict=True):
        values = values[:, np.argsort(np.median(values, axis=0), kind="stable")]
        low, first, middle, third, high = np.percentile(values, [5, 25, 50, 75, 95], axis=0)
        at = np.arange(values.shape[1])
        axis.vlines(at, low, high, color=COLORS["sky"], linewidth=2, label="5 to 95 %")
        axis.vlines(at, first, third, color=COLORS["blue"], linewidth=5, label="25 to 75 %")
        axis.plot(at, middle, "o", color="white", markeredgecolor=COLORS["black"], markersize=5, label="median")
        axis.set(xticks=[], ylim=limits, xlim=(-0.8, len(at) - 0.2))
        axis.grid(axis="x", visible=False)
        axis.set_xlabel("channels, sorted")
        axis.text(0.5, 1.02, name, transform=axis.transAxes, ha="center", va="bottom", fontsize=10)
    axes[0, 0].set_ylabel(label)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return figure


def level_panels(rows, levels, label, zero=False, height=2.3):
    """Draws quantities against the noise level in a grid of panels: mean and range over random seeds.

    Example:

    >>> curves = {"threshold": np.array([[0.5, 0.4, 0.4], [0.6, 0.5, 0.4]])}
    >>> figure = level_panels({"": {"unit 1": curves, "unit 2": curves}}, levels=[-5, 5, np.inf], label="size")
    >>> len(figure.axes)
    2

    Args:
        rows: Dictionary from a row's label to a dictionary from a panel's label to a dictionary from a curve's
            label to array of shape `(seeds, levels)`. All panels have the curves of the first.
        levels: Sequence of signal-to-noise ratios in dB; `inf` is shown as "clean".
        label: String, what the quantities are.
        zero: Whether a line at zero is drawn; otherwise the axis starts there.
        height: Float, inches a row.

    Returns:
        A Matplotlib figure; panels of a row share their axis.
    """
    names = ["clean" if np.isinf(level) else f"{level:g}".replace("-", "\N{MINUS SIGN}") for level in levels]
    at, columns = np.arange(len(levels)), len(next(iter(rows.values())))
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(8.2 if columns > 1 else 7.2, 0.8 + height * len(rows)),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for line, (row, panels) in zip(axes, rows.items(), strict=True):
        for axis, (panel, curves) in zip(line, panels.items(), strict=True):
            for (name, values), (color, dashes, mark) in zip(curves.items(), _LEVEL_LOOKS, strict=False):
                values = np.asarray(values)
                axis.fill_between(at, values.min(0), values.max(0), color=color, alpha=0.18, linewidth=0)
                axis.plot(
                    at,
                    values.mean(0),
                    color=color,
                    linestyle=dashes,
                    marker=mark,
                    markersize=3.5 if columns > 1 else 5,
                    linewidth=1.5,
                    label=name,
                )
            if zero:
                axis.axhline(0, color=COLORS["black"], linewidth=1)
            if axis in axes[0]:
                axis.text(0.5, 1.02, panel, transform=axis.transAxes, ha="center", va="bottom", fontsize=10)
        if not zero:
            line[0].set_ylim(0, None)
        if row:
            line[-1].annotate(
                row, (1.03, 0.5), xycoords="axes fraction", rotation=-90, ha="left", va="center", fontsize=10
            )
    few = sorted({0, (len(at) - 1) // 2, len(at) - 1}) if columns > 2 else at
    for axis in axes[-1]:
        axis.set_xticks([at[k] for k in few], [names[k] for k in few])
    figure.supxlabel("SNR of the images (dB)", fontsize=11)
    figure.supylabel(label, fontsize=11)
    handles, words = axes[0, 0].get_legend_handles_labels()
    wide = max(map(len, words)) > 24
    figure.legend(handles, words, loc="outside upper center", ncols=2 if wide else 4, handlelength=2.8, fontsize=9)
    return figure


def variance_shares(panels):
    """Draws what the variance of quantities, or any other whole, is made of, as stacked bars.

    Example:

    >>> shares = {"class": np.array([0.3, 0.5]), "rest": np.array([0.7, 0.5])}
    >>> figure = variance_shares({"alpha": (["unit 1", "unit 2"], shares)})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['class', 'rest']

    Args:
        panels: Dictionary from a panel's label to `(names, shares)`: a list of the bars' names, and a dictionary
            from a part's name to array of the bars' shares. The parts of a bar add up to 1.

    Returns:
        A Matplotlib figure.
    """
    # A texture beside the color, so that parts are told apart in gray too.
    looks = [("#0072B2", ""), ("#56B4E9", "//"), ("#D55E00", "\\\\"), ("#d0d0d0", "..")]
    longest = max(len(names) for names, _ in panels.values())
    figure, axes = plt.subplots(1, len(panels), figsize=(8.2, 1.4 + 0.34 * longest), sharex=True, squeeze=False)
    for axis, (panel, (names, shares)) in zip(axes[0], panels.items(), strict=True):
        left = np.zeros(len(names))
        for (part, values), (color, hatch) in zip(shares.items(), looks, strict=False):
            axis.barh(
                range(len(names)),
                values,
                left=left,
                color=color,
                hatch=hatch,
                edgecolor="white",
                label=part,
                height=0.8,
            )
            left = left + values
        axis.set_yticks(range(len(names)), names if axis is axes[0, 0] else [])
        axis.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, 1), xticks=[0, 0.5, 1])
        axis.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
        axis.grid(axis="y", visible=False)
        axis.text(0.5, 1.02, panel, transform=axis.transAxes, ha="center", va="bottom", fontsize=11)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    return figure


def channel_correlations(panels, label="rank correlation with the noise"):
    """Draws a correlation of every channel, in columns, one color a quantity.

    Example:

    >>> found = {"m": np.array([0.2, 0.9]), "alpha": np.array([-0.5, 0.5])}
    >>> figure = channel_correlations({"trained clean": {"unit 1": found, "unit 2": found}})
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['unit 1', 'unit 2']

    Args:
        panels: Dictionary from a panel's label to a dictionary from unit to a dictionary from quantity to array of
            correlations, one a channel.
        label: String, what the correlations are.

    Returns:
        A Matplotlib figure; bars are means over channels.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(8.4, 3.6), sharey=True, squeeze=False)
    looks = [(COLORS["blue"], "s"), (COLORS["orange"], "o"), (COLORS["vermillion"], "^")]
    for axis, (panel, found) in zip(axes[0], panels.items(), strict=True):
        axis.axhline(0, color=COLORS["black"], linewidth=1)
        for column, quantities in enumerate(found.values()):
            for k, ((name, values), (color, mark)) in enumerate(zip(quantities.items(), looks, strict=False)):
                middle = column + 0.28 * (k - (len(quantities) - 1) / 2)
                spots = middle + np.linspace(-0.08, 0.08, len(values))
                axis.plot(spots, values, mark, color=color, markersize=3, alpha=0.55, markeredgewidth=0)
                bar = [middle - 0.12, middle + 0.12]
                axis.plot(bar, [np.mean(values)] * 2, color=color, linewidth=3, label=None if column else name)
        axis.set_xticks(range(len(found)), list(found))
        axis.tick_params(axis="x", labelsize=9)
        axis.set(ylim=(-1.02, 1.02))
        axis.grid(axis="x", visible=False)
        axis.text(0.5, 1.02, panel, transform=axis.transAxes, ha="center", va="bottom", fontsize=10)
    axes[0, 0].set_ylabel(label)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10)
    return figure


def unit_path(columns, rows=("$u$", "after shrinkage")):
    """Draws maps on their way through units: a column a unit, a row a step, each column on its own scale.

    Example:

    >>> u = np.random.default_rng(0).normal(size=(14, 14))
    >>> figure = unit_path({"unit 1": [u, np.sign(u) * np.maximum(np.abs(u) - 0.5, 0)]})
    >>> [axis.get_ylabel() for axis in figure.axes]
    ['$u$', 'after shrinkage']

    Args:
        columns: Dictionary from a column's label to a list of arrays of shape `(height, width)`, one a row.
        rows: Sequence of strings, the rows' labels.

    Returns:
        A Matplotlib figure; zero is white, positive red, negative blue.
    """
    size = (1.0 + 1.75 * len(columns), 0.4 + 1.75 * len(rows))
    figure, axes = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False, layout="constrained")
    for k, (name, maps) in enumerate(columns.items()):
        top = max(np.abs(one).max() for one in maps) or 1.0
        for line, one in zip(axes, maps, strict=True):
            axis = line[k]
            axis.imshow(one, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            for spine in axis.spines.values():
                spine.set(visible=True, color="#b0b0b0", linewidth=0.8)
        axes[0, k].set_xlabel(name, fontsize=9.5)
        axes[0, k].xaxis.set_label_position("top")
    for line, label in zip(axes, rows, strict=True):
        line[0].set_ylabel(label, fontsize=10)
    return figure


# --- Noisy digits ---------------------------------------------------------------------------------


def level_differences(table, pairs, panels=None, value="test_accuracy", source=True, one_scale=True):
    """Draws how far networks are ahead of others at each noise level: paired differences and their mean.

    Example:

    >>> import pandas as pd
    >>> scores = {("resnet", -5): [0.70, 0.72], ("drsn-cw", -5): [0.71, 0.75]}
    >>> scores |= {("resnet", None): [0.95, 0.96], ("drsn-cw", None): [0.96, 0.96]}
    >>> rows = [(v, snr, seed, x) for (v, snr), numbers in scores.items() for seed, x in enumerate(numbers)]
    >>> runs = pd.DataFrame(rows, columns=["variant", "snr_db", "seed", "test_accuracy"])
    >>> figure = level_differences(runs, [("drsn-cw", "resnet")], source=False)
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['−5', 'clean']

    Args:
        table: A table of records with a column `"snr_db"`, which is empty where there was no noise; see
            `drsn_lib.records.probe_table`.
        pairs: List of `(variant, control)`; at most four in one panel.
        panels: String, the column that gives one panel each, or `"pair"` for a panel a pair; None for a single
            panel.
        value: String, the column of the scores.
        source: Whether a line at the foot says where the records are from.
        one_scale: Whether all panels have the same vertical scale.

    Returns:
        A Matplotlib figure. Dots are random seeds, marks their means, lines bootstrap intervals of 95 %, from five
        seeds on (see `drsn_lib.records.paired`).

    Raises:
        ValueError: If there are more than four pairs in a panel, or as for `drsn_lib.records.paired`.
    """
    from drsn_lib import records

    apart = panels == "pair"
    if len(pairs) > 4 and not apart:
        raise ValueError(
            f"Expected at most four pairs in one panel. Received {len(pairs)}; `panels='pair'` draws more."
        )
    looks = [(COLORS["vermillion"], "o"), (COLORS["blue"], "s"), (COLORS["green"], "^"), (COLORS["purple"], "D")]
    kinds = list(range(len(pairs))) if apart else [None] if panels is None else list(dict.fromkeys(table[panels]))
    levels = [*sorted(table["snr_db"].dropna().unique())] + [None] * bool(table["snr_db"].isna().any())
    names = ["clean" if level is None else f"{level:g}".replace("-", "\N{MINUS SIGN}") for level in levels]
    columns = 2 if len(kinds) == 4 else min(3, len(kinds))
    lines = -(-len(kinds) // columns)
    size = (max(5.2, 1.2 + 2.4 * max(columns, 3 * (lines > 1))), 3.9 if lines == 1 else 1.0 + 2.4 * lines)
    figure, axes = plt.subplots(lines, columns, figsize=size, sharex=True, sharey=one_scale, squeeze=False)
    for axis in axes.flat[len(kinds) :]:
        axis.axis("off")
    for axis, kind in zip(axes.flat, kinds, strict=False):
        part = table if apart or kind is None else table[table[panels] == kind]
        here = [pairs[kind]] if apart else pairs
        axis.axhline(0, color=COLORS["black"], linewidth=1)
        for place, ((a, b), (color, mark)) in enumerate(zip(here, looks, strict=False)):
            color = VARIANT_COLORS.get(b, COLORS["black"]) if apart else color
            words = f"{VARIANT_NAMES.get(a, a)} \N{MINUS SIGN} {VARIANT_NAMES.get(b, b)}"
            at = np.arange(len(levels)) + 0.24 * (place - (len(here) - 1) / 2)
            label = None if apart else words
            for spot, level in zip(at, levels, strict=True):
                there = part[part["snr_db"].isna() if level is None else part["snr_db"] == level]
                if not len(there):  # a panel need not have every level
                    continue
                found = records.paired(there, a, b, value)
                seeds = 100 * found.differences.to_numpy(float)
                if found.enough:
                    axis.plot([spot] * 2, [100 * found.low, 100 * found.high], color=color, linewidth=1.8)
                beside = [spot + 0.16 / (len(here) + 1)] * found.n  # where the line does not hide them
                axis.plot(beside, seeds, "o", color=color, markersize=3.2, alpha=0.5, markeredgewidth=0)
                axis.plot(spot, 100 * found.mean, mark, color=color, markersize=5, linestyle="none", label=label)
                label = None
        axis.set_xticks(range(len(levels)), names, fontsize=9 if len(kinds) > 1 else 10)
        axis.grid(axis="x", visible=False)
        if kind is not None:
            said = words if apart else str(kind)
            axis.text(0.5, 1.02, said, transform=axis.transAxes, ha="center", va="bottom", fontsize=10)
    for place in range(columns):  # a column's lowest panel carries the levels
        lowest = axes[(len(kinds) - 1 - place) // columns, place]
        lowest.set_xlabel("SNR (dB)")
        lowest.tick_params(labelbottom=True)
    if lines > 1:
        figure.supylabel("difference, percentage points", fontsize=11)
    else:
        axes[0, 0].set_ylabel("difference, percentage points")
    if not apart:
        _legend(figure, axes[0, 0])
    return _with_source(figure, table, source)


# --- Noisy photographs ----------------------------------------------------------------------------


def photograph_rows(rows, labels):
    """Draws color photographs in a grid: a row a photograph, a column what was done to it.

    Example:

    >>> photograph = np.random.default_rng(0).random((32, 32, 3))
    >>> figure = photograph_rows([[photograph, photograph + 0.1]], ["clean", "brighter"])
    >>> [axis.get_xlabel() for axis in figure.axes]
    ['clean', 'brighter']

    Args:
        rows: Sequence of rows, each a sequence of arrays of shape `(height, width, 3)`. Values below 0 are shown
            as 0, those above 1 as 1.
        labels: Sequence of strings, one a column.

    Returns:
        A Matplotlib figure.
    """
    size = (1.3 * len(labels) + 0.2, 1.3 * len(rows) + 0.45)
    figure, axes = plt.subplots(len(rows), len(labels), figsize=size, squeeze=False)
    for line, photographs in zip(axes, rows, strict=True):
        for axis, photograph in zip(line, photographs, strict=True):
            axis.imshow(np.clip(photograph, 0, 1), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            for spine in axis.spines.values():
                spine.set_visible(False)
    for axis, label in zip(axes[-1], labels, strict=True):
        axis.set_xlabel(label, fontsize=10)
    return figure


def level_curves(table, value="test_accuracy", trained_at=None, chance=None, label=None, source=True):
    """Draws accuracy against the noise level, samples without noise among them: mean and range over random seeds.

    Example:

    >>> import pandas as pd
    >>> levels, scores = [-5, -5, None, None], [0.70, 0.72, 0.90, 0.92]
    >>> runs = pd.DataFrame({"variant": "resnet", "seed": [0, 1, 0, 1], "snr_db": levels, "test_accuracy": scores})
    >>> figure = level_curves(runs, source=False)
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['−5', 'clean']

    Args:
        table: A table of records with a column `"snr_db"`, which is empty where there was no noise; see
            `drsn_lib.records.probe_table`.
        value: String, the column of the scores.
        trained_at: Float, a level to mark by a vertical line, or None.
        chance: Float, the score of guessing, drawn as a dashed line; None for none.
        label: String, what the scores are; the column's name if None.
        source: Whether a line at the foot says where the records are from.

    Returns:
        A Matplotlib figure; the band reaches from the lowest to the highest seed.

    Raises:
        ValueError: If there are no records, or as for `drsn_lib.records.by_seed`.
    """
    from drsn_lib import records

    if not len(table):
        raise ValueError("There are no records to draw.")
    levels = sorted(set(table["snr_db"].astype(float).fillna(np.inf)))
    names = ["clean" if np.isinf(level) else f"{level:g}".replace("-", "\N{MINUS SIGN}") for level in levels]
    at, of_row = np.arange(len(levels)), table["snr_db"].astype(float).fillna(np.inf)
    figure, axis = plt.subplots(figsize=(7.2, 4.0))
    if trained_at is not None:
        axis.axvline(levels.index(trained_at), color="#c8c8c8", linewidth=5, zorder=0)
    for name in _variants(table[["variant"]].to_dict("records")):
        found = [records.by_seed(table[(table["variant"] == name) & (of_row == level)], value) for level in levels]
        low, mean, high = (np.array([getattr(one, what)() for one in found]) for what in ("min", "mean", "max"))
        color, (dashes, mark) = VARIANT_COLORS.get(name, COLORS["black"]), _VARIANT_LOOKS.get(name, ("-", "o"))
        axis.fill_between(at, low, high, color=color, alpha=0.16, linewidth=0)
        shown = VARIANT_NAMES.get(name, name)
        axis.plot(at, mean, color=color, linestyle=dashes, marker=mark, markersize=5, label=shown)
    if chance is not None:
        axis.axhline(chance, color=COLORS["gray"], linestyle="--", linewidth=1.2)
        axis.annotate("guessing", (at[-1], chance), (0, 3), textcoords="offset points", fontsize=9, ha="right")
    axis.set_xticks(at, names)
    axis.set(xlabel="SNR of the test samples (dB)", ylabel=label or value.replace("_", " "))
    _legend(figure, axis)
    return _with_source(figure, table, source)


# --- Combining and choosing -----------------------------------------------------------------------


def parameter_shares(rows):
    """Draws how many parameters networks have, and in which kind of layer they are, as stacked bars.

    Example:

    >>> figure = parameter_shares({"ResNet": {"convolutions": 7000, "gates": 0}, "SENet": {"gates": 3000}})
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['ResNet', 'SENet']

    Args:
        rows: Dictionary from a network's label to a dictionary from a kind of layer to its number of parameters.

    Returns:
        A Matplotlib figure.
    """
    kinds = list(dict.fromkeys(kind for row in rows.values() for kind in row))
    looks = [(COLORS["blue"], ""), (COLORS["sky"], ""), (COLORS["orange"], "//"), (COLORS["purple"], "\\\\")]
    figure, axis = plt.subplots(figsize=(7.2, 0.9 + 0.5 * len(rows)))
    left = np.zeros(len(rows))
    for kind, (color, hatch) in zip(kinds, looks, strict=False):
        width = np.array([row.get(kind, 0) for row in rows.values()], float)
        axis.barh(range(len(rows)), width, 0.62, left, color=color, hatch=hatch, edgecolor="white", label=kind)
        left += width
    for place, total in enumerate(left):
        axis.annotate(f"{total:,.0f}", (total, place), (4, 0), textcoords="offset points", va="center", fontsize=9.5)
    axis.set_yticks(range(len(rows)), list(rows))
    axis.invert_yaxis()
    axis.set(xlabel="parameters", xlim=(0, 1.14 * left.max()))
    axis.grid(axis="y", visible=False)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds), fontsize=10)
    return figure


def cost_ratios(panels):
    """Draws what networks cost as multiples of one of them: medians, with the range of the middle half of the rounds.

    Example:

    >>> figure = cost_ratios({"forward pass": {"SENet": [1.1, 1.2, 1.3], "DRSN-CW": [1.2, 1.3, 1.5]}})
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['SENet', 'DRSN-CW']

    Args:
        panels: Dictionary from a panel's label to a dictionary from a network's label to its ratios, one a round.

    Returns:
        A Matplotlib figure.
    """
    height = 1.1 + 0.42 * max(len(rows) for rows in panels.values())
    figure, axes = plt.subplots(1, len(panels), figsize=(8.0, height), sharey=True, squeeze=False)
    for axis, (name, rows) in zip(axes[0], panels.items(), strict=True):
        axis.axvline(1, color=COLORS["black"], linewidth=1)
        for place, ratios in enumerate(rows.values()):
            low, middle, high = np.percentile(ratios, [25, 50, 75])
            axis.plot([low, high], [place] * 2, color=COLORS["vermillion"], linewidth=5, alpha=0.4)
            axis.plot(middle, place, "o", color=COLORS["vermillion"], markersize=7)
        axis.set_yticks(range(len(rows)), list(rows))
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_xlabel("time, as a multiple of the ResNet's")
        axis.text(0.5, 1.02, name, transform=axis.transAxes, ha="center", va="bottom")
        axis.grid(axis="y", visible=False)
    return figure


def step_ratios(rows, wanted):
    """Draws what a step costs as a multiple of the plain network's: a row of panels for each of several libraries.

    Example:

    >>> one = {"ratio": 1.1, "low": 1.05, "high": 1.2}
    >>> figure = step_ratios({"JAX": {"training": {"digits": {"senet": one}}}}, {"drsn-cw": 1.1})
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['digits']

    Args:
        rows: Dictionary from a library's name to a dictionary from the label of a panel to one from a network's
            label to one from a variant to its `"ratio"`, and the ends `"low"` and `"high"` of its interval.
        wanted: Dictionary from a variant to the ratio that is wanted of it; or from a library's name to such a
            dictionary, which then holds for its row.

    Returns:
        A Matplotlib figure; a panel for each library and label, a color and mark for each variant, short lines of
        its color at what is wanted of it.
    """
    modes = list(next(iter(rows.values())))
    figure, axes = plt.subplots(
        len(rows), len(modes), figsize=(8.6, 0.9 + 2.5 * len(rows)), sharex=True, sharey=True, squeeze=False
    )
    names = {}
    for line, (library, panels) in zip(axes, rows.items(), strict=True):
        limits = wanted.get(library, {} if any(name in wanted for name in rows) else wanted)
        for axis, (mode, networks) in zip(line, panels.items(), strict=True):
            axis.axhline(1, color=COLORS["black"], linewidth=1)
            for place, variants in enumerate(networks.values()):
                for number, (variant, one) in enumerate(variants.items()):
                    at = place + 0.2 * (number - (len(variants) - 1) / 2)
                    color, mark = VARIANT_COLORS[variant], _VARIANT_LOOKS[variant][1]
                    names[variant] = color, mark
                    axis.plot([at, at], [one["low"], one["high"]], color=color, linewidth=4, alpha=0.35)
                    axis.plot(at, one["ratio"], mark, color=color, markersize=6)
                    if variant in limits:
                        axis.plot([at - 0.09, at + 0.09], [limits[variant]] * 2, color=color, linewidth=1.6)
            axis.set_xticks(range(len(networks)), [name.replace(", ", ",\n") for name in networks], fontsize=9.5)
            axis.set_xlim(-0.6, len(networks) - 0.4)
            axis.grid(axis="x", visible=False)
            axis.text(0.5, 1.03, f"{library}, {mode}", transform=axis.transAxes, ha="center", va="bottom")
        line[0].set_ylabel("times the ResNet's")
    for variant, (color, mark) in names.items():
        axes[0, 0].plot([], [], mark, color=color, label=VARIANT_NAMES[variant])
    axes[0, 0].plot([], [], "-", color=COLORS["gray"], linewidth=1.6, label="wanted at most")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False)
    return figure


def two_factors(groups, labels, ylabel="test accuracy"):
    """Draws the scores of a two-factor experiment: one factor along the axis, the other as lines, a dot a random seed.

    Where the factors simply add up, the lines are parallel.

    Example:

    >>> groups = {"ReLU": ([0.90, 0.91], [0.92, 0.93]), "APReLU": ([0.91, 0.93], [0.93, 0.95])}
    >>> figure = two_factors(groups, ("no threshold", "threshold"))
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['no threshold', 'threshold']

    Args:
        groups: Dictionary from a label of the second factor, of two, to as many sequences of scores as the first
            factor has places, one number a random seed and the same seeds in the same order.
        labels: Sequence of strings, what the first factor's places are called.
        ylabel: String.

    Returns:
        A Matplotlib figure; thin lines join a seed's scores, thick ones the means.

    Raises:
        ValueError: If a label has not one sequence of scores for each of `labels`.
    """
    for name, scores in groups.items():
        if len(scores) != len(labels):
            raise ValueError(
                f"`groups` must hold one sequence of scores for each of the {len(labels)} labels. "
                f"Received: {len(scores)} for {name!r}"
            )
    figure, axis = plt.subplots(figsize=(2.4 + 1.6 * len(labels), 3.8))
    looks = [(COLORS["blue"], "s", "-"), (COLORS["purple"], "o", (0, (5, 1.5)))]
    places = np.arange(len(labels))
    for (name, scores), (color, mark, dashes), shift in zip(groups.items(), looks, (-0.03, 0.03), strict=False):
        at = places + shift
        for of_seed in zip(*scores, strict=True):
            axis.plot(at, of_seed, mark, color=color, linestyle=dashes, linewidth=0.8, markersize=4, alpha=0.5)
        means = [np.mean(one) for one in scores]
        axis.plot(at, means, mark, color=color, linestyle=dashes, linewidth=2.8, markersize=9, label=name)
    axis.set_xticks(places, labels)
    axis.set_xlim(-0.35, len(labels) - 0.65)
    axis.set_ylabel(ylabel)
    axis.grid(axis="x", visible=False)
    axis.legend()
    return figure


def difference_forest(groups, unit="percentage points of test accuracy"):
    """Draws paired differences of many experiments below each other, each with its mean.

    Example:

    >>> import pandas as pd
    >>> from drsn_lib import records
    >>> variants, scores = ["resnet"] * 2 + ["drsn-cw"] * 2, [0.90, 0.92, 0.93, 0.94]
    >>> runs = pd.DataFrame({"variant": variants, "seed": [0, 1, 0, 1], "test_accuracy": scores})
    >>> figure = difference_forest({"digits": {"threshold": records.paired(runs, "drsn-cw", "resnet")}})
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['threshold']

    Args:
        groups: Dictionary from a heading to a dictionary from a label to a `drsn_lib.records.Paired`.
        unit: String, what the axis says; differences are drawn times 100.

    Returns:
        A Matplotlib figure: dots are random seeds, bars their means, lines intervals, from five seeds on. What no
        verdict can be given on (see `drsn_lib.records.Paired.verdict`) is gray.
    """
    count = sum(len(rows) + 1 for rows in groups.values())
    figure, axis = plt.subplots(figsize=(7.6, 0.9 + 0.3 * count))
    axis.axvline(0, color=COLORS["black"], linewidth=1)
    place, ticks = 0, []
    for heading, rows in groups.items():
        axis.text(-0.015, place, heading, transform=axis.get_yaxis_transform(), ha="right", va="center", weight="bold")
        place += 1
        for label, found in rows.items():
            decided = found.verdict.endswith("ahead")
            color = COLORS["vermillion"] if decided else COLORS["gray"]
            seeds = 100 * found.differences.to_numpy()
            if found.enough:
                axis.plot([100 * found.low, 100 * found.high], [place] * 2, color=color, linewidth=2)
            axis.plot(seeds, [place] * len(seeds), "o", color=color, markersize=4, alpha=0.5, markeredgewidth=0)
            axis.plot([100 * found.mean] * 2, [place - 0.3, place + 0.3], color=color, linewidth=3)
            ticks.append((place, label))
            place += 1
    axis.set_yticks(*zip(*ticks, strict=True))
    axis.set_ylim(place - 0.4, -0.6)
    axis.set_xlabel(unit)
    axis.grid(axis="y", visible=False)
    return figure


# --- From ReLU to APReLU --------------------------------------------------------------------------


def rectifier_functions(x, panels, dead=None):
    """Draws rectifiers as functions, one panel a kind, a line for each slope that it may take.

    Example:

    >>> x = np.linspace(-3, 3, 61)
    >>> leaky = np.maximum(x, 0) + 0.1 * np.minimum(x, 0)
    >>> figure = rectifier_functions(x, {"Leaky ReLU": leaky[np.newaxis]})
    >>> len(figure.axes)
    1

    Args:
        x: Array, the input.
        panels: Dictionary from a panel's label to array of shape `(lines, len(x))`, outputs on `x`.
        dead: Dictionary from a panel's label to a threshold: inputs of smaller magnitude are shaded.

    Returns:
        A Matplotlib figure; dotted lines are ReLU, below zero, and the identity.
    """
    colors = [COLORS["sky"], COLORS["blue"], COLORS["purple"], COLORS["vermillion"]]
    figure, axes = plt.subplots(1, len(panels), figsize=(8.2, 2.9), sharey=True, squeeze=False)
    for axis, color, (name, lines) in zip(axes[0], colors, panels.items(), strict=False):
        for line in (x, np.maximum(x, 0)):
            axis.plot(x, line, color=COLORS["gray"], linewidth=1.1, linestyle=(0, (1, 1.5)))
        if name in (dead or {}):
            axis.axvspan(-dead[name], dead[name], color=COLORS["orange"], alpha=0.18, linewidth=0)
        many = len(lines) > 8
        axis.plot(x, np.transpose(lines), color=color, linewidth=0.8 if many else 2.0, alpha=0.6 if many else 1.0)
        axis.text(0.04, 0.97, name, transform=axis.transAxes, va="top", fontsize=10, fontweight="bold")
        axis.set(xlabel="$x$", xlim=(x[0], x[-1]), ylim=(x[0], x[-1]))
    axes[0, 0].set_ylabel("output $y$")
    return figure


def aprelu_diagram():
    """Draws the adaptively parametric rectifier as a block diagram, the small network in color.

    Example:

    >>> figure = aprelu_diagram()
    >>> len(figure.axes)
    1

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(6.6, 4.6))
    axis.set(xlim=(-0.2, 13.0), ylim=(-0.3, 9.3))
    axis.axis("off")
    black, color = COLORS["black"], "#8a3f6c"
    head = {"arrowstyle": "-|>,head_length=0.35,head_width=0.18", "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}

    def arrow(start, end, ink=black):
        axis.annotate("", end, start, arrowprops={**head, "color": ink})

    def box(place, words, width, ink=black, face="white"):
        patch = {"boxstyle": "round,pad=0,rounding_size=0.18", "facecolor": face, "edgecolor": ink, "linewidth": 1.3}
        axis.add_patch(FancyBboxPatch((place[0] - width / 2, place[1] - 0.42), width, 0.84, **patch))
        axis.text(*place, words, ha="center", va="center", fontsize=9.5)

    def node(place, sign):
        axis.add_patch(plt.Circle(place, 0.34, facecolor="white", edgecolor=black, linewidth=1.3))
        axis.text(place[0], place[1] - 0.03, sign, ha="center", va="center", fontsize=12)

    def note(x, y, words, ink=color, **where):
        axis.text(x, y, words, fontsize=8.5, color=ink, **{"ha": "left", "va": "center", **where})

    left, right, gate = 1.6, 5.0, 9.6
    axis.text((left + right) / 2, 9.0, "$x$", ha="center", va="center", fontsize=11)
    middle = (left + right) / 2
    axis.plot([middle, middle], [8.7, 8.35], color=black, linewidth=1.3, solid_capstyle="butt")
    axis.plot([left, right], [8.35, 8.35], color=black, linewidth=1.3)
    for at, words in ((left, r"$\max(x, 0)$"), (right, r"$\min(x, 0)$")):
        arrow((at, 8.35), (at, 7.72))
        box((at, 7.3), words, 2.5, face="#f0f0f0")
    # Both halves are averaged, side by side, and the small network makes the slopes of them.
    box((gate, 7.3), "means over positions", 4.4, color)
    axis.plot([left, left, 7.0, 7.0], [6.88, 6.1, 6.1, 7.1], color=color, linewidth=1.3, zorder=0)
    arrow((7.0, 7.1), (gate - 2.2, 7.1), color)
    arrow((right + 1.25, 7.5), (gate - 2.2, 7.5), color)
    for k, (words, below) in enumerate(
        (("FC, BN, ReLU", r"$2C$ numbers: $\bar x^-$, $\bar x^+$"), ("FC, BN, sigmoid", r"hidden: $C/r$"))
    ):
        y = 5.3 - 2.0 * k
        arrow((gate, y + 1.58), (gate, y + 0.42), color)
        box((gate, y), words, 3.4, color)
        note(gate + 0.2, y + 1.0, below)
    node((right, 1.7), r"$\times$")
    node((left, 1.7), "+")
    axis.plot([gate, gate], [2.88, 1.7], color=color, linewidth=1.3)
    arrow((gate, 1.7), (right + 0.34, 1.7), color)
    note(gate - 0.3, 1.3, "$a$: $C$ slopes, one a channel of each sample", ha="center", va="top")
    # Behind the crossing, the two halves go straight down.
    axis.plot([left, left], [6.88, 6.1], color=black, linewidth=1.3)
    arrow((left, 6.1), (left, 2.04))
    arrow((right, 6.88), (right, 2.04))
    arrow((right - 0.34, 1.7), (left + 0.34, 1.7))
    arrow((left, 1.36), (left, 0.5))
    axis.text(left, 0.15, "$y$", ha="center", va="center", fontsize=11)
    return figure


def published_beside(published, table, rows=None, value="test_accuracy", source=True, labels=None):
    """Draws scores that an article reports beside those of records, a row a network, each on its own scale.

    Example:

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"variant": ["relu"] * 2 + ["aprelu"] * 2, "seed": [0, 1] * 2})
    >>> runs["test_accuracy"] = [0.90, 0.91, 0.92, 0.91]
    >>> figure = published_beside({"ResNet": {"relu": 92.2, "aprelu": 97.5}}, runs, source=False)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['ReLU', 'APReLU']

    Args:
        published: Dictionary from a network's label to a dictionary from variant to percent, at most two.
        table: A table of records of one recipe, budget and kind of device; see `drsn_lib.records.load`. It may
            lack some of the variants, or all.
        rows: Sequence of variants; None for all that the article has.
        value: String, the column of the scores.
        source: Whether a line at the foot says where the records are from.
        labels: Dictionary from a variant to what its row is called, where that is not its usual name; or None.

    Returns:
        A Matplotlib figure; at the left the article's numbers, at the right a dot for each random seed and a bar
        at the mean, or a word where there is no record.

    Raises:
        ValueError: As for `drsn_lib.records.by_seed`.
    """
    from drsn_lib import records

    rows = list(rows or dict.fromkeys(name for one in published.values() for name in one))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 1.6 + 0.42 * len(rows)), sharey=True)
    for (kind, scores), (face, mark) in zip(published.items(), (("full", "s"), ("none", "D")), strict=False):
        look = {"fillstyle": face, "markersize": 7, "linestyle": "none"}
        for row, name in enumerate(rows):
            if name in scores:
                left.plot(scores[name], row, mark, color=VARIANT_COLORS.get(name, COLORS["black"]), **look)
        left.plot([], [], mark, color=COLORS["gray"], label=kind, **look)
    there = table[table["variant"].isin(rows)]
    for row, name in enumerate(rows):
        part = there[there["variant"] == name]
        if len(part):
            seeds = 100 * records.by_seed(part, value).to_numpy()
            _score_row(right, row, seeds, VARIANT_COLORS.get(name, COLORS["black"]))
        else:
            place = {"transform": right.get_yaxis_transform(), "ha": "center", "va": "center"}
            right.text(0.5, row, "no record yet", fontsize=9, color=COLORS["gray"], **place)
    if not len(there):
        right.set_xticks([])
    called = VARIANT_NAMES | (labels or {})
    left.set_yticks(range(len(rows)), [called.get(name, name) for name in rows])
    left.set_ylim(len(rows) - 0.45, -0.55)
    for axis, label in ((left, "article"), (right, "records")):
        axis.set_xlabel(f"{label}: {value.replace('_', ' ')}, %")
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0, labelsize=10)
        axis.margins(x=0.12)
    if len(published) > 1:
        left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    return _with_source(figure, there, source and len(there) > 0)


# --- Real bearings --------------------------------------------------------------------------------

_SPLIT_COLORS = ("#ececec", COLORS["sky"], COLORS["vermillion"])


def value_strips(panels, label, logarithmic=False, level=None, colors=None):
    """Draws numbers as rows of dots, one panel beside the other on a common axis.

    Example:

    >>> figure = value_strips({"raw": {"normal": [0.1, 0.1], "faulty": [0.3, 0.4]}}, "roll-off", level=0.2)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['normal', 'faulty']

    Args:
        panels: Dictionary from a panel's name to a dictionary from a row's name to a sequence of numbers; all
            panels have the same rows.
        label: String, what the numbers are.
        logarithmic: Whether the axis is logarithmic.
        level: Float, drawn as a dashed line in all panels, or a dictionary from panel to float; None for none.
        colors: Sequence of colors, one a row; None for one after the other of five.

    Returns:
        A Matplotlib figure.
    """
    rows = list(next(iter(panels.values())))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(7.4, 1.1 + 0.36 * len(rows)), sharex=True, sharey=True, squeeze=False
    )
    if colors is None:
        five = [COLORS["blue"], COLORS["vermillion"], COLORS["green"], COLORS["purple"], COLORS["black"]]
        colors = [five[row % 5] for row in range(len(rows))]
    for axis, (title, groups) in zip(axes[0], panels.items(), strict=True):
        for row, name in enumerate(rows):
            values = np.asarray(groups[name], float)
            # Spread evenly rather than at random, so that the picture is the same at every run.
            spots = row + 0.6 * ((np.arange(len(values)) * 0.618) % 1 - 0.5)
            size = 3.2 if len(values) > 60 else 5.0
            axis.plot(values, spots, "o", color=colors[row], markersize=size, alpha=0.5, markeredgewidth=0)
        at = level.get(title) if isinstance(level, dict) else level
        if at is not None:
            axis.axvline(at, color=COLORS["black"], linewidth=1.2, linestyle=(0, (4, 3)))
        if len(panels) > 1:
            axis.text(0.5, 1.02, title, transform=axis.transAxes, ha="center", va="bottom", fontsize=10.5)
        if logarithmic:
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(lambda number, _: f"{number:g}")
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0, labelsize=10)
    axes[0, 0].set_yticks(range(len(rows)), rows)
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    figure.supxlabel(label, fontsize=11)
    return figure


def split_maps(panels, groups):
    """Draws which stretch of which recording is trained on and which is tested on, a panel a split.

    Example:

    >>> halves = np.array([[1, 1, 2], [1, 1, 2]])
    >>> figure = split_maps({"by time": halves}, {"inner race": 1, "ball": 1})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['trained on', 'tested on', 'not used']

    Args:
        panels: Dictionary from a split's name to an array of shape `(recordings, stretches)` that holds 0 where
            a stretch is not used, 1 where it is trained on, 2 where it is tested on.
        groups: Dictionary from a name to the number of recordings, one below the other, that it stands for.

    Returns:
        A Matplotlib figure.

    Raises:
        ValueError: If the groups do not count as many recordings as the arrays have rows.
    """
    from matplotlib.colors import ListedColormap

    count, edges = sum(groups.values()), np.cumsum([0, *groups.values()])
    for name, table in panels.items():
        if len(table) != count:
            raise ValueError(f"`groups` must count {len(table)} recordings, as {name!r} has. Received: {count}")
    figure, axes = plt.subplots(1, len(panels), figsize=(8.0, 4.6), sharey=True, squeeze=False)
    for axis, (name, table) in zip(axes[0], panels.items(), strict=True):
        axis.imshow(
            table,
            cmap=ListedColormap(_SPLIT_COLORS),
            vmin=0,
            vmax=2,
            aspect="auto",
            interpolation="nearest",
            extent=(0, 1, count, 0),
        )
        for edge in edges[1:-1]:
            axis.axhline(edge, color="white", linewidth=2.5)
        axis.set_xticks([0, 1], ["start", "end"], fontsize=9)
        for text, side in zip(axis.get_xticklabels(), ("left", "right"), strict=True):
            text.set_horizontalalignment(side)
        axis.grid(False)
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        axis.text(0.5, 1.01, name, transform=axis.transAxes, ha="center", va="bottom", fontsize=11)
    axes[0, 0].set_yticks((edges[:-1] + edges[1:]) / 2, list(groups), fontsize=9)
    patches = [plt.Rectangle((0, 0), 1, 1, facecolor=_SPLIT_COLORS[kind]) for kind in (1, 2, 0)]
    figure.legend(patches, ["trained on", "tested on", "not used"], loc="outside upper center", ncols=3)
    return figure


def split_ladder(ways, chance=None, label="test accuracy", sources=None):
    """Draws the scores of networks and other classifiers under several ways to split the same data.

    Example:

    >>> ways = {"random": {"resnet": [0.99, 1.0], "linear": [0.98]}, "size": {"resnet": [0.5, 0.6], "linear": [0.4]}}
    >>> figure = split_ladder(ways, chance=1 / 3)
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['random', 'size']

    Args:
        ways: Dictionary from a way to split to a dictionary from a classifier's name to a sequence of scores,
            such as one a random seed. Names of networks get their color.
        chance: Float, the score of guessing, drawn as a dashed line; None for none.
        label: String, what the scores are.
        sources: List of records that the scores are from, named at the foot; None for no such line.

    Returns:
        A Matplotlib figure; a bar is a mean, a dot a score.
    """
    names = list(dict.fromkeys(name for found in ways.values() for name in found))
    figure, axis = plt.subplots(figsize=(7.4, 4.0))
    rest = iter([COLORS["black"], COLORS["gray"], COLORS["purple"], COLORS["sky"]])
    colors = {name: VARIANT_COLORS.get(name) or next(rest, COLORS["black"]) for name in names}
    marks, width = dict(zip(names, "os^DvPX*", strict=False)), 0.8 / len(names)
    if chance is not None:
        axis.axhline(chance, color=COLORS["black"], linewidth=1.2, linestyle=(0, (4, 3)), label="guessing")
    for column, found in enumerate(ways.values()):
        for name, scores in found.items():
            middle = column + width * (names.index(name) - (len(names) - 1) / 2)
            look = {"color": colors[name], "markersize": 5, "alpha": 0.7, "markeredgewidth": 0}
            spots = middle + (np.linspace(-0.25, 0.25, len(scores)) * width if len(scores) > 1 else np.zeros(1))
            axis.plot([middle - 0.36 * width, middle + 0.36 * width], [np.mean(scores)] * 2, color=colors[name])
            axis.plot(spots, scores, marks.get(name, "o"), linestyle="none", **look)
    for name in names:
        shown = VARIANT_NAMES.get(name, name)
        axis.plot([], [], marks.get(name, "o"), linestyle="-", color=colors[name], markersize=5, label=shown)
    axis.set_xticks(range(len(ways)), list(ways))
    axis.set_xlim(-0.5, len(ways) - 0.5)
    axis.set_ylim(0, 1.04)
    axis.set_ylabel(label)
    axis.grid(axis="x", visible=False)
    handles, words = axis.get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=3)
    return _with_source(figure, sources, bool(sources))


def confusion_tables(panels, classes):
    """Draws confusion matrices side by side: which classes are taken for which.

    Example:

    >>> figure = confusion_tables({"by load": [[9, 1], [0, 10]]}, ["ball", "inner race"])
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['ball', 'inner race']

    Args:
        panels: Dictionary from a panel's name to a square array of counts; rows are true classes, columns answers.
        classes: Sequence of the classes' names.

    Returns:
        A Matplotlib figure; the numbers, like the shades, are shares of a row in percent.
    """
    side = 0.62 * len(classes)
    size = (1.0 + (side + 0.25) * len(panels), 1.25 + side)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for axis, (name, table) in zip(axes[0], panels.items(), strict=True):
        table = np.asarray(table, float)
        share = 100 * table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for (i, j), value in np.ndenumerate(share):
            ink = "white" if value > 60 else COLORS["black"]
            axis.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=10, color=ink)
        axis.set_xticks(range(len(classes)), classes, rotation=30, ha="right", rotation_mode="anchor", fontsize=9)
        axis.set_yticks(range(len(classes)), classes, fontsize=9)
        axis.text(0.5, 1.03, name, transform=axis.transAxes, ha="center", va="bottom", fontsize=10.5)
        axis.grid(False)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    axes[0, 0].set_ylabel("true class", fontsize=10)
    figure.supxlabel("answer (numbers: percent of a row)", fontsize=10)
    return figure


# --- The one-dimensional DRSN ---------------------------------------------------------------------


def network_stages(blocks):
    """Draws a one-dimensional network as its arrays: as high as they are long, as wide as they have channels.

    Example:

    >>> figure = network_stages([("input", 2048, 1, "input"), ("stem", 1024, 4, "stem"), ("unit", 512, 4, "stage 1")])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['input', '2048 × 1', 'stem', '1024 × 4', 'stage 1', '512 × 4']

    Args:
        blocks: List of `(name, length, channels, group)`, one an array in the order of the network. Neighbors of
            one group share a color and a label.

    Returns:
        A Matplotlib figure.
    """
    figure, axis = plt.subplots(figsize=(8.2, 3.3))
    inks = [COLORS["gray"], COLORS["black"], COLORS["sky"], COLORS["blue"], COLORS["green"], COLORS["orange"]]
    inks.append(COLORS["vermillion"])
    top, at, groups = max(length for _, length, *_ in blocks), 0.0, {}
    for _, length, channels, group in blocks:
        width, height = 0.5 + 0.22 * channels, max(length / top, 0.012)
        if groups and group not in groups:
            before = list(groups.values())[-1]
            at += 4.0 - min(3.3, before[1] - before[0])  # room for the labels
        extent = groups.setdefault(group, [at, at, length, channels])
        color = inks[list(groups).index(group) % len(inks)]
        box = {"facecolor": color, "edgecolor": "white", "linewidth": 0.8, "alpha": 0.85}
        axis.add_patch(plt.Rectangle((at, 0.5 - height / 2), width, height, **box))
        extent[1] = at + width
        at += width + 0.3
    for group, (left, right, length, channels) in groups.items():
        axis.text((left + right) / 2, -0.06, group, ha="center", va="top", fontsize=10)
        axis.text((left + right) / 2, -0.15, f"{length} \u00d7 {channels}", ha="center", va="top", fontsize=9)
    axis.set(xlim=(-1.2, at + 0.6), ylim=(-0.25, 1.03))
    axis.axis("off")
    return figure


def receptive_fields(reach, periods, influence, position):
    """Draws how far a network sees, convolution by convolution, and from where one of its last values is made.

    Example:

    >>> reach, influence = np.array([0.2, 0.5, 1.2]), {"resnet": np.eye(9)[4], "drsn-cw": np.ones(9)}
    >>> figure = receptive_fields(reach, {"outer race": 1.1}, influence, np.arange(9) / 10)
    >>> [axis.get_xlabel() for axis in figure.axes]
    ['convolution', 'time (ms)']

    Args:
        reach: Array of the receptive field behind each convolution, in milliseconds.
        periods: Dictionary from name to a time in milliseconds to compare it with.
        influence: Dictionary from variant to array, how strongly each input value moves one value of the last
            map; zeros are left out.
        position: Array of the input values' times, in milliseconds.

    Returns:
        A Matplotlib figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.7), width_ratios=[1.1, 1])
    depth = np.arange(1, len(reach) + 1)
    left.step(depth, reach, where="mid", color=COLORS["blue"], linewidth=2.4)
    for name, period in periods.items():
        left.axhline(period, color=COLORS["black"], linewidth=1, linestyle=(0, (4, 3)))
        left.annotate(name, (1, period), (0, 2), textcoords="offset points", fontsize=9)
    left.set(yscale="log", xlabel="convolution", ylabel="receptive field (ms)")
    left.yaxis.set_major_formatter(lambda number, _: f"{number:g}")
    for name, values in influence.items():
        values = np.where(np.asarray(values) > 0, values, np.nan)
        color = VARIANT_COLORS.get(name, COLORS["black"])
        right.plot(position, values, ".", markersize=2.5, color=color, zorder=3 if name == "resnet" else 2)
        right.plot([], [], "s", color=color, label=VARIANT_NAMES.get(name, name))
    right.set(yscale="log", xlabel="time (ms)", ylabel="influence on one value")
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper right", ncols=len(influence))
    return figure


def beside_published(reported, table, baseline=None, value="test_accuracy", source=True):
    """Draws an article's curves of accuracy against the SNR, and those of records beside them on the same scale.

    Example:

    >>> import pandas as pd
    >>> reported = {"snr_db": (-5, 5), "accuracy": {"resnet": (70.3, 95.5)}, "source": "Zhao et al., A title (2020)"}
    >>> runs = pd.DataFrame({"variant": "resnet", "seed": [0, 0], "snr_db": [-5, 5], "test_accuracy": [0.7, 0.9]})
    >>> figure = beside_published(reported, runs, source=False)
    >>> [axis.texts[0].get_text() for axis in figure.axes]
    ['Zhao et al. (2020)', "this book's records"]

    Args:
        reported: Dictionary with `"snr_db"`, `"accuracy"` in percent and `"source"`, such as
            `drsn_lib.records.published.SHRINKAGE_GAUSSIAN`.
        table: A table of records of one kind of noise, see `drsn_lib.records.probe_table`; it may be empty.
        baseline: Tuple `(name, levels, scores)` of one more curve beside the records', or None.
        value: String, the column of the scores.
        source: Whether a line at the foot says where the records are from.

    Returns:
        A Matplotlib figure; the band of the records is one standard deviation of the seeds to either side.

    Raises:
        ValueError: As for `drsn_lib.records.summary`.
    """
    from drsn_lib import records

    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.2), sharey=True)
    found = records.summary(table, ("variant", "snr_db"), value)
    there = set(table["variant"])
    for name in _variants([{"variant": name} for name in [*reported["accuracy"], *sorted(there)]]):
        color, (dashes, mark) = VARIANT_COLORS.get(name, COLORS["black"]), _VARIANT_LOOKS.get(name, ("-", "o"))
        look = {"color": color, "linestyle": dashes, "marker": mark, "markersize": 4.5}
        right.plot([], [], label=VARIANT_NAMES.get(name, name), **look)
        if name in reported["accuracy"]:
            left.plot(reported["snr_db"], reported["accuracy"][name], **look)
        if name in there:
            curve = found[found["variant"] == name].sort_values("snr_db")
            at, mean, sd = (curve[key].to_numpy(float) for key in ("snr_db", "mean", "sd"))
            right.fill_between(at, 100 * (mean - sd), 100 * (mean + sd), color=color, alpha=0.16, linewidth=0)
            right.plot(at, 100 * mean, **look)
    if baseline is not None:
        name, levels, scores = baseline
        look = {"color": COLORS["black"], "linestyle": (0, (1, 1.2)), "linewidth": 1.6}
        right.plot(levels, 100 * np.asarray(scores), label=name, **look)
    _beside(left, right, reported)
    left.set_ylabel("test accuracy, percent")
    handles, names = right.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3 if baseline is not None else 5)
    return _with_source(figure, table, source)


# --- Reading a vibration signal -------------------------------------------------------------------


def bearing_section(machine, tilt=25.0):
    """Draws a ball bearing cut open from two sides, with the lengths and rates that its geometry is made of.

    Example:

    >>> from drsn_lib import data
    >>> figure = bearing_section(data.Machine())
    >>> len(figure.axes)
    2

    Args:
        machine: A `data.Machine`, or anything with its `balls`, `ball_diameter` and `pitch_diameter`.
        tilt: Float, the contact angle of the right picture in degrees, for the eye.

    Returns:
        A Matplotlib figure.
    """
    pitch = machine.pitch_diameter / 2
    ball = machine.ball_diameter / 2
    wall = 0.75 * ball
    steel, edge = "#d7dde3", COLORS["gray"]
    figure, (front, side) = plt.subplots(1, 2, figsize=(7.6, 4.5), width_ratios=(1.45, 1))

    # From the front: rings, balls, what is called D and d, and where a pit may be.
    for outer, inner in ((pitch + ball + wall, pitch + ball), (pitch - ball, pitch - ball - 1.3 * wall)):
        front.add_patch(Wedge((0, 0), outer, 0, 360, width=outer - inner, facecolor=steel, edgecolor=edge, linewidth=1))
    reach = pitch + ball + wall
    front.add_patch(
        Wedge((0, 0), 1.10 * reach, 215, 325, width=0.055 * reach, facecolor=COLORS["orange"], alpha=0.55, linewidth=0)
    )
    front.text(0, -1.15 * reach, "load zone", ha="center", va="top", fontsize=9.5, color="#8a5f00")
    angles = np.pi / 2 + 2 * np.pi * np.arange(machine.balls) / machine.balls
    centers = pitch * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for x, y in centers:
        front.add_patch(Circle((x, y), 0.97 * ball, facecolor="#f3f5f7", edgecolor=edge, linewidth=1.2))
    front.add_patch(
        Circle((0, 0), pitch, fill=False, edgecolor=COLORS["blue"], linewidth=1.1, linestyle=(0, (7, 2, 1, 2)))
    )
    bore = pitch - ball - 1.3 * wall
    place = np.radians(200.0)
    _measure(front, -pitch * np.array([np.cos(place), np.sin(place)]), pitch * np.array([np.cos(place), np.sin(place)]))
    front.text(-0.28 * pitch, -0.02 * pitch, "$D$", fontsize=13, color=COLORS["blue"], ha="center", va="bottom")
    top = centers[0]
    _measure(front, top - np.array([ball, 0]), top + np.array([ball, 0]))
    front.annotate("$d$", top, (0, 3), textcoords="offset points", fontsize=13, color=COLORS["blue"], ha="center")
    pits = {
        "outer race": (
            (pitch + 1.06 * ball) * _direction(-90 + 0.35 * 360 / machine.balls),
            (0.42 * reach, -1.33 * reach),
        ),
        "inner race": ((pitch - 1.06 * ball) * _direction(62), (0.98 * reach, 1.18 * reach)),
        "ball": (centers[2] + 0.92 * ball * _direction(115), (-1.05 * reach, 1.02 * reach)),
    }
    for name, (at, words) in pits.items():
        front.plot(*at, marker="o", markersize=6.5, color=COLORS["vermillion"], zorder=6)
        front.annotate(
            f"pit, {name}",
            at,
            words,
            fontsize=9.5,
            color=COLORS["vermillion"],
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": COLORS["vermillion"], "linewidth": 0.9, "shrinkB": 2},
        )
    _turn(front, 0.62 * bore, 300, 395, COLORS["black"])
    front.text(0.0, -0.30 * bore, "shaft, $f$", fontsize=10, ha="center", va="center")
    front.set(xlim=(-1.35 * reach, 1.35 * reach), ylim=(-1.42 * reach, 1.28 * reach))

    # From the side: the ball between its races, and the line through its two contacts.
    half = 1.5 * ball
    lean = np.radians(tilt)
    contact = np.array([np.sin(lean), np.cos(lean)])
    for sign in (1, -1):
        base = sign * 1.9 * ball
        block = Rectangle(
            (-half, min(base, sign * 0.55 * ball)), 2 * half, 1.35 * ball, facecolor=steel, edgecolor=edge, linewidth=1
        )
        side.add_patch(block)
    side.add_patch(Circle((0, 0), 1.03 * ball, facecolor="white", edgecolor=edge, linewidth=1))
    side.add_patch(Circle((0, 0), 0.97 * ball, facecolor="#f3f5f7", edgecolor=edge, linewidth=1.2))
    side.plot(*np.stack([-2.5 * ball * contact, 2.5 * ball * contact], axis=1), color=COLORS["blue"], linewidth=1.3)
    side.plot([0, 0], [-2.5 * ball, 2.5 * ball], color=COLORS["gray"], linewidth=1, linestyle=(0, (7, 2, 1, 2)))
    for sign in (1, -1):
        side.plot(*(sign * ball * contact), marker="s", markersize=5, color=COLORS["blue"])
    side.add_patch(
        Arc((0, 0), 4.4 * ball, 4.4 * ball, theta1=90 - tilt, theta2=90, color=COLORS["blue"], linewidth=1.3)
    )
    side.text(*(2.42 * ball * _direction(90 - tilt / 2)), r"$\beta$", fontsize=13, color=COLORS["blue"], ha="center")
    side.text(1.62 * ball, 1.35 * ball, "outer race\n(stands still)", fontsize=9.5, va="center")
    side.text(1.62 * ball, -1.35 * ball, "inner race\n(turns with\nthe shaft)", fontsize=9.5, va="center")
    axle = -4.2 * ball
    side.plot([-half, half], [axle, axle], color=COLORS["gray"], linewidth=1, linestyle=(0, (7, 2, 1, 2)))
    side.text(1.62 * ball, axle, "axis of\nthe shaft", fontsize=9.5, va="center")
    _measure(side, np.array([-1.25 * ball, axle]), np.array([-1.25 * ball, 0.0]))
    side.text(-1.4 * ball, axle / 2, "$D/2$", fontsize=12, color=COLORS["blue"], ha="right", va="center")
    side.set(xlim=(-2.6 * ball, 3.6 * ball), ylim=(-4.9 * ball, 3.1 * ball))
    for axis in (front, side):
        axis.set_aspect("equal")
        axis.axis("off")
    return figure


def _direction(degrees):
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def _measure(axis, start, end):
    """A double arrow between two points."""
    axis.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "<->", "color": COLORS["blue"], "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0},
        zorder=5,
    )


def _turn(axis, radius, start, end, color):
    """An arrow along a circle around the origin, counterclockwise, from one angle to another in degrees."""
    angle = np.radians(np.linspace(start, end, 60))
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    axis.plot(x[:-3], y[:-3], color=color, linewidth=1.5)
    axis.annotate(
        "", (x[-1], y[-1]), (x[-6], y[-6]), arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 1.5}
    )


def demodulation_steps(time, signal, kept, envelope, spectrum, envelope_spectrum, band, marks=None):
    """Draws the way from a signal to its envelope spectrum in four panels.

    Example:

    >>> t = np.arange(512) / 12_800
    >>> x = np.exp(-500 * (t % 0.01)) * np.sin(2 * np.pi * 3000 * t)
    >>> hz, flat = np.arange(257) * 25.0, np.ones(257)
    >>> figure = demodulation_steps(t, x, x, abs(x), (hz, flat), (hz, flat), (2000, 4000), {"outer": 100.0})
    >>> len(figure.axes)
    4

    Args:
        time: Array, in milliseconds.
        signal: Array of its shape, what was measured.
        kept: Array of its shape, what the band-pass filter leaves.
        envelope: Array of its shape, the envelope of `kept`.
        spectrum: `(frequencies, amplitudes)` of `signal`, drawn on a logarithmic scale.
        envelope_spectrum: `(frequencies, amplitudes)` of the envelope, as far as it is to be shown.
        band: `(low, high)` in hertz, the band that is kept.
        marks: Dictionary from a mark's name to its frequency in the envelope spectrum.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(2, 2, figsize=(8.2, 5.0))
    axes[0, 0].plot(time, signal, color=COLORS["blue"], linewidth=1.0)
    axes[0, 0].set(ylabel="g")
    hz, amplitude = spectrum
    axes[0, 1].semilogy(hz / 1000, amplitude, color=COLORS["blue"], linewidth=0.9)
    axes[0, 1].axvspan(band[0] / 1000, band[1] / 1000, color=COLORS["orange"], alpha=0.25, linewidth=0)
    axes[0, 1].set(xlabel="frequency (kHz)", ylim=(max(amplitude.max() / 3e3, 1e-12), 2 * amplitude.max()))
    axes[1, 0].plot(time, kept, color=COLORS["sky"], linewidth=0.9, label="band")
    axes[1, 0].plot(time, envelope, color=COLORS["vermillion"], linewidth=1.5, label="its envelope")
    axes[1, 0].set(xlabel="time (ms)", ylabel="g")
    axes[1, 0].legend(loc="lower right", ncols=2, fontsize=9, borderaxespad=0)
    low, high = float(np.min(kept)), float(np.max(envelope))
    axes[1, 0].set_ylim(1.55 * low, 1.08 * high)
    hz, amplitude = envelope_spectrum
    axes[1, 1].plot(hz, amplitude, color=COLORS["vermillion"], linewidth=1.4)
    top = 1.25 * float(amplitude.max())
    for name, place in (marks or {}).items():
        axes[1, 1].axvline(place, color=COLORS["gray"], linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes[1, 1].annotate(
            name, (place, top), (3, -2), textcoords="offset points", ha="left", va="top", fontsize=9, color="#555555"
        )
    axes[1, 1].set(xlabel="frequency (Hz)", ylim=(0, top))
    names = ("1  what the sensor measures", "2  its spectrum", "3  one band of it", "4  the envelope's spectrum")
    for axis, name in zip(axes.flat, names, strict=True):
        axis.text(0.0, 1.03, name, transform=axis.transAxes, ha="left", va="bottom", fontsize=10.5)
        axis.margins(x=0.01)
    return figure


def banded_curves(x, curves, xlabel, ylabel, level=None, ticks=None, limits=None, spread=(10, 90), heading=None):
    """Draws medians with a band of percentiles around each.

    Example:

    >>> draws = np.random.default_rng(0).normal(size=(50, 3))
    >>> figure = banded_curves([1, 2, 3], {"noise": draws}, "place", "value", level=("zero", 0.0))
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['noise']

    Args:
        x: Array of positions.
        curves: Dictionary from label to array of shape `(draws, len(x))`.
        xlabel: String.
        ylabel: String.
        level: `(name, height)` of a dashed line to compare with, or None.
        ticks: Sequence of labels, one a position, or None for numbers.
        limits: `(low, high)` of the vertical axis, or None.
        spread: `(low, high)`, the percentiles that bound the bands.
        heading: String, above the legend.

    Returns:
        A Matplotlib figure.
    """
    looks = zip(
        (COLORS["vermillion"], COLORS["blue"], COLORS["green"], COLORS["gray"], COLORS["purple"]),
        ("-", (0, (5, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (1, 1.2)), "-"),
        "os^Dv",
        strict=True,
    )
    figure, axis = plt.subplots(figsize=(7.2, 3.9))
    for (name, draws), (color, dashes, mark) in zip(curves.items(), looks, strict=False):
        draws = np.asarray(draws)
        axis.fill_between(x, *np.percentile(draws, spread, axis=0), color=color, alpha=0.16, linewidth=0)
        axis.plot(x, np.median(draws, axis=0), color=color, linestyle=dashes, marker=mark, markersize=5, label=name)
    if level is not None:
        name, height = level
        axis.axhline(height, color=COLORS["black"], linewidth=1.2, linestyle=(0, (4, 3)))
        axis.annotate(name, (x[-1], height), (0, 3), textcoords="offset points", fontsize=9, ha="right")
    if ticks is not None:
        axis.set_xticks(x, ticks)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if limits is not None:
        axis.set_ylim(*limits)
    handles, names = axis.get_legend_handles_labels()
    columns = 2 if max(map(len, names)) > 24 else 4
    figure.legend(handles, names, loc="outside upper center", ncols=columns, handlelength=2.8, title=heading)
    return figure


def fault_fingerprints(heights, rows, columns, groups=None, label="times the median around"):
    """Draws how high each line stands in each state of a machine, as a table of shades with numbers.

    Example:

    >>> figure = fault_fingerprints([[1.0, 20.0], [9.0, 1.5]], ["healthy", "ball"], ["mesh", "ball"])
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['mesh', 'ball']

    Args:
        heights: Array of shape `(len(rows), len(columns))`, at least one; shades are logarithmic.
        rows: Sequence of the states' names.
        columns: Sequence of the lines' names.
        groups: Sequence of `(name, columns)`: headings over so many columns each; None for none.
        label: String, what the numbers are.

    Returns:
        A Matplotlib figure.
    """
    heights = np.asarray(heights, float)
    figure, axis = plt.subplots(figsize=(8.2, 1.9 + 0.36 * len(rows)))
    shades = np.log10(np.maximum(heights, 1.0))
    top = max(shades.max(), 1e-9)
    axis.imshow(shades, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for (i, j), value in np.ndenumerate(heights):
        ink = "white" if shades[i, j] > 0.62 * top else COLORS["black"]
        axis.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=9.5, color=ink)
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor", fontsize=9.5)
    axis.set_yticks(range(len(rows)), rows, fontsize=9.5)
    start = 0
    for name, count in groups or ():
        axis.text(start + (count - 1) / 2, -0.7, name, ha="center", va="bottom", fontsize=9.5)
        if start:
            axis.axvline(start - 0.5, color="white", linewidth=5)
        start += count
    axis.grid(False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    figure.supxlabel(label, fontsize=10)
    return figure


# --- Your own signals -----------------------------------------------------------------------------


def class_examples(waves, spectra, sampling_rate=None, unit=""):
    """Draws a window of each class beside its mean spectrum.

    Example:

    >>> waves = {"healthy": np.sin(np.arange(256) / 9)}
    >>> spectra = {"healthy": (np.linspace(0, 0.5, 129), -40 * np.linspace(0, 1, 129))}
    >>> figure = class_examples(waves, spectra)
    >>> figure.axes[1].get_xlabel()
    'frequency (cycles a sample)'

    Args:
        waves: Dictionary from class to array of one window.
        spectra: Dictionary from class to `(frequencies, decibels)`.
        sampling_rate: Float, in hertz; None if it is not known: then time counts samples.
        unit: String, the unit of the signals.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(
        len(waves), 2, figsize=(7.8, 0.7 + 1.05 * len(waves)), sharex="col", sharey="col", squeeze=False
    )
    for (left, right), (name, wave) in zip(axes, waves.items(), strict=True):
        time = np.arange(len(wave)) if sampling_rate is None else 1000 * np.arange(len(wave)) / sampling_rate
        left.plot(time, wave, color=COLORS["blue"], linewidth=0.8)
        frequency, level = spectra[name]
        scale = 1 if sampling_rate is None else 1e-3
        right.plot(scale * np.asarray(frequency), level, color=COLORS["vermillion"], linewidth=0.9)
        left.text(0.005, 1.0, name, transform=left.transAxes, ha="left", va="bottom", fontsize=10)
        for axis in (left, right):
            axis.margins(x=0.01)
    axes[-1, 0].set_xlabel("sample" if sampling_rate is None else "time (ms)")
    axes[-1, 1].set_xlabel("frequency (cycles a sample)" if sampling_rate is None else "frequency (kHz)")
    figure.supylabel(f"signal{f' ({unit})' if unit else ''}; right: share of the power (dB)", fontsize=10)
    return figure


def score_rows(scores, chance=None, label="test accuracy"):
    """Draws scores over random seeds, a row for each classifier: dots, and a bar at their mean.

    Example:

    >>> figure = score_rows({"DRSN-CW": [0.90, 0.94], "linear": [0.95, 0.96]}, chance=0.25)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['DRSN-CW', 'linear']

    Args:
        scores: Dictionary from name to sequence of scores.
        chance: Float, the score of guessing, drawn as a dashed line; None for none.
        label: String, what the scores are.

    Returns:
        A Matplotlib figure.
    """
    colors = {name: VARIANT_COLORS[key] for key, name in VARIANT_NAMES.items()}
    spare = iter([COLORS["purple"], COLORS["green"], COLORS["sky"], COLORS["black"], COLORS["gray"]] * 3)
    figure, axis = plt.subplots(figsize=(7.2, 0.9 + 0.5 * len(scores)))
    for row, (name, values) in enumerate(scores.items()):
        _score_row(axis, row, values, colors.get(name) or next(spare))
    if chance is not None:
        axis.axvline(chance, color=COLORS["gray"], linestyle="--", linewidth=1.2)
    axis.set_yticks(range(len(scores)), list(scores))
    axis.set_ylim(len(scores) - 0.5, -0.5)
    axis.set_xlim(0, 1.02)
    axis.set_xlabel(label)
    axis.grid(axis="y", visible=False)
    return figure


def reliability_panels(panels):
    """Draws how often a classifier was right against how sure it was, above the number of its answers.

    Example:

    >>> found = {"edges": [0, 0.5, 1], "count": [2, 8], "confidence": [0.4, 0.9], "accuracy": [0.5, 0.75]}
    >>> figure = reliability_panels({"on test windows": found})
    >>> figure.axes[0].get_ylabel()
    'share that is right'

    Args:
        panels: Dictionary from a panel's name to a dictionary with `edges`, `count`, `confidence` and `accuracy` of
            the bins; None or NaN where a bin is empty.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(
        2,
        len(panels),
        figsize=(0.6 + 3.4 * len(panels), 4.0),
        sharex=True,
        sharey="row",
        height_ratios=(3, 1),
        squeeze=False,
    )
    for (above, below), (name, found) in zip(axes.T, panels.items(), strict=True):
        count = np.asarray(found["count"])
        there = np.flatnonzero(count)
        sure = np.array([found["confidence"][k] for k in there], float)
        right = np.array([found["accuracy"][k] for k in there], float)
        above.plot([0, 1], [0, 1], color=COLORS["gray"], linestyle="--", linewidth=1.2)
        above.vlines(sure, sure, right, color=COLORS["orange"], linewidth=2)
        above.plot(sure, right, "o-", color=COLORS["blue"], markersize=5.5, linewidth=1.4)
        edges = np.asarray(found["edges"], float)
        below.bar(edges[:-1], count, width=np.diff(edges), align="edge", color="#b9c9d8", edgecolor="white")
        above.text(0.5, 1.03, name, transform=above.transAxes, ha="center", va="bottom", fontsize=10.5)
        above.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        below.set_xlabel("confidence")
    axes[0, 0].set_ylabel("share that is right")
    axes[1, 0].set_ylabel("answers")
    return figure


# --- Taking it elsewhere --------------------------------------------------------------------------


def operator_rows(rows):
    """Draws the operators of an exported graph as boxes, a row for each part of it, in the order of computation.

    Example:

    >>> figure = operator_rows({"mean magnitude": ["Abs", "ReduceSum", "Mul"], "threshold": ["Mul"]})
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['mean magnitude', 'threshold']

    Args:
        rows: Dictionary from a part's label to the list of its operators' names.

    Returns:
        A Matplotlib figure.
    """
    colors = [COLORS["green"], COLORS["orange"], COLORS["vermillion"], COLORS["blue"], COLORS["purple"]]
    longest = max(map(len, rows.values()))
    figure, axis = plt.subplots(figsize=(7.8, 0.4 + 0.55 * len(rows)))
    for place, operators in enumerate(rows.values()):
        color = colors[place % len(colors)]
        for step, name in enumerate(operators):
            box = FancyBboxPatch(
                (step - 0.45, place - 0.29), 0.9, 0.58, boxstyle="round,pad=0,rounding_size=0.12", zorder=3
            )
            box.set(facecolor="white", edgecolor=color, linewidth=1.8)
            axis.add_patch(box)
            axis.text(step, place, name, ha="center", va="center", fontsize=8, zorder=4)
            if step:
                axis.plot([step - 0.55, step - 0.45], [place] * 2, color=color, linewidth=1.8, zorder=2)
    axis.set_yticks(range(len(rows)), list(rows))
    axis.set(xlim=(-0.55, longest - 0.45), ylim=(len(rows) - 0.5, -0.5))
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.grid(False)
    return figure


def call_times(panels, label="time of a call, as a multiple of the median of the fastest"):
    """Draws how long calls take on a logarithmic axis: medians, with the range of the middle half of the calls.

    Example:

    >>> figure = call_times({"1 window": {"predict": [30.0, 31.0, 40.0], "ONNX Runtime": [0.9, 1.0, 1.2]}})
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['predict', 'ONNX Runtime']

    Args:
        panels: Dictionary from a panel's label to a dictionary from a way of calling to its times or ratios, one a
            call.
        label: String, what the numbers are.

    Returns:
        A Matplotlib figure.
    """
    height = 1.2 + 0.36 * max(len(rows) for rows in panels.values())
    figure, axes = plt.subplots(1, len(panels), figsize=(8.0, height), sharey=True, squeeze=False)
    for axis, (name, rows) in zip(axes[0], panels.items(), strict=True):
        medians = [np.median(times) for times in rows.values()]
        for place, times in enumerate(rows.values()):
            low, middle, high = np.percentile(times, [25, 50, 75])
            axis.plot([low, high], [place] * 2, color=COLORS["blue"], linewidth=6, alpha=0.4, solid_capstyle="butt")
            axis.plot(middle, place, "o", color=COLORS["blue"], markersize=7)
            axis.annotate(
                f"{middle:.0f}" if middle >= 10 else f"{middle:.1f}",
                (max(high, middle), place),
                (8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9.5,
            )
        axis.set_xscale("log")
        axis.set_xlim(0.6 * min(medians), 4 * max(medians))
        axis.set_yticks(range(len(rows)), list(rows))
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.text(0.5, 1.02, name, transform=axis.transAxes, ha="center", va="bottom")
        axis.grid(axis="y", visible=False)
    figure.supxlabel(label, fontsize=10)
    return figure


def stream_panels(time, signal, centers, probabilities, onset=None, alarm=None):
    """Draws a long recording and below it what a network says window by window, with the onset of a fault.

    Example:

    >>> time, ends = np.arange(1000) / 1000, np.arange(100, 1000, 50) / 1000
    >>> chances = {"healthy": np.linspace(1, 0, len(ends)), "outer race": np.linspace(0, 1, len(ends))}
    >>> figure = stream_panels(time, np.sin(90 * time), ends, chances, onset=0.5, alarm=0.6)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['healthy', 'outer race', 'fault begins', 'alarm']

    Args:
        time: Array, in seconds.
        signal: Array of the same length.
        centers: Array, the time to which each window's answer is drawn.
        probabilities: Dictionary from a class to its probabilities, one a window.
        onset: Float, when the fault begins, or None.
        alarm: Float, when the alarm was given, or None.

    Returns:
        A Matplotlib figure.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.6, 4.2), sharex=True, height_ratios=(1, 1.3))
    above.plot(time, signal, color=COLORS["gray"], linewidth=0.5)
    above.set_ylabel("acceleration, g")
    looks = zip(
        [COLORS["blue"], COLORS["orange"], COLORS["vermillion"], COLORS["purple"]],
        ["-", (0, (5, 2)), "-", (0, (1, 1.5))],
        strict=True,
    )
    for (color, dash), (name, values) in zip(looks, probabilities.items(), strict=False):
        below.plot(centers, values, color=color, linestyle=dash, linewidth=1.7, label=name)
    for moment, name, dash in ((onset, "fault begins", (0, (4, 3))), (alarm, "alarm", "-")):
        if moment is not None:
            for axis in (above, below):
                axis.axvline(moment, color=COLORS["black"], linewidth=1.3, linestyle=dash, label=name, zorder=4)
    below.set(xlabel="time (s)", ylabel="probability", ylim=(-0.03, 1.03), xlim=(time[0], time[-1]))
    handles, names = below.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3 if len(names) > 5 else len(names))
    return figure


def threshold_scatter(panels, labels=("threshold in 32 bits", "threshold in 8 bits")):
    """Draws thresholds before and after a translation of the network on logarithmic axes, with the diagonal.

    What is zero or next to nothing is drawn at the lower ends of the axes.

    Example:

    >>> tau = np.linspace(0, 1, 50)
    >>> figure = threshold_scatter({"all operators": {"unit 1": (tau, np.round(5 * tau) / 5)}})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['unit 1', 'no change']

    Args:
        panels: Dictionary from a panel's label to a dictionary from a unit's label to two arrays of one shape, the
            thresholds before and after.
        labels: Labels of the horizontal and the vertical axis.

    Returns:
        A Matplotlib figure.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7.8, 4.1), sharex=True, sharey=True, squeeze=False)
    looks = [(COLORS["blue"], "o"), (COLORS["vermillion"], "^"), (COLORS["green"], "s")]
    values = np.concatenate([np.ravel(one) for units in panels.values() for pair in units.values() for one in pair])
    positive = values[values > 0]
    top = positive.max()
    zero = max(positive.min(), top / 3000) / 2  # where zero and what is next to nothing are drawn
    for axis, (name, units) in zip(axes[0], panels.items(), strict=True):
        for (color, mark), (unit, pair) in zip(looks, units.items(), strict=False):
            before, after = (np.maximum(np.ravel(one), zero) for one in pair)
            style = {"color": color, "markersize": 3, "alpha": 0.35, "markeredgewidth": 0, "rasterized": True}
            axis.plot(before, after, mark, label=unit, **style)
        axis.plot([zero, 2 * top], [zero, 2 * top], color=COLORS["black"], linewidth=1, label="no change", zorder=1)
        axis.set(xscale="log", yscale="log", xlim=(0.7 * zero, 1.5 * top), ylim=(0.7 * zero, 1.5 * top))
        axis.set_xlabel(labels[0])
        for scale in (axis.xaxis, axis.yaxis):
            powers = 10.0 ** np.arange(np.ceil(np.log10(1.5 * zero)), np.floor(np.log10(top)) + 1)
            scale.set_ticks([zero, *powers], ["zero", *(f"{power:g}" for power in powers)])
        axis.text(0.5, 1.02, name, transform=axis.transAxes, ha="center", va="bottom")
    axes[0, 0].set_ylabel(labels[1])
    handles, names = axes[0, 0].get_legend_handles_labels()
    legend = figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    for handle in legend.legend_handles:
        handle.set(alpha=1, markersize=6)
    return figure


def leads_beside_published(reported, table, pairs, value="test_accuracy", source=True):
    """Draws what networks are ahead of others at each SNR, in an article and in records, on the same scale.

    Example:

    >>> import pandas as pd
    >>> curves = {"resnet": (70.3, 95.5), "drsn-cw": (76.1, 97.5)}
    >>> reported = {"snr_db": (-5, 5), "accuracy": curves, "source": "Zhao et al., A title (2020)", "error": 0.4}
    >>> runs = pd.DataFrame({"variant": [], "seed": [], "snr_db": [], "test_accuracy": []})
    >>> figure = leads_beside_published(reported, runs, [("drsn-cw", "resnet")], source=False)
    >>> figure.legends[0].get_texts()[0].get_text()
    'DRSN-CW − ResNet'

    Args:
        reported: Dictionary with `"snr_db"`, `"accuracy"` in percent, `"source"` and, if it was digitized,
            `"error"`, such as `drsn_lib.records.published.SHRINKAGE_GAUSSIAN`.
        table: A table of records of one kind of noise, see `drsn_lib.records.probe_table`; it may be empty. A pair
            that one of the two lacks is left out there.
        pairs: List of `(variant, control)`, at most four.
        value: String, the column of the scores.
        source: Whether a line at the foot says where the records are from.

    Returns:
        A Matplotlib figure. Lines are, for the article, what the error of reading allows, and for the records
        bootstrap intervals of 95 % over random seeds (see `drsn_lib.records.paired`). Below five seeds dots stand in
        their place, one a seed.

    Raises:
        ValueError: As for `drsn_lib.records.paired`.
    """
    from drsn_lib import records

    looks = [(COLORS["vermillion"], "o"), (COLORS["blue"], "s"), (COLORS["green"], "^"), (COLORS["purple"], "D")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.0), sharey=True)
    there, levels = set(table["variant"]), sorted(set(table["snr_db"].dropna()))
    for place, ((a, b), (color, mark)) in enumerate(zip(pairs, looks, strict=False)):
        aside = 0.22 * (place - (len(pairs) - 1) / 2)
        look = {"color": color, "marker": mark, "markersize": 4.5, "linestyle": "none"}
        left.plot([], [], label=f"{VARIANT_NAMES.get(a, a)} \u2212 {VARIANT_NAMES.get(b, b)}", **look)
        if {a, b} <= set(reported["accuracy"]):
            gap = np.subtract(reported["accuracy"][a], reported["accuracy"][b])
            at, error = np.array(reported["snr_db"]) + aside, 2 * reported.get("error", 0.0)
            left.vlines(at, gap - error, gap + error, color=color, linewidth=1.8)
            left.plot(at, gap, **look)
        for level in levels if {a, b} <= there else []:
            found = records.paired(table[table["snr_db"] == level], a, b, value)
            if found.enough:
                right.vlines(level + aside, 100 * found.low, 100 * found.high, color=color, linewidth=1.8)
            else:
                seeds = 100 * found.differences.to_numpy(float)
                dots = {"color": color, "markersize": 3.2, "alpha": 0.5, "markeredgewidth": 0}
                right.plot([level + aside + 0.07] * found.n, seeds, "o", **dots)
            right.plot(level + aside, 100 * found.mean, **look)
    for axis in (left, right):
        axis.axhline(0, color=COLORS["black"], linewidth=1)
        axis.set_xticks(reported["snr_db"])
        axis.set_xlim(min(reported["snr_db"]) - 0.6, max(reported["snr_db"]) + 0.6)
        axis.grid(axis="x", visible=False)
    _beside(left, right, reported)
    left.set_ylabel("difference, percentage points")
    _legend(figure, left)
    return _with_source(figure, table, source)


def _beside(left, right, reported):
    """Names the two panels, an article's and the records', and their common axis."""
    authors, _, rest = reported["source"].partition(", ")
    titles = (f"{authors} {rest[rest.rindex('(') :]}", "this book's records")
    for axis, title in zip((left, right), titles, strict=True):
        axis.text(0.5, 1.02, title, transform=axis.transAxes, ha="center", va="bottom")
        axis.set_xlabel("SNR (dB)")
        axis.xaxis.set_major_formatter(lambda number, _: f"{number:g}".replace("-", "\N{MINUS SIGN}"))
