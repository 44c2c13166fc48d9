"""Augmentation against the old generator, against slow loops in NumPy, and against what a layer owes."""

import warnings

import helpers
import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from drsn_lib import augment

BACKEND = keras.backend.backend()
# Float64 against float64; Keras' trigonometric functions on JAX know float32 alone.
EXACT = 5e-6 if BACKEND == "jax" else 1e-11
IMAGES = {
    "affine": lambda **kw: augment.Affine(rotation=30, shear=30, zoom=0.2, shift=0.125, flip=True, **kw),
    "flip": augment.RandomFlip,
    "crop": augment.RandomCrop,
}
SIGNALS = {"roll": augment.RandomRoll, "sign": augment.RandomSign}
ALL = {**IMAGES, **SIGNALS}
CHANGED = {"affine": 1.0, "flip": 0.5, "crop": 80 / 81, "roll": 20 / 21, "sign": 0.5}  # share of changed samples


def batch(name, count=24, dtype="float32"):
    """Random images that are not square, or signals: no value occurs twice in a sample."""
    shape = (count, 13, 9, 2) if name in IMAGES else (count, 21, 2)
    return (np.random.default_rng(0).random(shape) + 0.1).astype(dtype)


def trained(layer, x):
    return helpers.array(layer(x, training=True))


# The affine map


def generator(**ranges):
    """The old generator, straight from Keras' attic: no public name is left."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(**ranges)


def as_arguments(parameters, size):
    """The generator's parameters by our names. Its x is the column, whatever its documentation says of heights."""
    return {
        "rotation": parameters["theta"],
        "shear": parameters["shear"],
        "zoom": np.array([parameters["zy"], parameters["zx"]]),
        "shift": np.array([parameters["ty"], parameters["tx"]]) / size,
        "flip": bool(parameters["flip_horizontal"]),
    }


@pytest.mark.parametrize(
    "ranges",
    [
        {"rotation_range": 180},
        {"shear_range": 60},
        {"zoom_range": 0.7},
        {"height_shift_range": 0.5, "width_shift_range": 0.5},
        {"horizontal_flip": True},
        {
            "rotation_range": 30,
            "shear_range": 30,
            "zoom_range": 0.2,
            "height_shift_range": 0.125,
            "width_shift_range": 0.125,
            "horizontal_flip": True,
        },
    ],
    ids=["rotation", "shear", "zoom", "shift", "flip", "all"],
)
def test_affine_equals_the_old_generator(ranges):
    old, size = generator(**ranges), 32
    drawn = [old.get_random_transform((size, size, 3), seed=seed) for seed in range(24)]
    images = np.random.default_rng(1).random((24, size, size, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SciPy's old name for its module
        expected = np.stack([old.apply_transform(x, p) for x, p in zip(images, drawn, strict=True)])
    arguments = [as_arguments(p, size) for p in drawn]
    arguments = {key: np.stack([one[key] for one in arguments]) for key in arguments[0]}
    assert np.abs(expected - images).max() > 0.1
    got = helpers.array(augment.Affine.transform(images.astype("float32"), **arguments))
    np.testing.assert_allclose(got, expected, rtol=0, atol=5e-6)
    # In float64 the two are one formula.
    got = helpers.array(augment.Affine.transform(images, **arguments))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=0, atol=EXACT)


def test_affine_of_images_that_are_not_square():
    # The generator errs here, so the reference is SciPy, with the matrices multiplied out.
    images = np.random.default_rng(2).random((2, 11, 17, 1))
    theta, shear, zoom, shift = np.deg2rad(25), np.deg2rad(-20), (0.8, 1.3), (0.1, -0.2)
    rotate = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    skew = np.array([[1, -np.sin(shear)], [0, np.cos(shear)]])
    mirror, swap = np.diag([-1, 1]), np.array([[0, 1], [1, 0]])  # matrices act on (column, row), SciPy on (row, column)
    matrix = swap @ rotate @ skew @ np.diag(zoom[::-1]) @ mirror @ swap
    center = np.array([5.0, 8.0])
    moved = swap @ rotate @ np.array([shift[1] * 17, shift[0] * 11])
    offset = center + moved - matrix @ center
    expected = np.stack([ndimage.affine_transform(x[..., 0], matrix, offset, order=1, mode="nearest") for x in images])
    got = augment.Affine.transform(images, rotation=25, shear=-20, zoom=zoom, shift=shift, flip=True)
    np.testing.assert_allclose(helpers.array(got)[..., 0], expected, rtol=0, atol=EXACT)


def test_affine_directions():
    x = np.random.default_rng(3).random((2, 6, 6, 2))

    def moved(**arguments):
        return helpers.array(augment.Affine.transform(x, **arguments))

    np.testing.assert_array_equal(moved(), x)
    np.testing.assert_array_equal(moved(flip=True), x[:, :, ::-1])
    np.testing.assert_array_equal(moved(flip=[True, False]), [x[0, :, ::-1], x[1]])
    np.testing.assert_allclose(moved(rotation=90), np.rot90(x, axes=(1, 2)), atol=EXACT)
    np.testing.assert_allclose(moved(shift=(1 / 6, 0))[:, :-1], x[:, 1:], atol=EXACT)
    np.testing.assert_allclose(moved(shift=(0, 1 / 6))[:, :, :-1], x[:, :, 1:], atol=EXACT)
    np.testing.assert_allclose(moved(shift=(1 / 6, 0))[:, -1], x[:, -1], atol=EXACT)  # the edge goes on
    enlarged = moved(zoom=(1.0, 0.2))
    np.testing.assert_allclose(enlarged[:, :, 2] - enlarged[:, :, 3], 0.2 * (x[:, :, 2] - x[:, :, 3]), atol=EXACT)


def test_affine_of_integers_rounds():
    x = np.random.default_rng(4).integers(0, 256, (3, 8, 8, 3)).astype("uint8")
    got = helpers.array(augment.Affine.transform(x, rotation=20))
    exact = helpers.array(augment.Affine.transform(x.astype("float32"), rotation=20))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, np.round(exact))


