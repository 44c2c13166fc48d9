"""The command line: what it lists, and what it says when something is wrong."""

import os
import subprocess
import sys

import keras
import pytest
from helpers import ROOT
from test_records import make

from drsn_lib import recipes, records, training
from drsn_lib.__main__ import main

BACKEND = keras.backend.backend()


def test_recipes_are_printed(capsys):
    assert main(["recipes"]) == 0
    said = capsys.readouterr().out
    assert [name for name in recipes.names() if f"{name}: " not in said] == []
    assert main(["recipes", "mnist-noise"]) == 0
    assert capsys.readouterr().out == f"{recipes.get('mnist-noise')}\n"


def test_missing_lists_every_planned_run_once(capsys):
    assert main(["records", "--missing", "--device", "gpu"]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    missing = records.missing(device="gpu")
    assert first.startswith(f"{len(missing)} planned runs have no record on a gpu yet")
    counted = 0
    for row in rows:
        *_, seeds, _, _, conditions, _ = row.split()
        counted += int(seeds) * int(conditions)
    assert counted == len(missing)


def test_records_of_a_folder_are_listed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(records.store, "SHIPPED", tmp_path / "none")
    for seed, accuracy in ((0, 0.5), (1, 0.7)):
        records.append(tmp_path, make(seed=seed, accuracy=accuracy))
    assert main(["records", "mnist-noise", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "mnist-noise, modern, cpu: 2 runs" in said and "0.6" in said


def test_reproduce_says_whether_results_lie_where_records_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(records.store, "SHIPPED", tmp_path / "shipped")
    arguments = ["reproduce", "mnist-noise", "--budget", "smoke", "--out", str(tmp_path / "runs"), "--quiet"]
    assert main(arguments) == 1
    assert "There is no record of recipe 'mnist-noise', budget 'smoke'" in capsys.readouterr().err
    (found,) = training.study("mnist-noise", ["resnet"], [0], "smoke", folder=tmp_path / "runs", progress=False)
    accuracy = found["test"]["accuracy"]
    for name, shift, status, words in (
        ("near", 0.0, 0, "All that can be judged lies within"),
        ("far", -0.5, 1, "Not all lie where"),
    ):
        folder = tmp_path / name
        monkeypatch.setattr(records.store, "SHIPPED", folder)
        for seed, off in enumerate((-0.02, 0.0, 0.02)):
            there = min(1.0, max(0.0, round(accuracy + shift + off, 3)))
            records.append(folder, make("resnet", seed, there, budget="smoke"))
        assert main(arguments) == status
        said = capsys.readouterr().out
        assert words in said and "3 seeds; CPU" in said
    monkeypatch.setattr(records.store, "SHIPPED", tmp_path / "one")
    records.append(tmp_path / "one", make("resnet", 0, 0.5, budget="smoke"))
    assert main(arguments) == 0
    assert "nothing can be said" in capsys.readouterr().out


def test_doctor_looks_at_everything(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DRSN_DATA", str(tmp_path))
    (tmp_path / "mnist.npz").write_bytes(b"")
    (tmp_path / "cwru" / "12k").mkdir(parents=True)
    (tmp_path / "cwru" / "12k" / "97.mat").write_bytes(b"")
    assert main(["doctor", "--backend", BACKEND]) == 0
    said = capsys.readouterr().out
    assert f"backend    {BACKEND}, on 1 x cpu" in said or "x gpu" in said
    assert "MNIST        there" in said
    assert "CIFAR-10     not there; `data.load_cifar10()` downloads" in said
    assert "CWRU 12k     60 of 61 files are not there" in said and "CWRU 48k     9 of 10 files are not there" in said


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["train", "mnist-noise", "--variant", "drsn"], "`variant` of recipe 'mnist-noise' must be one of"),
        (["train", "mnist-noise", "--variant", "resnet", "--budget", "quick"], "'faithful', 'modern', 'smoke'"),
        (["train", "mnist-noise", "--variant", "resnet", "--seeds", "4-2"], "must be like 3, 0-4 or 0,2,7-9"),
        (["train", "mnist-noise", "--variant", "resnet", "--seeds", "a"], "must be like 3, 0-4 or 0,2,7-9"),
        (["train", "mnist-noise", "--variant", "resnet", "--condition", "snr_db=1"], "(it has none)"),
        (["train", "vibration-snr", "--variant", "resnet"], "has 35 conditions: name those"),
        (["train", "vibration-snr", "--variant", "resnet", "--condition", "noise=white"], "noise: gaussian, laplacian"),
        (["records", "--add", "nowhere/at/all"], "nowhere/at/all"),
    ],
)
def test_mistakes_are_said_in_one_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and words in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_help_of_diagnose_tells_the_defaults(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit) as stop:
        main(["diagnose", "--help"])
    said = {f"--{part.split()[0]}": part for part in capsys.readouterr().out.split("\n  --")}
    for option, words in (
        ("--window", "(default 2048)"),
        ("--overlap", "(default 0)"),
        ("--variant", "(default drsn-cw)"),
        ("--control", "(default for drsn-cw: senet)"),
        ("--seeds", "(default 0,1,2; a verdict takes five)"),
        ("--epochs", "(default: as many as make about 800 steps)"),
        ("--group-by", "(default file)"),
    ):
        assert words in said[option]
    assert stop.value.code == 0


def test_a_wrong_recipe_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "mnist", "--variant", "resnet"])
    assert stop.value.code == 2 and "'mnist-noise'" in capsys.readouterr().err


def test_missing_data_and_missing_backends_say_what_to_do(tmp_path):
    other = next(name for name in ("torch", "jax", "tensorflow") if name != BACKEND)
    # A folder in front of all others in which the other backend cannot be found.
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KERAS_BACKEND": BACKEND,
        "DRSN_DATA": str(tmp_path),
        "https_proxy": "http://127.0.0.1:9",  # nothing listens there: as without internet access
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }

    def said(*arguments, hide=""):
        code = (
            "import importlib.util, sys\n"
            "found = importlib.util.find_spec\n"
            f"importlib.util.find_spec = lambda name, *a: None if name == {hide!r} else found(name, *a)\n"
            "from drsn_lib.__main__ import main\n"
            "sys.exit(main(sys.argv[1:]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 1, done.stderr
        return done.stderr

    lacking = said("train", "mnist-noise", "--variant", "resnet", "--backend", other, hide=other)
    assert f"error: The backend '{other}' is not installed" in lacking and f"pip install {other}" in lacking
    no_data = said("train", "mnist-noise", "--variant", "resnet", "--quiet")
    assert "error: MNIST is not available" in no_data and "DRSN_DATA" in no_data and "Traceback" not in no_data


@pytest.mark.skipif(sys.platform == "win32", reason="there is no head")
def test_a_reader_who_has_seen_enough_is_no_error():
    listed = subprocess.run(
        f"'{sys.executable}' -m drsn_lib recipes | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert listed.stderr == "" and listed.stdout.splitlines()[-1] == "0"
