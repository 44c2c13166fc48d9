"""Several random seeds for the price of one compiled model."""

import hashlib
import re

import keras
import numpy as np


def reinitialize(model, seed):
    """Gives a built model fresh initial weights, drawn from `seed`, and its optimizer the state of its first step.

    Building and compiling a model, and tracing its training step in the first call of `fit`, take seconds,
    more than a short training itself. One compiled model can serve many trainings instead:

    Example:

    >>> losses = []
    >>> for seed in (0, 1, 0):
    ...     reinitialize(model, seed)
    ...     told = model.fit(x, y, epochs=1, batch_size=10, verbose=0)
    ...     losses.append(told.history["loss"][0])
    >>> bool(np.isclose(losses[0], losses[2], rtol=1e-3)), int(model.optimizer.iterations)
    (True, 2)

    What a weight gets depends on three things: on `seed`, on the place of its layer in the model, which is told
    by the layers' names, and on the layer's own settings with its initializers. From this follows:

    - A model that has just been built, one that has been trained and one loaded from a file have the same
      weights after `reinitialize(model, 0)`. They are of the same distribution as those of
      `keras.utils.set_random_seed(0)` and building anew, but not the same numbers.
    - Two models start alike in all layers that they have in common, wherever they differ otherwise: a ResNet
      and a shrinkage network have the same convolutions at first. So trainings of one seed can be compared in
      pairs. A network of 16 channels and one of 8 share nothing, and neither do layers of other names; numbers
      that Keras has put behind a name, as in `dense_3`, are replaced by counting within the model.

    Batch normalization's moving statistics begin anew, as every weight does, trained or not, frozen or not.
    What `adapt` has measured on data (`keras.layers.Normalization`) is kept. An initializer with a seed of its
    own gives what it always gives. In the optimizer the count of steps, and with it a learning rate schedule,
    the moments and a loss scale begin anew; a learning rate that is a plain number, and that a callback may have
    lowered, stays as it is. Outside the model, `keras.utils.set_random_seed(seed)` is called at the end, so
    that the order in which `fit` shuffles belongs to the seed too.

    Args:
        model: A built `keras.Model`, compiled or not. It stays the same object, with the same variables.
        seed: Integer from 0 to 2**32 - 1.

    Raises:
        ValueError: If the model is not built, `seed` is out of its range, or a layer or the optimizer cannot be
            made anew from its configuration. The model is then as it was.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be an integer from 0 to 2**32 - 1. Received: seed={seed!r}")
    if not isinstance(model, keras.Model) or not model.built:
        raise ValueError(
            "`model` must be a `keras.Model` that is built: one with an `Input`, or one that has been called. "
            f"Received: model={model!r}"
        )
    pairs = [pair for layer, place in _places(model) for pair in _fresh_weights(layer, place, int(seed))]
    # Everything has been drawn before anything is replaced.
    for variable, fresh in pairs + _fresh_slots(model):
        variable.assign(fresh)
    keras.utils.set_random_seed(int(seed))


def _places(model):
    """Every layer of a model, itself included, once, and its place: the names on the way there."""
    seen, found = set(), []

    def walk(layer, place):
        if id(layer) in seen:
            return
        seen.add(id(layer))
        found.append((layer, place))
        counts = {}
        for part in _parts(layer):
            stem = re.sub(r"_\d+$", "", part.name)
            counts[stem] = counts.get(stem, 0) + 1
            walk(part, f"{place}/{stem}:{counts[stem]}")

    walk(model, "")
    return found


def _parts(layer):
    return layer._flatten_layers(include_self=False, recursive=False)


def _own(layer):
    """The variables of a layer, seeds of random layers included, that belong to none of its sublayers."""
    theirs = {id(variable) for part in _parts(layer) for variable in part.variables}
    return [variable for variable in layer.variables if id(variable) not in theirs]


def _fresh_weights(layer, place, seed):
    """Pairs of a layer's own variables and their values at the start."""
    own = _own(layer)
    if not own or hasattr(layer, "adapt"):
        return []
    digest = hashlib.sha256(f"{seed}{place}".encode()).digest()
    keras.utils.set_random_seed(int.from_bytes(digest[:4], "big"))
    try:
        twin = type(layer).from_config(layer.get_config())
        if not twin.built:
            twin.build_from_config(layer.get_build_config())
        return _paired(own, _own(twin))
    except Exception as error:
        raise ValueError(
            f"`reinitialize` makes each layer anew from its configuration to draw its weights; with "
            f"{type(layer).__name__} {layer.name!r} that failed: {error}. Expected a layer whose `get_config` "
            "returns all of its arguments and whose weights are made in `build`."
        ) from error


def _fresh_slots(model):
    """Pairs of the optimizer's variables and their values in front of the first step."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not optimizer.built:
        return []
    try:
        twin = type(optimizer).from_config(optimizer.get_config())
        twin.build(model.trainable_variables)
        return _paired(optimizer.variables, twin.variables)
    except Exception as error:
        raise ValueError(
            "`reinitialize` makes the optimizer anew from its configuration to have its first state; with "
            f"{type(optimizer).__name__} that failed: {error}. Expected an optimizer that serves the model's "
            "trainable weights as they are now; after a change of `trainable`, compile the model again."
        ) from error


def _paired(variables, fresh):
    shapes = [[tuple(one.shape) for one in some] for some in (variables, fresh)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"it has variables of shapes {shapes[0]}, made anew {shapes[1]}")
    return [(old, new.value) for old, new in zip(variables, fresh, strict=True)]
