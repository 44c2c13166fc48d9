"""The trainings of `run`: what needs a Keras backend."""

import contextlib
import json
import os
import pathlib

import keras
import numpy as np

from drsn_lib import models
from drsn_lib.diagnose import _saved
from drsn_lib.diagnose._windows import remount
from drsn_lib.training import _interrupts, facts
from drsn_lib.training.batch_norm import recalibrate_batch_norm
from drsn_lib.training.fit import Stopped, _batches, _no_retracing_warnings
from drsn_lib.training.reinitialize import reinitialize

__all__ = ["Network", "bar", "facts", "train"]

_L2 = 1e-4
_RATE, _WARMUP = 1e-2, 0.3
# Thresholds that begin low: with gates half open from the start, short trainings fail now and then.
_GATES = {"initial_scale": 0.1}
_KNOWN = 1000  # windows that were trained on, at most, on which it is measured whether they were learned


class Network:
    """One compiled network that serves all seeds."""

    def __init__(self, variant, window, classes, plan):
        self.variant, self.plan = variant, plan
        length = -(-window // 2)
        stages = []
        for filters in (8, 16, 32):
            strides = 4 if length >= 64 else 2
            stages.append((filters, 1, strides))
            length = -(-length // strides)
        gates = _GATES if variant in ("drsn-cw", "drsn-cs") else {}
        self.model = models.build(
            variant,
            (window, 1),
            classes,
            stem=(8, 2),
            stages=stages,
            kernel_size=7,
            kernel_regularizer=keras.regularizers.L2(_L2),
            **gates,
        )
        total = plan["epochs"] * plan["steps"]
        warmup = max(1, round(_WARMUP * total))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, total - warmup), warmup_target=_RATE, warmup_steps=warmup
        )
        self.model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.model.optimizer.build(self.model.trainable_variables)

    @property
    def variables(self):
        """All that a training changes."""
        return [*self.model.trainable_variables, *self.model.non_trainable_variables, *self.model.optimizer.variables]


def bar(total, show):
    """One progress bar for all trainings, with the time left."""
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="step", disable=not show, dynamic_ncols=True, smoothing=0.05)


class _Moves(keras.callbacks.Callback):
    """Moves the bar, and lets Ctrl-C through."""

    def __init__(self, shown, check):
        super().__init__()
        self.shown, self.check = shown, check

    def on_train_batch_end(self, batch, logs=None):
        self.shown.update(1)
        self.check()


def train(network, seed, x, y, side, plan, path, shown):
    """Trains from one seed, or takes up what an interrupted call has left; returns probabilities and weights."""
    total, steps, batch = plan["epochs"], plan["steps"], plan["batch_size"]
    shown.set_description(f"{network.variant}, seed {seed}")
    reinitialize(network.model, seed)
    begun, result = _load(path, network)
    if result is not None:
        shown.update(total * steps)
        return result
    shown.update(begun * steps)
    epoch = begun
    try:
        with _no_retracing_warnings(), _interrupts.lasting() as check:
            moves = _Moves(shown, check)
            for epoch in range(begun, total):
                rng = np.random.default_rng((seed, epoch))
                rows = rng.permutation(side.train)[: steps * batch]
                told = network.model.fit(
                    **_batches(remount(x[rows], rng), y[rows], batch, None, devices=1),
                    shuffle=False,
                    verbose=0,
                    callbacks=[moves],
                ).history
                shown.set_postfix(loss=f"{told['loss'][0]:.3f}", accuracy=f"{told['accuracy'][0]:.3f}")
                if (epoch + 1) % 5 == 0 and epoch + 1 < total:
                    _store(path, network, epoch + 1)
                check()
            rows = np.random.default_rng((seed, 1_000_000)).permutation(side.train)[: 100 * batch]
            recalibrate_batch_norm(network.model, x[rows], batch_size=batch)
            known = rows[:_KNOWN]
            result = {
                "train": _saved.predict(network.model, x[known]),
                "train_y": y[known],
                "validation": _saved.predict(network.model, x[side.validation]),
                "test": _saved.predict(network.model, x[side.test]),
            }
            if not all(np.isfinite(one).all() for one in result.values()):
                raise FloatingPointError(
                    f"The training of {network.variant}, seed {seed}, has diverged. Look at the signals for single "
                    "huge values, and leave those files out."
                )
            _store(path, network, total, result)
            check()
    except KeyboardInterrupt:
        raise Stopped(
            f"{network.variant}, seed {seed}, stopped in epoch {min(epoch + 1, total)} of {total}. The same command "
            f"goes on from {path.parent}."
        ) from None
    return {**result, "weights": network.model.get_weights()}


def _store(path, network, epoch, result=None):
    """Writes the state of a training, as a whole or not at all."""
    arrays = {f"v{k}": keras.ops.convert_to_numpy(v) for k, v in enumerate(network.variables)}
    for key, value in (result or {}).items():
        arrays[f"result_{key}"] = value
    told = json.dumps({"epoch": epoch, "backend": keras.backend.backend(), "versions": facts.versions()})
    part = pathlib.Path(f"{path}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.savez(file, told=np.array(told), **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _load(path, network):
    """Puts a stored state back; returns the epochs done, and the results if it is finished."""
    if not path.exists():
        return 0, None
    variables = network.variables
    with contextlib.suppress(Exception):  # damaged bytes make readers fail in many ways: it begins anew
        with np.load(path, allow_pickle=False) as file:
            told = json.loads(str(file["told"]))
            arrays = [file[f"v{k}"] for k in range(len(variables))]
            results = {key[len("result_") :]: file[key] for key in file.files if key.startswith("result_")}
        fits = told["versions"] == facts.versions() and [one.shape for one in arrays] == [
            tuple(v.shape) for v in variables
        ]
        if fits:
            for variable, value in zip(variables, arrays, strict=True):
                variable.assign(value)
            if results:
                return told["epoch"], {**results, "weights": network.model.get_weights()}
            return told["epoch"], None
    return 0, None
