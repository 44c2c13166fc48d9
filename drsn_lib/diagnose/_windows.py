"""Signals into windows, and windows into sides that share no recording."""

import dataclasses

import numpy as np

from drsn_lib.diagnose._reading import BadData

_SHARES = (0.6, 0.2, 0.2)  # of training, validation and test
# What `remount` does: a filter, its gain (dB) and phase (rad) drawn with these standard deviations at so many
# places, and noise at these ratios.
_KNOTS, _FILTER_DB, _PHASE, _NOISE_DB = 10, 10.0, 2.0, (5.0, 25.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """Windows of signals, and where each comes from.

    Example:

    >>> from drsn_lib.diagnose import read_folder, write_example
    >>> folder = write_example("two", recordings=2, seconds=0.5)
    >>> windows = cut(read_folder(folder), window=1024)
    >>> windows.x.shape, windows.classes[windows.y[0]], len(windows)
    ((48, 1024, 1), 'ball', 48)

    Args:
        x: Float32 array of shape `(windows, length, 1)`, as recorded but for the mean of each window.
        y: Integer array of shape `(windows,)`, index into `classes`.
        file: Integer array of shape `(windows,)`, index into `files`.
        group: Integer array of shape `(windows,)`, index into `groups`: what a split keeps together.
        start: Integer array of shape `(windows,)`, the window's first point in its file.
        classes: Tuple of strings.
        files: Tuple of strings.
        groups: Tuple of strings.
        points: Integer array of shape `(files,)`, the length of each file.
        sampling_rate: Float, in hertz; None if it is not known.
        left_out: Integer, the number of constant windows, which were left out.
    """

    x: np.ndarray
    y: np.ndarray
    file: np.ndarray
    group: np.ndarray
    start: np.ndarray
    classes: tuple
    files: tuple
    groups: tuple
    points: np.ndarray
    sampling_rate: float | None = None
    left_out: int = 0

    def __len__(self):
        return len(self.y)


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Indices of training, validation and test windows.

    Example:

    >>> from drsn_lib.diagnose import read_folder, write_example
    >>> folder = write_example("five", recordings=5, seconds=0.5)
    >>> windows = cut(read_folder(folder), window=1024)
    >>> sides = split(windows, seed=0)
    >>> set(windows.file[sides.train]) & set(windows.file[sides.test])
    set()

    Args:
        train: Integer array.
        validation: Integer array.
        test: Integer array.
        by_time: Tuple of strings, classes of which there is only one recording, so that its beginning was taken to
            train on and its end to test.
        shared_validation: Tuple of strings, classes with two recordings, whose validation windows are the end of
            the recording that is trained on.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    by_time: tuple = ()
    shared_validation: tuple = ()


def cut(signals, window=2048, overlap=0.0):
    """Cuts signals into windows of one length.

    A window that is constant holds nothing, and is left out.

    Example:

    >>> from drsn_lib.diagnose import read_folder, write_example
    >>> folder = write_example("to_cut", recordings=2, seconds=0.5)
    >>> len(cut(read_folder(folder), window=1024)), len(cut(read_folder(folder), window=1024, overlap=0.5))
    (48, 88)

    Args:
        signals: A `Signals`, of `read_folder`.
        window: Integer, points of a window.
        overlap: Float from 0 to below 1, the share of a window that the next one repeats.

    Returns:
        A `Windows`.

    Raises:
        ValueError: If `window` or `overlap` is out of its range.
        BadData: If a file is shorter than a window, or no window is left of a class.
    """
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 64:
        raise ValueError(f"`window` must be an integer of at least 64 points. Received: window={window!r}")
    if not 0 <= overlap < 1:
        raise ValueError(f"`overlap` must be at least 0 and below 1. Received: overlap={overlap!r}")
    short = [one for one in signals.signals if len(one.values) < window]
    if short:
        least = min(short, key=lambda one: len(one.values))
        raise BadData(
            f"{len(short)} of {len(signals.signals)} files {'is' if len(short) == 1 else 'are'} shorter than a window "
            f"of {window} points; the shortest, {least.name}, has {len(least.values)}. Take a window of at most "
            f"{len(least.values)} points (--window), or leave these files out."
        )
    groups = tuple(dict.fromkeys(one.group for one in signals.signals))
    step, parts, places, left_out = max(1, round(window * (1 - overlap))), [], [], 0
    for index, one in enumerate(signals.signals):
        starts = np.arange(0, len(one.values) - window + 1, step)
        rows = one.values[starts[:, np.newaxis] + np.arange(window)]
        alive = rows.min(axis=1) < rows.max(axis=1)
        left_out += int((~alive).sum())
        rows = rows[alive]
        parts.append((rows - rows.mean(axis=1, keepdims=True)).astype(np.float32))
        label, group = signals.classes.index(one.label), groups.index(one.group)
        places += [(label, index, group, start) for start in starts[alive].tolist()]
    y, file, group, start = (
        (np.array(column, dtype=int) for column in zip(*places, strict=True)) if places else [()] * 4
    )
    if empty := [name for k, name in enumerate(signals.classes) if k not in y]:
        raise BadData(
            f"All windows of class {empty[0]!r} are constant: the sensor was silent, or the wrong channel was read. "
            "Choose another with `channel` (--channel), or leave the class out."
        )
    return Windows(
        np.concatenate(parts)[..., np.newaxis],
        y,
        file,
        group,
        start,
        signals.classes,
        tuple(one.name for one in signals.signals),
        groups,
        np.array([len(one.values) for one in signals.signals]),
        signals.sampling_rate,
        left_out,
    )


def standardize(x):
    """Brings every window to mean 0 and standard deviation 1, as the network gets it.

    A network then cannot go by loudness, which depends on sensor, gain and mounting as much as on the machine.

    Example:

    >>> x = standardize(np.array([[[1.0], [3.0]], [[10.0], [30.0]]]))
    >>> x[..., 0]
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)

    Args:
        x: Array of shape `(windows, length, 1)`.

    Returns:
        Float32 array of that shape; constant windows are zero.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x - x.mean(axis=1, keepdims=True)
    size = x.std(axis=1, keepdims=True)
    return (x / np.where(size > 0, size, 1.0)).astype(np.float32)


def remount(x, seed=None):
    """Changes windows as another sensor on another place might have: for training only.

    Each keeps or changes its sign, goes through a random smooth filter, which changes amplitudes and phases as another
    path from the fault to the sensor does, and gets a little noise; then it is standardized again. Without this, a
    network that has few recordings learns to know the recordings, by tones and resonances that are theirs alone.

    Example:

    >>> x = standardize(np.random.default_rng(0).normal(size=(5, 256, 1)))
    >>> made = remount(x, seed=0)
    >>> made.shape, bool(np.allclose(made.std(axis=1), 1, atol=1e-5)), bool(np.allclose(made, x))
    ((5, 256, 1), True, False)

    Args:
        x: Array of shape `(windows, length, 1)`.
        seed: Integer, `numpy.random.Generator` or None, as for `numpy.random.default_rng`.

    Returns:
        Float32 array of that shape.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(np.asarray(x)[..., 0], axis=1)
    place = np.linspace(0, _KNOTS - 1, spectrum.shape[1])
    left = np.minimum(place.astype(int), _KNOTS - 2)
    part = place - left
    knots = rng.normal(0, 1, (2, len(x), _KNOTS))
    gain, phase = knots[..., left] * (1 - part) + knots[..., left + 1] * part
    path = 10 ** (_FILTER_DB * gain / 20) * np.exp(1j * _PHASE * phase)
    made = np.fft.irfft(spectrum * path, x.shape[1], axis=1)
    made *= rng.choice([-1.0, 1.0], (len(x), 1)) / np.maximum(made.std(axis=1, keepdims=True), 1e-12)
    made += rng.standard_normal(made.shape) * 10 ** (-rng.uniform(*_NOISE_DB, (len(x), 1)) / 20)
    return standardize(made[..., np.newaxis])


def split(windows, seed=0):
    """Splits windows into training, validation and test so that no recording stands on two sides.

    About three fifths of the recordings of every class are for training and a fifth each for validation and test,
    drawn by `seed`. Where a class has two recordings, one is for training, with its end for validation, and one
    for the test. Where it has one, its first three fifths, the next fifth and the last are taken, with a gap of a
    window between them: that **flatters**, since the mounting, the speed and the damage are the same on all sides.

    Example:

    >>> from drsn_lib.diagnose import read_folder, write_example
    >>> folder = write_example("to_split", recordings=5, seconds=0.5)
    >>> windows = cut(read_folder(folder), window=1024)
    >>> sides = split(windows, seed=0)
    >>> len(sides.train), len(sides.validation), len(sides.test), sides.by_time
    (72, 24, 24, ())

    Args:
        windows: A `Windows`, of `cut`.
        seed: Integer, draws the recordings.

    Returns:
        A `Split`.

    Raises:
        BadData: If a class has too little for all sides.
    """
    rng = np.random.default_rng((seed, 7))
    side = np.full(len(windows), -1)  # 0, 1, 2, or none: in a gap
    groups_of = {k: np.unique(windows.group[windows.y == k]) for k in range(len(windows.classes))}
    side_of, by_time, shared = {}, [], []
    for k in sorted(groups_of, key=lambda k: len(groups_of[k])):
        groups = rng.permutation(groups_of[k]).tolist()
        count = len(groups)
        if count == 1 and groups[0] not in side_of:
            by_time.append(windows.classes[k])
            side_of[groups[0]] = "time"
        elif count == 2 and not set(groups) & set(side_of):
            shared.append(windows.classes[k])
            side_of |= {groups[0]: "shared", groups[1]: 2}
        else:
            wanted = {which: max(1, round(_SHARES[which] * count)) for which in (2, 1)}
            for which, number in wanted.items():
                there = sum(side_of.get(group) == which for group in groups)
                for group in [one for one in groups if one not in side_of][: max(0, number - there)]:
                    side_of[group] = which
            side_of |= {group: 0 for group in groups if group not in side_of}
    for group, which in side_of.items():
        own = windows.group == group
        if which == "time":
            side[own] = _by_time(windows, own, _SHARES)
        elif which == "shared":
            side[own] = _by_time(windows, own, (0.8, 0.2))
        else:
            side[own] = which
    for k, name in enumerate(windows.classes):
        there = set(side[windows.y == k].tolist())
        if lacking := [word for which, word in enumerate(("train on", "validate on", "test")) if which not in there]:
            own, count = int((windows.y == k).sum()), len(groups_of[k])
            have = f"{own} window{'s' if own > 1 else ''} of {count} recording{'s' if count > 1 else ''}"
            raise BadData(
                f"Class {name!r} has {have}: too little to have some to {lacking[0]} apart from the rest. Record more, "
                "at best in further recordings, or take shorter windows (--window)."
            )
    return Split(*(np.flatnonzero(side == which) for which in range(3)), tuple(sorted(by_time)), tuple(sorted(shared)))


def _by_time(windows, own, shares):
    """The sides of one recording's windows, by time and with a gap of a window between sides."""
    length, points = windows.x.shape[1], windows.points[windows.file[own]]
    start, side = windows.start[own], np.full(own.sum(), -1)
    ends = np.cumsum(shares)
    for which, end in enumerate(ends):
        low = 0.0 if which == 0 else ends[which - 1] * points + length
        high = points if which == len(ends) - 1 else end * points
        side[(start >= low) & (start + length <= high)] = which
    return side
