"""The book's networks: one builder for the whole family, and presets."""

import keras
import numpy as np

from drsn_lib import layers
from drsn_lib.layers import _common
from drsn_lib.layers.residual_unit import activation_config, make_activation

__all__ = ["PRESETS", "VARIANTS", "build", "predict_with_scales", "preset", "scales", "thresholds"]

# What tells the family's members apart: what their units do with the branch, and whether there is a shortcut.
VARIANTS = {
    "convnet": {"branch": "plain", "shortcut": None},
    "resnet": {"branch": "plain"},
    "senet": {"branch": "se"},
    "senet-textbook": {"branch": "se-textbook"},
    "drsn-cs": {"branch": "drsn-cs"},
    "drsn-cw": {"branch": "drsn-cw"},
    "learned-fraction": {"branch": "learned-fraction"},
    "learned-threshold": {"branch": "learned-threshold"},
    "fixed-threshold": {"branch": "fixed-threshold"},
}

# The networks of the papers and of the authors' published code, as arguments of `build`.
PRESETS = {
    "mnist": {
        "input_shape": (28, 28, 1),
        "num_classes": 10,
        "stem": (8, 1),
        "stages": [(8, 1, 2)],
    },
    "cifar10": {
        "input_shape": (32, 32, 3),
        "num_classes": 10,
        "stem": (16, 1),
        "stages": [(16, 1, 1), (32, 1, 2), (32, 1, 2)],
        "reduction": 4,
    },
    "cifar10-aprelu": {
        "input_shape": (32, 32, 3),
        "num_classes": 10,
        "stem": (16, 1),
        "stages": [(32, 1, 1), (32, 1, 2), (64, 1, 2)],
        "shortcut_padding": "end",
    },
    "vibration": {
        "input_shape": (2048, 1),
        "num_classes": 8,
        "stem": (4, 2),
        "stages": [(4, 4, 2), (8, 4, 2), (16, 4, 2)],
    },
}


