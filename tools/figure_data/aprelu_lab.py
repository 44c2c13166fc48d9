"""For the APReLU laboratory: what the activations of a trained network see, and the small networks that answer."""

import numpy as np

from drsn_lib import layers, records, training
from drsn_lib.data.vibration import VIBRATION_CLASSES
from drsn_lib.widgets._base import pack

RECIPE, BUDGET, CONDITION = "vibration-aprelu", "short", {"noise": "mixed", "low_db": -5.0, "high_db": 5.0}
LEVELS = (None, 5.0, 0.0, -5.0)  # signal-to-noise ratio in dB, no noise first
WINDOWS, JUDGED = 8, 24  # of each state: shown, and judged by
SHOWN = (1, 4, 16, 25)  # of the network's 25 activations, from the input on
EDGES = np.linspace(-4, 4, 25)


def place(number):
    """The path of an activation: two in each unit of the three stages, and one behind them."""
    stage, rest = divmod(number - 1, 8)
    return "activation" if number == 25 else f"stage{stage + 1}_unit{rest // 2 + 1}/activation_{rest % 2 + 1}"


def passed(model, x):
    """What arrives at each activation, and the slopes with which it answers."""
    seen, found = {}, {}
    own = layers.APReLU.call

    def call(layer, x, training=None):
        seen[layer.path] = np.asarray(x, np.float64), np.asarray(layer.slopes(x), np.float64)
        return own(layer, x, training)

    layers.APReLU.call = call
    try:
        for k in range(0, len(x), 64):
            model(x[k : k + 64], training=False)
            for path, pair in seen.items():
                found.setdefault(path, []).append(pair)
    finally:
        layers.APReLU.call = own
    return {path: [np.concatenate(part) for part in zip(*pairs, strict=True)] for path, pairs in found.items()}


def small_network(model, path):
    """Weights of an APReLU's two layers, with the normalizations folded in."""
    layer = {one.path: one for one in model._flatten_layers() if isinstance(one, layers.APReLU)}[path]
    out = []
    for dense, norm in ((layer.hidden_dense, layer.hidden_norm), (layer.gate_dense, layer.gate_norm)):
        kernel, bias = (np.asarray(w, np.float64) for w in dense.get_weights())
        gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in norm.get_weights())
        scale = gamma / np.sqrt(variance + norm.epsilon)
        out += [kernel * scale, (bias - mean) * scale + beta]
    return pack(np.concatenate([one.ravel() for one in out]))


def shares(a):
    """Parts of the variance of slopes (levels, states, windows, channels): of noise level and of state."""
    a = a - a.mean((0, 1, 2))
    total = a.var((0, 1, 2)).sum()
    return [round(float(part.sum() / total), 3) for part in (a.mean((1, 2)).var(0), a.mean((0, 2)).var(0))]


def build():
    """What drsn_lib/widgets/data/aprelu_lab.json holds."""
    made = {dict(one)["snr_db"]: part for one, part in training.probes(RECIPE, BUDGET, CONDITION)}
    y = made[None][1]
    states = len(VIBRATION_CLASSES)
    # Spread over the recordings, whose windows follow each other.
    chosen = np.array([np.flatnonzero(y == k)[:: np.sum(y == k) // JUDGED][:JUDGED] for k in range(states)])
    x = np.concatenate([made[level][0][chosen.ravel()] for level in LEVELS])
    order = {"seed": 0, "budget": BUDGET, "condition": CONDITION}
    model = records.load_model(RECIPE, "aprelu", **order)
    found = passed(model, x)
    assert len(found) == SHOWN[-1]
    fixed = {w.path: np.asarray(w) for w in records.load_model(RECIPE, "prelu", **order).weights}
    shape = (len(LEVELS), states, JUDGED)
    activations = {}
    for number in SHOWN:
        u, _ = found[place(number)]
        means = np.concatenate([np.minimum(u, 0).mean(1), np.maximum(u, 0).mean(1)], axis=-1)
        means = means.reshape(*shape, -1)[:, :, :: JUDGED // WINDOWS]
        # The first window of each state, as histograms: heights against the highest bar.
        first = u.reshape(*shape, *u.shape[1:])[:, :, 0]
        bars = np.apply_along_axis(lambda v: np.histogram(np.clip(v, -3.999, 3.999), EDGES)[0], 2, first)
        bars = (bars / bars.max(2, keepdims=True)).round(3)
        activations[str(number)] = {
            "channels": u.shape[-1],
            "means": pack(means),
            "weights": small_network(model, place(number)),
            "prelu": [round(float(a), 4) for a in fixed[f"{place(number)}/alpha"].ravel()],
            "below": np.mean(first < 0, axis=2).round(3).ravel().tolist(),
            "bars": np.moveaxis(bars, 2, 3).ravel().tolist(),
        }
    return {
        "states": list(VIBRATION_CLASSES),
        "levels": LEVELS,
        "windows": WINDOWS,
        "activations": activations,
        "shares": [shares(found[place(k + 1)][1].reshape(*shape, -1)) for k in range(SHOWN[-1])],
    }
