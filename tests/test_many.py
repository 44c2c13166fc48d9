"""Many runs at once: each is the run that it would be alone, however they are divided, stopped and taken up."""

import dataclasses
import doctest

import helpers
import keras
import numpy as np
import pytest
from keras import ops

from drsn_lib import models, recipes, records, training
from drsn_lib.training import _convolution, fit, many

JAX = keras.backend.backend() == "jax"
needs_jax = pytest.mark.skipif(not JAX, reason="many runs at once need the JAX backend")

SMALL = (("stem", (4, 2)), ("stages", ((4, 1, 2),)))
ADAM = recipes.Budget(
    epochs=2,
    batch_size=20,
    optimizer="adam",
    schedule=recipes.Schedule("one-cycle", 0.03, warmup=0.2),
    validation=0.2,
    train=150,
    test=70,
    full=False,
    network=SMALL,
)
NESTEROV = recipes.Budget(
    epochs=3,
    batch_size=16,
    schedule=recipes.Schedule("one-cycle", 0.1, warmup=0.3),
    nesterov=True,
    gamma_l2=1e-4,
    validation=0.25,
    data=(("recordings", 5), ("windows", 4), ("length", 256), ("shaft_hz", (25.0,)), ("loads", (1.0,))),
    network=(("input_shape", (256, 1)), ("stem", (4, 2)), ("stages", ((4, 1, 4), (8, 1, 4)))),
)
ZERO_DB = {"noise": "gaussian", "snr_db": 0.0}
PINK, CLEAN = {"noise": "pink", "snr_db": -5.0}, {"noise": "none", "snr_db": None}


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """Lets JAX keep what it compiled: several tests run the same programs again."""
    if not JAX:
        yield
        return
    import jax

    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [getattr(jax.config, name) for name in names]
    for name, value in zip(names, (str(tmp_path_factory.mktemp("jax")), 0.2), strict=True):
        jax.config.update(name, value)
    yield
    for name, value in zip(names, before, strict=True):
        jax.config.update(name, value)


@pytest.fixture
def in_double(monkeypatch):
    """Lets `fit.run` compute in float64, and both ways what else stays in float32: classifier and normalization."""
    from keras.src.backend.common import dtypes

    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    dense = keras.layers.Dense
    monkeypatch.setattr(
        keras.layers,
        "Dense",
        lambda *args, dtype=None, **more: dense(*args, dtype="float64" if dtype == "float32" else dtype, **more),
    )
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def kept(monkeypatch):
    """The weights that runs keep, unrounded: a dictionary from variant, seed and noise."""
    found = {}

    def store(network, folder, record):
        key = record["variant"], record["seed"], record["condition"].get("noise")
        found[key] = [helpers.array(one) for one in network.get_weights()]
        return f"weights/{record['seed']}.npz"

    monkeypatch.setattr(fit, "store_weights", store)
    return found


def alike(one, other, loss=1e-5):
    """Whether two records tell the same run."""
    assert records.validate(one) and records.validate(other)
    for key in ("recipe", "variant", "seed", "budget", "condition", "parameters", "backend", "device"):
        assert one[key] == other[key], key
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(one["history"][name], other["history"][name], atol=2e-5)
    assert one["moving"] == other["moving"]
    for probe, also in zip(one.get("probes", ()), other.get("probes", ()), strict=True):
        assert (probe["condition"], probe["count"]) == (also["condition"], also["count"])
        assert probe["accuracy"] == also["accuracy"] and probe["loss"] == pytest.approx(also["loss"], abs=loss)
    for name in ("test", "validation"):
        assert one.get(name, {}).keys() == other.get(name, {}).keys()
        for key, value in one.get(name, {}).items():
            assert value == pytest.approx(other[name][key], abs=loss) if key == "loss" else value == other[name][key]


def without_times(record):
    return {key: value for key, value in record.items() if key not in ("date", "seconds")}


@pytest.mark.skipif(JAX, reason="on JAX it works")
def test_other_backends_are_told_what_to_do():
    with pytest.raises(ValueError, match=r"JAX backend only. Set KERAS_BACKEND=jax.*Received: backend"):
        many.run_many("mnist-noise", "drsn-cw", [0, 1], "smoke")
    with pytest.raises(ValueError, match=r"KERAS_BACKEND=jax"):
        many.cost("mnist-noise", "drsn-cw")


