"""The digits, the noise, and what happens when a data set cannot be had."""

import http.server
import io
import pickle
import tarfile
import threading
import types

import helpers
import numpy as np
import pytest

from drsn_lib import data
from drsn_lib.data import _cache, cifar10, mnist

KINDS = ("gaussian", "laplacian", "pink", "uniform")


def test_subset():
    (x_train, y_train), (x_test, y_test) = data.load_mnist()
    assert x_train.shape == (10_000, 28, 28) and x_test.shape == (2_000, 28, 28)
    assert x_train.dtype == x_test.dtype == y_train.dtype == np.uint8
    assert np.bincount(y_train).tolist() == [1000] * 10
    assert np.bincount(y_test).tolist() == [200] * 10
    assert len(np.unique(x_train.reshape(10_000, -1), axis=0)) == 10_000
    # Shuffled: every stretch holds all digits.
    assert len(np.unique(y_train[:100])) == len(np.unique(y_test[-100:])) == 10


def test_subset_cannot_be_spoiled_by_a_caller():
    (x, _), _ = data.load_mnist()
    x[:] = 0
    assert data.load_mnist()[0][0].any()


def test_subset_is_part_of_the_full_set():
    helpers.needs_cached("mnist.npz", "load_mnist(full=True)")
    (x_full, y_full), _ = data.load_mnist(full=True)
    assert x_full.shape == (60_000, 28, 28)
    labels = {image.tobytes(): label for image, label in zip(x_full, y_full, strict=True)}
    (x, y), _ = data.load_mnist()
    assert all(labels[image.tobytes()] == label for image, label in zip(x, y, strict=True))


# The cache and the download, against a server on this machine.


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Between two tries at a download, pooch waits a second, then two: not here."""
    monkeypatch.setattr("pooch.core.time", types.SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def server(tmp_path):
    """A web server whose answer a test chooses: `server.answer(handler)`."""
    chosen = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            chosen["calls"] = chosen.get("calls", 0) + 1
            chosen["answer"](self)

        def log_message(self, *_):
            pass

    one = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.chosen = chosen
    one.url = f"http://127.0.0.1:{one.server_port}/set.npz"
    thread = threading.Thread(target=one.serve_forever, daemon=True)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()


@pytest.fixture
def small(tmp_path):
    """A small data set: its arrays, digests and the bytes of its file."""
    arrays = {"x": np.arange(5000, dtype=np.int32), "y": np.ones(3)}
    np.savez(tmp_path / "made.npz", **arrays)
    return arrays, {key: _cache.digest(a) for key, a in arrays.items()}, (tmp_path / "made.npz").read_bytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DRSN_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def serve(body, length=None):
    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return answer


def missing(request):
    request.send_error(404)


def stall(request):
    threading.Event().wait(3)


def test_download_and_then_cache(server, small, cache):
    arrays, digests, body = small
    server.chosen["answer"] = serve(body)
    for _ in range(2):
        got = _cache.load_arrays("small", "set.npz", server.url, digests)
        assert all((got[key] == arrays[key]).all() for key in arrays)
    assert server.chosen["calls"] == 1
    assert [p.name for p in cache.iterdir()] == ["set.npz"]


@pytest.mark.parametrize("trouble", ["missing", "cut-off", "corrupted", "no zip", "wrong arrays", "stall"])
def test_trouble_is_said_and_the_next_call_succeeds(server, small, cache, tmp_path, trouble):
    arrays, digests, body = small
    np.savez(tmp_path / "other.npz", x=arrays["x"] + 1, y=arrays["y"])
    server.chosen["answer"] = {
        "missing": missing,
        "cut-off": serve(body[: len(body) // 2], length=len(body)),
        "corrupted": serve(body[:3000] + bytes(64) + body[3064:]),
        "no zip": serve(b"<html>Please log in to this network</html>"),
        "wrong arrays": serve((tmp_path / "other.npz").read_bytes()),
        "stall": stall,
    }[trouble]
    with pytest.raises(data.DataNotAvailable) as caught:
        _cache.load_arrays("small", "set.npz", server.url, digests, timeout=1, retries=0)
    said = str(caught.value)
    for part in ("small is not available", str(cache / "set.npz"), "curl --location", server.url, "DRSN_DATA"):
        assert part in said
    assert list(cache.iterdir()) == []  # nothing half-written is left
    server.chosen["answer"] = serve(body)
    got = _cache.load_arrays("small", "set.npz", server.url, digests, timeout=1)
    assert (got["x"] == arrays["x"]).all()


def test_a_download_that_breaks_off_is_tried_again(server, small, cache):
    arrays, digests, body = small
    answers = [serve(body[:1000], length=len(body)), missing, serve(body)]

    def answer(request):
        answers.pop(0)(request)

    server.chosen["answer"] = answer
    got = _cache.load_arrays("small", "set.npz", server.url, digests)
    assert (got["x"] == arrays["x"]).all() and server.chosen["calls"] == 3
    assert [p.name for p in cache.iterdir()] == ["set.npz"]


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"", lambda b: b[:3000] + bytes(64) + b[3064:]])
def test_damaged_cache_file_is_never_used(server, small, cache, damage):
    arrays, digests, body = small
    cache.mkdir()
    (cache / "set.npz").write_bytes(damage(body))
    server.chosen["answer"] = missing
    with pytest.raises(data.DataNotAvailable, match="is damaged"):
        _cache.load_arrays("small", "set.npz", server.url, digests)
    server.chosen["answer"] = serve(body)
    got = _cache.load_arrays("small", "set.npz", server.url, digests)
    assert (got["y"] == arrays["y"]).all()
    assert (cache / "set.npz").read_bytes() == body


def test_full_mnist_without_a_network_says_what_helps(monkeypatch, cache):
    monkeypatch.setattr(mnist, "_URL", "http://127.0.0.1:9/mnist.npz")  # the discard port: nobody listens
    with pytest.raises(data.DataNotAvailable, match=r"(?s)MNIST is not available.*curl.*mnist\.npz"):
        data.load_mnist(full=True)


def archive(folder, x, y):
    """An archive as CIFAR-10's authors pack theirs, of few images."""
    path = folder / "cifar.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for k, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
            flat = np.ascontiguousarray(x[k].transpose(0, 3, 1, 2)).reshape(len(x[k]), -1)
            body = pickle.dumps({b"data": flat, b"labels": y[k].tolist()}, protocol=3)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path.read_bytes()


