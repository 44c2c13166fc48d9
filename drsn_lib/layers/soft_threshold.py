"""The soft threshold as a layer of two inputs."""

import keras
from keras import ops as kops

from drsn_lib import ops
from drsn_lib.layers import _common


@keras.saving.register_keras_serializable(package="drsn_lib")
class SoftThreshold(keras.layers.Layer):
    """Soft thresholding of a feature map by a threshold that is itself a tensor.

    The layer has no weights. It is the last step of the shrinkage unit, for those who compute the
    threshold themselves.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(4, 28, 28, 8))
    >>> thresholds = np.full((4, 8), 0.5)  # one a sample and channel
    >>> tuple(SoftThreshold()([x, thresholds]).shape)
    (4, 28, 28, 8)

    Call arguments:
        inputs: List of two tensors `[x, threshold]`. `x` has the shape `(batch, ..., channels)`.
            `threshold` has the shape `(batch, channels)` or `(batch, 1)`, one number a sample and
            channel or one a sample, or the rank of `x` and a shape that broadcasts to it.
            It is in the units of `x` and should not be negative.

    Input shape:
        `[(batch, ..., channels), (batch, channels)]`

    Output shape:
        The shape of `x`.

    Raises:
        ValueError: If the inputs are not two tensors, or if the threshold does not fit `x`.

    Formula:

    ```
    y = sign(x) * max(|x| - threshold, 0)
    ```

    Reference:
        Donoho, "De-noising by soft-thresholding" (1995); Zhao et al., "Deep residual shrinkage
        networks for fault diagnosis" (2020).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        """Checks the two shapes; there are no weights to make."""
        if len(input_shape) != 2 or not isinstance(input_shape[0], list | tuple):
            raise ValueError(
                "SoftThreshold is called on a list of two tensors, [x, threshold]. "
                f"Received: an input of shape {input_shape}"
            )
        shape, threshold = input_shape
        fits = len(threshold) in (2, len(shape)) and threshold[-1] in (1, None, shape[-1])
        if not fits:
            raise ValueError(
                f"The threshold of SoftThreshold must have the shape (batch, {shape[-1]}) or (batch, 1), or one of "
                f"the rank of `x` that broadcasts to {tuple(shape)}. Received: threshold of shape {tuple(threshold)}"
            )

    def call(self, inputs):
        """Applies the threshold."""
        x, threshold = inputs
        threshold = kops.cast(threshold, x.dtype)
        if len(threshold.shape) == 2 and len(x.shape) > 2:
            threshold = _common.over_space(threshold, x)
        return ops.soft_threshold(x, threshold)

    def compute_mask(self, inputs, mask=None):
        """Passes on the mask of `x`."""
        return mask[0] if mask else None

    def compute_output_shape(self, input_shape):
        """The shape of `x`."""
        return tuple(input_shape[0])
