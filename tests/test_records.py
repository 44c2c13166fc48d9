"""Records: what is valid, what survives killed and concurrent writers, what tables and figures make of it."""

import copy
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from drsn_lib import plotting, recipes, records
from drsn_lib.records import statistics, store

ROOT = Path(__file__).resolve().parent.parent
NONE = object()
CPU = {"kind": "cpu", "name": "Intel(R) Xeon(R) Processor @ 2.10GHz", "count": 1}
GPU = {"kind": "gpu", "name": "NVIDIA H200", "count": 1}


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch, tmp_path):
    """Tests see no records but their own."""
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "shipped")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def make(variant="drsn-cw", seed=0, accuracy=0.91, recipe="mnist-noise", budget="modern", condition=None, **changes):
    """A record as `training.run` writes it."""
    settings = recipes.get(recipe).settings(variant, budget, condition)
    right = round(accuracy * 1000)
    backend = changes.get("backend", "tensorflow")
    record = {
        "schema": 1,
        "recipe": recipe,
        "variant": variant,
        "seed": seed,
        "budget": budget,
        "condition": settings["condition"],
        "device": dict(CPU),
        "backend": backend,
        "versions": {"python": "3.11.9", "keras": "3.15.1", backend: "2.21.0", "numpy": "2.4.6", "drsn_lib": "0.1.0"},
        "commit": "7a63ed7" + 33 * "0",
        "date": "2026-11-22T09:00:00Z",
        "settings": settings,
        "digest": recipes.digest(settings),
        "parameters": {"total": 1610, "trainable": 1546},
        "seconds": {"train": 31.2, "compile": 4.0, "together": 1},
        "history": {"loss": [1.5, 0.7], "accuracy": [0.5, 0.9], "val_loss": [1.6, 0.8], "val_accuracy": [0.4, 0.8]},
        "test": {
            "accuracy": right / 1000,
            "loss": 0.3,
            "count": 1000,
            "confusion": [[right, 1000 - right], [0, 0]],
        },
        "validation": {"accuracy": 0.9, "loss": 0.31, "count": 500},
        "moving": {"accuracy": 0.62},
        "weights": None,
    }
    return {**record, **changes}


def at(record, path, value):
    """A copy with one field changed, or taken away."""
    record = copy.deepcopy(record)
    *way, last = path.split(".")
    inner = record
    for key in way:
        inner = inner[key]
    if value is NONE:
        del inner[last]
    else:
        inner[last] = value
    return record


# ---------------------------------------------------------------- the schema


def test_a_whole_record_is_valid_and_survives_json():
    record = make()
    assert records.validate(record) is record
    assert records.validate(json.loads(json.dumps(record))) == record
    for optional in ("validation", "moving", "test.confusion"):
        records.validate(at(record, optional, NONE))
    records.validate(at(at(record, "history.val_loss", NONE), "history.val_accuracy", NONE))
    records.validate(make(recipe="vibration-snr", condition={"noise": "none", "snr_db": None}))
    records.validate(at(record, "history.loss", [1.5, None]))  # diverged, and said so
    records.validate(at(at(record, "test.loss", None), "commit", None))
    records.validate(at(record, "commit", "7a63ed7-changed"))
    records.validate(at(record, "weights", "weights/vibration-snr/drsn-cw-noise=pink-snr_db=-5-gpu-seed0.npz"))


def fields(value, path=""):
    """Every path of a nested dictionary."""
    for key, inner in value.items():
        yield path + key
        if isinstance(inner, dict) and key not in ("settings", "condition"):
            yield from fields(inner, f"{path}{key}.")


OPTIONAL = {"validation", "moving", "test.confusion"}


@pytest.mark.parametrize("path", [p for p in fields(make()) if p not in OPTIONAL])
def test_no_field_may_be_missing(path):
    with pytest.raises(ValueError, match=rf"`{re.escape(path)}` .* Received: nothing"):
        records.validate(at(make(), path, NONE))


@pytest.mark.parametrize(
    "inside", ["", "device.", "parameters.", "seconds.", "history.", "test.", "validation.", "moving."]
)
def test_no_field_may_be_unknown(inside):
    with pytest.raises(ValueError, match=rf"`{re.escape(inside)}typo` of a record must be left out; known are "):
        records.validate(at(make(), f"{inside}typo", 1))


WRONG = [
    ("schema", 0, "must be 1. Received: 0"),
    ("schema", 2, "newer drsn_lib"),
    ("schema", True, "must be 1. Received: True"),
    ("schema", "1", "Received: '1'"),
    ("recipe", "MNIST", "a name of small letters"),
    ("recipe", "../mnist", "a name of small letters"),
    ("recipe", "", "a name of small letters"),
    ("variant", None, "Received: None"),
    ("budget", 5, "Received: 5"),
    ("seed", -1, "a whole number of at least 0. Received: -1"),
    ("seed", 1.0, "a whole number"),
    ("seed", True, "a whole number"),
    ("seed", np.int64(3), "(int64)"),
    ("seed", 2**63, "at least 0"),
    ("condition", None, "{} where the recipe has no conditions"),
    ("condition", {"snr_db": float("nan")}, "condition.snr_db"),
    ("condition", {"snr_db": [1]}, "a name, a finite number"),
    ("condition", {"noise": "two words"}, "a name of letters"),
    ("condition", {"seed": 3}, "named unlike any column"),
    ("condition", {"test_accuracy": 3}, "named unlike any column"),
    ("condition", {"a b": 3}, "an identifier"),
    ("device", "gpu", "a dictionary. Received: 'gpu'"),
    ("device.kind", "GPU", "one of 'cpu', 'gpu', 'tpu'"),
    ("device.kind", "gpu", "`device.name` of a record must be no processor's"),
    ("device.name", "", "as its driver gives it"),
    ("device.name", "  ", "as its driver gives it"),
    ("device.name", "NVIDIA H200", "`device.name` of a record must be a processor's"),
    ("device.count", 0, "at least 1"),
    ("backend", "theano", "one of 'tensorflow', 'jax', 'torch'"),
    ("backend", "jax", "versions.jax"),
    ("backend", ["jax"], "(list)"),
    ("versions", [], "a dictionary from package to version"),
    ("versions.keras", "newest", "a version"),
    ("versions.extra", 3, "versions.extra"),
    ("commit", "main", "7 to 40 hexadecimal digits"),
    ("commit", "7A63ED7", "7 to 40 hexadecimal digits"),
    ("date", "2026-11-22", "YYYY-MM-DDTHH:MM:SSZ"),
    ("date", "2026-11-22T09:00:00+01:00", "YYYY-MM-DDTHH:MM:SSZ"),
    ("date", "2026-13-22T09:00:00Z", "YYYY-MM-DDTHH:MM:SSZ"),
    ("date", "2026-02-30T09:00:00Z", "YYYY-MM-DDTHH:MM:SSZ"),
    ("settings", {}, "not empty"),
    ("settings.recipe", "another", "that of its settings"),
    ("settings.data", float("inf"), "`settings.data`"),
    ("settings.data", {1: 2}, "a dictionary of strings"),
    ("settings.data", [1, {"a": {2}}], "`settings.data[1].a`"),
    ("digest", "0" * 16, "that of its settings. Received: '0000000000000000'"),
    ("digest", None, "that of its settings"),
    ("parameters.total", 0, "at least 1"),
    ("parameters.total", 1610.0, "a whole number"),
    ("parameters.trainable", 1611, "from 1 to 1610"),
    ("seconds.train", -0.1, "at least 0"),
    ("seconds.train", float("inf"), "a finite number"),
    ("seconds.train", 10**400, "a finite number"),
    ("seconds.together", 0, "at least 1"),
    ("history", [], "a dictionary"),
    ("history.loss", [], "one number an epoch"),
    ("history.loss", 3.0, "one number an epoch"),
    ("history.accuracy", [0.5], "of 2 numbers, as history.loss is. Received: 1 numbers"),
    ("history.val_accuracy", [0.5, 0.5, 0.5], "of 2 numbers"),
    ("history.accuracy", [0.5, 91.0], "`history.accuracy[1]` of a record must be a finite number from 0 to 1"),
    ("history.accuracy", [0.5, None], "`history.accuracy[1]`"),
    ("history.loss", [0.5, float("nan")], "`history.loss[1]`"),
    ("history.loss", [0.5, -0.5], "`history.loss[1]`"),
    ("history.loss", [0.5, "0.5"], "`history.loss[1]`"),
    ("test", None, "a dictionary"),
    ("test.accuracy", 91.0, "a finite number from 0 to 1. Received: 91.0"),
    ("test.accuracy", -0.01, "from 0 to 1"),
    ("test.accuracy", float("nan"), "Received: nan"),
    ("test.accuracy", "0.91", "Received: '0.91'"),
    ("test.accuracy", True, "Received: True"),
    ("test.accuracy", np.float32(0.91), "(float32)"),
    ("test.accuracy", 0.5, "of the accuracy 0.5. Received: 0.91 on its diagonal"),
    ("test.loss", float("nan"), "or null where it was none"),
    ("test.count", 0, "at least 1"),
    ("test.count", 999, "of 999 samples, as the count says. Received: 1000 samples"),
    ("test.confusion", [[910, 90]], "a list of as many lists as each is long"),
    ("test.confusion", [], "a list of as many lists"),
    ("test.confusion", [[910, 90], [0, -1]], "`test.confusion[1][1]`"),
    ("validation.accuracy", 1.5, "from 0 to 1"),
    ("validation.confusion", [[1]], "left out"),
    ("moving.accuracy", 2, "from 0 to 1"),
    ("probes", [], "a list that is not empty"),
    ("probes", [{"accuracy": 0.5, "loss": 1.0, "count": 9}], "`probes[0].condition`"),
    ("probes", [{"condition": {}, "accuracy": 5, "loss": 1.0, "count": 9}], "`probes[0].accuracy`"),
    ("probes", [{"condition": {"noise": []}, "accuracy": 0.5, "loss": 1, "count": 9}], "`probes[0].condition.noise`"),
    ("weights", "/weights/a.npz", "a relative path"),
    ("weights", "../a.npz", "a relative path"),
    ("weights", "weights/../a.npz", "a relative path"),
    ("weights", "weights\\a.npz", "a relative path"),
    ("weights", "weights/a.h5", "ends in .npz"),
    ("weights", False, "Received: False"),
]


