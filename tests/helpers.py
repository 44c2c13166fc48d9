"""What the tests share: gradients on any backend, the papers' formulas in NumPy, a fresh Python."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from drsn_lib import data

# Two float64 computations of one formula, and of its gradient against finite differences. On JAX and PyTorch some of
# Keras' own operations (mean, tanh, matmul, normalization) go through float32 whatever the type of their inputs.
WIDE = keras.backend.backend() == "tensorflow"
TIGHT = {"rtol": 1e-10, "atol": 1e-12} if WIDE else {"rtol": 1e-4, "atol": 5e-6}
GRADIENT = {"rtol": 2e-6, "atol": 1e-7} if WIDE else {"rtol": 1e-4, "atol": 1e-5}
ROOT = pathlib.Path(__file__).resolve().parent.parent


def needs_cached(filename, call):
    """Skips a test of a large data set where it is not in the cache: tests download nothing."""
    if not (data.cache_directory() / filename).exists():
        pytest.skip(f"{filename} is not in {data.cache_directory()}; `data.{call}` would download it")


def array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def gradients(function, *values):
    """The gradients of the scalar `function(*values)` with respect to each of `values`, as arrays."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = [tf.constant(value) for value in values]
        with tf.GradientTape() as tape:
            for tensor in tensors:
                tape.watch(tensor)
            loss = function(*tensors)
        return [array(g) for g in tape.gradient(loss, tensors, unconnected_gradients="zero")]
    if backend == "jax":
        import jax

        return [np.asarray(g) for g in jax.grad(function, argnums=tuple(range(len(values))))(*values)]
    tensors = [ops.convert_to_tensor(value).requires_grad_() for value in values]
    loss = function(*tensors)
    loss.backward()
    return [np.zeros(tuple(t.shape)) if t.grad is None else t.grad.numpy() for t in tensors]


def finite_difference(function, value, step=1e-6):
    """The gradient of a NumPy function of one array, by central differences."""
    value = np.asarray(value, dtype=np.float64)
    gradient = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        up, down = value.copy(), value.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


def weights(layer):
    """A layer's weights by the end of their path, `hidden_dense/kernel` and the like, in float64."""
    return {"/".join(w.path.split("/")[-2:]): array(w).astype(np.float64) for w in layer.weights}


def randomize(layer, seed=0):
    """Gives every weight a random value (positive where it must be), so that no formula holds by chance."""
    rng = np.random.default_rng(seed)
    for w in layer.weights:
        value = rng.normal(0.0, 0.5, w.shape)
        if "variance" in w.path or "gamma" in w.path:
            value = 0.5 + np.abs(value)
        if "seed_generator" not in w.path:
            w.assign(value)


def run_python(code, *args, env=None, python=sys.executable):
    """Runs code in a new process; returns what it printed, or fails with what it said."""
    done = subprocess.run(
        [str(python), "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# The papers' formulas, written once more and in float64: batch-normalization in inference mode.


def np_norm(w, name, z, epsilon=1e-3):
    scale = w[f"{name}/gamma"] / np.sqrt(w[f"{name}/moving_variance"] + epsilon)
    return (z - w[f"{name}/moving_mean"]) * scale + w[f"{name}/beta"]


def np_dense(w, name, z):
    return z @ w[f"{name}/kernel"] + w[f"{name}/bias"]


def np_sigmoid(z):
    return 1 / (1 + np.exp(-z))


def np_relu(z):
    return np.maximum(z, 0)


def np_soft(x, t):
    return np.where(np.abs(x) > t, x - np.sign(x) * t, 0.0)


def np_over_space(per_channel, x):
    return per_channel.reshape(len(per_channel), *(1,) * (x.ndim - 2), -1)


def space(x):
    return tuple(range(1, x.ndim - 1))


def np_gate(w, m, norm=True, last_norm=False):
    z = np_dense(w, "hidden_dense", m)
    if norm:
        z = np_norm(w, "hidden_norm", z)
    z = np_dense(w, "gate_dense", np_relu(z))
    if last_norm:
        z = np_norm(w, "gate_norm", z)
    return np_sigmoid(z)


def np_thresholds(w, x, scope):
    m = np.abs(x).mean(axis=space(x))
    alpha = np_gate(w, m)
    return alpha * m if scope == "channel" else alpha * m.mean(axis=1, keepdims=True)


def np_learned_thresholds(raw, x, relative):
    """The formula of `LearnedThreshold`."""
    if relative:
        return np_sigmoid(raw) * np.abs(x).mean(axis=space(x))
    return np.broadcast_to(np.log1p(np.exp(raw)), (len(x), x.shape[-1]))


def np_conv(x, kernel, bias, stride):
    """Cross-correlation with TensorFlow's "same" padding, in one or two dimensions."""
    spatial, size = x.shape[1:-1], kernel.shape[:-2]
    out = [-(-n // stride) for n in spatial]
    pads = [max((o - 1) * stride + k - n, 0) for o, k, n in zip(out, size, spatial, strict=True)]
    x = np.pad(x, [(0, 0), *[(p // 2, p - p // 2) for p in pads], (0, 0)])
    y = np.zeros((len(x), *out, kernel.shape[-1]))
    for place in np.ndindex(*out):
        window = tuple(slice(p * stride, p * stride + k) for p, k in zip(place, size, strict=True))
        patch = x[(slice(None), *window, slice(None))]
        y[(slice(None), *place)] = patch.reshape(len(x), -1) @ kernel.reshape(-1, kernel.shape[-1])
    return y + bias


def np_shortcut(x, filters, stride, padding="both"):
    x = x[(slice(None), *(slice(None, None, stride),) * (x.ndim - 2), slice(None))]
    added = filters - x.shape[-1]
    front = added // 2 if padding == "both" else 0
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(front, added - front)])
