"""Thresholding functions on tensors, for every Keras backend.

All three functions set to zero what is at most `threshold` in magnitude; they differ in what they
do with the rest. Their threshold broadcasts against `x`; a NaN in either comes out as a NaN, never as
a silent zero.
"""

import math

import numpy as np
from keras import ops

__all__ = ["garrote_threshold", "hard_threshold", "soft_threshold", "universal_threshold"]


def soft_threshold(x, threshold):
    """Shrinks `x` towards zero by `threshold` and sets to zero what is smaller.

    It is the proximal operator of `threshold * |x|`. Its derivative with respect to `x` is 1 where
    `|x| > threshold` and 0 elsewhere (0 at the kink on every backend); with respect to `threshold` it
    is `-sign(x)` where `|x| > threshold` and 0 elsewhere.

    Example:

    >>> np.asarray(soft_threshold(np.array([-3.0, -0.5, 0.2, 2.0]), 1.0))
    array([-2., -0.,  0.,  1.])

    Args:
        x: Float tensor of any shape.
        threshold: Float, or float tensor that broadcasts to the shape of `x`, in the units of `x`.
            A number or NumPy array below zero is an error; a backend tensor is not inspected.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: If `threshold` is a number or array with an entry below zero, or if it does not
            broadcast to the shape of `x`.

    Formula:

    ```
    y = sign(x) * max(|x| - threshold, 0)
    ```

    Reference:
        Donoho, "De-noising by soft-thresholding" (1995), equation 1.2; Zhao et al., "Deep residual
        shrinkage networks for fault diagnosis" (2020), where it is the nonlinearity of the unit.
    """
    x, threshold = _checked(x, threshold)
    # Of the equal forms this one alone is right in all derivatives at threshold = 0 on every backend,
    # keeps NaN, and is the fastest. Two details spare the backward pass work at every place: the sign is named
    # a constant, and the threshold is negated, which is small, instead of being subtracted.
    return ops.stop_gradient(ops.sign(x)) * ops.relu(ops.abs(x) + (-threshold))


def hard_threshold(x, threshold):
    """Keeps what is larger than `threshold` in magnitude unchanged and sets the rest to zero.

    It jumps at `|x| = threshold`, so it passes no gradient to `threshold`.

    Example:

    >>> np.asarray(hard_threshold(np.array([-3.0, -0.5, 0.2, 2.0]), 1.0))
    array([-3.,  0.,  0.,  2.])

    Args:
        x: Float tensor of any shape.
        threshold: Float, or float tensor that broadcasts to the shape of `x`, in the units of `x`.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: As for `soft_threshold`.

    Formula:

    ```
    y = x  where |x| > threshold, else 0
    ```

    Reference:
        Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage" (1994).
    """
    x, threshold = _checked(x, threshold)
    # The test is turned round so that a NaN fails it and is kept; 0 * threshold carries one over too.
    return ops.where(ops.abs(x) <= threshold, ops.zeros_like(x), x + 0.0 * threshold)


def garrote_threshold(x, threshold):
    """Shrinks large values little and small ones much: between soft and hard thresholding.

    It is continuous like the soft threshold, and like the hard one it leaves large values nearly
    unchanged: its bias falls as `threshold**2 / |x|`.

    Example:

    >>> np.asarray(garrote_threshold(np.array([-4.0, -0.5, 0.2, 2.0]), 1.0))
    array([-3.75,  0.  ,  0.  ,  1.5 ])

    Args:
        x: Float tensor of any shape.
        threshold: Float, or float tensor that broadcasts to the shape of `x`, in the units of `x`.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: As for `soft_threshold`.

    Formula:

    ```
    y = x - threshold**2 / x  where |x| > threshold, else 0
    ```

    Reference:
        Gao, "Wavelet shrinkage denoising using the non-negative garrote" (1998).
    """
    x, threshold = _checked(x, threshold)
    small = ops.abs(x) <= threshold
    # Dividing by 1 where the result is not used keeps the gradient there finite.
    divisor = ops.where(small, ops.ones_like(x), x)
    return ops.where(small, ops.zeros_like(x), x - threshold * threshold / divisor)


def universal_threshold(sigma, size):
    """Donoho and Johnstone's threshold, which pure noise of `size` samples rarely exceeds.

    Example:

    >>> round(universal_threshold(1.0, 512), 2)
    3.53

    Args:
        sigma: Float, the standard deviation of the noise.
        size: Integer, the number of samples or coefficients.

    Returns:
        Float, in the units of `sigma`.

    Raises:
        ValueError: If `sigma` is negative or `size` is below 1.

    Formula:

    ```
    threshold = sigma * sqrt(2 * log(size))
    ```

    Reference:
        Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage" (1994).
    """
    if not sigma >= 0:
        raise ValueError(f"`sigma` is a standard deviation: expected a number of at least 0. Received: sigma={sigma}")
    if not size >= 1:
        raise ValueError(f"`size` counts samples: expected an integer of at least 1. Received: size={size}")
    return float(sigma) * math.sqrt(2.0 * math.log(size))


def _checked(x, threshold):
    """Returns both as tensors of one float type, or says what is wrong with `threshold`."""
    plain = isinstance(threshold, int | float | list | tuple | np.ndarray | np.generic)
    if plain and np.any(np.asarray(threshold) < 0):
        raise ValueError(
            "`threshold` must not be negative: a threshold below zero pushes values away from zero instead "
            f"of shrinking them. Received: threshold={threshold}"
        )
    x = ops.convert_to_tensor(x)
    if "float" not in str(x.dtype):
        x = ops.cast(x, "float32")
    # A Python number goes straight to the type of `x`: by way of float32 it would lose digits.
    threshold = ops.convert_to_tensor(threshold, dtype=x.dtype) if plain else ops.cast(threshold, x.dtype)
    shape, other = tuple(x.shape), tuple(threshold.shape)
    fits = len(other) <= len(shape) and all(
        have in (1, want) or have is None or want is None
        for have, want in zip(reversed(other), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(
            f"`threshold` must broadcast to the shape of `x`. Expected a shape that broadcasts to {shape}. "
            f"Received: threshold of shape {other}. For one threshold a channel, give it the shape "
            "(batch, 1, ..., channels), or use `layers.SoftThreshold`, which does so."
        )
    return x, threshold