@pytest.mark.parametrize(("path", "value", "words"), WRONG, ids=[f"{path}-{n}" for n, (path, *_) in enumerate(WRONG)])
def test_a_wrong_field_is_named(path, value, words):
    """The message names the field, what was expected and what came."""
    with pytest.raises(ValueError) as caught:
        records.validate(at(make(), path, value))
    said = str(caught.value)
    print(said)
    assert re.match(r"(`[\w.\[\] ]+` of a|A) record must be .+\. Received: .+$", said) and len(said) < 400
    assert words in said
    # What is wrong may show in another field: a version that is missing, a digest that no longer fits.
    other = {"backend": "versions", "settings": "digest"}
    first = path.split(".")[0]
    assert said.split("`")[1].split(".")[0].split("[")[0] in (first, other.get(first))


@pytest.mark.parametrize("value", [None, [], "record", 3, [make()]])
def test_what_is_no_dictionary_is_no_record(value):
    with pytest.raises(ValueError, match="A record must be a dictionary"):
        records.validate(value)


PROCESSORS = [
    "cpu",
    "CPU",
    "TFRT_CPU_0",
    "CpuDevice(id=0)",
    "/device:CPU:0",
    "/physical_device:CPU:0",
    "XLA_CPU",
    "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
    "Intel(R) Xeon(R) 6985P-C",
    "AMD EPYC 7B13",
    "AMD Ryzen 7 5700G with Radeon Graphics",
    "13th Gen Intel(R) Core(TM) i7-1360P",
    "x86_64",
    "AMD64",
    "aarch64",
    "arm",
    "Neoverse-N1",
    "Host",
]
ACCELERATORS = [
    "NVIDIA H200",
    "Tesla T4",
    "NVIDIA GeForce RTX 4090",
    "NVIDIA A100-SXM4-40GB",
    "NVIDIA GH200 480GB",
    "AMD Instinct MI300X",
    "AMD Radeon RX 7900 XTX",
    "/physical_device:GPU:0",
    "Intel(R) Data Center GPU Max 1550",
]


@pytest.mark.parametrize("kind", ["gpu", "tpu"])
@pytest.mark.parametrize("name", PROCESSORS)
def test_a_processor_is_never_labelled_gpu(name, kind):
    with pytest.raises(ValueError, match=r"`device\.name` of a record must be no processor's"):
        records.validate(make(device={"kind": kind, "name": name, "count": 1}))
    records.validate(make(device={"kind": "cpu", "name": name, "count": 1}))


@pytest.mark.parametrize("name", ACCELERATORS)
def test_accelerators_are_taken(name):
    records.validate(make(device={"kind": "gpu", "name": name, "count": 4}))


@pytest.mark.parametrize("name", [n for n in ACCELERATORS if n.startswith(("NVIDIA", "Tesla", "/phys"))])
def test_a_gpu_is_never_labelled_processor(name):
    with pytest.raises(ValueError, match=r"`device\.name` of a record must be a processor's"):
        records.validate(make(device={"kind": "cpu", "name": name, "count": 1}))


def test_this_machine_names_its_device_rightly():
    from drsn_lib.training import facts

    records.validate(make(device=facts.device()))


def test_the_digest_is_stable():
    """The value is pinned: another one would make strangers of all records that there are."""
    settings = {"network": {"name": "drsn-cw", "options": [["reduction", 4]]}, "rate": 0.1, "é": None, "full": True}
    assert recipes.digest(settings) == "235605c63c6b651b"
    assert recipes.digest(dict(reversed(settings.items()))) == "235605c63c6b651b"
    assert recipes.digest(json.loads(json.dumps(settings))) == "235605c63c6b651b"
    assert recipes.digest({**settings, "rate": 0.10000000000000002}) != "235605c63c6b651b"
    code = f"from drsn_lib import recipes; print(recipes.digest({settings!r}))"
    for hash_seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
        assert done.stdout == "235605c63c6b651b\n"


def test_keys_tell_runs_apart_and_no_more():
    one = make(recipe="vibration-snr", condition={"noise": "pink", "snr_db": -5.0})
    same = at(at(one, "condition", {"snr_db": -5, "noise": "pink"}), "date", "2027-01-01T00:00:00Z")
    assert records.run_key(one) == records.run_key(same)
    for path, value in {
        "recipe": "cwru-load-shift",
        "variant": "resnet",
        "seed": 1,
        "budget": "smoke",
        "condition": {"noise": "pink", "snr_db": -4.0},
        "device": GPU,
    }.items():
        assert records.run_key(at(one, path, value)) != records.run_key(one), path


# ---------------------------------------------------------------- files