@pytest.mark.skipif(JAX, reason="Keras itself loads JAX")
def test_jax_is_not_loaded_before_it_is_needed():
    code = "import sys, keras\nbefore = 'jax' in sys.modules\nimport drsn_lib.training.many\n"
    assert helpers.run_python(code + "print(before or 'jax' not in sys.modules)").strip() == "True"


# ---------------------------------------------------------------- convolutions as products


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("shape", "size", "strides"),
    [
        ((17, 3), 3, 1),
        ((16, 3), 3, 2),
        ((15, 2), 4, 3),
        ((9, 8, 2), (3, 3), (1, 1)),
        ((9, 8, 2), (3, 2), (2, 2)),
        ((7, 7, 3), (1, 1), (2, 2)),
    ],
)
def test_product_of_shifted_slices_is_the_convolution(shape, size, strides, padding):
    # On PyTorch, Keras' own product of float64 matrices goes through float32.
    close = {"rtol": 1e-4, "atol": 1e-4} if keras.backend.backend() == "torch" else {"rtol": 1e-7, "atol": 1e-10}
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *shape))
    kernel = rng.normal(size=(*(size if isinstance(size, tuple) else (size,)), shape[-1], 5))
    aim = ops.convert_to_tensor(rng.normal(size=tuple(ops.conv(x, kernel, strides, padding).shape)))

    def of(convolution):
        return lambda x, kernel: ops.sum(aim * ops.square(convolution(x, kernel, strides, padding)))

    np.testing.assert_allclose(
        helpers.array(_convolution.convolve(ops.convert_to_tensor(x), kernel, strides, padding)),
        helpers.array(ops.conv(x, kernel, strides, padding)),
        **close,
    )
    got, expected = (helpers.gradients(of(one), x, kernel) for one in (_convolution.convolve, ops.conv))
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, **close)


@pytest.mark.parametrize("shape", [(32, 2), (9, 8, 1)])
def test_model_convolves_as_before_once_the_context_is_left(shape):
    model = models.build("drsn-cw", shape, 3, shortcut="projection", stages=[(8, 1, 2)], stem=(4, 1))
    helpers.randomize(model)
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype("float32")
    before = helpers.array(model(x))
    calls, real = [], _convolution.convolve
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_convolution, "convolve", lambda *args: calls.append(args) or real(*args))
        with _convolution.as_matrix_products(model):
            np.testing.assert_allclose(helpers.array(model(x)), before, atol=1e-6)
        assert len(calls) == 4
        with pytest.raises(RuntimeError), _convolution.as_matrix_products(model):
            raise RuntimeError
        np.testing.assert_array_equal(helpers.array(model(x)), before)
    assert len(calls) == 4


# ---------------------------------------------------------------- the same runs


CASES = {
    "images, adam": ("mnist-noise", "drsn-cw", ADAM, [None]),
    "signals, two data sets, nesterov": ("vibration-snr", "drsn-cw", NESTEROV, [PINK, CLEAN]),
    "images that are measured in other noise": ("mnist-snr", "learned-fraction", ADAM, [ZERO_DB]),
    "augmented images": (
        "mnist-noise",
        "senet",
        dataclasses.replace(
            ADAM,
            optimizer="sgd",
            nesterov=True,
            augment=(
                ("RandomCrop", (("padding", 2),)),
                ("Affine", (("rotation", 20.0), ("shift", 0.1), ("flip", True))),
            ),
        ),
        [None],
    ),
    "augmented signals": (
        "vibration-snr",
        "resnet",
        dataclasses.replace(
            NESTEROV,
            augment=(("RandomRoll", ()), ("RandomSign", ())),
            validation=0.0,
            network=(("input_shape", (256, 1)), *SMALL),
        ),
        [PINK],
    ),
}


