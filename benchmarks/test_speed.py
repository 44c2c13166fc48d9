"""The networks side by side: `make bench` runs this on every backend and makes a table of it.

In every round each network does one step, in a random order. So all are timed under the same conditions,
and the ratios of a round are those of steps done next to each other.
"""

import os
import time

import keras
import numpy as np
import pytest

from benchmarks import compare, merge_layer_port, steps

# How long the rounds of one network and mode may take; never fewer rounds than gives an interval worth stating.
SECONDS = float(os.environ.get("DRSN_BENCH_SECONDS", "5"))
FEWEST, MOST = 15, 101


@pytest.fixture(scope="module")
def built():
    """The models of one network, kept for its second mode."""
    return {}


def models_of(network, built):
    """Every network of a kind and its port, with a batch each; the two have the same weights."""
    if network not in built:
        built.clear()
        built[network] = models = {}
        for variant in steps.VARIANTS:
            models[variant, "layers"] = steps.network(network, variant)
            if variant != "resnet":
                models[variant, "port"] = steps.network(network, variant, port=True)
                merge_layer_port.copy_weights(models[variant, "layers"][0], models[variant, "port"][0])
    return built[network]


@pytest.mark.parametrize("mode", list(reversed(steps.MODES)))  # inference first: both forms have the same weights then
@pytest.mark.parametrize("network", steps.NETWORKS)
def test_steps(network, mode, built, benchmark):
    """Times the steps of a network's variants and of their ports."""
    models = models_of(network, built)
    step = {key: steps.step(mode, *model) for key, model in models.items()}
    first = {key: one() for key, one in step.items()}  # compiles
    if mode == "inference":
        for variant in steps.VARIANTS[1:]:
            # That the two are equal is shown in float64 by tests/test_bench.py; deep untrained networks round apart.
            np.testing.assert_allclose(first[variant, "layers"], first[variant, "port"], atol=0.02)
    else:
        assert all(np.isfinite(logs["loss"]) for logs in first.values())

    seconds = {key: [] for key in step}
    order = np.random.default_rng(0)

    def one_round(keep=True):
        for index in order.permutation(len(step)):
            key, one = list(step.items())[index]
            start = time.perf_counter()
            one()
            if keep:
                seconds[key].append(time.perf_counter() - start)

    start = time.perf_counter()
    one_round(keep=False)
    rounds = int(np.clip(SECONDS / (time.perf_counter() - start), FEWEST, MOST))
    benchmark.pedantic(one_round, rounds=rounds, iterations=1, warmup_rounds=0)
    assert {len(times) for times in seconds.values()} == {rounds}

    memory = {}
    if mode == "training":
        memory = {key: steps.training_memory(*models[key], step[key]) for key in step}
    benchmark.extra_info["rows"] = compare.rows(keras.backend.backend(), network, mode, seconds, memory)
