"""The shortcut without weights."""

import keras
from keras import ops

from drsn_lib.layers import _common


@keras.saving.register_keras_serializable(package="drsn_lib")
class IdentityShortcut(keras.layers.Layer):
    """Carries a feature map past a residual branch: takes every `strides`-th sample, adds zero channels.

    Taking every second sample is what a 1 x 1 average pooling with stride 2 does. New channels are
    zeros, so the shortcut has no weights and passes its input on unchanged.

    Example:

    >>> tuple(IdentityShortcut(filters=16, strides=2)(np.ones((1, 7, 7, 8))).shape)
    (1, 4, 4, 16)

    Args:
        filters: Integer, the number of output channels; at least the number of input channels.
        strides: Integer, or a list of one integer a spatial axis.
        padding: `"both"` puts half of the zero channels in front and half behind, as in the code of
            Zhao et al.'s shrinkage network (of an odd number the larger half goes behind); `"end"`
            puts all behind, as in their APReLU code. The two give different networks.

    Input shape:
        `(batch, length, channels)` or `(batch, height, width, channels)`; spatial sizes may be unknown.

    Output shape:
        `(batch, ceil(length / strides), filters)` or
        `(batch, ceil(height / strides), ceil(width / strides), filters)`

    Raises:
        ValueError: If there are more input channels than `filters`, or an argument is out of range.

    Formula:

    ```
    y[:, i, j] = concatenate([zeros, x[:, strides * i, strides * j], zeros])
    ```

    Reference:
        He et al., "Deep residual learning for image recognition" (2016), section 3.3, option A.
    """

    def __init__(self, filters, strides=1, padding="both", **kwargs):
        super().__init__(**kwargs)
        name = type(self).__name__
        self.filters = _common.positive_integer(name, "filters", filters)
        many = isinstance(strides, list | tuple)
        checked = [_common.positive_integer(name, "strides", one) for one in (strides if many else [strides])]
        self.strides = checked if many else checked[0]
        self.padding = _common.choice(name, "padding", padding, ("both", "end"))

    def _strides(self, rank):
        if isinstance(self.strides, int):
            return [self.strides] * rank
        if len(self.strides) != rank:
            raise ValueError(
                f"`strides` of IdentityShortcut must be an integer or {rank} integers for an input with {rank} "
                f"spatial axes. Received: strides={self.strides}"
            )
        return self.strides

    def build(self, input_shape):
        """Checks the number of channels; there are no weights to make."""
        channels = _common.feature_map("IdentityShortcut", input_shape)
        self._strides(len(input_shape) - 2)
        if channels > self.filters:
            raise ValueError(
                "IdentityShortcut can add channels but not drop them: `filters` must be at least the number of "
                f"input channels, {channels}. Received: filters={self.filters}"
            )

    def call(self, x):
        """Subsamples and pads."""
        steps = self._strides(len(x.shape) - 2)
        if any(step > 1 for step in steps):
            x = _subsample(x, steps)
        added = self.filters - x.shape[-1]
        if added:
            front = added // 2 if self.padding == "both" else 0
            x = ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(front, added - front)])
        return x

    def compute_output_shape(self, input_shape):
        """The subsampled shape with `filters` channels."""
        batch, *spatial, _ = input_shape
        steps = self._strides(len(spatial))
        spatial = [None if size is None else -(-size // step) for size, step in zip(spatial, steps, strict=True)]
        return (batch, *spatial, self.filters)

    def get_config(self):
        """The arguments of the layer."""
        return {**super().get_config(), "filters": self.filters, "strides": self.strides, "padding": self.padding}


def _subsample(x, steps):
    """Every `step`-th sample along each spatial axis."""
    # TensorFlow slices with a stride on one core, four times slower than it pools; elsewhere slicing is faster.
    if keras.backend.backend() == "tensorflow" and x.dtype.is_floating and len(steps) <= 3:
        return ops.average_pool(x, 1, steps, padding="valid")
    return x[(slice(None), *(slice(None, None, step) for step in steps), slice(None))]
