"""The benchmark compares like with like, its statistics are right, and what it stored is whole."""

import copy
import json

import helpers
import keras
import numpy as np
import pytest

from benchmarks import compare, floor, merge_layer_port, parts, pieces, run, steps
from drsn_lib import layers, models

SMALL = {
    "image": {"input_shape": (9, 7, 3), "stem": (4, 1), "stages": [(4, 1, 1), (8, 1, 2)]},
    "signal": {"input_shape": (21, 2), "stem": (4, 2), "stages": [(4, 1, 2), (8, 1, 2)]},
}
# variant, rank, further arguments
NETWORKS = [
    ("drsn-cw", "image", {"reduction": 2}),
    ("drsn-cs", "signal", {"shortcut_padding": "end"}),
    ("senet", "signal", {}),
    ("aprelu", "image", {"shortcut_padding": "end"}),
    ("aprelu", "signal", {}),
]


def both(variant, rank, options):
    """A network and its port, with the same random weights."""
    arguments = {**SMALL[rank], "num_classes": 3, "kernel_regularizer": keras.regularizers.L2(1e-2), **options}
    arguments |= {"bn_momentum": 0.8, "gamma_regularizer": keras.regularizers.L2(1e-2)}
    kind, ours, theirs = variant, "relu", "relu"
    if variant == "aprelu":
        shared = {key: arguments[key] for key in ("bn_momentum", "kernel_regularizer", "gamma_regularizer")}
        kind, ours, theirs = "resnet", layers.APReLU(reduction=2, **shared), {"reduction": 2}
    model = models.build(kind, activation=ours, **arguments)
    port = merge_layer_port.build(kind, activation=theirs, **arguments)
    helpers.randomize(model)
    for weight in model.weights:  # smaller, so that no sigmoid or softmax is at its end, where it hides differences
        if weight.path.endswith("kernel"):
            weight.assign((0.1 if "classifier" in weight.path else 0.3) * helpers.array(weight))
    merge_layer_port.copy_weights(model, port)
    return model, port


@pytest.mark.parametrize(("variant", "rank", "options"), NETWORKS)
def test_port_computes_what_the_library_computes(variant, rank, options):
    model, port = both(variant, rank, options)
    assert len(port.layers) > 5 * len(model.layers)
    assert not any(isinstance(layer, layers.Shrinkage | layers.APReLU) for layer in port._flatten_layers())
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, *SMALL[rank]["input_shape"])).astype("float32"), rng.integers(3, size=6)
    losses, outputs = [], []
    for one in (model, port):
        eager = keras.backend.backend() == "tensorflow"  # where one step is not worth a compilation
        one.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", run_eagerly=eager)
        outputs.append(one.predict_on_batch(x))
        losses.append(float(one.train_on_batch(x, y)))
    assert np.ptp(outputs[0], axis=0).min() > 1e-3
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-4, atol=1e-6)
    # One step of training: the same loss with its regularization, and every weight moves to the same place.
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    moved = {w.path.replace("/", "_"): helpers.array(w) for w in port.weights}
    for weight in model.weights:
        name = weight.path.removeprefix(f"{model.name}/").replace("/", "_")
        np.testing.assert_allclose(moved[name], helpers.array(weight), rtol=1e-3, atol=2e-5, err_msg=name)


def test_port_refuses_weights_of_another_network():
    model, _ = both("drsn-cw", "signal", {})
    _, port = both("senet", "signal", {"reduction": 2})
    with pytest.raises(ValueError, match=r"same weights by name and shape.*Received: other shapes"):
        merge_layer_port.copy_weights(model, port)
    _, port = both("aprelu", "signal", {})
    with pytest.raises(ValueError, match=r"same weights.*Received: .*gate_hidden_dense_kernel"):
        merge_layer_port.copy_weights(model, port)
    with pytest.raises(ValueError, match=r"only double the channels.*Received: 4 to 6"):
        options = {**SMALL["signal"], "stages": [(4, 1, 1), (6, 1, 1)]}
        merge_layer_port.build("resnet", num_classes=3, shortcut_padding="end", **options)


