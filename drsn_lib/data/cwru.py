"""Real bearings: the data of Case Western Reserve University's bearing data center."""

import dataclasses
import functools
import json
import pathlib
import re

import numpy as np

from drsn_lib.data import _cache

_URL = "https://engineering.case.edu/sites/default/files/{number}.mat"
# The kinds of bearing that `Cwru.y` counts: label 0 is a normal one.
CWRU_CLASSES = ("normal", "ball", "inner race", "outer race")
_SPLITS = ("random", "time", "load", "size")

# The data center's tables: first file of a run of loads 0, 1, 2, 3 HP. Class, size in mil, clock position.
_RUNS_12K = {
    105: ("inner race", 7, None),
    118: ("ball", 7, None),
    130: ("outer race", 7, 6),
    144: ("outer race", 7, 3),
    156: ("outer race", 7, 12),
    169: ("inner race", 14, None),
    185: ("ball", 14, None),
    197: ("outer race", 14, 6),
    209: ("inner race", 21, None),
    222: ("ball", 21, None),
    234: ("outer race", 21, 6),
    246: ("outer race", 21, 3),
    258: ("outer race", 21, 12),
    3001: ("inner race", 28, None),
    3005: ("ball", 28, None),
}
_FILES_48K = {
    109: ("inner race", 7, None),
    122: ("ball", 7, None),
    135: ("outer race", 7, 6),
    174: ("inner race", 14, None),
    189: ("ball", 14, None),
    201: ("outer race", 14, 6),
    213: ("inner race", 21, None),
    226: ("ball", 21, None),
    238: ("outer race", 21, 6),
}
_NORMAL = 97


@dataclasses.dataclass(frozen=True)
class Recording:
    """One file of the data center.

    Args:
        number: Integer, the file's number at the data center.
        label: String out of `CWRU_CLASSES`.
        size: Integer, diameter of the fault in mil (thousandths of an inch), 0 if there is none.
        load: Integer, motor load in horsepower, 0 to 3.
        clock: Integer or None, where an outer-race fault sits, 6 being the middle of the load zone.
    """

    number: int
    label: str
    size: int
    load: int
    clock: int | None


def cwru_recordings(rate="12k"):
    """Lists the drive-end recordings of a sampling rate.

    Example:

    >>> len(cwru_recordings("12k")), cwru_recordings("48k")[0]
    (61, Recording(number=97, label='normal', size=0, load=0, clock=None))

    Args:
        rate: `"12k"` (60 fault recordings at loads 0 to 3 HP) or `"48k"` (9 at 0 HP). Both have the normal
            recording at 0 HP.

    Returns:
        Tuple of `Recording`.

    Raises:
        ValueError: If `rate` is neither.
    """
    if rate == "12k":
        faults = []
        for first, (label, size, clock) in _RUNS_12K.items():
            # 157 does not exist: that run is 156, 158, 159, 160.
            numbers = [first, *range(first + 2, first + 5)] if first == 156 else range(first, first + 4)
            faults += [Recording(number, label, size, load, clock) for load, number in enumerate(numbers)]
    elif rate == "48k":
        faults = [Recording(number, label, size, 0, clock) for number, (label, size, clock) in _FILES_48K.items()]
    else:
        raise ValueError(f"`rate` must be '12k' or '48k'. Received: rate={rate!r}")
    return (Recording(_NORMAL, "normal", 0, 0, None), *faults)


@dataclasses.dataclass(frozen=True)
class Cwru:
    """Windows of real bearing vibration and where each comes from.

    Example:

    >>> bearings = load_cwru("48k", length=4096)
    >>> train, test = bearings.split("time", test_share=0.25)
    >>> bearings.x[train].shape[1:], sorted(set(bearings.load[test].tolist()))
    ((4096, 1), [0])

    Args:
        x: Float32 array of shape `(windows, length, 1)`, drive-end acceleration in units of g.
        y: Integer array of shape `(windows,)`, index into `classes`.
        size: Integer array of shape `(windows,)`, fault diameter in mil.
        load: Integer array of shape `(windows,)`, motor load in horsepower.
        recording: Integer array of shape `(windows,)`, the file's number.
        start: Integer array of shape `(windows,)`, the window's first sample in its recording.
        points: Integer array of shape `(windows,)`, the recording's number of samples.
        sampling_rate: Float, in hertz, the same for all windows.
        classes: Tuple of class names.
    """

    x: np.ndarray
    y: np.ndarray
    size: np.ndarray
    load: np.ndarray
    recording: np.ndarray
    start: np.ndarray
    points: np.ndarray
    sampling_rate: float
    classes: tuple = CWRU_CLASSES

    def split(self, name, test_share=0.3, seed=0):
        """Splits into training and test windows, leniently or strictly.

        From the weakest to the strictest:

        - `"random"` **leaks**: windows are drawn at random, so that neighbors in time, from the same seconds
          of the same mounting, stand on both sides, and with an overlap even the same samples do. It is here
          to show by how much that flatters.
        - `"time"`: the end of every recording is for the test; windows across the cut are dropped. Still
          the same mounting and the same damage on both sides.
        - `"load"`: trains on 0 to 2 HP and tests on 3 HP.
        - `"size"`: trains on faults of 7 and 14 mil and tests on 21 mil: other damage, so other bearings.

        The normal recording exists at one load only. So `"load"` and `"size"` leave it out and ask for the
        kind of fault alone.

        Args:
            name: One of the four.
            test_share: Float between 0 and 1, for `"random"` and `"time"`.
            seed: Integer, for `"random"`.

        Returns:
            Two index arrays, training and test.

        Raises:
            ValueError: If there is no such split, or if one side would be empty.
        """
        if name not in _SPLITS:
            raise ValueError(f"`name` must be one of {', '.join(map(repr, _SPLITS))}. Received: name={name!r}")
        if not 0 < test_share < 1:
            raise ValueError(f"`test_share` must lie between 0 and 1. Received: test_share={test_share!r}")
        faulty = self.y != self.classes.index("normal")
        if name == "random":
            in_test = np.zeros(len(self.y), bool)
            in_test[np.random.default_rng(seed).permutation(len(self.y))[: round(test_share * len(self.y))]] = True
            in_train = ~in_test
        elif name == "time":
            cut = (1 - test_share) * self.points
            in_train, in_test = self.start + self.x.shape[1] <= cut, self.start >= cut
        elif name == "load":
            in_train, in_test = faulty & (self.load < 3), faulty & (self.load == 3)
        else:
            in_train, in_test = faulty & np.isin(self.size, (7, 14)), faulty & (self.size == 21)
        if not in_train.any() or not in_test.any():
            raise ValueError(
                f"The split {name!r} leaves one side empty. The 48k recordings are all at 0 HP, so 'load' needs "
                "rate='12k'; with long windows, 'time' needs a larger test_share."
            )
        return np.flatnonzero(in_train), np.flatnonzero(in_test)


