"""The script that makes records on a training machine: its data, its clock, its labels."""

import io
import json
import os
import signal
import sys
import zipfile

import keras
import numpy as np
import pytest
from helpers import ROOT
from PIL import Image
from test_records import GPU, make

from drsn_lib import recipes, records

sys.path.insert(0, str(ROOT / "tools"))
import gpu_records

needs_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="it trains on JAX")


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(records.store, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(records, "SHIPPED", tmp_path / "shipped")


def test_mosaics_lose_nothing():
    images = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), np.uint8)
    packed = io.BytesIO()
    Image.fromarray(gpu_records.mosaic(images)).save(packed, "WEBP", lossless=True)
    back = np.asarray(Image.open(io.BytesIO(packed.getvalue())).convert("RGB"))
    np.testing.assert_array_equal(gpu_records.unmosaic(back), images)


def test_cifar10_is_joined_once_all_of_it_is_there(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 256, (60_000, 2, 2, 3), np.uint8), rng.integers(0, 10, 60_000).astype(np.uint8)
    monkeypatch.setattr("drsn_lib.data.load_cifar10", lambda: ((x[:50_000], y[:50_000]), (x[50_000:], y[50_000:])))
    pieces = list(gpu_records.cifar10_pieces())
    assert len(pieces) == 7 and all(len(content) < gpu_records.PART_BYTES for _, content in pieces)
    for number, part in enumerate((pieces[:4], pieces[4:])):
        folder = tmp_path / f"part{number}"
        folder.mkdir()
        for name, content in part:
            (folder / name).write_bytes(content)
        assert not (tmp_path / "data" / "cifar10.npz").exists()
        gpu_records.take([folder], tmp_path / "data")
    with np.load(tmp_path / "data" / "cifar10.npz") as made:
        np.testing.assert_array_equal(np.concatenate([made["x_train"], made["x_test"]]), x)
        np.testing.assert_array_equal(np.concatenate([made["y_train"], made["y_test"]]).ravel(), y)


def test_what_needs_no_file_can_always_be_trained(tmp_path):
    there = {name: gpu_records.has_data(recipes.get(name), "modern", tmp_path) for name in recipes.names()}
    assert {name for name, has in there.items() if has} == {"mnist-snr", "vibration-snr", "vibration-aprelu"}
    (tmp_path / "mnist.npz").touch()
    assert gpu_records.has_data(recipes.get("mnist-noise"), "modern", tmp_path)


def archive_of(folder, *made):
    folder.mkdir()
    lines = "".join(json.dumps(record) + "\n" for record in made)
    with zipfile.ZipFile(folder / "records.zip", "w") as archive:
        archive.writestr("mnist-noise.jsonl", lines)


def test_a_processors_record_is_never_collected_as_a_gpus(tmp_path, capsys):
    jax = {"backend": "jax", "versions": {**make()["versions"], "jax": "0.11.0"}}
    archive_of(tmp_path / "good", make(device=GPU, **jax), make(seed=1, device=GPU, **jax))
    archive_of(tmp_path / "bad", make(device=GPU, **jax), make(seed=1, **jax))
    into = tmp_path / "into"
    with pytest.raises(SystemExit, match=r"another device than gpu: \{'cpu': 1\}. Nothing was added"):
        gpu_records.main(["collect", str(tmp_path / "bad"), "--into", str(into)])
    assert not into.exists()
    assert gpu_records.main(["collect", str(tmp_path / "good"), "--into", str(into)]) == 0
    assert "2 of 2 records added" in capsys.readouterr().out
    assert len(records.load_records("mnist-noise", folder=into, device="gpu")) == 2


@needs_jax
def test_another_device_than_asked_for_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="This is a cpu, not a gpu"):
        gpu_records.main(["work", "--out", str(tmp_path / "out"), "--scratch", str(tmp_path)])


@needs_jax
def test_from_plan_to_package(tmp_path, monkeypatch, capsys):
    planned = [
        {"recipe": "mnist-snr", "variant": "resnet", "seed": seed, "budget": "modern", "condition": condition}
        for condition in ({"noise": "none", "snr_db": None}, {"noise": "gaussian", "snr_db": 0.0})
        for seed in (0, 1)
    ]
    planned.append({**planned[0], "recipe": "mnist-noise", "condition": {}})
    monkeypatch.setattr(recipes, "planned", lambda recipe=None: planned)
    monkeypatch.setenv("DRSN_DATA", str(tmp_path / "empty"))
    words = ["--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch")]
    words += ["--device", "cpu", "--budget", "smoke", "--recipes", "mnist-snr", "--seeds", "1"]
    handler = signal.getsignal(signal.SIGALRM)
    try:
        # A second or two: over before anything is trained, and said.
        gpu_records.main(["work", *words, "--seconds", "1"])
        assert "time is over" in capsys.readouterr().out
        gpu_records.main(["work", *words])
        said = capsys.readouterr().out
        assert '"runs": 2' in said and "2 records made here so far" in said
        gpu_records.main(["work", *words])  # nothing is trained twice
        assert '"runs": 0' in capsys.readouterr().out
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert set(os.listdir(tmp_path / "out")) == {"records.zip", "report.json"}
    gpu_records.main(["collect", str(tmp_path / "out"), "--device", "cpu", "--into", str(tmp_path / "into")])
    found = records.load_records("mnist-snr", folder=tmp_path / "into", budget="smoke")
    assert [record["seed"] for record in found] == [0, 0] and all(record["weights"] for record in found)
