"""Files into signals: what is in them, at which rate, and a clear word where something is wrong."""

import csv
import dataclasses
import fnmatch
import io
import pathlib
import re
import warnings

import numpy as np

# What is read, by the end of a file's name.
FORMATS = (".csv", ".txt", ".tsv", ".dat", ".wav", ".mat", ".npy", ".npz")
_RATE_NAMES = ("fs", "sr", "rate", "samplingrate", "samplerate", "samplingfrequency", "samplefrequency")
_SHORTEST = 64  # points; what is shorter is no signal but a setting
_MOST_CHANNELS = 64
_ALIKE = 1e-3  # sampling rates that differ by less are one
_HOW_TO_CHOOSE = "Say which one: `channel`, or --channel NAME on the command line."


class BadData(ValueError):
    """Files that cannot be used as they are; the message says which, why, and what to do."""


@dataclasses.dataclass(frozen=True, eq=False)
class Signal:
    """One recorded signal.

    Example:

    >>> signal = Signal("pump/a.wav", np.zeros(1000), sampling_rate=500.0, label="pump")
    >>> signal.seconds, signal.group
    (2.0, 'pump/a.wav')

    Args:
        name: String, the file's path below the folder.
        values: Float array of shape `(points,)`.
        sampling_rate: Float, in hertz; None if nothing tells it.
        label: String, its class; None if it is not known.
        recording: String, which recording it belongs to; None if the file is one of its own.
        channel: String, the variable, column or channel that was read; None where there is only one.
    """

    name: str
    values: np.ndarray
    sampling_rate: float | None = None
    label: str | None = None
    recording: str | None = None
    channel: str | None = None

    @property
    def group(self):
        """What must not stand on both sides of a split: the recording if it is known, else the file."""
        return self.recording or self.name

    @property
    def seconds(self):
        """How long it is; None without a sampling rate."""
        return None if self.sampling_rate is None else len(self.values) / self.sampling_rate

    @property
    def clipped(self):
        """The share of points at which the signal stands still at its highest or lowest value."""
        ends = (self.values == self.values.max()) | (self.values == self.values.min())
        still = ends[1:] & (self.values[1:] == self.values[:-1])
        # Three equal points in a row: two may be chance.
        return float((still[1:] & still[:-1]).mean()) if len(still) > 1 else 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Signals:
    """The signals of a folder.

    Example:

    >>> from drsn_lib.diagnose import write_example
    >>> folder = write_example("signals", recordings=2, seconds=0.5)
    >>> found = read_folder(folder)
    >>> print(found)
    8 signals of 4 classes at 12800 Hz
      ball        2 files    1.0 s
      healthy     2 files    1.0 s
      inner race  2 files    1.0 s
      outer race  2 files    1.0 s

    Args:
        folder: String, where they were found.
        signals: Tuple of `Signal`.
        classes: Tuple of strings, the labels in alphabetical order.
        sampling_rate: Float, in hertz, that of all; None if nothing tells it.
        ignored: Tuple of strings, files below the folder that were not read.
        group_by: String, `"file"` or `"recording"`.
    """

    folder: str
    signals: tuple
    classes: tuple
    sampling_rate: float | None
    ignored: tuple = ()
    group_by: str = "file"

    def __str__(self):
        rate = "at an unknown sampling rate" if self.sampling_rate is None else f"at {self.sampling_rate:g} Hz"
        width = max(len(name) for name in self.classes)
        lines = [f"{len(self.signals)} signals of {len(self.classes)} classes {rate}"]
        for name in self.classes:
            own = [one for one in self.signals if one.label == name]
            points = sum(len(one.values) for one in own)
            long = f"{points:7d} points" if self.sampling_rate is None else f"{points / self.sampling_rate:6.1f} s"
            groups = len({one.group for one in own})
            of = f" of {groups} recordings" if self.group_by == "recording" else ""
            lines.append(f"  {name:<{width}}  {len(own)} file{'s' if len(own) > 1 else ''}{of} {long}")
        return "\n".join(lines)


