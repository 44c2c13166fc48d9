"""Networks to compare and their steps, each a function without arguments that returns when all is computed.

Steps are what `model.fit` and `model.predict` run for every batch, compiled as Keras does by default: a graph
without XLA on TensorFlow (on a CPU), a jitted function on JAX, eager on PyTorch. The batch stays in memory, so
that nothing but the network, the loss, the optimizer and the metrics is timed.
"""

import statistics
import time

import keras
import numpy as np
from keras import ops

from benchmarks import merge_layer_port
from drsn_lib import layers, models, recipes

# Network of the book: the recipe whose faithful budget says batch size, optimizer and weight decay.
NETWORKS = {
    "mnist": "mnist-noise",
    "cifar10": "cifar10-noise",
    "cifar10-aprelu": "cifar10-aprelu",
    "vibration": "vibration-snr",
}
VARIANTS = ("resnet", "senet", "drsn-cs", "drsn-cw", "aprelu")
MODES = ("training", "inference")


def network(name, variant, port=False):
    """One of the networks, compiled for training.

    Args:
        name: A key of `NETWORKS`.
        variant: One of `VARIANTS`; `"aprelu"` is the resnet with APReLU in place of every ReLU.
        port: Whether the network is made of many small layers instead of the library's.

    Returns:
        A `keras.Model`, and a batch `(x, y)` of NumPy arrays for it.
    """
    budget = recipes.get(NETWORKS[name]).budget("faithful")
    arguments = {
        **models.PRESETS[name],
        "bn_momentum": budget.bn_momentum,
        "kernel_regularizer": keras.regularizers.L2(budget.l2) if budget.l2 else None,
        "gamma_regularizer": keras.regularizers.L2(budget.gamma_l2) if budget.gamma_l2 else None,
    }
    reduction = 16 if name == "cifar10-aprelu" else 1  # of APReLU, as its authors have it
    kind = "resnet" if variant == "aprelu" else variant
    keras.utils.set_random_seed(0)
    if port:
        activation = {"reduction": reduction} if variant == "aprelu" else "relu"
        model = merge_layer_port.build(kind, activation=activation, **arguments)
    else:
        shared = {key: arguments[key] for key in ("bn_momentum", "kernel_regularizer", "gamma_regularizer")}
        activation = layers.APReLU(reduction=reduction, **shared) if variant == "aprelu" else "relu"
        model = models.build(kind, activation=activation, **arguments)
    rate = budget.schedule.rate
    if budget.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=budget.momentum, nesterov=budget.nesterov)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(budget.batch_size, *arguments["input_shape"])).astype("float32")
    y = rng.integers(arguments["num_classes"], size=budget.batch_size).astype("int32")
    return model, (x, y)


def step(mode, model, batch):
    """A function that does one step of a mode of `MODES` with the batch."""
    return (training_step if mode == "training" else inference_step)(model, batch)


def training_step(model, batch):
    """A function that trains for one step; it returns Keras' logs."""
    x, y = (ops.convert_to_tensor(part) for part in batch)
    model._symbolic_build(data_batch=(x, y))
    model.make_train_function()
    if keras.backend.backend() == "tensorflow":
        return lambda: _fetched(model.train_function(iter([(x, y)])))
    if keras.backend.backend() == "torch":
        return lambda: _fetched(model.train_function([(x, y)]))
    import jax

    state = _jax_state(model)

    def step():
        nonlocal state
        logs, state = model.train_function(state, iter([(x, y)]))
        jax.block_until_ready(state)
        return _fetched(logs)

    return step


def inference_step(model, batch):
    """A function that predicts once; it returns the predictions."""
    x = ops.convert_to_tensor(batch[0])
    model.make_predict_function()
    if keras.backend.backend() != "jax":
        return lambda: _fetched(model.predict_function([(x,)]))
    import jax

    state = _jax_state(model)[:2]

    def step():
        nonlocal state
        outputs, state = model.predict_function(state, iter([(x,)]))
        jax.block_until_ready(state)
        return _fetched(outputs)

    return step


def _jax_state(model):
    """What Keras' jitted functions take and give back; copies, because they consume it."""
    groups = (model.trainable_variables, model.non_trainable_variables)
    groups += (model.optimizer.variables, model.metrics_variables)
    return tuple([variable.value.copy() for variable in group] for group in groups)


def _fetched(outputs):
    """The outputs as arrays: to fetch them is to wait for them."""
    return keras.tree.map_structure(ops.convert_to_numpy, outputs)


FEWEST, MOST = 15, 201  # rounds


def in_turns(ways, seconds):
    """Times several functions side by side: in every round each runs once, in a random order.

    Args:
        ways: Dictionary from any key to a function without arguments that returns when all is computed.
        seconds: Float, how long the rounds may take in all, within `FEWEST` and `MOST` rounds.

    Returns:
        Dictionary from the keys to lists of seconds, one a round.
    """
    order, times = np.random.default_rng(0), {key: [] for key in ways}
    named = list(ways.items())

    def one_round(kept=True):
        for index in order.permutation(len(named)):
            key, one = named[index]
            start = time.perf_counter()
            one()
            if kept:
                times[key].append(time.perf_counter() - start)

    one_round(kept=False)  # traces and compiles
    start = time.perf_counter()
    one_round(kept=False)
    for _ in range(int(np.clip(seconds / (time.perf_counter() - start), FEWEST, MOST))):
        one_round()
    return times


# How the memory of a step is told, on each backend.
MEMORY = {
    "tensorflow": "peak of TensorFlow's CPU allocator during a step, above what it held before; it counts tensors "
    "of 256 KiB and more",
    "jax": "working memory that XLA planned for the compiled step",
    "torch": "peak of PyTorch's CPU allocator during a step (its profiler's events), above what it held before",
}


def training_memory(model, batch, step):
    """The bytes that a training step needs at its peak beside weights, optimizer state and batch.

    Args:
        model: The model.
        batch: Its batch.
        step: Its `training_step`, called before.

    Returns:
        Integer, or None where the backend does not tell.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        state = _jax_state(model)
        data = tuple(ops.convert_to_tensor(part) for part in batch)
        analysis = jax.jit(model.train_step, donate_argnums=0).lower(state, data).compile().memory_analysis()
        return None if analysis is None else analysis.temp_size_in_bytes
    peaks = _tensorflow_peaks(step) if backend == "tensorflow" else [_torch_peak(step)]
    return round(statistics.median(peaks)) if peaks else None


def _tensorflow_peaks(step, times=5):
    """Several: the order in which a graph's operations run, and so the peak, differs from step to step."""
    import tensorflow as tf

    peaks = []
    for _ in range(times):
        try:
            tf.config.experimental.reset_memory_stats("CPU:0")
            held = tf.config.experimental.get_memory_info("CPU:0")["current"]
            step()
            peaks.append(tf.config.experimental.get_memory_info("CPU:0")["peak"] - held)
        except ValueError:  # an allocator that does not count (TensorFlow without oneDNN)
            return []
    return peaks


def _torch_peak(step):
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    # The public list of events folds allocations into the operations that made them; the order is needed here.
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak
