"""Convolutions as one matrix product: for many networks at once, where each has a kernel of its own.

Mapped over networks, a convolution becomes one with groups, which is slow on processors and on GPUs. Shifted
slices of the input, side by side in the channels, times the flattened kernel are the same sum; mapped over
networks that is a batched matrix product.
"""

import contextlib

import keras
import numpy as np
from keras import ops

__all__ = ["as_matrix_products", "convolve"]


def convolve(x, kernel, strides=1, padding="same"):
    """The convolution of `keras.ops.conv`, channels last and without dilation, as one matrix product.

    Args:
        x: Tensor of shape `(batch, *spatial, channels)`; the spatial sizes must be known.
        kernel: Tensor of shape `(*sizes, channels, filters)`.
        strides: Integer, or one a spatial axis.
        padding: `"same"` or `"valid"`.

    Returns:
        Tensor of shape `(batch, *spatial, filters)`.
    """
    kernel = ops.convert_to_tensor(kernel)
    sizes, spatial = kernel.shape[:-2], x.shape[1:-1]
    strides = (strides,) * len(sizes) if isinstance(strides, int) else tuple(strides)
    if padding == "same":
        outs = [-(-n // step) for n, step in zip(spatial, strides, strict=True)]
        added = [
            max((out - 1) * step + size - n, 0)
            for n, out, step, size in zip(spatial, outs, strides, sizes, strict=True)
        ]
    else:
        outs = [(n - size) // step + 1 for n, step, size in zip(spatial, strides, sizes, strict=True)]
        added = [0] * len(sizes)
    if any(added):
        # The odd one goes behind, as TensorFlow has it.
        x = ops.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in added), (0, 0)])
    slices = []
    for start in np.ndindex(*sizes):
        window = [
            slice(first, first + (out - 1) * step + 1, step)
            for first, out, step in zip(start, outs, strides, strict=True)
        ]
        slices.append(x[(slice(None), *window, slice(None))])
    columns = slices[0] if len(slices) == 1 else ops.concatenate(slices, axis=-1)
    return ops.matmul(columns, ops.reshape(kernel, (-1, kernel.shape[-1])))


@contextlib.contextmanager
def as_matrix_products(model):
    """Lets the convolutions of a model compute as matrix products for as long as the context lasts.

    Only the model's own layers are touched, and they are as before afterwards. Convolutions with dilation,
    with groups or with channels first stay what they are.

    Args:
        model: A built `keras.Model`.
    """
    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D | keras.layers.Conv3D)
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and set(layer.dilation_rate) == {1}
        and layer.padding in ("same", "valid")
    ]
    try:
        for layer in layers:
            # Conv1D does not call `convolution_op` as the others do: `call` as a whole is replaced.
            vars(layer)["call"] = _call_of(layer)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _call_of(layer):
    def call(inputs):
        outputs = convolve(inputs, layer.kernel, layer.strides, layer.padding)
        if layer.use_bias:
            outputs = ops.add(outputs, layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call