def test_cifar10_from_the_official_form_of_archive(server, cache, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (6, 4, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, (6, 4), dtype=np.uint8)
    arrays = {"x_train": np.concatenate(x[:5]), "y_train": y[:5].reshape(-1, 1), "x_test": x[5], "y_test": y[5:].T}
    monkeypatch.setattr(cifar10, "_URL", server.url)
    monkeypatch.setattr(cifar10, "_DIGESTS", {key: _cache.digest(a) for key, a in arrays.items()})
    server.chosen["answer"] = serve(b"no archive")
    with pytest.raises(data.DataNotAvailable, match=r"(?s)CIFAR-10 is not available.*fetches it from"):
        data.load_cifar10()
    assert list(cache.iterdir()) == []
    server.chosen["answer"] = serve(archive(tmp_path, x, y))
    for _ in range(2):  # the second time from the cache
        (x_train, y_train), (x_test, y_test) = data.load_cifar10()
        np.testing.assert_array_equal(x_train, np.concatenate(x[:5]))
        np.testing.assert_array_equal(y_train, y[:5].ravel())
        np.testing.assert_array_equal(x_test, x[5])
        np.testing.assert_array_equal(y_test, y[5])
    assert server.chosen["calls"] == 2


def test_cifar10_archive_cannot_run_code(tmp_path):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        body = pickle.dumps(eval, protocol=2)
        info = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    with pytest.raises(pickle.UnpicklingError, match="not expected in CIFAR-10"):
        cifar10._from_archive(tmp_path / "evil.tar.gz")


def test_cifar10_itself():
    helpers.needs_cached("cifar10.npz", "load_cifar10()")
    (x_train, y_train), (x_test, _) = data.load_cifar10()
    assert x_train.shape == (50_000, 32, 32, 3) and x_test.shape == (10_000, 32, 32, 3)
    assert np.bincount(y_train).tolist() == [5000] * 10
    assert data.CIFAR10_CLASSES[y_train[0]] == "frog"  # known first image


def test_cache_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("DRSN_DATA", "~/sets")
    assert data.cache_directory().name == "sets" and data.cache_directory().is_absolute()
    monkeypatch.delenv("DRSN_DATA")
    assert data.cache_directory().parts[-2:] == (".cache", "drsn")


# Noise.

SIGNALS = [(300,), (5, 300), (5, 256, 2), (5, 16, 12, 3)]


def signal(shape, seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, size=shape).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SIGNALS)
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5])
def test_ratio_is_exact(kind, shape, snr_db):
    x = signal(shape)
    y = data.add_noise(x, snr_db, kind, seed=1)
    assert y.shape == x.shape and y.dtype == np.float32
    np.testing.assert_allclose(data.measure_snr(x, y), snr_db, atol=1e-4)
    np.testing.assert_allclose(np.mean(y - x), 0.0, atol=1e-4)