def test_affine_of_one_row_and_one_pixel():
    for shape in ((2, 1, 7, 1), (2, 7, 1, 1), (2, 1, 1, 1)):
        x = np.random.default_rng(5).random(shape)
        got = trained(ALL["affine"](seed=0), x)
        assert got.shape == shape
        assert got.min() >= x.min() and got.max() <= x.max()


def test_drawn_parameters_fill_their_ranges():
    layer = augment.Affine(rotation=30, shear=10, zoom=(0.5, 2.0), shift=0.125, flip=True, seed=0)
    drawn = {key: helpers.array(value) for key, value in layer.draw(4000).items()}
    bounds = {"rotation": (-30, 30), "shear": (-10, 10), "zoom": (0.5, 2.0), "shift": (-0.125, 0.125)}
    for key, (low, high) in bounds.items():
        values, margin = drawn[key], 0.01 * (high - low)
        assert values.shape == ((4000, 2) if key in ("zoom", "shift") else (4000,))
        assert low <= values.min() < low + margin and high - margin < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 2 * margin
        assert abs(values.std() - (high - low) / 12**0.5) < margin
    assert abs(drawn["flip"].mean() - 0.5) < 0.04
    columns = [drawn["rotation"], drawn["shear"], *drawn["zoom"].T, *drawn["shift"].T, drawn["flip"]]
    together = np.corrcoef(np.stack(columns).astype(float))
    assert np.abs(together - np.eye(7)).max() < 0.08  # each is drawn for itself
    still = augment.Affine(seed=0)
    np.testing.assert_array_equal(trained(still, batch("affine")), batch("affine"))
    number = {key: helpers.array(value) for key, value in augment.Affine(zoom=0.2, seed=0).draw(1000).items()}
    assert 0.8 <= number["zoom"].min() < 0.81 and 1.19 < number["zoom"].max() <= 1.2
    assert not number["rotation"].any() and not number["shift"].any() and not number["flip"].any()


def test_affine_does_in_training_what_it_draws():
    x = batch("affine")
    layer, twin = ALL["affine"](seed=3), ALL["affine"](seed=3)
    np.testing.assert_array_equal(trained(layer, x), helpers.array(twin.transform(x, **twin.draw(len(x)))))


# The others