def load_cwru(rate="12k", length=2048, overlap=0.0):
    """Loads windows of the drive-end recordings, from the cache or else from the data center.

    One correction is made: the normal recording (file 97) is sampled at 48 kHz although it stands beside
    the 12 kHz files unmarked. Its lines at the mains hum's harmonics and its roll-off show that. With
    `rate="12k"` it is filtered and decimated by 4; otherwise a network could tell normal from faulty by
    the sampling rate alone.

    Example:

    >>> bearings = load_cwru("12k", length=2048)
    >>> train, test = bearings.split("load")

    Args:
        rate: `"12k"` or `"48k"`; see `cwru_recordings`.
        length: Integer, points of a window.
        overlap: Float from 0 to below 1, the share of a window that the next one repeats.

    Returns:
        A `Cwru`.

    Raises:
        ValueError: If an argument is out of its range.
        DataNotAvailable: If a file is neither in `cache_directory()/cwru` nor to be had.

    Reference:
        Case Western Reserve University Bearing Data Center; Smith and Randall, "Rolling element bearing
        diagnostics using the Case Western Reserve University data: a benchmark study" (2015). The
        data state no licence, so they are not part of this project.
    """
    if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 1:
        raise ValueError(f"`length` must be an integer of at least 1. Received: length={length!r}")
    if not 0 <= overlap < 1:
        raise ValueError(f"`overlap` must be at least 0 and below 1. Received: overlap={overlap!r}")
    step = max(1, round(length * (1 - overlap)))
    windows, columns = [], []
    for recording in cwru_recordings(rate):
        signal = _drive_end(recording, rate)
        if len(signal) < length:
            raise ValueError(
                f"`length` must be at most {len(signal)}, the samples of file {recording.number}. "
                f"Received: length={length}"
            )
        cut = np.lib.stride_tricks.sliding_window_view(signal, length)[::step]
        windows.append(cut.astype(np.float32))
        label = CWRU_CLASSES.index(recording.label)
        same = (label, recording.size, recording.load, recording.number, len(signal))
        columns.append(np.column_stack([np.tile(same, (len(cut), 1)), np.arange(len(cut)) * step]))
    y, size, load, number, points, start = np.concatenate(columns).T
    return Cwru(
        x=np.concatenate(windows)[..., np.newaxis],
        y=y,
        size=size,
        load=load,
        recording=number,
        start=start,
        points=points,
        sampling_rate={"12k": 12_000.0, "48k": 48_000.0}[rate],
    )


def _drive_end(recording, rate):
    """The drive-end signal of one recording, at `rate`."""
    signal = _read(recording, "12k" if recording.number == _NORMAL else rate)
    if recording.number == _NORMAL and rate == "12k":
        import scipy.signal

        signal = scipy.signal.decimate(signal, 4, ftype="fir", zero_phase=True)
    return signal


@functools.cache
def _digests():
    return json.loads((pathlib.Path(__file__).parent / "cwru_sha256.json").read_text("utf-8"))


def _read(recording, folder):
    """The drive-end signal as it was recorded, from a .mat or an .npz file of the cache, or downloaded."""
    known = {"DE": _digests()[f"{folder}/{recording.number}"]}
    name = f"cwru/{folder}/{recording.number}.mat"
    packed = f"cwru/{folder}/{recording.number}.npz"
    if (_cache.cache_directory() / packed).exists():
        name = packed
    url = _URL.format(number=recording.number)
    arrays = _cache.load_arrays(f"CWRU file {recording.number}", name, url, known, read=_read_file)
    return arrays["DE"]


def _read_file(path):
    """The drive-end signal of a file of either kind, whatever the number in its variables' names."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {"DE": file["DE"].ravel()}
    import scipy.io

    content = scipy.io.loadmat(path)
    keys = [key for key in content if re.fullmatch(r"X\d+_DE_time", key)]  # 174.mat holds X173_DE_time
    if len(keys) != 1:
        raise ValueError(f"it should hold one drive-end signal, X..._DE_time; it holds {', '.join(sorted(content))}")
    return {"DE": content[keys[0]].ravel()}
