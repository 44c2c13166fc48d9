"""The data of a recipe: loaded or simulated, noised, split, and made ready for a network."""

import functools
from typing import NamedTuple

import numpy as np

from drsn_lib import data, recipes

__all__ = ["Prepared", "prepare", "probes"]


class Prepared(NamedTuple):
    """What a training takes: three times `(inputs, labels)`; `validation` may be None.

    Inputs are float32 arrays of shape `(samples, length, 1)` or `(samples, height, width, channels)`, labels
    integer arrays of shape `(samples,)`.

    Example:

    >>> made = prepare("mnist-noise", "smoke")
    >>> x, y = made.train
    >>> len(x) == len(y), x.dtype, made.test[0].shape[1:]
    (True, dtype('float32'), (28, 28, 1))

    Args:
        train: What the network learns from.
        validation: What is held out of it, or None.
        test: What the network is measured on.
    """

    train: tuple
    validation: tuple | None
    test: tuple


def prepare(recipe, budget="modern", condition=None):
    """Makes the data of a recipe, the same ones at every call.

    The arrays of the last call are kept, and are read-only: a study asks for the same data once a run.

    Example:

    >>> made = prepare("mnist-noise", "smoke")
    >>> made.train[0].shape, made.validation[0].shape, made.test[0].shape
    ((450, 28, 28, 1), (50, 28, 28, 1), (200, 28, 28, 1))

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        budget: Name of a budget of it, or a `recipes.Budget`.
        condition: Dictionary, one of the recipe's conditions; None where it has only one.

    Returns:
        A `Prepared`.

    Raises:
        ValueError: If the recipe has no such budget or condition.
        DataNotAvailable: If a data set can neither be found nor downloaded.
    """
    recipe = recipes.get(recipe)
    budget = recipe.budget(budget)
    return _prepared(recipe.data, _arguments(recipe, budget), recipe.condition(condition))[0]


def probes(recipe, budget="modern", condition=None):
    """Makes the test samples of a recipe anew under each noise that its networks are measured in besides their own.

    Each is prepared as the test samples of `prepare` are, by what the training samples of `condition` say (their
    mean, where it is subtracted); only the noise is another.

    Example:

    >>> made = {dict(one)["snr_db"]: x.shape for one, (x, _) in probes("mnist-snr", "smoke", {"noise": "none"})}
    >>> made[-10.0]
    (200, 28, 28, 1)

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        budget: Name of a budget of it, or a `recipes.Budget`.
        condition: Dictionary, the one of the recipe's conditions that was trained under; None where there is one.

    Returns:
        Iterator of `(probe, (inputs, labels))`, a probe being a tuple of `(name, value)` as a condition is.

    Raises:
        ValueError: If the recipe has no such budget or condition.
        DataNotAvailable: If a data set can neither be found nor downloaded.
    """
    recipe = recipes.get(recipe)
    arguments = _arguments(recipe, recipe.budget(budget))
    condition = recipe.condition(condition)
    for probe in recipe.probes:
        _, mean = _prepared(recipe.data, arguments, condition)
        _, _, x, y, _ = _clean(recipe.data, *arguments)
        x = _noisy(x, recipe.data, probe, 4)
        x = _standardized(x) if recipe.data.standardize else x
        yield probe, (x if mean is None else x - mean, y)


def _arguments(recipe, budget):
    """What a budget says of the data, for functions that remember what they made."""
    options = tuple(sorted((dict(recipe.data.options) | dict(budget.data)).items()))
    return options, budget.validation, budget.train, budget.test, budget.full


@functools.lru_cache(maxsize=1)
def _clean(what, options, validation, train, test, full):
    """The samples before their noise, and which of those for training are held out."""
    load = {"mnist": _images, "cifar10": _images, "vibration": _vibration, "cwru": _cwru}[what.source]
    (x, y), (x_test, y_test), groups = load(what, dict(options), full)
    rng = np.random.default_rng(what.seed + 1)
    keep = _first(rng, len(x), train)
    x, y, groups = x[keep], y[keep], groups[keep]
    keep = _first(rng, len(x_test), test)
    x_test, y_test = x_test[keep], y_test[keep]
    held = _held_out(rng, groups, validation)
    return x, y, x_test, y_test, held


