"""Squeeze and excitation: a gate for every channel of every sample."""

import keras
from keras import ops

from drsn_lib.layers import _common


@keras.saving.register_keras_serializable(package="drsn_lib")
class SqueezeExcitation(_common.GateLayer):
    """Scales every channel of a feature map by a gate between 0 and 1, computed from the map itself.

    By default it is the block of Hu et al. With `squeeze="abs"`, `norm=True` and `reduction=1` its
    small network is that of `Shrinkage`, weight for weight, and the one difference left is that it
    multiplies where `Shrinkage` thresholds: the book's parameter-matched control.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(4, 28, 28, 32))
    >>> block = SqueezeExcitation(reduction=16)
    >>> tuple(block(x).shape), tuple(block.gates(x).shape)
    ((4, 28, 28, 32), (4, 32))

    Args:
        reduction: Integer, by how much the hidden layer is narrower than the number of channels;
            it keeps at least one unit.
        initial_scale: Float between 0 and 1, the gate of an untrained layer when the last Dense layer
            sees zeros; it sets that layer's bias.
        squeeze: `"mean"`, the mean of a channel over space, or `"abs"`, the mean of its magnitude.
        norm: Whether batch normalization stands between the first Dense layer and its ReLU.
        bn_momentum: Float, the momentum of that normalization's moving statistics.
        kernel_initializer: Initializer of the first Dense kernel.
        kernel_regularizer: Regularizer of the Dense kernels.
        gamma_regularizer: Regularizer of the normalization's gamma.

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
    m = mean(x, spatial axes)                    # or mean(|x|)
    gate = sigmoid(Dense(relu(Dense(m))))        # (batch, channels)
    y = gate * x
    ```

    Reference:
        Hu et al., "Squeeze-and-excitation networks" (2018), equations 2 to 4.
    """

    def __init__(
        self,
        reduction=16,
        initial_scale=0.5,
        squeeze="mean",
        norm=False,
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
        self.squeeze = _common.choice("SqueezeExcitation", "squeeze", squeeze, ("mean", "abs"))
        self.norm = bool(norm)

    def build(self, input_shape):
        """Makes the small network."""
        self.channels = _common.feature_map("SqueezeExcitation", input_shape)
        self._build_gate(self.channels, max(1, self.channels // self.reduction), self.channels, norm=self.norm)

    def gates(self, x, training=False):
        """The gates by which the block scales the channels of a feature map.

        Args:
            x: Feature map, as for a call.
            training: Whether normalization uses the batch's statistics.

        Returns:
            Tensor of shape `(batch, channels)`, each between 0 and 1.
        """
        return self._gates(_common.inspected(self, x), training)

    def _gates(self, x, training):
        squeezed = ops.abs(x) if self.squeeze == "abs" else x
        return self._gate(_common.mean_over_space(squeezed, self.channels), training)

    def call(self, x, training=None):
        """Scales the channels."""
        rows = _common.rows(x)
        return _common.unrowed(rows * _common.over_space(self._gates(rows, training), rows), x)

    def get_config(self):
        """The arguments of the layer."""
        return {**super().get_config(), "squeeze": self.squeeze, "norm": self.norm}
