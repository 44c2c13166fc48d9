"""From a folder of files to a report: reading, splitting, calibration, the whole way, and what goes wrong."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
import scipy.io.wavfile
from helpers import ROOT, run_python

from drsn_lib import diagnose
from drsn_lib.__main__ import main

RNG = np.random.default_rng(0)


def noise(points=600):
    return RNG.standard_normal(points)


def wav(path, x, rate=1000):
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.wavfile.write(path, rate, np.asarray(x, np.float32))


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(str, lines)) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """Two classes of three short WAV files each."""
    for label in ("good", "worn"):
        for k in range(3):
            wav(tmp_path / "signals" / label / f"{k}.wav", noise())
    return tmp_path / "signals"


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("lines", "rate"),
    [
        (["{0:.5f}"], None),
        (["acceleration", "{0:.5f}"], None),
        (["# made by hand", "", "acceleration", "{0:.5f}"], None),
        (["time (s),acceleration", "{t:.4f},{0:.5f}"], 1000.0),
        (["time (ms);a", "{ms};{0:.5f}"], 1000.0),
        (["t\ta", "{t:.4f}\t{0:.5f}"], 1000.0),
        (["{t:.4f} {0:.5f}"], 1000.0),
        (["sample,a", "{k},{0:.5f}"], None),
        (["{k};{0:.5f};"], None),
        (["Station 4", "made,on,Monday", "time,a", "{t:.4f},{0:.5f}"], 1000.0),
    ],
)
@pytest.mark.parametrize("comma", [False, True])
def test_text_is_read_whatever_its_form(tmp_path, lines, rate, comma):
    x, (*head, row) = noise(), lines
    if comma and "," in row:
        pytest.skip("a comma cannot be both")
    rows = [row.format(v, t=k / 1000, ms=k, k=k) for k, v in enumerate(x)]
    if comma and len(re.split(r"[;\t ]", rows[0].strip("; "))) == 1:
        pytest.skip("with one column it would be two whole numbers")
    text(tmp_path / "a.csv", *head, *[line.replace(".", ",") if comma else line for line in rows])
    found = diagnose.read_file(tmp_path / "a.csv")
    assert np.allclose(found.values, x, atol=1e-5) and found.sampling_rate == rate


def test_binary_files_are_read(tmp_path):
    x = noise()
    scipy.io.savemat(tmp_path / "a.mat", {"acc": x[:, None], "Fs": 500.0, "note": "abc"})
    np.save(tmp_path / "a.npy", x[None])
    np.savez(tmp_path / "a.npz", acc=x, sampling_rate=500)
    wav(tmp_path / "a.wav", x, 500)
    whole = np.int16(np.clip(x / 4, -1, 1) * 32767)
    scipy.io.wavfile.write(tmp_path / "whole.wav", 500, whole)
    for name, rate in (("a.mat", 500.0), ("a.npy", None), ("a.npz", 500.0), ("a.wav", 500.0)):
        found = diagnose.read_file(tmp_path / name)
        assert np.allclose(found.values, x, atol=1e-6) and found.sampling_rate == rate
        assert found.channel is None
    assert np.allclose(diagnose.read_file(tmp_path / "whole.wav").values, whole / 32768)


def test_one_of_several_signals_is_chosen(tmp_path):
    x = np.stack([noise(), noise(), noise()], axis=1)
    scipy.io.savemat(tmp_path / "a.mat", {"X105_DE_time": x[:, 0], "X105_FE_time": x[:, 1], "X105RPM": 1797})
    wav(tmp_path / "a.wav", x)
    text(tmp_path / "a.csv", "time,left,right", *[f"{k / 100},{a},{b}" for k, (a, b, _) in enumerate(x)])
    for name, channel, column in (
        ("a.mat", "DE_time", 0),
        ("a.mat", "*FE*", 1),
        ("a.mat", "2", 1),
        ("a.wav", "3", 2),
        ("a.csv", "right", 1),
    ):
        found = diagnose.read_file(tmp_path / name, channel=channel)
        assert np.allclose(found.values, x[:, column], atol=1e-6), name
        assert found.channel
    for name, listed in (("a.mat", "X105_DE_time, X105_FE_time"), ("a.wav", "1, 2, 3"), ("a.csv", "left, right")):
        with pytest.raises(diagnose.BadData, match=f"holds . signals: {listed}. Say which one: `channel`"):
            diagnose.read_file(tmp_path / name)
        with pytest.raises(diagnose.BadData, match=r"has no signal that fits `channel` .up."):
            diagnose.read_file(tmp_path / name, channel="up")


def test_labels_come_from_a_table(folder):
    text(
        folder / "labels.csv", "file;label;recording", *[f"{p};{k % 2};r{k // 2}" for k, p in enumerate(paths(folder))]
    )
    found = diagnose.read_folder(folder, group_by="recording")
    assert found.classes == ("0", "1") and {one.group for one in found.signals} == {"r0", "r1", "r2"}
    assert diagnose.read_folder(folder).signals[0].recording is None


def paths(folder):
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.wav"))]


def test_recordings_may_be_folders(folder):
    for label in ("good", "worn"):
        for k in range(3):
            wav(folder / label / f"day{k}" / "1.wav", noise())
            (folder / label / f"{k}.wav").rename(folder / label / f"day{k}" / "2.wav")
    found = diagnose.read_folder(folder, group_by="recording")
    assert {one.group for one in found.signals} == {f"{c}/day{k}" for c in ("good", "worn") for k in range(3)}
    assert len({one.group for one in diagnose.read_folder(folder).signals}) == 12


def broken(folder, how):
    """Breaks a folder; returns what to read."""
    if how == "no folder":
        return folder / "nowhere"
    if how == "a file":
        return folder / "good" / "0.wav"
    if how == "empty":
        (folder / "none").mkdir()
        return folder / "none"
    if how == "nothing to read":
        text(folder / "none" / "a" / "notes.pdf", "x")
        return folder / "none"
    if how == "no classes":
        return folder / "good"
    if how == "one class":
        for path in (folder / "worn").iterdir():
            path.unlink()
    elif how == "rates":
        wav(folder / "worn" / "9.wav", noise(), 2000)
    elif how == "rate unknown for some":
        np.save(folder / "worn" / "9.npy", noise())
    elif how == "short":
        wav(folder / "worn" / "9.wav", noise(100))
    elif how == "nan":
        text(folder / "worn" / "9.csv", "a", *noise()[:20], "nan", *noise())
    elif how == "inf":
        wav(folder / "worn" / "9.wav", np.where(np.arange(600) == 7, np.inf, 0))
    elif how == "a word":
        text(folder / "worn" / "9.csv", "a,b", *[f"{v},1" for v in noise()[:20]], "0.5,off", *["1,2"] * 100)
    elif how == "an empty cell":
        text(folder / "worn" / "9.csv", *[f"{v},1" for v in noise()[:20]], "0.5,,", *["1,2"] * 100)
    elif how == "a line cut short":
        text(folder / "worn" / "9.csv", *["1,2"] * 200, "3")
    elif how == "no numbers":
        text(folder / "worn" / "9.txt", "one", "two")
    elif how == "uneven times":
        text(folder / "worn" / "9.csv", "time,a", *[f"{k + 5 * (k > 50)},1" for k in range(200)])
    elif how == "damaged":
        (folder / "worn" / "9.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(range(200)))
    elif how == "a picture named so":
        (folder / "worn" / "9.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    elif how == "empty file":
        text(folder / "worn" / "9.csv")
    elif how == "MAT 7.3":
        head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
        (folder / "worn" / "9.mat").write_bytes(head + bytes(500))
    elif how == "two variables":
        scipy.io.savemat(folder / "worn" / "9.mat", {"DE": noise(), "FE": noise()})
    elif how == "no signal":
        scipy.io.savemat(folder / "worn" / "9.mat", {"fs": 3.0, "name": "x"})
    elif how == "objects":
        np.save(folder / "worn" / "9.npy", np.array([{}, 1], object), allow_pickle=True)
    elif how == "silent":
        for path in (folder / "worn").iterdir():
            wav(path, np.zeros(600))
    elif how == "labels lack a column":
        text(folder / "labels.csv", "file,class", "good/0.wav,a")
    elif how == "labels name no file":
        text(folder / "labels.csv", "file,label", "good/0.wav,a", "good/8.wav,b")
    elif how == "labels name one twice":
        text(folder / "labels.csv", "file,label", "good/0.wav,a", "good/0.wav,b")
    elif how == "labels without label":
        text(folder / "labels.csv", "file,label", "good/0.wav,")
    elif how == "too little":
        for path in (folder / "worn").iterdir():
            path.unlink()
        wav(folder / "worn" / "0.wav", noise(300))
    return folder


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no folder", "nowhere does not exist"),
        ("a file", "0.wav is a file, not a folder"),
        ("empty", "There is no file below .*none. Expected one sub-folder a class"),
        ("nothing to read", "There is no file that ends in .csv"),
        ("no classes", "The 3 files in .*good have no class. Expected one sub-folder"),
        ("one class", "All 3 files .* are of one class, 'good'. A classifier needs at least two"),
        ("rates", "different sampling rates: good/0.wav 1000 Hz, worn/9.wav 2000 Hz"),
        ("rate unknown for some", "of worn/9.npy nothing says at which rate"),
        ("short", "1 of 7 files is shorter than a window of 256 points; the shortest, worn/9.wav, has 100"),
        ("nan", r"worn/9.csv has 1 value that is no finite number, the first \(nan\) at line 22"),
        ("inf", r"worn/9.wav has 1 value that is no finite number, the first \(inf\) at point 8"),
        ("a word", "Line 22 of worn/9.csv: 'off' is no number"),
        ("an empty cell", "Line 21 of worn/9.csv: a cell is empty"),
        ("a line cut short", "Line 201 of worn/9.csv has 1 cell, and the others have 2"),
        ("no numbers", "worn/9.txt"),
        ("uneven times", "The times in column 'time' of worn/9.csv are not evenly spaced"),
        ("damaged", "worn/9.mat cannot be read as MAT: .*may be damaged"),
        ("a picture named so", "worn/9.csv is not text"),
        ("empty file", "worn/9.csv is empty"),
        ("MAT 7.3", "worn/9.mat is a MAT file of version 7.3, which is not read here. Save it"),
        ("two variables", "worn/9.mat holds 2 signals: DE, FE. Say which one: `channel`, or --channel NAME"),
        ("no signal", "worn/9.mat holds no signal: expected a vector"),
        ("objects", "worn/9.npy cannot be read as NPY"),
        ("silent", "All windows of class 'worn' are constant"),
        ("labels lack a column", "labels.csv lacks the column label"),
        ("labels name no file", "Line 3 of labels.csv names good/8.wav, and there is no such file"),
        ("labels name one twice", "labels.csv names good/0.wav twice, in lines 2 and 3"),
        ("labels without label", "Line 2 of labels.csv has no label"),
        ("too little", "Class 'worn' has 1 window of 1 recording: too little to have some to train on"),
    ],
)
def test_what_is_wrong_is_said(folder, how, words):
    place = broken(folder, how)
    with pytest.raises(diagnose.BadData, match=words) as found:
        diagnose.split(diagnose.cut(diagnose.read_folder(place), window=256))
    assert "\n" not in str(found.value) and str(found.value).endswith(".")


def test_the_command_line_says_it_in_one_line_and_without_a_backend(folder, tmp_path):
    wav(folder / "worn" / "9.wav", noise(), 2000)
    command = [sys.executable, "-X", "importtime", "-m", "drsn_lib", "diagnose", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 1 and len(said) == 1
    assert said[0].startswith("error: The files have different sampling rates")
    assert "| keras\n" not in done.stderr and " keras\n" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["signals"]


def test_reading_starts_no_backend():
    code = "import sys; from drsn_lib import diagnose; diagnose.calibration; print('keras' in sys.modules)"
    assert run_python(code).strip() == "False"


# ---------------------------------------------------------------- windows and sides


def windows(tmp_path, recordings=5, **more):
    place = diagnose.write_example(tmp_path / "made", recordings=recordings, seconds=0.5, **more)
    return diagnose.cut(diagnose.read_folder(place), window=512)


def test_windows_are_the_signal_cut_up(folder):
    found = diagnose.read_folder(folder)
    pieces = diagnose.cut(found, window=200)
    assert pieces.x.shape == (18, 200, 1)
    own = found.signals[1].values[200:400]
    assert np.allclose(pieces.x[4, :, 0], own - own.mean(), atol=1e-6) and pieces.start[4] == 200
    half = diagnose.cut(found, window=200, overlap=0.5)
    assert half.start[:5].tolist() == [0, 100, 200, 300, 400]
    x = diagnose.standardize(pieces.x)
    assert np.allclose(x.mean(axis=1), 0, atol=1e-5) and np.allclose(x.std(axis=1), 1, atol=1e-5)
    for arguments, words in (({"window": 10}, "`window`"), ({"overlap": 1.0}, "`overlap`")):
        with pytest.raises(ValueError, match=words):
            diagnose.cut(found, **{"window": 200, **arguments})


@pytest.mark.parametrize("seed", range(4))
def test_no_recording_is_on_two_sides(tmp_path, seed):
    pieces = windows(tmp_path)
    sides = diagnose.split(pieces, seed)
    parts = [set(pieces.group[rows].tolist()) for rows in (sides.train, sides.validation, sides.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert all(set(pieces.y[rows].tolist()) == {0, 1, 2, 3} for rows in (sides.train, sides.validation, sides.test))
    assert len(sides.train) + len(sides.validation) + len(sides.test) == len(pieces)
    assert sides.by_time == () and sides.shared_validation == ()


def test_splits_differ_by_seed_and_not_by_chance(tmp_path):
    pieces = windows(tmp_path)
    first, again, other = (diagnose.split(pieces, seed).test.tolist() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("recordings", [1, 2])
def test_few_recordings_are_divided_by_time_with_a_gap(tmp_path, recordings):
    pieces = windows(tmp_path, recordings)
    sides = diagnose.split(pieces)
    named = {1: sides.by_time, 2: sides.shared_validation}[recordings]
    assert named == ("ball", "healthy", "inner race", "outer race")
    for rows, others in ((sides.train, sides.validation), (sides.validation, sides.test)):
        for file in set(pieces.file[rows]) & set(pieces.file[others]):
            end = pieces.start[rows][pieces.file[rows] == file].max() + 512
            assert pieces.start[others][pieces.file[others] == file].min() >= end + 512
    if recordings == 2:
        assert not set(pieces.file[sides.train]) & set(pieces.file[sides.test])


def test_a_recording_with_two_classes_stays_whole(folder):
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.wav"))]
    text(folder / "labels.csv", "file,label,recording", *[f"{name},{name[:4]},r{name[5]}" for name in names])
    pieces = diagnose.cut(diagnose.read_folder(folder, group_by="recording"), window=100)
    for seed in range(5):
        sides = diagnose.split(pieces, seed)
        assert len(pieces.groups) == 3
        assert not set(pieces.group[sides.train]) & set(pieces.group[sides.test])


def test_clipping_is_seen():
    wave = np.sin(np.arange(1000) / 9)
    assert diagnose.Signal("a", wave).clipped == 0
    assert diagnose.Signal("a", np.clip(wave, -0.8, 0.8)).clipped > 0.2


# ---------------------------------------------------------------- calibration


def test_calibration_by_hand():
    p = np.array([[0.95, 0.05], [0.85, 0.15], [0.15, 0.85], [0.4, 0.6]])
    found = diagnose.calibration(p, [0, 1, 1, 1])
    assert found.count.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 2, 1]
    assert np.isclose(found.error, (1 * 0.4 + 2 * abs(0.5 - 0.85) + 1 * 0.05) / 4)


def test_honest_probabilities_are_off_by_luck_alone_and_others_are_not():
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(3), size=2000)
    y = (rng.uniform(size=2000)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    honest, sure = diagnose.calibration(p, y), diagnose.calibration(diagnose.with_temperature(p, 0.3), y)
    assert honest.error < 2 * honest.by_chance and sure.error > 5 * sure.by_chance
    assert abs(diagnose.fit_temperature(p, y) - 1) < 0.1
    assert abs(diagnose.fit_temperature(diagnose.with_temperature(p, 0.3), y) - 1 / 0.3) < 0.4
    for wrong in (p[:, :1] * 2, -p, p[:5]):
        with pytest.raises(ValueError, match="probabilities"):
            diagnose.calibration(wrong, y)


# ---------------------------------------------------------------- the whole way

SMALL = {"window": 256, "seeds": [0, 1], "epochs": 2, "progress": False}


@pytest.fixture(scope="module")
def compiled():
    """Lets all runs share compiled networks, whose compiling takes most of the time: each training begins anew."""
    from drsn_lib.diagnose import _training

    build, made = _training.Network, {}

    def network(variant, window, classes, plan):
        key = (variant, window, classes, str(plan))
        if key not in made:
            made[key] = build(variant, window, classes, plan)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_training, "Network", network)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory, compiled):
    """A folder of signals and the report that was made of it."""
    place = tmp_path_factory.mktemp("whole")
    signals = diagnose.write_example(place / "signals", recordings=4, seconds=0.15, classes=("healthy", "outer race"))
    report = diagnose.run(signals, place / "report", **SMALL)
    return signals, place / "report", report


def test_the_report_holds_what_was_measured(finished):
    _, out, report = finished
    assert sorted(path.name for path in out.iterdir()) == ["model.json", "model.keras", "report.html", "report.json"]
    assert json.loads((out / "report.json").read_text()) == report
    assert list(report["scores"]) == ["drsn-cw", "senet", "linear", "linear, with level"]
    assert report["parameters"]["drsn-cw"] == report["parameters"]["senet"]
    for one in report["scores"].values():
        rows = one["runs"]
        assert [row["seed"] for row in rows] == [0, 1]
        for row in rows:
            table = np.array(row["confusion"])
            assert np.isclose(np.trace(table) / table.sum(), row["accuracy"], atol=1e-6)
        assert np.isclose(one["accuracy"]["mean"], np.mean([row["accuracy"] for row in rows]), atol=1e-6)
        assert np.isclose(one["accuracy"]["sd"], np.std([row["accuracy"] for row in rows], ddof=1), atol=1e-6)
    for split in report["splits"]:
        assert not set(split["train"]["files"]) & set(split["test"]["files"])
    kinds = {one["kind"] for one in report["warnings"]}
    assert {"few recordings", "few seeds"} <= kinds and "split by time" not in kinds
    assert [one["b"] for one in report["comparisons"]] == ["senet", "linear"]
    assert report["comparisons"][0]["verdict"] == "no verdict from 2 seeds"
    assert ["train_accuracy" in one for one in report["scores"].values()] == [True, True, False, False]


def test_the_page_stands_alone(finished):
    _, out, report = finished
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img ") == page.count('src="data:image/png;base64,') == 4
    assert page.count("<figure>") == page.count("</figcaption></figure>") == page.count(' alt="') == 4
    assert "The dashed line is what always naming" in page and "a bar at their mean" in page
    assert "<script" not in page and "prefers-color-scheme: dark" in page
    assert re.findall(r"(?:src|href)=\"(?!data:)", page) == [] and "http" not in re.sub(r"base64,\S+", "", page)
    assert f"{report['scores']['drsn-cw']['accuracy']['mean']:.3f}" in page
    for one in report["warnings"]:
        assert one["kind"].capitalize() in page


def test_the_stored_network_gives_the_scores_of_the_report(finished):
    signals, out, report = finished
    diagnosis = diagnose.load(out)
    pieces = diagnose.cut(diagnose.read_folder(signals), window=256)
    rows = diagnose.split(pieces, 0).test
    p = diagnosis.probabilities(pieces.x[rows])
    accuracy = np.mean(p.argmax(axis=1) == pieces.y[rows])
    assert np.isclose(accuracy, report["scores"]["drsn-cw"]["runs"][0]["accuracy"], atol=1e-6)
    assert diagnosis.sampling_rate == 12_800 and diagnosis.classes == ("healthy", "outer race")


def test_a_new_file_is_classified(finished, tmp_path, capsys):
    signals, out, _ = finished
    path = signals / "healthy" / "01.wav"
    answer = diagnose.load(out).classify(path)
    assert np.isclose(sum(answer.probabilities.values()), 1) and sum(answer.windows.values()) == 7
    assert answer.label == max(answer.probabilities, key=answer.probabilities.get)
    assert main(["diagnose", "--classify", str(path), "--model", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(answer)
    wav(tmp_path / "slow.wav", noise(), 1000)
    assert main(["diagnose", "--classify", str(tmp_path / "slow.wav"), "--model", str(out)]) == 1
    assert "was sampled at 1000 Hz, and the network has learned from signals at 12800 Hz" in capsys.readouterr().err
    assert main(["diagnose", "--classify", str(path), "--model", str(tmp_path)]) == 1
    assert "holds no model.keras and no model.json" in capsys.readouterr().err


def test_nothing_is_overwritten_unless_told(finished, tmp_path):
    signals, out, report = finished
    with pytest.raises(diagnose.BadData, match=r"holds a report already .* Nothing was changed"):
        diagnose.run(signals, out, **SMALL)
    text(tmp_path / "mine" / "thesis.txt", "years of work")
    for force in (False, True):
        with pytest.raises(diagnose.BadData, match=r"holds other files \(thesis.txt\). Nothing was changed"):
            diagnose.run(signals, tmp_path / "mine", force=force, **SMALL)
    with pytest.raises(diagnose.BadData, match="would lie among the signals"):
        diagnose.run(signals, signals / "healthy" / "report", **SMALL)
    assert json.loads((out / "report.json").read_text())["date"] == report["date"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"variant": "unet"}, "`variant` must be one of"),
        ({"control": "drsn-cw"}, "`control` must be another"),
        ({"seeds": []}, "`seeds` must be different integers"),
        ({"epochs": 0}, "`epochs` must be an integer"),
        ({"sampling_rate": -1.0}, "`sampling_rate` must be a positive"),
        ({"group_by": "day"}, "`group_by` must be"),
    ],
)
def test_wrong_arguments_are_named(finished, tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        diagnose.run(finished[0], tmp_path / "out", **{**SMALL, **arguments})
    assert not (tmp_path / "out").exists()


def test_a_stopped_run_goes_on_where_it_was(finished, tmp_path, monkeypatch):
    from drsn_lib.diagnose import _training

    signals, _, report = finished
    store, stored = _training._store, []

    def stop_after_the_second(path, *rest):
        store(path, *rest)
        stored.append(path.name)
        if len(stored) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_training, "_store", stop_after_the_second)
    with pytest.raises(KeyboardInterrupt, match="The same command goes on"):
        diagnose.run(signals, tmp_path / "out", **SMALL)
    assert not (tmp_path / "out" / "report.json").exists()
    with pytest.raises(diagnose.BadData, match="unfinished training of other signals or settings"):
        diagnose.run(signals, tmp_path / "out", **{**SMALL, "epochs": 3})
    again = diagnose.run(signals, tmp_path / "out", **SMALL)
    assert stored == ["drsn-cw-seed0.npz", "drsn-cw-seed1.npz", "senet-seed0.npz", "senet-seed1.npz"]
    assert again["scores"] == report["scores"] and not (tmp_path / "out" / "unfinished").exists()


def test_the_command_does_one_thing(capsys, tmp_path):
    assert main(["diagnose"]) == 1 and "Received: none of them" in capsys.readouterr().err
    assert main(["diagnose", "a", "--classify", "b"]) == 1 and "folder and classify" in capsys.readouterr().err
    assert main(["diagnose", "--classify", "b"]) == 1 and "belong together" in capsys.readouterr().err
    assert main(["diagnose", "--example", str(tmp_path / "made")]) == 0
    assert len(list((tmp_path / "made").rglob("*.*"))) == 24
    assert main(["diagnose", "--example", str(tmp_path / "made")]) == 1 and "not empty" in capsys.readouterr().err


def test_what_should_make_a_reader_careful_is_said(tmp_path):
    from drsn_lib.diagnose import _running

    place = tmp_path / "signals"
    x = noise(4000)
    wav(place / "good" / "1.wav", np.clip(x[:3000], -1, 1))
    for name in ("1.wav", "2.wav", "3.wav"):
        wav(place / "worn" / name, x if name != "2.wav" else np.r_[noise(4000), np.zeros(600)])
    text(place / "worn" / "notes.docx", "x")
    found = diagnose.read_folder(place)
    pieces = diagnose.cut(found, window=200)
    score = {"accuracy": {"mean": 0.7, "sd": None}, "leaky_accuracy": {"mean": 1.0, "sd": None}}
    level = {"accuracy": {"mean": 0.99, "sd": None}}
    curve = {"after": {"error": 0.3, "by_chance": 0.05}}
    report = {
        "settings": {"overlap": 0.5, "seeds": [0], "control": "senet"},
        "data": {**_running._told(found, pieces), "sampling_rate": None},
        "scores": {
            "drsn-cw": {"accuracy": {"mean": 0.6, "sd": None}, "train_accuracy": {"mean": 0.9, "sd": None}},
            "senet": {"accuracy": {"mean": 0.5, "sd": None}},
            "linear": score,
            "linear, with level": level,
        },
        "calibration": {"drsn-cw": curve},
    }

    def warned():
        said = _running._warnings(report, found, pieces, [diagnose.split(pieces)], "drsn-cw")
        return {one["kind"]: f"{one['words']} {one['todo']}" for one in said}

    kinds = warned()
    assert set(kinds) == {
        "split by time",
        "few recordings",
        "imbalance",
        "constant",
        "clipped",
        "copies",
        "no sampling rate",
        "files not read",
        "overlap",
        "few seeds",
        "hardly above guessing",
        "the control is hardly above guessing",
        "the linear classifier is ahead",
        "the level tells",
        "what a leak would have claimed",
        "probabilities",
    }
    assert "good/1.wav" in kinds["clipped"] and "worn/notes.docx" in kinds["files not read"]
    assert "worn/1.wav and worn/3.wav" in kinds["copies"] and "Of good there is only one" in kinds["split by time"]
    assert "The control, senet, is right on 50%" in kinds["the control is hardly above guessing"]
    ahead = "the linear classifier is ahead"
    assert "scores 70.0%, the network 60.0%. Use the linear one, or record more" in kinds[ahead]
    report["scores"]["senet"]["accuracy"]["mean"] = 0.95
    report["scores"]["drsn-cw"]["train_accuracy"]["mean"] = 0.75
    little = warned()
    assert "right on only 75.0% of the windows that it was trained on" in little[ahead]
    assert "Train longer (--epochs)" in little[ahead] and "record more" not in little[ahead]
    assert set(kinds) - set(little) == {"the control is hardly above guessing"}
    del report["scores"]["drsn-cw"]["train_accuracy"]
    assert warned()[ahead] == kinds[ahead]


def test_one_seed_is_one_dot_without_a_mean(monkeypatch):
    from drsn_lib.diagnose import _report

    drawn = []
    monkeypatch.setattr(_report, "_figure", lambda figure, *words: drawn.append((figure.axes[0], words)))
    for scores in ([0.7], [0.7, 0.9]):
        _report._score_rows(
            {
                "settings": {"seeds": list(range(len(scores)))},
                "data": {"classes": {"a": {"windows": 30}, "b": {"windows": 10}}},
                "scores": {"drsn-cw": {"runs": [{"accuracy": one} for one in scores]}},
            }
        )
    (one, words), (several, more) = drawn
    assert [line.get_linestyle() for line in one.get_lines()] == ["None", "--"]
    assert [line.get_linestyle() for line in several.get_lines()] == ["-", "None", "--"]
    assert [text.get_text() for text in one.texts] == ["guessing"]
    assert "a dot for the one random seed" in words[1] and "a bar at their mean" in more[1]
    assert words[0].startswith("A row for each classifier, with its test accuracy: DRSN-CW 0.700. Guessing is at 0.750")