def read_quietly(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", records.BrokenRecord)
        return records.read_file(path)


def test_append_and_read(tmp_path):
    path = tmp_path / "deep" / "mnist-noise.jsonl"
    first, second = make(seed=0), make(seed=1)
    assert records.append(path, first) is True
    assert records.append(tmp_path / "deep", second) is True  # a folder: the file is named after the recipe
    assert read_quietly(path) == [first, second]
    assert [record.file for record in read_quietly(path)] == [path, path]
    assert path.read_text().count("\n") == 2 and path.read_text().endswith("}\n")
    assert records.append(path, second) is False  # the very same: nothing to add
    assert len(read_quietly(path)) == 2


def test_an_invalid_record_is_never_written(tmp_path):
    path = tmp_path / "mnist-noise.jsonl"
    with pytest.raises(ValueError, match=r"test\.accuracy"):
        records.append(path, at(make(), "test.accuracy", 91))
    assert not path.exists()


BROKEN = {
    "cut": (json.dumps(make()).encode()[:200], "not JSON"),
    "words": (b"hello", "not JSON"),
    "zeros": (bytes(300), "not JSON"),
    "bytes": (b"\xff\xfe{}", "not JSON"),
    "list": (b"[1, 2]", "A record must be a dictionary"),
    "number": (b"17", "A record must be a dictionary"),
    "null": (b"null", "A record must be a dictionary"),
    "empty object": (b"{}", "`schema` of a record must be 1. Received: nothing"),
    "newer schema": (json.dumps({**make(), "schema": 2}).encode(), "newer drsn_lib"),
    "nan": (json.dumps(at(make(), "test.loss", float("nan"))).encode(), "NaN is no number of JSON's"),
    "infinity": (json.dumps(at(make(), "test.loss", float("inf"))).encode(), "Infinity is no number"),
    "twice": (json.dumps(make()).replace('"seed": 0', '"seed": 0, "seed": 1').encode(), "`seed` stands in it twice"),
    "nested": (b"[" * 100_000, ""),
    "two in one": (json.dumps(make()).encode() * 2, "not JSON"),
    "range": (json.dumps(at(make(), "test.accuracy", 91.0)).encode(), "`test.accuracy` of a record"),
    "missing": (json.dumps(at(make(), "versions", NONE)).encode(), "`versions` of a record must be there"),
    "edited": (json.dumps(at(make(), "settings.budget", {"epochs": 9})).encode(), "`digest` of a record"),
    "line ends": (json.dumps({**make(), "recipe": "a\nb\x1b[31m"}).encode(), "`recipe` of a record"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_named_and_skipped(name, tmp_path):
    line, words = BROKEN[name]
    path = tmp_path / "mnist-noise.jsonl"
    good = [json.dumps(make(seed=seed)).encode() for seed in (0, 1)]
    path.write_bytes(b"\n".join([good[0], b"", line, good[1], b""]))
    with pytest.warns(records.BrokenRecord) as caught:
        found = records.read_file(path)
    assert [record["seed"] for record in found] == [0, 1]
    (warning,) = caught
    said = str(warning.message)
    print(said)
    assert said.startswith(f"{path}, line 3 is left out: ") and words in said and said.isprintable()
    assert warning.filename == __file__  # whose call it was


def test_an_empty_file_is_fine(tmp_path):
    (tmp_path / "mnist-noise.jsonl").write_bytes(b"")
    assert read_quietly(tmp_path / "mnist-noise.jsonl") == []
    with pytest.raises(FileNotFoundError):
        records.read_file(tmp_path / "none.jsonl")


def test_a_last_line_without_its_end_counts(tmp_path):
    path = tmp_path / "mnist-noise.jsonl"
    path.write_text(json.dumps(make()))
    assert read_quietly(path) == [make()]
    records.append(path, make(seed=1))
    assert [record["seed"] for record in read_quietly(path)] == [0, 1]


def test_wherever_a_writer_is_cut_off_no_other_record_is_harmed(tmp_path):
    path = tmp_path / "mnist-noise.jsonl"
    first, second, third = (json.dumps(make(seed=seed)).encode() + b"\n" for seed in range(3))
    for cut in range(0, len(second), 37):
        path.write_bytes(first + second[:cut])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert [record["seed"] for record in records.read_file(path)] == [0]
        assert len(caught) == bool(cut) and all("cut off" in str(one.message) for one in caught)
        assert records.append(path, json.loads(third))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", records.BrokenRecord)
            assert [record["seed"] for record in records.read_file(path)] == [0, 2]


WRITER = """
import json, sys
from drsn_lib import records
record = json.loads(sys.stdin.read())
for seed in range(int(sys.argv[2]), int(sys.argv[3])):
    records.append(sys.argv[1], {**record, "seed": seed})
    print(seed, flush=True)
"""


def writer(path, record, start, stop, **options):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(start), str(stop)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        text=True,
        **options,
    )
    process.stdin.write(json.dumps(record))
    process.stdin.close()
    return process


def big_record():
    """A record longer than a page of memory, so that it is written in several by the system."""
    record = make()
    epochs = 2000
    record["history"] = {"loss": [1.23456] * epochs, "accuracy": [0.54321] * epochs}
    return record


def test_a_killed_writer_loses_nothing_that_it_reported(tmp_path):
    path = tmp_path / "mnist-noise.jsonl"
    reported = -1
    for round_ in range(4):
        process = writer(path, big_record(), 1000 * round_, 1000 * round_ + 999)
        for _ in range(5 + 7 * round_):
            reported = int(process.stdout.readline())
        time.sleep(0.003 * round_)
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            reported = int(line)
        assert process.wait() == -signal.SIGKILL
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", records.BrokenRecord)
            found = [record["seed"] for record in records.read_file(path)]
        assert len(found) == len(set(found))
        assert set(range(1000 * round_, reported + 1)) <= set(found)
        assert len([seed for seed in found if seed >= 1000 * round_]) <= reported - 1000 * round_ + 2


def test_two_processes_may_write_to_one_file(tmp_path):
    path = tmp_path / "mnist-noise.jsonl"
    processes = [writer(path, big_record(), start, start + 60) for start in (0, 100)]
    while any(process.poll() is None for process in processes):
        if path.exists():  # a reader never sees half a record
            read_quietly(path)
    for process in processes:
        assert process.wait() == 0, process.stderr.read()
    found = [record["seed"] for record in read_quietly(path)]
    assert sorted(found) == [*range(60), *range(100, 160)]


FULL_DISK = """
import json, resource, signal, sys
from drsn_lib import records
record = json.loads(sys.stdin.read())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    records.append(sys.argv[1], record)
except OSError as error:
    print("refused:", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the file size are Unix's")
@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_full_disk_leaves_no_half_record(tmp_path, room):
    path = tmp_path / "mnist-noise.jsonl"
    records.append(path, make())
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(len(before) + room)],
        input=json.dumps(make(seed=1)),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.startswith("refused:"), done.stderr
    assert path.read_bytes() == before


def test_the_later_record_of_a_run_counts(tmp_path):
    path = tmp_path / "mnist-noise.jsonl"
    old, new = make(accuracy=0.8), make(accuracy=0.9, date="2026-11-23T00:00:00Z")
    gpu = make(accuracy=0.7, device=GPU)
    for order in ((old, new, gpu), (new, gpu, old)):
        path.unlink(missing_ok=True)
        for record in order:
            records.append(path, record)
        table = records.load("mnist-noise", folder=tmp_path)
        assert dict(zip(table["device"], table["test_accuracy"], strict=True)) == {"cpu": 0.9, "gpu": 0.7}
    records.append(path, {**new, "seconds": {"train": 1.0, "compile": 0.0, "together": 1}})  # of one date: the last
    assert records.load("mnist-noise", folder=tmp_path, device="cpu")["train_seconds"].tolist() == [1.0]


def test_merge(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for seed, day in ((0, 20), (1, 22), (2, 22)):
        records.append(target, make(seed=seed, date=f"2026-11-{day}T00:00:00Z"))
    newer = make(seed=0, accuracy=0.95)
    named = make(seed=3)
    named["weights"] = records.weights_path(named)
    for record in (newer, make(seed=1, date="2026-11-21T00:00:00Z"), named, make(recipe="cifar10-noise")):
        records.append(source / "mixed.jsonl", record)
    with pytest.raises(FileNotFoundError, match=r"drsn-cw-modern-cpu-seed3\.npz.*Nothing was merged"):
        records.merge(source, target)
    assert len(records.load(folder=target)) == 3
    weights = source / named["weights"]
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"numbers")
    assert records.merge(source, target) == 3
    assert {path.name for path in target.iterdir()} == {"mnist-noise.jsonl", "cifar10-noise.jsonl", "weights"}
    assert (target / named["weights"]).read_bytes() == b"numbers"
    table = records.load("mnist-noise", folder=target)
    assert table["test_accuracy"].tolist() == [0.95, 0.91, 0.91, 0.91]
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert records.merge(source, target) == 0 == records.merge(target, target)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert records.merge(source / "mixed.jsonl", tmp_path / "one.jsonl") == 4
    with pytest.raises(FileNotFoundError, match="There is no folder or file of records"):
        records.merge(tmp_path / "nowhere", target)


def test_merge_never_lets_two_runs_share_weights(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for folder, device in ((target, CPU), (source, GPU)):
        records.append(folder, make(device=device, weights="weights/mine.npz"))
        (folder / "weights").mkdir()
        (folder / "weights" / "mine.npz").write_text(device["kind"])
    with pytest.raises(ValueError, match="Two runs would have one file of weights"):
        records.merge(source, target)
    assert (target / "weights" / "mine.npz").read_text() == "cpu"


# ---------------------------------------------------------------- tables


def fill(folder, *many):
    for record in many:
        records.append(folder, record)
    return folder


def test_an_empty_table_has_its_columns():
    table = records.load("mnist-noise")
    assert list(table.columns) == list(records.COLUMNS) and len(table) == 0
    assert table.dtypes.astype(str).to_dict() == records.COLUMNS
    assert records.load_records() == [] and len(records.summary(table)) == 0
    assert records.provenance(table) == "no records"


def test_an_unknown_recipe_is_said(tmp_path):
    fill(tmp_path, make())
    with pytest.raises(
        ValueError, match=r"'mnist-noise', .*; there are records of 'mnist-noise'. Received: recipe='mnst'"
    ):
        records.load("mnst", folder=tmp_path)
    with pytest.raises(ValueError, match="there are records of none yet"):
        records.load("mnst")
    assert len(records.load("cifar10-noise", folder=tmp_path)) == 0
    with pytest.raises(FileNotFoundError, match="no folder or file of records"):
        records.load("mnist-noise", folder=tmp_path / "typo")
    with pytest.raises(ValueError, match="`device` must be"):
        records.load("mnist-noise", device="GPU")


def test_a_row_holds_what_the_record_says(tmp_path):
    record = make(recipe="vibration-snr", condition={"noise": "pink", "snr_db": -5.0}, device={**GPU, "count": 2})
    record["seconds"] = {"train": 330.0, "compile": 20.0, "together": 165}
    plain = {k: v for k, v in make(commit=None).items() if k not in ("validation", "moving")}
    plain["history"] = {"loss": [2.0, 1.0, None], "accuracy": [0.1, 0.2, 0.3]}
    table = records.load(folder=fill(tmp_path, record, plain))
    assert table.dtypes.astype(str)[list(records.COLUMNS)].to_dict() == records.COLUMNS
    assert list(table.columns[:6]) == ["recipe", "variant", "budget", "noise", "snr_db", "seed"]
    mnist, vibration = table.to_dict("records")  # in the order of the recipes
    assert vibration["recipe"] == "vibration-snr" and mnist["recipe"] == "mnist-noise"
    assert (vibration["noise"], vibration["snr_db"]) == ("pink", -5.0)
    assert (vibration["device"], vibration["device_name"], vibration["device_count"]) == ("gpu", "NVIDIA H200", 2)
    assert (vibration["seconds"], vibration["train_seconds"], vibration["together"]) == (2.0, 330.0, 165)
    assert (vibration["test_accuracy"], vibration["test_count"], vibration["parameters"]) == (0.91, 1000, 1610)
    assert (vibration["validation_accuracy"], vibration["moving_accuracy"]) == (0.9, 0.62)
    assert (vibration["backend"], vibration["backend_version"], vibration["epochs"]) == ("tensorflow", "2.21.0", 2)
    assert (vibration["train_loss"], vibration["train_accuracy"]) == (0.7, 0.9)
    assert np.isnan(mnist["train_loss"]) and mnist["epochs"] == 3
    assert np.isnan(mnist["validation_accuracy"]) and np.isnan(mnist["snr_db"]) and mnist["commit"] is None


def test_a_table_of_probes(tmp_path):
    condition = {"noise": "gaussian", "snr_db": 0.0}
    clean, noisy = {"noise": "none", "snr_db": None}, {"noise": "gaussian", "snr_db": -5.0}
    probes = [
        {"condition": clean, "accuracy": 0.9, "loss": 0.3, "count": 200},
        {"condition": noisy, "accuracy": 0.4, "loss": None, "count": 200},
    ]
    made = [
        make(recipe="mnist-snr", condition=condition, seed=seed, probes=probes, variant=variant)
        for seed in (0, 1)
        for variant in ("resnet", "drsn-cw")
    ]
    for record in made:
        records.append(tmp_path, record)
    table = records.probe_table([*records.load_records("mnist-snr", folder=tmp_path), make()])
    assert len(table) == 8 and set(table["trained_snr_db"]) == {0.0} and set(table["trained_noise"]) == {"gaussian"}
    assert set(table["test_count"]) == {200} and table["snr_db"].isna().sum() == 4
    found = records.summary(table, by=("variant", "snr_db"))
    assert found["mean"].tolist() == [0.4, 0.9, 0.4, 0.9] and set(found["n"]) == {2}
    assert records.paired(table[table["snr_db"] == -5], "drsn-cw", "resnet").mean == 0.0
    assert len(records.probe_table([make()])) == 0


def test_filters(tmp_path):
    fill(tmp_path, *(make(v, s, budget=b) for v in ("resnet", "drsn-cw") for s in (0, 1) for b in ("modern", "smoke")))
    for noise, snr in (("pink", -5.0), ("pink", 5.0), ("gaussian", 5.0)):
        fill(tmp_path, make("resnet", recipe="vibration-snr", condition={"noise": noise, "snr_db": snr}))

    def count(*recipe, **filters):
        return len(records.load(*recipe, folder=tmp_path, **filters))

    assert count() == 11 and count("mnist-noise") == 8 and count(["mnist-noise", "vibration-snr"]) == 11
    assert count("mnist-noise", budget="smoke") == 4 and count(variant="drsn-cw") == 4
    assert count("mnist-noise", budget="smoke", variant="resnet", seed=0) == 1
    assert count("mnist-noise", seed=[0, 1]) == 8 and count(seed=np.int64(1)) == 4 and count(seed=range(2)) == 11
    assert count(condition={"noise": "pink"}) == 2 and count(condition={"snr_db": 5}) == 2
    assert count(device="gpu") == 0 and count(device="cpu") == 11
    order = records.load("mnist-noise", folder=tmp_path)[["variant", "budget", "seed"]].values.tolist()
    assert order == [[v, b, s] for v in ("resnet", "drsn-cw") for b in ("modern", "smoke") for s in (0, 1)]


def test_the_best_device_is_the_one_that_did_it_all(tmp_path):
    cpu = [make(seed=seed) for seed in range(3)]
    fill(tmp_path, *cpu, make(seed=0, device=GPU, accuracy=0.5))
    assert set(records.load("mnist-noise", tmp_path, device="best")["device"]) == {"cpu"}
    fill(tmp_path, make(seed=1, device=GPU), make(seed=2, device=GPU), make(seed=0, budget="smoke"))
    best = records.load("mnist-noise", tmp_path, device="best")
    assert best.groupby("budget")["device"].agg(list).to_dict() == {"modern": ["gpu"] * 3, "smoke": ["cpu"]}
    assert records.load("mnist-noise", tmp_path, device="best", budget="modern")["test_accuracy"].iloc[0] == 0.5


def test_your_own_folder_goes_before_what_is_shipped(tmp_path, monkeypatch):
    shipped, mine = tmp_path / "a", tmp_path / "b"
    fill(shipped, make(accuracy=0.8), make(seed=1))
    fill(mine, make(accuracy=0.9))
    monkeypatch.setattr(store, "SHIPPED", shipped)
    assert records.load("mnist-noise")["test_accuracy"].tolist() == [0.8, 0.91]
    assert records.load("mnist-noise", mine)["test_accuracy"].tolist() == [0.9, 0.91]


def test_where_your_own_records_are(monkeypatch, tmp_path):
    monkeypatch.delenv("DRSN_RECORDS", raising=False)
    assert records.default_folder() == Path("runs")
    monkeypatch.setenv("DRSN_RECORDS", str(tmp_path))
    assert records.default_folder() == tmp_path


NO_BACKEND = """
import sys, matplotlib
matplotlib.use("Agg")
import drsn_lib
from drsn_lib import records, plotting
assert "pandas" not in sys.modules
records.store.SHIPPED = records.SHIPPED / "none"
found = records.load_records(folder=sys.argv[1])
table = records.to_table(found)
print(len(table), records.summary(table)["n"].tolist(), records.paired(table, "drsn-cw", "resnet").n)
plotting.learning_curves(found); plotting.variant_scores(table); plotting.record_table(table)
records.missing(), records.weights_path(found[0])
print([name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules])
"""


def test_reading_and_drawing_start_no_backend(tmp_path):
    fill(tmp_path, *(make(variant, seed) for variant in ("resnet", "drsn-cw") for seed in range(2)))
    done = subprocess.run(
        [sys.executable, "-c", NO_BACKEND, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["4 [2, 2] 2", "[]"]


def test_what_is_shipped_is_whole(monkeypatch):
    """Every record of the package is valid and current in form; every file of weights has its record."""
    monkeypatch.setattr(store, "SHIPPED", records.SHIPPED)
    with warnings.catch_warnings():
        warnings.simplefilter("error", records.BrokenRecord)
        found = records.load_records()
        lines = [record for path in records.SHIPPED.glob("*.jsonl") for record in records.read_file(path)]
    assert {record["recipe"] for record in found} <= set(recipes.names())
    assert all(record.file.name == f"{record['recipe']}.jsonl" for record in found)
    named = {record.file.parent / record["weights"] for record in lines if record["weights"]}
    assert set((records.SHIPPED / "weights").rglob("*.npz")) == named


def test_the_wheel_carries_records_and_weights(tmp_path):
    """What git ignores is left out of a wheel: records must not be."""
    builder = pytest.importorskip("hatchling.builders.wheel")
    for name in ("pyproject.toml", ".gitignore", "README.md", "LICENSE", "LICENSE-text"):
        shutil.copy(ROOT / name, tmp_path / name)
    code = shutil.ignore_patterns("__pycache__", "data", "runs")
    shutil.copytree(ROOT / "drsn_lib", tmp_path / "drsn_lib", ignore=code)
    (tmp_path / "drsn_lib" / "data").mkdir()
    shutil.copy(ROOT / "drsn_lib" / "data" / "LICENSE-MNIST", tmp_path / "drsn_lib" / "data")
    record = make(weights="weights/mnist-noise/a.npz")
    fill(tmp_path / "drsn_lib" / "records" / "runs", record)
    (tmp_path / "drsn_lib" / "records" / "runs" / "weights" / "mnist-noise").mkdir(parents=True)
    (tmp_path / "drsn_lib" / "records" / "runs" / "weights" / "mnist-noise" / "a.npz").write_bytes(b"")
    fill(tmp_path / "runs", make(seed=1))  # one's own, beside the package
    (wheel,) = builder.WheelBuilder(str(tmp_path)).build(directory=str(tmp_path / "made"), versions=["standard"])
    inside = [name for name in zipfile.ZipFile(wheel).namelist() if "runs" in name]
    assert sorted(inside) == [
        "drsn_lib/records/runs/mnist-noise.jsonl",
        "drsn_lib/records/runs/weights/mnist-noise/a.npz",
    ]


# ---------------------------------------------------------------- weights


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def small_model(variant="drsn-cw", **options):
    from drsn_lib import models

    return models.build(variant, (20, 1), 3, stem=(4, 1), stages=[(4, 1, 2)], activation="aprelu", **options)


def values(model):
    import keras

    return [np.asarray(keras.ops.convert_to_numpy(v)) for v in model.weights]


def shuffle(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        value = rng.normal(size=variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.path else value)
    return model


def test_weights_round_trip(keras, tmp_path):
    model, path = shuffle(small_model()), tmp_path / "deep" / "w.npz"
    records.save_weights(model, path)
    other = small_model()
    assert not all(np.array_equal(a, b) for a, b in zip(values(model), values(other), strict=True))
    records.load_weights(other, path)
    for a, b in zip(values(model), values(other), strict=True):
        np.testing.assert_array_equal(a, b)
    with np.load(path, allow_pickle=False) as file:
        names = set(file.files)
        assert {file[name].dtype for name in names} == {np.dtype("float32")}
    assert {"stem/kernel", "stage1_unit1/gate/hidden_dense/kernel", "classifier/bias"} <= names
    assert "stage1_unit1/norm_1/moving_variance" in names
    assert os.listdir(path.parent) == ["w.npz"]


def test_names_and_bytes_do_not_depend_on_what_was_built_before(keras, tmp_path):
    def build():
        dense = [keras.layers.Dense(4, activation="relu"), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
        inner = keras.Sequential([keras.Input((3,)), *dense])
        return keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(2), keras.layers.PReLU()])

    names, content = [], []
    for number in range(2):
        records.save_weights(shuffle(build()), tmp_path / f"{number}.npz")
        names.append(np.load(tmp_path / f"{number}.npz").files)
        content.append((tmp_path / f"{number}.npz").read_bytes())
    assert names[0] == names[1] and content[0] == content[1]
    assert names[0] == [
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "sequential/dense_1/kernel",
        "sequential/dense_1/bias",
        "dense/kernel",
        "dense/bias",
        "p_re_lu/alpha",
    ]


def test_random_states_and_optimizers_are_left_out(keras, tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), keras.layers.GaussianNoise(0.1)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)
    records.save_weights(model, tmp_path / "w.npz")
    assert np.load(tmp_path / "w.npz").files == ["dense/kernel", "dense/bias"]


def test_half_precision_halves_the_size_and_keeps_three_digits(keras, tmp_path):
    model = keras.Sequential([keras.Input((100,), name="in"), keras.layers.Dense(200), keras.layers.Dense(1)])
    shuffle(model)
    model.weights[3].assign([1e6])  # beyond the range of float16
    records.save_weights(model, tmp_path / "full.npz")
    records.save_weights(model, tmp_path / "half.npz", dtype="float16")
    assert (tmp_path / "half.npz").stat().st_size < 0.62 * (tmp_path / "full.npz").stat().st_size
    before = values(model)
    records.load_weights(model, tmp_path / "half.npz")
    for a, b in zip(before, values(model), strict=True):
        assert b.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=5e-4, atol=1e-7)
    assert values(model)[3] == 1e6


def test_weights_that_do_not_fit_are_named(keras, tmp_path):
    path = tmp_path / "w.npz"
    model = small_model()
    records.save_weights(model, path)
    kept = values(small_model("resnet"))
    other = small_model("resnet", name="other")
    before = values(other)
    with pytest.raises(
        ValueError, match=r"'other': the model has no stage1_unit1/gate/hidden_dense/kernel,.* and 2 more"
    ):
        records.load_weights(other, path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["stem/kernel"] = arrays["stem/kernel"][:2]
    del arrays["classifier/bias"], arrays["classifier/kernel"]
    np.savez(path, **arrays)
    said = r"lacks classifier/kernel, classifier/bias; .*stem/kernel, \(2, 1, 4\) instead of \(3, 1, 4\)"
    with pytest.raises(ValueError, match=said):
        records.load_weights(model, path)
    for a, b in zip(before, values(other), strict=True):  # all or nothing
        np.testing.assert_array_equal(a, b)
    assert len(kept) == len(before)


def test_faults_of_files_of_weights(keras, tmp_path):
    model, path = small_model(), tmp_path / "w.npz"
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        records.load_weights(model, path)
    records.save_weights(model, path)
    whole = path.read_bytes()
    for damage in (b"", b"PK", whole[: len(whole) // 2], whole[:100] + b"\0" * 50 + whole[150:], b"words"):
        path.write_bytes(damage)
        with pytest.raises(ValueError, match=r"no whole \.npz file of weights"):
            records.load_weights(model, path)
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"no whole \.npz file of weights"):
        records.load_weights(model, path)
    with pytest.raises(ValueError, match="`dtype` must be"):
        records.save_weights(model, path, dtype="int8")
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        records.save_weights(model, tmp_path / "w.h5")
    with pytest.raises(ValueError, match="has no weights; build it first"):
        records.save_weights(keras.Sequential([keras.layers.Dense(3)]), path)

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)
            self.scale = self.add_weight(shape=(2,), name="scale")

        def call(self, x):
            return self.dense(x) * self.scale

    own = Own()
    own(np.ones((1, 2), "float32"))
    with pytest.raises(ValueError, match="1 weights that belong to none of its layers"):
        records.save_weights(own, path)


def test_paths_of_weights_differ_where_runs_do():
    runs = [
        make("resnet"),
        make(),
        make(seed=1),
        make(budget="smoke"),
        make(device=GPU),
        *(
            make(recipe="vibration-snr", condition=dict(condition))
            for condition in recipes.get("vibration-snr").conditions
        ),
    ]
    paths = [records.weights_path(run) for run in runs]
    assert len(set(paths)) == len(runs)
    for run, path in zip(runs, paths, strict=True):
        records.validate({**run, "weights": path})
    assert paths[1] == "weights/mnist-noise/drsn-cw-modern-cpu-seed0.npz"


def stored(folder, variant="drsn-cw", number=0, **options):
    """A record with weights, and the network that they are of."""
    from drsn_lib import training

    record = make(variant, **options)
    model = shuffle(training.build_model(record["recipe"], variant, record["budget"]), number)
    record["weights"] = records.weights_path(record)
    records.save_weights(model, folder / record["weights"])
    records.append(folder, record)
    return model


def test_load_model_rebuilds_what_was_trained(keras, tmp_path, monkeypatch):
    cpu = stored(tmp_path)
    stored(tmp_path, seed=2, number=1)
    stored(tmp_path, "resnet", number=2)
    x = np.random.default_rng(0).normal(size=(3, 28, 28, 1)).astype("float32")

    def same(a, b):
        return np.array_equal(*(np.asarray(keras.ops.convert_to_numpy(m(x, training=False))) for m in (a, b)))

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # that of a recipe that has changed
        assert same(records.load_model("mnist-noise", "drsn-cw", folder=tmp_path), cpu)
    there = r"seed=1\. There are: resnet \(modern, cpu\) seeds 0; drsn-cw \(modern, cpu\) seeds 0, 2"
    with pytest.raises(ValueError, match=there):
        records.load_model("mnist-noise", "drsn-cw", seed=1, folder=tmp_path)
    with pytest.raises(ValueError, match="budget='faithful'"):
        records.load_model("mnist-noise", "drsn-cw", budget="faithful", folder=tmp_path)
    with pytest.raises(ValueError, match="There are: none"):
        records.load_model("cifar10-noise", "drsn-cw", folder=tmp_path)
    faithful = stored(tmp_path, budget="faithful", number=3)
    gpu = stored(tmp_path, device=GPU, number=4)
    assert same(records.load_model("mnist-noise", "drsn-cw", folder=tmp_path), gpu)
    assert same(records.load_model("mnist-noise", "drsn-cw", folder=tmp_path, device="cpu"), cpu)
    assert same(records.load_model("mnist-noise", "drsn-cw", budget="faithful", folder=tmp_path), faithful)
    monkeypatch.setattr(store, "SHIPPED", tmp_path)
    assert same(records.load_model("mnist-noise", "drsn-cw"), gpu)
    changed = make(seed=5)
    changed["settings"]["budget"]["epochs"] = 99
    changed["digest"] = recipes.digest(changed["settings"])
    changed["weights"] = records.weights_path(make())
    records.append(tmp_path, changed)
    with pytest.warns(UserWarning, match="'mnist-noise' has changed since this run of 2026-11-22"):
        records.load_model("mnist-noise", "drsn-cw", seed=5)
    (tmp_path / changed["weights"]).unlink()
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        records.load_model("mnist-noise", "drsn-cw", device="cpu")


def test_load_model_asks_for_a_condition(keras, tmp_path):
    options = {"recipe": "vibration-snr", "budget": "smoke"}
    pink = stored(tmp_path, condition={"noise": "pink", "snr_db": 0.0}, **options)
    stored(tmp_path, condition={"noise": "gaussian", "snr_db": 0.0}, number=1, **options)
    with pytest.raises(ValueError, match=r"several conditions.*'noise': 'gaussian'"):
        records.load_model("vibration-snr", "drsn-cw", folder=tmp_path)
    found = records.load_model("vibration-snr", "drsn-cw", condition={"noise": "pink"}, folder=tmp_path)
    for a, b in zip(values(found), values(pink), strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- statistics

SCORES = {"resnet": [0.90, 0.93, 0.91, 0.94, 0.92], "drsn-cw": [0.93, 0.93, 0.96, 0.95, 0.96]}


def mnist_table(scores=None):
    return records.to_table([make(v, s, x) for v, xs in (scores or SCORES).items() for s, x in enumerate(xs)])


def vibration_records(effects=(("resnet", 0.0), ("drsn-cw", 0.02)), seeds=4, snrs=(-5.0, 0.0, 5.0), device=GPU):
    rng = np.random.default_rng(0)
    shared = {(s, snr): rng.normal(0, 0.02) for s in range(seeds) for snr in snrs}
    return [
        make(v, s, 0.7 + 0.02 * snr + shared[s, snr] + e * (1 + 0.5 * s), "vibration-snr", device=device,
             condition={"noise": "pink", "snr_db": snr})
        for v, e in effects
        for s in range(seeds)
        for snr in snrs
    ]  # fmt: skip


def test_summary_is_mean_and_spread_of_seeds():
    found = records.summary(mnist_table()).set_index("variant")
    assert list(found.index) == ["resnet", "drsn-cw"]
    for name, scores in SCORES.items():
        row = found.loc[name]
        np.testing.assert_allclose([row["mean"], row["sd"]], [np.mean(scores), np.std(scores, ddof=1)], rtol=1e-12)
        assert (row["n"], row["runs"], row["parameters"], row["seconds"]) == (5, 5, 1610, 31.2)
    single = records.summary(mnist_table({"resnet": [0.9]}))
    assert np.isnan(single["sd"][0]) and single["n"][0] == 1


def test_over_conditions_the_spread_is_that_of_the_seeds():
    made = vibration_records()
    table = records.to_table(made)
    found = records.summary(table).set_index("variant").loc["drsn-cw"]
    scores = np.array(
        [[r["test"]["accuracy"] for r in made if r["variant"] == "drsn-cw" and r["seed"] == s] for s in range(4)]
    )
    assert scores.shape == (4, 3)
    np.testing.assert_allclose(found[["mean", "sd"]].astype(float), [scores.mean(), scores.mean(1).std(ddof=1)])
    assert (found["n"], found["runs"]) == (4, 12)
    by = records.summary(table, by=("variant", "snr_db"))
    assert by[["variant", "snr_db", "n"]].values.tolist()[:3] == [
        ["resnet", -5.0, 4],
        ["resnet", 0.0, 4],
        ["resnet", 5.0, 4],
    ]
    np.testing.assert_allclose(by["mean"][3:], scores.mean(0))


def test_what_is_not_alike_is_never_averaged():
    table = mnist_table()
    for changes, words in (
        ({"budget": "smoke"}, "variant 'resnet': The table mixes records of budget 'modern', 'smoke'"),
        ({"device": GPU}, "mixes records of device 'cpu', 'gpu'.*device='best'"),
        ({"recipe": "cifar10-noise"}, "mixes records of recipe 'mnist-noise', 'cifar10-noise'"),
    ):
        both = pd.concat([table, records.to_table([make("resnet", **changes)])])
        with pytest.raises(ValueError, match=words):
            records.summary(both)
        with pytest.raises(ValueError, match=words.split(": ")[-1]):
            records.paired(both, "resnet", "drsn-cw")
    with pytest.raises(ValueError, match="seed 0-4 twice"):
        records.summary(pd.concat([table, table]))
    with pytest.raises(ValueError, match="no column 'accuracy'; it has recipe, variant"):
        records.summary(table, value="accuracy")
    old = make("resnet", 9)
    old["settings"]["budget"]["epochs"] = 99
    old["digest"] = recipes.digest(old["settings"])
    with pytest.raises(
        ValueError, match=r"made with different settings \([0-9a-f]{16}: seeds 0-4; [0-9a-f]{16}: seeds 9\)"
    ):
        records.summary(pd.concat([table, records.to_table([old])]))


def test_unequal_conditions_are_said():
    table = records.to_table(vibration_records())
    short = table.drop(table.index[(table["seed"] == 2) & (table["snr_db"] == 0) & (table["variant"] == "resnet")])
    with pytest.raises(ValueError, match=r"variant 'resnet': .*Of 1 runs .* seed 2 under noise = pink, snr_db = 0.0"):
        records.summary(short)
    with pytest.raises(ValueError, match=r"'resnet' lacks 1 runs, the first seed 2 under noise = pink, snr_db = 0.0"):
        records.paired(short, "drsn-cw", "resnet")


def test_paired_differences():
    found = records.paired(mnist_table(), "drsn-cw", "resnet")
    expected = np.subtract(SCORES["drsn-cw"], SCORES["resnet"])
    np.testing.assert_allclose(found.differences, expected)
    np.testing.assert_allclose([found.mean, found.sd], [expected.mean(), expected.std(ddof=1)])
    assert (found.n, found.runs, found.a, found.b, found.method) == (5, 5, "drsn-cw", "resnet", "expanded")
    assert expected.min() <= found.low < found.mean < found.high <= expected.max()
    back = records.paired(mnist_table(), "resnet", "drsn-cw")
    np.testing.assert_allclose([back.mean, back.low, back.high], [-found.mean, -found.high, -found.low], atol=2e-3)
    minus = "\N{MINUS SIGN}"
    assert str(back) == (
        f"ResNet minus DRSN-CW: {minus}0.0260 (95 % bootstrap interval {minus}{-back.low:.4f} to "
        f"{f'{back.high:+.4f}'.replace('-', minus)}), n = 5 seeds"
    )
    again = records.paired(mnist_table(), "drsn-cw", "resnet")
    assert (again.low, again.high) == (found.low, found.high)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_seeds_are_printed_one_by_one(n):
    """Below the seeds that a verdict needs no interval is printed; who asks for its ends has them."""
    found = records.paired(mnist_table({name: scores[:n] for name, scores in SCORES.items()}), "resnet", "drsn-cw")
    each = [f"{one:+.4f}".replace("-", "\N{MINUS SIGN}") for one in found.differences]
    mean = f"{found.mean:+.4f}".replace("-", "\N{MINUS SIGN}")
    assert str(found) == f"ResNet minus DRSN-CW: {mean} (seed by seed {', '.join(each)}), n = {n} seeds"
    assert not found.enough and len(each) == n and found.low <= found.mean <= found.high
    assert records.paired(mnist_table(), "resnet", "drsn-cw").enough
    assert not records.paired(mnist_table({name: [0.9] for name in SCORES}), "resnet", "drsn-cw").enough


@pytest.mark.parametrize(("method", "name"), [("percentile", "percentile"), ("bca", "BCa")])
def test_intervals_are_scipys(method, name):
    rng = np.random.default_rng(5)
    scores = {
        "resnet": rng.uniform(0.8, 0.9, 8).round(3).tolist(),
        "drsn-cw": rng.uniform(0.85, 0.95, 8).round(3).tolist(),
    }
    found = records.paired(mnist_table(scores), "drsn-cw", "resnet", method=method, confidence=0.9, random_state=7)
    differences = np.subtract(scores["drsn-cw"], scores["resnet"])
    theirs = stats.bootstrap(
        (differences,), np.mean, n_resamples=10_000, confidence_level=0.9, method=name, rng=np.random.default_rng(7)
    ).confidence_interval
    np.testing.assert_allclose([found.low, found.high], [theirs.low, theirs.high], rtol=1e-9)
    # And by hand, from other random numbers: the percentiles of resampled means.
    if method == "percentile":
        means = rng.choice(differences, size=(40_000, 8)).mean(axis=1)
        np.testing.assert_allclose([found.low, found.high], np.quantile(means, [0.05, 0.95]), atol=1.5e-3)


def test_the_expanded_interval_is_hesterbergs():
    """Percentiles of the normal quantiles -+ sqrt(n / (n - 1)) t: for n = 5, 0.1 % and 99.9 %."""
    found = records.paired(mnist_table(), "drsn-cw", "resnet")
    level = 1 - 2 * stats.norm.cdf(-np.sqrt(5 / 4) * stats.t.ppf(0.975, 4))
    assert level == pytest.approx(0.99809, abs=1e-5)
    differences = np.subtract(SCORES["drsn-cw"], SCORES["resnet"])
    means = np.random.default_rng(0).choice(differences, size=(400_000, 5)).mean(axis=1)
    ends = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    np.testing.assert_allclose([found.low, found.high], ends, atol=2.1e-3)
    assert found.high - found.low < np.ptp(differences)
    theirs = stats.bootstrap(
        (differences,), np.mean, n_resamples=10_000, confidence_level=level, method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    np.testing.assert_allclose([found.low, found.high], [theirs.low, theirs.high], rtol=1e-9)


def test_the_expanded_interval_covers_what_it_says():
    """With ten seeds of normal differences about 94 of 100 intervals hold the truth; plain percentiles fewer."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0.01, 0.02, size=(400, 10))
    hits = {}
    for method in ("expanded", "percentile"):
        ends = [statistics._interval(one, 0.95, method, 1000, 0) for one in samples]
        hits[method] = np.mean([low <= 0.01 <= high for low, high in ends])
    assert 0.91 <= hits["expanded"] <= 0.98 and hits["percentile"] < hits["expanded"] - 0.02, hits
    # Of symmetric data, the ends are near those of Student's interval.
    one = np.sort(samples[0] - samples[0].mean())
    low, high = statistics._interval(np.concatenate([one, -one]), 0.95, "expanded", 20_000, 0)
    half = stats.t.ppf(0.975, 19) * np.std(np.concatenate([one, -one]), ddof=1) / np.sqrt(20)
    np.testing.assert_allclose([low, high], [-half, half], rtol=0.06)


def test_agreement_holds_for_further_draws_and_fails_for_others():
    rng = np.random.default_rng(3)
    hits = []
    for _ in range(400):
        known = pd.DataFrame({"variant": "resnet", "seed": range(6), "test_accuracy": rng.normal(0.8, 0.02, 6)})
        new = pd.DataFrame({"variant": "resnet", "seed": range(2), "test_accuracy": rng.normal(0.8, 0.02, 2)})
        hits.append(records.agreement(new, known, confidence=0.9)["within"].item())
    assert 0.85 < np.mean(hits) < 0.95
    both = records.to_table(vibration_records())
    found = records.agreement(both.assign(test_accuracy=0.0), both)
    assert not found["within"].any() and {"noise", "snr_db", "variant"} <= set(found.columns)
    assert records.agreement(both, both)["within"].all()
    alone = both[both["variant"] == both["variant"].iloc[0]].assign(variant="convnet")
    unknown = records.agreement(alone, both)
    assert unknown["within"].isna().all() and (unknown["recorded_n"] == 0).all()


def test_seeds_are_resampled_with_all_their_conditions():
    """Ten conditions that say the same are no ten times as many observations."""
    one = records.to_table(vibration_records(snrs=(0.0,)))
    copies = []
    for snr in range(-5, 5):
        copies.append(one.assign(snr_db=float(snr), digest=one["digest"] + str(snr)))
    few, many = (records.paired(t, "drsn-cw", "resnet") for t in (one, pd.concat(copies)))
    assert (few.n, few.runs, many.n, many.runs) == (4, 4, 4, 40)
    np.testing.assert_allclose([few.low, few.high, few.sd], [many.low, many.high, many.sd])
    assert many.high - many.low > 0.01


def test_what_cannot_be_paired_is_said():
    table = mnist_table()
    short = table[(table["variant"] == "resnet") | table["seed"].isin([0, 2])]
    with pytest.raises(ValueError, match="'drsn-cw' lacks seeds 1, 3, 4, which 'resnet' has"):
        records.paired(short, "drsn-cw", "resnet")
    with pytest.raises(ValueError, match="'drsn-cw' lacks seeds 1, 3, 4, which 'resnet' has"):
        records.paired(short, "resnet", "drsn-cw")
    apart = pd.concat(
        [
            table[(table["variant"] == "resnet") & (table["seed"] < 2)],
            table[(table["variant"] == "drsn-cw") & (table["seed"] > 0)],
        ]
    )
    with pytest.raises(
        ValueError, match="'drsn-cw' lacks seeds 0, which 'resnet' has; 'resnet' lacks seeds 2-4, which"
    ):
        records.paired(apart, "drsn-cw", "resnet")
    with pytest.raises(ValueError, match="no record of variant 'senet' in the table, which has 'resnet', 'drsn-cw'"):
        records.paired(table, "senet", "resnet")
    with pytest.raises(ValueError, match="`method`"):
        records.paired(table, "drsn-cw", "resnet", method="BCa")
    with pytest.raises(ValueError, match="`confidence`"):
        records.paired(table, "drsn-cw", "resnet", confidence=95)


def test_matched_runs_are_of_one_budget_and_of_shared_seeds(tmp_path):
    pair = ["resnet", "drsn-cw"]

    def found(**words):
        runs = records.matched("mnist-noise", pair, folder=tmp_path, **words)
        assert len({(run["variant"], run["seed"]) for run in runs}) == len(runs)
        assert {run["seed"] for run in runs if run["variant"] == "resnet"} == {
            run["seed"] for run in runs if run["variant"] == "drsn-cw"
        }
        return {(run["budget"], run["seed"]) for run in runs}

    fill(tmp_path, make("resnet", 0))
    assert found() == set()
    fill(tmp_path, make("drsn-cw", 0), make("drsn-cw", 1), make("senet", 1))
    assert found() == {("modern", 0)}
    fill(tmp_path, *(make(name, seed, budget="faithful") for name in pair for seed in range(3)))
    assert found() == {("faithful", seed) for seed in range(3)}  # more of them
    fill(tmp_path, *(make(name, seed) for name in pair for seed in range(1, 5)))
    fill(tmp_path, *(make(name, seed, budget="faithful") for name in pair for seed in range(3, 7)))
    assert found() == {("modern", seed) for seed in range(5)}  # enough, and of the budget that comes first
    assert found(budget="faithful") == {("faithful", seed) for seed in range(7)}
    with pytest.raises(ValueError, match="must be one of"):
        records.matched("mnist-nose", pair)


def test_the_verdict_is_that_of_the_interval_and_waits_for_five_seeds():
    plain, ahead = [0.90, 0.92, 0.91, 0.93, 0.92], [0.93, 0.94, 0.95, 0.96, 0.93]

    def verdict(first, second, value="test_accuracy"):
        table = mnist_table({"drsn-cw": first, "resnet": second})
        return records.paired(table, "drsn-cw", "resnet", value=value).verdict

    assert verdict(ahead, plain) == "DRSN-CW is ahead"
    assert verdict(plain, ahead) == "ResNet is ahead"
    assert verdict([0.95, 0.90, 0.92, 0.91, 0.93], plain) == "undecided"
    assert verdict(plain, plain) == "undecided"  # no difference at all, in an interval of no width
    for n in (2, 3, 4):  # the interval misses zero with room to spare, and three seeds are three seeds
        assert verdict([0.9] * n, [0.5] * n) == f"no verdict from {n} seeds"
    assert verdict([0.9], [0.5]) == "no verdict from 1 seed"
    table = mnist_table()
    table.loc[0, "test_loss"] = np.nan
    assert records.paired(table, "drsn-cw", "resnet", value="test_loss").verdict == "undecided"


@pytest.mark.parametrize("method", ["expanded", "percentile", "bca"])
def test_intervals_at_the_edge(method):
    one = records.paired(mnist_table({"resnet": [0.9], "drsn-cw": [0.95]}), "drsn-cw", "resnet", method=method)
    assert np.isnan([one.sd, one.low, one.high]).all() and one.n == 1
    assert str(one) == "DRSN-CW minus ResNet: +0.0500, n = 1 seed"
    equal = records.paired(
        mnist_table({"resnet": [0.5] * 3, "drsn-cw": [0.75] * 3}), "drsn-cw", "resnet", method=method
    )
    assert (equal.low, equal.high, equal.sd) == (0.25, 0.25, 0.0)
    table = mnist_table()
    table.loc[0, "test_loss"] = np.nan  # a diverged run is no reason to leave it out silently
    found = records.paired(table, "drsn-cw", "resnet", value="test_loss", method=method)
    assert np.isnan([found.mean, found.low, found.high]).all()
    assert np.isnan(records.summary(table, value="test_loss")["mean"][0])
    table = records.to_table(vibration_records())
    table.loc[0, "test_loss"] = np.nan
    assert np.isnan(records.summary(table, value="test_loss")["mean"]).tolist() == [True, False]


def test_missing_is_planned_minus_there(tmp_path):
    planned = recipes.planned()
    assert records.missing("gpu") == planned and len(planned) > 100
    first = planned[:3]
    for run in first:
        fill(
            tmp_path,
            make(
                run["variant"],
                run["seed"],
                recipe=run["recipe"],
                budget=run["budget"],
                condition=run["condition"],
                device=GPU,
            ),
        )
    assert records.missing("gpu", tmp_path) == planned[3:]
    assert records.missing("cpu", tmp_path) == planned
    assert records.missing(None, tmp_path) == planned[3:]
    only = records.missing("gpu", tmp_path, recipe=first[0]["recipe"])
    assert only == [run for run in planned[3:] if run["recipe"] == first[0]["recipe"]]
    last = planned[-1]
    stale = make(
        last["variant"],
        last["seed"],
        recipe=last["recipe"],
        budget=last["budget"],
        condition=last["condition"],
        device=GPU,
    )
    assert records.is_current(stale)
    stale["settings"]["budget"]["epochs"] += 1
    stale["digest"] = recipes.digest(stale["settings"])
    fill(tmp_path, stale)
    assert not records.is_current(stale)
    assert records.missing("gpu", tmp_path) == planned[3:]  # made with other settings: still wanted
    assert not records.is_current({**stale, "recipe": "gone"}) and not records.is_current({**stale, "variant": "gone"})
    with pytest.raises(ValueError, match="`device`"):
        records.missing("H200")


def test_provenance_tells_processor_from_gpu():
    cpu = [make(v, s) for v in ("resnet", "drsn-cw") for s in range(5)]
    assert records.provenance(cpu) == "5 seeds; CPU (TensorFlow 2.21), 2026-11-22, drsn_lib 0.1.0, commit 7a63ed7"
    assert records.provenance(records.to_table(cpu)) == records.provenance(cpu)
    jax = {"backend": "jax", "device": GPU, "commit": "0123456789-changed", "date": "2026-11-25T10:00:00Z"}
    gpu = [make(seed=s, **jax) for s in range(2)]
    assert records.provenance(gpu) == (
        "2 seeds; GPU NVIDIA H200 (JAX 2.21), 2026-11-25, drsn_lib 0.1.0, commit 0123456 with changes"
    )
    said = records.provenance(cpu + gpu)
    assert "10 runs on CPU (TensorFlow 2.21) and 2 runs on GPU NVIDIA H200 (JAX 2.21)" in said
    assert said.startswith("2 to 5 seeds; ") and "2026-11-22 to 2026-11-25" in said
    assert "commits 0123456 with changes and 7a63ed7" in said
    two = [make(device={"kind": "gpu", "name": "Intel Data Center GPU Max", "count": 2}, commit=None)]
    assert records.provenance(two) == (
        "1 seed; 2 x Intel Data Center GPU Max (TensorFlow 2.21), 2026-11-22, drsn_lib 0.1.0, commit unknown"
    )


def test_seeds_in_words():
    from drsn_lib.records.weights import spans

    assert spans([4, 0, 1, 2, 9]) == "0-2, 4, 9" and spans([1, 2]) == "1, 2" and spans([]) == ""


# ---------------------------------------------------------------- figures


def drawn(axis):
    """The texts of a figure or axis that are not empty."""
    return [text.get_text() for text in axis.findobj(matplotlib.text.Text) if text.get_text()]


def test_record_table():
    found = plotting.record_table(mnist_table())
    assert found.index.tolist() == ["ResNet", "DRSN-CW"]
    assert found.iloc[0].tolist() == ["0.920 ± 0.016 (n = 5)", "1,610", "31.2"]
    assert found.columns.tolist() == ["test accuracy", "parameters", "seconds a run"]
    single = plotting.record_table(mnist_table({"resnet": [0.9]}), digits=2)
    assert single.iloc[0, 0] == "0.90 (n = 1)"
    table = records.to_table(vibration_records())
    wide = plotting.record_table(table[table["snr_db"] != 0], columns="snr_db")
    assert wide.columns.tolist() == [-5.0, 5.0] and wide.shape == (2, 2)
    assert "<table" in wide._repr_html_() and "n = 4" in wide.to_string()
    partly = table[(table["variant"] == "resnet") | (table["snr_db"] == 0)]
    assert plotting.record_table(partly, columns="snr_db").loc["DRSN-CW"].tolist()[0] == "\N{EN DASH}"
    assert len(plotting.record_table(records.load("mnist-noise"))) == 0


def test_every_variant_has_one_look():
    variants = {name for recipe in recipes.names() for name in recipes.get(recipe).variant_names}
    assert store.VARIANT_ORDER == tuple(plotting.VARIANT_NAMES)
    for known in (plotting.VARIANT_COLORS, plotting.VARIANT_NAMES, plotting._VARIANT_LOOKS):
        assert variants <= set(known)
    for name in recipes.names():
        names = recipes.get(name).variant_names
        # These two share a color; a recipe with both is drawn with names beside the marks, and their marks differ.
        shared = {"learned-fraction", "aprelu"} <= set(names)
        assert len({plotting.VARIANT_COLORS[one] for one in names}) == len(names) - shared, name
        assert len({plotting._VARIANT_LOOKS[one] for one in names}) == len(names), name


def test_variant_scores_draws_the_scores():
    table = mnist_table({**SCORES, "senet": [0.91, 0.92, 0.94, 0.94, 0.93]})
    figure = plotting.variant_scores(table)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["ResNet", "SENet", "DRSN-CW"]
    pairs = ["SENet \N{MINUS SIGN} ResNet", "DRSN-CW \N{MINUS SIGN} ResNet", "DRSN-CW \N{MINUS SIGN} SENet"]
    assert [text.get_text() for text in right.get_yticklabels()] == pairs
    dots = [line for line in left.lines if line.get_marker() == "o"]
    assert [to_hex(line.get_color()) for line in dots] == [
        plotting.VARIANT_COLORS[name].lower() for name in ("resnet", "senet", "drsn-cw")
    ]
    np.testing.assert_allclose(dots[2].get_xdata(), SCORES["drsn-cw"])
    dots = [line for line in right.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots[1].get_xdata(), 100 * np.subtract(SCORES["drsn-cw"], SCORES["resnet"]))
    interval = next(line for line in right.lines if line.get_marker() == "|" and line.get_ydata()[0] == 1)
    found = records.paired(table, "drsn-cw", "resnet")
    np.testing.assert_allclose(interval.get_xdata(), [100 * found.low, 100 * found.high])
    assert any("5 seeds; CPU (TensorFlow 2.21)" in text for text in drawn(figure))
    bare = plotting.variant_scores(table, pairs=[("drsn-cw", "senet")], source=False, label="accuracy")
    assert not any("seeds" in text for text in drawn(bare)) and len(bare.axes[1].get_yticklabels()) == 1
    with pytest.raises(ValueError, match="no records to draw"):
        plotting.variant_scores(records.load("mnist-noise"))
    few = plotting.variant_scores(table[table["seed"] < 4], source=False).axes[1]
    assert not any(line.get_marker() == "|" for line in few.lines)  # no interval
    dots = [line for line in few.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots[1].get_xdata(), 100 * np.subtract(SCORES["drsn-cw"], SCORES["resnet"])[:4])


def test_one_label_for_the_vertical_axes_of_signals():
    signals = {"one": np.zeros(8), "another": np.ones(8)}
    assert "acceleration (g)" not in drawn(plotting.signal_panels(signals))
    assert drawn(plotting.signal_panels(signals, ylabel="acceleration (g)")).count("acceleration (g)") == 1


def test_a_forest_has_intervals_from_five_seeds_on():
    table = mnist_table()
    pairs = {n: records.paired(table[table["seed"] < n], "drsn-cw", "resnet") for n in (4, 5)}
    (axis,) = plotting.difference_forest({"digits": {f"{n} seeds": found for n, found in pairs.items()}}).axes
    rows = {n: [line for line in axis.lines if np.mean(line.get_ydata()) == row] for row, n in enumerate((4, 5), 1)}
    ends = [(100 * found.low, 100 * found.high) for found in pairs.values()]
    drawn_ends = {n: [tuple(line.get_xdata()) for line in lines] for n, lines in rows.items()}
    assert ends[0] not in drawn_ends[4] and ends[1] in drawn_ends[5]
    for n, found in pairs.items():  # the seeds and their mean are there in any case
        assert tuple(100 * found.differences) in drawn_ends[n] and (100 * found.mean,) * 2 in drawn_ends[n]


def test_leads_beside_an_articles_show_seeds_where_they_are_few():
    reported = {"snr_db": (-5, 0), "accuracy": {"resnet": (70, 90)}, "source": "Zhao et al., A title (2020)"}
    for n in (3, 5):
        table = records.to_table(vibration_records(seeds=n, snrs=(-5.0, 0.0)))
        right = plotting.leads_beside_published(reported, table, [("drsn-cw", "resnet")], source=False).axes[1]
        found = [records.paired(table[table["snr_db"] == level], "drsn-cw", "resnet") for level in (-5, 0)]
        intervals = [line.get_segments()[0][:, 1] for line in right.collections]
        if n < 5:
            assert not intervals
            dots = [line.get_ydata() for line in right.lines if len(line.get_ydata()) == n]
            np.testing.assert_allclose(dots, [100 * one.differences for one in found])
        else:
            np.testing.assert_allclose(intervals, [(100 * one.low, 100 * one.high) for one in found])


def test_learning_curves_draws_histories():
    made = [
        make(v, s, history={"loss": [2.0 + s, 1.0 + s], "accuracy": [0.2, 0.4 + s / 10]})
        for v in SCORES
        for s in (0, 1)
    ]
    figure = plotting.learning_curves(made)
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel(), loss.get_xlabel()) == (
        "training loss",
        "training accuracy",
        "epoch",
    )
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [[1, 2.5], [2, 1.5]])
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), [0.2, 0.45])
    box = loss.collections[0].get_paths()[0].get_extents()
    np.testing.assert_allclose([box.y0, box.y1], [1.0, 3.0])  # the range of the seeds
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ResNet", "DRSN-CW"]
    with pytest.raises(ValueError, match=r"'resnet', seeds \[0, 1\], have no history 'val_loss'"):
        plotting.learning_curves(made, metrics=("val_loss",))
    with pytest.raises(ValueError, match=r"of one budget\. Received: modern, smoke"):
        plotting.learning_curves([*made, make(budget="smoke")])
    with pytest.raises(ValueError, match=r"of one number of epochs\. Received: 2, 3"):
        plotting.learning_curves([*made, make(history={"loss": [1, 1, 1], "accuracy": [1, 1, 1]})])
    with pytest.raises(ValueError, match="of one device"):
        plotting.learning_curves([*made, make(device=GPU)])
    with pytest.raises(ValueError, match="no records to draw"):
        plotting.learning_curves([])