def test_steps_train_and_predict_and_tell_their_memory():
    keras.utils.set_random_seed(0)
    model = models.build("drsn-cw", (512, 1), 2, stem=(8, 1), stages=[(8, 1, 1)])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(2)
    y = np.arange(64) % 2
    batch = (rng.normal(size=(64, 512, 1)) * (1 + 2 * y[:, None, None])).astype("float32"), y.astype("int32")
    predict = steps.step("inference", model, batch)
    before = predict()
    np.testing.assert_allclose(before, helpers.array(model(batch[0])), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(predict(), before)
    train = steps.step("training", model, batch)
    losses = [float(train()["loss"]) for _ in range(40)]  # running means
    assert losses[-1] < 0.8 * losses[0]
    memory = steps.training_memory(model, batch, train)
    if memory is not None:  # at least the two maps that a convolution's gradient needs, far less than a hundred
        assert 2 * 64 * 512 * 8 * 4 < memory < 100 * 64 * 512 * 8 * 4


def test_networks_are_those_of_the_book():
    for name in steps.NETWORKS:
        model, (x, y) = steps.network(name, "drsn-cw")
        assert model.count_params() == models.preset(name, "drsn-cw", activation="relu").count_params()
        assert model.input_shape[1:] == x.shape[1:] and len(x) == len(y) in (100, 128)
        assert any(w.regularizer is not None for w in model.weights)
    aprelu, _ = steps.network("cifar10-aprelu", "aprelu")
    assert aprelu.count_params() == models.preset("cifar10-aprelu", "resnet").count_params()


def test_ratio_finds_what_noise_hides():
    rng = np.random.default_rng(3)
    drift = np.exp(rng.normal(0, 0.5, 60))  # the machine is slow and fast by turns, for both alike
    base = drift * np.exp(rng.normal(0, 0.02, 60))
    times = 1.2 * drift * np.exp(rng.normal(0, 0.02, 60))
    times[::10] *= 5  # and now and then something else runs
    found = compare.ratio(times, base)
    assert found["low"] < 1.2 < found["high"]
    assert found["ratio"] == pytest.approx(1.2, rel=0.02) and found["high"] - found["low"] < 0.05
    assert compare.ratio(base, base) == {"ratio": 1.0, "low": 1.0, "high": 1.0}
    for wrong in ([1.0, 2.0], [[1.0, 2.0, 3.0]]):
        with pytest.raises(ValueError, match="one time a round"):
            compare.ratio(wrong, wrong)
    with pytest.raises(ValueError, match=r"Received: \(3,\) and \(4,\)"):
        compare.ratio(np.ones(3), np.ones(4))


def made_results():
    """Results of a backend in which shrinkage takes 1.2 times, and 0.9 times the port."""
    seconds = {("resnet", "layers"): [1.0, 2.0, 1.0], ("drsn-cw", "layers"): [1.2, 2.4, 1.2]}
    seconds["drsn-cw", "port"] = [1.2 / 0.9, 2.4 / 0.9, 1.2 / 0.9]
    memory = {("resnet", "layers"): 2**20, ("drsn-cw", "layers"): 3 * 2**19}
    return {
        "backend": "jax",
        "versions": {"keras": "3.0", "jax": "0.1"},
        "machine": {"processor": "P", "cores": 2},
        "date": "2026-01-01T00:00:00Z",
        "seconds": 1.0,
        "results": compare.rows("jax", "mnist", "training", seconds, memory),
    }


def test_table_marks_what_is_above_the_target():
    lines = list(run.table(made_results()))
    assert lines[0] == "jax 0.1, Keras 3.0; P, 2 cores; 2026-01-01; 1 s"
    (resnet,) = [line for line in lines if " resnet " in line and "mnist" in line]
    (shrinkage,) = [line for line in lines if " drsn-cw " in line]
    assert resnet.split() == ["mnist", "training", "resnet", "1000.00", "1.0"]
    assert shrinkage.split() == "mnist training drsn-cw 1200.00 1.20 [1.20, 1.20] ! 0.90 [0.90, 0.90] 1.5".split()
    assert compare.target("torch", "drsn-cw", "resnet") == 1.30 and compare.target("jax", "senet", "resnet") is None


def faults(results):
    """What the book could not read in stored results."""
    if results.get("schema") != run.SCHEMA:
        return ["schema"]
    found = [key for key in ("backend", "versions", "machine", "date", "commit", "seconds") if not results.get(key)]
    rows = {(r["network"], r["mode"], r["variant"], r["form"]): r for r in results["results"]}
    for network in steps.NETWORKS:
        for mode in steps.MODES:
            for variant in steps.VARIANTS:
                for form in ("layers", "port") if variant != "resnet" else ("layers",):
                    row = rows.pop((network, mode, variant, form), None)
                    if row is None:
                        found.append(f"no {network} {mode} {variant} {form}")
                        continue
                    if not (row["milliseconds"] > 0 and row["rounds"] >= 15):
                        found.append(f"times of {network} {mode} {variant} {form}")
                    if mode == "training" and not row["memory_mib"]:
                        found.append(f"memory of {network} {variant} {form}")
                    needed = {"layers": ["to_resnet", "to_port"], "port": ["to_resnet"]}[form]
                    for base in needed if variant != "resnet" else []:
                        one = row.get(base, {"low": 1, "ratio": 0, "high": 0})
                        if not 0 < one["low"] <= one["ratio"] <= one["high"]:
                            found.append(f"{base} of {network} {mode} {variant} {form}")
    return found + [f"what is {row}?" for row in rows]


@pytest.mark.parametrize("backend", run.BACKENDS)
def test_stored_results_are_whole(backend):
    path = run.RESULTS / f"{backend}.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not there yet: `make bench` on a machine at rest makes it")
    results = json.loads(path.read_text(encoding="utf-8"))
    assert results["backend"] == backend and backend in results["versions"]
    assert faults(results) == []
    list(run.table(results))
    # And a missing part would be noticed.
    for damage in (
        lambda found: found["results"].pop(),
        lambda found: found["results"][3].pop("to_resnet"),
        lambda found: found.pop("machine"),
    ):
        damaged = copy.deepcopy(results)
        damage(damaged)
        assert faults(damaged)


