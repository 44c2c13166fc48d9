"""One run of a recipe: trained, interruptible, resumable, and told as a record."""

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import time
import warnings

import keras
import numpy as np

from drsn_lib import recipes
from drsn_lib.training import _interrupts, facts
from drsn_lib.training.batch_norm import recalibrate_batch_norm
from drsn_lib.training.preparation import prepare, probes

__all__ = ["Stopped", "build_model", "build_trainer", "learning_rate", "run"]

_RECALIBRATION_BATCHES = 100


class Stopped(KeyboardInterrupt):
    """A training was interrupted; its message says where it stands and how it goes on."""


def build_model(recipe, variant, budget="modern"):
    """Builds the network of one variant of a recipe, untrained.

    Example:

    >>> build_model("mnist-noise", "drsn-cw").count_params()
    1610

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        variant: Name of a variant of it.
        budget: Name of a budget of it, or a `recipes.Budget`; it sets regularization.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If there is no such recipe, variant or budget.
    """
    from drsn_lib import models

    recipe = recipes.get(recipe)
    budget = recipe.budget(budget)
    chosen = recipe.variant(variant)
    shared = {
        "bn_momentum": budget.bn_momentum,
        "kernel_regularizer": keras.regularizers.L2(budget.l2) if budget.l2 else None,
        "gamma_regularizer": keras.regularizers.L2(budget.gamma_l2) if budget.gamma_l2 else None,
    }
    options = {**dict(recipe.network), **dict(budget.network), **dict(chosen.options), **shared}
    if isinstance(options.get("activation"), tuple):
        options["activation"] = _layer(*options["activation"], shared)
    return models.preset(recipe.preset, chosen.network, **options, name=chosen.name.replace("-", "_"))


def _layer(name, arguments, shared):
    """A layer of this library, with the settings that it shares with the network, or one of Keras."""
    from drsn_lib import layers

    own = getattr(layers, name, None)
    return own(**dict(arguments), **shared) if own else getattr(keras.layers, name)(**dict(arguments))


def build_trainer(recipe, variant, seed=0, budget="modern"):
    """Builds what is trained: the network behind the recipe's augmentation, from one random seed.

    Example:

    >>> trainer, network = build_trainer("cifar10-noise", "resnet", seed=1, budget="faithful")
    >>> trainer is network, trainer.count_params() == network.count_params()
    (False, True)

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        variant: Name of a variant of it.
        seed: Integer; Keras' random state is set to it.
        budget: Name of a budget of it, or a `recipes.Budget`.

    Returns:
        `(trainer, network)`, two `keras.Model` that share their weights; the same one twice where
        nothing is augmented.

    Raises:
        ValueError: If there is no such recipe, variant or budget.
    """
    recipe = recipes.get(recipe)
    budget = recipe.budget(budget)
    keras.utils.set_random_seed(seed)
    network = build_model(recipe, variant, budget)
    if not budget.augment:
        return network, network
    from drsn_lib import augment

    inputs = keras.Input(network.input_shape[1:], name="input")
    x = inputs
    for place, (name, arguments) in enumerate(budget.augment):
        # Seeds of their own, so that how a network draws its weights never shifts the augmentation.
        x = getattr(augment, name)(**dict(arguments), seed=1_000_003 * (place + 1) + seed)(x)
    return keras.Model(inputs, network(x), name="trainer"), network


def learning_rate(schedule, epochs, steps):
    """Turns a recipe's schedule into Keras' one.

    Example:

    >>> rate = learning_rate(recipes.Schedule("steps", 0.1, boundaries=(2,)), epochs=4, steps=10)
    >>> [round(float(rate(step)), 3) for step in (0, 20, 21)]
    [0.1, 0.1, 0.01]

    Args:
        schedule: A `recipes.Schedule`.
        epochs: Integer, of the whole training.
        steps: Integer, steps an epoch.

    Returns:
        A float, or a `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: If there is no schedule of that kind.
    """
    total = max(1, epochs * steps)
    if schedule.kind == "constant":
        return schedule.rate
    if schedule.kind == "steps":
        values = [schedule.rate * schedule.factor**k for k in range(len(schedule.boundaries) + 1)]
        places = [steps * epoch for epoch in schedule.boundaries]
        return keras.optimizers.schedules.PiecewiseConstantDecay(places, values)
    if schedule.kind == "cosine":
        return keras.optimizers.schedules.CosineDecay(schedule.rate, total)
    if schedule.kind == "one-cycle":
        warmup = max(1, round(schedule.warmup * total))
        return keras.optimizers.schedules.CosineDecay(
            0.0, max(1, total - warmup), warmup_target=schedule.rate, warmup_steps=warmup
        )
    raise ValueError(
        f"`kind` of a schedule must be 'constant', 'steps', 'cosine' or 'one-cycle'. Received: kind={schedule.kind!r}"
    )