@needs_jax
@pytest.mark.parametrize("case", CASES)
def test_every_run_is_the_one_that_it_would_be_alone(case, in_double, kept, tmp_path):
    recipe, variant, budget, conditions = CASES[case]
    # Of two conditions, one seed each: every run of its own costs a compilation.
    pairs = [(conditions[0], 0), (conditions[-1], 3)]
    alone = [
        training.run(recipe, variant, seed, budget, one, folder=tmp_path, progress=False, keep_weights=True)
        for one, seed in pairs
    ]
    expected = dict(kept)
    kept.clear()
    made = many.run_many(
        recipe,
        variant,
        [0, 3],
        budget,
        conditions if conditions != [None] else None,
        folder=tmp_path,
        progress=False,
        keep_weights=True,
        precision="float64",
        at_once=4,
    )
    assert len(made) == len(kept) == 2 * len(conditions)
    assert {one["seconds"]["together"] for one in made} == {len(made)}
    for one, other in zip((made[0], made[-1]), alone, strict=True):
        assert (
            len(training.prepare(recipe, budget, other["condition"]).train[0]) // budget.batch_size * budget.epochs
            >= 12
        )
        alike(one, other)
    for key, weights in expected.items():
        for got, want in zip(kept[key], weights, strict=True):
            assert got.dtype == np.float64
            np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)
    first, second = (kept[key] for key in list(kept)[:2])
    assert any(np.abs(a - b).max() > 0.01 for a, b in zip(first, second, strict=True))
    assert not list(tmp_path.glob("checkpoints/many-*"))


@needs_jax
def test_epoch_as_one_program_and_other_parts_and_convolutions_give_the_same(in_double, kept, tmp_path):
    ways = [
        {"at_once": 3, "scan": True},
        {"at_once": 2, "scan": False},  # parts of two and one, the second filled up
        {"at_once": 3, "convolution": "grouped"},
        {"at_once": 1},
    ]
    results, weights = [], []
    for way in ways:
        made = many.run_many(
            "mnist-noise", "drsn-cw", range(3), ADAM, folder=tmp_path, progress=False, keep_weights=[2],
            precision="float64", **way,
        )  # fmt: skip
        results.append(made)
        assert [one["weights"] is not None for one in made] == [False, False, True]
        weights.append(kept.pop(("drsn-cw", 2, None)))
    assert [[one["seconds"]["together"] for one in made] for made in results] == [[3] * 3, [2, 2, 1], [3] * 3, [1] * 3]
    for made, values in zip(results[1:], weights[1:], strict=True):
        for one, other in zip(made, results[0], strict=True):
            alike(one, other)
        for got, want in zip(values, weights[0], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)


@needs_jax
def test_float32_is_the_default_and_kept_weights_can_be_loaded(tmp_path):
    made = many.run_many("mnist-noise", "resnet", [5], ADAM, folder=tmp_path, progress=False, keep_weights=True)[0]
    alone = training.run("mnist-noise", "resnet", 5, ADAM, progress=False)
    assert "precision" not in made["settings"] and made["digest"] == alone["digest"]
    np.testing.assert_allclose(made["history"]["loss"], alone["history"]["loss"], rtol=1e-2)
    network = training.build_model("mnist-noise", "resnet", ADAM)
    records.load_weights(network, tmp_path / made["weights"])
    test = training.prepare("mnist-noise", ADAM).test
    assert fit.evaluate(network, *test)["accuracy"] == made["test"]["accuracy"]
    assert fit.evaluate(network, *test)["loss"] == pytest.approx(made["test"]["loss"], abs=1e-5)


