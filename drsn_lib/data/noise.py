"""Noise of a chosen kind at an exact signal-to-noise ratio."""

import numpy as np

_KINDS = ("gaussian", "laplacian", "pink", "uniform")


def add_noise(x, snr_db, kind="gaussian", seed=None, power="sample"):
    """Adds zero-mean noise at a chosen signal-to-noise ratio.

    The ratio is that of the signal's power to the noise's, both without their mean (AC power), and it
    holds exactly: the noise that was drawn is scaled to it, sample by sample. Two calls with one
    `seed` add the same noise; a new seed for each epoch gives fresh noise, one seed gives frozen noise.

    Example:

    >>> t = np.linspace(0, 1, 2048)
    >>> clean = np.sin(2 * np.pi * 5 * t)[np.newaxis]
    >>> noisy = add_noise(clean, snr_db=-5, seed=0)
    >>> float(np.round(measure_snr(clean, noisy)[0], 6))
    -5.0

    Args:
        x: Array of shape `(length,)`, `(samples, length)`, `(samples, length, channels)` or
            `(samples, height, width, channels)`. Integer arrays are taken as float32.
        snr_db: Float, or array with one number a sample, in decibels; `inf` adds nothing.
        kind: `"gaussian"`, `"laplacian"`, `"uniform"`, or `"pink"`, whose power density falls as one over
            the frequency (along the length, or radially in an image).
        seed: Integer, `numpy.random.Generator` or None, as for `numpy.random.default_rng`.
        power: `"sample"` measures each sample's own power; `"dataset"` the mean power of all samples,
            so that loud and quiet samples get noise of one level.

    Returns:
        Array of the shape of `x`, float32, or float64 if `x` is.

    Raises:
        ValueError: If an argument is out of its range, or a sample is constant, so that its
            signal-to-noise ratio does not exist.

    Formula:

    ```
    y = x + n * sqrt(var(x) / var(n) * 10 ** (-snr_db / 10))
    ```

    Reference:
        Zhao et al., "Deep residual shrinkage networks for fault diagnosis" (2020), section IV, which
        adds Gaussian, Laplacian and pink noise at -5 to 5 dB.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "fiub" or not 1 <= x.ndim <= 4 or x.size == 0:
        raise ValueError(
            "`x` must be a non-empty array of numbers with 1 to 4 axes: (length,), (samples, length), (samples, "
            f"length, channels) or (samples, height, width, channels). Received: shape {x.shape}, dtype {x.dtype}"
        )
    if kind not in _KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(map(repr, _KINDS))}. Received: kind={kind!r}")
    if power not in ("sample", "dataset"):
        raise ValueError(f"`power` must be 'sample' or 'dataset'. Received: power={power!r}")
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    batch = x[np.newaxis] if x.ndim == 1 else x
    snr_db = np.asarray(snr_db, dtype=np.float64)
    if snr_db.shape not in ((), (len(batch),)) or np.isnan(snr_db).any() or (snr_db == -np.inf).any():
        raise ValueError(
            f"`snr_db` must be a number above -inf or {len(batch)} of them, one a sample. "
            f"Received: an array of shape {snr_db.shape}: {snr_db}"
        )
    axes = tuple(range(1, batch.ndim))
    signal = np.var(batch, axis=axes, keepdims=True, dtype=np.float64)
    if (signal == 0).any():
        index = int(np.flatnonzero(signal == 0)[0])
        raise ValueError(
            f"Sample {index} of `x` is constant: it has no power, and so no signal-to-noise ratio. "
            "Leave such samples out, or check the sensor that they come from."
        )
    if power == "dataset":
        signal = np.full_like(signal, signal.mean())
    noise = _draw(np.random.default_rng(seed), batch.shape, kind)
    noise -= noise.mean(axis=axes, keepdims=True)
    ratio = np.power(10.0, -snr_db / 10.0).reshape(-1, *(1,) * len(axes))
    noise *= np.sqrt(signal * ratio / np.var(noise, axis=axes, keepdims=True))
    return (batch + noise).astype(dtype).reshape(x.shape)


def measure_snr(clean, noisy):
    """Measures the signal-to-noise ratio of each sample, by AC power.

    Example:

    >>> clean = np.sin(np.linspace(0, 20, 1000))
    >>> bool(np.isclose(measure_snr(clean, add_noise(clean, 3, seed=0))[0], 3, atol=1e-4))
    True

    Args:
        clean: Array of shape `(samples, ...)` or `(length,)`.
        noisy: Array of the same shape.

    Returns:
        Float array of shape `(samples,)`, in decibels; `inf` where nothing was added.

    Raises:
        ValueError: If the shapes differ.

    Formula:

    ```
    snr_db = 10 * log10(var(clean) / var(noisy - clean))
    ```
    """
    clean, noisy = np.asarray(clean, dtype=np.float64), np.asarray(noisy, dtype=np.float64)
    if clean.shape != noisy.shape:
        raise ValueError(f"`clean` and `noisy` must have one shape. Received: {clean.shape} and {noisy.shape}")
    if clean.ndim == 1:
        clean, noisy = clean[np.newaxis], noisy[np.newaxis]
    axes = tuple(range(1, clean.ndim))
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(np.var(clean, axis=axes) / np.var(noisy - clean, axis=axes))


def _draw(rng, shape, kind):
    if kind == "gaussian":
        return rng.standard_normal(shape)
    if kind == "laplacian":
        return rng.laplace(size=shape)
    if kind == "uniform":
        return rng.uniform(-1.0, 1.0, size=shape)
    axes = (1,) if len(shape) < 4 else (1, 2)
    white = np.fft.rfftn(rng.standard_normal(shape), axes=axes)
    grids = np.meshgrid(
        *[(np.fft.rfftfreq if axis == axes[-1] else np.fft.fftfreq)(shape[axis]) for axis in axes],
        indexing="ij",
    )
    frequency = np.sqrt(sum(grid**2 for grid in grids))
    frequency.flat[0] = np.inf  # the mean: AC power has none
    gain = (1.0 / np.sqrt(frequency)).reshape(1, *frequency.shape, *(1,) * (len(shape) - 1 - len(axes)))
    return np.fft.irfftn(white * gain, s=[shape[axis] for axis in axes], axes=axes)
