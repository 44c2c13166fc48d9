"""The adaptively parametric rectifier."""

import keras
from keras import ops

from drsn_lib.layers import _common

_STATISTICS = ("both", "positive", "negative", "mean")


@keras.saving.register_keras_serializable(package="drsn_lib")
class APReLU(_common.GateLayer):
    """A rectifier whose negative slope the layer computes for every sample and channel.

    Leaky ReLU fixes that slope, PReLU learns one for all samples; here a small network sets it
    between 0 and 1 from what the channel holds.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(4, 28, 28, 8))
    >>> activation = APReLU()
    >>> tuple(activation(x).shape), tuple(activation.slopes(x).shape)
    ((4, 28, 28, 8), (4, 8))

    Args:
        reduction: Integer, by how much the hidden layer is narrower than the number of channels;
            it keeps at least one unit. The paper has 1, the authors' CIFAR-10 code 16.
        initial_scale: Float between 0 and 1, the slope that an untrained layer starts from; it sets the
            beta of the normalization in front of the sigmoid.
        statistic: What the small network sees of each channel: `"both"`, the means of its negative and
            of its positive part; `"positive"` or `"negative"`, one of them; `"mean"`, the plain mean.
        bn_momentum: Float, the momentum of the normalizations' moving statistics.
        kernel_initializer: Initializer of both Dense kernels.
        kernel_regularizer: Regularizer of the Dense kernels.
        gamma_regularizer: Regularizer of the normalizations' gamma.

    Call arguments:
        x: Feature map.
        training: Whether normalization uses the batch's statistics.

    Input shape:
        `(batch, length, channels)` or `(batch, height, width, channels)`; spatial sizes may be unknown.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If an argument is out of its range or the input is no feature map.

    Formula:

    ```
    s = concatenate([mean(min(x, 0)), mean(max(x, 0))])                        # over space
    slope = sigmoid(BatchNorm(Dense(relu(BatchNorm(Dense(s))))))               # (batch, channels)
    y = max(x, 0) + slope * min(x, 0)
    ```

    Reference:
        Zhao et al., "Deep residual networks with adaptively parametric rectifier linear units for
        fault diagnosis", IEEE Transactions on Industrial Electronics 68(3), 2021, section III.
    """

    def __init__(
        self,
        reduction=1,
        initial_scale=0.5,
        statistic="both",
        bn_momentum=0.9,
        kernel_initializer="he_normal",
        kernel_regularizer=None,
        gamma_regularizer=None,
        **kwargs,
    ):
        super().__init__(
            reduction,
            initial_scale,
            bn_momentum,
            kernel_initializer,
            kernel_regularizer,
            gamma_regularizer,
            **kwargs,
        )
        self.statistic = _common.choice("APReLU", "statistic", statistic, _STATISTICS)

    def build(self, input_shape):
        """Makes the small network."""
        self.channels = _common.feature_map("APReLU", input_shape)
        self._build_gate(
            2 * self.channels if self.statistic == "both" else self.channels,
            max(1, self.channels // self.reduction),
            self.channels,
            last_norm=True,
            last_initializer=self.kernel_initializer,
        )

    def slopes(self, x, training=False):
        """The slopes by which the layer scales the negative part of a feature map.

        Args:
            x: Feature map, as for a call.
            training: Whether normalization uses the batch's statistics.

        Returns:
            Tensor of shape `(batch, channels)`, each between 0 and 1.
        """
        x = _common.inspected(self, x)
        return self._slopes(x, ops.relu(-x), training)

    def _slopes(self, x, below, training):
        """The slopes; `below` is the magnitude of the negative part, max(-x, 0)."""
        if self.statistic == "mean":
            return self._gate(_common.mean_over_space(x, self.channels), training)
        negative = -_common.mean_over_space(below, self.channels)
        if self.statistic == "negative":
            return self._gate(negative, training)
        # The mean of all is that of both parts together. 16 bits leave too few digits for the difference.
        if _common.is_half(x):
            positive = _common.mean_over_space(ops.relu(x), self.channels)
        else:
            positive = _common.mean_over_space(x, self.channels) - negative
        seen = positive if self.statistic == "positive" else ops.concatenate([negative, positive], axis=-1)
        return self._gate(seen, training)

    def call(self, x, training=None):
        """Scales the negative part."""
        rows = _common.rows(x)
        below = ops.relu(-rows)
        slopes = _common.over_space(self._slopes(rows, below, training), rows)
        if _common.is_half(x):  # where 1 - slope would lose the digits of a small slope
            return ops.relu(x) - slopes * below
        # max(x, 0) + slope * min(x, 0), in fewer passes over the map.
        return _common.unrowed(rows + (1.0 - slopes) * below, x)

    def get_config(self):
        """The arguments of the layer."""
        return {**super().get_config(), "statistic": self.statistic}
