"""What a record holds, checked field by field."""

import datetime
import json
import re
import sys

__all__ = ["COLUMNS", "run_key", "validate"]

SCHEMA = 1

# The columns of a table of records, with their types. A run's conditions are further columns behind the budget.
COLUMNS = {
    "recipe": "object",
    "variant": "object",
    "budget": "object",
    "seed": "int64",
    "device": "object",
    "device_name": "object",
    "device_count": "int64",
    "backend": "object",
    "backend_version": "object",
    "keras": "object",
    "drsn_lib": "object",
    "commit": "object",
    "date": "object",
    "digest": "object",
    "parameters": "int64",
    "trainable": "int64",
    "seconds": "float64",
    "train_seconds": "float64",
    "compile_seconds": "float64",
    "together": "int64",
    "epochs": "int64",
    "train_loss": "float64",
    "train_accuracy": "float64",
    "validation_accuracy": "float64",
    "validation_loss": "float64",
    "moving_accuracy": "float64",
    "test_accuracy": "float64",
    "test_loss": "float64",
    "test_count": "int64",
    "weights": "object",
}

_NAME = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_KINDS = ("cpu", "gpu", "tpu")
_BACKENDS = ("tensorflow", "jax", "torch")
_FIELDS = (
    "schema",
    "recipe",
    "variant",
    "seed",
    "budget",
    "condition",
    "device",
    "backend",
    "versions",
    "commit",
    "date",
    "settings",
    "digest",
    "parameters",
    "seconds",
    "history",
    "test",
    "weights",
)
# How processors are named: by TensorFlow and JAX, by Linux, by platform.machine().
_PROCESSOR = re.compile(
    r"cpu|processor|xeon|epyc|ryzen|opteron|core\(tm\)|pentium|celeron|neoverse|cortex-|^arm$|^host$|"
    r"(?<![a-z0-9])(x86|i[3579]-\d+[a-z]*|i[36]86|amd64|aarch64|arm64|ppc64le)(?![a-z0-9])",
    re.IGNORECASE,
)
_ACCELERATOR = re.compile(r"nvidia(?! grace)|geforce|tesla|quadro|cuda|(?<![a-z])(gpu|tpu)(?![a-z])", re.IGNORECASE)
_MISSING = object()


def validate(record):
    """Checks a record against schema 1, field by field.

    A record is what one run left behind, as JSON's types: `"schema"` (1), `"recipe"`, `"variant"`, `"seed"`,
    `"budget"`, `"condition"` (such as `{"noise": "pink", "snr_db": -5.0}`; empty where a recipe has none),
    `"device"` (`"kind"`, `"name"`, `"count"`), `"backend"`, `"versions"`, `"commit"`, `"date"` (UTC),
    `"settings"` (all that decides the run but its random seed), `"digest"` (of the settings), `"parameters"`
    (`"total"`, `"trainable"`), `"seconds"` (`"train"`, `"compile"`, and `"together"`, how many runs were trained
    at once in these seconds), `"history"` (lists with one number an epoch), `"test"` (`"accuracy"`, `"loss"`,
    `"count"`, perhaps `"confusion"`: rows are true classes), `"weights"` (a path beside the file of records,
    or null), and perhaps `"validation"`, `"moving"` (the same weights before batch normalization was
    recalibrated) and `"probes"` (a list of `"condition"`, `"accuracy"`, `"loss"`, `"count"`: the same network on
    the test samples in other noise). A loss that was no finite number is null.

    Example:

    >>> validate({"schema": 1, "recipe": "mnist-noise"})
    Traceback (most recent call last):
    ValueError: `variant` of a record must be there. Received: nothing

    Args:
        record: Dictionary.

    Returns:
        The record itself.

    Raises:
        ValueError: If a field is missing, unknown or out of its range; the message names it, what was
            expected and what came.
    """
    _expect(isinstance(record, dict), "", "a dictionary", record)
    version = record.get("schema", _MISSING)
    newer = isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA
    _expect(
        version == SCHEMA and not isinstance(version, bool | float),
        "schema",
        f"{SCHEMA}" + (" (it was written by a newer drsn_lib: update this one)" if newer else ""),
        version,
    )
    _fields(record, "", _FIELDS, ("validation", "moving", "probes"))
    for name in ("recipe", "variant", "budget"):
        _text(record[name], name, _NAME, "a name of small letters, digits and single `-`, `_` or `.` between them")
    _number(record["seed"], "seed", 0, whole=True)
    _condition(record["condition"])
    _device(record["device"])
    _expect(record["backend"] in _BACKENDS, "backend", "one of " + ", ".join(map(repr, _BACKENDS)), record["backend"])
    _versions(record["versions"], record["backend"])
    if record["commit"] is not None:
        said = "null, or 7 to 40 hexadecimal digits, with `-changed` behind them if files differed from the commit"
        _text(record["commit"], "commit", r"[0-9a-f]{7,40}(-changed)?", said)
    _date(record["date"])
    _settings(record["settings"], record["digest"])
    _parameters(record["parameters"])
    _seconds(record["seconds"])
    _history(record["history"])
    _scores(record["test"], "test", optional=("confusion",))
    if "validation" in record:
        _scores(record["validation"], "validation")
    if "moving" in record:
        _fields(record["moving"], "moving", ("accuracy",))
        _number(record["moving"]["accuracy"], "moving.accuracy", 0, 1)
    if "probes" in record:
        _probes(record["probes"])
    if record["weights"] is not None:
        said = "null, or a relative path with `/` that ends in .npz and never leaves its folder"
        _text(record["weights"], "weights", r"[A-Za-z0-9][\w.=+-]*(/[A-Za-z0-9][\w.=+-]*)*\.npz", said)
    return record


