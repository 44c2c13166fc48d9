"""What was saved loads in a new process, in safe mode, without custom objects, and computes the same."""

import helpers
import keras
import numpy as np
import pytest

from drsn_lib import layers, models

MODELS = {
    "family": lambda: [
        models.build(variant, (16, 12, 2), 3, stages=[(8, 1, 1), (11, 1, 2)], name=f"m{i}")
        for i, variant in enumerate(models.VARIANTS)
    ],
    "activations": lambda: [
        models.build("drsn-cw", (40, 1), 3, activation="aprelu", kernel_regularizer="l2", gamma_regularizer="l2"),
        models.build("resnet", (40, 1), 3, activation=layers.APReLU(reduction=4, statistic="mean", initial_scale=0.1)),
        models.build("resnet", (40, 1), 3, activation=lambda: keras.layers.PReLU(shared_axes=[1])),
        models.build("resnet", (None, 1), 3, activation="elu", shortcut="projection"),
        models.build("drsn-cs", (40, 1), 3, shortcut_padding="end", initial_scale=0.02, stages=[(9, 2, 2)]),
    ],
}

# A new process needs no custom objects: importing the layers registers them.
LOAD = """
import sys
import keras, numpy as np
import drsn_lib.layers
with np.load(sys.argv[1]) as file:
    for index in range(len(file.files) // 2):
        model = keras.models.load_model(f"{sys.argv[2]}/model{index}.keras", safe_mode=True)
        out = keras.ops.convert_to_numpy(model(file[f"x{index}"]))
        np.testing.assert_allclose(out, file[f"y{index}"], rtol=1e-5, atol=1e-6)
        model.compile("sgd", "sparse_categorical_crossentropy")  # and it trains on
        model.fit(file[f"x{index}"], np.zeros(len(out)), verbose=0)
        print("same")
"""


@pytest.mark.parametrize("name", MODELS)
def test_round_trip_through_a_new_process(name, tmp_path):
    arrays = {}
    built = MODELS[name]()
    for index, model in enumerate(built):
        helpers.randomize(model, seed=index)
        shape = [40 if size is None else size for size in model.input_shape[1:]]
        x = np.random.default_rng(index).normal(size=(4, *shape)).astype("float32")
        arrays[f"x{index}"], arrays[f"y{index}"] = x, helpers.array(model(x))
        model.save(tmp_path / f"model{index}.keras")
    np.savez(tmp_path / "arrays.npz", **arrays)
    said = helpers.run_python(LOAD, tmp_path / "arrays.npz", tmp_path)
    assert said.split() == ["same"] * len(built)


def test_single_layers_round_trip(tmp_path):
    inputs, threshold = keras.Input((9, 4)), keras.Input((4,))
    x = layers.SoftThreshold()([inputs, threshold])
    x = layers.APReLU(2)(layers.Shrinkage("shared", 2)(layers.SqueezeExcitation(2)(x)))
    model = keras.Model([inputs, threshold], layers.IdentityShortcut(7, 2, "end")(x))
    helpers.randomize(model)
    model.save(tmp_path / "layers.keras")
    again = keras.models.load_model(tmp_path / "layers.keras", safe_mode=True)
    values = [np.random.default_rng(1).normal(size=(3, 9, 4)), np.full((3, 4), 0.1)]
    np.testing.assert_array_equal(helpers.array(again(values)), helpers.array(model(values)))


def test_weights_and_clones_round_trip(tmp_path):
    model = models.build("drsn-cw", (20, 1), 3, activation="aprelu")
    helpers.randomize(model)
    x = np.random.default_rng(2).normal(size=(3, 20, 1)).astype("float32")
    model.save_weights(tmp_path / "w.weights.h5")
    other = models.build("drsn-cw", (20, 1), 3, activation="aprelu")
    assert not np.allclose(helpers.array(other(x)), helpers.array(model(x)))
    other.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(helpers.array(other(x)), helpers.array(model(x)))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(helpers.array(clone(x)), helpers.array(model(x)))


def test_mixed_precision_round_trip(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build("drsn-cw", (20, 1), 3, activation="aprelu")
    finally:
        keras.config.set_dtype_policy("float32")
    helpers.randomize(model)
    model.save(tmp_path / "mixed.keras")
    again = keras.models.load_model(tmp_path / "mixed.keras")
    x = np.random.default_rng(3).normal(size=(3, 20, 1)).astype("float32")
    np.testing.assert_array_equal(helpers.array(again(x)), helpers.array(model(x)))
    assert again.get_layer("stage1_unit1").gate.gate_dense.compute_dtype == "bfloat16"
