"""Files of records: read, added to, merged, and made into tables."""

import contextlib
import json
import os
import shutil
import warnings
from pathlib import Path

from drsn_lib._names import VARIANT_NAMES
from drsn_lib.records.schema import COLUMNS, condition_text, run_key, validate

try:
    import fcntl
except ImportError:  # Windows, where a file has one writer at a time anyway
    fcntl = None

__all__ = [
    "SHIPPED",
    "BrokenRecord",
    "Record",
    "append",
    "default_folder",
    "load",
    "load_records",
    "merge",
    "probe_table",
    "read_file",
    "to_table",
]

# The folder of the records that the package brings.
SHIPPED = Path(__file__).with_name("runs")

# Tables name variants in this order, simple to involved, others behind them by name.
VARIANT_ORDER = tuple(VARIANT_NAMES)


class BrokenRecord(UserWarning):
    """A line of a file of records was left out; the message names file, line and reason."""


class Record(dict):
    """A record that knows its `file`, beside which its weights lie.

    Example:

    >>> found = Record({"recipe": "mnist-noise", "seed": 3})
    >>> found["seed"], found.file
    (3, None)
    """

    file = None


def default_folder():
    """Where your own runs are kept: `$DRSN_RECORDS`, or `runs` in the current folder.

    Example:

    >>> with_yours = load("mnist-noise", folder=default_folder() if default_folder().is_dir() else None)

    Returns:
        A `pathlib.Path`; it may not exist yet.
    """
    return Path(os.environ.get("DRSN_RECORDS") or "runs")


