"""Soft thresholding without attention: one learned number a channel."""

import math

import keras
from keras import ops as kops

from drsn_lib import ops
from drsn_lib.layers import _common

# The mean magnitude of standard normal values.
_MEAN_MAGNITUDE = math.sqrt(2.0 / math.pi)


@keras.saving.register_keras_serializable(package="drsn_lib")
class LearnedThreshold(keras.layers.Layer):
    """Soft thresholding by one learned number a channel, without a network that looks at the sample.

    What is left of `Shrinkage` when its attention is taken away: the control that tells what the attention is
    good for. With `relative=True` every channel has one learned fraction of the sample's mean magnitude; with
    `relative=False` one learned threshold in the units of the input, the same for every sample. Made
    with `trainable=False`, the numbers stay where they start.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(4, 28, 28, 8))
    >>> block = LearnedThreshold(relative=True, initial_scale=0.5)
    >>> tuple(block(x).shape), tuple(block.thresholds(x).shape), block.count_params()
    ((4, 28, 28, 8), (4, 8), 8)

    Args:
        relative: Whether the threshold is a fraction of the channel's mean magnitude in the sample.
        initial_scale: Float between 0 and 1, where it starts: at this fraction of the mean magnitude; where
            it is not relative, of the mean magnitude that standard normal values have.

    Call arguments:
        x: Feature map, best the raw output of a convolution, so that its values have both signs.

    Input shape:
        `(batch, length, channels)` or `(batch, height, width, channels)`; spatial sizes may be unknown.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If an argument is out of its range or the input is no feature map.

    Formula:

    ```
    threshold = sigmoid(a) * mean(|x|, spatial axes)         # relative: (batch, channels)
    threshold = softplus(a)                                  # else: (channels,)
    y = sign(x) * max(|x| - threshold, 0)
    ```

    Reference:
        Isogawa et al., "Deep shrinkage convolutional neural network for adaptive noise reduction", IEEE Signal
        Processing Letters 25(2), 2018, for learned thresholds in a network.
    """

    def __init__(self, relative=True, initial_scale=0.5, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(relative, bool):
            raise ValueError(f"`relative` of LearnedThreshold must be True or False. Received: relative={relative!r}")
        self.relative = relative
        self.initial_scale = _common.open_interval("LearnedThreshold", "initial_scale", initial_scale)

    def build(self, input_shape):
        """Makes one weight a channel."""
        self.channels = _common.feature_map("LearnedThreshold", input_shape)
        if self.relative:
            start = _common.logit(self.initial_scale)
        else:
            start = math.log(math.expm1(self.initial_scale * _MEAN_MAGNITUDE))
        self.raw = self.add_weight(
            shape=(self.channels,), initializer=keras.initializers.Constant(start), trainable=self.trainable, name="raw"
        )

    def thresholds(self, x):
        """The thresholds by which the layer shrinks a feature map.

        Args:
            x: Feature map, as for a call.

        Returns:
            Tensor of shape `(batch, channels)`, in the units of `x`.
        """
        return self._thresholds(_common.inspected(self, x))

    def _thresholds(self, x):
        raw = kops.cast(self.raw, x.dtype)
        if self.relative:
            return kops.sigmoid(raw) * _common.mean_over_space(kops.abs(x), self.channels)
        return kops.broadcast_to(kops.softplus(raw), (kops.shape(x)[0], self.channels))

    def call(self, x):
        """Shrinks the feature map."""
        rows = _common.rows(x)
        return _common.unrowed(ops.soft_threshold(rows, _common.over_space(self._thresholds(rows), rows)), x)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """The arguments of the layer."""
        return {**super().get_config(), "relative": self.relative, "initial_scale": self.initial_scale}