def test_snr_curves_draws_means_and_bands():
    made = vibration_records()
    quiet_ = [
        make(v, s, 0.99, "vibration-snr", condition={"noise": "none", "snr_db": None}, device=GPU)
        for v in SCORES
        for s in range(4)
    ]
    table = records.to_table([*made, *quiet_])
    figure = plotting.snr_curves(table)
    (axis,) = figure.axes  # runs without noise have no place on the axis
    found = records.summary(records.to_table(made), ("variant", "snr_db"))
    line = axis.lines[1]
    part = found[found["variant"] == "drsn-cw"]
    np.testing.assert_allclose(line.get_xydata(), part[["snr_db", "mean"]])
    assert to_hex(line.get_color()) == plotting.VARIANT_COLORS["drsn-cw"].lower()
    band = axis.collections[1].get_paths()[0].get_extents()
    np.testing.assert_allclose(
        [band.y0, band.y1], [(part["mean"] - part["sd"]).min(), (part["mean"] + part["sd"]).max()]
    )
    assert any("GPU NVIDIA H200" in text for text in drawn(figure))
    assert not any("CPU" in text for text in drawn(figure))
    assert len(plotting.snr_curves(table, panels=None).axes) == 1
    with pytest.raises(ValueError, match="no column 'snr_db', 'noise'"):
        plotting.snr_curves(mnist_table())
    with pytest.raises(ValueError, match="no records with a number in 'snr_db'"):
        plotting.snr_curves(table[table["noise"] == "none"])