def read_file(path):
    """Reads the valid records of one file; each broken line is named in a warning and left out.

    Example:

    >>> import pathlib, tempfile, warnings
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     path = pathlib.Path(folder) / "mnist-noise.jsonl"
    ...     _ = path.write_text('{"schema": 1, "reci')
    ...     found = read_file(path)
    >>> found, said[0].category.__name__
    ([], 'BrokenRecord')

    Args:
        path: Path of a file with one JSON object a line.

    Returns:
        List of `Record`, in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    with open(path, "rb") as file, _locked(file, exclusive=False):
        lines = file.read().split(b"\n")
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = Record(validate(_parse(line)))
        except (ValueError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            if number == len(lines) and isinstance(error, json.JSONDecodeError):
                reason = f"the line is cut off, as a writer that is stopped leaves it ({reason})"
            elif isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
                reason = f"it is not JSON ({reason})"
            # Never more than one line: control characters that came with the fault are spelled out.
            reason = reason.encode("unicode_escape").decode() if not reason.isprintable() else reason
            warnings.warn(f"{path}, line {number} is left out: {reason}", BrokenRecord, stacklevel=2)
            continue
        record.file = path
        found.append(record)
    return found


def append(path, record):
    """Adds a record to a file, in one piece or not at all.

    The file is locked, and written and synchronized in a single stroke, so that several processes may add to
    one file. A line that a killed writer left half-written stays by itself and harms no other. Adding a later
    record of a run replaces the earlier one for every reader; adding the very same record again adds nothing.

    Example:

    >>> append("runs", {"schema": 1})
    Traceback (most recent call last):
    ValueError: `recipe` of a record must be there. Received: nothing

    Args:
        path: Path of a `.jsonl` file, or of a folder, in which the file is named after the recipe. What does
            not exist is made.
        record: Dictionary; see `validate`.

    Returns:
        Whether the file was changed.

    Raises:
        ValueError: If the record is not valid; nothing is written then.
        OSError: If the file cannot be written; nothing is left of the record then.
    """
    text = json.dumps(validate(record), ensure_ascii=False, allow_nan=False)
    line = text.encode("utf-8")
    path = _file_of(path, record["recipe"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+", buffering=0) as file, _locked(file, exclusive=True):
        file.seek(0)
        there = file.read()
        if line in there.split(b"\n"):
            return False
        whole = (b"\n" if there and not there.endswith(b"\n") else b"") + line + b"\n"
        try:
            written = file.write(whole)
            if written != len(whole):
                raise OSError(f"only {written} of {len(whole)} bytes of a record could be written to {path}")
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(len(there))
            raise
    return True


def merge(source, target):
    """Adds to `target` the records of `source` that it lacks or has older ones of, and their weights.

    Nothing is taken away from `target`. Broken lines of either are named in warnings and left out.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     merge(folder, "runs")
    0

    Args:
        source: Path of a file of records, or of a folder of such files.
        target: Path of a `.jsonl` file, or of a folder, in which each file is named after its recipe.

    Returns:
        Integer, how many records were added.

    Raises:
        FileNotFoundError: If there is no `source`, or weights that a record names do not lie beside it;
            nothing is added then.
        ValueError: If a file of weights would come to belong to two runs; nothing is added then.
    """
    target = Path(target)
    have = _latest(record for file in _files(target, missing_ok=True) for record in read_file(file))
    new = [
        record
        for key, record in _latest(record for file in _files(source) for record in read_file(file)).items()
        if key not in have or record["date"] > have[key]["date"]
    ]
    taken = {record.file.parent / record["weights"]: key for key, record in have.items() if record["weights"]}
    copies = {}
    for record in new:
        if record["weights"] is not None:
            origin = record.file.parent / record["weights"]
            copy = _file_of(target, record["recipe"]).parent / record["weights"]
            if taken.setdefault(copy, run_key(record)) != run_key(record):
                raise ValueError(
                    f"Two runs would have one file of weights, {copy}: {run_key(record)} and {taken[copy]}. Name "
                    "them by `records.weights_path`. Nothing was merged."
                )
            if not origin.is_file():
                raise FileNotFoundError(
                    f"{record.file} names weights that are not there: {origin}. Put them there, or set `weights` of "
                    "the record to null. Nothing was merged."
                )
            copies[copy] = origin
    for copy, origin in copies.items():
        if copy.exists() and copy.samefile(origin):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
        try:
            shutil.copyfile(origin, part)
            os.replace(part, copy)
        finally:
            part.unlink(missing_ok=True)
    return sum(append(target, dict(record)) for record in new)


def load_records(recipe=None, folder=None, budget=None, device=None, variant=None, seed=None, condition=None):
    """Loads records as dictionaries, one a run: of several with one key, the latest.

    Example:

    >>> found = load_records("vibration-snr", device="best", condition={"noise": "pink"})
    >>> {record["condition"]["noise"] for record in found} <= {"pink"}
    True

    Args:
        recipe: Name of a recipe, or a list of names; None for all. So for the others.
        folder: Path of a folder of your own records, read beside those that the package brings.
        budget: Name of a budget.
        device: Kind of device: `"cpu"`, `"gpu"` or `"tpu"`. `"best"` takes, for every recipe and budget, the
            kind with the most runs, an accelerator where it has as many as the processor: so figures say
            CPU until a GPU has done the whole of it, and no average mixes the two.
        variant: Name of a variant.
        seed: Random seed.
        condition: Dictionary, part of the condition: `{"noise": "pink"}` takes all levels of that noise.

    Returns:
        List of `Record`, in the order of recipes, variants, budgets, conditions and seeds.

    Raises:
        ValueError: If there is no recipe of that name; the message lists those with records.
        FileNotFoundError: If there is no such folder.
    """
    from drsn_lib import recipes

    files = _files(SHIPPED, missing_ok=True) + ([] if folder is None else _files(folder))
    found = list(_latest(record for file in files for record in read_file(file)).values())
    having = sorted({record["recipe"] for record in found})
    for name in _several(recipe):
        if name not in having and name not in recipes.names():
            raise ValueError(
                f"`recipe` must be one of {', '.join(map(repr, recipes.names()))}; there are records of "
                f"{', '.join(map(repr, having)) or 'none yet'}. Received: recipe={name!r}"
            )
    if device is not None and device not in ("cpu", "gpu", "tpu", "best"):
        raise ValueError(f"`device` must be 'cpu', 'gpu', 'tpu' or 'best'. Received: device={device!r}")
    wanted = {"recipe": recipe, "budget": budget, "variant": variant, "seed": seed}
    wanted = {key: _several(value) for key, value in wanted.items() if value is not None}
    part = {key: condition_text({key: value}) for key, value in (condition or {}).items()}
    found = [
        record
        for record in found
        if all(record[key] in values for key, values in wanted.items())
        and all(
            key in record["condition"] and condition_text({key: record["condition"][key]}) == text
            for key, text in part.items()
        )
    ]
    if device == "best":
        best = _best_kinds(found)
        found = [r for r in found if r["device"]["kind"] == best[r["recipe"], r["budget"]]]
    elif device is not None:
        found = [record for record in found if record["device"]["kind"] == device]
    return sorted(found, key=lambda record: _place(record, recipes.names()))


def load(recipe=None, folder=None, budget=None, device=None, variant=None, seed=None, condition=None):
    """Loads records as a table, one run a row.

    Example:

    >>> table = load("mnist-noise", device="best")
    >>> list(table.columns[:4])
    ['recipe', 'variant', 'budget', 'seed']

    Args:
        recipe: Name of a recipe, or a list of names; None for all. So for the others.
        folder: Path of a folder of your own records, read beside those that the package brings.
        budget: Name of a budget.
        device: Kind of device, or `"best"`; see `load_records`.
        variant: Name of a variant.
        seed: Random seed.
        condition: Dictionary, part of the condition.

    Returns:
        A `pandas.DataFrame`; see `to_table`. Where nothing is found it has the columns and no rows.

    Raises:
        ValueError: If there is no recipe of that name; the message lists those with records.
        FileNotFoundError: If there is no such folder.
    """
    return to_table(load_records(recipe, folder, budget, device, variant, seed, condition))


def to_table(records):
    """Makes a table of records: their numbers and names, one run a row, conditions as columns.

    `seconds` is a run's share of the wall time of training, `train_seconds` that of all `together` runs that
    were trained at once. Training loss and accuracy are the last epoch's. What a run has not is NaN or None.

    Example:

    >>> table = to_table([])
    >>> len(table), "test_accuracy" in table
    (0, True)

    Args:
        records: List of dictionaries; see `validate`.

    Returns:
        A `pandas.DataFrame`.
    """
    import pandas as pd

    rows, conditions = [], {}
    for record in records:
        conditions |= dict.fromkeys(record["condition"])
        rows.append({**record["condition"], **_row(record)})
    columns = list(COLUMNS)
    behind = columns.index("budget") + 1
    # Of objects first: so None stays None in texts, whatever pandas makes of texts.
    table = pd.DataFrame(rows, columns=[*columns[:behind], *conditions, *columns[behind:]], dtype=object)
    return table.astype({**COLUMNS, **{name: _type(table[name]) for name in conditions}})


def probe_table(records):
    """Makes a table of what trained networks did in other noise than their own, one run and probe a row.

    The columns are those of `to_table`, so that all that takes such a table takes this one: `noise`, `snr_db`
    and the test's numbers are the probe's, and what the run was trained under stands as `trained_noise`,
    `trained_snr_db` and so on. Runs without probes are left out.

    Example:

    >>> table = probe_table(load_records("mnist-snr", variant="drsn-cw"))
    >>> {"test_accuracy", "variant"} <= set(table.columns)
    True

    Args:
        records: List of dictionaries; see `validate`.

    Returns:
        A `pandas.DataFrame`.
    """
    rows = []
    for record in records:
        trained = {f"trained_{key}": value for key, value in record["condition"].items()}
        for probe in record.get("probes", ()):
            test = {key: probe[key] for key in ("accuracy", "loss", "count")}
            rows.append({**record, "condition": {**trained, **probe["condition"]}, "test": test})
    return to_table(rows)


def _row(record):
    device, versions, seconds, history = (record[key] for key in ("device", "versions", "seconds", "history"))
    validation = record.get("validation", {})
    return {
        **{key: record[key] for key in ("recipe", "variant", "budget", "seed", "backend", "commit", "date", "digest")},
        "device": device["kind"],
        "device_name": device["name"],
        "device_count": device["count"],
        "backend_version": versions[record["backend"]],
        "keras": versions["keras"],
        "drsn_lib": versions["drsn_lib"],
        "parameters": record["parameters"]["total"],
        "trainable": record["parameters"]["trainable"],
        "seconds": seconds["train"] / seconds["together"],
        "train_seconds": seconds["train"],
        "compile_seconds": seconds["compile"],
        "together": seconds["together"],
        "epochs": len(history["loss"]),
        "train_loss": history["loss"][-1],
        "train_accuracy": history["accuracy"][-1],
        "validation_accuracy": validation.get("accuracy"),
        "validation_loss": validation.get("loss"),
        "moving_accuracy": record.get("moving", {}).get("accuracy"),
        "test_accuracy": record["test"]["accuracy"],
        "test_loss": record["test"]["loss"],
        "test_count": record["test"]["count"],
        "weights": record["weights"],
    }


# ---------------------------------------------------------------- helpers


def _type(values):
    """The type of a column of conditions: numbers, with NaN for what has none, or objects."""
    return "object" if any(isinstance(value, str | bool) for value in values) else "float64"


def _parse(line):
    def refuse(text):
        raise ValueError(f"it is not JSON ({text} is no number of JSON's)")

    def once(pairs):
        names = [name for name, _ in pairs]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"`{min(twice)}` stands in it twice")
        return dict(pairs)

    return json.loads(line.decode("utf-8"), parse_constant=refuse, object_pairs_hook=once)


@contextlib.contextmanager
def _locked(file, exclusive):
    """Holds a lock on an open file; other processes that use this wait for it."""
    locked = False
    if fcntl is not None:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            locked = True
        except OSError:  # a file system without locks: single strokes to the end of the file must do
            pass
    try:
        yield
    finally:
        if locked:
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)


def _file_of(path, recipe):
    path = Path(path)
    return path if path.suffix == ".jsonl" else path / f"{recipe}.jsonl"


def _files(path, missing_ok=False):
    """The files of records that a path stands for: itself, or those of a folder."""
    path = Path(path)
    if path.is_dir():
        return sorted(path.glob("*.jsonl"))
    if path.is_file():
        return [path]
    if missing_ok:
        return []
    raise FileNotFoundError(f"There is no folder or file of records {path}; the current folder is {Path.cwd()}.")


def _latest(records):
    """One record a key: the one of the latest date, and of two of one date the one read last."""
    found = {}
    for record in records:
        key = run_key(record)
        if key not in found or record["date"] >= found[key]["date"]:
            found[key] = record
    return found


def _several(value):
    if value is None:
        return ()
    return (value,) if isinstance(value, str) or not hasattr(value, "__iter__") else tuple(value)


def _best_kinds(records):
    counts = {}
    for record in records:
        kinds = counts.setdefault((record["recipe"], record["budget"]), {"gpu": 0, "tpu": 0, "cpu": 0})
        kinds[record["device"]["kind"]] += 1
    # Of equal counts, max takes the first: an accelerator.
    return {key: max(kinds, key=kinds.get) for key, kinds in counts.items()}


def _place(record, recipes):
    """Where a record stands in a table."""
    condition = tuple(_rank(value) for value in record["condition"].values())
    names = (_index(record["recipe"], recipes), _index(record["variant"], VARIANT_ORDER), record["budget"])
    return (*names, condition, record["seed"], record["device"]["kind"])


def _index(name, order):
    return (order.index(name), "") if name in order else (len(order), name)


def _rank(value):
    """A place among values of several types: numbers by size, then texts, then None."""
    if value is None:
        return (2, 0, "")
    return (1, 0, value) if isinstance(value, str) else (0, value, "")
