"""What several layers share: the gate's small network, argument checks and shapes."""

import math

import keras
from keras import ops


def choice(layer, name, value, allowed):
    """Returns `value` if it is one of `allowed`, else says which are."""
    if value not in allowed:
        listed = ", ".join(repr(one) for one in allowed)
        raise ValueError(f"`{name}` of {layer} must be one of {listed}. Received: {name}={value!r}")
    return value


def positive_integer(layer, name, value):
    """Returns `value` as an int if it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` of {layer} must be an integer of at least 1. Received: {name}={value!r}")
    return value


def open_interval(layer, name, value):
    """Returns `value` as a float if it lies strictly between 0 and 1."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 < number < 1.0:
        raise ValueError(f"`{name}` of {layer} must lie strictly between 0 and 1. Received: {name}={value!r}")
    return number


def feature_map(layer, shape):
    """Checks that `shape` is (batch, *spatial, channels) with known channels; returns the channels."""
    if len(shape) < 3:
        raise ValueError(
            f"{layer} expects a feature map of shape (batch, length, channels) or (batch, height, width, "
            f"channels). Received: an input of shape {tuple(shape)}"
        )
    if shape[-1] is None:
        raise ValueError(
            f"{layer} needs a known number of channels in the last axis; spatial sizes may be None. "
            f"Received: an input of shape {tuple(shape)}"
        )
    return shape[-1]


def spatial_axes(x):
    """The axes between batch and channels."""
    return tuple(range(1, len(x.shape) - 1))


ROW = 64  # values


def rows(x):
    """Lays neighbouring places of a feature map side by side: (batch, rows, places in a row * channels).

    With few channels TensorFlow spends more on the short loops that pair a value a channel with every place
    than on the arithmetic. What has unknown sizes, channels enough or 16 bits stays as it is. So does all
    on the other backends: JAX's compiler makes one loop of everything, PyTorch would have to copy the map.
    """
    sizes = x.shape[1:-1]
    if keras.backend.backend() != "tensorflow" or None in sizes or 0 in sizes or is_half(x):
        return x
    places = math.prod(sizes)
    together = max(k for k in range(1, max(1, ROW // x.shape[-1]) + 1) if places % k == 0)
    return x if together == 1 else ops.reshape(x, (-1, places // together, together * x.shape[-1]))


def unrowed(y, x):
    """Gives `y`, computed from `rows(x)`, the shape of `x` again."""
    return y if len(y.shape) == len(x.shape) and y.shape[-1] == x.shape[-1] else ops.reshape(y, (-1, *x.shape[1:]))


def over_space(per_channel, x):
    """Reshapes (batch, channels) to (batch, 1, ..., channels), so that it broadcasts over `x` or its rows.

    Without it, (batch, channels) would meet (batch, height, width, channels) at the wrong axes,
    silently where the sizes happen to allow it.
    """
    channels = per_channel.shape[-1]
    if channels not in (1, x.shape[-1]):  # a row holds several places
        per_channel = ops.tile(per_channel, (1, x.shape[-1] // channels))
    ones = (1,) * len(spatial_axes(x))
    return ops.reshape(per_channel, (-1, *ones, per_channel.shape[-1]))


def mean_over_space(x, channels):
    """The mean of each channel of a feature map or of its rows, of shape (batch, channels)."""
    axes = spatial_axes(x)
    if is_half(x):  # whose sums overflow or lose digits
        return ops.mean(x, axis=axes)
    # A sum, divided: the gradient of a mean is divided at every place, that of this once a channel.
    shape = ops.shape(x)
    places = math.prod(shape[axis] for axis in axes)
    sums = ops.sum(x, axis=axes)
    if x.shape[-1] > channels:  # a row holds several places
        together = x.shape[-1] // channels
        sums, places = ops.sum(ops.reshape(sums, (-1, together, channels)), axis=1), together * places
    return sums / (places if isinstance(places, int) else ops.cast(places, x.dtype))


def is_half(x):
    """Whether `x` is of a type of 16 bits."""
    return keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")


def logit(p):
    """The number whose sigmoid is `p`."""
    return math.log(p / (1.0 - p))


def inspected(layer, x):
    """Makes `x` fit for a look from outside `call`: a tensor of the compute type, the layer's weights made."""
    x = ops.cast(ops.convert_to_tensor(x), layer.compute_dtype)
    if not layer.built:
        layer.build(tuple(x.shape))
        layer.built = True
    return x


class GateLayer(keras.layers.Layer):
    """Base of the layers with a small network that ends in a sigmoid, one gate a channel or a sample.

    The network is Dense, batch normalization, ReLU, Dense, sigmoid; a normalization in front of the
    sigmoid or none at all are options of the layers.
    """

    def __init__(
        self,
        reduction,
        initial_scale,
        bn_momentum,
        kernel_initializer,
        kernel_regularizer,
        gamma_regularizer,
        **kwargs,
    ):
        super().__init__(**kwargs)
        name = type(self).__name__
        self.reduction = positive_integer(name, "reduction", reduction)
        self.initial_scale = open_interval(name, "initial_scale", initial_scale)
        self.bn_momentum = open_interval(name, "bn_momentum", bn_momentum)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)

    def _build_gate(self, inputs, hidden, outputs, norm=True, last_norm=False, last_initializer="glorot_uniform"):
        # The sublayers are made and built here, under the layer's own dtype policy: otherwise a
        # reloaded model would silently start from fresh weights.
        start = keras.initializers.Constant(logit(self.initial_scale))
        self.hidden_dense = self._dense(hidden, "hidden_dense", inputs, self.kernel_initializer)
        self.hidden_norm = self._norm("hidden_norm", hidden) if norm else None
        self.gate_dense = self._dense(
            outputs, "gate_dense", hidden, last_initializer, bias_initializer="zeros" if last_norm else start
        )
        # In front of the sigmoid the norm's beta, not the bias that it cancels, sets the first gate.
        self.gate_norm = self._norm("gate_norm", outputs, beta_initializer=start) if last_norm else None

    def _gate(self, statistic, training):
        z = self.hidden_dense(statistic)
        if self.hidden_norm is not None:
            z = self.hidden_norm(z, training=training)
        z = self.gate_dense(ops.relu(z))
        if self.gate_norm is not None:
            z = self.gate_norm(z, training=training)
        return ops.sigmoid(z)

    def _dense(self, units, name, inputs, initializer, **kwargs):
        layer = keras.layers.Dense(
            units,
            kernel_initializer=clone(keras.initializers.get(initializer)),
            kernel_regularizer=clone(self.kernel_regularizer),
            name=name,
            dtype=self.dtype_policy,
            **kwargs,
        )
        layer.build((None, inputs))
        return layer

    def _norm(self, name, units, **kwargs):
        layer = keras.layers.BatchNormalization(
            momentum=self.bn_momentum,
            gamma_regularizer=clone(self.gamma_regularizer),
            name=name,
            dtype=self.dtype_policy,
            **kwargs,
        )
        layer.build((None, units))
        return layer

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "initial_scale": self.initial_scale,
            "bn_momentum": self.bn_momentum,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "gamma_regularizer": keras.regularizers.serialize(self.gamma_regularizer),
        }


def clone(part):
    """A fresh copy of an initializer or regularizer, so that two weights never share a random state."""
    return None if part is None else type(part).from_config(part.get_config())