@needs_jax
def test_bfloat16_is_told_by_the_record_and_learns_alike():
    single, half = (
        many.run_many("mnist-noise", "drsn-cw", [0, 1], ADAM, progress=False, at_once=2, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    assert keras.config.dtype_policy().name == "float32"
    for one, other in zip(single, half, strict=True):
        assert records.validate(other)["settings"] == {**one["settings"], "precision": "bfloat16"}
        assert one["digest"] != other["digest"]
        np.testing.assert_allclose(one["history"]["loss"], other["history"]["loss"], rtol=0.1)
        assert one["history"]["loss"] != other["history"]["loss"]


# ---------------------------------------------------------------- stopped and taken up


class Killed(Exception):
    """What no program catches, as a kill."""


def disturbed(monkeypatch, epochs, error):
    """Lets training end by an error in the step after so many epochs; returns a list that counts epochs."""
    real, done = many._Program.epoch, []

    def epoch(self, *args):
        if len(done) == epochs:
            raise error
        done.append(self.size)
        return real(self, *args)

    monkeypatch.setattr(many._Program, "epoch", epoch)
    return done


@needs_jax
@pytest.mark.parametrize("error", [Killed, KeyboardInterrupt])
def test_taken_up_run_ends_with_the_same_bits(error, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(many, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    budget = dataclasses.replace(ADAM, epochs=3, augment=(("RandomCrop", ()),))
    options = {"progress": False, "keep_weights": True, "at_once": 2}
    whole = many.run_many("mnist-noise", "drsn-cw", [0, 1], budget, folder=tmp_path / "whole", **options)
    expected = dict(kept)
    kept.clear()
    with pytest.MonkeyPatch.context() as patch:
        disturbed(patch, 2, error)
        with pytest.raises(fit.Stopped if error is KeyboardInterrupt else Killed) as told:
            many.run_many("mnist-noise", "drsn-cw", [0, 1], budget, folder=tmp_path, **options)
    if error is KeyboardInterrupt:
        assert "stopped in epoch 3 of 3. The same command goes on from" in str(told.value)
    assert len(list(tmp_path.glob("checkpoints/many-*.npz"))) == 1
    done = disturbed(monkeypatch, 1, Killed)  # there is just one epoch left
    again = many.run_many("mnist-noise", "drsn-cw", [0, 1], budget, folder=tmp_path, **options)
    assert done == [2]
    assert [without_times(one) for one in again] == [without_times(one) for one in whole]
    for key, weights in expected.items():
        for got, want in zip(kept[key], weights, strict=True):
            np.testing.assert_array_equal(got, want)
    assert not list(tmp_path.glob("checkpoints/many-*"))


@needs_jax
def test_finished_parts_are_not_trained_again_even_by_a_call_for_other_runs(tmp_path, monkeypatch):
    options = {"folder": tmp_path, "progress": False, "at_once": 1}
    budget = dataclasses.replace(ADAM, epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        done = disturbed(patch, 2, KeyboardInterrupt)
        with pytest.raises(fit.Stopped):
            many.run_many("mnist-noise", "resnet", [0, 1, 2], budget, **options)
        assert len(done) == 2
    done = disturbed(monkeypatch, 9, Killed)
    made = many.run_many("mnist-noise", "resnet", [3, 2, 1, 0], budget, **options)
    assert len(done) == 2 and [one["seed"] for one in made] == [3, 2, 1, 0]
    assert not list(tmp_path.glob("checkpoints/many-*"))


@needs_jax
def test_stream_hands_over_records_as_they_come(tmp_path, monkeypatch):
    done = disturbed(monkeypatch, 9, Killed)
    budget = dataclasses.replace(ADAM, epochs=1)
    stream = many.stream_many("mnist-noise", "resnet", [0, 1], budget, folder=tmp_path, progress=False, at_once=1)
    assert next(stream)["seed"] == 0 and len(done) == 1
    assert next(stream)["seed"] == 1 and len(done) == 2
    assert keras.config.dtype_policy().name == "float32"
    stream.close()
    # The record that was handed over last is still there for a call that asks for it among others.
    again = many.run_many("mnist-noise", "resnet", [1, 2], budget, folder=tmp_path, progress=False, at_once=1)
    assert len(done) == 3 and [one["seed"] for one in again] == [1, 2]
    assert not list(tmp_path.glob("checkpoints/many-*"))


@needs_jax
def test_checkpoint_that_cannot_be_read_is_put_aside(tmp_path, capsys):
    options = {"folder": tmp_path, "progress": False}
    budget = dataclasses.replace(ADAM, epochs=2)
    with pytest.MonkeyPatch.context() as patch:
        disturbed(patch, 1, Killed)
        with pytest.raises(Killed):
            many.run_many("mnist-noise", "resnet", [0], budget, **options)
    (path,) = tmp_path.glob("checkpoints/many-*.npz")
    path.write_bytes(path.read_bytes()[:-200])
    made = many.run_many("mnist-noise", "resnet", [0], budget, **options)
    assert len(made[0]["history"]["loss"]) == 2
    assert "cannot be read" in capsys.readouterr().out and path.with_suffix(".old").exists()


@needs_jax
def test_run_that_diverges_is_named_and_stops_no_other():
    wild = dataclasses.replace(ADAM, epochs=1, optimizer="sgd", schedule=recipes.Schedule("constant", 1e12))
    with pytest.warns(UserWarning, match=r"2 of 2 runs of mnist-noise resnet have diverged.*seed 0; seed 4"):
        made = many.run_many("mnist-noise", "resnet", [0, 4], wild, progress=False, at_once=2)
    for record in made:
        records.validate(record)
        assert record["history"]["loss"] == [None] and record["test"]["loss"] is None


# ---------------------------------------------------------------- arguments, parts, costs


@pytest.mark.parametrize(
    ("seeds", "at_once", "sizes"),
    [
        ([5] * 34, 200, [170]),
        ([5] * 34, 60, [60, 60, 50]),
        ([5] * 34, 64, [60, 60, 50]),
        ([5, 5], 4, [3, 2, 3, 2]),
        ([7], 3, [3, 2, 2]),
        ([2, 5, 1], 6, [2, 6]),
        ([1], 8, [1]),
    ],
)
def test_parts_are_few_even_and_hold_whole_conditions(seeds, at_once, sizes):
    recipe = recipes.get("vibration-snr")
    runs = [
        many._Run(recipe, "resnet", recipe.budget("smoke"), "smoke", recipe.conditions[k], seed)
        for k, count in enumerate(seeds)
        for seed in range(count)
    ]
    parts = many._parts(runs, at_once)
    assert [len(part) for part in parts] == sizes
    assert [run for part in parts for run in part] == runs


@needs_jax
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seeds": []}, "`seeds`"),
        ({"seeds": 3}, "`seeds`"),
        ({"seeds": [0, 0]}, "`seeds`"),
        ({"seeds": [-1]}, "`seeds`"),
        ({"seeds": ["0"]}, "`seeds`"),
        ({"conditions": []}, "`conditions`"),
        ({"conditions": [{"noise": "pink"}]}, "`condition`"),
        ({"budget": "quick"}, "`budget`"),
        ({"precision": "float16"}, "`precision`"),
        ({"at_once": 0}, "`at_once`"),
        ({"convolution": "fast"}, "`convolution`"),
        ({"scan": "yes"}, "`scan`"),
        ({"keep_weights": True}, "`keep_weights`"),
    ],
)
def test_wrong_argument_is_named(options, named):
    with pytest.raises(ValueError, match=rf"{named}.*Received"):
        many.run_many(**{"recipe": "mnist-noise", "variant": "resnet", "seeds": [0], "budget": "smoke", **options})


@needs_jax
def test_cost_is_that_of_the_convolutions_and_a_little_more():
    budget = dataclasses.replace(recipes.get("mnist-noise").budget("modern"), l2=0.0)
    one, four = (many.cost("mnist-noise", "resnet", budget, models=n) for n in (1, 4))
    # Multiplications and additions of the stem and of the unit's two convolutions, at 28 x 28 and 14 x 14.
    forward = 2 * 9 * (1 * 8 * 28**2 + 2 * 8 * 8 * 14**2)
    # The gradients cost as much twice, that of the stem's input is not needed.
    needed = budget.batch_size * (3 * forward - 2 * 9 * 8 * 28**2)
    for told, models_ in ((one, 1), (four, 4)):
        assert needed < told["flops"] < 2.5 * needed
        assert told["bytes"] > 4 * budget.batch_size * 28**2 * 8
        assert told["models"] == models_ and told["batch_size"] == 200 and told["memory"] > 0
    assert (one["convolution"], four["convolution"]) == ("matmul", "matmul")
    assert four["flops"] == pytest.approx(one["flops"], rel=0.3)


@needs_jax
def test_what_fits_at_once_goes_by_the_work_of_a_step(monkeypatch):
    calls = []
    monkeypatch.setattr(many._Program, "work_bytes", lambda self: calls.append(self.size) or 5 * 2**20)
    monkeypatch.setattr(many, "_PROCESSOR_BYTES", 16 * 2**20)
    budget = dataclasses.replace(ADAM, epochs=1)
    made = many.run_many("mnist-noise", "resnet", range(4), budget, progress=False)
    assert calls == [1] and {one["seconds"]["together"] for one in made} == {2}


@needs_jax
def test_examples_of_the_docstrings():
    assert doctest.testmod(many).failed == 0
