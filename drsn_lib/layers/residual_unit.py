"""The residual unit of all of the book's networks."""

import keras
from keras import ops as kops

from drsn_lib import ops
from drsn_lib.layers import _common
from drsn_lib.layers.aprelu import APReLU
from drsn_lib.layers.identity_shortcut import IdentityShortcut
from drsn_lib.layers.learned_threshold import LearnedThreshold
from drsn_lib.layers.shrinkage import Shrinkage
from drsn_lib.layers.squeeze_excitation import SqueezeExcitation

# The units that shrink without attention, for comparisons: what `LearnedThreshold` is asked for.
WITHOUT_ATTENTION = {
    "learned-fraction": {"relative": True},
    "learned-threshold": {"relative": False},
    "fixed-threshold": {"relative": False, "trainable": False},
}
BRANCHES = ("plain", "se", "se-textbook", "drsn-cs", "drsn-cw", *WITHOUT_ATTENTION)
_SHORTCUTS = ("identity", "projection", None)


@keras.saving.register_keras_serializable(package="drsn_lib")
class ResidualUnit(keras.layers.Layer):
    """A pre-activation residual unit, plain, with gates, or with shrinkage.

    Two times normalization, activation and convolution give the branch's output `u`; the branch then
    passes `u` on, scales its channels, or shrinks it, and the shortcut is added. Nothing follows the
    addition, so that shortcuts pass through a stack of units untouched.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(4, 28, 28, 8))
    >>> unit = ResidualUnit(filters=16, strides=2, branch="drsn-cw")
    >>> tuple(unit(x).shape), tuple(unit.thresholds(x).shape)
    ((4, 14, 14, 16), (4, 16))

    Args:
        filters: Integer, the number of output channels.
        strides: Integer, the stride of the first convolution and of the shortcut.
        branch: What happens to `u`: `"plain"`, nothing (ResNet); `"drsn-cw"` and `"drsn-cs"`,
            `Shrinkage` a channel or shared; `"se"`, the same small network as `"drsn-cw"`
            multiplying instead of thresholding; `"se-textbook"`, the block of Hu et al. Without
            attention, as controls: `"learned-fraction"`, `LearnedThreshold` relative to the sample;
            `"learned-threshold"`, the same for all samples; `"fixed-threshold"`, that one not trained.
        activation: `"relu"`, `"aprelu"`, any Keras activation name, a layer whose configuration is
            to be used at each place, or a function of no arguments that returns such a layer.
        shortcut: `"identity"`, without weights; `"projection"`, a 1 x 1 convolution where shapes
            change (He et al.'s option B); `None`, no shortcut at all (a plain ConvNet).
        shortcut_padding: `"both"` or `"end"`, where `IdentityShortcut` puts its zero channels.
        kernel_size: Integer, the size of both convolutions.
        use_bias: Whether the convolutions have a bias, as in the authors' code.
        reduction: Integer, the reduction of the gate's hidden layer; by default that of the layer.
        initial_scale: Float, where the gate starts.
        bn_momentum: Float, the momentum of all moving statistics.
        kernel_initializer: Initializer of the convolutions and of the gate's first Dense kernel.
        kernel_regularizer: Regularizer of all kernels.
        gamma_regularizer: Regularizer of all normalizations' gamma.

    Call arguments:
        x: Feature map.
        training: Whether normalization uses the batch's statistics.

    Input shape:
        `(batch, length, channels)` or `(batch, height, width, channels)`; spatial sizes may be unknown.

    Output shape:
        `(batch, ceil(length / strides), filters)`, likewise for images.

    Raises:
        ValueError: If an argument is out of its range, the input is no feature map, or an identity
            shortcut would have to drop channels.

    Formula:

    ```
    u = Conv(act(BatchNorm(Conv(act(BatchNorm(x)), strides))))
    y = gate(u) + shortcut(x)
    ```

    Reference:
        He et al., "Identity mappings in deep residual networks" (2016), figure 1b, for the order;
        Zhao et al., "Deep residual shrinkage networks for fault diagnosis" (2020), section III, for
        the shrinkage unit.
    """

    def __init__(
        self,
        filters,
        strides=1,
        branch="plain",
        activation="relu",
        shortcut="identity",
        shortcut_padding="both",
        kernel_size=3,
        use_bias=True,
        reduction=None,
        initial_scale=0.5,
        bn_momentum=0.9,
        kernel_initializer="he_normal",
        kernel_regularizer=None,
        gamma_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        name = type(self).__name__
        self.filters = _common.positive_integer(name, "filters", filters)
        self.strides = _common.positive_integer(name, "strides", strides)
        self.branch = _common.choice(name, "branch", branch, BRANCHES)
        self.activation = activation_config(activation)
        self.shortcut = _common.choice(name, "shortcut", shortcut, _SHORTCUTS)
        self.shortcut_padding = _common.choice(name, "shortcut_padding", shortcut_padding, ("both", "end"))
        self.kernel_size = _common.positive_integer(name, "kernel_size", kernel_size)
        self.use_bias = bool(use_bias)
        self.reduction = None if reduction is None else _common.positive_integer(name, "reduction", reduction)
        self.initial_scale = _common.open_interval(name, "initial_scale", initial_scale)
        self.bn_momentum = _common.open_interval(name, "bn_momentum", bn_momentum)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)

    def build(self, input_shape):
        """Makes the sublayers, under this layer's own dtype policy."""
        channels = _common.feature_map("ResidualUnit", input_shape)
        rank = len(input_shape) - 2
        inner, outer = tuple(input_shape), self.compute_output_shape(input_shape)
        shared = {
            "bn_momentum": self.bn_momentum,
            "kernel_regularizer": self.kernel_regularizer,
            "gamma_regularizer": self.gamma_regularizer,
        }

        def made(layer, shape):
            layer.build(shape)
            return layer

        def norm(name, shape):
            layer = keras.layers.BatchNormalization(
                momentum=self.bn_momentum,
                gamma_regularizer=_common.clone(self.gamma_regularizer),
                name=name,
                dtype=self.dtype_policy,
            )
            return made(layer, shape)

        def conv(name, shape, size, strides):
            kind = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[rank]
            layer = kind(
                self.filters,
                size,
                strides=strides,
                padding="same",
                use_bias=self.use_bias,
                kernel_initializer=_common.clone(self.kernel_initializer),
                kernel_regularizer=_common.clone(self.kernel_regularizer),
                name=name,
                dtype=self.dtype_policy,
            )
            return made(layer, shape)

        def activation(name, shape):
            return made(make_activation(self.activation, name, self.dtype_policy, **shared), shape)

        def gate():
            if self.branch == "plain":
                return None
            options = {"initial_scale": self.initial_scale, "name": "gate", "dtype": self.dtype_policy, **shared}
            if self.branch in WITHOUT_ATTENTION:
                options = {key: options[key] for key in ("initial_scale", "name", "dtype")}
                return made(LearnedThreshold(**WITHOUT_ATTENTION[self.branch], **options), outer)
            options["kernel_initializer"] = self.kernel_initializer
            reduction = self.reduction or (16 if self.branch == "se-textbook" else 1)
            if self.branch == "se":
                layer = SqueezeExcitation(reduction, squeeze="abs", norm=True, **options)
            elif self.branch == "se-textbook":
                layer = SqueezeExcitation(reduction, **options)
            else:
                scope = "channel" if self.branch == "drsn-cw" else "shared"
                layer = Shrinkage(scope, reduction, **options)
            return made(layer, outer)

        self.norm_1 = norm("norm_1", inner)
        self.activation_1 = activation("activation_1", inner)
        self.conv_1 = conv("conv_1", inner, self.kernel_size, self.strides)
        self.norm_2 = norm("norm_2", outer)
        self.activation_2 = activation("activation_2", outer)
        self.conv_2 = conv("conv_2", outer, self.kernel_size, 1)
        self.gate = gate()
        if self.shortcut is None:
            self.shortcut_layer = None
        elif self.shortcut == "projection" and (self.strides > 1 or channels != self.filters):
            self.shortcut_layer = conv("shortcut", inner, 1, self.strides)
        else:
            self.shortcut_layer = made(
                IdentityShortcut(
                    self.filters, self.strides, self.shortcut_padding, name="shortcut", dtype=self.dtype_policy
                ),
                inner,
            )

    def residual(self, x, training=False):
        """The branch's output `u`, in front of its gate or threshold.

        Args:
            x: The unit's input.
            training: Whether normalization uses the batch's statistics.

        Returns:
            Tensor of the unit's output shape.
        """
        x = _common.inspected(self, x)
        return self._residual(x, training)

    def scales(self, x, training=False):
        """What the gate's sigmoid says: alpha of a shrinkage unit, the gates of a squeeze-and-excitation unit.

        Args:
            x: The unit's input.
            training: Whether normalization uses the batch's statistics.

        Returns:
            Tensor of shape `(batch, filters)` or `(batch, 1)`; each between 0 and 1.

        Raises:
            ValueError: If the unit's branch has no gate.
        """
        u = self.residual(x, training)
        if isinstance(self.gate, Shrinkage):
            return self.gate.scales(u, training)
        if isinstance(self.gate, SqueezeExcitation):
            return self.gate.gates(u, training)
        raise ValueError(f"A unit of branch {self.branch!r} has no gate to ask for its scales.")

    def with_scales(self, x, scales):
        """What the unit gives for `x` if its gate's sigmoid says `scales`, whatever it would have said itself.

        Args:
            x: The unit's input.
            scales: Tensor of the shape of `scales(x)`.

        Returns:
            Tensor of the unit's output shape. Normalization uses its moving statistics.

        Raises:
            ValueError: If the unit's branch has no gate, or `scales` has another shape than `scales(x)`.
        """
        u = self.residual(x)
        if not isinstance(self.gate, Shrinkage | SqueezeExcitation):
            raise ValueError(f"A unit of branch {self.branch!r} has no gate whose scales could be given.")
        scales = kops.cast(kops.convert_to_tensor(scales), u.dtype)
        wanted = (u.shape[0], 1 if self.branch == "drsn-cs" else self.filters)
        if tuple(scales.shape) != wanted:
            raise ValueError(
                f"`scales` must hold the scales of {wanted[0]} samples, so the shape {wanted}. "
                f"Received: scales of shape {tuple(scales.shape)}"
            )
        if isinstance(self.gate, Shrinkage):
            _, means = self.gate._scales_and_means(u, training=False)
            y = ops.soft_threshold(u, _common.over_space(scales * means, u))
        else:
            y = u * _common.over_space(scales, u)
        return y if self.shortcut_layer is None else y + self.shortcut_layer(_common.inspected(self, x))

    def thresholds(self, x, training=False):
        """The thresholds by which a shrinkage unit shrinks its branch's output `u`.

        Args:
            x: The unit's input.
            training: Whether normalization uses the batch's statistics.

        Returns:
            Tensor of shape `(batch, filters)` or `(batch, 1)`, in the units of `u`.

        Raises:
            ValueError: If the unit's branch has no threshold.
        """
        u = self.residual(x, training)
        if isinstance(self.gate, LearnedThreshold):
            return self.gate.thresholds(u)
        if not isinstance(self.gate, Shrinkage):
            raise ValueError(
                "Only units of branch 'drsn-cs' or 'drsn-cw', or with a learned or fixed threshold, have thresholds. "
                f"This unit is of branch {self.branch!r}."
            )
        return self.gate.thresholds(u, training)

    def _residual(self, x, training):
        u = self.conv_1(self._activate(self.activation_1, self.norm_1(x, training=training), training))
        return self.conv_2(self._activate(self.activation_2, self.norm_2(u, training=training), training))

    @staticmethod
    def _activate(layer, x, training):
        return layer(x, training=training) if isinstance(layer, APReLU) else layer(x)

    def call(self, x, training=None):
        """Adds the branch to the shortcut."""
        u = self._residual(x, training)
        if self.gate is not None:
            u = self.gate(u) if isinstance(self.gate, LearnedThreshold) else self.gate(u, training=training)
        return u if self.shortcut_layer is None else u + self.shortcut_layer(x)

    def compute_output_shape(self, input_shape):
        """The subsampled shape with `filters` channels."""
        batch, *spatial, _ = input_shape
        spatial = [None if size is None else -(-size // self.strides) for size in spatial]
        return (batch, *spatial, self.filters)

    def get_config(self):
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "branch": self.branch,
            "activation": self.activation,
            "shortcut": self.shortcut,
            "shortcut_padding": self.shortcut_padding,
            "kernel_size": self.kernel_size,
            "use_bias": self.use_bias,
            "reduction": self.reduction,
            "initial_scale": self.initial_scale,
            "bn_momentum": self.bn_momentum,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "gamma_regularizer": keras.regularizers.serialize(self.gamma_regularizer),
        }


def activation_config(activation):
    """Turns an activation argument into what can be stored: a name, or a layer's configuration."""
    if isinstance(activation, str):
        if activation != "aprelu":
            try:
                keras.activations.get(activation)
            except ValueError as error:
                raise ValueError(
                    "`activation` must be 'relu', 'aprelu', the name of a Keras activation, a Keras layer or a "
                    f"function that returns one. Received: activation={activation!r}"
                ) from error
        return activation
    if isinstance(activation, dict):
        return activation
    layer = activation if isinstance(activation, keras.layers.Layer) else None
    if layer is None and callable(activation):
        try:
            layer = activation()
        except TypeError:
            layer = None
    if not isinstance(layer, keras.layers.Layer):
        raise ValueError(
            "`activation` must be 'relu', 'aprelu', the name of a Keras activation, a Keras layer or a function "
            f"of no arguments that returns one. Received: activation={activation!r}"
        )
    config = keras.saving.serialize_keras_object(layer)
    config["config"].pop("name", None)
    config["config"].pop("dtype", None)
    # Shapes belong to the place where a layer stands, not to the pattern.
    config.pop("build_config", None)
    return config


def make_activation(config, name, dtype, **shared):
    """Makes one activation layer; `shared` reaches an `"aprelu"` that has no configuration of its own."""
    if config == "aprelu":
        return APReLU(name=name, dtype=dtype, **shared)
    if isinstance(config, str):
        return keras.layers.Activation(config, name=name, dtype=dtype)
    inner = {**config["config"], "name": name, "dtype": keras.saving.serialize_keras_object(dtype)}
    return keras.saving.deserialize_keras_object({**config, "config": inner})
