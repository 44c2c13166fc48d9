"""One run of a recipe, stopped and taken up again; studies; several devices."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from helpers import ROOT, array, run_python

from drsn_lib import recipes, records, training
from drsn_lib.training import fit

BACKEND = keras.backend.backend()
TINY = recipes.Budget(
    epochs=3,
    batch_size=20,
    schedule=recipes.Schedule("one-cycle", 0.05, warmup=0.3),
    nesterov=True,
    augment=(("Affine", (("rotation", 10.0), ("shift", 0.1))),),
    validation=0.1,
    train=100,
    test=50,
    full=False,
)
RECIPE = dataclasses.replace(recipes.get("mnist-noise"), budgets=(("tiny", TINY),))


def quick(variant="drsn-cw", seed=0, **options):
    return fit.run(RECIPE, variant, seed, "tiny", **{"progress": False, **options})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return quick(folder=folder, keep_weights=True), folder


def stored(folder, record):
    with np.load(folder / record["weights"]) as file:
        return {key: file[key] for key in file.files}


def test_the_record_is_valid_and_true(undisturbed):
    record, folder = undisturbed
    records.validate(json.loads(json.dumps(record)))
    assert record["parameters"] == {"total": 1610, "trainable": 1546}
    assert {key: len(values) for key, values in record["history"].items()} == dict.fromkeys(
        ("loss", "accuracy", "val_loss", "val_accuracy"), 3
    )
    assert not list((folder / "checkpoints").iterdir())  # the record says it all
    # The stored weights give the stored result.
    network = training.build_model(RECIPE, "drsn-cw", "tiny")
    records.load_weights(network, folder / record["weights"])
    test = training.prepare(RECIPE, "tiny").test
    assert fit.evaluate(network, *test, confusion=True) == record["test"]
    assert np.trace(record["test"]["confusion"]) == round(record["test"]["accuracy"] * 50)


@pytest.mark.parametrize("stop_in", [0, 1, 2])
def test_a_stopped_run_goes_on_and_ends_with_the_same_bits(undisturbed, tmp_path, monkeypatch, stop_in):
    record, folder = undisturbed
    proper = fit._Watch.on_train_batch_end

    def interrupted(self, batch, logs=None):
        proper(self, batch, logs)
        if self.epoch == stop_in:
            raise KeyboardInterrupt

    begin = fit._Watch.on_epoch_begin

    def begun(self, epoch, logs=None):
        self.epoch = epoch
        begin(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(fit._Watch, "on_train_batch_end", interrupted)
        patch.setattr(fit._Watch, "on_epoch_begin", begun)
        with pytest.raises(training.Stopped, match=rf"stopped in epoch {stop_in + 1} of 3") as stopped:
            quick(folder=tmp_path)
    left = list((tmp_path / "checkpoints").glob("*")) if stop_in else []
    assert len(left) == (stop_in > 0) and all(str(path) in str(stopped.value) for path in left)

    again = quick(folder=tmp_path, keep_weights=True)
    assert again["history"] == record["history"] and again["test"] == record["test"]
    expected, found = stored(folder, record), stored(tmp_path, again)
    assert expected.keys() == found.keys()
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key], err_msg=key)


def test_a_checkpoint_that_is_damaged_or_of_something_else_is_kept_aside(undisturbed, tmp_path, capsys):
    name = fit.run_name(RECIPE.settings("drsn-cw", "tiny"), 0)
    path = tmp_path / "checkpoints" / f"{name}.npz"
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04 not whole")
    again = quick(folder=tmp_path)
    assert again["test"] == undisturbed[0]["test"]
    said = capsys.readouterr().out
    assert "cannot be read" in said and "training starts anew" in said
    assert path.with_suffix(".old.npz").read_bytes() == b"PK\x03\x04 not whole"


def test_seeds_differ_and_data_do_not(undisturbed):
    other = quick(seed=1)
    assert other["history"] != undisturbed[0]["history"] and other["digest"] == undisturbed[0]["digest"]


def test_a_training_that_diverges_is_told_and_recorded():
    wild = dataclasses.replace(TINY, epochs=1, schedule=recipes.Schedule("constant", 1e30), augment=())
    recipe = dataclasses.replace(RECIPE, budgets=(("tiny", wild),))
    with pytest.warns(RuntimeWarning, match="it has diverged"):
        record = fit.run(recipe, "resnet", 0, "tiny", progress=False)
    records.validate(json.loads(json.dumps(record)))
    assert record["history"]["loss"] == [None]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the pipeline is TensorFlow's")
def test_own_pipeline_gives_the_batches_of_arrays(undisturbed, monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(23, 4)).astype("float32"), np.arange(23)
    made = fit._batches(x, y, 5, (x[:3], y[:3]), devices=1)
    assert made["x"].options().autotune.enabled is False and "batch_size" not in made
    batches = [(array(a), array(b)) for a, b in made["x"]]
    assert [len(b) for _, b in batches] == [5, 5, 5, 5, 3] and int(made["x"].cardinality()) == 5
    np.testing.assert_array_equal(np.concatenate([a for a, _ in batches]), x)
    np.testing.assert_array_equal(np.concatenate([b for _, b in batches]), y)
    assert fit._batches(x, y, 5, None, devices=1)["validation_data"] is None
    of_arrays = fit._batches
    monkeypatch.setattr(fit, "_batches", lambda *given: of_arrays(*given[:-1], devices=2))
    assert quick()["history"] == undisturbed[0]["history"]


def test_order_of_samples():
    order = fit.batch_order(3, 1, 105, 20)
    assert order.shape == (5, 20) and len(np.unique(order)) == 100
    np.testing.assert_array_equal(order, fit.batch_order(3, 1, 105, 20))
    assert (order != fit.batch_order(3, 2, 105, 20)).any() and (order != fit.batch_order(4, 1, 105, 20)).any()
    with pytest.raises(ValueError, match="A batch of 20 needs at least as many training samples; there are 19"):
        fit.batch_order(0, 0, 19, 20)


def test_the_trainer_augments_in_training_only():
    trainer, network = training.build_trainer(RECIPE, "resnet", 0, "tiny")
    x = training.prepare(RECIPE, "tiny").train[0][:8]
    np.testing.assert_array_equal(array(trainer(x, training=False)), array(network(x, training=False)))
    assert np.abs(array(trainer(x, training=True)) - array(network(x, training=True))).max() > 1e-6
    assert [v.path for v in trainer.trainable_variables] == [v.path for v in network.trainable_variables]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"seed": -1}, "`seed` must be an integer of at least 0"),
        ({"devices": 0}, "`devices` must be an integer of at least 1"),
        ({"devices": 3}, "`devices` must divide the batch size, 20"),
        ({"keep_weights": True}, "needs a `folder`"),
        ({"condition": {"snr_db": 3.0}}, "must be one of {}"),
    ],
)
def test_wrong_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        quick(**options)


def test_a_study_runs_what_is_missing(tmp_path):
    one = dataclasses.replace(TINY, epochs=1, augment=())
    recipe = dataclasses.replace(RECIPE, budgets=(("tiny", one),))
    options = {"budget": "tiny", "folder": tmp_path, "progress": False}
    first = training.study(recipe, ["resnet"], [0], **options)
    made = training.study(recipe, ["resnet", "senet"], [0, 1], keep_weights=[1], **options)
    assert [(r["seed"], r["variant"]) for r in made] == [(s, v) for s in (0, 1) for v in ("resnet", "senet")]
    assert made[0] == first[0]  # not run again
    assert [r["weights"] is not None for r in made] == [False, False, True, True]
    assert all((tmp_path / r["weights"]).is_file() for r in made[2:])
    assert len(records.load(folder=tmp_path, budget="tiny")) == 4
    # Of other settings, it is another run.
    other = dataclasses.replace(recipe, budgets=(("tiny", dataclasses.replace(one, l2=1e-3)),))
    assert training.study(other, ["resnet"], [0], **options)[0]["digest"] != first[0]["digest"]


# Several devices: virtual ones, on the processor.

SHARED = """
import json, os, sys
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path.insert(0, "tests")
import test_fit
import dataclasses
budget = dataclasses.replace(test_fit.TINY, augment=(), epochs=2)
recipe = dataclasses.replace(test_fit.RECIPE, budgets=(("tiny", budget),))
made = [test_fit.fit.run(recipe, "drsn-cw", 0, "tiny", devices=n, progress=False) for n in (1, 2)]
try:
    test_fit.fit.run(recipe, "drsn-cw", 0, "tiny", devices=4, progress=False)
