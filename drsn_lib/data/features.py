"""Numbers that a specialist reads off a window of vibration, for a classifier that is not a network."""

import numpy as np

_LEAST = 1e-12  # what a logarithm takes for nothing
_CHUNK = 512  # windows that are worked on at once, so that memory stays small


def vibration_features(x, sampling_rate, lines=None, bands=None):
    """The classical features of vibration windows: shape, spectrum, envelope spectrum, fault lines.

    What the textbooks of machine diagnosis recommend, and nothing learned: how large and how spiky the
    signal is, where its power lies, how its envelope swells in a few bands, and, where the geometry of the
    machine is known, how high the lines of its faults stand over their surroundings. With
    `training.fit_linear` behind them they are the baseline that a network has to beat.

    Example:

    >>> from drsn_lib import data
    >>> made = data.simulate_vibration(recordings=1, windows=4, classes=("healthy", "outer race"), loads=[1.0])
    >>> outer = np.array([made.machine.frequencies(hz)["outer race"] for hz in made.shaft_hz])
    >>> features, names = data.vibration_features(made.x, made.sampling_rate, {"outer race": outer})
    >>> features.shape, names[:3]
    ((24, 41), ['level', 'skewness', 'kurtosis'])
    >>> height = features[:, names.index("outer race, envelope 1600-3200 Hz")]
    >>> bool(height[made.y == 1].mean() > height[made.y == 0].mean())
    True

    Args:
        x: Array of shape `(length,)`, `(windows, length)` or `(windows, length, 1)`, at least 64 points.
        sampling_rate: Float, in hertz. (With 1.0, frequencies are in cycles a sample.)
        lines: Dictionary of names to frequencies in hertz, each a float or an array with one number a
            window, as the speed of the shaft may differ. Each line gives its height in the spectrum, and in
            the envelope spectrum of every band. Multiples and side lines count as lines of their own. None
            leaves out what needs the geometry.
        bands: Sequence of `(low, high)` in hertz, whose envelopes are taken. None takes the three octaves
            from a sixteenth of the sampling rate to (nearly) its half.

    Returns:
        A float64 array of shape `(windows, features)`, all finite, and the list of the features' names.
        In order:

        - of the signal: `"level"` (log10 of the root mean square), `"skewness"`, `"kurtosis"` (log10),
          `"crest factor"` and `"shape factor"` (peak and root mean square, over root mean square and mean
          magnitude);
        - of the spectrum: `"centroid"` and `"spread"` (as shares of half the sampling rate), `"flatness"`
          (log10), and log10 of the share of the power in each of eight equal bands;
        - of each band's envelope: `"level"` (log10 of its mean), `"depth"` (its standard deviation over its
          mean), and log10 of the share of its spectrum's power in five octaves, the highest of which ends at
          a sixteenth of the sampling rate;
        - of each line: log10 of its height over the median around it, in the spectrum and in the envelope
          spectrum of each band. A line is looked for within 2 % or half a bin of its place, whichever is
          more.

    Raises:
        ValueError: If `x` has another shape, is too short or not finite, or if a line or a band does not
            lie between 0 and half the sampling rate.

    Reference:
        Randall and Antoni, "Rolling element bearing diagnostics: a tutorial" (2011), for envelope spectra;
        Lei et al., "Applications of machine learning to machine fault diagnosis" (2020), section 2, for
        features of this kind.
    """
    x = np.asarray(x)
    if x.ndim == 3 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim == 1:
        x = x[np.newaxis]
    if x.dtype.kind not in "fiub" or x.ndim != 2 or not len(x) or x.shape[1] < 64:
        raise ValueError(
            "`x` must hold numbers, of shape (length,), (windows, length) or (windows, length, 1), with at least one "
            f"window of at least 64 points. Received: shape {x.shape}, dtype {x.dtype}"
        )
    if not np.isfinite(x).all():
        broken = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise ValueError(f"`x` must be finite. Received: window {broken} with NaN or infinite values. Leave it out.")
    if not (np.isfinite(sampling_rate) and sampling_rate > 0):
        raise ValueError(f"`sampling_rate` must be a positive number. Received: sampling_rate={sampling_rate!r}")
    if bands is None:
        bands = [(sampling_rate / 16, sampling_rate / 8), (sampling_rate / 8, sampling_rate / 4)]
        bands.append((sampling_rate / 4, 0.49 * sampling_rate))
    for band in bands:
        if len(band) != 2 or not 0 < band[0] < band[1] < sampling_rate / 2:
            raise ValueError(
                f"`bands` must be pairs (low, high) between 0 and half the sampling rate, {sampling_rate / 2:g} Hz. "
                f"Received: {band!r}"
            )
    lines = {
        name: _frequencies(name, np.asarray(hz, dtype=np.float64), len(x), sampling_rate)
        for name, hz in (lines or {}).items()
    }
    names = _names(sampling_rate, lines, bands)
    features = np.empty((len(x), len(names)))
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        here = {name: hz[part] for name, hz in lines.items()}
        features[part] = _features(x[part].astype(np.float64), sampling_rate, here, bands)
    return features, names