def read_folder(folder, sampling_rate=None, channel=None, group_by="file"):
    """Reads all signals of a folder.

    The folder has one sub-folder a class, with the class's files in it. Or it has a table `labels.csv` with the
    columns `file` and `label`, and, if you like, `recording`: files of one recording, or of one machine, are then
    kept together in every split.

    Read are CSV and other text files, WAV, MAT (up to version 7), NPY and NPZ. In a text file the delimiter,
    a decimal comma, a header and a column of times are found; comments begin with `#` or `%`.

    Example:

    >>> from drsn_lib.diagnose import write_example
    >>> folder = write_example("to_read", recordings=2, seconds=0.5)
    >>> found = read_folder(folder)
    >>> found.classes, found.sampling_rate
    (('ball', 'healthy', 'inner race', 'outer race'), 12800.0)

    Args:
        folder: Path.
        sampling_rate: Float, in hertz, of all files; None takes it from WAV files, from columns of times and
            from variables such as `fs`.
        channel: String, which column, variable or channel to read where a file has several: its name, the end
            of its name, a pattern such as `*DE_time`, or its number from 1.
        group_by: `"file"`: every file is a recording of its own. `"recording"`: files belong together that have one
            `recording` in `labels.csv` or, without that table, lie in one folder below that of their class.

    Returns:
        A `Signals`.

    Raises:
        BadData: If something is wrong with the folder or with a file; the message names it.
        ValueError: If an argument is out of its range.
    """
    folder = pathlib.Path(folder)
    if group_by not in ("file", "recording"):
        raise ValueError(f"`group_by` must be 'file' or 'recording'. Received: group_by={group_by!r}")
    _check_rate(sampling_rate)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise BadData(f"The folder {folder} {what}. Expected a folder with one sub-folder of signals a class.")
    listed = _listed(folder, group_by) if (folder / "labels.csv").exists() else _by_folder(folder, group_by)
    places, ignored = listed
    labels = sorted({label for _, label, _ in places})
    if len(labels) == 1:
        raise BadData(
            f"All {len(places)} files in {folder} are of one class, {labels[0]!r}. A classifier needs at least two: "
            "add recordings of another state of the machine, such as healthy, in a sub-folder of their own."
        )
    signals = []
    for path, label, recording in places:
        one = read_file(path, channel=channel, name=path.relative_to(folder).as_posix())
        signals.append(dataclasses.replace(one, label=label, recording=recording))
    rate = _common_rate(signals, sampling_rate)
    signals = [dataclasses.replace(one, sampling_rate=rate) for one in signals]
    return Signals(str(folder), tuple(signals), tuple(labels), rate, tuple(ignored), group_by)


def _by_folder(folder, group_by):
    """Files by the folder that they are in."""
    visible = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    readable = [path for path in visible if path.suffix.lower() in FORMATS]
    ignored = [path.relative_to(folder).as_posix() for path in visible if path.suffix.lower() not in FORMATS]
    loose = [path for path in readable if path.parent == folder]
    if not readable or len(loose) == len(readable):
        found = "no file" if not visible else f"no file that ends in {', '.join(FORMATS)}"
        raise BadData(
            (f"The {len(loose)} files in {folder} have no class" if loose else f"There is {found} below {folder}")
            + ". Expected one sub-folder a class, such as healthy/1.wav and worn/1.wav, or a table labels.csv with the "
            "columns file and label."
        )
    ignored += [path.name for path in loose]
    places = []
    for path in readable:
        if path in loose:
            continue
        label, *rest = path.relative_to(folder).parts[:-1]
        if group_by == "recording" and not rest:
            raise BadData(
                f"{path.relative_to(folder).as_posix()} lies in no folder of a recording. To group by recording, put "
                f"files as in {label}/RECORDING/{path.name}, or write labels.csv with the columns file, label and "
                "recording."
            )
        places.append((path, label, "/".join((label, *rest)) if group_by == "recording" else None))
    return places, sorted(ignored)


