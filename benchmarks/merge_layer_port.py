"""The same networks as a graph of many small Keras layers, in the manner of the authors' published code.

The authors wrote their blocks for Keras 2 with the functional interface alone: every absolute value, sign,
subtraction and maximum is a layer of its own. This module writes the same mathematics in that manner for
Keras 3, so that the book can say what it costs to have one layer a block instead. It is here to be compared
with; use `drsn_lib` to build networks.

Layers have the names of `drsn_lib`'s parts (`stage1_unit1_gate_hidden_dense`), so that `copy_weights` carries
the weights of one form over to the other.
"""

import keras
import numpy as np
from keras import layers, ops

from drsn_lib import models
from drsn_lib.layers import _common


class _Graph:
    """Adds layers to a graph; holds what all of them share."""

    def __init__(self, rank, bn_momentum, kernel_regularizer, gamma_regularizer):
        self.rank = rank
        self.bn_momentum = bn_momentum
        self.kernel_regularizer = kernel_regularizer
        self.gamma_regularizer = gamma_regularizer

    def of_rank(self, kind):
        """`"Conv"` to `keras.layers.Conv1D` or `Conv2D`, and likewise."""
        return getattr(layers, f"{kind}{self.rank}D")

    def conv(self, x, filters, strides, name):
        return self.of_rank("Conv")(
            filters,
            3,
            strides=strides,
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=_common.clone(self.kernel_regularizer),
            name=name,
        )(x)

    def norm(self, x, name):
        regularizer = _common.clone(self.gamma_regularizer)
        return layers.BatchNormalization(momentum=self.bn_momentum, gamma_regularizer=regularizer, name=name)(x)

    def dense(self, x, units, name, initializer="he_normal", activation=None):
        return layers.Dense(
            units,
            activation=activation,
            kernel_initializer=initializer,
            kernel_regularizer=_common.clone(self.kernel_regularizer),
            name=name,
        )(x)

    def pool(self, x, name=None):
        return self.of_rank("GlobalAveragePooling")(name=name)(x)

    def over_space(self, per_channel):
        return layers.Reshape((*(1,) * self.rank, per_channel.shape[-1]))(per_channel)

    def activate(self, x, activation, name):
        """ReLU, or the adaptively parametric one with the reduction given."""
        if activation == "relu":
            return layers.Activation("relu")(x)
        channels = x.shape[-1]
        zeros = layers.Subtract()([x, x])
        positive = layers.Activation("relu")(x)
        negative = layers.Minimum()([x, zeros])
        seen = layers.Concatenate()([self.pool(negative), self.pool(positive)])
        z = self.dense(seen, max(1, channels // activation["reduction"]), f"{name}_hidden_dense")
        z = layers.Activation("relu")(self.norm(z, f"{name}_hidden_norm"))
        z = self.norm(self.dense(z, channels, f"{name}_gate_dense"), f"{name}_gate_norm")
        slopes = self.over_space(layers.Activation("sigmoid")(z))
        return layers.Add()([positive, layers.Multiply()([slopes, negative])])

    def gate(self, u, branch, reduction, name):
        """What the branch does with the output of its convolutions."""
        if branch == "plain":
            return u
        channels = u.shape[-1]
        magnitude = layers.Lambda(ops.abs)(u)
        means = self.pool(magnitude)
        z = self.dense(means, max(1, channels // reduction), f"{name}_hidden_dense")
        z = layers.Activation("relu")(self.norm(z, f"{name}_hidden_norm"))
        units = 1 if branch == "drsn-cs" else channels
        scales = self.dense(z, units, f"{name}_gate_dense", "glorot_uniform", "sigmoid")
        if branch == "se":
            return layers.Multiply()([u, self.over_space(scales)])
        if branch == "drsn-cs":
            means = layers.Lambda(ops.mean, arguments={"axis": -1, "keepdims": True}, output_shape=(1,))(means)
        # The merge layer adds the axes that `means` lacks.
        thresholds = layers.Multiply()([means, self.over_space(scales)])
        sub = layers.Subtract()([magnitude, thresholds])
        zeros = layers.Subtract()([sub, sub])
        return layers.Multiply()([layers.Lambda(ops.sign)(u), layers.Maximum()([sub, zeros])])

    def shortcut(self, x, filters, strides, padding):
        if strides > 1:
            x = self.of_rank("AveragePooling")(pool_size=1, strides=strides)(x)
        added = filters - x.shape[-1]
        if not added:
            return x
        if padding == "end":  # as many zeros as there are channels, which is all that the authors' code can do
            if added != x.shape[-1]:
                raise ValueError(f"The port can only double the channels here. Received: {x.shape[-1]} to {filters}")
            return layers.Concatenate()([x, layers.Subtract()([x, x])])
        # Zero padding is for spatial axes: channels become one for as long as it takes.
        x = layers.Reshape((*x.shape[1:], 1))(x)
        pad = [(0, 0)] * self.rank + [(added // 2, added - added // 2)]
        x = layers.ZeroPadding2D(pad)(x) if self.rank == 1 else layers.ZeroPadding3D(pad)(x)
        return layers.Reshape(x.shape[1:-1])(x)


def build(
    variant,
    input_shape,
    num_classes,
    stem,
    stages,
    activation="relu",
    reduction=1,
    shortcut_padding="both",
    bn_momentum=0.9,
    kernel_regularizer=None,
    gamma_regularizer=None,
):
    """Builds a network as `drsn_lib.models.build` does, of many small layers.

    Args:
        variant: `"resnet"`, `"senet"`, `"drsn-cs"` or `"drsn-cw"`.
        input_shape: As for `models.build`, with known sizes.
        num_classes: As for `models.build`.
        stem: As for `models.build`.
        stages: As for `models.build`.
        activation: `"relu"`, or `{"reduction": r}` for the adaptively parametric one.
        reduction: The reduction of the gates of the branches.
        shortcut_padding: As for `models.build`; `"end"` needs stages that double the channels.
        bn_momentum: As for `models.build`.
        kernel_regularizer: As for `models.build`.
        gamma_regularizer: As for `models.build`.

    Returns:
        A functional `keras.Model`.
    """
    branch = models.VARIANTS[variant]["branch"]
    graph = _Graph(len(input_shape) - 1, bn_momentum, kernel_regularizer, gamma_regularizer)
    inputs = keras.Input(input_shape, name="input")
    x = graph.conv(inputs, *stem, "stem")
    for stage, (filters, units, strides) in enumerate(stages, start=1):
        for unit in range(1, units + 1):
            name, step = f"stage{stage}_unit{unit}", strides if unit == 1 else 1
            u = graph.activate(graph.norm(x, f"{name}_norm_1"), activation, f"{name}_activation_1")
            u = graph.conv(u, filters, step, f"{name}_conv_1")
            u = graph.activate(graph.norm(u, f"{name}_norm_2"), activation, f"{name}_activation_2")
            u = graph.conv(u, filters, 1, f"{name}_conv_2")
            u = graph.gate(u, branch, reduction, f"{name}_gate")
            x = layers.Add()([u, graph.shortcut(x, filters, step, shortcut_padding)])
    x = graph.activate(graph.norm(x, "norm"), activation, "activation")
    outputs = graph.dense(graph.pool(x, "pool"), num_classes, "classifier", activation="softmax")
    return keras.Model(inputs, outputs, name=f"{variant.replace('-', '_')}_of_merge_layers")


def copy_weights(model, port):
    """Gives `port` the weights of `model`, a network of `drsn_lib.models` of the same settings.

    Raises:
        ValueError: If the two do not have the same weights by name and shape.
    """
    theirs = {weight.path.replace("/", "_"): weight for weight in port.weights}
    ours = {weight.path.removeprefix(f"{model.name}/").replace("/", "_"): weight for weight in model.weights}
    if {name: tuple(w.shape) for name, w in ours.items()} != {name: tuple(w.shape) for name, w in theirs.items()}:
        raise ValueError(
            "The network and its port must have the same weights by name and shape. "
            f"Received: {sorted(set(ours) ^ set(theirs)) or 'other shapes'}"
        )
    for name, weight in ours.items():
        # A copy: JAX would have both models share one array, which the first to be trained consumes.
        theirs[name].assign(np.array(ops.convert_to_numpy(weight)))