def build(
    variant,
    input_shape,
    num_classes,
    stem=(8, 1),
    stages=((8, 1, 2),),
    activation="relu",
    classifier_activation="softmax",
    kernel_size=3,
    use_bias=True,
    bn_momentum=0.9,
    kernel_initializer="he_normal",
    kernel_regularizer=None,
    gamma_regularizer=None,
    name=None,
    **unit_options,
):
    """Builds a network: stem convolution, stages of residual units, normalization, pooling, classifier.

    Example:

    >>> model = build("drsn-cw", input_shape=(28, 28, 1), num_classes=10, stem=(8, 1), stages=[(8, 1, 2)])
    >>> model.count_params()
    1610

    Args:
        variant: `"convnet"` (no shortcuts), `"resnet"`, `"senet"` (as many parameters as
            `"drsn-cw"`), `"senet-textbook"`, `"drsn-cs"` or `"drsn-cw"`; and without attention
            `"learned-fraction"`, `"learned-threshold"` or `"fixed-threshold"`.
        input_shape: Tuple, `(length, channels)` for signals or `(height, width, channels)` for images;
            spatial sizes may be None.
        num_classes: Integer.
        stem: Tuple `(filters, strides)` of the first convolution.
        stages: List of `(filters, units, strides)`, one a stage; the stage's first unit has its
            strides, the others 1.
        activation: As for `layers.ResidualUnit`; also used in front of the pooling.
        classifier_activation: Activation of the last Dense layer; None gives logits.
        kernel_size: Integer, the size of all convolutions but those of a projection shortcut.
        use_bias: Whether convolutions have a bias.
        bn_momentum: Float, the momentum of all moving statistics.
        kernel_initializer: Initializer of the convolutions and Dense kernels.
        kernel_regularizer: Regularizer of all kernels, for example `keras.regularizers.L2(1e-4)`.
        gamma_regularizer: Regularizer of all normalizations' gamma.
        name: Name of the model; by default the variant with underscores.
        **unit_options: Further arguments of `layers.ResidualUnit`: `reduction`, `initial_scale`,
            `shortcut`, `shortcut_padding`.

    Returns:
        A functional `keras.Model`. Its layers are named `stem`, `stage1_unit1`, ..., `norm`,
        `activation`, `pool`, `classifier`; the classifier computes in float32 under every policy.

    Raises:
        ValueError: If an argument is out of its range; the message names it.

    Reference:
        Zhao et al., "Deep residual shrinkage networks for fault diagnosis" (2020), Table II.
    """
    choices = _common.choice("models.build", "variant", variant, tuple(VARIANTS))
    rank = len(input_shape) - 1
    if rank not in (1, 2) or input_shape[-1] is None:
        raise ValueError(
            "`input_shape` of models.build must be (length, channels) or (height, width, channels) with a known "
            f"number of channels. Received: input_shape={tuple(input_shape)}"
        )
    _common.positive_integer("models.build", "num_classes", num_classes)
    stem_filters, stem_strides = _tuple("stem", stem, ("filters", "strides"))
    if not isinstance(stages, list | tuple) or not stages:
        raise ValueError(
            "`stages` of models.build must be a non-empty list of (filters, units, strides). "
            f"Received: stages={stages!r}"
        )
    stages = [_tuple("stages", stage, ("filters", "units", "strides")) for stage in stages]
    activation = activation_config(activation)
    shared = {
        "bn_momentum": bn_momentum,
        "kernel_regularizer": kernel_regularizer,
        "gamma_regularizer": gamma_regularizer,
    }
    unit_options = {**VARIANTS[choices], **unit_options}

    def fresh(part, kind):
        return _common.clone(kind.get(part))

    inputs = keras.Input(input_shape, name="input")
    x = (keras.layers.Conv1D if rank == 1 else keras.layers.Conv2D)(
        stem_filters,
        kernel_size,
        strides=stem_strides,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=fresh(kernel_initializer, keras.initializers),
        kernel_regularizer=fresh(kernel_regularizer, keras.regularizers),
        name="stem",
    )(inputs)
    for s, (filters, units, strides) in enumerate(stages, start=1):
        for u in range(1, units + 1):
            x = layers.ResidualUnit(
                filters,
                strides if u == 1 else 1,
                activation=activation,
                kernel_size=kernel_size,
                use_bias=use_bias,
                kernel_initializer=kernel_initializer,
                name=f"stage{s}_unit{u}",
                **shared,
                **unit_options,
            )(x)
    x = keras.layers.BatchNormalization(
        momentum=bn_momentum, gamma_regularizer=fresh(gamma_regularizer, keras.regularizers), name="norm"
    )(x)
    x = make_activation(activation, "activation", keras.config.dtype_policy(), **shared)(x)
    pool = keras.layers.GlobalAveragePooling1D if rank == 1 else keras.layers.GlobalAveragePooling2D
    x = pool(name="pool")(x)
    outputs = keras.layers.Dense(
        num_classes,
        activation=classifier_activation,
        kernel_initializer=fresh(kernel_initializer, keras.initializers),
        kernel_regularizer=fresh(kernel_regularizer, keras.regularizers),
        dtype="float32",
        name="classifier",
    )(x)
    return keras.Model(inputs, outputs, name=name or variant.replace("-", "_"))


def preset(name, variant, /, **overrides):
    """Builds one of the book's networks by name.

    Example:

    >>> preset("vibration", "drsn-cw").count_params()
    12232

    Args:
        name: A key of `PRESETS`: `"mnist"`, `"cifar10"`, `"cifar10-aprelu"` or `"vibration"`.
        variant: As for `build`.
        **overrides: Arguments of `build` that replace those of the preset.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If there is no such preset.
    """
    _common.choice("models.preset", "name", name, tuple(PRESETS))
    options = {**PRESETS[name], **overrides}
    if name == "cifar10-aprelu" and "activation" not in overrides:
        settings = {key: options.get(key) for key in ("kernel_regularizer", "gamma_regularizer")}
        options["activation"] = layers.APReLU(reduction=16, bn_momentum=options.get("bn_momentum", 0.9), **settings)
    return build(variant, **options)


def thresholds(model, x, batch_size=256):
    """The thresholds of every shrinkage unit of a model, for each of the inputs `x`.

    Example:

    >>> thresholds(model, images)["stage1_unit1"].shape
    (100, 8)

    Args:
        model: A model made by `build` with `"drsn-cs"`, `"drsn-cw"` or a variant of threshold without attention.
        x: Array of inputs, as for `model.predict`.
        batch_size: Integer.

    Returns:
        Dictionary from unit name to a float array of shape `(len(x), channels)`, or `(len(x), 1)` for
        channel-shared units, in the order of the network.

    Raises:
        ValueError: If the model has no shrinkage unit.
    """
    branches = ("drsn-cs", "drsn-cw", *layers.residual_unit.WITHOUT_ATTENTION)
    return _inspect(model, x, batch_size, "thresholds", branches)