def _hidden(path, folder):
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)


def _listed(folder, group_by):
    """Files as `labels.csv` lists them."""
    table = folder / "labels.csv"
    text = _decoded(table.read_bytes(), "labels.csv")
    first = text.partition("\n")[0]
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ","))
    columns = [name.strip().lower() for name in (rows[0] if rows else {}) if name]
    needed = ["file", "label"] + (["recording"] if group_by == "recording" else [])
    if lacking := [name for name in needed if name not in columns]:
        raise BadData(
            f"labels.csv lacks the column{'s' if len(lacking) > 1 else ''} {' and '.join(lacking)}. Expected a first "
            f"line such as file,label,recording and a line a file. Received: {first.strip()[:80] or 'an empty file'}."
        )
    places, seen = [], {}
    for number, raw in enumerate(rows, start=2):
        row = {(key or "").strip().lower(): (value or "").strip() for key, value in raw.items() if key}
        if not any(row.values()):
            continue
        if empty := [name for name in needed if not row[name]]:
            raise BadData(f"Line {number} of labels.csv has no {empty[0]}. Fill it in, or delete the line.")
        path = folder / row["file"]
        if not path.is_file():
            raise BadData(
                f"Line {number} of labels.csv names {row['file']}, and there is no such file below {folder}. Write "
                "paths as seen from the folder in which labels.csv lies."
            )
        if path in seen:
            raise BadData(f"labels.csv names {row['file']} twice, in lines {seen[path]} and {number}. Delete one.")
        if path.suffix.lower() not in FORMATS:
            raise BadData(f"Line {number} of labels.csv names {row['file']}; expected one of {', '.join(FORMATS)}.")
        seen[path] = number
        places.append((path, row["label"], row["recording"] if group_by == "recording" else None))
    if not places:
        raise BadData(f"labels.csv in {folder} lists no file. Expected a line a file below file,label.")
    others = (path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder) and path != table)
    return places, sorted(path.relative_to(folder).as_posix() for path in others if path not in seen)


def _check_rate(rate):
    if rate is not None and not (isinstance(rate, int | float | np.number) and np.isfinite(rate) and rate > 0):
        raise ValueError(f"`sampling_rate` must be a positive number of hertz. Received: sampling_rate={rate!r}")


def _common_rate(signals, given):
    """The one sampling rate of all signals."""
    known = [one for one in signals if one.sampling_rate is not None]
    if given is not None:
        for one in known:
            if abs(one.sampling_rate / given - 1) > _ALIKE:
                raise BadData(
                    f"{one.name} says that it was sampled at {one.sampling_rate:g} Hz, and `sampling_rate` is "
                    f"{given:g}. Give the rate that is true, or resample the file (scipy.signal.resample_poly)."
                )
        return float(given)
    if not known:
        return None
    low, high = (pick(known, key=lambda one: one.sampling_rate) for pick in (min, max))
    if high.sampling_rate / low.sampling_rate - 1 > _ALIKE:
        raise BadData(
            f"The files have different sampling rates: {low.name} {low.sampling_rate:g} Hz, {high.name} "
            f"{high.sampling_rate:g} Hz. A network would tell them apart by that alone. Resample them to one rate "
            "(scipy.signal.resample_poly filters and resamples), or leave some out."
        )
    if len(known) < len(signals):
        silent = next(one for one in signals if one.sampling_rate is None)
        raise BadData(
            f"{known[0].name} was sampled at {known[0].sampling_rate:g} Hz; of {silent.name} nothing says at which "
            "rate. If it is the same, give it as `sampling_rate` (--sampling-rate on the command line)."
        )
    return float(known[0].sampling_rate)