def test_flip_mirrors_half():
    x = batch("flip", 1000)
    got = trained(augment.RandomFlip(seed=0), x)
    mirrored = (got == x[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (got == x).all(axis=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert abs(mirrored.mean() - 0.5) < 0.06


@pytest.mark.parametrize("padding", [1, 4])
def test_crops_are_windows_of_the_padded_images(padding):
    x = batch("crop", 1500)
    got = trained(augment.RandomCrop(padding, seed=0), x)
    padded = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    counts = np.zeros((2 * padding + 1, 2 * padding + 1), int)
    for down in range(2 * padding + 1):
        for right in range(2 * padding + 1):
            window = padded[:, down : down + 13, right : right + 9]
            counts[down, right] = (got == window).all(axis=(1, 2, 3)).sum()
    assert counts.sum() == len(x)  # each crop is one of the windows, and of one alone
    expected = len(x) / counts.size
    assert abs(counts - expected).max() < 5 * expected**0.5


def test_rolls_keep_the_order_of_points():
    x = batch("roll", 2000)
    got = trained(augment.RandomRoll(seed=0), x)
    counts = np.array([(got == np.roll(x, -shift, axis=1)).all(axis=(1, 2)).sum() for shift in range(21)])
    assert counts.sum() == len(x)
    assert abs(counts - len(x) / 21).max() < 5 * (len(x) / 21) ** 0.5


def test_sign_turns_whole_signals():
    x = batch("sign", 1000)
    got = trained(augment.RandomSign(seed=0), x)
    turned = (got == -x).all(axis=(1, 2))
    assert (turned ^ (got == x).all(axis=(1, 2))).all()
    assert abs(turned.mean() - 0.5) < 0.06


# What every one of them owes


@pytest.mark.parametrize("name", ALL)
def test_only_training_changes_the_input(name):
    x, layer = batch(name), ALL[name](seed=0)
    np.testing.assert_array_equal(helpers.array(layer(x)), x)
    np.testing.assert_array_equal(helpers.array(layer(x, training=False)), x)
    changed = (trained(layer, x) != x).reshape(len(x), -1).any(axis=1).mean()
    assert abs(changed - CHANGED[name]) < 0.31
    assert changed > 0  # and not all alike
    got = trained(layer, np.repeat(x[:1], 24, axis=0))
    assert len(np.unique(got.reshape(24, -1), axis=0)) > 1


@pytest.mark.parametrize("name", ALL)
def test_the_seed_decides(name):
    x = batch(name)
    first, twin, other = ALL[name](seed=1), ALL[name](seed=1), ALL[name](seed=2)
    run = [trained(first, x) for _ in range(3)]
    for expected in run:
        np.testing.assert_array_equal(trained(twin, x), expected)
    assert not np.array_equal(run[0], run[1]) and not np.array_equal(run[1], run[2])
    assert not np.array_equal(trained(other, x), run[0])
    free = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        free.append(trained(ALL[name](), x))
    np.testing.assert_array_equal(*free)
    assert not np.array_equal(trained(ALL[name](), x), free[0])  # the next layer has another seed


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("name", ALL)
def test_shape_and_type_are_those_of_the_input(name, policy):
    x = batch(name)
    expected = trained(ALL[name](seed=1), x)
    got = trained(ALL[name](seed=1, dtype=policy), x)
    assert got.dtype == np.float32  # the policy does not coarsen the data
    np.testing.assert_array_equal(got, expected)
    half = ALL[name](seed=1, dtype=policy)(x.astype("float16"), training=True)
    assert keras.backend.standardize_dtype(half.dtype) == "float16"
    np.testing.assert_allclose(helpers.array(half), expected, atol=2e-3)
    brain = ALL[name](seed=1, dtype=policy)(ops.cast(x, "bfloat16"), training=True)
    assert keras.backend.standardize_dtype(brain.dtype) == "bfloat16"
    np.testing.assert_allclose(helpers.array(ops.cast(brain, "float32")), expected, atol=2e-2)
    whole = trained(ALL[name](seed=1), (100 * x).astype("int32"))
    assert whole.dtype == np.int32
    np.testing.assert_allclose(whole, 100 * expected, atol=1.5)
    symbolic = ALL[name](dtype=policy)(keras.Input(x.shape[1:], dtype="float32"), training=True)
    assert symbolic.dtype == "float32" and tuple(symbolic.shape) == (None, *x.shape[1:])
    assert ALL[name]().compute_output_shape(x.shape) == x.shape


@pytest.mark.parametrize("name", ALL)
def test_no_weights_and_a_tracked_state(name):
    layer = ALL[name](seed=5)
    x = batch(name)
    layer(x, training=True)
    assert layer.weights == []
    (state,) = layer.non_trainable_variables
    assert helpers.array(state).tolist() == [5, 1]  # the seed, and how often it was drawn from


@pytest.mark.parametrize("name", ALL)
def test_a_saved_model_augments_as_before(name, tmp_path):
    x = batch(name)
    inputs = keras.Input([None] * (x.ndim - 2) + [2])
    model = keras.Model(inputs, ALL[name](seed=11)(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.layers[1].get_config() == model.layers[1].get_config()
    np.testing.assert_array_equal(trained(again, x), trained(model, x))
    np.testing.assert_array_equal(helpers.array(again(x, training=False)), x)
    clone = type(model.layers[1]).from_config(model.layers[1].get_config())
    np.testing.assert_array_equal(trained(clone, x), trained(ALL[name](seed=11), x))


def test_every_argument_survives_saving():
    layer = augment.Affine(rotation=5, shear=6, zoom=(0.9, 1.2), shift=0.2, flip=True, seed=4)
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    for key in ("rotation", "shear", "zoom", "shift", "flip", "seed"):
        assert getattr(again, key) == getattr(layer, key)
    from_lists = augment.Affine.from_config({**layer.get_config(), "zoom": [0.9, 1.2]})  # what JSON makes of it
    assert from_lists.zoom == (0.9, 1.2)
    assert augment.RandomCrop.from_config(augment.RandomCrop(2).get_config()).padding == 2


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("kind", ["images", "signals"])
def test_training_a_model(kind, jit):
    if jit and BACKEND == "torch":
        pytest.skip("PyTorch's compiler needs a C++ compiler and minutes")
    names = IMAGES if kind == "images" else SIGNALS
    x = batch(next(iter(names)), 25)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:])])
    for name in names:
        model.add(names[name](seed=1))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(2))
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=jit)
    history = model.fit(x, np.zeros((25, 2)), batch_size=10, epochs=3, verbose=0)  # the last batch has another size
    assert history.history["loss"][-1] < history.history["loss"][0]
    # Three batches an epoch moved the seeds' states on.
    drawn = [int(helpers.array(one.non_trainable_variables[0])[1]) for one in model.layers[: len(names)]]
    assert drawn == [9] * len(names)