def _frequencies(name, hz, windows, sampling_rate):
    if hz.shape not in ((), (windows,)):
        raise ValueError(
            f"`lines[{name!r}]` must be a number or have one for each of the {windows} windows. "
            f"Received: an array of shape {hz.shape}"
        )
    if not ((hz > 0) & (hz < sampling_rate / 2)).all():
        raise ValueError(
            f"`lines[{name!r}]` must lie between 0 and half the sampling rate, {sampling_rate / 2:g} Hz. "
            f"Received: {hz.min():g} to {hz.max():g} Hz"
        )
    return np.broadcast_to(hz, (windows,))


def _names(sampling_rate, lines, bands):
    unit = " Hz" if sampling_rate > 1 else ""
    names = ["level", "skewness", "kurtosis", "crest factor", "shape factor", "centroid", "spread", "flatness"]
    names += [f"power {low:g}-{high:g}{unit}" for low, high in _equal(sampling_rate)]
    labels = [f"envelope {low:g}-{high:g}{unit}" for low, high in bands]
    for label in labels:
        names += [f"{label}: level", f"{label}: depth"]
        names += [f"{label}: power {low:g}-{high:g}{unit}" for low, high in _octaves(sampling_rate)]
    return names + [f"{name}, {where}" for name in lines for where in ("spectrum", *labels)]


def _equal(sampling_rate):
    width = sampling_rate / 16
    return [(k * width, (k + 1) * width) for k in range(8)]


def _octaves(sampling_rate):
    return [(sampling_rate / 2**k, sampling_rate / 2 ** (k - 1)) for k in range(9, 4, -1)]


def _features(x, sampling_rate, lines, bands):
    """The features of some windows; `lines` gives one frequency a window."""
    import scipy.signal

    x = x - x.mean(axis=1, keepdims=True)
    level = np.sqrt((x**2).mean(axis=1))
    unit = x / np.maximum(level, _LEAST)[:, np.newaxis]
    columns = [
        _log(level),
        (unit**3).mean(axis=1),
        _log((unit**4).mean(axis=1)),
        np.abs(unit).max(axis=1),
        1 / np.maximum(np.abs(unit).mean(axis=1), _LEAST),
    ]
    columns[4][level <= _LEAST] = 0.0

    hz, amplitude = _spectrum(unit, sampling_rate)
    power = amplitude**2
    share = power / np.maximum(power.sum(axis=1, keepdims=True), _LEAST)
    place = hz / (sampling_rate / 2)
    centroid = share @ place
    spread = np.sqrt(np.maximum(share @ place**2 - centroid**2, 0))
    flatness = np.log10(np.maximum(power, _LEAST)).mean(axis=1) - _log(power.mean(axis=1))
    columns += [centroid, spread, flatness]
    columns += [_log(_within(share, hz, *band)) for band in _equal(sampling_rate)]
    spectra = [(hz, amplitude)]

    for band in bands:
        sos = scipy.signal.butter(4, band, "bandpass", fs=sampling_rate, output="sos")
        filtered = scipy.signal.sosfiltfilt(sos, x, axis=1)
        envelope = np.abs(scipy.signal.hilbert(filtered, axis=1))
        mean = np.maximum(envelope.mean(axis=1), _LEAST)
        swell = envelope / mean[:, np.newaxis]
        swell -= swell.mean(axis=1, keepdims=True)
        hz, amplitude = _spectrum(swell, sampling_rate)
        power = amplitude**2
        share = power / np.maximum(power.sum(axis=1, keepdims=True), _LEAST)
        columns += [_log(mean), swell.std(axis=1)]
        columns += [_log(_within(share, hz, *octave)) for octave in _octaves(sampling_rate)]
        spectra.append((hz, amplitude))

    columns += [_height(*spectrum, line, x.shape[1], sampling_rate) for line in lines.values() for spectrum in spectra]
    return np.stack(columns, axis=1)


def _spectrum(x, sampling_rate):
    """The amplitude spectrum with a Hann window, on a grid four times as fine as the bins."""
    size = 4 * x.shape[1]
    window = np.hanning(x.shape[1] + 1)[:-1]
    amplitude = np.abs(np.fft.rfft(x * window, size, axis=1)) * (2 / window.sum())
    return np.fft.rfftfreq(size, 1 / sampling_rate), amplitude


def _within(share, hz, low, high):
    return share[:, (hz >= low) & (hz < high)].sum(axis=1)


def _height(hz, amplitude, line, length, sampling_rate):
    """Log10 of the highest amplitude near a line, over the median of its surroundings."""
    step, bin_width = hz[1], sampling_rate / length
    reach = np.maximum(0.02 * line, bin_width / 2)[:, np.newaxis]
    around = np.maximum(0.1 * line, 6 * bin_width)[:, np.newaxis]
    half = int(np.ceil(around.max() / step)) + 1
    places = np.round(line / step).astype(int)[:, np.newaxis] + np.arange(-half, half + 1)
    near = np.take_along_axis(amplitude, np.clip(places, 0, len(hz) - 1), axis=1)
    distance = np.abs(places * step - line[:, np.newaxis])
    highest = np.where(distance <= reach, near, 0).max(axis=1)
    # The lowest bins hold what a mean taken off has left, and are no surroundings of anything.
    inside = (distance <= around) & (places * step >= bin_width) & (places < len(hz))
    floor = np.sort(np.where(inside, near, np.inf), axis=1)
    middle = np.take_along_axis(floor, inside.sum(axis=1, keepdims=True) // 2, axis=1)[:, 0]
    return _log(highest + _LEAST) - _log(middle + _LEAST)


def _log(values):
    return np.log10(np.maximum(values, _LEAST))