def scales(model, x, batch_size=256):
    """What the sigmoids of every gated unit say for `x`: alpha of shrinkage units, gates of SE units.

    Example:

    >>> said = scales(model, images)["stage1_unit1"]
    >>> said.shape, bool((0 < said).all() and (said < 1).all())
    ((100, 8), True)

    Args:
        model: A model made by `build` with units that have gates.
        x: Array of inputs, as for `model.predict`.
        batch_size: Integer.

    Returns:
        Dictionary from unit name to a float array of shape `(len(x), channels)` or `(len(x), 1)`.

    Raises:
        ValueError: If no unit of the model has a gate.
    """
    return _inspect(model, x, batch_size, "scales", ("drsn-cs", "drsn-cw", "se", "se-textbook"))


def predict_with_scales(model, x, scales, batch_size=256):
    """Predicts with given scales in place of those that the gates of the units would say.

    An intervention: what a prediction owes to the maps and what to the gates is told apart by giving the units the
    scales of another sample.

    Example:

    >>> said = scales(model, images)
    >>> usual = predict_with_scales(model, images, said)
    >>> of_another = predict_with_scales(model, images, {unit: one[::-1] for unit, one in said.items()})
    >>> usual.shape == of_another.shape == model.predict(images, verbose=0).shape
    True

    Args:
        model: A model made by `build` with units that have gates.
        x: Array of inputs, as for `model.predict`.
        scales: Dictionary from unit name to an array, as `scales` returns it, one row a row of `x`. A unit that is
            not in it says its own.
        batch_size: Integer.

    Returns:
        Float array, as `model.predict` returns it.

    Raises:
        ValueError: If the model has no such unit, or an array has not the shape that `scales` gives it.
    """
    units = [layer.name for layer in model.layers if isinstance(layer, layers.ResidualUnit)]
    unknown = [name for name in scales if name not in units]
    if unknown:
        raise ValueError(
            f"`scales` must be named after units of the model: {', '.join(map(repr, units))}. Received: {unknown[0]!r}"
        )
    for name, one in scales.items():
        if len(one) != len(x):
            raise ValueError(
                f"`scales` must have one row for each of the {len(x)} inputs. Received: {len(one)} rows for {name!r}"
            )
    parts = []
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        y = keras.ops.convert_to_tensor(x[rows])
        for layer in model.layers[1:]:  # one after the other, as `build` has put them
            y = layer.with_scales(y, scales[layer.name][rows]) if layer.name in scales else layer(y)
        parts.append(keras.ops.convert_to_numpy(y))
    return np.concatenate(parts)


def _inspect(model, x, batch_size, method, branches):
    units = [layer for layer in model.layers if isinstance(layer, layers.ResidualUnit) and layer.branch in branches]
    if not units:
        raise ValueError(
            f"`model` must have units of branch {', '.join(map(repr, branches))} to have {method}. "
            f"Received: model {model.name!r} without any"
        )
    # One forward pass gives the input of every unit; each unit then tells what it made of it.
    ahead = keras.Model(model.input, [unit.input for unit in units])
    parts = []
    for start in range(0, len(x), batch_size):
        before = ahead(x[start : start + batch_size], training=False)
        before = before if isinstance(before, list | tuple) else [before]
        parts.append(
            [keras.ops.convert_to_numpy(getattr(unit, method)(one)) for unit, one in zip(units, before, strict=True)]
        )
    return {unit.name: np.concatenate(column) for unit, column in zip(units, zip(*parts, strict=True), strict=True)}


def _tuple(argument, value, names):
    if not isinstance(value, list | tuple) or len(value) != len(names):
        raise ValueError(
            f"`{argument}` of models.build is made of ({', '.join(names)}). Received: {argument}={value!r}"
        )
    return tuple(
        _common.positive_integer("models.build", f"{argument}: {n}", v) for n, v in zip(names, value, strict=True)
    )
