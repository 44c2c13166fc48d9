"""The shrinkage block: soft thresholding by a threshold that the block computes from its input."""

import keras
from keras import ops as kops

from drsn_lib import ops
from drsn_lib.layers import _common


@keras.saving.register_keras_serializable(package="drsn_lib")
class Shrinkage(_common.GateLayer):
    """Soft thresholding by a threshold learned for every sample, and every channel if so asked.

    The threshold is a fraction of the mean magnitude of the feature map, and a small network sets
    the fraction. So the threshold is positive and never larger than that mean, whatever the
    network says.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(4, 28, 28, 8))
    >>> block = Shrinkage(scope="channel")
    >>> tuple(block(x).shape), tuple(block.thresholds(x).shape)
    ((4, 28, 28, 8), (4, 8))

    Args:
        scope: `"channel"` gives every channel of every sample its own threshold (the paper's
            channel-wise block, CW); `"shared"` gives every sample one threshold for all of its
            channels (channel-shared, CS).
        reduction: Integer, by how much the hidden layer is narrower than the number of channels;
            it keeps at least one unit. The paper has 1, the authors' CIFAR-10 code 4.
        initial_scale: Float between 0 and 1, the fraction that an untrained block starts from; it sets
            the bias of the last Dense layer. The papers' blocks start at 0.5; near 0 the block
            starts as nearly no shrinkage at all.
        bn_momentum: Float, the momentum of the normalization's moving statistics.
        kernel_initializer: Initializer of the first Dense kernel. The last one is Glorot uniform, as
            in the authors' code.
        kernel_regularizer: Regularizer of the Dense kernels.
        gamma_regularizer: Regularizer of the normalization's gamma.

    Call arguments:
        x: Feature map, best the raw output of a convolution, so that its values have both signs.
        training: Whether normalization uses the batch's statistics.

    Input shape:
        `(batch, length, channels)` or `(batch, height, width, channels)`; spatial sizes may be unknown.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If an argument is out of its range or the input is no feature map.

    Formula:

    ```
    m = mean(|x|, spatial axes)                              # (batch, channels)
    scale = sigmoid(Dense(relu(BatchNorm(Dense(m)))))        # (batch, channels), or (batch, 1) if shared
    threshold = scale * m                                    # or scale * mean(m, channels) if shared
    y = sign(x) * max(|x| - threshold, 0)
    ```

    Reference:
        Zhao et al., "Deep residual shrinkage networks for fault diagnosis", IEEE Transactions on
        Industrial Informatics 16(7), 2020, section III.
    """

    def __init__(
        self,
        scope="channel",
        reduction=1,
        initial_scale=0.5,
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
        self.scope = _common.choice("Shrinkage", "scope", scope, ("channel", "shared"))

    def build(self, input_shape):
        """Makes the small network."""
        self.channels = _common.feature_map("Shrinkage", input_shape)
        outputs = 1 if self.scope == "shared" else self.channels
        self._build_gate(self.channels, max(1, self.channels // self.reduction), outputs)

    def scales(self, x, training=False):
        """The fractions alpha that the block takes of the mean magnitudes of a feature map.

        Args:
            x: Feature map, as for a call.
            training: Whether normalization uses the batch's statistics.

        Returns:
            Tensor of shape `(batch, channels)`, or `(batch, 1)` if shared; each between 0 and 1.
        """
        return self._scales_and_means(_common.inspected(self, x), training)[0]

    def thresholds(self, x, training=False):
        """The thresholds by which the block shrinks a feature map.

        Args:
            x: Feature map, as for a call.
            training: Whether normalization uses the batch's statistics.

        Returns:
            Tensor of shape `(batch, channels)`, or `(batch, 1)` if shared, in the units of `x`.
        """
        return self._thresholds(_common.inspected(self, x), training)

    def _scales_and_means(self, x, training):
        means = _common.mean_over_space(kops.abs(x), self.channels)
        scales = self._gate(means, training)
        if self.scope == "shared":
            means = kops.mean(means, axis=-1, keepdims=True)
        return scales, means

    def _thresholds(self, x, training):
        scales, means = self._scales_and_means(x, training)
        return scales * means

    def call(self, x, training=None):
        """Shrinks the feature map."""
        rows = _common.rows(x)
        y = ops.soft_threshold(rows, _common.over_space(self._thresholds(rows, training), rows))
        return _common.unrowed(y, x)

    def get_config(self):
        """The arguments of the layer."""
        return {**super().get_config(), "scope": self.scope}