@functools.lru_cache(maxsize=1)
def _prepared(what, arguments, condition):
    """What `prepare` gives, and the mean that was subtracted."""
    x, y, x_test, y_test, held = _clean(what, *arguments)
    if what.uniform:
        noise = np.random.default_rng(what.seed + 2)
        x, x_test = (one + noise.random(one.shape, np.float32) * np.float32(what.uniform) for one in (x, x_test))
    x, x_test = _noisy(x, what, condition, 3), _noisy(x_test, what, condition, 4)
    if what.standardize:
        x, x_test = _standardized(x), _standardized(x_test)
    mean = None
    if what.center is not None:
        axes = tuple(range(x.ndim - 1)) if what.center == "channel" else None
        mean = x[~held].mean(axis=axes, dtype=np.float64).astype(np.float32)
        x, x_test = x - mean, x_test - mean
    parts = [(x[~held], y[~held]), (x[held], y[held]) if held.any() else None, (x_test, y_test)]
    for part in parts:
        for array in part or ():
            array.flags.writeable = False
    return Prepared(*parts), mean


def _noisy(x, what, condition, place):
    """Samples with the noise of a condition, drawn from the recipe's seed and a number of their own."""
    condition = dict(condition)
    kind, level = condition.get("noise", "none"), condition.get("snr_db")
    if kind == "none":
        return x
    if kind == "mixed":
        # A level of its own for every sample.
        levels = np.random.default_rng((what.seed, place))
        kind, level = "gaussian", levels.uniform(condition["low_db"], condition["high_db"], len(x))
    return data.add_noise(x, level, kind=kind, seed=what.seed + place)


def _first(rng, count, wanted):
    """Indices of `wanted` samples at random, in their order; all if `wanted` is None."""
    if wanted is None or wanted >= count:
        return np.arange(count)
    return np.sort(rng.permutation(count)[:wanted])


def _held_out(rng, groups, share):
    """Marks about `share` of the samples for validation, whole groups at a time."""
    names = np.unique(groups)
    taken = rng.permutation(names)[: round(share * len(names))]
    return np.isin(groups, taken)


def _images(what, options, full):
    load = data.load_cifar10 if what.source == "cifar10" else functools.partial(data.load_mnist, full=full)
    (x, y), (x_test, y_test) = load(**options)
    x, x_test = (one.astype(np.float32) / np.float32(what.divide) for one in (x, x_test))
    if x.ndim == 3:
        x, x_test = x[..., np.newaxis], x_test[..., np.newaxis]
    return (x, y.astype(np.int32)), (x_test, y_test.astype(np.int32)), np.arange(len(x))


def _vibration(what, options, full):
    made = data.simulate_vibration(**options, seed=what.seed)
    train, test = made.split_by_recording(test_share=0.2, seed=what.seed)
    y = made.y.astype(np.int32)
    # Validation holds out whole recordings too.
    return (made.x[train], y[train]), (made.x[test], y[test]), made.recording[train]


def _cwru(what, options, full):
    made = data.load_cwru(**options)
    train, test = made.split(what.split)
    # The normal recording is left out of every split, so that all four ask the same.
    faulty = made.y != made.classes.index("normal")
    train, test = train[faulty[train]], test[faulty[test]]
    y = made.y.astype(np.int32) - 1
    # Validation holds out tenths of recordings: neighbors that overlap stay together.
    tenth = np.minimum(9, 10 * made.start // made.points)
    return (made.x[train], y[train]), (made.x[test], y[test]), (made.recording * 10 + tenth)[train]


def _standardized(x):
    """Every window with mean 0 and standard deviation 1."""
    axes = tuple(range(1, x.ndim))
    return (x - x.mean(axis=axes, keepdims=True)) / (x.std(axis=axes, keepdims=True) + 1e-8)