def test_differences_level_by_level():
    table = records.to_table(vibration_records(seeds=5))
    clean = table[table["snr_db"] == 5].assign(noise="none", snr_db=np.nan)
    table = pd.concat([table, clean], ignore_index=True)
    pair = ("drsn-cw", "resnet")
    figure = plotting.level_differences(table, [pair])
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_xticklabels()] == ["\N{MINUS SIGN}5", "0", "5", "clean"]
    found = [records.paired(table[table["snr_db"] == level], *pair) for level in (-5, 0, 5)]
    drawn_lines = axis.lines[1:]  # behind zero: of each level the interval, the seeds, the mean
    for one, (interval, seeds, mean) in zip(found, np.reshape(drawn_lines, (-1, 3))[:3], strict=True):
        np.testing.assert_allclose(interval.get_ydata(), [100 * one.low, 100 * one.high])
        np.testing.assert_allclose(seeds.get_ydata(), 100 * one.differences)
        np.testing.assert_allclose(mean.get_ydata(), 100 * one.mean)
    few = plotting.level_differences(table[table["seed"] < 4], [pair], source=False).axes[0].lines[1:]
    assert len(few) == 2 * 4  # of each level the seeds and the mean, without an interval
    assert [len(line.get_ydata()) for line in few] == [4, 1] * 4
    names = "DRSN-CW \N{MINUS SIGN} ResNet", "ResNet \N{MINUS SIGN} DRSN-CW"
    apart = plotting.level_differences(table, [pair, pair[::-1]] * 3, panels="pair", source=False)
    panels = apart.axes
    assert [axis.texts[0].get_text() for axis in panels] == [*names] * 3
    assert len({axis.get_ylim() for axis in panels}) == 1  # one scale, to be compared
    assert to_hex(panels[0].lines[1].get_color()) == plotting.VARIANT_COLORS["resnet"].lower()
    kinds = plotting.level_differences(table, [pair], panels="noise", source=False)
    assert [axis.texts[0].get_text() for axis in kinds.axes] == ["pink", "none"]
    with pytest.raises(ValueError, match=r"at most four pairs.*Received 5; `panels='pair'`"):
        plotting.level_differences(table, [pair] * 5)


