"""The bearing data: which file is what, the sampling-rate trap, the four splits, and files that are wrong."""

import types

import helpers
import numpy as np
import pytest
import scipy.io

from drsn_lib import data
from drsn_lib.data import _cache, cwru


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Between two tries at a download, pooch waits a second, then two: not here."""
    monkeypatch.setattr("pooch.core.time", types.SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture(scope="module")
def bearings():
    helpers.needs_cached("cwru/12k/97.mat", "load_cwru()")
    return data.load_cwru("12k", length=1024, overlap=0.5)


def test_tables():
    slow, fast = data.cwru_recordings("12k"), data.cwru_recordings("48k")
    assert len(slow) == 61 and len({r.number for r in slow}) == 61
    assert len(fast) == 10
    by_number = {r.number: r for r in slow}
    # From the data center's pages.
    assert by_number[106] == cwru.Recording(106, "inner race", 7, 1, None)
    assert by_number[160] == cwru.Recording(160, "outer race", 7, 3, 12)
    assert 157 not in by_number
    assert by_number[236] == cwru.Recording(236, "outer race", 21, 2, 6)
    assert by_number[3008] == cwru.Recording(3008, "ball", 28, 3, None)
    with pytest.raises(ValueError, match=r"`rate`.*Received: rate='24k'"):
        data.cwru_recordings("24k")


def test_normal_recording_is_brought_to_the_rate_of_the_others(bearings):
    # Two lines of the rig stand in every recording at 0 HP, if it is read at its own rate.
    normal = cwru._drive_end(data.cwru_recordings("12k")[0], "12k")
    raw = cwru._read(data.cwru_recordings("12k")[0], "12k")
    faulty = cwru._read(cwru.Recording(105, "inner race", 7, 0, None), "12k")

    def lines(signal, rate):
        amplitude = np.abs(np.fft.rfft((signal - signal.mean()) * np.hanning(len(signal))))
        frequency = np.fft.rfftfreq(len(signal), 1 / rate)
        floor = np.median(amplitude[(frequency > 100) & (frequency < 700)])
        return min(amplitude[np.abs(frequency - hz) < 0.35].max() / floor for hz in (161.7, 540.8))

    assert lines(faulty, 12_000) > 30
    assert lines(normal, 12_000) > 30
    assert lines(raw, 48_000) > 30
    assert lines(raw, 12_000) < 15  # taken for 12 kHz, as it stands at the data center
    assert len(raw) / 4 == pytest.approx(len(normal), abs=2)
    # Anti-aliased: what lay above 6 kHz has not come back below it.
    power = np.abs(np.fft.rfft(raw)) ** 2
    kept = power[np.fft.rfftfreq(len(raw), 1 / 48_000) < 6000].sum() / len(raw) ** 2
    assert (np.abs(np.fft.rfft(normal)) ** 2).sum() / len(normal) ** 2 == pytest.approx(kept, rel=0.05)


def test_windows(bearings):
    assert bearings.x.shape[1:] == (1024, 1) and bearings.x.dtype == np.float32
    assert {*bearings.load} == {0, 1, 2, 3} and {*bearings.size} == {0, 7, 14, 21, 28}
    assert (np.diff(bearings.start[bearings.recording == 105]) == 512).all()
    one, following = bearings.x[bearings.recording == 105][:2, :, 0]
    np.testing.assert_array_equal(one[512:], following[:512])
    raw = cwru._read(cwru.Recording(105, "inner race", 7, 0, None), "12k")
    np.testing.assert_array_equal(one, raw[:1024].astype(np.float32))


def test_fault_frequencies_are_those_of_the_bearing(bearings):
    # The drive-end bearing turning at 1,797 turns a minute: read from the envelope, as an engineer would.
    import scipy.signal

    hz = data.Machine(balls=9, ball_diameter=7.94, pitch_diameter=39.04).frequencies(1797 / 60)
    for number, fault in ((105, "inner race"), (130, "outer race")):
        x = cwru._read(cwru.Recording(number, fault, 7, 0, None), "12k")
        envelope = np.abs(scipy.signal.hilbert(x))
        amplitude = np.abs(np.fft.rfft(envelope - envelope.mean()))
        frequency = np.fft.rfftfreq(len(x), 1 / 12_000)
        shown = (frequency > 80) & (frequency < 200)
        assert frequency[shown][amplitude[shown].argmax()] == pytest.approx(hz[fault], rel=0.01)


def test_splits(bearings):
    at = {name: bearings.split(name) for name in ("random", "time", "load", "size")}
    for train, test in at.values():
        assert len(train) and len(test) and not set(train) & set(test)

    def shares_samples(train, test):
        spans = {}
        for i in train:
            spans.setdefault(bearings.recording[i], set()).add(bearings.start[i])
        return any(
            abs(start - bearings.start[i]) < 1024 for i in test[:50] for start in spans.get(bearings.recording[i], ())
        )

    assert shares_samples(*at["random"])  # the leak
    assert not shares_samples(*at["time"])
    assert {*bearings.load[at["load"][0]]} == {0, 1, 2} and {*bearings.load[at["load"][1]]} == {3}
    assert {*bearings.size[at["size"][0]]} == {7, 14} and {*bearings.size[at["size"][1]]} == {21}
    normal = bearings.classes.index("normal")
    for name in ("load", "size"):
        assert not np.isin(normal, bearings.y[np.concatenate(at[name])])
    assert not set(bearings.recording[at["load"][0]]) & set(bearings.recording[at["load"][1]])
    for index, share in (("random", 0.3), ("time", 0.3)):
        assert len(at[index][1]) / len(bearings.y) == pytest.approx(share, abs=0.02)


def test_split_that_cannot_be_is_said(bearings):
    fast = data.load_cwru("48k", length=4096)
    assert fast.sampling_rate == 48_000 and len(np.unique(fast.recording)) == 10
    with pytest.raises(ValueError, match="rate='12k'"):
        fast.split("load")
    with pytest.raises(ValueError, match="`name`"):
        bearings.split("bearing")
    with pytest.raises(ValueError, match="`test_share`"):
        bearings.split("random", test_share=1.0)


@pytest.mark.parametrize("arguments", [{"length": 0}, {"length": 2.5}, {"overlap": 1.0}, {"overlap": -0.1}])
def test_wrong_argument_is_named(arguments):
    with pytest.raises(ValueError, match=rf"`{next(iter(arguments))}`.*Received"):
        data.load_cwru(**arguments)


# Files that are wrong, made here.


@pytest.fixture
def one_file(tmp_path, monkeypatch):
    """A cache with one small file, and the digest under which it is known."""
    monkeypatch.setenv("DRSN_DATA", str(tmp_path))
    monkeypatch.setattr(cwru, "_URL", "http://127.0.0.1:9/{number}.mat")
    signal = np.random.default_rng(0).normal(size=500)
    monkeypatch.setattr(cwru, "_digests", lambda: {"48k/174": _cache.digest(signal)})
    folder = tmp_path / "cwru" / "48k"
    folder.mkdir(parents=True)
    return folder, signal, cwru.Recording(174, "inner race", 14, 0, None)


def test_inner_name_and_container_do_not_matter(one_file):
    folder, signal, recording = one_file
    scipy.io.savemat(folder / "174.mat", {"X173_DE_time": signal[:, None], "X173_FE_time": signal[:, None] * 2})
    np.testing.assert_array_equal(cwru._read(recording, "48k"), signal)
    (folder / "174.mat").unlink()
    np.savez(folder / "174.npz", DE=signal, FE=signal * 2)
    np.testing.assert_array_equal(cwru._read(recording, "48k"), signal)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there"),
        ({"X174_DE_time": np.zeros((500, 1))}, "wrong digest"),
        ({"X174_FE_time": np.zeros((500, 1))}, r"one drive-end signal.*X174_FE_time"),
        ({"X174_DE_time": np.zeros((5, 1)), "X173_DE_time": np.zeros((5, 1))}, "one drive-end signal"),
        (b"not a mat file", "cannot be read"),
    ],
)
def test_missing_and_wrong_files_are_said(one_file, content, said):
    folder, _, recording = one_file
    if isinstance(content, bytes):
        (folder / "174.mat").write_bytes(content)
    elif content:
        scipy.io.savemat(folder / "174.mat", content)
    with pytest.raises(data.DataNotAvailable, match=rf"(?s)CWRU file 174 is not available.*{said}.*174\.mat"):
        cwru._read(recording, "48k")


def test_digests_cover_every_recording():
    known = cwru._digests()
    wanted = {
        f"{'12k' if r.number == 97 else rate}/{r.number}" for rate in ("12k", "48k") for r in data.cwru_recordings(rate)
    }
    assert set(known) == wanted
    assert all(len(value) == 64 for value in known.values())