except ValueError as error:
    print("SAID", error)
print("MADE", json.dumps([[one["history"], one["test"]["accuracy"], one["device"]["count"]] for one in made]))
"""


@pytest.mark.skipif(BACKEND == "torch", reason="several devices need TensorFlow or JAX")
def test_two_devices_give_the_loss_curve_of_one():
    said = run_python(SHARED, env={"XLA_FLAGS": "--xla_force_host_platform_device_count=2"})
    (one, test_one, count_one), (two, test_two, count_two) = json.loads(said.split("MADE ", 1)[1])
    assert (count_one, count_two) == (1, 2)
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=2e-3)
    assert test_two == pytest.approx(test_one, abs=0.041)  # two of fifty digits
    assert "`devices` must be at most the number of devices that there are, 2" in said


@pytest.mark.skipif(BACKEND != "torch", reason="the refusal is of the torch backend")
def test_several_devices_are_refused_on_torch():
    with pytest.raises(ValueError, match="need the JAX or the TensorFlow backend"):
        quick(devices=2)


# The command line


def command(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": BACKEND, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "drsn_lib", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def finished(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for_checkpoint(process, folder):
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        if list(folder.glob("checkpoints/*.npz")):
            break
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()


def test_a_killed_command_goes_on(tmp_path):
    arguments = ("train", "mnist-noise", "--variant", "resnet", "--budget", "smoke", "--out", tmp_path)
    process = command(*arguments, cwd=tmp_path)
    wait_for_checkpoint(process, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    status, out, err = finished(command(*arguments, cwd=tmp_path))
    assert status == 0, err
    assert "1 seed" in out and "mnist-noise.jsonl" in out
    (record,) = records.read_file(tmp_path / "mnist-noise.jsonl")
    whole = fit.run("mnist-noise", "resnet", 0, "smoke", progress=False)
    assert (record["history"], record["test"]) == (whole["history"], whole["test"])
    # And once more: there is nothing left to do.
    status, again, _ = finished(command(*arguments, cwd=tmp_path))
    assert status == 0 and again == out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_ctrl_c_says_how_to_go_on(tmp_path, number):
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        process = command("train", "mnist-noise", "--variant", "resnet", "--budget", "smoke", "--out", folder)
        wait_for_checkpoint(process, folder)
        process.send_signal(getattr(signal, number))
        status, _, err = finished(process)
        if status != 0:  # else a busy machine let the training end before the signal came
            break
    assert status == 130 and "Traceback" not in err, err
    assert re.search(r"seed 0 (stopped in epoch \d of 2|was stopped while it was measured)", err), err
    (path,) = folder.glob("checkpoints/*.npz")
    assert f"The same command goes on from {path}" in err