def stored(name):
    """The stored results of that name."""
    return json.loads((run.RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_steps_beside_their_floor():
    if keras.backend.backend() != "jax":
        pytest.skip("the compiler that counts is JAX's")
    small = (("input_shape", (64, 1)), ("stages", ((4, 1, 2),)))
    row = floor.measure("vibration-snr", "drsn-cw", 1, "float32", patience=0.05, network=small)
    # Stem and unit: 3 points, 1 to 4 and twice 4 to 4 channels, at 32 and 16 places; forward and two gradients, 2 each.
    products = 3 * 2 * row["batch"] * 3 * 4 * (32 + 4 * 16 + 4 * 16)
    assert 0.8 * products < row["flops"] < 4 * products
    assert row["bytes"] > 3 * 4 * row["batch"] * 4 * (
        32 + 16 + 16
    )  # each map is written and read, and so is its gradient
    assert row["seconds"] > 0 and row["products_seconds"] > 0
    least = floor.floor(row, {"flops": 1e9, "bytes": 1e9})
    assert least == {"flops": row["flops"] / 1e9, "bytes": row["bytes"] / 1e9}
    best = floor.ceilings("float32", 64, 4096, patience=0.05)
    assert 1e6 < best["flops"] < 1e16 and 1e6 < best["bytes"] < 1e16


def test_page_on_speed_says_what_was_measured():
    ratios = {}
    for backend in run.BACKENDS:
        for row in stored(backend)["results"]:
            if row["form"] == "layers" and row["mode"] == "training" and "to_resnet" in row:
                assert backend != "jax" or not speed_tables().missed(row["to_resnet"]), row
                ratios[backend, row["network"], row["variant"]] = row["to_resnet"]["ratio"]

    def mean(backend, variant):
        return np.mean([ratios[backend, network, variant] for network in steps.NETWORKS])

    for variant in ("drsn-cw", "aprelu"):
        assert min(run.BACKENDS, key=lambda one: mean(one, variant)) == "jax"
        assert max(run.BACKENDS, key=lambda one: mean(one, variant)) == "torch"
    ours = {key[1:]: value for key, value in ratios.items() if key[0] == "tensorflow"}
    assert max(ours, key=ours.get) == ("vibration", "aprelu")
    assert max(steps.NETWORKS, key=lambda network: ours[network, "drsn-cw"]) == "vibration"
    measured = stored("floor-cpu")
    for row in measured["steps"]:
        least = floor.floor(row, measured["ceilings"])
        assert least["bytes"] > 3 * least["flops"]
        share = row["products_seconds"] / row["seconds"]
        assert share > 0.6 if row["recipe"] == "cifar10-aprelu" else 0.3 < share < 0.5
    faster = [row["faster"]["ratio"] for row in stored("many_at_once")["steps"] if "faster" in row]
    assert max(faster) < 2
    took = {(r["samples"], r["variant"], r["part"]): r["milliseconds"] for r in stored("parts")["parts"]}
    further = {(r["samples"], r["variant"], r["part"]): r["more"] for r in stored("parts")["parts"]}
    whole = max(samples for samples, _, _ in took)
    for variant in ("drsn-cw", "aprelu"):
        more = {n: further[n, variant, "step"] for n in (parts.SMALL, whole)}
        assert 0.15 < more[parts.SMALL] / more[whole] < 0.4
        update = more[parts.SMALL] - further[parts.SMALL, variant, "gradient"]
        assert update > 0.15 * more[parts.SMALL]


def test_page_on_speed_says_what_the_pieces_cost():
    results = stored("pieces")
    cost = {
        (r["backend"], r["network"], r["mode"], r["variant"]): r["to_resnet"]["ratio"] - 1 for r in results["pieces"]
    }
    assert len(cost) == len(run.BACKENDS) * len(pieces.NETWORKS) * len(steps.MODES) * len(pieces.VARIANTS)
    for network in pieces.NETWORKS:
        for mode in steps.MODES:
            assert abs(cost["jax", network, mode, "fixed-threshold"]) < 0.05
    wanted = compare.TO_RESNET["drsn-cw"] - 1
    assert cost["tensorflow", "vibration", "inference", "fixed-threshold"] > 1.9 * wanted
    for backend, mode in (("tensorflow", "training"), ("torch", "training"), ("torch", "inference")):
        threshold = cost[backend, "vibration", mode, "fixed-threshold"]
        assert threshold > 0.4 * (compare.target(backend, "drsn-cw", "resnet") - 1)
        mean = cost[backend, "vibration", mode, "learned-fraction"] - threshold
        assert 0 < mean < threshold < cost[backend, "vibration", mode, "drsn-cw"] - mean
    head, table = speed_tables().pieces(results)
    assert [line[0] for line in table] == ["digits", *[""] * 5, "gearbox", *[""] * 5]
    assert head[2:] == ["fixed threshold", "learned fraction", "SENet", "DRSN-CW"]
    said = speed_tables().where(results)
    assert all(f"{name} {results['versions'][one]}" in said for one, name in speed_tables().TITLES.items())


def test_pieces_are_timed():
    rows = pieces.measure(["mnist"], ("resnet", "fixed-threshold"), seconds=0)
    assert [(row["mode"], row["variant"]) for row in rows] == [
        (mode, variant) for mode in steps.MODES for variant in ("resnet", "fixed-threshold")
    ]
    assert all(row["rounds"] == steps.FEWEST and row["milliseconds"] > 0 for row in rows)
    assert rows[0]["to_resnet"]["ratio"] == 1 and rows[0]["backend"] == keras.backend.backend()


def test_step_taken_apart():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("it takes TensorFlow's step apart")
    rows = parts.measure("mnist", ("resnet", "drsn-cw"), seconds=0)
    assert {row["rounds"] for row in rows} == {steps.FEWEST} and len(rows) == 2 * 2 * 3
    took = {(row["samples"], row["variant"], row["part"]): row["milliseconds"] for row in rows}
    batch = max(samples for samples, _, _ in took)
    for variant in ("resnet", "drsn-cw"):
        assert took[batch, variant, "forward"] < took[batch, variant, "step"]
        assert took[parts.SMALL, variant, "step"] < took[batch, variant, "step"]
    head, table = speed_tables().parts({"parts": rows})
    assert len(head) == len(table[0]) == 7 and [line[0] for line in table] == [str(parts.SMALL), "", str(batch), ""]
    more = next(r["more"] for r in rows if (r["samples"], r["variant"], r["part"]) == (batch, "drsn-cw", "step"))
    assert table[0][-1] == "" and table[3][-1] == f"{more:.1f}" and more > 0


def test_importing_the_benchmarks_changes_no_setting():
    # Processes that a test starts would inherit it, and compute on another backend than the tested one.
    code = """
import os
import keras  # which reads its setting here, once
os.environ["KERAS_BACKEND"] = "whatever it was"
before = dict(os.environ)
import benchmarks.floor, benchmarks.many_at_once, benchmarks.parts, benchmarks.pieces
print({key for key in os.environ if os.environ[key] != before.get(key)})
"""
    assert helpers.run_python(code, env={"TF_CPP_MIN_LOG_LEVEL": "2"}).splitlines()[-1] == "set()"


def speed_tables():
    """The extension that makes the page's tables."""
    import sys

    folder = str(run.ROOT / "book" / "_ext")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import speed_tables

    return speed_tables


def test_chart_of_the_page_on_speed(tmp_path):
    path = speed_tables().draw(folder=tmp_path)
    assert path.parent == tmp_path and path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20_000


def test_tables_of_the_page_on_speed():
    head, rows = speed_tables().steps(made_results(), "training")
    assert len(head) == len(rows[0]) == len(rows[1]) == 6
    assert rows[1] == ["", "DRSN-CW", "1200.0", "1.20 [1.20, 1.20] *", "0.90 [0.90, 0.90]", "2"]
    row = {"flops": 1e9, "bytes": 4e9, "products_seconds": 0.5, "seconds": 6.0}
    row |= {"recipe": "vibration-snr", "variant": "resnet", "batch": 128, "models": 4}
    head, rows = speed_tables().floor({"steps": [row], "ceilings": {"flops": 1e9, "bytes": 2e9}})
    assert rows == [["vibration-snr", "ResNet, 4 at once", "1.0", "4,000", "1,000", "2,000", "500", "6,000", "3.0"]]
    assert len(head) == len(rows[0])
