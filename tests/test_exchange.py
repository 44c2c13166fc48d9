"""What the other backends saved loads here and computes the same: the second half of `exchange.py`.

Collected only where DRSN_EXCHANGE names the folder that they wrote to (`make test-backends` sets it).
"""

import json
import os
from pathlib import Path

import exchange
import helpers
import keras
import numpy as np
import pytest

from drsn_lib import training

FOLDER = Path(os.environ["DRSN_EXCHANGE"])
HERE = keras.backend.backend()
OTHERS = sorted(path.stem for path in FOLDER.glob("*.npz") if path.stem != HERE)
SAME = 1e-5
# Statistics measured anew on each backend: rounding enters at every layer, not only at the end.
MEASURED = 5e-5


@pytest.fixture(scope="module", params=OTHERS)
def source(request):
    with np.load(FOLDER / f"{request.param}.npz") as file:
        return request.param, dict(file)


def compare(source, name, what, got, expected, bound):
    """Bounds the largest difference: absolute up to magnitude 1, relative to the largest value beyond."""
    difference = float(np.max(np.abs(got - expected)) / max(1.0, np.max(np.abs(expected))))
    found = {"from": source, "to": HERE, "model": name, "what": what, "difference": difference, "bound": bound}
    with (FOLDER / f"{HERE}.jsonl").open("a") as file:
        file.write(json.dumps(found) + "\n")
    assert difference <= bound, f"{name} of {source}: {what} differ by {difference:.2g}"


def load(name):
    return keras.models.load_model(FOLDER / f"{name}.keras", safe_mode=True)  # the layers' import is all it needs


@pytest.mark.parametrize("name", exchange.MODELS)
def test_a_model_of_another_backend_computes_the_same(source, name):
    source, arrays = source
    model = load(f"{source}-{name}")
    for index, w in enumerate(model.weights):
        np.testing.assert_array_equal(helpers.array(w), arrays[f"{name}/{index}"], err_msg=w.path)
    got = exchange.outputs(model, exchange.inputs(model))
    compare(source, name, "outputs of a loaded model", got, arrays[f"{name}/y"], SAME)


@pytest.mark.parametrize("name", exchange.RECALIBRATED)
def test_statistics_recalibrated_here_are_those_of_the_other_backend(source, name):
    source, arrays = source
    model = load(f"{source}-{name}-before")
    x = exchange.inputs(model)
    training.recalibrate_batch_norm(model, x, batch_size=len(x) // 2)
    for index, w in enumerate(model.weights):
        compare(source, name, "weights after recalibration", helpers.array(w), arrays[f"{name}/{index}"], MEASURED)
    got = exchange.outputs(model, x)
    compare(source, name, "outputs after recalibration", got, arrays[f"{name}/y"], MEASURED)


@pytest.mark.parametrize("name", exchange.BY_WEIGHTS)
def test_weights_of_another_backend_enter_a_model_made_here_and_it_trains_on(source, name):
    source, arrays = source
    model = exchange.MODELS[name]()
    model.load_weights(FOLDER / f"{source}-{name}.weights.h5")
    x = exchange.inputs(model)
    compare(source, name, "outputs with loaded weights", exchange.outputs(model, x), arrays[f"{name}/y"], SAME)
    model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    y = np.arange(len(x)) % 3
    # The loss of training itself: with statistics that still follow the weights, evaluation may go either way.
    losses = model.fit(x, y, batch_size=len(x), epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[1] < losses[0]
