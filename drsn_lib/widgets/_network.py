"""The book's networks for images without Keras: forward only, in NumPy; the twin of network.js.

A trained Keras model is written by `export` to plain lists and one text of weights; `Network` runs that, as the
script does. Maps have the shape (channels, height, width).
"""

import numpy as np

from drsn_lib.widgets._base import pack, unpack


def export(model):
    """Return a network that `drsn_lib.models` built, as plain values for `Network` and for network.js.

    Batch normalization is folded to what it does in inference: that behind a unit's first convolution and that of
    the gate's small network go into the weights in front of them, the others become a scale and a shift.

    Args:
        model: A `keras.Model` from `models.build` for images, with ReLU and one of the branches `"plain"`, `"se"`,
            `"se-textbook"`, `"drsn-cs"` and `"drsn-cw"`.

    Returns:
        A dictionary: `input` (channels, height, width), `layers`, `units` and `weights` (text).

    Raises:
        ValueError: If the network has something that the twin does not know.
    """
    arrays = []

    def numbers(layer):
        return [np.asarray(one, np.float64) for one in layer.get_weights()]

    def folded(norm):
        gamma, beta, mean, variance = numbers(norm)
        scale = gamma / np.sqrt(variance + norm.epsilon)
        return scale, beta - mean * scale

    def conv(layer, norm=None):
        # Keras has (rows, columns, channels, filters).
        kernel, *bias = numbers(layer)
        bias = bias[0] if bias else np.zeros(kernel.shape[-1])
        if norm is not None:
            scale, shift = folded(norm)
            kernel, bias = kernel * scale, bias * scale + shift
        arrays.extend([kernel.transpose(3, 2, 0, 1), bias])
        return [int(n) for n in (kernel.shape[3], kernel.shape[2], layer.strides[0])]

    def dense(layer, norm=None):
        kernel, bias = numbers(layer)
        if norm is not None:
            scale, shift = folded(norm)
            kernel, bias = kernel * scale, bias * scale + shift
        arrays.extend([kernel, bias])
        return [int(n) for n in kernel.shape]

    def one_unit(unit):
        kinds = ("plain", "se", "se-textbook", "drsn-cs", "drsn-cw")
        settings = unit.branch, unit.activation, unit.kernel_size, unit.shortcut
        if unit.branch not in kinds or settings[1:3] != ("relu", 3) or hasattr(unit.shortcut_layer, "kernel"):
            raise ValueError(
                f"Unit {unit.name!r} must have a branch of {kinds}, ReLU, kernels of size 3 and no projection. "
                f"Received: branch, activation, size and shortcut {settings}"
            )
        arrays.extend(folded(unit.norm_1))
        made = {"name": unit.name, "kind": unit.branch}
        made["conv1"], made["conv2"] = conv(unit.conv_1, unit.norm_2), conv(unit.conv_2)
        if unit.gate is not None:
            made["hidden"] = dense(unit.gate.hidden_dense, unit.gate.hidden_norm)
            made["gate"] = dense(unit.gate.gate_dense)
        # How many of the shortcut's channels of zeros stand in front.
        way, added = unit.shortcut_layer, made["conv1"][0] - made["conv1"][1]
        made["shortcut"] = None if way is None else added // 2 if way.padding == "both" else 0
        return made

    height, width, channels = model.input_shape[1:]
    layers = {"stem": conv(model.get_layer("stem"))}
    units = [one_unit(layer) for layer in model.layers if hasattr(layer, "shortcut_layer")]
    arrays.extend(folded(model.get_layer("norm")))
    layers["classifier"] = dense(model.get_layer("classifier"))
    weights = pack(np.concatenate([array.ravel() for array in arrays]))
    return {"input": [channels, height, width], "layers": layers, "units": units, "weights": weights}