def test_ratio_a_sample_and_over_the_data_set():
    x = signal((4, 500)) * np.array([1, 2, 4, 8.0])[:, None]
    levels = [-5, 0, 5, np.inf]
    np.testing.assert_allclose(data.measure_snr(x, data.add_noise(x, levels, seed=0)), levels, atol=1e-6)
    noise = data.add_noise(x, 0.0, seed=0, power="dataset") - x
    np.testing.assert_allclose(noise.var(axis=1), x.var(axis=1).mean(), rtol=1e-6)
    assert data.add_noise(x, 3.0, seed=0).dtype == np.float64


def test_seed():
    x = signal((3, 100))
    first = data.add_noise(x, 0, seed=7)
    np.testing.assert_array_equal(first, data.add_noise(x, 0, seed=7))
    assert not np.allclose(first, data.add_noise(x, 0, seed=8))
    assert not np.allclose(data.add_noise(x, 0), data.add_noise(x, 0))
    rng = np.random.default_rng(7)
    assert not np.allclose(data.add_noise(x, 0, seed=rng), data.add_noise(x, 0, seed=rng))
    assert not np.allclose(first[0] - x[0], first[1] - x[1])


def test_kinds_have_their_shapes():
    x = signal((200, 2048))
    noise = {kind: data.add_noise(x, 0, kind, seed=2).astype(np.float64) - x for kind in KINDS}
    kurtosis = {kind: ((n / n.std(axis=1, keepdims=True)) ** 4).mean() for kind, n in noise.items()}
    assert kurtosis["gaussian"] == pytest.approx(3.0, abs=0.1)
    assert kurtosis["laplacian"] == pytest.approx(6.0, abs=0.5)
    assert kurtosis["uniform"] == pytest.approx(1.8, abs=0.05)

    def slope(n):
        power = (np.abs(np.fft.rfft(n, axis=1)) ** 2).mean(axis=0)[1:-1]
        return np.polyfit(np.log(np.arange(1, len(power) + 1)), np.log(power), 1)[0]

    assert slope(noise["pink"]) == pytest.approx(-1.0, abs=0.05)
    assert slope(noise["gaussian"]) == pytest.approx(0.0, abs=0.05)


def test_pink_images_have_no_direction():
    x = signal((400, 32, 32, 1))
    power = (np.abs(np.fft.fft2((data.add_noise(x, 0, "pink", seed=3) - x)[..., 0])) ** 2).mean(axis=0)
    rows, columns = power[1:15, 0], power[0, 1:15]
    np.testing.assert_allclose(rows / columns, 1.0, atol=0.3)
    assert power[1, 0] / power[8, 0] == pytest.approx(8.0, rel=0.3)


def test_integers_and_nan():
    digits = data.load_mnist()[0][0][:3]
    assert data.add_noise(digits, 0, seed=0).dtype == np.float32
    x = signal((2, 50))
    x[0, 3] = np.nan
    y = data.add_noise(x, 0, seed=0)
    assert np.isnan(y[0]).any() and not np.isnan(y[1]).any()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"x": np.ones((2, 2, 2, 2, 2))}, "`x`"),
        ({"x": np.zeros((0, 5))}, "`x`"),
        ({"x": np.array(["a"])}, "`x`"),
        ({"kind": "white"}, "`kind`"),
        ({"power": "batch"}, "`power`"),
        ({"snr_db": [1, 2, 3]}, "`snr_db`"),
        ({"snr_db": np.nan}, "`snr_db`"),
        ({"snr_db": -np.inf}, "`snr_db`"),
    ],
)
def test_wrong_argument_is_named(arguments, named):
    with pytest.raises(ValueError, match=rf"(?s){named}.*Received: "):
        data.add_noise(**{"x": signal((2, 50)), "snr_db": 0.0, **arguments})


def test_constant_sample_is_named():
    x = signal((3, 50))
    x[1] = 4.0
    with pytest.raises(ValueError, match="Sample 1 of `x` is constant"):
        data.add_noise(x, 0)
    with pytest.raises(ValueError, match="one shape"):
        data.measure_snr(x, x[:2])
