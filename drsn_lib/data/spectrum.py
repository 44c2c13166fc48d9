"""Spectra, as machine diagnosis reads them."""

import numpy as np


def envelope_spectrum(x, sampling_rate, band=None):
    """The amplitude spectrum of a signal's envelope: how strongly, and how often, it swells.

    A local fault strikes something at a regular rate, and each strike rings a resonance. The ringing is
    high in frequency and says little; the rate at which it returns tells the fault, and it is the envelope
    that shows it.

    Example:

    >>> t = np.arange(12_800) / 12_800
    >>> knocks = np.exp(-400 * (t % (1 / 90))) * np.sin(2 * np.pi * 3_000 * t)  # 90 a second
    >>> hz, amplitude = envelope_spectrum(knocks, 12_800, band=(2_000, 4_000))
    >>> float(hz[amplitude.argmax()])
    90.0

    Args:
        x: Array of shape `(length,)`, `(windows, length)` or `(windows, length, 1)`.
        sampling_rate: Float, in hertz.
        band: Tuple of two floats, in hertz: the signal is first filtered to this band, best one around a
            resonance (Butterworth of order 4, forwards and backwards, so that nothing is delayed). None
            takes the signal as it is.

    Returns:
        Two arrays: frequencies in hertz, of shape `(length // 2 + 1,)`, and amplitudes in the unit of `x`, of
        shape `(length // 2 + 1,)` or `(windows, length // 2 + 1)`. The envelope's mean is left out.

    Raises:
        ValueError: If `x` is too short, or `band` does not lie between 0 and half the sampling rate.

    Formula:

    ```
    envelope = |x + i * hilbert(x)|
    amplitude = 2 / length * |DFT(envelope - mean(envelope))|
    ```

    Reference:
        Randall and Antoni, "Rolling element bearing diagnostics: a tutorial" (2011), section 5.
    """
    import scipy.signal

    x = np.asarray(x, dtype=np.float64)
    if x.ndim == 3 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim not in (1, 2) or x.shape[-1] < 64:
        raise ValueError(
            "`x` must be of shape (length,), (windows, length) or (windows, length, 1) with at least 64 points. "
            f"Received: shape {x.shape}"
        )
    if band is not None:
        low, high = band
        if not 0 < low < high < sampling_rate / 2:
            raise ValueError(
                f"`band` must lie between 0 and half the sampling rate, {sampling_rate / 2:g} Hz. "
                f"Received: band={band!r}"
            )
        sos = scipy.signal.butter(4, (low, high), "bandpass", fs=sampling_rate, output="sos")
        x = scipy.signal.sosfiltfilt(sos, x, axis=-1)
    envelope = np.abs(scipy.signal.hilbert(x, axis=-1))
    envelope -= envelope.mean(axis=-1, keepdims=True)
    length = x.shape[-1]
    return np.fft.rfftfreq(length, 1 / sampling_rate), 2 / length * np.abs(np.fft.rfft(envelope, axis=-1))