def run_key(record, device=None):
    """What two records of one run have in common; of several with one key, the latest counts.

    Example:

    >>> run = {"recipe": "vibration-snr", "variant": "resnet", "seed": 0, "budget": "modern"}
    >>> run_key({**run, "condition": {"snr_db": -5.0}}, "gpu") == run_key({**run, "condition": {"snr_db": -5}}, "gpu")
    True

    Args:
        record: Dictionary with a record's `"recipe"`, `"variant"`, `"seed"`, `"budget"` and `"condition"`.
        device: String, the kind of device; that of the record if None.

    Returns:
        Tuple of recipe, variant, seed, budget, condition (as text) and kind of device.
    """
    kind = record["device"]["kind"] if device is None else device
    names = (record["recipe"], record["variant"], record["seed"], record["budget"])
    return (*names, condition_text(record["condition"]), kind)


def condition_text(condition):
    """A condition as text that is one for equal conditions: -5 and -5.0 are the same."""
    return json.dumps({key: plain(value) for key, value in condition.items()}, sort_keys=True)


def plain(value):
    """A whole number without its decimal point, anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# ---------------------------------------------------------------- the fields


def _probes(probes):
    _expect(isinstance(probes, list) and probes, "probes", "a list that is not empty", probes)
    for number, one in enumerate(probes):
        where = f"probes[{number}]"
        _fields(one, where, ("condition", "accuracy", "loss", "count"))
        _condition(one["condition"], f"{where}.condition")
        _scores({key: value for key, value in one.items() if key != "condition"}, where)


def _condition(condition, place="condition"):
    _expect(isinstance(condition, dict), place, "a dictionary, {} where the recipe has no conditions", condition)
    for key, value in condition.items():
        where = f"{place}.{key}"
        _expect(isinstance(key, str) and key.isidentifier(), where, "named by an identifier", key)
        _expect(key not in COLUMNS, where, "named unlike any column of a table of records", key)
        if isinstance(value, str):
            _text(value, where, r"[A-Za-z0-9][\w.+-]*", "a name of letters, digits and `_`, `.`, `+`, `-`")
        elif not (value is None or isinstance(value, bool)):
            _number(value, where, said="a name, a finite number, a truth value or null")


def _device(device):
    _fields(device, "device", ("kind", "name", "count"))
    kind, name = device["kind"], device["name"]
    _expect(kind in _KINDS, "device.kind", "one of " + ", ".join(map(repr, _KINDS)), kind)
    _expect(isinstance(name, str) and name.strip(), "device.name", "a device's name, as its driver gives it", name)
    if kind == "cpu":
        _expect(not _ACCELERATOR.search(name), "device.name", "a processor's, the kind being 'cpu'", name)
    else:
        _expect(not _PROCESSOR.search(name), "device.name", f"no processor's, the kind being {kind!r}", name)
    _number(device["count"], "device.count", 1, whole=True)


def _versions(versions, backend):
    _expect(isinstance(versions, dict), "versions", "a dictionary from package to version", versions)
    for name in ("python", "keras", "numpy", "drsn_lib", backend, *versions):
        _text(versions.get(name, _MISSING), f"versions.{name}", r"\d[\w.+!-]*", "a version, such as '3.15.1'")


def _date(date):
    said = "a time in UTC as YYYY-MM-DDTHH:MM:SSZ"
    _text(date, "date", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said)
    try:
        datetime.datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        _expect(False, "date", said, date)


def _settings(settings, digest):
    from drsn_lib import recipes

    _expect(isinstance(settings, dict) and settings, "settings", "a dictionary that is not empty", settings)
    _json(settings, "settings")
    right = recipes.digest(settings)
    _expect(digest == right, "digest", f"{right!r}, which is that of its settings", digest)


def _json(value, where):
    if isinstance(value, dict):
        for key, inner in value.items():
            _expect(isinstance(key, str), where, "a dictionary of strings, so that JSON keeps it", key)
            _json(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _json(inner, f"{where}[{number}]")
    elif not (value is None or isinstance(value, str | bool)):
        _number(value, where, said="of JSON's types: a dictionary, list, string, finite number, truth value or null")


def _parameters(parameters):
    _fields(parameters, "parameters", ("total", "trainable"))
    _number(parameters["total"], "parameters.total", 1, whole=True)
    _number(parameters["trainable"], "parameters.trainable", 1, parameters["total"], whole=True)


def _seconds(seconds):
    _fields(seconds, "seconds", ("train", "compile", "together"))
    _number(seconds["train"], "seconds.train", 0)
    _number(seconds["compile"], "seconds.compile", 0)
    _number(seconds["together"], "seconds.together", 1, whole=True)


def _history(history):
    held_out = ("val_loss", "val_accuracy")
    _fields(history, "history", ("loss", "accuracy"), held_out)
    for first, second in (held_out, held_out[::-1]):
        if first in history:
            _expect(second in history, f"history.{second}", f"there, as history.{first} is", _MISSING)
    length = None
    for name, values in history.items():
        where = f"history.{name}"
        _expect(isinstance(values, list) and values, where, "a list with one number an epoch", values)
        length = length or len(values)
        said = f"of {length} numbers, as history.{next(iter(history))} is"
        _expect(len(values) == length, where, said, f"{len(values)} numbers", quoted=False)
        for epoch, value in enumerate(values):
            _score(value, f"{where}[{epoch}]", "accuracy" in name)


def _scores(scores, where, optional=()):
    _fields(scores, where, ("accuracy", "loss", "count"), optional)
    _score(scores["accuracy"], f"{where}.accuracy", True)
    _score(scores["loss"], f"{where}.loss", False)
    _number(scores["count"], f"{where}.count", 1, whole=True)
    if "confusion" in scores:
        _confusion(scores["confusion"], scores["accuracy"], scores["count"], f"{where}.confusion")


def _score(value, where, accuracy):
    if accuracy:
        _number(value, where, 0, 1)
    elif value is not None:
        _number(value, where, 0, said="a finite number of at least 0, or null where it was none")


def _confusion(table, accuracy, count, where):
    square = isinstance(table, list) and table
    square = square and all(isinstance(row, list) and len(row) == len(table) for row in table)
    _expect(square, where, "a list of as many lists as each is long", table)
    for i, row in enumerate(table):
        for j, value in enumerate(row):
            _number(value, f"{where}[{i}][{j}]", 0, whole=True)
    total = sum(map(sum, table))
    _expect(total == count, where, f"of {count} samples, as the count says", f"{total} samples", quoted=False)
    right = sum(row[i] for i, row in enumerate(table)) / count
    # A tie between two classes may be broken in two ways.
    said = f"of the accuracy {accuracy:g}"
    _expect(abs(right - accuracy) <= max(1e-3, 2 / count), where, said, f"{right:g} on its diagonal", quoted=False)


# ---------------------------------------------------------------- the checks


def _fields(value, where, required, optional=()):
    _expect(isinstance(value, dict), where, "a dictionary", value)
    inside = f"{where}." if where else ""
    for name in required:
        _expect(name in value, inside + name, "there", _MISSING)
    for name in value:
        known = ", ".join((*required, *optional))
        _expect(name in required or name in optional, f"{inside}{name}", f"left out; known are {known}", value[name])


def _number(value, where, low=None, high=None, whole=False, said=None):
    if said is None:
        said = "a whole number" if whole else "a finite number"
        if high is not None:
            said += f" from {low} to {high}"
        elif low is not None:
            said += f" of at least {low}"
    # NaN fails both comparisons, infinity and what neither float64 nor int64 holds the one with the largest.
    largest = 2**63 - 1 if whole else sys.float_info.max
    low, high = -largest if low is None else low, largest if high is None else high
    kinds = int if whole else int | float
    _expect(isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high, where, said, value)


def _text(value, where, pattern, said):
    _expect(isinstance(value, str) and re.fullmatch(pattern, value), where, said, value)


def _expect(good, where, said, value, quoted=True):
    if good:
        return
    if value is _MISSING:
        shown = "nothing"
    else:
        shown = repr(value) if quoted else str(value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        plain = value is None or type(value) in (str, int, float, bool)
        shown += "" if plain else f" ({type(value).__name__})"
    raise ValueError(f"{f'`{where}` of a record' if where else 'A record'} must be {said}. Received: {shown}")