def test_a_thousand_records_load_fast(tmp_path):
    """The vibration study and more: validation included, in the time of a blink or two."""
    path = tmp_path / "vibration-snr.jsonl"
    conditions = [dict(one) for one in recipes.get("vibration-snr").conditions]
    lines = [json.dumps(make("resnet", s, recipe="vibration-snr", condition=c)) for c in conditions for s in range(30)]
    path.write_text("\n".join(lines) + "\n")
    start = time.perf_counter()
    table = records.load("vibration-snr", tmp_path)
    summed = records.summary(table[table["noise"] != "none"])
    taken = time.perf_counter() - start
    assert len(table) == len(lines) == 1050 and summed["runs"].tolist() == [1020]
    assert taken < 5, taken


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="locks are Unix's")
def test_a_reader_waits_for_a_writer(tmp_path):
    """The lock holds between processes: a reader does not see what a writer is in the middle of."""
    path = fill(tmp_path, make()) / "mnist-noise.jsonl"
    with open(path, "ab") as file, store._locked(file, exclusive=True):
        file.write(b'{"half": ')
        file.flush()
        code = f"from drsn_lib import records; print(len(records.read_file({str(path)!r})))"
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        reader = subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, env=env)
        with pytest.raises(subprocess.TimeoutExpired):
            reader.wait(2)
        file.truncate(path.stat().st_size - len(b'{"half": '))
    assert reader.communicate(timeout=30)[0] == b"1\n"
