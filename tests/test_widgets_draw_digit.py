"""The drawing board and the networks behind it, without a browser: against Keras, and against plain loops."""

import importlib
import json
import math
import re
import shutil
import subprocess

import numpy as np
import pytest
import traitlets

from drsn_lib import widgets
from drsn_lib.widgets import _digits, _network, draw_digit

RECORDED = ("resnet", "senet", "drsn-cs", "drsn-cw")
# Settings that the recorded networks do not have.
OTHERS = {
    "textbook, odd sizes": ("senet-textbook", {"input_shape": (27, 30, 2), "stages": [(8, 1, 2), (11, 2, 3)]}),
    "zeros at the end": ("drsn-cw", {"stages": [(8, 1, 2), (13, 1, 2)], "shortcut_padding": "end", "reduction": 4}),
    "no shortcut, no bias": ("convnet", {"stem": (4, 2), "stages": [(8, 2, 1)], "use_bias": False}),
}
STROKES = {
    1: [[(32, 8), (32, 56)]],
    2: [[(16, 18), (20, 10), (32, 8), (42, 14), (42, 24), (16, 54), (48, 54)]],
    4: [[(20, 8), (16, 34), (46, 34)], [(40, 10), (40, 56)]],
    7: [[(16, 10), (46, 10), (28, 56)]],
}
STROKES[0] = [[(round(32 + 14 * math.sin(t / 4)), round(32 - 22 * math.cos(t / 4))) for t in range(26)]]


@pytest.fixture(scope="module")
def images():
    """Returns 24 test images, half of them in noise, and as many random ones of any size."""
    data = importlib.import_module("drsn_lib.data")
    _, (x, _) = data.load_mnist(full=False)
    x = (x[:24, ..., None] / 255).astype("float32")
    x[12:] = data.add_noise(x[12:], snr_db=-5, seed=1)
    return x


@pytest.fixture(scope="module")
def models(images):
    """Returns Keras models, recorded ones and others with random weights, each with images and its logits."""
    keras, records = importlib.import_module("keras"), importlib.import_module("drsn_lib.records")
    build, found, rng = importlib.import_module("drsn_lib.models"), {}, np.random.default_rng(0)
    for variant in RECORDED:
        condition = {"noise": "mixed"}
        found[variant] = records.load_model("mnist-snr", variant, seed=0, budget="modern", condition=condition), images
    for name, (variant, options) in OTHERS.items():
        model = build.preset("mnist", variant, **options)
        for weight in model.weights:  # statistics too; variances stay positive
            weight.assign(np.asarray(weight) + 0.1 * rng.random(weight.shape))
        found[name] = model, rng.normal(size=(3, *model.input_shape[1:])).astype("float32")
    for name, (model, x) in found.items():
        kernel, bias = model.get_layer("classifier").get_weights()
        features = np.asarray(keras.Model(model.input, model.get_layer("pool").output)(x, training=False))
        found[name] = model, x, features @ kernel + bias
    return found


def flat(x):
    """Images as the networks of the figures take them: channel by channel."""
    return [image.transpose(2, 0, 1).ravel() for image in x]


