"""Several random seeds for the price of one compiled model."""

import random
import re

import keras
import numpy as np


def reinitialize(model, seed):
    """Gives a built model fresh initial weights, drawn from `seed`, and its optimizer the state of its first step.

    Building and compiling a model, and tracing its training step in the first call of `fit`, can take longer
    than a short training itself. One compiled model serves any number of trainings instead.

    Example:

    >>> starts = []
    >>> for seed in (0, 1, 0):
    ...     reinitialize(model, seed)
    ...     starts.append(model.predict(x, verbose=0))
    ...     history = model.fit(x, y, epochs=2, batch_size=10, verbose=0)
    >>> np.array_equal(starts[0], starts[2]), np.array_equal(starts[0], starts[1])
    (True, False)
    >>> int(model.optimizer.iterations)  # of the last training alone
    4

    What a weight gets depends on `seed`, on the names of the layers that lead to it, and on its layer's settings
    with their initializers; on nothing else. From this follows:

    - A model just built, one that was trained and one loaded from a file have the same weights after
      `reinitialize(model, 0)`. They are drawn from the same distributions as those of a model that is built after
      `keras.utils.set_random_seed(0)`, but they are other numbers.
    - Two models start alike in every layer that they share by name and settings, whatever else they hold. A
      ResNet and a shrinkage network of the same widths begin with the same convolutions, so that trainings of
      one seed can be compared in pairs. (Of a name such as `dense_3` the number is not used; layers of one name
      are counted within the model instead.)

    Every weight begins anew, trained or not, frozen or not, the moving statistics of batch normalization among
    them, and so do the random states of layers such as dropout. Exceptions are initializers that have a seed of
    their own, which give what they always give, initializers that draw from other sources than Keras' do, and
    what a layer has measured by `adapt`, which is kept. In the optimizer the count of steps begins anew, and with
    it a schedule of the learning rate, and so do moments and loss scale. A learning rate that is a plain number
    stays as it is, even if a callback has lowered it.

    Nothing outside the model changes. The order in which `fit` shuffles is not the model's, nor is the generator
    that dropout uses on PyTorch: for these, call `keras.utils.set_random_seed` as well.

    Args:
        model: A built `keras.Model`, compiled or not. It stays the same object with the same variables.
        seed: Integer of at least 0.

    Raises:
        ValueError: If the model is not built, `seed` is not such an integer, or a layer or the optimizer cannot
            be made anew from its configuration. The model is then as it was.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"`seed` must be an integer of at least 0. Received: seed={seed!r}")
    if not isinstance(model, keras.Model) or not model.built:
        raise ValueError(
            "`model` must be a built `keras.Model`: one that has an `Input` or has been called. "
            f"Received: model={model!r}"
        )
    pairs, state = [], random.getstate()
    try:
        for place, layer in _places(model).items():
            # By Keras' convention, initializers and layers without a seed take theirs from Python's generator.
            random.seed(f"{seed}{place}")
            pairs += _fresh_weights(layer)
    finally:
        random.setstate(state)
    pairs += _fresh_slots(model)
    # All is drawn before anything is replaced.
    for variable, value in pairs:
        variable.assign(value)


def _places(model):
    """Every layer of a model, itself included, by its place: the names on the way there, counted where equal."""
    found, seen = {}, set()

    def walk(layer, place):
        if id(layer) in seen:
            return
        seen.add(id(layer))
        found[place] = layer
        counts = {}
        for part in _parts(layer):
            name = re.sub(r"_\d+$", "", part.name)
            counts[name] = counts.get(name, 0) + 1
            walk(part, f"{place}/{name}:{counts[name]}")

    walk(model, "")
    return found


def _parts(layer):
    return layer._flatten_layers(include_self=False, recursive=False)


def _own(layer):
    """The variables of a layer, random states included, that belong to none of its sublayers."""
    theirs = {id(variable) for part in _parts(layer) for variable in part.variables}
    return [variable for variable in layer.variables if id(variable) not in theirs]


def _fresh_weights(layer):
    """Pairs of a layer's own variables and the values that they would have in a new one."""
    own = _own(layer)
    if not own or hasattr(layer, "adapt"):
        return []
    try:
        twin = type(layer).from_config(layer.get_config())
        if not twin.built:
            twin.build_from_config(layer.get_build_config())
        return _paired(own, _own(twin))
    except Exception as error:
        raise ValueError(
            f"The weights of {type(layer).__name__} {layer.name!r} could not be drawn, since the layer cannot be "
            "made anew from its configuration. Expected: a layer whose `get_config` returns all of its arguments "
            f"and whose `build` makes all of its weights. Received: {error}"
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
            f"The optimizer {type(optimizer).__name__} could not be made anew. Expected: one with a complete "
            "`get_config`, compiled with the weights that are trainable now; compile the model again if that has "
            f"changed. Received: {error}"
        ) from error


def _paired(variables, fresh):
    shapes = [[tuple(one.shape) for one in some] for some in (variables, fresh)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"variables of shapes {shapes[0]}, and in the new one {shapes[1]}")
    return [(old, new.value) for old, new in zip(variables, fresh, strict=True)]