class Network:
    """A network from what `export` wrote.

    Args:
        exported: Dictionary from `export`.
    """

    def __init__(self, exported):
        self.input = tuple(exported["input"])
        numbers, at = unpack(exported["weights"]).astype(np.float64), 0

        def take(*shape):
            nonlocal at
            at += int(np.prod(shape))
            return numbers[at - int(np.prod(shape)) : at].reshape(shape)

        def conv(sizes):
            filters, channels, stride = sizes
            return take(filters, channels, 3, 3), take(filters), stride

        def dense(sizes):
            return (take(*sizes), take(sizes[1])) if sizes else None

        self._stem = conv(exported["layers"]["stem"])
        self._units = []
        for unit in exported["units"]:
            made = {"name": unit["name"], "kind": unit["kind"]}
            made["norm"] = take(unit["conv1"][1]), take(unit["conv1"][1])
            made["conv1"], made["conv2"] = conv(unit["conv1"]), conv(unit["conv2"])
            made["hidden"], made["gate"] = dense(unit.get("hidden")), dense(unit.get("gate"))
            self._units.append({**made, "shortcut": unit["shortcut"]})
        channels = exported["layers"]["classifier"][0]
        self._norm = take(channels), take(channels)
        self._classifier = dense(exported["layers"]["classifier"])

    def run(self, pixels, gates=(), thresholds=()):
        """Run the network on one image.

        Args:
            pixels: Array of as many numbers as the input has.
            gates: List, one entry a unit, of lists of numbers that replace the unit's gates or α, channel by
                channel; None leaves what was computed.
            thresholds: The same for thresholds.

        Returns:
            A dictionary: `logits`, `probabilities`, `label`, `stem`, `features`, and `units`, a list of dictionaries
            with `name`, `kind`, `input`, `branch` (u), `magnitudes` (the mean of |u| in each channel), `gates`,
            `thresholds`, `zeroed` (the share of u that becomes zero), `gated` and `output`, where the unit has them.
        """
        x = stem = _convolved(np.asarray(pixels, np.float64).reshape(self.input), self._stem)
        units = []
        for k, unit in enumerate(self._units):
            units.append(
                _run_unit(unit, x, *(list(one[k] or ()) if k < len(one) else [] for one in (gates, thresholds)))
            )
            x = units[-1]["output"]
        features = _normalized(x, self._norm).mean(axis=(1, 2))
        logits = features @ self._classifier[0] + self._classifier[1]
        powers = np.exp(logits - logits.max())
        said = {"logits": logits, "probabilities": powers / powers.sum(), "label": int(logits.argmax())}
        return {**said, "stem": stem, "features": features, "units": units}


def _normalized(x, norm):
    scale, shift = norm
    return np.maximum(x * scale[:, None, None] + shift[:, None, None], 0)


def _convolved(x, conv):
    kernel, bias, stride = conv
    sides = []
    for n in x.shape[1:]:
        total = max((-(-n // stride) - 1) * stride + 3 - n, 0)
        sides.append((total // 2, total - total // 2))
    padded = np.pad(x, [(0, 0), *sides])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,fcij->fhw", windows, kernel, optimize=True) + bias[:, None, None]


def _run_unit(unit, x, gates, thresholds):
    u = _convolved(np.maximum(_convolved(_normalized(x, unit["norm"]), unit["conv1"]), 0), unit["conv2"])
    m = np.abs(u).mean(axis=(1, 2))
    said = {"name": unit["name"], "kind": unit["kind"], "input": x, "branch": u, "magnitudes": m}
    gated = u
    if unit["kind"] != "plain":
        asked = u.mean(axis=(1, 2)) if unit["kind"] == "se-textbook" else m
        hidden = np.maximum(asked @ unit["hidden"][0] + unit["hidden"][1], 0)
        scales = 1 / (1 + np.exp(-(hidden @ unit["gate"][0] + unit["gate"][1])))
        said["gates"] = _replaced(scales, gates)
        if unit["kind"].startswith("drsn"):
            own = said["gates"] * (m.mean() if unit["kind"] == "drsn-cs" else m)
            said["thresholds"] = _replaced(np.broadcast_to(own, m.shape), thresholds)
            gated = np.sign(u) * np.maximum(np.abs(u) - said["thresholds"][:, None, None], 0)
            said["zeroed"] = (gated == 0).mean(axis=(1, 2))
        else:
            gated = u * said["gates"][:, None, None]
    front, stride = unit["shortcut"], unit["conv1"][2]
    y = gated.copy()
    if front is not None:
        y[front : front + len(x)] += x[:, ::stride, ::stride]
    return {**said, "gated": gated, "output": y}


def _replaced(values, others):
    values = np.array(values, np.float64)
    for c, other in enumerate(others):
        if other is not None:
            values[c] = other
    return values