def make_optimizer(budget, steps):
    """The optimizer of a budget, for so many steps an epoch."""
    rate = learning_rate(budget.schedule, budget.epochs, steps)
    if budget.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    if budget.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=budget.momentum, nesterov=budget.nesterov)
    raise ValueError(f"`optimizer` of a budget must be 'adam' or 'sgd'. Received: optimizer={budget.optimizer!r}")


def batch_order(seed, epoch, count, batch_size):
    """The samples of an epoch in their order: whole batches of a permutation that seed and epoch decide.

    Returns:
        Integer array of shape `(steps, batch_size)`.
    """
    steps = count // batch_size
    if steps < 1:
        raise ValueError(
            f"A batch of {batch_size} needs at least as many training samples; there are {count}. "
            "Take a smaller `batch_size` or more data."
        )
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return order[: steps * batch_size].reshape(steps, batch_size)


def run(
    recipe,
    variant,
    seed=0,
    budget="modern",
    condition=None,
    folder=None,
    devices=1,
    progress=True,
    keep_weights=False,
):
    """Trains one variant of a recipe and tells the result as a record.

    After every epoch all that the rest of the training depends on is written to a checkpoint: weights, moving
    statistics, optimizer, random states, history. Stopped by Ctrl-C or killed, the same call goes on from
    there, and on one processor ends with the very same bits as an undisturbed run.

    Example:

    >>> record = run("mnist-noise", "drsn-cw", seed=0, budget="smoke", progress=False)
    >>> record["recipe"], record["parameters"]["total"], record["test"]["count"]
    ('mnist-noise', 1610, 200)

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        variant: Name of a variant of it.
        seed: Integer: initial weights, order of samples and augmentation. Data do not depend on it.
        budget: Name of a budget of it, or a `recipes.Budget`.
        condition: Dictionary, one of the recipe's conditions; None where it has only one.
        folder: Path; checkpoints and weights are written below it. None writes nothing.
        devices: Integer, how many devices share every batch: with Keras' `DataParallel` on JAX, with
            `tf.distribute.MirroredStrategy` on TensorFlow.
        progress: Whether a progress bar with the time left is shown.
        keep_weights: Whether the trained weights are written below `folder`.

    Returns:
        Dictionary, a record; see `drsn_lib.records`.

    Raises:
        ValueError: If an argument is out of its range.
        DataNotAvailable: If a data set can neither be found nor downloaded.
        Stopped: If the training was interrupted.
    """
    recipe = recipes.get(recipe)
    name, budget = (budget if isinstance(budget, str) else "own"), recipe.budget(budget)
    condition = dict(recipe.condition(condition))
    settings = recipe.settings(variant, budget, condition)
    if keep_weights and folder is None:
        raise ValueError("`keep_weights` needs a `folder` to write them to. Received: folder=None")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"`seed` must be an integer of at least 0. Received: seed={seed!r}")
    seed = int(seed)
    made = prepare(recipe, budget, condition)
    x, y = (np.asarray(one) for one in made.train)
    steps = len(batch_order(seed, 0, len(x), budget.batch_size))

    with _no_retracing_warnings(), _shared_by(devices, budget.batch_size) as scope:
        with scope():
            trainer, network = build_trainer(recipe, variant, seed, budget)
            if devices > 1:
                _synchronize_norms(network)
            trainer.compile(
                optimizer=make_optimizer(budget, steps),
                loss=keras.losses.SparseCategoricalCrossentropy(),
                metrics=["accuracy"],
                # TensorFlow pays for every call from Python, but its strategies want one step a call.
                steps_per_execution=_together(steps) if keras.backend.backend() == "tensorflow" and devices == 1 else 1,
            )
            trainer.optimizer.build(trainer.trainable_variables)
        label = ", ".join([f"{recipe.name} {variant}", *_said(condition), f"seed {seed}"])
        path = None if folder is None else pathlib.Path(folder) / "checkpoints" / f"{run_name(settings, seed)}.npz"
        state = _Checkpoint(path, trainer, {"settings": settings, "seed": seed, "budget": name, "devices": devices})
        started = state.load()
        with _bar(label, budget.epochs, steps, started, progress) as bar, _interrupts.lasting() as check:
            watch, compiled = _Watch(bar, check), state.compile
            try:
                for epoch in range(started, budget.epochs):
                    order = batch_order(seed, epoch, len(x), budget.batch_size).ravel()
                    begun = time.perf_counter()
                    told = trainer.fit(
                        **_batches(x[order], y[order], budget.batch_size, made.validation, devices),
                        initial_epoch=epoch,
                        epochs=epoch + 1,
                        shuffle=False,
                        verbose=0,
                        callbacks=[watch],
                    ).history
                    if not np.isfinite(told["loss"][0]):
                        # It goes on, and into the record: leaving such runs out would flatter the others.
                        warnings.warn(
                            f"The loss of {label} is {told['loss'][0]} in epoch {epoch + 1}: it has diverged. "
                            f"A lower learning rate than {budget.schedule.rate} may help.",
                            RuntimeWarning,
                            stacklevel=2,
                        )
                    state.add(told, time.perf_counter() - begun, compiled + watch.compile)
                    state.save(epoch + 1)
                    check()
                weights = [np.asarray(one) for one in network.get_weights()]
                states = [keras.ops.convert_to_numpy(v) for v in _random_states(trainer)]
                check()
            except KeyboardInterrupt:
                raise Stopped(
                    f"{label} stopped in epoch {min(state.epoch + 1, budget.epochs)} of {budget.epochs}. "
                    + state.how_to_go_on()
                ) from None

    if devices > 1:
        # A copy outside of what shared the batches: what follows is the same on one device and on many.
        trainer, network = build_trainer(recipe, variant, seed, budget)
        network.set_weights(weights)
        for variable, value in zip(_random_states(trainer), states, strict=True):
            variable.assign(value)
    try:
        with _interrupts.lasting() as check:
            told = judge(trainer, network, made, budget, seed)
            check()
            told |= probe(network, recipe, budget, condition)
            check()
    except KeyboardInterrupt:
        raise Stopped(f"{label} was stopped while it was measured. {state.how_to_go_on()}") from None
    record = {
        "schema": 1,
        "recipe": recipe.name,
        "variant": variant,
        "seed": seed,
        "budget": name,
        "condition": condition,
        "device": {**facts.device(), "count": devices},
        "backend": keras.backend.backend(),
        "versions": facts.versions(),
        "commit": facts.commit(),
        "date": facts.now(),
        "settings": settings,
        "digest": recipes.digest(settings),
        "parameters": count_parameters(network),
        "seconds": {
            "train": round(max(0.0, state.seconds - state.compile), 2),
            "compile": round(state.compile, 2),
            "together": 1,
        },
        "history": state.history,
        **told,
        "weights": None,
    }
    if keep_weights:
        record["weights"] = store_weights(network, folder, record)
    state.remove()
    return record