# ---- the networks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RECORDED, *OTHERS])
def test_logits_are_keras(models, name):
    model, x, expected = models[name]
    network = _network.Network(_network.export(model))
    found = [network.run(pixels) for pixels in flat(x)]
    np.testing.assert_allclose([one["logits"] for one in found], expected, rtol=1e-4, atol=1e-4)
    powers = np.exp(expected - expected.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose([one["probabilities"] for one in found], probabilities, atol=2e-4)
    assert [one["label"] for one in found] == expected.argmax(axis=1).tolist()


@pytest.mark.parametrize("name", ["drsn-cw", "drsn-cs", "senet"])
def test_what_a_unit_says_is_keras(models, name):
    model, x, _ = models[name]
    library = importlib.import_module("drsn_lib.models")
    found = [_network.Network(_network.export(model)).run(pixels)["units"] for pixels in flat(x)[10:14]]
    for key, ask in {"gates": library.scales, "thresholds": library.thresholds}.items():
        if key == "gates" or name != "senet":
            for u, theirs in enumerate(ask(model, x[10:14]).values()):
                ours = np.array([units[u][key] for units in found])
                np.testing.assert_allclose(ours, np.broadcast_to(theirs, ours.shape), rtol=1e-4, atol=1e-5)


def test_the_script_computes_logits_as_keras_does(models, tmp_path):
    """The script under Node, within 1e-4 of Keras; the browser tests compare it with the twin."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node was not found; the browser tests run the script too")
    cases = {
        name: {
            "network": _network.export(model),
            "images": [pixels.tolist() for pixels in flat(x)],
            "logits": logits.tolist(),
        }
        for name, (model, x, logits) in models.items()
    }
    scripts = widgets.DrawDigit.scripts()
    program = tmp_path / "program.js"
    program.write_text(
        f"globalThis.document = {{currentScript: null}};\n{scripts['figure.js']}\n{scripts['network.js']}\n"
        f"const cases = {json.dumps(cases)};\n"
        "const off = ({network, images, logits}) => Math.max(...images.map((x, i) => { "
        "const net = DrsnNetwork.load(network); "
        "return Math.max(...Array.from(net.run(x).logits, (v, k) => Math.abs(v - logits[i][k]))); }));\n"
        "console.log(JSON.stringify(Object.fromEntries(Object.entries(cases).map(([k, c]) => [k, off(c)]))));",
        encoding="utf8",
    )
    done = subprocess.run([node, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    off = json.loads(done.stdout)
    assert set(off) == set(cases)
    for name, difference in off.items():
        assert difference < (1e-4 if name in RECORDED else 1e-5 * np.abs(models[name][2]).max() + 1e-4), name


def test_gates_and_thresholds_can_be_replaced():
    network = _digits.load_network("digit_networks", "drsn-cw")
    x = _digits.noisy_digit(5, 20, 1)
    plain = network.run(x)["units"]
    zero = network.run(x, thresholds=[None, [0.0] * 8])["units"]
    np.testing.assert_array_equal(zero[1]["gated"], zero[1]["branch"])
    np.testing.assert_array_equal(zero[0]["output"], plain[0]["output"])
    high = network.run(x, thresholds=[[None, 99.0]])["units"][0]
    assert not high["gated"][1].any() and high["zeroed"][1] == 1
    np.testing.assert_array_equal(high["gated"][2], plain[0]["gated"][2])
    half = network.run(x, gates=[[None, 0.5]])["units"][0]
    assert half["thresholds"][1] == pytest.approx(0.5 * half["magnitudes"][1])


def test_networks_that_the_script_does_not_know_are_refused():
    library = importlib.import_module("drsn_lib.models")
    for options in ({"activation": "elu"}, {"kernel_size": 5}, {"stages": [(9, 1, 2)], "shortcut": "projection"}):
        with pytest.raises(ValueError, match=r"must have a branch of .*ReLU, kernels of size 3 and no projection"):
            _network.export(library.preset("mnist", "drsn-cw", **options))
    with pytest.raises(ValueError, match="'learned-fraction'"):
        _network.export(library.preset("mnist", "learned-fraction"))


# ---- drawings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", STROKES)
def test_drawn_digits_are_read(digit):
    board = widgets.DrawDigit(drawing=draw_digit.encode(STROKES[digit]), snr=20)
    assert set(board.measures()["readings"].values()) == {digit}


def test_ink_from_plain_loops():
    drawing = draw_digit.encode([[(5, 9), (30, 40), (20, 60)], [(50, 50)]])
    image = draw_digit.render(drawing).reshape(28, 28)
    # The box is 51 rows high; the strokes' middle goes to the middle, then the center of mass does.
    factor = 17.8 / 51

    def ink(dx, dy):
        def moved(x, y):
            return (x - 27.5) * factor + 14 + dx, (y - 34.5) * factor + 14 + dy

        a, b, c, d = moved(5, 9), moved(30, 40), moved(20, 60), moved(50, 50)
        out = np.zeros((28, 28))
        for row in range(28):
            for column in range(28):
                distances = [math.dist((column, row), d)]
                for start, end in ((a, b), (b, c)):
                    steps = [s / 4000 for s in range(4001)]
                    distances.append(
                        min(
                            math.dist((column, row), [p + s * (q - p) for p, q in zip(start, end, strict=True)])
                            for s in (steps[::40] if math.dist((column, row), start) > 25 else steps[::8])
                        )
                    )
                out[row, column] = min(1, max(0, (1.2 - min(distances)) / 1.3 + 0.5))
        return out

    first = ink(0, 0)
    center = [(first.sum(axis=axis) @ np.arange(28)) / first.sum() for axis in (0, 1)]
    np.testing.assert_allclose(image, ink(14 - center[0], 14 - center[1]), atol=0.02)


def test_drawings_are_made_ready_as_mnist_is():
    data = importlib.import_module("drsn_lib.data")
    _, (images, _) = data.load_mnist(full=False)
    images = images.reshape(len(images), -1) / 255
    drawn = np.array([draw_digit.render(draw_digit.encode(strokes)) for strokes in STROKES.values()])
    rows, columns = np.divmod(np.arange(784), 28)
    for place in (rows, columns):  # the center of mass
        np.testing.assert_allclose(drawn @ place / drawn.sum(axis=1), 14, atol=0.15)
        assert np.median(images @ place / images.sum(axis=1)) == pytest.approx(14, abs=0.1)
    sides = [np.ptp(place[image > 0.3]) + 1 for image in drawn for place in (rows, columns)]
    assert 19 <= max(sides) <= 21  # the box of 20 x 20
    thick = [image.sum() / max(np.count_nonzero(image > 0.5), 1) for image in (drawn, images)]
    assert thick[0] == pytest.approx(thick[1], rel=0.15)


def test_place_and_size_on_the_board_do_not_matter():
    large, small = ([[(10, 8), (40, 8), (20, 56)]], [[(30, 33), (45, 33), (35, 57)]])
    moved = [[(x + 13, y + 5) for x, y in stroke] for stroke in large]
    images = [draw_digit.render(draw_digit.encode(strokes)) for strokes in (large, small, moved)]
    np.testing.assert_allclose(images[1], images[0], atol=1e-12)
    np.testing.assert_allclose(images[2], images[0], atol=1e-12)
    dot = draw_digit.render(draw_digit.encode([[(3, 60)]])).reshape(28, 28)
    assert dot[14, 14] == dot.max() == 1 and np.count_nonzero(dot) < 20


def test_strokes_come_back_from_their_text():
    strokes = [[(0, 63), (17, 5)], [(63, 0)]]
    decoded = draw_digit.decode(draw_digit.encode(strokes))
    assert [[tuple(point) for point in stroke.tolist()] for stroke in decoded] == strokes


# ---- the records -------------------------------------------------------------------------------------------------


def test_accuracies_are_those_of_the_records():
    records = importlib.import_module("drsn_lib.records")
    for level in (-10, 0, 20):
        said = draw_digit.recorded(level)
        for variant in draw_digit.VARIANTS:
            runs = records.load_records("mnist-snr", budget="modern", variant=variant)
            condition = {"noise": "none", "snr_db": None} if level == 20 else {"noise": "gaussian", "snr_db": level}
            found = [
                probe["accuracy"]
                for run in runs
                if run["condition"]["noise"] == "mixed"
                for probe in run["probes"]
                if dict(probe["condition"]) == condition
            ]
            assert len(found) > 1
            assert said["mean"][variant] == pytest.approx(np.mean(found), abs=0.012)


def test_ahead_is_only_who_is_clearly_ahead():
    stored = widgets.DrawDigit.load_data("digit_networks")["accuracies"]
    for said in stored["levels"]:
        order = sorted(draw_digit.VARIANTS, key=said["mean"].get, reverse=True)
        gap = said["mean"][order[0]] - said["mean"][order[1]]
        error = math.sqrt(sum(said["sd"][variant] ** 2 / stored["seeds"] for variant in order[:2]))
        if abs(gap - 2 * error) > 3e-4:  # the stored numbers are rounded
            assert said["best"] == (order[0] if gap > 2 * error else "none")
    assert [draw_digit.recorded(snr)["snr"] for snr in (-10, -7, 19)] == [-10, -5, 20]


def test_what_the_chapter_says_of_the_drawing_board():
    """Up to −5 dB and beyond the three mostly agree; the share set to zero hardly changes with the noise."""
    agree, moved, up = {}, [], []
    for snr in (0, -10):
        found = [widgets.DrawDigit(digit=d, snr=snr, draw=draw).measures() for d in range(10) for draw in (1, 2)]
        agree[snr] = np.mean([len(set(m["readings"].values())) == 1 for m in found])
        moved += [np.mean(np.concatenate(m["zeroed"])) - np.mean(np.concatenate(m["zeroed_clean"])) for m in found]
        up += [m["threshold_ratio"] for m in found]
    assert agree[0] > 0.9 and agree[-10] < 0.8
    assert np.max(np.abs(moved)) < 0.1 and 0.9 < np.mean(up) < 1.1
    readings = widgets.DrawDigit().measures()["readings"]
    assert readings["resnet"] == 3 and len(set(readings.values())) > 1


# ---- the widget --------------------------------------------------------------------------------------------------


def test_shares_from_plain_loops():
    board = widgets.DrawDigit(digit=8, snr=0, draw=2)
    units = _digits.load_network("digit_networks", "drsn-cw").run(board.noisy_image())["units"]
    for share, unit in zip(board.measures()["zeroed"], units, strict=True):
        assert share.shape == (len(unit["branch"]),)
        for c, channel in enumerate(unit["branch"]):
            small = [abs(v) <= unit["thresholds"][c] for v in channel.ravel().tolist()]
            assert share[c] == pytest.approx(sum(small) / len(small))


def test_the_fallback_gives_the_numbers():
    board = widgets.DrawDigit(digit=8, snr=-10, draw=5)
    m, text = board.measures(), board.fallback()
    assert "the test digit 8 in noise at −10 dB" in text
    for variant, name in draw_digit.NAMES.items():
        assert f"{name} reads {m['readings'][variant]} ({100 * m['certainties'][variant]:.0f} %)" in text
    drawn = widgets.DrawDigit(drawing=draw_digit.encode(STROKES[7]), snr=20)
    assert "a drawing without noise: ResNet reads 7" in drawn.fallback()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"drawing": "ABC"}, "`drawing` of DrawDigit must be strokes of two characters a point"),
        ({"drawing": "A!"}, "Received: drawing='A!'"),
        ({"drawing": "AB" * 2001}, "at most 4,000 in all"),
        ({"digit": 10}, "`digit` of DrawDigit must lie between 0 and 9. Received: digit=10"),
        ({"snr": -10.5}, "`snr` of DrawDigit must lie between -10.0 and 20.0"),
        ({"draw": 0}, "`draw` of DrawDigit must lie between 1 and"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(traitlets.TraitError, match=re.escape(words)):
        widgets.DrawDigit(**arguments)
