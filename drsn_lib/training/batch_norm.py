"""Batch-normalization statistics that fit the weights."""

import keras
import numpy as np
from keras import ops


def recalibrate_batch_norm(model, x, batch_size=128):
    """Re-estimates the statistics of every batch normalization from data, with the weights as they are.

    During training the moving mean and variance trail behind weights that change. After a short or fast
    training they can be so far off that inference mode scores tens of points below what the network
    has learned. Here they are replaced by the statistics of `x`, measured batch by batch in training
    mode. Weights do not change, and no labels are used.

    Example:

    >>> recalibrate_batch_norm(model, x_train[:1000], batch_size=100)

    Args:
        model: A built `keras.Model`. Normalizations that are frozen (`trainable=False`) are left alone.
        x: Array of inputs, or whatever the model takes as a batch when sliced; training data, never test
            data. A few thousand samples are plenty.
        batch_size: Integer, best the one of training. A last incomplete batch is left out, unless it is
            the only one.

    Raises:
        ValueError: If the model has no batch normalization to re-estimate, `x` is empty, or
            `batch_size` is below 2.

    Formula:

    ```
    mean = average over batches of mean_b
    variance = average over batches of (variance_b + mean_b ** 2) - mean ** 2
    ```

    Reference:
        Wu and Johnson, "Rethinking 'batch' in BatchNorm" (2021), section 3, "PreciseBN".
    """
    norms = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        raise ValueError(
            "`model` has no trainable BatchNormalization, so there are no statistics to re-estimate. "
            f"Received: model {model.name!r}"
        )
    if len(x) == 0:
        raise ValueError("`x` must hold training data to measure statistics on. Received: an empty array")
    if not isinstance(batch_size, int | np.integer) or batch_size < 2:
        raise ValueError(f"`batch_size` must be an integer of at least 2. Received: batch_size={batch_size!r}")

    moments = [keras.ops.convert_to_numpy(w) for layer in norms for w in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in norms]
    batches = max(1, len(x) // batch_size)
    means = [np.zeros(layer.moving_mean.shape) for layer in norms]
    squares = [np.zeros(layer.moving_mean.shape) for layer in norms]
    done = False
    try:
        # With momentum 0 the moving statistics after a pass are those of its batch.
        for layer in norms:
            layer.momentum = 0.0
        for index in range(batches):
            with _no_gradients():
                model(ops.convert_to_tensor(x[index * batch_size : (index + 1) * batch_size]), training=True)
            for mean, square, layer in zip(means, squares, norms, strict=True):
                batch_mean = _array(layer.moving_mean)
                mean += batch_mean / batches
                square += (_array(layer.moving_variance) + batch_mean**2) / batches
        done = True
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        if not done:  # interrupted: as it was
            for index, layer in enumerate(norms):
                layer.moving_mean.assign(moments[2 * index])
                layer.moving_variance.assign(moments[2 * index + 1])
    for layer, mean, square in zip(norms, means, squares, strict=True):
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(np.maximum(square - mean**2, 0.0))


def _array(variable):
    return np.asarray(ops.convert_to_numpy(variable), dtype=np.float64)


def _no_gradients():
    if keras.backend.backend() == "torch":
        import torch

        return torch.no_grad()
    import contextlib

    return contextlib.nullcontext()
