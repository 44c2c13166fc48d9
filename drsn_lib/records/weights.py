"""Trained weights as plain .npz files, which every version of Keras and every backend can read."""

import os
import re
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from drsn_lib.records.schema import condition_text, plain
from drsn_lib.records.store import load_records

__all__ = ["load_model", "load_weights", "save_weights", "weights_path"]

# Which of several records `load_model` takes where it may choose.
_BUDGETS = ("modern", "faithful")
_KINDS = ("gpu", "tpu", "cpu")


def weights_path(record):
    """The name that a record gives to its weights, a path beside the file of records.

    Example:

    >>> run = {"recipe": "vibration-snr", "variant": "drsn-cw", "budget": "modern", "seed": 0}
    >>> weights_path({**run, "condition": {"noise": "pink", "snr_db": -5.0}, "device": {"kind": "gpu"}})
    'weights/vibration-snr/drsn-cw-modern-noise=pink-snr_db=-5-gpu-seed0.npz'

    Args:
        record: Dictionary with a record's `"recipe"`, `"variant"`, `"budget"`, `"condition"`, `"seed"` and
            `"device"`: all that tells runs apart, so that none overwrites another's weights.

    Returns:
        String with `/` between its parts, for the record's `"weights"`.
    """
    said = [f"{key}={plain(value)}" for key, value in sorted(record["condition"].items())]
    words = [record["variant"], record["budget"], *said, record["device"]["kind"], f"seed{record['seed']}"]
    return f"weights/{record['recipe']}/{'-'.join(words)}.npz"


def save_weights(model, path, dtype="float32"):
    """Writes a model's weights to a plain .npz file, each under its layer's path.

    Moving statistics are among them, random states and the optimizer are not. The names depend on the model
    alone, not on what else was built before it, and the same weights give the same bytes.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/model.npz")
    ...     sorted(np.load(f"{folder}/model.npz").files)[:2]
    ['classifier/bias', 'classifier/kernel']

    Args:
        model: A built `keras.Model`.
        path: Path of the file, with the ending .npz; folders are made.
        dtype: `"float32"`, or `"float16"` for half the size: then every number keeps three digits, which
            changes outputs by about as much. Arrays beyond the range of float16 stay float32.

    Raises:
        ValueError: If the model has no weights, two of one name, or weights that are no numbers of floating
            point.
    """
    if dtype not in ("float32", "float16"):
        raise ValueError(f"`dtype` must be 'float32' or 'float16'. Received: dtype={dtype!r}")
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"`path` must end in .npz. Received: path={str(path)!r}")
    arrays = {}
    for name, variable in _named(model).items():
        array = _numbers(variable)
        if array.dtype.kind != "f" and str(array.dtype) != "bfloat16":
            raise ValueError(f"Weights must be of a floating-point type; {name} of {model.name!r} is {array.dtype}")
        array = array.astype(np.float32)
        if dtype == "float16" and np.all(np.abs(array[np.isfinite(array)]) <= np.finfo(np.float16).max):
            array = array.astype(np.float16)
        arrays[name] = array
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load_weights(model, path):
    """Gives a model the weights of a file that `save_weights` wrote; all of them or none.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/model.npz")
    ...     load_weights(model, f"{folder}/model.npz")

    Args:
        model: A built `keras.Model` of the same architecture.
        path: Path of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or weights are missing, too many or of other shapes; the message
            names them.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of weights {path}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is no whole .npz file of weights: {error}") from error
    variables = _named(model)
    faults = []
    missing = [name for name in variables if name not in arrays]
    if missing:
        faults.append(f"the file lacks {_listed(missing)}")
    unexpected = [name for name in arrays if name not in variables]
    if unexpected:
        faults.append(f"the model has no {_listed(unexpected)}")
    wrong = [
        f"{name}, {arrays[name].shape} instead of {tuple(variable.shape)}"
        for name, variable in variables.items()
        if name in arrays and tuple(arrays[name].shape) != tuple(variable.shape)
    ]
    if wrong:
        faults.append(f"of another shape in the file: {_listed(wrong)}")
    if faults:
        raise ValueError(f"The weights of {path} do not fit model {model.name!r}: {'; '.join(faults)}.")
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(np.float32))


def load_model(recipe, variant, seed=0, budget=None, condition=None, folder=None, device=None):
    """Rebuilds a trained network of a record: its recipe says how it is built, a .npz file holds its weights.

    Where several records fit, budget `"modern"` goes before `"faithful"` and any other, and a GPU's record
    before a processor's. A warning says when the recipe has changed since the run.

    Example:

    >>> import tempfile
    >>> from drsn_lib import records, training
    >>> options = {"budget": "smoke", "keep_weights": True, "progress": False}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = training.run("mnist-noise", "drsn-cw", folder=folder, **options)
    ...     added = records.append(folder, record)
    ...     network = load_model("mnist-noise", "drsn-cw", budget="smoke", folder=folder)
    >>> network.count_params()
    1610

    Args:
        recipe: Name of a recipe.
        variant: Name of a variant of it.
        seed: Random seed of the run.
        budget: Name of a budget; None takes the first of the order above that is there.
        condition: Dictionary, the condition or as much of it as tells it from others.
        folder: Path of a folder of your own records, read beside those that the package brings.
        device: Kind of device that the run was on; None takes the first of the order above that is there.

    Returns:
        A `keras.Model`, with the trained weights and recalibrated moving statistics; not compiled.

    Raises:
        ValueError: If no record with weights fits, or records of several conditions do; the message says
            what there is.
        FileNotFoundError: If the file that the record names is gone.
    """
    from drsn_lib.records.statistics import is_current

    there = [record for record in load_records(recipe, folder) if record["weights"] is not None]
    part = {key: condition_text({key: value}) for key, value in (condition or {}).items()}
    found = [
        record
        for record in there
        if record["variant"] == variant
        and record["seed"] == seed
        and budget in (None, record["budget"])
        and device in (None, record["device"]["kind"])
        and all(
            key in record["condition"] and condition_text({key: record["condition"][key]}) == text
            for key, text in part.items()
        )
    ]
    asked = {"variant": variant, "seed": seed, "budget": budget, "condition": condition, "device": device}
    asked = ", ".join(f"{key}={value!r}" for key, value in asked.items() if value is not None)
    if not found:
        raise ValueError(f"No record of recipe {recipe!r} with weights has {asked}. There are: {_contents(there)}.")
    found.sort(key=lambda record: (_order(record["budget"], _BUDGETS), _order(record["device"]["kind"], _KINDS)))
    best = [record for record in found if record["budget"] == found[0]["budget"]]
    if len({condition_text(record["condition"]) for record in best}) > 1:
        raise ValueError(
            f"Records of recipe {recipe!r} under several conditions have {asked}; name one with `condition`: "
            f"{_listed([str(record['condition']) for record in best])}."
        )
    record = best[0]
    if not is_current(record):
        warnings.warn(
            f"Recipe {recipe!r} has changed since this run of {record['date'][:10]}: the network may differ from the "
            "one that was trained.",
            stacklevel=2,
        )
    from drsn_lib import training

    model = training.build_model(recipe, variant, record["budget"])
    load_weights(model, record.file.parent / record["weights"])
    return model


# ---------------------------------------------------------------- helpers


def _named(model):
    """A model's weights by their stable names."""
    found = {}
    for name, variable in _walk(model, ""):
        if name in found:
            raise ValueError(f"Two weights of model {model.name!r} have one name, {name}; give its layers names")
        found[name] = variable
    if not found:
        raise ValueError(f"Model {model.name!r} has no weights; build it first")
    if len(found) < len(model.weights):
        raise ValueError(
            f"Model {model.name!r} has {len(model.weights) - len(found)} weights that belong to none of its layers"
        )
    return found


