"""Many runs of a recipe trained at once, on JAX: one step mapped over random seeds and conditions.

The book's networks are so small that one alone leaves a GPU idle. Here the weights of many are stacked, the
training step is mapped over them (`jax.vmap`), an epoch is one program (`jax.lax.scan`), and the data lie on the
device, shared by all. Each run sees what it would see alone: its own initial weights, order of samples and
augmentation. `fit.run` says what that is; the two agree to rounding.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import time
import warnings

import keras
import numpy as np

from drsn_lib import recipes
from drsn_lib.training import _convolution, _interrupts, facts, fit
from drsn_lib.training.preparation import prepare

__all__ = ["cost", "run_many", "stream_many"]

_PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float64": "float64"}
_CONVOLUTIONS = ("auto", "grouped", "matmul")
# As measured on processors with benchmarks/many_at_once.py: steps that keep more than this for their gradient gain
# nothing by being mapped, and convolutions of more inputs than this (kernel size times channels) nothing as products.
_PROCESSOR_BYTES = 64 * 2**20
_NARROW = 100
_SECONDS_BETWEEN_CHECKPOINTS = 10.0


def run_many(
    recipe,
    variant,
    seeds,
    budget="modern",
    conditions=None,
    folder=None,
    progress=True,
    keep_weights=False,
    precision="float32",
    at_once=None,
    convolution="auto",
    scan=None,
):
    """Trains one variant of a recipe for many random seeds and conditions at once. Needs the JAX backend.

    Every run is the one that `run` makes: same initial weights, order of samples and augmentation, same data;
    only sums are rounded in another order. Two things differ. Validation is measured at the end only, so
    histories have no `val_loss` and `val_accuracy`. And a run whose loss stops being a number does not stop the
    others: a warning names it, and its losses are null.

    A checkpoint of all runs is written after the first epoch and then every ten seconds, always between
    epochs. Stopped by Ctrl-C or killed, the same call goes on from there, and on one processor ends with the
    very same bits as an undisturbed one. What is already finished is not trained again.

    Example:

    >>> made = run_many("mnist-noise", "drsn-cw", seeds=[0, 1], budget="smoke", progress=False)
    >>> [(record["seed"], record["test"]["count"]) for record in made]
    [(0, 200), (1, 200)]

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        variant: Name of a variant of it.
        seeds: Iterable of integers, the random seeds.
        budget: Name of a budget of it, or a `recipes.Budget`.
        conditions: List of dictionaries out of the recipe's conditions; None where it has only one.
        folder: Path; checkpoints and weights are written below it. None writes nothing.
        progress: Whether a progress bar with the time left is shown.
        keep_weights: Whether trained weights are written below `folder`: of all runs, or of those of the
            random seeds that are listed.
        precision: `"float32"`; `"bfloat16"`, which halves what a step moves (weights, statistics and the
            classifier stay in float32; the record's settings say it); or `"float64"`, for comparisons, where JAX has
            `jax_enable_x64`. On a GPU, products in float32 are rounded as `jax_default_matmul_precision` says.
        at_once: Integer, how many runs are trained at once, the others following afterwards. None takes as many
            as fit on a GPU, on a processor as many as its caches bear, and one where convolutions are so wide that
            a network keeps a device busy alone (the CIFAR-10 ones).
        convolution: `"grouped"`, Keras' convolution, which JAX maps to one with groups; `"matmul"`, a batched
            matrix product of shifted slices; `"auto"`, the product where more than one run is trained at once,
            and on a processor where channels are few.
        scan: Whether an epoch is one program; None for all but processors, on which grouped convolutions in a
            loop of XLA are slow, and the bar would only move once an epoch.

    Returns:
        List of records, as `run` returns them, in the order of conditions and seeds. Their
        `seconds.together` says how many runs shared the seconds.

    Raises:
        ValueError: If an argument is out of its range, or Keras does not run on JAX.
        DataNotAvailable: If a data set can neither be found nor downloaded.
        Stopped: If the training was interrupted.
    """
    runs, places = _runs(recipe, variant, seeds, budget, conditions)
    made, ends = [None] * len(places), []
    for part, end in _trained(runs, folder, progress, keep_weights, precision, at_once, convolution, scan):
        ends.append(end)
        for run, record in part:
            made[places[run.name]] = record
    for end in ends:
        end()
    return made


def stream_many(
    recipe,
    variant,
    seeds,
    budget="modern",
    conditions=None,
    folder=None,
    progress=True,
    keep_weights=False,
    precision="float32",
    at_once=None,
    convolution="auto",
    scan=None,
):
    """As `run_many`, but hands over every record as soon as it is there, for studies of many parts.

    Args:
        recipe: As for `run_many`, and so for the others.
        variant: String.
        seeds: Iterable of integers.
        budget: String or `recipes.Budget`.
        conditions: List of dictionaries.
        folder: Path.
        progress: Boolean.
        keep_weights: Boolean, or a collection of random seeds.
        precision: String.
        at_once: Integer.
        convolution: String.
        scan: Boolean.

    Returns:
        Iterator of records. A part's checkpoint is gone when the record behind its last one is asked for.

    Raises:
        ValueError: As for `run_many`.
        DataNotAvailable: As for `run_many`.
        Stopped: As for `run_many`.
    """
    runs, _ = _runs(recipe, variant, seeds, budget, conditions)
    for part, end in _trained(runs, folder, progress, keep_weights, precision, at_once, convolution, scan):
        for _, record in part:
            yield record
        end()


def cost(recipe, variant, budget="modern", models=1, precision="float32", convolution="auto"):
    """What one training step costs each of `models` networks at once, by the compiler's own count.

    The floor of a step's time is the larger of operations over the device's peak rate and bytes over its
    memory bandwidth. The count is that of the program as compiled for the device that is there.

    Example:

    >>> told = cost("mnist-noise", "drsn-cw", budget="smoke")
    >>> told["flops"] > 1e6 * told["batch_size"]
    True

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        variant: Name of a variant of it.
        budget: Name of a budget of it, or a `recipes.Budget`.
        models: Integer, how many networks share the step.
        precision: As for `run_many`.
        convolution: As for `run_many`.

    Returns:
        Dictionary with `"flops"` and `"bytes"` of a step for one of the models, `"memory"`, the bytes of work
        space that all of them need, `"batch_size"`, `"models"`, `"convolution"`, the form that was taken, and
        `"compile_seconds"`.

    Raises:
        ValueError: If an argument is out of its range, or Keras does not run on JAX.
    """
    _needs_jax()
    recipe = recipes.get(recipe)
    budget = recipe.budget(budget)
    _positive("models", models)
    if convolution not in _CONVOLUTIONS:
        raise ValueError(f"`convolution` must be one of {_listed(_CONVOLUTIONS)}. Received: {convolution=!r}")
    with _policy(precision):
        program = _Program(recipe, variant, budget, [0], models, 1, precision, convolution, scan=False)
        compiled, _, seconds = program.example()
    return {
        **program.count(compiled),
        "batch_size": budget.batch_size,
        "models": models,
        "convolution": program.convolution,
        "compile_seconds": round(seconds, 2),
    }


# ---------------------------------------------------------------- which runs, in which parts


@dataclasses.dataclass(frozen=True)
class _Run:
    """One of the runs."""

    recipe: recipes.Recipe
    variant: str
    budget: recipes.Budget
    budget_name: str
    condition: tuple
    seed: int

    @property
    def settings(self):
        return self.recipe.settings(self.variant, self.budget, self.condition)

    @property
    def name(self):
        """What tells it from the others, as text."""
        return f"{recipes.digest(self.settings)}-{self.seed}"


def _runs(recipe, variant, seeds, budget, conditions):
    """The runs of a call, and the place of each in what is returned."""
    _needs_jax()
    recipe = recipes.get(recipe)
    recipe.variant(variant)
    name, budget = (budget if isinstance(budget, str) else "own"), recipe.budget(budget)
    seeds = list(seeds) if not isinstance(seeds, int | str) else [None]
    whole = all(isinstance(one, int | np.integer) and not isinstance(one, bool) and one >= 0 for one in seeds)
    if not seeds or not whole or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"`seeds` must be different integers of at least 0, such as range(5). Received: seeds={seeds!r}"
        )
    if conditions is None or isinstance(conditions, dict):
        conditions = [conditions]
    conditions = list(dict.fromkeys(recipe.condition(one) for one in conditions))
    if not conditions:
        raise ValueError("`conditions` must hold at least one of the recipe's conditions. Received: an empty list")
    runs = [_Run(recipe, variant, budget, name, condition, int(seed)) for condition in conditions for seed in seeds]
    return runs, {run.name: place for place, run in enumerate(runs)}


def _parts(runs, at_once):
    """Divides runs into equal parts of at most `at_once`, whole conditions together where they fit."""
    groups = {}
    for run in runs:
        groups.setdefault(run.condition, []).append(run)

    def divided(limit):
        parts, open_part = [], False
        for group in groups.values():
            count = -(-len(group) // limit)
            if count > 1:
                # A part that were to hold pieces of two conditions could not be found again by a study.
                parts += [list(piece) for piece in np.array_split(np.array(group, dtype=object), count)]
                open_part = False
            elif open_part and len(parts[-1]) + len(group) <= limit:
                parts[-1] += group
            else:
                parts.append(list(group))
                open_part = True
        return parts

    parts = divided(at_once)
    for limit in range(min(at_once, len(runs)) - 1, 0, -1):
        fewer = divided(limit)
        if len(fewer) > len(parts):
            break
        parts = fewer
    return parts


def _trained(runs, folder, progress, keep_weights, precision, at_once, convolution, scan):
    """Trains the runs part by part; yields the pairs of run and record of a part, and what ends it."""
    if at_once is not None:
        _positive("at_once", at_once)
    if convolution not in _CONVOLUTIONS:
        raise ValueError(f"`convolution` must be one of {_listed(_CONVOLUTIONS)}. Received: {convolution=!r}")
    if scan not in (None, True, False):
        raise ValueError(f"`scan` must be True, False or None. Received: {scan=!r}")
    kept = (lambda seed: keep_weights) if isinstance(keep_weights, bool) else set(keep_weights).__contains__
    if any(kept(run.seed) for run in runs) and folder is None:
        raise ValueError("`keep_weights` needs a `folder` to write them to. Received: folder=None")
    first = runs[0]
    shared = {
        "budget": first.budget_name,
        "precision": precision,
        "convolution": convolution,
        "scan": scan,
        "keep_weights": keep_weights if isinstance(keep_weights, bool) else sorted(map(int, keep_weights)),
        "backend": "jax",
        "device": facts.device()["name"],
        "versions": facts.versions(),
    }
    folder = None if folder is None else pathlib.Path(folder)
    with _policy(precision):
        parts = _begun(folder, shared, runs)
        taken = {run.name for _, part, _ in parts for run in part}
        rest = [run for run in runs if run.name not in taken]
        programs = _Programs(first, runs, precision, convolution, scan)
        if rest:
            parts += programs.parts(rest, at_once)
    for number, (path, part, size) in enumerate(parts):
        names = [run.name for run in part]
        checkpoint = _Checkpoint(path or _path(folder, shared, part), {**shared, "runs": names})
        label = f"{first.recipe.name} {first.variant}, "
        label += _words(part[0]) if len(part) == 1 else f"{len(part)} runs at once"
        label += f", part {number + 1} of {len(parts)}" if len(parts) > 1 else ""
        records = checkpoint.records()
        if records is None:
            with _policy(precision):
                made = _train(programs, checkpoint, part, size, label, progress, folder, kept, precision)
            checkpoint.finish(made)
            records = dict(zip(names, made, strict=True))
        yield [(run, records[run.name]) for run in part], checkpoint.remove


# ---------------------------------------------------------------- one part


def _train(programs, checkpoint, part, size, label, progress, folder, kept, precision):
    """Trains the runs of a part; returns their records."""
    budget = part[0].budget
    # So that every part runs the same program, the last one is filled up with a run that is thrown away.
    filled = part + [part[-1]] * (size - len(part))
    data = programs.data(filled)
    steps = len(fit.batch_order(0, 0, data.count("train"), budget.batch_size))
    program = programs.program(size, steps)
    state = checkpoint.load(program.start([run.seed for run in filled]))
    whole, stored = True, time.monotonic()
    with fit._bar(label, budget.epochs, steps, checkpoint.epoch, progress) as bar, _interrupts.lasting() as check:
        try:
            bar.set_postfix_str("compiling")
            checkpoint.compile += program.compile(data, state, steps)
            bar.unpause()
            while checkpoint.epoch < budget.epochs:
                begun = time.perf_counter()
                orders = {
                    seed: fit.batch_order(seed, checkpoint.epoch, data.count("train"), budget.batch_size)
                    for seed in {run.seed for run in filled}
                }
                rows = np.stack([data.start("train", run) + orders[run.seed] for run in filled], axis=1)
                whole = False
                state, told = program.epoch(state, data, rows, bar)
                checkpoint.add({name: values[: len(part)] for name, values in told.items()})
                checkpoint.seconds += time.perf_counter() - begun
                whole = True
                bar.set_postfix({name: f"{np.median(values):.3f}" for name, values in told.items()})
                last = checkpoint.epoch == budget.epochs
                if checkpoint.epoch == 1 or last or time.monotonic() - stored > _SECONDS_BETWEEN_CHECKPOINTS:
                    checkpoint.save(state)
                    stored = time.monotonic()
                check()
            state, measured = _judge(program, state, data, part, filled)
            check()
        except KeyboardInterrupt:
            if whole and 0 < checkpoint.epoch < budget.epochs:
                checkpoint.save(state)
            raise fit.Stopped(
                f"{label} stopped in epoch {min(checkpoint.epoch + 1, budget.epochs)} of {budget.epochs}. "
                + (f"The same command goes on from {checkpoint.path}." if checkpoint.stored else "Nothing was stored.")
            ) from None
    _warn_of_divergence(part, checkpoint.history["loss"])
    made = []
    where = {
        "device": {**facts.device(), "count": 1},
        "backend": keras.backend.backend(),
        "versions": facts.versions(),
        "commit": facts.commit(),
        "date": facts.now(),
    }
    for place, (run, results) in enumerate(zip(part, measured, strict=True)):
        settings = run.settings | ({} if precision == "float32" else {"precision": precision})
        record = {
            "schema": 1,
            "recipe": run.recipe.name,
            "variant": run.variant,
            "seed": run.seed,
            "budget": run.budget_name,
            "condition": dict(run.condition),
            **where,
            "settings": settings,
            "digest": recipes.digest(settings),
            "parameters": fit.count_parameters(program.network),
            "seconds": {
                "train": round(checkpoint.seconds, 2),
                "compile": round(checkpoint.compile, 2),
                "together": len(part),
            },
            "history": {name: of_runs[place] for name, of_runs in checkpoint.history.items()},
            **results,
            "weights": None,
        }
        if run.recipe.probes or kept(run.seed):
            program.assign(state, place)
        record |= fit.probe(program.network, run.recipe, budget, run.condition)
        if kept(run.seed):
            record["weights"] = fit.store_weights(program.network, folder, record)
        made.append(record)
    return made


def _warn_of_divergence(part, losses):
    lost = [_words(run) for run, one in zip(part, losses, strict=True) if None in one]
    if lost:
        warnings.warn(
            f"{len(lost)} of {len(part)} runs of {part[0].recipe.name} {part[0].variant} have diverged, their loss is "
            f"no number: {'; '.join(lost)}. A lower learning rate than {part[0].budget.schedule.rate} may help.",
            stacklevel=2,
        )


def _words(run):
    return ", ".join([*fit._said(dict(run.condition)), f"seed {run.seed}"])


def _judge(program, state, data, part, filled):
    """Measures trained networks as `fit.judge` does; returns the recalibrated state and results a run."""
    batch = program.budget.batch_size

    def scores(state, what, confusion=False):
        state, probabilities = program.probabilities(state, data, what, filled)
        told = [fit.score(p, data.labels(what, run), confusion) for p, run in zip(probabilities, part, strict=False)]
        return state, [{key: _number(value) for key, value in one.items()} for one in told]

    state, moving = scores(state, "test")
    measured = [{"moving": {"accuracy": one["accuracy"]}} for one in moving]
    count = batch * min(fit._RECALIBRATION_BATCHES, data.count("train") // batch)
    samples = {
        seed: np.random.default_rng((seed, 1_000_000)).permutation(data.count("train"))[:count].reshape(-1, batch)
        for seed in {run.seed for run in filled}
    }
    rows = np.stack([data.start("train", run) + samples[run.seed] for run in filled], axis=1)
    state = program.recalibrate(state, data, rows)
    for what in [what for what in ("test", "validation") if data.count(what)]:
        state, told = scores(state, what, confusion=what == "test")
        for one, result in zip(measured, told, strict=True):
            one[what] = result
    return state, measured


def _number(value):
    """A score for a record: null where it is no number."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


# ---------------------------------------------------------------- the data


class _Data:
    """The data of several conditions on the device, one behind the other: training, validation, test."""

    _order = ("train", "validation", "test")

    def __init__(self, recipe, budget, conditions, room, dtype):
        import jax

        self._place = {condition: number for number, condition in enumerate(conditions)}
        self._counts, x = None, None
        for number, made in enumerate(_prepared(recipe, budget, conditions)):
            parts = [getattr(made, what) for what in self._order]
            counts = [0 if part is None else len(part[0]) for part in parts]
            if x is None:
                self._counts = counts
                # Room for as many conditions as any part has, so that one program does for all parts.
                x = np.zeros((room * sum(counts), *made.train[0].shape[1:]), dtype)
                self._y = np.zeros(len(x), np.int32)
            if counts != self._counts:
                raise ValueError(
                    "To be trained at once, all conditions must have equally many samples for training, validation and "
                    f"test: {self._counts} under {dict(conditions[0])}, {counts} under {dict(conditions[number])}."
                )
            place = number * sum(counts)
            for part, count in zip(parts, counts, strict=True):
                if part is not None:
                    x[place : place + count], self._y[place : place + count] = part
                place += count
        self.arrays = jax.block_until_ready(jax.device_put((x, self._y)))

    def count(self, what):
        """How many samples each condition has for `"train"`, `"validation"` or `"test"`."""
        return self._counts[self._order.index(what)]

    def start(self, what, run):
        """The row at which those of a run begin."""
        return self._place[run.condition] * sum(self._counts) + sum(self._counts[: self._order.index(what)])

    def labels(self, what, run):
        """The labels of a run, on the host."""
        return self._y[self.start(what, run) :][: self.count(what)]


def _prepared(recipe, budget, conditions):
    """The prepared data of each condition in turn, several in the making at a time."""
    if len(conditions) == 1:
        yield prepare(recipe, budget, dict(conditions[0]))
        return
    import collections
    import concurrent.futures

    workers = min(8, os.cpu_count() or 1, len(conditions))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        for condition in conditions:
            waiting.append(pool.submit(prepare, recipe, budget, dict(condition)))
            if len(waiting) >= workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


# ---------------------------------------------------------------- the programs


class _Programs:
    """What the parts of a call share: the programs, and the data on the device."""

    _resident = None  # stays behind a call: a study's next variant takes the same data

    def __init__(self, first, runs, precision, convolution, scan):
        self.first, self.precision, self.convolution = first, precision, convolution
        self.scan = (facts.device()["kind"] != "cpu") if scan is None else scan
        self.seeds = list(dict.fromkeys(run.seed for run in runs))
        self.room, self._made = 1, {}

    def parts(self, runs, at_once):
        """Divides the runs that were not begun; `(None, runs, size)` each."""
        parts = _parts(runs, self._at_once(runs) if at_once is None else at_once)
        self.room = max(len({run.condition for run in part}) for part in parts)
        size = max(map(len, parts))
        return [(None, part, size) for part in parts]

    def data(self, part):
        """The data of a part, on the device."""
        recipe, budget = self.first.recipe, self.first.budget
        conditions = tuple(dict.fromkeys(run.condition for run in part))
        key = (recipe, budget, conditions, max(self.room, len(conditions)), self.precision)
        if _Programs._resident is None or _Programs._resident[0] != key:
            _Programs._resident = None  # gives its memory back first
            _Programs._resident = key, _Data(recipe, budget, conditions, key[3], _dtype(self.precision))
        return _Programs._resident[1]

    def program(self, size, steps):
        """The program for parts of this size."""
        if size not in self._made:
            self._made[size] = self._program(self.seeds, size, steps, self.convolution)
        return self._made[size]

    def _program(self, seeds, size, steps, convolution):
        first = self.first
        return _Program(
            first.recipe, first.variant, first.budget, seeds, size, steps, self.precision, convolution, self.scan
        )

    def _at_once(self, runs):
        """How many runs fit at once, by a count of what a step keeps for its gradient."""
        import jax

        if len(runs) == 1:
            return 1
        device = jax.devices()[0]
        program = self._program(self.seeds[:1], 1, 1, "grouped")
        each = program.work_bytes()
        if not program.narrow:
            return 1
        if device.platform == "cpu":
            return min(len(runs), max(1, _PROCESSOR_BYTES // each))
        limit = (device.memory_stats() or {}).get("bytes_limit", 8 * 2**30)
        made = prepare(self.first.recipe, self.first.budget, dict(runs[0].condition))
        of_a_set = sum(part[0].nbytes for part in made if part) * np.dtype(_dtype(self.precision)).itemsize // 4
        # Half is left for what the compiler keeps besides, and for the gaps between arrays.
        return min(len(runs), max(1, int(limit * 0.5 / (each + of_a_set / len({run.seed for run in runs})))))


class _Program:
    """One variant's step mapped over `size` runs: training, recalibration and prediction.

    A state is a list of weights, one of the other variables and one of the optimizer's, each array with the
    runs in front. Every function takes it over and gives it back.
    """

    def __init__(self, recipe, variant, budget, seeds, size, steps, precision, convolution, scan):
        self.budget, self.size, self.scan, self.dtype = budget, size, scan, _dtype(precision)
        self._first = {}
        for seed in seeds:
            # Each from its own random state; the last one built is the pattern for all.
            self.trainer, self.network = fit.build_trainer(recipe, variant, seed, budget)
            self._first[seed] = [
                [np.asarray(variable.value) for variable in group]
                for group in (self.trainer.trainable_variables, self.trainer.non_trainable_variables)
            ]
        self.narrow = all(
            np.prod(layer.kernel.shape[:-1]) <= _NARROW
            for layer in self.trainer._flatten_layers(include_self=False)
            if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D)
        )
        if convolution == "auto":
            products = size > 1 or (self.narrow and facts.device()["kind"] == "cpu")
            convolution = "matmul" if products else "grouped"
        self.convolution = convolution
        self.optimizer = fit.make_optimizer(budget, steps)
        self.optimizer.build(self.trainer.trainable_variables)
        self._loss = keras.losses.SparseCategoricalCrossentropy()
        self._compiled, self._compiled_for = {}, None
        places = {id(variable): place for place, variable in enumerate(self.trainer.non_trainable_variables)}
        self._norms = [
            (layer, places[id(layer.moving_mean)], places[id(layer.moving_variance)])
            for layer in self.trainer._flatten_layers(include_self=False)
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]

    # What it does ------------------------------------------------

    def start(self, seeds):
        """The state of untrained runs."""
        weights, others = (
            [np.stack(arrays) for arrays in zip(*(self._first[seed][group] for seed in seeds), strict=True)]
            for group in (0, 1)
        )
        slots = [np.stack([np.asarray(variable.value)] * len(seeds)) for variable in self.optimizer.variables]
        return weights, others, slots

    def assign(self, state, place):
        """Gives the network the weights of one of the runs."""
        groups = (self.trainer.trainable_variables, self.trainer.non_trainable_variables)
        for variables, arrays in zip(groups, state, strict=False):
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(np.asarray(array[place]))

    def compile(self, data, state, steps):
        """Compiles all that a part needs; returns the seconds that it took, 0 the second time."""
        import concurrent.futures

        import jax

        key = (data.arrays[0].shape, steps)
        if key == self._compiled_for:
            return 0.0
        begun = time.perf_counter()
        one = jax.ShapeDtypeStruct((self.size, self.budget.batch_size), np.int32)
        many = jax.ShapeDtypeStruct((steps, *one.shape), np.int32)
        traced = {
            name: jax.jit(self._mapped(name), donate_argnums=0).lower(
                state, data.arrays, many if self.scan and name == "train" else one
            )
            for name in ("train", "moments", "predict")
        }
        with concurrent.futures.ThreadPoolExecutor() as pool:
            compiled = list(pool.map(lambda one: one.compile(), traced.values()))
        self._compiled, self._compiled_for = dict(zip(traced, compiled, strict=True)), key
        return time.perf_counter() - begun

    def epoch(self, state, data, rows, bar=None):
        """Trains over rows of shape (steps, runs, samples); returns the state, and mean losses and accuracies."""
        state, (losses, accuracies) = self._over("train", state, data, rows, bar)
        told = {"loss": losses, "accuracy": accuracies}
        return state, {name: values.mean(axis=0, dtype=np.float64) for name, values in told.items()}

    def recalibrate(self, state, data, rows):
        """What `recalibrate_batch_norm` does, to each of the runs; returns the state."""
        (weights, others, slots), moments = self._over("moments", state, data, rows)
        others = list(others)
        for (_, mean_place, variance_place), (means, variances) in zip(self._norms, moments, strict=True):
            means, variances = means.astype(np.float64), variances.astype(np.float64)
            mean = means.mean(axis=0)
            square = (variances + means**2).mean(axis=0)
            others[mean_place] = mean.astype(others[mean_place].dtype)
            others[variance_place] = np.maximum(square - mean**2, 0.0).astype(others[variance_place].dtype)
        return weights, others, slots

    def probabilities(self, state, data, what, runs):
        """Predictions in inference mode for each of the runs; returns state and an array (runs, samples, classes)."""
        count, batch = data.count(what), self.budget.batch_size
        batches = -(-count // batch)
        rows = np.stack([data.start(what, run) + np.minimum(np.arange(batches * batch), count - 1) for run in runs])
        rows = rows.reshape(len(runs), batches, batch).swapaxes(0, 1)
        state, told = self._over("predict", state, data, rows)
        return state, told.swapaxes(0, 1).reshape(len(runs), batches * batch, -1)[:, :count]

    def work_bytes(self):
        """What a step keeps of one run between its forward and backward pass, in bytes, before any fusion."""
        import jax

        weights, others, _ = (
            [jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for array in group]
            for group in self.start([next(iter(self._first))])
        )
        batch = self.budget.batch_size
        x = jax.ShapeDtypeStruct((batch, *self.trainer.input_shape[1:]), self.dtype)
        y = jax.ShapeDtypeStruct((batch,), np.int32)
        kept = jax.eval_shape(
            lambda w, o, x, y: jax.vjp(lambda w: self._loss_of(w, o, x, y)[0], w)[1], weights, others, x, y
        )
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(kept))

    def example(self):
        """The compiled training step, arguments of random data for it, and the seconds that compiling took."""
        import jax

        batch, rng = self.budget.batch_size, np.random.default_rng(0)
        x = rng.normal(size=(batch, *self.trainer.input_shape[1:])).astype(self.dtype)
        y = rng.integers(self.trainer.output_shape[-1], size=batch).astype(np.int32)
        rows = np.tile(np.arange(batch, dtype=np.int32), (self.size, 1))
        arguments = jax.device_put((self.start([next(iter(self._first))] * self.size), (x, y), rows))
        begun = time.perf_counter()
        compiled = jax.jit(self._mapped("train"), donate_argnums=0).lower(*arguments).compile()
        return compiled, arguments, time.perf_counter() - begun

    def count(self, compiled):
        """The compiler's count of a compiled step: operations and bytes of one model, work space of all."""
        told = compiled.cost_analysis()
        told = told[0] if isinstance(told, list) else told
        return {
            "flops": told["flops"] / self.size,
            "bytes": told["bytes accessed"] / self.size,
            "memory": int(compiled.memory_analysis().temp_size_in_bytes),
        }

    # How it does it ----------------------------------------------

    def _forward(self, weights, others, x, training):
        products = self.convolution == "matmul"
        with _convolution.as_matrix_products(self.trainer) if products else contextlib.nullcontext():
            return self.trainer.stateless_call(weights, others, x, training=training, return_losses=True)

    def _loss_of(self, weights, others, x, y):
        probabilities, others, penalties = self._forward(weights, others, x, training=True)
        return self._loss(y, probabilities) + sum(penalties), (others, probabilities)

    def _train(self, state, data, rows):
        import jax

        weights, others, slots = state
        y = data[1][rows]
        (loss, (others, probabilities)), gradients = jax.value_and_grad(self._loss_of, has_aux=True)(
            weights, others, data[0][rows], y
        )
        weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
        accuracy = (probabilities.argmax(axis=-1) == y).mean(dtype=loss.dtype)
        return (weights, others, slots), (loss, accuracy)

    def _moments(self, state, data, rows):
        weights, others, slots = state
        with self._without_memory():
            _, others, _ = self._forward(weights, others, data[0][rows], training=True)
        return (weights, others, slots), [(others[mean], others[variance]) for _, mean, variance in self._norms]

    def _predict(self, state, data, rows):
        weights, others, _ = state
        return state, self._forward(weights, others, data[0][rows], training=False)[0]

    @contextlib.contextmanager
    def _without_memory(self):
        """With momentum 0 the moving statistics after a pass are those of its batch."""
        momenta = [layer.momentum for layer, *_ in self._norms]
        try:
            for layer, *_ in self._norms:
                layer.momentum = 0.0
            yield
        finally:
            for (layer, *_), momentum in zip(self._norms, momenta, strict=True):
                layer.momentum = momentum

    def _mapped(self, name):
        """One of the functions above for all runs; for training, over an epoch if that is one program."""
        import jax

        one = {"train": self._train, "moments": self._moments, "predict": self._predict}[name]

        def single(state, data, rows):  # without a map, a single run gets the ordinary convolution
            told = one(jax.tree.map(lambda array: array[0], state), data, rows[0])
            return jax.tree.map(lambda array: array[None], told)

        step = jax.vmap(one, in_axes=(0, None, 0)) if self.size > 1 else single
        if not (self.scan and name == "train"):
            return step
        return lambda state, data, rows: jax.lax.scan(lambda state, row: step(state, data, row), state, rows)

    def _over(self, name, state, data, rows, bar=None):
        """Goes over batches of rows; returns the state and what each batch told, as NumPy arrays."""
        import jax

        state, rows = jax.device_put(state), rows.astype(np.int32)
        if self.scan and name == "train":
            state, told = jax.block_until_ready(self._compiled[name](state, data.arrays, rows))
            if bar is not None:
                bar.update(len(rows))
            return state, jax.tree.map(np.asarray, told)
        told = []
        for row in rows:
            state, one = self._compiled[name](state, data.arrays, row)
            told.append(one)
            # One step ahead of what is waited for: the device is never idle, the bar never far off.
            jax.block_until_ready(told[-2:][0])
            if bar is not None:
                bar.update()
        jax.block_until_ready(state)
        return state, jax.tree.map(lambda *arrays: np.stack([np.asarray(a) for a in arrays]), *told)


# ---------------------------------------------------------------- checkpoints


class _Checkpoint:
    """Everything that the rest of a part's training depends on, in one file that is replaced as a whole.

    Behind the training it holds the records instead, until the call that they belong to is done.
    """

    def __init__(self, path, told):
        self.path, self._told = path, told
        self.epoch, self.seconds, self.compile, self.stored = 0, 0.0, 0.0, False
        self.history = {}

    def add(self, told):
        """Adds an epoch: arrays with one number a run."""
        for name, values in told.items():
            of_runs = self.history.setdefault(name, [[] for _ in values])
            for one, value in zip(of_runs, values.tolist(), strict=True):
                one.append(_number(round(value, 5)))
        self.epoch += 1

    def save(self, state):
        """Writes the state after an epoch."""
        progress = {key: getattr(self, key) for key in ("epoch", "seconds", "compile", "history")}
        size = len(state[1][0]) if state[1] else len(state[0][0])
        arrays = [np.asarray(array) for group in state for array in group]
        self._write({**self._told, "size": size, "progress": progress}, arrays)

    def finish(self, records):
        """Writes the records in place of the state."""
        self._write({**self._told, "size": len(records), "records": records}, [])

    def remove(self):
        """Removes the file: the records say it all now."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def records(self):
        """The records by the names of their runs, if the part is finished, else None."""
        told = None if self.path is None else _read(self.path)
        if told is None or "records" not in told:
            return None
        return dict(zip(told["runs"], told["records"], strict=True))

    def load(self, state):
        """Goes back to what is stored; `state` is the one to start from where nothing is."""
        told = None if self.path is None else _read(self.path)
        if told is None:
            return state
        progress = told["progress"]
        self.epoch, self.seconds, self.compile = (progress[key] for key in ("epoch", "seconds", "compile"))
        self.history, self.stored = progress["history"], True
        with np.load(self.path, allow_pickle=False) as file:
            arrays = iter([file[f"v{k}"] for k in range(sum(map(len, state)))])
        return tuple([next(arrays) for _ in group] for group in state)

    def _write(self, told, arrays):
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                np.savez(file, told=np.array(json.dumps(told)), **{f"v{k}": a for k, a in enumerate(arrays)})
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)
        self.stored = True


def _path(folder, shared, part):
    """Where the checkpoint of a part goes."""
    if folder is None:
        return None
    told = recipes.digest({**shared, "runs": [run.name for run in part]})
    return folder / "checkpoints" / f"many-{part[0].recipe.name}-{part[0].variant}-{told}.npz"


def _begun(folder, shared, runs):
    """The parts among these runs that have a checkpoint: `(path, runs, size)` each."""
    if folder is None:
        return []
    found, wanted = [], {run.name: run for run in runs}
    for path in sorted((folder / "checkpoints").glob(f"many-{runs[0].recipe.name}-{runs[0].variant}-*.npz")):
        told = _read(path)
        if told is None or {key: told.get(key) for key in shared} != json.loads(json.dumps(shared)):
            continue
        names = [name for name in told["runs"] if name in wanted]
        # What is finished can be handed over run by run; what is not goes on as a whole or not at all.
        if names and ("records" in told or names == told["runs"]):
            found.append((path, [wanted.pop(name) for name in names], told["size"]))
    return found


def _read(path):
    """What a checkpoint tells; None if there is none, or none that can be read, which is put aside."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            told = json.loads(str(file["told"]))
            # Reading is the only way to know that they are whole.
            arrays = [file[name] for name in file.files if name != "told"]
        if "records" not in told and not (arrays and "progress" in told and len(told["runs"]) <= told["size"]):
            raise ValueError("it holds neither records nor a state")
        return told
    except Exception as error:  # damaged bytes make readers fail in many ways
        aside = path.with_suffix(".old")
        path.replace(aside)
        print(
            f"The checkpoint {path} cannot be read ({error or type(error).__name__}). It is kept as {aside.name}; "
            "its runs start anew."
        )
        return None


# ---------------------------------------------------------------- arguments


def _needs_jax():
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(
            "Many runs are trained at once on Keras' JAX backend only. Set KERAS_BACKEND=jax in the environment before "
            "Keras is first imported (on the command line: --backend jax; `python -m pip install jax` installs it), or "
            f"train one after the other with `training.run`. Received: backend {backend!r}"
        )


@contextlib.contextmanager
def _policy(precision):
    """Lets networks be built and traced in a precision."""
    if precision not in _PRECISIONS:
        raise ValueError(f"`precision` must be one of {_listed(_PRECISIONS)}. Received: precision={precision!r}")
    if precision == "float64":
        import jax

        if not jax.config.jax_enable_x64:
            raise ValueError(
                "`precision` can be 'float64' only where JAX has it: set JAX_ENABLE_X64=1 in the environment. "
                "Received: precision='float64'"
            )
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    keras.config.set_dtype_policy(_PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def _dtype(precision):
    """The type in which the data lie on the device."""
    import jax.numpy as jnp

    return {"float32": np.float32, "float64": np.float64, "bfloat16": jnp.bfloat16}[precision]


def _listed(names):
    return ", ".join(map(repr, names))


def _positive(name, value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