def _together(steps):
    """The largest number of steps up to ten that divides an epoch, so that no call is left short."""
    return max(k for k in range(1, 11) if steps % k == 0)


def run_name(settings, seed):
    """A name for files that belong to one run."""
    network, condition = settings["network"], settings["condition"]
    words = [settings["recipe"], network["name"], *(f"{value}" for value in condition.values())]
    return "-".join([*words, f"seed{seed}", recipes.digest(settings)])


def count_parameters(network):
    """How many numbers a network has, in all and trainable."""
    return {
        "total": int(network.count_params()),
        "trainable": int(sum(np.prod(v.shape, dtype=int) for v in network.trainable_variables)),
    }


def judge(trainer, network, made, budget, seed):
    """Measures a trained network: as its moving statistics leave it, then recalibrated.

    Returns:
        Dictionary with the record's `"moving"`, `"test"` and `"validation"` if there is one.
    """
    told = {"moving": {"accuracy": evaluate(network, *made.test)["accuracy"]}}
    count = budget.batch_size * min(_RECALIBRATION_BATCHES, len(made.train[0]) // budget.batch_size)
    sample = np.random.default_rng((seed, 1_000_000)).permutation(len(made.train[0]))[:count]
    recalibrate_batch_norm(trainer, made.train[0][sample], batch_size=budget.batch_size)
    told["test"] = evaluate(network, *made.test, confusion=True)
    if made.validation is not None:
        told["validation"] = evaluate(network, *made.validation)
    return told


def probe(network, recipe, budget, condition):
    """Measures a trained network under every noise that its recipe asks for besides its own.

    Returns:
        Dictionary with the record's `"probes"`; empty where the recipe has none.
    """
    found = [{"condition": dict(one), **evaluate(network, *part)} for one, part in probes(recipe, budget, condition)]
    return {"probes": found} if found else {}


def evaluate(network, x, y, confusion=False):
    """Accuracy and cross-entropy of a network in inference mode, on any backend in the same way."""
    if keras.backend.backend() == "tensorflow":
        # Batch by batch: tracing a function for a few calls takes longer than the calls.
        parts = [network(x[k : k + 500], training=False) for k in range(0, len(x), 500)]
        probabilities = np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])
    else:
        probabilities = network.predict(np.asarray(x), batch_size=500, verbose=0)
    return score(probabilities, y, confusion)


