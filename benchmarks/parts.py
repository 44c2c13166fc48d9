"""Take a training step apart, on TensorFlow: forward, gradient, update, for a whole batch and for two samples.

    .venv/bin/python benchmarks/parts.py

With two samples there is next to no map to pass over, so what a network then costs more than the ResNet is the price
of small operations, which no batch size changes; the difference to the whole batch is that of the passes over maps.
In every round each network runs each part once, in a random order. Results go to benchmarks/results/parts.json.
"""

import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks import compare, run, steps  # noqa: E402

PATH = ROOT / "benchmarks" / "results" / "parts.json"
SMALL = 2  # samples
PARTS = ("forward", "gradient", "step")  # each holds the one before
SECONDS = 60


def parts_of(network, variant, samples=None):
    """The parts of a network's training step, each a function that does it once, and the batch size."""
    import tensorflow as tf

    model, (x, y) = steps.network(network, variant)
    x, y = tf.constant(x[:samples]), tf.constant(y[:samples])
    variables = [variable.value for variable in model.trainable_variables]

    def loss():
        return model.compute_loss(x, y, model(x, training=True))

    def gradient():
        with tf.GradientTape() as tape:
            value = loss()
        return value, tape.gradient(value, variables)

    def step():
        value, gradients = gradient()
        model.optimizer.apply(gradients, model.trainable_variables)
        return value

    model.optimizer.build(model.trainable_variables)
    made = dict(zip(PARTS, map(tf.function, (loss, gradient, step)), strict=True))
    return made, len(x)


def measure(network="vibration", variants=steps.VARIANTS, seconds=SECONDS):
    """Times all parts of all variants side by side; returns the rows to store."""
    ways = {}
    for samples in (None, SMALL):
        for variant in variants:
            made, count = parts_of(network, variant, samples)
            ways |= {(count, variant, part): _fetching(part, one) for part, one in made.items()}
    times = steps.in_turns(ways, seconds)
    rows = []
    for (samples, variant, part), found in times.items():
        base = times[samples, variants[0], part]
        rows.append(
            {
                "network": network,
                "samples": samples,
                "variant": variant,
                "part": part,
                "rounds": len(found),
                "milliseconds": round(1e3 * float(np.median(found)), 3),
                "more": round(1e3 * float(np.median(np.subtract(found, base))), 3),  # than the first network
                "to_resnet": {k: round(v, 4) for k, v in compare.ratio(found, base).items()},
            }
        )
    return rows


def _fetching(part, one):
    """The part, waited for."""
    return lambda: np.asarray(one()[0] if part == "gradient" else one())


def main():
    """Measure, store, print."""
    load = os.getloadavg()[0]
    rows = measure()
    PATH.write_text(json.dumps({**run.circumstances(load), "parts": rows}, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['samples']:>5} {row['variant']:<8} {row['part']:<9} {row['milliseconds']:9.2f} ms")


if __name__ == "__main__":
    main()