def read_file(path, channel=None, name=None):
    """Reads one signal from a file.

    Example:

    >>> np.save("shaft.npy", np.sin(np.arange(1000) / 7))
    >>> signal = read_file("shaft.npy")
    >>> signal.values.shape, signal.sampling_rate
    ((1000,), None)

    Args:
        path: Path of a CSV or other text file, WAV, MAT, NPY or NPZ.
        channel: String or None; as for `read_folder`.
        name: String, what messages call the file; by default its name.

    Returns:
        A `Signal`.

    Raises:
        BadData: If the file cannot be read, holds no signal, holds several and `channel` chooses none of them, or
            has values that are no finite numbers.
    """
    path = pathlib.Path(path)
    name = path.name if name is None else name
    kind = path.suffix.lower()
    if not path.is_file():
        raise BadData(f"There is no file {path}. Expected a file with the end {', '.join(FORMATS)}.")
    if kind not in FORMATS:
        raise BadData(f"{name} ends in {kind or 'nothing'}. Expected one of {', '.join(FORMATS)}.")
    reader = {".wav": _read_wav, ".mat": _read_mat, ".npy": _read_npy, ".npz": _read_npz}.get(kind, _read_text)
    try:
        found, rate, where = reader(path, name)
    except BadData:
        raise
    except OSError as error:
        raise BadData(f"{name} cannot be read: {error.strerror or error}. Check that the file is whole.") from error
    except Exception as error:  # damaged bytes make readers fail in many ways
        raise BadData(
            f"{name} cannot be read as {kind.removeprefix('.').upper()}: "
            f"{str(error).rstrip('.') or type(error).__name__}. The file may "
            "be damaged or of another kind than its name says: export it again, or take it out of the folder."
        ) from error
    key = _chosen(name, found, channel)
    values = np.asarray(found[key], dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        place = where(int(bad[0])) if where else f"point {bad[0] + 1}"
        raise BadData(
            f"{name} has {len(bad)} value{'s' if len(bad) > 1 else ''} that {'are' if len(bad) > 1 else 'is'} no "
            f"finite number, the first ({values[bad[0]]}) at {place}. Find out why the sensor or the export failed "
            "there; cut that part out, or leave the file out. It is not filled in here, since that would invent data."
        )
    return Signal(name, values, None if rate is None else float(rate), channel=key if len(found) > 1 else None)


def _chosen(name, found, channel):
    """The name of the one signal that is wanted."""
    names = list(found)
    if channel is None:
        if len(names) == 1:
            return names[0]
        raise BadData(f"{name} holds {len(names)} signals: {_some(names)}. {_HOW_TO_CHOOSE}")
    channel = str(channel)
    fits = [one for one in names if one == channel]
    fits = fits or [one for one in names if one.endswith(channel) or fnmatch.fnmatchcase(one, channel)]
    if not fits and channel.isdigit() and 1 <= int(channel) <= len(names):
        fits = [names[int(channel) - 1]]
    if not fits and len(names) == 1 and names[0] in ("", "1"):
        fits = names  # a file with one nameless signal
    if len(fits) != 1:
        what = f"{len(fits)} signals that fit" if fits else "no signal that fits"
        raise BadData(f"{name} has {what} `channel` {channel!r}; it holds {_some(names)}.")
    return fits[0]


def _some(names, most=8):
    listed = ", ".join(names[:most])
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


# ------------------------------------------------------------------------------------------------ text


def _decoded(raw, name):
    if b"\0" in raw[:10_000]:
        raise BadData(f"{name} is not text. Expected numbers in lines; if it is of another format, name it so.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _read_text(path, name):
    rows = [
        (number, line.strip())
        for number, line in enumerate(_decoded(path.read_bytes(), name).splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith(("#", "%"))
    ]
    if not rows:
        raise BadData(f"{name} is empty. Expected a line a point.")
    table = _Table(name, rows)
    columns = table.numbers()
    rate, columns = _without_times(name, columns)
    return columns, rate, table.where


class _Table:
    """Lines of text as columns of numbers."""

    def __init__(self, name, rows):
        self.name = name
        middle = rows[len(rows) // 2][1]
        self.sep = next((sep for sep in (";", "\t", ",") if sep in middle), None)
        if len(middle.split()) > 1 and all(re.fullmatch(r"[-+]?\d+,\d+([eE][-+]?\d+)?", one) for one in middle.split()):
            self.sep = None  # decimal commas between blanks
        self.width = 0
        self.width = len(self.split(middle))
        self.comma = self.sep != "," and "," in middle and "." not in middle
        self.header, begin = None, 0
        for begin, (number, line) in enumerate(rows):
            cells = self.split(line)
            if len(cells) != self.width and self.header is None and begin < 100:
                continue  # what an instrument writes in front
            numeric = [self.number(cell) is not None for cell in cells]
            if all(numeric) and len(cells) == self.width:
                break
            if any(numeric) or self.header is not None or len(cells) != self.width:
                self.complain(number, cells)
            self.header = [cell.strip('"') for cell in cells]
        else:
            raise BadData(f"{name} holds no line of numbers. Expected a line a point; received {rows[0][1][:60]!r}.")
        self.rows = rows[begin:]

    def split(self, line):
        if self.sep is None and self.width == 1:
            return [line]
        cells = line.split(self.sep)
        if self.sep and len(cells) > 1 and not cells[-1].strip():
            cells = cells[:-1]  # a delimiter at the end of the line
        return [cell.strip() for cell in cells]

    def number(self, cell):
        cell = cell.strip('"')
        try:
            return float(cell.replace(",", ".") if self.comma else cell)
        except ValueError:
            return None

    def complain(self, number, cells):
        if len(cells) != self.width:
            raise BadData(
                f"Line {number} of {self.name} has {len(cells)} cell{'s' if len(cells) > 1 else ''}, and the others "
                f"have {self.width}. Mend the line, or begin it with # if it is a comment."
            )
        cell = next((cell for cell in cells if self.number(cell) is None), "")
        what = f"{cell[:40]!r} is no number" if cell else "a cell is empty"
        raise BadData(
            f"Line {number} of {self.name}: {what}. Expected a number in every cell below the header; mend the line, "
            "or begin it with # if it is a comment."
        )

    def numbers(self):
        import pandas as pd

        lines = "\n".join(line for _, line in self.rows)
        try:
            frame = pd.read_csv(
                io.StringIO(lines),
                sep=self.sep or r"\s+",
                header=None,
                decimal="," if self.comma else ".",
                dtype=np.float64,
                skipinitialspace=True,
                keep_default_na=True,
            )
            made = frame.to_numpy()[:, : self.width]
            if frame.shape != (len(self.rows), made.shape[1]) and not np.isnan(frame.to_numpy()[:, self.width :]).all():
                raise ValueError
        except (ValueError, IndexError):  # pandas' errors are ValueErrors
            made = np.full((1, 1), np.nan)
        if np.isnan(made).any():
            kept = []
            for number, line in self.rows:
                cells = self.split(line)
                values = [self.number(cell) for cell in cells]
                if len(cells) != self.width or None in values:
                    self.complain(number, cells)
                kept.append(values)
            made = np.array(kept)
        names = self.header or [str(k + 1) for k in range(self.width)]
        if len(set(names)) < len(names):
            names = [f"{one or 'column'} ({k})" for k, one in enumerate(names, start=1)]
        return dict(zip(names, made.T, strict=True))

    def where(self, point):
        return f"line {self.rows[point][0]}"


def _without_times(name, columns):
    """The sampling rate that a column of times tells, and the other columns."""
    if len(columns) < 2:
        return None, columns
    first, values = next(iter(columns.items()))
    words = re.split(r"[^a-z]+", first.lower())
    named = "time" in first.lower() or words[0] in ("t", "sec", "second", "seconds", "index", "sample")
    steps = np.diff(values)
    if len(steps) < 2 or not np.isfinite(values).all():
        return None, columns
    step = float(np.median(steps))
    even = step > 0 and bool((np.abs(steps - step) <= 0.5 * step).all())
    exactly = step > 0 and bool((np.abs(steps - step) <= 1e-3 * step).all())
    if not named and not exactly and not (first.isdigit() and even):
        return None, columns
    if not even:
        place = int(np.argmax(np.abs(steps - step)))
        raise BadData(
            f"The times in column {first!r} of {name} are not evenly spaced (after point {place + 1}, "
            f"{values[place]:g}, comes {values[place + 1]:g}). Expected a constant sampling rate: resample the "
            "signal, or delete the column if it holds no times."
        )
    rest = {key: value for key, value in columns.items() if key != first}
    mean = float(values[-1] - values[0]) / len(steps)
    unit = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6, "min": 60.0, "s": 1.0}
    scale = next((unit[word] for word in re.split(r"[^a-zµ]+", first.lower())[1:] if word in unit), None)
    if words[0] in ("index", "sample") or (abs(mean - 1) < 1e-9 and not named and scale is None):
        return None, rest  # it counts points
    return float(f"{1 / (mean * (scale or 1.0)):.6g}"), rest


# ------------------------------------------------------------------------------------------------ binary


def _read_wav(path, name):
    import scipy.io.wavfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.io.wavfile.WavFileWarning)  # on chunks that it does not know
        rate, x = scipy.io.wavfile.read(path)
    if x.dtype == np.uint8:
        x = (x.astype(np.float64) - 128) / 128
    elif x.dtype.kind == "i":
        x = x / float(-np.iinfo(x.dtype).min)
    return _columns(name, {"": x}), rate, None


def _read_mat(path, name):
    import scipy.io

    try:
        made = scipy.io.loadmat(path, squeeze_me=True)
    except NotImplementedError:
        raise BadData(
            f"{name} is a MAT file of version 7.3, which is not read here. Save it in MATLAB by "
            "save(..., '-v7'), or export the signal as CSV."
        ) from None
    return _variables(name, {key: np.asarray(value) for key, value in made.items() if not key.startswith("__")})


def _read_npz(path, name):
    with np.load(path, allow_pickle=False) as made:
        return _variables(name, {key: made[key] for key in made.files})


def _read_npy(path, name):
    return _columns(name, {"": np.load(path, allow_pickle=False)}), None, None


def _variables(name, made):
    """The signals among the variables of a file, and the sampling rate if one of them says it."""
    rate = None
    for key, value in made.items():
        if re.sub(r"[^a-z]", "", key.lower()) in _RATE_NAMES and value.size == 1 and value.dtype.kind in "fiu":
            rate = float(value.ravel()[0])
    return _columns(name, made), rate, None


def _columns(name, arrays):
    """The long vectors among arrays; an array of two axes gives one for each of its channels."""
    found = {}
    for key, value in arrays.items():
        value = np.squeeze(value)
        if value.dtype.kind not in "fiub":
            continue
        if value.ndim == 1 and len(value) >= _SHORTEST:
            found[key] = value
        elif value.ndim == 2 and max(value.shape) >= _SHORTEST and min(value.shape) <= _MOST_CHANNELS:
            value = value if value.shape[0] > value.shape[1] else value.T
            columns = {f"{key}[{k + 1}]" if key else str(k + 1): value[:, k] for k in range(value.shape[1])}
            found |= columns
    if not found:
        listed = (
            _some([f"{key or 'an array'} {value.shape} {value.dtype}" for key, value in arrays.items()]) or "nothing"
        )
        raise BadData(
            f"{name} holds no signal: expected a vector of at least {_SHORTEST} real numbers, found {listed}."
        )
    return found