def score(probabilities, y, confusion=False):
    """Accuracy and cross-entropy of predicted probabilities."""
    predicted = probabilities.argmax(axis=1)
    own = probabilities[np.arange(len(y)), y].astype(np.float64)
    told = {
        "accuracy": round(float((predicted == y).mean()), 6),
        "loss": _number(-np.log(np.maximum(own, 1e-7)).mean(), 6),
        "count": len(y),
    }
    if confusion:
        table = np.zeros((probabilities.shape[1],) * 2, int)
        np.add.at(table, (y, predicted), 1)
        told["confusion"] = table.tolist()
    return told


def _number(value, digits):
    """A rounded number for a record; None if it is none, as after a training that diverged."""
    return round(float(value), digits) if np.isfinite(value) else None


def store_weights(network, folder, record):
    """Writes a network's weights below `folder`; returns the record's name for them."""
    from drsn_lib import records

    name = records.weights_path(record)
    records.save_weights(network, pathlib.Path(folder) / name)
    return name


def _said(condition):
    if not condition:
        return []
    noise = condition.get("noise")
    if noise == "mixed":
        return [f"mixed {condition['low_db']:g} to {condition['high_db']:g} dB"]
    return ["no noise"] if noise == "none" else [f"{noise} {condition['snr_db']:g} dB"]


def _random_states(model):
    """The states of a model's random layers, which are no weights but belong to its training."""
    weights = {id(v) for v in model.weights}
    found = model.trainable_variables + model.non_trainable_variables
    return [v for v in found if id(v) not in weights]


@dataclasses.dataclass
class _Checkpoint:
    """Everything that the rest of a training depends on, in one file that is replaced as a whole."""

    path: pathlib.Path | None
    trainer: keras.Model
    facts: dict
    epoch: int = 0
    seconds: float = 0.0
    compile: float = 0.0
    history: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self.facts = {**self.facts, "backend": keras.backend.backend(), "versions": facts.versions()}

    def _variables(self):
        model = self.trainer
        return [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]

    def add(self, told, seconds, compiled):
        """Adds an epoch."""
        for key, values in told.items():
            self.history.setdefault(key, []).append(_number(values[0], 5))
        self.seconds += seconds
        self.compile = compiled

    def save(self, epoch):
        """Writes the state after `epoch` epochs."""
        self.epoch = epoch
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "epoch": epoch,
            "seconds": self.seconds,
            "compile": self.compile,
            "history": self.history,
            "facts": self.facts,
        }
        arrays = {f"v{k}": keras.ops.convert_to_numpy(v) for k, v in enumerate(self._variables())}
        part = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                np.savez(file, told=np.array(json.dumps(told)), **arrays)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    def load(self):
        """Goes back to what is stored, if it is of this very run; returns the number of epochs done."""
        if self.path is None or not self.path.exists():
            return 0
        variables = self._variables()
        try:
            with np.load(self.path, allow_pickle=False) as file:
                told = json.loads(str(file["told"]))
                arrays = [file[f"v{k}"] for k in range(len(variables))]
            fits = told["facts"] == json.loads(json.dumps(self.facts)) and [a.shape for a in arrays] == [
                tuple(v.shape) for v in variables
            ]
            why = "it belongs to other settings or versions"
        except Exception as error:  # damaged bytes make readers fail in many ways
            fits, why = False, f"it cannot be read ({error or type(error).__name__})"
        if not fits:
            aside = self.path.with_suffix(".old.npz")
            self.path.replace(aside)
            print(f"The checkpoint {self.path} is not used: {why}. It is kept as {aside.name}; training starts anew.")
            return 0
        for variable, value in zip(variables, arrays, strict=True):
            variable.assign(value)
        self.epoch, self.history = told["epoch"], told["history"]
        self.seconds, self.compile = told["seconds"], told["compile"]
        return self.epoch

    def how_to_go_on(self):
        """What to say to whoever stopped it."""
        return f"The same command goes on from {self.path}." if self.epoch and self.path else "Nothing was stored."

    def remove(self):
        """Removes the file: the record says it all now."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _batches(x, y, size, validation, devices):
    """The data for `fit`, in the order given, as its keyword arguments.

    Of arrays Keras makes a TensorFlow pipeline that tunes itself, on a thread that looks again after 10, 20, 40
    milliseconds and so on; when the data end, its owner waits until it wakes, which can double the time of an
    epoch. Here there is nothing to tune. Strategies of several devices set options of their own.
    """
    if keras.backend.backend() != "tensorflow" or devices > 1:
        return {
            "x": x,
            "y": y,
            "batch_size": size,
            "validation_data": validation,
            "validation_batch_size": 500,
        }
    return {
        "x": _pipeline(x, y, size),
        "validation_data": None if validation is None else _pipeline(*validation, 500),
    }


def _pipeline(x, y, size):
    import tensorflow as tf

    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    options = tf.data.Options()
    options.autotune.enabled = False

    def batch(k):
        parts = [one[k * size : (k + 1) * size] for one in (x, y)]
        if len(x) % size == 0:  # then the size of a batch is known, as Keras makes it known
            parts = [tf.ensure_shape(part, (size, *one.shape[1:])) for part, one in zip(parts, (x, y), strict=True)]
        return tuple(parts)

    # One batch ahead, so that the slicing is not waited for.
    return tf.data.Dataset.range(-(-len(x) // size)).map(batch).prefetch(1).with_options(options)


class _Watch(keras.callbacks.Callback):
    """Moves the bar batch by batch, lets Ctrl-C through, and tells the first call's compiling from training."""

    def __init__(self, bar, check):
        super().__init__()
        self.bar, self.check, self._first, self._others = bar, check, None, []

    @property
    def compile(self):
        """Seconds that the first call took longer than those behind it."""
        return max(0.0, self._first - float(np.median(self._others))) if self._others else 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._done, self._last = 0, time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(batch + 1 - self._done)
        self.check()
        now = time.perf_counter()
        if self._first is None:
            self._first = now - self._last
        else:
            self._others.append(now - self._last)
        self._done, self._last = batch + 1, now

    def on_epoch_end(self, epoch, logs=None):
        self.bar.set_postfix({key: f"{float(value):.3f}" for key, value in (logs or {}).items()})


