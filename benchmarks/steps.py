"""Networks to compare and their steps, each as a function without arguments that returns when all is computed.

Steps are what `model.fit` and `model.predict` run for every batch, compiled as Keras does by default: a graph
without XLA on TensorFlow (CPU), a jitted function on JAX, eager on PyTorch. The batch stays in memory, so that
nothing but the network, the loss, the optimizer and the metrics is timed.
"""

import keras
import numpy as np
from keras import ops

from benchmarks import merge_layer_port
from drsn_lib import layers, models, recipes

# Network of the book: recipe that says batch size, optimizer and weight decay ("faithful" budget).
NETWORKS = {
    "mnist": "mnist-noise",
    "cifar10": "cifar10-noise",
    "cifar10-aprelu": "cifar10-aprelu",
    "vibration": "vibration-snr",
}
VARIANTS = ("resnet", "senet", "drsn-cs", "drsn-cw", "aprelu")


def settings(network):
    """The budget and the arguments of `models.build` for a network."""
    budget = recipes.get(NETWORKS[network]).budget("faithful")
    arguments = {
        **models.PRESETS[network],
        "bn_momentum": budget.bn_momentum,
        "kernel_regularizer": keras.regularizers.L2(budget.l2) if budget.l2 else None,
        "gamma_regularizer": keras.regularizers.L2(budget.gamma_l2) if budget.gamma_l2 else None,
    }
    return budget, arguments


def network(name, variant, port=False):
    """One of the networks, compiled.

    Args:
        name: A key of `NETWORKS`.
        variant: One of `VARIANTS`; `"aprelu"` is the resnet with APReLU in place of ReLU.
        port: Whether the network is the one of many small layers.

    Returns:
        A compiled `keras.Model`, and a batch `(x, y)` of NumPy arrays for it.
    """
    budget, arguments = settings(name)
    keras.utils.set_random_seed(0)
    kind = "resnet" if variant == "aprelu" else variant
    reduction = 16 if name == "cifar10-aprelu" else 1
    if port:
        activation = {"reduction": reduction} if variant == "aprelu" else "relu"
        model = merge_layer_port.build(kind, activation=activation, **arguments)
    else:
        shared = {key: arguments[key] for key in ("bn_momentum", "kernel_regularizer", "gamma_regularizer")}
        activation = layers.APReLU(reduction=reduction, **shared) if variant == "aprelu" else "relu"
        model = models.build(kind, activation=activation, **arguments)
    rate = budget.schedule.rate
    optimizer = (
        keras.optimizers.Adam(rate)
        if budget.optimizer == "adam"
        else keras.optimizers.SGD(rate, momentum=budget.momentum, nesterov=budget.nesterov)
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(budget.batch_size, *arguments["input_shape"])).astype("float32")
    y = rng.integers(arguments["num_classes"], size=budget.batch_size).astype("int32")
    return model, (x, y)


def training_step(model, batch):
    """A function that does one step of training on the batch."""
    x, y = (ops.convert_to_tensor(part) for part in batch)
    model._symbolic_build(data_batch=(x, y))
    model.make_train_function()
    if keras.backend.backend() == "tensorflow":
        return lambda: _wait(model.train_function(iter([(x, y)])))
    if keras.backend.backend() == "torch":
        return lambda: _wait(model.train_function([(x, y)]))
    import jax

    state = jax.tree.map(lambda value: value.copy(), _jax_state(model))  # the step consumes its arguments

    def step():
        nonlocal state
        logs, state = model.train_function(state, iter([(x, y)]))
        jax.block_until_ready((logs, state))

    return step


def inference_step(model, batch):
    """A function that does one step of inference on the batch."""
    x = ops.convert_to_tensor(batch[0])
    model.make_predict_function()
    if keras.backend.backend() != "jax":
        return lambda: _wait(model.predict_function([(x,)]))
    import jax

    trainable, others, *_ = jax.tree.map(lambda value: value.copy(), _jax_state(model))
    state = (trainable, others)

    def step():
        nonlocal state
        outputs, state = model.predict_function(state, iter([(x,)]))
        jax.block_until_ready((outputs, state))

    return step


def _jax_state(model):
    return tuple(
        [variable.value for variable in group]
        for group in (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
    )


def _wait(outputs):
    """Fetches a result, so that the work behind it is done; on TensorFlow and PyTorch it is already."""
    for value in keras.tree.flatten(outputs):
        ops.convert_to_numpy(value)