def _walk(model, prefix):
    counts = {}
    for layer in model.layers:
        # Keras numbers the layers that were not given a name through the whole process; here each model counts.
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
        name = layer.name
        if re.fullmatch(rf"{kind}(_\d+)?", name):
            number = counts[kind] = counts.get(kind, -1) + 1
            name = f"{kind}_{number}" if number else kind
        if hasattr(layer, "layers"):  # a model in the model
            yield from _walk(layer, f"{prefix}{name}/")
            continue
        for variable in layer.weights:
            parts = variable.path.split("/")
            own = parts[parts.index(layer.name) + 1 :] if layer.name in parts else parts[-1:]
            yield "/".join([prefix + name, *own]), variable


def _numbers(variable):
    import keras

    return np.asarray(keras.ops.convert_to_numpy(variable))


def _order(value, order):
    return (order.index(value), "") if value in order else (len(order), value)


def _listed(names):
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def _contents(records):
    """What records there are, in words."""
    groups = {}
    for record in records:
        said = " ".join(f"{key}={plain(value)}" for key, value in record["condition"].items())
        words = ", ".join(word for word in (record["budget"], record["device"]["kind"], said) if word)
        groups.setdefault(f"{record['variant']} ({words})", set()).add(record["seed"])
    return "; ".join(f"{name} seeds {spans(seeds)}" for name, seeds in groups.items()) or "none"


def spans(numbers):
    """Whole numbers in words: 0-4, 7."""
    numbers, words = sorted(numbers), []
    while numbers:
        end = next(k for k in range(len(numbers)) if k + 1 == len(numbers) or numbers[k + 1] != numbers[k] + 1)
        words.append(f"{numbers[0]}-{numbers[end]}" if end > 1 else ", ".join(map(str, numbers[: end + 1])))
        numbers = numbers[end + 1 :]
    return ", ".join(words)
