"""Models that every backend saves for the others: what they are, and what is written beside them.

    KERAS_BACKEND=jax python tests/exchange.py FOLDER

writes each of MODELS into FOLDER, and in one .npz the arrays that `test_exchange.py` compares with on the other
backends. `make test-backends` does both.
"""

import os
import sys
import time
from pathlib import Path

import helpers
import keras
import numpy as np

from drsn_lib import layers, models, training

SHAPES = {"1d": (41, 2), "2d": (13, 10, 2)}  # odd sizes, so that "same" padding and stride 2 have to round


def small(variant, rank, **options):
    # Odd growth of the channels; no softmax, so that nothing hides a difference.
    options = {"stem": (4, 2), "stages": [(4, 1, 1), (7, 2, 2)], **options}
    return models.build(variant, SHAPES[rank], 3, classifier_activation=None, **options)


def single_layers(rank):
    inputs, threshold = keras.Input(SHAPES[rank]), keras.Input(SHAPES[rank][-1:])
    x = layers.SoftThreshold()([inputs, threshold])
    x = layers.APReLU(2, statistic="positive")(layers.Shrinkage("shared", 2)(layers.SqueezeExcitation(2)(x)))
    return keras.Model([inputs, threshold], layers.IdentityShortcut(7, 2, "end")(x))


MODELS = {
    f"{name}-{rank}": (lambda make=make, rank=rank: make(rank))
    for rank in SHAPES
    for name, make in {
        **{variant: lambda rank, variant=variant: small(variant, rank) for variant in models.VARIANTS},
        "aprelu": lambda rank: small("resnet", rank, activation="aprelu"),
        "drsn-cw-aprelu": lambda rank: small("drsn-cw", rank, activation="aprelu", reduction=2, shortcut_padding="end"),
        "projection-elu": lambda rank: small("drsn-cs", rank, activation="elu", shortcut="projection"),
        "layers": single_layers,
    }.items()
}
# The deepest of the book's networks, as it is: there small differences have the longest way to grow.
MODELS["vibration"] = lambda: models.preset("vibration", "drsn-cw")
RECALIBRATED = ["drsn-cs-1d", "drsn-cw-2d", "drsn-cw-aprelu-1d", "aprelu-2d", "vibration"]
BY_WEIGHTS = ["drsn-cw-aprelu-1d", "drsn-cs-2d"]


def inputs(model, count=24):
    rng = np.random.default_rng(len(model.weights))
    x = [rng.normal(size=(count, *one.shape[1:])).astype("float32") for one in model.inputs]
    return [x[0], 0.1 * np.abs(x[1])] if len(x) == 2 else x[0]


def outputs(model, x):
    return helpers.array(model(x, training=False))


def randomize(model, seed):
    """Biases and normalizations as a training might leave them; kernels stay as they were drawn."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        if "kernel" not in w.path:
            value = rng.normal(0.0, 0.3, w.shape)
            w.assign(0.5 + np.abs(value) if w.path.endswith(("gamma", "moving_variance")) else value)


def write(folder):
    """Saves every model and what it computes; some as they were before recalibration too."""
    backend, arrays, start = keras.backend.backend(), {}, time.monotonic()
    for number, (name, make) in enumerate(MODELS.items()):
        keras.utils.set_random_seed(number)
        model = make()
        randomize(model, number)
        x = inputs(model)
        if name in RECALIBRATED:
            model.save(folder / f"{backend}-{name}-before.keras")
            training.recalibrate_batch_norm(model, x, batch_size=len(x) // 2)
        if name in BY_WEIGHTS:
            model.save_weights(folder / f"{backend}-{name}.weights.h5")
        model.save(folder / f"{backend}-{name}.keras")
        arrays[f"{name}/y"] = outputs(model, x)
        for index, w in enumerate(model.weights):
            arrays[f"{name}/{index}"] = helpers.array(w)
    np.savez(folder / f"{backend}.npz", **arrays)
    return f"{backend}: {len(MODELS)} models written in {time.monotonic() - start:.0f} s"


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(write(Path(sys.argv[1])))