@pytest.mark.parametrize("name", ALL)
def test_unknown_sizes(name):
    if BACKEND != "tensorflow":
        pytest.skip("only TensorFlow has tensors of unknown sizes")
    import tensorflow as tf

    x, layer, eager = batch(name), ALL[name](seed=1), ALL[name](seed=1)
    signature = [tf.TensorSpec([None] * (x.ndim - 1) + [2])]
    step = tf.function(lambda v: layer(v, training=True), input_signature=signature)
    expected = trained(eager, x)
    np.testing.assert_allclose(helpers.array(step(x)), expected, atol=1e-5)
    small = x[:5, :8]
    np.testing.assert_allclose(helpers.array(step(small)), trained(eager, small), atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_many_models_at_once(name):
    if BACKEND != "jax":
        pytest.skip("jax.vmap needs the JAX backend")
    import jax

    x = batch(name)
    layer = ALL[name](seed=0)
    layer.build(x.shape)
    seeds = np.array([[3, 0], [4, 0], [9, 0]], "uint32")

    def step(state, images):
        return layer.stateless_call([], [state], images, training=True)

    for shared in (True, False):  # one batch for all, or one a model
        images = x if shared else np.stack([x, x + 1, x + 2])
        many = jax.jit(jax.vmap(step, in_axes=(0, None if shared else 0)))
        got, (states,) = many(seeds, images)
        assert np.asarray(states).tolist() == [[3, 1], [4, 1], [9, 1]]
        for i, seed in enumerate((3, 4, 9)):
            alone = trained(ALL[name](seed=seed), images if shared else images[i])
            np.testing.assert_allclose(np.asarray(got[i]), alone, atol=1e-5)


# Wrong arguments

WRONG = {
    "rotation": [181, -1, "30", None, True, float("nan")],
    "shear": [90, -1, [30]],
    "zoom": [1.0, -0.1, (1.2, 0.8), (0.0, 1.0), (1, 2, 3), (0.5, float("inf"))],
    "shift": [1.1, -0.1, (0.1, 0.1)],
    "flip": [1, "yes", None],
    "seed": [-1, 1.0, True, "0", 2**31],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_arguments_of_affine(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` of Affine must be .* Received: {name}="):
        augment.Affine(**{name: value})


@pytest.mark.parametrize("padding", [-1, 1.5, "4", True, None])
def test_wrong_padding(padding):
    with pytest.raises(ValueError, match="`padding` of RandomCrop must be an integer of at least 0"):
        augment.RandomCrop(padding)


def test_no_padding_no_crop():
    np.testing.assert_array_equal(trained(augment.RandomCrop(0, seed=0), batch("crop")), batch("crop"))


@pytest.mark.parametrize("name", ALL)
def test_wrong_inputs(name):
    other = batch("roll" if name in IMAGES else "flip")
    who = type(ALL[name]()).__name__
    with pytest.raises(ValueError, match=rf"{who} expects (images|signals) of shape \(batch, .* Received: .*shape"):
        ALL[name]()(other)
    with pytest.raises(ValueError, match="known number of channels"):
        ALL[name]()(keras.Input([8] * (batch(name).ndim - 2) + [None]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation", [1.0, 2.0]),
        ("shear", [[1.0] * 24]),
        ("zoom", [1.0] * 24),
        ("zoom", [[1.0, 1.0]] * 2),
        ("shift", [0.1] * 3),
        ("flip", [True] * 3),
    ],
)
def test_wrong_parameters_of_transform(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` of Affine.transform must be .* there are 24 images"):
        augment.Affine.transform(batch("affine"), **{name: np.array(value)})
