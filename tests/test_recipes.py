"""Recipes: what they say agrees with their sources, and everything in them can be built."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from helpers import needs_cached

from drsn_lib import augment, data, recipes, training
from drsn_lib.training.fit import make_optimizer

PAIRS = [(name, variant) for name in recipes.names() for variant in recipes.get(name).variant_names]


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_is_plain_data(name):
    recipe = recipes.get(name)
    assert hash(recipe) == hash(dataclasses.replace(recipe))
    assert json.loads(json.dumps(recipe.to_dict())) == recipe.to_dict()
    assert set(recipe.budget_names) - {"short"} == {"faithful", "modern", "smoke"}
    text = str(recipe)
    flat = " ".join(text.split())
    assert all(word in flat for word in (name, recipe.source, *recipe.variant_names, *recipe.budget_names))
    assert max(map(len, text.splitlines())) <= 100
    # The modern budget is a fraction of the faithful one.
    faithful, modern = recipe.budget("faithful"), recipe.budget("modern")
    assert modern.epochs < faithful.epochs


@pytest.mark.parametrize("name", recipes.names())
def test_every_budget_can_be_carried_out(name):
    recipe = recipes.get(name)
    for budget_name in recipe.budget_names:
        budget = recipe.budget(budget_name)
        optimizer = make_optimizer(budget, steps=10)
        rate = training.learning_rate(budget.schedule, budget.epochs, 10)
        steps = np.arange(0, 10 * budget.epochs, max(1, budget.epochs // 10))
        rates = [float(rate(step)) if callable(rate) else rate for step in steps]
        assert type(optimizer).__name__.lower() == budget.optimizer
        assert 0 <= min(rates) and max(rates) == pytest.approx(budget.schedule.rate, rel=0.05)
        for layer, arguments in budget.augment:
            assert isinstance(getattr(augment, layer)(**dict(arguments), seed=0), keras.layers.Layer)


@pytest.mark.parametrize("name, variant", PAIRS)
def test_every_network_can_be_built(name, variant):
    network = training.build_model(name, variant, "modern")
    classes = {"mnist": 10, "cifar1": 10, "vibrat": 8, "cwru-": 3}
    assert network.output_shape == (None, next(n for start, n in classes.items() if name.startswith(start)))
    assert len(network.losses) > 0  # the budget's L2


# Parameters as science knows them: counted from the papers' and the articles' networks.
@pytest.mark.parametrize(
    "name, variant, total, trainable",
    [
        ("mnist-noise", "drsn-cw", 1_610, 1_546),
        ("vibration-snr", "convnet", None, 8_416),
        ("vibration-snr", "resnet", None, 8_416),
        ("vibration-snr", "drsn-cs", None, 10_220),
        ("vibration-snr", "drsn-cw", None, 11_552),
        ("vibration-snr", "senet", None, 11_552),
        ("cifar10-aprelu", "aprelu", 93_791, None),
        ("cifar10-aprelu", "relu", 89_994, 89_450),
    ],
)
def test_networks_are_as_large_as_the_sources(name, variant, total, trainable):
    counted = training.fit.count_parameters(training.build_model(name, variant, "faithful"))
    assert total in (None, counted["total"]) and trainable in (None, counted["trainable"])


def test_faithful_settings_are_the_sources():
    mnist = recipes.get("mnist-noise").budget("faithful")
    assert (mnist.epochs, mnist.batch_size, mnist.optimizer, mnist.l2, mnist.bn_momentum) == (
        5,
        100,
        "adam",
        1e-4,
        0.99,
    )
    cifar = recipes.get("cifar10-noise").budget("faithful")
    # Times 0.1 every 20,000 steps, which are 40 epochs of 500 steps.
    # TFLearn's penalty of 1e-4 is on half the sum of squares.
    assert cifar.l2 == 1e-4 / 2
    assert cifar.schedule.boundaries == (40, 80) and 20_000 * cifar.batch_size == 40 * 50_000
    aprelu = recipes.get("cifar10-aprelu").budget("faithful")
    assert aprelu.nesterov and aprelu.gamma_l2 == 1e-4 and aprelu.schedule.boundaries == (1500, 3000, 4500)
    assert dict(aprelu.augment)["Affine"] == (
        ("rotation", 30.0),
        ("shear", 30.0),
        ("zoom", 0.2),
        ("shift", 0.125),
        ("flip", True),
    )
    paper = recipes.get("vibration-snr").budget("faithful")
    rate = training.learning_rate(paper.schedule, paper.epochs, 10)
    assert [round(float(rate(10 * epoch + 5)), 6) for epoch in (0, 39, 40, 79, 80, 99)] == [
        0.1,
        0.1,
        0.01,
        0.01,
        0.001,
        0.001,
    ]
    assert (paper.batch_size, paper.momentum, paper.nesterov, paper.l2) == (128, 0.9, False, 1e-4)
    assert len(recipes.get("vibration-snr").conditions) == 3 * 11 + 1 + 1


def test_mixed_noise_is_another_level_for_every_sample():
    mixed = {"noise": "mixed", "low_db": -10.0, "high_db": 15.0}
    clean = training.prepare("mnist-snr", "smoke", {"noise": "none", "snr_db": None})
    noisy = training.prepare("mnist-snr", "smoke", mixed)
    for part in ("train", "validation", "test"):
        before, after = getattr(clean, part), getattr(noisy, part)
        np.testing.assert_array_equal(before[1], after[1])
        levels = data.measure_snr(before[0], after[0])
        assert -10 <= levels.min() < -7 and 12 < levels.max() <= 15
        # Uniform in decibels: mean 2.5, standard deviation 25 / sqrt(12).
        assert abs(levels.mean() - 2.5) < 2.5 and abs(levels.std() - 7.2) < 1.2
    again = training.prepare("mnist-snr", "smoke", mixed)
    np.testing.assert_array_equal(noisy.train[0], again.train[0])


@pytest.mark.parametrize("name", [name for name in recipes.names() if recipes.get(name).probes])
def test_probes_are_the_test_samples_in_other_noise(name):
    recipe = recipes.get(name)
    if recipe.data.source == "cifar10":
        needs_cached("cifar10.npz", "load_cifar10()")
    if recipe.data.source == "cwru":
        needs_cached("cwru/12k/97.mat", "load_cwru('12k')")
    clean = {"noise": "none", "snr_db": None}
    own = training.prepare(name, "smoke", clean).test
    found = dict(training.probes(name, "smoke", clean))
    plain = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, center=None))
    mean = training.prepare(plain, "smoke", clean).test[0][:1, :1, :1] - own[0][:1, :1, :1]
    assert list(found) == list(recipe.probes)
    for probe, (x, y) in found.items():
        np.testing.assert_array_equal(y, own[1])
        level = dict(probe)["snr_db"]
        if level is None:
            np.testing.assert_array_equal(x, own[0])
        elif recipe.data.standardize:
            # Signal plus noise was scaled to deviation 1: the signal's share is what lies along the clean window.
            share = (x * own[0]).mean(axis=(1, 2))
            found_db = 10 * np.log10(share**2 / (1 - share**2))
            assert abs(found_db.mean() - level) < 0.1 and found_db.std() < 0.6
        else:
            # Where a mean is subtracted, channel by channel, it is added back: it is part of the photograph's power.
            np.testing.assert_allclose(data.measure_snr(own[0] + mean, x + mean), level, atol=1e-3)
    # The network's own test samples are among them, to the bit.
    condition = dict(recipe.conditions[1])
    own = training.prepare(name, "smoke", condition).test
    same = dict(training.probes(name, "smoke", condition))[recipe.condition(condition)]
    np.testing.assert_array_equal(same[0], own[0])


def test_probes_are_no_part_of_the_settings():
    recipe = recipes.get("mnist-snr")
    fewer = dataclasses.replace(recipe, probes=recipe.probes[:1])
    condition = recipe.conditions[0]
    assert fewer.settings("resnet", "modern", condition) == recipe.settings("resnet", "modern", condition)


def test_settings_and_their_digest():
    recipe = recipes.get("vibration-snr")
    one = recipe.settings("senet", "modern", {"noise": "pink", "snr_db": -5.0})
    assert json.loads(json.dumps(one)) == one
    other = recipe.settings("senet", "modern", {"snr_db": -5.0, "noise": "pink"})
    assert recipes.digest(one) == recipes.digest(other) and len(recipes.digest(one)) == 16
    others = [
        recipe.settings("resnet", "modern", {"noise": "pink", "snr_db": -5.0}),
        recipe.settings("senet", "smoke", {"noise": "pink", "snr_db": -5.0}),
        recipe.settings("senet", "modern", {"noise": "pink", "snr_db": 5.0}),
    ]
    assert len({recipes.digest(settings) for settings in [one, *others]}) == 4


def test_plans_are_sorted_by_worth_and_can_be_carried_out():
    planned = recipes.planned()
    worths = {(recipe, plan.budget): plan.worth for recipe in recipes.names() for plan in recipes.get(recipe).plans}
    order = [worths[run["recipe"], run["budget"]] for run in planned]
    assert order == sorted(order)
    for run in planned:
        recipes.get(run["recipe"]).settings(run["variant"], run["budget"], run["condition"])
    assert {run["recipe"] for run in planned} == set(recipes.names())
    assert all(run["recipe"] == "cwru-load-shift" for run in recipes.planned("cwru-load-shift"))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: recipes.get("mnist"), ["`recipe` must be one of 'mnist-noise'", "'mnist'"]),
        (lambda: recipes.get("mnist-noise").variant("drsn"), ["'drsn-cs'", "variant='drsn'"]),
        (lambda: recipes.get("mnist-noise").budget("quick"), ["'faithful', 'modern', 'smoke'", "budget='quick'"]),
        (lambda: recipes.get("vibration-snr").condition(), ["35 in all", "condition={}"]),
        (lambda: recipes.get("mnist-noise").condition({"snr_db": 0}), ["must be one of {}", "{'snr_db': 0}"]),
    ],
)
def test_errors_say_what_there_is(call, words):
    with pytest.raises(ValueError) as error:
        call()
    assert [word for word in words if word not in str(error.value)] == []


# The data of recipes


def test_prepared_digits():
    made = training.prepare("mnist-noise", "smoke")
    (x, y), (x_val, _), (x_test, _) = made
    assert x.dtype == np.float32 and x.shape == (450, 28, 28, 1) and len(x_val) == 50 and len(x_test) == 200
    # Paper is noise alone, uniform from 0 to 0.5; ink lies up to 1 above it.
    paper = x[x < 0.5]
    assert 0 <= x.min() < 0.001 and 1.4 < x.max() <= 1.5 and paper.mean() == pytest.approx(0.25, abs=0.01)
    assert set(np.unique(y)) == set(range(10))
    again = training.prepare("mnist-noise", "smoke")
    assert again.train[0] is x  # kept
    with pytest.raises(ValueError):
        x[0] = 0.0  # and so not to be written into
    training.fit.prepare.__globals__["_prepared"].cache_clear()
    np.testing.assert_array_equal(training.prepare("mnist-noise", "smoke").train[0], x)


def test_prepared_vibration_has_its_noise_and_shares_no_recording():
    recipe = recipes.get("vibration-snr")
    clean = training.prepare(recipe, "smoke", {"noise": "none", "snr_db": None})
    noisy = training.prepare(recipe, "smoke", {"noise": "pink", "snr_db": -3.0})
    for before, after in zip(clean, noisy, strict=True):
        np.testing.assert_array_equal(before[1], after[1])
        np.testing.assert_allclose(data.measure_snr(before[0], after[0]), -3.0, atol=1e-3)
    made = data.simulate_vibration(recordings=4, windows=3, seed=recipe.data.seed)
    sides = [
        {int(np.flatnonzero((made.x == window).all(axis=(1, 2)))[0]) // 3 for window in part[0][::3]} for part in clean
    ]
    assert sides[0].isdisjoint(sides[1]) and sides[0].isdisjoint(sides[2]) and sides[1].isdisjoint(sides[2])


def test_prepared_bearings():
    needs_cached("cwru/12k/97.mat", "load_cwru('12k')")
    for name in ("cwru-random", "cwru-time", "cwru-load-shift", "cwru-size-shift"):
        made = training.prepare(name, "modern", {"noise": "gaussian", "snr_db": 0.0})
        for x, y in made:
            assert set(np.unique(y)) == {0, 1, 2}
            np.testing.assert_allclose(x.mean(axis=(1, 2)), 0.0, atol=1e-4)
            np.testing.assert_allclose(x.std(axis=(1, 2)), 1.0, atol=1e-3)


def test_prepared_photographs():
    needs_cached("cifar10.npz", "load_cifar10()")
    made = training.prepare("cifar10-noise", "smoke")
    np.testing.assert_allclose(made.train[0].mean(axis=(0, 1, 2)), 0.0, atol=1e-5)
    made = training.prepare("cifar10-aprelu", "smoke")
    assert abs(made.train[0].mean()) < 1e-5 < np.abs(made.train[0].mean(axis=(0, 1, 2))).max()