@contextlib.contextmanager
def _no_retracing_warnings():
    """TensorFlow warns when many models are traced one after the other, which is just what a study does."""

    def expected(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(expected)
    try:
        yield
    finally:
        logger.removeFilter(expected)


@contextlib.contextmanager
def _bar(label, epochs, steps, started, show):
    from tqdm.auto import tqdm

    with tqdm(
        total=epochs * steps, initial=started * steps, desc=label, unit="step", disable=not show, dynamic_ncols=True
    ) as bar:
        yield bar


def _synchronize_norms(model):
    """Lets every batch normalization see the whole batch, on however many devices it lies."""
    if keras.backend.backend() == "jax":  # there one program spans the devices, and its means are over all of them
        return
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


@contextlib.contextmanager
def _shared_by(devices, batch_size):
    """Lets `devices` devices share every batch; yields what the model is to be built in."""
    if isinstance(devices, bool) or not isinstance(devices, int) or devices < 1:
        raise ValueError(f"`devices` must be an integer of at least 1. Received: devices={devices!r}")
    if devices == 1:
        yield contextlib.nullcontext
        return
    if batch_size % devices:
        raise ValueError(
            f"`devices` must divide the batch size, {batch_size}, so that all devices get equal parts. "
            f"Received: devices={devices}"
        )
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        _enough(devices, len(jax.devices()), "XLA_FLAGS=--xla_force_host_platform_device_count")
        names = keras.distribution.list_devices()[:devices]
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names, auto_shard_dataset=False))
        try:
            yield contextlib.nullcontext
        finally:
            keras.distribution.set_distribution(None)
    elif backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        _enough(devices, len(found), "`python -m drsn_lib train --devices`")
        strategy = tf.distribute.MirroredStrategy(devices=[one.name for one in found[:devices]])
        yield strategy.scope
    else:
        raise ValueError(
            f"Several devices need the JAX or the TensorFlow backend (KERAS_BACKEND). Received: devices={devices} on "
            f"{backend}"
        )


def _enough(wanted, found, how):
    if found < wanted:
        raise ValueError(
            f"`devices` must be at most the number of devices that there are, {found}. Received: devices={wanted}. "
            f"Where there is only a processor, {how} makes virtual ones to try it with."
        )
